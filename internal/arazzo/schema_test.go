package arazzo

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// TestAgreesWithOfficialSchema holds the written-out checks against the
// official schemas: thousands of documents are made by changing one thing in a
// valid one, and
//
//   - what the official schema refuses, Parse or Check refuses, and
//   - what Parse refuses with code "schema", the official schema refuses,
//     except for the rules in stricter.
func TestAgreesWithOfficialSchema(t *testing.T) {
	for minor, file := range []string{"testdata/schema/rich-1.0.yaml", "testdata/schema/rich-1.1.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, err := value.ParseYAML(data, file)
			if err != nil {
				t.Fatal(err)
			}
			schema, err := officialSchemas[minor]()
			if err != nil {
				t.Fatal(err)
			}
			original := value.FromYAML(root)
			if err := schema.Validate(original); err != nil {
				t.Fatalf("the document is not valid to begin with: %v", err)
			}
			if _, diags := Parse(file, data); HasErrors(diags) {
				t.Fatalf("the document does not parse to begin with: %v", diags)
			}
			n, refused := 0, 0
			mutate(original, func(what string, v any) {
				n++
				official := schema.Validate(v)
				text, err := value.Encode(v)
				if err != nil {
					t.Fatal(err)
				}
				d, diags := Parse("f.json", text)
				ours := slices.Clone(diags)
				if d != nil {
					ours = append(ours, Check(d, CheckOptions{})...)
				}
				if official != nil {
					refused++
					if !HasErrors(ours) {
						t.Errorf("%s: the official schema refuses it, we do not: %v", what, official)
					}
					return
				}
				for _, diag := range diags {
					if diag.Severity == Error && diag.Code == "schema" && !stricter(diag) {
						t.Errorf("%s: we refuse it, the official schema does not: %s", what, diag)
					}
				}
			})
			if n < 800 || refused < n/4 {
				t.Errorf("%d documents, of which %d are refused: the changes are too tame", n, refused)
			}
		})
	}
}

// stricter reports findings that the official schema does not make.
func stricter(d Diagnostic) bool {
	for _, text := range []string{
		"timeout must be a whole number", // also refuses negative ones
		"channelPath needs the field action",
		"action goes with operationId",
		"correlationId goes with",
		// The 1.1 schema lets anything stand in an Expression Type Object, and in
		// the parameters of an action.
		"type of a criterion has no field", "type of a selector has no field", "targetSelectorType has no field",
		"a parameter must be an object", "a parameter needs the field", "a parameter has no field", "the name of a parameter must be text",
	} {
		if strings.Contains(d.Message, text) {
			return true
		}
	}
	return false
}

// mutate calls use with copies of v in which one thing is different.
func mutate(v any, use func(what string, v any)) {
	walkValue(v, nil, func(p value.Pointer, at any) {
		with := func(what string, replacement any) {
			out, err := p.Set(value.Clone(v), replacement)
			if err == nil {
				use(fmt.Sprintf("%s: %s", p, what), out)
			}
		}
		for _, other := range []any{nil, "text", []any{}, map[string]any{}, map[string]any{"reference": "x"}, []any{"a", "a"}} {
			if fmt.Sprintf("%T", other) != fmt.Sprintf("%T", at) || other != nil {
				text, _ := value.Encode(other)
				with("becomes "+string(text), other)
			}
		}
		switch at := at.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(at)) {
				less := maps.Clone(at)
				delete(less, k)
				with("without "+k, less)
			}
			more := maps.Clone(at)
			more["zzz"] = "new"
			with("with zzz", more)
		case []any:
			if len(at) > 0 {
				with("with the last item twice", append(slices.Clone(at), at[len(at)-1]))
			}
		}
	})
}

func walkValue(v any, p value.Pointer, visit func(value.Pointer, any)) {
	visit(slices.Clone(p), v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			walkValue(v[k], append(p, k), visit)
		}
	case []any:
		for i, item := range v {
			walkValue(item, append(p, fmt.Sprint(i)), visit)
		}
	}
}

// TestOfficialSchemaOnRequest: CheckOptions.Schema reports what only the
// official schema knows, at its place, and repeats nothing.
func TestOfficialSchemaOnRequest(t *testing.T) {
	text := `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    inputs: {$vocabulary: [1]}
    steps:
      - {stepId: s, operationId: x, unknown: 1, parameters: [{name: a, value: 1}]}
`
	d, diags := Parse("f.yaml", []byte(text))
	count := func(diags []Diagnostic) map[string]int {
		out := map[string]int{}
		for _, diag := range diags {
			if diag.Severity == Error {
				out[fmt.Sprintf("%d %s", diag.Line, diag.Code)]++
			}
		}
		return out
	}
	got := count(append(diags, Check(d, CheckOptions{Schema: true})...))
	want := map[string]int{"6 schema": 1, "8 schema": 1, "8 parameter-in": 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
