package connector

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
)

// announce makes the headers of an answer.
func announce(l catalog.RateLimit, limit, remaining int, reset time.Duration) http.Header {
	now := time.Now().Truncate(time.Second)
	h := http.Header{}
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set(l.Limit, strconv.Itoa(limit))
	h.Set(l.Remaining, strconv.Itoa(remaining))
	h.Set(l.Reset, strconv.FormatInt(now.Add(reset).Unix(), 10))
	return h
}

// TestOvertakingAnswers: of the answers of one window the lowest count is right,
// whichever comes last.
func TestOvertakingAnswers(t *testing.T) {
	entry := catalog.Find("okta")
	b := newBudget(systemClock{}, &Connection{Entry: entry, Server: "https://x.okta.com"}, config.Limits{})
	take := func() bool { wait, changed := b.try("k"); return wait == 0 && changed == nil }
	for range 3 {
		if !take() {
			t.Fatal("no place, though nothing is known yet")
		}
	}
	b.release("k", 200, announce(entry.RateLimit, 10, 1, 40*time.Second), 0)
	b.release("k", 200, announce(entry.RateLimit, 10, 3, 40*time.Second), 0)
	b.release("k", 200, announce(entry.RateLimit, 10, 2, 40*time.Second), 0)
	if !take() {
		t.Fatal("no place, though one call is left")
	}
	if take() {
		t.Error("a second place, though one call was left")
	}
	// In the next window it is as the answers say.
	b.release("k", 200, announce(entry.RateLimit, 10, 9, 60*time.Second), 0)
	if !take() {
		t.Error("no place in the next window")
	}
}

// TestBucketThatRefills: a token bucket's count goes up, too, and one call is
// back long before the bucket is full.
func TestBucketThatRefills(t *testing.T) {
	entry := catalog.Find("auth0")
	b := newBudget(systemClock{}, &Connection{Entry: entry, Server: "https://x.auth0.com"}, config.Limits{})
	take := func() (time.Duration, bool) {
		wait, changed := b.try("k")
		return wait, wait == 0 && changed == nil
	}
	take()
	b.release("k", 200, announce(entry.RateLimit, 50, 0, 100*time.Second), 0)
	if wait, ok := take(); ok || wait < time.Second || wait > 4*time.Second {
		t.Errorf("with nothing left wait = %v, %v, want what one call takes, about 2 s", wait, ok)
	}
	b.buckets["k"].reset = time.Now() // that time is over
	if _, ok := take(); !ok {
		t.Error("no place, though one call is back")
	}
	if _, ok := take(); ok {
		t.Error("a second place, though only one call is back for certain")
	}
	b.release("k", 200, announce(entry.RateLimit, 50, 5, 100*time.Second), 0)
	if _, ok := take(); !ok {
		t.Error("no place, though the bucket has refilled")
	}
	b.buckets["k"].remaining = 0
	b.release("k", 200, http.Header{}, 0)
	if _, ok := take(); !ok {
		t.Error("no place, though nothing is announced any more")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "1.5": 1500 * time.Millisecond, " 3 ": 3 * time.Second,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got, ok := RetryAfter(http.Header{"Retry-After": {text}}, now); !ok || got != want {
			t.Errorf("RetryAfter(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "-1", "1e300", "NaN", "99999999999999999999"} {
		if got, ok := RetryAfter(http.Header{"Retry-After": {text}}, now); ok {
			t.Errorf("RetryAfter(%q) = %v, want none", text, got)
		}
	}
}

// FuzzRelease: whatever a server's headers say, no wait is negative or longer
// than a day, and places are given back.
func FuzzRelease(f *testing.F) {
	f.Add(429, "10", "0", "1763812800", "Sat, 22 Nov 2025 12:00:00 GMT", "")
	f.Add(429, "0", "0", "-1", "", "3")
	f.Add(503, "x", "9999999999999999999", "9223372036854775807", "never", "1e18")
	f.Add(200, "-5", "-5", "0", "", "")
	entries := []*catalog.Entry{catalog.Find("okta"), catalog.Find("auth0")}
	f.Fuzz(func(t *testing.T, status int, limit, remaining, reset, date, after string) {
		for _, entry := range entries {
			b := newBudget(systemClock{}, &Connection{Entry: entry}, config.Limits{Share: 50})
			if wait, changed := b.try("k"); wait != 0 || changed != nil {
				t.Fatal("no place in a new budget")
			}
			l := entry.RateLimit
			h := http.Header{}
			for name, v := range map[string]string{l.Limit: limit, l.Remaining: remaining, l.Reset: reset, "Date": date, "Retry-After": after} {
				h.Set(name, v)
			}
			if wait := b.release("k", status, h, 1); wait < 0 || wait > maxBelieved {
				t.Errorf("%s: wait = %v", entry.Name, wait)
			}
			if b.busy != 0 || b.buckets["k"].busy != 0 {
				t.Errorf("%s: %d and %d places are still taken", entry.Name, b.busy, b.buckets["k"].busy)
			}
			wait, changed := b.try("k")
			if wait < 0 || wait > maxBelieved || changed != nil {
				t.Errorf("%s: the next call waits %v, for others %v", entry.Name, wait, changed != nil)
			}
		}
	})
}
