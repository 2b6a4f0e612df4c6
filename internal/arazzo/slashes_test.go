package arazzo

import "testing"

func TestPlainSlashes(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"x\/y"}`:   `{"a":"x/y"}`,
		`{"a":"x\\/y"}`:  `{"a":"x\\/y"}`,
		`{"a":"\"\/\n"}`: `{"a":"\"/\n"}`,
		`a: x\/y`:        `a: x\/y`, // not JSON
		`{"a":"x/y"}`:    `{"a":"x/y"}`,
	} {
		if got := string(plainSlashes([]byte(in))); got != want {
			t.Errorf("plainSlashes(%s) = %s, want %s", in, got, want)
		}
	}
	doc, diags := Parse("flow.json", []byte(`{"arazzo":"1.0.1","info":{"title":"t","version":"1"},"sourceDescriptions":[{"name":"a","url":"https:\/\/example.com\/a.json"}],"workflows":[{"workflowId":"w","steps":[{"stepId":"s","operationId":"o"}]}]}`))
	if HasErrors(diags) || doc.Sources[0].URL.Value != "https://example.com/a.json" {
		t.Errorf("Parse of JSON with escaped slashes: %v", diags)
	}
}
