package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Trace tells how an import comes to what it does about one person.
type Trace struct {
	Source   string              `json:"source"`
	Who      string              `json:"who"`
	Found    []TraceRow          `json:"found"` // rows of the source that speak of the person
	Link     *reconcile.Link     `json:"link,omitempty"`
	Person   *reconcile.Person   `json:"person,omitempty"`
	Scoped   string              `json:"scoped,omitempty"` // one sentence
	Matched  *reconcile.Match    `json:"matched,omitempty"`
	Decision *reconcile.Decision `json:"decision,omitempty"`
	Steps    []TraceStep         `json:"steps"` // found, scoped, matched, mapped, acted
}

// TraceRow is a row of the source.
type TraceRow struct {
	Place string        `json:"place"`
	Row   reconcile.Row `json:"row"`
}

// TraceStep is one stage of a Trace.
type TraceStep struct {
	Stage string `json:"stage"`
	Text  string `json:"text"`
}

// Explain tells, without a write, how the source comes to what it does about
// somebody: who is an externalId, a login or an account's id. Without rows, what
// the source said last is looked at.
func (im *Importer) Explain(ctx context.Context, source, who string, rows Rows) (*Trace, error) {
	t := &Trace{Source: source, Who: who}
	e := &explainer{im: im, trace: t, who: who}
	if err := e.identify(ctx, source); err != nil {
		return nil, err
	}
	if rows != nil {
		if err := e.search(ctx, source, rows); err != nil {
			return nil, err
		}
	}
	return t, e.tell(ctx, source)
}

// explainer looks for one person.
type explainer struct {
	im    *Importer
	trace *Trace
	who   string

	account *directory.Account
	read    bool   // the source was read
	items   []item // rows that speak of the person
	rules   *reconcile.Rules
}

func (e *explainer) step(stage, text string, args ...any) {
	e.trace.Steps = append(e.trace.Steps, TraceStep{stage, fmt.Sprintf(text, args...)})
}

// identify finds the link and account that who names.
func (e *explainer) identify(ctx context.Context, source string) error {
	return e.im.Store.View(ctx, func(r Reader) error {
		d, err := e.im.decider(r, &Session{Source: source})
		if err != nil {
			return err
		}
		e.rules = d.rules
		ids := []string{e.who}
		a, err := e.im.findAccount(r, e.who)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil {
			e.account = a
			links, err := r.ImportLinksTo([]string{a.ID})
			if err != nil {
				return err
			}
			for _, l := range links {
				if l.Source == source && l.Kind == UserKind {
					ids = append(ids, l.ExternalID)
				}
			}
		}
		links, err := r.ImportLinks(source, UserKind, ids)
		if err == nil && len(links) > 0 {
			e.trace.Link = &links[0].Link
		}
		return err
	})
}

// search reads the source for rows that speak of the person.
func (e *explainer) search(ctx context.Context, source string, rows Rows) error {
	l := &loader{im: e.im, now: e.im.Directory.Now()}
	if err := e.im.Store.View(ctx, func(r Reader) error { return l.open(r, source) }); err != nil {
		return err
	}
	e.read = true
	for part, err := range portions(rows.Rows(ctx)) {
		if err != nil {
			return err
		}
		if l.rules == nil {
			if err := l.complete(part); err != nil {
				return err
			}
			e.rules = l.rules
		}
		for i, shaped := range l.shape(part) {
			if e.speaks(shaped.Person) {
				e.items = append(e.items, shaped.item)
				e.trace.Found = append(e.trace.Found, TraceRow(part[i]))
			}
		}
	}
	return nil
}

// speaks reports whether a person is the one who is looked for.
func (e *explainer) speaks(p *reconcile.Person) bool {
	if p.ExternalID == e.who || e.trace.Link != nil && p.ExternalID == e.trace.Link.ExternalID {
		return p.ExternalID != ""
	}
	for _, name := range []string{"userName", "email"} {
		if v := personText(p, name); v != "" && (strings.EqualFold(v, e.who) || e.account != nil && strings.EqualFold(v, e.account.Login())) {
			return true
		}
	}
	return false
}

// tell decides about the person and says how.
func (e *explainer) tell(ctx context.Context, source string) error {
	t := e.trace
	switch n := len(t.Found); {
	case n > 0:
		places := make([]string, n)
		for i := range t.Found {
			places[i] = t.Found[i].Place
		}
		e.step("found", "Records of the source that speak of this person: %d (%s).", n, strings.Join(places, ", "))
	case t.Link != nil && e.read:
		e.step("found", "The source does not have id %s any more.", t.Link.ExternalID)
		return e.absent(ctx, source)
	case t.Link != nil:
		e.step("found", "No record was read; what the source said last is id %s.", t.Link.ExternalID)
		e.items = []item{{Kind: UserKind, Person: lastSaid(t.Link, e.im.Directory.Now())}}
	default:
		e.step("found", "The source says nothing of %q.", e.who)
		return nil
	}
	it := e.items[0]
	t.Person = it.Person
	e.step("scoped", "%s", scoped(it.Person))
	t.Scoped = scoped(it.Person)
	return e.decide(ctx, source, &decided{item: &it, doubled: slices.ContainsFunc(e.items[1:], func(o item) bool { return o.id() == it.id() })})
}

// absent says what it means that the source does not have the person.
func (e *explainer) absent(ctx context.Context, source string) error {
	if e.rules.Settings().Mode == reconcile.Full {
		e.step("scoped", "The source always has everybody, so this person is leaving.")
		return e.decide(ctx, source, &decided{absentee: e.trace.Link.ExternalID})
	}
	e.step("scoped", "The source does not always have everybody: an import leaves this person alone, unless it is a full one (--full).")
	e.trace.Decision = &reconcile.Decision{Action: reconcile.Unchanged, Account: e.trace.Link.Account}
	e.conclude(&decided{link: &Link{Link: *e.trace.Link}, Decision: *e.trace.Decision})
	return nil
}

// lastSaid is somebody by what earlier sessions know.
func lastSaid(l *reconcile.Link, now time.Time) *reconcile.Person {
	p := &reconcile.Person{ExternalID: l.ExternalID, Profile: l.Profile, Presence: reconcile.Present, Due: l.Due, Ends: l.Ends}
	switch l.State {
	case reconcile.Awaited:
		p.Presence = reconcile.Early
	case reconcile.Removed:
		p.Presence = reconcile.Leaving
	}
	return p.At(now)
}

// decide decides about the person and says how.
func (e *explainer) decide(ctx context.Context, source string, one *decided) error {
	t := e.trace
	return e.im.Store.View(ctx, func(r Reader) error {
		d, err := e.im.decider(r, &Session{Source: source})
		if err != nil {
			return err
		}
		d.rules = e.rules
		w, err := e.im.world(r, nil, systemActor(), d.source)
		if err != nil {
			return err
		}
		if err := d.links(w, []*decided{one}); err != nil {
			return err
		}
		if len(t.Found) == 0 && one.link != nil && one.person() != nil {
			one.item.Person.Profile = one.link.Profile
		}
		if err := d.people(w, []*decided{one}); err != nil {
			return err
		}
		if one.Action == reconcile.Create {
			one.Account = "" // there is none yet
		}
		t.Decision, t.Matched = &one.Decision, one.Match
		e.conclude(one)
		e.send(one, d.source)
		return nil
	})
}

// scoped says what the source and its dates make of a person.
func scoped(p *reconcile.Person) string {
	switch p.Presence {
	case reconcile.Leaving:
		return "The source says that this person has left."
	case reconcile.Early:
		return "The first day of this person has not come."
	case reconcile.Outside:
		return "The scope of the import leaves this person out."
	}
	return "In the scope of the import, and present."
}

func (e *explainer) conclude(one *decided) {
	switch {
	case one.link != nil && one.link.Account != "":
		e.step("matched", "Earlier sessions linked id %s to the account %s (%s).", one.link.ExternalID, one.link.Account, one.link.State)
	case one.Match != nil:
		e.step("matched", "The account %s matches by %s.", one.Account, one.Match.On)
	default:
		e.step("matched", "No account matches.")
	}
	names := slices.Sorted(maps.Keys(one.After))
	if len(names) == 0 {
		e.step("mapped", "No attribute of the directory would differ.")
	} else {
		e.step("mapped", "These attributes of the directory would differ: %s.", strings.Join(names, ", "))
	}
	text := string(one.Action)
	if one.Reason != "" {
		text += ": " + one.Reason
	}
	e.step("acted", "%s", text)
}
