package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	tables "github.com/lanyard-id/lanyard/internal/table"
)

// tablesSession has real tables, in an empty database.
func tablesSession(t *testing.T) *fakeSession {
	t.Helper()
	db := sqlitetest.Open(t)
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	s := play(t)
	s.desk = &tables.Desk{Actor: "operator", Tables: &tables.Tables{Store: db.Tables(), Now: func() time.Time { return at }, Scratch: t.TempDir()}}
	return s
}

func TestTables(t *testing.T) {
	session := tablesSession(t)
	p := newProduct(session)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // the files are named as people name them
	for name, text := range map[string]string{
		"people.csv":  "id,name,age,joined\n007,Łukasz Ćwiklak,41,2026-01-31\n008,=1+1,,2026-02-01\n",
		"bad.csv":     "id,name,age,joined\n009,Ann,old,2026-02-30\n010,Bob,\n",
		"changed.csv": "id,age\n007,42\n008,\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, args := range [][]string{
		{"list"},
		{"create", "Badges", "number:text:key", "owner:text:required", "issued:date"},
		{"create", "badges"},
		{"create", "Other", "a:colour"},
		{"alter", "Badges", "--add", "expires:date", "--rename", "owner=holder", "--type", "issued=text"},
		{"add", "Badges", "number=0017", "holder=ada.min@example.com", "issued=2026-03-29"},
		{"add", "Badges", "number=0017", "holder=bob@example.com", "--upsert"},
		{"add", "Badges", "number=18", "holder="},
		{"set", "Badges", "0017", "issued=", "--by-key"},
		{"set", "Badges", "1", "issued=x", "--version", "7"},
		{"rows", "Badges", "--filter", `holder sw "bob"`},
		{"rows", "Badges", "--filter", `holdr pr`},
		{"delete", "Badges"},
		{"delete", "Badges", "0017", "--by-key"},
		{"import", "People", "people.csv", "--key", "id", "--preview"},
		{"import", "People", "people.csv", "--key", "id"},
		{"import", "People", "bad.csv"},
		{"import", "People", "bad.csv", "--skip-bad", "--mode", "upsert"},
		{"import", "People", "changed.csv", "--mode", "upsert"},
		{"import", "People", "changed.csv", "--mode", "upsert"},
		{"import", "People", "none.csv"},
		{"import", "People", "-", "--mode", "replace"},
		{"rows", "People", "--order", "id desc", "--limit", "1"},
		{"export", "People"},
		{"export", "People", "--format", "json"},
		{"show", "People"},
		{"delete", "People", "--all"},
		{"drop", "People"},
		{"drop", "People", "--yes"},
		{"show", "People"},
	} {
		s := newTestIO("id,name\n1,+49 30\n2,x\n", nil)
		out = append(out, transcript(t.Context(), s, p.Product, append([]string{"tables"}, args...)...))
	}
	t.Chdir(home)
	golden(t, "tables", strings.Join(out, "\n"))
	if session.closed != len(p.access) || !slices.Contains(p.access, ReadOnly) || !slices.Contains(p.access, ReadWrite) {
		t.Errorf("%d of %d sessions were closed; opened %v", session.closed, len(p.access), p.access)
	}
}

// What --to names is there when it is whole.
func TestTablesExportTo(t *testing.T) {
	session := tablesSession(t)
	p := newProduct(session)
	t.Chdir(t.TempDir())
	run := func(args ...string) int {
		return Main(t.Context(), newTestIO("a\n1\n", nil).IO, p.Product, append([]string{"tables"}, args...))
	}
	if run("import", "T", "-") != exitOK || run("export", "T", "--out", "out.csv") != exitOK {
		t.Fatal("it fails")
	}
	text, err := os.ReadFile("out.csv")
	if err != nil || string(text) != "a\r\n1\r\n" {
		t.Errorf("%q, %v", text, err)
	}
	if run("export", "None", "--out", "none.csv") == exitOK {
		t.Error("a table that is not there is exported")
	}
	if left, _ := filepath.Glob("*"); !slices.Equal(left, []string{"out.csv"}) {
		t.Errorf("files: %v", left)
	}
}
