package directory_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheMapIsTrue holds the package comment to the files that there are: a map
// is only of use while it is whole.
func TestTheMapIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "# Where things are")
	listed := regexp.MustCompile(`[a-z]+\.go\b`).FindAllString(list, -1)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && file != "doc.go" && !slices.Contains(listed, file) {
			t.Errorf("the package comment does not say what %s is about", file)
		}
	}
	for _, file := range listed {
		if !slices.Contains(files, file) {
			t.Errorf("the package comment speaks of %s, which is not there", file)
		}
	}
}
