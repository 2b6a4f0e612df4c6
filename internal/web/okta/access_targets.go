package okta

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// superAdmin may do everything.
const superAdmin = "SUPER_ADMIN"

// reach is what a caller's roles are good for in one call, when all of them
// that permit it are limited to targets.
type reach struct {
	groups  []string
	apps    []directory.AppTarget
	members map[string]bool // ids of the accounts in the groups, for lists; nil: not read
}

// subject is the object of the directory that the path of a call names: at most
// one of the three, but for a membership, which has group and account.
type subject struct {
	account *directory.Account
	group   string
	app     *directory.App
}

// aboutPeople, aboutGroups and aboutApps report what a path is about.
func aboutPeople(pattern string) bool {
	return pattern == usersPath || strings.HasPrefix(pattern, usersPath+"/{id}") || strings.HasPrefix(pattern, basePath+"/sessions")
}

func aboutGroups(pattern string) bool {
	return pattern == groupsPath || strings.HasPrefix(pattern, groupsPath+"/")
}

func aboutApps(pattern string) bool {
	return pattern == appsPath || strings.HasPrefix(pattern, appsPath+"/") || strings.HasPrefix(pattern, basePath+"/internal/apps/") ||
		pattern == clientsPath || strings.HasPrefix(pattern, clientsPath+"/") ||
		pattern == mappingsPath || strings.HasPrefix(pattern, mappingsPath+"/") ||
		strings.HasPrefix(pattern, sourcesPath+"/") || strings.HasPrefix(pattern, appSchemas+"/")
}

// binds reports whether the targets of a role limit calls of a path. An
// administrator of memberships may look for anybody who is to be a member.
func binds(role, pattern string) bool {
	switch role {
	case "USER_ADMIN", "HELP_DESK_ADMIN":
		return aboutPeople(pattern) || aboutGroups(pattern)
	case "GROUP_MEMBERSHIP_ADMIN":
		return aboutGroups(pattern)
	case "APP_ADMIN":
		return aboutApps(pattern)
	}
	return false
}

// reachOf returns how far the roles go that permit a call to whoever has them;
// nil: everywhere.
func (a *API) reachOf(ctx context.Context, who Caller, o operation) (*reach, error) {
	var limited []string
	for _, role := range who.Roles {
		switch {
		case !permits(role, o):
		case !binds(role, o.pattern):
			return nil, nil
		default:
			limited = append(limited, role)
		}
	}
	if len(limited) == 0 {
		return nil, nil
	}
	held, err := a.Directory.RolesHeld(ctx, a.Realm, who.Actor.ID)
	if err != nil {
		return nil, err
	}
	out := &reach{}
	for _, role := range limited {
		of := slices.DeleteFunc(slices.Clone(held), func(r *directory.Role) bool { return string(r.Type) != role })
		if len(of) == 0 || slices.ContainsFunc(of, func(r *directory.Role) bool { return !r.Limited() }) {
			return nil, nil
		}
		for _, r := range of {
			out.groups, out.apps = append(out.groups, r.Groups...), append(out.apps, r.Apps...)
		}
	}
	return out, nil
}

// subjectOf reads what the path of a call names. What is not there is left to
// the handler, which has the words for it.
func (a *API) subjectOf(r *http.Request, who Caller, pattern string) (s subject, err error) {
	person := func(segment string) (*directory.Account, error) {
		ref := r.PathValue(segment)
		if ref == "me" {
			ref = who.Actor.ID
		}
		return a.Directory.FindAccount(r.Context(), a.Realm, ref)
	}
	id := r.PathValue("id")
	switch {
	case strings.HasPrefix(pattern, usersPath+"/{id}"):
		s.account, err = person("id")
	case pattern == groupsPath+"/{id}/users/{user}":
		s.group = id
		s.account, err = person("user")
	case strings.HasPrefix(pattern, groupsPath+"/{id}"):
		s.group = id
	case strings.HasPrefix(pattern, clientsPath+"/{id}"):
		s.app, err = a.Directory.Client(r.Context(), a.Realm, id)
	case strings.HasPrefix(pattern, mappingsPath+"/{id}"):
		s.app, err = a.Directory.App(r.Context(), a.Realm, appOfMapping(id))
	case strings.HasPrefix(pattern, appsPath+"/{id}"), strings.HasPrefix(pattern, sourcesPath+"/{id}"),
		strings.HasPrefix(pattern, appSchemas+"/{id}"), strings.HasPrefix(pattern, basePath+"/internal/apps/{id}"):
		s.app, err = a.Directory.App(r.Context(), a.Realm, id)
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
		return s, nil
	}
	return s, err
}

// within decides what a role alone does not: whether the object of a call is
// among the targets of the caller's roles, and whether it is an administrator
// whom the caller may not touch. For lists it notes in who what may be shown.
func (a *API) within(r *http.Request, who *Caller, o operation) (bool, error) {
	if slices.Contains(who.Roles, superAdmin) {
		return true, nil
	}
	s, err := a.subjectOf(r, *who, o.pattern)
	if err != nil {
		return false, err
	}
	if o.name != http.MethodGet {
		if touches, err := a.touchesAdmins(r.Context(), *who, o, s); touches || err != nil {
			return false, err
		}
	}
	if who.reach, err = a.reachOf(r.Context(), *who, o); err != nil || who.reach == nil {
		return err == nil, err
	}
	return a.covers(r.Context(), who.reach, *who, o, s)
}

// covers reports whether a limited reach goes as far as the object of a call.
func (a *API) covers(ctx context.Context, to *reach, who Caller, o operation, s subject) (bool, error) {
	switch {
	case s.group != "":
		if !slices.Contains(to.groups, s.group) {
			return false, nil
		}
		// Who is to be a member must be within reach too, but for those who
		// administer memberships and nothing else.
		if s.account == nil || o.name != http.MethodPut || slices.Contains(who.Roles, "GROUP_MEMBERSHIP_ADMIN") {
			return true, nil
		}
		return a.inGroups(ctx, s.account.ID, to.groups)
	case s.account != nil:
		return a.inGroups(ctx, s.account.ID, to.groups)
	case s.app != nil:
		return to.app(s.app), nil
	case strings.Contains(o.pattern, "{id}"):
		return !strings.HasPrefix(o.pattern, rulesPath) && !strings.HasPrefix(o.pattern, basePath+"/sessions"), nil // it is not there
	case o.name == http.MethodGet:
		return o.pattern != rulesPath, a.readMembers(ctx, to, o.pattern)
	}
	// What is made must be within reach: see mayJoin and mayMakeApp.
	return o.pattern == usersPath || o.pattern == appsPath, nil
}

func (a *API) inGroups(ctx context.Context, account string, groups []string) (bool, error) {
	found, err := a.Directory.Groups(ctx, directory.GroupQuery{Realm: a.Realm, Member: account}, 1, func(g *directory.Group) bool {
		return slices.Contains(groups, g.ID)
	})
	return len(found) > 0, err
}

func (to *reach) app(app *directory.App) bool {
	return slices.ContainsFunc(to.apps, func(t directory.AppTarget) bool {
		return t.ID != "" && t.ID == app.ID || t.ID == "" && t.Name == app.Name
	})
}

// readMembers reads who is in the groups, before the list of users.
func (a *API) readMembers(ctx context.Context, to *reach, pattern string) error {
	if pattern != usersPath {
		return nil
	}
	to.members = map[string]bool{}
	for _, group := range to.groups {
		list, err := a.Directory.Accounts(ctx, directory.AccountQuery{Realm: a.Realm, Group: group}, 0, nil)
		if err != nil {
			return err
		}
		for _, one := range list {
			to.members[one.ID] = true
		}
	}
	return nil
}

// onAnybody are the changes to super administrators that others may make too
// (help.okta.com, Standard administrator roles and permissions). It also lets
// some activate them; that is left out, because the answer can hold a link that
// sets their password.
var onAnybody = []string{
	"POST /api/v1/users/{id}/lifecycle/suspend",
	"POST /api/v1/users/{id}/lifecycle/unsuspend",
	"DELETE /api/v1/users/{id}/sessions",
}

// touchesAdmins reports whether a change, which a caller who is no super
// administrator asks for, is one that would make or unmake administrators:
//
//   - of a group that has roles, or of who is in it (help.okta.com, Group
//     administrators: only super admins are able to manage groups with roles);
//   - of an application whose OAuth client has roles: whoever sets its keys is it;
//   - of the account of a super administrator, and for those who manage the
//     people of groups, of any administrator: who sets a password is that person.
func (a *API) touchesAdmins(ctx context.Context, who Caller, o operation, s subject) (bool, error) {
	switch {
	case s.group != "":
		return a.hasRole(ctx, s.group, nil)
	case s.app != nil && s.app.Client != nil:
		return a.hasRole(ctx, s.app.Client.ID, nil)
	case s.account == nil || s.account.ID == who.Actor.ID || slices.Contains(onAnybody, o.String()):
		return false, nil
	case slices.Contains(who.Roles, "ORG_ADMIN"):
		return a.hasRole(ctx, s.account.ID, []directory.RoleType{directory.SuperAdmin})
	}
	return a.hasRole(ctx, s.account.ID, nil)
}

// hasRole reports whether an account, a group or a client holds one of some
// roles; nil: any.
func (a *API) hasRole(ctx context.Context, holder string, types []directory.RoleType) (bool, error) {
	held, err := a.Directory.RolesHeld(ctx, a.Realm, holder)
	return slices.ContainsFunc(held, func(r *directory.Role) bool { return types == nil || slices.Contains(types, r.Type) }), err
}

// mayJoin refuses groups that a caller must not put a new user into: those with
// admin roles, and those beyond the reach of limited roles, which must name one.
func (a *API) mayJoin(r *http.Request, groups []string) error {
	who := caller(r)
	if slices.Contains(who.Roles, superAdmin) {
		return nil
	}
	if who.reach != nil && len(groups) == 0 {
		return problem("E0000006")
	}
	for _, group := range groups {
		admins, err := a.hasRole(r.Context(), group, nil)
		if err != nil {
			return err
		}
		if admins || who.reach != nil && !slices.Contains(who.reach.groups, group) {
			return problem("E0000006")
		}
	}
	return nil
}

// mayMakeApp refuses applications of a kind beyond the reach of limited roles.
func mayMakeApp(r *http.Request, name string) error {
	if to := caller(r).reach; to != nil && !to.app(&directory.App{Name: name}) {
		return problem("E0000006")
	}
	return nil
}

// withinReach narrows the match of a list to what is within the reach of a caller.
func withinReach[T any](r *http.Request, match func(T) bool, within func(*reach, T) bool) func(T) bool {
	to := caller(r).reach
	if to == nil {
		return match
	}
	return func(one T) bool { return within(to, one) && (match == nil || match(one)) }
}
