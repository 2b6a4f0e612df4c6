package directory

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// How the rules of rules.go are evaluated: for one account at a time, in the
// transaction of what changed it (settler), or for everybody, in batches (sweep).

// ruleClaim says that a membership belongs to a rule.
type ruleClaim struct {
	Meta
	Rule    string `json:"rule"`
	Group   string `json:"group"`
	Account string `json:"account"`
}

// ruleClaimNoun is what claims are kept as. It never reaches a message.
const ruleClaimNoun Noun = "rule claim"

func (c *ruleClaim) Place() Place {
	return Place{Noun: ruleClaimNoun, Parent: claimParent(c.Rule, c.Group), Subject: c.Account}
}

func claimParent(rule, group string) string { return rule + "/" + group }

// activeRule is a rule that is ready to be evaluated.
type activeRule struct {
	*GroupRule
	expression *compute.Expression
	byGroups   bool // it asks for groups, so one rule can change what another says
}

// activeRules returns the rules of a realm that are evaluated, in the order of
// their ids.
func activeRules(r Reader, realm string) ([]activeRule, error) {
	rules, err := all(r, RecordQuery{Realm: realm}, 0, func(r *GroupRule) bool { return r.Status == RuleActive })
	if err != nil {
		return nil, err
	}
	out := make([]activeRule, 0, len(rules))
	for _, rule := range rules {
		e, err := parseRule(rule.Expression)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the expression of rule %s cannot be read any more", rule.ID)
		}
		byGroups := slices.ContainsFunc(e.Calls(), func(c compute.Ref) bool { return compute.IsGroupFunction(c.Name) })
		out = append(out, activeRule{rule, e, byGroups})
	}
	return out, nil
}

// rulesActor is who changes memberships by rules. Its changes do not lead to
// another evaluation: the settler goes on by itself.
const rulesActor = "group rules"

// byRules is the actor of what follows by rules from what another did.
func byRules(cause Actor) Actor {
	a := System(rulesActor)
	a.Request = cause.Request
	return a
}

// settler brings the memberships of accounts in line with the rules, inside one
// transaction.
type settler struct {
	d     *Directory
	tx    Tx
	actor Actor
	rules []activeRule
	at    time.Time
}

func (d *Directory) newSettler(tx Tx, realm string, cause Actor) (*settler, error) {
	rules, err := activeRules(tx, realm)
	if err != nil {
		return nil, err
	}
	return &settler{d: d, tx: tx, actor: byRules(cause), rules: rules, at: d.now()}, nil
}

// applyRules evaluates all rules for one account after it, or its groups, changed.
func (d *Directory) applyRules(tx Tx, cause Actor, a *Account, at time.Time) error {
	if cause.ID == rulesActor && cause.Type == SystemActor {
		return nil
	}
	s, err := d.newSettler(tx, a.Realm, cause)
	if err != nil {
		return err
	}
	s.at = at
	return s.settle(a)
}

// settle evaluates the rules until nothing changes any more. Every round sees
// the groups as they are at its start, so the order of rules does not matter.
// Rules that contradict each other or themselves ("in the group when not in the
// group") are cut off after one round for each rule and one more, always with
// the same result, and the log says which rules they are.
func (s *settler) settle(a *Account) error {
	if len(s.rules) == 0 || a.Status == Deprovisioned {
		return nil
	}
	cascades := slices.ContainsFunc(s.rules, func(r activeRule) bool { return r.byGroups })
	for range len(s.rules) + 1 {
		changed, err := s.round(a)
		if err != nil || len(changed) == 0 || !cascades {
			return err
		}
	}
	changed, err := s.differences(a)
	if err != nil {
		return err
	}
	for _, c := range changed {
		err := s.d.log(s.tx, change{
			at: s.at, actor: s.actor, kind: "group.user_membership.rule.error", realm: a.Realm, target: c.rule.ID,
			targets: []Target{c.rule.target(), a.target()},
			outcome: Outcome{Result: "FAILURE", Reason: "The rules contradict each other."},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// difference is one membership that a rule has to make or to give up.
type difference struct {
	rule  *GroupRule
	group string
	claim *ruleClaim // to give up; nil: to make
	held  bool       // the account is in the group already, by another rule
}

// round makes the memberships right once and returns what was wrong.
func (s *settler) round(a *Account) ([]difference, error) {
	list, err := s.differences(a)
	if err != nil {
		return nil, err
	}
	// First all that is made: who goes from one rule to another stays in the group.
	for _, diff := range list {
		if diff.claim == nil {
			if err := s.join(diff, a); err != nil {
				return nil, err
			}
		}
	}
	for _, diff := range list {
		if diff.claim != nil {
			if err := s.giveUp(diff.claim, a); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// differences evaluates the rules and compares them with what they claim.
func (s *settler) differences(a *Account) ([]difference, error) {
	claims, err := claimsOf(s.tx, a)
	if err != nil {
		return nil, err
	}
	groups := &memberOf{tx: s.tx, account: a}
	var out []difference
	for _, rule := range s.rules {
		matches, err := rule.matches(a, groups)
		if err != nil {
			return nil, err
		}
		for _, group := range rule.Groups {
			claim := claims.find(rule.ID, group)
			switch {
			case !matches && claim != nil:
				out = append(out, difference{rule: rule.GroupRule, group: group, claim: claim})
			case matches && claim == nil:
				in, err := groups.has(group)
				if err != nil {
					return nil, err
				}
				if held := claims.on(group); !in || held {
					out = append(out, difference{rule: rule.GroupRule, group: group, held: in})
				}
			}
		}
	}
	return out, nil
}

// matches reports whether a rule puts an account into its groups.
func (r activeRule) matches(a *Account, groups *memberOf) (bool, error) {
	if slices.Contains(r.ExcludedUsers, a.ID) {
		return false, nil
	}
	ok, err := r.expression.Test(&ruleEnv{account: a, groups: compute.Memberships{Groups: groups.list}})
	if k := fault.KindOf(err); err != nil && k != fault.Invalid && k != fault.TooLarge {
		return false, err // the store's; an expression that fails is not true
	}
	return ok && err == nil, nil
}

// join makes a membership for a rule. One that was made meanwhile in the same
// round, by another rule, is shared.
func (s *settler) join(diff difference, a *Account) error {
	g, err := s.tx.Group(a.Realm, diff.group)
	if err != nil {
		return err // cannot be missing: its rule would be INVALID
	}
	if !diff.held {
		if err := s.d.addMember(s.tx, s.actor, g, a, s.at); err != nil {
			return err
		}
	}
	return putObject(s.tx, &ruleClaim{
		Meta: Meta{ID: a.ID + "/" + claimParent(diff.rule.ID, g.ID), Realm: a.Realm},
		Rule: diff.rule.ID, Group: g.ID, Account: a.ID,
	}, s.at)
}

// giveUp removes a claim, and the membership unless another rule claims it too.
func (s *settler) giveUp(c *ruleClaim, a *Account) error {
	if err := s.tx.DeleteRecord(c.Realm, ruleClaimNoun, c.ID); err != nil {
		return err
	}
	others, err := claimsOf(s.tx, a)
	if err != nil || others.on(c.Group) {
		return err
	}
	g, err := s.tx.Group(c.Realm, c.Group)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.d.removeMember(s.tx, s.actor, g, a, s.at)
}

// end gives up a claim of a rule that is being deleted, and lets the other
// rules see it.
func (s *settler) end(c *ruleClaim) error {
	a, err := s.tx.Account(c.Realm, c.Account)
	if err != nil {
		return err // cannot be missing: its claims go with it
	}
	if err := s.giveUp(c, a); err != nil {
		return err
	}
	return s.settle(a)
}

// claimList are the claims on one account.
type claimList []*ruleClaim

func claimsOf(r Reader, a *Account) (claimList, error) {
	return all[ruleClaim](r, RecordQuery{Realm: a.Realm, Subject: a.ID}, 0, nil)
}

func (l claimList) find(rule, group string) *ruleClaim {
	for _, c := range l {
		if c.Rule == rule && c.Group == group {
			return c
		}
	}
	return nil
}

// on reports whether a rule claims the membership in a group.
func (l claimList) on(group string) bool {
	return slices.ContainsFunc(l, func(c *ruleClaim) bool { return c.Group == group })
}

// memberOf reads the groups of an account when they are asked for.
type memberOf struct {
	tx      Reader
	account *Account
	groups  []compute.Group
	read    bool
}

func (m *memberOf) list() ([]compute.Group, error) {
	if m.read {
		return m.groups, nil
	}
	for g, err := range m.tx.Groups(GroupQuery{Realm: m.account.Realm, Member: m.account.ID}) {
		if err != nil {
			return nil, err
		}
		m.groups = append(m.groups, compute.Group{ID: g.ID, Name: g.Name(), Type: string(g.Type)})
	}
	m.read = true
	return m.groups, nil
}

func (m *memberOf) has(group string) (bool, error) {
	list, err := m.list()
	return slices.ContainsFunc(list, func(g compute.Group) bool { return g.ID == group }), err
}

// internalProperty is the function by which expressions read what is not in the
// profile.
const internalProperty = "user.getInternalProperty"

// ruleEnv is what the expression of a rule sees.
type ruleEnv struct {
	account *Account
	groups  compute.Memberships
}

// Variable knows the user's profile.
func (e *ruleEnv) Variable(name string) (any, bool) {
	return e.account.Profile, name == "user"
}

// Call knows the group functions and user.getInternalProperty("status" or "id").
func (e *ruleEnv) Call(name string, args []any) (any, bool, error) {
	if name != internalProperty {
		return e.groups.Call(name, args)
	}
	if len(args) == 1 {
		switch args[0] {
		case "id":
			return e.account.ID, true, nil
		case "status":
			return string(e.account.Status), true, nil
		}
	}
	return nil, true, fault.New(fault.Invalid, `%s takes "id" or "status"`, name)
}

// exclude follows when somebody was taken out of a group by hand: the rules
// that had put them there leave them out from now on.
func (d *Directory) exclude(tx Tx, actor Actor, g *Group, a *Account, at time.Time) error {
	if actor.ID == rulesActor && actor.Type == SystemActor {
		return nil
	}
	claims, err := claimsOf(tx, a)
	if err != nil {
		return err
	}
	for _, c := range claims {
		if c.Group != g.ID {
			continue
		}
		if err := tx.DeleteRecord(c.Realm, ruleClaimNoun, c.ID); err != nil {
			return err
		}
		rule, err := get[GroupRule](tx, c.Realm, c.Rule)
		if err != nil {
			return err
		}
		entry := change{
			at: at, actor: actor, kind: "group.user_membership.rule.add_exclusion", targets: []Target{a.target(), rule.target(), g.target()},
		}
		_, err = amend(d, tx, rule, entry, func(after *GroupRule) error {
			if slices.Contains(after.ExcludedUsers, a.ID) {
				return errUnchanged
			}
			after.ExcludedUsers = append(after.ExcludedUsers, a.ID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ruleSweep is the evaluation of all rules for everybody of a realm that is
// under way: the accounts up to After are done. One that is asked for during
// another starts over; settling again what is settled changes nothing.
type ruleSweep struct {
	Meta
	After string `json:"after"`
}

const ruleSweepNoun Noun = "rule sweep"

// sweepID is the id of the one sweep of a realm.
const sweepID = "sweep"

func (*ruleSweep) Place() Place { return Place{Noun: ruleSweepNoun} }

// ruleBatch is how many accounts one transaction settles: others wait that long
// to write.
const ruleBatch = 200

// startSweep notes that everybody must be evaluated. sweep does it afterwards;
// when the process ends in between, ResumeRules.
func (d *Directory) startSweep(tx Tx, realm string) error {
	sweep, err := get[ruleSweep](tx, realm, sweepID)
	if fault.Is(err, fault.NotFound) {
		return putObject(tx, &ruleSweep{Meta: Meta{ID: sweepID, Realm: realm}}, d.now())
	}
	if err != nil {
		return err
	}
	return d.saveSweep(tx, sweep, "")
}

func (d *Directory) saveSweep(tx Tx, sweep *ruleSweep, after string) error {
	sweep.After = after
	return replaceObject(tx, sweep, d.now())
}

// startSweepFor starts a sweep when an active rule asks for groups, because one
// has changed its name or is going. It reports whether sweep has to be called.
func (d *Directory) startSweepFor(tx Tx, g *Group) (bool, error) {
	rules, err := activeRules(tx, g.Realm)
	if err != nil || !slices.ContainsFunc(rules, func(r activeRule) bool { return r.byGroups }) {
		return false, err
	}
	return true, d.startSweep(tx, g.Realm)
}

// sweep evaluates the rules for everybody whom the sweep under way has not
// reached. It goes on when the caller has gone: what it would leave half done is
// visible to all.
func (d *Directory) sweep(ctx context.Context, realm string) error {
	ctx = context.WithoutCancel(ctx)
	for done := false; !done; {
		err := d.Store.Update(ctx, func(tx Tx) (err error) {
			done, err = d.sweepBatch(tx, realm)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) sweepBatch(tx Tx, realm string) (done bool, err error) {
	sweep, err := get[ruleSweep](tx, realm, sweepID)
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var batch []*Account
	for a, err := range tx.Accounts(AccountQuery{Realm: realm, After: sweep.After}) {
		if err != nil {
			return false, err
		}
		if batch = append(batch, a); len(batch) == ruleBatch {
			break
		}
	}
	if len(batch) == 0 {
		return true, tx.DeleteRecord(realm, ruleSweepNoun, sweepID)
	}
	s, err := d.newSettler(tx, realm, Actor{})
	if err != nil {
		return false, err
	}
	for _, a := range batch {
		if err := s.settle(a); err != nil {
			return false, err
		}
	}
	return false, d.saveSweep(tx, sweep, batch[len(batch)-1].ID)
}

// ResumeRules finishes what the process that had the directory before left
// undone of group rules: evaluations for everybody, and deletions together with
// memberships. It must be called once before the directory is used.
func (d *Directory) ResumeRules(ctx context.Context, realm string) error {
	var ending []*GroupRule
	err := d.Store.View(ctx, func(r Reader) (err error) {
		ending, err = all(r, RecordQuery{Realm: realm}, 0, func(r *GroupRule) bool { return r.Ending })
		return err
	})
	if err != nil {
		return err
	}
	for _, rule := range ending {
		if err := d.endRule(ctx, System(rulesActor), realm, rule.ID); err != nil {
			return err
		}
	}
	return d.sweep(ctx, realm)
}
