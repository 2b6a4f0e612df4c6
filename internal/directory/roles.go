package directory

import (
	"cmp"
	"context"
	"encoding/base32"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// RoleType names an admin role as Okta does.
type RoleType string

// The standard roles, and the type of every custom one.
const (
	SuperAdmin           RoleType = "SUPER_ADMIN"
	OrgAdmin             RoleType = "ORG_ADMIN"
	AppAdmin             RoleType = "APP_ADMIN"
	UserAdmin            RoleType = "USER_ADMIN"
	HelpDeskAdmin        RoleType = "HELP_DESK_ADMIN"
	ReadOnlyAdmin        RoleType = "READ_ONLY_ADMIN"
	GroupMembershipAdmin RoleType = "GROUP_MEMBERSHIP_ADMIN"
	ReportAdmin          RoleType = "REPORT_ADMIN"
	APIAccessAdmin       RoleType = "API_ACCESS_MANAGEMENT_ADMIN"
	MobileAdmin          RoleType = "MOBILE_ADMIN"
	WorkflowsAdmin       RoleType = "WORKFLOWS_ADMIN"
	CertificationsAdmin  RoleType = "ACCESS_CERTIFICATIONS_ADMIN"
	RequestsAdmin        RoleType = "ACCESS_REQUESTS_ADMIN"
	CustomRoleType       RoleType = "CUSTOM"
)

// roleInfo is what is fixed about a role.
type roleInfo struct {
	label  string
	groups bool // can be limited to groups
	apps   bool // can be limited to applications
	// resources is the built-in resource set of the roles that Okta bases on
	// resource sets.
	resources string
}

// The labels are recorded, but for those of the last seven (Okta OpenAPI).
var roleInfos = map[RoleType]roleInfo{
	SuperAdmin:           {label: "Super Administrator"},
	AppAdmin:             {label: "Application Administrator", apps: true},
	UserAdmin:            {label: "Group Administrator", groups: true},
	HelpDeskAdmin:        {label: "Help Desk Administrator", groups: true},
	ReadOnlyAdmin:        {label: "Read-only Administrator"},
	GroupMembershipAdmin: {label: "Group Membership Administrator", groups: true},
	OrgAdmin:             {label: "Organization Administrator"},
	ReportAdmin:          {label: "Report Administrator"},
	APIAccessAdmin:       {label: "API Access Management Administrator"},
	MobileAdmin:          {label: "Mobile Administrator"},
	WorkflowsAdmin:       {label: "Workflows Administrator", resources: "WORKFLOWS_IAM_POLICY"},
	CertificationsAdmin:  {label: "Access Certifications Administrator", resources: "ACCESS_CERTIFICATIONS_IAM_POLICY"},
	RequestsAdmin:        {label: "Access Requests Administrator", resources: "ACCESS_REQUESTS_IAM_POLICY"},
}

// StandardRoles returns the roles that every org has, in alphabetical order.
func StandardRoles() []RoleType { return slices.Sorted(maps.Keys(roleInfos)) }

// Standard reports whether every org has the role.
func (t RoleType) Standard() bool {
	_, ok := roleInfos[t]
	return ok
}

// Assignee is who has a role or owns a group: an account or a group.
type Assignee struct {
	ID   string
	Type AssigneeType
}

// AssigneeType says whether an assignee is an account or a group.
type AssigneeType string

// The types of assignees.
const (
	UserAssignee   AssigneeType = "USER"
	GroupAssignee  AssigneeType = "GROUP"
	ClientAssignee AssigneeType = "CLIENT" // an OAuth client that acts for itself, by its client_id
)

// Role is an admin role that an account or a group has. Its targets limit it to
// some groups or applications; one that never had any is good for all.
type Role struct {
	Meta
	// RoleID is the id that clients know. Roles that can have targets have the
	// same one for every assignee, so it is unique per assignee only.
	RoleID       string       `json:"roleId"`
	Type         RoleType     `json:"type"`
	Label        string       `json:"label"`
	Assignee     string       `json:"assignee"`
	AssigneeType AssigneeType `json:"assigneeType"`
	CustomRole   string       `json:"customRole,omitempty"`  // id, or the type of a standard role on resource sets
	ResourceSet  string       `json:"resourceSet,omitempty"` // of the same
	Groups       []string     `json:"groups,omitempty"`      // targets, by id
	Apps         []AppTarget  `json:"apps,omitempty"`        // targets, the newest first
	Bound        bool         `json:"bound,omitempty"`       // it has had targets: without any left it is good for nothing
}

// Limited reports whether the role is good for its targets only.
func (r *Role) Limited() bool { return r.Bound || len(r.Groups) > 0 || len(r.Apps) > 0 }

// AppTarget is a kind of application in the catalogue, or one instance of it.
type AppTarget struct {
	Name string `json:"name"`         // in the catalogue: "facebook"
	ID   string `json:"id,omitempty"` // empty: all instances
}

func (r *Role) Place() Place {
	return Place{Noun: RoleNoun, Subject: r.Assignee, Key: roleKey(r.Assignee, r.RoleID)}
}

func roleKey(assignee, role string) string { return assignee + "/" + role }

func (r *Role) target() Target { return Target{Type: "ROLE", ID: r.RoleID, DisplayName: r.Label} }

// RoleError says why a role or its targets cannot be what is asked for. It is
// the cause of a fault.Invalid or fault.Conflict.
type RoleError struct {
	Problem RoleProblem
	Detail  string
}

func (e *RoleError) Error() string { return string(e.Problem) + ": " + e.Detail }

// RoleProblem is what is wrong with a role or a change to it.
type RoleProblem string

// The problems of roles.
const (
	RoleUnknown        RoleProblem = "unknown type"    // Detail: the type
	RoleAssigned       RoleProblem = "assigned"        // the assignee has it already
	RoleOnRules        RoleProblem = "group has rules" // Detail: the name of the group
	RoleOnMany         RoleProblem = "group too large" // Detail: the name of the group
	RoleOnAppGroup     RoleProblem = "group type"      // Detail: the name of the group
	RoleOnBuiltIn      RoleProblem = "built-in group"  // Detail: the name of the group
	RoleWithoutTargets RoleProblem = "no such targets" // the role cannot be limited in this way
	RoleLastTarget     RoleProblem = "last target"     // without it the role would be good for all
	RoleLabelTaken     RoleProblem = "label taken"     // of a custom role
)

func roleRefused(kind fault.Kind, p RoleProblem, detail, format string, args ...any) error {
	return fault.Wrap(kind, &RoleError{p, detail}, format, args...)
}

// maxRoleMembers is how many members a group with roles may have (Okta: error
// E0000193).
const maxRoleMembers = 5000

// RoleDraft is a role as asked for. CustomRole and ResourceSet go with the type
// CUSTOM.
type RoleDraft struct {
	Type                    RoleType
	CustomRole, ResourceSet string
}

// findAssignee returns the assignee with its id and its target for the log.
// Accounts are found as in FindAccount.
func findAssignee(r Reader, realm string, who Assignee) (Assignee, Target, error) {
	if who.Type == GroupAssignee {
		g, err := r.Group(realm, who.ID)
		if err != nil {
			return who, Target{}, err
		}
		return who, g.target(), nil
	}
	if who.Type == ClientAssignee {
		app, err := clientApp(r, realm, who.ID)
		if err != nil {
			return who, Target{}, err
		}
		return who, app.target(), nil
	}
	a, err := find(r, realm, who.ID)
	if err != nil {
		return who, Target{}, err
	}
	who.ID = a.ID
	return who, a.target(), nil
}

// AssignRole gives an admin role to an account or a group. What stands against
// it is a *RoleError.
func (d *Directory) AssignRole(ctx context.Context, actor Actor, realm string, who Assignee, draft RoleDraft) (*Role, error) {
	var role *Role
	err := d.Store.Update(ctx, func(tx Tx) error {
		who, target, err := findAssignee(tx, realm, who)
		if err != nil {
			return err
		}
		if who.Type == GroupAssignee {
			if err := mayHaveRoles(tx, realm, who.ID); err != nil {
				return err
			}
		}
		if role, err = d.newRole(tx, realm, who, draft); err != nil {
			return err
		}
		existing, err := rolesAssigned(tx, realm, who.ID)
		if err != nil {
			return err
		}
		same := func(r *Role) bool {
			return r.Type == role.Type && r.CustomRole == role.CustomRole && r.ResourceSet == role.ResourceSet
		}
		if slices.ContainsFunc(existing, same) {
			return roleRefused(fault.Conflict, RoleAssigned, string(role.Type), "the role %s is assigned already", role.Type)
		}
		return d.insertObject(tx, role, privilege(role, actor, d.now(), true, target))
	})
	if err != nil {
		return nil, err
	}
	return role, nil
}

// newRole makes the role that a draft asks for.
func (d *Directory) newRole(r Reader, realm string, who Assignee, draft RoleDraft) (*Role, error) {
	role := &Role{
		Meta: Meta{ID: d.IDs.Okta("ra1"), Realm: realm},
		Type: draft.Type, Assignee: who.ID, AssigneeType: who.Type,
	}
	if draft.Type == CustomRoleType {
		custom, err := findCustomRole(r, realm, draft.CustomRole)
		if err != nil {
			return nil, err
		}
		if !isResourceSet(draft.ResourceSet) {
			return nil, NotFound(ResourceSetNoun, draft.ResourceSet)
		}
		role.RoleID, role.Label = d.IDs.Okta("irb"), custom.Label
		role.CustomRole, role.ResourceSet = custom.ID, draft.ResourceSet
		return role, nil
	}
	info, ok := roleInfos[draft.Type]
	switch {
	case !ok:
		return nil, roleRefused(fault.Invalid, RoleUnknown, string(draft.Type), "there is no role %q", draft.Type)
	case info.groups || info.apps: // recorded: the id is the type, in base 32
		role.RoleID = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(draft.Type))
	case info.resources != "":
		role.RoleID, role.CustomRole, role.ResourceSet = d.IDs.Okta("irb"), string(draft.Type), info.resources
	case who.Type == GroupAssignee:
		role.RoleID = d.IDs.Okta("gra")
	default:
		role.RoleID = role.ID
	}
	role.Label = info.label
	return role, nil
}

func isResourceSet(id string) bool {
	for _, info := range roleInfos {
		if info.resources != "" && info.resources == id {
			return true
		}
	}
	return false
}

// mayHaveRoles makes sure that a group can have roles: an Okta group that no
// rule fills and that is not too large (Okta: errors E0000192 to 194 and 211).
func mayHaveRoles(r Reader, realm, id string) error {
	g, err := r.Group(realm, id)
	if err != nil {
		return err
	}
	name := g.Name()
	switch g.Type {
	case BuiltIn:
		return roleRefused(fault.Invalid, RoleOnBuiltIn, name, "the built-in group %q cannot have roles", name)
	case AppGroup:
		return roleRefused(fault.Invalid, RoleOnAppGroup, name, "group %q comes from an application and cannot have roles", name)
	}
	rules, err := all(r, RecordQuery{Realm: realm}, 1, func(rule *GroupRule) bool { return !rule.Ending && slices.Contains(rule.Groups, id) })
	if err != nil {
		return err
	}
	if len(rules) > 0 {
		return roleRefused(fault.Invalid, RoleOnRules, name, "group %q is filled by rules and cannot have roles", name)
	}
	members, err := r.CountMembers(realm, id)
	if err == nil && members > maxRoleMembers {
		return roleRefused(fault.Invalid, RoleOnMany, name, "group %q has more than %d members and cannot have roles", name, maxRoleMembers)
	}
	return err
}

// privilege describes a change to what somebody may do. Okta's log has an event
// for "the privileges are others now" and one for "none is left".
func privilege(role *Role, actor Actor, at time.Time, left bool, about ...Target) change {
	kinds := map[AssigneeType][2]string{
		UserAssignee:   {"user.account.privilege.grant", "user.account.privilege.revoke"},
		GroupAssignee:  {"group.privilege.grant", "group.privilege.revoke"},
		ClientAssignee: {"app.oauth2.client.privilege.grant", "app.oauth2.client.privilege.revoke"},
	}[role.AssigneeType]
	kind := kinds[0]
	if !left {
		kind = kinds[1]
	}
	return change{at: at, actor: actor, kind: kind, target: role.Assignee, targets: append(about, role.target())}
}

// rolesAssigned returns the roles that an account or group has itself, in the
// order of their assignment.
func rolesAssigned(r Reader, realm, assignee string) ([]*Role, error) {
	return all[Role](r, RecordQuery{Realm: realm, Subject: assignee}, 0, nil)
}

// Roles returns the roles that an account or group has itself, in the order of
// their assignment.
func (d *Directory) Roles(ctx context.Context, realm string, who Assignee) (roles []*Role, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		who, _, err := findAssignee(r, realm, who)
		if err != nil {
			return err
		}
		roles, err = rolesAssigned(r, realm, who.ID)
		return err
	})
	return roles, err
}

// Role returns one role of an account or group.
func (d *Directory) Role(ctx context.Context, realm string, who Assignee, id string) (role *Role, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		role, _, err = findRole(r, realm, who, id)
		return err
	})
	return role, err
}

func findRole(r Reader, realm string, who Assignee, id string) (*Role, Target, error) {
	who, target, err := findAssignee(r, realm, who)
	if err != nil {
		return nil, target, err
	}
	role, err := getByKey[Role](r, realm, roleKey(who.ID, id))
	if fault.Is(err, fault.NotFound) {
		return nil, target, NotFound(RoleNoun, id)
	}
	return role, target, err
}

// RolesOf returns the types of the roles that an account has, itself or by its
// groups, or that an OAuth client has, each once, in the order of their names.
func (d *Directory) RolesOf(ctx context.Context, realm, account string) (types []RoleType, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		types, err = rolesOf(r, realm, account)
		return err
	})
	return types, err
}

func rolesOf(r Reader, realm, account string) ([]RoleType, error) {
	held, err := rolesHeld(r, realm, account)
	if err != nil {
		return nil, err
	}
	var out []RoleType
	for _, role := range held {
		out = append(out, role.Type)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// RolesHeld returns the roles that count for an account or an OAuth client: its
// own, then those of its groups.
func (d *Directory) RolesHeld(ctx context.Context, realm, holder string) (roles []*Role, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		roles, err = rolesHeld(r, realm, holder)
		return err
	})
	return roles, err
}

func rolesHeld(r Reader, realm, holder string) (out []*Role, err error) {
	assignees := []string{holder}
	for g, err := range r.Groups(GroupQuery{Realm: realm, Member: holder}) {
		if err != nil {
			return nil, err
		}
		assignees = append(assignees, g.ID)
	}
	for _, id := range assignees {
		roles, err := rolesAssigned(r, realm, id)
		if err != nil {
			return nil, err
		}
		out = append(out, roles...)
	}
	return out, nil
}

// UnassignRole takes a role away, with its targets.
func (d *Directory) UnassignRole(ctx context.Context, actor Actor, realm string, who Assignee, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		role, target, err := findRole(tx, realm, who, id)
		if err != nil {
			return err
		}
		others, err := rolesAssigned(tx, realm, role.Assignee)
		if err != nil {
			return err
		}
		return d.deleteObject(tx, role, privilege(role, actor, d.now(), len(others) > 1, target))
	})
}

// AddRoleGroup limits a role to a group, or adds one more. A group that is among
// its targets already stays.
func (d *Directory) AddRoleGroup(ctx context.Context, actor Actor, realm string, who Assignee, role, group string) error {
	return d.changeRole(ctx, actor, realm, who, role, func(tx Tx, r *Role) error {
		if _, err := tx.Group(realm, group); err != nil {
			return err
		}
		if !roleInfos[r.Type].groups {
			return roleRefused(fault.Invalid, RoleWithoutTargets, string(r.Type), "the role %s cannot be limited to groups", r.Type)
		}
		if slices.Contains(r.Groups, group) {
			return errUnchanged
		}
		r.Groups, r.Bound = append(r.Groups, group), true
		slices.Sort(r.Groups)
		return nil
	})
}

// RemoveRoleGroup takes a group out of the targets of a role. The last one
// cannot be taken out: the role would then be good for all groups (Okta OpenAPI:
// unassign a group target).
func (d *Directory) RemoveRoleGroup(ctx context.Context, actor Actor, realm string, who Assignee, role, group string) error {
	return d.changeRole(ctx, actor, realm, who, role, func(_ Tx, r *Role) error {
		i := slices.Index(r.Groups, group)
		switch {
		case i < 0:
			return NotFound(GroupNoun, group)
		case len(r.Groups) == 1:
			return roleRefused(fault.Invalid, RoleLastTarget, group, "the last target of a role cannot be removed")
		}
		r.Groups = slices.Delete(r.Groups, i, i+1)
		return nil
	})
}

// AddRoleApp limits a role to an application of the catalogue or to one
// instance of it, or adds one more. The application as such takes the place of
// its instances (Okta OpenAPI: assign an app target).
func (d *Directory) AddRoleApp(ctx context.Context, actor Actor, realm string, who Assignee, role string, app AppTarget) error {
	return d.changeRole(ctx, actor, realm, who, role, func(tx Tx, r *Role) error {
		if app.ID != "" {
			if _, err := tx.Record(realm, AppNoun, app.ID); err != nil {
				return err
			}
		}
		if !roleInfos[r.Type].apps {
			return roleRefused(fault.Invalid, RoleWithoutTargets, string(r.Type), "the role %s cannot be limited to applications", r.Type)
		}
		if slices.Contains(r.Apps, app) {
			return errUnchanged
		}
		if app.ID == "" {
			r.Apps = slices.DeleteFunc(r.Apps, func(t AppTarget) bool { return t.Name == app.Name })
		}
		r.Apps, r.Bound = slices.Insert(r.Apps, 0, app), true
		return nil
	})
}

// RemoveRoleApp takes an application out of the targets of a role, but not the
// last one.
func (d *Directory) RemoveRoleApp(ctx context.Context, actor Actor, realm string, who Assignee, role string, app AppTarget) error {
	return d.changeRole(ctx, actor, realm, who, role, func(_ Tx, r *Role) error {
		i := slices.Index(r.Apps, app)
		switch {
		case i < 0:
			return NotFound(AppNoun, cmp.Or(app.ID, app.Name))
		case len(r.Apps) == 1:
			return roleRefused(fault.Invalid, RoleLastTarget, app.Name, "the last target of a role cannot be removed")
		}
		r.Apps = slices.Delete(r.Apps, i, i+1)
		return nil
	})
}

// changeRole stores what f makes of a role.
func (d *Directory) changeRole(ctx context.Context, actor Actor, realm string, who Assignee, id string, f func(Tx, *Role) error) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		before, target, err := findRole(tx, realm, who, id)
		if err != nil {
			return err
		}
		_, err = amend(d, tx, before, privilege(before, actor, d.now(), true, target), func(after *Role) error { return f(tx, after) })
		return err
	})
}

// dropRoleTarget takes a group that is about to go out of the targets of all
// roles (recorded).
func (d *Directory) dropRoleTarget(tx Tx, actor Actor, g *Group, at time.Time) error {
	roles, err := all(tx, RecordQuery{Realm: g.Realm}, 0, func(r *Role) bool { return slices.Contains(r.Groups, g.ID) })
	if err != nil {
		return err
	}
	for _, before := range roles {
		_, err := amend(d, tx, before, privilege(before, actor, at, true, g.target()), func(after *Role) error {
			after.Groups = slices.DeleteFunc(after.Groups, func(id string) bool { return id == g.ID })
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Administrators returns the ids of the accounts behind after that have roles
// themselves, at most limit of them (0: all), in order.
func (d *Directory) Administrators(ctx context.Context, realm, after string, limit int) (ids []string, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		for role, err := range each[Role](r, RecordQuery{Realm: realm}) {
			if err != nil {
				return err
			}
			if role.AssigneeType == UserAssignee && role.Assignee > after {
				ids = append(ids, role.Assignee)
			}
		}
		return nil
	})
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if limit > 0 && len(ids) > limit {
		ids = ids[:limit]
	}
	return ids, err
}

// RoleGroups returns the groups that a role is limited to, in the order of their
// ids (recorded).
func (d *Directory) RoleGroups(ctx context.Context, realm string, who Assignee, id string) (groups []*Group, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		role, _, err := findRole(r, realm, who, id)
		if err != nil {
			return err
		}
		for _, id := range role.Groups {
			g, err := r.Group(realm, id)
			if err != nil {
				return err // cannot be missing: dropRoleTarget
			}
			groups = append(groups, g)
		}
		return nil
	})
	return groups, err
}

// RoleApp is an application that a role is limited to. Label and Status are of
// instances only.
type RoleApp struct {
	AppTarget
	Label, Status string
}

// RoleApps returns the applications that a role is limited to, the newest first
// (recorded). Instances that are gone are left out.
func (d *Directory) RoleApps(ctx context.Context, realm string, who Assignee, id string) (apps []RoleApp, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		role, _, err := findRole(r, realm, who, id)
		if err != nil {
			return err
		}
		for _, target := range role.Apps {
			app := RoleApp{AppTarget: target}
			if target.ID != "" {
				record, err := r.Record(realm, AppNoun, target.ID)
				if fault.Is(err, fault.NotFound) {
					continue
				}
				if err != nil {
					return err
				}
				if err := record.Decode(&app); err != nil {
					return err
				}
				app.AppTarget = target
			}
			apps = append(apps, app)
		}
		return nil
	})
	return apps, err
}
