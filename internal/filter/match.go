package filter

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Subject is what an expression is matched against.
type Subject struct {
	// Get returns the values of an attribute: none when it is absent, several
	// when it is an array, any of which may match. A value is a string, bool,
	// json.Number or time.Time.
	Get func(path string) []any

	// Fold brings strings to the form in which they are compared, for instance
	// lower case. Nil compares them as they are. It is given the path because
	// some APIs ignore case for some attributes only.
	Fold func(path, text string) string

	// Each returns the elements of a multi-valued attribute, each a subject with
	// paths of its own. Nil says that there are none.
	Each func(path string) []Subject

	// Loose lets a literal match a value of another type that is written the same
	// way, as where an index and not the query knows the types: 5 and "5".
	Loose bool
}

// Match reports whether an expression is true of a subject.
func Match(e Expr, s Subject) bool {
	switch e := e.(type) {
	case *And:
		for _, t := range e.Terms {
			if !Match(t, s) {
				return false
			}
		}
		return true
	case *Or:
		for _, t := range e.Terms {
			if Match(t, s) {
				return true
			}
		}
		return false
	case *Not:
		return !Match(e.Term, s)
	case *Has:
		if s.Each == nil {
			return false
		}
		for _, element := range s.Each(e.Path) {
			if Match(e.Term, element) {
				return true
			}
		}
		return false
	case *Compare:
		return e.match(s)
	}
	return false
}

func (c *Compare) match(s Subject) bool {
	values := s.Get(c.Path)
	switch {
	case c.Op == Present, c.Op == NotEqual && c.Value == nil:
		return len(values) > 0
	case c.Op == Equal && c.Value == nil:
		return len(values) == 0
	case c.Op == NotEqual:
		return !(&Compare{Path: c.Path, Op: Equal, Value: c.Value}).anyOf(values, s)
	}
	return c.anyOf(values, s)
}

func (c *Compare) anyOf(values []any, s Subject) bool {
	for _, v := range values {
		if c.holds(v, s) {
			return true
		}
	}
	return false
}

// holds compares one value. Values of another type than the literal never
// match, but where the subject is loose.
func (c *Compare) holds(v any, s Subject) bool {
	fold := func(text string) string { return text }
	if s.Fold != nil {
		fold = func(text string) string { return s.Fold(c.Path, text) }
	}
	switch want := c.Value.(type) {
	case Pattern:
		text, ok := v.(string)
		return ok && want.match(fold(text), fold)
	case Range:
		return want.holds(v, fold)
	}
	switch v := v.(type) {
	case string:
		want, ok := c.Value.(string)
		if !ok && s.Loose {
			want, ok = value.Text(c.Value), true
		}
		return ok && c.Op.text(fold(v), fold(want))
	case bool:
		want, ok := s.literal(c.Value).(bool)
		return ok && c.Op == Equal && v == want
	case json.Number:
		want, ok := s.literal(c.Value).(json.Number)
		return ok && c.Op.ordered(value.CompareNumbers(v, want))
	case time.Time:
		return c.atTime(v, s.Loose)
	}
	return false
}

// literal is what a literal stands for when a loose subject has to compare it
// with a boolean or a number.
func (s Subject) literal(v any) any {
	if text, ok := v.(string); ok && s.Loose {
		return plain(text)
	}
	return v
}

// atTime compares with a date. A loose subject equals a date with parts missing
// when it lies in that time.
func (c *Compare) atTime(t time.Time, loose bool) bool {
	if loose && c.Op == Equal {
		from, to, ok := ParsePeriod(value.Text(c.Value))
		return ok && !t.Before(from) && t.Before(to)
	}
	text, ok := c.Value.(string)
	if !ok {
		return false
	}
	want, ok := ParseTime(text)
	return ok && c.Op.ordered(t.Compare(want))
}

func (o Op) text(v, want string) bool {
	switch o {
	case Contains:
		return strings.Contains(v, want)
	case StartsWith:
		return strings.HasPrefix(v, want)
	case EndsWith:
		return strings.HasSuffix(v, want)
	}
	return o.ordered(strings.Compare(v, want))
}

func (o Op) ordered(sign int) bool {
	switch o {
	case Equal:
		return sign == 0
	case Greater:
		return sign > 0
	case GreaterOrEqual:
		return sign >= 0
	case Less:
		return sign < 0
	case LessOrEqual:
		return sign <= 0
	}
	return false
}

// holds reports whether a value lies in the range. A bound that is not of the
// value's type holds nothing.
func (r Range) holds(v any, fold func(string) string) bool {
	if t, ok := v.(time.Time); ok {
		return r.holdsTime(t)
	}
	compare := func(text string) (int, bool) {
		switch v := v.(type) {
		case string:
			return strings.Compare(fold(v), fold(text)), true
		case json.Number:
			n, ok := plain(text).(json.Number)
			return value.CompareNumbers(v, n), ok
		}
		return 0, false
	}
	if !r.Low.Unlimited {
		if sign, ok := compare(r.Low.Text); !ok || sign < 0 || sign == 0 && r.Low.Open {
			return false
		}
	}
	if !r.High.Unlimited {
		if sign, ok := compare(r.High.Text); !ok || sign > 0 || sign == 0 && r.High.Open {
			return false
		}
	}
	return true
}

// holdsTime takes a bound such as 2017-12 for the whole month: it lies in the
// range, or outside when the bound is open.
func (r Range) holdsTime(t time.Time) bool {
	if !r.Low.Unlimited {
		from, to, ok := ParsePeriod(r.Low.Text)
		if r.Low.Open {
			from = to
		}
		if !ok || t.Before(from) {
			return false
		}
	}
	if !r.High.Unlimited {
		from, to, ok := ParsePeriod(r.High.Text)
		if r.High.Open {
			to = from
		}
		if !ok || !t.Before(to) {
			return false
		}
	}
	return true
}

// ParseTime reads a date as the APIs write them: RFC 3339 with or without a
// fraction, also with an offset that has no colon.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// ParsePeriod reads a date of Auth0's search, where parts may be missing at the
// end, as the time from its beginning to before its end: 2017-12 is a month, a
// full date with seconds or a fraction lasts to the next millisecond. Without an
// offset it is in UTC.
func ParsePeriod(s string) (from, to time.Time, ok bool) {
	periods := []struct {
		layout string
		end    func(time.Time) time.Time
	}{
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01-02T15", func(t time.Time) time.Time { return t.Add(time.Hour) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Millisecond) }},
	}
	for _, p := range periods {
		if t, err := time.Parse(p.layout, s); err == nil {
			return t, p.end(t), true
		}
	}
	t, ok := ParseTime(s)
	return t, t.Add(time.Millisecond), ok
}
