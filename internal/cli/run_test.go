package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
)

// objects returns the JSON objects on stdout.
func objects(t *testing.T, s *testIO) []map[string]any {
	t.Helper()
	var out []map[string]any
	dec := json.NewDecoder(strings.NewReader(s.out.String()))
	for {
		var one map[string]any
		switch err := dec.Decode(&one); err {
		case nil:
			out = append(out, one)
		case io.EOF:
			return out
		default:
			t.Fatalf("stdout is not JSON: %v\n%s", err, s.out)
		}
	}
}

// A program that started a run gets exactly one object, and it is the run's,
// whatever happens after the start.
func TestRunPrintsOneObject(t *testing.T) {
	lost := fault.New(fault.Unavailable, "the serving process is gone").Fix("start it again")
	for _, test := range []struct {
		name, run string
		fails     map[string]error
		args      []string
		cancel    bool
		code      int
		status    string
		error     string // part of it; empty: there is none
		steps     int
		stderr    string
	}{
		{name: "success", run: "succeeded", code: exitOK, status: "succeeded", steps: 3},
		{name: "failure", run: "failed", code: exitFailed, status: "failed", steps: 4, error: "step denied failed"},
		{name: "held", run: "held", code: exitHeld, status: "held", steps: 1, error: "in doubt"},
		{name: "the records are lost", run: "succeeded", fails: map[string]error{"Records": lost}, code: exitError, status: "succeeded", error: "the serving process is gone; start it again", steps: 2},
		{name: "everything is lost", run: "succeeded", fails: map[string]error{"Records": lost, "Run": lost}, code: exitError, status: "running", error: "the serving process is gone; start it again"},
		{name: "the summary is lost", run: "failed", fails: map[string]error{"Run": lost}, code: exitError, status: "running", error: "is gone"},
		{name: "closing fails", run: "succeeded", fails: map[string]error{"Close": lost}, code: exitOK, status: "succeeded", steps: 3},
		{name: "the people are not asked for", run: "succeeded", args: []string{"--sandbox"}, fails: map[string]error{"People": lost}, code: exitOK, status: "succeeded", steps: 3},
		{name: "interrupted", run: "held", cancel: true, code: exitInterrupted, status: "held", error: "interrupted", steps: 0},
		{
			name: "a file that cannot be written after all", run: "succeeded", args: []string{"--har", "/dev/full"},
			code: exitError, status: "succeeded", steps: 3, stderr: "error: /dev/full: the HTTP archive cannot be written\n",
		},
		{
			name: "a file that cannot be written, and a failure", run: "failed", args: []string{"--junit", "/dev/full"},
			code: exitFailed, status: "failed", error: "step denied", steps: 4, stderr: "error: /dev/full: the JUnit report cannot be written\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Contains(test.stderr, "/dev/full") {
				if _, err := os.Stat("/dev/full"); err != nil {
					if os.Getenv("CI") != "" {
						t.Fatal(err)
					}
					t.Skip("this system has no /dev/full")
				}
			}
			s := play(t, test.run)
			s.fails = test.fails
			p := newProduct(s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel {
				open := p.Open
				p.Open = func(c context.Context, settings Settings, access Access) (Session, error) {
					defer cancel()
					return open(c, settings, access)
				}
			}
			streams := newTestIO("", nil)
			args := append([]string{"run", "flow.yaml", "--input", "login=a@example.com", "--id", test.run, "-o", "json"}, test.args...)
			if code := Main(ctx, streams.IO, p.Product, args); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			got := objects(t, streams)
			if len(got) != 1 {
				t.Fatalf("stdout has %d objects:\n%s", len(got), streams.out)
			}
			one := got[0]
			if one["run"] != test.run || one["status"] != test.status {
				t.Errorf("run %v is %v, want %v to be %v", one["run"], one["status"], test.run, test.status)
			}
			if _, ok := one["outputs"].(map[string]any); !ok {
				t.Errorf("outputs are %v, want an object", one["outputs"])
			}
			if steps, ok := one["steps"].([]any); !ok || len(steps) != test.steps {
				t.Errorf("%d steps, want %d", len(steps), test.steps)
			}
			text, _ := one["error"].(string)
			if (test.error == "") != (text == "") || !strings.Contains(text, test.error) {
				t.Errorf("error %q, want %q", text, test.error)
			}
			stderr := strings.ReplaceAll(streams.err.String(), "note: the source people is a test's\n", "")
			if stderr != test.stderr {
				t.Errorf("stderr %q, want %q", stderr, test.stderr)
			}
			if s.closed != 1 {
				t.Errorf("the session was closed %d times", s.closed)
			}
		})
	}
}

// What fails before a run began is an error object, and nothing was started.
func TestRunRefused(t *testing.T) {
	no := fault.New(fault.Conflict, "no")
	for _, test := range []struct {
		name  string
		fails map[string]error
		open  error
		args  string
		code  int
		want  string // in the error object
	}{
		{name: "no input", args: "--workflow make", code: exitError, want: "login"},
		{name: "a wrong input", args: "--input login=a --input count=many", code: exitError, want: "count"},
		{name: "an input without a value", args: "--input login", code: exitError, want: `"place": "--input"`},
		{name: "an input given twice", args: "--input login=a --input login=b", code: exitError, want: "given twice"},
		{name: "inputs that are not there", args: "--inputs absent.json", code: exitError, want: "absent.json"},
		{name: "no such workflow", args: "--workflow absent --input login=a", code: exitError, want: "absent"},
		{name: "no such dialect", args: "--dialect lax", code: exitError, want: "use strict or compat"},
		{name: "a server without a name", args: "--server https://x.example", code: exitError, want: `is not NAME=VALUE`},
		{name: "a server without a value", args: "--server people=", code: exitError, want: `is not NAME=VALUE`},
		{name: "a server given twice", args: "--server people=a --server people=b", code: exitError, want: "people is given twice"},
		{name: "a server for no source", args: "--input login=a --server poeple=https://x.example", code: exitError, want: "did you mean people?"},
		{name: "a source that is not there", args: "--input login=a --source zzzzzz=x.yaml", code: exitError, want: "the document has people"},
		{name: "both wrong", args: "--source a --server b", code: exitError, want: `"errors": [`},
		{name: "no folder for the archive", args: "--input login=a --har absent/run.har", code: exitError, want: "absent/run.har"},
		{name: "a folder for the report", args: "--input login=a --junit testdata", code: exitError, want: "this is a folder"},
		{name: "no data folder", args: "--input login=a", open: fault.New(fault.Locked, "held by process 7"), code: exitError, want: `"kind": "locked"`},
		{name: "not started", args: "--input login=a", fails: map[string]error{"Start": no}, code: exitError, want: `"kind": "conflict"`},
		{name: "a missing credential", args: "--input login=a", fails: map[string]error{"Start": fault.New(fault.Unauthorized, "no token")}, code: exitAuth, want: "no token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := play(t, "succeeded")
			s.fails = test.fails
			p := newProduct(s)
			if test.open != nil {
				p.Open = func(context.Context, Settings, Access) (Session, error) { return nil, test.open }
			}
			streams := newTestIO("", nil)
			args := append([]string{"run", "flow.yaml", "-o", "json", "--id", "succeeded"}, strings.Fields(test.args)...)
			if code := Main(t.Context(), streams.IO, p.Product, args); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			got := objects(t, streams)
			if len(got) != 1 || got[0]["error"] == nil || got[0]["run"] != nil || !strings.Contains(streams.out.String(), test.want) {
				t.Errorf("stdout %s, want one error object with %q", streams.out, test.want)
			}
			if len(s.started) > 0 {
				t.Errorf("%v was started", s.started)
			}
		})
	}
}

// All that was said on the command line and in the environment arrives.
func TestRunRequest(t *testing.T) {
	s := play(t, "succeeded")
	p := newProduct(s)
	env := map[string]string{
		"LANYARD_SERVER": "people=https://env.example", "LANYARD_ALLOW_PRIVATE": "true", "LANYARD_SANDBOX": "1", "LANYARD_DATA": "/data",
		"LANYARD_SOURCE": "people=env.yaml", "LANYARD_WORKFLOW": "remove", "LANYARD_INPUT": "login=env\ncount:=7", "LANYARD_ID": "env-id", "LANYARD_DIALECT": "compat",
	}
	streams := newTestIO("", env)
	code := Main(t.Context(), streams.IO, p.Product, []string{"run", "flow.yaml", "--workflow", "make", "--dialect", "strict", "--id", "succeeded", "--config", "c.yaml", "--source", "people=flag.yaml"})
	if code != exitOK {
		t.Fatalf("exit code %d, stderr %s", code, streams.err)
	}
	req := p.requests[0]
	req.Log = nil
	want := PlanRequest{
		Settings: Settings{Config: "c.yaml", ConfigGiven: true, Data: "/data", DataGiven: true}, File: "flow.yaml", Dialect: "strict", Workflow: "make",
		Sources:  map[string]string{"people": "flag.yaml"},
		Bindings: run.Bindings{Sandbox: true, AllowPrivate: true, Servers: map[string]string{"people": "https://env.example"}},
	}
	if diff := cmp.Diff(want, req); diff != "" {
		t.Errorf("the plan was asked for (-want +got):\n%s", diff)
	}
	spec := run.Spec{ID: "succeeded", Workflow: "make", Inputs: map[string]any{"login": "env", "count": json.Number("7")}, Bindings: want.Bindings}
	if diff := cmp.Diff(spec, s.spec); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Access{ReadWrite}, p.access); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
}

func TestRunID(t *testing.T) {
	s := play(t)
	p := newProduct(s)
	for range 2 {
		Main(t.Context(), newTestIO("", nil).IO, p.Product, []string{"run", "flow.yaml", "--input", "login=a"})
	}
	if len(s.started) != 2 || s.started[0] == s.started[1] || !strings.HasPrefix(s.started[0], "run_") || len(s.started[0]) != len("run_")+16 {
		t.Errorf("the runs are called %v", s.started)
	}
}

// --har and --junit write what their readers expect, for this user alone.
func TestRunFiles(t *testing.T) {
	dir := t.TempDir()
	har, junit := filepath.Join(dir, "run.har"), filepath.Join(dir, "run.xml")
	for _, args := range [][]string{
		{"run", "flow.yaml", "--input", "login=a", "--id", "failed"},
		{"runs", "show", "failed"},
	} {
		streams := newTestIO("", nil)
		Main(t.Context(), streams.IO, newProduct(play(t, "failed")).Product, append(args, "--har", har, "--junit", junit))
		for file, want := range map[string]string{har: `"status": 503`, junit: "<failure"} {
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(strings.ReplaceAll(string(text), `"status":503`, `"status": 503`), want) {
				t.Errorf("%v: %s has no %s (%v)", args, file, want, err)
			}
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", file, info.Mode(), err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRunInterruptedForPeople(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newProduct(play(t, "held"))
	p.Plan = newProduct(nil).Plan
	streams := newTestIO("", nil)
	sh := &shell{IO: streams.IO, product: p.Product}
	w := watcher{shell: sh, session: p.session, output: output{format: formatText}}
	err := w.watch(ctx, "held", nil)
	if !interrupted(ctx, err) || streams.err.String() != "the run held is kept: lanyard runs resume held\n" || streams.out.Len() > 0 {
		t.Errorf("watch = %v, stderr %q, stdout %q", err, streams.err, streams.out)
	}
}

// A refused credential has an exit code of its own, whatever the run says.
func TestAuthExitCode(t *testing.T) {
	s := play(t, "failed")
	j := s.journals["failed"]
	for i := range j.records {
		j.records[i].Event = json.RawMessage(strings.Replace(string(j.records[i].Event), `"status":403`, `"status":401,"denied":"the credential of people was refused"`, 1))
	}
	streams := newTestIO("", nil)
	if code := Main(t.Context(), streams.IO, newProduct(s).Product, []string{"run", "flow.yaml", "--input", "login=a", "--id", "failed"}); code != exitAuth {
		t.Errorf("exit code %d, want %d", code, exitAuth)
	}
}

// A run that no longer moves, and has not ended, is not passed off as done.
func TestRunThatStoppedMoving(t *testing.T) {
	s := play(t, "held")
	j := s.journals["held"]
	j.summary.Status, j.summary.Reason = run.Running, ""
	s.journals["held"] = j
	streams := newTestIO("", nil)
	code := Main(t.Context(), streams.IO, newProduct(s).Product, []string{"run", "flow.yaml", "--input", "login=a", "--id", "held", "-o", "json"})
	got := objects(t, streams)
	if code != exitHeld || len(got) != 1 || got[0]["error"] == nil || got[0]["remedy"] != "lanyard runs resume held" {
		t.Errorf("exit code %d, %s", code, streams.out)
	}
}

func TestEmails(t *testing.T) {
	got := emails(map[string]any{"a": "b@x.example", "b": "B@X.example", "c": "no address", "d": "@x", "e": "x@", "f": json.Number("1"), "g": "a b@x", "h": "c@x.example"})
	if diff := cmp.Diff([]string{"b@x.example", "c@x.example"}, got); diff != "" {
		t.Errorf("emails (-want +got):\n%s", diff)
	}
}

// Each decision reaches the run as it was made.
func TestDecisions(t *testing.T) {
	for _, test := range []struct {
		args   string
		code   int
		event  engine.Event
		inputs map[string]any
	}{
		{"retry run_1 --input password=x", exitFailed, engine.Event{Kind: engine.Retried}, map[string]any{"password": "x"}},
		{"skip run_1 --output-value id=a --output-value n:=12345678901234567890", exitFailed, engine.Event{
			Kind: engine.Skipped, Outputs: map[string]any{"id": "a", "n": json.Number("12345678901234567890")},
		}, map[string]any{}},
		{"skip run_1 --outputs -", exitFailed, engine.Event{Kind: engine.Skipped, Outputs: map[string]any{"id": "stdin"}}, map[string]any{}},
		{"cancel run_1", exitOK, engine.Event{Kind: engine.Cancelled, Reason: "cancelled by a person"}, map[string]any{}},
		{"cancel run_1 --reason moved", exitOK, engine.Event{Kind: engine.Cancelled, Reason: "moved"}, map[string]any{}},
	} {
		s := play(t, "run_1=failed")
		streams := newTestIO(`{"id":"stdin"}`, nil)
		if code := Main(t.Context(), streams.IO, newProduct(s).Product, append([]string{"runs"}, strings.Fields(test.args)...)); code != test.code {
			t.Errorf("%s: exit code %d, want %d; %s", test.args, code, test.code, streams.err)
			continue
		}
		got := s.events[0]
		test.event.By = "the command line"
		if len(got.Outputs) == 0 {
			got.Outputs = nil
		}
		if diff := cmp.Diff(test.event, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.args, diff)
		}
		if diff := cmp.Diff(test.inputs, s.inputs); diff != "" {
			t.Errorf("%s: inputs (-want +got):\n%s", test.args, diff)
		}
	}
	for _, args := range []string{"retry absent", "cancel absent", "skip absent --output-value id=a", "resume absent", "show absent", "resume run_1 absent"} {
		s := play(t, "run_1=held")
		streams := newTestIO("", nil)
		if code := Main(t.Context(), streams.IO, newProduct(s).Product, append([]string{"runs"}, strings.Fields(args)...)); code != exitError || !strings.Contains(streams.err.String(), "there is no run absent") {
			t.Errorf("%s: exit code %d, %s", args, code, streams.err)
		}
		if len(s.signals) > 0 {
			t.Errorf("%s: %v was decided", args, s.signals)
		}
	}
	for _, args := range []string{"retry", "skip a b", "skip a --output-value x", "cancel a --input x=y", "retry a --reason x", "show", "list x", "list --status odd", "show a -o yaml"} {
		s := play(t)
		streams := newTestIO("", nil)
		if code := Main(t.Context(), streams.IO, newProduct(s).Product, append([]string{"runs"}, strings.Fields(args)...)); code != exitError || streams.err.Len() == 0 || s.closed > 0 {
			t.Errorf("%s: exit code %d, stderr %q", args, code, streams.err)
		}
	}
}

func TestResume(t *testing.T) {
	conflict := fault.New(fault.Conflict, "run run_1 has ended")
	running := func(s *fakeSession, ids ...string) *fakeSession {
		for _, id := range ids {
			j := s.journals[id]
			j.summary.Status = run.Running
			s.journals[id] = j
		}
		return s
	}
	for _, test := range []struct {
		name, args string
		session    *fakeSession
		code       int
		signals    []string
		runs       int // in {"runs": [...]}; -1: one object
	}{
		{"one", "run_1", play(t, "run_1=succeeded"), exitOK, []string{"resumed run_1"}, -1},
		{"one that has ended", "run_1", func() *fakeSession {
			s := play(t, "run_1=succeeded")
			s.fails["Signal run_1"] = conflict
			return s
		}(), exitError, nil, -1},
		{"several", "run_1 run_2", play(t, "run_1=succeeded", "run_2=failed"), exitFailed, []string{"resumed run_1", "resumed run_2"}, 2},
		{"several, one of which has ended", "run_1 run_2", func() *fakeSession {
			s := play(t, "run_1=succeeded", "run_2=held")
			s.fails["Signal run_1"] = conflict
			return s
		}(), exitHeld, []string{"resumed run_2"}, 2},
		{"a failure is worse than a wait", "run_1 run_2", play(t, "run_1=failed", "run_2=held"), exitFailed, []string{"resumed run_1", "resumed run_2"}, 2},
		{"whatever the order", "run_2 run_1", play(t, "run_1=failed", "run_2=held"), exitFailed, []string{"resumed run_2", "resumed run_1"}, 2},
		{"all that were interrupted, the oldest first", "", running(play(t, "run_1=held", "run_2=held", "succeeded"), "run_1", "run_2"), exitHeld, []string{"resumed run_2", "resumed run_1"}, 2},
		{"all, by name", "--all", play(t, "succeeded"), exitOK, nil, 0},
		{"none", "", play(t, "succeeded"), exitOK, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			streams := newTestIO("", nil)
			args := append([]string{"runs", "resume", "-o", "json"}, strings.Fields(test.args)...)
			if code := Main(t.Context(), streams.IO, newProduct(test.session).Product, args); code != test.code {
				t.Errorf("exit code %d, want %d; %s", code, test.code, streams.err)
			}
			if diff := cmp.Diff(test.signals, test.session.signals); diff != "" {
				t.Errorf("signals (-want +got):\n%s", diff)
			}
			got := objects(t, streams)
			if len(got) != 1 {
				t.Fatalf("stdout has %d objects:\n%s", len(got), streams.out)
			}
			runs, several := got[0]["runs"].([]any)
			if several != (test.runs >= 0) || several && len(runs) != test.runs {
				t.Errorf("%d runs, want %d:\n%s", len(runs), test.runs, streams.out)
			}
		})
	}
}
