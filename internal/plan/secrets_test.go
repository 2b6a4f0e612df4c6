package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/plan"
)

func TestSecrets(t *testing.T) {
	p := drivertest.Plan(t, `
workflows:
  - workflowId: main
    inputs:
      type: object
      properties:
        user: {type: string}
        word: {type: string, format: password}
        person: {type: object, properties: {phrase: {type: string, writeOnly: true}, name: {type: string}}}
    steps:
      - {stepId: open, operationId: createItem, requestBody: {payload: {name: $inputs.user, who: $inputs.person#/name}}, outputs: {code: $response.body#/otp, id: $response.body#/id}}
      - {stepId: body, operationId: createItem, requestBody: {payload: {name: "x{$inputs.word}"}}, outputs: {all: $request.body}}
      - {stepId: path, operationId: putItem, parameters: [{name: id, in: path, value: $inputs.person#/phrase}], requestBody: {payload: {a: 1}}}
      - {stepId: whole, operationId: createItem, requestBody: {payload: $inputs.person}}
      - {stepId: replaced, operationId: createItem, requestBody: {payload: {a: b}, replacements: [{target: /a, value: $inputs.word}]}}
      - {stepId: key, operationId: createItem, requestBody: {payload: {a: b}}, x-lanyard-idempotency: {key: $inputs.word, header: Idempotency-Key}}
      - {stepId: handed, operationId: createItem, requestBody: {payload: $steps.body.outputs.all}}
      - {stepId: answer, operationId: createItem, requestBody: {payload: {a: $steps.open.outputs.code}}}
      - {stepId: sub, workflowId: other, parameters: [{name: given, value: $inputs.word}, {name: plain, value: $inputs.user}]}
    outputs: {code: $steps.open.outputs.code, id: $steps.open.outputs.id}
  - workflowId: other
    inputs: {type: object, properties: {given: {type: string}, plain: {type: string}}}
    steps:
      - {stepId: inner, operationId: createItem, requestBody: {payload: {a: $inputs.given}}}
      - {stepId: harmless, operationId: createItem, requestBody: {payload: {a: $inputs.plain}}}
`, plan.Profile{})
	received := func(s *plan.Secrets) (out []string) {
		for _, w := range p.Workflows {
			for _, step := range w.Steps {
				if step.Operation != nil && s.Receives(w, step) {
					out = append(out, step.ID)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	want := []string{"body", "handed", "inner", "key", "path", "replaced", "whole"}
	if diff := cmp.Diff(want, received(p.InputSecrets())); diff != "" {
		t.Errorf("steps that receive secret inputs (-want +got):\n%s", diff)
	}
	all := p.AllSecrets()
	if diff := cmp.Diff(append([]string{"answer"}, want...), received(all)); diff != "" {
		t.Errorf("steps that receive secrets (-want +got):\n%s", diff)
	}
	main := p.Workflows[p.Main]
	for name, want := range map[string]bool{"code": true, "id": false} {
		if all.Output(main, "", name) != want || all.Output(main, "open", name) != want {
			t.Errorf("output %s is secret: %v, want %v", name, !want, want)
		}
		if p.InputSecrets().Output(main, "", name) {
			t.Errorf("output %s counts as a secret input", name)
		}
	}
}
