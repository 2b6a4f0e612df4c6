package provision

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// pushID is the id of the push of a group to an application: there is one at
// most.
func pushID(app, group string) string { return app + "/" + group }

// Push starts to push a group to an application by name. One that is pushed
// already is a fault.Conflict.
func (e *Engine) Push(ctx context.Context, actor directory.Actor, realm, app, group string) (*GroupPush, error) {
	var p *GroupPush
	err := e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if _, err := directory.Get[Target](tx, realm, app); err != nil {
			return err
		}
		g, err := tx.Group(realm, group)
		if err != nil {
			return err
		}
		p, err = e.push(tx, actor, app, g, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (e *Engine) push(tx directory.Tx, actor directory.Actor, app string, g *directory.Group, rule string) (*GroupPush, error) {
	p := &GroupPush{Meta: directory.Meta{ID: pushID(app, g.ID), Realm: g.Realm}, App: app, Group: g.ID, Rule: rule}
	err := e.Directory.InsertObject(tx, p, directory.Event{At: e.Directory.Now(), Actor: actor, Kind: KindPushAdded, Targets: targetsOf(app, g)})
	if fault.Is(err, fault.Conflict) {
		return nil, fault.Wrap(fault.Conflict, err, "group %q is pushed to this application already", g.Name())
	}
	return p, err
}

// targetsOf is what the system log names for a change of a group push.
func targetsOf(app string, g *directory.Group) []directory.Target {
	return []directory.Target{
		{Type: "AppGroup", ID: g.ID, DisplayName: g.Name()},
		{Type: "AppInstance", ID: app},
	}
}

// PausePush stops or resumes the push of a group, without touching what the
// application has.
func (e *Engine) PausePush(ctx context.Context, actor directory.Actor, realm, app, group string, paused bool) error {
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := directory.Get[GroupPush](tx, realm, pushID(app, group))
		if err != nil || before.Paused == paused {
			return err
		}
		after := *before
		after.Paused = paused
		return e.Directory.UpdateObject(tx, before, &after, directory.Event{At: e.Directory.Now(), Actor: actor, Kind: KindPushUpdated})
	})
}

// Unpush ends the push of a group. deleteRemote deletes the group of the
// application as well; otherwise it is only let go.
func (e *Engine) Unpush(ctx context.Context, actor directory.Actor, realm, app, group string, deleteRemote bool) error {
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		p, err := directory.Get[GroupPush](tx, realm, pushID(app, group))
		if err != nil {
			return err
		}
		p.DeleteRemote = deleteRemote
		return e.Directory.DeleteObject(tx, p, directory.Event{At: e.Directory.Now(), Actor: actor, Kind: KindPushRemoved})
	})
}

// Pushes returns the group pushes of an application in the order of the groups.
func (e *Engine) Pushes(ctx context.Context, realm, app string) (out []*GroupPush, err error) {
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		out, err = directory.All[GroupPush](r, directory.RecordQuery{Realm: realm, Parent: app}, 0, nil)
		return err
	})
	return out, err
}

// AddPushRule adds a rule that pushes every group it matches, now and later. A
// rule that matches everything is a fault.Invalid.
func (e *Engine) AddPushRule(ctx context.Context, actor directory.Actor, rule PushRule) (*PushRule, error) {
	if rule.GroupName == (TextMatch{}) && rule.Description == (TextMatch{}) {
		return nil, fault.New(fault.Invalid, "a push rule without condition would push every group").Fix("say what the name or the description has in it")
	}
	rule.ID = e.Directory.IDs.Okta("gpr")
	err := e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if _, err := directory.Get[Target](tx, rule.Realm, rule.App); err != nil {
			return err
		}
		return e.Directory.InsertObject(tx, &rule, directory.Event{At: e.Directory.Now(), Actor: actor, Kind: KindRuleAdded})
	})
	if err != nil {
		return nil, err
	}
	return &rule, nil
}

// RemovePushRule removes a rule. What it has pushed stays pushed by name, unless
// it is unlinked by unlink.
func (e *Engine) RemovePushRule(ctx context.Context, actor directory.Actor, realm, id string, unlink, deleteRemote bool) error {
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		rule, err := directory.Get[PushRule](tx, realm, id)
		if err != nil {
			return err
		}
		pushes, err := directory.All(tx, directory.RecordQuery{Realm: realm, Parent: rule.App}, 0, func(p *GroupPush) bool { return p.Rule == id })
		if err != nil {
			return err
		}
		at := e.Directory.Now()
		for _, p := range pushes {
			if unlink {
				p.DeleteRemote = deleteRemote
				err = e.Directory.DeleteObject(tx, p, directory.Event{At: at, Actor: actor, Kind: KindPushRemoved})
			} else {
				after := *p
				after.Rule = ""
				err = e.Directory.UpdateObject(tx, p, &after, directory.Event{At: at, Actor: actor, Kind: KindPushUpdated})
			}
			if err != nil {
				return err
			}
		}
		return e.Directory.DeleteObject(tx, rule, directory.Event{At: at, Actor: actor, Kind: KindRuleRemoved})
	})
}

// PushRules returns the push rules of an application in the order of their ids.
func (e *Engine) PushRules(ctx context.Context, realm, app string) (out []*PushRule, err error) {
	err = e.Directory.Store.View(ctx, func(r directory.Reader) error {
		out, err = directory.All[PushRule](r, directory.RecordQuery{Realm: realm, Parent: app}, 0, nil)
		return err
	})
	return out, err
}

// Match reports whether the rule pushes a group.
func (r *PushRule) Match(g *directory.Group) bool {
	if r.Paused || g.Type == directory.ConnectionGroup {
		return false
	}
	description, _ := g.Profile["description"].(string)
	return r.GroupName.match(g.Name()) && r.Description.match(description)
}

func (m TextMatch) match(text string) bool {
	text = directory.Fold(text)
	return strings.HasPrefix(text, directory.Fold(m.StartsWith)) && strings.HasSuffix(text, directory.Fold(m.EndsWith)) &&
		strings.Contains(text, directory.Fold(m.Contains))
}

// pushByRules pushes what the rules of a realm match: one group, or all when it
// is "". Groups that are matched no more stay pushed.
func (e *Engine) pushByRules(ctx context.Context, realm, group string) error {
	var rules []*PushRule
	var groups []*directory.Group
	err := e.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		if rules, err = directory.All[PushRule](r, directory.RecordQuery{Realm: realm}, 0, nil); err != nil || len(rules) == 0 {
			return err
		}
		groups, err = matched(r, realm, group, rules)
		return err
	})
	if err != nil || len(groups) == 0 {
		return err
	}
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		for _, g := range groups {
			for _, rule := range rules {
				_, err := directory.Get[GroupPush](tx, realm, pushID(rule.App, g.ID))
				if err == nil || !rule.Match(g) {
					continue
				}
				if _, err := e.push(tx, directory.System("provisioning"), rule.App, g, rule.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// matched returns the groups that any rule matches.
func matched(r directory.Reader, realm, group string, rules []*PushRule) (out []*directory.Group, err error) {
	some := func(g *directory.Group) bool {
		return slices.ContainsFunc(rules, func(rule *PushRule) bool { return rule.Match(g) })
	}
	if group != "" {
		g, err := r.Group(realm, group)
		if fault.Is(err, fault.NotFound) || err == nil && !some(g) {
			return nil, nil
		}
		return []*directory.Group{g}, err
	}
	for g, err := range r.Groups(directory.GroupQuery{Realm: realm}) {
		if err != nil {
			return nil, err
		}
		if some(g) {
			out = append(out, g)
		}
	}
	return out, nil
}
