package tenant

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// OrgConnection says that members of an organization sign in by a connection.
type OrgConnection struct {
	directory.Meta

	Organization     string `json:"organization"`
	Connection       string `json:"connection"` // id
	AssignMembership bool   `json:"assignMembership,omitempty"`
	Signup           bool   `json:"signup,omitempty"` // of databases
	HideButton       bool   `json:"hideButton,omitempty"`
	DisplayName      string `json:"displayName,omitempty"` // of the connection in this organization
	AccessLevel      string `json:"accessLevel,omitempty"` // none, readonly, limited, full
	Disabled         bool   `json:"disabled,omitempty"`
}

// Place says where the enabled connection is found.
func (c *OrgConnection) Place() directory.Place {
	return directory.Place{Noun: directory.OrgConnectionNoun, Parent: c.Organization, Key: c.Organization + "/" + c.Connection}
}

// EnabledConnection is a connection of an organization with the connection itself.
type EnabledConnection struct {
	*OrgConnection
	Of *Connection
}

// OrgConnectionEdit is a change to a connection of an organization. Nil fields
// stay as they are.
type OrgConnectionEdit struct {
	AssignMembership, Signup, HideButton, Disabled *bool
	DisplayName, AccessLevel                       *string
}

// SignupNotPossible says that a connection of an organization cannot let people
// sign up. It is the cause of a fault.Invalid.
type SignupNotPossible struct{}

func (*SignupNotPossible) Error() string { return "no sign-up" }

// check makes sure that only databases that make members take new people
// (recorded).
func (c EnabledConnection) check() error {
	if c.Signup && (c.Of.Strategy != "auth0" || !c.AssignMembership) {
		return fault.Wrap(fault.Invalid, &SignupNotPossible{},
			"only database connections that assign membership on login can have sign-up enabled")
	}
	return nil
}

// AddOrgConnection lets members of an organization sign in by a connection. One
// that is there already is a fault.Conflict with Violations.
func (t *Tenant) AddOrgConnection(ctx context.Context, actor directory.Actor, id string, c OrgConnection) (added EnabledConnection, err error) {
	err = t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		added, err = t.addOrgConnection(tx, actor, o, c)
		return err
	})
	return added, err
}

func (t *Tenant) addOrgConnection(tx directory.Tx, actor directory.Actor, o *Organization, c OrgConnection) (EnabledConnection, error) {
	of, err := directory.Get[Connection](tx, t.Realm, c.Connection)
	if err != nil {
		return EnabledConnection{}, err
	}
	c.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("oco"), Realm: t.Realm}
	c.Organization = o.ID
	added := EnabledConnection{&c, of}
	if err := added.check(); err != nil {
		return EnabledConnection{}, err
	}
	if err := free[OrgConnection](tx, t.Realm, c.Place().Key, "connection_id", ""); err != nil {
		return EnabledConnection{}, err
	}
	e := t.event(actor, "auth0.organization.connection.add", directory.Target{Type: "Connection", ID: of.ID, DisplayName: of.Name}, o.target())
	return added, t.Directory.InsertObject(tx, &c, e)
}

// orgConnection returns a connection of an organization. One that is not
// enabled is a fault.NotFound, as is one that was deleted.
func (t *Tenant) orgConnection(r directory.Reader, organization, connection string) (EnabledConnection, error) {
	c, err := directory.GetByKey[OrgConnection](r, t.Realm, organization+"/"+connection)
	if err != nil {
		return EnabledConnection{}, err
	}
	of, err := directory.Get[Connection](r, t.Realm, connection)
	if fault.Is(err, fault.NotFound) {
		err = directory.NotFound(directory.OrgConnectionNoun, connection)
	}
	return EnabledConnection{c, of}, err
}

// OrgConnection returns a connection of an organization.
func (t *Tenant) OrgConnection(ctx context.Context, id, connection string) (c EnabledConnection, err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		c, err = t.orgConnection(r, id, connection)
		return err
	})
	return c, err
}

// OrgConnections returns the connections of an organization; a nil match accepts
// all.
func (t *Tenant) OrgConnections(ctx context.Context, id string, w Window, match func(*OrgConnection) bool) (p Page[EnabledConnection], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		found, err := directory.All(r, directory.RecordQuery{Realm: t.Realm, Parent: id}, 0, match)
		if err != nil {
			return err
		}
		var all []EnabledConnection
		for _, c := range found {
			of, err := directory.Get[Connection](r, t.Realm, c.Connection)
			if fault.Is(err, fault.NotFound) { // it was deleted
				continue
			}
			if err != nil {
				return err
			}
			all = append(all, EnabledConnection{c, of})
		}
		p = Cut(all, w)
		return nil
	})
	return p, err
}

// EditOrgConnection changes a connection of an organization.
func (t *Tenant) EditOrgConnection(ctx context.Context, actor directory.Actor, id, connection string, e OrgConnectionEdit) (after EnabledConnection, err error) {
	err = t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		before, err := t.orgConnection(tx, id, connection)
		if err != nil {
			return err
		}
		c, err := directory.CloneObject(before.OrgConnection)
		if err != nil {
			return err
		}
		e.apply(c)
		after = EnabledConnection{c, before.Of}
		if err := after.check(); err != nil {
			return err
		}
		return t.Directory.UpdateObject(tx, before.OrgConnection, c, t.event(actor, "auth0.organization.connection.update", o.target()))
	})
	return after, err
}

func (e OrgConnectionEdit) apply(c *OrgConnection) {
	set(&c.AssignMembership, e.AssignMembership)
	set(&c.Signup, e.Signup)
	set(&c.HideButton, e.HideButton)
	set(&c.Disabled, e.Disabled)
	set(&c.DisplayName, e.DisplayName)
	set(&c.AccessLevel, e.AccessLevel)
}

// set puts a value in the place of another; nil leaves it.
func set[T any](old *T, with *T) {
	if with != nil {
		*old = *with
	}
}

// RemoveOrgConnection ends the use of a connection by an organization. One that
// it does not use is no error.
func (t *Tenant) RemoveOrgConnection(ctx context.Context, actor directory.Actor, id, connection string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		c, err := directory.GetByKey[OrgConnection](tx, t.Realm, id+"/"+connection)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, c, t.event(actor, "auth0.organization.connection.remove", o.target()))
	})
}
