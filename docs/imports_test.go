package docs_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

var (
	importExample = regexp.MustCompile("(?s)```yaml\n(imports:\n.*?)```")
	consoleLine   = regexp.MustCompile(`(?m)^\$ (lanyard .*)$`)
	longFlag      = regexp.MustCompile(` (--[a-z-]+)`)
	firstCells    = regexp.MustCompile("(?m)^\\| (`[^|]*) \\|")
	codeWord      = regexp.MustCompile("`([A-Za-z]+)")
)

// Every example of imports.md reads.
func TestImportExamples(t *testing.T) {
	data, err := os.ReadFile("imports.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := importExample.FindAllStringSubmatch(string(data), -1)
	if len(blocks) < 3 {
		t.Fatalf("there are %d examples", len(blocks))
	}
	for _, block := range blocks {
		c, err := config.Parse("imports.md", []byte(block[1]))
		if err != nil {
			t.Errorf("%v in\n%s", fault.Public(err), block[1])
			continue
		}
		for _, section := range c.Imports {
			w, err := reconcile.ReadSettings(section)
			if err != nil {
				t.Errorf("%v in\n%s", fault.Public(err), block[1])
				continue
			}
			if strings.Contains(block[1], " to: {") != (w.To != nil) {
				t.Errorf("%v goes to %v", block[1], w.To)
			}
			if _, err := w.Settings.Compile(nil); err != nil {
				t.Errorf("%v in\n%s", fault.Public(err), block[1])
			}
			section.Node = w.From
			if _, err := extract.Parse(section); err != nil {
				t.Errorf("%v in\n%s", fault.Public(err), block[1])
			}
		}
		if _, err := trigger.Read(c.Triggers); err != nil {
			t.Errorf("%v in\n%s", fault.Public(err), block[1])
		}
	}
}

// Every key of import-settings.md is one of settings, and its guards are all that
// there are.
func TestImportSettings(t *testing.T) {
	data, err := os.ReadFile("import-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	settings, guards, found := strings.Cut(string(data), "\n## Guards\n")
	if !found {
		t.Fatal("there are no guards")
	}
	rows := firstCells.FindAllStringSubmatch(settings, -1)
	if len(rows) < 15 {
		t.Fatalf("there are %d keys", len(rows))
	}
	for _, row := range rows {
		for _, name := range codeWord.FindAllStringSubmatch(row[1], -1) {
			c, err := config.Parse("x.yaml", []byte("imports: {x: {"+name[1]+": null}}"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := reconcile.ReadSettings(c.Imports["x"]); err != nil {
				t.Errorf("%s: %s", name[1], fault.Public(err))
			}
		}
	}
	var codes []reconcile.Code
	for _, row := range firstCells.FindAllStringSubmatch(guards, -1) {
		for _, code := range codeWord.FindAllStringSubmatch(row[1], -1) {
			codes = append(codes, reconcile.Code(code[1]))
		}
	}
	all := reconcile.Codes()
	slices.Sort(codes)
	slices.Sort(all)
	if diff := cmp.Diff(all, codes); diff != "" {
		t.Errorf("guards (-there are +described):\n%s", diff)
	}
}

// Every command of imports.md, and every flag of it, is in the reference.
func TestImportCommands(t *testing.T) {
	data, err := os.ReadFile("imports.md")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile("reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := consoleLine.FindAllStringSubmatch(string(data), -1)
	if len(lines) < 15 {
		t.Fatalf("there are %d commands", len(lines))
	}
	for _, line := range lines {
		words := strings.Fields(line[1])
		name := strings.Join(words[:2], " ")
		if words[1] == "import" {
			name = strings.Join(words[:3], " ")
			if words[2] == "sources" {
				name = strings.Join(words[:4], " ")
			}
		}
		_, section, found := strings.Cut(string(reference), "## "+name+"\n")
		if !found {
			t.Errorf("%s is not in the reference", name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, flag := range longFlag.FindAllStringSubmatch(line[1], -1) {
			if !strings.Contains(section, flag[1]) {
				t.Errorf("%s has no flag %s", name, flag[1])
			}
		}
	}
}
