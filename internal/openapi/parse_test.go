package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// published is where tests find vendors' descriptions as published.
const published = "../../../shared/data"

// parsePublished reads a published description, and skips without it.
func parsePublished(t testing.TB, name string) (*Index, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(published, name))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no published description: %v", err)
	}
	x, err := Parse(data, name)
	if err != nil {
		t.Fatal(err)
	}
	return x, data
}

func parseFile(t testing.TB, name string) *Index {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t testing.TB, text string) *Index {
	t.Helper()
	x, err := Parse([]byte(text), "https://example.com/spec/api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func mustByID(t testing.TB, x *Index, id string) *Operation {
	t.Helper()
	op, err := x.ByID(id)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func TestParse31(t *testing.T) {
	x := parseFile(t, "testdata/people-3.1.yaml")
	head := *x
	head.entries, head.broken, head.blob, head.byID, head.security, head.hasSecurity = nil, nil, nil, nil, nil, false
	servers := []Server{
		{URL: "https://{tenant}.example.com/v1/", Variables: map[string]Variable{"tenant": {Default: "acme", Enum: []string{"acme", "beta"}}}},
		{URL: "/relative"},
	}
	want := Index{
		Version: "3.1.0", Title: "People", APIVersion: "2026-11", URL: "https://example.com/spec/api.yaml",
		Servers: servers,
		Schemes: map[string]Scheme{
			"token":  {Name: "token", Type: "apiKey", In: "header", Param: "Authorization"},
			"bearer": {Name: "bearer", Type: "http", HTTP: "bearer"},
			"oauth":  {Name: "oauth", Type: "oauth2", TokenURL: "/oauth/token", Scopes: map[string]string{"delete:people": "Delete people"}},
			"oidc":   {Name: "oidc", Type: "openIdConnect", OpenIDConfig: "https://id.example.com/.well-known/openid-configuration"},
			"code":   {Name: "code", Type: "oauth2", TokenURL: "/password"},
			"shared": {Name: "shared", Type: "http", HTTP: "bearer"},
		},
	}
	if diff := cmp.Diff(want, head, cmp.AllowUnexported(Index{})); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
	wantTable := []Summary{
		{"listPeople", "GET", "/people"}, {"people.create/one", "POST", "/people"},
		{"deletePerson", "DELETE", "/people/{id}"}, {"getPerson", "GET", "/people/{id}"},
		{"deletePerson", "DELETE", "/twice/{id}"}, {"getPerson", "GET", "/twice/{id}"},
	}
	if diff := cmp.Diff(wantTable, x.Operations()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}

	person := []string{"/credentials/*", "/pin~1code"}
	for prefix := "/reports/*"; strings.Count(prefix, "/") < maxSecretDepth; prefix += "/reports/*" {
		person = append(person, prefix+"/pin~1code")
		if strings.Count(prefix, "/")+2 <= maxSecretDepth {
			person = append(person, prefix+"/credentials/*")
		}
	}
	slices.SortFunc(person, shallowFirst)
	var people []string
	for _, p := range person {
		if strings.Count(p, "/") < maxSecretDepth {
			people = append(people, "/*"+p)
		}
	}
	ops := map[string]*Operation{
		"listPeople": {
			ID: "listPeople", Method: "GET", Path: "/people",
			Parameters: []Parameter{
				{Name: "Trace", In: "header", Required: true, Style: "simple", Type: "string"},
				{Name: "limit", In: "query", Style: "form", Explode: true, Type: "integer", Default: json.RawMessage("20")},
				{Name: "filter", In: "query", Style: "deepObject", Explode: true, Type: "object"},
				{Name: "ids", In: "query", Style: "form", AllowReserved: true, Type: "array"},
				{Name: "where", In: "query", Style: "form", Explode: true, ContentType: "application/json", Type: "object"},
				{Name: "sid", In: "cookie", Style: "form", Explode: true, Type: "string", Secret: true},
			},
			Responses: map[string]*Response{
				"200": {Media: []string{"application/json", "text/csv"}, Secrets: people},
				"4XX": {Media: []string{"application/problem+json"}}, "default": {},
			},
			Servers:  []Server{{URL: "https://people.example.com"}},
			Security: []map[string][]string{{"token": nil}}, HasSecurity: true,
		},
		"people.create/one": {
			ID: "people.create/one", Method: "POST", Path: "/people", Deprecated: true,
			Parameters: []Parameter{
				{Name: "trace", In: "header", Style: "simple", Type: "string"},
				{Name: "limit", In: "query", Style: "form", Explode: true, Type: "integer", Default: json.RawMessage("10")},
			},
			Body: &Body{Required: true, Media: []Media{
				{Type: "text/csv"},
				{Type: "application/json", Required: []string{"userName", "name"}, Props: []string{"userName", "pin/code", "name", "credentials", "reports"}, Secrets: person},
				{Type: "multipart/form-data", Required: []string{"photo"}, Props: []string{"photo", "tags"}, Encoding: map[string]Encoding{
					"photo": {ContentType: "image/png", Explode: true}, "tags": {Style: "form"}, "other": {Explode: true},
				}},
			}},
			Responses: map[string]*Response{"201": {}},
			Servers:   []Server{{URL: "https://write.example.com"}},
			Security:  nil, HasSecurity: true,
		},
	}
	for id, want := range ops {
		if diff := cmp.Diff(want, mustByID(t, x, id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}

	get, err := x.ByPath("/people/{id}", "get")
	if err != nil {
		t.Fatal(err)
	}
	wantGet := &Operation{
		ID: "getPerson", Method: "GET", Path: "/people/{id}",
		Parameters: []Parameter{{Name: "id", In: "path", Required: true, Style: "simple", Type: "string"}},
		Responses:  map[string]*Response{"200": {}}, Servers: servers,
		Security: []map[string][]string{{"token": nil}}, HasSecurity: true,
	}
	if diff := cmp.Diff(wantGet, get); diff != "" {
		t.Errorf("getPerson (-want +got):\n%s", diff)
	}
	del, err := x.ByPath("/people/{id}", "DELETE")
	if err != nil {
		t.Fatal(err)
	}
	wantSecurity := []map[string][]string{{"oauth": {"delete:people"}}, {"token": nil}, {}}
	if diff := cmp.Diff(wantSecurity, del.Security); diff != "" {
		t.Errorf("security of deletePerson (-want +got):\n%s", diff)
	}
}

func TestParseSwagger(t *testing.T) {
	x := parseFile(t, "testdata/pets-2.0.yaml")
	wantServers := []Server{{URL: "https://api.example.com:8080/v2/"}, {URL: "http://api.example.com:8080/v2/"}, {URL: "ws://api.example.com:8080/v2/"}}
	if diff := cmp.Diff(wantServers, x.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	wantSchemes := map[string]Scheme{
		"plain": {Name: "plain", Type: "http", HTTP: "basic"},
		"key":   {Name: "key", Type: "apiKey", In: "query", Param: "api_key"},
		"oauth": {Name: "oauth", Type: "oauth2", TokenURL: "https://id.example.com/token", Scopes: map[string]string{"read": "Read"}},
	}
	if diff := cmp.Diff(wantSchemes, x.Schemes); diff != "" {
		t.Errorf("schemes (-want +got):\n%s", diff)
	}
	both, security := []string{"application/json", "application/xml"}, []map[string][]string{{"key": nil}}
	form := Media{
		Required: []string{"photo"}, Props: []string{"caption", "tags", "photo"},
		Encoding: map[string]Encoding{"caption": {Style: "form"}, "tags": {Style: "pipeDelimited"}, "photo": {Style: "form"}},
	}
	form.Type = "multipart/form-data"
	id := Parameter{Name: "id", In: "path", Required: true, Style: "simple", Type: "integer"}
	for _, want := range []*Operation{
		{
			ID: "listPets", Method: "GET", Path: "/pets",
			Parameters: []Parameter{
				{Name: "tags", In: "query", Style: "form", Explode: true, Type: "array"},
				{Name: "csv", In: "query", Style: "form", Type: "array"},
				{Name: "ssv", In: "query", Style: "spaceDelimited", Type: "array"},
				{Name: "tsv", In: "query", Style: "tabDelimited", Type: "array"},
				{Name: "pipes", In: "query", Style: "pipeDelimited", Type: "array"},
				{Name: "n", In: "query", Style: "form", Type: "integer", Default: json.RawMessage("1.50")},
			},
			Responses: map[string]*Response{"200": {Media: []string{"text/plain"}, Secrets: []string{"/secret"}}},
			Servers:   wantServers, Security: security, HasSecurity: true,
		},
		{
			ID: "addPet", Method: "POST", Path: "/pets",
			Body: &Body{Required: true, Media: []Media{
				{Type: "application/json", Required: []string{"name"}, Props: []string{"name", "secret"}, Secrets: []string{"/secret"}},
			}},
			Responses: map[string]*Response{"201": {Media: both, Secrets: []string{"/secret"}}, "204": {}},
			Servers:   wantServers[:1], Security: security, HasSecurity: true,
		},
		{
			ID: "photo", Method: "POST", Path: "/pets/{id}/photo",
			Parameters: []Parameter{id},
			Body:       &Body{Required: true, Media: []Media{form}},
			Servers:    wantServers, Security: security, HasSecurity: true,
		},
		{
			ID: "caption", Method: "PATCH", Path: "/pets/{id}/photo",
			Parameters: []Parameter{id},
			Body: &Body{Media: []Media{{
				Type: "application/x-www-form-urlencoded", Props: []string{"caption"}, Secrets: []string{"/caption"},
				Encoding: map[string]Encoding{"caption": {Style: "form"}},
			}}},
			Servers: wantServers, Security: security, HasSecurity: true,
		},
	} {
		if diff := cmp.Diff(want, mustByID(t, x, want.ID)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.ID, diff)
		}
	}
}

func TestSwaggerServers(t *testing.T) {
	for text, want := range map[string]string{
		`{swagger: '2.0', paths: {}}`:                                 "/",
		`{swagger: '2.0', basePath: v1, paths: {}}`:                   "/v1",
		`{swagger: '2.0', host: h, paths: {}}`:                        "//h",
		`{swagger: 2.0, host: h, basePath: /, paths: {}}`:             "//h/",
		`{swagger: '2.0', host: h, schemes: [HTTPS], basePath: /api}`: "https://h/api",
	} {
		if x := parse(t, text); len(x.Servers) != 1 || x.Servers[0].URL != want {
			t.Errorf("%s: servers %v, want %s", text, x.Servers, want)
		}
	}
}

func TestParse32(t *testing.T) {
	x := parse(t, `
openapi: 3.2.0
info: {title: New, version: '1'}
paths:
  /search:
    query:
      operationId: search
      parameters: [{name: whole, in: querystring, content: {application/x-www-form-urlencoded: {}}}]
      requestBody: {content: {application/json: {$ref: '#/components/mediaTypes/q'}}}
    additionalOperations:
      COPY: {operationId: copy}
      'not a method': {operationId: never}
    put: {operationId: put, parameters: [{name: c, in: cookie, style: cookie, schema: {type: string}}]}
components:
  mediaTypes: {q: {schema: {properties: {a: {}}}}}
`)
	if diff := cmp.Diff([]Summary{{"search", "QUERY", "/search"}, {"copy", "COPY", "/search"}, {"put", "PUT", "/search"}}, x.Operations()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	search := mustByID(t, x, "search")
	if search.Parameters[0].In != "querystring" || search.Body.Media[0].Props[0] != "a" {
		t.Errorf("search = %+v", search)
	}
	if p := mustByID(t, x, "put").Parameters[0]; p.Style != "cookie" || !p.Explode {
		t.Errorf("cookie parameter = %+v", p)
	}
}

// What is wrong with one part of a description must not spoil the rest.
func TestParseBrokenParts(t *testing.T) {
	x := parse(t, `
openapi: 3.0.3
info: a text
servers: {not: a list}
security: 7
paths:
  /ok: {get: {operationId: ok, responses: {'200': {description: ok}}}}
  /lost: {$ref: '#/components/pathItems/nothing'}
  /file: {$ref: 'other.yaml#/paths/~1x'}
  /circle: {$ref: '#/paths/~1circle'}
  /text: just text
  /list: [1, 2]
  /null:
  /half:
    $ref: 'other.yaml'
    get: {operationId: half}
  /doubtful/{id}:
    parameters: {not: a list}
    put:
      operationId: doubtful
      parameters:
        - $ref: '#/components/parameters/nothing'
        - $ref: '#/definitions/UserCredentials'
        - $ref: 'other.yaml#/x'
        - $ref: '#/components/parameters/a'
        - {in: query}
        - {name: x, in: nowhere}
        - just text
        - {name: good, in: query, style: nonsense, schema: {$ref: '#/nothing'}}
        - {name: user, in: body, required: true, schema: {$ref: '#/definitions/UserCredentials'}}
      requestBody: {$ref: '#/components/requestBodies/nothing'}
      responses: {'200': {$ref: '#/nothing'}, banana: {}, '999': {}}
  /body:
    put:
      operationId: body
      requestBody: {$ref: '#/components/requestBodies/nothing'}
  /schema:
    put:
      operationId: schema
      requestBody: {content: {application/json: {schema: {$ref: '#/nothing'}}}}
  /same: {get: {operationId: same}, put: {operationId: same}}
components:
  parameters:
    a: {$ref: '#/components/parameters/b'}
    b: {$ref: '#/components/parameters/a'}
`)
	if got := mustByID(t, x, "ok").Servers; len(got) != 1 || got[0].URL != "/" {
		t.Errorf("servers of ok = %v, want /", got)
	}
	doubtful := mustByID(t, x, "doubtful")
	wantProblems := []string{
		`parameter 1: the reference "#/components/parameters/nothing" leads nowhere`,
		`parameter 2: the reference "#/definitions/UserCredentials" leads nowhere`,
		`parameter 3: "other.yaml#/x" is in another file`,
		`parameter 4: the reference "#/components/parameters/b" goes round in a circle`,
		`parameter 5: it has no name`,
		`parameter 6: "x" is in "nowhere", which is not a place`,
		`parameter 7: it has no name`,
	}
	for i := range wantProblems {
		if strings.Contains(wantProblems[i], "circle") { // which of the two is named does not matter
			doubtful.Problems[i] = strings.Replace(doubtful.Problems[i], "parameters/a", "parameters/b", 1)
		}
	}
	if diff := cmp.Diff(wantProblems, doubtful.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Parameter{{Name: "good", In: "query", Style: "form", Explode: true}}, doubtful.Parameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Body{Required: true, Media: []Media{{Type: "application/json"}}}, doubtful.Body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]*Response{"200": {}}, doubtful.Responses); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	body := mustByID(t, x, "body")
	if len(body.Problems) != 1 || !strings.HasPrefix(body.Problems[0], "request body: the reference") {
		t.Errorf("problems of body = %q", body.Problems)
	}
	if schema := mustByID(t, x, "schema"); schema.Problems != nil || schema.Body.Media[0].Props != nil {
		t.Errorf("a dangling schema is no obstacle: %+v", schema)
	}
	if mustByID(t, x, "half").Method != "GET" {
		t.Error("the operation beside a dangling reference is gone")
	}
	for _, tt := range []struct {
		path, want string
		kind       fault.Kind
	}{
		{"/lost", `the path "/lost" of the description cannot be read: the reference "#/components/pathItems/nothing" leads nowhere`, fault.Invalid},
		{"/file", `is in another file; bundle the description`, fault.Unsupported},
		{"/circle", `go round in a circle`, fault.Invalid},
		{"/half", `is in another file`, fault.Unsupported},
		{"/text", `has no path "/text"; nothing in it has a similar name`, fault.NotFound},
		{"/same", `has no DELETE, only GET, PUT`, fault.NotFound},
	} {
		_, err := x.ByPath(tt.path, "delete")
		if !fault.Is(err, tt.kind) || !strings.Contains(fault.Public(err), tt.want) {
			t.Errorf("ByPath(%s) = %v, want %v with %q", tt.path, err, tt.kind, tt.want)
		}
	}
	if _, err := x.ByID("same"); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), "GET /same, PUT /same") {
		t.Errorf("ByID(same) = %v, want Conflict with both places", err)
	}
	if x.Has("same") || !x.Has("ok") || x.Has("never") {
		t.Error("Has: same, ok, never")
	}
	if _, err := x.ByID("listEverything"); !strings.Contains(fault.Public(err), `"/lost" could not be read (the reference "#/components/pathItems/nothing" leads nowhere) and 3 more paths`) {
		t.Errorf("a missing operation does not mention what is unreadable: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		kind       fault.Kind
	}{
		{"", "api.yaml:1:1: the document is empty", fault.Invalid},
		{"404: Not Found", "this is not an OpenAPI description", fault.Invalid},
		{"<!DOCTYPE html><html>", "this is a web page or XML", fault.Invalid},
		{"{\"openapi\": \"3.0.0\", \"paths\": {}", "api.yaml:1", fault.Invalid},
		{"just text", "this is not an OpenAPI description", fault.Invalid},
		{"[1]", "this is not an OpenAPI description", fault.Invalid},
		{"openapi: 4.0.0", `version "4.0.0" of OpenAPI is not supported`, fault.Unsupported},
		{"swagger: '1.2'", `version "1.2" of OpenAPI is not supported`, fault.Unsupported},
		{"arazzo: 1.0.1", "write type: arazzo", fault.Invalid},
		{"asyncapi: 3.0.0", "AsyncAPI", fault.Unsupported},
		{"openapi: 3.0.0\n\tpaths: 1", "api.yaml:2", fault.Invalid},
		{"openapi: 3.0.0\n---\nopenapi: 3.0.0", "a second document", fault.Invalid},
		{`{"openapi":"3.0.0","x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}", "nested deeper", fault.TooLarge},
		{"# " + strings.Repeat("x", value.MaxYAML), "the limit is", fault.TooLarge},
	} {
		_, err := Parse([]byte(tt.text), "api.yaml")
		if !fault.Is(err, tt.kind) || !strings.Contains(fault.Public(err), tt.want) || !strings.Contains(fault.Public(err), "api.yaml") {
			t.Errorf("Parse(%.40q) = %v, want %v with %q and the file's name", tt.text, err, tt.kind, tt.want)
		}
	}
}

func TestShape(t *testing.T) {
	for _, tt := range []struct{ schema, props, required string }{
		{`{properties: {a: {}, b: {}}, required: [a]}`, "a b", "a"},
		{`{properties: {a: {}}, additionalProperties: false}`, "a", ""},
		{`{properties: {a: {}}, additionalProperties: {type: string}}`, "", ""},
		{`{properties: {a: {}}, additionalProperties: true, required: [a]}`, "", "a"},
		{`{properties: {a: {}}, patternProperties: {b: {}}}`, "", ""},
		{`{type: object}`, "", ""},
		{`true`, "", ""},
		{`{allOf: [{properties: {a: {}}, required: [a]}, {description: none}], properties: {b: {}}, required: [b, a]}`, "b a", "b a"},
		{`{allOf: [{$ref: '#/nothing'}], properties: {b: {}}}`, "", ""},
		{`{oneOf: [{properties: {a: {}, b: {}}, required: [a, b]}, {properties: {a: {}, c: {}}, required: [a, c]}]}`, "a b c", "a"},
		{`{oneOf: [{properties: {a: {}}}, {type: object}]}`, "", ""},
		{`{properties: {a: {}, b: {}}, anyOf: [{required: [a]}, {required: [b]}]}`, "a b", ""},
		{`{$ref: '#/components/schemas/Base'}`, "kind a b", "kind"},
		{`{$ref: '#/components/schemas/A'}`, "a kind b", "kind"},
		{`{$ref: '#/components/schemas/B'}`, "b kind a", "kind"},
		{`{$ref: '#/components/schemas/Loop'}`, "", ""},
	} {
		x := parse(t, `
openapi: 3.0.0
paths: {/: {post: {operationId: o, requestBody: {content: {application/json: {schema: `+tt.schema+`}}}}}}
components:
  schemas:
    Base: {properties: {kind: {}}, required: [kind], oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}
    A: {properties: {a: {}}, allOf: [{$ref: '#/components/schemas/Base'}]}
    B: {properties: {b: {}}, allOf: [{$ref: '#/components/schemas/Base'}]}
    Loop: {$ref: '#/components/schemas/Loop'}
`)
		m := mustByID(t, x, "o").Body.Media[0]
		if got := strings.Join(m.Props, " "); got != tt.props {
			t.Errorf("%s: props %q, want %q", tt.schema, got, tt.props)
		}
		if got := strings.Join(m.Required, " "); got != tt.required {
			t.Errorf("%s: required %q, want %q", tt.schema, got, tt.required)
		}
	}
}

// A secret must be found from every member of a circle, whichever is read first.
func TestSecretsInCircles(t *testing.T) {
	x := parse(t, `
openapi: 3.0.0
paths:
  /a: {post: {operationId: a, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}
  /b: {post: {operationId: b, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/B'}}}}}}
  /c: {post: {operationId: c, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/C'}}}}}}
  /d: {post: {operationId: d, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A/properties/b'}}}}}}
components:
  schemas:
    A: {properties: {b: {$ref: '#/components/schemas/B'}, password: {type: string, format: password}}}
    B: {properties: {a: {$ref: '#/components/schemas/A'}}}
    C: {properties: {format: {enum: [password]}, c: {$ref: '#/components/schemas/C'}}}
`)
	for id, want := range map[string]string{"a": "/password", "b": "/a/password", "c": "", "d": "/a/password"} {
		got := ""
		if secrets := mustByID(t, x, id).Body.Media[0].Secrets; len(secrets) > 0 {
			got = secrets[0]
		}
		if got != want {
			t.Errorf("first secret of %s = %q, want %q", id, got, want)
		}
	}
}

func TestStatuses(t *testing.T) {
	op := func(keys ...string) *Operation {
		o := &Operation{Responses: map[string]*Response{}}
		for _, k := range keys {
			o.Responses[k] = &Response{}
		}
		return o
	}
	if got := op("204", "200", "404", "2XX", "default").SuccessStatuses(); !cmp.Equal(got, []int{200, 204}) {
		t.Errorf("SuccessStatuses = %v", got)
	}
	for _, tt := range []struct {
		op     *Operation
		status int
		want   bool
	}{
		{op("201"), 201, true}, {op("201"), 200, false}, {op("2XX"), 207, true}, {op("2XX"), 404, false},
		{op("201", "default"), 404, true}, {op("201", "default"), 200, false}, {op("default"), 200, true}, {op(), 200, false},
	} {
		if got := tt.op.Declares(tt.status); got != tt.want {
			t.Errorf("%v.Declares(%d) = %v", sortedKeys(tt.op.Responses), tt.status, got)
		}
	}
}

// The two readers must agree: the same description in YAML and JSON gives the
// same index, byte for byte.
func TestJSONAndYAMLAgree(t *testing.T) {
	check := func(name string, data []byte, x *Index) {
		var tree yaml.Node
		if err := yaml.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		writeJSON(&text, &tree)
		got, err := Parse(text.Bytes(), x.URL)
		if err != nil {
			t.Fatalf("%s as JSON: %v", name, err)
		}
		if !bytes.Equal(x.Marshal(), got.Marshal()) {
			for _, s := range x.Operations() {
				a, _ := x.ByPath(s.Path, s.Method)
				b, _ := got.ByPath(s.Path, s.Method)
				if diff := cmp.Diff(a, b); diff != "" {
					t.Errorf("%s: %s %s (-yaml +json):\n%s", name, s.Method, s.Path, diff)
					return
				}
			}
			t.Errorf("%s: the indexes differ", name)
		}
	}
	for _, name := range []string{"testdata/people-3.1.yaml", "testdata/pets-2.0.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, data, parse(t, string(data)))
	}
	x, data := parsePublished(t, "openapi/auth0-management-api-openapi.yml")
	check("auth0", data, x)
}

// writeJSON keeps the order of keys, which a map would not.
func writeJSON(b *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.DocumentNode:
		writeJSON(b, n.Content[0])
	case yaml.AliasNode:
		writeJSON(b, n.Alias)
	case yaml.MappingNode:
		b.WriteString("{ ")
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteString(",\n")
			}
			text, _ := value.Encode(n.Content[i].Value)
			b.Write(text)
			b.WriteString(": ")
			writeJSON(b, n.Content[i+1])
		}
		b.WriteString(" }")
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	default:
		text, _ := value.Encode(value.FromYAML(n))
		b.Write(text)
	}
}

func TestParsePublished(t *testing.T) {
	for _, tt := range []struct {
		file, version   string
		operations, ids int
		op              *Operation
	}{
		{"openapi/auth0-management-api-openapi.yml", "3.1.0", 406, 406, &Operation{
			ID: "post_user_roles", Method: "POST", Path: "/users/{id}/roles",
			Parameters: []Parameter{{Name: "id", In: "path", Required: true, Style: "simple", Type: "string"}},
			Body:       &Body{Media: []Media{{Type: "application/json", Required: []string{"roles"}, Props: []string{"roles"}}, {Type: "application/x-www-form-urlencoded", Required: []string{"roles"}, Props: []string{"roles"}}}},
			Responses:  map[string]*Response{"204": {}, "400": {}, "401": {}, "403": {}, "429": {}},
			Servers:    []Server{{URL: "https://{tenantDomain}/api/v2", Variables: map[string]Variable{"tenantDomain": {Default: "{TENANT}.auth0.com"}}}},
			Security:   []map[string][]string{{"bearerAuth": nil}, {"oAuth2ClientCredentials": {"update:users", "create:role_members"}}}, HasSecurity: true,
		}},
		{"openapi/okta-openapi-original.yml", "3.0.1", 341, 338, &Operation{
			ID: "addUserToGroup", Method: "PUT", Path: "/api/v1/groups/{groupId}/users/{userId}",
			Parameters: []Parameter{
				{Name: "groupId", In: "path", Required: true, Style: "simple", Type: "string"},
				{Name: "userId", In: "path", Required: true, Style: "simple", Type: "string"},
			},
			Responses: map[string]*Response{"204": {}},
			Servers:   []Server{{URL: "https://your-subdomain.okta.com/"}},
			Security:  []map[string][]string{{"api_token": nil}}, HasSecurity: true,
		}},
		{"okta/openapi-management-2026.06.3.yaml", "3.0.3", 732, 732, nil},
		{"okta/openapi-oauth-2026.06.3.yaml", "3.0.3", 44, 44, nil},
	} {
		x, _ := parsePublished(t, tt.file)
		if x.Version != tt.version || len(x.Operations()) != tt.operations || len(x.Names()) != tt.ids || len(x.broken) != 0 {
			t.Errorf("%s: version %s, %d operations, %d names, broken %v; want %s, %d, %d, none",
				tt.file, x.Version, len(x.Operations()), len(x.Names()), x.broken, tt.version, tt.operations, tt.ids)
		}
		if tt.op != nil {
			if diff := cmp.Diff(tt.op, mustByID(t, x, tt.op.ID)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", tt.file, tt.op.ID, diff)
			}
		}
	}
	auth0, _ := parsePublished(t, "openapi/auth0-management-api-openapi.yml")
	if s := auth0.Schemes["oAuth2ClientCredentials"]; s.TokenURL != "/oauth/token/" || s.Scopes["create:users"] == "" {
		t.Errorf("Auth0's scheme = %+v", s)
	}
	for _, s := range auth0.Operations() {
		if op := mustByID(t, auth0, s.ID); len(op.Security) == 0 || op.Problems != nil {
			t.Errorf("%s: security %v, problems %v", s.ID, op.Security, op.Problems)
		}
	}
	okta, _ := parsePublished(t, "openapi/okta-openapi-original.yml")
	if diff := cmp.Diff(map[string]Scheme{"api_token": {Name: "api_token", Type: "apiKey", In: "header", Param: "Authorization"}}, okta.Schemes); diff != "" {
		t.Errorf("Okta's schemes (-want +got):\n%s", diff)
	}
	if op := mustByID(t, okta, "createUser"); op.Body == nil || !op.Body.Required || !cmp.Equal(op.Body.Media[0].Secrets, []string{"/credentials/password/value"}) {
		t.Errorf("body of createUser = %+v", op.Body)
	}
}

// A small document must not become an endless one.
func TestParseHostile(t *testing.T) {
	many := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, text string
		check      func(*testing.T, *Index, error)
	}{
		{"many parameters", "openapi: 3.0.0\npaths:\n /:\n  get:\n   operationId: o\n   parameters:\n" +
			many(100_000, func(i int) string { return fmt.Sprintf("   - {name: p%d, in: query}\n", i) }),
			func(t *testing.T, x *Index, err error) {
				if err != nil {
					t.Fatal(err)
				}
				op := mustByID(t, x, "o")
				if len(op.Parameters) != 100_000 {
					t.Errorf("%d parameters", len(op.Parameters))
				}
				if _, err := op.Render([]Param{{"p99999", "query", "1"}}, nil); err != nil {
					t.Error(err)
				}
			}},
		{"paths that share a wide path item", "openapi: 3.0.0\ncomponents:\n pathItems:\n  wide:\n   parameters:\n" +
			many(5_000, func(i int) string { return fmt.Sprintf("   - {name: p%d, in: query}\n", i) }) +
			"   get: {}\npaths:\n" + many(2_000, func(i int) string { return fmt.Sprintf(" /%d: {$ref: '#/components/pathItems/wide'}\n", i) }),
			wantTooLarge},
		{"bodies that share a wide schema", "openapi: 3.0.0\ncomponents:\n schemas:\n  wide:\n   properties:\n" +
			many(1_900, func(i int) string { return fmt.Sprintf("    %d%s: {}\n", i, strings.Repeat("p", 200)) }) +
			"paths:\n" + many(2_000, func(i int) string {
			return fmt.Sprintf(" /%d: {put: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/wide'}}}}}}\n", i)
		}), wantTooLarge},
		{"schemas that all refer to each other", "openapi: 3.0.0\ncomponents:\n schemas:\n" +
			many(60, func(i int) string {
				return fmt.Sprintf("  s%d: {properties: {password: {format: password}}, anyOf: [", i) +
					many(60, func(j int) string { return fmt.Sprintf("{$ref: '#/components/schemas/s%d'},", j) }) + "]}\n"
			}) + "paths:\n" + many(60, func(i int) string {
			return fmt.Sprintf(" /%d: {put: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/s%d'}}}}}}\n", i, i)
		}), func(t *testing.T, x *Index, err error) {
			if err != nil {
				t.Error(err)
			}
		}},
		{"a chain of references", "openapi: 3.0.0\npaths: {/: {get: {operationId: o, parameters: [{$ref: '#/c/0'}]}}}\nc:\n" +
			many(1000, func(i int) string { return fmt.Sprintf(" %d: {$ref: '#/c/%d'}\n", i, i+1) }),
			func(t *testing.T, x *Index, err error) {
				if err != nil || len(mustByID(t, x, "o").Problems) != 1 {
					t.Errorf("%v", err)
				}
			}},
		{"aliases of aliases", "openapi: 3.0.0\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", wantTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := Parse([]byte(tt.text), "api.yaml")
			tt.check(t, x, err)
		})
	}
}

func wantTooLarge(t *testing.T, x *Index, err error) {
	if !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v, %v; want TooLarge", x, err)
	}
}

func FuzzParse(f *testing.F) {
	// Small seeds: the fuzzer spends its time shortening large ones.
	for _, seed := range []string{
		`openapi: 3.1.0
paths:
  /a/{b}:
    $ref: '#/p'
    get: {operationId: x, parameters: [{$ref: '#/q'}, {name: b, in: path, style: matrix, schema: {type: array}}]}
p: {put: {requestBody: {content: {application/json: {schema: {$ref: '#/s'}}}}}}
q: {name: c, in: query, style: deepObject, explode: true}
s: {properties: {a: {format: password}}, allOf: [{$ref: '#/s'}]}`,
		`{"swagger":"2.0","host":"h","paths":{"/a":{"post":{"parameters":[{"name":"a","in":"body","schema":{"$ref":"#/definitions/a"}},{"name":"f","in":"formData","type":"file"}]}}},"definitions":{"a":{"type":"object"}}}`,
		`{openapi: 3.2.0, servers: [{url: '{v}/x', variables: {v: {default: '//h'}}}], paths: {/: {additionalOperations: {COPY: {}}}}}`,
		`{"openapi":"3.0.0","security":[{"a":["b"]}],"components":{"securitySchemes":{"a":{"type":"oauth2","flows":{"x":{"tokenUrl":"/t"}}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Parse(data, "https://example.com/api")
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("internal error: %v", err)
			}
			return
		}
		again, err := Unmarshal(x.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range again.Operations() {
			op, err := again.ByPath(s.Path, s.Method)
			if err != nil {
				t.Fatal(err)
			}
			var params []Param
			for _, p := range op.Parameters {
				params = append(params, Param{p.Name, p.In, "x"})
			}
			req, err := op.Render(params, &Content{Value: map[string]any{"a": "b"}})
			if err == nil && (req.Path == "" || req.Path[0] != '/') {
				t.Errorf("path %q of %q does not begin with /", req.Path, op.Path)
			}
			for _, server := range op.Servers {
				_, _ = ResolveServer(server, x.URL, nil)
			}
			_, _ = x.ByID(s.ID + "x")
		}
	})
}
