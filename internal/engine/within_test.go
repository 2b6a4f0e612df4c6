package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// A limit that the document or the operator sets bounds the whole call; the
// default limit of an exchange does not.
func TestCallWithin(t *testing.T) {
	const document = `
workflows:
  - workflowId: main
    steps:
      - {stepId: a, operationId: createItem, TIMEOUT requestBody: {payload: {name: x}}}
`
	for _, tt := range []struct {
		timeout string
		profile plan.Profile
		within  time.Duration
	}{
		{"", plan.Profile{}, 0},
		{"timeout: 1500,", plan.Profile{}, 1500 * time.Millisecond},
		{"", plan.Profile{RunTimeout: 3}, 3 * time.Second},
		{"timeout: 1500,", plan.Profile{RunTimeout: 1}, time.Second},
	} {
		p := drivertest.Plan(t, strings.Replace(document, "TIMEOUT", tt.timeout, 1), tt.profile)
		_, turn, err := engine.New(p).Apply(engine.State{}, engine.Event{Kind: engine.Started, At: time.Unix(0, 0), Inputs: map[string]any{}})
		if err != nil || turn.Command.Call == nil {
			t.Fatalf("Apply = %+v, %v", turn, err)
		}
		if got := turn.Command.Call.Within; got != tt.within {
			t.Errorf("%q: within %v, want %v", tt.timeout, got, tt.within)
		}
	}
}

// A record in which bytes were masked in place can be read.
func TestMaskedBytesAreReadable(t *testing.T) {
	for text, want := range map[string]string{`{"bytes":"[masked]"}`: "", `{"bytes":"//4g[masked]"}`: "", `{"bytes":"//4="}`: "\xff\xfe", `{"bytes":null}`: ""} {
		var a engine.Answer
		if err := json.Unmarshal([]byte(text), &a); err != nil || string(a.Bytes) != want {
			t.Errorf("%s is read as %q, %v", text, a.Bytes, err)
		}
	}
	whole, err := json.Marshal(engine.Answer{Bytes: []byte("\xff\xfe")})
	if err != nil || string(whole) != `{"bytes":"//4="}` {
		t.Errorf("bytes are written as %s, %v", whole, err)
	}
}
