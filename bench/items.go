//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/run"
)

// itemFigures are what a list came to.
type itemFigures struct {
	Items  int     `json:"items"`
	Rate   float64 `json:"rate"` // items a second
	CPU    float64 `json:"cpu"`  // ms of processor time an item, of this process
	Memory float64 `json:"memory"`
	Disk   float64 `json:"disk"` // bytes an item
}

// measureItems works through one list, each item a run of one call.
func measureItems(ctx context.Context, o *options) (out any, err error) {
	p, err := newProduct(o.target)
	if err != nil {
		return nil, err
	}
	defer p.remove()
	document, err := p.plan(ctx, "each.arazzo.yaml")
	if err != nil {
		return nil, err
	}
	session, err := p.parts.Open(ctx, p.settings, cli.ReadWrite)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	emails := make([]any, o.items)
	for i := range emails {
		emails[i] = fmt.Sprintf("ada.%d@example.com", i)
	}
	used, begin := processor(), time.Now()
	if err := session.Start(ctx, runID(0), document, map[string]any{"emails": emails}, run.Bindings{}); err != nil {
		return nil, err
	}
	if _, err := session.Records(ctx, runID(0), math.MaxInt32, true); err != nil { // there is no such record: it waits for the end
		return nil, err
	}
	elapsed := time.Since(begin)
	r, err := session.Run(ctx, runID(0))
	if err != nil {
		return nil, err
	}
	if string(r.Outputs) != fmt.Sprintf(`{"made":%d}`, o.items) {
		return nil, fmt.Errorf("the list ended as %s, %s, %s", r.Status, r.Reason, r.Outputs)
	}
	size, err := diskUse(p.settings.Data)
	n := float64(o.items)
	return itemFigures{
		Items: o.items, Rate: n / elapsed.Seconds(), CPU: millis(processor()-used) / n, Memory: peakMemory(), Disk: float64(size) / n,
	}, err
}
