package rehearsal

import (
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Clock is a time of its own: the machine's with an offset, or standing still.
// It begins as the machine's, and it never goes backwards unless told to. It is
// safe for concurrent use. The zero Clock is not ready; use NewClock.
type Clock struct {
	real func() time.Time

	mu     sync.Mutex // guards what follows
	offset time.Duration
	frozen bool
	last   time.Time // the latest that was shown; where a frozen clock stands
}

// NewClock returns a clock that runs with another: time.Now, but in tests.
func NewClock(real func() time.Time) *Clock { return &Clock{real: real} }

// Now returns the time. A machine whose clock is set back holds it until the
// machine has caught up.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(c.machine())
}

// machine is the time of the machine. Round drops the monotonic reading, which
// knows no offset.
func (c *Clock) machine() time.Time { return c.real().Round(0) }

// at is what the clock shows at a time of the machine.
func (c *Clock) at(machine time.Time) time.Time {
	if now := machine.Add(c.offset); !c.frozen && now.After(c.last) {
		c.last = now
	}
	return c.last
}

// ClockState is what a clock shows.
type ClockState struct {
	Now    time.Time     // on this clock
	Real   time.Time     // on the machine's
	Offset time.Duration // Now - Real
	Frozen bool
}

// State returns what the clock shows.
func (c *Clock) State() ClockState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state(c.machine())
}

func (c *Clock) state(machine time.Time) ClockState {
	now := c.at(machine)
	return ClockState{Now: now, Real: machine, Offset: now.Sub(machine), Frozen: c.frozen}
}

// ClockChange says how to move a clock: to a time, to an offset from the
// machine's, or on by a duration; none of them moves it nowhere.
type ClockChange struct {
	At      *time.Time
	Offset  *time.Duration
	Advance *time.Duration
	Freeze  *bool // nil: as it is
	// Backwards allows the change to lead to an earlier time. What was made in
	// the meantime then lies in the future.
	Backwards bool
}

// The times that a clock can show: identifiers carry seconds since 1970 and have
// room until 2108.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Change moves the clock and returns what it shows then. Several of At, Offset
// and Advance, or a time out of reach, are fault.Invalid; a way back that is not
// allowed is fault.Conflict. The clock then stays as it is.
func (c *Clock) Change(change ClockChange) (ClockState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	machine := c.machine()
	now := c.at(machine)
	to, err := change.target(now, machine)
	switch {
	case err != nil:
		return c.state(machine), err
	case to.Before(earliest) || to.After(latest):
		return c.state(machine), fault.New(fault.Invalid, "the clock goes from %d to %d", earliest.Year(), latest.Year())
	case to.Before(now) && !change.Backwards:
		return c.state(machine), fault.New(fault.Conflict, "the clock shows %s already, and goes back only when that is said", now.UTC().Format(time.RFC3339)).
			Fix("allow it to go backwards, or choose a later time")
	}
	if change.Freeze != nil {
		c.frozen = *change.Freeze
	}
	c.last, c.offset = to, to.Sub(machine)
	return c.state(machine), nil
}

// target is the time that a change leads to.
func (change ClockChange) target(now, machine time.Time) (time.Time, error) {
	to, ways := now, 0
	if change.At != nil {
		to, ways = *change.At, ways+1
	}
	if change.Offset != nil {
		to, ways = machine.Add(*change.Offset), ways+1
	}
	if change.Advance != nil {
		to, ways = now.Add(*change.Advance), ways+1
	}
	if ways > 1 {
		return to, fault.New(fault.Invalid, "at, offset and advance exclude each other").Fix("give one of them")
	}
	return to, nil
}
