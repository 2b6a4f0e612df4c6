package scim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestStamp(t *testing.T) {
	user := Standard().Named("User")
	before := Resource{"userName": "a"}
	at := time.Date(2026, 11, 22, 9, 0, 0, 123_456_789, time.FixedZone("", 7200))
	got := user.Stamp(before, "u|1", Meta{Created: at, LastModified: at, Location: "https://x/Users/u%7C1", Version: `W/"1"`})
	same(t, got, Resource{"userName": "a", "id": "u|1", "meta": map[string]any{
		"resourceType": "User", "created": "2026-11-22T07:00:00.123Z", "lastModified": "2026-11-22T07:00:00.123Z",
		"location": "https://x/Users/u%7C1", "version": `W/"1"`,
	}})
	same(t, before, Resource{"userName": "a"})
	same(t, user.Stamp(before, "", Meta{}), Resource{"userName": "a", "meta": map[string]any{"resourceType": "User"}})
}

func TestMatches(t *testing.T) {
	const a, c = `W/"1f"`, `W/"2f"`
	for header, want := range map[string]bool{
		"": false, "*": true, a: true, `"1f"`: true,
		c: false, c + ", " + a: true, c + "," + c: false,
		`W/"a,b", ` + a: true, "1f": true, `"`: false, ",,": false, `W/`: false,
	} {
		if got := Matches(header, a); got != want {
			t.Errorf("Matches(%s, %s) = %v", header, a, got)
		}
	}
}

func TestSame(t *testing.T) {
	a := Resource{"userName": "a", "meta": map[string]any{"x": "1"}}
	if !Same(a, Resource{"userName": "a", "meta": map[string]any{"x": "2"}}) {
		t.Error("meta counts")
	}
	if Same(a, Resource{"userName": "b", "meta": map[string]any{}}) || Same(a, Resource{"meta": map[string]any{}, "title": "a"}) || Same(a, Resource{"userName": "a"}) {
		t.Error("differences do not count")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		kind   fault.Kind
		status string
		typ    any
	}{
		{Fail(InvalidFilter, "x"), fault.Invalid, "400", "invalidFilter"},
		{Fail(Mutable, "x"), fault.Invalid, "400", "mutability"},
		{Fail(Uniqueness, "x"), fault.Conflict, "409", "uniqueness"},
		{Fail(Sensitive, "x"), fault.Forbidden, "403", "sensitive"},
		{Fail(TooLarge, "x"), fault.TooLarge, "413", nil},
		{fault.New(fault.NotFound, "x"), fault.NotFound, "404", nil},
		{fault.New(fault.Unauthorized, "x"), fault.Unauthorized, "401", nil},
		{fault.New(fault.Forbidden, "x"), fault.Forbidden, "403", nil},
		{fault.New(fault.Conflict, "x"), fault.Conflict, "409", nil},
		{fault.New(fault.Stale, "x"), fault.Stale, "412", nil},
		{fault.New(fault.RateLimited, "x"), fault.RateLimited, "429", nil},
		{fault.New(fault.Unsupported, "x"), fault.Unsupported, "501", nil},
		{fault.New(fault.Unavailable, "x"), fault.Unavailable, "503", nil},
	} {
		if got := fault.KindOf(c.err); got != c.kind {
			t.Errorf("%v: kind %v; want %v", c.err, got, c.kind)
		}
		body := Describe(c.err).Body()
		if body["status"] != c.status || body["scimType"] != c.typ || body["detail"] != "x" {
			t.Errorf("%v: body %v", c.err, body)
		}
	}
	if secret := Describe(errors.New("secret")); secret.Status != 500 || strings.Contains(secret.Detail, "secret") {
		t.Errorf("a private error became %v", secret)
	}
	if Describe(nil) != nil {
		t.Error("no error has a description")
	}
}

func TestPageBody(t *testing.T) {
	empty := Page{StartIndex: 1}.Body()
	same(t, empty, map[string]any{
		"schemas": []any{ListMessage}, "totalResults": number(0), "itemsPerPage": number(0), "startIndex": number(1), "Resources": []any{},
	})
	full := Page{Total: 5, Resources: []Resource{{"id": "1"}, {"id": "2"}}, Next: "n", Previous: "p"}.Body()
	same(t, full, map[string]any{
		"schemas": []any{ListMessage}, "totalResults": number(5), "itemsPerPage": number(2), "nextCursor": "n", "previousCursor": "p",
		"Resources": []any{map[string]any{"id": "1"}, map[string]any{"id": "2"}},
	})
}
