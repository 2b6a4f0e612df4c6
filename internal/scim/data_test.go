package scim

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/value"
)

// load reads a data file into to.
func load(t testing.TB, name string, to any) {
	t.Helper()
	file := filepath.Join("testdata", name)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := value.ParseYAML(data, file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := value.Encode(value.FromYAML(tree))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// types returns the standard types and the one of device.json.
func types(t testing.TB) *Types {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "device.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := ParseSchema(body)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Standard().With(Definition{Name: "Device", Endpoint: "/Devices", Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// resources returns those of resources.yaml.
func resources(t testing.TB) map[string]Resource {
	t.Helper()
	var all map[string]Resource
	load(t, "resources.yaml", &all)
	return all
}

// typeOf returns the type of a resource by its first schema.
func typeOf(t testing.TB, all *Types, r Resource) *ResourceType {
	t.Helper()
	list, _ := r["schemas"].([]any)
	for _, typ := range all.All() {
		if len(list) > 0 && list[0] == typ.Schema.ID {
			return typ
		}
	}
	t.Fatalf("no type has the schemas %v", list)
	return nil
}

// preset returns the Leniency of a name in a data file.
func preset(t testing.TB, name string) Leniency {
	t.Helper()
	presets := map[string]func() Leniency{
		"": Strict, "okta": Okta, "entra": Entra, "entraFlag": EntraFlag, "auth0": Auth0,
	}
	how, ok := presets[name]
	if !ok {
		t.Fatalf("there is no preset %q", name)
	}
	return how()
}

// checkError compares an error with the scimType, or status, that a data file
// wants.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %s", want)
	}
	e := Describe(err)
	if got := string(e.Type); got != want && e.Body()["status"] != want {
		t.Errorf("error %v; want %s", e, want)
	}
	if e.Status == 500 {
		t.Errorf("error %v has no kind", err)
	}
}

func checkNotes(t *testing.T, notes []Note, want int) {
	t.Helper()
	if len(notes) != want {
		t.Errorf("%d notes %q; want %d", len(notes), notes, want)
	}
}

// changed returns a resource with the attributes of change written over it, nil
// ones taken away.
func changed(r Resource, change map[string]any) Resource {
	out := value.Clone(r).(map[string]any)
	for name, v := range change {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	return out
}

// same compares values as JSON: numbers by what they say.
func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b json.Number) bool { return value.CompareNumbers(a, b) == 0 })); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}
