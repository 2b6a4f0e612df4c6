package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// testIO is the twin of System for tests: strings in and out, no terminal, and
// an environment of its own.
type testIO struct {
	IO
	out, err *bytes.Buffer
}

func newTestIO(stdin string, env map[string]string) *testIO {
	no := func() bool { return false }
	s := &testIO{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	s.IO = IO{
		In: strings.NewReader(stdin), Out: s.out, Err: s.err,
		InTerminal: no, OutTerminal: no, ErrTerminal: no,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	return s
}

// runWith runs one command of the test's own beside the others.
func runWith(ctx context.Context, s *testIO, cmd *cobra.Command, args ...string) int {
	sh := &shell{IO: s.IO}
	return execute(ctx, sh, func(sh *shell) *cobra.Command {
		root := newRoot(sh)
		root.AddCommand(cmd)
		sh.markBegin(cmd)
		return root
	}, args)
}

// failing is a command that returns err.
func failing(err error) *cobra.Command {
	var o output
	cmd := &cobra.Command{Use: "failing", RunE: func(*cobra.Command, []string) error { return err }}
	o.bind(cmd, formatText, formatJSON, formatNDJSON)
	return cmd
}

func TestErrorsAndExitCodes(t *testing.T) {
	two := fault.Join(
		fault.New(fault.Invalid, "unknown step").At("flow.yaml:3:4").Fix("name one of a, b"),
		fault.New(fault.Invalid, "an input is missing"),
	)
	for _, test := range []struct {
		name   string
		err    error
		code   int
		stderr string
	}{
		{"success", nil, exitOK, ""},
		{"invalid", fault.New(fault.Invalid, "no such thing").At("flow.yaml:3:4").Fix("write another"), exitError, "error: flow.yaml:3:4: no such thing; write another\n"},
		{"several", two, exitError, "error: flow.yaml:3:4: unknown step; name one of a, b\nerror: an input is missing\n"},
		{"wrapped", fmt.Errorf("in step a: %w", fault.New(fault.Stale, "the plan is old")), exitStale, "error: the plan is old\n"},
		{"held", fault.New(fault.Held, "waits for approval"), exitHeld, "error: waits for approval\n"},
		{"unauthorized", fault.New(fault.Unauthorized, "the token expired"), exitAuth, "error: the token expired\n"},
		{"forbidden", fault.New(fault.Forbidden, "a scope is missing"), exitAuth, "error: a scope is missing\n"},
		{"private cause", fault.Wrap(fault.Internal, errors.New("hunter2"), "the disk is full"), exitError, "error: the disk is full\n"},
		{"unclassified", errors.New("hunter2"), exitError, "error: an internal error happened; the log has the details; run the command again with --verbose to see it on stderr\n"},
		{"escape sequences", fault.New(fault.NotFound, "no user \x1b[2Jada\nlovelace"), exitError, "error: no user \\u001b[2Jada lovelace\n"},
		{"failed workflow", outcome(exitFailed), exitFailed, ""},
		{"plan with changes", fmt.Errorf("plan: %w", outcome(exitChanges)), exitChanges, ""},
		{"a cancelled part, not the person", context.Canceled, exitError, "error: an internal error happened; the log has the details; run the command again with --verbose to see it on stderr\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newTestIO("", nil)
			if code := runWith(t.Context(), s, failing(test.err), "failing"); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if diff := cmp.Diff(test.stderr, s.err.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if s.out.Len() > 0 {
				t.Errorf("stdout has %q, want nothing", s.out)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newTestIO("", nil)
	err := fault.Wrap(fault.Unavailable, context.Canceled, "the call broke off")
	if code := runWith(ctx, s, failing(err), "failing"); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if got, want := s.err.String(), "error: interrupted\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// Programs depend on these fields.
func TestErrorsAsJSON(t *testing.T) {
	one := fault.New(fault.NotFound, "no such run").At("runs show").Fix("list them")
	for _, test := range []struct {
		name string
		err  error
		args []string
		env  map[string]string
		want string
	}{
		{
			name: "one", err: one, args: []string{"-o", "json"},
			want: `{"error":{"kind":"not found","message":"no such run","place":"runs show","remedy":"list them"}}`,
		},
		{
			name: "several", err: fault.Join(one, errors.New("hunter2")), args: []string{"-o", "ndjson"},
			want: `{"error":{"kind":"not found","message":"no such run","place":"runs show","remedy":"list them"},` +
				`"errors":[{"kind":"not found","message":"no such run","place":"runs show","remedy":"list them"},` +
				`{"kind":"internal","message":"an internal error happened; the log has the details","remedy":"run the command again with --verbose to see it on stderr"}]}`,
		},
		{
			name: "format from the environment", err: one, env: map[string]string{"LANYARD_OUTPUT": "json"},
			want: `{"error":{"kind":"not found","message":"no such run","place":"runs show","remedy":"list them"}}`,
		},
		{
			name: "wrong flag before the format", args: []string{"--nonsense", "-o", "json"},
			want: `{"error":{"kind":"usage","message":"lanyard failing has no flag --nonsense","remedy":"\"lanyard failing --help\" lists the flags"}}`,
		},
		{
			name: "wrong flag, format from the environment", args: []string{"--nonsense"}, env: map[string]string{"LANYARD_OUTPUT": "json"},
			want: `{"error":{"kind":"usage","message":"lanyard failing has no flag --nonsense","remedy":"\"lanyard failing --help\" lists the flags"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newTestIO("", test.env)
			if code := runWith(t.Context(), s, failing(test.err), append([]string{"failing"}, test.args...)...); code != exitError {
				t.Errorf("exit code %d, want %d", code, exitError)
			}
			var got bytes.Buffer
			if err := json.Compact(&got, s.out.Bytes()); err != nil {
				t.Fatalf("stdout is not JSON: %v\n%s", err, s.out)
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if s.err.Len() > 0 {
				t.Errorf("stderr has %q, want nothing", s.err)
			}
		})
	}
}

// Programs tell failures apart by these names.
func TestKindNames(t *testing.T) {
	want := []string{
		"internal", "usage", "invalid", "not found", "conflict", "unauthorized", "forbidden", "rate limited",
		"unavailable", "timeout", "too large", "refused", "unsupported", "stale", "locked", "held",
	}
	for i, name := range want {
		bodies := describe(t.Context(), fault.New(fault.Kind(i), "x"))
		if got := bodies[0].Kind; got != name {
			t.Errorf("kind %d is shown as %q, want %q", i, got, name)
		}
	}
	if next := fault.Kind(len(want)).String(); !strings.HasPrefix(next, "kind(") {
		t.Errorf("the kind %q is not in this test", next)
	}
}

// --verbose shows the cause that the printed error keeps back.
func TestVerboseLogsTheCause(t *testing.T) {
	s := newTestIO("", nil)
	runWith(t.Context(), s, failing(fault.Wrap(fault.Internal, io.ErrUnexpectedEOF, "the file is short")), "failing", "--verbose")
	if got := s.err.String(); !strings.Contains(got, io.ErrUnexpectedEOF.Error()) || !strings.Contains(got, "error: the file is short\n") {
		t.Errorf("stderr %q, want the cause in the log and the error without it", got)
	}
}

// What cobra itself refuses is the person's mistake, not ours.
func TestCobraErrorsAreUsage(t *testing.T) {
	cmd := failing(nil)
	cmd.Flags().String("token", "", "")
	_ = cmd.MarkFlagRequired("token")
	s := newTestIO("", nil)
	runWith(t.Context(), s, cmd, "failing", "-o", "json")
	if got := s.out.String(); !strings.Contains(got, `"kind": "usage"`) || !strings.Contains(got, "token") {
		t.Errorf("stdout %s, want a usage error that names the flag", got)
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	for _, test := range []struct {
		name     string
		terminal bool
		env      map[string]string
		want     string
	}{
		{"terminal", true, nil, "\x1b[31merror:\x1b[0m no\n"},
		{"pipe", false, nil, "error: no\n"},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, "error: no\n"},
		{"NO_COLOR empty", true, map[string]string{"NO_COLOR": ""}, "\x1b[31merror:\x1b[0m no\n"},
		{"dumb", true, map[string]string{"TERM": "dumb"}, "error: no\n"},
	} {
		s := newTestIO("", test.env)
		s.ErrTerminal = func() bool { return test.terminal }
		runWith(t.Context(), s, failing(fault.New(fault.Usage, "no")), "failing")
		if got := s.err.String(); got != test.want {
			t.Errorf("%s: stderr %q, want %q", test.name, got, test.want)
		}
	}
}
