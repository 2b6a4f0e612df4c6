package trigger

import (
	"cmp"
	"context"
	"hash/fnv"
	"time"
)

// Schedule says when something is due, and what becomes of due times that were
// missed or come while the last run is under way.
type Schedule struct {
	Cron    *Cron
	CatchUp CatchUp
	Limit   int // of catchUp all: how many of the missed run at most; 0: defaultCatchUp
	Overlap Overlap
	Jitter  time.Duration // up to this much later, the same for each due time whenever it is computed
}

// CatchUp says what becomes of due times that were missed, because nothing was
// served or the clock leapt.
type CatchUp string

// The choices of CatchUp.
const (
	CatchNone CatchUp = "none" // they are left out
	CatchOne  CatchUp = "one"  // one run makes up for all of them
	CatchAll  CatchUp = "all"  // each runs, up to a limit
)

// Overlap says what becomes of a due time while a run of the trigger is under way.
type Overlap string

// The choices of Overlap.
const (
	OverlapSkip  Overlap = "skip"  // it is left out
	OverlapQueue Overlap = "queue" // it runs afterwards
	OverlapAllow Overlap = "allow" // it runs at the same time
)

// Lateness and bounds of schedules.
const (
	// grace is how late a due time may be looked at before it counts as missed.
	grace = time.Minute
	// defaultCatchUp is how many missed times run with catchUp all.
	defaultCatchUp = 100
	// maxDue bounds how many due times one look returns.
	maxDue = 10_000
)

// Look is what a schedule has to do at one moment.
type Look struct {
	Run    []time.Time // in order
	Missed int         // due times that do not run
	More   bool        // there were more than Missed says
	From   time.Time   // the first that is counted in Missed
	To     time.Time   // the last
}

// Look says what is to be done about the due times in (seen, now]. What a look
// returns is never returned again if the next one starts at now.
func (s *Schedule) Look(seen, now time.Time) Look {
	due, more := s.Cron.Between(seen, now, maxDue)
	var missed, onTime []time.Time
	for _, at := range due {
		if now.Sub(at) > grace {
			missed = append(missed, at)
		} else {
			onTime = append(onTime, at)
		}
	}
	var run []time.Time
	switch {
	case s.CatchUp == CatchAll:
		first := max(0, len(missed)-cmp.Or(s.Limit, defaultCatchUp))
		missed, run = missed[:first], missed[first:]
	case s.CatchUp == CatchOne && len(missed) > 0 && len(onTime) == 0:
		last := len(missed) - 1
		missed, run = missed[:last], missed[last:]
	}
	look := Look{Run: append(run, onTime...), Missed: len(missed), More: more}
	if len(missed) > 0 {
		look.From, look.To = missed[0], missed[len(missed)-1]
	}
	return look
}

// Start is when the run of a due time starts: with the jitter, which depends on
// the trigger and the due time alone.
func (s *Schedule) Start(name string, due time.Time) time.Time {
	if s.Jitter <= 0 {
		return due
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name + "\x00" + due.UTC().Format(time.RFC3339))) // never fails
	return due.Add(time.Duration(h.Sum64()%uint64(s.Jitter/time.Millisecond+1)) * time.Millisecond)
}

// schedules accepts the due times of all schedules.
func (e *Engine) schedules(ctx context.Context) error {
	now := e.now()
	for _, t := range e.all() {
		if t.Schedule == nil || !t.next.IsZero() && now.Before(t.next) && !now.Before(t.looked) {
			continue
		}
		if now.After(t.cursor.Seen) {
			if err := e.look(ctx, t, now); err != nil {
				return err
			}
		}
		from := now
		if t.cursor.Seen.After(from) { // the clock was put back: nothing is decided twice
			from = t.cursor.Seen
		}
		t.next, t.looked = t.Schedule.Cron.Next(from), now
	}
	return nil
}

// look decides about the due times of one schedule up to now.
func (e *Engine) look(ctx context.Context, t *armed, now time.Time) error {
	look := t.Schedule.Look(t.cursor.Seen, now)
	if len(look.Run) == 0 && look.Missed == 0 {
		return nil
	}
	why, silent := e.off(t.Trigger)
	var firings []Firing
	for _, due := range look.Run {
		if silent {
			break
		}
		f := e.prepare(t, scheduled(due))
		f.Due = t.Schedule.Start(t.Name, due).UTC()
		if why != "" {
			f.State, f.Reason, f.Sealed = Refused, why, nil
		}
		firings = append(firings, f)
	}
	if look.Missed > 0 && !silent {
		f := e.row(t.Trigger, "missed/"+look.From.UTC().Format(time.RFC3339)+"/"+look.To.UTC().Format(time.RFC3339))
		f.State, f.Count, f.Due, f.Reason = Missed, look.Missed, look.To.UTC(), missedWords(look, t.Schedule)
		firings = append(firings, f)
	}
	c := Cursor{Trigger: t.Name, Seen: now}
	if _, err := e.Store.Accept(ctx, []Cursor{c}, firings); err != nil {
		return err
	}
	e.more()
	t.cursor = c
	return nil
}

func missedWords(look Look, s *Schedule) string {
	words := "due at " + look.From.UTC().Format(time.RFC3339)
	if !look.To.Equal(look.From) {
		words = "due from " + look.From.UTC().Format(time.RFC3339) + " to " + look.To.UTC().Format(time.RFC3339)
	}
	if look.More {
		words += ", and before"
	}
	return words + "; catchUp: " + string(s.CatchUp)
}

// scheduled is a due time as an event.
func scheduled(due time.Time) Occurrence {
	at := due.UTC().Format(time.RFC3339)
	return Occurrence{Key: "due/" + at, Event: map[string]any{"due": at, "local": due.Format(time.RFC3339), "date": due.Format(time.DateOnly)}}
}
