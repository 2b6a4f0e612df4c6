package okta

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Paths of the org authorization server.
const (
	oauthPath     = "/oauth2/v1"
	authorizePath = oauthPath + "/authorize"
	tokenPath     = oauthPath + "/token"
)

// oauthRoutes are the endpoints of the org authorization server. They are not
// the management API's: programs and browsers come without a token, and errors
// are the protocol's.
func (a *API) oauthRoutes() {
	if a.OAuth == nil {
		return
	}
	a.endpoint(authorizePath, a.pages.Handle, endpointMethods{"GET": a.authorizeGet, "POST": a.authorizePost})
	a.endpoint(authorizePath+"/sign-in", a.pages.Handle, endpointMethods{"POST": a.signIn})
	a.endpoint(authorizePath+"/consent", a.pages.Handle, endpointMethods{"POST": a.consent})
	a.endpoint(oauthPath+"/logout", a.pages.Handle, endpointMethods{"GET": a.logout, "POST": a.logout})
	a.endpoint(tokenPath, a.server.Handle, endpointMethods{"POST": a.token})
	a.endpoint(oauthPath+"/introspect", a.server.Handle, endpointMethods{"POST": a.introspect})
	a.endpoint(oauthPath+"/revoke", a.server.Handle, endpointMethods{"POST": a.revoke})
	a.endpoint(oauthPath+"/keys", a.server.Handle, endpointMethods{"GET": a.keys})
	a.endpoint(oauthPath+"/userinfo", a.server.Handle, endpointMethods{"GET": a.userInfo})
	a.endpoint("/.well-known/openid-configuration", a.server.Handle, endpointMethods{"GET": a.metadata})
	a.endpoint("/.well-known/oauth-authorization-server", a.server.Handle, endpointMethods{"GET": a.metadata})
}

// endpointMethods are the handlers of an endpoint, by method.
type endpointMethods map[string]web.Handler

// endpoint registers a path of the authorization server.
func (a *API) endpoint(path string, front func(web.Handler) http.Handler, methods endpointMethods) {
	a.mux.Handle(path, front(func(w http.ResponseWriter, r *http.Request) error {
		name := r.Method
		if name == http.MethodHead {
			name = http.MethodGet
		}
		leave, ok := a.limits.enter(w.Header())
		if !ok {
			return problem("E0000047")
		}
		defer leave()
		if !a.limits.take(w.Header(), name, r.URL.EscapedPath(), "") {
			return problem("E0000047")
		}
		run, ok := methods[name]
		if !ok {
			return problem("E0000022")
		}
		return run(w, r)
	}))
}

// failOAuth answers an error of the authorization server: refusals in the form
// of RFC 6749 5.2, the rest in that of the management API.
func (a *API) failOAuth(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(err)
	if e == nil {
		a.fail(w, r, err)
		return
	}
	if _, _, ok := r.BasicAuth(); ok && e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+a.base(r)+`"`) // RFC 6749 5.2
	}
	// Encoding strings cannot fail.
	_ = web.WriteJSON(w, e.Status, web.Object{{Key: "error", Value: e.Code}, {Key: "error_description", Value: e.Text}})
}

// refusalOf returns the refusal that an error is, nil for errors of other kinds.
// A failure of our own is told in the protocol's words.
func refusalOf(err error) *oauth.Error {
	var e *oauth.Error
	var api *apiError
	switch {
	case errors.As(err, &api):
		return nil
	case errors.As(err, &e):
		return e
	case fault.Is(err, fault.TooLarge), fault.Is(err, fault.Invalid):
		return oauth.Refuse("invalid_request")
	}
	return oauth.Refuse("server_error")
}

// metadata is what clients configure themselves by (RFC 8414, OpenID Connect
// Discovery). It names only what there is.
func (a *API) metadata(w http.ResponseWriter, r *http.Request) error {
	base := a.base(r)
	secrets := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
	algorithms := []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
	w.Header().Set("Cache-Control", "max-age=86400, must-revalidate")
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "issuer", Value: base},
		{Key: "authorization_endpoint", Value: base + authorizePath},
		{Key: "token_endpoint", Value: base + tokenPath},
		{Key: "userinfo_endpoint", Value: base + oauthPath + "/userinfo"},
		{Key: "registration_endpoint", Value: base + clientsPath},
		{Key: "jwks_uri", Value: base + oauthPath + "/keys"},
		{Key: "response_types_supported", Value: []string{"code"}},
		{Key: "response_modes_supported", Value: []string{"query", "fragment"}},
		{Key: "grant_types_supported", Value: []string{"authorization_code", "refresh_token", "client_credentials"}},
		{Key: "subject_types_supported", Value: []string{"public"}},
		{Key: "id_token_signing_alg_values_supported", Value: []string{"RS256"}},
		{Key: "scopes_supported", Value: []string{"openid", "email", "profile", "address", "phone", "offline_access"}},
		{Key: "token_endpoint_auth_methods_supported", Value: secrets},
		{Key: "claims_supported", Value: []string{
			"iss", "ver", "sub", "aud", "iat", "exp", "jti", "auth_time", "amr", "idp", "nonce", "name", "nickname", "preferred_username",
			"given_name", "middle_name", "family_name", "email", "email_verified", "profile", "zoneinfo", "locale", "address", "phone_number",
			"updated_at", "at_hash",
		}},
		{Key: "code_challenge_methods_supported", Value: []string{"S256"}},
		{Key: "introspection_endpoint", Value: base + oauthPath + "/introspect"},
		{Key: "introspection_endpoint_auth_methods_supported", Value: secrets},
		{Key: "revocation_endpoint", Value: base + oauthPath + "/revoke"},
		{Key: "revocation_endpoint_auth_methods_supported", Value: secrets},
		{Key: "end_session_endpoint", Value: base + oauthPath + "/logout"},
		{Key: "request_parameter_supported", Value: false},
		{Key: "request_uri_parameter_supported", Value: false},
		{Key: "authorization_response_iss_parameter_supported", Value: true},
		{Key: "token_endpoint_auth_signing_alg_values_supported", Value: algorithms},
		{Key: "dpop_signing_alg_values_supported", Value: algorithms},
	})
}

// keys is GET /oauth2/v1/keys.
func (a *API) keys(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.OAuth.Keys(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "max-age=3600, must-revalidate")
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "keys", Value: keys}})
}

// userInfo is GET /oauth2/v1/userinfo (OpenID Connect Core 5.3).
func (a *API) userInfo(w http.ResponseWriter, r *http.Request) error {
	scheme, token := web.Credential(r)
	account, scopes, err := a.OAuth.UserInfo(r.Context(), oauth.Call{
		Scheme: scheme, Token: token, Proofs: r.Header.Values("DPoP"), Method: r.Method, URL: a.base(r) + r.URL.EscapedPath(), Issuer: a.base(r),
	})
	var refusal *oauth.Error
	if errors.As(err, &refusal) { // the header says all there is to say
		w.Header().Set("WWW-Authenticate", a.challenge(r, scheme, "openid", refusal))
		w.WriteHeader(refusal.Status)
		return nil
	}
	if err != nil {
		return err
	}
	out := web.Object{{Key: "sub", Value: account.ID}}
	add := func(scope, claim string, value any) {
		if slices.Contains(scopes, scope) && value != "" {
			out = append(out, web.Field{Key: claim, Value: value})
		}
	}
	text := account.Text
	first, last := text("firstName"), text("lastName")
	add("profile", "name", joined(first, last))
	add("profile", "nickname", text("nickName"))
	add("profile", "preferred_username", account.Login())
	add("profile", "given_name", first)
	add("profile", "middle_name", text("middleName"))
	add("profile", "family_name", last)
	add("profile", "profile", text("profileUrl"))
	add("profile", "zoneinfo", text("timezone"))
	add("profile", "locale", text("locale"))
	add("profile", "updated_at", account.Updated.Unix())
	add("email", "email", account.Email())
	add("email", "email_verified", true)
	add("phone", "phone_number", text("primaryPhone"))
	if slices.Contains(scopes, "address") {
		out = append(out, web.Field{Key: "address", Value: web.Object{
			{Key: "street_address", Value: text("streetAddress")}, {Key: "locality", Value: text("city")},
			{Key: "region", Value: text("state")}, {Key: "postal_code", Value: text("zipCode")}, {Key: "country", Value: text("countryCode")},
		}})
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func joined(first, last string) string {
	if first == "" || last == "" {
		return first + last
	}
	return first + " " + last
}

// once checks that no parameter stands twice in a form or a query, which is a
// refusal with the given name (RFC 6749 3.1).
func once(values url.Values, refusal string) error {
	for name, all := range values {
		if len(all) > 1 {
			if refusal == "illegal_duplicated_parameters" {
				return oauth.Refuse(refusal, name)
			}
			return oauth.Refuse(refusal)
		}
	}
	return nil
}
