package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// SCIM is what the API offers of the SCIM endpoints of the sandbox's Auth0
// tenant. A connection is named by its id or its name.
type SCIM interface {
	// SCIMConnections returns the connections that have an endpoint.
	SCIMConnections(ctx context.Context) ([]inbound.Overview, error)
	// SCIMConnection returns one of them.
	SCIMConnection(ctx context.Context, ref string) (inbound.Overview, error)
	// ConnectSCIM gives a connection, which may be a new one, an endpoint.
	ConnectSCIM(ctx context.Context, n inbound.NewConnection) (inbound.Overview, error)
	// ChangeSCIM changes mapping, user id attribute or policy of a connection.
	ChangeSCIM(ctx context.Context, ref string, c inbound.Change) (inbound.Overview, error)
	// CreateSCIMToken makes a token. Its secret is shown this once.
	CreateSCIMToken(ctx context.Context, ref string, n tenant.NewSCIMToken) (secret string, t inbound.Token, err error)
	// RevokeSCIMToken ends a token.
	RevokeSCIMToken(ctx context.Context, ref, token string) (inbound.Token, error)
	// PreviewSCIM says what a connection would make of a person.
	PreviewSCIM(ctx context.Context, ref string, person map[string]any) (inbound.Preview, error)
	// CompareAssignments compares two applications of the Okta org.
	CompareAssignments(ctx context.Context, signOn, provisioner string) (inbound.Assignments, error)
}

// scimTokenBody is a new token of a connection.
type scimTokenBody struct {
	Secret string        `json:"secret"`
	Token  inbound.Token `json:"token"`
}

// scim are the paths of SCIM.
func (a *API) scim() map[string]web.Handler {
	const one = prefix + "/scim/connections/{ref}"
	return map[string]web.Handler{
		"GET " + prefix + "/scim/connections":  a.scimConnections,
		"POST " + prefix + "/scim/connections": a.connectSCIM,
		"GET " + one:                           a.scimConnection,
		"PATCH " + one:                         a.changeSCIM,
		"POST " + one + "/tokens":              a.createSCIMToken,
		"DELETE " + one + "/tokens/{token}":    a.revokeSCIMToken,
		"POST " + one + "/preview":             a.previewSCIM,
		"GET " + prefix + "/scim/assignments":  a.compareAssignments,
	}
}

func (a *API) scimConnections(w http.ResponseWriter, r *http.Request) error {
	list, err := a.Service.SCIMConnections(r.Context())
	return answer(w, http.StatusOK, orEmpty(list), err)
}

func (a *API) scimConnection(w http.ResponseWriter, r *http.Request) error {
	o, err := a.Service.SCIMConnection(r.Context(), r.PathValue("ref"))
	return answer(w, http.StatusOK, o, err)
}

func (a *API) connectSCIM(w http.ResponseWriter, r *http.Request) error {
	var body inbound.NewConnection
	if err := read(r, &body); err != nil {
		return err
	}
	o, err := a.Service.ConnectSCIM(r.Context(), body)
	return answer(w, http.StatusCreated, o, err)
}

func (a *API) changeSCIM(w http.ResponseWriter, r *http.Request) error {
	var body inbound.Change
	if err := read(r, &body); err != nil {
		return err
	}
	o, err := a.Service.ChangeSCIM(r.Context(), r.PathValue("ref"), body)
	return answer(w, http.StatusOK, o, err)
}

func (a *API) createSCIMToken(w http.ResponseWriter, r *http.Request) error {
	var body tenant.NewSCIMToken
	if err := read(r, &body); err != nil {
		return err
	}
	secret, t, err := a.Service.CreateSCIMToken(r.Context(), r.PathValue("ref"), body)
	return answer(w, http.StatusCreated, scimTokenBody{secret, t}, err)
}

func (a *API) revokeSCIMToken(w http.ResponseWriter, r *http.Request) error {
	t, err := a.Service.RevokeSCIMToken(r.Context(), r.PathValue("ref"), r.PathValue("token"))
	return answer(w, http.StatusOK, t, err)
}

func (a *API) previewSCIM(w http.ResponseWriter, r *http.Request) error {
	var body map[string]any
	if err := read(r, &body); err != nil {
		return err
	}
	p, err := a.Service.PreviewSCIM(r.Context(), r.PathValue("ref"), body)
	return answer(w, http.StatusOK, p, err)
}

func (a *API) compareAssignments(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	found, err := a.Service.CompareAssignments(r.Context(), q.Get("signOn"), q.Get("provisioner"))
	return answer(w, http.StatusOK, found, err)
}

func scimPath(ref string) string { return "/scim/connections/" + url.PathEscape(ref) }

// SCIMConnections implements Service.
func (c *Client) SCIMConnections(ctx context.Context) (list []inbound.Overview, err error) {
	err = c.call(ctx, http.MethodGet, "/scim/connections", nil, &list)
	return list, err
}

// SCIMConnection implements Service.
func (c *Client) SCIMConnection(ctx context.Context, ref string) (o inbound.Overview, err error) {
	err = c.call(ctx, http.MethodGet, scimPath(ref), nil, &o)
	return o, err
}

// ConnectSCIM implements Service.
func (c *Client) ConnectSCIM(ctx context.Context, n inbound.NewConnection) (o inbound.Overview, err error) {
	err = c.call(ctx, http.MethodPost, "/scim/connections", n, &o)
	return o, err
}

// ChangeSCIM implements Service.
func (c *Client) ChangeSCIM(ctx context.Context, ref string, change inbound.Change) (o inbound.Overview, err error) {
	err = c.call(ctx, http.MethodPatch, scimPath(ref), change, &o)
	return o, err
}

// CreateSCIMToken implements Service.
func (c *Client) CreateSCIMToken(ctx context.Context, ref string, n tenant.NewSCIMToken) (secret string, t inbound.Token, err error) {
	var body scimTokenBody
	err = c.call(ctx, http.MethodPost, scimPath(ref)+"/tokens", n, &body)
	return body.Secret, body.Token, err
}

// RevokeSCIMToken implements Service.
func (c *Client) RevokeSCIMToken(ctx context.Context, ref, token string) (t inbound.Token, err error) {
	err = c.call(ctx, http.MethodDelete, scimPath(ref)+"/tokens/"+url.PathEscape(token), nil, &t)
	return t, err
}

// PreviewSCIM implements Service.
func (c *Client) PreviewSCIM(ctx context.Context, ref string, person map[string]any) (p inbound.Preview, err error) {
	err = c.call(ctx, http.MethodPost, scimPath(ref)+"/preview", person, &p)
	return p, err
}

// CompareAssignments implements Service.
func (c *Client) CompareAssignments(ctx context.Context, signOn, provisioner string) (a inbound.Assignments, err error) {
	q := url.Values{"signOn": {signOn}, "provisioner": {provisioner}}
	err = c.call(ctx, http.MethodGet, "/scim/assignments?"+q.Encode(), nil, &a)
	return a, err
}
