package okta

import (
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// How times of owners are written: other than everywhere else, and differently
// by operation (recorded).
const (
	ownerTime     = "Mon Jan 02 15:04:05 UTC 2006"
	ownerListTime = "2006-01-02 15:04:05.0"
)

const ownersPage = 1000

func (a *API) ownerRoutes() {
	a.route(basePath+"/groups/{id}/owners",
		method{"GET", readGroups, a.listOwners},
		method{"POST", manageGroups, a.assignOwner})
	a.route(basePath+"/groups/{id}/owners/{owner}", method{"DELETE", manageGroups, a.removeOwner})
}

var ownerSearch = grammar{attributes: []string{"type"}, operators: []filter.Op{filter.Equal}, folded: true}

// listOwners is GET /groups/{id}/owners: the newest first, without Link headers
// while one page is enough.
func (a *API) listOwners(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, ownersPage, ownersPage)
	if err != nil {
		return err
	}
	match := func(*directory.GroupOwner) bool { return true }
	if text := r.URL.Query().Get("search"); text != "" {
		e, err := ownerSearch.parse(text)
		if err != nil {
			return err
		}
		match = func(o *directory.GroupOwner) bool {
			get := func(string) []any { return []any{string(o.OwnerType)} }
			return filter.Match(e, filter.Subject{Get: get, Fold: ownerSearch.fold()})
		}
	}
	owners, err := a.Directory.Owners(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	owners = slices.DeleteFunc(owners, func(o *directory.GroupOwner) bool { return !match(o) })
	if p.after != "" {
		at := slices.IndexFunc(owners, func(o *directory.GroupOwner) bool { return o.Owner == p.after })
		if at < 0 {
			return problem("E0000029", "Invalid cursor.")
		}
		owners = owners[at+1:]
	}
	owners, last := cut(owners, p.limit, func(o *directory.GroupOwner) string { return o.Owner })
	if last != "" {
		p.links(w, last)
	}
	out := make([]web.Object, len(owners))
	for i, o := range owners {
		out[i] = owner(o, ownerListTime)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// assignOwner is POST /groups/{id}/owners. It answers 201.
func (a *API) assignOwner(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	id, err := body.text("id")
	if err != nil {
		return err
	}
	typ, err := body.text("type")
	if err != nil {
		return err
	}
	who := directory.Assignee{ID: id, Type: directory.AssigneeType(typ)}
	if who.Type != directory.UserAssignee && who.Type != directory.GroupAssignee {
		return invalid("type", "type: must be USER or GROUP")
	}
	assigned, err := a.Directory.AssignOwner(r.Context(), actor(r), a.Realm, r.PathValue("id"), who)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, owner(assigned, ownerTime))
}

func (a *API) removeOwner(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RemoveOwner(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("owner")); err != nil {
		return err
	}
	return noContent(w)
}

// owner is the wire form of an owner, in the recorded order of keys.
func owner(o *directory.GroupOwner, layout string) web.Object {
	return web.Object{
		{Key: "id", Value: o.Owner},
		{Key: "type", Value: o.OwnerType},
		{Key: "resolved", Value: true},
		{Key: "originId", Value: nil},
		{Key: "originType", Value: "OKTA_DIRECTORY"},
		{Key: "displayName", Value: o.Name},
		{Key: "lastUpdated", Value: o.Updated.UTC().Truncate(time.Second).Format(layout)},
	}
}
