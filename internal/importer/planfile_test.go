package importer_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// planText makes a plan over a directory that has people, and returns it as it is
// written.
func (b *bench) planText(all rows) string {
	p, err := b.Preview(b.Context(), b.source, all, importer.PreviewOptions{Type: importer.Full})
	b.do(err)
	defer p.Close()
	var text strings.Builder
	n, err := p.WriteTo(&text)
	b.do(err)
	b.equal("bytes", n, int64(text.Len()))
	return text.String()
}

// A plan that is not as it was made is refused before anything is written, and says
// what is wrong with it.
func TestPlanFile(t *testing.T) {
	b := newBench(t, func(s *reconcile.Settings) { s.Guard.Growth = -1 })
	all := people(620) // more than a piece
	b.run(all[:20], importer.Full)
	whole := b.planText(all)
	b.equal("lines", strings.Count(whole, "\n"), 600+2)
	head, _, _ := strings.Cut(whole, "\n")
	before := b.store.updates.Load()
	for name, test := range map[string]struct {
		text string
		kind fault.Kind
		say  string
	}{
		"empty":         {"", fault.Invalid, "cut off"},
		"half":          {whole[:len(whole)/2], fault.Invalid, "cut off"},
		"in the head":   {whole[:20], fault.Invalid, "cut off"},
		"no end":        {strings.TrimSuffix(whole, "}\n"), fault.Invalid, "cut off"},
		"mended":        {whole[:strings.LastIndex(whole[:len(whole)/2], ",\n{")] + "\n]}\n", fault.Invalid, "entities"},
		"only the head": {head + "]}", fault.Invalid, "it has 0 of 600 entities"},
		"behind it":     {whole + "{}", fault.Invalid, "behind the plan"},
		"another name":  {strings.Replace(whole, "Ann300.", "Eve300.", 1), fault.Invalid, "was changed"},
		"another order": {swapLines(whole, 3, 4), fault.Invalid, "was changed"},
		"once more":     {strings.Replace(whole, "\n{", "\n{},\n{", 1), fault.Invalid, "was changed"},
		"before 2":      {`{"version":1,"entities":[{"seq":1}],"digest":"x"}`, fault.Unsupported, "another version"},
		"to come":       {strings.Replace(whole, `"version":2`, `"version":3`, 1), fault.Unsupported, "another version"},
		"no plan":       {`{"people":[1,2,3]}`, fault.Invalid, "no plan"},
		"a list":        {`[]`, fault.Invalid, "no plan"},
		"no JSON":       {`id,name`, fault.Invalid, "no plan"},
		"nothing":       {`null`, fault.Invalid, "no plan"},
		"wrong kinds":   {`{"version":2,"entities":{},"digest":"x"}`, fault.Invalid, "no plan"},
	} {
		p, err := importer.ReadPlan(strings.NewReader(test.text))
		if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.say) || p != nil {
			t.Errorf("%s: %v, want %s: %s", name, err, test.kind, test.say)
		}
	}
	b.equal("writes", b.store.updates.Load(), before)
	// As it stands, or as other programs write the same JSON, it is carried out.
	p, err := importer.ReadPlan(strings.NewReader(strings.ReplaceAll(whole, "\n", "\r\n \t")))
	b.do(err)
	defer p.Close()
	s, err := b.Apply(t.Context(), me, p)
	b.do(err)
	b.equal("added", s.Counts.Added, 600)
	before = b.store.updates.Load()
	if _, err := b.Apply(t.Context(), me, p); !fault.Is(err, fault.Stale) {
		t.Errorf("a plan that was carried out is answered %v", err)
	}
	b.equal("writes of a stale plan", b.store.updates.Load(), before)
}

// swapLines exchanges two lines, which end alike.
func swapLines(text string, i, j int) string {
	lines := strings.SplitAfter(text, "\n")
	lines[i], lines[j] = lines[j], lines[i]
	return strings.Join(lines, "")
}

// Nothing of a plan stays on the disk, not even while it is there.
func TestPlanLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := newBench(t, nil)
	p, err := b.Preview(t.Context(), b.source, people(520), importer.PreviewOptions{})
	b.do(err)
	list, err := os.ReadDir(dir)
	b.do(err)
	b.equal("files", len(list), 0)
	n := 0
	for _, err := range p.Entities() {
		b.do(err)
		n++
	}
	b.equal("entities", n, 520)
	p.Close()
	t.Setenv("TMPDIR", dir+"/absent")
	if _, err := b.Preview(t.Context(), b.source, people(520), importer.PreviewOptions{}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("without room: %v", err)
	}
}

// Whatever is read for a plan, it is one or it is refused; what is one is written
// as the same again.
func FuzzReadPlan(f *testing.F) {
	plan := &importer.Plan{Version: 2, Label: "HR"}
	for i := range int64(3) {
		if err := plan.Add(&importer.PlanEntity{Entity: importer.Entity{Seq: i, Name: "<ann>"}}); err != nil {
			f.Fatal(err)
		}
	}
	if err := plan.Seal(); err != nil {
		f.Fatal(err)
	}
	defer plan.Close()
	var text bytes.Buffer
	if _, err := plan.WriteTo(&text); err != nil {
		f.Fatal(err)
	}
	whole := text.String()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(`{"version":2,"entities":[{}],"digest":"x","size":1}`)
	f.Add(`{"version":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := importer.ReadPlan(strings.NewReader(text))
		if err != nil {
			if fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.Unsupported {
				t.Fatalf("%v", err)
			}
			return
		}
		defer p.Close()
		var out bytes.Buffer
		if _, err := p.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		again, err := importer.ReadPlan(&out)
		if err != nil || again.Digest != p.Digest {
			t.Fatalf("written again it is another one: %v", err)
		}
		again.Close()
	})
}
