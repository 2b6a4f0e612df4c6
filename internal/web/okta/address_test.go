package okta_test

import (
	"net/http"
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
