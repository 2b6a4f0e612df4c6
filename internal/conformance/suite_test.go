package conformance_test

import (
	"strings"
	"testing"

	suite "github.com/lanyard-id/lanyard/conformance"
	"github.com/lanyard-id/lanyard/internal/conformance"
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
	runner := &conformance.Machine{Shared: shared}
	for i := range cases {
		c := &cases[i]
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			got, err := runner.Run(t.Context(), c)
			if err != nil {
				t.Fatalf("%s: %s", c.Title, fault.Public(err))
			}
			if v := conformance.Judge(c, got); !v.Passed() {
				t.Errorf("%s:\n  %s", c.Title, strings.Join(v.Problems, "\n  "))
			}
		})
	}
}
