package okta

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes of the groups of an application, and of the applications of a group.
const (
	appGroupsPage    = 20
	maxAppGroupsPage = 200
)

func (a *API) appGroupRoutes() {
	a.route(appsPath+"/{id}/groups", method{"GET", readApps, a.listAppGroups})
	a.route(appsPath+"/{id}/groups/{group}",
		method{"GET", readApps, a.getAppGroup},
		method{"PUT", manageApps, a.assignGroup},
		method{"PATCH", manageApps, a.patchAppGroup},
		method{"DELETE", manageApps, a.unassignGroup})
	a.route(basePath+"/groups/{id}/apps", method{"GET", readGroups, a.listGroupApps})
}

// listAppGroups is GET /apps/{id}/groups, by priority.
func (a *API) listAppGroups(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, appGroupsPage, maxAppGroupsPage)
	if err != nil {
		return err
	}
	if err := p.cursor("00g", "E0000029"); err != nil {
		return err
	}
	list, err := a.Directory.AppGroups(r.Context(), a.Realm, r.PathValue("id"), r.URL.Query().Get("q"))
	if err != nil {
		return err
	}
	id := func(g directory.GroupAssignment) string { return g.Group }
	if p.after != "" {
		at := slices.IndexFunc(list, func(g directory.GroupAssignment) bool { return id(g) == p.after })
		list = list[at+1:] // a group that is gone: from the start
	}
	list, last := cut(list, p.limit, id)
	p.links(w, last)
	return writeList(w, r, list, a.expandedAppGroup)
}

// expandedAppGroup is the assignment of a group, with the group or the sources
// of its attributes when expand asks for them. All attributes were set by hand.
func (a *API) expandedAppGroup(r *http.Request, g directory.GroupAssignment) web.Object {
	base := a.base(r)
	o := appGroup(base, g.AssignedGroup)
	switch r.URL.Query().Get("expand") {
	case "group":
		return embedIn(o, "group", group(base, g.Of))
	case "metadata":
		attributes := web.Object{}
		for _, name := range slices.Sorted(maps.Keys(g.Profile)) {
			source := web.Object{{Key: "type", Value: "USER"}, {Key: "value", Value: []any{}}}
			attributes = append(attributes, web.Field{Key: name, Value: web.Object{{Key: "source", Value: source}, {Key: "lastUpdated"}}})
		}
		return embedIn(o, "metadata", web.Object{{Key: "credentials", Value: struct{}{}}, {Key: "profile", Value: attributes}})
	}
	return o
}

func (a *API) getAppGroup(w http.ResponseWriter, r *http.Request) error {
	g, err := a.Directory.AppGroup(r.Context(), a.Realm, r.PathValue("id"), r.PathValue("group"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.expandedAppGroup(r, g))
}

// assignGroup is PUT /apps/{id}/groups/{groupId}. The body may be left out.
func (a *API) assignGroup(w http.ResponseWriter, r *http.Request) error {
	body, err := readOptional(r)
	if err != nil {
		return err
	}
	var draft directory.AppGroupDraft
	if body["priority"] != nil {
		priority, err := priorityOf(body["priority"])
		if err != nil {
			return err
		}
		draft.Priority = &priority
	}
	profile, err := body.object("profile")
	if err != nil {
		return err
	}
	draft.Profile = profile
	g, err := a.Directory.AssignGroup(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("group"), draft)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appGroup(a.base(r), g))
}

// maxPriority is Okta's greatest priority (Okta OpenAPI: 0 to 100).
const maxPriority = 100

func priorityOf(v any) (int, error) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, problem("E0000003")
	}
	n, err := number.Int64()
	if err != nil || n < 0 || n > maxPriority {
		return 0, invalid("priority", "priority: The field has an invalid value")
	}
	return int(n), nil
}

// patchAppGroup is PATCH /apps/{id}/groups/{groupId}: a JSON Patch (RFC 6902)
// that adds, replaces and removes the priority and attributes of the profile.
func (a *API) patchAppGroup(w http.ResponseWriter, r *http.Request) error {
	v, err := readValue(r)
	if err != nil {
		return err
	}
	steps, ok := v.([]any)
	if !ok {
		return problem("E0000003")
	}
	g, err := a.Directory.EditAppGroup(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("group"), func(g *directory.AssignedGroup) error {
		for _, s := range steps {
			step, ok := s.(map[string]any)
			if !ok {
				return problem("E0000003")
			}
			if err := patchStep(g, step); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appGroup(a.base(r), g))
}

func patchStep(g *directory.AssignedGroup, step object) error {
	op, err := step.text("op")
	if err != nil {
		return err
	}
	path, err := step.text("path")
	if err != nil {
		return err
	}
	name, ofProfile := strings.CutPrefix(path, "/profile/")
	name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	switch {
	case op == "remove" && ofProfile:
		delete(g.Profile, name)
	case op != "add" && op != "replace":
		return invalid("op", "op: The field has an invalid value")
	case path == "/priority":
		g.Priority, err = priorityOf(step["value"])
	case ofProfile && step["value"] == nil:
		delete(g.Profile, name)
	case ofProfile:
		g.Profile[name] = step["value"]
	default:
		return invalid("path", "path: The field has an invalid value")
	}
	return err
}

func (a *API) unassignGroup(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.UnassignGroup(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("group")); err != nil {
		return err
	}
	return noContent(w)
}

// listGroupApps is GET /groups/{id}/apps.
func (a *API) listGroupApps(w http.ResponseWriter, r *http.Request) error {
	g, err := a.Directory.Group(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := a.newPage(r, appGroupsPage, maxAppGroupsPage)
	if err != nil {
		return err
	}
	if err := p.cursor("0oa", "E0000029"); err != nil {
		return err
	}
	list, err := a.Directory.AppsOfGroup(r.Context(), a.Realm, g.ID, p.after, p.limit+1)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(app *directory.App) string { return app.ID })
	out, err := a.expandedApps(r, list, "")
	if err != nil {
		return err
	}
	p.links(w, last)
	return web.WriteJSON(w, http.StatusOK, out)
}
