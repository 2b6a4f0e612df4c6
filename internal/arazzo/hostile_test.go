package arazzo

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Documents made to hurt: each must be answered quickly, with an error or not.
func TestHostileDocuments(t *testing.T) {
	if testing.Short() && os.Getenv("CI") == "" {
		t.Skip("takes seconds")
	}
	head := "arazzo: 1.1.0\ninfo: {title: t, version: \"1\"}\nsourceDescriptions: [{name: api, url: a}]\n"
	workflow := func(inputs string, steps func(*strings.Builder)) string {
		var b strings.Builder
		b.WriteString(head + "workflows:\n- workflowId: w\n" + inputs + "  steps:\n")
		steps(&b)
		return b.String()
	}
	repeat := func(n int, format string) func(*strings.Builder) {
		return func(b *strings.Builder) {
			for i := range n {
				fmt.Fprintf(b, format, i)
			}
		}
	}
	step := "  - {stepId: s%d, operationId: x"
	for name, text := range map[string]string{
		"deep":        strings.Repeat("[", 100_000),
		"deep blocks": strings.Repeat("- ", 100_000),
		"alias bomb": "a0: &a0 [x]\n" + func() string {
			var b strings.Builder
			for i := 1; i < 40; i++ {
				fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
			}
			return b.String()
		}(),
		"aliased payloads": head + "workflows:\n- workflowId: w\n  steps:\n  - stepId: s\n    operationId: x\n    requestBody: {payload: &p [" +
			strings.Repeat("SSWS $inputs.x,", 1000) + "]}\n" + func() string {
			var b strings.Builder
			repeat(400, "  - {stepId: t%d, operationId: x, requestBody: {payload: *p}}\n")(&b)
			return b.String()
		}(),
		"many steps":       workflow("", repeat(20_000, step+"}\n")),
		"many gotos":       workflow("  successActions: ["+strings.Repeat("{name: n, type: goto, stepId: s1, criteria: [{condition: $statusCode == 200}]},", 99)+"]\n", repeat(999, step+"}\n")),
		"many reads":       workflow("", repeat(900, step+", outputs: {o: $response.body}, parameters: [{name: a, in: query, value: $steps.s899.outputs.o}]}\n")),
		"dependency chain": workflow("", repeat(900, step+", dependsOn: [s0]}\n")),
		"many texts": workflow("  inputs: {properties: {a: {}}}\n", func(b *strings.Builder) {
			b.WriteString("  - {stepId: s, operationId: x, requestBody: {payload: [" + strings.Repeat("x $inputs.a,", 50_000) + "]}}\n")
		}),
		"many unknown names": workflow("  inputs: {properties: {abcdefgh: {}}}\n", func(b *strings.Builder) {
			b.WriteString("  - {stepId: s, operationId: x, requestBody: {payload: [")
			repeat(50_000, "$inputs.abc%d,")(b)
			b.WriteString("]}}\n")
		}),
		"dots":       workflow("  inputs: {properties: {a: {}}}\n", repeat(1, step+", requestBody: {payload: \"$inputs."+strings.Repeat("a.", 200_000)+"a\"}}\n")),
		"dots bare":  workflow("  inputs: {properties: {a: {}}}\n", repeat(1, step+", requestBody: {payload: \"x $inputs."+strings.Repeat("a.", 200_000)+"a\"}}\n")),
		"long words": workflow("", repeat(1, step+", successCriteria: [{condition: \""+strings.Repeat("a == b || ", 100_000)+"a\"}]}\n")),
		"wide inputs": workflow("  inputs:\n    properties:\n"+func() string {
			var b strings.Builder
			repeat(20_000, "      a%d: {$ref: '#/components/inputs/c%[1]d'}\n")(&b)
			return b.String()
		}(), repeat(1, step+"}\n")) + "components:\n  inputs:\n" + func() string {
			var b strings.Builder
			repeat(20_000, "    c%d: {type: string}\n")(&b)
			return b.String()
		}(),
		"schemas that refer to each other": workflow("  inputs: {$ref: '#/components/inputs/c0'}\n", repeat(1, step+"}\n")) + "components:\n  inputs:\n" + func() string {
			var b strings.Builder
			for i := range 60 {
				fmt.Fprintf(&b, "    c%d: {properties: {a: {$ref: '#/components/inputs/c%d'}, b: {$ref: '#/components/inputs/c%[2]d'}}}\n", i, (i+1)%60)
			}
			return b.String()
		}(),
		"one line": strings.ReplaceAll(`{"arazzo":"1.0.1","info":{"title":"é","version":"1"},"sourceDescriptions":[{"name":"a","url":"a"}],"workflows":[{"workflowId":"w","inputs":{"properties":{"a":{}}},"steps":[{"stepId":"s","operationId":"x","requestBody":{"payload":[LIST "end"]}}]}]}`,
			"LIST", strings.Repeat(`"x $inputs.a",`, 20_000)),
		"recursion": head + "workflows:\n" + func() string {
			var b strings.Builder
			for i := range 900 {
				fmt.Fprintf(&b, "- workflowId: w%d\n  steps: [{stepId: s, workflowId: w%d}, {stepId: t, workflowId: w%d}]\n", i, (i+1)%900, (i+7)%900)
			}
			return b.String()
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			d, diags := Parse("f.yaml", []byte(text))
			if d != nil {
				diags = append(diags, Check(d, CheckOptions{})...)
				diags = append(diags, Check(d, CheckOptions{Dialect: Compat})...)
				if _, _, err := Fix(d, FixOptions{}); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %s", took)
			} else {
				t.Logf("%s, %d diagnostics", took, len(diags))
			}
			if len(diags) > 4*maxDiagnostics+4 {
				t.Errorf("%d diagnostics", len(diags))
			}
		})
	}
}

func TestManyErrorsAreCut(t *testing.T) {
	var b strings.Builder
	b.WriteString("arazzo: 1.0.1\ninfo: {title: t, version: \"1\"}\nsourceDescriptions: [{name: api, url: a}]\nworkflows:\n- workflowId: w\n  steps:\n")
	for i := range 900 {
		fmt.Fprintf(&b, "  - {stepId: s%d, workflowId: nobody}\n", i)
	}
	d, _ := Parse("f.yaml", []byte(b.String()))
	diags := Check(d, CheckOptions{})
	last := diags[len(diags)-1]
	if len(diags) != maxDiagnostics+1 || last.Message != "400 more findings are not shown" {
		t.Errorf("%d diagnostics, the last is %s", len(diags), last)
	}
}
