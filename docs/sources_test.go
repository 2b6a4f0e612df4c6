package docs_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/extract"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

var (
	fence      = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	sourceKeys = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
	ticked     = regexp.MustCompile("`([^`]+)`")
	choices    = regexp.MustCompile(`has no key "unknown"; use one of (.*)`)
)

// sourceOf reads the example of a section of sources.md: one import of a
// configuration that is right.
func sourceOf(t *testing.T, dir, text string) *extract.From {
	t.Helper()
	c, err := config.Parse(filepath.Join(dir, "lanyard.yaml"), []byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	for _, s := range c.Imports {
		s.Node = s.Node.Content[1] // of from, its only key
		from, err := extract.Parse(s)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if name := from.Connection(); name != "" && c.Connections[name].Server == "" {
			t.Errorf("the connection %s is not in the example", name)
		}
		return from
	}
	t.Fatalf("there is no import in\n%s", text)
	return nil
}

// TestSources holds sources.md to the readers: every example is right, those of
// files are read, and the tables list the keys that there are.
func TestSources(t *testing.T) {
	data, err := os.ReadFile("sources.md")
	if err != nil {
		t.Fatal(err)
	}
	schema := configSchema(t)
	covered := map[string]bool{}
	for _, section := range strings.Split(string(data), "\n## ")[1:] {
		dir := t.TempDir()
		var from *extract.From
		for _, block := range fence.FindAllStringSubmatch(section, -1) {
			switch block[1] {
			case "yaml":
				from = sourceOf(t, dir, block[2])
				n, err := value.ParseYAML([]byte(block[2]), "f")
				if err == nil {
					err = schema.Validate(value.FromYAML(n))
				}
				if err != nil {
					t.Errorf("%s\n%v", block[2], err)
				}
			default: // the file of the example
				if err := os.WriteFile(filepath.Join(dir, "people."+block[1]), []byte(block[2]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		covered[from.Kind()] = true
		tables, _, _ := strings.Cut(section, "| column | is |")
		compareKeys(t, from.Kind(), tables)
		if from.Kind() == extract.KindCSV || from.Kind() == extract.KindJSON {
			readTwo(t, from)
		}
	}
	all := []string{
		extract.KindCSV, extract.KindDynamoDB, extract.KindHTTP, extract.KindJSON, extract.KindLDAP, extract.KindSCIM, extract.KindSQL, extract.KindTable,
	}
	if diff := cmp.Diff(all, slices.Sorted(maps.Keys(covered))); diff != "" {
		t.Errorf("kinds with a section (-want +got):\n%s", diff)
	}
}

func readTwo(t *testing.T, from *extract.From) {
	t.Helper()
	r, err := extract.Open(t.Context(), from, extract.Env{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; row.Row["id"] == "" {
			t.Errorf("%s has no id", row.Place)
		}
	}
	if n != 2 {
		t.Errorf("the example of %s has %d people", from.Kind(), n)
	}
}

// compareKeys compares the first column of the tables with the keys that the
// reader names when it is given one that it does not know.
func compareKeys(t *testing.T, kind, section string) {
	t.Helper()
	var documented []string
	for _, row := range sourceKeys.FindAllStringSubmatch(section, -1) {
		for _, key := range ticked.FindAllStringSubmatch(row[1], -1) {
			documented = append(documented, key[1])
		}
	}
	known := keysOf(t, kind+": {unknown: 1}")
	if kind == extract.KindHTTP {
		known = append(known, keysOf(t, "http: {connection: c, path: /p, pages: {unknown: 1}}")...)
	}
	slices.Sort(documented)
	slices.Sort(known)
	if diff := cmp.Diff(known, schemaKeys(t, kind)); diff != "" {
		t.Errorf("keys of %s (-known +schema.json):\n%s", kind, diff)
	}
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("keys of %s (-known +documented):\n%s", kind, diff)
	}
}

// configSchema is the schema of lanyard.yaml.
func configSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// schemaKeys are the keys of a kind in the schema of lanyard.yaml.
func schemaKeys(t *testing.T, kind string) []string {
	t.Helper()
	doc, err := value.Decode(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	at := "/$defs/from/properties/" + kind + "/properties"
	var keys []string
	for _, place := range []string{at, at + "/pages/properties"} {
		p, err := value.ParsePointer(place)
		if err != nil {
			t.Fatal(err)
		}
		if properties, ok := p.Get(doc); ok {
			keys = append(keys, slices.Collect(maps.Keys(properties.(map[string]any)))...)
		}
	}
	slices.Sort(keys)
	return keys
}

func keysOf(t *testing.T, text string) []string {
	t.Helper()
	n, err := value.ParseYAML([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	_, err = extract.Parse(config.Section{Node: n, File: "f"})
	m := choices.FindStringSubmatch(fault.Public(err))
	if m == nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.Split(strings.SplitN(m[1], "\n", 2)[0], ", ")
}
