package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// GroupRule puts every account that its expression is true of into groups, and
// takes it out again when the expression is no longer true.
//
// A membership that a rule has made belongs to the rule. What happens to such
// memberships follows Okta (support articles on group rules; okta.md 2.2):
//
//   - Somebody whom the rule finds in the group already stays there by hand: the
//     rule neither takes the membership over nor ends it.
//   - A deactivated rule keeps its memberships, and they stay its own: activated
//     again, perhaps with another expression, it removes those who do not match.
//   - A deleted rule leaves its memberships as if made by hand, or removes them.
//   - Who is taken out by hand is added to the rule's exclusions.
//   - DEPROVISIONED accounts are passed over: they keep what they have. All
//     other statuses count alike.
//   - Several rules may claim one membership. It ends with the last of them.
//
// Rules see the memberships that rules make, so one rule may lead to another
// (settler.settle). Without a word about it in Okta's documentation, an
// expression that fails for an account, say because it calculates with a text,
// is not true of it.
type GroupRule struct {
	Meta
	Name          string     `json:"name"`
	Status        RuleStatus `json:"status"`
	Expression    string     `json:"expression"`
	ExcludedUsers []string   `json:"excludedUsers,omitempty"` // ids of accounts that the rule never adds
	Groups        []string   `json:"groups"`                  // ids of the groups that it fills

	// Ending says that the rule is being deleted together with its memberships.
	// It is not shown any more; its record goes when the last membership has gone.
	Ending bool `json:"ending,omitempty"`
}

func (r *GroupRule) Place() Place {
	if r.Ending {
		return Place{Noun: RuleNoun} // its name is free again
	}
	return Place{Noun: RuleNoun, Key: Fold(r.Name)}
}

func (r *GroupRule) target() Target { return Target{Type: "PolicyRule", ID: r.ID, DisplayName: r.Name} }

// RuleStatus says whether a group rule is evaluated.
type RuleStatus string

// The statuses of group rules, as Okta names them. A rule is INVALID once one of
// its groups has been deleted; it can then only be read and deleted.
const (
	RuleActive   RuleStatus = "ACTIVE"
	RuleInactive RuleStatus = "INACTIVE"
	RuleInvalid  RuleStatus = "INVALID"
)

// RuleDraft is a group rule as asked for.
type RuleDraft struct {
	Name          string
	Expression    string
	ExcludedUsers []string
	Groups        []string
}

// Limits of a group rule (Okta support: group rule restrictions).
const (
	maxRuleName     = 50
	maxRuleGroups   = 100
	maxRuleExcluded = 100
)

// RuleError says why a group rule cannot be what is asked for. It is the cause
// of a fault.Invalid or fault.Conflict.
type RuleError struct {
	Problem RuleProblem
	Detail  string // what is wrong in words, for some problems
}

func (e *RuleError) Error() string { return string(e.Problem) + ": " + e.Detail }

// RuleProblem is what is wrong with a group rule or a change to it.
type RuleProblem string

// The problems of group rules.
const (
	RuleNameTaken     RuleProblem = "name taken"
	RuleExpression    RuleProblem = "expression"     // Detail: what is wrong with it
	RuleWithoutGroups RuleProblem = "without groups" //
	RuleGroupType     RuleProblem = "group type"     // only OKTA_GROUPs can be filled; Detail: the name
	RuleGroupAdmin    RuleProblem = "admin group"    // a group with admin roles; Detail: the name
	RuleGroupsFixed   RuleProblem = "groups fixed"   // the groups of a rule cannot be changed
	RuleNotInactive   RuleProblem = "not inactive"   // only INACTIVE rules can be changed
	RuleNotValid      RuleProblem = "not valid"      // an INVALID rule cannot be activated
	RuleIsActive      RuleProblem = "active"         // an ACTIVE rule cannot be deleted
)

func ruleRefused(kind fault.Kind, p RuleProblem, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return fault.Wrap(kind, &RuleError{p, detail}, "%s", detail)
}

// check returns what is wrong with a draft by itself.
func (draft RuleDraft) check() error {
	name := Attribute{Name: "name", Type: TextType, Required: true, Min: 1, Max: maxRuleName}
	v := name.check(draft.Name)
	if len(draft.Groups) > maxRuleGroups {
		v = append(v, Violation{Field: "groupIds", Rule: TooMany, Limit: maxRuleGroups})
	}
	if len(draft.ExcludedUsers) > maxRuleExcluded {
		v = append(v, Violation{Field: "exclude", Rule: TooMany, Limit: maxRuleExcluded})
	}
	if err := v.err(); err != nil {
		return err
	}
	if len(draft.Groups) == 0 {
		return ruleRefused(fault.Invalid, RuleWithoutGroups, "a rule needs a group to put people into")
	}
	_, err := parseRule(draft.Expression)
	return err
}

// parseRule reads the expression of a rule. Rules may use attributes of the
// user, group functions, and the functions on texts and lists; Convert, Time and
// everything of applications is refused (Okta support: group rule restrictions).
func parseRule(text string) (*compute.Expression, error) {
	e, err := compute.Parse(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, &RuleError{RuleExpression, fault.Public(err)}, "%s", fault.Public(err))
	}
	for _, v := range e.Variables() {
		if attribute, ok := strings.CutPrefix(v.Name, "user."); !ok || strings.Contains(attribute, ".") {
			return nil, ruleRefused(fault.Invalid, RuleExpression, "%s is not an attribute of the user", v.Name)
		}
	}
	for _, c := range e.Calls() {
		if !inRules(c.Name) {
			return nil, ruleRefused(fault.Invalid, RuleExpression, "the function %s cannot be used in a rule", c.Name)
		}
	}
	return e, nil
}

func inRules(function string) bool {
	space, _, dotted := strings.Cut(function, ".")
	switch {
	case compute.IsGroupFunction(function) || function == internalProperty:
		return true
	case dotted:
		return space == "String" || space == "Arrays"
	}
	return compute.IsFunction(function)
}

// checkTargets makes sure that a rule may fill its groups.
func checkTargets(r Reader, realm string, groups []string) error {
	for _, id := range groups {
		g, err := r.Group(realm, id)
		if err != nil {
			return err
		}
		if g.Type != OktaGroup {
			return ruleRefused(fault.Invalid, RuleGroupType, "group %q is a %s group, which rules cannot fill", g.Name(), g.Type)
		}
		roles, err := rolesAssigned(r, realm, id)
		if err != nil {
			return err
		}
		if len(roles) > 0 {
			return ruleRefused(fault.Invalid, RuleGroupAdmin, "group %q has admin roles, so rules cannot fill it", g.Name())
		}
	}
	return nil
}

// CreateRule adds an INACTIVE group rule. A taken name, an expression that
// cannot be used and groups that cannot be filled have a *RuleError as cause.
func (d *Directory) CreateRule(ctx context.Context, actor Actor, realm string, draft RuleDraft) (*GroupRule, error) {
	if err := draft.check(); err != nil {
		return nil, err
	}
	var rule *GroupRule
	err := d.Store.Update(ctx, func(tx Tx) error {
		if err := draft.checkIn(tx, realm, ""); err != nil {
			return err
		}
		rule = &GroupRule{
			Meta: Meta{ID: d.IDs.Okta("0pr"), Realm: realm},
			Name: draft.Name, Status: RuleInactive, Expression: draft.Expression,
			ExcludedUsers: draft.ExcludedUsers, Groups: draft.Groups,
		}
		return d.insertObject(tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.add", targets: []Target{rule.target()}})
	})
	if err != nil {
		return nil, err
	}
	return rule, nil
}

// checkIn checks a draft against the realm; id is the rule it is for, empty for
// a new one.
func (draft RuleDraft) checkIn(r Reader, realm, id string) error {
	other, err := getByKey[GroupRule](r, realm, Fold(draft.Name))
	switch {
	case err == nil && other.ID != id:
		return ruleRefused(fault.Conflict, RuleNameTaken, "another rule has the name %q", draft.Name)
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	}
	for _, user := range draft.ExcludedUsers {
		if _, err := r.Account(realm, user); err != nil {
			return err
		}
	}
	if id != "" {
		return nil // its groups stay
	}
	return checkTargets(r, realm, draft.Groups)
}

// Rule returns a group rule by its id.
func (d *Directory) Rule(ctx context.Context, realm, id string) (rule *GroupRule, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		rule, err = getRule(r, realm, id)
		return err
	})
	return rule, err
}

func getRule(r Reader, realm, id string) (*GroupRule, error) {
	rule, err := get[GroupRule](r, realm, id)
	if err == nil && rule.Ending {
		return nil, NotFound(RuleNoun, id)
	}
	return rule, err
}

// Rules returns the group rules behind the id after that match accepts, at most
// limit of them (0: all), in the order of their ids. A nil match accepts all.
func (d *Directory) Rules(ctx context.Context, realm, after string, limit int, match func(*GroupRule) bool) (out []*GroupRule, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = all(r, RecordQuery{Realm: realm, After: after}, limit, func(rule *GroupRule) bool {
			return !rule.Ending && (match == nil || match(rule))
		})
		return err
	})
	return out, err
}

// ReplaceRule changes the name, expression and exclusions of an INACTIVE rule.
// Its groups cannot be changed (Okta OpenAPI: replace a group rule).
func (d *Directory) ReplaceRule(ctx context.Context, actor Actor, realm, id string, draft RuleDraft) (*GroupRule, error) {
	return d.changeRule(ctx, actor, realm, id, "policy.rule.update", func(tx Tx, rule *GroupRule) error {
		if rule.Status != RuleInactive {
			return ruleRefused(fault.Conflict, RuleNotInactive, "only an INACTIVE rule can be changed, and this one is %s", rule.Status)
		}
		if err := draft.check(); err != nil {
			return err
		}
		if err := draft.checkIn(tx, realm, id); err != nil {
			return err
		}
		if !sameElements(rule.Groups, draft.Groups) {
			return ruleRefused(fault.Invalid, RuleGroupsFixed, "the groups of a rule cannot be changed")
		}
		rule.Name, rule.Expression, rule.ExcludedUsers = draft.Name, draft.Expression, draft.ExcludedUsers
		return nil
	})
}

func sameElements(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// ActivateRule lets a rule work: it is evaluated for everybody before this
// returns, and from then on whenever an account changes. An active rule stays
// as it is.
func (d *Directory) ActivateRule(ctx context.Context, actor Actor, realm, id string) error {
	_, err := d.changeRule(ctx, actor, realm, id, "group.user_membership.rule.trigger", func(tx Tx, rule *GroupRule) error {
		switch rule.Status {
		case RuleActive:
			return errUnchanged
		case RuleInvalid:
			return ruleRefused(fault.Conflict, RuleNotValid, "the rule names a group that has been deleted")
		}
		if err := checkTargets(tx, realm, rule.Groups); err != nil {
			return err
		}
		rule.Status = RuleActive
		return d.startSweep(tx, realm)
	})
	if err != nil {
		return err
	}
	return d.sweep(ctx, realm)
}

// DeactivateRule stops the evaluation of a rule. Its memberships stay. A rule
// that is not active stays as it is.
func (d *Directory) DeactivateRule(ctx context.Context, actor Actor, realm, id string) error {
	_, err := d.changeRule(ctx, actor, realm, id, "group.user_membership.rule.deactivated", func(_ Tx, rule *GroupRule) error {
		if rule.Status != RuleActive {
			return errUnchanged
		}
		rule.Status = RuleInactive
		return nil
	})
	return err
}

// changeRule stores what f makes of a rule.
func (d *Directory) changeRule(ctx context.Context, actor Actor, realm, id, kind string, f func(Tx, *GroupRule) error) (after *GroupRule, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := getRule(tx, realm, id)
		if err != nil {
			return err
		}
		after, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: kind}, func(rule *GroupRule) error { return f(tx, rule) })
		return err
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// DeleteRule removes a rule that is not active. Its memberships end with it
// when removeUsers is set; otherwise they stay as if made by hand.
func (d *Directory) DeleteRule(ctx context.Context, actor Actor, realm, id string, removeUsers bool) error {
	err := d.Store.Update(ctx, func(tx Tx) error {
		rule, err := getRule(tx, realm, id)
		if err != nil {
			return err
		}
		if rule.Status == RuleActive {
			return ruleRefused(fault.Conflict, RuleIsActive, "an ACTIVE rule cannot be deleted; deactivate it first")
		}
		if removeUsers {
			_, err := amend(d, tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.update"}, func(after *GroupRule) error {
				after.Ending = true
				return nil
			})
			return err
		}
		if err := forgetClaims(tx, rule); err != nil {
			return err
		}
		return d.deleteObject(tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.delete", targets: []Target{rule.target()}})
	})
	if err != nil || !removeUsers {
		return err
	}
	return d.endRule(context.WithoutCancel(ctx), actor, realm, id)
}

// forgetClaims turns the memberships of a rule into such made by hand.
func forgetClaims(tx Tx, rule *GroupRule) error {
	for _, group := range rule.Groups {
		if err := forgetClaimsOn(tx, rule, group); err != nil {
			return err
		}
	}
	return nil
}

func forgetClaimsOn(tx Tx, rule *GroupRule, group string) error {
	_, err := tx.DeleteRecords(RecordQuery{Realm: rule.Realm, Noun: ruleClaimNoun, Parent: claimParent(rule.ID, group)})
	return err
}

// endRule removes the memberships of an ending rule, a batch at a time, and
// then the rule.
func (d *Directory) endRule(ctx context.Context, actor Actor, realm, id string) error {
	for gone := false; !gone; {
		err := d.Store.Update(ctx, func(tx Tx) error {
			rule, err := get[GroupRule](tx, realm, id)
			if fault.Is(err, fault.NotFound) {
				gone = true // somebody else has finished it
				return nil
			}
			if err != nil {
				return err
			}
			claims, err := someClaims(tx, rule, ruleBatch)
			if err != nil {
				return err
			}
			if gone = len(claims) == 0; gone {
				return d.deleteObject(tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.delete", targets: []Target{rule.target()}})
			}
			s, err := d.newSettler(tx, realm, actor)
			if err != nil {
				return err
			}
			for _, c := range claims {
				if err := s.end(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// someClaims returns at most limit claims of a rule.
func someClaims(r Reader, rule *GroupRule, limit int) (out []*ruleClaim, err error) {
	for _, group := range rule.Groups {
		q := RecordQuery{Realm: rule.Realm, Parent: claimParent(rule.ID, group)}
		more, err := all[ruleClaim](r, q, limit-len(out), nil)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) == limit {
			break
		}
	}
	return out, nil
}

// GroupNames returns the names of those of the groups that exist, by id.
func (d *Directory) GroupNames(ctx context.Context, realm string, ids []string) (map[string]string, error) {
	out := map[string]string{}
	err := d.Store.View(ctx, func(r Reader) error {
		for _, id := range ids {
			g, err := r.Group(realm, id)
			switch {
			case fault.Is(err, fault.NotFound):
				continue
			case err != nil:
				return err
			}
			out[id] = g.Name()
		}
		return nil
	})
	return out, err
}

// invalidateRules makes the rules that fill a group INVALID, because it is about
// to go, and forgets what they claimed on it.
func (d *Directory) invalidateRules(tx Tx, actor Actor, g *Group, at time.Time) error {
	rules, err := all(tx, RecordQuery{Realm: g.Realm}, 0, func(r *GroupRule) bool { return slices.Contains(r.Groups, g.ID) })
	if err != nil {
		return err
	}
	for _, before := range rules {
		if err := forgetClaimsOn(tx, before, g.ID); err != nil {
			return err
		}
		if before.Status == RuleInvalid {
			continue
		}
		c := change{at: at, actor: actor, kind: "group.user_membership.rule.invalidate", targets: []Target{before.target(), g.target()}}
		_, err := amend(d, tx, before, c, func(after *GroupRule) error {
			after.Status = RuleInvalid
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
