package script_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/trigger"
)

// The storm: how long it lasts when nothing else is said
// (LANYARD_STORM_SECONDS), and how much comes.
const (
	stormSeconds   = 5
	stormPerSecond = 200
	// stormBar is within which 99 of 100 good requests are answered. It is held
	// when the length is said: other tests then do not run beside it.
	stormBar = 100 * time.Millisecond
)

const stormConfig = `connections:
  things: {server: "SERVER", allowPrivate: true, auth: {type: none}}
run: {concurrency: 16}
triggers:
  push:
    endpoint:
      auth: {hmac: {secret: env:STORM_SECRET}}
      schema: {type: object, required: [n], properties: {n: {type: string}}}
      limits: {rate: 5000}
    flow: flow.yaml#make
`

const stormFlow = `arazzo: 1.0.1
info: {title: A thing, version: "1"}
sourceDescriptions: [{name: things, url: things.yaml, type: openapi}]
workflows:
  - workflowId: make
    inputs: {type: object, required: [n], properties: {n: {type: string}}}
    steps:
      - stepId: make
        operationId: makeThing
        requestBody: {payload: {n: $inputs.n}}
        x-lanyard-idempotency: {key: "thing-{$inputs.n}", header: Idempotency-Key}
        successCriteria: [{condition: $statusCode == 201}]
`

const stormDescription = `openapi: 3.0.3
info: {title: Things, version: "1"}
servers: [{url: "https://things.example.com"}]
paths:
  /things:
    post:
      operationId: makeThing
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: made}}
`

// thingServer makes things, once for each idempotency key.
type thingServer struct {
	mu    sync.Mutex
	calls int
	made  map[string]int // by n
	keys  map[string]bool
}

func (s *thingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ N string }
	err := json.NewDecoder(r.Body).Decode(&body)
	s.mu.Lock()
	s.calls++
	if key := r.Header.Get("Idempotency-Key"); err == nil && !s.keys[key] {
		s.keys[key] = true
		s.made[body.N]++
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "{}")
}

// hookStorm calls one endpoint with all that callers send.
type hookStorm struct {
	t       *testing.T
	binary  string
	dir     string
	address string
	things  *thingServer

	mu       sync.Mutex
	accepted map[string]string // run by n
	bad      map[string]bool   // n of requests that must not run
	took     []time.Duration   // of good requests
	statuses map[int]int
	wrong    []string
}

func newHookStorm(t *testing.T) *hookStorm {
	t.Helper()
	s := &hookStorm{
		t: t, binary: buildBinary(t), dir: t.TempDir(), things: &thingServer{made: map[string]int{}, keys: map[string]bool{}},
		accepted: map[string]string{}, bad: map[string]bool{}, statuses: map[int]int{},
	}
	server := httptest.NewServer(s.things)
	t.Cleanup(server.Close)
	free := must(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	s.address = free.Addr().String()
	check(t, free.Close())
	writeText(t, filepath.Join(s.dir, "lanyard.yaml"), strings.Replace(stormConfig, "SERVER", server.URL, 1))
	writeText(t, filepath.Join(s.dir, "flow.yaml"), stormFlow)
	writeText(t, filepath.Join(s.dir, "things.yaml"), stormDescription)
	return s
}

const stormSecret = "a-secret-of-the-storm"

// serve starts lanyard serve and waits until it answers.
func (s *hookStorm) serve() *exec.Cmd {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.address)
	check(s.t, err)
	cmd := exec.CommandContext(s.t.Context(), s.binary, "serve", "--api-port", port, "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	cmd.Dir, cmd.Stderr = s.dir, os.Stderr
	cmd.Env = append(os.Environ(), "STORM_SECRET="+stormSecret)
	out := must(cmd.StdoutPipe())(s.t)
	check(s.t, cmd.Start())
	if _, err := bufio.NewReader(out).ReadBytes('\n'); err != nil {
		s.t.Fatalf("lanyard serve: %v", err)
	}
	return cmd
}

// send makes one signed request. again sends the same once more until somebody
// answers: a process that was killed comes back.
func (s *hookStorm) send(ctx context.Context, n, secret string, again bool) (status int, run string, took time.Duration) {
	body := []byte(`{"n":"` + n + `"}`)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/hooks/push", bytes.NewReader(body))
		if err != nil {
			s.t.Error(err)
			return 0, "", 0
		}
		now := time.Now()
		req.Header.Set("X-Lanyard-Timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("X-Lanyard-Signature", trigger.Sign(secret, now, body))
		req.Header.Set("Idempotency-Key", "key-"+n)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			var answer struct{ Run string }
			err = json.NewDecoder(res.Body).Decode(&answer)
			_ = res.Body.Close()
			// Two at once, or a server that stops: a good client asks again.
			if busy := res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusServiceUnavailable; err == nil && !busy {
				return res.StatusCode, answer.Run, time.Since(now)
			}
		}
		if !again || ctx.Err() != nil {
			return 0, "", time.Since(now)
		}
	}
}

// good sends what has to run, several times when told so.
func (s *hookStorm) good(ctx context.Context, n string, again bool) {
	status, run, took := s.send(ctx, n, stormSecret, again)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	s.took = append(s.took, took)
	switch before, ok := s.accepted[n]; {
	case status != http.StatusAccepted:
		s.wrong = append(s.wrong, fmt.Sprintf("%s: status %d", n, status))
	case ok && before != run:
		s.wrong = append(s.wrong, fmt.Sprintf("%s: run %s, and %s before", n, run, before))
	default:
		s.accepted[n] = run
	}
}

func (s *hookStorm) evil(ctx context.Context, n string, again bool) {
	status, _, _ := s.send(ctx, n, "another secret", again)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	s.bad[n] = true
	if status != http.StatusUnauthorized {
		s.wrong = append(s.wrong, fmt.Sprintf("a bad signature: status %d", status))
	}
}

// rage sends so many requests a second, whatever becomes of those before: new
// ones, the same again, and bad ones.
func (s *hookStorm) rage(length time.Duration, again bool, half func()) {
	ctx, cancel := context.WithTimeout(s.t.Context(), length+2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(time.Second / stormPerSecond)
	defer ticker.Stop()
	var sending sync.WaitGroup
	total := int(length.Seconds() * stormPerSecond)
	for i := range total {
		<-ticker.C
		if i == total/2 && half != nil {
			sending.Go(half)
		}
		switch dice := rand.IntN(10); {
		case dice == 0:
			sending.Go(func() { s.evil(ctx, fmt.Sprintf("bad-%d", i), again) })
		case dice <= 2 && i > 20: // one that was sent before, or is being sent
			sending.Go(func() { s.good(ctx, fmt.Sprintf("n-%d", i-1-rand.IntN(20)), again) })
		default:
			sending.Go(func() { s.good(ctx, fmt.Sprintf("n-%d", i), again) })
		}
	}
	sending.Wait()
}

// settle waits until everything that was accepted was made.
func (s *hookStorm) settle() {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s.things.mu.Lock()
		made := len(s.things.made)
		s.things.mu.Unlock()
		if made >= len(s.accepted) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("a minute after the storm %d of %d accepted requests were carried out", made, len(s.accepted))
		}
		<-time.After(20 * time.Millisecond)
	}
}

// judge says whether all went as it must.
func (s *hookStorm) judge(exactlyOneCall bool) {
	s.t.Helper()
	for _, w := range s.wrong[:min(len(s.wrong), 10)] {
		s.t.Error(w)
	}
	s.things.mu.Lock()
	defer s.things.mu.Unlock()
	for n := range s.accepted {
		if s.things.made[n] != 1 {
			s.t.Errorf("%s was accepted and made %d times", n, s.things.made[n])
		}
	}
	for n := range s.things.made {
		if s.bad[n] || s.accepted[n] == "" {
			s.t.Errorf("%s was made and not accepted", n)
		}
	}
	if exactlyOneCall && s.things.calls != len(s.accepted) {
		s.t.Errorf("%d calls were made for %d accepted requests", s.things.calls, len(s.accepted))
	}
	slices.Sort(s.took)
	p99 := s.took[len(s.took)*99/100]
	s.t.Logf("%d requests: %v by status; %d runs; answered within %v (median), %v (99 of 100), %v (all)", len(s.took)+len(s.bad), s.statuses, len(s.accepted),
		s.took[len(s.took)/2].Round(time.Microsecond), p99.Round(time.Microsecond), s.took[len(s.took)-1].Round(time.Microsecond))
	if exactlyOneCall && os.Getenv("LANYARD_STORM_SECONDS") != "" && p99 > stormBar {
		s.t.Errorf("99 of 100 requests are answered within %v, want %v", p99, stormBar)
	}
}

func stormLength(t *testing.T) time.Duration {
	t.Helper()
	return time.Duration(sizeOf(t, "LANYARD_STORM_SECONDS", stormSeconds)) * time.Second
}

// 200 requests a second come in, with duplicates and bad signatures among them:
// every accepted one runs once, none of the bad ones does.
func TestHookStorm(t *testing.T) {
	t.Parallel()
	s := newHookStorm(t)
	cmd := s.serve()
	s.rage(stormLength(t), false, nil)
	s.settle()
	check(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	s.judge(true)
}

// The process is killed in the middle and started again: what was accepted runs
// all the same, and nothing runs twice.
func TestHookStormKilled(t *testing.T) {
	t.Parallel()
	s := newHookStorm(t)
	cmd := s.serve()
	again := make(chan *exec.Cmd, 1)
	s.rage(stormLength(t)/2, true, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		again <- s.serve()
	})
	cmd = <-again
	s.settle()
	check(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	s.judge(false)
	list := exec.CommandContext(t.Context(), s.binary, "runs", "list", "-o", "json", "--limit", "100000")
	list.Dir = s.dir
	var listed struct {
		Runs []struct {
			Status string
			Inputs struct{ N string }
		}
	}
	check(t, json.Unmarshal(must(list.Output())(t), &listed))
	seen := map[string]int{}
	for _, r := range listed.Runs {
		if r.Status != "succeeded" {
			t.Errorf("the run of %s is %s", r.Inputs.N, r.Status)
		}
		seen[r.Inputs.N]++
	}
	for n := range s.accepted {
		if seen[n] != 1 {
			t.Errorf("%s was accepted and has %d runs", n, seen[n])
		}
	}
}
