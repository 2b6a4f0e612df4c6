package reconcile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

var noTime time.Time

func TestShape(t *testing.T) {
	t.Parallel()
	s := FileSettings()
	s.Reading = Reading{
		ID: "ID", Where: `row.kind != "guest"`, Active: Activity{From: "on"},
		Profile: map[string]Term{
			"email": "mail", "firstName": "name.first", "lastName": "name.last", "title": `= String.toUpperCase(row["job title"])`,
			"nickName": "a.b", "organization": "none",
		},
	}
	r := mustCompile(t, s)
	for name, c := range map[string]struct {
		row  Row
		want Person
		err  string
	}{
		"texts": {
			row: Row{"ID": " 7 ", "mail": "\u00a0ada@example.com\r\n", "name": map[string]any{"first": "\ufeffAda", "last": "Byron"}, "job title": "countess", "on": "Yes"},
			want: Person{ExternalID: "7", Presence: Present, Profile: map[string]any{
				"userName": "ada@example.com", "email": "ada@example.com", "firstName": "Ada", "lastName": "Byron", "title": "COUNTESS",
			}},
		},
		"numbers and flags": {
			row:  Row{"ID": json.Number("7"), "mail": json.Number("1.50"), "a.b": true, "on": false},
			want: Person{ExternalID: "7", Presence: Leaving, Profile: map[string]any{"userName": "1.50", "email": "1.50", "nickName": "true"}},
		},
		"a column with a dot is before a path": {
			row:  Row{"ID": "7", "a.b": "x", "a": map[string]any{"b": "y"}, "on": "1"},
			want: Person{ExternalID: "7", Presence: Present, Profile: map[string]any{"nickName": "x"}},
		},
		"composed and decomposed letters are the same": {
			row:  Row{"ID": "u\u0308", "name": map[string]any{"first": "Jo\u0301", "last": "x"}, "on": "y"},
			want: Person{ExternalID: "ü", Presence: Present, Profile: map[string]any{"firstName": "Jó", "lastName": "x"}},
		},
		"nothing at the end of a path": {
			row:  Row{"ID": "7", "name": "Ada", "a": nil, "on": "a"},
			want: Person{ExternalID: "7", Presence: Present, Profile: map[string]any{}},
		},
		"outside of the scope": {
			row:  Row{"ID": "7", "kind": "guest", "on": "nobody knows"},
			want: Person{ExternalID: "7", Presence: Outside},
		},
		"no id":            {row: Row{"mail": "a@b.c"}, err: "column ID: the row has no id"},
		"an empty id":      {row: Row{"ID": " \t"}, err: "column ID: the row has no id"},
		"a long id":        {row: Row{"ID": strings.Repeat("x", 513)}, err: "column ID: the id is longer than 512 characters"},
		"a broken id":      {row: Row{"ID": "a\x00b"}, err: "column ID: the id has control characters"},
		"a list for an id": {row: Row{"ID": []any{"7"}}, err: "column ID: this is a list or an object"},
		"a list": {
			row:  Row{"ID": "7", "mail": []any{"a@b.c"}},
			want: Person{ExternalID: "7"}, err: "column mail: this is a list or an object",
		},
		"an expression that fails": {
			row:  Row{"ID": "7", "job title": []any{}},
			want: Person{ExternalID: "7"}, err: "column = String.toUpperCase",
		},
		"a list says not who is there": {
			row:  Row{"ID": "7", "on": []any{}},
			want: Person{ExternalID: "7"}, err: "column on: a list or an object says not who is there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := r.Shape(c.row, noTime)
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(fault.Public(err), c.err) {
				t.Fatalf("it fails with %v, not %q", err, c.err)
			}
			if err != nil {
				if p.ExternalID != c.want.ExternalID || !fault.Is(err, fault.Invalid) {
					t.Errorf("the id is %q in %v", p.ExternalID, err)
				}
				return
			}
			if diff := cmp.Diff(c.want, p); diff != "" {
				t.Errorf("the person (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := mustCompile(t, OktaSettings()).Shape(Row{"id": "7"}, noTime); !fault.Is(err, fault.Invalid) {
		t.Errorf("a source that is only loaded reads rows: %v", err)
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words       Activity
		says        string
		want        Presence // empty: an error
		explanation string
	}{
		{Activity{Present: []string{"A", "B"}}, "b", Present, "listed"},
		{Activity{Present: []string{"A", "B"}}, "C", Leaving, "everything else is gone"},
		{Activity{Present: []string{"A"}}, "", "", "but not nothing"},
		{Activity{Present: []string{"A", ""}}, "", Present, "unless it is listed"},
		{Activity{Gone: []string{"T"}}, "t", Leaving, "listed"},
		{Activity{Gone: []string{"T"}}, "C", Present, "everything else is present"},
		{Activity{Present: []string{"A"}, Gone: []string{"T"}}, "C", "", "with both lists other words are not known"},
		{Activity{}, "Terminated", Leaving, "a usual word"},
		{Activity{}, "ACTIVE", Present, "a usual word"},
	} {
		c.words.From = "on"
		r := mustCompile(t, Settings{Reading: Reading{ID: "id", Active: c.words}})
		p, err := r.Shape(Row{"id": "1", "on": c.says}, noTime)
		if p.Presence != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q with %+v is %q, though %s: %v", c.says, c.words, p.Presence, c.explanation, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	r := mustCompile(t, settingsOf(t, nil))
	one := func() *Person {
		return &Person{ExternalID: "7", Presence: Present, Profile: map[string]any{"email": "a@b.c", "firstName": "A"}}
	}
	same := one()
	same.Profile["lastName"] = nil
	if r.Fingerprint(one()) != r.Fingerprint(same) {
		t.Error("no value and null differ")
	}
	for name, change := range map[string]func(*Person){
		"the id":                           func(p *Person) { p.ExternalID = "8" },
		"the presence":                     func(p *Person) { p.Presence = Leaving },
		"due":                              func(p *Person) { p.Due = time.Unix(1, 0) },
		"ends":                             func(p *Person) { p.Ends = time.Unix(1, 0) },
		"a value":                          func(p *Person) { p.Profile["email"] = "a@b.d" },
		"a new value":                      func(p *Person) { p.Profile["lastName"] = "B" },
		"an empty one":                     func(p *Person) { p.Profile["lastName"] = "" },
		"another type":                     func(p *Person) { p.Profile["firstName"] = []any{"A"} },
		"two values":                       func(p *Person) { p.Profile["email"], p.Profile["firstName"] = "A", "a@b.c" },
		"an attribute that is not defined": func(p *Person) { p.Profile["other"] = "x" },
	} {
		p := one()
		change(p)
		if r.Fingerprint(p) == r.Fingerprint(one()) {
			t.Errorf("%s makes no difference", name)
		}
	}
	for name, other := range map[string]string{
		"the mapping":   `{"mapping": {"title": "appuser.email"}}`,
		"the user name": `{"username": "EMAIL"}`,
		"the priority":  `{"sourcing": {"priority": 2}}`,
		"on create":     `{"mapping": {"email": {"value": "appuser.email", "apply": "create"}}}`,
	} {
		v, err := value.Decode([]byte(other))
		if err != nil {
			t.Fatal(err)
		}
		if mustCompile(t, settingsOf(t, v)).Fingerprint(one()) == r.Fingerprint(one()) {
			t.Errorf("%s makes no difference", name)
		}
	}
	limits := settingsOf(t, nil)
	limits.Guard.Percent = 3
	if mustCompile(t, limits).Fingerprint(one()) != r.Fingerprint(one()) {
		t.Error("limits make a difference")
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	for _, row := range []Row{{}, {"a": " ", "b": nil}, {"a": "\u00a0\ufeff"}} {
		if !row.Blank() {
			t.Errorf("%v is not blank", row)
		}
	}
	for _, row := range []Row{{"a": "x"}, {"a": false}, {"a": json.Number("0")}} {
		if row.Blank() {
			t.Errorf("%v is blank", row)
		}
	}
}

// thirty are the attributes of people in benchmarks.
func thirty() (Settings, []Row) {
	s := FileSettings()
	s.Reading = Reading{ID: "id", Active: Activity{From: "status"}, Starts: Day{From: "hired"}, Ends: Day{From: "last day"}, Zone: Zone{From: "zone"}, Profile: map[string]Term{}}
	names := []string{"email", "firstName", "lastName"}
	for i := range 27 {
		names = append(names, fmt.Sprintf("attribute%02d", i))
	}
	rows := make([]Row, 1000)
	for k := range rows {
		row := Row{"id": fmt.Sprint(k), "status": "Active", "hired": "2020-01-31", "last day": "2030-12-31", "zone": "Europe/Berlin"}
		for i, name := range names {
			row[name] = fmt.Sprintf("value %d of person %d", i, k)
		}
		row["lastName"] = fmt.Sprintf("Müller-%d", k)
		rows[k] = row
	}
	for _, name := range names {
		s.Profile[name] = Term(name)
	}
	return s, rows
}

// BenchmarkShape is what somebody costs who did not change: shaped, counted, and
// compared with the fingerprint of last time.
func BenchmarkShape(b *testing.B) {
	s, rows := thirty()
	r := mustCompile(b, s)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	links := make([]*Link, len(rows))
	for i, row := range rows {
		p, err := r.Shape(row, now)
		if err != nil {
			b.Fatal(err)
		}
		links[i] = r.fresh(&p, "00u1", Linked)
	}
	var tally Tally
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		k := i % len(rows)
		p, err := r.Shape(rows[k], now)
		if err != nil {
			b.Fatal(err)
		}
		d, quick := r.Quick(&p, links[k])
		if !quick || d.Action != Unchanged {
			b.Fatalf("it is %s", d.Action)
		}
		tally.Add(&p, links[k], &d)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/row")
}

// FuzzShape makes people of any row, twice, and decides about them.
func FuzzShape(f *testing.F) {
	f.Add(`{"id": "1", "email": "a@b.c", "first": "A", "last": "B", "status": "active", "starts": "2026-01-01", "tz": "Asia/Beirut"}`, int64(1_775_000_000))
	f.Add(`{"id": 1e5, "email": ["a"], "name": {"first": null}, "ends": "01/02/2026"}`, int64(0))
	f.Add(`{"id": "e\u0301", "ends": "9999-12-31T23:59:59Z", "tz": "+15:59"}`, int64(253402300799))
	s := FileSettings()
	s.Reading = Reading{
		ID: "id", Where: `row.kind != "x"`, Active: Activity{From: "status"}, Starts: Day{From: "starts"}, Ends: Day{From: "ends"}, Zone: Zone{From: "tz"},
		Profile: map[string]Term{"email": "email", "firstName": "first", "lastName": "name.last", "title": "= row.title + row.rank"},
	}
	r := mustCompile(f, s)
	f.Fuzz(func(t *testing.T, text string, seconds int64) {
		v, err := value.Decode([]byte(text))
		row, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		now := time.Unix(seconds%253402300800, 0)
		p, err := r.Shape(row, now)
		again, wrong := r.Shape(row, now)
		if (err == nil) != (wrong == nil) || !cmp.Equal(p, again) {
			t.Fatal("the same row makes two people")
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		}
		if !p.Due.IsZero() && !p.Due.After(now) {
			t.Errorf("the person was due at %s, and it is %s", p.Due, now)
		}
		if r.Fingerprint(&p) != r.Fingerprint(&again) {
			t.Error("the same person has two fingerprints")
		}
		d := r.Decide(&p, nil, Candidates{})
		link := r.Relink(&p, nil, &d, "00u1")
		if link != nil && !link.Due.IsZero() {
			if next, due := r.Again(link, link.Due); !due || next.Presence == p.Presence && p.Presence != Leaving {
				t.Errorf("when it is due, %s stays %s", p.Presence, next.Presence)
			}
		}
		var tally Tally
		tally.Add(&p, link, &d)
		r.Guard(&Base{}, &tally)
	})
}
