package plan_test

import (
	"strings"
	"testing"
)

// computing is a document with a step that only computes.
const computing = `arazzo: 1.0.1
info: {title: Computes, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: main
    inputs:
      type: object
      properties:
        rows: {type: array}
        password: {type: string, format: password}
    steps:
      - stepId: shape
        x-lanyard-compute:
          with: {rows: $inputs.rows, hidden: $inputs.password}
          ids: rows.map(r, r.id)
          loud: hidden.upperAscii()
          direct: size(inputs.password)
          all: inputs.map(k, k)
          named: rows.map(r, r.client_secret)
      - stepId: again
        x-lanyard-compute: {copy: "steps.shape.outputs.loud + '!'", plain: size(steps.shape.outputs.ids)}
    outputs: {ids: $steps.shape.outputs.ids, copy: $steps.again.outputs.copy}
`

// What is computed from a secret is one, however it is reached.
func TestComputedSecrets(t *testing.T) {
	p := mustBuild(t, computing)
	main, secrets := p.Workflows[p.Main], p.AllSecrets()
	for _, test := range []struct {
		step, name string
		want       bool
	}{
		{"shape", "ids", false}, {"shape", "loud", true}, {"shape", "direct", true}, {"shape", "all", true}, {"shape", "named", true},
		{"again", "copy", true}, {"again", "plain", false}, {"", "copy", true}, {"", "ids", false},
	} {
		if got := secrets.Output(main, test.step, test.name); got != test.want {
			t.Errorf("output %s of step %q is a secret: %v, want %v", test.name, test.step, got, test.want)
		}
	}
	if f := p.Forecast(); f.Straight != 0 || f.Loops {
		t.Errorf("Forecast = %+v, want no calls", f)
	}
}

func TestComputeRefused(t *testing.T) {
	for _, test := range []struct{ name, old, with, want string }{
		{"syntax", "rows.map(r, r.id)", "rows.map(r, r.id", ":15:32: the expression of output ids: Syntax error"},
		{"variable", "rows.map(r, r.id)", "rowz.map(r, r.id)", ":15:16: the expression of output ids: there is no variable or function rowz"},
		{"quoted", "rows.map(r, r.id)", `"rows.map(r, s.id)"`, ":15:29: the expression of output ids: there is no variable or function s"},
		{"input", "size(inputs.password)", "size(inputs.pasword)", "the workflow declares no input pasword"},
		{"output", "size(steps.shape.outputs.ids)", "size(steps.shape.outputs.idz)", "the step shape has no output idz"},
		{"order", "rows.map(r, r.id)", "steps.again.outputs.plain", "has not run by then"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := build(t, edit(t, computing, test.old, test.with), nil).Err()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Build = %v, want %q in it", err, test.want)
			}
		})
	}
}

// Whether a document reads the results of a list decides whether they are put
// together.
func TestResultsAreRead(t *testing.T) {
	for _, test := range []struct {
		old, with string
		want      bool
	}{
		{"list: $outputs.results", "list: $outputs.results", true},
		{"list: $outputs.results", "list: $outputs.succeeded", false},
		{"outputs: {list: $outputs.results}\n    outputs: {list: $steps.each.outputs.list", "outputs: {n: $outputs.failed}\n    outputs: {list: $steps.each.outputs.results", true},
	} {
		p := mustBuild(t, edit(t, lists, test.old, test.with))
		if got := p.Workflows[p.Main].Steps[1].ForEach.Results; got != test.want {
			t.Errorf("with %q: Results = %v, want %v", test.with, got, test.want)
		}
	}
}
