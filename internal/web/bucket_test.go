package web

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	var b Bucket
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		left  float64
		wait  time.Duration
	}{
		{0, 1, 0},
		{0, 0, 0},
		{0, 0, 500 * time.Millisecond},
		{250 * time.Millisecond, 0, 250 * time.Millisecond},
		{-time.Hour, 0, 250 * time.Millisecond}, // the clock is put back
		{250 * time.Millisecond, 0, 0},
		{time.Hour, 1, 0}, // never more than it holds
	} {
		at = at.Add(c.after)
		if left, wait := b.Take(at, 2, 2); left != c.left || wait != c.wait {
			t.Errorf("Take at %v = %v, %v; want %v, %v", at, left, wait, c.left, c.wait)
		}
	}
}
