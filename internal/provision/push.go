package provision

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// pushOfGroup returns the push of a group to an application, nil when it is not
// pushed there.
func pushOfGroup(r directory.Reader, realm, app, group string) (*GroupPush, error) {
	found, err := directory.All[GroupPush](r, directory.RecordQuery{Realm: realm, Parent: app, Subject: group}, 1, nil)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
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
				if err := e.pushByRule(tx, rule, g); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// pushByRule pushes a group that a rule matches, unless it is pushed already.
func (e *Engine) pushByRule(tx directory.Tx, rule *PushRule, g *directory.Group) error {
	if !rule.Match(g) {
		return nil
	}
	have, err := pushOfGroup(tx, g.Realm, rule.App, g.ID)
	if err != nil || have != nil {
		return err
	}
	p := &GroupPush{Meta: directory.Meta{ID: e.Directory.IDs.Okta("gPm"), Realm: g.Realm}, App: rule.App, Group: g.ID, Rule: rule.ID}
	return e.Directory.InsertObject(tx, p, directory.Event{
		At: e.Directory.Now(), Actor: directory.System("provisioning"), Kind: pushCreated, Target: rule.App,
		Targets: []directory.Target{{Type: "UserGroup", ID: g.ID, DisplayName: g.Name()}, {Type: "AppInstance", ID: rule.App}},
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
