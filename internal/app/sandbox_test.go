package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// brief is a store of a process that ends after some updates.
type brief struct {
	directory.Store
	left int
}

var errEnded = errors.New("the process has ended")

func (s *brief) Update(ctx context.Context, f func(directory.Tx) error) error {
	if s.left--; s.left < 0 {
		return errEnded
	}
	return s.Store.Update(ctx, f)
}

// TestSandboxResumesRules makes sure that what a process before left undone of
// group rules is finished when the sandbox opens.
func TestSandboxResumesRules(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := sqlitetest.Open(t)
	d := directory.New(db.Directory())
	if err := directory.Seed(ctx, d); err != nil {
		t.Fatal(err)
	}
	g, err := d.CreateGroup(ctx, directory.System("test"), directory.OktaRealm, map[string]any{"name": "G"})
	if err != nil {
		t.Fatal(err)
	}
	draft := directory.RuleDraft{Name: "R", Expression: fmt.Sprintf("isMemberOfGroup(%q)", directory.EngineeringGroup), Groups: []string{g.ID}}
	rule, err := d.CreateRule(ctx, directory.System("test"), directory.OktaRealm, draft)
	if err != nil {
		t.Fatal(err)
	}
	d.Store = &brief{d.Store, 1}
	if err := d.ActivateRule(ctx, directory.System("test"), directory.OktaRealm, rule.ID); !errors.Is(err, errEnded) {
		t.Fatalf("ActivateRule = %v", err)
	}
	count := func(group string) int {
		list, err := d.Accounts(ctx, directory.AccountQuery{Realm: directory.OktaRealm, Group: group}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := count(g.ID); n != 0 {
		t.Fatalf("%d members before the restart", n)
	}
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	stage := &rehearsal.Stage{Clock: rehearsal.NewClock(time.Now)}
	if _, err := openSandbox(ctx, db, key, stage, config.Sandbox{}, false, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if got, want := count(g.ID), count(directory.EngineeringGroup); got != want || want == 0 {
		t.Errorf("%d members after the restart, want %d", got, want)
	}
}
