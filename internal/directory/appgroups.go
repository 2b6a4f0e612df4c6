package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// AssignedGroup is a group that an application is assigned to: all its members are
// users of the application as long as they are in it.
type AssignedGroup struct {
	Meta
	App      string         `json:"app"`
	Group    string         `json:"group"`
	Priority int            `json:"priority"` // 0 is the highest; unique in the application
	Profile  map[string]any `json:"profile"`
}

func (g *AssignedGroup) Place() Place {
	return Place{Noun: AppGroupNoun, Parent: g.App, Subject: g.Group}
}

// AppGroupDraft is the assignment of a group as asked for.
type AppGroupDraft struct {
	Priority *int // nil: the highest for a new one, else as it is
	Profile  map[string]any
}

// AssignGroup assigns an application to a group, or changes the assignment.
// Groups with the same or following priorities make room (recorded: a new
// group gets 0 and the one that had it 1; gaps are left alone).
func (d *Directory) AssignGroup(ctx context.Context, actor Actor, realm, appID, groupID string, draft AppGroupDraft) (ag *AssignedGroup, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		app, g, err := appAndGroup(tx, realm, appID, groupID)
		if err != nil {
			return err
		}
		before, err := appGroup(tx, app, g)
		switch {
		case fault.Is(err, fault.NotFound):
			ag, err = d.addAppGroup(tx, actor, app, g, draft)
		case err == nil:
			ag, err = d.amendAppGroup(tx, actor, app, g, before, func(after *AssignedGroup) error {
				after.apply(draft)
				return nil
			})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ag, nil
}

// EditAppGroup changes the assignment of a group in place.
func (d *Directory) EditAppGroup(ctx context.Context, actor Actor, realm, appID, groupID string, edit func(*AssignedGroup) error) (after *AssignedGroup, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		app, g, err := appAndGroup(tx, realm, appID, groupID)
		if err != nil {
			return err
		}
		before, err := appGroup(tx, app, g)
		if err != nil {
			return err
		}
		after, err = d.amendAppGroup(tx, actor, app, g, before, edit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

func (g *AssignedGroup) apply(draft AppGroupDraft) {
	if draft.Priority != nil {
		g.Priority = *draft.Priority
	}
	if draft.Profile != nil {
		g.Profile = draft.Profile
	}
}

// addAppGroup makes an assignment, and users of all members of the group.
func (d *Directory) addAppGroup(tx Tx, actor Actor, app *App, g *Group, draft AppGroupDraft) (*AssignedGroup, error) {
	ag := &AssignedGroup{Meta: Meta{ID: assignmentID(app.ID, g.ID), Realm: app.Realm}, App: app.ID, Group: g.ID, Profile: map[string]any{}}
	ag.apply(draft)
	if err := makeRoom(tx, ag); err != nil {
		return nil, err
	}
	now := d.now()
	err := d.insertObject(tx, ag, change{
		at: now, actor: actor, kind: "group.application_assignment.add", target: app.ID, targets: []Target{g.target(), app.target()},
	})
	if err != nil {
		return nil, err
	}
	return ag, eachMember(tx, g, func(a *Account) error { return d.cover(tx, actor, app, a, g.ID, now) })
}

func (d *Directory) amendAppGroup(tx Tx, actor Actor, app *App, g *Group, before *AssignedGroup, edit func(*AssignedGroup) error) (*AssignedGroup, error) {
	c := change{
		at: d.now(), actor: actor, kind: "group.application_assignment.update", target: app.ID, targets: []Target{g.target(), app.target()},
	}
	return amend(d, tx, before, c, func(after *AssignedGroup) error {
		if err := edit(after); err != nil {
			return err
		}
		return makeRoom(tx, after)
	})
}

// makeRoom moves the groups that have the priority of g, and those directly
// behind, one back.
func makeRoom(tx Tx, g *AssignedGroup) error {
	others, err := groupsOfApp(tx, g.Realm, g.App)
	if err != nil {
		return err
	}
	taken := g.Priority
	for _, o := range others {
		if o.Group == g.Group || o.Priority < taken {
			continue
		}
		if o.Priority > taken {
			break
		}
		taken++
		o.Priority = taken
		if err := replaceObject(tx, o, o.Updated); err != nil { // it was not edited itself
			return err
		}
	}
	return nil
}

func appAndGroup(r Reader, realm, appID, groupID string) (*App, *Group, error) {
	app, err := get[App](r, realm, appID)
	if err != nil {
		return nil, nil, err
	}
	g, err := r.Group(realm, groupID)
	return app, g, err
}

func appGroup(r Reader, app *App, g *Group) (*AssignedGroup, error) {
	ag, err := get[AssignedGroup](r, app.Realm, assignmentID(app.ID, g.ID))
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(AppGroupNoun, g.ID)
	}
	return ag, err
}

// groupsOfApp returns the groups assigned to an application by priority.
func groupsOfApp(r Reader, realm, app string) ([]*AssignedGroup, error) {
	list, err := all[AssignedGroup](r, RecordQuery{Realm: realm, Parent: app}, 0, nil)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(x, y *AssignedGroup) int { return cmp.Compare(x.Priority, y.Priority) })
	return list, nil
}

// GroupAssignment is an app group together with the group it is of.
type GroupAssignment struct {
	*AssignedGroup
	Of *Group
}

// AppGroup returns the assignment of a group to an application.
func (d *Directory) AppGroup(ctx context.Context, realm, appID, groupID string) (out GroupAssignment, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		app, g, err := appAndGroup(r, realm, appID, groupID)
		if err != nil {
			return err
		}
		ag, err := appGroup(r, app, g)
		out = GroupAssignment{ag, g}
		return err
	})
	return out, err
}

// AppGroups returns the groups of an application by priority whose names begin
// with term.
func (d *Directory) AppGroups(ctx context.Context, realm, appID, term string) (out []GroupAssignment, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if _, err := get[App](r, realm, appID); err != nil {
			return err
		}
		list, err := groupsOfApp(r, realm, appID)
		if err != nil {
			return err
		}
		for _, ag := range list {
			g, err := r.Group(realm, ag.Group)
			if err != nil {
				return err
			}
			if strings.HasPrefix(Fold(g.Name()), Fold(term)) {
				out = append(out, GroupAssignment{ag, g})
			}
		}
		return nil
	})
	return out, err
}

// UnassignGroup takes an application from a group, and from the members who
// had it through this group only.
func (d *Directory) UnassignGroup(ctx context.Context, actor Actor, realm, appID, groupID string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		app, g, err := appAndGroup(tx, realm, appID, groupID)
		if err != nil {
			return err
		}
		ag, err := appGroup(tx, app, g)
		if err != nil {
			return err
		}
		return d.unassignGroup(tx, actor, app, g, ag, d.now())
	})
}

func (d *Directory) unassignGroup(tx Tx, actor Actor, app *App, g *Group, ag *AssignedGroup, now time.Time) error {
	c := change{at: now, actor: actor, kind: "group.application_assignment.remove", target: app.ID, targets: []Target{g.target(), app.target()}}
	if err := d.deleteObject(tx, ag, c); err != nil {
		return err
	}
	return eachMember(tx, g, func(a *Account) error { return d.uncover(tx, actor, app, a, g.ID, now) })
}

// eachMember calls f for every member of a group, reading them page by page:
// f may use the transaction, and a large group is never in memory as a whole.
func eachMember(tx Tx, g *Group, f func(*Account) error) error {
	after := ""
	for {
		page := make([]*Account, 0, pageOfUsers)
		for a, err := range tx.Accounts(AccountQuery{Realm: g.Realm, Group: g.ID, After: after}) {
			if err != nil {
				return err
			}
			if page = append(page, a); len(page) == pageOfUsers {
				break
			}
		}
		for _, a := range page {
			if err := f(a); err != nil {
				return err
			}
			after = a.ID
		}
		if len(page) < pageOfUsers {
			return nil
		}
	}
}

// cover makes a member of an assigned group a user of the application, unless
// he is one already or is deactivated.
func (d *Directory) cover(tx Tx, actor Actor, app *App, a *Account, group string, now time.Time) error {
	if a.Status == Deprovisioned {
		return nil
	}
	u := d.newAppUser(app, a, GroupScope)
	u.Group = group
	err := d.addAppUser(tx, actor, app, a, u, now)
	if fault.Is(err, fault.Conflict) { // cheaper than to look first, for 100,000 members
		return nil
	}
	return err
}

// uncover ends an assignment that a group brought, unless another group of the
// account has the application too: then it is that group's from now on.
func (d *Directory) uncover(tx Tx, actor Actor, app *App, a *Account, group string, now time.Time) error {
	u, err := appUser(tx, app, a)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil || u.Scope != GroupScope || u.Group != group {
		return err
	}
	other, err := coveringGroup(tx, app, a)
	if err != nil {
		return err
	}
	if other == "" {
		return d.removeAppUser(tx, actor, app, a, u, now)
	}
	after := *u
	after.Group = other
	return d.updateAppUser(tx, actor, app, a, u, &after, now)
}

// coveringGroup returns the first group, by priority, that has the application
// and the account, or "".
func coveringGroup(r Reader, app *App, a *Account) (string, error) {
	assigned, err := groupsOfApp(r, app.Realm, app.ID)
	if err != nil || len(assigned) == 0 {
		return "", err
	}
	in := map[string]bool{}
	for g, err := range r.Groups(GroupQuery{Realm: a.Realm, Member: a.ID}) {
		if err != nil {
			return "", err
		}
		in[g.ID] = true
	}
	for _, ag := range assigned {
		if in[ag.Group] {
			return ag.Group, nil
		}
	}
	return "", nil
}

// appsJoined gives the applications of a group to an account that came into it.
func (d *Directory) appsJoined(tx Tx, actor Actor, realm, group string, a *Account, now time.Time) error {
	return eachAppOf(tx, realm, group, func(app *App, _ *AssignedGroup) error { return d.cover(tx, actor, app, a, group, now) })
}

// appsLeft takes the applications of a group from an account that went out of it.
func (d *Directory) appsLeft(tx Tx, actor Actor, realm, group string, a *Account, now time.Time) error {
	return eachAppOf(tx, realm, group, func(app *App, _ *AssignedGroup) error { return d.uncover(tx, actor, app, a, group, now) })
}

// appsEnding takes its applications from a group that is about to be deleted.
func (d *Directory) appsEnding(tx Tx, actor Actor, g *Group, now time.Time) error {
	return eachAppOf(tx, g.Realm, g.ID, func(app *App, ag *AssignedGroup) error { return d.unassignGroup(tx, actor, app, g, ag, now) })
}

// appsOfGroups gives an account the applications of all groups it is in.
func (d *Directory) appsOfGroups(tx Tx, actor Actor, a *Account, now time.Time) error {
	// Every new account comes here: where no group has an application, one look
	// has to be enough.
	assigned, err := all[AssignedGroup](tx, RecordQuery{Realm: a.Realm}, 1, nil)
	if err != nil || len(assigned) == 0 {
		return err
	}
	var groups []string
	for g, err := range tx.Groups(GroupQuery{Realm: a.Realm, Member: a.ID}) {
		if err != nil {
			return err
		}
		groups = append(groups, g.ID)
	}
	for _, g := range groups {
		if err := d.appsJoined(tx, actor, a.Realm, g, a, now); err != nil {
			return err
		}
	}
	return nil
}

func eachAppOf(tx Tx, realm, group string, f func(*App, *AssignedGroup) error) error {
	assigned, err := all[AssignedGroup](tx, RecordQuery{Realm: realm, Subject: group}, 0, nil)
	if err != nil {
		return err
	}
	for _, ag := range assigned {
		app, err := get[App](tx, realm, ag.App)
		if err != nil {
			return err
		}
		if err := f(app, ag); err != nil {
			return err
		}
	}
	return nil
}
