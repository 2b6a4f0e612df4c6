package okta

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/web"
)

// sourceMembersPage is the default and the greatest number of members in a page.
const sourceMembersPage = 1000

func (a *API) sourceUserRoutes(source string) {
	a.route(source+"/users", method{"POST", manageSources, a.createSourceUser})
	a.route(source+"/users/{externalId}",
		method{"GET", readSources, a.getSourceUser},
		method{"PUT", manageSources, a.changeSourceUser(Sources.PutUser)},
		method{"PATCH", manageSources, a.changeSourceUser(Sources.PatchUser)},
		method{"DELETE", manageSources, a.deleteSourceUser})
}

func (a *API) sourceGroupRoutes(source string) {
	a.route(source+"/groups", method{"POST", manageSources, a.createSourceGroup})
	a.route(source+"/groups/{group}",
		method{"GET", readSources, a.getSourceGroup},
		method{"POST", manageSources, a.updateSourceGroup},
		method{"DELETE", manageSources, a.deleteSourceGroup})
	a.route(source+"/groups/{group}/membership",
		method{"GET", readSources, a.listSourceMembers},
		method{"POST", manageSources, a.addSourceMember})
	a.route(source+"/groups/{group}/membership/{member}", method{"DELETE", manageSources, a.removeSourceMember})
}

// createSourceUser is POST /identity-sources/{id}/users. The description has no
// body for its 200.
func (a *API) createSourceUser(w http.ResponseWriter, r *http.Request) error {
	s, body, shape, err := a.sourceBody(r)
	if err != nil {
		return err
	}
	rec, err := body.sourceUser(shape)
	if err != nil {
		return err
	}
	if err := needed(rec.Profile); err != nil {
		return err
	}
	if _, err := a.Sources.CreateUser(r.Context(), actor(r), s.ID, rec); err != nil {
		return cannotImport(err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// sourceBody reads what a request about one person needs.
func (a *API) sourceBody(r *http.Request) (*importer.Source, object, *sourceShape, error) {
	s, err := a.source(r)
	if err != nil {
		return nil, nil, nil, err
	}
	body, err := readObject(r)
	if err != nil {
		return nil, nil, nil, err
	}
	shape, err := a.sourceShape(r, s)
	return s, body, shape, err
}

// needed refuses a profile without what a single person must have (Okta OpenAPI
// 2026.06.3, IdentitySourceUserProfileForUpsertRequired).
func needed(profile map[string]any) error {
	var v directory.Violations
	for _, name := range []string{"userName", "email"} {
		if profile[name] == nil || profile[name] == "" {
			v = append(v, directory.Violation{Field: name, Rule: directory.Blank})
		}
	}
	if len(v) > 0 {
		return validation(v)
	}
	return nil
}

// cannotImport words why somebody cannot be imported, who is well-formed: because
// of the people who are there, or of where those of the source go.
func cannotImport(err error) error {
	var v directory.Violations
	if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Refused) || errors.As(err, &v) || sourceRefusal(err) != nil {
		return err
	}
	return invalid("profile", fault.Public(err)).because(err)
}

func (a *API) getSourceUser(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	u, err := a.Sources.User(r.Context(), s.ID, r.PathValue("externalId"))
	if err != nil {
		return err
	}
	return a.writeSourceUser(w, r, s, u)
}

// changeSourceUser is PUT and PATCH of a person. The body may repeat the external
// id, which never changes.
func (a *API) changeSourceUser(change func(Sources, context.Context, directory.Actor, string, importer.Record) (*importer.User, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, body, shape, err := a.sourceBody(r)
		if err != nil {
			return err
		}
		rec := importer.Record{ExternalID: r.PathValue("externalId")}
		if err := body.sameID(rec.ExternalID); err != nil {
			return err
		}
		if rec.Profile, err = body.sourceProfile(shape); err != nil {
			return err
		}
		if err := needed(rec.Profile); err != nil {
			return err
		}
		u, err := change(a.Sources, r.Context(), actor(r), s.ID, rec)
		if err != nil {
			return cannotImport(err)
		}
		return a.writeSourceUser(w, r, s, u)
	}
}

// sameID refuses a body with another external id than the path.
func (o object) sameID(id string) error {
	given, err := o.text("externalId")
	if err == nil && given != "" && given != id {
		return validation(directory.Violations{{Field: "externalId", Rule: directory.Immutable}})
	}
	return err
}

func (a *API) deleteSourceUser(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	if err := a.Sources.DeleteUser(r.Context(), actor(r), s.ID, r.PathValue("externalId")); err != nil {
		return cannotImport(err)
	}
	return noContent(w)
}

// writeSourceUser answers a person as recorded: all attributes of the source's
// profile in its order, those that are not set as null.
func (a *API) writeSourceUser(w http.ResponseWriter, r *http.Request, s *importer.Source, u *importer.User) error {
	shape, err := a.sourceShape(r, s)
	if err != nil {
		return err
	}
	profile := web.Object{}
	for _, attribute := range shape.Attributes() {
		profile = append(profile, web.Field{Key: attribute.Name, Value: u.Profile[attribute.Name]})
	}
	for _, name := range shape.more {
		profile = append(profile, web.Field{Key: name, Value: u.Profile[name]})
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "id", Value: u.ID},
		{Key: "externalId", Value: u.ExternalID},
		{Key: "created", Value: date(u.Created)},
		{Key: "lastUpdated", Value: date(u.Updated)},
		{Key: "profile", Value: profile},
	})
}

func (a *API) createSourceGroup(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	rec, err := body.sourceGroup()
	if err != nil {
		return err
	}
	g, err := a.Sources.CreateGroup(r.Context(), actor(r), s.ID, rec)
	if err != nil {
		return cannotImport(err)
	}
	return web.WriteJSON(w, http.StatusOK, sourceGroup(g))
}

func (a *API) getSourceGroup(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	g, err := a.Sources.Group(r.Context(), s.ID, r.PathValue("group"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, sourceGroup(g))
}

// updateSourceGroup is POST /identity-sources/{id}/groups/{group}.
func (a *API) updateSourceGroup(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	g, err := a.Sources.Group(r.Context(), s.ID, r.PathValue("group"))
	if err != nil {
		return err
	}
	if err := body.sameID(g.ExternalID); err != nil {
		return err
	}
	profile, err := body.groupProfile()
	if err != nil {
		return err
	}
	if g, err = a.Sources.PutGroup(r.Context(), actor(r), s.ID, r.PathValue("group"), profile); err != nil {
		return cannotImport(err)
	}
	return web.WriteJSON(w, http.StatusOK, sourceGroup(g))
}

func (a *API) deleteSourceGroup(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	if err := a.Sources.DeleteGroup(r.Context(), actor(r), s.ID, r.PathValue("group")); err != nil {
		return cannotImport(err)
	}
	w.WriteHeader(a.SourceStatuses.DeleteGroup)
	return nil
}

// sourceGroup is the wire form of a group (recorded).
func sourceGroup(g *importer.Group) web.Object {
	return web.Object{
		{Key: "id", Value: g.ID},
		{Key: "externalId", Value: g.ExternalID},
		{Key: "profile", Value: web.Object{
			{Key: "displayName", Value: g.Profile["displayName"]},
			{Key: "description", Value: g.Profile["description"]},
		}},
	}
}

// listSourceMembers is GET /identity-sources/{id}/groups/{group}/membership. A
// list that one page holds has no links (recorded).
func (a *API) listSourceMembers(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	p, err := a.newPage(r, sourceMembersPage, sourceMembersPage)
	if err != nil {
		return err
	}
	after, err := memberCursor(p.after)
	if err != nil {
		return err
	}
	list, err := a.Sources.GroupMembers(r.Context(), s.ID, r.PathValue("group"), after, p.limit+1)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) })
	if last != "" || p.after != "" {
		p.links(w, last)
	}
	if list == nil {
		list = []string{}
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "memberExternalIds", Value: list}})
}

// memberCursor returns the external id that a cursor stands for. Ids are the
// source's own words, so a cursor is one in letters that any link can hold.
func memberCursor(after string) (string, error) {
	id, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil || !utf8.Valid(id) || len([]rune(string(id))) > maxUserExternalID {
		return "", problem("E0000029", "Invalid cursor.")
	}
	return string(id), nil
}

func (a *API) addSourceMember(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	member, err := body.id("memberExternalId", maxUserExternalID)
	if err != nil {
		return err
	}
	if err := a.Sources.AddGroupMembers(r.Context(), actor(r), s.ID, r.PathValue("group"), []string{member}); err != nil {
		return cannotImport(err)
	}
	return noContent(w)
}

func (a *API) removeSourceMember(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	if err := a.Sources.RemoveGroupMember(r.Context(), actor(r), s.ID, r.PathValue("group"), r.PathValue("member")); err != nil {
		return cannotImport(err)
	}
	return noContent(w)
}
