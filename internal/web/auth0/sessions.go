package auth0

import (
	"net/http"
	"regexp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) sessionRoutes() []route {
	return []route{
		op("GET", "/users/{id}/sessions", a.listSessions, "read:sessions"),
		op("DELETE", "/users/{id}/sessions", a.deleteSessions, "delete:sessions"),
		op("GET", "/users/{id}/refresh-tokens", a.listRefreshTokens, "read:refresh_tokens"),
		op("DELETE", "/users/{id}/refresh-tokens", a.deleteRefreshTokens, "delete:refresh_tokens"),
		op("POST", "/users/{id}/revoke-access", a.revokeAccess, "delete:sessions", "delete:refresh_tokens"),

		op("GET", "/users/{id}/connected-accounts", a.listConnectedAccounts, "read:users"),
		op("GET", "/users/{id}/federated-connections-tokensets", a.listTokenSets, "read:federated_connections_tokens"),
		op("DELETE", "/users/{id}/federated-connections-tokensets/{tokenset}", a.deleteTokenSet, "delete:federated_connections_tokens"),
		op("POST", "/users/{id}/risk-assessments/clear", a.clearAssessors, "update:users"),
	}
}

// What a user's sessions and refresh tokens are kept as.
var (
	sessionNouns = []directory.Noun{directory.SessionNoun, directory.BrowserNoun}
	tokenNouns   = []directory.Noun{directory.RefreshTokenNoun, directory.GrantNoun}
)

func (a *API) listSessions(w http.ResponseWriter, r *http.Request) error {
	user := r.PathValue("id")
	return a.listStays(w, r, "sessions", func(s tenant.Stay) web.Object {
		return web.Object{
			{Key: "id", Value: s.ID},
			{Key: "user_id", Value: user},
			{Key: "created_at", Value: date(s.Created)},
			{Key: "updated_at", Value: date(s.Created)},
			{Key: "authenticated_at", Value: date(s.Created)},
			{Key: "idle_expires_at", Value: date(s.Expires)},
			{Key: "expires_at", Value: date(s.Expires)},
			{Key: "clients", Value: []web.Object{}},
		}
	}, sessionNouns...)
}

// listRefreshTokens has the recorded order of keys.
func (a *API) listRefreshTokens(w http.ResponseWriter, r *http.Request) error {
	user := r.PathValue("id")
	return a.listStays(w, r, "tokens", func(s tenant.Stay) web.Object {
		o := web.Object{
			{Key: "id", Value: s.ID},
			{Key: "user_id", Value: user},
			{Key: "created_at", Value: date(s.Created)},
			{Key: "idle_expires_at", Value: nil},
			{Key: "expires_at", Value: nil},
			{Key: "client_id", Value: s.Client},
			{Key: "session_id", Value: nil},
			{Key: "rotating", Value: false},
			{Key: "resource_servers", Value: []web.Object{}},
		}
		if !s.Expires.IsZero() {
			o[4].Value = date(s.Expires)
		}
		return o
	}, directory.RefreshTokenNoun)
}

// listStays answers a list by checkpoint, which has a total when it is asked
// for (recorded).
func (a *API) listStays(w http.ResponseWriter, r *http.Request, key string, row func(tenant.Stay) web.Object, nouns ...directory.Noun) error {
	s := style{only: true}
	q := r.URL.Query()
	l, err := readListing(q, s)
	if err != nil {
		return err
	}
	totals, err := queryBool(q, "include_totals", false, aboutTotals)
	if err != nil {
		return err
	}
	p, err := a.tenant.Stays(r.Context(), r.PathValue("id"), l.window(), nouns...)
	if err != nil {
		return err
	}
	o := web.Object{{Key: key, Value: rowsOf(p, row)}}
	if p.More {
		last := p.Items[len(p.Items)-1]
		o = append(o, web.Field{Key: "next", Value: writeMark(tenant.Mark{At: last.Created, ID: last.ID})})
	}
	if totals {
		o = append(o, web.Field{Key: "total", Value: p.Total})
	}
	return web.WriteJSON(w, http.StatusOK, o)
}

func (a *API) deleteSessions(w http.ResponseWriter, r *http.Request) error {
	return a.endStays(w, r, "", "auth0.user.sessions.delete", sessionNouns...)
}

func (a *API) deleteRefreshTokens(w http.ResponseWriter, r *http.Request) error {
	return a.endStays(w, r, "", "auth0.user.refresh_tokens.delete", tokenNouns...)
}

// endStays answers 202 and an empty object (recorded).
func (a *API) endStays(w http.ResponseWriter, r *http.Request, id, kind string, nouns ...directory.Noun) error {
	if err := a.tenant.EndStays(r.Context(), actor(r), r.PathValue("id"), id, kind, nouns...); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, web.Object{})
}

var revokeProperties = map[string]property{
	"session_id":              {typ: "string", max: 50, about: "ID of the session to revoke."},
	"preserve_refresh_tokens": {typ: "boolean", about: "Whether to preserve the refresh tokens associated with the session."},
}

// revokeAccess is POST /users/{id}/revoke-access. A body is not needed. Refresh
// tokens do not know their session: with session_id they stay.
func (a *API) revokeAccess(w http.ResponseWriter, r *http.Request) error {
	p := payload{}
	if r.ContentLength != 0 {
		var err error
		if p, err = readPayload(r, revokeProperties); err != nil {
			return err
		}
	}
	nouns := sessionNouns
	if keep := p.flag("preserve_refresh_tokens"); p.text("session_id") == "" && (keep == nil || !*keep) {
		nouns = append(nouns[:len(nouns):len(nouns)], tokenNouns...)
	}
	return a.endStays(w, r, p.text("session_id"), "auth0.user.access.revoke", nouns...)
}

// there answers for a user that must exist.
func (a *API) there(w http.ResponseWriter, r *http.Request, answer func() error) error {
	if _, err := a.Directory.Account(r.Context(), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return answer()
}

// listConnectedAccounts is a list by checkpoint. Accounts are connected by users
// at their own API, which there is not.
func (a *API) listConnectedAccounts(w http.ResponseWriter, r *http.Request) error {
	s := style{only: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	return a.there(w, r, func() error { return l.write(w, s, "connected_accounts", nil, rest{}) })
}

// listTokenSets is always empty: no provider's tokens are kept.
func (a *API) listTokenSets(w http.ResponseWriter, r *http.Request) error {
	return a.there(w, r, func() error { return web.WriteJSON(w, http.StatusOK, []web.Object{}) })
}

func (a *API) deleteTokenSet(w http.ResponseWriter, r *http.Request) error {
	return a.there(w, r, func() error { return noContent(w) })
}

var clearProperties = map[string]property{
	"connection": {
		typ: "string", min: 1, max: 128, pattern: regexp.MustCompile(`^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$`),
		about: "The name of the connection containing the user whose assessors should be cleared.",
	},
	"assessors": {typ: "array", min: 1, about: "List of assessors to clear.", items: &property{typ: "string", enum: []string{"new-device"}}},
}

// clearAssessors is POST /users/{id}/risk-assessments/clear: no device is known.
func (a *API) clearAssessors(w http.ResponseWriter, r *http.Request) error {
	if _, err := readPayload(r, clearProperties, "connection", "assessors"); err != nil {
		return err
	}
	return a.there(w, r, func() error { return noContent(w) })
}
