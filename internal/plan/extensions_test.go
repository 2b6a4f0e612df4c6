package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/plan"
)

// lists is a document with every extension for lists.
const lists = `arazzo: 1.0.1
info: {title: Lists, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: main
    inputs: {type: object, properties: {ids: {type: array}, keys: {type: array, items: {type: string, format: password}}}}
    steps:
      - stepId: all
        operationId: findUsers
        x-lanyard-pages: link
        successCriteria: [{condition: $statusCode == 200}]
      - stepId: each
        workflowId: one
        x-lanyard-forEach: {items: $inputs.ids, as: id, onError: collect}
        outputs: {list: $outputs.results}
    outputs: {list: $steps.each.outputs.list, failed: $steps.each.outputs.failed}
  - workflowId: one
    x-lanyard-success: worked
    inputs: {type: object, required: [id], properties: {id: {type: string}}}
    steps:
      - stepId: get
        operationId: deleteUser
        parameters: [{name: id, in: path, value: $inputs.id}]
        successCriteria: [{condition: $statusCode == 204}]
        x-lanyard-idempotency: {repeat: true}
`

func TestExtensions(t *testing.T) {
	p := mustBuild(t, lists)
	main, one := p.Workflows[p.Main], p.Workflows[1]
	each := main.Steps[1].ForEach
	if main.Steps[0].Pages == nil || each == nil || each.As != "id" || !each.Collect || one.Success != "worked" || !one.Steps[0].Idempotency.Repeat {
		t.Errorf("pages %v, forEach %+v, success %q, rule %+v", main.Steps[0].Pages, each, one.Success, one.Steps[0].Idempotency)
	}
	if f := p.Forecast(); !f.Loops {
		t.Errorf("Forecast = %+v, and lists have no length beforehand", f)
	}
}

// What is made of secret items is secret: the called workflow's input, and the
// results, which repeat the items.
func TestForEachOfSecrets(t *testing.T) {
	p := mustBuild(t, edit(t, lists, "items: $inputs.ids", "items: $inputs.keys"))
	secrets := p.InputSecrets()
	main, one := p.Workflows[p.Main], p.Workflows[1]
	if !secrets.Receives(one, one.Steps[0]) || !secrets.Output(main, "each", "results") || !secrets.Output(main, "", "list") {
		t.Error("an item is not followed")
	}
	if secrets.Output(main, "", "failed") {
		t.Error("a number is taken for a secret")
	}
	if plain := mustBuild(t, lists).InputSecrets(); plain.Output(p.Workflows[p.Main], "each", "results") {
		t.Error("results of plain items are taken for secrets")
	}
}

func TestExtensionsRefused(t *testing.T) {
	const (
		forEach = "x-lanyard-forEach: {items: $inputs.ids, as: id, onError: collect}"
		pages   = "x-lanyard-pages: link"
		success = "x-lanyard-success: worked"
		repeat  = "x-lanyard-idempotency: {repeat: true}"
	)
	for _, test := range []struct{ name, old, new, want string }{
		{"not a mapping", forEach, "x-lanyard-forEach: [a]", "without its input id"},
		{"unknown field", forEach, "x-lanyard-forEach: {items: [a], as: id, parallel: 3}", "parallel is not known"},
		{"too parallel", forEach, "x-lanyard-forEach: {items: [a], as: id, maxParallel: 65}", "maxParallel must be a whole number from 1 to 64"},
		{"no batch", forEach, "x-lanyard-forEach: {items: [a], as: id, batch: 0}", "batch must be a whole number"},
		{"collect what", forEach, "x-lanyard-forEach: {items: [a], as: id, collect: $steps.all.outputs.x}", "collect must be an expression on the outputs"},
		{"collect nothing", forEach, "x-lanyard-forEach: {items: [a], as: id, collect: $outputs.none}", "has no output none to collect"},
		{"no items", forEach, "x-lanyard-forEach: {as: id}", "needs items and as"},
		{"no as", forEach, "x-lanyard-forEach: {items: [a]}", "without its input id"},
		{"wrong onError", forEach, "x-lanyard-forEach: {items: [a], as: id, onError: ignore}", "stop or collect"},
		{"unknown input", forEach, "x-lanyard-forEach: {items: $inputs.idz, as: id}", "did you mean ids"},
		{"an input that is not there", forEach, "x-lanyard-forEach: {items: [a], as: idd}", "without its input id"},
		{"given twice", forEach, "parameters: [{name: id, value: a}]\n        " + forEach, "and a value as well"},
		{"output of the workflow", "$steps.each.outputs.failed", "$steps.each.outputs.worked", "has no output worked"},
		{"on an operation", pages, "x-lanyard-forEach: {items: [a], as: id}", "calls no workflow"},
		{"another kind of paging", pages, "x-lanyard-pages: cursor", "must be link"},
		{"pages with a field that is not known", pages, "x-lanyard-pages: {items: /a, parameter: p, next: /n, last: /l}", "last is not known"},
		{"pages that never end", pages, "x-lanyard-pages: {items: /a, parameter: p}", "needs items, parameter, and next or total"},
		{"pages by a link and by a parameter", pages, "x-lanyard-pages: {items: /a, parameter: p, next: link}", "needs items and nothing else"},
		{"pages by a link to nothing", pages, "x-lanyard-pages: {items: '', next: link}", "must be a text"},
		{"pages that end twice", pages, "x-lanyard-pages: {items: /a, parameter: p, next: /n, total: /t}", "needs items, parameter, and next or total"},
		{"pages of no pointer", pages, "x-lanyard-pages: {items: a, parameter: p, next: /n}", "JSON Pointers"},
		{"pages from five", pages, "x-lanyard-pages: {items: /a, parameter: p, total: /t, first: 5}", "must be 0 or 1"},
		{"pages counted otherwise", pages, "x-lanyard-pages: {items: /a, parameter: p, total: /t, counts: bytes}", "must be items or pages"},
		{"pages of a change", repeat, "x-lanyard-pages: link", "reads a list"},
		{"not a name", success, "x-lanyard-success: true", "must be the name of an output"},
		{"items that are text", forEach, "x-lanyard-forEach: {items: inputs.ids, as: id}", "must be a list"},
		{"items inside a text", forEach, "x-lanyard-forEach: {items: 'a {$inputs.ids}', as: id}", "must be a list"},
		{"an extension of a step misspelt", repeat, "x-lanyard-idempotencyy: {repeat: true}", "did you mean x-lanyard-idempotency?"},
		{"one in the wrong case", pages, "x-lanyard-Pages: link", "did you mean x-lanyard-pages?"},
		{"one of a workflow on a step", pages, "x-lanyard-success: ok", "not known here"},
		{"one of a step on a workflow", success, "x-lanyard-pages: link\n    " + success, "not known here"},
		{"repeat not true", repeat, "x-lanyard-idempotency: {repeat: false}", "must be true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := build(t, edit(t, lists, test.old, test.new), nil).Err()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Build = %v, want %q in it", err, test.want)
			}
		})
	}
}

// An item can be passed to a workflow whatever its inputs are when it declares
// none.
func TestForEachWithoutSchema(t *testing.T) {
	text := edit(t, lists, "    inputs: {type: object, required: [id], properties: {id: {type: string}}}\n", "")
	text = edit(t, text, "value: $inputs.id}]", "value: x}]")
	p := mustBuild(t, text)
	if !slices.ContainsFunc(p.Workflows[p.Main].Steps, func(s *plan.Step) bool { return s.ForEach != nil }) {
		t.Error("there is no step with a list")
	}
}
