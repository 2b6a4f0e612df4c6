package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/trigger"
)

// phase is a part of a story on fake time: the host is up until a time, looking
// every few minutes, or down.
type phase struct {
	until string // RFC 3339
	every time.Duration
	do    func(*bench) // before
}

const down = time.Duration(0)

// dueTimes are the local due times of all runs that were started.
func (b *bench) dueTimes() string {
	var out []string
	for _, inputs := range b.started() {
		local, _ := inputs.(map[string]any)["at"].(string)
		out = append(out, local)
	}
	return strings.Join(out, " ")
}

// Schedules on fake time run exactly when the policy says: across changes of the
// clock, with a host that stops, restarts or whose clock is moved, and with runs
// that overlap.
func TestSchedules(t *testing.T) {
	const minute = time.Minute
	busy := func(b *bench) { b.flows.busy = true }
	end := func(b *bench) { b.flows.end() }
	restart := func(b *bench) { b.restart() }
	for _, test := range []struct {
		name, schedule, from string
		story                []phase
		want                 string
		skipped, missed      int
	}{
		{
			"Berlin leaps", `{cron: "30 2 * * *", zone: Europe/Berlin}`, "2026-03-28T00:00:00+01:00",
			[]phase{{"2026-03-31T00:00:00+02:00", 7 * minute / 8, nil}},
			"2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00", 0, 0,
		},
		{
			"Berlin goes back", `{cron: "30 2 * * *", zone: Europe/Berlin}`, "2026-10-24T12:00:00+02:00",
			[]phase{{"2026-10-27T00:00:00+01:00", 50 * time.Second, nil}},
			"2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00", 0, 0,
		},
		{
			"Berlin goes back between two looks", `{cron: "30 2 * * *", zone: Europe/Berlin}`, "2026-10-25T02:00:00+02:00",
			[]phase{{"2026-10-25T02:31:00+02:00", minute, nil}, {"2026-10-25T02:31:00+01:00", minute, restart}, {"2026-10-26T00:00:00+01:00", minute, nil}},
			"2026-10-25T02:30:00+02:00", 0, 0,
		},
		{
			"New York, every half hour across both", `{cron: "*/30 * * * *", zone: America/New_York, overlap: allow}`, "2026-11-01T00:45:00-04:00",
			[]phase{{"2026-11-01T02:10:00-05:00", minute, nil}},
			"2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T01:30:00-05:00 2026-11-01T02:00:00-05:00", 0, 0,
		},
		{
			"Lord Howe leaps half an hour", `{cron: "15 2 * * *", zone: Australia/Lord_Howe}`, "2026-10-03T12:00:00+10:30",
			[]phase{{"2026-10-05T12:00:00+11:00", minute, nil}},
			"2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00", 0, 0,
		},
		{
			"Apia has no 30 December", `{cron: "0 9 * * *", zone: Pacific/Apia}`, "2011-12-29T00:00:00-10:00",
			[]phase{{"2012-01-01T00:00:00+14:00", minute, nil}},
			"2011-12-29T09:00:00-10:00 2011-12-31T00:00:00+14:00 2011-12-31T09:00:00+14:00", 0, 0,
		},
		{
			"Kolkata", `{cron: "15 0 * * 1-5", zone: Asia/Kolkata}`, "2026-03-06T12:00:00+05:30",
			[]phase{{"2026-03-10T12:00:00+05:30", minute, nil}},
			"2026-03-09T00:15:00+05:30 2026-03-10T00:15:00+05:30", 0, 0,
		},
		{
			"stopped, catchUp none", `{cron: "0 * * * *", catchUp: none}`, "2026-03-04T00:30:00Z",
			[]phase{{"2026-03-04T02:10:00Z", minute, nil}, {"2026-03-04T05:30:00Z", down, nil}, {"2026-03-04T06:10:00Z", minute, restart}},
			"2026-03-04T01:00:00Z 2026-03-04T02:00:00Z 2026-03-04T06:00:00Z", 0, 3,
		},
		{
			"stopped, catchUp one", `{cron: "0 * * * *", catchUp: one}`, "2026-03-04T00:30:00Z",
			[]phase{{"2026-03-04T02:10:00Z", minute, nil}, {"2026-03-04T05:30:00Z", down, nil}, {"2026-03-04T06:10:00Z", minute, restart}},
			"2026-03-04T01:00:00Z 2026-03-04T02:00:00Z 2026-03-04T05:00:00Z 2026-03-04T06:00:00Z", 0, 2,
		},
		{
			"stopped, catchUp all", `{cron: "0 * * * *", catchUp: all, overlap: queue}`, "2026-03-04T00:30:00Z",
			[]phase{{"2026-03-04T02:10:00Z", minute, nil}, {"2026-03-04T05:30:00Z", down, nil}, {"2026-03-04T06:10:00Z", minute, restart}},
			"2026-03-04T01:00:00Z 2026-03-04T02:00:00Z 2026-03-04T03:00:00Z 2026-03-04T04:00:00Z 2026-03-04T05:00:00Z 2026-03-04T06:00:00Z", 0, 0,
		},
		{
			"stopped, catchUp all of two", `{cron: "0 * * * *", catchUp: all, catchUpLimit: 2, overlap: allow}`, "2026-03-04T00:30:00Z",
			[]phase{{"2026-03-04T05:30:00Z", down, nil}, {"2026-03-04T06:10:00Z", minute, restart}},
			"2026-03-04T04:00:00Z 2026-03-04T05:00:00Z 2026-03-04T06:00:00Z", 0, 3,
		},
		{
			"stopped across a leap", `{cron: "30 2 * * *", zone: Europe/Berlin, catchUp: all, overlap: allow}`, "2026-03-28T12:00:00+01:00",
			[]phase{{"2026-03-31T12:00:00+02:00", down, nil}, {"2026-03-31T13:00:00+02:00", minute, restart}},
			"2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00 2026-03-31T02:30:00+02:00", 0, 0,
		},
		{
			"restarted again and again", `{cron: "*/10 * * * *"}`, "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:10:00Z", minute, nil}, {"2026-03-04T00:10:10Z", time.Second, restart}, {"2026-03-04T00:20:30Z", minute, restart}, {"2026-03-04T00:25:00Z", minute, restart}},
			"2026-03-04T00:10:00Z 2026-03-04T00:20:00Z", 0, 0,
		},
		{
			"the clock goes back", `{cron: "*/10 * * * *"}`, "2026-03-04T00:05:00Z",
			[]phase{
				{"2026-03-04T00:25:00Z", minute, nil},
				{"2026-03-04T00:35:00Z", minute, func(b *bench) { b.clock.set(time.Date(2026, 3, 4, 0, 1, 0, 0, time.UTC)) }},
			},
			"2026-03-04T00:10:00Z 2026-03-04T00:20:00Z 2026-03-04T00:30:00Z", 0, 0,
		},
		{
			"the clock goes back, and the host is restarted", `{cron: "*/10 * * * *", catchUp: all, overlap: queue}`, "2026-03-04T00:05:00Z",
			[]phase{
				{"2026-03-04T00:25:00Z", minute, nil},
				{"2026-03-04T00:35:00Z", minute, func(b *bench) { b.clock.set(time.Date(2026, 3, 4, 0, 1, 0, 0, time.UTC)); b.restart() }},
			},
			"2026-03-04T00:10:00Z 2026-03-04T00:20:00Z 2026-03-04T00:30:00Z", 0, 0,
		},
		{
			"overlap skip", `{cron: "*/10 * * * *", overlap: skip}`, "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:35:00Z", minute, busy}, {"2026-03-04T00:45:00Z", minute, end}},
			"2026-03-04T00:10:00Z 2026-03-04T00:40:00Z", 2, 0,
		},
		{
			"overlap skip, restarted meanwhile", `{cron: "*/10 * * * *", overlap: skip}`, "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:15:00Z", minute, busy}, {"2026-03-04T00:35:00Z", minute, restart}, {"2026-03-04T00:45:00Z", minute, end}},
			"2026-03-04T00:10:00Z 2026-03-04T00:40:00Z", 2, 0,
		},
		{
			"overlap queue", `{cron: "*/10 * * * *", overlap: queue}`, "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:35:00Z", minute, busy}, {"2026-03-04T00:36:00Z", minute, end}, {"2026-03-04T00:37:00Z", minute, end}},
			"2026-03-04T00:10:00Z 2026-03-04T00:20:00Z 2026-03-04T00:30:00Z", 0, 0,
		},
		{
			"overlap allow", `{cron: "*/10 * * * *", overlap: allow}`, "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:35:00Z", minute, busy}},
			"2026-03-04T00:10:00Z 2026-03-04T00:20:00Z 2026-03-04T00:30:00Z", 0, 0,
		},
		{
			"switched off and on", `{cron: "*/10 * * * *", catchUp: all, overlap: queue}`, "2026-03-04T00:05:00Z",
			[]phase{
				{"2026-03-04T00:15:00Z", minute, nil},
				{"2026-03-04T00:35:00Z", minute, func(b *bench) { b.do(trigger.Command{Do: trigger.Off, Name: "s"}) }},
				{"2026-03-04T00:36:00Z", minute, restart},
				{"2026-03-04T00:45:00Z", minute, func(b *bench) { b.do(trigger.Command{Do: trigger.On, Name: "s"}) }},
			},
			"2026-03-04T00:10:00Z 2026-03-04T00:40:00Z", 0, 0,
		},
		{
			"not enabled", "{cron: '*/10 * * * *'}\n    enabled: false", "2026-03-04T00:05:00Z",
			[]phase{{"2026-03-04T00:35:00Z", minute, nil}},
			"", 0, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBenchAt(t, "  s:\n    schedule: "+test.schedule+"\n    flow: f.yaml\n    inputs: {at: $event#/local}\n", parse(t, test.from))
			for _, p := range test.story {
				if p.do != nil {
					p.do(b)
				}
				until := parse(t, p.until)
				for p.every > 0 && b.clock.Now().Before(until) {
					b.clock.add(p.every)
					b.tick()
				}
				b.clock.set(until)
			}
			if diff := cmp.Diff(test.want, b.dueTimes()); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
			skipped, missed := 0, 0
			for _, f := range b.history() {
				switch f.State {
				case trigger.Skipped:
					skipped++
				case trigger.Missed:
					missed += f.Count
				case trigger.Started, trigger.Refused:
				default:
					t.Errorf("a firing is %s: %+v", f.State, f)
				}
			}
			if skipped != test.skipped || missed != test.missed {
				t.Errorf("%d skipped and %d missed, want %d and %d", skipped, missed, test.skipped, test.missed)
			}
			for id, n := range b.flows.times {
				if n != 1 {
					t.Errorf("run %s was started %d times", id, n)
				}
			}
		})
	}
}

func parse(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// newBenchAt is newBench at another time.
func newBenchAt(t *testing.T, text string, at time.Time) *bench {
	t.Helper()
	b := newBench(t, "  none: {endpoint: {auth: {public: true}}, flow: f.yaml}")
	b.text = text
	b.clock.set(at)
	b.restart()
	return b
}

// A jittered run waits on disk until its time, also across a restart.
func TestScheduleJitter(t *testing.T) {
	b := newBenchAt(t, "  s:\n    schedule: {cron: '0 * * * *', jitter: 10m}\n    flow: f.yaml\n", parse(t, "2026-03-04T00:59:30Z"))
	b.clock.add(30 * time.Second)
	b.tick()
	waiting := b.do(trigger.Command{Do: trigger.History}).Firings
	if len(waiting) != 1 || waiting[0].State != trigger.Waiting || len(b.started()) != 0 {
		t.Fatalf("at the due time: %+v, started %v", waiting, b.started())
	}
	b.restart()
	b.clock.set(waiting[0].Due.Add(-time.Second))
	b.tick()
	if n := len(b.started()); n != 0 {
		t.Errorf("%d runs before the jitter is over", n)
	}
	b.clock.set(waiting[0].Due)
	b.tick()
	if n := len(b.started()); n != 1 {
		t.Errorf("%d runs when the jitter is over, want 1", n)
	}
}
