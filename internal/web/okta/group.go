package okta

import (
	"maps"
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
