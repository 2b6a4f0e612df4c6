package okta

import (
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// group is the wire form of a group, in the recorded order of keys.
func group(base string, g *directory.Group) web.Object {
	self := base + "/api/v1/groups/" + g.ID
	profile := web.Object{
		{Key: "name", Value: g.Profile["name"]},
		{Key: "description", Value: g.Profile["description"]},
	}
	for _, name := range slices.Sorted(maps.Keys(g.Profile)) {
		if name != "name" && name != "description" {
			profile = append(profile, web.Field{Key: name, Value: g.Profile[name]})
		}
	}
	return web.Object{
		{Key: "id", Value: g.ID},
		{Key: "created", Value: date(g.Created)},
		{Key: "lastUpdated", Value: date(g.Updated)},
		{Key: "lastMembershipUpdated", Value: date(g.MembershipUpdated)},
		{Key: "objectClass", Value: []string{"okta:user_group"}},
		{Key: "type", Value: g.Type},
		{Key: "profile", Value: profile},
		{Key: "_links", Value: web.Object{
			{Key: "logo", Value: []web.Object{logo(base, "medium"), logo(base, "large")}},
			link("owners", self+"/owners", ""),
			link("users", self+"/users", ""),
			link("apps", self+"/apps", ""),
		}},
	}
}

func logo(base, size string) web.Object {
	return web.Object{
		{Key: "name", Value: size},
		{Key: "href", Value: base + "/assets/img/logos/groups/odyssey/okta-" + size + ".png"},
		{Key: "type", Value: "image/png"},
	}
}

// wireGroups is a list of groups. expand=stats adds counts to each; expand=app
// adds nothing, because no group says which application it comes from.
func (a *API) wireGroups(r *http.Request, list []*directory.Group) ([]web.Object, error) {
	base := a.base(r)
	out := make([]web.Object, len(list))
	for i, g := range list {
		out[i] = group(base, g)
	}
	if !expands(r, "stats") {
		return out, nil
	}
	stats, err := a.Directory.GroupStats(r.Context(), a.Realm, list)
	if err != nil {
		return nil, err
	}
	for i, s := range stats {
		out[i] = append(out[i], web.Field{Key: "_embedded", Value: web.Object{{Key: "stats", Value: web.Object{
			{Key: "usersCount", Value: s.Users},
			{Key: "appsCount", Value: s.Apps},
			{Key: "groupPushMappingsCount", Value: 0},
			{Key: "hasAdminPrivilege", Value: s.HasRoles},
			{Key: "_links", Value: web.Object{
				link("self", base+"/api/v1/groups/"+list[i].ID+"/stats", ""),
				link("users", base+"/api/v1/groups/"+list[i].ID+"/users", ""),
				link("apps", base+"/api/v1/groups/"+list[i].ID+"/apps", ""),
			}},
		}}}})
	}
	return out, nil
}
