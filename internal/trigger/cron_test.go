package trigger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Due times across changes of the clock, in local time with the offset.
func TestCron(t *testing.T) {
	const layout = "2006-01-02 15:04 -07:00"
	for _, test := range []struct {
		name, cron, zone, after string
		want                    string // separated by ", "
	}{
		{"every day", "30 6 * * *", "UTC", "2026-03-04 06:30 +00:00", "2026-03-05 06:30 +00:00, 2026-03-06 06:30 +00:00"},
		{"a word", "@daily", "Asia/Kolkata", "2026-03-04 00:00 +05:30", "2026-03-05 00:00 +05:30, 2026-03-06 00:00 +05:30"},
		{"half an hour off UTC", "0 * * * *", "Asia/Kolkata", "2026-03-04 05:30 +00:00", "2026-03-04 12:00 +05:30, 2026-03-04 13:00 +05:30"},
		{"leap day", "0 0 29 2 *", "UTC", "2026-01-01 00:00 +00:00", "2028-02-29 00:00 +00:00, 2032-02-29 00:00 +00:00"},
		{"day of month or of week", "0 0 13 * 5", "UTC", "2026-02-05 00:00 +00:00", "2026-02-06 00:00 +00:00, 2026-02-13 00:00 +00:00, 2026-02-20 00:00 +00:00"},

		{"Berlin leaps over 02:30", "30 2 * * *", "Europe/Berlin", "2026-03-28 03:00 +01:00", "2026-03-29 03:00 +02:00, 2026-03-30 02:30 +02:00"},
		{"Berlin leaps over four at once", "*/15 2 * * *", "Europe/Berlin", "2026-03-29 00:00 +01:00", "2026-03-29 03:00 +02:00, 2026-03-30 02:00 +02:00"},
		{"Berlin leaps, 03:00 is due too", "30 2,3 * * *", "Europe/Berlin", "2026-03-29 00:00 +01:00", "2026-03-29 03:00 +02:00, 2026-03-29 03:30 +02:00"},
		{"Berlin leaps to a due time", "0 2,3 * * *", "Europe/Berlin", "2026-03-29 00:00 +01:00", "2026-03-29 03:00 +02:00, 2026-03-30 02:00 +02:00"},
		{"Berlin has 02:30 twice", "30 2 * * *", "Europe/Berlin", "2026-10-24 12:00 +02:00", "2026-10-25 02:30 +02:00, 2026-10-26 02:30 +01:00"},
		{"Berlin has 02:00 twice", "0 2 * * *", "Europe/Berlin", "2026-10-24 12:00 +02:00", "2026-10-25 02:00 +02:00, 2026-10-26 02:00 +01:00"},
		{"Berlin, behind the first 02:30", "30 2 * * *", "Europe/Berlin", "2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"},
		{"Berlin, 03:00 after both", "0 3 * * *", "Europe/Berlin", "2026-10-25 00:00 +02:00", "2026-10-25 03:00 +01:00"},
		{"Berlin, every hour goes on", "30 * * * *", "Europe/Berlin", "2026-10-25 01:30 +02:00", "2026-10-25 02:30 +02:00, 2026-10-25 02:30 +01:00, 2026-10-25 03:30 +01:00"},
		{"Berlin, every hour at the leap", "30 * * * *", "Europe/Berlin", "2026-03-29 01:00 +01:00", "2026-03-29 01:30 +01:00, 2026-03-29 03:00 +02:00, 2026-03-29 03:30 +02:00"},
		{"Berlin, on the hour at the leap", "0 * * * *", "Europe/Berlin", "2026-03-29 01:00 +01:00", "2026-03-29 03:00 +02:00, 2026-03-29 04:00 +02:00"},

		{"New York leaps", "30 2 * * *", "America/New_York", "2026-03-07 12:00 -05:00", "2026-03-08 03:00 -04:00, 2026-03-09 02:30 -04:00"},
		{"New York goes back", "30 1 * * *", "America/New_York", "2026-10-31 12:00 -04:00", "2026-11-01 01:30 -04:00, 2026-11-02 01:30 -05:00"},

		{"Lord Howe leaps half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00 +10:30", "2026-10-04 02:30 +11:00, 2026-10-05 02:15 +11:00"},
		{"Lord Howe, 02:45 exists", "45 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00 +10:30", "2026-10-04 02:45 +11:00"},
		{"Lord Howe goes half an hour back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00 +11:00", "2026-04-05 01:45 +11:00, 2026-04-06 01:45 +10:30"},
		{"Lord Howe, 01:15 comes once", "15 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00 +11:00", "2026-04-05 01:15 +11:00"},

		{"Apia leaves a day out", "0 9 * * *", "Pacific/Apia", "2011-12-29 00:00 -10:00", "2011-12-29 09:00 -10:00, 2011-12-31 00:00 +14:00, 2011-12-31 09:00 +14:00"},
		{"Apia, every hour of the day left out", "0 * * * *", "Pacific/Apia", "2011-12-29 22:30 -10:00", "2011-12-29 23:00 -10:00, 2011-12-31 00:00 +14:00, 2011-12-31 01:00 +14:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := ParseCron(test.cron, test.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(layout, test.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range strings.Split(test.want, ", ") {
				at = c.Next(at)
				got = append(got, at.Format(layout))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("%s in %s after %s (-want +got):\n%s", test.cron, test.zone, test.after, diff)
			}
		})
	}
}

func TestCronRefuses(t *testing.T) {
	for _, test := range []struct{ cron, zone, want string }{
		{"0 0 30 2 *", "", "never comes"},
		{"0 30 6 * * *", "", "no seconds"},
		{"@every 5m", "", "@every has no due times"},
		{"CRON_TZ=Asia/Tokyo 0 6 * * *", "", "does not belong"},
		{"61 * * * *", "", "no cron expression"},
		{"", "", "no cron expression"},
		{"@noon", "", "no cron expression"},
		{"0 6 * * *", "Europe/Atlantis", "no time zone"},
		{"0 6 * * *", "Local", "no time zone"},
	} {
		if _, err := ParseCron(test.cron, test.zone); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("ParseCron(%q, %q) = %v, want %q in it", test.cron, test.zone, err, test.want)
		}
	}
}

// Over years and in every zone: due times come in order, each wall time of a
// schedule with fixed hours once a day, and none is nearer than it should be.
func TestCronOverYears(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Africa/Casablanca", "America/Sao_Paulo", "UTC"} {
		for _, text := range []string{"0 0 * * *", "30 2 * * *", "15 1 * * *", "59 23 * * *"} {
			c, err := ParseCron(text, zone)
			if err != nil {
				t.Fatal(err)
			}
			from := time.Date(2015, 1, 1, 12, 0, 0, 0, c.zone)
			until := time.Date(2021, 1, 1, 12, 0, 0, 0, c.zone)
			days := map[string]int{}
			last := from
			for _, due := range c.all(from, until) {
				if !due.After(last) {
					t.Fatalf("%s: %v comes after %v", c, due, last)
				}
				last = due
				days[due.Format(time.DateOnly)]++
			}
			for day := from.AddDate(0, 0, 1); day.Before(until); day = day.AddDate(0, 0, 1) {
				if n := days[day.Format(time.DateOnly)]; n != 1 {
					t.Errorf("%s: %d due times on %s, want 1", c, n, day.Format(time.DateOnly))
				}
			}
		}
	}
}

func TestBetween(t *testing.T) {
	c, err := ParseCron("* * * * *", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 3, 4, 5, 6, 30, 0, time.UTC)
	due, more := c.Between(until.AddDate(-3, 0, 0), until, 3)
	var got []string
	for _, d := range due {
		got = append(got, d.UTC().Format(time.TimeOnly))
	}
	if diff := cmp.Diff([]string{"05:04:00", "05:05:00", "05:06:00"}, got); diff != "" || !more {
		t.Errorf("Between over three years: more %v (-want +got):\n%s", more, diff)
	}
	if due, more := c.Between(until, until, 3); len(due) != 0 || more {
		t.Errorf("Between of nothing = %v, %v", due, more)
	}
	rare, err := ParseCron("0 0 29 2 *", "")
	if err != nil {
		t.Fatal(err)
	}
	if due, _ := rare.Between(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), until, 5); len(due) != 2 {
		t.Errorf("leap days from 2020 to 2026 = %v", due)
	}
}

// What runs after a stop, by policy.
func TestLook(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, "2026-03-04T"+s+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, test := range []struct {
		name      string
		s         Schedule
		cron      string
		seen, now string
		run       []string
		missed    int
	}{
		{"on time", Schedule{}, "*/10 * * * *", "05:59:59", "06:00:00", []string{"06:00"}, 0},
		{"a little late", Schedule{}, "*/10 * * * *", "05:59:00", "06:01:00", []string{"06:00"}, 0},
		{"nothing", Schedule{}, "*/10 * * * *", "06:00:00", "06:09:59", nil, 0},
		{"none", Schedule{CatchUp: CatchNone}, "*/10 * * * *", "05:00:00", "06:05:00", nil, 6},
		{"none, and one on time", Schedule{CatchUp: CatchNone}, "*/10 * * * *", "05:00:00", "06:00:30", []string{"06:00"}, 5},
		{"one", Schedule{CatchUp: CatchOne}, "*/10 * * * *", "05:00:00", "06:05:00", []string{"06:00"}, 5},
		{"one, which is on time", Schedule{CatchUp: CatchOne}, "*/10 * * * *", "05:00:00", "06:00:30", []string{"06:00"}, 5},
		{"all", Schedule{CatchUp: CatchAll}, "*/20 * * * *", "05:00:00", "06:05:00", []string{"05:20", "05:40", "06:00"}, 0},
		{"all, bounded", Schedule{CatchUp: CatchAll, Limit: 2}, "*/20 * * * *", "05:00:00", "06:05:00", []string{"05:40", "06:00"}, 1},
		{"the clock went back", Schedule{CatchUp: CatchAll}, "*/10 * * * *", "06:00:00", "05:00:00", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := ParseCron(test.cron, "")
			if err != nil {
				t.Fatal(err)
			}
			test.s.Cron = c
			look := test.s.Look(at(test.seen), at(test.now))
			var run []string
			for _, due := range look.Run {
				run = append(run, due.Format("15:04"))
			}
			if diff := cmp.Diff(test.run, run); diff != "" || look.Missed != test.missed {
				t.Errorf("missed %d, want %d; run (-want +got):\n%s", look.Missed, test.missed, diff)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	s := Schedule{Jitter: time.Minute}
	due := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	different := map[time.Time]bool{}
	for i := range 50 {
		at := s.Start("nightly", due.Add(time.Duration(i)*time.Hour))
		wait := at.Sub(due.Add(time.Duration(i) * time.Hour))
		if wait < 0 || wait > time.Minute {
			t.Errorf("a jitter of %v", wait)
		}
		different[time.Time{}.Add(wait)] = true
	}
	if len(different) < 40 {
		t.Errorf("50 due times have %d different jitters", len(different))
	}
	if a, b := s.Start("nightly", due), s.Start("nightly", due.In(time.FixedZone("x", 3600))); !a.Equal(b) {
		t.Errorf("the same due time starts at %v and %v", a, b)
	}
}
