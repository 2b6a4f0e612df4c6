package provision_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/provision"
)

// A changed login is the new name there; one that was set by hand stays.
func TestRenamed(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.assign("ada@example.com")
	b.join("bob@example.com")
	byHand := "robert"
	_, err := b.engine.Directory.AssignUser(t.Context(), me, org, b.app, b.ids["bob@example.com"], directory.AppUserDraft{UserName: &byHand})
	b.do(err)
	b.settle()
	b.edit("ada@example.com", map[string]any{"login": "eve@example.com"})
	b.edit("bob@example.com", map[string]any{"login": "rob@example.com"})
	b.settle()
	b.equal("active", b.fake.active(), []string{"eve@example.com", "robert"})
	b.equal("accounts", len(b.fake.users), 2)
}

// Who was suspended when he was assigned is provisioned when he is not any more.
func TestAssignedWhileSuspended(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.join("ada@example.com")
	turn := func(op directory.Operation) {
		t.Helper()
		_, err := b.engine.Directory.Transition(t.Context(), me, org, b.ids["ada@example.com"], op)
		b.do(err)
	}
	turn(directory.Suspend)
	b.assign("ada@example.com")
	b.settle()
	b.equal("active", b.fake.active(), []string(nil))
	turn(directory.Unsuspend)
	b.settle()
	b.equal("active", b.fake.active(), []string{"ada@example.com"})
}

// What failed because of a mapping is tried again when the mapping is mended.
func TestMendedMapping(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	set := func(expression string) {
		t.Helper()
		b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Name: "title", Expression: expression}})
	}
	set("Convert.toInt(user.firstName)")
	b.assign("ada@example.com")
	b.settle()
	b.equal("dead", len(b.jobs(provision.Dead)), 1)
	set("user.title")
	b.settle()
	b.equal("dead", len(b.jobs(provision.Dead)), 0)
	b.equal("active", b.fake.active(), []string{"ada@example.com"})
}

// A quarantine ends with a test that succeeds, and is looked into at once when
// the settings have changed.
func TestQuarantineEnds(t *testing.T) {
	for _, test := range []struct {
		name    string
		command provision.Command
	}{
		{"test", provision.Command{Do: provision.TestTarget}},
		{"settings", provision.Command{Do: provision.SetTarget, Target: &provision.TargetChange{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, provision.Wizard, nil)
			b.fake.fail = refuse(401)
			b.assign("ada@example.com")
			b.settle()
			if b.condition().Quarantine == nil {
				t.Fatal("the target is not in quarantine")
			}
			b.fake.fail = nil
			b.ask(test.command)
			b.settle() // no time has passed
			if q := b.condition().Quarantine; q != nil {
				t.Errorf("still in quarantine: %+v", q)
			}
			b.equal("active", b.fake.active(), []string{"ada@example.com"})
		})
	}
}

// What a target says of an error is shown and kept, but not the credential that
// it repeats, and not at any length.
func TestAnswerThatRepeatsTheCredential(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.fake.fail = func(r *http.Request) failure {
		return failure{status: 400, body: `{"detail":"you sent ` + r.Header.Get("Authorization") + strings.Repeat(" no", 1000) + `"}`}
	}
	b.assign("ada@example.com")
	b.settle()
	dead := b.jobs(provision.Dead)
	if len(dead) != 1 || !strings.Contains(dead[0].Error, "you sent") {
		t.Fatalf("%+v", dead)
	}
	const token = "s3cret-token"
	if strings.Contains(dead[0].Error, token) {
		t.Errorf("the credential is in %q", dead[0].Error)
	}
	if n := len(dead[0].Error); n > 1200 {
		t.Errorf("%d bytes are kept", n)
	}
	b.fake.fail = refuse(302)
	_, err := b.desk().Do(t.Context(), provision.Command{Do: provision.TestTarget, App: b.app})
	if err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("of a redirect: %v", err)
	}
}

// The System Log tells what was done, once, and the queue does not follow it.
func TestEvents(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	b.assign("ada@example.com")
	b.group("Sales", "ada@example.com")
	push := b.push("Sales")
	b.settle()
	b.edit("ada@example.com", map[string]any{"title": "Chief"})
	_, err := b.engine.Directory.ReplaceGroup(t.Context(), me, org, b.ids["Sales"], map[string]any{"name": "Selling"})
	b.do(err)
	b.settle()
	b.fake.fail = on("PATCH", "", failure{status: 400})
	_, err = b.engine.Directory.ReplaceGroup(t.Context(), me, org, b.ids["Sales"], map[string]any{"name": "Sold"})
	b.do(err)
	b.settle()
	b.fake.fail = nil
	b.do(b.settings.RemovePush(t.Context(), me, b.app, push, true))
	b.unassign("ada@example.com")
	b.settle()
	b.settle()
	changes, err := b.engine.Directory.Changes(t.Context(), directory.ChangeQuery{Realm: org}, 0, nil)
	b.do(err)
	var told []string
	for _, c := range changes {
		if kind, ok := strings.CutPrefix(c.Kind, "application.provision."); ok && c.Actor.ID == directory.System("provisioning").ID {
			told = append(told, strings.TrimSpace(kind+" "+c.Outcome.Result))
		}
	}
	slices.Sort(told)
	b.equal("told", told, []string{
		"group.add",
		"group_push.delete_appgroup",
		"group_push.mapping.update.or.delete.failed.with.error FAILURE",
		"group_push.pushed",
		"group_push.updated",
		"user.deactivate",
		"user.push",
		"user.push_profile",
	})
}
