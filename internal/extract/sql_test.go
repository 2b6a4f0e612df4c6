package extract

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

func TestCheckQuery(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"SELECT 1", "select * from people;", " WITH p AS (SELECT 1) SELECT * FROM p ; -- done\n", "SELECT 'DELETE; x' AS \"update\"", "/* INSERT */ SELECT 1",
		"-- DROP\nSELECT 1", "SELECT $$ ; delete $$, $a$ ; $$ drop $a$, $1", "SELECT deleted, updates FROM people", "SELECT 'it''s; fine'", "(SELECT 1)", "SELECT `delete` FROM t",
	} {
		if err := checkQuery(query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	for query, want := range map[string]string{
		"":                            "the query is empty",
		" -- SELECT 1":                "the query is empty",
		"SELECT 1; SELECT 2":          "there is more than one statement; only one is run",
		"SELECT 1;'x'":                "there is more than one statement; only one is run",
		"DELETE FROM people":          "a query begins with SELECT or WITH, and this with DELETE",
		"PRAGMA query_only = 0":       "a query begins with SELECT or WITH, and this with PRAGMA",
		"SELECT * INTO t FROM people": "the query has the word INTO, and may only read; if it is the name of a column, put it between double quotes",
		"WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x": "the query has the word DELETE, and may only read; if it is the name of a column, put it between double quotes",
		"SELECT 1 FOR UPDATE": "the query has the word UPDATE, and may only read; if it is the name of a column, put it between double quotes",
	} {
		if err := checkQuery(query); fault.Public(err) != want {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// hr makes a database of people.
func hr(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "hr.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`
		CREATE TABLE people (id INTEGER, name TEXT, hired DATE, seen DATETIME, active BOOLEAN, rate REAL, photo BLOB, note TEXT);
		INSERT INTO people VALUES (9007199254740993, 'Ada', '2026-01-31', '2026-01-31 10:00:00', 1, 1.5, x'00ff', NULL), (2, 'Bob', NULL, NULL, 0, 2, NULL, '')`); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	dir := hr(t)
	r := open(t, Env{}, dir, `sql: {database: sqlite:hr.db, query: "SELECT * FROM people WHERE rate >= $1 AND (name <> $2) = $3 ORDER BY name", parameters: [1.5, Eve, true]}`)
	got, places, err := all(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, `[
		{"id":9007199254740993,"name":"Ada","hired":"2026-01-31","seen":"2026-01-31T10:00:00Z","active":true,"rate":1.5,"photo":"AP8=","note":null},
		{"id":2,"name":"Bob","hired":null,"seen":null,"active":false,"rate":2,"photo":null,"note":""}]`)
	if places[1] != "row 2" || r.Describe() != "query of hr.db" || r.Identity() != "" {
		t.Errorf("%v, %s, %s", places, r.Describe(), r.Identity())
	}
	for query, want := range map[string]string{
		"SELECT id, id FROM people": "query of hr.db: the name of column 2 \"id\" is that of column 1, too; give each column a name of its own: SELECT a.id AS id, ...",
		"SELECT * FROM persons":     "query of hr.db: SQLite refuses the query: SQL logic error: no such table: persons (1); correct it; it may only read",
	} {
		_, _, err := all(t.Context(), open(t, Env{}, dir, fmt.Sprintf("sql: {database: sqlite:hr.db, query: %q}", query)))
		wantFault(t, err, want)
	}
	_, err = tryOpen(t, Env{}, dir, `sql: {database: sqlite:nobody.db, query: SELECT 1}`)
	wantFault(t, err, dir+"/nobody.db: the database file cannot be read; check the path, and its permissions")
}

// TestSQLiteOnlyReads goes around our own check: the database refuses by itself.
func TestSQLiteOnlyReads(t *testing.T) {
	t.Parallel()
	dir := hr(t)
	for _, query := range []string{"DELETE FROM people RETURNING *", "CREATE TABLE t (a)", "PRAGMA query_only = 0; DELETE FROM people"} {
		r, err := (&sqlOrigin{database: "sqlite:" + filepath.Join(dir, "hr.db"), query: query}).open(t.Context(), Env{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := all(t.Context(), r); err == nil {
			t.Errorf("%s is run", query)
		}
	}
	if n := count(t, open(t, Env{}, dir, `sql: {database: sqlite:hr.db, query: SELECT * FROM people}`)); n != 2 {
		t.Errorf("%d people are left", n)
	}
}

func TestSQLReferences(t *testing.T) {
	t.Parallel()
	dir := hr(t)
	env := Env{Secrets: &secret.Resolver{Env: func(name string) (string, bool) {
		v, ok := map[string]string{"HR": "sqlite:" + filepath.Join(dir, "hr.db"), "PG": "postgres://u:p@127.0.0.1:1/db", "BAD": "mysql://u:topsecret@h/d"}[name]
		return v, ok
	}}}
	if n := count(t, open(t, env, dir, `sql: {database: env:HR, query: SELECT * FROM people}`)); n != 2 {
		t.Errorf("%d people", n)
	}
	_, err := tryOpen(t, env, dir, `sql: {database: env:BAD, query: SELECT 1}`)
	wantFault(t, err, "the address of the database cannot be read; write it as postgres://USER@HOST:PORT/DATABASE")
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the password is shown: %v", err)
	}
	if _, err := tryOpen(t, env, dir, `sql: {database: env:NONE, query: SELECT 1}`); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a variable that is not set: %v", err)
	}
	_, _, err = all(t.Context(), open(t, env, dir, `sql: {database: env:PG, query: SELECT 1}`))
	wantFault(t, err, "query of 127.0.0.1/db: PostgreSQL at 127.0.0.1:1 cannot be reached; check address, password and network")
}

// numbers is a query of many rows.
const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) SELECT i AS id, 'name ' || i AS name, 'the same department' AS department FROM n"

func TestSQLiteMemory(t *testing.T) {
	rows := size(t, 25_000)
	r := open(t, Env{}, hr(t), fmt.Sprintf("sql: {database: sqlite:hr.db, query: %q}", fmt.Sprintf(numbers, rows)))
	n, grown := heapWhile(t, r, rows/8)
	if n != rows || grown > 4<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

func TestSQLiteStops(t *testing.T) {
	t.Parallel()
	r := open(t, Env{}, hr(t), fmt.Sprintf("sql: {database: sqlite:hr.db, query: %q}", fmt.Sprintf(numbers, 1_000_000_000)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range r.Rows(ctx) {
		last = err
		if n++; n == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("after %d rows: %v", n, last)
	}
	for range r.Rows(t.Context()) {
		break
	}
}
