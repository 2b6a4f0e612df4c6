package rehearsal_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

func ptr[T any](v T) *T { return &v }

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Round(0) // midnight of 2000-01-01 in a bubble
		c := rehearsal.NewClock(time.Now)
		change := func(change rehearsal.ClockChange, kind fault.Kind) {
			t.Helper()
			_, err := c.Change(change)
			if kind == 0 && err != nil || kind != 0 && !fault.Is(err, kind) {
				t.Errorf("Change(%+v) = %v, want kind %v", change, err, kind)
			}
		}
		shows := func(want time.Duration) {
			t.Helper()
			if got := c.Now().Sub(start); got != want {
				t.Errorf("the clock is %v behind its start, want %v", got, want)
			}
		}
		shows(0)
		time.Sleep(time.Second)
		shows(time.Second)

		change(rehearsal.ClockChange{Advance: ptr(time.Hour)}, 0)
		shows(time.Hour + time.Second)
		change(rehearsal.ClockChange{Advance: ptr(-time.Hour)}, fault.Conflict)
		change(rehearsal.ClockChange{At: ptr(start)}, fault.Conflict)
		change(rehearsal.ClockChange{Offset: ptr(time.Duration(0))}, fault.Conflict)
		change(rehearsal.ClockChange{At: ptr(start), Offset: ptr(time.Hour)}, fault.Invalid)
		change(rehearsal.ClockChange{At: ptr(time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC))}, fault.Invalid)
		change(rehearsal.ClockChange{At: ptr(time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)), Backwards: true}, fault.Invalid)
		shows(time.Hour + time.Second) // a change that is refused changes nothing

		change(rehearsal.ClockChange{Freeze: ptr(true)}, 0)
		time.Sleep(time.Minute)
		shows(time.Hour + time.Second)
		change(rehearsal.ClockChange{Advance: ptr(time.Second)}, 0)
		shows(time.Hour + 2*time.Second)
		if s := c.State(); !s.Frozen || s.Offset != time.Hour-59*time.Second || !s.Real.Equal(time.Now()) {
			t.Errorf("State = %+v", s)
		}
		change(rehearsal.ClockChange{Freeze: ptr(false)}, 0)
		time.Sleep(time.Second)
		shows(time.Hour + 3*time.Second)

		change(rehearsal.ClockChange{At: ptr(start.Add(-time.Hour)), Backwards: true}, 0)
		time.Sleep(time.Second)
		shows(-time.Hour + time.Second)
		change(rehearsal.ClockChange{Offset: ptr(time.Duration(0))}, 0)
		shows(time.Since(start))
	})
}

// A machine whose time is corrected backwards must not take the clock along.
func TestClockHolds(t *testing.T) {
	t.Parallel()
	machine := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := rehearsal.NewClock(func() time.Time { return machine })
	before := c.Now()
	machine = machine.Add(-time.Minute)
	if got := c.Now(); got.Before(before) {
		t.Errorf("the clock went from %v to %v", before, got)
	}
	machine = machine.Add(2 * time.Minute)
	if got := c.Now(); !got.Equal(machine) {
		t.Errorf("the clock shows %v, want %v again", got, machine)
	}
}

func TestClockTogether(t *testing.T) {
	t.Parallel()
	c := rehearsal.NewClock(time.Now)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			last := c.Now()
			for range 500 {
				_, _ = c.Change(rehearsal.ClockChange{Advance: ptr(time.Millisecond)})
				now := c.Now()
				if now.Before(last) {
					t.Errorf("the clock went from %v to %v", last, now)
				}
				last = now
			}
		})
	}
	group.Wait()
}
