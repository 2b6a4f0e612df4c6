package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) sessionRoutes() {
	a.route(basePath+"/users/{id}/sessions", method{"DELETE", manageUsers, a.clearSessions})
	a.route(basePath+"/sessions", method{"POST", manageSessions, a.createSession})
	a.route(basePath+"/sessions/{id}",
		method{"GET", readSessions, a.getSession},
		method{"DELETE", manageSessions, a.endSession})
	a.route(basePath+"/sessions/{id}/lifecycle/refresh", method{"POST", manageSessions, a.refreshSession})
}

const (
	readSessions   = "okta.sessions.read"
	manageSessions = "okta.sessions.manage"
)

// clearSessions is DELETE /users/{id}/sessions. With oauthTokens, what
// applications hold in the user's name ends too; forgetDevices has nothing to
// forget here.
func (a *API) clearSessions(w http.ResponseWriter, r *http.Request) error {
	var others []directory.Noun
	for _, name := range []string{"oauthTokens", "forgetDevices"} {
		on, err := web.Bool(r.URL.Query(), name, false)
		if err != nil {
			return invalid(name, name+": must be true or false").because(err)
		}
		if on && name == "oauthTokens" {
			others = a.TokenNouns
		}
	}
	if err := a.Directory.ClearSessions(r.Context(), actor(r), a.Realm, userRef(r, "id"), others...); err != nil {
		return a.asCalled(r, "id", err)
	}
	return noContent(w)
}

// createSession is POST /sessions: a session token becomes a session.
func (a *API) createSession(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	token, err := body.text("sessionToken")
	if err != nil {
		return err
	}
	if token == "" {
		return invalid("sessionToken", "sessionToken: The field cannot be left blank")
	}
	s, err := a.Directory.StartSession(r.Context(), actor(r), a.Realm, token)
	if fault.Is(err, fault.Unauthorized) {
		return problem("E0000004").because(err)
	}
	if err != nil {
		return err
	}
	return a.answerSession(w, r, s)
}

func (a *API) getSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.Directory.Session(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerSession(w, r, s)
}

func (a *API) refreshSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.Directory.RefreshSession(r.Context(), actor(r), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerSession(w, r, s)
}

func (a *API) endSession(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.EndSession(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// answerSession writes a session (Okta OpenAPI 2026.06.3, Session).
func (a *API) answerSession(w http.ResponseWriter, r *http.Request, s *directory.Session) error {
	base := a.base(r)
	self := base + "/api/v1/sessions/" + s.ID
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "id", Value: s.ID},
		{Key: "userId", Value: s.Account},
		{Key: "login", Value: s.Login},
		{Key: "createdAt", Value: date(s.Created)},
		{Key: "expiresAt", Value: date(s.Expires)},
		{Key: "status", Value: "ACTIVE"},
		{Key: "lastPasswordVerification", Value: date(s.PasswordChecked)},
		{Key: "lastFactorVerification", Value: nil},
		{Key: "amr", Value: []string{"pwd"}},
		{Key: "idp", Value: web.Object{{Key: "id", Value: orgID(a.Realm)}, {Key: "type", Value: "OKTA"}}},
		{Key: "mfaActive", Value: false},
		{Key: "_links", Value: web.Object{
			allowing("self", self, "GET", "DELETE"),
			allowing("refresh", self+"/lifecycle/refresh", "POST"),
			{Key: "user", Value: web.Object{
				{Key: "name", Value: s.Login}, {Key: "href", Value: base + "/api/v1/users/" + s.Account},
				{Key: "hints", Value: web.Object{{Key: "allow", Value: []string{"GET"}}}},
			}},
		}},
	})
}

// allowing is a link that says which methods it takes.
func allowing(rel, href string, methods ...string) web.Field {
	return web.Field{Key: rel, Value: web.Object{
		{Key: "href", Value: href},
		{Key: "hints", Value: web.Object{{Key: "allow", Value: methods}}},
	}}
}
