package script_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
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
)

// crashRounds is how often the process is killed when nothing else is said;
// LANYARD_CRASH_ROUNDS says otherwise.
const crashRounds = 12

// resumeTime is within which a resumed run has to be moving again, counted from
// the start of the process. One in twenty may take longer: the machine may have
// more to do.
const resumeTime = 2 * time.Second

// TestCrash kills the command at random moments and resumes the run, with every
// kind of idempotency rule and with none: no call that was completed is
// repeated, none is lost, and what is in doubt is settled by its rule or held.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := sizeOf(t, "LANYARD_CRASH_ROUNDS", crashRounds)
	seed := rand.Uint64()
	if text := os.Getenv("LANYARD_CRASH_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("LANYARD_CRASH_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("LANYARD_CRASH_SEED=%d", seed)
	binary := buildBinary(t)
	tally := map[string]int{}
	var times []time.Duration
	for i := range rounds {
		rule := crashRules[i%len(crashRules)]
		r := &crashRound{
			t: t, binary: binary, dir: t.TempDir(), rule: rule.name, tally: tally, times: &times,
			random: rand.New(rand.NewPCG(seed, uint64(i))), first: firstKills[i/len(crashRules)%len(firstKills)],
			people: newPeopleServer(rule.refuseTwice),
		}
		t.Run(fmt.Sprintf("%03d-%s", i, rule.name), func(t *testing.T) {
			r.t = t
			r.play(rule.text)
		})
	}
	var summary strings.Builder
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		fmt.Fprintf(&summary, "\n%5d  %s", tally[what], what)
	}
	slices.Sort(times)
	if n := len(times); n > 0 {
		fmt.Fprintf(&summary, "\nmoving again after %v (median), %v (19 of 20), %v (at most)", times[n/2], times[n*19/20], times[n-1])
		if times[n*19/20] > resumeTime && n >= 20 || times[n/2] > resumeTime {
			t.Errorf("resuming takes more than %v", resumeTime)
		}
	}
	t.Logf("%d rounds:%s", rounds, summary.String())
}

// buildBinary builds the command as users have it, by the first test that asks:
// linking it takes longer than many a test. The flags are those of make build,
// so that nothing is compiled again.
func buildBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(os.Getenv(builtFolder), "lanyard")
	buildOnce.Do(func() {
		cmd := exec.Command("go", "build", "-trimpath", "-o", binary, "../cmd/lanyard")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	if _, err := os.Stat(binary); err != nil {
		t.Fatal(err)
	}
	return binary
}

var buildOnce sync.Once

// crashRules are the variants of the two steps that create somebody.
var crashRules = []struct {
	name, text  string
	refuseTwice bool // the server refuses a second one of a name, as real ones do
}{
	{"lookup", `
        x-lanyard-idempotency:
          lookup:
            operationId: listUsers
            parameters: [{name: login, in: query, value: "{$inputs.login}-NAME"}, {name: X-Step, in: header, value: lookup-NAME}]
            body: $response.body#/0`, false},
	{"key", `
        x-lanyard-idempotency: {key: "{$inputs.login}-NAME-key", header: Idempotency-Key}`, false},
	{"done", `
        x-lanyard-idempotency:
          done: [409]
          lookup:
            operationId: listUsers
            parameters: [{name: login, in: query, value: "{$inputs.login}-NAME"}, {name: X-Step, in: header, value: lookup-NAME}]
            body: $response.body#/0`, true},
	{"none", "", false},
}

// firstKills are the boundaries at which the process is killed first, so that
// few rounds hit what matters most: the effect is there, the answer is not, of
// the first and of the second creation. 0 is a random moment.
var firstKills = []int{2, 11, 0}

const crashDocument = `arazzo: 1.0.1
info: {title: Two people and their groups, version: "1"}
sourceDescriptions: [{name: people, url: people.yaml, type: openapi}]
workflows:
  - workflowId: two
    inputs: {type: object, required: [login], properties: {login: {type: string}}}
    steps:
STEPS    outputs: {a: $steps.create-a.outputs.id, b: $steps.create-b.outputs.id, status: $steps.read-b.outputs.status}
`

// crashSteps makes one person, adds them to a group and reads them.
const crashSteps = `      - stepId: create-NAME
        operationId: createUser
        parameters: [{name: X-Step, in: header, value: create-NAME}]
        requestBody: {payload: {login: "{$inputs.login}-NAME"}}
        successCriteria: [{condition: $statusCode == 201}]
        outputs: {id: $response.body#/id}RULE
      - stepId: group-NAME
        operationId: addToGroup
        parameters:
          - {name: X-Step, in: header, value: group-NAME}
          - {name: userId, in: path, value: $steps.create-NAME.outputs.id}
        successCriteria: [{condition: $statusCode == 204}]
      - stepId: read-NAME
        operationId: getUser
        parameters:
          - {name: X-Step, in: header, value: read-NAME}
          - {name: userId, in: path, value: $steps.create-NAME.outputs.id}
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {status: $statusCode}
`

const crashDescription = `openapi: 3.0.3
info: {title: People, version: "1"}
servers: [{url: "https://people.example.com"}]
paths:
  /users:
    parameters: [{name: X-Step, in: header, schema: {type: string}}]
    get:
      operationId: listUsers
      parameters: [{name: login, in: query, schema: {type: string}}]
      responses: {"200": {description: ok}}
    post:
      operationId: createUser
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: made}}
  /users/{userId}:
    parameters: [{name: X-Step, in: header, schema: {type: string}}, {name: userId, in: path, required: true, schema: {type: string}}]
    get: {operationId: getUser, responses: {"200": {description: ok}}}
  /group/users/{userId}:
    parameters: [{name: X-Step, in: header, schema: {type: string}}, {name: userId, in: path, required: true, schema: {type: string}}]
    put: {operationId: addToGroup, responses: {"204": {description: ok}}}
`

// peopleServer keeps people, and counts what it is asked.
type peopleServer struct {
	refuseTwice bool

	mu      sync.Mutex
	users   []string           // logins; the id of users[0] is u1
	keys    map[string]int     // idempotency key to id
	members map[string]bool    // ids in the group
	asked   []string           // step names, in order
	lose    bool               // the call that the process is killed in has no effect
	active  int                // calls that are being answered
	idle    *sync.Cond         // active is 0
	hooks   sync.Mutex         // held while the hook runs
	hook    func(where string) // called at every boundary of a call
}

func newPeopleServer(refuseTwice bool) *peopleServer {
	p := &peopleServer{refuseTwice: refuseTwice, keys: map[string]int{}, members: map[string]bool{}}
	p.idle = sync.NewCond(&p.mu)
	return p
}

// settled waits until no call is being answered: what a killed process had sent
// takes its effect or not before anything else is looked at.
func (p *peopleServer) settled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.active > 0 {
		p.idle.Wait()
	}
}

// at tells the hook where a call stands.
func (p *peopleServer) at(where string) {
	p.mu.Lock()
	hook := p.hook
	p.mu.Unlock()
	if hook != nil {
		p.hooks.Lock()
		defer p.hooks.Unlock()
		hook(where)
	}
}

func (p *peopleServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	p.mu.Lock()
	p.asked = append(p.asked, req.Header.Get("X-Step"))
	p.active++
	p.mu.Unlock()
	defer p.left()
	p.at("before the effect")
	if p.lost() {
		panic(http.ErrAbortHandler)
	}
	status, answer := p.handle(req, body)
	p.at("before the answer")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) // the client may be dead, which is the point
	_ = http.NewResponseController(w).Flush()
	p.at("after the answer")
}

// lost reports, once, whether the call that is being made is to have no effect.
func (p *peopleServer) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := p.lose
	p.lose = false
	return lost
}

// left ends a call.
func (p *peopleServer) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active--; p.active == 0 {
		p.idle.Broadcast()
	}
}

// handle does what is asked.
func (p *peopleServer) handle(req *http.Request, body []byte) (int, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	switch {
	case req.Method == http.MethodPost:
		return p.create(req.Header.Get("Idempotency-Key"), body)
	case req.Method == http.MethodPut:
		p.members[id] = true
		return http.StatusNoContent, ""
	case req.URL.Path == "/users":
		if i := slices.Index(p.users, req.URL.Query().Get("login")); i >= 0 {
			return http.StatusOK, fmt.Sprintf(`[{"id":"u%d"}]`, i+1)
		}
		return http.StatusOK, "[]"
	}
	return http.StatusOK, fmt.Sprintf(`{"id":%q}`, id)
}

func (p *peopleServer) create(key string, body []byte) (int, string) {
	var user struct{ Login string }
	if err := json.Unmarshal(body, &user); err != nil {
		return http.StatusBadRequest, "{}"
	}
	if id, ok := p.keys[key]; ok && key != "" {
		return http.StatusCreated, fmt.Sprintf(`{"id":"u%d"}`, id)
	}
	if p.refuseTwice && slices.Contains(p.users, user.Login) {
		return http.StatusConflict, `{"error":"exists"}`
	}
	p.users = append(p.users, user.Login)
	p.keys[key] = len(p.users)
	return http.StatusCreated, fmt.Sprintf(`{"id":"u%d"}`, len(p.users))
}

// idOf returns the id of a login, if it was created.
func (p *peopleServer) idOf(login string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.users, login)
	return fmt.Sprintf("u%d", i+1), i >= 0
}

// take returns the steps that were asked for since the last time.
func (p *peopleServer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.asked
	p.asked = nil
	return out
}

// crashRound is one run that is killed, up to three times, and brought to its end.
type crashRound struct {
	t      *testing.T
	binary string
	dir    string
	rule   string
	tally  map[string]int
	times  *[]time.Duration // from the start of a process until its run moved
	random *rand.Rand
	first  int // the boundary of the first kill, 0: a random moment
	people *peopleServer
	url    string

	answered []string  // steps with an answer in the journal
	recorded bool      // the run is in the journal
	skipped  []string  // by a person
	moved    time.Time // when the last command first called the server
}

const crashRun = "run_crash"

func (r *crashRound) play(rule string) {
	server := httptest.NewServer(r.people)
	defer server.Close()
	r.url = server.URL
	steps := strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", rule), "NAME", "a")
	steps += strings.ReplaceAll(strings.ReplaceAll(crashSteps, "RULE", rule), "NAME", "b")
	r.write("flow.yaml", strings.Replace(crashDocument, "STEPS", steps, 1))
	r.write("people.yaml", crashDescription)

	for kill := range 1 + r.random.IntN(3) {
		m := r.moment()
		if kill == 0 && r.first > 0 {
			m = moment{boundary: r.first}
		}
		if _, killed := r.run(m, r.nextArgs()...); !killed {
			break
		}
		r.afterwards()
	}
	r.finish()
	r.check()
}

// nextArgs starts the run, or resumes it once it is in the journal.
func (r *crashRound) nextArgs() []string {
	if r.recorded {
		return []string{"runs", "resume", crashRun}
	}
	return r.startArgs()
}

func (r *crashRound) startArgs() []string {
	return []string{"run", "flow.yaml", "--server", "people=" + r.url, "--allow-private", "--id", crashRun, "--input", "login=ada"}
}

func (r *crashRound) write(name, text string) {
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// moment chooses when the process is killed: at a boundary of a call, or after
// some time.
type moment struct {
	boundary int           // the how manieth; 0: none
	after    time.Duration // 0: never
}

func (r *crashRound) moment() moment {
	if r.random.IntN(3) == 0 {
		return moment{after: time.Duration(1 + r.random.Int64N(int64(150*time.Millisecond)))}
	}
	return moment{boundary: 1 + r.random.IntN(17)}
}

// run runs a command and kills it at the given moment, unless it ends before.
func (r *crashRound) run(m moment, args ...string) (result, bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, args...)
	cmd.Dir = r.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var once sync.Once
	died := make(chan struct{})
	killed := ""
	kill := func(where string) {
		once.Do(func() {
			killed = where
			_ = cmd.Process.Kill() // it may have ended
			<-died                 // no answer reaches it any more
		})
	}
	left, lose := m.boundary, r.random.IntN(2) == 0
	r.moved = time.Time{}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.hook(func(where string) {
		if r.moved.IsZero() {
			r.moved = time.Now()
		}
		if left--; left == 0 {
			kill(where)
			r.people.mu.Lock()
			r.people.lose = lose && where == "before the effect" && killed == where
			r.people.mu.Unlock()
		}
	})
	if m.after > 0 {
		timer := time.AfterFunc(m.after, func() { kill("at any time") })
		defer timer.Stop()
	}
	err := cmd.Wait()
	close(died)
	once.Do(func() {}) // waits for a kill that is under way, and lets none follow
	r.hook(nil)
	r.people.settled()
	if ctx.Err() != nil {
		r.t.Fatalf("%v does not end", args)
	}
	if killed != "" && err != nil && cmd.ProcessState.ExitCode() == -1 {
		r.tally["killed "+killed]++
		return result{}, true
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, false
}

func (r *crashRound) hook(f func(string)) {
	r.people.mu.Lock()
	defer r.people.mu.Unlock()
	r.people.hook = f
}

// afterwards holds what was asked since the last time against what had been
// answered and recorded before, and reads what is by now.
func (r *crashRound) afterwards() {
	r.t.Helper()
	asked := r.people.take()
	for _, step := range asked {
		if slices.Contains(r.answered, step) {
			r.t.Errorf("%s was completed, and was asked for again: %q", step, asked)
		}
	}
	r.answered, r.recorded = r.journal()
	if !r.recorded && len(asked) > 0 {
		r.t.Errorf("%q was asked for, and the run is not in the journal", asked)
	}
}

// finish brings the run to its end, deciding about what is held as a person
// would who looks at the provider.
func (r *crashRound) finish() {
	r.t.Helper()
	res := r.resumed()
	for range 4 {
		if res.code != 4 {
			break
		}
		if r.rule != "none" {
			r.t.Fatalf("held, although its rule (%s) can settle it:\n%s", r.rule, res.stdout)
		}
		res = r.decide(res)
		r.afterwards()
	}
	if res.code != 0 {
		r.t.Fatalf("exit %d\n%s\n%s", res.code, res.stdout, res.stderr)
	}
}

// resumed resumes the run, or starts it when nothing of it was recorded, and
// measures how long it takes until it moves.
func (r *crashRound) resumed() result {
	r.t.Helper()
	if r.ended() {
		r.tally["had ended already"]++
		res, _ := r.run(moment{}, "runs", "show", crashRun)
		return res
	}
	if r.recorded {
		r.tally["resumed"]++
	} else {
		r.tally["started again: nothing was recorded"]++
	}
	start := time.Now()
	res, _ := r.run(moment{}, r.nextArgs()...)
	moved := time.Since(start)
	if !r.moved.IsZero() {
		moved = r.moved.Sub(start)
	}
	*r.times = append(*r.times, moved)
	r.afterwards()
	return res
}

// ended reports whether the last record is of the run's end.
func (r *crashRound) ended() bool {
	if !r.recorded {
		return false
	}
	res, _ := r.run(moment{}, "runs", "show", crashRun, "-o", "json")
	return readRun(r.t, res).Status == "succeeded"
}

// decide says skip or retry by what the server has.
func (r *crashRound) decide(held result) result {
	r.t.Helper()
	name := ""
	for _, n := range []string{"a", "b"} {
		if strings.Contains(held.stdout, "step create-"+n+" is in doubt") {
			name = n
		}
	}
	if name == "" {
		r.t.Fatalf("what is held is not said:\n%s", held.stdout)
	}
	if id, ok := r.people.idOf("ada-" + name); ok {
		r.tally["held: it took effect, skipped"]++
		r.skipped = append(r.skipped, "create-"+name)
		res, _ := r.run(moment{}, "runs", "skip", crashRun, "--output-value", "id="+id)
		return res
	}
	r.tally["held: it took no effect, retried"]++
	res, _ := r.run(moment{}, "runs", "retry", crashRun)
	return res
}

// check holds the server to what one run without a crash leaves behind.
func (r *crashRound) check() {
	r.t.Helper()
	if !slices.Equal(r.people.users, []string{"ada-a", "ada-b"}) {
		r.t.Errorf("created %q, want each once", r.people.users)
	}
	if len(r.people.members) != 2 {
		r.t.Errorf("members %v, want both", r.people.members)
	}
	answered, _ := r.journal()
	for _, step := range []string{"create-a", "group-a", "read-a", "create-b", "group-b", "read-b"} {
		found := slices.Contains(answered, step) || slices.Contains(answered, "look-up of "+step) || slices.Contains(r.skipped, step)
		if !found {
			r.t.Errorf("%s has no answer on record: %q", step, answered)
		}
	}
	for _, step := range answered {
		if strings.HasPrefix(step, "look-up") {
			r.tally["settled by a look-up ("+r.rule+")"]++
		}
	}
}

// journal reads which steps have an answer on record, nil when there is no such run.
func (r *crashRound) journal() (answered []string, exists bool) {
	r.t.Helper()
	res, _ := r.run(moment{}, "runs", "show", crashRun, "-o", "ndjson")
	if res.code != 0 {
		return nil, false
	}
	calls := map[int]string{}
	for line := range strings.Lines(res.stdout) {
		var record struct {
			Event struct {
				Kind   string
				ID     int
				Answer *struct{ Status int }
			}
			Intents []struct {
				ID            int
				Step, Purpose string
			}
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			r.t.Fatalf("journal: %v: %s", err, line)
		}
		if a := record.Event.Answer; a != nil && a.Status != 0 {
			answered = append(answered, calls[record.Event.ID])
		}
		for _, i := range record.Intents {
			calls[i.ID] = i.Step
			if i.Purpose != "step" {
				calls[i.ID] = "look-up of " + i.Step
			}
		}
	}
	return answered, true
}
