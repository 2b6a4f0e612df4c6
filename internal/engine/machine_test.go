package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// happenings are events that a random run is made of.
var happenings = []string{
	`200 {"items": [{"id": "i", "name": "n"}]}`, `200 {"items": []}`, `201 {"id": "i", "name": "n"}`, `201 {"id": "i", "name": "n"}`,
	`201 {"id": "i", "name": "n"}`, "204", "404", `409 {"name": "n"}`, "500", "503 Retry-After: 3", "lost", "refused", "crash", "unsent",
	"looped", "looped", "looped failed", "blocked", "fire", "fire", "fire", "resume", "retry", "skip", `skip {"name": "given"}`, "cancel",
}

// Random events: Apply never changes its argument, the decoded state goes on
// like the original (both checked by game.fold), what is refused changes
// nothing, and folding the same events again gives the same turns.
func TestRandomRuns(t *testing.T) {
	p := drivertest.Plan(t, drivertest.Everything, plan.Profile{RunTimeout: 3600})
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		g := play(t, p, map[string]any{"who": "ada"})
		g.where = fmt.Sprintf("seed %d", seed)
		events := []engine.Event{{Kind: engine.Started, At: began, Inputs: map[string]any{"who": "ada"}}}
		turns := []string{turnText(t, g.turn)}
		for range 60 {
			line := happenings[random.IntN(len(happenings))]
			if line == "cancel" && random.IntN(10) > 0 {
				continue
			}
			g.now = g.now.Add(time.Duration(random.IntN(100)) * time.Second)
			e := g.event(line)
			if random.IntN(20) == 0 {
				e.ID++ // of another command
			}
			if err := g.fold(e); err != nil {
				if !fault.Is(err, fault.Conflict) {
					t.Fatalf("%s: Apply(%s): %v", g.where, line, err)
				}
				continue
			}
			e.At = g.now
			events, turns = append(events, e), append(turns, turnText(t, g.turn))
		}
		var s engine.State
		for i, e := range events {
			raw := encode(t, e)
			var kept engine.Event
			if err := json.Unmarshal(raw, &kept); err != nil {
				t.Fatal(err)
			}
			var turn engine.Turn
			var err error
			if s, turn, err = g.m.Apply(s, kept); err != nil {
				t.Fatalf("%s: folding event %d again: %v", g.where, i, err)
			}
			if diff := cmp.Diff(turns[i], turnText(t, turn)); diff != "" {
				t.Fatalf("%s: folding event %d again gives another turn:\n%s", g.where, i, diff)
			}
		}
		if diff := cmp.Diff(string(encode(t, g.state)), string(encode(t, s))); diff != "" {
			t.Fatalf("%s: folding again gives another state:\n%s", g.where, diff)
		}
	}
}

// turnText is all of a turn but the plan's own parts.
func turnText(t *testing.T, turn engine.Turn) string {
	t.Helper()
	c := turn.Command
	text := string(c.Kind) + string(encode(t, turn.Notes)) + string(encode(t, c.Timer)) + string(encode(t, c.ForEach)) + string(encode(t, c.Hold)) + string(encode(t, c.Finish))
	if c.Call != nil {
		call := *c.Call
		text += call.Operation.Name()
		call.Operation = nil
		text += string(encode(t, call))
	}
	return text
}

// A State keeps numbers as they were written.
func TestStateKeepsNumbers(t *testing.T) {
	const long = "9007199254740993"
	g := play(t, drivertest.Plan(t, `
workflows:
  - workflowId: main
    steps:
      - stepId: a
        operationId: findItems
        outputs: {n: $response.body#/n}
      - stepId: b
        operationId: findItems
    outputs: {n: $steps.a.outputs.n}
`, plan.Profile{}), nil)
	g.apply(g.event(`200 {"n": ` + long + `}`))
	var decoded engine.State
	if err := json.Unmarshal(encode(t, g.state), &decoded); err != nil {
		t.Fatal(err)
	}
	g.state = decoded
	g.apply(g.event("200 {}"))
	if got := g.command(); got != `succeeded {"n":`+long+`}` {
		t.Errorf("the machine gives %s, want the number as it was", got)
	}
}

// A replacement in a body must not reach into the state that the body came from.
func TestReplacementLeavesTheStateAlone(t *testing.T) {
	g := play(t, drivertest.Plan(t, `
workflows:
  - workflowId: main
    steps:
      - stepId: a
        operationId: findItems
        outputs: {item: $response.body}
      - stepId: b
        operationId: createItem
        requestBody:
          payload: $steps.a.outputs.item
          replacements: [{target: /name, value: changed}]
    outputs: {item: $steps.a.outputs.item}
`, plan.Profile{}), nil)
	g.apply(g.event(`200 {"name": "original"}`))
	if got := string(g.turn.Command.Call.Request.Body); got != `{"name":"changed"}` {
		t.Errorf("the body is %s", got)
	}
	g.apply(g.event("201 {}"))
	if got := g.command(); got != `succeeded {"item":{"name":"original"}}` {
		t.Errorf("the machine gives %s, want the original", got)
	}
}

func TestStateOfAnotherVersion(t *testing.T) {
	g := play(t, drivertest.Plan(t, looping, plan.Profile{}), nil)
	for _, s := range []engine.State{{}, {V: 99, Status: g.state.Status, Frames: g.state.Frames, Waiting: g.state.Waiting}} {
		for _, line := range []string{"200 {}", "cancel", "retry", "crash", "fire"} {
			if _, _, err := g.m.Apply(s, g.event(line)); !fault.Is(err, fault.Conflict) {
				t.Errorf("Apply(%s) to a state of version %d = %v, want a conflict", line, s.V, err)
			}
		}
	}
	if _, _, err := g.m.Apply(g.state, engine.Event{Kind: engine.Started, At: began}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Apply(started) twice = %v, want a conflict", err)
	}
	if _, _, err := g.m.Apply(g.state, engine.Event{Kind: "other", ID: g.id()}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Apply of an unknown event = %v, want a conflict", err)
	}
}

// looping never ends by itself.
const looping = `
workflows:
  - workflowId: main
    steps:
      - stepId: read
        operationId: getItem
        parameters: [{name: id, in: path, value: a}]
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {n: $response.body#/n}
      - stepId: write
        operationId: putItem
        parameters: [{name: id, in: path, value: a}]
        requestBody: {payload: {n: $steps.read.outputs.n}}
        onSuccess: [{name: again, type: goto, stepId: read, criteria: [{condition: $statusCode == 200}]}]
`

// loop plays steps visits of looping and returns the live heap at its end, and
// the size of the state.
func loop(t testing.TB, steps int) (heap uint64, state int) {
	m := engine.New(drivertest.Plan(t, looping, plan.Profile{MaxSteps: steps, MaxRepeats: steps}))
	s, turn := m.Start(nil, began)
	body := json.RawMessage(`{"n": 9007199254740993, "profile": {"login": "ada@example.com", "groups": ["a", "b"]}}`)
	for n := 0; turn.Command.Kind == engine.CallCommand; n++ {
		var err error
		s, turn, err = m.Apply(s, engine.Event{Kind: engine.Answered, At: began, ID: turn.Command.Call.ID, Answer: &engine.Answer{Status: 200, JSON: body}})
		if err != nil {
			t.Fatal(err)
		}
		if n == steps/2 {
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			state = len(data)
		}
	}
	if s.Visits != steps {
		t.Fatalf("the loop ended after %d visits (%s), want %d", s.Visits, s.Reason, steps)
	}
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	runtime.KeepAlive(s)
	return mem.HeapAlloc, state
}

func TestLoopInFlatMemory(t *testing.T) {
	short, shortState := loop(t, 500)
	long, longState := loop(t, 50_000)
	if long > short+1<<20 {
		t.Errorf("the heap is %d bytes after 500 steps and %d after 50,000", short, long)
	}
	if longState > shortState+64 {
		t.Errorf("the state is %d bytes after 500 steps and %d after 50,000", shortState, longState)
	}
}

// BenchmarkMillion is a loop of a million steps through the machine alone.
func BenchmarkMillion(b *testing.B) {
	const steps = 1_000_000
	var heap uint64
	for b.Loop() {
		heap, _ = loop(b, steps)
	}
	b.ReportMetric(float64(heap)/(1<<20), "MB-live")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/steps, "ns/step")
}

// BenchmarkStep is the machine's time for one step: an answer judged, outputs
// taken, the next request built.
func BenchmarkStep(b *testing.B) {
	m := engine.New(drivertest.Plan(b, looping, plan.Profile{MaxSteps: 1 << 60, MaxRepeats: 1 << 60}))
	s, turn := m.Start(nil, began)
	body := json.RawMessage(`{"n": 9007199254740993, "profile": {"login": "ada@example.com", "groups": ["a", "b"]}}`)
	for b.Loop() {
		var err error
		s, turn, err = m.Apply(s, engine.Event{Kind: engine.Answered, At: began, ID: turn.Command.Call.ID, Answer: &engine.Answer{Status: 200, JSON: body}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
