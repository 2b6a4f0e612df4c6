package okta

import (
	"net/http"
)

func (a *API) sessionRoutes() {
	a.route(basePath+"/users/{id}/sessions", method{"DELETE", manageUsers, a.clearSessions})
}

// clearSessions is DELETE /users/{id}/sessions. There are no sessions yet: the
// log keeps that they were ended.
func (a *API) clearSessions(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.Note(r.Context(), actor(r), a.Realm, userRef(r, "id"), "user.session.clear"); err != nil {
		return a.asCalled(r, "id", err)
	}
	return noContent(w)
}
