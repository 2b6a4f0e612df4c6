package importer_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
)

// breaking is a source that breaks off behind its rows.
type breaking struct{ rows }

func (b breaking) Rows(ctx context.Context) iter.Seq2[importer.Located, error] {
	return func(yield func(importer.Located, error) bool) {
		for row, err := range b.rows.Rows(ctx) {
			if !yield(row, err) {
				return
			}
		}
		yield(importer.Located{}, fault.New(fault.Unavailable, "the source broke off"))
	}
}

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
		if !each && (i%4 != 0 || len(d.Before.Rows) > 300) { // package reconcile suffers all of them
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

func (b *bench) suffer(d *reconciletest.Disaster) {
	ctx := b.Context()
	s, err := b.PutSource(ctx, me, "HR", &importer.Source{Settings: d.Import})
	b.do(err)
	b.source = s.ID
	b.clock.Step(d.Before.At.Sub(b.clock.Now()))
	if len(d.Before.Rows) > 0 {
		b.done(b.run(d.Before.Rows, ""), map[string]int{"scanned": len(d.Before.Rows), "added": len(d.Before.Rows)})
	}
	b.clock.Step(d.Now.At.Sub(b.clock.Now()))
	var source importer.Rows = rows(d.Now.Rows)
	if d.Now.Fails {
		source = breaking{d.Now.Rows}
	}
	session, err := b.Importer.Run(ctx, me, b.source, source, importer.RunOptions{})
	for login, status := range b.accounts() {
		if status != string(directory.Provisioned) && status != string(directory.Active) && status != string(directory.Staged) {
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
	if session.Counts.Failed < d.Expect.Errors {
		b.Errorf("%d rows failed, not %d", session.Counts.Failed, d.Expect.Errors)
	}
}
