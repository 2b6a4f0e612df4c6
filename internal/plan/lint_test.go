package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// What a step passes to a workflow of another document is held against its
// inputs before anything is sent: a list of thousands would fail one by one.
func TestInputsOfAnotherDocument(t *testing.T) {
	const caller = `arazzo: 1.0.1
info: {title: Caller, version: "1"}
sourceDescriptions: [{name: flows, url: one.yaml, type: arazzo}]
workflows:
  - workflowId: main
    steps:
      - {stepId: call, workflowId: $sourceDescriptions.flows.one, parameters: [PARAMETERS]}
`
	const called = `arazzo: 1.0.1
info: {title: Called, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: one
    inputs: {type: object, required: [id, kind], properties: {id: {type: string}, kind: {default: x}, more: {}}}
    steps: [{stepId: get, operationId: getUser, parameters: [{name: id, in: path, value: $inputs.id}]}]
`
	closed := strings.Replace(called, "required:", "additionalProperties: false, required:", 1)
	for _, test := range []struct {
		name, called, parameters string
		severity                 arazzo.Severity // of the finding
		want                     string          // empty: none
	}{
		{"all that it needs", called, "{name: id, value: a}", arazzo.Error, ""},
		{"one is missing", called, "{name: more, value: a}", arazzo.Error, "without its input id"},
		{"one too many", called, "{name: id, value: a}, {name: mor, value: a}", arazzo.Warning, "did you mean more?"},
		{"one too many, and it takes no others", closed, "{name: id, value: a}, {name: mor, value: a}", arazzo.Error, "did you mean more?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			shelf := files{"one.yaml": test.called, "api.yaml": api}
			text := strings.Replace(caller, "PARAMETERS", test.parameters, 1)
			built, err := plan.Build(context.Background(), shelf, plan.Request{File: "main.arazzo.yaml", Data: []byte(text), Dialect: arazzo.Strict})
			if err != nil {
				t.Fatalf("Build: %s", fault.Public(err))
			}
			found := false
			for _, d := range built.Diagnostics {
				if d.Code != "missing-input" && d.Code != "undeclared-parameter" {
					continue
				}
				found = true
				if test.want == "" || d.Severity != test.severity || !strings.Contains(d.Message, test.want) {
					t.Errorf("%s: %s, want %q", d.Severity, d.Message, test.want)
				}
			}
			if !found && test.want != "" {
				t.Errorf("nothing says %q", test.want)
			}
			if (built.Plan == nil) != (test.want != "" && test.severity == arazzo.Error) {
				t.Errorf("a plan was made: %t", built.Plan != nil)
			}
		})
	}
}
