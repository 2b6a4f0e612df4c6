package script_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/web/api"
)

// killed is a data folder whose process is killed.
type killed struct {
	*testing.T
	binary, dir string
	random      *rand.Rand
	clock       string // what serves begins there; empty: the machine's time

	server *exec.Cmd // nil: nobody serves
	client *api.Client
	okta   string // URL of the org
	token  string // for it

	seen   map[string]bool // sessions that were looked at
	kills  int
	left   int         // kills that are to come, see kill
	timer  *time.Timer // of the next one
	target *exec.Cmd   // of it
	tally  map[string]int
	took   []time.Duration // from being ready until it moved
}

func newKilled(t *testing.T) *killed {
	return &killed{
		T: t, binary: buildBinary(t), dir: t.TempDir(), seen: map[string]bool{}, tally: map[string]int{},
		random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)),
	}
}

func (k *killed) write(name, text string) {
	k.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.Fatal(err)
	}
}

func (k *killed) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.Context(), k.binary, args...)
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), "HOME="+k.dir)
	return cmd
}

// lanyard runs a command that has to succeed.
func (k *killed) lanyard(args ...string) string {
	k.Helper()
	out, err := k.command(args...).CombinedOutput()
	if err != nil {
		k.Fatalf("lanyard %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// up serves, and returns when that was ready.
func (k *killed) up() time.Time {
	k.Helper()
	if k.server != nil {
		return time.Now()
	}
	args := []string{"serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json"}
	if k.clock != "" {
		args = append(args, "--clock", k.clock)
	}
	k.server = k.command(args...)
	k.server.Stderr = os.Stderr
	out, err := k.server.StdoutPipe()
	if err == nil {
		err = k.server.Start()
	}
	if err != nil {
		k.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ready := time.Now()
	if err != nil {
		k.Fatalf("lanyard serve: %v", err)
	}
	var addresses struct{ Okta string }
	var own struct{ URL, Token string }
	var made struct{ OktaAPIToken string }
	for text, into := range map[string]any{string(line): &addresses, k.read("serve.json"): &own, k.read("sandbox.json"): &made} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			k.Fatal(err)
		}
	}
	k.okta, k.token = addresses.Okta, made.OktaAPIToken
	k.client = &api.Client{Base: own.URL, Token: own.Token, HTTP: &http.Client{Transport: &http.Transport{}}}
	return ready
}

func (k *killed) read(name string) string {
	text, err := os.ReadFile(filepath.Join(k.dir, ".lanyard", name))
	if err != nil {
		k.Fatal(err)
	}
	return string(text)
}

// down ends what serves as Ctrl-C does.
func (k *killed) down() {
	k.Helper()
	if k.server == nil {
		return
	}
	k.client.HTTP.CloseIdleConnections()
	if err := k.server.Process.Signal(os.Interrupt); err != nil {
		k.Fatal(err)
	}
	if err := k.server.Wait(); err != nil {
		k.Errorf("lanyard serve: %v", err)
	}
	k.server = nil
}

// revive waits for the end of what serves, which is killed, serves again, and
// measures until a session that was triggered moves.
func (k *killed) revive() {
	k.Helper()
	_ = k.server.Wait() // it was killed
	k.server = nil
	k.kills++
	ready := k.up()
	for _, s := range k.sessions() {
		if s.State != importer.Triggered {
			continue
		}
		k.tally["a session went on"]++
		k.poll(func() bool {
			r, err := k.client.Imports(k.Context(), importer.Command{Do: importer.ShowSession, Session: s.ID})
			if err != nil {
				k.Fatal(err)
			}
			return r.Session.Version != s.Version
		})
	}
	k.moved(ready)
}

// moved notes how long it took until a process that is ready did something.
func (k *killed) moved(ready time.Time) {
	k.took = append(k.took, time.Since(ready))
}

// poll asks another process until it says yes.
func (k *killed) poll(done func() bool) {
	k.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			text, err := json.Marshal(k.sessions())
			k.Fatalf("nothing moves; sessions: %s %v", text, err)
		}
	}
}

// sessions are those that were not looked at, the oldest first.
func (k *killed) sessions() (out []*importer.Session) {
	k.Helper()
	r, err := k.client.Imports(k.Context(), importer.Command{Do: importer.ListSessions})
	if err != nil {
		k.Fatal(err)
	}
	for _, s := range slices.Backward(r.Sessions) {
		if !k.seen[s.ID] {
			out = append(out, s)
		}
	}
	return out
}

// kill lets what serves be killed so many times, at moments of chance.
func (k *killed) kill(times int) {
	k.left = times
	k.arm()
}

func (k *killed) arm() {
	if k.left == 0 {
		return
	}
	k.left--
	k.target = k.server
	process := k.server.Process
	k.timer = time.AfterFunc(time.Duration(k.random.IntN(200))*time.Millisecond, func() { _ = process.Kill() })
}

// spare lets live what serves. It may have been killed just now.
func (k *killed) spare() {
	k.left = 0
	if !k.timer.Stop() && k.target == k.server {
		k.revive()
	}
}

// ask calls the org until it answers, and reports whether it did what it was asked.
// Whoever gets no answer asks again once the org is back.
func (k *killed) ask(into any, method, path, body string) bool {
	k.Helper()
	for again := false; ; again = true {
		status, answer := k.call(method, path, body)
		switch {
		case status == 0:
			k.tally["call without an answer: "+method]++
			k.revive()
			k.arm()
			continue
		case status/100 == 2:
			if into != nil {
				if err := json.Unmarshal(answer, into); err != nil {
					k.Fatalf("%s %s: %s", method, path, answer)
				}
			}
			return true
		case !again || status != http.StatusBadRequest:
			k.Fatalf("%s %s = %d %s", method, path, status, answer)
		}
		return false
	}
}

// call makes one call. Status 0 means that no answer came.
func (k *killed) call(method, path, body string) (status int, answer []byte) {
	req, err := http.NewRequestWithContext(k.Context(), method, k.okta+path, bytes.NewReader([]byte(body)))
	if err != nil {
		k.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS "+k.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := k.client.HTTP.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		return 0, nil
	}
	return res.StatusCode, answer
}
