package webtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Real answers that differ from Okta's description show errors of the
// description. Each must be listed with a recording that has it, and a listed
// one that its recording does not show has to go.
func TestRecordedAnswers(t *testing.T) {
	recordings := Recordings(t)
	checker := Okta(t)
	checked := 0
	shown := map[*known]bool{}
	for _, r := range recordings {
		for _, i := range r.Interactions {
			name := fmt.Sprintf("%s#%d", r.Name, i.Number)
			before := map[*known]int64{}
			for _, k := range checker.known {
				before[k] = k.hits.Load()
			}
			for _, v := range checker.Check(r.answer(i)) {
				t.Errorf("%s: %s", name, v)
			}
			for _, k := range checker.known {
				if k.Recording == name && k.hits.Load() > before[k] {
					shown[k] = true
				}
			}
			checked++
		}
	}
	for _, k := range checker.known {
		if k.Recording != "" && !shown[k] {
			t.Errorf("the recording %s does not show the known error %s", k.Recording, k)
		}
	}
	// A change of the recordings' form must not empty this test silently.
	if checked < 1900 {
		t.Errorf("%d answers were checked, want at least 1900", checked)
	}
}

// answer is an interaction as the checker sees it. Terraform's recordings leave
// out the content type, which every body has.
func (r Recording) answer(i Interaction) Answer {
	header := i.Header
	if !r.AllHeaders() && i.Body != "" {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return Answer{Method: i.Method, Path: i.Path(), Status: i.Status, Header: header, Body: []byte(i.Body)}
}

// Examples of the description that do not fit its own schemas show errors of
// the schemas too.
func TestKnownErrorsOfExamples(t *testing.T) {
	checker := Okta(t)
	if checker == nil {
		t.Skip("the shared test data is missing")
	}
	for _, k := range checker.known {
		if k.Example == "" {
			continue
		}
		parts := strings.SplitN(k.Example, "/", 3)
		if len(parts) != 3 {
			t.Errorf("the example %q is not operationId/status/name", k.Example)
			continue
		}
		before := k.hits.Load()
		for _, v := range checker.Check(example(t, checker, parts[0], parts[1], parts[2])) {
			t.Logf("%s: %s", k.Example, v)
		}
		if k.hits.Load() == before {
			t.Errorf("the example %s does not show the known error %s", k.Example, k)
		}
	}
}

// example is an example of the description as an answer.
func example(t *testing.T, c *Checker, id, status, name string) Answer {
	t.Helper()
	o := c.byName(id)
	if o == nil {
		t.Fatalf("there is no operation %s", id)
	}
	all, err := o.examples(status)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := all[name]
	if !ok {
		t.Fatalf("%s %s has no example %s", id, status, name)
	}
	body, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Method: o.method, Path: o.path, Status: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}
