package engine_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// began is when every run begins.
var began = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// game plays events against a machine. It moves the clock by hand.
type game struct {
	t     *testing.T
	where string
	m     *engine.Machine
	state engine.State
	turn  engine.Turn
	now   time.Time
	notes []engine.Note

	lists  []*list         // that are being worked through, the innermost last
	passes map[string]pass // what came of the items of lists
}

func play(t *testing.T, p *plan.Plan, inputs map[string]any) *game {
	t.Helper()
	prepared, err := p.Workflows[p.Main].Prepare(inputs)
	if err != nil {
		t.Fatalf("Prepare: %s", fault.Public(err))
	}
	g := &game{t: t, m: engine.New(p), now: began}
	g.apply(engine.Event{Kind: engine.Started, Inputs: prepared})
	return g
}

// apply folds one event that the machine must take, through a State that was
// encoded and decoded, and checks that Apply left its argument alone.
func (g *game) apply(e engine.Event) {
	g.t.Helper()
	if err := g.try(e); err != nil {
		g.t.Fatalf("%s: Apply(%s): %s", g.where, e.Kind, fault.Public(err))
	}
}

// try folds an event, and then whatever the items of lists lead to.
func (g *game) try(e engine.Event) error {
	g.t.Helper()
	err := g.fold(e)
	if err == nil {
		g.settle()
	}
	return err
}

func (g *game) fold(e engine.Event) error {
	g.t.Helper()
	e.At = g.now
	before := encode(g.t, g.state)
	var decoded engine.State
	if err := json.Unmarshal(before, &decoded); err != nil {
		g.t.Fatalf("%s: the state does not decode: %v", g.where, err)
	}
	next, turn, err := g.m.Apply(g.state, e)
	again, _, errAgain := g.m.Apply(decoded, e)
	if diff := cmp.Diff(string(before), string(encode(g.t, g.state))); diff != "" {
		g.t.Fatalf("%s: Apply(%s) changed its argument (-before +after):\n%s", g.where, e.Kind, diff)
	}
	if (err == nil) != (errAgain == nil) {
		g.t.Fatalf("%s: Apply(%s) = %v, of the decoded state %v", g.where, e.Kind, err, errAgain)
	}
	if err != nil {
		return err
	}
	if diff := cmp.Diff(string(encode(g.t, next)), string(encode(g.t, again))); diff != "" {
		g.t.Fatalf("%s: Apply(%s) of the decoded state differs (-original +decoded):\n%s", g.where, e.Kind, diff)
	}
	g.state, g.turn = next, turn
	g.notes = append(g.notes, turn.Notes...)
	return nil
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	return data
}

// id is the number of the outstanding command.
func (g *game) id() int {
	switch c := g.turn.Command; c.Kind {
	case engine.CallCommand:
		return c.Call.ID
	case engine.TimerCommand:
		return c.Timer.ID
	case engine.ComputeCommand:
		return c.Compute.ID
	case engine.ForEachCommand:
		return c.ForEach.ID
	}
	return 0
}

// event reads one line of a script: what happens.
func (g *game) event(line string) engine.Event {
	g.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	e := engine.Event{ID: g.id()}
	switch word {
	case "lost":
		e.Kind, e.Answer = engine.Answered, &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "the connection broke off", Sent: true}}
	case "refused":
		e.Kind, e.Answer = engine.Answered, &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "connection refused"}}
	case "crash":
		e.Kind, e.Reason = engine.Interrupted, "the process stopped"
	case "unsent":
		e.Kind, e.Unsent = engine.Interrupted, true
	case "fire":
		e.Kind = engine.Fired
		if g.turn.Command.Timer != nil {
			g.now = g.now.Add(g.turn.Command.Timer.After)
		}
	case "compute":
		e.Kind = engine.Computed
		if g.turn.Command.Compute != nil {
			e.Outputs, e.Reason = g.turn.Command.Compute.Run()
		}
	case "looped":
		e.Kind, e.Items = engine.Looped, &engine.Items{Succeeded: 2, Results: []any{map[string]any{"succeeded": true}, map[string]any{"outputs": map[string]any{"name": "second"}}}}
		if rest == "failed" {
			e.Items = &engine.Items{Failed: 1, First: &engine.FailedItem{Message: "it failed"}}
		}
	case "blocked":
		e.Kind, e.Reason = engine.Blocked, "step item is in doubt"
	case "resume":
		e.Kind = engine.Resumed
	case "retry":
		e.Kind = engine.Retried
	case "cancel":
		e.Kind, e.Reason = engine.Cancelled, "enough"
	case "skip":
		e.Kind = engine.Skipped
		if rest != "" {
			v, err := value.Decode([]byte(rest))
			if err != nil {
				g.t.Fatalf("%s: %v", g.where, err)
			}
			e.Outputs = v.(map[string]any)
		}
	default:
		status, err := strconv.Atoi(word)
		if err != nil {
			g.t.Fatalf("%s: unknown event %q", g.where, line)
		}
		a := &engine.Answer{Status: status, Header: map[string][]string{"Content-Type": {"application/json"}}}
		if name, v, ok := strings.Cut(rest, ": "); ok && !strings.HasPrefix(rest, "{") {
			a.Header[name] = []string{v}
		} else {
			a.SetBody([]byte(rest))
		}
		e.Kind, e.Answer = engine.Answered, a
	}
	return e
}

// command writes the outstanding command as scripts do.
func (g *game) command() string {
	switch c := g.turn.Command; c.Kind {
	case engine.CallCommand:
		if c.Call.Purpose == engine.ForLookup {
			return "look-up " + c.Call.Operation.ID
		}
		return "call " + c.Call.Step
	case engine.TimerCommand:
		return "timer " + c.Timer.After.String()
	case engine.ComputeCommand:
		return "compute " + c.Compute.Step
	case engine.HoldCommand:
		return "hold " + c.Hold.Step
	case engine.FinishCommand:
		out := string(c.Finish.Status)
		if c.Finish.Outputs != nil {
			out += " " + string(encode(g.t, c.Finish.Outputs))
		}
		return out
	}
	return "nothing"
}

// run plays a script:
//
//	> the command that the machine gives
//	< an event
//	! an event that is a conflict
//	+ 5s         time passes
//	? text       a note or the reason has this text
func (g *game) run(name, script string) {
	g.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(script))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		g.where = name + ":" + strconv.Itoa(n)
		rest := strings.TrimSpace(line[1:])
		switch line[0] {
		case '>':
			if got := g.command(); got != rest {
				g.t.Fatalf("%s: the machine gives %q, want %q (%s)", g.where, got, rest, g.state.Reason)
			}
		case '<':
			g.apply(g.event(rest))
		case '!':
			if err := g.try(g.event(rest)); !fault.Is(err, fault.Conflict) {
				g.t.Fatalf("%s: Apply(%s) = %v, want a conflict", g.where, rest, err)
			}
		case '+':
			d, err := time.ParseDuration(rest)
			if err != nil {
				g.t.Fatalf("%s: %v", g.where, err)
			}
			g.now = g.now.Add(d)
		case '?':
			if said := string(encode(g.t, g.notes)) + g.state.Reason; !strings.Contains(said, rest) {
				g.t.Fatalf("%s: nothing says %q: %s", g.where, rest, said)
			}
		default:
			g.t.Fatalf("%s: unknown line %q", g.where, line)
		}
	}
}

// TestScripts plays testdata/*.txt. A file has sections: a document, which
// stays until the next one, a profile, and scripts with names.
//
//	== document
//	== profile {"onDoubt": "fail"}
//	== script name
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document, profile := "", plan.Profile{}
		for _, section := range strings.Split("\n"+string(data), "\n== ")[1:] {
			head, text, _ := strings.Cut(section, "\n")
			kind, rest, _ := strings.Cut(head, " ")
			switch kind {
			case "document":
				document, profile = text, plan.Profile{}
			case "profile":
				profile = plan.Profile{}
				if err := json.Unmarshal([]byte(rest), &profile); err != nil {
					t.Fatalf("%s: profile %s: %v", file, rest, err)
				}
			case "script":
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+rest, func(t *testing.T) {
					g := play(t, drivertest.Plan(t, document, profile), map[string]any{"who": "ada"})
					g.run(rest, text)
				})
			default:
				t.Fatalf("%s: unknown section %q", file, head)
			}
		}
	}
}
