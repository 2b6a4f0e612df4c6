package reconcile

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sketch describes the columns of a source in space that does not grow with it:
// what the values of each look like, and which of them are alike. Its JSON form is
// kept with the last accepted session. The zero value is an empty one.
type Sketch struct {
	People  int                `json:"people"`
	Broken  int                `json:"broken,omitempty"`  // people with text in a wrong encoding
	Columns map[string]*Column `json:"columns,omitempty"` // by attribute of the profile
	Same    map[string]int     `json:"same,omitempty"`    // people for whom two attributes are equal: "email = userName"
}

// Column describes the values of one attribute.
type Column struct {
	Filled int `json:"filled"`
	Email  int `json:"email,omitempty"`
	Number int `json:"number,omitempty"` // digits only
	Date   int `json:"date,omitempty"`
	Phone  int `json:"phone,omitempty"`
	Flag   int `json:"flag,omitempty"` // true, false
}

// compared are the attributes between which equality means something.
var compared = []string{"userName", "email", "firstName", "lastName", "displayName", "secondEmail", "employeeNumber", "managerId", "title", "department"}

// pairs names every two of them.
var pairs = func() (out [][]string) {
	for i := range compared {
		names := make([]string, i)
		for j := range names {
			names[j] = compared[j] + " = " + compared[i]
		}
		out = append(out, names)
	}
	return out
}()

// Add counts a person. Who is outside of the scope counts for nothing.
func (s *Sketch) Add(p *Person) {
	if p.Presence == Outside {
		return
	}
	s.People++
	broken := false
	for name, v := range p.Profile {
		text, ok := v.(string)
		if !ok || text == "" {
			continue
		}
		s.column(name).add(text)
		broken = broken || mangled(text)
	}
	if broken {
		s.Broken++
	}
	s.compare(p.Profile)
}

func (s *Sketch) column(name string) *Column {
	c := s.Columns[name]
	if c == nil {
		if s.Columns == nil {
			s.Columns = map[string]*Column{}
		}
		c = &Column{}
		s.Columns[name] = c
	}
	return c
}

// compare counts which attributes are equal.
func (s *Sketch) compare(profile map[string]any) {
	var texts [16]string
	for i, name := range compared {
		texts[i], _ = profile[name].(string)
		if texts[i] == "" {
			continue
		}
		for j := range i {
			if texts[j] == texts[i] {
				if s.Same == nil {
					s.Same = map[string]int{}
				}
				s.Same[pairs[i][j]]++
			}
		}
	}
}

// add counts what a value looks like: one sort at most.
func (c *Column) add(text string) {
	c.Filled++
	digits, letters, separators := 0, 0, 0
	at := -1
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case isDigit(b):
			digits++
		case b == '@':
			at = i
		case b == '-' || b == '/' || b == '.':
			separators++
		case b >= utf8.RuneSelf || b|0x20 >= 'a' && b|0x20 <= 'z':
			letters++
		}
	}
	switch {
	case at > 0 && at < len(text)-1:
		c.Email++
	case digits == len(text):
		c.Number++
	case separators == 2 && digits+separators == len(text) && digits >= 6 && digits <= 8:
		c.Date++
	case letters == 0 && digits >= 6:
		c.Phone++
	case digits == 0 && len(text) <= 5 && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")):
		c.Flag++
	}
}

// sorts are what most values of a column may look like.
var sorts = []struct {
	name  string
	count func(*Column) int
}{
	{"e-mail addresses", func(c *Column) int { return c.Email }},
	{"numbers", func(c *Column) int { return c.Number }},
	{"dates", func(c *Column) int { return c.Date }},
	{"telephone numbers", func(c *Column) int { return c.Phone }},
	{"true or false", func(c *Column) int { return c.Flag }},
}

// windows1252 are the characters that the bytes 0x80 to 0x9f are in Windows-1252,
// as far as they are not control characters in Unicode.
const windows1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"

// mangled reports whether a text was read in a wrong encoding: it has replacement
// characters, control characters, question marks within words, or what UTF-8 looks
// like when it is taken for Latin-1 or Windows-1252 ("MÃ¼ller").
func mangled(text string) bool {
	ascii := true
	for i := 0; i < len(text); i++ {
		if b := text[i]; b >= utf8.RuneSelf {
			ascii = false
		} else if b == '?' && within(text, i) || b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return true
		}
	}
	if ascii {
		return false
	}
	left := 0 // continuation bytes that a lead byte still asks for
	for _, r := range text {
		switch {
		case r == utf8.RuneError:
			return true
		case left == 0 || !continues(r):
			left = follow(r)
		case left == 1:
			return true
		default:
			left--
		}
	}
	return false
}

// follow is how many continuation bytes follow the lead byte of UTF-8 that a
// character is in Latin-1; 0: it is none. The rare leads 0xde and 0xdf are left
// out: German has the latter before dashes and apostrophes.
func follow(r rune) int {
	switch {
	case r >= 0xc2 && r < 0xde:
		return 1
	case r >= 0xe0 && r <= 0xef:
		return 2
	case r >= 0xf0 && r <= 0xf4:
		return 3
	}
	return 0
}

// within reports whether letters stand on both sides of a byte.
func within(text string, i int) bool {
	if i == 0 || i == len(text)-1 || strings.Contains(text, "://") {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i+1:])
	return unicode.IsLetter(before) && unicode.IsLetter(after)
}

// continues reports whether a character is what a continuation byte of UTF-8 is in
// Latin-1 or Windows-1252.
func continues(r rune) bool {
	return r >= 0x80 && r <= 0xbf || strings.ContainsRune(windows1252, r)
}

// share reports whether part of whole is at least so many percent.
func share(part, whole, percent int) bool { return whole > 0 && part*100 >= whole*percent }

// From when on a column counts as being of a sort, and as not being of it.
const (
	mostly = 80 // percent
	rarely = 20
)

// oddities compares the columns that the rules still define with those of an earlier
// session. Fewer than least people say nothing.
func (s *Sketch) oddities(before *Sketch, least int, defines func(string) bool) []Reason {
	if before == nil || s.People < least || before.People < least {
		return nil
	}
	var out []Reason
	for _, name := range s.names(before) {
		if !defines(name) {
			continue
		}
		was, is := before.Columns[name], s.Columns[name]
		if was == nil {
			was = &Column{}
		}
		if is == nil {
			is = &Column{}
		}
		if r, lost := s.lost(before, name, was, is); lost {
			out = append(out, r)
		} else if r, odd := s.odd(name, was, is, least); odd {
			out = append(out, r)
		}
	}
	return append(out, s.alike(before)...)
}

// names are the columns of both, in order.
func (s *Sketch) names(other *Sketch) []string {
	var names []string
	for name := range s.Columns {
		names = append(names, name)
	}
	for name := range other.Columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *Sketch) lost(before *Sketch, name string, was, is *Column) (Reason, bool) {
	if !share(was.Filled, before.People, 50) || share(is.Filled, s.People, 5) {
		return Reason{}, false
	}
	return reason(LostColumn, s.People-is.Filled, 0, "Look whether the column was renamed or left out.",
		"%s has a value for %d of %d people; last time it was %d of %d.", name, is.Filled, s.People, was.Filled, before.People), true
}

func (s *Sketch) odd(name string, was, is *Column, least int) (Reason, bool) {
	if was.Filled < least || is.Filled < least {
		return Reason{}, false
	}
	for _, sort := range sorts {
		then, now := sort.count(was), sort.count(is)
		if share(then, was.Filled, mostly) && !share(now, is.Filled, rarely) || share(now, is.Filled, mostly) && !share(then, was.Filled, rarely) {
			return reason(OddColumn, is.Filled, 0, "Look whether columns were exchanged or shifted.",
				"%d of %d values of %s are %s; last time it was %d of %d.", now, is.Filled, name, sort.name, then, was.Filled), true
		}
	}
	return Reason{}, false
}

// alike finds columns that are equal and were not.
func (s *Sketch) alike(before *Sketch) []Reason {
	var out []Reason
	for i := range compared {
		for j := range i {
			was, is := before.Same[pairs[i][j]], s.Same[pairs[i][j]]
			if share(is, s.People, 90) && !share(was, before.People, 50) && s.existed(before, compared[i], compared[j]) {
				out = append(out, reason(SameColumn, is, 0, "Look whether one column was copied over the other.",
					"%s is the same as %s for %d of %d people; last time it was for %d of %d.", compared[i], compared[j], is, s.People, was, before.People))
			}
		}
	}
	return out
}

// existed reports whether both columns had values before.
func (s *Sketch) existed(before *Sketch, a, b string) bool {
	x, y := before.Columns[a], before.Columns[b]
	return x != nil && y != nil && share(x.Filled, before.People, 50) && share(y.Filled, before.People, 50)
}
