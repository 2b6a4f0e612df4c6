package auth0

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) clientRoutes() []route {
	return []route{
		op("GET", "/clients", a.listClients, "read:clients"),
		op("POST", "/clients", a.createClient, "create:clients"),
		op("GET", "/clients/{id}", a.getClient, "read:clients"),
		op("PATCH", "/clients/{id}", a.updateClient, "update:clients"),
		op("DELETE", "/clients/{id}", a.deleteClient, "delete:clients"),
		op("POST", "/clients/{id}/rotate-secret", a.rotateSecret, "update:client_keys"),
		op("GET", "/clients/{id}/credentials", a.listCredentials, "read:client_credentials"),
		op("POST", "/clients/{id}/credentials", a.addCredential, "create:client_credentials"),
		op("GET", "/clients/{id}/credentials/{credential}", a.getCredential, "read:client_credentials"),
		op("PATCH", "/clients/{id}/credentials/{credential}", a.updateCredential, "update:client_credentials"),
		op("DELETE", "/clients/{id}/credentials/{credential}", a.deleteCredential, "delete:client_credentials"),
	}
}

// clientKeys is the scope that lets a caller see secrets of clients.
const clientKeys = "read:client_keys"

var (
	texts   = &property{typ: "string"}
	boolean = property{typ: "boolean"}
	object  = property{typ: "object", nullable: true}
)

// clientProperties are those that a client can be created and changed with. What
// they hold deeper down is kept as it is said.
func clientProperties() map[string]property {
	all := map[string]property{
		"name":          {typ: "string", min: 1, about: "Name of this client (min length: 1 character, does not allow < or >)."},
		"description":   {typ: "string", max: 140, about: "Free text description of this client (max length: 140 characters)."},
		"client_secret": {typ: "string", min: 1, about: "The secret used to sign tokens for the client"},
		"app_type":      {typ: "string", nullable: true, enum: appTypes, about: "The type of application this client represents"},
		"logo_uri":      {typ: "string", nullable: true, about: "URL of the logo to display for this client. Recommended size is 150x150 pixels."},
		"grant_types":   {typ: "array", items: texts, about: "List of grant types supported for this application."},
		"callbacks":     {typ: "array", items: texts, about: "Comma-separated list of URLs whitelisted for Auth0 to use as a callback to the client after authentication."},
		"organization_usage": {
			typ: "string", nullable: true, enum: []string{"deny", "allow", "require"},
			about: "Defines how to proceed during an authentication transaction with regards an organization.",
		},
		"client_metadata": {typ: "object", max: 10, nullable: true, about: "Metadata associated with the client, in the form of an object with string values (max 255 chars). " +
			"Maximum of 10 metadata properties allowed."},
		"token_endpoint_auth_method": {
			typ: "string", nullable: true, enum: []string{"none", "client_secret_post", "client_secret_basic"},
			about: "Defines the requested authentication method for the token endpoint.",
		},
	}
	for kind, names := range map[string][]string{
		"array": {
			"allowed_origins", "web_origins", "client_aliases", "allowed_clients", "allowed_logout_urls",
			"organization_discovery_methods", "async_approval_notification_channels",
		},
		"object": {
			"jwt_configuration", "encryption_key", "addons", "mobile", "native_social_login", "refresh_token", "oidc_logout",
			"oidc_backchannel_logout", "default_organization", "client_authentication_methods", "signed_request_object",
			"token_exchange", "token_quota", "session_transfer", "express_configuration", "my_organization_configuration", "fedcm_login",
		},
		"boolean": {
			"is_first_party", "is_token_endpoint_ip_header_trusted", "oidc_conformant", "sso", "sso_disabled", "cross_origin_authentication",
			"cross_origin_auth", "custom_login_page_on", "require_pushed_authorization_requests", "require_proof_of_possession",
			"skip_non_verifiable_callback_uri_confirmation_prompt",
		},
		"string": {
			"cross_origin_loc", "custom_login_page", "custom_login_page_preview", "form_template", "initiate_login_uri",
			"organization_require_behavior", "compliance_level", "resource_server_identifier", "third_party_security_mode",
			"redirection_policy", "jwks_uri",
		},
	} {
		for _, name := range names {
			all[name] = property{typ: kind, nullable: true}
		}
	}
	return all
}

var appTypes = []string{
	"native", "spa", "regular_web", "non_interactive", "resource_server", "express_configuration", "rms", "box", "cloudbees", "concur",
	"dropbox", "mscrm", "echosign", "egnyte", "newrelic", "office365", "salesforce", "sentry", "sharepoint", "slack", "springcm",
	"zendesk", "zoom", "sso_integration", "oag",
}

// clientOrder is the recorded order of the members of a client. Others follow in
// the order of their names.
var clientOrder = []string{
	"global", "is_token_endpoint_ip_header_trusted", "name", "description", "is_first_party", "oidc_conformant", "sso_disabled",
	"cross_origin_auth", "cross_origin_authentication", "allowed_clients", "callbacks", "native_social_login", "refresh_token",
	"organization_usage", "organization_require_behavior", "client_authentication_methods", "signing_keys", "client_id",
	"client_secret", "jwt_configuration", "client_aliases", "token_endpoint_auth_method", "app_type",
	"grant_types", "custom_login_page_on",
}

// client is the wire form of a client. The secret is shown to those who may see
// secrets. The answer to a creation shows the credentials, others their ids
// (recorded).
func client(c *tenant.Client, secret string, created bool) web.Object {
	members := map[string]any{"client_id": c.ID, "name": c.Name}
	maps.Copy(members, c.Settings)
	if methods, ok := c.Settings["client_authentication_methods"].(map[string]any); ok {
		members["client_authentication_methods"] = authenticationMethods(c, methods, created)
	}
	if secret != "" {
		members["client_secret"] = secret
	}
	var o web.Object
	for _, name := range clientOrder {
		if v, ok := members[name]; ok {
			o = append(o, web.Field{Key: name, Value: v})
			delete(members, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		o = append(o, web.Field{Key: name, Value: members[name]})
	}
	return o
}

// authenticationMethods shows the credentials where the settings have their ids.
func authenticationMethods(c *tenant.Client, methods map[string]any, created bool) web.Object {
	var o web.Object
	for _, method := range slices.Sorted(maps.Keys(methods)) {
		inner, _ := methods[method].(map[string]any)
		list, _ := inner["credentials"].([]any)
		shown := []web.Object{}
		for _, v := range list {
			named, _ := v.(map[string]any)
			id, _ := named["id"].(string)
			one, err := c.Credential(id)
			switch {
			case err == nil && created:
				shown = append(shown, credential(one, false))
			case err == nil:
				shown = append(shown, web.Object{{Key: "id", Value: one.ID}})
			}
		}
		o = append(o, web.Field{Key: method, Value: web.Object{{Key: "credentials", Value: shown}}})
	}
	return o
}

// credential is the wire form of a credential, in the recorded order. Some
// answers say that it never expires.
func credential(c tenant.Credential, always bool) web.Object {
	o := web.Object{{Key: "id", Value: c.ID}}
	add := func(key, text string) {
		if text != "" {
			o = append(o, web.Field{Key: key, Value: text})
		}
	}
	add("name", c.Name)
	add("credential_type", c.Type)
	add("kid", c.KeyID)
	add("alg", c.Algorithm)
	add("thumbprint_sha256", c.Thumbprint)
	add("subject_dn", c.SubjectDN)
	o = append(o, web.Field{Key: "created_at", Value: date(c.Created)}, web.Field{Key: "updated_at", Value: date(c.Updated)})
	switch {
	case !c.Expires.IsZero():
		o = append(o, web.Field{Key: "expires_at", Value: date(c.Expires)})
	case always:
		o = append(o, web.Field{Key: "expires_at", Value: nil})
	}
	return o
}

// listClients is GET /clients, by kind of client.
func (a *API) listClients(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, numbered: true}
	q := r.URL.Query()
	l, show, err := readList(q, s)
	if err != nil {
		return err
	}
	wanted, err := a.clientFilter(r)
	if err != nil {
		return err
	}
	p, err := a.tenant.Clients(r.Context(), l.window(), wanted)
	if err != nil {
		return err
	}
	rows := make([]web.Object, len(p.Items))
	for i, c := range p.Items {
		secret, err := a.secretFor(r, c)
		if err != nil {
			return err
		}
		rows[i] = append(web.Object{{Key: "tenant", Value: a.tenantName(r)}}, show(client(c, secret, false))...)
	}
	return l.write(w, s, "clients", rows, restOf(p, func(c *tenant.Client) tenant.Mark { return markOf(c.Meta) }))
}

// clientFilter reads which clients a list is of.
func (a *API) clientFilter(r *http.Request) (func(*tenant.Client) bool, error) {
	q := r.URL.Query()
	types := q["app_type"]
	if len(types) == 1 {
		types = strings.Split(types[0], ",")
	}
	var granted []string
	if organization, ok := strings.CutPrefix(q.Get("q"), "client_grant.organization_id:"); ok {
		var err error
		if granted, err = a.tenant.ClientsOfOrganization(r.Context(), organization); err != nil {
			return nil, err
		}
	}
	return func(c *tenant.Client) bool {
		first, ok := c.Settings["is_first_party"].(bool)
		return (len(types) == 0 || slices.Contains(types, c.Type())) &&
			(!ok || q.Get("is_first_party") == "" || q.Get("is_first_party") == boolText(first)) &&
			q.Get("is_global") != "true" &&
			(!q.Has("q") || slices.Contains(granted, c.ID))
	}, nil
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// secretFor returns the secret of a client when the caller may see it.
func (a *API) secretFor(r *http.Request, c *tenant.Client) (string, error) {
	if !holds(r, clientKeys) {
		return "", nil
	}
	return a.tenant.ClientSecret(r.Context(), c.ID)
}

// settings are the members of a body that are kept as they are said.
func (p payload) settings(without ...string) map[string]any {
	out := map[string]any{}
	for name, v := range p {
		if !slices.Contains(without, name) {
			out[name] = v
		}
	}
	return out
}

func (a *API) createClient(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, clientProperties(), "name")
	if err != nil {
		return err
	}
	c, secret, err := a.tenant.CreateClient(r.Context(), actor(r), p.text("name"), p.settings("name"))
	if err != nil {
		return connectionError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, client(c, secret, true))
}

func (a *API) getClient(w http.ResponseWriter, r *http.Request) error {
	show, err := readProjection(r.URL.Query())
	if err != nil {
		return err
	}
	c, err := a.tenant.Client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	secret, err := a.secretFor(r, c)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, show(client(c, secret, false)))
}

func (a *API) updateClient(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, clientProperties())
	if err != nil {
		return err
	}
	c, secret, err := a.tenant.EditClient(r.Context(), actor(r), r.PathValue("id"), p.text("name"), p.settings("name"))
	if err != nil {
		return connectionError(err)
	}
	if !holds(r, clientKeys) {
		secret = ""
	}
	return web.WriteJSON(w, http.StatusOK, client(c, secret, false))
}

// deleteClient is DELETE /clients/{id}. One that is not there is deleted already
// (recorded).
func (a *API) deleteClient(w http.ResponseWriter, r *http.Request) error {
	if err := present204(a.tenant.DeleteClient(r.Context(), actor(r), r.PathValue("id"))); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	c, secret, err := a.tenant.RotateSecret(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, client(c, secret, false))
}

func (a *API) listCredentials(w http.ResponseWriter, r *http.Request) error {
	c, err := a.tenant.Client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	rows := []web.Object{}
	for _, one := range c.Credentials {
		rows = append(rows, credential(one, true))
	}
	return web.WriteJSON(w, http.StatusOK, rows)
}

var credentialProperties = map[string]property{
	"credential_type":        {typ: "string", enum: []string{"public_key", "cert_subject_dn", "x509_cert"}, about: "Type of credential. Supported types: public_key, cert_subject_dn or x509_cert"},
	"name":                   {typ: "string", about: "Friendly name for a credential."},
	"subject_dn":             {typ: "string", min: 1, max: 256, about: "Subject Distinguished Name. Mutually exclusive with `pem` property. Applies to `cert_subject_dn` credential type."},
	"pem":                    {typ: "string", about: "PEM-formatted public key (SPKI and PKCS1) or X509 certificate."},
	"alg":                    {typ: "string", enum: []string{"RS256", "RS384", "PS256"}, about: "Algorithm which will be used with the credential. Supported algorithms: RS256,RS384,PS256"},
	"parse_expiry_from_cert": {typ: "boolean", about: "Parse expiry from x509 certificate. If true, attempts to parse the expiry date from the provided PEM. Applies to `public_key` credential type."},
	"expires_at":             {typ: "string", about: "The ISO 8601 formatted date representing the expiration of the credential."},
	"kid":                    {typ: "string", min: 10, max: 64, about: "Optional kid (Key ID), used to uniquely identify the credential."},
}

// when reads a member that is a time, zero when it is absent.
func (p payload) when(name string) (time.Time, error) {
	text := p.text(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, badBody("'Object didn't pass validation for format date-time: " + text + "' on property " + name + ".").because(err)
	}
	return at.UTC(), nil
}

func (a *API) addCredential(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, credentialProperties, "credential_type")
	if err != nil {
		return err
	}
	expires, err := p.when("expires_at")
	if err != nil {
		return err
	}
	made, err := a.tenant.AddCredential(r.Context(), actor(r), r.PathValue("id"), tenant.CredentialDraft{
		Name: p.text("name"), Type: p.text("credential_type"), PEM: p.text("pem"), KeyID: p.text("kid"),
		Algorithm: p.text("alg"), SubjectDN: p.text("subject_dn"), Expires: expires,
	})
	if err != nil {
		return connectionError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, credential(made, false))
}

func (a *API) getCredential(w http.ResponseWriter, r *http.Request) error {
	c, err := a.tenant.Client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	one, err := c.Credential(r.PathValue("credential"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, credential(one, true))
}

func (a *API) updateCredential(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, map[string]property{"expires_at": {typ: "string", nullable: true, about: credentialProperties["expires_at"].about}})
	if err != nil {
		return err
	}
	expires, err := p.when("expires_at")
	if err != nil {
		return err
	}
	one, err := a.tenant.SetCredentialExpiry(r.Context(), actor(r), r.PathValue("id"), r.PathValue("credential"), expires)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, credential(one, true))
}

func (a *API) deleteCredential(w http.ResponseWriter, r *http.Request) error {
	if err := present204(a.tenant.DeleteCredential(r.Context(), actor(r), r.PathValue("id"), r.PathValue("credential"))); err != nil {
		return err
	}
	return noContent(w)
}
