package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

// rule makes a rule that fills groups, and activates it.
func (b bench) rule(name, expression string, groups ...string) string {
	b.t.Helper()
	r, err := b.CreateRule(b.t.Context(), me, org, directory.RuleDraft{Name: name, Expression: expression, Groups: groups})
	if err != nil {
		b.t.Fatalf("CreateRule(%s): %v", name, err)
	}
	b.do(b.ActivateRule(b.t.Context(), me, org, r.ID))
	return r.ID
}

// person makes an ACTIVE account with a title.
func (b bench) person(name, title string) string {
	b.t.Helper()
	d := withPassword(draft(name + "@example.com"))
	d.Activate, d.Profile["title"] = true, title
	return b.create(d).ID
}

func (b bench) retitle(id, title string) {
	b.t.Helper()
	_, err := b.EditAccount(b.t.Context(), me, org, id, directory.Edit{Profile: map[string]any{"title": title}})
	b.do(err)
}

// members returns the ids of the members of a group.
func (b bench) members(group string) []string {
	b.t.Helper()
	list, err := b.Accounts(b.t.Context(), directory.AccountQuery{Realm: org, Group: group}, 0, nil)
	b.do(err)
	out := []string{}
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func (b bench) wantMembers(group string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), b.members(group)); diff != "" {
		b.t.Errorf("members: - want + got\n%s", diff)
	}
}

// logged returns how many events of a kind the log has.
func (b bench) logged(kind string) int {
	b.t.Helper()
	list, err := b.Changes(b.t.Context(), directory.ChangeQuery{Realm: org, Kind: kind}, 0, nil)
	b.do(err)
	return len(list)
}

func TestRuleFollowsProfiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("Engineers")
	early := b.person("early", "Engineer")
	other := b.person("other", "Clerk")
	rule := b.rule("R", `user.title == "Engineer"`, g)
	b.wantMembers(g, early)

	late := b.person("late", "Engineer")
	b.wantMembers(g, early, late)
	b.retitle(other, "Engineer")
	b.wantMembers(g, early, other, late)
	b.retitle(early, "Clerk")
	b.wantMembers(g, other, late)

	b.do(b.DeactivateRule(t.Context(), me, org, rule))
	b.retitle(late, "Clerk")
	b.person("last", "Engineer")
	b.wantMembers(g, other, late)

	// Adds and removals are logged as those of the rules.
	for kind, want := range map[string]int{"group.user_membership.add": 3, "group.user_membership.remove": 1, "group.user_membership.rule.trigger": 1, "group.user_membership.rule.deactivated": 1, "policy.rule.add": 1} {
		if got := b.logged(kind); got != want {
			t.Errorf("%d events %s, want %d", got, kind, want)
		}
	}
	changes, err := b.Changes(t.Context(), directory.ChangeQuery{Kind: "group.user_membership.add"}, 0, nil)
	b.do(err)
	if c := changes[0]; c.Actor.ID != "group rules" || c.Actor.Type != directory.SystemActor || len(c.Targets) != 2 {
		t.Errorf("logged by %+v about %+v", c.Actor, c.Targets)
	}
}

// TestRuleKeepsHandmade makes sure that a rule does not touch who is in by hand.
func TestRuleKeepsHandmade(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("Engineers")
	hand, auto := b.person("hand", "Engineer"), b.person("auto", "Engineer")
	b.do(b.AddMember(t.Context(), me, org, g, hand))
	rule := b.rule("R", `user.title == "Engineer"`, g)
	b.retitle(hand, "Clerk")
	b.retitle(auto, "Clerk")
	b.wantMembers(g, hand)
	b.retitle(auto, "Engineer")
	b.do(b.DeactivateRule(t.Context(), me, org, rule))
	b.do(b.DeleteRule(t.Context(), me, org, rule, true))
	b.wantMembers(g, hand)
}

// TestEditedRule is what Okta's Go SDK asks for: a rule that is activated again
// removes whom it had added and who does not match any more.
func TestEditedRule(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("Engineers")
	one := b.person("one", "Engineer")
	two := b.person("two", "Clerk")
	rule := b.rule("R", `user.title == "Engineer"`, g)
	b.do(b.DeactivateRule(t.Context(), me, org, rule))
	b.wantMembers(g, one)
	_, err := b.ReplaceRule(t.Context(), me, org, rule, directory.RuleDraft{Name: "R2", Expression: `user.title == "Clerk"`, Groups: []string{g}})
	b.do(err)
	b.wantMembers(g, one)
	b.do(b.ActivateRule(t.Context(), me, org, rule))
	b.wantMembers(g, two)
}

func TestTwoRulesOneGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	p := b.person("p", "Staff Engineer")
	one := b.rule("One", `String.startsWith(user.title, "Staff")`, g)
	b.rule("Two", `String.stringContains(user.title, "Engineer")`, g)
	adds := b.logged("group.user_membership.add")
	b.retitle(p, "Engineer")
	b.wantMembers(g, p)
	b.retitle(p, "Staff")
	b.wantMembers(g, p)
	if got := b.logged("group.user_membership.add"); got != adds {
		t.Errorf("going from rule to rule was logged as %d joins", got-adds)
	}
	b.do(b.DeactivateRule(t.Context(), me, org, one))
	b.do(b.DeleteRule(t.Context(), me, org, one, true))
	b.wantMembers(g)
}

func TestDeleteRule(t *testing.T) {
	t.Parallel()
	for _, remove := range []bool{false, true} {
		b := newBench(t)
		one, two := b.group("One"), b.group("Two")
		p := b.person("p", "Engineer")
		rule := b.rule("R", `user.title == "Engineer"`, one, two)
		if err := b.DeleteRule(t.Context(), me, org, rule, remove); !isRuleError(err, directory.RuleIsActive) {
			t.Errorf("DeleteRule while active = %v", err)
		}
		b.do(b.DeactivateRule(t.Context(), me, org, rule))
		b.do(b.DeleteRule(t.Context(), me, org, rule, remove))
		var want []string
		if !remove {
			want = []string{p}
		}
		b.wantMembers(one, want...)
		b.wantMembers(two, want...)
		if _, err := b.Rule(t.Context(), org, rule); !fault.Is(err, fault.NotFound) {
			t.Errorf("Rule after deletion = %v", err)
		}
		// The memberships that stayed are by hand now: another rule lets them be.
		b.rule("R", `user.title == "Engineer"`, one)
		b.retitle(p, "Clerk")
		b.wantMembers(one, want...)
		b.do(b.RemoveMember(t.Context(), me, org, two, p))
		b.wantMembers(two)
	}
}

// TestHandRemovalExcludes makes sure that who is taken out by hand stays out.
func TestHandRemovalExcludes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.group("One"), b.group("Two")
	p, q := b.person("p", "Engineer"), b.person("q", "Engineer")
	rule := b.rule("R", `user.title == "Engineer"`, one, two)
	b.do(b.RemoveMember(t.Context(), me, org, one, p))
	b.wantMembers(one, q)
	b.wantMembers(two, q)
	r, err := b.Rule(t.Context(), org, rule)
	b.do(err)
	if diff := cmp.Diff([]string{p}, r.ExcludedUsers); diff != "" {
		t.Errorf("excluded: - want + got\n%s", diff)
	}
	if got := b.logged("group.user_membership.rule.add_exclusion"); got != 1 {
		t.Errorf("%d exclusions logged, want 1", got)
	}
	b.retitle(p, "Senior Engineer")
	b.retitle(p, "Engineer")
	b.wantMembers(one, q)
}

func TestExcludedUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	p, q := b.person("p", "Engineer"), b.person("q", "Engineer")
	r, err := b.CreateRule(t.Context(), me, org, directory.RuleDraft{
		Name: "R", Expression: `user.title == "Engineer"`, Groups: []string{g}, ExcludedUsers: []string{p},
	})
	b.do(err)
	b.do(b.ActivateRule(t.Context(), me, org, r.ID))
	b.wantMembers(g, q)
}

// TestCascade makes sure that rules see what rules do, in whatever order they
// were made, and that leaving undoes the whole chain.
func TestCascade(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		b := newBench(t)
		groups := []string{b.group("A"), b.group("B"), b.group("C")}
		byHand := b.group("By hand")
		expressions := []string{
			fmt.Sprintf(`user.title == "Engineer" OR isMemberOfGroup(%q)`, byHand),
			`isMemberOfGroupName("A")`,
			fmt.Sprintf(`isMemberOfAnyGroup("00gx", %q) AND !isMemberOfGroupNameStartsWith("Z")`, groups[1]),
		}
		for _, i := range order {
			b.rule(fmt.Sprint(i), expressions[i], groups[i])
		}
		p := b.person("p", "Engineer")
		for _, g := range groups {
			b.wantMembers(g, p)
		}
		b.retitle(p, "Clerk")
		for _, g := range groups {
			b.wantMembers(g)
		}
		b.do(b.AddMember(t.Context(), me, org, byHand, p))
		b.wantMembers(groups[2], p)
		b.do(b.RemoveMember(t.Context(), me, org, byHand, p))
		b.wantMembers(groups[2])
	}
}

// TestDeletionCascades makes sure that what a deleted rule takes away is seen by
// the others.
func TestDeletionCascades(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g, h := b.group("G"), b.group("H")
	p := b.person("p", "Engineer")
	first := b.rule("First", `user.title == "Engineer"`, g)
	b.rule("Second", fmt.Sprintf(`isMemberOfGroup(%q)`, g), h)
	b.do(b.DeactivateRule(t.Context(), me, org, first))
	b.wantMembers(h, p)
	b.do(b.DeleteRule(t.Context(), me, org, first, true))
	b.wantMembers(h)
}

// TestContradiction makes sure that rules without a stable state end, always in
// the same one, and that the log says so.
func TestContradiction(t *testing.T) {
	t.Parallel()
	var first []string
	for range 2 {
		b := newBench(t)
		g, h := b.group("G"), b.group("H")
		p := b.person("p", "Engineer")
		b.rule("In when out", fmt.Sprintf(`!isMemberOfGroup(%q)`, g), g)
		b.rule("Follows", fmt.Sprintf(`isMemberOfGroup(%q)`, g), h)
		state := []string{fmt.Sprint(len(b.members(g))), fmt.Sprint(len(b.members(h)))}
		if first == nil {
			first = state
		}
		if !slices.Equal(first, state) {
			t.Errorf("ended as %v and as %v", first, state)
		}
		if b.logged("group.user_membership.rule.error") == 0 {
			t.Error("the log says nothing of a contradiction")
		}
		b.retitle(p, "Clerk") // ends as well
	}
}

// TestRulesFollowGroups covers groups that go and change their names.
func TestRulesFollowGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	source, target := b.group("Source"), b.group("Target")
	p := b.person("p", "Engineer")
	b.do(b.AddMember(t.Context(), me, org, source, p))
	b.rule("By id", fmt.Sprintf(`isMemberOfGroup(%q)`, source), target)
	byName := b.group("By name")
	b.rule("By name", `isMemberOfGroupNameStartsWith("Sou")`, byName)
	b.wantMembers(byName, p)

	_, err := b.ReplaceGroup(t.Context(), me, org, source, map[string]any{"name": "Renamed"})
	b.do(err)
	b.wantMembers(byName)
	b.wantMembers(target, p)

	b.do(b.DeleteGroup(t.Context(), me, org, source))
	b.wantMembers(target)
}

func TestRuleOfDeletedGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone, stays := b.group("Gone"), b.group("Stays")
	p := b.person("p", "Engineer")
	rule := b.rule("R", `user.title == "Engineer"`, gone, stays)
	b.do(b.DeleteGroup(t.Context(), me, org, gone))
	r, err := b.Rule(t.Context(), org, rule)
	b.do(err)
	if r.Status != directory.RuleInvalid || !slices.Contains(r.Groups, gone) {
		t.Errorf("the rule is %+v, want INVALID with both groups", r)
	}
	b.retitle(p, "Clerk") // not evaluated any more
	b.wantMembers(stays, p)
	if err := b.ActivateRule(t.Context(), me, org, rule); !isRuleError(err, directory.RuleNotValid) {
		t.Errorf("ActivateRule = %v", err)
	}
	if _, err := b.ReplaceRule(t.Context(), me, org, rule, directory.RuleDraft{Name: "R", Expression: "true", Groups: []string{stays}}); !isRuleError(err, directory.RuleNotInactive) {
		t.Errorf("ReplaceRule = %v", err)
	}
	b.do(b.DeactivateRule(t.Context(), me, org, rule))
	b.do(b.DeleteRule(t.Context(), me, org, rule, true))
	b.wantMembers(stays)
	if got := b.logged("group.user_membership.rule.invalidate"); got != 1 {
		t.Errorf("%d invalidations logged, want 1", got)
	}
}

// TestRuleStatuses makes sure that all statuses but DEPROVISIONED count, and
// that somebody who comes back is evaluated.
func TestRuleStatuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	b.rule("R", `user.getInternalProperty("status") != "SUSPENDED"`, g)
	staged := b.in(directory.Staged, "staged@example.com").ID
	b.wantMembers(g, staged)
	p := b.person("p", "Engineer")
	for _, op := range []directory.Operation{directory.Deactivate, directory.Activate} {
		_, err := b.Transition(t.Context(), me, org, p, op)
		b.do(err)
		b.wantMembers(g, staged, p)
	}
	q := b.person("q", "Engineer")
	_, err := b.Transition(t.Context(), me, org, q, directory.Deactivate)
	b.do(err)
	b.rule("Late", `true`, b.group("Late"))
	h, err := b.Groups(t.Context(), directory.GroupQuery{Realm: org, Name: "late"}, 0, nil)
	b.do(err)
	b.wantMembers(h[0].ID, staged, p)
	_, err = b.Transition(t.Context(), me, org, q, directory.Activate)
	b.do(err)
	b.wantMembers(h[0].ID, staged, p, q)
}

// TestDeletedAccount makes sure that nothing of a person is left behind.
func TestDeletedAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	p := b.person("p", "Engineer")
	rule := b.rule("R", `user.title == "Engineer"`, g)
	b.do(b.Remove(t.Context(), me, org, p))
	b.do(b.DeactivateRule(t.Context(), me, org, rule))
	b.do(b.DeleteRule(t.Context(), me, org, rule, true))
	b.wantMembers(g)
}

// TestFailingExpression makes sure that an expression that fails for one person
// neither stops a change nor the others.
func TestFailingExpression(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	b.rule("R", `5 - user.title > 1 OR user.title == "Engineer"`, g)
	b.person("p", "Engineer")
	b.wantMembers(g)
	b.retitle(b.person("q", "Engineer"), "Clerk")
}

func isRuleError(err error, p directory.RuleProblem) bool {
	var e *directory.RuleError
	return errors.As(err, &e) && e.Problem == p
}

func TestRuleChecks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g, admins := b.group("G"), b.group("Admins")
	_, err := b.AssignRole(t.Context(), me, org, directory.Assignee{ID: admins, Type: directory.GroupAssignee}, directory.RoleDraft{Type: directory.AppAdmin})
	b.do(err)
	everyone, err := b.Groups(t.Context(), directory.GroupQuery{Realm: org, Type: directory.BuiltIn}, 0, nil)
	b.do(err)
	b.rule("Taken", "true", g)
	good := directory.RuleDraft{Name: "R", Expression: "true", Groups: []string{g}}
	tests := []struct {
		name   string
		change func(*directory.RuleDraft)
		want   directory.RuleProblem // empty: another error
	}{
		{"no name", func(d *directory.RuleDraft) { d.Name = "" }, ""},
		{"long name", func(d *directory.RuleDraft) { d.Name = strings.Repeat("x", 51) }, ""},
		{"taken name", func(d *directory.RuleDraft) { d.Name = "taken" }, directory.RuleNameTaken},
		{"no groups", func(d *directory.RuleDraft) { d.Groups = nil }, directory.RuleWithoutGroups},
		{"too many groups", func(d *directory.RuleDraft) { d.Groups = make([]string, 101) }, ""},
		{"too many excluded", func(d *directory.RuleDraft) { d.ExcludedUsers = make([]string, 101) }, ""},
		{"unknown group", func(d *directory.RuleDraft) { d.Groups = []string{"00gx"} }, ""},
		{"unknown person", func(d *directory.RuleDraft) { d.ExcludedUsers = []string{"00ux"} }, ""},
		{"Everyone", func(d *directory.RuleDraft) { d.Groups = []string{everyone[0].ID} }, directory.RuleGroupType},
		{"group with roles", func(d *directory.RuleDraft) { d.Groups = []string{g, admins} }, directory.RuleGroupAdmin},
		{"no expression", func(d *directory.RuleDraft) { d.Expression = "" }, directory.RuleExpression},
		{"broken expression", func(d *directory.RuleDraft) { d.Expression = "user.a ==" }, directory.RuleExpression},
		{"another object", func(d *directory.RuleDraft) { d.Expression = `profile.a == "x"` }, directory.RuleExpression},
		{"the user itself", func(d *directory.RuleDraft) { d.Expression = `user == "x"` }, directory.RuleExpression},
		{"Convert", func(d *directory.RuleDraft) { d.Expression = `Convert.toInt(user.a) == 1` }, directory.RuleExpression},
		{"Time", func(d *directory.RuleDraft) { d.Expression = `Time.now() == ""` }, directory.RuleExpression},
		{"of applications", func(d *directory.RuleDraft) { d.Expression = `hasDirectoryUser()` }, directory.RuleExpression},
	}
	for _, test := range tests {
		d := good
		test.change(&d)
		_, err := b.CreateRule(t.Context(), me, org, d)
		var e *directory.RuleError
		switch {
		case err == nil:
			t.Errorf("%s: no error", test.name)
		case test.want != "" && !isRuleError(err, test.want):
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		case test.want == "" && (errors.As(err, &e) || fault.KindOf(err) == fault.Internal):
			t.Errorf("%s: %v", test.name, err)
		}
	}
	r, err := b.CreateRule(t.Context(), me, org, good)
	b.do(err)
	if _, err := b.ReplaceRule(t.Context(), me, org, r.ID, directory.RuleDraft{Name: "R", Expression: "true", Groups: []string{admins}}); !isRuleError(err, directory.RuleGroupsFixed) {
		t.Errorf("ReplaceRule with another group = %v", err)
	}
	b.do(b.ActivateRule(t.Context(), me, org, r.ID))
	before, err := b.Rule(t.Context(), org, r.ID)
	b.do(err)
	b.do(b.ActivateRule(t.Context(), me, org, r.ID))
	if after, err := b.Rule(t.Context(), org, r.ID); err != nil || after.Version != before.Version {
		t.Errorf("activating twice wrote the rule: %v, %v", after, err)
	}
	if _, err := b.ReplaceRule(t.Context(), me, org, r.ID, good); !isRuleError(err, directory.RuleNotInactive) {
		t.Errorf("ReplaceRule while active = %v", err)
	}
}

// crashing is a store that fails after some updates.
type crashing struct {
	directory.Store
	left int
}

var errCrash = errors.New("crash")

func (s *crashing) Update(ctx context.Context, f func(directory.Tx) error) error {
	if s.left--; s.left < 0 {
		return errCrash
	}
	return s.Store.Update(ctx, f)
}

// TestResumeRules cuts activation and deletion off after every transaction and
// makes sure that ResumeRules finishes them.
func TestResumeRules(t *testing.T) {
	t.Parallel()
	const people = 450 // three batches
	b := newBench(t)
	g := b.group("G")
	good := b.Store
	for i := range people {
		title := "Engineer"
		if i%10 == 0 {
			title = "Clerk"
		}
		b.person(fmt.Sprintf("p%d", i), title)
	}
	const want = people * 9 / 10
	for left := 1; left < 4; left++ {
		r, err := b.CreateRule(t.Context(), me, org, directory.RuleDraft{Name: "R", Expression: `user.title == "Engineer"`, Groups: []string{g}})
		b.do(err)
		b.Store = &crashing{good, left}
		if err := b.ActivateRule(t.Context(), me, org, r.ID); !errors.Is(err, errCrash) {
			t.Fatalf("ActivateRule = %v, want a crash after %d updates", err, left)
		}
		b.Store = good
		if n := len(b.members(g)); n == want {
			t.Errorf("after %d updates all %d are in already", left, n)
		}
		b.do(b.ResumeRules(t.Context(), org))
		if n := len(b.members(g)); n != want {
			t.Errorf("after %d updates and a restart %d members, want %d", left, n, want)
		}
		b.do(b.DeactivateRule(t.Context(), me, org, r.ID))
		b.Store = &crashing{good, left}
		if err := b.DeleteRule(t.Context(), me, org, r.ID, true); !errors.Is(err, errCrash) {
			t.Fatalf("DeleteRule = %v, want a crash after %d updates", err, left)
		}
		b.Store = good
		if rules, err := b.Rules(t.Context(), org, "", 0, nil); err != nil || len(rules) != 0 {
			t.Errorf("a rule that is being deleted is shown: %v, %v", rules, err)
		}
		b.do(b.ResumeRules(t.Context(), org))
		b.wantMembers(g)
	}
	if n := b.logged("policy.rule.delete"); n != 3 {
		t.Errorf("%d deletions logged, want 3", n)
	}
}

// TestActivationOutlivesCaller makes sure that a client that hangs up does not
// leave a rule half applied.
func TestActivationOutlivesCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	for i := range 250 {
		b.person(fmt.Sprintf("p%d", i), "Engineer")
	}
	r, err := b.CreateRule(t.Context(), me, org, directory.RuleDraft{Name: "R", Expression: `true`, Groups: []string{g}})
	b.do(err)
	ctx, cancel := context.WithCancel(t.Context())
	b.Store = &hangingUp{b.Store, cancel}
	b.do(b.ActivateRule(ctx, me, org, r.ID))
	if n := len(b.members(g)); n != 250 {
		t.Errorf("%d members, want 250", n)
	}
}

// TestDeletionOutlivesCaller makes sure of the same for a rule that goes together
// with its memberships.
func TestDeletionOutlivesCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.group("G")
	for i := range 3 {
		b.person(fmt.Sprintf("p%d", i), "Engineer")
	}
	r, err := b.CreateRule(t.Context(), me, org, directory.RuleDraft{Name: "R", Expression: `true`, Groups: []string{g}})
	b.do(err)
	b.do(b.ActivateRule(t.Context(), me, org, r.ID))
	b.do(b.DeactivateRule(t.Context(), me, org, r.ID))
	ctx, cancel := context.WithCancel(t.Context())
	b.Store = &hangingUp{b.Store, cancel}
	b.do(b.DeleteRule(ctx, me, org, r.ID, true))
	b.wantMembers(g)
	if n := b.logged("policy.rule.delete"); n != 1 {
		t.Errorf("%d deletions logged, want 1", n)
	}
}

// TestActivationDuringSweep activates a rule while the sweep for another is
// half done: those whom that one has passed are reached all the same.
func TestActivationDuringSweep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, two := b.group("One"), b.group("Two")
	for i := range 250 {
		b.person(fmt.Sprintf("p%d", i), "Engineer")
	}
	var rules []string
	for _, g := range []string{one, two} {
		r, err := b.CreateRule(t.Context(), me, org, directory.RuleDraft{Name: g, Expression: `true`, Groups: []string{g}})
		b.do(err)
		rules = append(rules, r.ID)
	}
	good := b.Store
	b.Store = &crashing{good, 2} // the activation, and one batch
	if err := b.ActivateRule(t.Context(), me, org, rules[0]); !errors.Is(err, errCrash) {
		t.Fatalf("ActivateRule = %v, want a crash in the middle of the sweep", err)
	}
	b.Store = good
	b.do(b.ActivateRule(t.Context(), me, org, rules[1]))
	for _, g := range []string{one, two} {
		if n := len(b.members(g)); n != 250 {
			t.Errorf("%d members, want 250", n)
		}
	}
}

// hangingUp is a store whose caller goes away after the first update.
type hangingUp struct {
	directory.Store
	cancel func()
}

func (s *hangingUp) Update(ctx context.Context, f func(directory.Tx) error) error {
	defer s.cancel()
	return s.Store.Update(ctx, f)
}

// BenchmarkRuleSweep evaluates a rule for 10,000 people, of whom one in ten
// matches.
func BenchmarkRuleSweep(b *testing.B) {
	db := sqlitetest.Open(b)
	t := directory.New(db.Directory())
	if err := t.AddRealm(b.Context(), directory.Realm{ID: org, Kind: directory.Okta}); err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		d := draft(fmt.Sprintf("p%d@example.com", i))
		d.Profile["title"] = fmt.Sprint("Engineer ", i%10)
		if _, err := t.CreateAccount(b.Context(), me, org, d); err != nil {
			b.Fatal(err)
		}
	}
	g, err := t.CreateGroup(b.Context(), me, org, map[string]any{"name": "G"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := t.CreateRule(b.Context(), me, org, directory.RuleDraft{Name: "R", Expression: `String.endsWith(user.title, "7")`, Groups: []string{g.ID}})
		if err != nil {
			b.Fatal(err)
		}
		if err := t.ActivateRule(b.Context(), me, org, r.ID); err != nil {
			b.Fatal(err)
		}
		if err := t.DeactivateRule(b.Context(), me, org, r.ID); err != nil {
			b.Fatal(err)
		}
		if err := t.DeleteRule(b.Context(), me, org, r.ID, true); err != nil {
			b.Fatal(err)
		}
	}
}
