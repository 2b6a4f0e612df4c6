package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/sources"
)

// api is the description of the source api; other has one operation of the same id.
const api = `
openapi: 3.1.0
info: {title: API, version: "1"}
servers: [{url: "https://api.test"}]
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
paths:
  /users:
    get:
      operationId: findUsers
      parameters: [{name: q, in: query, schema: {type: string}}]
      responses: {"200": {description: Found.}}
    post:
      operationId: createUser
      security: [{key: []}]
      parameters: [{name: X-Key, in: header, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [login], properties: {login: {type: string}}}}}
      responses: {"201": {description: Made.}}
  /users/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getUser, responses: {"200": {description: It.}}}
    delete: {operationId: deleteUser, responses: {"204": {description: Gone.}}}
`

const other = `
openapi: 3.1.0
info: {title: Other, version: "1"}
servers: [{url: "https://other.test"}]
paths:
  /users: {get: {operationId: findUsers, responses: {"200": {description: Found.}}}}
`

// files is a plan.Loader over texts.
type files map[string]string

func (f files) Load(_ context.Context, ref sources.Ref) (*sources.Source, error) {
	text, ok := f[ref.URL]
	if !ok {
		return nil, fault.New(fault.NotFound, "the source %s cannot be read", ref.Name).Fix("name another file")
	}
	s := &sources.Source{Name: ref.Name, Location: "https://files.test/" + ref.URL, Digest: openapi.Digest([]byte(text)), Data: []byte(text)}
	if ref.Type == "arazzo" {
		return s, nil
	}
	index, err := openapi.Parse([]byte(text), s.Location)
	s.Index = index
	return s, err
}

// base is a document that everything is tried on.
const base = `arazzo: 1.1.0
info: {title: Base, version: "1"}
sourceDescriptions:
  - {name: api, url: api.yaml, type: openapi}
  - {name: flows, url: flows.yaml, type: arazzo}
workflows:
  - workflowId: main
    inputs: {type: object, properties: {id: {type: string}}}
    steps:
      - stepId: find
        operationId: $sourceDescriptions.api.findUsers
        parameters: [{name: q, in: query, value: "login eq \"{$inputs.id}\""}]
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {id: $response.body#/0/id}
      - stepId: make
        operationId: $sourceDescriptions.api.createUser
        parameters: [{name: X-Key, in: header, value: k}]
        requestBody:
          contentType: application/json
          payload: {login: ada}
          replacements: [{target: /login, value: $inputs.id}]
        x-lanyard-idempotency:
          done: [409]
          lookup: {operationId: $sourceDescriptions.api.findUsers, parameters: [{name: q, in: query, value: $inputs.id}], found: $response.body#/0 != null, body: $response.body#/0}
        onFailure: [{reference: $components.failureActions.again}]
      - stepId: call
        workflowId: $sourceDescriptions.flows.helper
        parameters: [{name: id, value: $inputs.id}]
      - stepId: last
        operationPath: "{$sourceDescriptions.api.url}#/paths/~1users~1{id}/get"
        parameters: [{reference: $components.parameters.id}]
        onSuccess: [{name: over, type: end}]
    outputs: {id: $steps.find.outputs.id}
  - workflowId: second
    steps: [{stepId: only, operationId: $sourceDescriptions.api.findUsers}]
components:
  parameters: {id: {name: id, in: path, value: $inputs.id}}
  failureActions: {again: {name: again, type: retry, retryAfter: 1.5, retryLimit: 4}}
`

const flows = `arazzo: 1.1.0
info: {title: Flows, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: helper
    inputs: {type: object, properties: {id: {type: string}}}
    steps: [{stepId: get, operationId: getUser, parameters: [{name: id, in: path, value: $inputs.id}]}]
`

var shelf = files{"api.yaml": api, "other.yaml": other, "flows.yaml": flows}

func build(t testing.TB, text string, change func(*plan.Request)) *plan.Result {
	t.Helper()
	req := plan.Request{File: "main.arazzo.yaml", Data: []byte(text), Dialect: arazzo.Strict}
	if change != nil {
		change(&req)
	}
	built, err := plan.Build(context.Background(), shelf, req)
	if err != nil {
		t.Fatalf("Build: %s", fault.Public(err))
	}
	return built
}

func mustBuild(t testing.TB, text string) *plan.Plan {
	t.Helper()
	built := build(t, text, nil)
	if err := built.Err(); err != nil {
		t.Fatalf("Build: %s", fault.Public(err))
	}
	return built.Plan
}

// edit replaces one place of a text.
func edit(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the document, want once", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

// codes lists the errors, or all findings, by code.
func codes(diags []arazzo.Diagnostic, errors bool) []string {
	var out []string
	for _, d := range diags {
		if !errors || d.Severity == arazzo.Error {
			out = append(out, d.Code)
		}
	}
	return out
}

// A stored plan is the plan that was built.
func TestCompileOfStoredPlan(t *testing.T) {
	p := mustBuild(t, base)
	data, digest, err := p.Bundle.Encode()
	if err != nil || digest != p.Digest {
		t.Fatalf("Encode = %s, %v, want the plan's digest %s", digest, err, p.Digest)
	}
	bundle, err := plan.DecodeBundle(data)
	if err != nil {
		t.Fatalf("DecodeBundle: %s", fault.Public(err))
	}
	again, diags := plan.Compile(bundle)
	if again == nil {
		t.Fatalf("Compile: %v", diags)
	}
	if again.Digest != p.Digest {
		t.Errorf("the digest is %s after storing, was %s", again.Digest, p.Digest)
	}
	if diff := cmp.Diff(outline(p), outline(again)); diff != "" {
		t.Errorf("the plan differs after storing (-built +stored):\n%s", diff)
	}
	if other := mustBuild(t, edit(t, base, "login: ada", "login: eve")); other.Digest == p.Digest {
		t.Error("another document has the same digest")
	}
}

// outline is what can be compared of a plan.
func outline(p *plan.Plan) any {
	type step struct {
		ID, Operation, Source string
		Workflow              int
		Params                []string
		Body                  string
		Criteria, Done        int
		OnSuccess, OnFailure  []plan.ActionKind
		Retry                 any
		Outputs               []string
	}
	out := map[string]any{"title": p.Title, "main": p.Main, "forecast": p.Forecast()}
	for _, w := range p.Workflows {
		var steps []step
		for _, s := range w.Steps {
			o := step{ID: s.ID, Workflow: s.Workflow, Criteria: len(s.Criteria)}
			if s.Operation != nil {
				o.Operation, o.Source = s.Operation.Name()+s.Operation.Method+s.Operation.Path, s.Operation.Source+s.Operation.SourceURL
			}
			for _, q := range s.Params {
				o.Params = append(o.Params, q.In+" "+q.Name)
			}
			if s.Body != nil {
				o.Body = s.Body.Type
			}
			if s.Idempotency != nil {
				o.Done = len(s.Idempotency.Done)
			}
			for _, a := range s.OnSuccess {
				o.OnSuccess = append(o.OnSuccess, a.Kind)
			}
			for _, a := range s.OnFailure {
				o.OnFailure, o.Retry = append(o.OnFailure, a.Kind), []any{a.RetryAfter, a.RetryLimit}
			}
			for _, q := range s.Outputs {
				o.Outputs = append(o.Outputs, q.Name)
			}
			steps = append(steps, o)
		}
		out[w.Document+" "+w.ID] = []any{w.Index, steps, w.Secrets, w.DependsOn}
	}
	return out
}

// What Check lets through, or a stored document could hold, Compile refuses.
func TestCompileRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"main workflow", "workflowId: main", "workflowId: renamed", "unknown-workflow"},
		{"workflow of the document", "$sourceDescriptions.flows.helper", "nowhere", "unknown-workflow"},
		{"workflow of a source", "flows.helper", "flows.nowhere", "unknown-workflow"},
		{"source of a workflow", "$sourceDescriptions.flows.helper", "$sourceDescriptions.api.helper", "unknown-source"},
		{"workflow that calls itself", "$sourceDescriptions.flows.helper", "main", "workflow-cycle"},
		{"inputs schema", "inputs: {type: object, properties", "inputs: {type: 7, properties", "schema"},
		{"inputs schema elsewhere", "{id: {type: string}}}\n    steps:\n      - stepId: find", "{id: {$ref: 'https://x.test/s.json'}}}\n    steps:\n      - stepId: find", "schema"},
		{"AsyncAPI step", "operationId: $sourceDescriptions.api.findUsers\n        parameters: [{name: q, in: query, value: \"", "action: send\n        channelPath: x\n        parameters: [{name: q, in: query, value: \"", "unsupported-step"},
		{"steps that wait for each other", "operationId: $sourceDescriptions.api.findUsers\n        parameters: [{name: q, in: query, value: \"", "dependsOn: [find]\n        operationId: $sourceDescriptions.api.findUsers\n        parameters: [{name: q, in: query, value: \"", "dependency-cycle"},
		{"a step of another workflow", "operationId: $sourceDescriptions.api.createUser", "dependsOn: [$workflows.second.steps.only]\n        operationId: $sourceDescriptions.api.createUser", "unsupported-step"},
		{"operationPath", "#/paths/~1users~1{id}/get", "#/components/x", "bad-expression"},
		{"operationPath without a source", `"{$sourceDescriptions.api.url}#/paths/~1users~1{id}/get"`, `"x.yaml#/paths/~1users/get"`, "bad-expression"},
		{"operation", "$sourceDescriptions.api.createUser", "$sourceDescriptions.api.nothing", "unknown-operation"},
		{"parameter component", "$components.parameters.id", "$components.parameters.none", "unknown-component"},
		{"action component", "$components.failureActions.again", "$components.failureActions.none", "unknown-component"},
		{"parameter", "{name: X-Key, in: header, value: k}", "{name: X-Key, in: header, value: '{$steps.}'}", "bad-expression"},
		{"payload", "payload: {login: ada}", "payload: {login: '{$steps.}'}", "bad-expression"},
		{"media type", "contentType: application/json", "contentType: json", "undeclared-parameter"},
		{"replacement", "value: $inputs.id}]\n        x-lan", "value: '{$steps.}'}]\n        x-lan", "bad-expression"},
		{"pointer", "target: /login", "target: login", "bad-pointer"},
		{"selector", "{target: /login,", "{target: '$..[', targetSelectorType: jsonpath,", "bad-selector"},
		{"criterion", "condition: $statusCode == 200", "condition: $statusCode ==", "bad-condition"},
		{"output", "outputs: {id: $response.body#/0/id}", "outputs: {id: '{$steps.}'}", "bad-expression"},
		{"target step", "{name: over, type: end}", "{name: over, type: goto, stepId: none}", "unknown-step"},
		{"rule that is no mapping", "x-lanyard-idempotency:\n          done: [409]", "x-lanyard-idempotency: yes\n        x-other:", "schema"},
		{"rule that says nothing", "x-lanyard-idempotency:\n          done: [409]", "x-lanyard-idempotency: {}\n        x-other:", "schema"},
		{"rule with an unknown field", "done: [409]", "doing: [409]", "schema"},
		{"statuses that are no list", "done: [409]", "done: 409", "schema"},
		{"statuses that are none", "done: [409]", "done: [7]", "schema"},
		{"statuses that are text", "done: [409]", "done: ['409']", "schema"},
		{"key without header", "done: [409]", "key: k", "schema"},
		{"header without key", "done: [409]", "header: Idempotency-Key", "schema"},
		{"header that is no text", "done: [409]", "key: k\n          header: 7", "schema"},
		{"key that does not read", "done: [409]", "key: '{$steps.}'\n          header: H", "schema"},
		{"look-up without an operation", "lookup: {operationId: $sourceDescriptions.api.findUsers, ", "lookup: {", "schema"},
		{"look-up that is no mapping", "lookup: {operationId: $sourceDescriptions.api.findUsers, parameters: [{name: q, in: query, value: $inputs.id}], found: $response.body#/0 != null, body: $response.body#/0}", "lookup: find", "schema"},
		{"look-up that writes", "lookup: {operationId: $sourceDescriptions.api.findUsers", "lookup: {operationId: $sourceDescriptions.api.createUser", "schema"},
		{"look-up of an unknown operation", "lookup: {operationId: $sourceDescriptions.api.findUsers", "lookup: {operationId: $sourceDescriptions.api.none", "unknown-operation"},
		{"look-up with a bad path", "lookup: {operationId: $sourceDescriptions.api.findUsers", "lookup: {operationPath: x", "schema"},
		{"look-up with an unknown field", "found: $response.body#/0 != null", "find: $response.body#/0 != null", "schema"},
		{"look-up found", "found: $response.body#/0 != null", "found: $response.body#/0 !=", "schema"},
		{"look-up found of another type", "found: $response.body#/0 != null", "found: true", "schema"},
		{"look-up body", "body: $response.body#/0}", "body: $response.}", "schema"},
		{"look-up body of another type", "body: $response.body#/0}", "body: [1]}", "schema"},
		{"look-up parameters", "parameters: [{name: q, in: query, value: $inputs.id}]", "parameters: {q: 1}", "schema"},
		{"look-up parameter", "parameters: [{name: q, in: query, value: $inputs.id}]", "parameters: [{name: q, value: $inputs.id}]", "schema"},
	}
	stored := mustBuild(t, base).Bundle
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, _, err := stored.Encode()
			if err != nil {
				t.Fatal(err)
			}
			bundle, err := plan.DecodeBundle(data)
			if err != nil {
				t.Fatal(err)
			}
			bundle.Documents[0].Text = edit(t, bundle.Documents[0].Text, test.old, test.new)
			p, diags := plan.Compile(bundle)
			if p != nil {
				t.Fatalf("Compile gave a plan, want %s", test.want)
			}
			for _, d := range diags {
				if d.Code == test.want && d.Severity == arazzo.Error && (d.Line > 0 || test.name == "main workflow") {
					return
				}
			}
			t.Errorf("Compile found %v, want %s with a line", diags, test.want)
		})
	}
}

// An operation that two sources have, in a document that was stored before it
// was checked for that.
func TestCompileRefusesAmbiguousOperation(t *testing.T) {
	const text = `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}, {name: other, url: other.yaml, type: openapi}]
workflows:
  - workflowId: main
    steps:
      - {stepId: a, operationId: $sourceDescriptions.api.findUsers}
      - {stepId: b, operationId: $sourceDescriptions.other.findUsers}
`
	bundle := *mustBuild(t, text).Bundle
	bundle.Documents[0].Text = edit(t, bundle.Documents[0].Text, "$sourceDescriptions.api.findUsers", "findUsers")
	if _, diags := plan.Compile(&bundle); !contains(codes(diags, true), "ambiguous-operation") {
		t.Errorf("Compile found %v, want ambiguous-operation", diags)
	}
}

// What only the sources can tell is refused when a plan is built.
func TestBuildRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"source that cannot be read", "url: api.yaml", "url: none.yaml", "source-unreadable"},
		{"operation that is in no source", "api.createUser", "api.nothing", "unknown-operation"},
		{"operation that is in two sources", "$sourceDescriptions.api.findUsers\n        parameters: [{name: q, in: query, value: \"", "findUsers\n        parameters: [{name: q, in: query, value: \"", "unqualified-operation"},
		{"required parameter", "parameters: [{reference: $components.parameters.id}]", "description: x", "required-parameter"},
		{"required parameter that a credential may supply", "parameters: [{name: X-Key, in: header, value: k}]", "description: x", "required-parameter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := edit(t, base, test.old, test.new)
			if test.want == "unqualified-operation" {
				text = edit(t, text, "  - {name: flows,", "  - {name: other, url: other.yaml, type: openapi}\n  - {name: flows,")
			}
			built := build(t, text, nil)
			if built.OK() || !fault.Is(built.Err(), fault.Invalid) {
				t.Fatalf("Build = %v, want a refusal", built.Err())
			}
			if got := codes(built.Diagnostics, true); !contains(got, test.want) {
				t.Errorf("Build found %v, want %s", built.Diagnostics, test.want)
			}
			if !strings.Contains(built.Err().Error(), "main.arazzo.yaml:") {
				t.Errorf("the error names no place: %s", built.Err())
			}
		})
	}
}

// What the descriptions say and a run can do without is a warning.
func TestLintWarns(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"body that is missing", "requestBody:\n          contentType: application/json\n          payload: {login: ada}\n          replacements: [{target: /login, value: $inputs.id}]\n", "description: x\n", "required-body-property"},
		{"property that is missing", "payload: {login: ada}\n          replacements: [{target: /login, value: $inputs.id}]", "payload: {email: ada}", "required-body-property"},
		{"parameter that is not declared", "{name: X-Key, in: header, value: k}", "{name: X-Key, in: header, value: k}, {name: X-More, in: header, value: m}", "undeclared-parameter"},
		{"status that is not declared", "condition: $statusCode == 200", "condition: $statusCode == 202", "undeclared-status"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			built := build(t, edit(t, base, test.old, test.new), nil)
			if !contains(codes(built.Diagnostics, false), test.want) {
				t.Errorf("Build found %v, want %s", built.Diagnostics, test.want)
			}
			if contains(codes(built.Diagnostics, true), test.want) && test.name != "body that is missing" {
				t.Errorf("%s is an error, want a warning", test.want)
			}
		})
	}
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func TestProfile(t *testing.T) {
	if _, err := plan.Build(context.Background(), shelf, plan.Request{File: "x", Data: []byte(base), Profile: plan.Profile{OnDoubt: "guess", MaxSteps: -1}}); !fault.Is(err, fault.Invalid) ||
		!strings.Contains(err.Error(), "onDoubt") || !strings.Contains(err.Error(), "maxSteps") {
		t.Errorf("Build with a bad profile = %v, want both mistakes", err)
	}
	built := build(t, base, func(r *plan.Request) { r.Profile = plan.Profile{MaxRetries: 2}; r.Workflow = "main" })
	if got := built.Plan.Workflows[0].Steps[1].OnFailure[0].RetryLimit; got != 2 {
		t.Errorf("the limit of retries is %d, want the profile's 2", got)
	}
	if got := build(t, base, func(r *plan.Request) { r.Workflow = "second" }).Plan.Workflows[0].ID; got != "second" {
		t.Errorf("the main workflow is %s, want second", got)
	}
	if got := codes(build(t, base, func(r *plan.Request) { r.Workflow = "third" }).Diagnostics, true); !contains(got, "unknown-workflow") {
		t.Errorf("Build with an unknown workflow found %v", got)
	}
}

func TestForecast(t *testing.T) {
	if diff := cmp.Diff(plan.Forecast{Straight: 4, WithRetries: 8}, mustBuild(t, base).Forecast()); diff != "" {
		t.Errorf("Forecast (-want +got):\n%s", diff)
	}
	loops := edit(t, base, "{name: over, type: end}", "{name: back, type: goto, stepId: find, criteria: [{condition: $statusCode == 299}]}")
	if !mustBuild(t, loops).Forecast().Loops {
		t.Error("Forecast does not see a loop")
	}
	// Each workflow calls the next one twice: counting must not unfold that.
	var doubling strings.Builder
	doubling.WriteString("arazzo: 1.0.1\ninfo: {title: t, version: '1'}\nsourceDescriptions: [{name: api, url: api.yaml, type: openapi}]\nworkflows:\n")
	for i := range 70 {
		to := "workflowId: w" + string(rune('A'+(i+1)/26)) + string(rune('a'+(i+1)%26))
		if i == 69 {
			to = "operationId: findUsers"
		}
		doubling.WriteString("  - workflowId: w" + string(rune('A'+i/26)) + string(rune('a'+i%26)) + "\n    steps: [{stepId: a, " + to + "}, {stepId: b, " + to + "}]\n")
	}
	if got := mustBuild(t, doubling.String()).Forecast(); got.Straight != int(^uint(0)>>1) {
		t.Errorf("Forecast of 2^70 calls = %d, want the largest int", got.Straight)
	}
}

func TestDecodeBundleRefuses(t *testing.T) {
	tests := []struct {
		data string
		want fault.Kind
	}{
		{"", fault.Internal},
		{"[]", fault.Internal},
		{`{"format": 2, "documents": [{}]}`, fault.Unsupported},
		{`{"format": 1}`, fault.Internal},
		{`{"format": 1, "documents": [{"sources": [{"document": 1}]}]}`, fault.Internal},
		{`{"format": 1, "documents": [{"sources": [{"document": -1}]}]}`, fault.Internal},
		{`{"format": 1, "documents": [{"sources": [{"operations": {"a": null}}]}]}`, fault.Internal},
		{`{"format": 1, "documents": [{}], "profile": {"onDoubt": "guess"}}`, fault.Invalid},
	}
	for _, test := range tests {
		if _, err := plan.DecodeBundle([]byte(test.data)); !fault.Is(err, test.want) {
			t.Errorf("DecodeBundle(%s) = %v, want kind %v", test.data, err, test.want)
		}
	}
}

// FuzzDecodeBundle: whatever the store gives back, reading it ends.
func FuzzDecodeBundle(f *testing.F) {
	data, _, err := mustBuild(f, base).Bundle.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"workflow":"a","documents":[{"text":"arazzo: 1.0.1\nworkflows: [{workflowId: a, steps: [{stepId: b, operationId: c}]}]","sources":[{"operations":{"c":{}}}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := plan.DecodeBundle(data)
		if err != nil {
			return
		}
		p, diags := plan.Compile(b)
		if p == nil && len(diags) == 0 {
			t.Error("Compile gives neither a plan nor a reason")
		}
		if p != nil {
			p.Forecast()
			if _, err := p.Workflows[p.Main].Prepare(nil); err != nil && fault.KindOf(err) == fault.Internal {
				t.Errorf("Prepare: %v", err)
			}
		}
	})
}
