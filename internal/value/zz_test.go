package value
import ("testing";"strings";"time";"fmt";"runtime")
func TestZ(t *testing.T){
	rep := strings.Repeat
	big := 16<<20
	for name, doc := range map[string]string{
		"flow open": rep("[", big-1),
		"flow quoted bypass": rep(`["]",`, (big-1)/5),
		"flow map": rep(`{a: `, (big-1)/4),
		"dashes": rep("- ", (big-1)/2),
		"dash lines": rep("-\n", (big-1)/2),
		"questions": rep("? ", (big-1)/2),
		"anchors": rep("- &a x\n", (big-1)/7),
		"aliases": "a: &a x\nb: ["+rep("*a,", 1<<20)+"]",
		"keys": func() string { var b strings.Builder; for i:=0;i<1000000;i++ { fmt.Fprintf(&b, "k%d: v\n", i)}; return b.String() }(),
		"long plain": "a: "+rep("x ", (big-4)/2),
		"long lines plain": "a: "+rep("x\n  ", (big-4)/4),
		"colons": rep("a:", (big-1)/2),
		"colons space": rep("a: ", (big-1)/3),
		"quoted colon": `"`+rep("a: ", (big-10)/3)+`"`,
		"comments": rep("#\n", (big-10)/2)+"a: 1",
		"tags": rep("!a ", 1000000)+"x",
		"percent": rep("%a b\n", 1000000),
		"oneline json": "["+rep(`{"a":1,"b":"c"},`, (big-20)/16)+"1]",
		"brackets text": "a: |\n  "+rep("[[[[ ", 3000),
		"indent": func() string { var b strings.Builder; for i:=0;i<5000;i++ { b.WriteString(rep(" ", i)+"a:\n")}; return b.String() }(),
		"flow seq keys": "["+rep("a: b, ", 2000000)+"]",
		"complex key nest": rep("? - ", 4000),
		"bom": "\xef\xbb\xbfa: 1",
		"utf16": "\xff\xfea\x00:\x00 \x001\x00",
		"nul": "a: \x00",
		"second broken": "a: 1\n---\n{",
		"garbage": "a: 1\n]",
		"docend": "a: 1\n...\n",
		"self alias": "a: &a [*a]",
		"self alias2": "&a {b: *a}",
	} {
		st := time.Now()
		var m runtime.MemStats
		runtime.ReadMemStats(&m); a0 := m.TotalAlloc
		n, err := ParseYAML([]byte(doc), "f")
		d := time.Since(st)
		runtime.ReadMemStats(&m)
		es := "ok"
		if err != nil { es = err.Error() } else if n != nil { FromYAML(n) }
		t.Logf("%-20s %8.0fms alloc %5d MB  %.100s", name, float64(d.Microseconds())/1000, (m.TotalAlloc-a0)>>20, es)
	}
}
