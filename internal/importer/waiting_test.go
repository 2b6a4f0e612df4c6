package importer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

func dated(s *reconcile.Settings) { s.Starts.From, s.Ends.From = "start", "end" }

// Who was to come and is not in a full source any more does not come.
func TestWithdrawn(t *testing.T) {
	b := newBench(t, dated)
	stays := person("2", "Bob", "Birch", "start", "", "end", "")
	b.done(b.run(rows{person("1", "Ann", "Ash", "start", "2026-03-10", "end", ""), stays}, importer.Full), map[string]int{"scanned": 2, "added": 1, "skipped": 1})
	b.done(b.run(rows{stays}, importer.Full), map[string]int{"scanned": 1, "unchanged": 1, "skipped": 1})
	b.clock.Step(20 * 24 * time.Hour)
	b.do(b.Settle(t.Context()))
	b.equal("accounts", len(b.accounts()), 1)
}

// A plan is stale once a day has come that decides about somebody in it.
func TestPlanOfYesterday(t *testing.T) {
	b := newBench(t, dated)
	for _, row := range []reconcile.Row{
		person("1", "Ann", "Ash", "start", "", "end", "2026-03-02"),
		person("2", "Bob", "Birch", "start", "2026-03-03", "end", ""),
	} {
		name, source := row["id"], rows{row}
		p, err := b.Preview(t.Context(), b.source, source, importer.PreviewOptions{})
		b.do(err)
		b.clock.Step(24 * time.Hour)
		if _, err := b.Apply(t.Context(), me, p); !fault.Is(err, fault.Stale) {
			t.Errorf("%v: the plan of yesterday is answered %v", name, err)
		}
		b.clock.Step(-24 * time.Hour)
		if _, err := b.Apply(t.Context(), me, p); err != nil {
			t.Errorf("%v: the plan of today: %v", name, err)
		}
		b.equal("accounts", len(b.accounts()), 1)
	}
}

// A session that waits is decided for the day on which it is carried out: one that
// was held itself, and one behind it.
func TestDaysPassWhileHeld(t *testing.T) {
	for _, behind := range []bool{false, true} {
		b := newBench(t, dated)
		all := people(20)
		for _, row := range all {
			row["start"], row["end"] = "", ""
		}
		b.run(all, importer.Full)
		leaver := func(id, name string) reconcile.Row { return person(id, name, "Ash", "start", "", "end", "2026-03-03") }
		held := b.run(append(all[:9:9], leaver("1", "Ann")), importer.Full)
		b.equal("phase", held.Phase, importer.Held)
		other := held
		if behind {
			other = b.run(rows{leaver("2", "Bob")}, importer.Incremental)
		}
		b.clock.Step(72 * time.Hour)
		_, err := b.Approve(t.Context(), me, held.ID, "")
		b.do(err)
		b.do(b.Settle(t.Context()))
		b.state(held, importer.Completed)
		b.state(other, importer.Completed)
		for _, login := range []string{"Ann.1@example.com", "Bob.2@example.com"} {
			if status, is := b.accounts()[login]; is {
				t.Errorf("%s was made %s after his last day", login, status)
			}
		}
	}
}

// What a source lets go of belongs to the next one at once, which says nothing new.
func TestHandOver(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Removal = reconcile.RemovalIsNothing })
	ctx := t.Context()
	all := people(3)
	b.run(all, importer.Full)
	settings := reconcile.FileSettings()
	settings.Sourcing.Priority = 2
	other, err := b.PutSource(ctx, me, "Contractors", &importer.Source{Settings: settings})
	b.do(err)
	mine := people(1)
	mine[0]["department"] = "Contractors"
	load := func() *importer.Session {
		s, err := b.Importer.Run(ctx, me, other.ID, mine, importer.RunOptions{})
		b.do(err)
		return s
	}
	b.done(load(), map[string]int{"scanned": 1, "linked": 1})
	b.done(load(), map[string]int{"scanned": 1, "unchanged": 1})
	b.done(b.run(all[1:], importer.Full), map[string]int{"scanned": 2, "unchanged": 2, "removed": 1})
	b.done(load(), map[string]int{"scanned": 1, "updated": 1})
	a, err := b.Directory.FindAccount(ctx, b.Realm, "Ann0.1000@example.com")
	b.do(err)
	b.equal("department", a.Text("department"), "Contractors")
}

// Who comes first among sources may change: what the next one says counts then, also
// of people of whom it says nothing new.
func TestPriorityChanges(t *testing.T) {
	for name, change := range map[string]func(b *bench) error{
		"another priority": func(b *bench) error {
			s, err := b.Source(b.Context(), b.source)
			b.do(err)
			s.Settings.Sourcing.Priority = 9
			_, err = b.PutSource(b.Context(), me, s.Label, s)
			return err
		},
		"no more": func(b *bench) error { return b.RemoveSource(b.Context(), me, b.source) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(s *reconcile.Settings) { s.Sourcing.Priority = 1 })
			all := people(3)
			b.run(all, importer.Full)
			settings := reconcile.FileSettings()
			settings.Sourcing.Priority = 2
			other, err := b.PutSource(t.Context(), me, "Contractors", &importer.Source{Settings: settings})
			b.do(err)
			mine := people(2)
			mine[0]["department"] = "Contractors"
			load := func() *importer.Session {
				s, err := b.Importer.Run(t.Context(), me, other.ID, mine, importer.RunOptions{})
				b.do(err)
				return s
			}
			b.done(load(), map[string]int{"scanned": 2, "linked": 2})
			b.done(load(), map[string]int{"scanned": 2, "unchanged": 2})
			b.do(change(b))
			b.done(load(), map[string]int{"scanned": 2, "updated": 1, "unchanged": 1})
			b.done(load(), map[string]int{"scanned": 2, "unchanged": 2})
		})
	}
}

// What would come to nothing is refused where one person is changed at once.
func TestHeldSingly(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) {
		api(s)
		s.Reactivate = reconcile.Reactivation{}
	})
	ctx := t.Context()
	for _, id := range []string{"1", "2"} {
		_, err := b.CreateUser(ctx, me, b.source, record(id, "Ann"+id, "Ash"))
		b.do(err)
	}
	_, err := b.CreateGroup(ctx, me, b.source, importer.Record{ExternalID: "g", Profile: map[string]any{"displayName": "Team"}})
	b.do(err)
	b.do(b.AddGroupMembers(ctx, me, b.source, "g", []string{"1", "2"}))
	b.do(b.DeleteUser(ctx, me, b.source, "1"))
	members, err := b.GroupMembers(ctx, b.source, "g", "", 10)
	b.do(err)
	b.equal("members", members, []string{"2"})
	refused := func(what string, err error, why string) {
		t.Helper()
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", what, err, why)
		}
	}
	_, err = b.CreateUser(ctx, me, b.source, record("1", "Ann1", "Ash"))
	refused("who may not be reactivated", err, "may not reactivate")
	a, err := b.Directory.FindAccount(ctx, b.Realm, "ann2@example.com")
	b.do(err)
	_, err = b.Directory.AssignRole(ctx, me, b.Realm, directory.Assignee{ID: a.ID, Type: directory.UserAssignee}, directory.RoleDraft{Type: directory.SuperAdmin})
	b.do(err)
	_, err = b.PutUser(ctx, me, b.source, record("2", "Ann2", "Oak"))
	refused("a change of a super administrator", err, "super administrator")
	refused("the end of a super administrator", b.DeleteUser(ctx, me, b.source, "2"), "super administrator")
	b.equal("accounts", b.accounts(), map[string]string{"ann1@example.com": "DEPROVISIONED", "ann2@example.com": "PROVISIONED"})
}

// Who is not in the source any more is explained as an import would treat him.
func TestExplainAbsent(t *testing.T) {
	for mode, want := range map[reconcile.Mode]reconcile.Action{reconcile.Full: reconcile.Deactivate, reconcile.Incremental: reconcile.Unchanged} {
		b := newBench(t, func(s *reconcile.Settings) { s.Mode = mode })
		all := people(3)
		b.run(all, importer.Full)
		trace, err := b.Explain(t.Context(), b.source, "1000", all[1:])
		b.do(err)
		b.equal("action, "+string(mode), trace.Decision.Action, want)
		if text := trace.Steps[0].Text; !strings.Contains(text, "does not have id 1000 any more") {
			t.Errorf("%s: found %q", mode, text)
		}
	}
}
