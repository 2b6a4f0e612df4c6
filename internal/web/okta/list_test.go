package okta_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// next returns the path of an answer's next page, "" for the last.
func (a answer) next(t *testing.T) string {
	t.Helper()
	for _, link := range a.header.Values("Link") {
		address, rel, ok := strings.Cut(link, ">; rel=")
		if !ok || strings.Contains(rel, ",") {
			t.Fatalf("Link = %q, want one relation a header", link)
		}
		if rel == `"next"` {
			return strings.TrimPrefix(address, "<"+org)
		}
	}
	return ""
}

// pages follows the next links from a path and returns one member of each object.
func (b *bench) pages(path string, member ...string) (all []string, count int) {
	b.t.Helper()
	for path != "" {
		a := b.ok(200, "GET", path, "")
		all = append(all, a.list(b.t, member...)...)
		path = a.next(b.t)
		if count++; count > 100 {
			b.t.Fatal("the pages do not end")
		}
	}
	return all, count
}

func TestPaging(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	tests := []struct {
		path         string
		size         int
		total, pages int
	}{
		{"/api/v1/users?limit=4", 4, 10, 3}, // without the deprovisioned one
		{"/api/v1/users?limit=5", 5, 10, 2},
		{`/api/v1/users?limit=4&search=profile.login%20sw%20%22%22`, 4, 11, 3},
		{`/api/v1/users?limit=4&filter=status+eq+%22ACTIVE%22`, 4, 8, 2},
		{`/api/v1/users?limit=3&search=status+eq+%22ACTIVE%22&sortBy=profile.lastName&sortOrder=desc`, 3, 8, 3},
		{"/api/v1/groups?limit=3", 3, 7, 3},
		{"/api/v1/groups?limit=3&search=id+pr&sortBy=profile.name", 3, 7, 3},
		{"/api/v1/groups/" + everyone + "/users?limit=6", 6, 11, 2},
		{"/api/v1/users/" + "00u0elena0santos01d7" + "/groups?limit=2", 2, 3, 2},
	}
	for _, test := range tests {
		ids, pages := b.pages(test.path, "id")
		distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
		if len(ids) != test.total || len(distinct) != test.total || pages != test.pages {
			t.Errorf("%s: %d objects, %d distinct, in %d pages, want %d in %d", test.path, len(ids), len(distinct), pages, test.total, test.pages)
		}
	}
}

// TestPageLinks spells out the normalised addresses in the Link headers.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	users, groups := org+"/api/v1/users", org+"/api/v1/groups"
	tests := []struct {
		path string
		want []string
	}{
		{"/api/v1/users", []string{`<` + users + `?limit=200>; rel="self"`}},
		{"/api/v1/users?limit=1", []string{
			`<` + users + `?limit=1>; rel="self"`,
			`<` + users + `?after=200` + directory.Administrator + `&limit=1>; rel="next"`,
		}},
		{"/api/v1/users?after=000" + directory.Administrator + "&limit=1", []string{ // the cursors of 2020
			`<` + users + `?after=200` + directory.Administrator + `&limit=1>; rel="self"`,
			`<` + users + `?after=20000u0amara0okafor01d7&limit=1>; rel="next"`,
		}},
		{"/api/v1/users?search=profile.email%20eq%20%22a+b@c.d%22&limit=900&sortOrder=0", []string{
			`<` + users + `?limit=200&search=profile.email+eq+%22a+b%40c.d%22>; rel="self"`,
		}},
		{"/api/v1/users?search=status+eq+%22ACTIVE%22&limit=1", []string{
			`<` + users + `?limit=1&search=status+eq+%22ACTIVE%22>; rel="self"`,
			`<` + users + `?after=` + directory.Administrator + `&limit=1&search=status+eq+%22ACTIVE%22>; rel="next"`,
		}},
		{"/api/v1/users?q=a", []string{`<` + users + `?limit=10&q=a>; rel="self"`}},
		{"/api/v1/users?q=a&limit=1", []string{`<` + users + `?limit=1&q=a>; rel="self"`}},
		{"/api/v1/groups", []string{`<` + groups + `?limit=10000>; rel="self"`}},
		{"/api/v1/groups?q=E", nil},
		{"/api/v1/groups/" + everyone + "/users", []string{`<` + groups + `/` + everyone + `/users?limit=1000>; rel="self"`}},
		{"/api/v1/users/me/groups", []string{`<` + users + `/me/groups?limit=200>; rel="self"`}},
	}
	for _, test := range tests {
		got := b.ok(200, "GET", test.path, "").header.Values("Link")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: - want + got\n%s", test.path, diff)
		}
	}
}

func TestPageRace(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	first := b.ok(200, "GET", "/api/v1/users?limit=2", "")
	ids := first.list(t, "id")
	// The object of the cursor goes, and somebody comes: no page is lost.
	b.ok(204, "DELETE", "/api/v1/users/"+ids[1], "")
	b.ok(204, "DELETE", "/api/v1/users/"+ids[1], "")
	b.user(ann, "")
	rest, _ := b.pages(first.next(t), "id")
	if len(rest) != 9 {
		t.Errorf("%d users behind the cursor, want 9", len(rest))
	}
}

func TestUserSearch(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	b.user(`{"profile":{"firstName":"Zoë","lastName":"Kim","email":"shared@example.com","login":"zoe@example.org","employeeNumber":"0042"}}`, "")
	b.user(`{"profile":{"firstName":"Yan","lastName":"O\"Hara","email":"Shared@Example.com","login":"yan@example.org"}}`, "?activate=false")
	tests := []struct {
		parameter, text string
		want            string // first names
	}{
		{"search", `profile.login eq "ada.min@example.com"`, "Ada"},
		{"search", `profile.login eq "ADA.MIN@example.com"`, "Ada"},
		{"search", `profile.login eq "ada.min@example.co"`, ""},
		{"search", `profile.email eq "shared@example.com"`, "Zoë Yan"},
		{"search", `profile.email eq "shared@example.com" and status eq "STAGED"`, "Yan"},
		{"search", `profile.email eq "shared@example.com" or profile.firstName eq "Ada"`, "Ada Zoë Yan"},
		{"search", `profile.lastName eq "kim"`, "Grace Zoë"},
		{"search", `profile.lastName eq "o\"hara"`, "Yan"},
		{"search", `profile.firstName eq "zoe"`, ""}, // diacritics count
		{"search", `profile.lastName eq "Kim" and profile.firstName sw "z" or profile.firstName eq "Ada"`, "Ada Zoë"},
		{"search", `profile.lastName eq "Kim" and (profile.firstName sw "z" or profile.firstName eq "Ada")`, "Zoë"},
		{"search", `PROFILE.lastName eq "Kim"`, "error"},
		{"search", `profile.lastName EQ "Kim" AND profile.employeeNumber pr`, "Zoë"},
		{"search", `profile.lastName co "IM"`, "Grace Zoë"},
		{"search", `profile.employeeNumber ge "0042"`, "Zoë"},
		{"search", `profile.employeeNumber gt "0042"`, ""},
		{"search", `status eq "deprovisioned"`, "Jonas"},
		{"search", `created gt "2026-02-01T00:00:00.000Z"`, "Zoë Yan"},
		{"search", `created lt "2026-02-01T00:00:00.000Z" and profile.lastName eq "Kim"`, "Grace"},
		{"search", `activated pr and created gt "2026-02-01T00:00:00.000Z"`, "Zoë"},
		{"search", `id eq "` + directory.Administrator + `"`, "Ada"},
		{"search", `type.id eq "oty0default0000001d7" and profile.lastName eq "Min"`, "Ada"},
		{"filter", `profile.lastName eq "Kim"`, "Grace Zoë"},
		{"filter", `profile.lastName eq "kim"`, ""},
		{"filter", `status eq "DEPROVISIONED" or status eq "SUSPENDED"`, "Hugo Jonas"},
		{"filter", `lastUpdated gt "2026-02-01T00:00:00.000Z"`, "Zoë Yan"},
		{"q", `ki`, "Grace Zoë"},
		{"q", `SHARED`, "Zoë Yan"},
		{"q", `jonas`, ""}, // deprovisioned
		{"q", `in`, "Ingrid"},
		{"search", ``, "Ada Amara Bruno Chiara Dmitri Elena Farid Grace Hugo Ingrid Zoë Yan"},
	}
	for _, test := range tests {
		a := b.call("GET", "/api/v1/users?"+test.parameter+"="+url.QueryEscape(test.text), "")
		if test.want == "error" {
			if a.status != 400 {
				t.Errorf("%s=%s = %d, want 400", test.parameter, test.text, a.status)
			}
			continue
		}
		if a.status != 200 {
			t.Errorf("%s=%s = %d %s", test.parameter, test.text, a.status, a.body)
			continue
		}
		if got := strings.Join(a.list(t, "profile", "firstName"), " "); got != test.want {
			t.Errorf("%s=%s finds %q, want %q", test.parameter, test.text, got, test.want)
		}
	}
	// The condition of q narrows a search.
	a := b.ok(200, "GET", "/api/v1/users?q=gr&search="+url.QueryEscape(`profile.lastName eq "Kim"`), "")
	if got := strings.Join(a.list(t, "profile", "firstName"), " "); got != "Grace" {
		t.Errorf("search with q finds %q, want Grace", got)
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	tests := []struct{ query, want string }{
		{`sortBy=profile.lastName`, "Haddad Keller Kim"},
		{`sortBy=profile.lastName&sortOrder=desc`, "Weber Volkov Santos"},
		{`sortBy=profile.lastName&sortOrder=0`, "Haddad Keller Kim"},
		{`sortBy=status`, "Min Okafor Keller"}, // ids break ties
	}
	for _, test := range tests {
		a := b.ok(200, "GET", "/api/v1/users?limit=3&search=id+pr&"+test.query, "")
		if got := strings.Join(a.list(t, "profile", "lastName"), " "); got != test.want {
			t.Errorf("%s = %s, want %s", test.query, got, test.want)
		}
	}
	b.ok(400, "GET", "/api/v1/users?search=id+pr&sortBy=nonsense", "")
	b.ok(400, "GET", "/api/v1/groups?search=id+pr&sortBy=nonsense", "")
}

func TestGroupSearch(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for _, name := range []string{"Engineering Berlin", "engine"} {
		b.ok(200, "POST", "/api/v1/groups", fmt.Sprintf(`{"profile":{"name":%q}}`, name))
	}
	tests := []struct{ parameter, text, want string }{
		{"q", "engine", "engine,Engineering,Engineering Berlin"},
		{"q", "Engineering", "Engineering,Engineering Berlin"},
		{"q", "nothing", ""},
		{"search", `profile.name eq "engineering"`, "Engineering"},
		{"search", `profile.name sw "engineering" and created gt "2026-02-01T00:00:00.000Z"`, "Engineering Berlin"},
		{"search", `profile.description co "resources"`, "People Operations"},
		{"search", `type eq "BUILT_IN"`, "Everyone"},
		{"filter", `type eq "BUILT_IN"`, "Everyone"},
		{"filter", `type eq "built_in"`, ""},
		{"filter", `id eq "` + directory.EngineeringGroup + `"`, "Engineering"},
	}
	for _, test := range tests {
		a := b.ok(200, "GET", "/api/v1/groups?"+test.parameter+"="+url.QueryEscape(test.text), "")
		if got := strings.Join(a.list(t, "profile", "name"), ","); got != test.want {
			t.Errorf("%s=%s finds %q, want %q", test.parameter, test.text, got, test.want)
		}
	}
	a := b.ok(200, "GET", "/api/v1/groups?q=Engine&filter="+url.QueryEscape(`type eq "APP_GROUP"`), "")
	if a.body != "[]" {
		t.Errorf("q with a filter = %s, want an empty list", a.body)
	}
	b.ok(400, "GET", "/api/v1/groups?filter="+url.QueryEscape(`profile.name eq "x"`), "")
}
