package cli

import (
	"strings"
	"testing"
)

// A decision carries the step that it is meant for.
func TestDecisionStep(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"retry held --step broken", "broken"},
		{"skip held --step broken --output-value id=a", "broken"},
		{"resume held --step broken", "broken"},
		{"retry held", ""},
	} {
		session := play(t, "held")
		s := newTestIO("", nil)
		Main(t.Context(), s.IO, newProduct(session).Product, append([]string{"runs"}, strings.Fields(test.args)...))
		if len(session.events) != 1 || session.events[0].Step != test.want {
			t.Errorf("runs %s: events %+v, want one for step %q\n%s", test.args, session.events, test.want, s.err)
		}
	}
	session := play(t, "held", "failed")
	for _, args := range []string{"resume held failed --step broken", "resume --step broken", "resume held --all --step broken"} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, newProduct(session).Product, append([]string{"runs"}, strings.Fields(args)...)); code != exitError || len(session.events) != 0 {
			t.Errorf("runs %s: exit code %d and events %+v, want it refused", args, code, session.events)
		}
	}
}
