package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/plan"
)

const paged = `
workflows:
  - workflowId: main
    steps:
      - stepId: list
        operationId: findItems
        parameters: [{name: name, in: query, value: x}]
        x-lanyard-pages: link
        onFailure: [{name: again, type: retry}]
        outputs: {all: $response.body}
    outputs: {all: $steps.list.outputs.all}
`

// page answers the outstanding call with a list and its links.
func (g *game) page(body string, links ...string) {
	g.t.Helper()
	a := &engine.Answer{Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}, "link": links}}
	a.SetBody([]byte(body))
	g.apply(engine.Event{Kind: engine.Answered, ID: g.id(), Answer: a})
}

// asks returns the query of the outstanding call.
func (g *game) asks() string {
	if c := g.turn.Command.Call; c != nil {
		return c.Request.Query
	}
	return ""
}

func TestPages(t *testing.T) {
	const self = `<http://items.test/items?name=x>; rel="self"`
	for _, test := range []struct {
		name  string
		links []string // of the first page
		next  string   // the query of the second call; empty: there is none
	}{
		{"two headers", []string{self, `<http://items.test/items?after=1&name=x>; rel="next"`}, "after=1&name=x"},
		{"one header", []string{self + `, <http://items.test/items?after=1>; title="a"; rel=next`}, "after=1"},
		{"several relations", []string{`<http://items.test/items?after=1>; rel="last next"`}, "after=1"},
		{"another server", []string{`<http://other.test/elsewhere?after=1>; rel="next"`}, "after=1"},
		{"self only", []string{self}, ""},
		{"not a link", []string{`<http://items.test/items?after=1`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := play(t, drivertest.Plan(t, paged, plan.Profile{}), nil)
			g.page(`[1, 2]`, test.links...)
			want := `succeeded {"all":[1,2]}`
			if test.next != "" {
				if got := g.asks(); got != test.next {
					t.Fatalf("the second call asks for %q, want %q", got, test.next)
				}
				if path := g.turn.Command.Call.Request.Path; path != "/items" {
					t.Errorf("the second call goes to %s", path)
				}
				g.page(`[3]`, self)
				want = `succeeded {"all":[1,2,3]}`
			}
			if got := g.command(); got != want {
				t.Errorf("the machine gives %q, want %q", got, want)
			}
		})
	}
}

// A list inside an object may go on by its header.
func TestPagesInObjectsByLink(t *testing.T) {
	document := strings.Replace(paged, "x-lanyard-pages: link", "x-lanyard-pages: {items: /all, next: link}", 1)
	g := play(t, drivertest.Plan(t, document, plan.Profile{}), nil)
	for _, after := range []string{"after=1", "after=2", ""} {
		if after == "" {
			g.page(`{"all":[3]}`)
			break
		}
		g.page(`{"all":[`+after[6:]+`]}`, `<http://items.test/items?`+after+`>; rel="next"`)
		if got := g.asks(); got != after {
			t.Fatalf("the next call asks for %q, want %q", got, after)
		}
	}
	if got := g.command(); got != `succeeded {"all":{"all":[1,2,3]}}` {
		t.Errorf("the machine gives %q", got)
	}
}

// A list inside an object goes on as the step says.
func TestPagesInObjects(t *testing.T) {
	for _, test := range []struct {
		name, pages string
		bodies      []string
		queries     []string // of the calls behind the first
		want        string
	}{
		{
			"checkpoints", "{items: /all, next: /next, parameter: from}",
			[]string{`{"all":[1],"next":"a b"}`, `{"all":[2],"next":"c"}`, `{"all":[]}`},
			[]string{"name=x&from=a+b", "name=x&from=c"}, `{"all":{"all":[1,2]}}`,
		},
		{
			"pages", "{items: /list/of, total: /total, parameter: page, counts: pages}",
			[]string{`{"list":{"of":[1,2]},"total":3}`, `{"list":{"of":[3]},"total":3}`},
			[]string{"name=x&page=1"}, `{"all":{"list":{"of":[1,2,3]},"total":3}}`,
		},
		{
			"positions", "{items: /Resources, total: /totalResults, parameter: startIndex, first: 1}",
			[]string{`{"Resources":[1,2],"totalResults":5}`, `{"Resources":[3,4],"totalResults":5}`, `{"Resources":[5],"totalResults":5}`},
			[]string{"name=x&startIndex=3", "name=x&startIndex=5"}, `{"all":{"Resources":[1,2,3,4,5],"totalResults":5}}`,
		},
		{
			"a total that is never reached", "{items: /Resources, total: /totalResults, parameter: startIndex, first: 1}",
			[]string{`{"Resources":[1],"totalResults":9}`, `{"Resources":[],"totalResults":9}`},
			[]string{"name=x&startIndex=2"}, `{"all":{"Resources":[1],"totalResults":9}}`,
		},
		{"no total", "{items: /all, total: /total, parameter: page}", []string{`{"all":[1]}`}, nil, `{"all":{"all":[1]}}`},
		{"no list", "{items: /all, next: /next, parameter: from}", []string{`{"next":"a"}`}, nil, `{"all":{"next":"a"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := strings.Replace(paged, "x-lanyard-pages: link", "x-lanyard-pages: "+test.pages, 1)
			g := play(t, drivertest.Plan(t, document, plan.Profile{}), nil)
			for i, body := range test.bodies {
				if i > 0 && g.asks() != test.queries[i-1] {
					t.Fatalf("call %d asks for %q, want %q", i+1, g.asks(), test.queries[i-1])
				}
				g.page(body)
			}
			if got := g.command(); got != "succeeded "+test.want {
				t.Errorf("the machine gives %q, want %q", got, test.want)
			}
		})
	}
}

// A page that was asked for when the process stopped is asked for again; a step
// that fails on a later page begins with the first.
func TestPagesAgain(t *testing.T) {
	g := play(t, drivertest.Plan(t, paged, plan.Profile{}), nil)
	g.page(`[1]`, `<http://items.test/items?after=1>; rel="next"`)
	g.apply(engine.Event{Kind: engine.Interrupted, ID: g.id(), Reason: "the process stopped"})
	if diff := cmp.Diff("after=1", g.asks()); diff != "" {
		t.Errorf("after a stop (-want +got):\n%s", diff)
	}
	g.apply(g.event("500"))
	if diff := cmp.Diff("name=x", g.asks()); diff != "" {
		t.Errorf("after a failure (-want +got):\n%s", diff)
	}
	g.page(`[1]`)
	if got, want := g.command(), `succeeded {"all":[1]}`; got != want {
		t.Errorf("the machine gives %q, want %q", got, want)
	}
}

// Half a list does not pass for a whole one.
func TestPagesThatCannotBeAsked(t *testing.T) {
	for _, link := range []string{
		`<http://items.test/items?name=x>; rel="next"`, // itself
		`<http://items.test/items>; rel="next"`,        // without a query
		`<http://items.test/items?a b>; rel="next"`,
		`<%zz>; rel="next"`,
	} {
		text := strings.Replace(paged, "        onFailure: [{name: again, type: retry}]\n", "", 1)
		g := play(t, drivertest.Plan(t, text, plan.Profile{}), nil)
		g.page(`[1]`, link)
		g.run(link, "> failed {\"all\":null}\n? names a next page that cannot be asked for")
	}
}

// A list that never ends is given up.
func TestPagesBounded(t *testing.T) {
	g := play(t, drivertest.Plan(t, paged, plan.Profile{MaxSteps: 2}), nil)
	g.page(`[1]`, `<http://items.test/items?after=1>; rel="next"`)
	g.page(`[1]`, `<http://items.test/items?after=2>; rel="next"`)
	g.run("bounded", "> failed {\"all\":null}\n? more pages than")
}

// Any Link header is read without harm, and what it yields is a query.
func FuzzPages(f *testing.F) {
	for _, link := range []string{`<http://a.test/x?after=1>; rel="next"`, `<>;rel=next,<?a>;rel="next self"`, `<a<b>c>;;rel=next`, `<%zz?a>; rel=next`} {
		f.Add(link)
	}
	p := drivertest.Plan(f, paged, plan.Profile{})
	f.Fuzz(func(t *testing.T, link string) {
		g := play(t, p, nil)
		g.page(`[1]`, link)
		if query := g.asks(); strings.ContainsAny(query, " <>#") {
			t.Errorf("the query is %q", query)
		}
	})
}
