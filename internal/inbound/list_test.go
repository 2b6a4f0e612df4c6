package inbound_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/scim"
)

func TestPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	for i := range 7 {
		c.mustCreate("User", user(fmt.Sprintf("u%d", i), fmt.Sprint(i), fmt.Sprintf(`"title":"t%d"`, 9-i)))
	}
	tests := []struct {
		filter, sort string
		down         bool
		start, count int
		want         string
		total        int
	}{
		{"", "", false, 1, 3, "u0 u1 u2", 7},
		{"", "", false, 4, 3, "u3 u4 u5", 7},
		{"", "", false, 7, 3, "u6", 7},
		{"", "", false, 8, 3, "", 7},
		{"", "", false, 1, 0, "", 7},
		{`userName sw "u"`, "", false, 2, 2, "u1 u2", 7},
		{`userName sw "u"`, "", false, 1, 0, "", 7},
		{`title gt "t5"`, "", false, 1, 100, "u0 u1 u2 u3", 4},
		{"", "title", false, 1, 2, "u6 u5", 7},
		{"", "title", true, 2, 2, "u1 u2", 7},
		{`title le "t5"`, "userName", true, 1, 2, "u6 u5", 3},
	}
	for _, test := range tests {
		q := c.query("User", test.filter)
		q.SortBy, q.Descending, q.StartIndex, q.Count = test.sort, test.down, test.start, test.count
		page, err := c.List(b.ctx, c.typ("User"), q)
		b.must(err)
		if got := names(page.Resources); got != test.want || page.Total != test.total || page.StartIndex != test.start {
			t.Errorf("%+v: %q of %d from %d", test, got, page.Total, page.StartIndex)
		}
	}
	for _, text := range []string{"", `title pr`} {
		var got []string
		cursor := ""
		for {
			q := c.query("User", text)
			q.Count, q.Cursor = 3, &cursor
			page, err := c.List(b.ctx, c.typ("User"), q)
			b.must(err)
			got = append(got, names(page.Resources))
			if page.Total != 7 || page.StartIndex != 0 {
				t.Errorf("total %d from %d by cursor", page.Total, page.StartIndex)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if strings.Join(got, "|") != "u0 u1 u2|u3 u4 u5|u6" {
			t.Errorf("filter %q by cursor: %q", text, got)
		}
	}
}

// TestPagesShowGroups makes sure that every user of a list is as a look-up by id
// shows them, with the groups of the connection and no other's.
func TestPagesShowGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.open()
	ids := c.people(6)
	c.mustCreate("Group", group("Crew", ids[:4]...))
	c.mustCreate("Group", group("Night", ids[3:5]...))
	b.must(b.dir.Store.Update(b.ctx, func(tx directory.Tx) error {
		other := &directory.Group{ID: "00g_other", Realm: directory.Auth0Realm, Type: directory.OktaGroup, Profile: map[string]any{"name": "Other"}, Version: 1}
		if err := tx.InsertGroup(other); err != nil {
			return err
		}
		_, err := tx.AddMember(directory.Auth0Realm, other.ID, ids[5], b.clock.Now())
		return err
	}))
	want := []int{1, 1, 1, 2, 1, 0}
	for _, test := range []struct{ filter, sort string }{{}, {filter: "userName pr"}, {sort: "userName"}, {filter: "groups pr or userName pr"}} {
		q := c.query("User", test.filter)
		q.SortBy = test.sort
		page, err := c.List(b.ctx, c.typ("User"), q)
		b.must(err)
		if len(page.Resources) != len(ids) {
			t.Fatalf("%+v: %d users, want %d", test, len(page.Resources), len(ids))
		}
		for _, r := range page.Resources {
			if diff := cmp.Diff(c.get("User", id(r)), r); diff != "" {
				t.Errorf("%+v: (-by id +listed):\n%s", test, diff)
			}
			groups, _ := r["groups"].([]any)
			if n := want[slices.Index(ids, id(r))]; len(groups) != n {
				t.Errorf("%+v: %s is in %d groups, want %d", test, id(r), len(groups), n)
			}
		}
	}
}

// TestPlans makes random directories and filters, and wants the same answer from
// the plan, whatever index it uses, and from matching every resource.
func TestPlans(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testPlans(t, rand.New(rand.NewPCG(seed, 2)))
		})
	}
}

// words of all sorts of letters: such as differ in case only, or by what the
// store's keys leave out.
var texts = []string{"ada", "ADA", "Ada", "José", "jose", "JOSÉ", "σας", "ΣΑΣ", "ß", "straße", "K", "k", "a b", "x@y.co", "X@Y.CO", `q"q`, "<&>", "ﬁ", "İ", "1"}

func testPlans(t *testing.T, r *rand.Rand) {
	b := newBench(t)
	c := b.open()
	pick := func() string { return texts[r.IntN(len(texts))] }
	quoted := func() string { return strings.ReplaceAll(pick(), `"`, `\"`) }
	for range 60 {
		more := []string{`"displayName":"` + quoted() + `"`, `"emails":[{"value":"` + quoted() + `","primary":true},{"value":"` + quoted() + `","type":"work"}]`}
		if r.IntN(2) == 0 {
			more = append(more, `"active":`+fmt.Sprint(r.IntN(2) == 0))
		}
		external := ""
		if r.IntN(4) > 0 {
			external = quoted()
		}
		made, _, err := c.create("User", user(quoted(), external, more...))
		if err != nil || r.IntN(3) > 0 {
			continue // names collide, as they should
		}
		blocked := r.IntN(2) == 0
		_, err = b.dir.EditAccount(b.ctx, operator, directory.Auth0Realm, id(made), directory.Edit{
			Blocked: &blocked, Profile: map[string]any{"email": pick(), "displayName": nil}, AppMetadata: map[string]any{"city": pick()},
		})
		b.must(err)
	}
	for range 20 {
		_, _, _ = c.create("Group", group(quoted()))
	}
	whole := map[string][]scim.Resource{}
	for _, typ := range []string{"User", "Group"} {
		q := c.query(typ, "")
		q.Count = 1000
		page, err := c.List(b.ctx, c.typ(typ), q)
		b.must(err)
		whole[typ] = page.Resources
	}
	attributes := map[string][]string{
		"User":  {"userName", "externalId", "id", "displayName", "emails.value", "emails", "addresses.locality", "addresses.type", "name.givenName"},
		"Group": {"displayName", "id", "externalId"},
	}
	found := 0
	for range 3000 {
		typ := []string{"User", "User", "Group"}[r.IntN(3)]
		text := randomFilter(r, attributes[typ], whole[typ], 2)
		q := c.query(typ, text)
		q.Count = 1000
		page, err := c.List(b.ctx, c.typ(typ), q)
		b.must(err)
		var want []scim.Resource
		for _, one := range whole[typ] {
			if q.Filter.Match(one) {
				want = append(want, one)
			}
		}
		if !slices.EqualFunc(page.Resources, want, func(a, b scim.Resource) bool { return id(a) == id(b) }) || page.Total != len(want) {
			t.Fatalf("%s %s:\nplan  %q\nmatch %q", typ, text, names(page.Resources), names(want))
		}
		found += len(want)
	}
	if found == 0 {
		t.Error("no filter found anything")
	}
}

func randomFilter(r *rand.Rand, attributes []string, known []scim.Resource, depth int) string {
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return "(" + randomFilter(r, attributes, known, depth-1) + ") or (" + randomFilter(r, attributes, known, depth-1) + ")"
		case 1, 2:
			return "(" + randomFilter(r, attributes, known, depth-1) + ") and (" + randomFilter(r, attributes, known, depth-1) + ")"
		case 3:
			return "not (" + randomFilter(r, attributes, known, depth-1) + ")"
		}
	}
	if r.IntN(8) == 0 && attributes[0] == "userName" {
		return fmt.Sprintf("active eq %t", r.IntN(2) == 0)
	}
	op := []string{"eq", "eq", "eq", "eq", "ne", "sw", "co", "gt"}[r.IntN(8)]
	attribute := attributes[r.IntN(len(attributes))]
	text := texts[r.IntN(len(texts))]
	switch {
	case attribute == "id" && len(known) > 0:
		text = id(known[r.IntN(len(known))])
	case attribute == "addresses.type":
		text = "work"
	}
	return attribute + " " + op + ` "` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}
