package tenant

import (
	"context"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// OrgDomain is a domain by whose addresses people find their organization.
type OrgDomain struct {
	directory.Meta

	Organization string `json:"organization"`
	Domain       string `json:"domain"`
	Verified     bool   `json:"verified,omitempty"`
	Proof        string `json:"proof"` // what the owner puts into a TXT record
	Unused       bool   `json:"unused,omitempty"`
}

// Place says where the domain is found. It is unique in its organization.
func (d *OrgDomain) Place() directory.Place {
	return directory.Place{Noun: directory.OrgDomainNoun, Parent: d.Organization, Key: d.Organization + "/" + d.Domain}
}

// OrgDomainEdit is a change to a domain. Nil fields stay as they are.
type OrgDomainEdit struct{ Verified, Unused *bool }

// AddOrgDomain adds a domain to an organization. One that it has is a
// fault.Conflict with Violations.
func (t *Tenant) AddOrgDomain(ctx context.Context, actor directory.Actor, id string, d *OrgDomain) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		d.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("ord"), Realm: t.Realm}
		d.Organization, d.Domain, d.Proof = id, strings.ToLower(d.Domain), t.Directory.IDs.Hex(32)
		if err := free[OrgDomain](tx, t.Realm, d.Place().Key, "domain", ""); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, d, t.event(actor, "auth0.organization.domain.add", o.target()))
	})
}

// OrgDomain returns a domain of an organization by its id.
func (t *Tenant) OrgDomain(ctx context.Context, id, domain string) (d *OrgDomain, err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		d, err = t.orgDomain(r, id, domain)
		return err
	})
	return d, err
}

func (t *Tenant) orgDomain(r directory.Reader, organization, id string) (*OrgDomain, error) {
	d, err := directory.Get[OrgDomain](r, t.Realm, id)
	if err == nil && d.Organization != organization {
		return nil, directory.NotFound(directory.OrgDomainNoun, id)
	}
	return d, err
}

// OrgDomainByName returns a domain of an organization by its name.
func (t *Tenant) OrgDomainByName(ctx context.Context, id, name string) (d *OrgDomain, err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		d, err = directory.GetByKey[OrgDomain](r, t.Realm, id+"/"+strings.ToLower(name))
		return err
	})
	return d, err
}

// OrgDomains returns the domains of an organization.
func (t *Tenant) OrgDomains(ctx context.Context, id string, w Window) (p Page[*OrgDomain], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		p, err = pageOf[OrgDomain](r, directory.RecordQuery{Realm: t.Realm, Parent: id}, w, w.After.ID, nil)
		return err
	})
	return p, err
}

// EditOrgDomain changes a domain.
func (t *Tenant) EditOrgDomain(ctx context.Context, actor directory.Actor, id, domain string, e OrgDomainEdit) (after *OrgDomain, err error) {
	err = t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		before, err := t.orgDomain(tx, id, domain)
		if err != nil {
			return err
		}
		if after, err = directory.CloneObject(before); err != nil {
			return err
		}
		set(&after.Verified, e.Verified)
		set(&after.Unused, e.Unused)
		return t.Directory.UpdateObject(tx, before, after, t.event(actor, "auth0.organization.domain.update", o.target()))
	})
	return after, err
}

// DeleteOrgDomain takes a domain from an organization. One that it does not have
// is no error (recorded).
func (t *Tenant) DeleteOrgDomain(ctx context.Context, actor directory.Actor, id, domain string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		d, err := t.orgDomain(tx, id, domain)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, d, t.event(actor, "auth0.organization.domain.delete", o.target()))
	})
}
