package webtest_test

import (
	"net/http"
	"testing"

	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// Real answers that differ from Okta's description show errors of the
// description. Each must be listed, with a recording that has it; and a listed
// one that no recording shows any more has to go.
func TestRecordedAnswers(t *testing.T) {
	checker := webtest.Okta(t)
	checked := 0
	for _, r := range webtest.Recordings(t) {
		for _, i := range r.Interactions {
			header := i.Header
			if !r.AllHeaders() && i.Body != "" {
				header = http.Header{"Content-Type": {"application/json"}} // the one that recordings leave out most
			}
			for _, v := range checker.Check(webtest.Answer{Method: i.Method, Path: i.Path(), Status: i.Status, Header: header, Body: []byte(i.Body)}) {
				t.Errorf("%s#%d: %s", r.Name, i.Number, v)
			}
			checked++
		}
	}
	for _, stale := range checker.Stale(true) {
		t.Errorf("no recording shows the known error %s", stale)
	}
	// A change of the recordings' form must not empty this test silently.
	if checked < 1900 {
		t.Errorf("%d answers were checked, want at least 1900", checked)
	}
}
