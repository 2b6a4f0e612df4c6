package arazzo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxDiagnostics bounds the errors of a report, and apart from them the rest:
// remarks must not push out the error that keeps a document from running.
const maxDiagnostics = 500

// report collects diagnostics in any order.
type report struct {
	list     []Diagnostic
	errors   int  // of list
	complete bool // keep everything
	dropped  int
}

func (r *report) add(d Diagnostic) {
	if !r.room(d.Severity) {
		r.dropped++
		return
	}
	if d.Severity == Error {
		r.errors++
	}
	r.list = append(r.list, d)
}

// room reports whether a diagnostic of that severity would be kept. Costly
// remedies are not worked out for those that would not.
func (r *report) room(severity Severity) bool {
	n := len(r.list) - r.errors
	if severity == Error {
		n = r.errors
	}
	return n < maxDiagnostics || r.complete
}

// finding is a Diagnostic in the making: say writes the message, fix the remedy.
type finding struct {
	r *report
	d Diagnostic
}

func (r *report) find(severity Severity, code string, at Pos) finding {
	return finding{r: r, d: Diagnostic{Pos: at, Severity: severity, Code: code}}
}

// fix sets the remedy; an empty one is none.
func (f finding) fix(format string, args ...any) finding {
	f.d.Remedy = clip(fmt.Sprintf(format, args...))
	return f
}

func (f finding) edit(edits ...Edit) finding {
	f.d.Edits = edits
	return f
}

// say sets the message and files the diagnostic.
func (f finding) say(format string, args ...any) {
	f.d.Message = clip(fmt.Sprintf(format, args...))
	f.r.add(f.d)
}

// clip shortens what quotes a whole document.
func clip(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// sorted returns the diagnostics by place, each once.
func (r *report) sorted(file string) []Diagnostic {
	list := r.list
	slices.SortStableFunc(list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	list = slices.CompactFunc(list, func(a, b Diagnostic) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Message == b.Message
	})
	if r.dropped > 0 {
		list = append(list, Diagnostic{
			Pos: Pos{File: file}, Severity: Info, Code: "schema",
			Message: fmt.Sprintf("%d more findings are not shown", r.dropped),
		})
	}
	return list
}

// HasErrors reports whether any of the diagnostics keeps the document from running.
func HasErrors(diags []Diagnostic) bool {
	return slices.ContainsFunc(diags, func(d Diagnostic) bool { return d.Severity == Error })
}
