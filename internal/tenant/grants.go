package tenant

import (
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
)

// ClientGrant says which scopes of an API a client may ask for.
type ClientGrant struct {
	directory.Meta

	Client   string         `json:"client"`
	Audience string         `json:"audience"`
	Scope    []string       `json:"scope"`
	Subject  string         `json:"subject"`            // client: for itself; user: in the name of users
	Settings map[string]any `json:"settings,omitempty"` // the others, as Auth0 spells them
}

// The subjects of grants.
const (
	ForClient = "client"
	ForUser   = "user"
)

// Place says where the grant is found.
func (g *ClientGrant) Place() directory.Place {
	return directory.Place{Noun: directory.ClientGrantNoun, Parent: g.Client, Key: g.Client + " " + g.Subject + " " + g.Audience}
}

func (g *ClientGrant) target() directory.Target {
	return directory.Target{Type: "ClientGrant", ID: g.ID, AlternateID: g.Audience}
}

// CreateClientGrant adds a grant whose ID it fills in. The client must exist, the
// API too, unless known says that it is not one of the tenant's; a second grant
// for the same is a fault.Conflict with Violations.
func (t *Tenant) CreateClientGrant(ctx context.Context, actor directory.Actor, g *ClientGrant, known bool) error {
	g.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("cgr"), Realm: t.Realm}
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		c, err := directory.Get[Client](tx, t.Realm, g.Client)
		if err != nil {
			return err
		}
		if c.Type() == Express {
			return mistake("Client of type %s cannot be used", Express)
		}
		if !known {
			if _, err := directory.GetByKey[ResourceServer](tx, t.Realm, g.Audience); err != nil {
				return err
			}
		}
		if err := free[ClientGrant](tx, t.Realm, g.Place().Key, "audience", ""); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, g, t.event(actor, "auth0.client_grant.create", g.target(), c.target()))
	})
}

// ClientGrant returns a grant by its id.
func (t *Tenant) ClientGrant(ctx context.Context, id string) (*ClientGrant, error) {
	return get[ClientGrant](ctx, t, id)
}

// GrantFor returns what a client may ask of an API; a fault.NotFound when that is
// nothing.
func (t *Tenant) GrantFor(ctx context.Context, client, subject, audience string) (g *ClientGrant, err error) {
	key := (&ClientGrant{Client: client, Subject: subject, Audience: audience}).Place().Key
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		g, err = directory.GetByKey[ClientGrant](r, t.Realm, key)
		return err
	})
	return g, err
}

// ClientGrants returns a part of the grants that match accepts (nil: all), of a
// client unless that is empty.
func (t *Tenant) ClientGrants(ctx context.Context, client string, w Window, match func(*ClientGrant) bool) (p Page[*ClientGrant], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm, Parent: client}, w, w.After.ID, match)
		return err
	})
	return p, err
}

// EditClientGrant replaces the scope (nil: leaves it) and settings of a grant; a
// setting that is nil is taken away.
func (t *Tenant) EditClientGrant(ctx context.Context, actor directory.Actor, id string, scope []string, settings map[string]any) (*ClientGrant, error) {
	return amend(ctx, t, id, t.event(actor, "auth0.client_grant.update"), func(_ directory.Tx, g *ClientGrant) error {
		if scope != nil {
			g.Scope = scope
		}
		if g.Settings == nil {
			g.Settings = map[string]any{}
		}
		for k, v := range settings {
			if v == nil {
				delete(g.Settings, k)
				continue
			}
			g.Settings[k] = value.Clone(v)
		}
		return nil
	})
}

// DeleteClientGrant removes a grant.
func (t *Tenant) DeleteClientGrant(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		g, err := directory.Get[ClientGrant](tx, t.Realm, id)
		if err != nil {
			return err
		}
		if err := t.leaveGrant(tx, id); err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, g, t.event(actor, "auth0.client_grant.delete", g.target()))
	})
}

// deleteClientGrants removes the grants that match accepts, with the object that
// they belong to, whose own entry in the log says enough.
func (t *Tenant) deleteClientGrants(tx directory.Tx, match func(*ClientGrant) bool) error {
	grants, err := directory.All(tx, directory.RecordQuery{Realm: t.Realm}, 0, match)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if err := t.leaveGrant(tx, g.ID); err != nil {
			return err
		}
		if err := tx.DeleteRecord(t.Realm, directory.ClientGrantNoun, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// leaveGrant takes a grant from the organizations that have it.
func (t *Tenant) leaveGrant(tx directory.Tx, id string) error {
	_, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: directory.OrgGrantNoun, Subject: id})
	return err
}

// UserGrant is what a user agreed to: a client may ask an API for some scopes in
// the user's name.
type UserGrant struct {
	directory.Meta

	Account  string   `json:"account"`
	Client   string   `json:"client"`
	Audience string   `json:"audience"`
	Scope    []string `json:"scope"`
}

// Place says where the grant is found.
func (g *UserGrant) Place() directory.Place {
	return directory.Place{
		Noun: directory.UserGrantNoun, Parent: g.Client, Subject: g.Account, Key: g.Account + " " + g.Client + " " + g.Audience,
	}
}

// Agree keeps that a user lets a client ask an API for scopes, beside those that
// it has already.
func (t *Tenant) Agree(ctx context.Context, actor directory.Actor, g *UserGrant) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := directory.GetByKey[UserGrant](tx, t.Realm, g.Place().Key)
		if err != nil { // there is none
			g.Meta = directory.Meta{ID: t.Directory.IDs.Object(), Realm: t.Realm}
			return t.Directory.InsertObject(tx, g, t.event(actor, "auth0.grant.create"))
		}
		after, err := directory.CloneObject(before)
		if err != nil {
			return err
		}
		for _, scope := range g.Scope {
			if !slices.Contains(after.Scope, scope) {
				after.Scope = append(after.Scope, scope)
			}
		}
		if len(after.Scope) == len(before.Scope) {
			return nil
		}
		return t.Directory.UpdateObject(tx, before, after, t.event(actor, "auth0.grant.update"))
	})
}

// UserGrants returns a part of the grants of users that match accepts (nil: all),
// of one user and one client unless those are empty.
func (t *Tenant) UserGrants(ctx context.Context, account, client string, w Window, match func(*UserGrant) bool) (p Page[*UserGrant], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm, Subject: account, Parent: client}, w, w.After.ID, match)
		return err
	})
	return p, err
}

// DeleteUserGrant revokes one grant of a user.
func (t *Tenant) DeleteUserGrant(ctx context.Context, actor directory.Actor, id string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		g, err := directory.Get[UserGrant](tx, t.Realm, id)
		if err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, g, t.event(actor, "auth0.grant.delete"))
	})
}

// DeleteUserGrants revokes all grants of a user.
func (t *Tenant) DeleteUserGrants(ctx context.Context, actor directory.Actor, account string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		all, err := directory.All[UserGrant](tx, directory.RecordQuery{Realm: t.Realm, Subject: account}, 0, nil)
		if err != nil {
			return err
		}
		for _, g := range all {
			if err := t.Directory.DeleteObject(tx, g, t.event(actor, "auth0.grant.delete")); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClientsOfOrganization returns the ids of the clients that an organization has
// grants for.
func (t *Tenant) ClientsOfOrganization(ctx context.Context, organization string) (ids []string, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		for record, err := range r.Records(directory.RecordQuery{Realm: t.Realm, Noun: directory.OrgGrantNoun, Parent: organization}) {
			if err != nil {
				return err
			}
			ids = append(ids, record.Subject)
		}
		for i, id := range ids {
			g, err := directory.Get[ClientGrant](r, t.Realm, id)
			if err != nil {
				return err
			}
			ids[i] = g.Client
		}
		return nil
	})
	return ids, err
}
