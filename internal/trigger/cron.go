package trigger

import (
	"math/bits"
	"strings"
	"time"
	_ "time/tzdata" // machines without a zone database have the same schedules

	"github.com/robfig/cron/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Cron is a schedule by the clock on the wall of one time zone.
//
// Only the reading of expressions is borrowed. When a time of the wall clock
// comes is decided here, because the changes of daylight-saving time need a rule:
//
//   - A time that the clock leaps over is due once, at the leap. Several of them
//     are due together, so once as well.
//   - A time that comes twice is due the first time only. A schedule that is due
//     in every hour counts the hours that pass instead, so it is due both times.
type Cron struct {
	text   string
	zone   *time.Location
	spec   *cron.SpecSchedule
	hourly bool // due in every hour
}

// ParseCron reads a cron expression of five fields (minute, hour, day of month,
// month, day of week) or a word such as @daily, for the zone of this IANA name;
// none is UTC. Seconds, intervals (@every) and expressions that never come are
// fault.Invalid.
func ParseCron(text, zone string) (*Cron, error) {
	c := &Cron{text: text, zone: time.UTC}
	if zone != "" {
		z, err := loadZone(zone)
		if err != nil {
			return nil, err
		}
		c.zone = z
	}
	switch {
	case strings.Contains(text, "TZ="):
		return nil, fault.New(fault.Invalid, "the time zone does not belong into the expression").Fix("write it as zone: Europe/Berlin")
	case strings.HasPrefix(text, "@every"), strings.HasPrefix(text, "@reboot"):
		return nil, fault.New(fault.Invalid, "%s has no due times: it would count from when the process was started", strings.Fields(text)[0]).
			Fix("write an interval as */15 * * * *")
	case len(strings.Fields(text)) == 6:
		return nil, fault.New(fault.Invalid, "a schedule has no seconds").Fix("write five fields: minute, hour, day of month, month, day of week")
	}
	parsed, err := cron.ParseStandard(text)
	spec, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, fault.Wrap(fault.Invalid, err, "%q is no cron expression", text).
			Fix("write five fields such as 30 6 * * 1-5, or @hourly, @daily, @weekly, @monthly, @yearly")
	}
	spec.Location = time.UTC // Next then reads and writes the clock on the wall
	c.spec, c.hourly = spec, bits.OnesCount64(spec.Hour&(1<<24-1)) == 24
	if spec.Next(time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fault.New(fault.Invalid, "%q never comes", text).Fix("check the day of the month")
	}
	return c, nil
}

// loadZone finds a time zone by its IANA name.
func loadZone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fault.Wrap(fault.Invalid, err, "there is no time zone %q", name).Fix("use an IANA name such as Europe/Berlin or UTC")
	}
	return z, nil
}

// String returns the expression and its zone.
func (c *Cron) String() string { return c.text + " " + c.zone.String() }

// Next returns the first due time after t, zero when none comes within the next
// years.
func (c *Cron) Next(t time.Time) time.Time {
	p := c.periodAt(t)
	wall := p.wall(t)
	for range maxPeriods {
		due, ok := c.within(p, wall)
		if ok {
			return due.In(c.zone)
		}
		if p.end.IsZero() {
			return time.Time{}
		}
		next := c.periodAt(p.end)
		// A leap forward: what stood between is due at the leap.
		leftOff, goesOn := p.wall(p.end), next.wall(p.end)
		from := leftOff.Add(-time.Nanosecond) // Next is exclusive
		if due := c.spec.Next(from); goesOn.After(leftOff) && !due.IsZero() && due.Before(goesOn) {
			return p.end.In(c.zone)
		}
		p, wall = next, goesOn.Add(-time.Nanosecond)
	}
	return time.Time{}
}

// maxPeriods bounds how many changes of the clock are looked at: five years with
// two a year, and some that were odd.
const maxPeriods = 40

// within finds the first due time behind a wall time that falls into a period.
func (c *Cron) within(p period, wall time.Time) (time.Time, bool) {
	for {
		wall = c.spec.Next(wall)
		if wall.IsZero() {
			return time.Time{}, false
		}
		at := p.instant(wall)
		switch {
		case !p.end.IsZero() && !at.Before(p.end):
			return time.Time{}, false
		case !c.hourly && wall.Before(p.repeats): // it came before the clock was put back
		default:
			return at, true
		}
	}
}

// period is a time during which the offset from UTC stays the same. Wall times
// are written as if they were UTC.
type period struct {
	offset  time.Duration
	end     time.Time // zero: for ever
	repeats time.Time // wall times before this came already in the period before
}

func (c *Cron) periodAt(t time.Time) period {
	local := t.In(c.zone)
	start, end := local.ZoneBounds()
	_, offset := local.Zone()
	p := period{offset: time.Duration(offset) * time.Second, end: end}
	if !start.IsZero() {
		_, before := start.Add(-time.Second).In(c.zone).Zone()
		p.repeats = start.UTC().Add(time.Duration(before) * time.Second)
	}
	return p
}

func (p period) wall(t time.Time) time.Time    { return t.UTC().Add(p.offset) }
func (p period) instant(w time.Time) time.Time { return w.Add(-p.offset) }

// Between returns the due times in (after, until], the latest of them when there
// are more than limit, and whether there were more.
func (c *Cron) Between(after, until time.Time, limit int) (due []time.Time, more bool) {
	// Long gaps are not walked through: wider and wider windows before their end
	// are, until one has enough.
	for window := time.Hour; ; window *= 8 {
		from := until.Add(-window)
		whole := window > maxWindow || !from.After(after)
		if whole {
			from = after
		}
		due = c.all(from, until)
		if len(due) > limit {
			return due[len(due)-limit:], true
		}
		if whole {
			return due, false
		}
	}
}

// maxWindow is more than the rarest schedules need: 29 February.
const maxWindow = 10 * 366 * 24 * time.Hour

func (c *Cron) all(after, until time.Time) (due []time.Time) {
	for {
		after = c.Next(after)
		if after.IsZero() || after.After(until) {
			return due
		}
		due = append(due, after)
	}
}
