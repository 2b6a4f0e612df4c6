package arazzo

import (
	"fmt"
	"strings"
	"testing"
)

// A mistake in an expression is shown where it stands, however its text is written:
// each of these has it at the letter after §.
func TestFormulaPlaces(t *testing.T) {
	const head = `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    steps:
      - stepId: s
        x-lanyard-compute:
          x: `
	for name, text := range map[string]string{
		"plain":         "1 + §nobody",
		"single quotes": "'\"it''s\" + §nobody'",
		"double quotes": `"\"\u00e4\" + §nobody"`,
		"literal":       "|\n            {\"ä\": 1,\n              \"b\": §nobody}\n",
		"indented by 1": "|1\n            1 +\n            §nobody\n",
		"folded":        ">-\n            [1,\n            §nobody]\n",
	} {
		t.Run(name, func(t *testing.T) {
			before, after, _ := strings.Cut(head+text, "§")
			line := before[strings.LastIndex(before, "\n")+1:]
			want := fmt.Sprintf("f.yaml:%d:%d", strings.Count(before, "\n")+1, len([]rune(line))+1)
			d, diags := Parse("f.yaml", []byte(before+after))
			if d != nil {
				diags = append(diags, Check(d, CheckOptions{})...)
			}
			for _, one := range diags {
				if one.Code == "bad-formula" {
					if one.Pos.String() != want {
						t.Errorf("at %s, want %s", one.Pos, want)
					}
					return
				}
			}
			t.Errorf("there is no bad-formula in %v", diags)
		})
	}
}
