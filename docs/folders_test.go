package docs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/bundle"
)

// The limits and the format of folders.md are those of the code.
func TestFolders(t *testing.T) {
	data, err := os.ReadFile("folders.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{
		fmt.Sprintf("| the file | %d MiB |", bundle.MaxArchive>>20),
		fmt.Sprintf("| unpacked | %d MiB |", bundle.MaxTotal>>20),
		fmt.Sprintf("| one entry | %d MiB |", bundle.MaxFile>>20),
		fmt.Sprintf("| entries | %d |", bundle.MaxEntries),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("folders.md lacks %q", want)
		}
	}
	// An entry of each of the sections that it names travels; others do not.
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{Name: "x"},
		Settings: []byte("sources: {a: {file: a.yaml}}\nimports: {a: {}}\nrun: {maxSteps: 1}\ntriggers: {a: {}}\n"),
	}
	if _, err := b.Encode(); err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"serve: {apiPort: 1}", "store: env:A", "connections: {}"} {
		if _, err := (&bundle.Bundle{Settings: []byte(section + "\n")}).Encode(); err == nil {
			t.Errorf("%s travels", section)
		}
	}
}
