package okta

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
)

// maxForm bounds the body of a call of the authorization server, in bytes.
const maxForm = 64 << 10

// readForm returns the parameters of a call by a program: those of its body,
// and those of its URL. okta-sdk-golang v2 sends all of them in the URL, and
// Okta takes them; client secrets it refuses there.
func readForm(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, oauth.Refuse("invalid_request")
	}
	if query.Has("client_secret") {
		return nil, oauth.Refuse("client_credentials_in_query")
	}
	form, err := readBody(r)
	if err != nil {
		return nil, err
	}
	for name, values := range query {
		form[name] = append(form[name], values...)
	}
	return form, once(form, "duplicate_oauth_params")
}

// readBody reads a form in a body; none is an empty one.
func readBody(r *http.Request) (url.Values, error) {
	b, err := web.ReadBody(r, maxForm)
	if err != nil || len(b) == 0 {
		return url.Values{}, err
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/x-www-form-urlencoded" {
		return nil, oauth.Refuse("invalid_request")
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, oauth.Refuse("invalid_request")
	}
	return form, nil
}

// credentials reads how a client proves who it is.
func (a *API) credentials(r *http.Request, form url.Values) oauth.Credentials {
	c := oauth.Credentials{
		ID: form.Get("client_id"), Secret: form.Get("client_secret"),
		AssertionType: form.Get("client_assertion_type"), Assertion: form.Get("client_assertion"),
		Endpoint: a.base(r) + r.URL.EscapedPath(), Issuer: a.base(r),
	}
	if r.Header.Get("Authorization") == "" {
		return c
	}
	c.Basic = true
	id, secret, ok := r.BasicAuth()
	// RFC 6749 2.3.1: both are form-encoded before they are put together.
	var badID, badSecret error
	c.BasicID, badID = url.QueryUnescape(id)
	c.BasicSecret, badSecret = url.QueryUnescape(secret)
	c.BasicBad = !ok || badID != nil || badSecret != nil || id == ""
	return c
}

// token is POST /oauth2/v1/token.
func (a *API) token(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	proofs := r.Header.Values("DPoP")
	t, err := a.OAuth.Token(r.Context(), oauth.TokenRequest{
		Credentials: a.credentials(r, form), GrantType: form.Get("grant_type"), Scope: form.Get("scope"),
		Code: form.Get("code"), RedirectURI: form.Get("redirect_uri"), Verifier: form.Get("code_verifier"),
		RefreshToken: form.Get("refresh_token"), Proofs: proofs, From: client(r),
	})
	var refusal *oauth.Error
	if errors.As(err, &refusal) && refusal.Code == "use_dpop_nonce" || err == nil && t.Type == "DPoP" {
		nonce, failed := a.OAuth.Nonce(r.Context())
		if failed != nil {
			return failed
		}
		w.Header().Set("Dpop-Nonce", nonce)
	}
	if err != nil {
		return err
	}
	out := web.Object{
		{Key: "token_type", Value: t.Type},
		{Key: "expires_in", Value: int64(t.Expires.Seconds())},
		{Key: "access_token", Value: t.Access},
		{Key: "scope", Value: t.Scope},
	}
	if t.Refresh != "" {
		out = append(out, web.Field{Key: "refresh_token", Value: t.Refresh})
	}
	if t.ID != "" {
		out = append(out, web.Field{Key: "id_token", Value: t.ID})
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// introspect is POST /oauth2/v1/introspect.
func (a *API) introspect(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := a.OAuth.Introspect(r.Context(), a.credentials(r, form), form.Get("token"))
	if err != nil {
		return err
	}
	out := web.Object{{Key: "active", Value: t.Active}}
	if !t.Active {
		return web.WriteJSON(w, http.StatusOK, out)
	}
	for _, f := range []web.Field{
		{Key: "token_type", Value: t.Type}, {Key: "scope", Value: t.Scope}, {Key: "client_id", Value: t.Client},
		{Key: "username", Value: t.Username}, {Key: "exp", Value: t.Expires}, {Key: "iat", Value: t.Issued},
		{Key: "sub", Value: t.Subject}, {Key: "aud", Value: t.Audience}, {Key: "iss", Value: t.Issuer},
		{Key: "jti", Value: t.ID}, {Key: "uid", Value: t.Account},
	} {
		if f.Value != "" && f.Value != int64(0) {
			out = append(out, f)
		}
	}
	if t.Thumbprint != "" {
		out = append(out, web.Field{Key: "cnf", Value: web.Object{{Key: "jkt", Value: t.Thumbprint}}})
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// revoke is POST /oauth2/v1/revoke. It answers 200 without a body whatever the
// token was.
func (a *API) revoke(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if err := a.OAuth.Revoke(r.Context(), a.credentials(r, form), form.Get("token"), client(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// isSecure reports whether browsers reach the org over TLS.
func (a *API) isSecure(r *http.Request) bool { return strings.HasPrefix(a.base(r), "https://") }
