package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// A run that worked through a list of thousands and failed does not list them all.
func TestDoneIsBounded(t *testing.T) {
	r := &report.Report{Run: "run_1", Status: run.Failed, Error: "one of them failed"}
	for i := range 1000 {
		r.Steps = append(r.Steps, &report.Step{
			StepID: fmt.Sprintf("create%d", i), Status: engine.StepSucceeded, Outputs: map[string]any{"user": strings.Repeat("x", 100_000)},
			Calls: []*report.Call{{Intent: worker.Intent{Purpose: engine.ForStep, Method: "POST", Writes: true}, Answer: &engine.Answer{Status: 200}}},
		})
	}
	s := newTestIO("", nil)
	p := &tracePrinter{out: s.Out, paint: painter(false)}
	p.result(r)
	if got := s.out.String(); len(got) > 20_000 || !strings.Contains(got, "and 980 more, 1000 in all; lanyard runs show run_1 has them") {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
}
