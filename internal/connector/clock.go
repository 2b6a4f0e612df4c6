package connector

import (
	"context"
	"time"
)

// Clock is the time by which calls are paced.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or with ctx's error when it ends before.
	Wait(ctx context.Context, d time.Duration) error
}

// SystemClock is the Clock of the machine.
func SystemClock() Clock { return systemClock{} }

// systemClock is the Clock of the machine.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
