// Package directorytest has what tests of a directory share: a clock that stands
// still until it is moved. It is imported by tests only, and leaves directories
// themselves to them.
package directorytest

import (
	"sync"
	"time"
)

// Clock is a clock that only tests move. It is safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock that shows a time.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Step moves the clock on.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
