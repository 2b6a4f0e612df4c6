package scim

import (
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Every schema document reads back as the schema that it was made from.
func TestSchemasReadBack(t *testing.T) {
	all := types(t)
	docs := all.Schemas("https://x/scim")
	if len(docs) != 4 {
		t.Fatalf("%d schemas", len(docs))
	}
	for i, s := range all.schemas() {
		text, err := value.Encode(docs[i])
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseSchema(text)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.document("https://x/scim"), docs[i])
		if got.ID != s.ID || len(got.Attributes) != len(s.Attributes) {
			t.Errorf("%s became %s", s.ID, got.ID)
		}
	}
}

func TestStandardSchemas(t *testing.T) {
	all := Standard()
	for urn, want := range map[string]int{UserSchema: 21, GroupSchema: 2, EnterpriseSchema: 6} {
		doc := all.Schema("https://x", urn)
		if doc == nil {
			t.Fatalf("no %s", urn)
		}
		if got := len(doc["attributes"].([]any)); got != want {
			t.Errorf("%s has %d attributes; want %d", urn, got, want)
		}
	}
	if all.Schema("https://x", "URN:ietf:params:scim:schemas:core:2.0:user") == nil || all.Schema("https://x", "urn:x") != nil {
		t.Error("schemas are not found by their URN")
	}
	user := all.Schema("https://x", UserSchema)["attributes"].([]any)
	same(t, user[0], map[string]any{
		"name": "userName", "type": "string", "multiValued": false, "required": true, "caseExact": false,
		"mutability": "readWrite", "returned": "default", "uniqueness": "server",
		"description": "The name a person signs in with; unique on the server.",
	})
}

// Characteristics that a type has no use for are left out (RFC 7643 8.7.1).
func TestAttributeDocuments(t *testing.T) {
	for _, doc := range attributeDocuments([]Attribute{
		{Name: "b", Type: Boolean},
		{Name: "c", Type: Complex, Sub: []Attribute{{Name: "s", Type: String}}},
		{Name: "n", Type: Integer, Uniqueness: "none"},
		{Name: "s", Type: String, Uniqueness: "none"},
	}) {
		doc := doc.(map[string]any)
		_, caseExact := doc["caseExact"]
		_, uniqueness := doc["uniqueness"]
		_, sub := doc["subAttributes"]
		got := []bool{caseExact, uniqueness, sub}
		want := map[any][]bool{"b": {false, false, false}, "c": {false, false, true}, "n": {false, true, false}, "s": {true, true, false}}[doc["name"]]
		same(t, got, want)
	}
}

func TestResourceTypeDocuments(t *testing.T) {
	all := Standard()
	same(t, all.ResourceTypes("https://x")[0], Resource{
		"schemas": []any{ResourceTypeSchema}, "id": "User", "name": "User", "endpoint": "/Users", "description": "User Account",
		"schema":           UserSchema,
		"schemaExtensions": []any{map[string]any{"schema": EnterpriseSchema, "required": false}},
		"meta":             map[string]any{"resourceType": "ResourceType", "location": "https://x/ResourceTypes/User"},
	})
	if all.ResourceType("https://x", "Group") == nil || all.ResourceType("https://x", "Nope") != nil {
		t.Error("types are not found by their name")
	}
	if all.At("/Groups") != all.Named("Group") || all.At("/groups") != nil {
		t.Error("types are not found by their endpoint")
	}
}

func TestServiceProviderConfig(t *testing.T) {
	doc := Features{
		Patch: true, Bulk: true, BulkOperations: 10, BulkPayload: 20, Filter: true, FilterResults: 30, Sort: true, ETag: true,
		Cursor: true, DefaultPageSize: 100, MaxPageSize: 1000, CursorTimeout: time.Hour,
		Authentication: []AuthenticationScheme{{Type: "oauthbearertoken", Name: "n", Description: "d", SpecURI: "s", Primary: true}},
	}.ServiceProviderConfig("https://x")
	yes, no := map[string]any{"supported": true}, map[string]any{"supported": false}
	same(t, doc, Resource{
		"schemas": []any{ConfigSchema}, "patch": yes, "sort": yes, "etag": yes, "changePassword": no,
		"bulk":   map[string]any{"supported": true, "maxOperations": number(10), "maxPayloadSize": number(20)},
		"filter": map[string]any{"supported": true, "maxResults": number(30)},
		"pagination": map[string]any{
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": number(100), "maxPageSize": number(1000), "cursorTimeout": number(3600),
		},
		"authenticationSchemes": []any{map[string]any{"type": "oauthbearertoken", "name": "n", "description": "d", "specUri": "s", "primary": true}},
		"meta":                  map[string]any{"resourceType": "ServiceProviderConfig", "location": "https://x/ServiceProviderConfig"},
	})
}

// A schema that contradicts itself or another is refused with its place.
func TestWrongSchemas(t *testing.T) {
	a := func(more ...Attribute) Schema { return Schema{ID: "urn:x", Attributes: more} }
	for name, s := range map[string]Schema{
		"no URN":              {ID: "x"},
		"a bad name":          a(Attribute{Name: "a b"}),
		"no name":             a(Attribute{}),
		"a name twice":        a(Attribute{Name: "a"}, Attribute{Name: "A"}),
		"an unknown type":     a(Attribute{Name: "a", Type: "text"}),
		"complex of nothing":  a(Attribute{Name: "a", Type: Complex}),
		"complex in complex":  a(Attribute{Name: "a", Type: Complex, Sub: []Attribute{{Name: "b", Type: Complex, Sub: []Attribute{{Name: "c"}}}}}),
		"simple with parts":   a(Attribute{Name: "a", Sub: []Attribute{{Name: "b"}}}),
		"unknown mutability":  a(Attribute{Name: "a", Mutability: "x"}),
		"unknown returned":    a(Attribute{Name: "a", Returned: "x"}),
		"unknown uniqueness":  a(Attribute{Name: "a", Uniqueness: "x"}),
		"an attribute of all": a(Attribute{Name: "ID"}),
	} {
		if _, err := Standard().With(Definition{Name: "X", Endpoint: "/X", Schema: s}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := a(Attribute{Name: "a"})
	for name, d := range map[string]Definition{
		"no name":           {Endpoint: "/X", Schema: good},
		"no endpoint":       {Name: "X", Schema: good},
		"a name twice":      {Name: "user", Endpoint: "/X", Schema: good},
		"an endpoint twice": {Name: "X", Endpoint: "/users", Schema: good},
		"a schema twice":    {Name: "X", Endpoint: "/X", Schema: good, Extensions: []Extension{{Schema: good}}},
		"a bad extension":   {Name: "X", Endpoint: "/X", Schema: good, Extensions: []Extension{{Schema: Schema{}}}},
	} {
		if _, err := Standard().With(d); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Standard().Extend("Nope", Extension{Schema: good}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an extension of nothing: %v", err)
	}
	if _, err := ParseSchema([]byte(`[]`)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a schema that is a list: %v", err)
	}
}

// An extension of one's own behaves as the enterprise one does.
func TestExtend(t *testing.T) {
	const urn = "urn:example:2.0:Badge"
	standard := Standard()
	all, err := standard.Extend("User", Extension{Required: true, Schema: Schema{ID: urn, Attributes: []Attribute{
		{Name: "number", Type: Integer, Required: true}, {Name: "color"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(standard.Named("User").Extensions) != 1 {
		t.Error("the registry that was extended has changed")
	}
	user := all.Named("User")
	body := map[string]any{"schemas": []any{UserSchema}, "userName": "a"}
	_, _, err = user.Read(body, Strict())
	checkError(t, err, "invalidValue")
	body[urn] = map[string]any{"color": "red"}
	_, _, err = user.Read(body, Strict())
	checkError(t, err, "invalidValue")
	body[urn] = map[string]any{"number": number(7), "color": "red"}
	r, _, err := user.Read(body, Strict())
	if err != nil {
		t.Fatal(err)
	}
	same(t, r["schemas"], []any{UserSchema, urn})
	f, err := compileText(user, urn+`:number gt 6`)
	if err != nil || !f.Match(r) {
		t.Errorf("the extension cannot be filtered by: %v", err)
	}
	for _, path := range []string{urn, urn + ":number"} {
		_, _, err = apply(user, r, []any{map[string]any{"op": "remove", "path": path}}, Strict())
		checkError(t, err, "mutability")
	}
	got, _, err := apply(user, r, []any{map[string]any{"op": "remove", "path": urn + ":color"}}, Strict())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got[urn], map[string]any{"number": number(7)})
}
