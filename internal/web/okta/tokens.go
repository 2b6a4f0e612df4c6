package okta

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Tokens returns an Authorizer that knows a fixed set of tokens, each with the
// account it acts as, and lets each do everything. A token is accepted with
// the scheme SSWS or Bearer.
func Tokens(accounts map[string]string) Authorizer {
	// Looked up by digest, so the time a look-up takes says nothing about the
	// tokens.
	byDigest := make(map[[sha256.Size]byte]string, len(accounts))
	for token, account := range accounts {
		byDigest[sha256.Sum256([]byte(token))] = account
	}
	return func(_ context.Context, c Call) (Caller, error) {
		if !strings.EqualFold(c.Scheme, "SSWS") && !strings.EqualFold(c.Scheme, "Bearer") {
			return Caller{}, fault.New(fault.Unauthorized, "the scheme %q is not supported", c.Scheme)
		}
		account, ok := byDigest[sha256.Sum256([]byte(c.Token))]
		if !ok {
			return Caller{}, fault.New(fault.Unauthorized, "the token is unknown")
		}
		return Owner(account), nil
	}
}

// Owner is a caller that may do everything in the name of an account.
func Owner(account string) Caller {
	return Caller{
		Actor: directory.Actor{ID: account, Type: directory.UserActor},
		Roles: []string{"SUPER_ADMIN"}, Token: account,
	}
}

// The scopes of operations on API tokens.
const (
	readTokens   = "okta.apiTokens.read"
	manageTokens = "okta.apiTokens.manage"
)

const tokensPath = basePath + "/api-tokens"

func (a *API) tokenRoutes() {
	if a.OAuth == nil {
		return
	}
	a.route(tokensPath, method{"GET", readTokens, a.listTokens})
	a.route(tokensPath+"/current", method{"DELETE", "", a.revokeCurrentToken})
	a.route(tokensPath+"/{id}",
		method{"GET", readTokens, a.getToken},
		method{"DELETE", manageTokens, a.revokeToken})
}

func (a *API) listTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := a.OAuth.APITokens(r.Context())
	if err != nil {
		return err
	}
	out := make([]web.Object, len(all))
	for i, t := range all {
		out[i] = a.tokenObject(r, t)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) getToken(w http.ResponseWriter, r *http.Request) error {
	t, err := a.OAuth.APIToken(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.tokenObject(r, t))
}

func (a *API) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if err := a.OAuth.RevokeAPIToken(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// revokeCurrentToken is DELETE /api-tokens/current: only an API token can be
// meant, so an access token has nothing there.
func (a *API) revokeCurrentToken(w http.ResponseWriter, r *http.Request) error {
	if caller(r).Scopes != nil {
		return problem("E0000006")
	}
	if err := a.OAuth.RevokeAPIToken(r.Context(), actor(r), caller(r).Token); err != nil {
		return err
	}
	return noContent(w)
}

// tokenObject is the wire form of an API token (Okta OpenAPI 2026.06.3,
// ApiTokenMetadataResponse).
func (a *API) tokenObject(r *http.Request, t oauth.APIToken) web.Object {
	updated := t.Created
	if !t.Used.IsZero() {
		updated = t.Used
	}
	return web.Object{
		{Key: "name", Value: t.Name},
		{Key: "userId", Value: t.Account},
		{Key: "tokenWindow", Value: "P30D"},
		{Key: "network", Value: web.Object{{Key: "connection", Value: "ANYWHERE"}}},
		{Key: "id", Value: t.ID},
		{Key: "clientName", Value: "Okta API"},
		{Key: "expiresAt", Value: date(t.Expires)},
		{Key: "created", Value: date(t.Created)},
		{Key: "lastUpdated", Value: date(updated)},
		{Key: "_links", Value: web.Object{
			hintedLink("self", a.base(r)+tokensPath+"/"+t.ID, "GET", "DELETE"),
			hintedLink("user", a.base(r)+usersPath+"/"+t.Account, "GET"),
		}},
	}
}
