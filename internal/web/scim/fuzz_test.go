package scim_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/scim"
)

// fuzzed sends a request that may be anything, and checks that it is answered as
// SCIM answers.
func fuzzed(t *testing.T, b *bench, method, path, body string) {
	t.Helper()
	r := b.call(method, path, body)
	if r.status >= 500 && r.status != 501 {
		t.Errorf("%s %q %q: %d %s", method, path, body, r.status, r.text)
	}
	if r.status >= 400 && r.body["status"] == nil {
		t.Errorf("%s %q %q: the error %s", method, path, body, r.text)
	}
}

func FuzzBulk(f *testing.F) {
	f.Add(bulkBody(1, postGroup("a", "a", "bulkId:b"), postGroup("b", "b", "bulkId:a"), postUser("c", "c")))
	f.Add(bulkBody(0, `{"method":"PATCH","path":"/Users/bulkId:a","data":{"Operations":[{"op":"remove","path":"name"}]}}`, postUser("a", "a")))
	f.Add(bulkBody(0, `{"method":"DELETE","path":"/Users/%","bulkId":"bulkId:","version":"*"}`))
	f.Fuzz(func(t *testing.T, body string) {
		b := newBench(t)
		b.fill(t, 1)
		fuzzed(t, b, "POST", "/Bulk", body)
	})
}

func FuzzSearch(f *testing.F) {
	f.Add(`{"schemas":["`+scim.SearchMessage+`"],"filter":"title pr","sortBy":"name.familyName","count":3,"cursor":"","attributes":["a"]}`, "u")
	f.Add(`{"SCHEMAS":["`+scim.SearchMessage+`"],"startIndex":-1,"sortOrder":"x","excludedAttributes":"a,b"}`, "cursor=x&count=99999999999999999999")
	f.Fuzz(func(t *testing.T, body, query string) {
		b := newBench(t)
		b.fill(t, 1)
		fuzzed(t, b, "POST", "/.search", body)
		fuzzed(t, b, "POST", "/Users/.search", body)
		if _, err := url.ParseQuery(query); err == nil && strings.Trim(query, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=&%+-_.") == "" {
			fuzzed(t, b, "GET", "/Users?"+query, "")
			fuzzed(t, b, "GET", "?"+query, "")
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		b := newBench(t)
		b.fill(t, 3)
		real, _ := b.call("GET", "/Users?cursor&count=1", "").get("/nextCursor").(string)
		r := b.call("GET", "/Users?count=1&cursor="+url.QueryEscape(cursor), "")
		switch {
		case cursor == "" && r.status != 200, cursor != "" && cursor != real && r.status != 400:
			t.Errorf("%q: %d %s", cursor, r.status, r.text)
		}
		fuzzed(t, b, "GET", "?cursor="+url.QueryEscape(cursor), "")
	})
}
