package auth0

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) invitationRoutes() []route {
	return []route{
		op("GET", "/organizations/{id}/invitations", a.listInvitations, "read:organization_invitations"),
		op("POST", "/organizations/{id}/invitations", a.createInvitation, "create:organization_invitations"),
		op("GET", "/organizations/{id}/invitations/{invitation}", a.getInvitation, "read:organization_invitations"),
		op("DELETE", "/organizations/{id}/invitations/{invitation}", a.deleteInvitation, "delete:organization_invitations"),
	}
}

// invitation is the wire form of an invitation, in the recorded order of keys.
func invitation(i *tenant.Invitation) web.Object {
	o := web.Object{
		{Key: "id", Value: i.ID},
		{Key: "client_id", Value: i.Client},
		{Key: "inviter", Value: web.Object{{Key: "name", Value: i.Inviter}}},
		{Key: "invitee", Value: web.Object{{Key: "email", Value: i.Invitee}}},
		{Key: "invitation_url", Value: i.URL},
		{Key: "ticket_id", Value: i.Ticket},
		{Key: "created_at", Value: date(i.Created)},
		{Key: "expires_at", Value: date(i.Expires)},
		{Key: "organization_id", Value: i.Organization},
	}
	add := func(key string, v any, there bool) {
		if there {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	add("connection_id", i.Connection, i.Connection != "")
	add("app_metadata", i.AppMetadata, i.AppMetadata != nil)
	add("user_metadata", i.UserMetadata, i.UserMetadata != nil)
	add("roles", i.Roles, len(i.Roles) > 0)
	return o
}

// invitationFields are what fields may name of invitations.
var invitationFields = []string{
	"app_metadata", "user_metadata", "client_id", "connection_id", "created_at", "expires_at", "id", "invitation_url",
	"invitee", "inviter", "organization_id", "roles",
}

var createInvitationProperties = map[string]property{
	"inviter": {typ: "object", required: []string{"name"}, members: map[string]property{
		"name": {typ: "string", min: 1, max: 300, about: "The inviter's name."},
	}},
	"invitee": {typ: "object", required: []string{"email"}, members: map[string]property{
		"email": {typ: "string", format: "email", about: "The invitee's email."},
	}},
	"client_id":             {typ: "string", min: 1, about: "Auth0 client ID. Used to resolve the application's login initiation endpoint."},
	"connection_id":         {typ: "string", format: "connection-id", about: "The id of the connection to force invitee to authenticate with."},
	"app_metadata":          {typ: "object", about: "Data related to the user that does affect the application's core functionality."},
	"user_metadata":         {typ: "object", about: "Data related to the user that does not affect the application's core functionality."},
	"ttl_sec":               {typ: "integer", max: 2592000, about: "Number of seconds for which the invitation is valid before expiration. If unspecified or set to 0, this value defaults to 604800 seconds (7 days). Max value: 2592000 seconds (30 days)."},
	"roles":                 {typ: "array", min: 1, items: &property{typ: "string", format: "role-id"}, about: "List of roles IDs to associated with the user."},
	"send_invitation_email": {typ: "boolean", about: "Whether the user will receive an invitation email (true) or no email (false), true by default"},
}

// invitationLife is how long an invitation is good when its maker does not say.
const invitationLife = 7 * 24 * time.Hour

var invitationSort = property{pattern: regexp.MustCompile(`^((created_at))\:(1|-1)$`), about: "Field to sort by. Use field:order where order is 1 for ascending and -1 for descending Defaults to created_at:-1."}

// listInvitations answers with limit as the number of rows, and without a total
// (recorded). The newest come first unless sort says otherwise.
func (a *API) listInvitations(w http.ResponseWriter, r *http.Request) error {
	s := style{filled: true, untold: true}
	q := r.URL.Query()
	l, show, err := readList(q, s, invitationFields...)
	if err != nil {
		return err
	}
	sort, err := queryText(q, "sort", invitationSort)
	if err != nil {
		return err
	}
	all, err := a.tenant.Invitations(r.Context(), r.PathValue("id"), tenant.Window{})
	if err != nil {
		return err
	}
	if !strings.HasSuffix(sort, ":1") {
		slices.Reverse(all.Items)
	}
	p := tenant.Cut(all.Items, l.window())
	rows := rowsOf(p, func(i *tenant.Invitation) web.Object { return show(invitation(i)) })
	return l.write(w, s, "invitations", rows, restOf(p, nil))
}

// createInvitation is POST: 201, where Auth0's description says 200 (recorded).
func (a *API) createInvitation(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createInvitationProperties, "inviter", "invitee", "client_id")
	if err != nil {
		return err
	}
	page, err := a.loginPage(r, p.text("client_id"))
	if err != nil {
		return err
	}
	i := &tenant.Invitation{
		Client: p.text("client_id"), Connection: p.text("connection_id"),
		Inviter: p.object("inviter").text("name"), Invitee: p.object("invitee").text("email"),
		AppMetadata: p.metadata("app_metadata"), UserMetadata: p.metadata("user_metadata"),
	}
	if p.has("roles") {
		i.Roles = p.texts("roles")
	}
	life := time.Duration(p.number("ttl_sec")) * time.Second
	if life == 0 {
		life = invitationLife
	}
	err = a.tenant.Invite(r.Context(), actor(r), r.PathValue("id"), i, life, func(o *tenant.Organization, ticket string) string {
		return page + "?" + "invitation=" + url.QueryEscape(ticket) + "&organization=" + o.ID + "&organization_name=" + url.QueryEscape(o.Name)
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, invitation(i))
}

// loginPage is the page of an application where signing in begins; those that
// have none use the tenant's.
func (a *API) loginPage(r *http.Request, client string) (string, error) {
	c, err := a.tenant.Client(r.Context(), client)
	if err != nil {
		return "", err
	}
	if page, _ := c.Settings["initiate_login_uri"].(string); page != "" {
		return page, nil
	}
	return strings.TrimSuffix(a.issuer(r), "/") + "/login", nil
}

func (a *API) getInvitation(w http.ResponseWriter, r *http.Request) error {
	show, err := readProjection(r.URL.Query(), invitationFields...)
	if err != nil {
		return err
	}
	i, err := a.tenant.Invitation(r.Context(), r.PathValue("id"), r.PathValue("invitation"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, show(invitation(i)))
}

func (a *API) deleteInvitation(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteInvitation(r.Context(), actor(r), r.PathValue("id"), r.PathValue("invitation")); err != nil {
		return err
	}
	return noContent(w)
}
