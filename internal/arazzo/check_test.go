package arazzo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documents in testdata/check are cut at lines that start with "%% ". What
// follows on that line names the case and sets options: "compat", "1.1", "raw"
// (no head is put before it). Expected diagnostics stand at the end of their
// line: "# want: unknown-step", with "warning" or "info" before the code for
// those severities, several separated by commas. Diagnostics of the codes after
// "ignore" in the first line of a file are left out.
func TestCheck(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases:", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(data), "\n")
		_, ignore, _ := strings.Cut(first, "ignore:")
		for _, c := range checkCases(string(data)) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+c.name, func(t *testing.T) {
				c.run(t, file, strings.Fields(ignore))
			})
		}
	}
}

// checkCase is one document.
type checkCase struct {
	name    string
	options []string
	line    int // of the first line of text in the file
	text    string
}

func checkCases(data string) []checkCase {
	var out []checkCase
	var current *checkCase
	for i, line := range strings.Split(data, "\n") {
		if head, ok := strings.CutPrefix(line, "%% "); ok {
			name, options, _ := strings.Cut(head, " [")
			out = append(out, checkCase{name: strings.ReplaceAll(name, " ", "-"), options: strings.Fields(strings.TrimSuffix(options, "]")), line: i + 2})
			current = &out[len(out)-1]
			continue
		}
		if current != nil {
			current.text += line + "\n"
		}
	}
	return out
}

// checkHead makes a document of a list of workflows.
const checkHead = `arazzo: %s
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
`

var wantComment = regexp.MustCompile(`#\s*want:\s*(.*)$`)

func (c checkCase) run(t *testing.T, file string, ignore []string) {
	text, offset := c.text, c.line-1
	if !slices.Contains(c.options, "raw") {
		version := "1.0.1"
		if slices.Contains(c.options, "1.1") {
			version = "1.1.0"
		}
		head := fmt.Sprintf(checkHead, version)
		text = head + text
		offset -= strings.Count(head, "\n")
	}
	dialect := Strict
	if slices.Contains(c.options, "compat") {
		dialect = Compat
	}
	var want, got []string
	for i, line := range strings.Split(text, "\n") {
		m := wantComment.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, w := range strings.Split(m[1], ",") {
			severity, code, ok := strings.Cut(strings.TrimSpace(w), " ")
			if !ok {
				severity, code = "error", severity
			}
			want = append(want, fmt.Sprintf("%s:%d: %s %s", file, i+1+offset, severity, code))
		}
	}
	d, diags := Parse(file, []byte(text))
	if d != nil {
		diags = append(diags, Check(d, CheckOptions{Dialect: dialect})...)
	}
	for _, d := range diags {
		if !slices.Contains(ignore, d.Code) {
			got = append(got, fmt.Sprintf("%s:%d: %s %s", file, d.Line+offset, d.Severity, d.Code))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
		for _, d := range diags {
			t.Log(d)
		}
	}
}

func TestDiagnosticsHelp(t *testing.T) {
	// Messages are read by people who look for one word in a file: a few of
	// them, word by word.
	text := `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    inputs: {properties: {token: {type: string, format: password}, email: {type: string}}}
    steps:
      - stepId: find
        operationID: getUser
        operationId: getUser
        parameters:
          - {name: Authorization, in: header, value: SSWS $inputs.token}
          - {name: q, in: query, value: $inputs.emial}
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {id: $response.body.id}
        onSuccess: [{name: next, type: goto, stepId: fnd}]
`
	want := []string{
		`f.yaml:9:9: a step has no field operationID; did you mean operationId? [schema]`,
		`f.yaml:12:54: $inputs.token without braces stays text and is not replaced by a value; write "SSWS {$inputs.token}" [bare-expression-in-text]`,
		`f.yaml:13:41: the workflow declares no input emial; did you mean email? [unknown-input]`,
		`f.yaml:15:23: "$response.body.id" is not a runtime expression: at offset 14 expected "#" and a JSON Pointer, or the end; perhaps $response.body#/id is meant [bad-expression]`,
		`f.yaml:16:54: there is no step fnd in the workflow w; did you mean find? [unknown-step]`,
	}
	d, diags := Parse("f.yaml", []byte(text))
	var got []string
	for _, d := range append(diags, Check(d, CheckOptions{})...) {
		if d.Severity == Error {
			got = append(got, d.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
