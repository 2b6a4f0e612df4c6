package okta_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// TestMain reports known errors of Okta's description that no answer had, once
// all tests have run: they have to go from the list. In CI that is a failure.
func TestMain(m *testing.M) {
	ci := os.Getenv("CI") != "" // read now, so that the test cache knows of it
	code := m.Run()
	partly := testing.Short()
	for _, name := range []string{"run", "skip", "list", "fuzz", "bench"} {
		partly = partly || flag.Lookup("test."+name).Value.String() != ""
	}
	if code == 0 && !partly {
		for _, stale := range webtest.StaleOkta() {
			fmt.Fprintln(os.Stderr, "no test has the known error "+stale)
			if ci {
				code = 1
			}
		}
	}
	os.Exit(code)
}
