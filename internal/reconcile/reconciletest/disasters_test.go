package reconciletest_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
)

// TestDisasters lets everything go wrong that is in the data.
func TestDisasters(t *testing.T) {
	t.Parallel()
	all, err := reconciletest.Disasters()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("there are %d disasters, fewer than 25", len(all))
	}
	for _, d := range all {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			suffer(t, d)
		})
	}
}

func suffer(t *testing.T, d *reconciletest.Disaster) {
	t.Helper()
	world := reconciletest.NewWorld()
	if len(d.Before.Rows) > 0 {
		first := world.Run(rules(t, d.Import, d.Before.Rows), reconciletest.Session{Rows: d.Before.Rows, Now: d.Before.At, Read: true})
		if len(first.Held) > 0 || first.Count(reconcile.Create) != len(d.Before.Rows) {
			t.Fatalf("the first session creates %d of %d people and is held because of %v", first.Count(reconcile.Create), len(d.Before.Rows), first.Held)
		}
	}
	if d.Other != nil {
		world.HandOver(&reconcile.Owner{Name: d.Other.Name, Priority: d.Other.Priority})
	}
	if d.Other != nil && d.Other.Joined {
		joining := world.Run(rules(t, d.Import, d.Before.Rows), reconciletest.Session{
			Rows: d.Before.Rows, Now: d.Before.At, Read: true, Allowed: []reconcile.Allowance{{Code: reconcile.TakeOver, Count: len(d.Before.Rows)}},
		})
		if len(joining.Held) > 0 || joining.Count(reconcile.LinkTo) != len(d.Before.Rows) {
			t.Fatalf("%d of %d people are linked by both sources, held because of %v", joining.Count(reconcile.LinkTo), len(d.Before.Rows), joining.Held)
		}
	}
	if d.Left.Rows != nil {
		if out := world.Run(rules(t, d.Import, d.Before.Rows), reconciletest.Session{Rows: d.Left.Rows, Now: d.Left.At, Read: true}); len(out.Held) > 0 {
			t.Fatalf("those who leave before are held because of %v", out.Held)
		}
	}
	statuses := map[string]directory.Status{}
	for id, a := range world.Accounts {
		statuses[id] = a.Status
	}
	for id, role := range d.Admins {
		world.Roles[world.Links[id].Account] = role
	}
	if d.Now.Fails || d.Import.CheckColumns(reconciletest.Headings(d.Now.Rows)) != nil {
		if !d.Expect.Fails {
			t.Error("the session fails, which is not expected")
		}
		return // nothing comes of a session that fails: package importer
	}
	known := d.Before.Rows
	if len(known) == 0 {
		known = d.Now.Rows
	}
	out := world.Run(rules(t, d.Import, known), reconciletest.Session{Rows: d.Now.Rows, Now: d.Now.At, Read: true, Roles: d.Roles})
	check(t, d, out)
	for id, a := range world.Accounts {
		if want := cmp.Or(statuses[id], directory.Active); a.Status != want {
			t.Errorf("account %s is %s, not %s", id, a.Status, want)
		}
	}
}

func rules(t *testing.T, s reconcile.Settings, rows []reconcile.Row) *reconcile.Rules {
	t.Helper()
	s, _, err := s.Complete(reconciletest.Headings(rows), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func check(t *testing.T, d *reconciletest.Disaster, out *reconciletest.Outcome) {
	t.Helper()
	var codes []reconcile.Code
	for _, r := range out.Held {
		codes = append(codes, r.Code)
		if r.Text == "" || r.Remedy == "" || r.Count <= r.Limit {
			t.Errorf("the reason %+v does not say enough", r)
		}
		t.Logf("%s: %s %s (%d > %d)", r.Code, r.Text, r.Remedy, r.Count, r.Limit)
	}
	for _, code := range d.Expect.Holds {
		if !slices.Contains(codes, code) {
			t.Errorf("it is held because of %v and not of %s", codes, code)
		}
	}
	if len(d.Expect.Holds) == 0 && len(codes) > 0 {
		t.Errorf("it is held because of %v", codes)
	}
	if d.Expect.Fails {
		t.Error("the session does not fail")
	}
	for id, decision := range out.Decisions {
		if d.Expect.Same && decision.Action != reconcile.Unchanged {
			t.Errorf("%s is to %s: %v", id, decision.Action, decision.After)
		}
	}
	if len(out.Errors) < d.Expect.Errors {
		t.Errorf("%d rows cannot be read, not %d", len(out.Errors), d.Expect.Errors)
	}
	for _, code := range d.Expect.People {
		found := false
		for _, decision := range out.Decisions {
			found = found || decision.Code == code && decision.Reason != "" && decision.Remedy != ""
		}
		if !found {
			t.Errorf("nobody is held because of %s", code)
		}
	}
}
