package config_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

const full = `
sources:
  auth0Api: {file: openapi/auth0.yml}
  other: {url: "https://example.com/api.yaml"}
connections:
  auth0Api:
    server: https://example.eu.auth0.com/api/v2
    auth: {type: client_credentials, clientId: env:AUTH0_CLIENT_ID, clientSecret: env:AUTH0_CLIENT_SECRET, scopes: [read:users]}
  oktaApi:
    server: https://example.okta.com
    auth: {type: ssws, token: env:OKTA_API_TOKEN}
    limits: {share: 50%, rate: 2.5, concurrency: 10}
    timeout: 20
  local:
    server: http://127.0.0.1:9000
    allowPrivate: true
    hosts: [files.example.com]
    variables: {region: eu}
store: sqlite:.lanyard/lanyard.db
data: state
run: {maxSteps: 50, onDoubt: fail, concurrency: 8}
serve: {listen: 127.0.0.1, oktaPort: 9001}
`

func TestParseReadsEverything(t *testing.T) {
	got, err := config.Parse("lanyard.yaml", []byte(full))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	want := &config.Config{
		File:    "lanyard.yaml",
		Sources: map[string]config.Source{"auth0Api": {File: "openapi/auth0.yml"}, "other": {URL: "https://example.com/api.yaml"}},
		Connections: map[string]config.Connection{
			"auth0Api": {
				Server: "https://example.eu.auth0.com/api/v2", Variables: map[string]string{},
				Auth: config.Auth{Type: "client_credentials", ClientID: "env:AUTH0_CLIENT_ID", ClientSecret: "env:AUTH0_CLIENT_SECRET", Scopes: []string{"read:users"}},
			},
			"oktaApi": {
				Server: "https://example.okta.com", Variables: map[string]string{}, Timeout: 20,
				Auth:   config.Auth{Type: "ssws", Token: "env:OKTA_API_TOKEN"},
				Limits: config.Limits{Share: 50, Rate: 2.5, Concurrency: 10},
			},
			"local": {
				Server: "http://127.0.0.1:9000", AllowPrivate: true, Hosts: []string{"files.example.com"},
				Variables: map[string]string{"region": "eu"},
			},
		},
		Store: "sqlite:.lanyard/lanyard.db", Data: "state",
		Run:   config.Run{MaxSteps: 50, OnDoubt: "fail", Concurrency: 8},
		Serve: config.Serve{Listen: "127.0.0.1", OktaPort: 9001},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestParseReportsEveryMistakeWithItsPlace(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // parts of the public text, in any order
	}{
		{"unknown key", "conections: {}", []string{`lanyard.yaml:1:1`, `no key "conections"`, "connections"}},
		{"two mistakes", "store: mysql:x\nrun: {maxSteps: lots}", []string{"lanyard.yaml:1:8", "lanyard.yaml:2:17"}},
		{"password of a store", "store: postgres://u:s3cr3t@h/d", []string{"password must not stand", "env:NAME"}},
		{"store of another kind", "store: mysql://h/d", []string{"not known", "postgres://"}},
		{"literal credential", "connections: {o: {auth: {type: ssws, token: s3cr3t-value}}}", []string{"must be a reference", "env:NAME"}},
		{"missing field", "connections: {o: {auth: {type: basic, username: x}}}", []string{"needs password"}},
		{"no type", "connections: {o: {auth: {token: env:X}}}", []string{"needs a type"}},
		{"server", "connections: {o: {server: example.com}}", []string{"base URL"}},
		{"server with credential", "connections: {o: {server: 'https://u:p@example.com'}}", []string{"base URL"}},
		{"share", "connections: {o: {limits: {share: 0.5}}}", []string{"50%"}},
		{"share of nothing", "connections: {o: {limits: {share: 0%}}}", []string{"from 1% to 100%"}},
		{"rate", "connections: {o: {limits: {rate: -1}}}", []string{"requests a second"}},
		{"source of two kinds", "sources: {a: {file: x, url: y}}", []string{"either file or url"}},
		{"a list instead of a mapping", "connections: [a]", []string{"mapping of names"}},
		{"choice", "run: {onDoubt: guess}", []string{`"guess"`, "hold, fail"}},
		{"duplicate", "data: a\ndata: b", []string{"twice"}},
		{"literal key", "connections: {o: {auth: {type: private_key_jwt, clientId: x, privateKey: s3cr3t}}}", []string{"must be a reference"}},
		{"null instead of a credential", "connections: {o: {auth: {type: ssws, token: }}}", []string{"needs token"}},
		{"field of another kind", "connections: {o: {auth: {type: basic, username: x, password: env:P, token: env:T}}}", []string{"no use for token"}},
		{"unknown kind", "connections: {o: {auth: {type: oauth, token: env:T}}}", []string{`"oauth"`, "client_credentials"}},
		{"host", "connections: {o: {hosts: [example.com, '*.example.com']}}", []string{"lanyard.yaml:1:40", "not a host"}},
		{"rate of words", "connections: {o: {limits: {rate: 10/day}}}", []string{"600/min"}},
		{"flag", "serve: {tls: 1}", []string{"true or false"}},
		{"text", "data: [a]", []string{"must be text"}},
		{"scopes", "connections: {o: {auth: {type: client_credentials, clientId: a, clientSecret: env:B, scopes: x}}}", []string{"must be a list"}},
		{"empty", "", []string{"empty"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse("lanyard.yaml", []byte(tt.text))
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("Parse = %v, want an Invalid fault", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(fault.Public(err), part) {
					t.Errorf("Parse = %q, want it to contain %q", fault.Public(err), part)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("Parse shows a credential: %q", err)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.yaml")
	if c, err := config.Load(missing, false); err != nil || len(c.Connections) != 0 {
		t.Errorf("Load(missing default) = %v, %v; want an empty configuration", c, err)
	}
	if _, err := config.Load(missing, true); !fault.Is(err, fault.Usage) {
		t.Errorf("Load(missing, named) = %v, want a Usage fault", err)
	}
	file := filepath.Join(dir, "lanyard.yaml")
	if err := os.WriteFile(file, []byte("data: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := config.Load(file, true); err != nil || c.Data != filepath.Join(dir, "x") || c.File != file {
		t.Errorf("Load = %+v, %v; want data x in the file's folder", c, err)
	}
}

func TestPathsStartAtTheFile(t *testing.T) {
	dir := filepath.FromSlash("/etc/lanyard")
	c, err := config.Parse(filepath.Join(dir, "lanyard.yaml"), []byte(`
sources: {a: {file: api.yaml}, b: {file: /abs/api.yaml}}
connections: {o: {auth: {type: private_key_jwt, clientId: x, privateKey: file:keys/k.pem}}, p: {auth: {type: ssws, token: env:a/b}}}
data: d
store: sqlite:d/x.db
`))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Sources["a"].File, c.Sources["b"].File, c.Connections["o"].Auth.PrivateKey, c.Connections["p"].Auth.Token, c.Data, c.Store}
	want := []string{dir + "/api.yaml", "/abs/api.yaml", "file:" + dir + "/keys/k.pem", "env:a/b", dir + "/d", "sqlite:" + dir + "/d/x.db"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]float64{"2.5": 2.5, "10/s": 10, "600/min": 10, "7200/h": 2} {
		c, err := config.Parse("lanyard.yaml", []byte("connections: {o: {limits: {rate: "+text+"}}}"))
		if err != nil || c.Connections["o"].Limits.Rate != want {
			t.Errorf("rate %s = %v, %v; want %v a second", text, c, err, want)
		}
	}
}

// TestSchema holds schema.json to the reader: the same keys everywhere, and the
// same verdict on the texts of the other tests.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	defs := root["$defs"].(map[string]any)
	for text, object := range map[string]any{
		"zz: 1":                               root,
		"sources: {a: {zz: 1}}":               defs["source"],
		"connections: {a: {zz: 1}}":           defs["connection"],
		"connections: {a: {auth: {zz: 1}}}":   defs["auth"],
		"connections: {a: {limits: {zz: 1}}}": defs["limits"],
		"run: {zz: 1}":                        defs["run"],
		"serve: {zz: 1}":                      defs["serve"],
	} {
		_, err := config.Parse("lanyard.yaml", []byte(text))
		_, list, _ := strings.Cut(fault.Public(err), "use one of ")
		list, _, _ = strings.Cut(list, "\n")
		properties := slices.Sorted(maps.Keys(object.(map[string]any)["properties"].(map[string]any)))
		if want := strings.Join(properties, ", "); list != want {
			t.Errorf("%s: the reader knows %s, the schema %s", text, list, want)
		}
	}
	verdict := func(text string) error {
		node, err := value.ParseYAML([]byte(text), "lanyard.yaml")
		if err != nil {
			return err
		}
		return schema.Validate(value.FromYAML(node))
	}
	if err := verdict(full); err != nil {
		t.Errorf("the schema refuses a right file: %v", err)
	}
	for _, text := range []string{
		"store: mysql:x", "run: {maxSteps: lots}", "run: {onDoubt: guess}", "serve: {tls: 1}", "data: [a]", "connections: [a]",
		"connections: {o: {auth: {type: ssws, token: s3cr3t-value}}}", "connections: {o: {auth: {type: basic, username: x}}}",
		"connections: {o: {auth: {token: env:X}}}", "connections: {o: {server: example.com}}",
		"connections: {o: {auth: {type: basic, username: x, password: env:P, token: env:T}}}",
		"connections: {o: {limits: {share: 0%}}}", "connections: {o: {limits: {share: 0.5}}}", "connections: {o: {limits: {rate: -1}}}",
		"sources: {a: {file: x, url: y}}",
	} {
		if verdict(text) == nil {
			t.Errorf("the schema accepts %s", text)
		}
		if _, err := config.Parse("lanyard.yaml", []byte(text)); err == nil {
			t.Errorf("the reader accepts %s", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("connections: {o: {auth: {type: ssws, token: x}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("lanyard.yaml", data)
		if (c == nil) == (err == nil) {
			t.Errorf("Parse = %v, %v; want one of them", c, err)
		}
	})
}
