package auth0

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) orgDomainRoutes() []route {
	const all, one = "/organizations/{id}/discovery-domains", "/organizations/{id}/discovery-domains/{domain}"
	return []route{
		op("GET", all, a.listOrgDomains, "read:organization_discovery_domains"),
		op("POST", all, a.createOrgDomain, "create:organization_discovery_domains"),
		op("GET", all+"/name/{name}", a.getOrgDomainByName, "read:organization_discovery_domains"),
		op("GET", one, a.getOrgDomain, "read:organization_discovery_domains"),
		op("PATCH", one, a.updateOrgDomain, "update:organization_discovery_domains"),
		op("DELETE", one, a.deleteOrgDomain, "delete:organization_discovery_domains"),
	}
}

const (
	pendingDomain  = "pending"
	verifiedDomain = "verified"
)

// orgDomain is the wire form of a domain, in the recorded order of keys.
func orgDomain(d *tenant.OrgDomain) web.Object {
	status := pendingDomain
	if d.Verified {
		status = verifiedDomain
	}
	return web.Object{
		{Key: "id", Value: d.ID},
		{Key: "domain", Value: d.Domain},
		{Key: "status", Value: status},
		{Key: "verification_host", Value: "_ss-verification." + d.Organization + "." + d.Domain},
		{Key: "verification_txt", Value: d.Proof},
		{Key: "use_for_organization_discovery", Value: !d.Unused},
	}
}

var updateOrgDomainProperties = map[string]property{
	"status":                         {typ: "string", enum: []string{pendingDomain, verifiedDomain}, about: "The verification status of the discovery domain."},
	"use_for_organization_discovery": {typ: "boolean", about: "Indicates whether this domain should be used for organization discovery."},
}

var createOrgDomainProperties = with(updateOrgDomainProperties, map[string]property{
	"domain": {typ: "string", min: 3, max: 255, about: "The domain name to associate with the organization e.g. acme.com."},
})

// listOrgDomains is a list by checkpoint only.
func (a *API) listOrgDomains(w http.ResponseWriter, r *http.Request) error {
	s := style{only: true, nextFirst: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := a.tenant.OrgDomains(r.Context(), r.PathValue("id"), l.window())
	if err != nil {
		return err
	}
	mark := func(d *tenant.OrgDomain) tenant.Mark { return tenant.Mark{At: d.Created, ID: d.ID} }
	return l.write(w, s, "domains", rowsOf(p, orgDomain), restOf(p, mark))
}

func (a *API) createOrgDomain(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createOrgDomainProperties, "domain")
	if err != nil {
		return err
	}
	d := &tenant.OrgDomain{Domain: p.text("domain"), Verified: p.text("status") == verifiedDomain}
	if used := p.flag("use_for_organization_discovery"); used != nil {
		d.Unused = !*used
	}
	if err := a.tenant.AddOrgDomain(r.Context(), actor(r), r.PathValue("id"), d); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, orgDomain(d))
}

func (a *API) getOrgDomain(w http.ResponseWriter, r *http.Request) error {
	d, err := a.tenant.OrgDomain(r.Context(), r.PathValue("id"), r.PathValue("domain"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, orgDomain(d))
}

func (a *API) getOrgDomainByName(w http.ResponseWriter, r *http.Request) error {
	d, err := a.tenant.OrgDomainByName(r.Context(), r.PathValue("id"), r.PathValue("name"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, orgDomain(d))
}

func (a *API) updateOrgDomain(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, updateOrgDomainProperties)
	if err != nil {
		return err
	}
	e := tenant.OrgDomainEdit{Unused: negated(p.flag("use_for_organization_discovery"))}
	if p.has("status") {
		verified := p.text("status") == verifiedDomain
		e.Verified = &verified
	}
	d, err := a.tenant.EditOrgDomain(r.Context(), actor(r), r.PathValue("id"), r.PathValue("domain"), e)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, orgDomain(d))
}

func (a *API) deleteOrgDomain(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteOrgDomain(r.Context(), actor(r), r.PathValue("id"), r.PathValue("domain")); err != nil {
		return err
	}
	return noContent(w)
}
