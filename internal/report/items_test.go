package report_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// listed holds a failed run "list" with a list, and the runs of its items.
type listed map[string][]run.Item

func (l listed) Run(_ context.Context, id string) (run.Run, error) {
	if id == "gone" {
		return run.Run{}, fault.New(fault.NotFound, "there is no run %q", id)
	}
	return run.Run{Spec: run.Spec{ID: id}, Status: run.Failed}, nil
}

// Records returns one visit of a step: over a list, or refused.
func (l listed) Records(_ context.Context, id string, _ int, _ bool) ([]run.Record, error) {
	r := run.Record{Run: id, Seq: 1, Event: json.RawMessage(`{}`)}
	if l[id] != nil {
		r.Trace = json.RawMessage(`[{"kind":"step","step":"each","status":"failed","items":{"loop":7,"total":3,"succeeded":1,"failed":2}}]`)
		return []run.Record{r}, nil
	}
	r.Intents = json.RawMessage(`[{"id":1,"step":"add"}]`)
	answer := run.Record{
		Run: id, Seq: 2, Event: json.RawMessage(`{"id":1,"answer":{"status":401,"denied":"the credential was refused"}}`),
		Trace: json.RawMessage(`[{"kind":"step","step":"add","status":"failed","statusCode":401}]`),
	}
	return []run.Record{r, answer}, nil
}

func (l listed) Items(_ context.Context, f worker.ItemFilter) ([]run.Item, error) {
	if f.Loop != 7 || f.Limit != 1 || len(f.Statuses) != 1 || f.Statuses[0] != run.Failed {
		return nil, fault.New(fault.Internal, "%+v asks for other items than the first that failed", f)
	}
	return l[f.Run], nil
}

// What a failed item was answered explains the run around it, at any depth.
func TestFailedItem(t *testing.T) {
	for _, test := range []struct {
		name string
		runs listed
		want []string // runs, from the outside in
	}{
		{"an item", listed{"list": {{Child: "a"}}}, []string{"list", "a"}},
		{"an item of an item", listed{"list": {{Child: "a"}}, "a": {{Child: "b"}}}, []string{"list", "a", "b"}},
		{"one that was not begun", listed{"list": {{}}}, []string{"list"}},
		{"one that is no longer kept", listed{"list": {{Child: "gone"}}}, []string{"list"}},
		{"none", listed{"list": {}}, []string{"list"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			records, err := test.runs.Records(t.Context(), "list", 0, false)
			if err != nil {
				t.Fatal(err)
			}
			rep, err := report.Build(run.Run{Spec: run.Spec{ID: "list"}, Status: run.Failed}, records)
			if err != nil {
				t.Fatal(err)
			}
			if err := rep.ReadFailedItem(t.Context(), test.runs); err != nil {
				t.Fatal(err)
			}
			if got, want := rep.AuthFailed(), len(test.want) > 1; got != want {
				t.Errorf("AuthFailed = %v, want %v", got, want)
			}
			for i, at := 0, rep; i < len(test.want); i++ {
				if at == nil || at.Run != test.want[i] || len(at.Steps) != 1 || at.Steps[0].Status != engine.StepFailed {
					t.Fatalf("report %d is %+v, want the one of %s", i, at, test.want[i])
				}
				at = at.Steps[0].FailedItem
				if last := i == len(test.want)-1; last != (at == nil) {
					t.Fatalf("after %s comes %+v", test.want[i], at)
				}
			}
		})
	}
}
