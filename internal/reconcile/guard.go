package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Limits say from when on a session is held. Zero values are the defaults, which
// stand at each; a negative number means that there is no limit.
type Limits struct {
	Percent    int    `json:"percent,omitempty"`    // removals, of the people linked: 20
	Most       int    `json:"most,omitempty"`       // removals, whatever the percentage: 500
	Floor      int    `json:"floor,omitempty"`      // removals that pass in a small organisation, up to half of its people: 5
	Drop       int    `json:"drop,omitempty"`       // percent by which a full source may shrink: 20
	Change     int    `json:"change,omitempty"`     // percent of people for whom one attribute may change: 50
	Failures   int    `json:"failures,omitempty"`   // percent of rows that may fail: 20
	Privileges int    `json:"privileges,omitempty"` // people who may come to administrator roles: 0
	TakeOver   int    `json:"takeOver,omitempty"`   // percent of the people linked that may be taken over from other sources at once: 5
	Growth     int    `json:"growth,omitempty"`     // new people once there are some, as percent of these: 50
	Newcomers  int    `json:"newcomers,omitempty"`  // new people who pass in any case: 100
	Renames    int    `json:"renames,omitempty"`    // percent of people whose user name or e-mail address may change: 10
	Returns    int    `json:"returns,omitempty"`    // percent, of the people linked, that may come back at once: 10
	Off        []Code `json:"off,omitempty"`        // what is not looked at
}

// The defaults. 20 percent is Okta's (okta.md 3.4). It has no floor and looks at
// nothing below 100 people. Five leavers at once are a bad day for a firm of twenty
// and not yet a broken source; half of all people always are one.
const (
	defaultPercent   = 20
	defaultMost      = 500
	defaultFloor     = 5
	defaultDrop      = 20
	defaultChange    = 50
	defaultFailures  = 20
	defaultTakeOver  = 5
	defaultGrowth    = 50
	defaultNewcomers = 100
	defaultRenames   = 10
	defaultReturns   = 10
)

// mostInFull is the greatest percentage of removals and of a drop that can be had in
// full mode. Half of all people gone is a broken source: a limit above that is none.
const mostInFull = 50

// few is how many people are too few to tell anything from.
const few = 3

// Code names a reason, of a session to be held or of a decision about a person.
type Code string

// Why sessions are held.
const (
	EmptySource    Code = "emptySource"
	ClockJump      Code = "clockJump"
	NoIDs          Code = "noIds" // rows that say not whom they are about, while others are missing
	ChangedIDs     Code = "changedIds"
	DuplicateIDs   Code = "duplicateIds"
	ReusedIDs      Code = "reusedIds"
	SharpDrop      Code = "sharpDrop"
	Removals       Code = "removals"
	Privileges     Code = "privileges"
	SwappedColumns Code = "swappedColumns"
	OddColumn      Code = "oddColumn"  // its values are of another sort than last time
	SameColumn     Code = "sameColumn" // it equals another, which it did not
	LostColumn     Code = "lostColumn" // it is empty, which it was not
	Encoding       Code = "encoding"
	MassChange     Code = "massChange"
	Failures       Code = "failures"
	TakeOver       Code = "takeOver" // people of another source, and neither has priority
	Growth         Code = "growth"   // far more new people than there are
	Returns        Code = "returns"  // people whose accounts had ended get them back
	Renames        Code = "renames"  // user names and e-mail addresses: by these people sign in and are written to
)

// Codes are all reasons to hold a session, the most telling first: what explains
// others comes before them.
func Codes() []Code {
	return []Code{
		EmptySource, ClockJump, NoIDs, ChangedIDs, DuplicateIDs, ReusedIDs, SwappedColumns, OddColumn, SameColumn, LostColumn,
		Encoding, TakeOver, Privileges, SharpDrop, Removals, Growth, Returns, Renames, MassChange, Failures,
	}
}

// vital are the guards without which absence must not mean leaving.
var vital = []Code{EmptySource, SharpDrop, Removals, NoIDs}

// check returns what is wrong with limits.
func (l Limits) check(mode Mode) []error {
	var problems []error
	for _, c := range l.Off {
		if !slices.Contains(Codes(), c) {
			problems = append(problems, fault.New(fault.Invalid, "there is no guard %q", string(c)).At("guard").Fix("use one of %s", codeNames(Codes())))
		}
		if mode == Full && slices.Contains(vital, c) {
			problems = append(problems, fault.New(fault.Invalid, "%s cannot be off in full mode, in which absence means leaving", string(c)).At("guard"))
		}
	}
	if mode == Full && (l.Percent < 0 || l.Drop < 0) {
		problems = append(problems, fault.New(fault.Invalid, "full mode, in which absence means leaving, needs its limits").At("guard").
			Fix("leave percent: none and drop: none out; what is more than usual can be approved once"))
	}
	for _, one := range []struct {
		key     string
		percent int
	}{{"percent", l.Percent}, {"drop", l.Drop}} {
		if mode == Full && one.percent > mostInFull && one.percent <= 100 {
			problems = append(problems, fault.New(fault.Invalid, "%s: %d%% is no limit in full mode, in which absence means leaving", one.key, one.percent).At("guard").
				Fix("use at most %d%%; what is more than usual can be approved once (lanyard import approve)", mostInFull))
		}
	}
	for _, percent := range []int{l.Percent, l.Drop, l.Change, l.Failures, l.TakeOver, l.Renames, l.Returns} {
		if percent > 100 {
			problems = append(problems, fault.New(fault.Invalid, "%d is no percentage", percent).At("guard").Fix("use a number from 1 to 100"))
		}
	}
	return problems
}

// in returns the limits that hold in a mode. One session may be full where the
// settings are not: what they leave out is looked at all the same then.
func (l Limits) in(mode Mode) Limits {
	if mode != Full {
		return l
	}
	l.Off = slices.DeleteFunc(slices.Clone(l.Off), func(c Code) bool { return slices.Contains(vital, c) })
	l.Percent, l.Drop = min(max(l.Percent, 0), mostInFull), min(max(l.Drop, 0), mostInFull)
	return l
}

func codeNames(codes []Code) string {
	var names []string
	for _, c := range codes {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// limit is a limit or its default; none says that there is none.
func limit(set, otherwise int) (n int, none bool) {
	if set == 0 {
		return otherwise, false
	}
	return set, set < 0
}

// Reason is why a session is held.
type Reason struct {
	Code   Code   `json:"code"`
	Text   string `json:"text"`   // one sentence, with figures
	Remedy string `json:"remedy"` // what to look at
	Count  int    `json:"count"`  // people or rows concerned
	Limit  int    `json:"limit"`  // how many would have passed
}

// Needs is the allowance with which the session goes on in spite of the reason.
func (r Reason) Needs() Allowance { return Allowance{Code: r.Code, Count: r.Count} }

// reason words a reason. The text is a format.
func reason(code Code, count, limit int, remedy, text string, args ...any) Reason {
	return Reason{Code: code, Text: fmt.Sprintf(text, args...), Remedy: remedy, Count: count, Limit: limit}
}

// Allowance lets one session pass in spite of a reason, as long as it concerns no
// more people than Count. It is what an approval records.
type Allowance struct {
	Code  Code `json:"code"`
	Count int  `json:"count"`
}

func (a Allowance) covers(r Reason) bool { return a.Code == r.Code && r.Count <= a.Count }

// Base is what a session is compared with.
type Base struct {
	Name   string    // of the source, for messages
	Linked int       // people that were linked when the session began
	Recent int       // removed by other sessions of the last 24 hours that nobody approved
	Last   *Sketch   // of the last accepted session that read its source; nil: there is none
	At     time.Time // Tally.Now of the last accepted session; zero: there is none
}

// Guard returns the reasons to hold a session that no allowance covers, in the
// order of Codes. None: it may be applied.
func (r *Rules) Guard(b *Base, t *Tally, allowed ...Allowance) []Reason {
	g := &guard{rules: r, limits: r.settings.Guard.in(t.Mode), base: b, tally: t}
	g.source()
	g.identity()
	g.columns()
	g.effects()
	rest := slices.DeleteFunc(g.reasons, func(r Reason) bool {
		return slices.Contains(g.limits.Off, r.Code) || slices.ContainsFunc(allowed, func(a Allowance) bool { return a.covers(r) })
	})
	order := Codes()
	slices.SortStableFunc(rest, func(a, b Reason) int { return slices.Index(order, a.Code) - slices.Index(order, b.Code) })
	return rest
}

// guard gathers reasons.
type guard struct {
	rules   *Rules
	limits  Limits
	base    *Base
	tally   *Tally
	reasons []Reason
}

func (g *guard) hold(r Reason) { g.reasons = append(g.reasons, r) }

// most is the greater of a number of people and a percentage of others.
func most(people, of, percent int) int { return max(people, of*percent/100) }

// counted is a number of things, and are and were go on with a sentence about them.
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

func are(n int, one, several string) string {
	return counted(n, one+" is", several+" are")
}

func were(n int, one, several string) string {
	return counted(n, one+" was", several+" were")
}

// source looks at the source as a whole.
func (g *guard) source() {
	b, t := g.base, g.tally
	last := 0
	if b.Last != nil {
		last = b.Last.People
	}
	has := t.Sketch.People + t.Unread - t.Unidentified // who cannot be read is there all the same
	if t.Read && has == 0 && (b.Linked > 0 || last > 0) {
		g.hold(reason(EmptySource, max(b.Linked, last), 0,
			"Look whether the source answers with all its people, and whether the scope (where) still fits.",
			"The source has nobody (%s read); %s linked.", were(t.Rows(), "row", "rows"), are(b.Linked, "person", "people")))
	}
	percent, none := limit(g.limits.Drop, defaultDrop)
	if pass := most(few, last, percent); t.Mode == Full && !none && has > 0 && last-has > pass {
		g.hold(reason(SharpDrop, last-has, pass, "Look whether the source was read to its end.",
			"The source has %s; last time it had %d.", counted(has, "person", "people"), last))
	}
	if pass := most(few, b.Linked, 10); t.DatedLeavers > pass {
		g.hold(reason(ClockJump, t.DatedLeavers, pass, "Look at the clock of this machine and at the column of last days.",
			"%d of %s would leave at once because of a date, and it is %s here.", t.DatedLeavers, counted(b.Linked, "person", "people"), t.Now.UTC().Format(time.RFC3339)))
	} else if back := b.At.Sub(t.Now); back > time.Hour && t.Dated > 0 {
		g.hold(reason(ClockJump, t.Dated, 0, "Look at the clock of this machine.",
			"It is %s here, before the last session at %s, and dates decide about %s.", t.Now.UTC().Format(time.RFC3339), b.At.UTC().Format(time.RFC3339), counted(t.Dated, "person", "people")))
	}
}

// identity looks at whom the records are about.
func (g *guard) identity() {
	b, t := g.base, g.tally
	if t.Mode == Full && t.Unidentified > 0 && t.Missing > 0 {
		g.hold(reason(NoIDs, t.Unidentified, 0, "Mend these rows: they may be people who are missing otherwise.",
			"%s without an id, while %s missing.", are(t.Unidentified, "row", "rows"), are(t.Missing, "person", "people")))
	}
	if pass := most(few, b.Linked, 20); t.Missing > pass && t.New > pass {
		g.hold(reason(ChangedIDs, min(t.Missing, t.New), pass, "Look whether the column of ids has other ids than last time.",
			"%d of %d people are missing and %d new ones appear: the ids seem to have changed.", t.Missing, b.Linked, t.New))
	} else if pass := most(few, b.Linked, 5); t.Rekeyed > pass {
		g.hold(reason(ChangedIDs, t.Rekeyed, pass, "Look whether the column of ids has other ids than last time.",
			"%d people come with other ids than they are linked with.", t.Rekeyed))
	}
	if pass := most(few, t.Rows(), 1); t.Conflicting > pass {
		g.hold(reason(DuplicateIDs, t.Conflicting, pass, "Look at the column of ids, and at how the source is joined.",
			"%d rows have the id of another row and say something else: %s.", t.Conflicting, strings.Join(t.Doubled, ", ")))
	} else if pass := most(few, t.Rows(), 5); t.Repeats > pass {
		g.hold(reason(DuplicateIDs, t.Repeats, pass, "Look at how the source is paged.",
			"%d rows are there twice.", t.Repeats))
	}
	if pass := most(few-1, b.Linked, 1); t.Reused > pass {
		g.hold(reason(ReusedIDs, t.Reused, pass, "Look whether ids were given anew, or rows were shifted against each other.",
			"%d ids belong to wholly other people than before.", t.Reused))
	}
}

// columns looks at what values look like.
func (g *guard) columns() {
	b, t := g.base, g.tally
	for _, key := range slices.Sorted(maps.Keys(t.Moved)) {
		from, to, _ := strings.Cut(key, movedTo)
		if n := t.Moved[key]; n > few-1 && share(n, t.Known, 5) && share(n, t.Altered[to], 50) {
			g.hold(reason(SwappedColumns, n, few-1, "Look whether the two columns were exchanged.",
				"%s has what %s had before, for %d of %d people.", to, from, n, t.Known))
		}
	}
	least := 20
	if t.Read {
		least = 5
	}
	for _, r := range t.Sketch.oddities(b.Last, least, g.rules.Defines) {
		g.hold(r)
	}
	pass := most(few-1, t.Sketch.People, 1)
	if b.Last != nil && b.Last.People > 0 {
		pass = max(pass, 2*b.Last.Broken*t.Sketch.People/b.Last.People)
	}
	if t.Sketch.Broken > pass {
		g.hold(reason(Encoding, t.Sketch.Broken, pass, "Say in which encoding the source is, or export it as UTF-8.",
			"The text of %d of %d people was read in a wrong encoding.", t.Sketch.Broken, t.Sketch.People))
	}
}

// effects looks at what would be done.
func (g *guard) effects() {
	g.privileges()
	g.removals()
	g.takeOver()
	g.growth()
	g.returns()
	g.renames()
	g.changes()
	g.failures()
}

// privileges holds a session that makes administrators.
func (g *guard) privileges() {
	t := g.tally
	if g.limits.Privileges < 0 || t.Grants <= g.limits.Privileges {
		return
	}
	var who []string
	for _, grant := range t.Granted {
		who = append(who, fmt.Sprintf("%s gets %s by %s", grant.ExternalID, grant.Role, grant.By))
	}
	g.hold(reason(Privileges, t.Grants, g.limits.Privileges, "Look whether each of them is to be an administrator.",
		"%s would be given: %s.", counted(t.Grants, "administrator role", "administrator roles"), strings.Join(who, "; ")))
}

// returns holds a session that gives many people their accounts back.
func (g *guard) returns() {
	linked := g.base.Linked
	percent, none := limit(g.limits.Returns, defaultReturns)
	n, pass := g.tally.Actions[Reactivate], most(defaultFloor, linked, percent)
	if none || n <= pass {
		return
	}
	g.hold(reason(Returns, n, pass, "Look whether all of them are back: the column that says who is gone may be lost or changed.",
		"%s would be reactivated, and %s linked.", counted(n, "account", "accounts"), are(linked, "person", "people")))
}

// concerned is how many people a session could change.
func (g *guard) concerned() int { return g.base.Linked + g.tally.Actions[LinkTo] }

// renames holds a session that changes what many people sign in with.
func (g *guard) renames() {
	n, concerned := g.tally.Renamed, g.concerned()
	percent, none := limit(g.limits.Renames, defaultRenames)
	pass := most(few, concerned, percent)
	if none || n <= pass {
		return
	}
	g.hold(reason(Renames, n, pass, "Look whether the addresses are those of these people.",
		"%d of %s would get another user name or e-mail address.", n, counted(concerned, "person", "people")))
}

// changes holds a session that changes one attribute of many people.
func (g *guard) changes() {
	t, concerned := g.tally, g.concerned()
	percent, none := limit(g.limits.Change, defaultChange)
	pass := most(few, concerned, percent)
	for _, name := range slices.Sorted(maps.Keys(t.Changed)) {
		n := t.Changed[name]
		if none || n <= pass {
			continue
		}
		text := fmt.Sprintf("%s changes for %d of %s.", name, n, counted(concerned, "person", "people"))
		if gone := t.Emptied[name]; share(gone, n, 50) {
			text = fmt.Sprintf("%s loses its value for %d of %s.", name, gone, counted(concerned, "person", "people"))
		}
		g.hold(reason(MassChange, n, pass, "Look at some of them in the report.", "%s", text))
	}
}

// failures holds a session of which much cannot be carried out.
func (g *guard) failures() {
	t := g.tally
	percent, none := limit(g.limits.Failures, defaultFailures)
	pass := most(few, t.Rows(), percent)
	if none || t.Actions[Fail] <= pass {
		return
	}
	g.hold(reason(Failures, t.Actions[Fail], pass, "Look at the failures in the report: a column may have changed its form.",
		"%d of %d rows cannot be carried out.", t.Actions[Fail], t.Rows()))
}

// takeOver holds a session by which two sources would decide about the same people.
// A few are told apart by looking at them.
func (g *guard) takeOver() {
	b, t := g.base, g.tally
	n := 0
	for _, people := range t.Taken {
		n += people
	}
	percent, none := limit(g.limits.TakeOver, defaultTakeOver)
	pass := most(few, b.Linked, percent)
	if all, none := limit(g.limits.Most, defaultMost); !none {
		pass = min(pass, all)
	}
	if none || n <= pass {
		return
	}
	names := slices.Sorted(maps.Keys(t.Taken))
	if len(names) > examples {
		names = append(names[:examples], "others")
	}
	g.hold(reason(TakeOver, n, pass,
		"Say in the settings which source decides (sourcing: {priority: 2} puts one below the other, which has 1), or approve it once.",
		"%s whom %s sources would be sourced by %s as well, and neither has priority.",
		counted(n, "person", "people"), strings.Join(names, ", "), g.name()))
}

// name is the source in a message.
func (g *guard) name() string {
	if g.base.Name == "" {
		return "this source"
	}
	return g.base.Name
}

// growth holds a source that suddenly has many more people: it may be that of another
// organisation. A first load makes everybody, and what is loaded through the API comes
// in parts (okta.md 3.2: ten thousand a session), so neither is held.
func (g *guard) growth() {
	b, t := g.base, g.tally
	percent, none := limit(g.limits.Growth, defaultGrowth)
	newcomers, everybody := limit(g.limits.Newcomers, defaultNewcomers)
	n, pass := t.Actions[Create], most(newcomers, b.Linked, percent)
	if none || everybody || !t.Read || b.Linked == 0 || n <= pass {
		return
	}
	g.hold(reason(Growth, n, pass, "Look whether the source is that of this organisation, and whether its scope (where) still fits.",
		"%d new people would be created, and %s linked.", n, are(b.Linked, "person", "people")))
}

// removals holds a session that ends too many accounts. Those of the last day count,
// or many small sessions would do what one may not.
func (g *guard) removals() {
	b, t := g.base, g.tally
	percent, none := limit(g.limits.Percent, defaultPercent)
	floor, _ := limit(g.limits.Floor, defaultFloor)
	people := b.Linked + b.Recent
	pass := max(1, most(min(floor, people/2), people, percent))
	if none {
		pass = t.Removals + b.Recent
	}
	if all, none := limit(g.limits.Most, defaultMost); !none {
		pass = min(pass, all)
	}
	if t.Removals == 0 || t.Removals+b.Recent <= pass {
		return
	}
	text := fmt.Sprintf("%d of %s would be removed.", t.Removals, counted(b.Linked, "person", "people"))
	if b.Recent > 0 {
		text = fmt.Sprintf("%d of %s would be removed, after %d within the last day.", t.Removals, counted(b.Linked, "person", "people"), b.Recent)
	}
	g.hold(reason(Removals, t.Removals, max(pass-b.Recent, 0), "Look whether all of them have left.", "%s", text))
}
