package arazzo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// withInputs makes a document whose workflow w has the given inputs.
func withInputs(t *testing.T, inputs, components string) (*Document, *Workflow) {
	t.Helper()
	indent := func(text string, by string) string {
		return by + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n"+by)
	}
	text := `arazzo: 1.1.0
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    steps: [{stepId: s, operationId: x}]
    inputs:
` + indent(inputs, "      ") + "\n"
	if components != "" {
		text += "components:\n  inputs:\n" + indent(components, "    ") + "\n"
	}
	d, diags := Parse("f.yaml", []byte(text))
	if HasErrors(diags) {
		t.Fatal(diags)
	}
	return d, d.Workflow("w")
}

func TestInputsSchema(t *testing.T) {
	for _, test := range []struct{ name, inputs, components, want string }{
		{"plain", `{type: object, properties: {a: {type: string, default: 01}}}`, "",
			`{"properties":{"a":{"default":"01","type":"string"}},"type":"object"}`},
		{"boolean", `true`, "", `true`},
		{"reference", `$ref: '#/components/inputs/user'`, `user: {type: object, properties: {name: {$ref: '#/components/inputs/name'}}}
name: {type: string}`,
			`{"$defs":{"name":{"type":"string"},"user":{"properties":{"name":{"$ref":"#/$defs/name"}},"type":"object"}},"$ref":"#/$defs/user"}`},
		{"recursion", `$ref: '#/components/inputs/tree'`, `tree: {properties: {kids: {items: {$ref: '#/components/inputs/tree'}}}}`,
			`{"$defs":{"tree":{"properties":{"kids":{"items":{"$ref":"#/$defs/tree"}}}}},"$ref":"#/$defs/tree"}`},
		{"deeper pointer", `properties: {a: {$ref: '#/components/inputs/user/properties/a~1b'}}`, `user: {properties: {a/b: {type: integer}}}`,
			`{"$defs":{"a_1b":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/a_1b"}}}`},
		{"own definitions", `{$ref: '#/$defs/a', $defs: {a: {type: string}}}`, "", `{"$defs":{"a":{"type":"string"}},"$ref":"#/$defs/a"}`},
		{"names that collide", `{allOf: [{$ref: '#/$defs/a'}, {$ref: '#/components/inputs/a'}], $defs: {a: {type: string}}}`, `a: {minLength: 1}`,
			`{"$defs":{"a":{"type":"string"},"a_2":{"minLength":1}},"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a_2"}]}`},
		{"anchor of a component", `properties: {a: {$ref: '#it'}}`, `x: {properties: {p: {$anchor: it, type: string}}}`,
			`{"$defs":{"it":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/it"}}}`},
		{"own anchor", `properties: {a: {$anchor: it, type: string}, b: {$ref: '#it'}}`, "",
			`{"properties":{"a":{"$anchor":"it","type":"string"},"b":{"$ref":"#it"}}}`},
		{"whole", `properties: {a: {$ref: '#'}}`, "", `{"properties":{"a":{"$ref":"#"}}}`},
		{"by position", `properties: {a: {$ref: '#/workflows/0/inputs/properties/b'}, b: {type: integer}}`, "",
			`{"$defs":{"b":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/b"},"b":{"type":"integer"}}}`},
		{"data is not a reference", `properties: {$ref: {type: string}, a: {const: {$ref: '#/nowhere'}, default: {$ref: other.json}}}`, "",
			`{"properties":{"$ref":{"type":"string"},"a":{"const":{"$ref":"#/nowhere"},"default":{"$ref":"other.json"}}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, w := withInputs(t, test.inputs, test.components)
			schema, err := InputsSchema(d, w)
			if err != nil {
				t.Fatal(err)
			}
			text, err := value.Encode(schema)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(text)); diff != "" {
				t.Errorf("InputsSchema (-want +got):\n%s", diff)
			}
			c := jsonschema.NewCompiler()
			c.DefaultDraft(jsonschema.Draft2020)
			if err := c.AddResource("inputs.json", schema); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Compile("inputs.json"); err != nil {
				t.Errorf("it does not stand on its own: %v", err)
			}
		})
	}
}

func TestInputsSchemaErrors(t *testing.T) {
	for _, test := range []struct {
		inputs, want string
		kind         fault.Kind
	}{
		{`$ref: '#/components/inputs/nobody'`, `f.yaml:8:13: the schema of the inputs refers to "#/components/inputs/nobody", which is not there`, fault.Invalid},
		{`properties: {a: {$ref: '#nobody'}}`, `f.yaml:8:30: the schema of the inputs refers to "#nobody", which is not there`, fault.Invalid},
		{`properties: {a: {$ref: 'https://example.com/a'}}`,
			`f.yaml:8:30: the schema of the inputs refers to "https://example.com/a" in another document; copy it to components.inputs and refer to #/components/inputs/<name>`, fault.Unsupported},
	} {
		d, w := withInputs(t, test.inputs, "")
		_, err := InputsSchema(d, w)
		if fault.Public(err) != test.want || !fault.Is(err, test.kind) {
			t.Errorf("InputsSchema of %s gave %v, want %s", test.inputs, err, test.want)
		}
	}
	d, w := withInputs(t, "{}", "")
	w.Inputs = Any{}
	if schema, err := InputsSchema(d, w); schema != nil || err != nil {
		t.Errorf("InputsSchema without inputs gave %v, %v", schema, err)
	}
}

func TestSecretInputs(t *testing.T) {
	d, w := withInputs(t, `
type: object
properties:
  email: {type: string}
  password: {type: string}
  marked: {type: string, format: password}
  written: {type: string, writeOnly: true}
  credentials: {type: object, properties: {user: {type: string}}}
  tokens: {type: array, items: {type: string}}
  revokeTokens: {type: boolean}
  user:
    type: object
    properties:
      name: {type: string}
      secret: {type: string}
      recovery: {type: object, properties: {answer: {type: string}, recoveryAnswer: {type: string}}}
  people:
    type: array
    items: {type: object, properties: {pin: {type: string}}}
  shared: {$ref: '#/components/inputs/login'}
  tree: {$ref: '#/components/inputs/tree'}
  a/b: {type: object, properties: {apiKey: {type: string}}}
allOf:
  - properties: {extra: {allOf: [{format: password}]}}
`, `login: {type: object, properties: {passCode: {type: string}, hidden: {$ref: '#/components/inputs/hidden'}}}
hidden: {type: string, format: password}
tree: {type: object, properties: {token: {type: string}, kids: {type: array, items: {$ref: '#/components/inputs/tree'}}}}`)
	want := []string{"/password", "/marked", "/written", "/credentials", "/tokens", "/user/secret", "/user/recovery/recoveryAnswer",
		"/people", "/shared/passCode", "/shared/hidden", "/tree/token", "/a~1b/apiKey", "/extra"}
	if diff := cmp.Diff(want, SecretInputs(d, w)); diff != "" {
		t.Errorf("SecretInputs (-want +got):\n%s", diff)
	}
}

func TestSecretNames(t *testing.T) {
	for _, name := range []string{"password", "newPassword", "PASSWORD", "user_passwd", "pwd", "passphrase", "passCode", "mfa_passcode", "pin", "userPin",
		"secret", "clientSecret", "client_secret_value", "oktaApiToken", "token", "accessToken", "refresh-token", "id_token", "bearer", "jwt",
		"apiKey", "api_key", "APIKey", "x-api-key", "apikey", "privateKey", "private_key_pem", "secretKey", "AWS_SECRET_ACCESS_KEY", "credential",
		"credentials", "recoveryAnswer", "security_answer", "backupCodes", "otp", "passwordHash", "authorization", "authorizationCode", "sessionToken"} {
		if !secretName(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range []string{"tokenType", "token_type", "passwordPolicy", "passwordLength", "secretName", "credentialId", "apiKeyId", "keyId", "publicKey",
		"pinned", "spin", "shipping", "nextToken", "page_token", "tokenEndpoint", "passwordExpiresAt", "email", "key", "answer", "code", "countryCode",
		"authorName", "secretary", "hash", "value", "tokenize"} {
		if secretName(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}
