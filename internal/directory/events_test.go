package directory_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var eventType = regexp.MustCompile(`"((?:user|group|application|app|policy|security|system|iam|zone|core|directory|device|oauth2)\.[a-z0-9_]+(?:\.[a-z0-9_]+)+)"`)

// Every kind of change is an event type that Okta documents.
func TestEventTypes(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "data", "okta", "event-types.csv")
	f, err := os.Open(file)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the list of Okta's event types is not here: " + file)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, row := range rows {
		known[row[0]] = true
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if matched, _ := filepath.Match("*_test.go", source); matched {
			continue
		}
		for _, m := range eventType.FindAllStringSubmatch(string(text), -1) {
			found++
			if !known[m[1]] {
				t.Errorf("%s: Okta has no event type %q", source, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d event types were found in the sources: the pattern is wrong", found)
	}
}
