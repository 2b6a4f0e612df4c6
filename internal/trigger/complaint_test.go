package trigger

import (
	"errors"
	"testing"
	"time"
)

// An error that stays is logged now and then, another one at once.
func TestComplaint(t *testing.T) {
	start := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	one, other := errors.New("one"), errors.New("other")
	var c complaint
	for i, step := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, nil, false},
		{time.Second, one, true},
		{2 * time.Second, one, false},
		{3 * time.Second, other, true},
		{4 * time.Second, one, true},
		{63 * time.Second, one, false},
		{64 * time.Second, one, true},
		{65 * time.Second, nil, false},
		{66 * time.Second, one, true},
	} {
		if got := c.news(step.err, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: news = %t, want %t", i, got, step.want)
		}
	}
}
