package arazzo

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSarif(t *testing.T) {
	text := `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    inputs: {properties: {token: {type: string, format: password}}}
    steps:
      - stepId: s
        operationId: x
        successCriteria: [{condition: $statusCode == 200}]
        parameters: [{name: é, in: header, value: SSWS $inputs.token}]
`
	d, _ := Parse("flows/f.yaml", []byte(text))
	out, err := Sarif(append(Check(d, CheckOptions{Dialect: Compat}), Diagnostic{Pos: Pos{File: "g.yaml"}, Severity: Error, Code: "schema", Message: "broken"}))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []any{map[string]any{
			"columnKind": "unicodeCodePoints",
			"tool":       map[string]any{"driver": map[string]any{"name": "Lanyard", "rules": []any{map[string]any{"id": "bare-expression-in-text"}, map[string]any{"id": "schema"}}}},
			"results": []any{
				map[string]any{
					"ruleId": "bare-expression-in-text", "ruleIndex": 0.0, "level": "warning",
					"message": map[string]any{"text": `$inputs.token without braces stays text and is not replaced by a value; write "SSWS {$inputs.token}"`},
					"locations": []any{map[string]any{"physicalLocation": map[string]any{
						"artifactLocation": map[string]any{"uri": "flows/f.yaml"}, "region": map[string]any{"startLine": 11.0, "startColumn": 51.0}}}},
					"fixes": []any{map[string]any{
						"description": map[string]any{"text": `write "SSWS {$inputs.token}"`},
						"artifactChanges": []any{map[string]any{
							"artifactLocation": map[string]any{"uri": "flows/f.yaml"},
							"replacements": []any{map[string]any{
								"deletedRegion":   map[string]any{"startLine": 11.0, "startColumn": 51.0, "endLine": 11.0, "endColumn": 69.0},
								"insertedContent": map[string]any{"text": "'SSWS {$inputs.token}'"},
							}},
						}},
					}},
				},
				map[string]any{
					"ruleId": "schema", "ruleIndex": 1.0, "level": "error", "message": map[string]any{"text": "broken"},
					"locations": []any{map[string]any{"physicalLocation": map[string]any{"artifactLocation": map[string]any{"uri": "g.yaml"}}}},
				},
			},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Sarif (-want +got):\n%s", diff)
	}
	if out, err := Sarif(nil); err != nil || !json.Valid(out) {
		t.Errorf("Sarif of nothing gave %s, %v", out, err)
	}
}
