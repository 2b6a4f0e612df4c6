package tenant

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// orgGrant says that a client's grant holds in an organization.
type orgGrant struct {
	directory.Meta

	Organization string `json:"organization"`
	Grant        string `json:"grant"`
}

func (g *orgGrant) Place() directory.Place {
	return directory.Place{Noun: directory.OrgGrantNoun, Parent: g.Organization, Subject: g.Grant, Key: g.Organization + "/" + g.Grant}
}

// AddOrgGrant lets a client's grant hold in an organization. One that does is a
// fault.Conflict with Violations.
func (t *Tenant) AddOrgGrant(ctx context.Context, actor directory.Actor, id, grant string) (g *ClientGrant, err error) {
	err = t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		if g, err = directory.Get[ClientGrant](tx, t.Realm, grant); err != nil {
			return err
		}
		one := &orgGrant{Meta: directory.Meta{ID: t.Directory.IDs.Auth0("ocg"), Realm: t.Realm}, Organization: id, Grant: grant}
		if err := free[orgGrant](tx, t.Realm, one.Place().Key, "grant_id", ""); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, one, t.event(actor, "auth0.organization.client_grant.add", g.target(), o.target()))
	})
	return g, err
}

// OrgGrants returns the grants that hold in an organization and that match
// accepts; nil accepts all.
func (t *Tenant) OrgGrants(ctx context.Context, id string, w Window, match func(*ClientGrant) bool) (p Page[*ClientGrant], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		list, err := directory.All[orgGrant](r, directory.RecordQuery{Realm: t.Realm, Parent: id}, 0, nil)
		if err != nil {
			return err
		}
		var all []*ClientGrant
		for _, one := range list {
			g, err := directory.Get[ClientGrant](r, t.Realm, one.Grant)
			if err != nil {
				return err
			}
			if match == nil || match(g) {
				all = append(all, g)
			}
		}
		p = Cut(all, w)
		return nil
	})
	return p, err
}

// RemoveOrgGrant ends that a grant holds in an organization.
func (t *Tenant) RemoveOrgGrant(ctx context.Context, actor directory.Actor, id, grant string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		g, err := directory.GetByKey[orgGrant](tx, t.Realm, id+"/"+grant)
		if err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, g, t.event(actor, "auth0.organization.client_grant.remove", o.target()))
	})
}
