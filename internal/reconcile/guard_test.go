package reconcile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-id/lanyard/internal/value"
)

// into decodes a value of a case into a type by its JSON form.
func into[T any](t *testing.T, v any) (out T) {
	t.Helper()
	if v == nil {
		return out
	}
	data, err := value.Encode(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "guard.yaml") {
		t.Run(c["name"].(string), func(t *testing.T) {
			t.Parallel()
			r := mustCompile(t, Settings{Attributes: []string{"title", "city"}, Guard: into[Limits](t, c["limits"])})
			base := object(c["base"])
			name, _ := base["name"].(string)
			b := &Base{Name: name, Linked: number(base["linked"]), Recent: number(base["recent"]), At: into[time.Time](t, base["at"])}
			if base["last"] != nil {
				last := into[Sketch](t, base["last"])
				b.Last = &last
			}
			tally := into[Tally](t, c["tally"])
			got := []string{}
			for _, reason := range r.Guard(b, &tally, into[[]Allowance](t, c["allowed"])...) {
				got = append(got, fmt.Sprintf("%s %d > %d", reason.Code, reason.Count, reason.Limit))
				if says, _ := c["says"].(string); !strings.Contains(reason.Text, says) {
					t.Errorf("it says %q, not %q", reason.Text, says)
				}
				if strings.Contains(reason.Text, "%!") || !strings.HasSuffix(reason.Text, ".") || !strings.HasSuffix(reason.Remedy, ".") {
					t.Errorf("it says %q %q", reason.Text, reason.Remedy)
				}
				if len(r.Guard(b, &tally, reason.Needs())) >= len(r.Guard(b, &tally)) {
					t.Errorf("what it needs, %+v, does not do", reason.Needs())
				}
			}
			if diff := cmp.Diff(into[[]string](t, c["holds"]), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("it is held (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	person := func(change func(*Person)) *Person {
		p := &Person{ExternalID: "7", Presence: Present, Profile: map[string]any{"firstName": "Ada", "lastName": "Byron"}}
		if change != nil {
			change(p)
		}
		return p
	}
	link := &Link{ExternalID: "7", Account: "00u1", State: Linked, Profile: person(nil).Profile}
	gone := &Link{ExternalID: "8", Account: "00u2", State: Removed}
	var got Tally
	got.Add(person(nil), link, &Decision{Action: Unchanged})
	got.Add(person(nil), nil, &Decision{Action: Create})
	got.Add(person(func(p *Person) { p.Presence = Outside }), nil, &Decision{Action: Skip})
	got.Add(person(func(p *Person) { p.Profile = map[string]any{"firstName": "Byron", "lastName": "Ada"} }), link, &Decision{
		Action: Update, Before: map[string]any{"title": "a", "city": "b"}, After: map[string]any{"title": "c", "city": nil, "state": "new"},
	})
	got.Add(person(func(p *Person) { p.Presence, p.Dated = Leaving, true }), link, &Decision{Action: Suspend})
	got.Add(person(nil), link, &Decision{Action: Hold, Code: ReusedID})
	got.Add(person(nil), nil, &Decision{Action: Hold, Code: LinkedToElse})
	got.Add(nil, link, &Decision{Action: Unlink})
	got.Add(nil, gone, &Decision{Action: Unchanged})
	got.Unreadable("9")
	got.Unreadable("")
	got.Repeated("7", true)
	got.Repeated("8", false)
	got.Add(person(nil), nil, &Decision{Action: LinkTo, Over: "Payroll", Before: map[string]any{"email": "a"}, After: map[string]any{"email": "b"}})
	got.Administrator("7", "R", &Decision{Action: Reactivate})
	got.Administrator("7", "R", &Decision{Action: Update, Before: map[string]any{"login": "a"}, After: map[string]any{"login": "b"}})
	got.Administrator("7", "R", &Decision{Action: Update, Before: map[string]any{"title": "a"}, After: map[string]any{"title": "b"}})
	got.Administrator("7", "R", &Decision{Action: Hold, Before: map[string]any{"login": "a"}, After: map[string]any{"login": "b"}})
	for range 8 {
		got.Grant(Grant{ExternalID: "8"})
	}
	want := Tally{
		Actions: map[Action]int{Unchanged: 1, Create: 1, LinkTo: 1, Skip: 1, Update: 1, Suspend: 1, Hold: 2, Unlink: 1, Fail: 2},
		New:     3, Known: 4, Missing: 1, Removals: 2, Dated: 1, DatedLeavers: 1, Reused: 1, Rekeyed: 1, Unidentified: 1, Unread: 2, Repeats: 1, Conflicting: 1,
		Renamed: 1, Taken: map[string]int{"Payroll": 1},
		Changed: map[string]int{"title": 1, "city": 1, "email": 1}, Emptied: map[string]int{"city": 1},
		Altered: map[string]int{"firstName": 1, "lastName": 1}, Moved: map[string]int{"firstName -> lastName": 1, "lastName -> firstName": 1},
		Grants: 10, Doubled: []string{"8"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Tally{}, "Sketch", "Granted")); diff != "" {
		t.Errorf("the tally (-want +got):\n%s", diff)
	}
	if got.Rows() != 12 || got.Sketch.People != 7 || len(got.Granted) != examples {
		t.Errorf("of %d rows %d are people in the scope; %d grants are kept", got.Rows(), got.Sketch.People, len(got.Granted))
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var kept Tally
	if err := json.Unmarshal(data, &kept); err != nil || !cmp.Equal(kept, got) {
		t.Errorf("kept as JSON it is another (%v):\n%s", err, cmp.Diff(got, kept))
	}
}

// TestMoved counts values that went from one attribute to another, and not those that
// are in both now.
func TestMoved(t *testing.T) {
	t.Parallel()
	var got Tally
	link := &Link{Account: "00u1", State: Linked, Profile: map[string]any{"userName": "ada", "email": "ada@example.com"}}
	p := &Person{Presence: Present, Profile: map[string]any{"userName": "ada@example.com", "email": "ada@example.com"}}
	got.Add(p, link, &Decision{Action: Update})
	if len(got.Moved) != 0 || got.Altered["userName"] != 1 {
		t.Errorf("the user name is the address now, and what moved is %v", got.Moved)
	}
}

func TestSketch(t *testing.T) {
	t.Parallel()
	var s Sketch
	for _, profile := range []map[string]any{
		{"email": "a@b.c", "userName": "a@b.c", "firstName": "Åsa", "a": "12345", "b": "2026-01-31", "c": "+49 (170) 123-45", "d": "TRUE"},
		{"email": "a@", "userName": "b", "firstName": "Ã…sa", "a": "1.5", "b": "31.1.2026x", "c": "12 Main St 4455", "d": "truly", "e": nil, "f": ""},
	} {
		s.Add(&Person{Presence: Present, Profile: profile})
	}
	s.Add(&Person{Presence: Outside, Profile: map[string]any{"email": "x@y.z"}})
	want := Sketch{
		People: 2, Broken: 1, Same: map[string]int{"userName = email": 1},
		Columns: map[string]*Column{
			"email": {Filled: 2, Email: 1}, "userName": {Filled: 2, Email: 1}, "firstName": {Filled: 2}, "a": {Filled: 2, Number: 1},
			"b": {Filled: 2, Date: 1}, "c": {Filled: 2, Phone: 1}, "d": {Filled: 2, Flag: 1},
		},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("the sketch (-want +got):\n%s", diff)
	}
}

func TestMangled(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"MÃ¼ller", "M\ufffdller", "NuÃ±ez", "Oâ€™Neill", "Å½eljko", "M?ller", "KovaÄ\u008diÄ‡", "a\x00b", "ÐÐ½Ð½Ð°", "Ð˜Ð²Ð°Ð½"} {
		if !mangled(text) {
			t.Errorf("%s is well", text)
		}
	}
	for _, text := range []string{"Müller", "Åsa Ångström", "O’Neill", "Želj\nko", "Иван", "山田", "Why? Because", "https://x.y/?a=b", "café?", "", "José ‘Pepe’", "Ünal", "naïve", "São Tomé", "Đặng Thị Ánh", "ΑΝΝΑ", "Ø", "3° Nord", "Åse–Marie", "André’s", "Société\u00a0: X", "café–bar", "Groß–Gerau", "à\u00a0la"} {
		if mangled(text) {
			t.Errorf("%s is in a wrong encoding", text)
		}
	}
}
