package reconciletest

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

//go:embed disasters/*.yaml
var disasters embed.FS

// Disaster is what went wrong with a source between two sessions, and what an import
// has to make of it. No disaster may end an account that nobody approved.
type Disaster struct {
	Name    string
	Story   string
	Import  reconcile.Settings
	Before  Source
	Left    Source // between the two, nil rows: there is nothing; who leaves then is let go
	Now     Source
	Expect  Expectation
	Roles   map[string]string // roles of those who get a department
	Admins  map[string]string // administrator roles that people have when Now begins: external id to type
	Other   *Other            // whose Before is, nil: that of the same source
	Missing bool              // the settings name a column that the source lacks: CheckColumns finds it
}

// Other is another source, which has brought the people of Before.
type Other struct {
	Name     string
	Priority int
	// Joined says that an import of Before by the source that suffers was approved
	// afterwards, so that both have everybody.
	Joined bool
}

// Source is what a source has at a time.
type Source struct {
	Rows []reconcile.Row
	At   time.Time
	// Fails says that the source breaks off after these rows.
	Fails bool
}

// Expectation is what becomes of a disaster.
type Expectation struct {
	Holds  []reconcile.Code // reasons that must be among those why the session is held
	People []reconcile.Code // reasons why single people are held or fail, when the session goes on
	Fails  bool             // the session fails: the source breaks off, or its columns are others
	Errors int              // rows that cannot be read, at least
	Same   bool             // it goes on, and nobody becomes another
}

// Disasters returns all of them, by the names of their files.
func Disasters() ([]*Disaster, error) {
	files, err := fs.Glob(disasters, "disasters/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*Disaster
	for _, file := range files {
		data, err := fs.ReadFile(disasters, file)
		if err != nil {
			return nil, err
		}
		d, err := readDisaster(path.Base(file), data)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// start is when the first session is, when the data do not say.
var start = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

func readDisaster(file string, data []byte) (*Disaster, error) {
	root, err := value.ParseYAML(data, file)
	if err != nil {
		return nil, err
	}
	d := &Disaster{Name: strings.TrimSuffix(file, ".yaml"), Before: Source{At: start}, Left: Source{At: start}, Now: Source{At: start.Add(24 * time.Hour)}, Roles: map[string]string{}}
	r := &strict.Reader{File: file}
	var problem error
	w := &sourceReader{Reader: r}
	var holds, people []string
	r.Mapping(root, "a disaster", map[string]strict.Field{
		"story": r.Text(&d.Story),
		"import": func(n *yaml.Node) {
			written, err := reconcile.ReadSettings(config.Section{Node: n, File: file})
			if err != nil {
				problem = err
				return
			}
			d.Import = written.Settings
		},
		"before": func(n *yaml.Node) { w.read(n, &d.Before, nil) },
		"left":   func(n *yaml.Node) { w.read(n, &d.Left, d.Before.Rows) },
		"now":    func(n *yaml.Node) { w.read(n, &d.Now, d.Before.Rows) },
		"roles": func(n *yaml.Node) {
			r.Named(n, "roles", func(name string, n *yaml.Node) { d.Roles[name] = n.Value })
		},
		"administrators": func(n *yaml.Node) {
			d.Admins = map[string]string{}
			r.Named(n, "administrators", func(name string, n *yaml.Node) { d.Admins[name] = n.Value })
		},
		"other": func(n *yaml.Node) {
			d.Other = &Other{Priority: 1}
			r.Mapping(n, "other", map[string]strict.Field{
				"name": r.Text(&d.Other.Name), "priority": r.AtLeast(&d.Other.Priority, 1), "joined": r.Flag(&d.Other.Joined),
			})
		},
		"expect": func(n *yaml.Node) {
			r.Mapping(n, "expect", map[string]strict.Field{
				"holds": r.Texts(&holds), "people": r.Texts(&people), "fails": r.Flag(&d.Expect.Fails), "errors": r.AtLeast(&d.Expect.Errors, 0), "same": r.Flag(&d.Expect.Same),
			})
		},
	})
	for _, code := range holds {
		d.Expect.Holds = append(d.Expect.Holds, reconcile.Code(code))
	}
	for _, code := range people {
		d.Expect.People = append(d.Expect.People, reconcile.Code(code))
	}
	return d, fault.Join(problem, r.Err())
}

// sourceReader makes sources of what a disaster says: so many people, and what
// happens to them, step by step.
type sourceReader struct{ *strict.Reader }

func (r *sourceReader) read(n *yaml.Node, s *Source, before []reconcile.Row) {
	s.Rows = clone(before)
	r.Mapping(n, "a source", map[string]strict.Field{
		"people": func(n *yaml.Node) {
			var count int
			r.AtLeast(&count, 0)(n)
			s.Rows = People(count)
		},
		"rows": r.Each(func(n *yaml.Node) {
			row, _ := value.FromYAML(n).(map[string]any)
			s.Rows = append(s.Rows, row)
		}),
		"at": func(n *yaml.Node) {
			at, err := time.Parse(time.RFC3339, n.Value)
			if err != nil {
				r.Wrong(n, "", "this is no time")
			}
			s.At = at
		},
		"breaks": r.Flag(&s.Fails),
		"steps":  r.Each(func(n *yaml.Node) { r.step(n, s) }),
	})
}

func clone(rows []reconcile.Row) []reconcile.Row {
	out := make([]reconcile.Row, len(rows))
	for i := range rows {
		out[i] = maps.Clone(rows[i])
	}
	return out
}

// step does one thing to the rows.
func (r *sourceReader) step(n *yaml.Node, s *Source) {
	count := func(do func(int)) strict.Field {
		return func(n *yaml.Node) {
			var k int
			r.AtLeast(&k, 0)(n)
			do(min(k, len(s.Rows)))
		}
	}
	pair := func(do func(a, b string)) strict.Field {
		return func(n *yaml.Node) {
			var names []string
			r.Texts(&names)(n)
			if len(names) != 2 {
				r.Wrong(n, "", "this must be two names")
				return
			}
			do(names[0], names[1])
		}
	}
	text := func(do func(string)) strict.Field {
		return func(n *yaml.Node) { do(n.Value) }
	}
	each := func(do func(reconcile.Row)) {
		for _, row := range s.Rows {
			do(row)
		}
	}
	r.Mapping(n, "a step", map[string]strict.Field{
		"keep":   count(func(k int) { s.Rows = s.Rows[:k] }),
		"skip":   count(func(k int) { s.Rows = s.Rows[k:] }),
		"repeat": count(func(k int) { s.Rows = append(s.Rows, clone(s.Rows[:k])...) }),
		"add": func(n *yaml.Node) {
			var k int
			r.AtLeast(&k, 1)(n)
			all := People(len(s.Rows) + k)
			s.Rows = append(s.Rows, all[len(s.Rows):]...)
		},
		"drop":    text(func(c string) { each(func(row reconcile.Row) { delete(row, c) }) }),
		"empty":   text(func(c string) { each(func(row reconcile.Row) { row[c] = "" }) }),
		"swap":    pair(func(a, b string) { each(func(row reconcile.Row) { row[a], row[b] = row[b], row[a] }) }),
		"copy":    pair(func(from, to string) { each(func(row reconcile.Row) { row[to] = row[from] }) }),
		"rename":  pair(func(from, to string) { each(func(row reconcile.Row) { row[to] = row[from]; delete(row, from) }) }),
		"prefix":  pair(func(c, with string) { each(func(row reconcile.Row) { row[c] = with + fmt.Sprint(row[c]) }) }),
		"replace": func(n *yaml.Node) { r.replace(n, s.Rows) },
		"rotate":  text(func(c string) { rotate(s.Rows, c) }),
		"mangle":  text(func(c string) { each(func(row reconcile.Row) { row[c] = asLatin1(fmt.Sprint(row[c])) }) }),
		"lose":    text(func(c string) { each(func(row reconcile.Row) { row[c] = withoutAccents(fmt.Sprint(row[c])) }) }),
		"shift":   func(n *yaml.Node) { var names []string; r.Texts(&names)(n); shift(s.Rows, names) },
		"set":     func(n *yaml.Node) { r.set(n, s.Rows) },
	})
}

// set gives a column of the first rows, or of all, a value.
func (r *sourceReader) set(n *yaml.Node, rows []reconcile.Row) {
	var column, to string
	of := len(rows)
	r.Mapping(n, "set", map[string]strict.Field{"column": r.Text(&column), "to": r.Text(&to), "of": r.AtLeast(&of, 0)})
	for _, row := range rows[:min(of, len(rows))] {
		row[column] = to
	}
}

// replace has another text for one within the values of a column, in the first rows or
// in all.
func (r *sourceReader) replace(n *yaml.Node, rows []reconcile.Row) {
	var column, from, to string
	of := len(rows)
	r.Mapping(n, "replace", map[string]strict.Field{"column": r.Text(&column), "from": r.Text(&from), "to": r.Text(&to), "of": r.AtLeast(&of, 0)})
	for _, row := range rows[:min(of, len(rows))] {
		row[column] = strings.ReplaceAll(fmt.Sprint(row[column]), from, to)
	}
}

// rotate moves the values of a column one row down.
func rotate(rows []reconcile.Row, column string) {
	if len(rows) == 0 {
		return
	}
	last := rows[len(rows)-1][column]
	for i := len(rows) - 1; i > 0; i-- {
		rows[i][column] = rows[i-1][column]
	}
	rows[0][column] = last
}

// shift gives each column the values of the one before it, as a comma too many does.
func shift(rows []reconcile.Row, columns []string) {
	for _, row := range rows {
		for i := len(columns) - 1; i > 0; i-- {
			row[columns[i]] = row[columns[i-1]]
		}
		row[columns[0]] = ""
	}
}

// asLatin1 is UTF-8 read as Latin-1.
func asLatin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// withoutAccents has the replacement character for everything beyond ASCII.
func withoutAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7f {
			return '\ufffd'
		}
		return r
	}, s)
}

var (
	firstNames  = []string{"Åsa", "Jürgen", "Zoë", "Renée", "Søren", "Mónica", "Anaïs", "Željko", "Chloé", "Noël", "Albert", "Priya"}
	lastNames   = []string{"Müller", "Ångström", "Núñez", "Lefèvre", "Jørgensen", "Kovačić", "García", "Böhm", "Smith", "O'Neill", "Gambaro"}
	departments = []string{"Sales", "Engineering", "Finance", "Support", "Legal"}
	titles      = []string{"Engineer", "Analyst", "Manager", "Clerk", "Counsel", "Designer", "Buyer"}
)

// People are rows of a made-up personnel list, always the same: the nth row is the
// same however many there are.
func People(n int) []reconcile.Row {
	rows := make([]reconcile.Row, n)
	for i := range rows {
		number := strconv.Itoa(1000 + i)
		// Names repeat, and no more than an alphabet of them is needed.
		first := firstNames[i%len(firstNames)]
		last := lastNames[i%len(lastNames)] + "-" + word(i)
		rows[i] = reconcile.Row{
			"Employee ID": "E" + number, "First Name": first, "Last Name": last,
			"E-Mail": "p" + number + "@example.com", "Status": "Active",
			"Department": departments[i%len(departments)], "Title": titles[i%len(titles)],
			"Mobile": "+49 170 " + number + "77", "City": "Town " + word(i%17), "Hire Date": "2020-01-15", "Last Day": "",
		}
	}
	return rows
}

// word is a number in letters.
func word(n int) string {
	b := []byte{byte('A' + n%26)}
	for n /= 26; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	slices.Reverse(b[1:])
	return string(b)
}

// Headings are the columns of rows.
func Headings(rows []reconcile.Row) []string {
	seen := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
