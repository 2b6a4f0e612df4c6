package reconcile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// cases reads a list of cases, each a mapping, from testdata.
func cases(t testing.TB, file string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	root, err := value.ParseYAML(data, file)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := value.FromYAML(root).([]any)
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i], _ = list[i].(map[string]any)
	}
	if len(out) == 0 {
		t.Fatalf("%s has no cases", file)
	}
	return out
}

// says reports whether an error says what a case wants it to say.
func says(t *testing.T, err error, c map[string]any) bool {
	t.Helper()
	wrong, _ := c["wrong"].(string)
	if wrong == "" {
		if err != nil {
			t.Fatalf("it fails: %v", err)
		}
		return false
	}
	if err == nil {
		t.Fatalf("nothing is wrong, rather than %q", wrong)
	}
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("the error is %s", fault.KindOf(err))
	}
	fix, _ := c["fix"].(string)
	for _, part := range []string{wrong, fix} {
		if !strings.Contains(fault.Public(err), part) {
			t.Errorf("it says\n%s\nwithout\n%s", fault.Public(err), part)
		}
	}
	return true
}
