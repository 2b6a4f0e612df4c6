package okta

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes of pushed groups.
const (
	pushesPage    = 100
	maxPushesPage = 1000
)

// The statuses of pushed groups.
const (
	pushActive   = "ACTIVE"
	pushInactive = "INACTIVE"
)

// Pushed tells what is known of a pushed group in an application; provision.Store
// does. A group that was not pushed yet is zero but for its key.
type Pushed interface {
	GroupLink(ctx context.Context, realm, app, group string) (provision.GroupLink, error)
}

// alsoNeeds refuses a call whose token lacks a second scope.
func alsoNeeds(r *http.Request, scope string) error {
	if who := caller(r); who.Scopes != nil && !oauth.Includes(who.Scopes, scope) {
		return problem("E0000006")
	}
	return nil
}

// listPushes is GET /apps/{id}/group-push/mappings.
func (a *API) listPushes(w http.ResponseWriter, r *http.Request) error {
	if err := alsoNeeds(r, readGroups); err != nil {
		return err
	}
	p, err := a.newPage(r, pushesPage, maxPushesPage)
	if err != nil {
		return err
	}
	if err := p.cursor("gPm", "E0000029"); err != nil {
		return err
	}
	q := r.URL.Query()
	var since time.Time
	if text := q.Get("lastUpdated"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return invalid("lastUpdated", "lastUpdated: The field has an invalid value").because(err)
		}
	}
	all, err := a.provisioning.Pushes(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	group, status := q.Get("sourceGroupId"), q.Get("status")
	var list []*provision.GroupPush
	for _, push := range all {
		if push.ID > p.after && (group == "" || push.Group == group) && (status == "" || pushStatus(push) == status) && !push.Updated.Before(since) {
			list = append(list, push)
		}
	}
	for _, name := range []string{"lastUpdated", "sourceGroupId", "status"} {
		if v := q.Get(name); v != "" {
			p.keep = append(p.keep, [2]string{name, v})
		}
	}
	list, last := cut(list, p.limit, func(push *provision.GroupPush) string { return push.ID })
	p.links(w, last)
	out := make([]web.Object, len(list))
	for i, push := range list {
		if out[i], err = a.groupPush(r, push); err != nil {
			return err
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// createPush is POST /apps/{id}/group-push/mappings. The application's group has
// the name of ours: Okta finds it by that name too.
func (a *API) createPush(w http.ResponseWriter, r *http.Request) error {
	if err := alsoNeeds(r, manageGroups); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var group, name, id string
	for member, into := range map[string]*string{"sourceGroupId": &group, "targetGroupName": &name, "targetGroupId": &id} {
		if *into, err = body.text(member); err != nil {
			return err
		}
	}
	paused, err := body.paused()
	if err != nil {
		return err
	}
	switch {
	case group == "":
		return invalid("sourceGroupId", "sourceGroupId: The field cannot be left blank")
	case (name == "") == (id == ""):
		return invalid("groupPushMapping", "Either targetGroupId or targetGroupName must be provided, but not both.")
	case id != "":
		return invalid("targetGroupId", "targetGroupId: groups of the application are found by their name; give targetGroupName")
	}
	source, err := a.Directory.Group(r.Context(), a.Realm, group)
	if err != nil {
		return err
	}
	if name != source.Name() {
		return invalid("targetGroupName", "targetGroupName: the group is pushed under its own name, "+source.Name())
	}
	push, err := a.provisioning.AddPush(r.Context(), actor(r), r.PathValue("id"), group, paused)
	if fault.Is(err, fault.Conflict) {
		return invalid("sourceGroupId", "sourceGroupId: "+fault.Public(err)).because(err)
	}
	if err != nil {
		return err
	}
	return a.answerPush(w, r, http.StatusCreated, push)
}

// paused reads the status that is asked for; none is ACTIVE.
func (o object) paused() (bool, error) {
	status, err := o.text("status")
	if err != nil {
		return false, err
	}
	switch status {
	case "", pushActive:
		return false, nil
	case pushInactive:
		return true, nil
	}
	return false, invalid("status", "status: The field has an invalid value")
}

func (a *API) getPush(w http.ResponseWriter, r *http.Request) error {
	if err := alsoNeeds(r, readGroups); err != nil {
		return err
	}
	push, err := a.provisioning.Push(r.Context(), r.PathValue("id"), r.PathValue("push"))
	if err != nil {
		return err
	}
	return a.answerPush(w, r, http.StatusOK, push)
}

// setPush is PATCH /apps/{id}/group-push/mappings/{mappingId}.
func (a *API) setPush(w http.ResponseWriter, r *http.Request) error {
	if err := alsoNeeds(r, manageGroups); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	paused, err := body.paused()
	if err != nil {
		return err
	}
	if body["status"] == nil {
		return invalid("status", "status: The field cannot be left blank")
	}
	push, err := a.provisioning.PausePush(r.Context(), actor(r), r.PathValue("id"), r.PathValue("push"), paused)
	if err != nil {
		return err
	}
	return a.answerPush(w, r, http.StatusOK, push)
}

// deletePush is DELETE of the same path: of what is INACTIVE only.
func (a *API) deletePush(w http.ResponseWriter, r *http.Request) error {
	if err := alsoNeeds(r, manageGroups); err != nil {
		return err
	}
	remote, err := flagParam(r, "deleteTargetGroup", false)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	push, err := a.provisioning.Push(r.Context(), id, r.PathValue("push"))
	if err != nil {
		return err
	}
	if !push.Paused {
		return invalid("groupPushMapping", "The group push mapping must be in an INACTIVE state.")
	}
	if err := a.provisioning.RemovePush(r.Context(), actor(r), id, push.ID, remote); err != nil {
		return err
	}
	return noContent(w)
}

func pushStatus(p *provision.GroupPush) string {
	if p.Paused {
		return pushInactive
	}
	return pushActive
}

func (a *API) answerPush(w http.ResponseWriter, r *http.Request, status int, p *provision.GroupPush) error {
	out, err := a.groupPush(r, p)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, status, out)
}

// groupPush is the wire form of a pushed group (Okta OpenAPI 2026.06.3,
// GroupPushMapping). Its target is the id that the application gave the group;
// it is not there before the first push.
func (a *API) groupPush(r *http.Request, p *provision.GroupPush) (web.Object, error) {
	var there provision.GroupLink
	if a.Pushed != nil {
		var err error
		if there, err = a.Pushed.GroupLink(r.Context(), a.Realm, p.App, p.Group); err != nil {
			return nil, err
		}
	}
	base := a.base(r)
	out := web.Object{
		{Key: "id", Value: p.ID},
		{Key: "sourceGroupId", Value: p.Group},
		{Key: "status", Value: pushStatus(p)},
	}
	if there.RemoteID != "" {
		out = append(out, web.Field{Key: "targetGroupId", Value: there.RemoteID}, web.Field{Key: "lastPush", Value: date(there.Pushed)})
	}
	return append(out,
		web.Field{Key: "created", Value: date(p.Created)},
		web.Field{Key: "lastUpdated", Value: date(p.Updated)},
		web.Field{Key: "errorSummary", Value: ""},
		web.Field{Key: "_links", Value: web.Object{
			link("app", appURL(base, p.App), ""),
			link("sourceGroup", base+groupsPath+"/"+p.Group, ""),
		}}), nil
}
