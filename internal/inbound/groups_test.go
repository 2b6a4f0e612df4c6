package inbound_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// people adds users u1 ... un and returns their ids.
func (c *client) people(n int) []string {
	c.b.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(c.mustCreate("User", user(fmt.Sprintf("u%d", i+1), fmt.Sprint(i+1))))
	}
	return ids
}

func TestGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	ids := c.people(3)
	made := c.mustCreate("Group", group("Staff", ids[0], ids[1], ids[0]))
	if !strings.HasPrefix(id(made), "grp_") || len(id(made)) != 22 || members(made) != ids[0]+" "+ids[1] {
		t.Fatalf("created %v", made)
	}
	if _, _, err := c.create("Group", group("staff")); status(err) != 409 {
		t.Errorf("a taken name: %v", err)
	}
	if _, _, err := c.create("Group", `{"schemas":["`+scim.GroupSchema+`"],"displayName":"g","members":[{"value":"`+id(made)+`","type":"Group"}]}`); status(err) != 400 {
		t.Errorf("a group in a group: %v", err)
	}
	first := c.get("Group", id(made))["meta"].(map[string]any)["version"]

	out, _, err := c.patch("Group", made, `[{"op":"remove","path":"members[value eq \"`+ids[0]+`\"]"},{"op":"add","path":"members","value":[{"value":"`+ids[2]+`","display":"u3"}]}]`)
	b.must(err)
	if out != nil {
		t.Errorf("a PATCH of members answers %v, want nothing", out)
	}
	now := c.get("Group", id(made))
	if got := displays(now); got != "- u3" {
		t.Errorf("displays = %q, want the one that was given", got)
	}
	if members(now) != ids[1]+" "+ids[2] || now["meta"].(map[string]any)["version"] == first {
		t.Errorf("after the PATCH: %v", now)
	}
	_, _, err = c.patch("Group", made, `[{"op":"replace","value":{"id":"`+id(made)+`","displayName":"Crew"}}]`)
	b.must(err)
	_, _, err = c.patch("Group", made, `[{"op":"replace","path":"members","value":[{"value":"`+ids[0]+`"}]}]`)
	b.must(err)
	if now := c.get("Group", id(made)); members(now) != ids[0] || now["displayName"] != "Crew" {
		t.Errorf("after rename and full push: %v", now)
	}
	put, _, err := c.replace("Group", made, group("Crew", ids...))
	b.must(err)
	if members(put) != strings.Join(ids, " ") {
		t.Errorf("after the PUT: %v", put)
	}
	if got := c.get("User", ids[1])["groups"]; !cmp.Equal(got, []any{map[string]any{"value": id(made), "display": "Crew", "type": "direct"}}) {
		t.Errorf("groups of a member = %v", got)
	}
	for text, want := range map[string]string{
		`displayName eq "CREW"`:                 "Crew",
		`displayName eq "Staff"`:                "",
		`members.value eq "` + ids[1] + `"`:     "Crew",
		`members[value eq "nobody"]`:            "",
		`id eq "` + id(made) + `"`:              "Crew",
		`displayName sw "c" and displayName pr`: "Crew",
	} {
		if got := c.find("Group", text); got != want {
			t.Errorf("%s finds %q, want %q", text, got, want)
		}
	}
	q := c.query("Group", `displayName eq "Crew"`)
	if q.Projection, err = scim.ParseProjection(nil, []string{"members"}); err != nil {
		t.Fatal(err)
	}
	page, err := c.List(b.ctx, c.typ("Group"), q)
	b.must(err)
	if page.Resources[0]["members"] != nil {
		t.Error("members were loaded although they are not wanted")
	}
	b.must(c.Delete(b.ctx, c.typ("User"), ids[0], ""))
	if now := c.get("Group", id(made)); members(now) != ids[1]+" "+ids[2] {
		t.Errorf("members after one was deleted: %v", now)
	}
	b.must(c.Delete(b.ctx, c.typ("Group"), id(made), ""))
	if _, err := c.Get(b.ctx, c.typ("Group"), id(made), scim.Projection{}); status(err) != 404 {
		t.Errorf("after DELETE: %v", err)
	}
}

// displays are the names of a group's members, - for none.
func displays(r scim.Resource) string {
	list, _ := r["members"].([]any)
	out := make([]string, len(list))
	for i, m := range list {
		name, _ := m.(map[string]any)["display"].(string)
		if out[i] = name; name == "" {
			out[i] = "-"
		}
	}
	return strings.Join(out, " ")
}

// TestMemberNames makes sure that the name a client gives a member is kept until
// it gives another one.
func TestMemberNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.policy(func(p *tenant.SCIMPolicy) { p.UnknownMembers = tenant.DeferUnknown })
	c := b.open()
	ids := c.people(2)
	named := func(names ...string) string {
		body := `{"schemas":["` + scim.GroupSchema + `"],"displayName":"Staff","members":[`
		for i, name := range names {
			body += strings.Repeat(",", min(i, 1)) + `{"value":"` + append(ids, "late")[i] + `","display":"` + name + `"}`
		}
		return body + "]}"
	}
	made := c.mustCreate("Group", named("Ann", "", "Cid"))
	if got := displays(made); got != "Ann -" {
		t.Errorf("created with %q", got)
	}
	if notes := c.mustCreate("User", user("late", "9")); displays(c.get("Group", id(made))) != "Ann - Cid" {
		t.Errorf("after %v appeared: %v", notes, c.get("Group", id(made)))
	}
	version := func() any { return c.get("Group", id(made))["meta"].(map[string]any)["version"] }
	for _, step := range []struct {
		do      string
		want    string
		changes bool
	}{
		{`[{"op":"add","path":"members","value":[{"value":"` + ids[1] + `","display":"Bob"}]}]`, "Ann Bob Cid", true},
		{`[{"op":"add","path":"members","value":[{"value":"` + ids[1] + `","display":"Bob"}]}]`, "Ann Bob Cid", false},
		{`[{"op":"add","path":"members","value":[{"value":"` + ids[1] + `"}]}]`, "Ann Bob Cid", false},
		{`[{"op":"replace","path":"members[value eq \"` + ids[0] + `\"].display","value":"Anna"}]`, "Anna Bob Cid", true},
		{`[{"op":"remove","path":"members[value eq \"` + ids[0] + `\"].display"}]`, "- Bob Cid", true},
	} {
		before := version()
		if _, _, err := c.patch("Group", made, step.do); err != nil {
			t.Fatalf("%s: %v", step.do, err)
		}
		if got := displays(c.get("Group", id(made))); got != step.want || (version() != before) != step.changes {
			t.Errorf("%s: %q, version %v after %v", step.do, got, version(), before)
		}
	}
	put, _, err := c.replace("Group", made, named("Zoe", ""))
	b.must(err)
	if displays(put) != "Zoe -" {
		t.Errorf("after the PUT: %v", put)
	}
	if got := c.find("Group", `members.display eq "zoe"`); got != "Staff" {
		t.Errorf("a filter on the name finds %q", got)
	}
}

// TestPatchByWholeGroup sends what Members cannot work out alone.
func TestPatchByWholeGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	ids := c.people(2)
	made := c.mustCreate("Group", group("Staff", ids...))
	out, _, err := c.patch("Group", made, `[{"op":"remove","path":"members[not (value eq \"`+ids[0]+`\")]"}]`)
	b.must(err)
	if out == nil || members(out) != ids[0] {
		t.Errorf("after the PATCH: %v", out)
	}
}

func TestUnknownMembers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		policy tenant.UnknownMembers
		status int
		after  string // names of members once everybody is there
	}{
		{tenant.RefuseUnknown, 400, ""},
		{tenant.DropUnknown, 0, "here"},
		{tenant.DeferUnknown, 0, "here late named"},
	}
	for _, test := range tests {
		t.Run(string(test.policy), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.policy(func(p *tenant.SCIMPolicy) { p.UnknownMembers = test.policy })
			c := b.open()
			here := id(c.mustCreate("User", user("here", "h")))
			made := c.mustCreate("Group", group("Staff"))
			add := `[{"op":"add","path":"members","value":[{"value":"` + here + `"},{"value":"okta|acme|l"},{"value":"n"},{"value":"okta|acme|gone"}]}]`
			_, notes, err := c.patch("Group", made, add)
			if status(err) != test.status || !strings.Contains(notes, "policy unknown members: "+string(test.policy)) {
				t.Fatalf("status %d (%v), notes %q", status(err), err, notes)
			}
			if err == nil {
				_, _, err = c.patch("Group", made, `[{"op":"remove","path":"members[value eq \"okta|acme|gone\"]"}]`)
				b.must(err)
			}
			for _, body := range []string{user("late", "l"), user("named", "n"), user("gone", "gone")} {
				c.mustCreate("User", body)
			}
			var got []string
			if list, ok := c.get("Group", id(made))["members"].([]any); ok {
				for _, m := range list {
					got = append(got, c.get("User", m.(map[string]any)["value"].(string))["userName"].(string))
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != test.after {
				t.Errorf("members = %v, want %q", got, test.after)
			}
		})
	}
}

// TestDeferredEndWithTheirGroup makes sure that nobody joins a group that is gone.
func TestDeferredEndWithTheirGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.policy(func(p *tenant.SCIMPolicy) { p.UnknownMembers = tenant.DeferUnknown })
	c := b.open()
	made := c.mustCreate("Group", group("Staff", "okta|acme|l"))
	b.must(c.Delete(b.ctx, c.typ("Group"), id(made), ""))
	err := b.dir.Store.View(b.ctx, func(r directory.Reader) error {
		for range r.Records(directory.RecordQuery{Realm: directory.Auth0Realm, Noun: directory.DeferredMemberNoun}) {
			t.Error("a deferred member outlived its group")
		}
		return nil
	})
	b.must(err)
	c.mustCreate("User", user("late", "l"))
}

func TestLimits(t *testing.T) {
	t.Parallel()
	limits := inbound.Auth0Limits()
	limits.Groups, limits.Members, limits.MembersInBody, limits.MembersInPatch = 2, 4, 3, 2
	b := newBench(t, limits)
	c := b.open()
	ids := c.people(5)
	if _, _, err := c.create("Group", group("big", ids[:4]...)); status(err) != 413 {
		t.Errorf("too many members in a POST: %v", err)
	}
	made := c.mustCreate("Group", group("one", ids[:3]...))
	if _, _, err := c.replace("Group", made, group("one", ids[:4]...)); status(err) != 413 {
		t.Errorf("too many members in a PUT: %v", err)
	}
	add := func(which ...string) error {
		var list []string
		for _, id := range which {
			list = append(list, `{"value":"`+id+`"}`)
		}
		_, _, err := c.patch("Group", made, `[{"op":"add","path":"members","value":[`+strings.Join(list, ",")+`]}]`)
		return err
	}
	if err := add(ids[0], ids[1], ids[2]); status(err) != 413 {
		t.Errorf("too many members in a PATCH: %v", err)
	}
	if err := add(ids[3], ids[4]); status(err) != 400 {
		t.Errorf("too many members of a group: %v", err)
	}
	if now := c.get("Group", id(made)); members(now) != strings.Join(ids[:3], " ") {
		t.Errorf("a refused PATCH left %v", now)
	}
	b.must(add(ids[3]))
	c.mustCreate("Group", group("two"))
	if _, _, err := c.create("Group", group("three")); status(err) != 400 {
		t.Errorf("too many groups: %v", err)
	}
}
