package scim

import (
	"fmt"
	"testing"
)

// benchUsers makes users that differ.
func benchUsers(n int) []Resource {
	all := make([]Resource, n)
	for i := range all {
		all[i] = Resource{
			"schemas": []any{UserSchema, EnterpriseSchema}, "id": fmt.Sprintf("u%d", i), "externalId": fmt.Sprintf("00u%d", i),
			"userName": fmt.Sprintf("Person%d@example.com", i), "active": i%3 > 0, "displayName": fmt.Sprintf("Person %d", i),
			"name": map[string]any{"givenName": "P", "familyName": fmt.Sprintf("Number%d", i)},
			"emails": []any{
				map[string]any{"value": fmt.Sprintf("person%d@example.com", i), "type": "work", "primary": true},
				map[string]any{"value": fmt.Sprintf("p%d@home.example", i), "type": "home"},
			},
			EnterpriseSchema: map[string]any{"department": fmt.Sprintf("D%d", i%10)},
			"meta":           map[string]any{"resourceType": "User", "created": "2020-01-01T00:00:00.000Z"},
		}
	}
	return all
}

// BenchmarkMatch matches 100,000 users one after the other.
func BenchmarkMatch(b *testing.B) {
	users := benchUsers(100_000)
	for _, text := range []string{
		`userName eq "person99999@example.com"`,
		`emails[type eq "work" and value co "99999@"]`,
		`active eq true and not (displayName sw "person 9") and meta.created gt "2019-01-01T00:00:00Z"`,
		EnterpriseSchema + `:department eq "d7"`,
	} {
		f, err := compileText(Standard().Named("User"), text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, r := range users {
					f.Match(r)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(users)), "ns/resource")
		})
	}
}

// BenchmarkPatch applies what clients send most.
func BenchmarkPatch(b *testing.B) {
	user, group := Standard().Named("User"), Standard().Named("Group")
	one := benchUsers(1)[0]
	for _, c := range []struct {
		name string
		typ  *ResourceType
		on   Resource
		ops  []any
	}{
		{"active", user, one, []any{map[string]any{"op": "replace", "value": map[string]any{"active": true}}}},
		{"email", user, one, []any{map[string]any{"op": "replace", "path": `emails[type eq "work"].value`, "value": "x@y.z"}}},
		{"member of 10", group, bigGroup(10), []any{map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": "new"}}}}},
		{"member of 10000", group, bigGroup(10_000), []any{map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": "new"}}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := apply(c.typ, c.on, c.ops, Strict()); err != nil {
					b.Fatal(err)
				}
			}
		})
		body := map[string]any{"schemas": []any{PatchMessage}, "Operations": c.ops}
		if ops, _, _ := ParsePatch(body, Strict()); c.typ == group {
			b.Run(c.name+" without the group", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, ok := group.Members(ops, Strict()); !ok {
						b.Fatal("it needs the group")
					}
				}
			})
		}
	}
}

// BenchmarkRead reads a user, and a group of 10,000 members.
func BenchmarkRead(b *testing.B) {
	for name, body := range map[string]Resource{"user": benchUsers(1)[0], "group of 10000": bigGroup(10_000)} {
		typ := typeOf(b, Standard(), body)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := typ.Read(body, Strict()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkProject projects a page of 100 users.
func BenchmarkProject(b *testing.B) {
	user, page := Standard().Named("User"), benchUsers(100)
	for name, attributes := range map[string][]string{"all": nil, "two": {"userName,emails.value"}} {
		p, err := ParseProjection(attributes, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, r := range page {
					user.Project(r, p)
				}
			}
		})
	}
}

// BenchmarkSort sorts 100,000 users.
func BenchmarkSort(b *testing.B) {
	users := benchUsers(100_000)
	for b.Loop() {
		if err := Standard().Named("User").Sort(users, "emails", true); err != nil {
			b.Fatal(err)
		}
	}
}
