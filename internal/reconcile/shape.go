package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// shaper makes people of rows.
type shaper struct {
	id         reader
	where      *compute.Expression
	active     reader
	words      map[string]bool // what the column of activity says -> present
	otherwise  *bool           // what another word means; nil: it is an error
	starts     reader
	ends       reader
	startDays  int
	endDays    int
	dates      DateForm
	zone       reader
	fixed      *time.Location
	zones      *zones
	attributes []source
}

// source is where an attribute of the profile comes from.
type source struct {
	name string
	reader
}

// maxExternalID is Okta's limit (okta.md 3.1), in characters.
const maxExternalID = 512

func (s *Settings) compileShaper() (*shaper, error) {
	out := &shaper{dates: s.Dates, startDays: s.Starts.Days, endDays: s.Ends.Days, zones: &zones{}, fixed: time.UTC}
	var problems []error
	term := func(into *reader, t Term, key string) {
		var err error
		if *into, err = t.compile(); err != nil {
			problems = append(problems, about(err, "%s", key))
		}
	}
	term(&out.id, s.ID, "id")
	term(&out.active, s.Active.From, "active")
	term(&out.starts, s.Starts.From, "starts")
	term(&out.ends, s.Ends.From, "ends")
	term(&out.zone, s.Zone.From, "timezone")
	for _, name := range slices.Sorted(maps.Keys(s.Profile)) {
		a := source{name: name}
		term(&a.reader, s.Profile[name], "profile "+name)
		if !a.empty() {
			out.attributes = append(out.attributes, a)
		}
	}
	var err error
	if s.Where != "" {
		if out.where, err = expression(s.Where, rowVariable); err != nil {
			problems = append(problems, about(err, "where"))
		}
	}
	if out.fixed, err = out.zones.find(s.Zone.Fixed); err != nil {
		problems = append(problems, about(err, "timezone"))
	}
	if !slices.Contains(dateForms, s.Dates) {
		problems = append(problems, fault.New(fault.Invalid, "days are not written in the form %q", string(s.Dates)).At("dates").Fix("%s", oneOfForms()))
	}
	out.words, out.otherwise, err = s.Active.words()
	if err != nil {
		problems = append(problems, about(err, "active"))
	}
	return out, fault.Join(problems...)
}

var dateForms = []DateForm{DatesClear, DatesDayFirst, DatesMonthFirst, DatesUnix, DatesUnixMilli, DatesExcel}

func oneOfForms() string {
	var names []string
	for _, f := range dateForms[1:] {
		names = append(names, string(f))
	}
	return "use one of " + strings.Join(names, ", ")
}

// The usual words for being there and being gone.
var (
	presentWords = []string{"true", "t", "yes", "y", "1", "active", "a", "enabled", "employed", "current", "working", "on leave", "leave", "leave of absence", "loa", "paid leave", "unpaid leave"}
	goneWords    = []string{"false", "f", "no", "n", "0", "inactive", "i", "disabled", "terminated", "term", "left", "leaver", "former", "deactivated", "departed", "resigned", "retired", "dismissed", "deceased", "separated"}
)

// words says what the column of activity may say.
func (a Activity) words() (known map[string]bool, otherwise *bool, err error) {
	present, gone := a.Present, a.Gone
	if len(present) == 0 && len(gone) == 0 {
		present, gone = presentWords, goneWords
	} else if len(present) == 0 || len(gone) == 0 {
		others := len(present) == 0
		otherwise = &others
	}
	known = make(map[string]bool, len(present)+len(gone))
	for _, w := range present {
		known[fold(w)] = true
	}
	for _, w := range gone {
		if known[fold(w)] {
			return nil, nil, fault.New(fault.Invalid, "%q means both present and gone", w)
		}
		known[fold(w)] = false
	}
	return known, otherwise, nil
}

// Shape makes a person of a row. Errors are fault.Invalid and say which column is
// wrong and what would be right. The person comes with an error, too, with the
// ExternalID if that could be read: who cannot be read is not absent.
func (r *Rules) Shape(row Row, now time.Time) (Person, error) {
	s := r.shaper
	var p Person
	if err := s.identify(row, &p); err != nil {
		return p, err
	}
	if s.where != nil {
		within, err := s.where.Test(rowEnv{row})
		if err != nil {
			return p, about(err, "where")
		}
		if !within {
			p.Presence = Outside
			return p, nil
		}
	}
	if err := s.describe(row, &p); err != nil {
		return p, err
	}
	return p, s.place(row, &p, now)
}

// identify reads the external id.
func (s *shaper) identify(row Row, p *Person) error {
	if s.id.empty() {
		return fault.New(fault.Invalid, "no column is known that has the id of people").At("id").Fix("say which column never changes for a person: id: employee id")
	}
	id, err := s.id.text(row)
	switch {
	case err != nil:
		return about(err, "column %s", s.id.column)
	case id == "":
		return fault.New(fault.Invalid, "the row has no id, so nobody knows whom it is about").At("column %s", s.id.column)
	case utf8.RuneCountInString(id) > maxExternalID:
		return fault.New(fault.Invalid, "the id is longer than %d characters", maxExternalID).At("column %s", s.id.column)
	case strings.ContainsFunc(id, unicode.IsControl):
		return fault.New(fault.Invalid, "the id has control characters").At("column %s", s.id.column)
	}
	p.ExternalID = id
	return nil
}

// describe reads the profile.
func (s *shaper) describe(row Row, p *Person) error {
	p.Profile = make(map[string]any, len(s.attributes)+1)
	for i := range s.attributes {
		a := &s.attributes[i]
		v, err := a.tidy(row)
		if err != nil {
			return about(err, "column %s", a.column)
		}
		if v != nil {
			p.Profile[a.name] = v
		}
	}
	if p.Profile["userName"] == nil && p.Profile["email"] != nil {
		p.Profile["userName"] = p.Profile["email"]
	}
	return nil
}

// place says whether the person is to be there, and until when.
func (s *shaper) place(row Row, p *Person, now time.Time) error {
	present, err := s.present(row)
	if err != nil {
		return about(err, "column %s", s.active.column)
	}
	if s.starts.empty() && s.ends.empty() {
		p.Presence = presence(present)
		return nil
	}
	zone, err := s.zoneOf(row)
	if err != nil {
		return about(err, "column %s", s.zone.column)
	}
	first, err := s.day(row, &s.starts)
	if err != nil {
		return err
	}
	last, err := s.day(row, &s.ends)
	if err != nil {
		return err
	}
	if !present {
		p.Presence = Leaving
		return nil
	}
	var begin, end time.Time
	if !first.none() {
		begin = first.begin(zone, s.startDays)
	}
	if !last.none() {
		end = last.after(zone, s.endDays)
	}
	if !begin.IsZero() && !end.IsZero() && !end.After(begin) {
		return fault.New(fault.Invalid, "the last day is over before the first day begins").At("columns %s and %s", s.starts.column, s.ends.column).
			Fix("a last day of earlier must be empty for who is back")
	}
	p.date(begin, end, now)
	return nil
}

func presence(present bool) Presence {
	if present {
		return Present
	}
	return Leaving
}

// date sets the presence of somebody who is there between two times; zero ones
// are none.
func (p *Person) date(begin, end, now time.Time) {
	switch {
	case now.Before(begin):
		p.Presence, p.Dated, p.Due, p.Ends = Early, true, begin.UTC(), utc(end)
	case end.IsZero():
		p.Presence = Present
	case now.Before(end):
		p.Presence, p.Due, p.Ends = Present, end.UTC(), end.UTC()
	default:
		p.Presence, p.Dated = Leaving, true
	}
}

// At returns the person as they are at a time, which may be long after his row was
// read: who was to come has come, and whose last day is over has left.
func (p *Person) At(now time.Time) *Person {
	if p.Due.IsZero() || now.Before(p.Due) || p.Presence != Present && p.Presence != Early {
		return p
	}
	then := *p
	then.Dated, then.Due, then.Ends = false, time.Time{}, time.Time{}
	then.date(p.Due, p.Ends, now)
	return &then
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// present reads the column of activity.
func (s *shaper) present(row Row) (bool, error) {
	if s.active.empty() {
		return true, nil
	}
	v, err := s.active.read(row)
	if err != nil {
		return false, err
	}
	switch v.(type) {
	case []any, map[string]any:
		return false, fault.New(fault.Invalid, "a list or an object says not who is there")
	}
	word := ""
	if v != nil {
		word = fold(value.Text(v))
	}
	if present, known := s.words[word]; known {
		return present, nil
	}
	if word == "" {
		return false, fault.New(fault.Invalid, "the row does not say whether the person is there").
			Fix(`give the column a value, or say what none means: active: {column: %s, present: [""]}`, s.active.column)
	}
	if s.otherwise != nil {
		return *s.otherwise, nil
	}
	return false, fault.New(fault.Invalid, "nobody knows whether %q is there or gone", shorten(word)).
		Fix("list the words: active: {column: %s, present: [...], gone: [...]}", s.active.column)
}

func (s *shaper) zoneOf(row Row) (*time.Location, error) {
	if s.zone.empty() {
		return s.fixed, nil
	}
	name, err := s.zone.text(row)
	if err != nil || name == "" {
		return s.fixed, err
	}
	return s.zones.find(name)
}

func (s *shaper) day(row Row, from *reader) (moment, error) {
	if from.empty() {
		return moment{}, nil
	}
	v, err := from.read(row)
	if err != nil {
		return moment{}, about(err, "column %s", from.column)
	}
	m, err := s.dates.readDay(v)
	if err != nil {
		return moment{}, about(err, "column %s", from.column)
	}
	return m, nil
}

// Fingerprint stands for what the source says of a person, and for the rules by
// which it is read: it differs when either does.
func (r *Rules) Fingerprint(p *Person) Fingerprint {
	b := make([]byte, 0, 2048)
	b = append(b, r.digest[:]...)
	b = appendText(b, p.ExternalID)
	b = appendText(b, string(p.Presence))
	b = binary.AppendVarint(b, unix(p.Due))
	b = binary.AppendVarint(b, unix(p.Ends))
	left := len(p.Profile)
	for _, name := range r.attributes {
		v, ok := p.Profile[name]
		if ok {
			left--
		}
		b = appendValue(b, v)
	}
	if left > 0 {
		b = r.appendOthers(b, p.Profile)
	}
	sum := sha256.Sum256(b)
	return Fingerprint(sum[:])
}

// appendOthers adds attributes that the profile of the source does not define.
func (r *Rules) appendOthers(b []byte, profile map[string]any) []byte {
	var names []string
	for name, v := range profile {
		if !r.Defines(name) && v != nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare)
	for _, name := range names {
		b = appendValue(appendText(b, name), profile[name])
	}
	return b
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendValue adds a value so that no two of them look alike.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 0)
	case string:
		return appendText(append(b, 1), v)
	}
	text, err := value.Encode(v)
	if err != nil {
		return append(b, 2)
	}
	return appendText(append(b, 3), string(text))
}
