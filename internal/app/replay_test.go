package app

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// A call of the log is made once more, and is in the log again with the reason.
func TestReplayExchange(t *testing.T) {
	b := newBench(t)
	f := b.session(cli.ReadWrite).(*Folder)
	box, err := f.openSandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com","externalId":"1","password":"Correct-Horse-7","active":true}`
	r := httptest.NewRequestWithContext(t.Context(), "POST", scimSandbox+"/Users", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/scim+json")
	w := httptest.NewRecorder()
	box.handlers[scimSandbox].ServeHTTP(w, r)
	if w.Code != 201 {
		t.Fatalf("POST: %d %s", w.Code, w.Body)
	}
	newest := func() wirelog.Exchange {
		t.Helper()
		page, err := f.Exchanges(t.Context(), wirelog.Query{})
		if err != nil || len(page.Exchanges) == 0 {
			t.Fatalf("Exchanges = %v, %v", page, err)
		}
		return page.Exchanges[0]
	}
	first := newest()
	again, err := f.ReplayExchange(t.Context(), first.ID)
	if err != nil || again.Status != 409 || !again.LeftOut || again.Exchange != first.ID || !strings.Contains(again.Body, "uniqueness") {
		t.Fatalf("ReplayExchange = %+v, %v, want 409 without the password", again, err)
	}
	second := newest()
	if second.ID == first.ID || second.Status != 409 || !strings.Contains(strings.Join(second.Why, "\n"), first.ID) {
		t.Errorf("the log has %+v", second)
	}
	if _, err := f.ReplayExchange(t.Context(), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an exchange that is not there: %v", err)
	}
}
