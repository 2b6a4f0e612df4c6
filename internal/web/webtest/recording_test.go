package webtest

import (
	"fmt"
	"net/http"
	"testing"
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
