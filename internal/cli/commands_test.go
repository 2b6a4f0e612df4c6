package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/plan"
)

func TestValidateExitCodes(t *testing.T) {
	dir := t.TempDir()
	right := filepath.Join(dir, "right.yaml")
	if err := os.WriteFile(right, []byte(peopleFlow), 0o600); err != nil {
		t.Fatal(err)
	}
	const wrong, compat = "testdata/flows/wrong.yaml", "testdata/flows/compat.yaml"
	p := newProduct(play(t))
	for _, test := range []struct {
		args string
		code int
		want string // on stdout or stderr
	}{
		{right, exitOK, "[unused"},
		{right + " --offline", exitOK, ""},
		{wrong, exitError, "wrong.yaml:9:52"},
		{right + " " + wrong, exitError, "wrong.yaml:11:14"},
		{compat, exitError, "compat.yaml:11:"},
		{compat + " --dialect compat", exitOK, "warning"},
		{compat + " --dialect compat --offline", exitOK, "warning"},
		{wrong + " --offline -o sarif", exitError, `"startLine": 9`},
		{"absent.yaml --offline", exitError, "absent.yaml: the file cannot be read"},
		{"", exitError, "FILE"},
		{right + " --dialect lax", exitError, "use strict or compat"},
		{right + " --source people", exitError, "is not NAME=VALUE"},
	} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p.Product, append([]string{"validate"}, strings.Fields(test.args)...)); code != test.code {
			t.Errorf("validate %s: exit code %d, want %d\n%s%s", test.args, code, test.code, s.out, s.err)
		}
		both := strings.ReplaceAll(s.out.String(), `"startLine":9`, `"startLine": 9`) + s.err.String()
		if test.want == "[unused" { // whatever is found in a right document is no error
			test.want = ""
		}
		if !strings.Contains(both, test.want) {
			t.Errorf("validate %s: no %q in\n%s", test.args, test.want, both)
		}
	}
	s := newTestIO(peopleFlow, nil)
	if code := Main(t.Context(), s.IO, p.Product, []string{"validate", "-", "--offline"}); code != exitOK {
		t.Errorf("validate of stdin: exit code %d, %s%s", code, s.out, s.err)
	}
}

// What a document or a provider wrote cannot reach the terminal's controls.
func TestDiagnosticsArePrintable(t *testing.T) {
	hostile := "arazzo: 1.0.1\ninfo: {title: x, version: \"1\"}\nsourceDescriptions: [{name: a, url: b, type: openapi}]\nworkflows:\n" +
		"  - workflowId: w\n    steps: [{stepId: s, operationId: x, onSuccess: [{name: n, type: goto, stepId: \"a\\e[2Jb\"}]}]\n"
	s := newTestIO(hostile, nil)
	Main(t.Context(), s.IO, Product{}, []string{"validate", "-", "--offline"})
	if strings.Contains(s.out.String()+s.err.String(), "\x1b") || s.out.Len() == 0 {
		t.Errorf("printed %q", s.out)
	}
}

func TestFixWrites(t *testing.T) {
	text, err := os.ReadFile("testdata/flows/compat.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "flow.yaml")
	if err := os.WriteFile(file, text, 0o640); err != nil {
		t.Fatal(err)
	}
	var asked PlanRequest
	p := Product{FindOperation: func(_ context.Context, req PlanRequest, _ *arazzo.Document) func(string) []string {
		asked = req
		return func(string) []string { return []string{"people"} }
	}}
	for _, want := range []string{"warning: $inputs.token", ""} { // the second time nothing is left to do
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p, []string{"fix", "-w", file, "--source", "people=x.yaml"}); code != exitOK || s.out.Len() > 0 {
			t.Errorf("exit code %d, stdout %q, stderr %s", code, s.out, s.err)
		}
		if want == "" && s.err.Len() > 0 || !strings.Contains(s.err.String(), want) {
			t.Errorf("stderr %q, want %q", s.err, want)
		}
	}
	if asked.File != file || asked.Sources["people"] != "x.yaml" {
		t.Errorf("operations are looked for as %+v", asked)
	}
	fixed, err := os.ReadFile(file)
	info, err2 := os.Stat(file)
	if err != nil || err2 != nil || !strings.Contains(string(fixed), "'SSWS {$inputs.token}'") || !strings.Contains(string(fixed), "# kept") || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v, %v\n%s", err, err2, info.Mode(), fixed)
	}
	s := newTestIO("", nil)
	if code := Main(t.Context(), s.IO, p, []string{"fix", "testdata/flows/absent.yaml"}); code != exitError || s.err.Len() == 0 {
		t.Errorf("a file that is not there: %d, %s", code, s.err)
	}
}

func TestPlanFlags(t *testing.T) {
	p := newProduct(play(t))
	s := newTestIO("", nil)
	if code := Main(t.Context(), s.IO, p.Product, []string{"plan", "flow.yaml", "--workflow", "remove", "--sandbox", "-o", "json"}); code != exitOK {
		t.Fatalf("exit code %d, %s", code, s.err)
	}
	var view struct {
		Workflow string
		Steps    []struct{ StepID, SettledBy, Effect string }
		Forecast plan.Forecast
	}
	if err := json.Unmarshal(s.out.Bytes(), &view); err != nil {
		t.Fatal(err)
	}
	if view.Workflow != "remove" || len(view.Steps) != 1 || view.Steps[0].Effect != "destroys" || view.Steps[0].SettledBy == "" || view.Forecast.Straight != 1 {
		t.Errorf("plan %+v", view)
	}
	if !p.requests[0].Bindings.Sandbox {
		t.Error("--sandbox did not arrive")
	}
	s = newTestIO("", nil)
	if code := Main(t.Context(), s.IO, p.Product, []string{"plan", "testdata/flows/wrong.yaml", "-o", "json"}); code != exitError || !strings.Contains(s.out.String(), `"errors"`) {
		t.Errorf("a wrong document: %d, %s", code, s.out)
	}
}

func TestSourcesExitCodes(t *testing.T) {
	for _, test := range []struct {
		verb, state string
		code        int
	}{
		{"diff", "unchanged", exitOK}, {"diff", "changed", exitChanges}, {"diff", "new", exitChanges}, {"diff", "gone", exitChanges},
		{"lock", "new", exitOK}, {"lock", "unchanged", exitOK}, {"update", "changed", exitOK}, {"update", "gone", exitError}, {"lock", "gone", exitError},
	} {
		var got SourcesVerb
		p := Product{Sources: func(_ context.Context, verb SourcesVerb, _ PlanRequest) ([]SourceState, error) {
			got = verb
			return []SourceState{{Name: "a", State: test.state}, {Name: "b", State: "unchanged"}}, nil
		}}
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, p, []string{"sources", test.verb, "flow.yaml"}); code != test.code || string(got) != test.verb {
			t.Errorf("%s with a source that is %s: exit code %d, want %d (verb %s)", test.verb, test.state, code, test.code, got)
		}
	}
}

func TestConnectionsExitCodes(t *testing.T) {
	for _, test := range []struct {
		args   string
		report ConnectionReport
		code   int
	}{
		{"test", ConnectionReport{OK: true}, exitOK},
		{"test", ConnectionReport{Message: "no answer"}, exitError},
		{"test", ConnectionReport{Message: "refused", Denied: true}, exitAuth},
		{"list", ConnectionReport{Message: "no server"}, exitOK},
		{"test a b", ConnectionReport{OK: true}, exitOK},
	} {
		var names []string
		var probed bool
		p := Product{Connections: fakeConnections{report: func(n []string, probe bool) ([]ConnectionReport, error) {
			names, probed = n, probe
			return []ConnectionReport{test.report}, nil
		}}}
		args := strings.Fields(test.args)
		if code := Main(t.Context(), newTestIO("", nil).IO, p, append([]string{"connections"}, args...)); code != test.code {
			t.Errorf("%s of %+v: exit code %d, want %d", test.args, test.report, code, test.code)
		}
		if probed != (args[0] == "test") || len(names) != len(args)-1 {
			t.Errorf("%s: asked for %v, probe %t", test.args, names, probed)
		}
	}
	s := newTestIO("", nil)
	p := Product{Connections: fakeConnections{report: func([]string, bool) ([]ConnectionReport, error) { return nil, nil }}}
	if Main(t.Context(), s.IO, p, []string{"connections", "list", "-o", "json"}); strings.Join(strings.Fields(s.out.String()), "") != `{"connections":[]}` {
		t.Errorf("no connections: %s", s.out)
	}
}

func TestServeFlags(t *testing.T) {
	var got ServeRequest
	p := Product{Serve: func(_ context.Context, req ServeRequest) error {
		got = req
		return nil
	}}
	env := map[string]string{"LANYARD_OKTA_PORT": "9001", "LANYARD_API_PORT": "9000", "LANYARD_LISTEN": "::1"}
	if code := Main(t.Context(), newTestIO("", env).IO, p, []string{"serve", "--api-port", "-1", "--insecure-remote", "--data", "d", "--faults", "f.yaml", "--clock", "2026-01-01T00:00:00Z", "--enforce-limits"}); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	got.Ready, got.Log = nil, nil
	want := ServeRequest{Settings: Settings{Config: "lanyard.yaml", Data: "d", DataGiven: true}, Listen: "::1", APIPort: -1, OktaPort: 9001, AllowRemote: true,
		Faults: "f.yaml", Clock: "2026-01-01T00:00:00Z", EnforceLimits: true}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b func(map[string]string)) bool { return true })); diff != "" {
		t.Errorf("serve (-want +got):\n%s", diff)
	}
}

// What goes wrong while it serves is on stderr, also without --verbose; nothing else is.
func TestServeTellsErrors(t *testing.T) {
	p := Product{Serve: func(_ context.Context, req ServeRequest) error {
		req.Log.Info("a request")
		req.Log.Error("triggers stay as they were")
		return nil
	}}
	s := newTestIO("", nil)
	Main(t.Context(), s.IO, p, []string{"serve"})
	if got := s.err.String(); !strings.Contains(got, "triggers stay as they were") || strings.Contains(got, "a request") {
		t.Errorf("stderr has %q", got)
	}
}

func TestConformanceCommand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cases", "shared"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const suite = "../../conformance/"
	for from, to := range map[string]string{"cases/A1-01-no-criteria-200.yaml": "cases/A1-01-no-criteria-200.yaml", "shared/api.yaml": "shared/api.yaml"} {
		text, err := os.ReadFile(filepath.Join(suite, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(dir, "cases", "A1-02-wrong.yaml")
	text, err := os.ReadFile(filepath.Join(dir, "cases", "A1-01-no-criteria-200.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.NewReplacer("A1-01-no-criteria-200", "A1-02-wrong", "  status: succeeded", "  status: failed").Replace(string(text))
	if err := os.WriteFile(broken, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--cases", dir}, exitFailed, "1 passed, 1 failed, 2 clauses"},
		{[]string{"--cases", dir, "--only", "A1-01"}, exitOK, "1 passed, 0 failed"},
		{[]string{"--cases", dir, "--only", "N53"}, exitFailed, "FAIL A1-02-wrong (A1, N53)"},
		{[]string{"--cases", dir, "--only", "N99"}, exitError, "no case fits"},
		{[]string{"--cases", filepath.Join(dir, "absent")}, exitError, "error:"},
		{[]string{"--cases", dir, "--only", "A1-01", "--runner", "false"}, exitFailed, "0 passed, 1 failed"},
		{[]string{"x"}, exitError, `has no place for "x"`},
	} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, Product{}, append([]string{"conformance"}, test.args...)); code != test.code || !strings.Contains(s.out.String()+s.err.String(), test.want) {
			t.Errorf("conformance %v: exit code %d, want %d with %q\n%s%s", test.args, code, test.code, test.want, s.out, s.err)
		}
	}
}

func TestCompareClauses(t *testing.T) {
	order := []string{"N1", "N9", "N10", "N76", "A1", "A30"}
	for i, a := range order {
		for j, b := range order {
			if got := compareClauses(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compareClauses(%s, %s) = %d", a, b, got)
			}
		}
	}
}

// The doctor looks at the data folder that the configuration names.
func TestDoctorFollowsTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "lanyard.yaml")
	if err := os.WriteFile(file, []byte("data: state"), 0o600); err != nil {
		t.Fatal(err)
	}
	var looked string
	p := Product{LockHolder: func(_ context.Context, data string) (string, error) {
		looked = data
		return "", nil
	}}
	Main(t.Context(), newTestIO("", nil).IO, p, []string{"doctor", "--config", file})
	if want := filepath.Join(dir, "state"); looked != want {
		t.Errorf("looked at %s, want %s", looked, want)
	}
	Main(t.Context(), newTestIO("", map[string]string{"LANYARD_DATA": dir}).IO, p, []string{"doctor", "--config", file})
	if looked != dir {
		t.Errorf("looked at %s, want %s, which the environment names", looked, dir)
	}
}
