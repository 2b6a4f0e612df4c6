package tenant

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Organization is a customer of the tenant's owner: members, the connections by
// which they sign in, invitations and grants of clients belong to it.
type Organization struct {
	directory.Meta

	Name        string         `json:"name"`
	DisplayName string         `json:"displayName,omitempty"`
	Branding    map[string]any `json:"branding,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	TokenQuota  map[string]any `json:"tokenQuota,omitempty"`
}

// Place says where the organization is found. Its name is unique.
func (o *Organization) Place() directory.Place {
	return directory.Place{Noun: directory.OrganizationNoun, Key: directory.Fold(o.Name)}
}

func (o *Organization) target() directory.Target {
	return directory.Target{Type: "Organization", ID: o.ID, DisplayName: o.Name}
}

// OrganizationEdit is a change to an organization. Nil fields stay as they are.
type OrganizationEdit struct {
	Name, DisplayName  *string
	Branding, Metadata map[string]any // replace what there is; empty: clear
	TokenQuota         map[string]any // as Branding
}

// CreateOrganization adds an organization with connections. A name that is taken
// is a fault.Conflict with Violations, a connection that does not exist
// fault.NotFound.
func (t *Tenant) CreateOrganization(ctx context.Context, actor directory.Actor, o *Organization, connections []OrgConnection) error {
	o.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("org"), Realm: t.Realm}
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := free[Organization](tx, t.Realm, o.Place().Key, "name", ""); err != nil {
			return err
		}
		if err := t.Directory.InsertObject(tx, o, t.event(actor, "auth0.organization.create", o.target())); err != nil {
			return err
		}
		for _, c := range connections {
			if _, err := t.addOrgConnection(tx, actor, o, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Organization returns an organization by its id.
func (t *Tenant) Organization(ctx context.Context, id string) (*Organization, error) {
	return get[Organization](ctx, t, id)
}

// OrganizationByName returns an organization by its name, compared without case.
func (t *Tenant) OrganizationByName(ctx context.Context, name string) (o *Organization, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		o, err = directory.GetByKey[Organization](r, t.Realm, directory.Fold(name))
		return err
	})
	return o, err
}

// Organizations returns organizations.
func (t *Tenant) Organizations(ctx context.Context, w Window) (p Page[*Organization], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf[Organization](r, directory.RecordQuery{Realm: t.Realm}, w, w.After.ID, nil)
		return err
	})
	return p, err
}

// SortedOrganizations is Organizations in another order than that of creation.
func (t *Tenant) SortedOrganizations(ctx context.Context, order func(a, b *Organization) int, w Window) (Page[*Organization], error) {
	all, err := list[Organization](ctx, t, directory.RecordQuery{}, nil)
	slices.SortStableFunc(all, order)
	return Cut(all, w), err
}

// EditOrganization changes an organization.
func (t *Tenant) EditOrganization(ctx context.Context, actor directory.Actor, id string, e OrganizationEdit) (*Organization, error) {
	return amend(ctx, t, id, t.event(actor, "auth0.organization.update"), func(tx directory.Tx, o *Organization) error {
		if e.DisplayName != nil {
			o.DisplayName = *e.DisplayName
		}
		replace(&o.Branding, e.Branding)
		replace(&o.Metadata, e.Metadata)
		replace(&o.TokenQuota, e.TokenQuota)
		if e.Name == nil {
			return nil
		}
		o.Name = *e.Name
		return free[Organization](tx, t.Realm, o.Place().Key, "name", id)
	})
}

// replace puts an object in the place of another; nil leaves it.
func replace(old *map[string]any, with map[string]any) {
	if with != nil {
		*old = with
	}
}

// belongsToOrganization are the sorts of records whose parent is an organization.
var belongsToOrganization = []directory.Noun{
	directory.OrgMemberNoun, directory.OrgMemberRoleNoun, directory.OrgConnectionNoun,
	directory.OrgInvitationNoun, directory.OrgGrantNoun, directory.OrgDomainNoun,
}

// DeleteOrganization removes an organization with all that belongs to it.
func (t *Tenant) DeleteOrganization(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		o, err := directory.Get[Organization](tx, t.Realm, id)
		if err != nil {
			return err
		}
		for _, noun := range belongsToOrganization {
			if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: noun, Parent: id}); err != nil {
				return err
			}
		}
		return t.Directory.DeleteObject(tx, o, t.event(actor, "auth0.organization.delete", o.target()))
	})
}

// UserOrganizations returns the organizations that a user is a member of.
func (t *Tenant) UserOrganizations(ctx context.Context, account string, w Window) (p Page[*Organization], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := r.Account(t.Realm, account); err != nil {
			return err
		}
		members, err := directory.All[orgMember](r, directory.RecordQuery{Realm: t.Realm, Subject: account}, 0, nil)
		if err != nil {
			return err
		}
		var all []*Organization
		for _, m := range members {
			o, err := directory.Get[Organization](r, t.Realm, m.Organization)
			if err != nil {
				return err
			}
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b *Organization) int { return strings.Compare(a.ID, b.ID) })
		p = Cut(all, w)
		return nil
	})
	return p, err
}

// inOrganization runs f on an organization in a transaction that may write.
func (t *Tenant) inOrganization(ctx context.Context, id string, f func(directory.Tx, *Organization) error) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		o, err := directory.Get[Organization](tx, t.Realm, id)
		if err != nil {
			return err
		}
		return f(tx, o)
	})
}

// viewOrganization runs f on what belongs to an organization.
func (t *Tenant) viewOrganization(ctx context.Context, id string, f func(directory.Reader, *Organization) error) error {
	return t.Directory.Store.View(ctx, func(r directory.Reader) error {
		o, err := directory.Get[Organization](r, t.Realm, id)
		if err != nil {
			return err
		}
		return f(r, o)
	})
}

// orgMember says that a user is a member of an organization.
type orgMember struct {
	directory.Meta

	Organization string `json:"organization"`
	Account      string `json:"account"`
}

func (m *orgMember) Place() directory.Place {
	return directory.Place{
		Noun: directory.OrgMemberNoun, Parent: m.Organization, Subject: m.Account, Key: memberKey(m.Organization, m.Account),
	}
}

// AddOrgMembers makes users members of an organization. Those that are members
// stay.
func (t *Tenant) AddOrgMembers(ctx context.Context, actor directory.Actor, id string, accounts []string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		for _, account := range accounts {
			if err := t.addOrgMember(tx, actor, o, account); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tenant) addOrgMember(tx directory.Tx, actor directory.Actor, o *Organization, account string) error {
	a, err := tx.Account(t.Realm, account)
	if err != nil {
		return err
	}
	_, err = directory.GetByKey[orgMember](tx, t.Realm, memberKey(o.ID, account))
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	e := t.event(actor, "auth0.organization.member.add", userTarget(a), o.target())
	e.Target = account
	return t.Directory.InsertObject(tx, &orgMember{
		Meta:         directory.Meta{ID: memberID(o.ID, Mark{e.At, account}), Realm: t.Realm},
		Organization: o.ID, Account: account,
	}, e)
}

// RemoveOrgMembers ends memberships, with the roles that came with them. Users
// that are not members are no error.
func (t *Tenant) RemoveOrgMembers(ctx context.Context, actor directory.Actor, id string, accounts []string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		for _, account := range accounts {
			m, err := directory.GetByKey[orgMember](tx, t.Realm, memberKey(o.ID, account))
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			roles := directory.RecordQuery{Realm: t.Realm, Noun: directory.OrgMemberRoleNoun, Parent: o.ID, Subject: account}
			if _, err := tx.DeleteRecords(roles); err != nil {
				return err
			}
			e := t.event(actor, "auth0.organization.member.remove", directory.Target{Type: "User", ID: account}, o.target())
			e.Target = account
			if err := t.Directory.DeleteObject(tx, m, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// OrgMembers returns the members of an organization in the order in which they
// came, with their roles in it when those are wanted.
func (t *Tenant) OrgMembers(ctx context.Context, id string, roles bool, w Window) (p Page[Member], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, o *Organization) error {
		found, err := pageOf[orgMember](r, directory.RecordQuery{Realm: t.Realm, Parent: id}, w, memberID(id, w.After), nil)
		if err != nil {
			return err
		}
		p, err = convert(found, func(m *orgMember) (Member, error) {
			one, err := t.member(r, m.Account, m.Created)
			if err == nil && roles {
				one.Roles, err = t.orgRoles(r, id, m.Account)
			}
			return one, err
		})
		return err
	})
	return p, err
}

// orgMemberRole says that a member has a role in an organization.
type orgMemberRole struct {
	directory.Meta

	Organization string `json:"organization"`
	Account      string `json:"account"`
	Role         string `json:"role"`
}

func (m *orgMemberRole) Place() directory.Place {
	return directory.Place{
		Noun: directory.OrgMemberRoleNoun, Parent: m.Organization, Subject: m.Account,
		Key: orgRoleKey(m.Organization, m.Role, m.Account),
	}
}

func orgRoleKey(organization, role, account string) string {
	return memberKey(organization+"/"+role, account)
}

// orgRoles returns the roles of a member, in the order of their ids.
func (t *Tenant) orgRoles(r directory.Reader, organization, account string) ([]*Role, error) {
	list, err := directory.All[orgMemberRole](r, directory.RecordQuery{Realm: t.Realm, Parent: organization, Subject: account}, 0, nil)
	if err != nil {
		return nil, err
	}
	var out []*Role
	for _, m := range list {
		role, err := directory.Get[Role](r, t.Realm, m.Role)
		if fault.Is(err, fault.NotFound) { // was deleted: see DeleteRole
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, role)
	}
	slices.SortFunc(out, func(a, b *Role) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// orgMemberOf makes sure that a user is a member of an organization.
func (t *Tenant) orgMemberOf(r directory.Reader, organization, account string) (*directory.Account, error) {
	a, err := r.Account(t.Realm, account)
	if err != nil {
		return nil, err
	}
	_, err = directory.GetByKey[orgMember](r, t.Realm, memberKey(organization, account))
	if fault.Is(err, fault.NotFound) {
		return nil, directory.NotFound(directory.OrgMemberNoun, account)
	}
	return a, err
}

// OrgMemberRoles returns the roles that a member has in an organization.
func (t *Tenant) OrgMemberRoles(ctx context.Context, id, account string, w Window) (p Page[*Role], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		if _, err := t.orgMemberOf(r, id, account); err != nil {
			return err
		}
		list, err := t.orgRoles(r, id, account)
		p = Cut(list, w)
		return err
	})
	return p, err
}

// AssignOrgRoles gives roles to a member of an organization.
func (t *Tenant) AssignOrgRoles(ctx context.Context, actor directory.Actor, id, account string, roles []string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		a, err := t.orgMemberOf(tx, id, account)
		if err != nil {
			return err
		}
		for _, roleID := range roles {
			role, err := directory.Get[Role](tx, t.Realm, roleID)
			if err != nil {
				return err
			}
			_, err = directory.GetByKey[orgMemberRole](tx, t.Realm, orgRoleKey(id, roleID, account))
			if err == nil {
				continue
			}
			if !fault.Is(err, fault.NotFound) {
				return err
			}
			e := t.event(actor, "auth0.organization.role.assign", userTarget(a), role.target(), o.target())
			e.Target = account
			m := &orgMemberRole{
				Meta:         directory.Meta{ID: t.Directory.IDs.Auth0("omr"), Realm: t.Realm},
				Organization: id, Account: account, Role: roleID,
			}
			if err := t.Directory.InsertObject(tx, m, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// UnassignOrgRoles takes roles from a member of an organization; those that it
// does not have are no error.
func (t *Tenant) UnassignOrgRoles(ctx context.Context, actor directory.Actor, id, account string, roles []string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		a, err := t.orgMemberOf(tx, id, account)
		if err != nil {
			return err
		}
		for _, role := range roles {
			m, err := directory.GetByKey[orgMemberRole](tx, t.Realm, orgRoleKey(id, role, account))
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			e := t.event(actor, "auth0.organization.role.unassign", userTarget(a), directory.Target{Type: "Role", ID: role}, o.target())
			e.Target = account
			if err := t.Directory.DeleteObject(tx, m, e); err != nil {
				return err
			}
		}
		return nil
	})
}
