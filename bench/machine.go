//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// machineFigures are what the machine alone came to.
type machineFigures struct {
	Steps     int     `json:"steps"`
	PerStep   float64 `json:"perStep"`   // ns
	Decode    float64 `json:"decode"`    // ns: the yardstick
	Early     float64 `json:"early"`     // MB of live heap after a tenth of the steps
	Late      float64 `json:"late"`      // MB of live heap after all of them
	StateSize int     `json:"stateSize"` // bytes of the state as JSON, at the end
}

// measureMachine prints the engine alone.
func (o *options) measureMachine(ctx context.Context, out io.Writer) error {
	var f machineFigures
	if err := o.runPart(ctx, "machine", "", &f); err != nil {
		return err
	}
	fmt.Fprintf(out, "The machine alone: a loop of %d steps in one run, each with a call, its answer, a criterion and an output\n", f.Steps)
	fmt.Fprintln(out, "Bar: under 300,000 ns a step, flat memory")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tns/step\theap MB at 10 %\theap MB at the end\tstate bytes\t")
	fmt.Fprintf(t, "the machine\t%.0f\t%.2f\t%.2f\t%d\t\n", f.PerStep, f.Early, f.Late, f.StateSize)
	fmt.Fprintf(t, "encoding/json, the same answer\t%.0f\t\t\t\t\n", f.Decode)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return nil
}

// measureLoop drives one run of an endless loop, answering each of its calls.
func measureLoop(ctx context.Context, o *options) (any, error) {
	p, err := newProduct("http://directory.test")
	if err != nil {
		return nil, err
	}
	defer p.remove()
	built, err := p.plan(ctx, "loop.arazzo.yaml")
	if err != nil {
		return nil, err
	}
	// A loop of this length is refused by the default budgets, rightly.
	bundle := *built.Bundle
	bundle.Profile.MaxSteps, bundle.Profile.MaxRepeats = o.steps+1, o.steps+1
	document, diagnostics := plan.Compile(&bundle)
	if document == nil {
		return nil, &plan.RefusedError{Diagnostics: diagnostics}
	}
	machine := engine.New(document)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	answer := &engine.Answer{
		Status: http.StatusOK, Header: map[string][]string{"Content-Type": {"application/json"}}, JSON: json.RawMessage(userBody),
	}
	state, turn := machine.Start(map[string]any{"userId": "00u1"}, now)
	f := machineFigures{Steps: o.steps}
	var paused time.Duration
	begin := time.Now()
	for n := range o.steps {
		if turn.Command.Kind != engine.CallCommand {
			return nil, fmt.Errorf("step %d: the machine wants %q, not a call", n, turn.Command.Kind)
		}
		if n == o.steps/10 {
			stop := time.Now()
			f.Early = liveHeap()
			paused += time.Since(stop)
		}
		now = now.Add(time.Millisecond)
		event := engine.Event{Kind: engine.Answered, At: now, ID: turn.Command.Call.ID, Answer: answer}
		if state, turn, err = machine.Apply(state, event); err != nil {
			return nil, err
		}
	}
	f.PerStep = float64(time.Since(begin)-paused) / float64(o.steps)
	f.Late = liveHeap()
	raw, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	f.StateSize = len(raw)
	f.Decode, err = decodeTime()
	return f, err
}

// liveHeap returns the megabytes that are in use after a collection.
func liveHeap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// decodeTime measures the part of a step that cannot be avoided: its answer is
// decoded.
func decodeTime() (float64, error) {
	const times = 20_000
	begin := time.Now()
	for range times {
		var v any
		if err := json.Unmarshal([]byte(userBody), &v); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begin)) / times, nil
}
