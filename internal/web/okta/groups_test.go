package okta_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// TestOwners compares owners with the recorded forms, byte for byte.
func TestOwners(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	u, parent, g := b.user(ann, ""), b.group("Parent"), b.group("G")
	path := "/api/v1/groups/" + g + "/owners"
	if a := b.ok(200, "GET", path, ""); strings.TrimSpace(a.body) != "[]" || a.header["Link"] != nil {
		t.Errorf("no owners: %s %v", a.body, a.header["Link"])
	}
	b.clock.Step(-b.clock.Now().Sub(b.clock.Now().Truncate(1e9)))
	a := b.ok(201, "POST", path, `{"id":"`+u+`","type":"USER"}`)
	want := `{"id":"` + u + `","type":"USER","resolved":true,"originId":null,"originType":"OKTA_DIRECTORY","displayName":"Ann Lee","lastUpdated":"Wed Mar 04 05:06:12 UTC 2026"}`
	if diff := cmp.Diff(want, strings.TrimSpace(a.body)); diff != "" {
		t.Errorf("POST: - want + got\n%s", diff)
	}
	b.ok(201, "POST", path, `{"id":"`+parent+`","type":"GROUP"}`)
	wantProblem(t, b.call("POST", path, `{"id":"`+u+`","type":"USER"}`), 400, "E0000001", "Api validation failed: owner", "Provided owner is already assigned to this group")
	want = `[{"id":"` + parent + `","type":"GROUP","resolved":true,"originId":null,"originType":"OKTA_DIRECTORY","displayName":"Parent","lastUpdated":"2026-03-04 05:06:13.0"},` +
		`{"id":"` + u + `","type":"USER","resolved":true,"originId":null,"originType":"OKTA_DIRECTORY","displayName":"Ann Lee","lastUpdated":"2026-03-04 05:06:12.0"}]`
	if diff := cmp.Diff(want, strings.TrimSpace(b.ok(200, "GET", path, "").body)); diff != "" {
		t.Errorf("GET: - want + got\n%s", diff)
	}
	if diff := cmp.Diff([]string{u}, b.ok(200, "GET", path+`?search=type+eq+%22USER%22`, "").list(t, "id")); diff != "" {
		t.Errorf("search: - want + got\n%s", diff)
	}
	all, pages := b.pages(path+"?limit=1", "id")
	if diff := cmp.Diff([]string{parent, u}, all); diff != "" || pages != 2 {
		t.Errorf("%d pages: - want + got\n%s", pages, diff)
	}

	for _, test := range []struct{ body, want string }{
		{`{"id":"00uX","type":"USER"}`, "Not found: Resource not found: 00uX (User)"},
		{`{"id":"00gX","type":"GROUP"}`, "Not found: Resource not found: 00gX (UserGroup)"},
		{`{"id":"00gX","type":"CAT"}`, "Api validation failed: type"},
		{``, "The request body was not well-formed."},
	} {
		if got := b.call("POST", path, test.body).object(t)["errorSummary"]; got != test.want {
			t.Errorf("POST %s = %v, want %s", test.body, got, test.want)
		}
	}
	wantProblem(t, b.call("GET", "/api/v1/groups/00gX/owners", ""), 404, "E0000007", "Not found: Resource not found: 00gX (UserGroup)")
	wantProblem(t, b.call("GET", path+"?after=x", ""), 400, "E0000029", "Invalid paging request.", "Invalid cursor.")

	b.ok(204, "DELETE", path+"/"+parent, "")
	wantProblem(t, b.call("DELETE", path+"/"+parent, ""), 404, "E0000007", "Not found: Resource not found: "+parent+" (LinkedObject)")

	// An owner that is gone owns nothing, and a group that is gone has no owners.
	b.ok(201, "POST", path, `{"id":"`+parent+`","type":"GROUP"}`)
	b.ok(204, "DELETE", "/api/v1/groups/"+parent, "")
	b.ok(204, "DELETE", "/api/v1/users/"+u, "")
	b.ok(204, "DELETE", "/api/v1/users/"+u, "")
	if got := strings.TrimSpace(b.ok(200, "GET", path, "").body); got != "[]" {
		t.Errorf("owners that are gone: %s", got)
	}
	b.ok(201, "POST", path, `{"id":"`+g+`","type":"GROUP"}`)
	b.ok(204, "DELETE", "/api/v1/groups/"+g, "")
}

func TestGroupStats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	u, g := b.user(ann, ""), b.group("G")
	b.ok(204, "PUT", "/api/v1/groups/"+g+"/users/"+u, "")
	b.ok(201, "POST", "/api/v1/groups/"+g+"/roles", `{"type":"APP_ADMIN"}`)
	err := b.dir.Store.Update(t.Context(), func(tx directory.Tx) error {
		return tx.InsertRecord(&directory.Record{Realm: directory.OktaRealm, Noun: directory.AppGroupNoun, ID: "x", Parent: "0oa", Subject: g, Version: 1, Body: []byte("{}")})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/groups?q=G&expand=stats", "/api/v1/groups?expand=app,stats&limit=5", "/api/v1/groups?expand=app&expand=stats"} {
		body := b.ok(200, "GET", path, "").body
		want := `"stats":{"usersCount":1,"appsCount":1,"groupPushMappingsCount":0,"hasAdminPrivilege":true,"_links":`
		if !strings.Contains(body, want) {
			t.Errorf("%s = %s, want %s", path, body, want)
		}
	}
	if body := b.ok(200, "GET", "/api/v1/groups?expand=app", "").body; strings.Contains(body, "_embedded") {
		t.Errorf("stats nobody asked for: %s", body)
	}
}

// TestGroupTimes makes sure that the profile and the members have times of their own.
func TestGroupTimes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	u, g := b.user(ann, ""), b.group("G")
	path := "/api/v1/groups/" + g
	times := func() string {
		o := b.ok(200, "GET", path, "").object(t)
		return fmt.Sprint(o["lastUpdated"].(string)[17:19], " ", o["lastMembershipUpdated"].(string)[17:19])
	}
	var got []string
	for _, call := range [][2]string{{"GET", ""}, {"PUT", "/users/" + u}, {"PUT", "/users/" + u}, {"DELETE", "/users/" + u}, {"DELETE", "/users/" + u}} {
		if call[0] != "GET" {
			b.ok(204, call[0], path+call[1], "")
		}
		got = append(got, times())
	}
	b.ok(200, "PUT", path, `{"profile":{"name":"G2","description":null}}`)
	got = append(got, times())
	if diff := cmp.Diff([]string{"09 09", "09 11", "09 11", "09 15", "09 15", "19 15"}, got); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
	if body := b.ok(200, "GET", path, "").body; !strings.Contains(body, `"profile":{"name":"G2","description":null}`) {
		t.Errorf("without a description: %s", body)
	}
}

// TestReadOnlyGroups makes sure that groups which others own stay as they are.
func TestReadOnlyGroups(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	imported := &directory.Group{
		ID: "00gImported", Realm: directory.OktaRealm, Type: directory.AppGroup, Profile: map[string]any{"name": "Imported"}, Version: 1,
		Created: b.clock.Now(), Updated: b.clock.Now(), MembershipUpdated: b.clock.Now(),
	}
	if err := b.dir.Store.Update(t.Context(), func(tx directory.Tx) error { return tx.InsertGroup(imported) }); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"00gImported", "00g0everyone000001d7"} {
		path := "/api/v1/groups/" + id
		before := b.ok(200, "GET", path, "").body
		for _, call := range [][2]string{{"PUT", path + "/users/me"}, {"DELETE", path + "/users/me"}} {
			wantProblem(t, b.call(call[0], call[1], ""), 501, "E0000060", "Unsupported operation.")
		}
		wantProblem(t, b.call("PUT", path, `{"profile":{"name":"x"}}`), 501, "E0000060", "Unsupported operation.")
		if after := b.ok(200, "GET", path, "").body; after != before {
			t.Errorf("changed from %s to %s", before, after)
		}
	}
	wantProblem(t, b.call("DELETE", "/api/v1/groups/00g0everyone000001d7", ""), 501, "E0000060", "Unsupported operation.")
	b.ok(204, "DELETE", "/api/v1/groups/00gImported", "")
}
