package scim

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSort(t *testing.T) {
	emails := func(values ...string) []any {
		var list []any
		for _, v := range values {
			address, primary := strings.CutSuffix(v, "*")
			e := map[string]any{"value": address}
			if primary {
				e["primary"] = true
			}
			list = append(list, e)
		}
		return list
	}
	users := []Resource{
		{"id": "1", "userName": "b", "externalId": "B", "active": true, "emails": emails("z", "a*"), "meta": map[string]any{"created": "2020-01-01T00:00:00+02:00"}},
		{"id": "2", "userName": "A", "externalId": "a", "active": false, "emails": emails("B"), "name": map[string]any{"familyName": "x"}},
		{"id": "3", "userName": "C", "externalId": "C", "meta": map[string]any{"created": "2019-12-31T23:00:00Z"}},
		{"id": "4", "userName": "a", EnterpriseSchema: map[string]any{"department": "d", "manager": map[string]any{"value": "m"}}},
	}
	for _, c := range []struct{ by, up, down string }{
		{"userName", "2413", "3124"},
		{"USERNAME", "2413", "3124"},
		{"externalId", "1324", "4231"},
		{"emails", "1234", "3421"},
		{"emails.value", "1234", "3421"},
		{"active", "2134", "3412"},
		{"meta.created", "1324", "2431"},
		{"name.familyName", "2134", "1342"},
		{EnterpriseSchema + ":department", "4123", "1234"},
		{EnterpriseSchema + ":manager.value", "4123", "1234"},
		{EnterpriseSchema + ":manager", "4123", "1234"},
	} {
		for descending, want := range map[bool]string{false: c.up, true: c.down} {
			list := append([]Resource(nil), users...)
			if err := Standard().Named("User").Sort(list, c.by, descending); err != nil {
				t.Errorf("%s: %v", c.by, err)
				continue
			}
			var got string
			for _, r := range list {
				got += r["id"].(string)
			}
			if got != want {
				t.Errorf("by %s, descending %v: %s; want %s", c.by, descending, got, want)
			}
		}
	}
	for _, by := range []string{"", "nope", "name", "addresses", "password", EnterpriseSchema, "emails[type eq \"work\"]"} {
		if err := Standard().Named("User").Sortable(by); Describe(err) == nil || Describe(err).Type != InvalidPath {
			t.Errorf("by %q: %v; want invalidPath", by, err)
		}
	}
}

func TestSortNumbers(t *testing.T) {
	list := []Resource{
		{"id": "1", "readings": []any{json.Number("10"), json.Number("1")}},
		{"id": "2", "readings": []any{json.Number("9")}},
		{"id": "3", "readings": []any{json.Number("9.0"), json.Number("50")}},
	}
	if err := types(t).Named("Device").Sort(list, "readings", false); err != nil {
		t.Fatal(err)
	}
	if list[0]["id"] != "2" || list[1]["id"] != "3" || list[2]["id"] != "1" {
		t.Errorf("%v", list)
	}
}
