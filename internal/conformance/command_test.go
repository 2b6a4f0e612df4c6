package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/conformance"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// runnerVariable makes this test binary a runner that behaves as its value says.
const runnerVariable = "CONFORMANCE_TEST_RUNNER"

func TestMain(m *testing.M) {
	if behaviour := os.Getenv(runnerVariable); behaviour != "" {
		os.Exit(act(behaviour))
	}
	os.Exit(m.Run())
}

// act is a runner that calls whatever URLs its document lists, one in a line.
func act(behaviour string) int {
	var in struct {
		Document, Server string
		Inputs           map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch behaviour {
	case "silent":
		fmt.Fprintln(os.Stderr, "no idea what to do")
		return 1
	case "chatty":
		fmt.Println("hello")
		return 0
	case "refusing":
		fmt.Println(`{"status": "refused", "error": "bad document"}`)
		return 1
	}
	document, err := os.ReadFile(in.Document)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	outputs := map[string]any{"server": in.Server, "next": in.Inputs["next"]}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for url := range strings.Lines(string(document)) {
		res, err := client.Post(strings.TrimSpace(url), "text/plain", strings.NewReader("from "+in.Server))
		if err != nil {
			outputs["broken"] = true
			continue
		}
		if to := res.Header.Get("Location"); to != "" {
			outputs["location"] = to
		}
		_ = res.Body.Close()
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"status": "succeeded", "outputs": outputs})
	return 0
}

func judge(t *testing.T, behaviour, text string) (conformance.Verdict, error) {
	t.Helper()
	c, err := conformance.ReadCase("N1-01-x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(runnerVariable, behaviour)
	got, err := (&conformance.Command{Line: os.Args[0]}).Run(t.Context(), &c)
	return conformance.Judge(&c, got), err
}

// What a command sends, gets and prints is judged as if the servers that the
// case names had been there, each under its own name.
func TestCommand(t *testing.T) {
	verdict, err := judge(t, "calling", `
id: N1-01-x
clauses: [N1]
title: t
documents:
  main.yaml: |
    http://api.test/a?b=c
    https://mini.test/d
    http://mini.test:8080/e
    http://api.test/f
inputs: {next: "http://api.test/next"}
replies:
  - {status: 200}
  - {status: 302, headers: {Location: "https://mini.test/x"}, text: ""}
  - {fails: dropped}
expect:
  status: succeeded
  requests:
    - {method: POST, url: "http://api.test/a?b=c", text: from http://api.test, headers: {Content-Type: text/plain}}
    - {method: POST, url: "https://mini.test/d", headers: {X-None: null}}
    - POST http://mini.test:8080/e
    - POST http://api.test/g
  waits: [3]
  steps: [{stepId: a, status: failed}]
  diagnostics: [{code: unknown-step}]
  outputs: {server: "http://api.test", next: "http://api.test/next", location: "https://mini.test/y"}
`)
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	// What a command cannot report (waits) or does not (steps, diagnostics) is not
	// judged; two expectations are wrong on purpose.
	want := []string{
		"request 4 is POST http://api.test/f, want POST http://api.test/g",
		`outputs are {"broken":true,"location":"https://mini.test/x","next":"http://api.test/next","server":"http://api.test"}, ` +
			`want {"location":"https://mini.test/y","next":"http://api.test/next","server":"http://api.test"}`,
	}
	if got := verdict.Problems; len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("problems are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCommandThatRefuses(t *testing.T) {
	const refused = `
id: N1-01-x
clauses: [N1]
title: t
documents: {main.yaml: ""}
expect: {status: refused, outputs: {a: 1}}
`
	// Its exit code does not matter, and outputs that it does not print are not judged.
	verdict, err := judge(t, "refusing", refused)
	if err != nil || !verdict.Passed() {
		t.Errorf("a runner that refuses: %v, %v", verdict.Problems, err)
	}
	for behaviour, want := range map[string]string{"silent": "no idea what to do", "chatty": "printed no JSON result"} {
		if _, err := judge(t, behaviour, refused); err == nil || !strings.Contains(fault.Public(err), want) {
			t.Errorf("a %s runner gives the error %v, want %q in it", behaviour, err, want)
		}
	}
}
