//go:build unix

package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// figures are what a load of runs came to. Of several rounds they are those of
// the fastest.
type figures struct {
	Runs   int     `json:"runs"`
	Rate   float64 `json:"rate"`   // runs a second
	P50    float64 `json:"p50"`    // ms a run
	P99    float64 `json:"p99"`    // ms a run
	CPU    float64 `json:"cpu"`    // ms of processor time a run, of this process
	Memory float64 `json:"memory"` // MB at the peak
	Disk   float64 `json:"disk"`   // bytes a run
}

// load runs one for each number below n, at a time as many as told, and
// measures. The numbers of the rounds follow each other, so that no number
// comes twice; the first round only warms up.
func load(ctx context.Context, o *options, one func(ctx context.Context, i int) error) (figures, error) {
	var best figures
	warmUp := o.runs / 10
	if _, err := round(ctx, 0, warmUp, o.at, one); err != nil {
		return best, err
	}
	for n := range o.rounds {
		f, err := round(ctx, warmUp+n*o.runs, o.runs, o.at, one)
		if err != nil {
			return best, err
		}
		if f.Rate > best.Rate {
			best = f
		}
	}
	best.Memory = peakMemory()
	return best, nil
}

// round runs one for n numbers from first on, and measures. None is nothing to measure.
func round(ctx context.Context, first, n, at int, one func(ctx context.Context, i int) error) (figures, error) {
	if n < 1 {
		return figures{}, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	used, begin := processor(), time.Now()
	for range at {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				started := time.Now()
				if err := one(ctx, first+i); err != nil {
					cancel(err)
					return
				}
				took[i] = time.Since(started)
			}
		})
	}
	workers.Wait()
	elapsed := time.Since(begin)
	if err := context.Cause(ctx); err != nil {
		return figures{}, err
	}
	slices.Sort(took)
	return figures{
		Runs: n, Rate: float64(n) / elapsed.Seconds(), P50: millis(took[n/2]), P99: millis(took[n*99/100]),
		CPU: millis(processor()-used) / float64(n),
	}, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
