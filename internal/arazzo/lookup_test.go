package arazzo

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lookupDocument = `arazzo: 1.1.0
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml}, {name: api, url: other.yaml}]
workflows:
  - workflowId: w
    parameters:
      - {name: trace, in: header, value: 1}
      - {name: limit, in: query, value: 2}
      - {reference: $components.parameters.page}
    successActions: [{name: done, type: end}, {reference: $components.successActions.log}]
    failureActions: [{name: again, type: retry}]
    steps:
      - stepId: s
        operationId: x
        parameters:
          - {name: TRACE, in: header, value: 3}
          - {name: limit, in: cookie, value: 4}
          - {reference: $components.parameters.page, value: 5}
          - {reference: $components.parameters.nobody}
        onSuccess: [{name: done, type: goto, stepId: t}, {name: own, type: end}]
        onFailure: []
      - stepId: t
        workflowId: v
        parameters: [{name: limit, value: 6}]
        dependsOn: [u]
      - {stepId: u, operationId: x}
      - {stepId: last, operationId: x}
components:
  parameters: {page: {name: page, in: query, value: 7}}
  successActions: {log: {name: log, type: end}}
`

func TestLookups(t *testing.T) {
	d, _ := Parse("f.yaml", []byte(lookupDocument))
	w := d.Workflow("w")
	if w == nil || d.Workflow("nobody") != nil || w.Step("nobody") != nil || d.Source("nobody") != nil {
		t.Fatal("a lookup found what is not there, or not what is")
	}
	if s := d.Source("api"); s == nil || s.URL.Value != "api.yaml" || s.Type.Value != "openapi" || s.Type.Node != nil {
		t.Errorf("Source gave %+v", s)
	}
	type parameter struct {
		In, Name string
		Value    any
		Line     int
	}
	list := func(s *Step) (out []parameter) {
		for _, p := range d.EffectiveParameters(w, s) {
			out = append(out, parameter{p.In.Value, p.Name.Value, p.Value.Value(), p.Line})
		}
		return out
	}
	number := func(s string) json.Number { return json.Number(s) }
	want := []parameter{
		{"header", "TRACE", number("3"), 16}, {"query", "limit", number("2"), 8}, {"query", "page", number("5"), 18}, {"cookie", "limit", number("4"), 17},
	}
	if diff := cmp.Diff(want, list(w.Step("s"))); diff != "" {
		t.Errorf("parameters of an operation (-want +got):\n%s", diff)
	}
	want = []parameter{{"header", "trace", number("1"), 7}, {"", "limit", number("6"), 24}, {"query", "page", number("7"), 9}}
	if diff := cmp.Diff(want, list(w.Step("t"))); diff != "" {
		t.Errorf("parameters of a workflow call (-want +got):\n%s", diff)
	}
	onSuccess, onFailure := d.EffectiveActions(w, w.Step("s"))
	var got []string
	for _, a := range append(onSuccess, onFailure...) {
		got = append(got, a.Name.Value+" "+a.Type.Value)
	}
	if diff := cmp.Diff([]string{"done goto", "own end", "log end", "again retry"}, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestStepOrder(t *testing.T) {
	d, _ := Parse("f.yaml", []byte(lookupDocument))
	var got []string
	steps, ok := StepOrder(d, d.Workflow("w"))
	for _, s := range steps {
		got = append(got, s.ID.Value)
	}
	if diff := cmp.Diff([]string{"s", "u", "t", "last"}, got); diff != "" || !ok {
		t.Errorf("StepOrder (-want +got):\n%s", diff)
	}
	text := `arazzo: 1.1.0
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml}]
workflows:
  - workflowId: w
    steps: [{stepId: a, operationId: x, dependsOn: [b]}, {stepId: b, operationId: x, dependsOn: [a]}]
`
	d, _ = Parse("f.yaml", []byte(text))
	if _, ok := StepOrder(d, d.Workflow("w")); ok {
		t.Error("StepOrder found an order in a circle")
	}
}
