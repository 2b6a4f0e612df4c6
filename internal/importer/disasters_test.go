package importer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
)

// Whatever goes wrong with a source, no account ends that nobody approved, and the
// session is held or has failed, with its reason.
func TestDisasters(t *testing.T) {
	all, err := reconciletest.Disasters()
	if err != nil {
		t.Fatal(err)
	}
	shared := newBench(t, nil)
	_, each := thorough()
	for i, d := range all {
		elsewhere := d.Other == nil && d.Admins == nil && d.Left.Rows == nil
		if !each && elsewhere && (i%6 != 0 || len(d.Before.Rows) > 300) { // package reconcile suffers all of them
			continue
		}
		if len(d.Roles) > 0 { // cannot come about here: the directory keeps roles from groups that rules fill
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			b := shared.realm(fmt.Sprint("d", i))
			b.T = t
			b.AtOnce(50)
			b.suffer(d)
		})
	}
}

// before brings the people of a disaster in, and makes its source the bench's.
func (b *bench) before(d *reconciletest.Disaster) {
	ctx := b.Context()
	everybody := len(d.Before.Rows)
	use := func(label string, settings reconcile.Settings) {
		s, err := b.PutSource(ctx, me, label, &importer.Source{Settings: settings})
		b.do(err)
		b.source = s.ID
	}
	if d.Other != nil {
		settings := d.Import
		settings.Sourcing.Priority = d.Other.Priority
		use(d.Other.Name, settings)
		b.done(b.run(d.Before.Rows, ""), map[string]int{"scanned": everybody, "added": everybody})
	}
	use("HR", d.Import)
	switch {
	case d.Other != nil && d.Other.Joined:
		s, err := b.Importer.Approve(ctx, me, b.run(d.Before.Rows, "").ID, "both have them")
		b.do(err)
		b.do(b.Settle(ctx))
		s, err = b.Session(ctx, b.source, s.ID)
		b.do(err)
		b.done(s, map[string]int{"scanned": everybody, "linked": everybody})
	case d.Other == nil && everybody > 0:
		b.done(b.run(d.Before.Rows, ""), map[string]int{"scanned": everybody, "added": everybody})
	}
	if d.Left.Rows != nil {
		if s := b.run(d.Left.Rows, ""); s.State != importer.Completed {
			b.Fatalf("those who leave before are held because of %v", s.Holds)
		}
	}
	for id, role := range d.Admins {
		u, err := b.User(ctx, b.source, id)
		b.do(err)
		_, err = b.Directory.AssignRole(ctx, me, b.Realm, directory.Assignee{ID: u.Account, Type: directory.UserAssignee}, directory.RoleDraft{Type: directory.RoleType(role)})
		b.do(err)
	}
}

func (b *bench) suffer(d *reconciletest.Disaster) {
	ctx := b.Context()
	b.clock.Step(d.Before.At.Sub(b.clock.Now()))
	b.before(d)
	was := b.accounts()
	b.clock.Step(d.Now.At.Sub(b.clock.Now()))
	var source importer.Rows = rows(d.Now.Rows)
	if d.Now.Fails {
		source = down{d.Now.Rows}
	}
	session, err := b.Importer.Run(ctx, me, b.source, source, importer.RunOptions{})
	for login, status := range b.accounts() {
		if status != was[login] && status != string(directory.Provisioned) && status != string(directory.Active) && status != string(directory.Staged) {
			b.Errorf("%s is %s", login, status)
		}
	}
	if (err != nil) != d.Expect.Fails {
		b.Fatalf("fails: %v, expected: %t", err, d.Expect.Fails)
	}
	if err != nil {
		last, err := b.Sessions(ctx, importer.SessionQuery{Source: b.source, Limit: 1})
		b.do(err)
		if last[0].State != importer.Failed || last[0].Error == "" {
			b.Errorf("the session is %s: %q", last[0].State, last[0].Error)
		}
		return
	}
	var codes []reconcile.Code
	for _, r := range session.Holds {
		codes = append(codes, r.Code)
	}
	for _, code := range d.Expect.Holds {
		if session.Phase != importer.Held || !slices.Contains(codes, code) {
			b.Errorf("the session is %s %s because of %v, not of %s", session.State, session.Phase, codes, code)
		}
	}
	if len(d.Expect.Holds) == 0 && session.State != importer.Completed {
		b.Errorf("the session is %s %s because of %v", session.State, session.Phase, codes)
	}
	entities, err := b.Entities(ctx, importer.EntityQuery{Session: session.ID})
	b.do(err)
	for _, code := range d.Expect.People {
		if !slices.ContainsFunc(entities, func(e importer.Entity) bool { return e.Code == code && e.Reason != "" && e.Remedy != "" }) {
			b.Errorf("nobody is held because of %s", code)
		}
	}
	if d.Expect.Same && len(entities) > 0 {
		b.Errorf("%d are not as they were: %+v", len(entities), entities[0].Decision)
	}
	if session.Counts.Failed < d.Expect.Errors {
		b.Errorf("%d rows failed, not %d", session.Counts.Failed, d.Expect.Errors)
	}
}
