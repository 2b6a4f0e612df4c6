package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// TestJournal runs the contract of worker.Store. open returns an empty store,
// closed when the test ends.
func TestJournal(t *testing.T, open func(t *testing.T) worker.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, worker.Store)
	}{
		{"Plans", testPlans},
		{"RoundTrip", testJournalRoundTrip},
		{"EndedAtOnce", testEndedAtOnce},
		{"AllOrNothing", testAllOrNothing},
		{"Sequence", testSequence},
		{"Wipe", testWipe},
		{"Filters", testRunFilters},
		{"Items", testItems},
		{"Missing", testJournalMissing},
		{"AtOnce", testAppendAtOnce},
		{"Cancelled", testJournalCancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// newRun is a run as Start creates it.
func newRun(id string) *run.Run {
	return &run.Run{
		Spec: run.Spec{
			ID: id, Plan: "sha256:1", Workflow: "main", Trigger: "command",
			Inputs:   map[string]any{"n": json.Number("9007199254740993"), "name": "Zoë <&> \"x\"", "none": nil, "list": []any{true}},
			Bindings: run.Bindings{Sandbox: true, Servers: map[string]string{"api": "https://x.test"}},
		},
		Title: "Title", Status: run.Running, Created: at,
	}
}

// newRecord is a record with everything in it.
func newRecord(id string, seq int) run.Record {
	return run.Record{
		Run: id, Seq: seq, At: at.Add(time.Duration(seq) * time.Microsecond), Event: json.RawMessage(`{"kind":"started","n":1.10}`),
		Trace: json.RawMessage(`[{"kind":"step"}]`), Intents: json.RawMessage(`[{"id":1}]`), Sealed: []byte{0, 1, 2, 255},
	}
}

func create(id string) worker.Entry {
	return worker.Entry{Create: newRun(id), Record: newRecord(id, 1)}
}

// appendAll writes entries that must be taken.
func appendAll(t *testing.T, s worker.Store, entries ...worker.Entry) {
	t.Helper()
	if err := s.Append(context.Background(), entries); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func records(t *testing.T, s worker.Store, id string, after int) []run.Record {
	t.Helper()
	got, err := s.Records(context.Background(), id, after)
	if err != nil {
		t.Fatalf("Records(%s): %v", id, err)
	}
	return got
}

func summary(t *testing.T, s worker.Store, id string) run.Run {
	t.Helper()
	got, err := s.Run(context.Background(), id)
	if err != nil {
		t.Fatalf("Run(%s): %v", id, err)
	}
	return got
}

func testPlans(t *testing.T, s worker.Store) {
	ctx := context.Background()
	data := []byte{'{', 0, 0xff, '}'}
	for range 2 {
		if err := s.SavePlan(ctx, "sha256:a", data); err != nil {
			t.Fatalf("SavePlan: %v", err)
		}
	}
	if err := s.SavePlan(ctx, "sha256:a", []byte("other")); err != nil {
		t.Fatalf("SavePlan of a digest that exists: %v", err)
	}
	got, err := s.Plan(ctx, "sha256:a")
	if err != nil || string(got) != string(data) {
		t.Errorf("Plan = %q, %v, want what was saved first", got, err)
	}
}

func testJournalRoundTrip(t *testing.T, s worker.Store) {
	appendAll(t, s, create("a"))
	bare := run.Record{Run: "a", Seq: 2, At: at.Add(time.Hour), Event: json.RawMessage(`{}`)}
	appendAll(t, s, worker.Entry{Record: bare})
	if diff := cmp.Diff(*newRun("a"), summary(t, s, "a")); diff != "" {
		t.Errorf("Run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]run.Record{newRecord("a", 1), bare}, records(t, s, "a", 0)); diff != "" {
		t.Errorf("Records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]run.Record{bare}, records(t, s, "a", 1)); diff != "" {
		t.Errorf("Records after the first (-want +got):\n%s", diff)
	}
	if got := records(t, s, "a", 2); len(got) != 0 {
		t.Errorf("Records after the last = %v, want none", got)
	}
	held := *newRun("a")
	held.Status, held.Reason = run.Held, "why"
	appendAll(t, s, worker.Entry{Record: newRecord("a", 3), Update: &held})
	if diff := cmp.Diff(held, summary(t, s, "a")); diff != "" {
		t.Errorf("Run after an update (-want +got):\n%s", diff)
	}
	ended := held
	ended.Status, ended.Reason, ended.Ended, ended.Outputs = run.Succeeded, "", at.Add(time.Second), json.RawMessage(`{"a":1.0}`)
	appendAll(t, s, worker.Entry{Record: newRecord("a", 4), Update: &ended, Wipe: true})
	if diff := cmp.Diff(ended, summary(t, s, "a")); diff != "" {
		t.Errorf("Run after its end (-want +got):\n%s", diff)
	}
}

// A run may end in its first turn.
func testEndedAtOnce(t *testing.T, s worker.Store) {
	e := create("a")
	ended := *e.Create
	ended.Status, ended.Ended, ended.Reason = run.Failed, at, "nothing was sent"
	e.Update, e.Wipe = &ended, true
	appendAll(t, s, e)
	if diff := cmp.Diff(ended, summary(t, s, "a")); diff != "" {
		t.Errorf("Run (-want +got):\n%s", diff)
	}
	if got := records(t, s, "a", 0); len(got) != 1 || len(got[0].Sealed) > 0 {
		t.Errorf("Records = %+v, want one that is not sealed", got)
	}
}

// A group with an entry that is refused leaves nothing.
func testAllOrNothing(t *testing.T, s worker.Store) {
	appendAll(t, s, create("there"))
	err := s.Append(context.Background(), []worker.Entry{create("new"), {Record: newRecord("there", 2)}, create("there")})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("Append with a run that exists = %v, want a conflict", err)
	}
	if _, err := s.Run(context.Background(), "new"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Run(new) = %v, want not found", err)
	}
	if got := records(t, s, "there", 1); len(got) != 0 {
		t.Errorf("records of a refused group were kept: %+v", got)
	}
	if diff := cmp.Diff(*newRun("there"), summary(t, s, "there")); diff != "" {
		t.Errorf("a refused group changed a run:\n%s", diff)
	}
}

// Two turns of one number: the second is refused.
func testSequence(t *testing.T, s worker.Store) {
	appendAll(t, s, create("a"), worker.Entry{Record: newRecord("a", 2)})
	other := newRecord("a", 2)
	other.Event = json.RawMessage(`{"kind":"cancelled"}`)
	if err := s.Append(context.Background(), []worker.Entry{{Record: other}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Append of a record that exists = %v, want a conflict", err)
	}
	if diff := cmp.Diff([]run.Record{newRecord("a", 1), newRecord("a", 2)}, records(t, s, "a", 0)); diff != "" {
		t.Errorf("Records (-want +got):\n%s", diff)
	}
}

// Wipe drops what is sealed of one run and of no other.
func testWipe(t *testing.T, s worker.Store) {
	appendAll(t, s, create("a"), create("b"), worker.Entry{Record: newRecord("a", 2)})
	ended := *newRun("a")
	ended.Status, ended.Ended = run.Cancelled, at
	appendAll(t, s, worker.Entry{Record: newRecord("a", 3), Update: &ended, Wipe: true})
	for _, r := range records(t, s, "a", 0) {
		if r.Sealed == nil || len(r.Sealed) > 0 {
			t.Errorf("record %d is sealed with %v after the wipe, want the mark of one", r.Seq, r.Sealed)
		}
		if len(r.Event) == 0 || len(r.Trace) == 0 || len(r.Intents) == 0 {
			t.Errorf("record %d lost more than what was sealed: %+v", r.Seq, r)
		}
	}
	if got := records(t, s, "b", 0); len(got) != 1 || len(got[0].Sealed) == 0 {
		t.Errorf("another run's records are %+v, want them sealed", got)
	}
}

func testRunFilters(t *testing.T, s worker.Store) {
	statuses := []run.Status{run.Running, run.Held, run.Succeeded, run.Failed, run.Cancelled, run.Running}
	for i, status := range statuses {
		e := create(fmt.Sprint(i))
		e.Create.Status, e.Create.Created = status, at.Add(time.Duration(i/2)*time.Second) // two at a time
		if i == 0 {
			e.Create.Workflow = "other"
		}
		appendAll(t, s, e)
	}
	tests := []struct {
		filter worker.Filter
		want   []string
	}{
		{worker.Filter{}, []string{"5", "4", "3", "2", "1", "0"}},
		{worker.Filter{Limit: 2}, []string{"5", "4"}},
		{worker.Filter{Statuses: []run.Status{run.Running}}, []string{"5", "0"}},
		{worker.Filter{Statuses: []run.Status{run.Held, run.Failed}, Limit: 5}, []string{"3", "1"}},
		{worker.Filter{Workflow: "other"}, []string{"0"}},
		{worker.Filter{Workflow: "other", Statuses: []run.Status{run.Held}}, nil},
	}
	for _, test := range tests {
		got, err := s.Runs(context.Background(), test.filter)
		if err != nil {
			t.Errorf("Runs(%+v): %v", test.filter, err)
			continue
		}
		var ids []string
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		if diff := cmp.Diff(test.want, ids); diff != "" {
			t.Errorf("Runs(%+v) (-want +got):\n%s", test.filter, diff)
		}
	}
}

// Items are kept beside the records that end their runs, are replaced by later
// tries, and lose what is sealed when the run around them ends.
func testItems(t *testing.T, s worker.Store) {
	item := func(loop, position int, status run.Status, try int) *run.Item {
		return &run.Item{
			Run: "r", Loop: loop, Position: position, Step: fmt.Sprintf("step%d", loop), Status: status, Try: try,
			Child: fmt.Sprintf("r.%d.%d", loop, position), Result: json.RawMessage(`{"n":1.10}`), Sealed: []byte{0, 1},
		}
	}
	appendAll(t, s, create("r"))
	child := newRun("r.1.0")
	child.Parent = &run.Parent{Run: "r", Step: "step1", Loop: 1, Position: 0, Workflow: 2}
	appendAll(t, s, worker.Entry{Create: child, Record: newRecord("r.1.0", 1), Item: item(1, 0, run.Held, 1)})
	appendAll(t, s, worker.Entry{Item: item(1, 1, run.Failed, 1)}, worker.Entry{Item: item(1, 2, run.Succeeded, 1)}, worker.Entry{Item: item(7, 0, run.Succeeded, 1)})
	appendAll(t, s, worker.Entry{Record: newRecord("r.1.0", 2), Item: item(1, 0, run.Succeeded, 2)})

	for _, test := range []struct {
		filter worker.ItemFilter
		want   []run.Item
	}{
		{worker.ItemFilter{Run: "r"}, []run.Item{*item(1, 0, run.Succeeded, 2), *item(1, 1, run.Failed, 1), *item(1, 2, run.Succeeded, 1), *item(7, 0, run.Succeeded, 1)}},
		{worker.ItemFilter{Run: "r", Loop: 1, From: 1, Limit: 1}, []run.Item{*item(1, 1, run.Failed, 1)}},
		{worker.ItemFilter{Run: "r", Step: "step7"}, []run.Item{*item(7, 0, run.Succeeded, 1)}},
		{worker.ItemFilter{Run: "r", Statuses: []run.Status{run.Failed, run.Held}}, []run.Item{*item(1, 1, run.Failed, 1)}},
		{worker.ItemFilter{Run: "r.1.0"}, nil},
	} {
		got, err := s.Items(context.Background(), test.filter)
		if err != nil {
			t.Fatalf("Items(%+v): %v", test.filter, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Items(%+v) (-want +got):\n%s", test.filter, diff)
		}
	}
	for parent, want := range map[string]string{"": "r", "r": "r.1.0"} {
		runs, err := s.Runs(context.Background(), worker.Filter{Parent: parent})
		if err != nil || len(runs) != 1 || runs[0].ID != want {
			t.Errorf("Runs of parent %q = %+v, %v, want %s", parent, runs, err, want)
		}
	}

	// An entry that is refused leaves no item.
	refused := worker.Entry{Record: newRecord("r.1.0", 2), Item: item(1, 5, run.Succeeded, 1)}
	if err := s.Append(context.Background(), []worker.Entry{refused}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Append of a record that exists = %v, want a conflict", err)
	}
	appendAll(t, s, worker.Entry{Record: newRecord("r", 2), Wipe: true, WipeItems: true})
	got, err := s.Items(context.Background(), worker.ItemFilter{Run: "r"})
	if err != nil || len(got) != 4 {
		t.Fatalf("Items = %d, %v, want 4", len(got), err)
	}
	for _, i := range got {
		if i.Sealed == nil || len(i.Sealed) != 0 {
			t.Errorf("item %d is sealed as %v once its run has ended, want empty and not nil", i.Position, i.Sealed)
		}
	}
}

func testJournalMissing(t *testing.T, s worker.Store) {
	ctx := context.Background()
	if _, err := s.Plan(ctx, "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Plan = %v, want not found", err)
	}
	if _, err := s.Run(ctx, "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Run = %v, want not found", err)
	}
	if got, err := s.Records(ctx, "none", 0); err != nil || len(got) != 0 {
		t.Errorf("Records = %v, %v, want none", got, err)
	}
	if got, err := s.Runs(ctx, worker.Filter{}); err != nil || len(got) != 0 {
		t.Errorf("Runs = %v, %v, want none", got, err)
	}
}

// Of many that create one run at the same time, one succeeds.
func testAppendAtOnce(t *testing.T, s worker.Store) {
	const writers = 8
	errs := make([]error, writers)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() { errs[i] = s.Append(context.Background(), []worker.Entry{create("same")}) })
	}
	writing.Wait()
	taken := 0
	for _, err := range errs {
		switch {
		case err == nil:
			taken++
		case !fault.Is(err, fault.Conflict):
			t.Errorf("Append = %v, want a conflict", err)
		}
	}
	if got := records(t, s, "same", 0); taken != 1 || len(got) != 1 {
		t.Errorf("%d of %d writers created the run, which has %d records; want 1 and 1", taken, writers, len(got))
	}
}

func testJournalCancelled(t *testing.T, s worker.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Append(ctx, []worker.Entry{create("a")}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Append with an ended context = %v, want unavailable", err)
	}
	if _, err := s.Run(context.Background(), "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Run = %v, want that nothing was written", err)
	}
}
