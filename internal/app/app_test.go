package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// bench is Lanyard in a project folder of its own.
type bench struct {
	*App
	t   *testing.T
	dir string
	env map[string]string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), env: map[string]string{}}
	b.App = &App{Log: slog.New(slog.DiscardHandler), Env: func(name string) (string, bool) { v, ok := b.env[name]; return v, ok }}
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *bench) write(name, text string) string {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

// settings are those of a command in the project folder.
func (b *bench) settings() cli.Settings {
	return cli.Settings{Config: b.path("lanyard.yaml"), Data: b.path(".lanyard"), DataGiven: true}
}

func (b *bench) request(file string, bind run.Bindings) cli.PlanRequest {
	return cli.PlanRequest{Settings: b.settings(), File: b.path(file), Dialect: arazzo.Strict, Bindings: bind}
}

// plan builds a plan that must be right.
func (b *bench) planOf(req cli.PlanRequest) *plan.Plan {
	b.t.Helper()
	result, err := b.plan(b.t.Context(), req)
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return result.Plan
}

// session opens the data folder and closes it with the test.
func (b *bench) session(access cli.Access) cli.Session {
	b.t.Helper()
	s, err := b.open(b.t.Context(), b.settings(), access)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	return s
}

// rest waits until a run rests and returns its summary.
func rest(t *testing.T, s cli.Session, id string) run.Run {
	t.Helper()
	for after := 0; ; {
		records, err := s.Records(t.Context(), id, after, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		after = records[len(records)-1].Seq
	}
	r, err := s.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// provider is an API of a test's own: GET /users, which may need a token.
func provider(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

const people = `
openapi: 3.0.3
info: {title: People, version: "1"}
servers: [{url: https://people.example.com}]
security: [{token: []}, {}]
paths:
  /users: {get: {operationId: listUsers, responses: {"200": {description: ok}}}}
components: {securitySchemes: {token: {type: http, scheme: bearer}}}
`

const flow = `
arazzo: 1.0.1
info: {title: List, version: "1"}
sourceDescriptions: [{name: people, url: people.yaml, type: openapi}]
workflows:
  - workflowId: list
    steps:
      - stepId: get
        operationId: listUsers
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {status: $statusCode}
    outputs: {status: $steps.get.outputs.status}
`

// The tour is only of use as long as it leads somewhere.
func TestTheTourIsTrue(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`[a-z_/]+\.go\b`).FindAllString(string(text), -1) {
		here, above := filepath.FromSlash(name), filepath.Join("..", filepath.FromSlash(name))
		_, err1 := os.Stat(here)
		_, err2 := os.Stat(above)
		if err1 != nil && err2 != nil {
			t.Errorf("doc.go leads to %s, which is not there", name)
		}
	}
	// Each word of the way, and the file that must still hold it.
	for word, file := range map[string]string{
		"sources.Loader": "product.go", "plan.Build": "product.go", "worker.Start": "folder.go",
		"config.Book": "connections.go", "openDatabase": "folder.go",
		"Open": "product.go", "Folder": "folder.go", "report": "../cli/run.go", "connector": "executor.go", "egress": "executor.go",
	} {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).Match(text) {
			t.Errorf("doc.go does not speak of %s", word)
		}
		code, err := os.ReadFile(file)
		if err != nil || !regexp.MustCompile(`\b`+regexp.QuoteMeta(word)+`\b`).Match(code) {
			t.Errorf("%s has no %s any more (%v)", file, word, err)
		}
	}
}

func TestProductIsComplete(t *testing.T) {
	p := newBench(t).Product()
	if p.Plan == nil || p.Bind == nil || p.Open == nil || p.FindOperation == nil || p.Sources == nil || p.Connections == nil ||
		p.Serve == nil || p.LockHolder == nil || p.CheckSandbox == nil {
		t.Errorf("a part is missing: %+v", p)
	}
}

func TestCheckSandbox(t *testing.T) {
	b := newBench(t)
	t.Setenv("TMPDIR", b.dir)
	if err := b.checkSandbox(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(b.dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", b.path("absent"))
	if err := b.checkSandbox(t.Context()); err == nil {
		t.Error("the sandbox starts without a folder")
	}
}
