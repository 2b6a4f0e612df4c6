package auth0

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// scimRoutes are the configurations of connections for SCIM, and their tokens.
func (a *API) scimRoutes() []route {
	const config = "/connections/{id}/scim-configuration"
	return []route{
		op("GET", "/connections-scim-configurations", a.listSCIM, "read:scim_config"),
		op("GET", config, a.getSCIM, "read:scim_config"),
		op("POST", config, a.createSCIM, "create:scim_config"),
		op("PATCH", config, a.updateSCIM, "update:scim_config"),
		op("DELETE", config, a.deleteSCIM, "delete:scim_config"),
		op("GET", config+"/default-mapping", a.defaultSCIM, "read:scim_config"),
		op("GET", config+"/tokens", a.listSCIMTokens, "read:scim_token"),
		op("POST", config+"/tokens", a.createSCIMToken, "create:scim_token"),
		op("DELETE", config+"/tokens/{token}", a.deleteSCIMToken, "delete:scim_token"),
	}
}

// scimProperties are those of a configuration (Auth0's OpenAPI document). Rows
// may have more members, which are not kept.
var scimProperties = map[string]property{
	"user_id_attribute": {typ: "string", about: "User ID attribute for generating unique user ids"},
	"mapping":           {typ: "array", items: &property{typ: "object"}, about: "The mapping between auth0 and SCIM"},
}

var scimTokenProperties = map[string]property{
	"scopes":         {typ: "array", min: 1, items: &property{typ: "string"}, about: "The scopes of the scim token"},
	"token_lifetime": {typ: "integer", nullable: true, about: "Lifetime of the token in seconds. Must be greater than 900"},
}

// scimConfig is the wire form of a configuration, in the recorded order of keys.
func (a *API) scimConfig(r *http.Request, c *tenant.SCIMConfig, of *tenant.Connection) web.Object {
	rows := make([]web.Object, len(c.Mapping))
	for i, row := range c.Mapping {
		rows[i] = web.Object{{Key: "scim", Value: row.SCIM}, {Key: "auth0", Value: row.Auth0}}
	}
	return web.Object{
		{Key: "tenant_name", Value: a.tenantName(r)},
		{Key: "connection_id", Value: of.ID},
		{Key: "connection_name", Value: of.Name},
		{Key: "strategy", Value: of.Strategy},
		{Key: "mapping", Value: rows},
		{Key: "updated_on", Value: date(c.Updated)},
		{Key: "created_at", Value: date(c.Created)},
		{Key: "user_id_attribute", Value: c.UserIDAttribute},
	}
}

// tenantName is the first part of the tenant's host. In recordings all of the
// host stands where it was.
func (a *API) tenantName(r *http.Request) string {
	name, _, _ := strings.Cut(a.host(r), ".")
	return name
}

// host is the host of the tenant's address.
func (a *API) host(r *http.Request) string {
	u, err := url.Parse(a.issuer(r))
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// listSCIM is GET /connections-scim-configurations. It pages by checkpoint only;
// the last id is the place in the list.
func (a *API) listSCIM(w http.ResponseWriter, r *http.Request) error {
	s := style{only: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	configs, of, err := a.tenant.SCIMConfigs(r.Context(), l.after.ID, l.perPage+1)
	if err != nil {
		return err
	}
	p := rest{more: len(configs) > l.perPage}
	if p.more {
		configs = configs[:l.perPage]
	}
	rows := make([]web.Object, len(configs))
	for i, c := range configs {
		rows[i] = a.scimConfig(r, c, of[i])
		p.last = tenant.Mark{At: c.Created, ID: c.ID}
	}
	return l.write(w, s, "scim_configurations", rows, p)
}

func (a *API) getSCIM(w http.ResponseWriter, r *http.Request) error {
	c, of, err := a.tenant.SCIMConfig(r.Context(), r.PathValue("id"))
	if err != nil {
		return scimError(err)
	}
	return web.WriteJSON(w, http.StatusOK, a.scimConfig(r, c, of))
}

func (a *API) createSCIM(w http.ResponseWriter, r *http.Request) error {
	s, err := readSCIM(r, false)
	if err != nil {
		return err
	}
	c, of, err := a.tenant.EnableSCIM(r.Context(), actor(r), r.PathValue("id"), s)
	if err != nil {
		return scimError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, a.scimConfig(r, c, of))
}

func (a *API) updateSCIM(w http.ResponseWriter, r *http.Request) error {
	s, err := readSCIM(r, true)
	if err != nil {
		return err
	}
	c, of, err := a.tenant.SetSCIM(r.Context(), actor(r), r.PathValue("id"), s)
	if err != nil {
		return scimError(err)
	}
	return web.WriteJSON(w, http.StatusOK, a.scimConfig(r, c, of))
}

// readSCIM reads the body of a configuration. A new one may have none, which asks
// for the defaults.
func readSCIM(r *http.Request, whole bool) (s tenant.SCIMSettings, err error) {
	if !whole {
		if empty, err := bodyless(r); empty || err != nil {
			return s, err
		}
	}
	var required []string
	if whole {
		required = []string{"user_id_attribute", "mapping"}
	}
	p, err := readPayload(r, scimProperties, required...)
	if err != nil {
		return s, err
	}
	s.UserIDAttribute = p.text("user_id_attribute")
	rows, given := p["mapping"].([]any)
	if given {
		s.Mapping = []tenant.MappingRow{}
	}
	for _, row := range rows {
		o, _ := row.(map[string]any)
		scim, _ := o["scim"].(string)
		auth0, _ := o["auth0"].(string)
		s.Mapping = append(s.Mapping, tenant.MappingRow{SCIM: scim, Auth0: auth0})
	}
	return s, nil
}

// bodyless reports whether a request has no body, or null. Otherwise the body is
// left to be read.
func bodyless(r *http.Request) (bool, error) {
	b, err := web.ReadBody(r, web.MaxBody)
	if err != nil {
		return false, err
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	text := string(bytes.TrimSpace(b))
	return text == "" || text == "null", nil
}

func (a *API) deleteSCIM(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DisableSCIM(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return scimError(err)
	}
	return noContent(w)
}

// defaultSCIM is GET .../default-mapping. Its rows have the other order of keys
// (recorded).
func (a *API) defaultSCIM(w http.ResponseWriter, r *http.Request) error {
	of, err := a.tenant.Connection(r.Context(), r.PathValue("id"))
	if err != nil {
		return scimError(err)
	}
	s, ok, err := tenant.DefaultSCIM(of.Strategy)
	if err != nil {
		return err
	}
	if !ok {
		return notFound()
	}
	rows := make([]web.Object, len(s.Mapping))
	for i, row := range s.Mapping {
		rows[i] = web.Object{{Key: "auth0", Value: row.Auth0}, {Key: "scim", Value: row.SCIM}}
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "mapping", Value: rows}})
}

// listSCIMTokens is GET .../tokens: without the secrets.
func (a *API) listSCIMTokens(w http.ResponseWriter, r *http.Request) error {
	tokens, err := a.tenant.SCIMTokens(r.Context(), r.PathValue("id"))
	if err != nil {
		return scimError(err)
	}
	rows := make([]web.Object, len(tokens))
	for i, t := range tokens {
		o := web.Object{
			{Key: "token_id", Value: t.ID},
			{Key: "created_at", Value: date(t.Created)},
			{Key: "scopes", Value: t.Scopes},
		}
		o = append(o, when("valid_until", t.ValidUntil)...)
		rows[i] = append(o, when("last_used_at", t.LastUsed)...)
	}
	return web.WriteJSON(w, http.StatusOK, rows)
}

// when is a member with a time, or nothing when it is zero.
func when(key string, at time.Time) web.Object {
	if at.IsZero() {
		return nil
	}
	return web.Object{{Key: key, Value: date(at)}}
}

func (a *API) createSCIMToken(w http.ResponseWriter, r *http.Request) error {
	var n tenant.NewSCIMToken
	empty, err := bodyless(r)
	if err != nil {
		return err
	}
	if !empty {
		if n, err = readSCIMToken(r); err != nil {
			return err
		}
	}
	secret, t, err := a.tenant.CreateSCIMToken(r.Context(), actor(r), r.PathValue("id"), n)
	if err != nil {
		return scimError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, append(web.Object{
		{Key: "token_id", Value: t.ID},
		{Key: "token", Value: secret},
		{Key: "scopes", Value: t.Scopes},
		{Key: "created_at", Value: date(t.Created)},
	}, when("valid_until", t.ValidUntil)...))
}

func readSCIMToken(r *http.Request) (n tenant.NewSCIMToken, err error) {
	p, err := readPayload(r, scimTokenProperties)
	if err != nil {
		return n, err
	}
	if p.has("scopes") {
		n.Scopes = p.texts("scopes")
	}
	if p["token_lifetime"] != nil {
		// A second is refused as 0 has to be, which would mean no end. 68 years are
		// as good as more.
		n.Life = time.Duration(min(max(p.number("token_lifetime"), 1), maxInt)) * time.Second
	}
	return n, nil
}

func (a *API) deleteSCIMToken(w http.ResponseWriter, r *http.Request) error {
	_, err := a.tenant.RevokeSCIMToken(r.Context(), actor(r), r.PathValue("id"), r.PathValue("token"))
	var lost *directory.Missing
	if errors.As(err, &lost) && lost.Noun == directory.SCIMTokenNoun {
		err = nil // DELETE answers 204 elsewhere too when there is nothing (recorded for configurations)
	}
	if err != nil {
		return scimError(err)
	}
	return noContent(w)
}

// scimError words what the tenant says of SCIM. Of these only "Not Found" is
// recorded; the statuses are those of Auth0's OpenAPI document.
func scimError(err error) error {
	var no *tenant.NoSCIM
	var full *tenant.TokensFull
	var lost *directory.Missing
	switch {
	case errors.As(err, &no):
		return &apiError{http.StatusNotFound, fault.Public(err), "", err}
	case errors.As(err, &lost) && lost.Noun != directory.ConnectionNoun:
		return notFound().because(err)
	case errors.As(err, &lost):
		return &apiError{http.StatusNotFound, "The connection does not exist", "inexistent_connection", err}
	case fault.Is(err, fault.Invalid):
		return &apiError{http.StatusBadRequest, fault.Public(err), "invalid_body", err}
	case errors.As(err, &full):
		return &apiError{http.StatusConflict, "Maximum of 2 tokens already issued for this connection", "", err}
	case fault.Is(err, fault.Conflict):
		return &apiError{http.StatusBadRequest, "A SCIM configuration already exists for this connection", "", err}
	}
	return err
}
