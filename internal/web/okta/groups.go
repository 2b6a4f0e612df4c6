package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) groupRoutes() {
	a.route(basePath+"/groups",
		method{"GET", readGroups, a.listGroups},
		method{"POST", manageGroups, a.createGroup})
	a.route(basePath+"/groups/{id}",
		method{"GET", readGroups, a.getGroup},
		method{"PUT", manageGroups, a.replaceGroup},
		method{"DELETE", manageGroups, a.deleteGroup})
	a.route(basePath+"/groups/{id}/users", method{"GET", readGroups, a.listMembers})
	a.route(basePath+"/groups/{id}/users/{user}",
		method{"PUT", manageGroups, a.addMember},
		method{"DELETE", manageGroups, a.removeMember})
	a.ownerRoutes()
}

// createGroup is POST /groups. It answers 200, not 201.
func (a *API) createGroup(w http.ResponseWriter, r *http.Request) error {
	profile, err := groupProfile(r)
	if err != nil {
		return err
	}
	g, err := a.Directory.CreateGroup(r.Context(), actor(r), a.Realm, profile)
	if err != nil {
		return err
	}
	return a.answerGroup(w, r, g)
}

// groupProfile reads the profile of a body. Only groups of type OKTA_GROUP can
// be written.
func groupProfile(r *http.Request) (map[string]any, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	typ, err := body.text("type")
	if err != nil {
		return nil, err
	}
	if typ != "" && typ != string(directory.OktaGroup) {
		return nil, problem("E0000060")
	}
	profile, err := body.object("profile")
	if err != nil {
		return nil, err
	}
	return compactProfile(profile), nil
}

func (a *API) getGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := a.Directory.Group(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerGroup(w, r, g)
}

// replaceGroup is PUT /groups/{id}: the whole profile, there is no partial update.
func (a *API) replaceGroup(w http.ResponseWriter, r *http.Request) error {
	profile, err := groupProfile(r)
	if err != nil {
		return err
	}
	g, err := a.Directory.ReplaceGroup(r.Context(), actor(r), a.Realm, r.PathValue("id"), profile)
	if err != nil {
		return err
	}
	return a.answerGroup(w, r, g)
}

func (a *API) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteGroup(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// addMember is PUT /groups/{id}/users/{userId}. A member already is 204 too.
func (a *API) addMember(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.AddMember(r.Context(), actor(r), a.Realm, r.PathValue("id"), userRef(r, "user")); err != nil {
		return a.asCalled(r, "user", err)
	}
	return noContent(w)
}

// removeMember is DELETE /groups/{id}/users/{userId}. Not a member is 204 too.
func (a *API) removeMember(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RemoveMember(r.Context(), actor(r), a.Realm, r.PathValue("id"), userRef(r, "user")); err != nil {
		return a.asCalled(r, "user", err)
	}
	return noContent(w)
}

func (a *API) answerGroup(w http.ResponseWriter, r *http.Request, g *directory.Group) error {
	return web.WriteJSON(w, http.StatusOK, group(a.base(r), g))
}
