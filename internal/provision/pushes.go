package provision

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// The events of pushed groups (Okta: event types).
const (
	pushCreated     = "application.provision.group_push.mapping.created"
	pushActivated   = "application.provision.group_push.activate_mapping"
	pushDeactivated = "application.provision.group_push.deactivate_mapping"
	pushRemoved     = "application.provision.group_push.removed"
)

// Pushes returns the groups that an application gets, in the order of their ids.
func (s *Settings) Pushes(ctx context.Context, app string) (out []*GroupPush, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := directory.Get[directory.App](r, s.Realm, app); err != nil {
			return err
		}
		out, err = directory.All[GroupPush](r, directory.RecordQuery{Realm: s.Realm, Parent: app}, 0, nil)
		return err
	})
	return out, err
}

// Push returns a group push by its id.
func (s *Settings) Push(ctx context.Context, app, id string) (p *GroupPush, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pushOf(r, s.Realm, app, id)
		return err
	})
	return p, err
}

func pushOf(r directory.Reader, realm, app, id string) (*GroupPush, error) {
	p, err := directory.Get[GroupPush](r, realm, id)
	if err == nil && p.App != app {
		return nil, directory.NotFound(directory.GroupPushNoun, id)
	}
	return p, err
}

// AddPush begins to push a group. One that is pushed already is a fault.Conflict.
func (s *Settings) AddPush(ctx context.Context, actor directory.Actor, app, group string, paused bool) (p *GroupPush, err error) {
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		g, err := tx.Group(s.Realm, group)
		if err != nil {
			return err
		}
		pushed, err := directory.All[GroupPush](tx, directory.RecordQuery{Realm: s.Realm, Parent: app, Subject: group}, 1, nil)
		if err != nil {
			return err
		}
		if len(pushed) > 0 {
			return fault.New(fault.Conflict, "group %q is pushed to application %q already", g.Name(), of.Label)
		}
		p = &GroupPush{Meta: directory.Meta{ID: s.Directory.IDs.Okta("gPm"), Realm: s.Realm}, App: app, Group: group, Paused: paused}
		return s.Directory.InsertObject(tx, p, s.pushEvent(actor, pushCreated, of, g))
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Settings) pushEvent(actor directory.Actor, kind string, app *directory.App, g *directory.Group) directory.Event {
	return s.event(actor, kind, app, directory.Target{Type: "UserGroup", ID: g.ID, DisplayName: g.Name()})
}

// PausePush stops or resumes the push of a group. What the application has stays.
func (s *Settings) PausePush(ctx context.Context, actor directory.Actor, app, id string, paused bool) (after *GroupPush, err error) {
	kind := pushActivated
	if paused {
		kind = pushDeactivated
	}
	err = s.changePush(ctx, app, id, func(tx directory.Tx, of *directory.App, g *directory.Group, before *GroupPush) error {
		if after = before; before.Paused == paused {
			return nil
		}
		if after, err = directory.CloneObject[GroupPush](before); err != nil {
			return err
		}
		after.Paused = paused
		return s.Directory.UpdateObject(tx, before, after, s.pushEvent(actor, kind, of, g))
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// RemovePush ends the push of a group. deleteRemote deletes the group of the
// application too; otherwise it stays there as it is.
func (s *Settings) RemovePush(ctx context.Context, actor directory.Actor, app, id string, deleteRemote bool) error {
	return s.changePush(ctx, app, id, func(tx directory.Tx, of *directory.App, g *directory.Group, p *GroupPush) error {
		p.DeleteRemote = deleteRemote // the change log tells whoever carries it out
		return s.Directory.DeleteObject(tx, p, s.pushEvent(actor, pushRemoved, of, g))
	})
}

func (s *Settings) changePush(ctx context.Context, app, id string, f func(directory.Tx, *directory.App, *directory.Group, *GroupPush) error) error {
	return s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		p, err := pushOf(tx, s.Realm, app, id)
		if err != nil {
			return err
		}
		g, err := tx.Group(s.Realm, p.Group)
		if err != nil {
			return err
		}
		return f(tx, of, g, p)
	})
}

// PushRules returns the rules by which groups are pushed to an application.
func (s *Settings) PushRules(ctx context.Context, app string) (out []*PushRule, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := directory.Get[directory.App](r, s.Realm, app); err != nil {
			return err
		}
		out, err = directory.All[PushRule](r, directory.RecordQuery{Realm: s.Realm, Parent: app}, 0, nil)
		return err
	})
	return out, err
}

// AddPushRule begins to push the groups that a rule matches.
func (s *Settings) AddPushRule(ctx context.Context, actor directory.Actor, rule PushRule) (*PushRule, error) {
	if rule.GroupName == (TextMatch{}) && rule.Description == (TextMatch{}) {
		return nil, fault.New(fault.Invalid, "a rule without condition would push every group").Fix("say how the names of the groups begin, end, or what they contain")
	}
	if rule.Name == "" {
		return nil, fault.New(fault.Invalid, "a rule needs a name")
	}
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, rule.App)
		if err != nil {
			return err
		}
		others, err := directory.All[PushRule](tx, directory.RecordQuery{Realm: s.Realm, Parent: rule.App}, 0, nil)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o *PushRule) bool { return o.Name == rule.Name }) {
			return fault.New(fault.Conflict, "application %q has a rule %q already", of.Label, rule.Name)
		}
		rule.Meta = directory.Meta{ID: s.Directory.IDs.Okta("gPr"), Realm: s.Realm}
		return s.Directory.InsertObject(tx, &rule, s.event(actor, pushCreated, of))
	})
	if err != nil {
		return nil, err
	}
	return &rule, nil
}

// RemovePushRule ends a rule, by its id or name, and the pushes that it brought.
func (s *Settings) RemovePushRule(ctx context.Context, actor directory.Actor, app, ref string, deleteRemote bool) error {
	return s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		rules, err := directory.All(tx, directory.RecordQuery{Realm: s.Realm, Parent: app}, 1, func(r *PushRule) bool { return r.ID == ref || r.Name == ref })
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			return directory.NotFound(directory.PushRuleNoun, ref)
		}
		rule := rules[0]
		brought, err := directory.All(tx, directory.RecordQuery{Realm: s.Realm, Parent: app}, 0, func(p *GroupPush) bool { return p.Rule == rule.ID })
		if err != nil {
			return err
		}
		for _, p := range brought {
			p.DeleteRemote = deleteRemote
			if err := s.Directory.DeleteObject(tx, p, s.event(actor, pushRemoved, of)); err != nil {
				return err
			}
		}
		return s.Directory.DeleteObject(tx, rule, s.event(actor, pushRemoved, of))
	})
}
