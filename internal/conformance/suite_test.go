package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	suite "github.com/lanyard-id/lanyard/conformance"
	"github.com/lanyard-id/lanyard/internal/conformance"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// TestSuite runs every case of the published suite on our own machine.
func TestSuite(t *testing.T) {
	cases, shared, err := conformance.ReadSuite(suite.Suite)
	if err != nil {
		t.Fatalf("ReadSuite: %s", fault.Public(err))
	}
	if len(cases) < 300 {
		t.Errorf("ReadSuite gave %d cases, want at least 300", len(cases))
	}
	runner := &conformance.Machine{Shared: shared, Apply: pure}
	for i := range cases {
		c := &cases[i]
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			got, err := runner.Run(t.Context(), c)
			if err != nil {
				t.Fatalf("%s: %v", c.Title, err)
			}
			if v := conformance.Judge(c, got); !v.Passed() {
				t.Errorf("%s:\n  %s", c.Title, strings.Join(v.Problems, "\n  "))
			}
		})
	}
}

// pure is Apply, checked: the state it is given stays as it was, and a state
// that was written down and read again goes on in the same way.
func pure(m *engine.Machine, s engine.State, e engine.Event) (engine.State, engine.Turn, error) {
	before, err := json.Marshal(s)
	if err != nil {
		return s, engine.Turn{}, err
	}
	next, turn, err := m.Apply(s, e)
	if err != nil {
		return s, turn, err
	}
	var read engine.State
	if err := json.Unmarshal(before, &read); err != nil {
		return s, turn, err
	}
	again, turnAgain, err := m.Apply(read, e)
	if err != nil {
		return s, turn, err
	}
	for _, pair := range [][2]any{{s, json.RawMessage(before)}, {next, again}, {turn.Notes, turnAgain.Notes}, {turn.Command.Kind, turnAgain.Command.Kind}} {
		one, err := json.Marshal(pair[0])
		if err != nil {
			return s, turn, err
		}
		other, err := json.Marshal(pair[1])
		if err != nil {
			return s, turn, err
		}
		if !bytes.Equal(one, other) {
			return s, turn, fmt.Errorf("Apply(%s) is not pure:\n%s\n%s", e.Kind, one, other)
		}
	}
	return next, turn, nil
}
