package auth0

import (
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) orgGrantRoutes() []route {
	const all = "/organizations/{id}/client-grants"
	return []route{
		op("GET", all, a.listOrgGrants, "read:organization_client_grants"),
		op("POST", all, a.addOrgGrant, "create:organization_client_grants"),
		op("DELETE", all+"/{grant}", a.removeOrgGrant, "delete:organization_client_grants"),
	}
}

// maxGrantIDs is how many grants one query may name.
const maxGrantIDs = 10

// listOrgGrants is GET /organizations/{id}/client-grants.
func (a *API) listOrgGrants(w http.ResponseWriter, r *http.Request) error {
	s := style{unlimited: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	ids := q["grant_ids"]
	if len(ids) > maxGrantIDs {
		m := property{typ: "array", max: maxGrantIDs}.check("grant_ids", make([]any, len(ids)))
		return badQuery(m.String())
	}
	audience, client := q.Get("audience"), q.Get("client_id")
	p, err := a.tenant.OrgGrants(r.Context(), r.PathValue("id"), l.window(), func(g *tenant.ClientGrant) bool {
		return (audience == "" || g.Audience == audience) && (client == "" || g.Client == client) && (len(ids) == 0 || slices.Contains(ids, g.ID))
	})
	if err != nil {
		return err
	}
	return l.write(w, s, "client_grants", rowsOf(p, clientGrant), restOf(p, nil))
}

var orgGrantProperties = map[string]property{
	"grant_id": {typ: "string", format: "client-grant-id", about: "A Client Grant ID to add to the organization."},
}

// addOrgGrant is POST: the answer calls the grant's id grant_id (recorded).
func (a *API) addOrgGrant(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, orgGrantProperties, "grant_id")
	if err != nil {
		return err
	}
	g, err := a.tenant.AddOrgGrant(r.Context(), actor(r), r.PathValue("id"), p.text("grant_id"))
	if err != nil {
		return err
	}
	o := clientGrant(g)
	o = slices.DeleteFunc(o, func(f web.Field) bool { return f.Key == "subject_type" })
	if len(o) > 0 && o[0].Key == "id" {
		o[0].Key = "grant_id"
	}
	return web.WriteJSON(w, http.StatusCreated, o)
}

func (a *API) removeOrgGrant(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.RemoveOrgGrant(r.Context(), actor(r), r.PathValue("id"), r.PathValue("grant")); err != nil {
		return err
	}
	return noContent(w)
}
