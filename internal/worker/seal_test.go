package worker

import (
	"bytes"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// An event is sealed when masking changed what it says, and only then: most
// answers of Okta have names that sound of a secret and hold none.
func TestEventIsSealedOnlyWhenMasked(t *testing.T) {
	key, err := secret.NewKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		body   string
		sealed bool
		absent string // from the event as recorded
	}{
		{body: `{"id":"00u1","status":"ACTIVE"}`},
		{body: `{"status":"ACTIVE","passwordChanged":null,"id":"00u1"}`},
		{body: `{"status":"ACTIVE","_links":{"resetPassword":{"method":"POST","href":"https://okta.test/reset"}}}`},
		{body: `{"z":1,"client_secret":"hunter2-hunter2"}`, sealed: true, absent: "hunter2"},
		{body: `{"z":"a token: tok-0123456789","a":1}`, sealed: true, absent: "tok-0123456789"},
		// A reader takes the last of two equal names; the first must not stay.
		{body: `{"password":"hunter2-hunter2","password":null}`, absent: "hunter2"},
	} {
		var n names
		m := newMask(key, &n, &plan.Workflow{})
		m.refresh([]string{"tok-0123456789"})
		event := engine.Event{Kind: engine.Answered, At: time.Unix(0, 0), ID: 1, Answer: &engine.Answer{
			Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}, JSON: []byte(test.body),
		}}
		masked, sealed, err := m.event(event, event, []byte("run/1"))
		if err != nil {
			t.Fatalf("%s: %v", test.body, err)
		}
		if (sealed != nil) != test.sealed {
			t.Errorf("%s: sealed is %v, want %v; recorded as %s", test.body, sealed != nil, test.sealed, masked)
		}
		if test.absent != "" && bytes.Contains(masked, []byte(test.absent)) {
			t.Errorf("%s is recorded as %s", test.body, masked)
		}
	}
}
