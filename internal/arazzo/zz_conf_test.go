package arazzo

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
)

func TestZZConf(t *testing.T) {
	files, _ := filepath.Glob("../../conformance/cases/*.yaml")
	refusedNo, n := 0, 0
	for _, f := range files {
		data, _ := os.ReadFile(f)
		root, err := value.ParseYAML(data, f)
		if err != nil { t.Error(err); continue }
		c, ok := value.FromYAML(root).(map[string]any)
		if !ok { continue }
		docs, _ := c["documents"].(map[string]any)
		exp, _ := c["expect"].(map[string]any)
		dialect := Strict
		if c["dialect"] == "compat" { dialect = Compat }
		dn := mapValue(root, "documents")
		if dn == nil { continue }
		first := dn.Content[0].Value
		var all []Diagnostic
		names := []string{}
		for name, text := range docs {
			s, _ := text.(string)
			if !strings.Contains(s, "arazzo") || strings.Contains(s, "openapi: 3") && name != first { continue }
			names = append(names, name)
			var d *Document
			var diags []Diagnostic
			if dialect == Compat { d, diags = ReadCompat(name, []byte(s), FixOptions{}) } else { d, diags = Parse(name, []byte(s)) }
			if d != nil { diags = append(diags, Check(d, CheckOptions{Dialect: dialect, Schema: true})...) }
			if name == first { all = diags } else { for _, x := range diags { if x.Severity == Error { fmt.Println("OTHER", filepath.Base(f), x) } } }
		}
		n++
		status := exp["status"]
		hasErr := HasErrors(all)
		if status == "refused" {
			if !hasErr { refusedNo++; fmt.Println("NOTREFUSED", filepath.Base(f), exp["diagnostics"], exp["error"]) }
		} else if hasErr {
			for _, x := range all { if x.Severity == Error { fmt.Println("FALSE", filepath.Base(f), x) } }
		}
		want, _ := exp["diagnostics"].([]any)
		for _, w := range want {
			m, _ := w.(map[string]any)
			found := false
			for _, x := range all {
				if x.Code == m["code"] && (m["line"] == nil || fmt.Sprint(m["line"]) == fmt.Sprint(x.Line)) { found = true }
			}
			if !found {
				fmt.Println("MISSING", filepath.Base(f), m)
				for _, x := range all { fmt.Println("     have", x) }
			}
		}
	}
	fmt.Println(n, "cases; not refused by us:", refusedNo)
}
