// Package docs_test holds what the documents claim about the language to the
// code: each table of dialect.md that can be run is run.
package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// section returns the part of dialect.md under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile("dialect.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "\n"+heading+"\n")
	if !found {
		t.Fatalf("dialect.md has no heading %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for i, line := range strings.SplitAfter(rest, "\n") {
		marks, _, ok := strings.Cut(line, " ")
		if ok && strings.Trim(marks, "#") == "" && len(marks) > 0 && len(marks) <= len(level) {
			return strings.Join(strings.SplitAfter(rest, "\n")[:i], "")
		}
	}
	return rest
}

var code = regexp.MustCompile("^`(.*)`$")

// rows returns the cells of a section's tables that begin with code, without
// their backquotes.
func rows(t *testing.T, text string) [][]string {
	t.Helper()
	const bar = "\x00" // stands for an escaped bar
	var out [][]string
	for line := range strings.Lines(strings.ReplaceAll(text, `\|`, bar)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cell), bar, "|")
			if m := code.FindStringSubmatch(cells[i]); m != nil {
				cells[i] = m[1]
			} else if i == 0 {
				cells[i] = ""
			}
		}
		if cells[0] != "" {
			out = append(out, cells)
		}
	}
	if len(out) < 3 {
		t.Fatalf("only %d rows with code in the section", len(out))
	}
	return out
}

// fixed puts a text where the document's one scalar goes, fixes it, and returns
// the document that compat reads, with the codes of what was rewritten.
func fixed(t *testing.T, step string) (*arazzo.Document, []string) {
	t.Helper()
	text := `arazzo: 1.0.1
info: {title: t, version: "1"}
sourceDescriptions: [{name: api, url: api.yaml, type: openapi}]
workflows:
  - workflowId: w
    inputs: {properties: {token: {type: string}, user: {type: string}, ref: {type: string}, state: {type: string}}}
    steps:
      - {stepId: create-user, operationId: x, outputs: {user-id: $response.body#/id}}
      - ` + step + "\n"
	doc, diags := arazzo.ReadCompat("f.yaml", []byte(text), arazzo.FixOptions{})
	var codes []string
	for _, d := range diags {
		if d.Severity == arazzo.Error {
			t.Fatalf("%s: %s", step, d)
		}
		codes = append(codes, d.Code)
	}
	return doc, codes
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // of a string: cannot fail
	return string(text)
}

func TestTextExamples(t *testing.T) {
	for _, row := range rows(t, section(t, "### Expressions in text without braces")) {
		doc, _ := fixed(t, "{stepId: s, operationId: x, parameters: [{name: a, in: query, value: "+quoted(row[0])+"}]}")
		if got := doc.Workflows[0].Steps[1].Parameters[0].Value.Node.Value; got != row[1] {
			t.Errorf("%s becomes %s, dialect.md says %s", row[0], got, row[1])
		}
	}
}

func TestComparisonExamples(t *testing.T) {
	for _, row := range rows(t, section(t, "### Comparisons in place of JSONPath")) {
		doc, _ := fixed(t, "{stepId: s, operationId: x, successCriteria: [{context: $response.body, type: jsonpath, condition: "+quoted(row[0])+"}]}")
		got := doc.Workflows[0].Steps[1].SuccessCriteria[0]
		if got.Condition.Value != row[1] || got.Type.Type != row[2] {
			t.Errorf("%s becomes %s (%s), dialect.md says %s (%s)", row[0], got.Condition.Value, got.Type.Type, row[1], row[2])
		}
	}
}

func TestConditionExamples(t *testing.T) {
	for _, row := range rows(t, section(t, "### Quotes and words in simple conditions")) {
		doc, codes := fixed(t, "{stepId: s, operationId: x, successCriteria: [{condition: "+quoted(row[0])+"}]}")
		if got := doc.Workflows[0].Steps[1].SuccessCriteria[0].Condition.Value; got != row[1] || fmt.Sprint(codes) != "["+row[2]+"]" {
			t.Errorf("%s becomes %s %v, dialect.md says %s [%s]", row[0], got, codes, row[1], row[2])
		}
	}
}

func TestTruth(t *testing.T) {
	criterion, err := expr.CompileCriterion("", "$inputs.x", expr.Type{})
	if err != nil {
		t.Fatal(err)
	}
	table := section(t, "## Conditions")
	if !strings.Contains(table, "\n| missing | no |\n") || criterion.Eval(&expr.Data{}).Pass {
		t.Error("what is missing must not hold")
	}
	for _, row := range rows(t, table) {
		v, err := value.Decode([]byte(row[0]))
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		if got := criterion.Eval(&expr.Data{Inputs: map[string]any{"x": v}}).Pass; got != (row[1] == "yes") {
			t.Errorf("%s holds: %v, dialect.md says %s", row[0], got, row[1])
		}
	}
}

// Every switch and budget is in the tables, with its default.
func TestSwitches(t *testing.T) {
	listed := map[string][]string{}
	for _, row := range rows(t, section(t, "## Switches")) {
		listed[row[0]] = row[1:]
	}
	profile := reflect.TypeFor[plan.Profile]()
	for i := range profile.NumField() {
		name, _, _ := strings.Cut(profile.Field(i).Tag.Get("json"), ",")
		cells, ok := listed[name]
		if !ok {
			t.Errorf("dialect.md does not list the switch %s", name)
			continue
		}
		delete(listed, name)
		if profile.Field(i).Type.Kind() != reflect.String {
			continue
		}
		for _, choice := range strings.Split(cells[0], ", ") {
			var p plan.Profile
			reflect.ValueOf(&p).Elem().Field(i).SetString(strings.Trim(choice, "`"))
			if err := p.Check(); err != nil {
				t.Errorf("dialect.md lists a value of %s that is none: %v", name, err)
			}
		}
	}
	for name := range listed {
		t.Errorf("dialect.md lists %s, which is no switch", name)
	}
	for name, want := range map[string]int{
		"maxSteps": plan.DefaultMaxSteps, "maxRepeats": plan.DefaultMaxRepeats, "maxRetries": plan.DefaultMaxRetries,
		"maxRetryAfter": plan.DefaultMaxRetryAfter, "callTimeout": plan.DefaultCallTimeout,
	} {
		if text := section(t, "## Switches"); !regexp.MustCompile(fmt.Sprintf("\\| `%s` \\| %d( s)? \\|", name, want)).MatchString(text) {
			t.Errorf("dialect.md does not give %d as the default of %s", want, name)
		}
	}
}

// The examples of the extension, those of this page and the one that ships,
// satisfy its schema, and the schema refuses what it should.
func TestExtensionSchema(t *testing.T) {
	schema := extensionSchema(t)
	example, err := os.ReadFile("../examples/auth0-user-to-okta-group.arazzo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(example)}
	for _, block := range strings.Split(section(t, "## x-lanyard-idempotency"), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		texts = append(texts, text)
	}
	if len(texts) < 4 {
		t.Errorf("only %d examples", len(texts))
	}
	for _, text := range texts {
		root, err := value.ParseYAML([]byte(text), "example")
		if err != nil {
			t.Fatal(err)
		}
		rules := extensions(value.FromYAML(root))
		if len(rules) == 0 {
			t.Errorf("no extension in the example:\n%s", text)
		}
		for _, rule := range rules {
			if err := schema.Validate(rule); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		}
	}
	for _, wrong := range []string{
		`{}`, `[]`, `{"key": "a"}`, `{"header": "A"}`, `{"done": []}`, `{"done": [99]}`, `{"done": ["409"]}`, `{"retry": 1}`, `{"repeat": false}`,
		`{"lookup": {}}`, `{"lookup": {"operationId": "a", "operationPath": "b"}}`, `{"lookup": {"operationId": "a", "find": "b"}}`,
		`{"lookup": {"operationId": "a", "parameters": [{"name": "b", "value": 1}]}}`, `{"lookup": {"operationId": "a", "found": true}}`,
	} {
		v, err := value.Decode([]byte(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("the schema accepts %s", wrong)
		}
	}
}

func extensionSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("dialect.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("dialect.schema.json", raw); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("dialect.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// extensions finds the extension wherever it stands.
func extensions(v any) []any {
	var out []any
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			out = append(out, extensions(item)...)
		}
	case map[string]any:
		for name, item := range v {
			if name == plan.IdempotencyExtension {
				out = append(out, item)
			}
			out = append(out, extensions(item)...)
		}
	}
	return out
}
