package script_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const listDocument = `arazzo: 1.0.1
info: {title: Many people, version: "1"}
sourceDescriptions: [{name: people, url: people.yaml, type: openapi}]
workflows:
  - workflowId: all
    inputs: {type: object, required: [n], properties: {n: {type: integer}}}
    steps:
      - stepId: names
        x-lanyard-compute: {list: 'lists.range(inputs.n).map(i, "p" + string(i))'}
      - stepId: each
        workflowId: one
        x-lanyard-forEach: {items: $steps.names.outputs.list, as: login, maxParallel: 8, onError: collect}
    outputs: {made: $steps.each.outputs.succeeded}
  - workflowId: one
    inputs: {type: object, required: [login], properties: {login: {type: string}}}
    steps:
      - stepId: look
        operationId: listUsers
        parameters: [{name: login, in: query, value: $inputs.login}]
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {type: $response.body#/rule}
        onSuccess: [{name: plain, type: goto, stepId: plain, criteria: [{condition: $response.body#/rule == 'none'}]}]
      - stepId: create
        operationId: createUser
        requestBody: {payload: {login: $inputs.login}}
        successCriteria: [{condition: $statusCode == 201}]
        onSuccess: [{name: made, type: end}]
        x-lanyard-idempotency:
          lookup:
            operationId: listUsers
            parameters: [{name: login, in: query, value: $inputs.login}]
            found: $response.body#/id != null
      - stepId: plain
        operationId: createUser
        requestBody: {payload: {login: $inputs.login}}
        successCriteria: [{condition: $statusCode == 201}]
`

// manyPeople keeps people by login. Every fifth has no rule for calls in doubt.
type manyPeople struct {
	mu   sync.Mutex
	made map[string]int
	hits int
	hook func(hits int)
}

func (p *manyPeople) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	p.mu.Lock()
	defer p.mu.Unlock()
	if req.Method == http.MethodGet {
		login := req.URL.Query().Get("login")
		answer := map[string]any{"rule": "look-up"}
		if strings.HasSuffix(login, "3") || strings.HasSuffix(login, "8") {
			answer["rule"] = "none"
		}
		if p.made[login] > 0 {
			answer["id"] = login
		}
		_ = json.NewEncoder(w).Encode(answer) // the client may be dead, which is the point
		return
	}
	var user struct{ Login string }
	if json.Unmarshal(body, &user) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.made[user.Login]++
	p.hits++
	if p.hook != nil {
		p.hook(p.hits)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{}`) // the same
}

// TestListCrash kills the command at random moments while it works through a
// list, eight items at a time: every item is done exactly once, and those that
// no rule can settle are held until a person has looked. LANYARD_LIST_ITEMS and
// LANYARD_LIST_KILLS say how many items there are, and how often it is killed.
func TestListCrash(t *testing.T) {
	t.Parallel()
	n, kills := sizeOf(t, "LANYARD_LIST_ITEMS", 200), sizeOf(t, "LANYARD_LIST_KILLS", 4)
	binary, dir := buildBinary(t), t.TempDir()
	for name, text := range map[string]string{"flow.yaml": listDocument, "people.yaml": crashDescription} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	people := &manyPeople{made: map[string]int{}}
	server := httptest.NewServer(people)
	defer server.Close()
	command := func(killAt int, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir = dir
		people.mu.Lock()
		people.hook = func(hits int) {
			if killAt > 0 && hits >= killAt {
				cancel() // kills it
			}
		}
		people.mu.Unlock()
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const id = "run_list"
	args := []string{"run", "flow.yaml", "--server", "people=" + server.URL, "--allow-private", "--id", id, "--input", fmt.Sprintf("n:=%d", n)}
	for kill := range kills {
		people.mu.Lock()
		at := people.hits + 1 + rand.IntN(max(n/(kills+1), 1))
		people.mu.Unlock()
		if out, err := command(at, args...); err == nil {
			t.Fatalf("kill %d: the command ended by itself: %s", kill, out)
		}
		args = []string{"runs", "resume", id}
	}
	out, err := command(0, args...)
	held := 0
	for ; err != nil && held <= 8*kills; held++ {
		state, lookErr := command(0, "runs", "show", id, "-o", "json")
		var shown struct{ Status, Error string }
		if lookErr != nil || json.Unmarshal([]byte(state), &shown) != nil || shown.Status != "held" {
			t.Fatalf("the run is not held: %v\n%s\n%s", lookErr, out, state)
		}
		_, rest, _ := strings.Cut(shown.Error, ", ")
		login, _, _ := strings.Cut(rest, ":")
		people.mu.Lock()
		done := people.made[login] > 0
		people.mu.Unlock()
		decision := "retry"
		if done {
			decision = "skip"
		}
		out, err = command(0, "runs", decision, id, "--step", "plain")
	}
	if err != nil {
		t.Fatalf("the run does not end: %v\n%s", err, out)
	}
	people.mu.Lock()
	defer people.mu.Unlock()
	for i := range n {
		if login := fmt.Sprintf("p%d", i); people.made[login] != 1 {
			t.Errorf("%s was made %d times", login, people.made[login])
		}
	}
	t.Logf("%d items, killed %d times, held for a person %d times", n, kills, held)
}
