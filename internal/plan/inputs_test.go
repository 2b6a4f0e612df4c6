package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// withInputs is a workflow with an inputs schema, in flow style.
func withInputs(t testing.TB, schema string) *plan.Workflow {
	t.Helper()
	return mustBuild(t, `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
components:
  inputs:
    Person: {type: object, required: [login], properties: {login: {type: string, minLength: 3}, active: {type: boolean, default: true}}}
    Loop: {type: object, properties: {next: {$ref: '#/components/inputs/Loop', default: {}}}}
workflows:
  - workflowId: main
    inputs: `+schema+`
    steps: [{stepId: a, operationId: findUsers}]
`).Workflows[0]
}

// object reads a JSON object.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(map[string]any)
}

func TestPrepare(t *testing.T) {
	tests := []struct{ name, schema, given, want string }{
		{"no schema property", "{type: object}", `{"a": 1}`, `{"a": 1}`},
		{"default", "{type: object, properties: {a: {type: string, default: x}}}", `{}`, `{"a": "x"}`},
		{"default does not override null", "{properties: {a: {default: x}}}", `{"a": null}`, `{"a": null}`},
		{"nested default", "{properties: {a: {type: object, properties: {b: {default: [1, 2]}}}}}", `{"a": {}}`, `{"a": {"b": [1, 2]}}`},
		{"default inside a default", "{properties: {a: {default: {}, properties: {b: {default: 1}}}}}", `{}`, `{"a": {"b": 1}}`},
		{"behind a reference", "{properties: {p: {$ref: '#/components/inputs/Person'}}}", `{"p": {"login": "ada"}}`, `{"p": {"login": "ada", "active": true}}`},
		{"the whole behind a reference", "{$ref: '#/components/inputs/Person'}", `{"login": "ada"}`, `{"login": "ada", "active": true}`},
		{"in a part of allOf", "{allOf: [{properties: {a: {default: 1}}}, {properties: {b: {default: 2}}}]}", `{"b": 3}`, `{"a": 1, "b": 3}`},
		{"the first of two defaults", "{properties: {a: {allOf: [{default: 1}, {default: 2}]}}}", `{}`, `{"a": 1}`},
		{"large numbers", "{properties: {n: {type: integer, default: 9007199254740993}}}", `{"m": 1.10}`, `{"m": 1.10, "n": 9007199254740993}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			given := object(t, test.given)
			got, err := withInputs(t, test.schema).Prepare(given)
			if err != nil {
				t.Fatalf("Prepare: %s", fault.Public(err))
			}
			if diff := cmp.Diff(object(t, test.want), got); diff != "" {
				t.Errorf("Prepare (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(object(t, test.given), given); diff != "" {
				t.Errorf("Prepare changed what it was given (-before +after):\n%s", diff)
			}
		})
	}
}

// Problems name the input and the rule, and never show a value.
func TestPrepareProblems(t *testing.T) {
	const marker = "Marker-4711"
	tests := []struct{ name, schema, given, code, says string }{
		{"missing", "{required: [a], properties: {a: {type: string}}}", `{}`, "missing-input", "'a'"},
		{"missing in a part", "{allOf: [{required: [a]}]}", `{}`, "missing-input", "'a'"},
		{"type", "{properties: {a: {type: integer}}}", `{"a": "%s"}`, "invalid-input", "a: got string, want integer"},
		{"enum", "{properties: {a: {enum: [x, y]}}}", `{"a": "%s"}`, "invalid-input", "'x', 'y'"},
		{"const", "{properties: {a: {const: x}}}", `{"a": "%s"}`, "invalid-input", "'x'"},
		{"pattern", "{properties: {a: {pattern: '^x'}}}", `{"a": "%s"}`, "invalid-input", "does not satisfy pattern"},
		{"length", "{properties: {a: {maxLength: 2}}}", `{"a": "%s"}`, "invalid-input", "a: maxLength"},
		{"format as text", "{properties: {a: {type: string, format: password, minLength: 99}}}", `{"a": "%s"}`, "invalid-input", "a: minLength"},
		{"unknown", "{additionalProperties: false}", `{"a": "%s"}`, "invalid-input", "'a'"},
		{"deep", "{properties: {p: {$ref: '#/components/inputs/Person'}}}", `{"p": {"login": 7, "x": "%s"}}`, "invalid-input", "p/login: got number, want string"},
		{"not", "{properties: {a: {not: {type: string}}}}", `{"a": "%s"}`, "invalid-input", "a: "},
		{"numbers", "{properties: {a: {maximum: 5}}}", `{"a": 4711, "b": "%s"}`, "invalid-input", "a: does not satisfy maximum"},
		{"one of", "{properties: {a: {oneOf: [{type: integer}, {pattern: '^x'}]}}}", `{"a": "%s"}`, "invalid-input", "a: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			given := test.given
			if strings.Contains(given, "%s") {
				given = fmt.Sprintf(given, marker)
			}
			_, err := withInputs(t, test.schema).Prepare(object(t, given))
			var problems *plan.InputError
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("Prepare = %v, want problems", err)
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("the error's kind is %v, want invalid", fault.KindOf(err))
			}
			text := err.Error() + fmt.Sprint(problems.Problems)
			if strings.Contains(text, "4711") {
				t.Errorf("the error shows the value: %s", text)
			}
			for _, p := range problems.Problems {
				if p.Code == test.code && strings.Contains(p.Message, test.says) {
					return
				}
			}
			t.Errorf("the problems are %+v, want %s with %q", problems.Problems, test.code, test.says)
		})
	}
}

// Schemas that refer to themselves and each other end.
func TestPrepareOfEndlessSchemas(t *testing.T) {
	got, err := withInputs(t, "{$ref: '#/components/inputs/Loop'}").Prepare(object(t, `{"next": {"next": {}}}`))
	if err != nil && fault.KindOf(err) != fault.Invalid {
		t.Errorf("Prepare = %v, %v", got, err)
	}
}

func TestAccepts(t *testing.T) {
	w := withInputs(t, "{allOf: [{$ref: '#/components/inputs/Person'}], properties: {more: {}}}")
	got := w.Accepts(object(t, `{"login": "ada", "more": 1, "other": 2}`))
	if diff := cmp.Diff(object(t, `{"login": "ada", "more": 1}`), got); diff != "" {
		t.Errorf("Accepts (-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{"login": false, "active": true, "more": true, "other": false} {
		if got := w.Optional(name); got != want {
			t.Errorf("Optional(%s) = %v, want %v", name, got, want)
		}
	}
}

// An optional input that a path cannot do without is missed before anything is sent.
func TestPathNeedsOptionalInput(t *testing.T) {
	w := mustBuild(t, `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: main
    inputs: {properties: {id: {type: string}, q: {type: string}}}
    steps:
      - {stepId: a, operationId: findUsers, parameters: [{name: q, in: query, value: $inputs.q}]}
      - {stepId: b, operationId: getUser, parameters: [{name: id, in: path, value: $inputs.id}]}
`).Workflows[0]
	_, err := w.Prepare(map[string]any{})
	var problems *plan.InputError
	if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Code != "missing-input" || !strings.Contains(problems.Problems[0].Message, "id: step b") {
		t.Errorf("Prepare = %v, want that step b needs id", err)
	}
	if _, err := w.Prepare(map[string]any{"id": json.Number("1")}); err == nil {
		t.Error("Prepare takes a number for a string")
	}
	if _, err := w.Prepare(map[string]any{"id": "x"}); err != nil {
		t.Errorf("Prepare: %v", err)
	}
}
