package reconcile

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
)

// scene is a case of decide.yaml.
type scene struct {
	rules      *Rules
	person     Person
	link       *Link
	accounts   map[string]*Candidate
	candidates Candidates
}

func newScene(t *testing.T, c map[string]any) *scene {
	t.Helper()
	s := &scene{rules: mustCompile(t, settingsOf(t, c["import"])), accounts: map[string]*Candidate{}}
	s.person = Person{ExternalID: "7", Presence: Present, Profile: map[string]any{
		"userName": "ada@example.com", "email": "ada@example.com", "firstName": "Ada", "lastName": "Byron",
	}}
	if presence, ok := c["presence"].(string); ok {
		s.person.Presence = Presence(presence)
	}
	before := maps.Clone(s.person.Profile)
	for name, v := range object(c["person"]) {
		s.person.Profile[name] = v
	}
	for id, v := range object(c["accounts"]) {
		s.accounts[id] = candidateOf(id, object(v))
	}
	if link := object(c["link"]); link != nil {
		s.link = &Link{ExternalID: "7", State: LinkState(link["state"].(string)), Profile: before}
		s.link.Account, _ = link["account"].(string)
		if link["profile"] != nil {
			s.link.Profile = object(link["profile"])
		}
	}
	s.candidates.Rival, _ = c["rival"].(string)
	s.find(t)
	return s
}

func settingsOf(t testing.TB, v any) Settings {
	t.Helper()
	o := object(v)
	if o == nil {
		o = map[string]any{}
	}
	// A source of rows with the attributes that nobody does without, and with what
	// the case adds.
	profile := map[string]any{"userName": "a", "email": "b", "firstName": "c", "lastName": "d"}
	maps.Copy(profile, object(o["profile"]))
	o = maps.Clone(o)
	o["profile"], o["id"] = profile, "id"
	text, err := value.Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, string(text)).Settings
}

func written(t testing.TB, text string) *Written {
	t.Helper()
	root, err := value.ParseYAML([]byte(text), "lanyard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, err := ReadSettings(config.Section{Node: root, File: "lanyard.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func candidateOf(id string, of map[string]any) *Candidate {
	a := &directory.Account{ID: id, Status: directory.Active, Profile: map[string]any{}}
	c := &Candidate{Account: a}
	for name, v := range of {
		switch name {
		case "status":
			a.Status = directory.Status(v.(string))
		case "admin":
			c.SuperAdmin = true
		case "linked":
			c.Other = v.(string)
		case "wanted":
			c.Wanted = v.(string)
		case "left":
			c.OtherLeft = true
		case "owner":
			c.Owner = &Owner{Name: v.(string), Priority: number(of["priority"])}
		case "priority":
		default:
			a.Profile[name] = v
		}
	}
	return c
}

// find does what whoever drives the rules does.
func (s *scene) find(t *testing.T) {
	t.Helper()
	s.candidates.Linked, s.candidates.Found = nil, nil
	if s.link != nil {
		s.candidates.Linked = s.accounts[s.link.Account]
	}
	keys, err := s.rules.Keys(&s.person)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		of := s.rules.AccountKeys(s.accounts[id].Account)
		if keys.Login != "" && of.Login == keys.Login || keys.Exact != "" && of.Exact == keys.Exact || keys.Partial != "" && of.Partial == keys.Partial {
			s.candidates.Found = append(s.candidates.Found, *s.accounts[id])
		}
	}
	slices.Reverse(s.candidates.Found) // their order makes no difference
}

func (s *scene) decide() Decision {
	return s.rules.Decide(&s.person, s.link, s.candidates)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "decide.yaml") {
		t.Run(c["name"].(string), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c)
			d := s.decide()
			compareDecision(t, c, d)
			if quick, ok := s.rules.Quick(&s.person, s.link); ok && !cmp.Equal(quick, d) {
				t.Errorf("decided without a look at the directory it is %+v, otherwise %+v", quick, d)
			}
			s.again(t, d)
		})
	}
}

func compareDecision(t *testing.T, c map[string]any, d Decision) {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := value.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	got, want := object(decoded), map[string]any{}
	for _, key := range []string{"action", "account", "code", "over", "activate", "match", "after", "before", "others"} {
		if c[key] != nil {
			want[key] = c[key]
		}
	}
	reason, remedy := d.Reason, d.Remedy
	delete(got, "reason")
	delete(got, "remedy")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the decision (-want +got):\n%s%s", diff, reason)
	}
	wantReason, _ := c["reason"].(string)
	wantRemedy, _ := c["remedy"].(string)
	if !strings.Contains(reason, wantReason) || !strings.Contains(remedy, wantRemedy) {
		t.Errorf("the reason is %q, and the remedy %q", reason, remedy)
	}
	if unsettled := d.Action == Hold || d.Action == Fail || d.Code == StillThere; unsettled != (d.Code != "") || unsettled && (reason == "" || remedy == "") {
		t.Errorf("%s has the code %q, the reason %q and the remedy %q", d.Action, d.Code, reason, remedy)
	}
}

// again carries the decision out and decides once more: there is nothing left to
// write.
func (s *scene) again(t *testing.T, d Decision) {
	t.Helper()
	account := s.carryOut(&d)
	s.link = s.rules.Relink(&s.person, s.link, &d, account)
	if s.link != nil && s.link.State == Linked && s.accounts[s.link.Account] == nil {
		return // it was gone, and still is
	}
	s.find(t)
	next, quick := s.rules.Quick(&s.person, s.link)
	if !quick {
		next = s.decide()
	}
	if next.Writes() {
		t.Errorf("the first time it is %s, and the second time %s: %v %s", d.Action, next.Action, next.After, next.Reason)
	}
	if d.Action == Update || d.Action == Create || d.Action == LinkTo || d.Action == Reactivate {
		if next.Action != Unchanged || !quick {
			t.Errorf("after %s it is %s, seen at once: %v", d.Action, next.Action, quick)
		}
		if full := s.decide(); full.Action != Unchanged {
			t.Errorf("after %s it is %s with a look at the directory: %s", d.Action, full.Action, full.Reason)
		}
	}
}

func (s *scene) carryOut(d *Decision) string {
	if d.Action == Create {
		d.Account = "00u0"
		s.accounts[d.Account] = &Candidate{Account: &directory.Account{ID: d.Account, Status: directory.Active, Profile: map[string]any{}}}
	}
	c := s.accounts[d.Account]
	if c == nil || !d.Writes() {
		return d.Account
	}
	switch d.Action {
	case Deactivate:
		c.Account.Status = directory.Deprovisioned
	case Suspend:
		c.Account.Status = directory.Suspended
	case Reactivate:
		c.Account.Status = directory.Active
	}
	for name, v := range d.After {
		if c.Account.Profile[name] = v; v == nil {
			delete(c.Account.Profile, name)
		}
	}
	s.candidates.Rival = ""
	return d.Account
}

func TestAbsent(t *testing.T) {
	t.Parallel()
	r := mustCompile(t, settingsOf(t, nil))
	there := Candidates{Linked: candidateOf("00u1", nil)}
	for _, c := range []struct {
		state LinkState
		want  Action
		after LinkState // of the link; empty: none
	}{
		{Linked, Deactivate, Removed},
		{Removed, Unchanged, Removed},
		{Unconfirmed, Skip, ""},
		{Awaited, Skip, ""},
		{Ignored, Skip, Ignored},
	} {
		link := &Link{ExternalID: "7", State: c.state}
		if c.state == Linked || c.state == Removed {
			link.Account = "00u1"
		}
		d := r.Absent(link, there)
		var state LinkState
		if after := r.Relink(nil, link, &d, d.Account); after != nil {
			state = after.State
		}
		if d.Action != c.want || state != c.after {
			t.Errorf("who is %s and absent is %s, and %q then", c.state, d.Action, state)
		}
	}
}

// TestDoubled keeps what is known of somebody about whom a session has two records:
// neither takes its place, and who is ignored stays so.
func TestDoubled(t *testing.T) {
	t.Parallel()
	r := mustCompile(t, settingsOf(t, nil))
	p := ada()
	p.Presence, p.Due = Early, time.Unix(1000, 0)
	for _, c := range []struct {
		link *Link
		want Action
	}{
		{nil, Hold},
		{&Link{ExternalID: "7", State: Awaited, Due: time.Unix(2000, 0)}, Hold},
		{&Link{ExternalID: "7", State: Linked, Account: "00u1"}, Hold},
		{&Link{ExternalID: "7", State: Ignored}, Skip},
	} {
		d := r.Doubled("7", c.link)
		if d.Action != c.want || (d.Code == DuplicateIDs) != (c.want == Hold) || c.link.known() && d.Account != c.link.Account {
			t.Errorf("who is there twice with the link %+v is %+v", c.link, d)
		}
		if after := r.Relink(p, c.link, &d, d.Account); after != c.link {
			t.Errorf("who is there twice with the link %+v has %+v then", c.link, after)
		}
	}
}

// TestFirstDays keeps the days of somebody who is known and whose first day moved: who
// is there stays until the last one, and who left is back on the first.
func TestFirstDays(t *testing.T) {
	t.Parallel()
	r := mustCompile(t, settingsOf(t, nil))
	first, last := time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
	p := ada()
	p.Presence, p.Due, p.Ends = Early, first, last
	p.Profile["lastName"] = "King"
	for state, want := range map[LinkState]time.Time{Linked: last, Removed: first} {
		link := &Link{ExternalID: "7", Account: "00u1", State: state, Profile: ada().Profile, Fingerprint: Fingerprint{1}}
		d, _ := r.Quick(p, link)
		after := r.Relink(p, link, &d, "00u1")
		if d.Action != Skip || !after.Due.Equal(want) || !after.Ends.Equal(last) || after.State != state || after.Fingerprint != (Fingerprint{}) {
			t.Errorf("who is %s and early is %s with the link %+v", state, d.Action, after)
		}
		if name := after.Profile["lastName"]; (name == "King") != (state == Removed) {
			t.Errorf("who is %s and early is called %s", state, name)
		}
	}
	p.Presence = Outside
	link := &Link{ExternalID: "7", Account: "00u1", State: Linked, Due: last, Ends: last, Fingerprint: Fingerprint{1}}
	d, _ := r.Quick(p, link)
	if after := r.Relink(p, link, &d, "00u1"); !after.Due.IsZero() || after.Fingerprint != (Fingerprint{}) {
		t.Errorf("who is outside of the scope is due: %+v", after)
	}
}

// TestDates lets time go by while the source is silent.
func TestDates(t *testing.T) {
	t.Parallel()
	s := settingsOf(t, nil)
	s.Starts.From, s.Ends.From = "starts", "ends"
	r := mustCompile(t, s)
	row := Row{"id": "7", "a": "ada@example.com", "b": "ada@example.com", "c": "Ada", "d": "Byron", "starts": "2026-04-01", "ends": "2026-06-30"}
	day := func(text string) time.Time {
		at, err := time.Parse("2006-01-02", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	p, err := r.Shape(row, day("2026-03-01"))
	if err != nil {
		t.Fatal(err)
	}
	d, _ := r.Quick(&p, nil)
	link := r.Relink(&p, nil, &d, "")
	if link == nil || link.State != Awaited || !link.Due.Equal(day("2026-04-01")) {
		t.Fatalf("who is to come has the link %+v", link)
	}
	if _, due := r.Again(link, day("2026-03-31")); due {
		t.Error("somebody is due before the first day")
	}

	p, due := r.Again(link, day("2026-04-01"))
	d = r.Decide(&p, link, Candidates{})
	if !due || d.Action != Create {
		t.Fatalf("on the first day it is %+v", d)
	}
	link = r.Relink(&p, link, &d, "00u1")
	if !link.Due.Equal(day("2026-07-01")) {
		t.Errorf("the last day is over at %s", link.Due)
	}
	same, err := r.Shape(row, day("2026-05-01"))
	if d, quick := r.Quick(&same, link); err != nil || !quick || d.Action != Unchanged {
		t.Errorf("when the source says the same again, it is %s: %v", d.Action, err)
	}

	there := Candidates{Linked: candidateOf("00u1", map[string]any{"login": "ada@example.com"})}
	p, due = r.Again(link, day("2026-07-01"))
	d = r.Decide(&p, link, there)
	if !due || d.Action != Deactivate {
		t.Fatalf("after the last day it is %+v", d)
	}
	link = r.Relink(&p, link, &d, "00u1")
	if _, due := r.Again(link, day("2030-01-01")); due || link.State != Removed {
		t.Errorf("who has left is due again: %+v", link)
	}
	if p, due := r.Again(&Link{State: Awaited, Due: day("2026-04-01"), Ends: day("2026-07-01")}, day("2027-01-01")); !due || p.Presence != Leaving {
		t.Errorf("who came and left meanwhile is %s", p.Presence)
	}
}
