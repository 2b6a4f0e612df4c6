package reconcile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Days in the words of sources of truth. A day without a time is that day where
// the person is. A time at midnight, or a minute before it, is how many systems
// write a day, whatever zone they add; other times are moments.

// moment is a day, or a point in time, as a source writes it.
type moment struct {
	year  int
	month time.Month
	day   int

	// A time of day; whole says that there is none.
	whole  bool
	clock  time.Duration
	offset *int // seconds east of UTC; nil: where the person is
}

// none reports whether there is no day: nothing is written, or one of the values
// that stand for nothing (0001-01-01, 9999-12-31).
func (m *moment) none() bool { return m.year <= 1 || m.year >= 9999 }

// readDay reads a value; none when it has none.
func (f DateForm) readDay(v any) (moment, error) {
	switch v := v.(type) {
	case nil:
		return moment{}, nil
	case string:
		return f.readText(strings.TrimSpace(v))
	case json.Number:
		return f.readText(v.String())
	}
	return moment{}, fault.New(fault.Invalid, "this is no day").Fix("write days as 2026-01-31")
}

func (f DateForm) readText(s string) (moment, error) {
	if s == "" {
		return moment{}, nil
	}
	if f.counts() {
		return f.count(s)
	}
	day, clock := cutClock(s)
	m, err := f.readDate(s, day)
	if err != nil || clock == "" {
		return m, err
	}
	if !m.readClock(clock) {
		return m, notADay(s)
	}
	return m, nil
}

func notADay(s string) error {
	return fault.New(fault.Invalid, "%q is no day", shorten(s)).Fix("write days as 2026-01-31")
}

// counts reports whether days are numbers.
func (f DateForm) counts() bool {
	return f == DatesUnix || f == DatesUnixMilli || f == DatesExcel
}

// excelEpoch is day 0 of spreadsheets, in days before 1970-01-01.
const excelEpoch = 25569

const (
	secondsOfDay = 24 * 60 * 60
	maxSeconds   = 253402300800 // 10000-01-01 in seconds since 1970
)

// count reads a number of seconds, milliseconds or days.
func (f DateForm) count(s string) (moment, error) {
	n, err := strconv.ParseFloat(s, 64)
	switch f {
	case DatesUnixMilli:
		n /= 1000
	case DatesExcel:
		n = (n - excelEpoch) * secondsOfDay
	}
	if err != nil || n != n || n < -maxSeconds || n > maxSeconds {
		return moment{}, fault.New(fault.Invalid, "%q is no day in the form %q", shorten(s), string(f)).Fix("change the form of dates")
	}
	m := momentOf(time.Unix(int64(n), 0).UTC())
	if f == DatesExcel {
		m.offset = nil // a spreadsheet has no zone
	}
	return m, nil
}

// momentOf is a point in time; midnight in UTC is a day.
func momentOf(t time.Time) moment {
	zero := 0
	m := moment{year: t.Year(), month: t.Month(), day: t.Day(), offset: &zero}
	m.clock = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	m.settle()
	return m
}

// settle takes the beginning and the last minute of a day for the day itself.
func (m *moment) settle() {
	if m.clock == 0 || m.clock >= 23*time.Hour+59*time.Minute {
		m.whole, m.clock, m.offset = true, 0, nil
	}
}

// cutClock cuts what follows the day: "T10:00:00Z", " 10:00 AM". A zone behind a day
// alone (xs:date) is left out.
func cutClock(s string) (day, clock string) {
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		return strings.TrimSuffix(s, "Z"), ""
	}
	at := colon
	for at > 0 && isDigit(s[at-1]) {
		at--
	}
	if at == 0 {
		return s, ""
	}
	if c := s[at-1]; (c == '+' || c == '-') && at-1 >= len("2026-01-31") {
		return s[:at-1], ""
	}
	return strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(s[:at], "T"), "t"), " ,"), s[at:]
}

// readClock reads 10:00, 10:00:00.123 PM, 10:00:00+02:00.
func (m *moment) readClock(s string) bool {
	end := 0
	for end < len(s) && (isDigit(s[end]) || s[end] == ':' || s[end] == '.') {
		end++
	}
	rest := strings.ToUpper(strings.TrimSpace(s[end:]))
	parts := strings.Split(s[:end], ":")
	if len(parts) < 2 || len(parts) > 3 {
		return false
	}
	hour, err := strconv.Atoi(parts[0])
	minute, wrong := strconv.Atoi(parts[1])
	if err != nil || wrong != nil || hour > 24 || minute > 59 {
		return false
	}
	second := 0.0
	if len(parts) == 3 {
		if second, err = strconv.ParseFloat(parts[2], 64); err != nil || second >= 61 {
			return false
		}
	}
	half := rest == "AM" || rest == "PM"
	if half && (hour < 1 || hour > 12) {
		return false
	}
	if half {
		hour %= 12
	}
	if rest == "PM" {
		hour += 12
	}
	m.whole = false
	m.clock = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second*float64(time.Second))
	if !half && rest != "" {
		offset, ok := readOffset(rest)
		if !ok {
			return false
		}
		m.offset = &offset
	}
	m.settle()
	return true
}

// readOffset reads Z, UTC, +02:00, -0700, UTC+2: seconds east of UTC.
func readOffset(s string) (int, bool) {
	for _, prefix := range []string{"UTC", "GMT", "Z"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			if s = rest; s == "" {
				return 0, true
			}
			break
		}
	}
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	digits := strings.Replace(s[1:], ":", "", 1)
	if len(digits) <= 2 {
		digits += "00"
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) > 4 || n/100 > 15 || n%100 > 59 {
		return 0, false
	}
	seconds := int(n/100*60+n%100) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// months are known by the first three letters of their English names.
var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// readDate reads the day of a text.
func (f DateForm) readDate(whole, s string) (moment, error) {
	if allDigits(s) {
		if len(s) != len("20260131") {
			return moment{}, fault.New(fault.Invalid, "%q is a number and no day", shorten(whole)).
				Fix("say in which form days are: dates: excel, unix or unix ms")
		}
		return makeDay(whole, s[:4], s[4:6], s[6:])
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-/. ,", r) })
	if len(parts) != 3 {
		return moment{}, notADay(whole)
	}
	if m, named, err := readNamed(whole, parts); named {
		return m, err
	}
	if slices.ContainsFunc(parts, func(p string) bool { return !allDigits(p) }) {
		return moment{}, notADay(whole)
	}
	switch {
	case len(parts[0]) == 4:
		return makeDay(whole, parts[0], parts[1], parts[2])
	case len(parts[2]) != 4:
		return moment{}, fault.New(fault.Invalid, "the year of %q has two digits", shorten(whole)).Fix("write days as 2026-01-31")
	}
	dayFirst, err := f.order(whole, parts[0], parts[1], strings.Contains(s, "."))
	if err != nil {
		return moment{}, err
	}
	if dayFirst {
		return makeDay(whole, parts[2], parts[1], parts[0])
	}
	return makeDay(whole, parts[2], parts[0], parts[1])
}

// order says whether the day comes first, where the form says or only one order
// is possible. Nobody writes the month first with dots.
func (f DateForm) order(whole, first, second string, dots bool) (dayFirst bool, err error) {
	switch f {
	case DatesDayFirst:
		return true, nil
	case DatesMonthFirst:
		return false, nil
	}
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(second)
	if dots || a == b || a > 12 {
		return true, nil
	}
	if b > 12 {
		return false, nil
	}
	return false, fault.New(fault.Invalid, "%q may be two days: the %d. of month %d, or the %d. of month %d", shorten(whole), a, b, b, a).
		Fix("say dates: day first, or dates: month first")
}

// readNamed reads days whose month has a name: 31 Jan 2026, January 31, 2026.
func readNamed(whole string, parts []string) (m moment, named bool, err error) {
	for i, p := range parts[:2] {
		if len(p) < 3 || isDigit(p[0]) {
			continue
		}
		month := slices.Index(months, strings.ToLower(p[:3]))
		year, day := parts[2], parts[1-i]
		if i == 1 && len(parts[0]) == 4 {
			year, day = parts[0], parts[2]
		}
		if month < 0 || len(year) != 4 || !strings.HasPrefix(strings.ToLower(time.Month(month+1).String()), strings.ToLower(p)) {
			return moment{}, true, notADay(whole)
		}
		m, err = makeDay(whole, year, strconv.Itoa(month+1), day)
		return m, true, err
	}
	return moment{}, false, nil
}

func makeDay(whole, year, month, day string) (moment, error) {
	y, err := strconv.Atoi(year)
	mo, wrong := strconv.Atoi(month)
	d, odd := strconv.Atoi(day)
	if err != nil || wrong != nil || odd != nil {
		return moment{}, notADay(whole)
	}
	if y == 0 && mo == 0 && d == 0 {
		return moment{}, nil // how some databases write that there is none
	}
	t := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if t.Year() != y || int(t.Month()) != mo || t.Day() != d {
		return moment{}, fault.New(fault.Invalid, "%q is a day that does not exist", shorten(whole)).Fix("write days as 2026-01-31")
	}
	return moment{year: y, month: time.Month(mo), day: d, whole: true}, nil
}

// begin is when a first day begins for somebody in a zone, and after is when a
// last day is over. A time of day is meant exactly. days are added.
func (m *moment) begin(zone *time.Location, days int) time.Time { return m.at(zone, days) }

func (m *moment) after(zone *time.Location, days int) time.Time {
	if at, midnight := m.point(zone); !m.whole && !midnight {
		return at.AddDate(0, 0, days)
	}
	return m.at(zone, days+1)
}

func (m *moment) at(zone *time.Location, days int) time.Time {
	at, midnight := m.point(zone)
	if m.whole {
		return startOfDay(m.year, m.month, m.day+days, zone)
	}
	if midnight {
		y, mo, d := at.Date()
		return startOfDay(y, mo, d+days, zone)
	}
	return at.AddDate(0, 0, days)
}

// point is the moment itself, and whether it is midnight where the person is:
// programs that keep days as points in time mean the day.
func (m *moment) point(zone *time.Location) (at time.Time, midnight bool) {
	if m.whole {
		return time.Time{}, false
	}
	in := zone
	if m.offset != nil {
		in = time.FixedZone("", *m.offset)
	}
	at = time.Date(m.year, m.month, m.day, 0, 0, 0, int(m.clock), in).In(zone)
	return at, at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0
}

// startOfDay is the first moment of a day in a zone. Where the clock is put forward
// at midnight, the day begins later; where midnight comes twice, with the first.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	year, month, day = midnight.Date()
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	from, to := at.ZoneBounds()
	begun := func(t time.Time) bool {
		y, m, d := t.In(zone).Date()
		return y > year || y == year && (m > month || m == month && d >= day)
	}
	if !begun(at) && !to.IsZero() {
		return to // midnight is left out
	}
	if from.IsZero() {
		return at
	}
	_, before := from.Add(-time.Second).Zone()
	if earlier := midnight.Add(-time.Duration(before) * time.Second).In(zone); earlier.Before(at) && earlier.Before(from) && begun(earlier) {
		return earlier
	}
	if from.Before(at) && begun(from) {
		return from
	}
	return at
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// shorten bounds what a message repeats of a source.
func shorten(s string) string {
	const most = 40
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
