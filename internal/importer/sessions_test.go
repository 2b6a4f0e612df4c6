package importer_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// api makes a source one that is loaded by requests.
func api(s *reconcile.Settings) {
	*s = reconcile.OktaSettings()
	s.Confirm, s.Activate, s.Sourcing.Users = reconcile.Confirm{Exact: true, New: true}, true, true
}

func (b *bench) create() *importer.Session {
	b.Helper()
	s, err := b.CreateSession(b.Context(), me, b.source, importer.Incremental)
	b.do(err)
	return s
}

func record(id, first, last string) importer.Record {
	return importer.Record{ExternalID: id, Profile: map[string]any{
		"userName": strings.ToLower(first) + "@example.com", "email": strings.ToLower(first) + "@example.com", "firstName": first, "lastName": last,
	}}
}

func (b *bench) load(s *importer.Session, batch importer.Batch) {
	b.Helper()
	b.do(b.Load(b.Context(), me, b.source, s.ID, batch))
}

// imported triggers a session and returns what became of it.
func (b *bench) imported(s *importer.Session) *importer.Session {
	b.Helper()
	_, err := b.Trigger(b.Context(), me, b.source, s.ID)
	b.do(err)
	b.do(b.Settle(b.Context()))
	s, err = b.Session(b.Context(), b.source, s.ID)
	b.do(err)
	return s
}

func (b *bench) refused(err error, want importer.Refusal) {
	b.Helper()
	var is importer.Refusal
	if !errors.As(err, &is) || is != want {
		b.Errorf("got %v, want the refusal %q", err, want)
	}
}

func (b *bench) state(s *importer.Session, want importer.State) {
	b.Helper()
	s, err := b.Session(b.Context(), b.source, s.ID)
	b.do(err)
	if s.State != want {
		b.Errorf("the session is %s, want %s", s.State, want)
	}
}

// The states of a session and what each refuses (okta.md 3.2).
func TestSessionStates(t *testing.T) {
	b := newBench(t, api)
	ctx := t.Context()
	first := b.create()
	_, err := b.CreateSession(ctx, me, b.source, importer.Incremental)
	b.refused(err, importer.OneCreated)
	_, err = b.Trigger(ctx, me, b.source, first.ID)
	b.refused(err, importer.NotTriggerable)
	b.load(first, importer.Batch{})
	b.load(first, importer.Batch{DeleteUsers: []string{"nobody"}})
	b.state(first, importer.Created)
	b.load(first, importer.Batch{Users: []importer.Record{record("1", "Ann", "Ash")}})
	b.state(first, importer.InProgress)
	_, err = b.CreateSession(ctx, me, b.source, importer.Incremental)
	b.refused(err, importer.TooSoon)
	b.clock.Step(5 * time.Minute)
	second := b.create()
	b.do(b.CancelSession(ctx, me, b.source, second.ID))
	b.state(second, importer.Closed)
	b.refused(b.CancelSession(ctx, me, b.source, second.ID), importer.NotCancelable)
	b.refused(b.Load(ctx, me, b.source, second.ID, importer.Batch{}), importer.NotLoadable)
	b.done(b.imported(first), map[string]int{"scanned": 1, "added": 1})
	b.refused(b.CancelSession(ctx, me, b.source, first.ID), importer.NotCancelable)

	third := b.create()
	for range importer.MaxRequests {
		b.load(third, importer.Batch{Users: []importer.Record{record("1", "Ann", "Ash")}})
	}
	b.refused(b.Load(ctx, me, b.source, third.ID, importer.Batch{}), importer.TooManyLoads)
	b.clock.Step(24*time.Hour - time.Second)
	b.state(third, importer.InProgress)
	b.clock.Step(time.Second)
	b.state(third, importer.Expired)
	b.refused(b.Load(ctx, me, b.source, third.ID, importer.Batch{}), importer.NotLoadable)
	b.do(b.Settle(ctx))
	b.equal("expired once", b.logged("system.import.session.expired"), 1)

	_, err = b.Session(ctx, b.source, "iisNone")
	b.missing(err, importer.SessionNoun)
	_, err = b.Session(ctx, "0oaNone", first.ID)
	b.missing(err, importer.SourceNoun)
	b.do(b.Directory.SetAppStatus(ctx, me, b.Realm, b.source, directory.Off))
	_, err = b.CreateSession(ctx, me, b.source, importer.Incremental)
	b.refused(err, importer.InactiveSource)
}

func (b *bench) missing(err error, noun directory.Noun) {
	b.Helper()
	var m *directory.Missing
	if !errors.As(err, &m) || m.Noun != noun {
		b.Errorf("got %v, want a missing %s", err, noun)
	}
}

// People, groups and memberships in one session; the last record of each counts.
func TestLoads(t *testing.T) {
	b := newBench(t, api)
	s := b.create()
	b.load(s, importer.Batch{Users: []importer.Record{record("1", "Ann", "Ash"), record("2", "Bob", "Birch"), record("3", "Eve", "Oak")}})
	b.load(s, importer.Batch{
		Users:       []importer.Record{record("1", "Anna", "Ash")},
		DeleteUsers: []string{"3"},
		Groups: []importer.Record{
			{ExternalID: "g1", Profile: map[string]any{"displayName": "Team", "description": "all"}}, {ExternalID: "g2", Profile: map[string]any{"displayName": ""}},
		},
		Memberships: []importer.Membership{{Group: "g1", Members: []string{"1", "2", "nobody"}}, {Group: "none", Members: []string{"1"}}},
	})
	s = b.imported(s)
	b.done(s, map[string]int{"scanned": 3, "added": 2, "skipped": 1})
	b.equal("groups", s.Counts.Groups, importer.GroupCounts{Scanned: 2, Added: 1, Failed: 1})
	b.equal("memberships", s.Counts.Memberships, importer.GroupCounts{Scanned: 4, Added: 2, Failed: 2})
	b.equal("accounts", b.accounts(), map[string]string{"anna@example.com": "PROVISIONED", "bob@example.com": "PROVISIONED"})
	g, err := b.Group(t.Context(), b.source, "g1")
	b.do(err)
	members, err := b.GroupMembers(t.Context(), b.source, g.ID, "", 0)
	b.do(err)
	b.equal("members", members, []string{"1", "2"})
	group, err := b.Directory.Group(t.Context(), b.Realm, g.ID)
	b.do(err)
	b.equal("type", group.Type, directory.AppGroup)

	b.clock.Step(time.Hour)
	s = b.create()
	b.load(s, importer.Batch{DeleteMemberships: []importer.Membership{{Group: "g1", Members: []string{"2"}}}, DeleteGroups: []string{"none"}})
	s = b.imported(s)
	b.equal("memberships", s.Counts.Memberships, importer.GroupCounts{Scanned: 1, Removed: 1})
	b.clock.Step(time.Hour)
	s = b.create()
	b.load(s, importer.Batch{DeleteGroups: []string{"g1"}})
	s = b.imported(s)
	b.equal("groups", s.Counts.Groups, importer.GroupCounts{Scanned: 1, Removed: 1})
	_, err = b.Group(t.Context(), b.source, "g1")
	b.missing(err, importer.GroupNoun)
}

// Sessions of a source are carried out in the order in which they were triggered.
func TestOrder(t *testing.T) {
	b := newBench(t, api)
	first := b.create()
	b.load(first, importer.Batch{Users: []importer.Record{record("1", "Ann", "Ash")}})
	b.clock.Step(time.Hour)
	second := b.create()
	b.load(second, importer.Batch{Users: []importer.Record{record("1", "Bea", "Ash")}})
	b.clock.Step(time.Second)
	_, err := b.Trigger(t.Context(), me, b.source, second.ID)
	b.do(err)
	b.clock.Step(time.Second)
	b.imported(first)
	b.equal("the one triggered last counts", slices.Collect(maps.Keys(b.accounts())), []string{"ann@example.com"})
}

// What a change of a person brings with it: group rules, applications, and the end
// of what he had.
func TestConsequences(t *testing.T) {
	b := newBench(t, nil)
	ctx := t.Context()
	g, err := b.Directory.CreateGroup(ctx, me, b.Realm, map[string]any{"name": "Sales"})
	b.do(err)
	rule, err := b.Directory.CreateRule(ctx, me, b.Realm, directory.RuleDraft{Name: "sales", Expression: `user.department=="Sales"`, Groups: []string{g.ID}})
	b.do(err)
	b.do(b.Directory.ActivateRule(ctx, me, b.Realm, rule.ID))
	app, _, err := b.Directory.CreateApp(ctx, me, b.Realm, directory.AppDraft{Name: "bookmark", Label: "Wiki", Activate: true})
	b.do(err)
	_, err = b.Directory.AssignGroup(ctx, me, b.Realm, app.ID, g.ID, directory.AppGroupDraft{})
	b.do(err)
	all := people(3)
	b.run(all, importer.Full)
	in := func() int {
		stats, err := b.Directory.GroupStats(ctx, b.Realm, []*directory.Group{g})
		b.do(err)
		return stats[0].Users
	}
	users := func() int {
		list, err := b.Directory.AppUsers(ctx, b.Realm, app.ID, "", "", 0)
		b.do(err)
		return len(list)
	}
	b.equal("in the group", in(), 3)
	b.equal("have the application", users(), 3)
	all[0]["department"] = "Legal"
	b.run(all, importer.Full)
	b.equal("in the group after a move", in(), 2)
	b.equal("have the application after a move", users(), 2)
	b.run(all[:2], importer.Full)
	b.equal("have the application after one has left", users(), 1)
}

// Super administrators are not touched by any import.
func TestSuperAdmin(t *testing.T) {
	b := newBench(t, nil)
	all := people(8)
	b.run(all, importer.Full)
	a, err := b.Directory.FindAccount(t.Context(), b.Realm, "Ann0.1000@example.com")
	b.do(err)
	_, err = b.Directory.AssignRole(t.Context(), me, b.Realm, directory.Assignee{ID: a.ID, Type: directory.UserAssignee}, directory.RoleDraft{Type: directory.SuperAdmin})
	b.do(err)
	all[0]["department"] = "Legal"
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 8, "unchanged": 7, "held": 1})
	b.done(b.run(all[1:], importer.Full), map[string]int{"scanned": 7, "unchanged": 7, "held": 1})
	b.equal("status", b.accounts()["Ann0.1000@example.com"], "PROVISIONED")
}

// Who waits to be confirmed is confirmed one by one.
func TestConfirm(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Confirm = reconcile.Confirm{} })
	ctx := t.Context()
	for _, login := range []string{"Ann0.1000@example.com", "kim@example.com"} {
		_, err := b.Directory.CreateAccount(ctx, me, b.Realm, directory.Draft{Activate: true, Profile: map[string]any{
			"login": login, "email": login, "firstName": "Kim", "lastName": "Doe",
		}})
		b.do(err)
	}
	b.done(b.run(people(4), importer.Incremental), map[string]int{"scanned": 4, "held": 4})
	waiting, err := b.Waiting(ctx, b.source, "", 0)
	b.do(err)
	b.equal("waiting", len(waiting), 4)
	b.equal("whom the match found", waiting[0].Login, "Ann0.1000@example.com")
	b.do(b.Confirm(ctx, me, b.source, "1000", importer.IsAccount, ""))
	b.do(b.Confirm(ctx, me, b.source, "1001", importer.IsNew, ""))
	b.do(b.Confirm(ctx, me, b.source, "1002", importer.IsIgnored, ""))
	b.do(b.Confirm(ctx, me, b.source, "1003", importer.IsAccount, "kim@example.com"))
	b.refused(b.Confirm(ctx, me, b.source, "1001", importer.IsNew, ""), importer.NotConfirmable)
	b.missing(b.Confirm(ctx, me, b.source, "9", importer.IsNew, ""), importer.UserNoun)
	b.equal("accounts", b.accounts(), map[string]string{
		"Ann0.1000@example.com": "PROVISIONED", "Ann1.1001@example.com": "PROVISIONED", "Ann3.1003@example.com": "PROVISIONED",
	})
	b.done(b.run(people(4), importer.Incremental), map[string]int{"scanned": 4, "unchanged": 3, "skipped": 1})
}

// The source with the highest priority decides about a person of several.
func TestPriority(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Sourcing.Priority = 2 })
	ctx := t.Context()
	all := people(2)
	b.run(all, importer.Full)
	settings := reconcile.FileSettings()
	other, err := b.PutSource(ctx, me, "Contractors", &importer.Source{Settings: settings})
	b.do(err)
	mine := people(1)
	mine[0]["department"] = "Contractors"
	s, err := b.Importer.Run(ctx, me, other.ID, mine, importer.RunOptions{})
	b.do(err)
	b.done(s, map[string]int{"scanned": 1, "linked": 1})
	all[0]["department"] = "Legal"
	all[1]["department"] = "Legal"
	b.done(b.run(all, importer.Full), map[string]int{"scanned": 2, "updated": 1, "unchanged": 1})
	b.done(b.run(all[1:], importer.Full), map[string]int{"scanned": 1, "unchanged": 1, "removed": 1})
	b.equal("who has another source stays", b.accounts()["Ann0.1000@example.com"], "PROVISIONED")
}

// People come and go on their days, though the source is silent.
func TestDue(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) {
		s.Starts.From, s.Ends.From, s.Zone.Fixed = "start", "end", "Europe/Berlin"
	})
	source := rows{
		person("1", "Ann", "Ash", "start", "2026-03-10", "end", "2026-03-20"),
		person("2", "Bob", "Birch", "start", "", "end", ""),
	}
	b.done(b.run(source, importer.Full), map[string]int{"scanned": 2, "added": 1, "skipped": 1})
	until := func(day int, hour int) {
		b.clock.Step(time.Date(2026, time.March, day, hour, 30, 0, 0, time.UTC).Sub(b.clock.Now()))
		b.do(b.Settle(t.Context()))
	}
	until(9, 22)
	b.equal("the evening before", len(b.accounts()), 1)
	until(9, 23) // 00:30 in Berlin
	b.equal("the first day", b.accounts()["Ann.1@example.com"], "PROVISIONED")
	until(20, 22)
	b.equal("the last day", b.accounts()["Ann.1@example.com"], "PROVISIONED")
	until(20, 23)
	b.equal("the day after", b.accounts()["Ann.1@example.com"], "DEPROVISIONED")
}

// Somebody whose day has come and about whom nothing can be decided is looked at
// again the next day, and not over and over.
func TestDueAndHeld(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Ends.From = "end" })
	b.run(rows{person("1", "Ann", "Ash", "end", "2026-03-03"), person("2", "Bob", "Birch", "end", "")}, importer.Full)
	a, err := b.Directory.FindAccount(t.Context(), b.Realm, "Ann.1@example.com")
	b.do(err)
	_, err = b.Directory.AssignRole(t.Context(), me, b.Realm, directory.Assignee{ID: a.ID, Type: directory.UserAssignee}, directory.RoleDraft{Type: directory.SuperAdmin})
	b.do(err)
	for _, step := range []struct {
		after    time.Duration
		sessions int
	}{{39 * time.Hour, 2}, {24*time.Hour - time.Second, 2}, {time.Second, 3}} {
		b.clock.Step(step.after)
		b.do(b.Settle(t.Context()))
		b.do(b.Settle(t.Context()))
		list, err := b.Sessions(t.Context(), importer.SessionQuery{Source: b.source})
		b.do(err)
		b.equal(fmt.Sprint("sessions at ", b.clock.Now()), len(list), step.sessions)
	}
	b.equal("status", b.accounts()["Ann.1@example.com"], "PROVISIONED")
}

// Single people and groups change at once.
func TestSingly(t *testing.T) {
	b := newBench(t, api)
	ctx := t.Context()
	u, err := b.CreateUser(ctx, me, b.source, record("1", "Ann", "Ash"))
	b.do(err)
	if !strings.HasPrefix(u.ID, "0ua") {
		t.Errorf("id %q, want that of the assignment", u.ID)
	}
	_, err = b.CreateUser(ctx, me, b.source, record("1", "Ann", "Ash"))
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a second person 1: %v", err)
	}
	u, err = b.PatchUser(ctx, me, b.source, importer.Record{ExternalID: "1", Profile: map[string]any{"mobilePhone": "1234"}})
	b.do(err)
	b.equal("patched", u.Profile["lastName"], any("Ash"))
	u, err = b.PutUser(ctx, me, b.source, record("1", "Ann", "Oak"))
	b.do(err)
	b.equal("put", u.Profile["mobilePhone"], nil)
	a, err := b.Directory.FindAccount(ctx, b.Realm, "ann@example.com")
	b.do(err)
	b.equal("last name", a.Text("lastName"), "Oak")
	b.equal("phone", a.Text("mobilePhone"), "")
	g, err := b.CreateGroup(ctx, me, b.source, importer.Record{ExternalID: "g", Profile: map[string]any{"displayName": "Team"}})
	b.do(err)
	b.do(b.AddGroupMembers(ctx, me, b.source, "g", []string{"1"}))
	members, err := b.GroupMembers(ctx, b.source, g.ID, "", 10)
	b.do(err)
	b.equal("members", members, []string{"1"})
	b.do(b.RemoveGroupMember(ctx, me, b.source, g.ID, "1"))
	g, err = b.PutGroup(ctx, me, b.source, g.ID, map[string]any{"displayName": "Crew", "description": "x"})
	b.do(err)
	b.equal("group", g.Profile, map[string]any{"displayName": "Crew", "description": "x"})
	b.do(b.DeleteGroup(ctx, me, b.source, "g"))
	b.do(b.DeleteUser(ctx, me, b.source, "1"))
	_, err = b.User(ctx, b.source, "1")
	b.missing(err, importer.UserNoun)
	b.missing(b.DeleteUser(ctx, me, b.source, "1"), importer.UserNoun)
	b.equal("accounts", b.accounts(), map[string]string{"ann@example.com": "DEPROVISIONED"})
}

// The figures that guards look at are part of what a plan says.
func TestPlanFigures(t *testing.T) {
	b := newBench(t, nil)
	all := people(20)
	b.run(all, importer.Full)
	all[3]["department"] = "Legal"
	for name, change := range map[string]func(*importer.Plan){
		"loaded":   func(p *importer.Plan) { p.Loaded = nil },
		"same":     func(p *importer.Plan) { p.Same++ },
		"scanned":  func(p *importer.Plan) { p.Scanned++ },
		"doubled":  func(p *importer.Plan) { p.Doubled = []string{"1003"} },
		"settings": func(p *importer.Plan) { p.Settings++ },
	} {
		p, err := b.Preview(t.Context(), b.source, all, importer.PreviewOptions{Type: importer.Full})
		b.do(err)
		change(p)
		if _, err := b.Apply(t.Context(), me, p); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: a plan that was changed is answered %v", name, err)
		}
	}
	p, err := b.Preview(t.Context(), b.source, all[:4], importer.PreviewOptions{Type: importer.Full})
	b.do(err)
	p.Rules.Guard.Most, p.Rules.Guard.Percent = 1000, 100
	b.do(p.Seal())
	if _, err := b.Apply(t.Context(), me, p); !fault.Is(err, fault.Invalid) {
		t.Errorf("a plan with guards of its own is answered %v", err)
	}
}

// A delta that was held is made again when somebody else has changed something,
// and held again only if it has become worse.
func TestApprovalOfOldDelta(t *testing.T) {
	for _, test := range []struct {
		name  string
		worse bool
	}{{"no worse", false}, {"worse", true}} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			all := people(20)
			b.run(all[:18], importer.Full)
			s := b.run(all[:6], importer.Full)
			b.equal("phase", s.Phase, importer.Held)
			b.equal("would be removed", s.Counts.Removed, 12)
			a, err := b.Directory.FindAccount(t.Context(), b.Realm, "Ann17.1017@example.com")
			b.do(err)
			if test.worse {
				// Two more are linked, and the source does not have them either.
				for _, n := range []int{18, 19} {
					_, err := b.CreateUser(t.Context(), me, b.source, importer.Record{ExternalID: fmt.Sprint(1000 + n), Profile: map[string]any{
						"userName": all[n]["userName"], "email": all[n]["email"], "firstName": "Ann", "lastName": "Smith",
					}})
					b.do(err)
				}
			} else {
				_, err = b.Directory.Transition(t.Context(), me, b.Realm, a.ID, directory.Deactivate)
				b.do(err)
			}
			_, err = b.Approve(t.Context(), me, s.ID, "really")
			b.do(err)
			b.do(b.Settle(t.Context()))
			s, err = b.Session(t.Context(), b.source, s.ID)
			b.do(err)
			if test.worse {
				b.equal("phase", s.Phase, importer.Held)
				_, err := b.Reject(t.Context(), me, s.ID, "no")
				b.do(err)
				b.state(s, importer.Closed)
				return
			}
			if s.State != importer.Completed || s.Approval == nil || s.Approval.Actor.ID != me.ID {
				t.Errorf("the session is %s %s, approved by %+v", s.State, s.Phase, s.Approval)
			}
		})
	}
}

// What is downloaded cannot run in a spreadsheet.
func TestDownload(t *testing.T) {
	b := newBench(t, nil)
	s := b.run(rows{person("1", "Ann", "Ash", "department", `=cmd|' /C calc'!A0`)}, importer.Full)
	for _, format := range []importer.DownloadFormat{importer.CSV, importer.JSON} {
		var text strings.Builder
		for piece, err := range b.Download(t.Context(), s.ID, format) {
			b.do(err)
			text.Write(piece)
		}
		if format == importer.CSV && !strings.Contains(text.String(), `,'=cmd|`) {
			t.Errorf("a formula in the download:\n%s", text.String())
		}
		if !strings.Contains(text.String(), "Ann.1@example.com") {
			t.Errorf("%s lacks the person:\n%s", format, text.String())
		}
	}
}

// Explain tells each stage, and writes nothing.
func TestExplain(t *testing.T) {
	b := newBench(t, nil)
	all := people(3)
	b.run(all, importer.Full)
	all[1]["department"] = "Legal"
	before := b.store.updates.Load()
	trace, err := b.Explain(t.Context(), b.source, "Ann1.1001@example.com", all)
	b.do(err)
	b.equal("writes", b.store.updates.Load(), before)
	var stages []string
	for _, step := range trace.Steps {
		stages = append(stages, step.Stage)
	}
	b.equal("stages", stages, []string{"found", "scoped", "matched", "mapped", "acted"})
	b.equal("action", trace.Decision.Action, reconcile.Update)
	b.equal("place", trace.Found[0].Place, "people.csv:3")
	if trace, err = b.Explain(t.Context(), b.source, "nobody", all); err != nil || len(trace.Steps) != 1 {
		t.Errorf("of nobody: %+v, %v", trace, err)
	}
}

// Sessions are kept as long as their source says, seven days at least.
func TestRetention(t *testing.T) {
	b := newBench(t, nil)
	s := b.run(people(1), importer.Full)
	source, err := b.Source(t.Context(), b.source)
	b.do(err)
	source.Keep = 1
	_, err = b.PutSource(t.Context(), me, "HR", source)
	b.do(err)
	b.clock.Step(7 * 24 * time.Hour)
	b.do(b.Settle(t.Context()))
	b.state(s, importer.Completed)
	b.clock.Step(time.Hour)
	b.do(b.Settle(t.Context()))
	_, err = b.Session(t.Context(), b.source, s.ID)
	b.missing(err, importer.SessionNoun)
}

// The system log tells the phases of an import in Okta's order (okta.md 3.3), and
// what the session itself logs does not make its delta old.
func TestLogOfPhases(t *testing.T) {
	b := newBench(t, nil)
	for kind, absent := range map[importer.Type][]string{
		importer.Incremental: nil, importer.Full: {"implicit_deletion.start", "implicit_deletion.complete"},
	} {
		var before int64
		b.do(b.Store.View(t.Context(), func(r importer.Reader) (err error) { before, err = r.LastChange(); return err }))
		s := b.run(rows{person("1", "Ann", string(kind))}, kind)
		if s.Doubt {
			t.Error("the session doubts what it has logged itself")
		}
		list, err := b.Directory.Changes(t.Context(), directory.ChangeQuery{Realm: b.Realm}, 0, nil)
		b.do(err)
		var got []string
		for _, c := range list {
			if name, ours := strings.CutPrefix(c.Kind, "system.import."); ours && c.Seq > before && !strings.HasPrefix(name, "user.update") && name != "user.create" {
				got = append(got, name)
			}
		}
		b.equal("phases", got, slices.Concat(
			[]string{
				"session.created", "session.triggered", "schedule", "start", "download.start", "download.complete",
				"object_creation.start", "object_creation.complete", "user_matching.start", "user_matching.complete",
			}, absent,
			[]string{"membership_processing.start", "membership_processing.complete", "user.complete", "group.complete", "group_membership.complete", "complete"}))
	}
}

// A label that two applications have names neither of them.
func TestSourceOfTwoWithOneLabel(t *testing.T) {
	b := newBench(t, nil)
	app, _, err := b.Directory.CreateApp(t.Context(), me, directory.OktaRealm, directory.AppDraft{Name: importer.AppName, Label: "HR", SignOnMode: directory.AutoLogin, Activate: true})
	b.do(err)
	_, err = b.FindSource(t.Context(), "HR")
	_, stored := b.PutSource(t.Context(), me, "HR", &importer.Source{Settings: reconcile.FileSettings()})
	for _, err := range []error{err, stored} {
		if said := fault.Public(err); !fault.Is(err, fault.Conflict) || !strings.Contains(said, b.source) || !strings.Contains(said, app.ID) {
			t.Errorf("a label that two have: %v", said)
		}
	}
	if s, err := b.FindSource(t.Context(), b.source); err != nil || s.ID != b.source {
		t.Errorf("by its id: %v, %v", s, err)
	}
}
