package arazzo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// documents are the seeds of the fuzz tests: what the other tests read.
func documents(f *testing.F) (out [][]byte) {
	files, err := filepath.Glob("testdata/fix/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds:", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, archive.Files[0].Data)
	}
	for _, file := range []string{"testdata/schema/rich-1.0.yaml", "testdata/schema/rich-1.1.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// FuzzParse: any bytes give a document or an error, and Check copes with
// whatever Parse made of them.
func FuzzParse(f *testing.F) {
	for _, data := range documents(f) {
		f.Add(data)
	}
	f.Add([]byte("arazzo: 1.0.1\nworkflows: [{steps: [null, {parameters: [{}], onSuccess: [{}], outputs: {a: }}]}]"))
	f.Add([]byte("arazzo: 1.1.0\nworkflows: [{inputs: {$ref: '#'}, steps: [{dependsOn: [a, $b], successCriteria: [{type: {}}]}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, diags := Parse("f.yaml", data)
		if d == nil {
			if !HasErrors(diags) {
				t.Fatal("no document and no error")
			}
			return
		}
		for _, dialect := range []Dialect{Strict, Compat} {
			for _, diag := range Check(d, CheckOptions{Dialect: dialect, Schema: true}) {
				if diag.Code == "" || diag.Message == "" || diag.Severity == "" {
					t.Errorf("an incomplete diagnostic: %+v", diag)
				}
				for _, e := range diag.Edits {
					if e.Start > e.End || e.End > len(data) {
						t.Errorf("an edit outside the text: %+v", e)
					}
				}
			}
		}
		for _, w := range d.Workflows {
			SecretInputs(d, w)
			StepOrder(d, w)
			if schema, err := InputsSchema(d, w); err == nil {
				if _, err := value.Encode(schema); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// FuzzFix: what parsed still parses after Fix, with the same structure: only
// the texts of scalars differ. Fixing again changes nothing.
func FuzzFix(f *testing.F) {
	for _, data := range documents(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, _ := Parse("f.yaml", data)
		if d == nil {
			return
		}
		text, _, err := Fix(d, FixOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fixed, diags := Parse("f.yaml", text)
		if fixed == nil {
			t.Fatalf("the text does not parse any more: %v\n%s", diags, text)
		}
		sameShape(t, d.Root, fixed.Root)
		again, _, err := Fix(fixed, FixOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, text) {
			t.Errorf("fixing twice changed more:\n%s\n%s", text, again)
		}
		compat, _ := ReadCompat("f.yaml", data, FixOptions{})
		if compat == nil || !bytes.Equal(compat.Text, text) {
			t.Error("ReadCompat read another text than Fix writes")
		}
	})
}

func sameShape(t *testing.T, a, b *yaml.Node) {
	t.Helper()
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.HeadComment != b.HeadComment || a.LineComment != b.LineComment || a.FootComment != b.FootComment {
		t.Fatalf("the structure changed at %d:%d", a.Line, a.Column)
	}
	if a.Kind == yaml.MappingNode {
		for i := 0; i < len(a.Content); i += 2 {
			if a.Content[i].Value != b.Content[i].Value {
				t.Fatalf("the key %q became %q", a.Content[i].Value, b.Content[i].Value)
			}
		}
	}
	for i := range a.Content {
		sameShape(t, a.Content[i], b.Content[i])
	}
}

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile(corpus(b)[len(corpus(b))-1])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Parse("f.yaml", data)
	}
}

func BenchmarkCheck(b *testing.B) {
	data, err := os.ReadFile(corpus(b)[len(corpus(b))-1])
	if err != nil {
		b.Fatal(err)
	}
	d, _ := Parse("f.yaml", data)
	for b.Loop() {
		Check(d, CheckOptions{})
	}
}
