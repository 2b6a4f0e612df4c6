package app

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
)

const hrCSV = "id,userName,firstName,lastName,email\n1,ada@corp.example,Ada,L,ada@corp.example\n"

// commits returns a function that tells whether anything was written to the
// database of the folder since it was called last.
func (b *bench) commits() func() bool {
	b.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, ".lanyard", databaseFile))
	if err != nil {
		b.t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // what the pragma says is of one connection
	b.t.Cleanup(func() { _ = db.Close() })
	last := int64(0)
	return func() bool {
		b.t.Helper()
		before := last
		if err := db.QueryRowContext(b.t.Context(), "PRAGMA data_version").Scan(&last); err != nil {
			b.t.Fatal(err)
		}
		return last != before
	}
}

func importsOf(t *testing.T, s cli.Session, c importer.Command) *importer.Reply {
	t.Helper()
	r, err := s.Imports(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: %v", c.Do, fault.Public(err))
	}
	return r
}

// The first look at a source writes nothing, not even its application, and the plan
// is carried out all the same.
func TestFirstPreviewWritesNothing(t *testing.T) {
	for name, c := range map[string]importer.Command{
		"an import of lanyard.yaml": {Source: "hr"},
		"its label":                 {Source: "HR system"},
		"a file":                    {From: "people.csv", Label: "people"},
		"played on the sandbox":     {Source: "tenant", Sandbox: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("people.csv", hrCSV)
			b.write("lanyard.yaml", "connections:\n  okta: {server: \"https://example.okta.com\", auth: {type: ssws, token: env:T}}\n"+
				"imports:\n  hr: {label: HR system, from: {csv: people.csv}, guard: {percent: 10%}}\n  tenant: {from: {csv: people.csv}, to: {connection: okta, source: 0oa1}}\n")
			if c.From != "" {
				c.From = b.path(c.From)
			}
			s := b.session(cli.ReadWrite)
			if _, err := s.(*Folder).openImports(t.Context()); err != nil {
				t.Fatal(err)
			}
			wrote := b.commits()
			wrote()
			c.Do = importer.MakePreview
			p := importsOf(t, s, c).Plan
			if wrote() {
				t.Error("a first preview wrote")
			}
			explain := c
			explain.Do, explain.Person = importer.ExplainUser, "1"
			if trace := importsOf(t, s, explain).Trace; len(trace.Steps) != 5 && len(trace.Steps) != 6 {
				t.Errorf("the trace has the steps %+v", trace.Steps)
			}
			if listed := importsOf(t, s, importer.Command{Do: importer.ListSources}).Sources; len(listed) != 2 || listed[0].ID != "" {
				t.Errorf("the sources are %+v", listed)
			}
			if wrote() {
				t.Error("an explanation or a list wrote")
			}
			if p.Counts.Added != 1 {
				t.Fatalf("the plan has %+v, want 1 added", p.Counts)
			}
			done := importsOf(t, s, importer.Command{Do: importer.ApplyPlan, Plan: p, Sandbox: c.Sandbox}).Session
			if done.State != importer.Completed || done.Counts.Added != 1 {
				t.Errorf("the plan came to %s %+v", done.State, done.Counts)
			}
			if _, err := s.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: p, Sandbox: c.Sandbox}); !fault.Is(err, fault.Stale) {
				t.Errorf("the plan once more: %v", err)
			}
			c.Do = importer.RunImport
			if again := importsOf(t, s, c).Session; again.Counts.Unchanged != 1 || again.Counts.Added != 0 {
				t.Errorf("a run after it: %+v", again.Counts)
			}
		})
	}
}

// A plan of a source that has other settings by now is stale.
func TestPlanOfDraftIsStale(t *testing.T) {
	b := newBench(t)
	b.write("people.csv", hrCSV)
	b.write("lanyard.yaml", "imports:\n  hr: {from: {csv: people.csv}}\n")
	s := b.session(cli.ReadWrite)
	p := importsOf(t, s, importer.Command{Do: importer.MakePreview, Source: "hr"}).Plan
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.write("lanyard.yaml", "imports:\n  hr: {from: {csv: people.csv}, guard: {percent: 10%}}\n")
	s = b.session(cli.ReadWrite)
	if _, err := s.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: p}); !fault.Is(err, fault.Stale) {
		t.Errorf("other settings: %v", err)
	}
	p.Draft.Guard.Percent = 90
	if _, err := s.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: p}); err == nil || !strings.Contains(fault.Public(err), "changed after it was made") {
		t.Errorf("changed by hand: %v", err)
	}
	// What is stored and written otherwise now is looked at as it is written.
	wrote := b.commits()
	wrote()
	p = importsOf(t, s, importer.Command{Do: importer.MakePreview, Source: "hr"}).Plan
	if p.Counts.Added != 1 {
		t.Errorf("the plan has %+v", p.Counts)
	}
}
