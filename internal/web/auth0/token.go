package auth0

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// maxTokenBody bounds the body of a token request.
const maxTokenBody = 64 << 10

// token is POST /oauth/token: a client gets an access token for its secret.
// The body is JSON or a form; the client's id and secret may also come by
// Basic authentication.
func (a *API) token(w http.ResponseWriter, r *http.Request) error {
	field, err := tokenFields(r)
	if err != nil {
		return err
	}
	switch grant := field("grant_type"); grant {
	case "":
		return lacks("grant_type")
	case "client_credentials":
	case login.GrantCode, login.GrantRefresh:
		return a.exchange(w, r, grant, field)
	default:
		return &oauthError{status: http.StatusForbidden, Code: "unsupported_grant_type", Description: "Unsupported grant type: " + grant}
	}
	request := TokenRequest{
		ClientID: field("client_id"), ClientSecret: field("client_secret"),
		Audience: field("audience"), Scope: field("scope"), Issuer: a.issuer(r),
	}
	if id, secret, ok := r.BasicAuth(); ok {
		request.ClientID, request.ClientSecret = id, secret
	}
	switch {
	case request.ClientID == "":
		return lacks("client_id")
	case request.Audience == "":
		return lacks("audience")
	}
	t, err := a.Authorizer.Issue(r.Context(), request)
	switch {
	case fault.Is(err, fault.Unauthorized):
		return &oauthError{http.StatusUnauthorized, "access_denied", "Unauthorized", err}
	case fault.Is(err, fault.Forbidden):
		return &oauthError{http.StatusForbidden, "access_denied", fault.Public(err), err}
	case err != nil:
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "access_token", Value: t.Access},
		{Key: "scope", Value: t.Scope},
		{Key: "expires_in", Value: int64(t.Expires.Seconds())},
		{Key: "token_type", Value: "Bearer"},
	})
}

func lacks(parameter string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, Code: "invalid_request", Description: "Missing required parameter: " + parameter}
}

// tokenFields reads the body of a token request.
func tokenFields(r *http.Request) (func(string) string, error) {
	b, err := web.ReadBody(r, maxTokenBody)
	if err != nil {
		return nil, malformed(err)
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, malformed(err)
		}
		return form.Get, nil
	}
	v, err := value.Decode(b)
	if err != nil {
		return nil, malformed(err)
	}
	object, _ := v.(map[string]any)
	return func(name string) string {
		s, _ := object[name].(string)
		return s
	}, nil
}

func malformed(err error) error {
	return &oauthError{http.StatusBadRequest, "invalid_request", "Invalid request body", err}
}

// issuer is the tenant's address with a slash at its end.
func (a *API) issuer(r *http.Request) string {
	if a.BaseURL != "" {
		return a.BaseURL + "/"
	}
	return web.BaseURL(r) + "/"
}
