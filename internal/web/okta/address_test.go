package okta_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAddresses sends paths and queries that net/http would bring in order, or
// read in parts.
func TestAddresses(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	const unknown, unreadable = "The requested path was not found", "Api validation failed: RequestParams"
	for _, path := range []string{
		"//api/v1/users", "/api//v1/users", "/api/v1/users//", "/api/v1/users/../groups", "/api/v1/./users",
		"/api/v1/users/%2E%2e/groups", "/api/v1/users/",
		"/api/v1/users/%00", "/api/v1/groups/%ff",
	} {
		wantProblem(t, b.call("GET", path, ""), http.StatusNotFound, "E0000008", unknown)
	}
	for query, cause := range map[string]string{
		"search=%zz":                        "The query string cannot be read",
		"limit=1&filter=status+eq+%2":       "The query string cannot be read",
		"q=%ff":                             "The query string is not text in UTF-8",
		"search=profile.login+eq+%22%00%22": "The query string is not text in UTF-8",
	} {
		wantProblem(t, b.call("GET", "/api/v1/users?"+query, ""), http.StatusBadRequest, "E0000001", unreadable, cause)
	}
	wantProblem(t, b.call("GET", "/api/v1/users?search=%zz", "", "Authorization", ""), http.StatusUnauthorized, "E0000011", "Invalid token provided")

	b.ok(http.StatusOK, "POST", "/api/v1/groups", `{"profile":{"name":"a;b"}}`)
	if got := b.ok(http.StatusOK, "GET", `/api/v1/groups?search=profile.name+eq+"a;b"`, "").body; strings.Count(got, `"objectClass"`) != 1 {
		t.Errorf("a search with a semicolon finds %s, want the one group", got)
	}
}

// TestTextThatIsNotKept sends what Okta, or a database, cannot keep.
func TestTextThatIsNotKept(t *testing.T) {
	t.Parallel()
	b := newSeeded(t)
	for _, name := range []string{"NUL \\u0000", "four bytes 😀", "four bytes \\ud83d\\ude00", "no UTF-8 \xff"} {
		for _, body := range []string{`{"profile":{"name":"` + name + `"}}`, `{"profile":{"name":"x","` + name + `":"y"}}`} {
			wantProblem(t, b.call("POST", "/api/v1/groups", body), http.StatusBadRequest, "E0000003", "The request body was not well-formed.")
		}
	}
	b.ok(http.StatusOK, "POST", "/api/v1/groups", `{"profile":{"name":"three bytes ‰ 語"}}`)
}

// TestSortedPagesGoOn deletes the objects that ended a page, and changes one so
// that the search does not find it any more: the next page is still the next.
func TestSortedPagesGoOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := map[string]string{}
	for _, name := range []string{"E", "C", "A", "D", "B"} {
		created := b.ok(http.StatusOK, "POST", "/api/v1/groups", `{"profile":{"name":"`+name+`","description":"listed"}}`)
		ids[name] = created.object(t)["id"].(string)
	}
	page := func(after string) string {
		return "/api/v1/groups?limit=1&sortBy=profile.name&sortOrder=desc&search=profile.description+eq+%22listed%22&after=" + after
	}
	for _, name := range []string{"E", "C"} {
		b.ok(http.StatusNoContent, "DELETE", "/api/v1/groups/"+ids[name], "")
	}
	b.ok(http.StatusOK, "PUT", "/api/v1/groups/"+ids["B"], `{"profile":{"name":"B"}}`)
	for after, want := range map[string]string{"E": "D", "D": "A", "C": "A", "B": "A"} {
		if got := b.ok(http.StatusOK, "GET", page(ids[after]), "").body; !strings.Contains(got, `"name":"`+want+`"`) {
			t.Errorf("behind %s comes %s, want %s", after, got, want)
		}
	}
	if got := b.ok(http.StatusOK, "GET", page(ids["A"]), "").body; got != "[]" {
		t.Errorf("behind the last comes %s, want nothing", got)
	}
}

// TestScansThatAreNarrowed searches for texts whose stored form differs from the
// text that is asked for.
func TestScansThatAreNarrowed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	// Each as it stands in a body of JSON.
	for i, title := range []string{`A\"B<C>D&E\\F`, `\u212a\u0130\u0130\u212a`, `ÉCOLE of Arts`, `100%_sure`} {
		login := string(rune('a'+i)) + "@example.com"
		b.ok(http.StatusOK, "POST", "/api/v1/users?activate=false",
			`{"profile":{"firstName":"Ann","lastName":"Lee","email":"`+login+`","login":"`+login+`","title":"`+title+`"}}`)
	}
	for expression, want := range map[string]string{
		`profile.title eq "a\"b<c>d&e\\f"`:                      "a",
		`profile.title sw "A\"b<"`:                              "a",
		`profile.title eq "kiik"`:                               "b",
		`profile.title eq "école OF arts"`:                      "c",
		`profile.title eq "100%_SURE"`:                          "d",
		`profile.title eq "100%_sure" and profile.title eq "x"`: "",
		`status eq "staged" and profile.title eq "100%_sure"`:   "d",
		`status eq "ACTIVE"`:                                    "",
		`profile.login sw "C@EXAMPLE"`:                          "c",
	} {
		answer := b.ok(http.StatusOK, "GET", "/api/v1/users?search="+url.QueryEscape(expression), "")
		got := strings.ReplaceAll(strings.Join(answer.list(t, "profile", "login"), ""), "@example.com", "")
		if got != want {
			t.Errorf("%s finds %q, want %q", expression, got, want)
		}
	}
	for q, want := range map[string]int{"C@Example.com": 1, "lifecycle.create 127.0.0.1": 0, "lifecycle.CREATE c@": 1, "nonsense": 0} {
		if got := len(b.ok(http.StatusOK, "GET", "/api/v1/logs?q="+url.QueryEscape(q), "").list(t, "uuid")); got != want {
			t.Errorf("q=%s finds %d events, want %d", q, got, want)
		}
	}
	for filter, want := range map[string]int{
		`eventType eq "USER.LIFECYCLE.CREATE"`:                            4,
		`eventType sw "user.life" and outcome.result eq "SUCCESS"`:        4,
		`eventType co "lifecycle.delete"`:                                 0,
		`eventType eq "user.lifecycle.create" or eventType eq "nonsense"`: 4,
	} {
		if got := len(b.ok(http.StatusOK, "GET", "/api/v1/logs?filter="+url.QueryEscape(filter), "").list(t, "uuid")); got != want {
			t.Errorf("%s finds %d events, want %d", filter, got, want)
		}
	}
}
