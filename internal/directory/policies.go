package directory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// State says whether something that can be switched is on. Okta words it as a
// status of its own for each sort of object; these two are common to all.
type State string

// The states.
const (
	On  State = "ACTIVE"
	Off State = "INACTIVE"
)

// Policy is a policy of an org: who signs in how. The directory keeps policies
// and their rules; what they say is carried out by nobody here.
type Policy struct {
	Meta
	Type        string         `json:"type"` // OKTA_SIGN_ON, PASSWORD, ACCESS_POLICY ...
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Status      State          `json:"status"`
	Priority    int            `json:"priority"` // 1 first, among the policies of its type
	System      bool           `json:"system"`   // made with the org: cannot be deleted
	Rest        map[string]any `json:"rest"`     // conditions, settings and whatever else the type has
}

func (p *Policy) Place() Place { return Place{Noun: PolicyNoun, Parent: p.Type} }

func (p *Policy) target() Target {
	return Target{Type: "PolicyEntity", ID: p.ID, AlternateID: p.Type, DisplayName: p.Name}
}

// PolicyRule is one rule of a policy.
type PolicyRule struct {
	Meta
	Policy   string         `json:"policy"`
	Type     string         `json:"type"`
	Name     string         `json:"name"`
	Status   State          `json:"status"`
	Priority int            `json:"priority"`
	System   bool           `json:"system"`
	Rest     map[string]any `json:"rest"` // conditions, actions
}

func (r *PolicyRule) Place() Place { return Place{Noun: PolicyRuleNoun, Parent: r.Policy} }

func (r *PolicyRule) target() Target {
	return Target{Type: "PolicyRule", ID: r.ID, AlternateID: r.Policy, DisplayName: r.Name}
}

// PolicyTypes are the policies that an org can have, with the types of their rules.
var PolicyTypes = map[string]string{
	"OKTA_SIGN_ON":       "SIGN_ON",
	"PASSWORD":           "PASSWORD",
	"MFA_ENROLL":         "MFA_ENROLL",
	"IDP_DISCOVERY":      "IDP_DISCOVERY",
	"ACCESS_POLICY":      "ACCESS_POLICY",
	"PROFILE_ENROLLMENT": "PROFILE_ENROLLMENT",
	"POST_AUTH_SESSION":  "POST_AUTH_SESSION",
	"ENTITY_RISK":        "ENTITY_RISK",
}

// Policies returns the policies of a type in order of priority.
func (d *Directory) Policies(ctx context.Context, realm, typ string) (out []*Policy, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = all[Policy](r, RecordQuery{Realm: realm, Parent: typ}, 0, nil)
		return err
	})
	slices.SortStableFunc(out, func(a, b *Policy) int { return cmp.Compare(a.Priority, b.Priority) })
	return out, err
}

// Policy returns a policy by its id.
func (d *Directory) Policy(ctx context.Context, realm, id string) (p *Policy, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		p, err = get[Policy](r, realm, id)
		return err
	})
	return p, err
}

// CreatePolicy adds a policy behind those of its type, unless it names a
// priority.
func (d *Directory) CreatePolicy(ctx context.Context, actor Actor, realm string, p *Policy) (*Policy, error) {
	v := checkName(p.Name)
	if PolicyTypes[p.Type] == "" {
		v = append(v, Violation{Field: "type", Rule: WrongValue})
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	err := d.Store.Update(ctx, func(tx Tx) error {
		p.ID, p.Realm = d.IDs.Okta(policyPrefix(p.Type)), realm
		return d.insertPolicy(tx, actor, p)
	})
	return p, err
}

func (d *Directory) insertPolicy(tx Tx, actor Actor, p *Policy) error {
	same, err := all[Policy](tx, RecordQuery{Realm: p.Realm, Parent: p.Type}, 0, nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(same, func(o *Policy) bool { return o.Name == p.Name }) {
		return Duplicate("name")
	}
	if p.Priority <= 0 || p.Priority > len(same)+1 {
		p.Priority = len(same) + 1
	}
	return d.insertObject(tx, p, change{at: d.now(), actor: actor, kind: "policy.lifecycle.create", targets: []Target{p.target()}})
}

// ReplacePolicy replaces what can be replaced: name, description, priority and
// the rest.
func (d *Directory) ReplacePolicy(ctx context.Context, actor Actor, realm, id string, by *Policy) (*Policy, error) {
	if err := checkName(by.Name).err(); err != nil {
		return nil, err
	}
	return d.changePolicy(ctx, actor, realm, id, "policy.lifecycle.update", func(p *Policy) error {
		p.Name, p.Description, p.Rest = by.Name, by.Description, by.Rest
		if by.Priority > 0 {
			p.Priority = by.Priority
		}
		return nil
	})
}

// SwitchPolicy activates or deactivates a policy. System policies stay on.
func (d *Directory) SwitchPolicy(ctx context.Context, actor Actor, realm, id string, to State) error {
	kind := "policy.lifecycle.activate"
	if to == Off {
		kind = "policy.lifecycle.deactivate"
	}
	_, err := d.changePolicy(ctx, actor, realm, id, kind, func(p *Policy) error {
		if p.System && to == Off {
			return systemObject(PolicyNoun, p.Name)
		}
		p.Status = to
		return nil
	})
	return err
}

func (d *Directory) changePolicy(ctx context.Context, actor Actor, realm, id, kind string, f func(*Policy) error) (after *Policy, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := get[Policy](tx, realm, id)
		if err != nil {
			return err
		}
		after, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: kind}, f)
		return err
	})
	return after, err
}

// DeletePolicy removes a policy with its rules. System policies stay.
func (d *Directory) DeletePolicy(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		p, err := get[Policy](tx, realm, id)
		if err != nil {
			return err
		}
		if p.System {
			return systemObject(PolicyNoun, p.Name)
		}
		if _, err := tx.DeleteRecords(RecordQuery{Realm: realm, Noun: PolicyRuleNoun, Parent: id}); err != nil {
			return err
		}
		return d.deleteObject(tx, p, change{at: d.now(), actor: actor, kind: "policy.lifecycle.delete", targets: []Target{p.target()}})
	})
}

// PolicyRules returns the rules of a policy in order of priority.
func (d *Directory) PolicyRules(ctx context.Context, realm, policy string) (out []*PolicyRule, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if _, err := get[Policy](r, realm, policy); err != nil {
			return err
		}
		out, err = all[PolicyRule](r, RecordQuery{Realm: realm, Parent: policy}, 0, nil)
		return err
	})
	slices.SortStableFunc(out, func(a, b *PolicyRule) int { return cmp.Compare(a.Priority, b.Priority) })
	return out, err
}

// PolicyRule returns a rule of a policy.
func (d *Directory) PolicyRule(ctx context.Context, realm, policy, id string) (rule *PolicyRule, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		rule, err = policyRule(r, realm, policy, id)
		return err
	})
	return rule, err
}

func policyRule(r Reader, realm, policy, id string) (*PolicyRule, error) {
	if _, err := get[Policy](r, realm, policy); err != nil {
		return nil, err
	}
	rule, err := get[PolicyRule](r, realm, id)
	if err != nil {
		return nil, err
	}
	if rule.Policy != policy {
		return nil, NotFound(PolicyRuleNoun, id)
	}
	return rule, nil
}

// CreatePolicyRule adds a rule in front of the system's own, unless it names a
// priority.
func (d *Directory) CreatePolicyRule(ctx context.Context, actor Actor, realm, policy string, rule *PolicyRule) (*PolicyRule, error) {
	if err := checkName(rule.Name).err(); err != nil {
		return nil, err
	}
	err := d.Store.Update(ctx, func(tx Tx) error {
		p, err := get[Policy](tx, realm, policy)
		if err != nil {
			return err
		}
		siblings, err := all[PolicyRule](tx, RecordQuery{Realm: realm, Parent: policy}, 0, nil)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(siblings, func(o *PolicyRule) bool { return o.Name == rule.Name }) {
			return Duplicate("name")
		}
		rule.ID, rule.Realm, rule.Policy = d.IDs.Okta("0pr"), realm, policy
		rule.Type = cmp.Or(rule.Type, PolicyTypes[p.Type])
		if rule.Priority <= 0 {
			rule.Priority = 1 + len(slices.DeleteFunc(siblings, func(o *PolicyRule) bool { return o.System }))
		}
		return d.insertObject(tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.add", targets: []Target{p.target(), rule.target()}})
	})
	return rule, err
}

// ReplacePolicyRule replaces name, priority and the rest of a rule.
func (d *Directory) ReplacePolicyRule(ctx context.Context, actor Actor, realm, policy, id string, by *PolicyRule) (*PolicyRule, error) {
	if err := checkName(by.Name).err(); err != nil {
		return nil, err
	}
	return d.changePolicyRule(ctx, actor, realm, policy, id, "policy.rule.update", func(rule *PolicyRule) error {
		rule.Name, rule.Rest = by.Name, by.Rest
		if by.Priority > 0 {
			rule.Priority = by.Priority
		}
		return nil
	})
}

// SwitchPolicyRule activates or deactivates a rule.
func (d *Directory) SwitchPolicyRule(ctx context.Context, actor Actor, realm, policy, id string, to State) error {
	kind := "policy.rule.activate"
	if to == Off {
		kind = "policy.rule.deactivate"
	}
	_, err := d.changePolicyRule(ctx, actor, realm, policy, id, kind, func(rule *PolicyRule) error {
		if rule.System && to == Off {
			return systemObject(PolicyRuleNoun, rule.Name)
		}
		rule.Status = to
		return nil
	})
	return err
}

func (d *Directory) changePolicyRule(ctx context.Context, actor Actor, realm, policy, id, kind string, f func(*PolicyRule) error) (after *PolicyRule, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := policyRule(tx, realm, policy, id)
		if err != nil {
			return err
		}
		after, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: kind}, f)
		return err
	})
	return after, err
}

// DeletePolicyRule removes a rule. Those of the system stay.
func (d *Directory) DeletePolicyRule(ctx context.Context, actor Actor, realm, policy, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		rule, err := policyRule(tx, realm, policy, id)
		if err != nil {
			return err
		}
		if rule.System {
			return systemObject(PolicyRuleNoun, rule.Name)
		}
		return d.deleteObject(tx, rule, change{at: d.now(), actor: actor, kind: "policy.rule.delete", targets: []Target{rule.target()}})
	})
}

func checkName(name string) Violations {
	return Attribute{Name: "name", Type: TextType, Required: true, Max: 255}.check(name)
}

// systemObject is the fault for taking away what came with the org.
func systemObject(noun Noun, name string) error {
	return fault.Wrap(fault.Refused, &SystemObject{noun}, "the %s %q came with the org and stays", noun, name)
}

// defaultPolicies are those that a new org has.
var defaultPolicies = []Policy{
	{Type: "OKTA_SIGN_ON", Name: "Default Policy", Description: "The default policy applies in all situations if no other policy applies."},
	{Type: "PASSWORD", Name: "Default Policy", Description: "The default policy applies in all situations if no other policy applies."},
	{Type: "MFA_ENROLL", Name: "Default Policy", Description: "The default policy applies in all situations if no other policy applies."},
	{Type: "IDP_DISCOVERY", Name: "Idp Discovery Policy"},
	{Type: "ACCESS_POLICY", Name: "Any two factors", Description: "Require two factors to access."},
	{Type: "PROFILE_ENROLLMENT", Name: "Default Policy", Description: "Default profile enrollment policy"},
}

// DefaultPolicy is the id of the policy of a type that every org has.
func DefaultPolicy(typ string) string { return fixedID(policyPrefix(typ), typ) }

// policyPrefix is how the ids of policies of a type begin: those of
// applications have one of their own (recorded).
func policyPrefix(typ string) string {
	if typ == "ACCESS_POLICY" || typ == "PROFILE_ENROLLMENT" {
		return "rst"
	}
	return "00p"
}

// addDefaultPolicies gives a new org its policies, each with a rule for everybody.
func addDefaultPolicies(tx Tx, realm string, at time.Time) error {
	for _, p := range defaultPolicies {
		p.Realm, p.ID = realm, DefaultPolicy(p.Type)
		p.Status, p.System, p.Priority, p.Rest = On, true, 1, map[string]any{}
		if err := putObject(tx, &p, at); err != nil {
			return err
		}
		rule := PolicyRule{
			Meta: Meta{Realm: realm, ID: fixedID("0pr", p.Type)}, Policy: p.ID, Type: PolicyTypes[p.Type],
			Name: "Default Rule", Status: On, System: true, Priority: 99, Rest: map[string]any{},
		}
		if err := putObject(tx, &rule, at); err != nil {
			return err
		}
	}
	return nil
}
