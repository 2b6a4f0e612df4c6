//go:build postgres

package extract

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/storetest"
)

// postgresHR makes a database of people, whose address is in HR.
func postgresHR(t *testing.T) Env {
	t.Helper()
	address := storetest.Postgres(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `
		CREATE TYPE mood AS ENUM ('glad');
		CREATE TABLE people (id bigint, name text, code char(6), hired date, seen timestamptz, local timestamp, active boolean, rate numeric(20,4), odd double precision,
			photo bytea, key uuid, extra jsonb, tags text[], numbers int[][], flags boolean[], mood mood, net inet);
		INSERT INTO people VALUES (9007199254740993, 'Ada', 'ab', '2026-01-31', '2026-01-31 10:00:00.5+02', '2026-01-31 10:00:00', true, 12345678901234.5, 'NaN',
			'\x00ff', '6f9619ff-8b86-d011-b42d-00cf4fc964ff', '{"a": [1.10, {"b": null}]}', '{x,"y ,\"z\\",NULL,"NULL",""}', '{{1,2},{3,4}}', '{t,f}', 'glad', '10.0.0.1');
		INSERT INTO people (id, tags, seen) VALUES (2, '{}', 'infinity')`); err != nil {
		t.Fatal(err)
	}
	return Env{Secrets: &secret.Resolver{Env: func(name string) (string, bool) { return address, name == "HR" }}}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	env := postgresHR(t)
	r := open(t, env, "", `sql: {database: env:HR, query: "SELECT * FROM people WHERE id >= $1 AND (coalesce(name, '') <> $2) = $3 ORDER BY id DESC", parameters: [2, Eve, true]}`)
	got, _, err := all(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, `[
		{"id":9007199254740993,"name":"Ada","code":"ab","hired":"2026-01-31","seen":"2026-01-31T08:00:00.5Z","local":"2026-01-31T10:00:00","active":true,"rate":12345678901234.5000,"odd":"NaN",
		 "photo":"AP8=","key":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","extra":{"a":[1.10,{"b":null}]},"tags":["x","y ,\"z\\",null,"NULL",""],"numbers":[[1,2],[3,4]],"flags":[true,false],"mood":"glad","net":"10.0.0.1"},
		{"id":2,"name":null,"code":null,"hired":null,"seen":"infinity","local":null,"active":null,"rate":null,"odd":null,
		 "photo":null,"key":null,"extra":null,"tags":[],"numbers":null,"flags":null,"mood":null,"net":null}]`)
	for query, want := range map[string]string{
		"SELECT id, id FROM people":   "the name of column 2 \"id\" is that of column 1, too; give each column a name of its own: SELECT a.id AS id, ...",
		"SELECT * FROM persons":       "PostgreSQL refuses the query: relation \"persons\" does not exist (42P01); correct it; it may only read",
		"SELECT 1/(id-2) FROM people": "PostgreSQL broke off with 22012; see the server's log; nothing was taken over",
	} {
		r := open(t, env, "", fmt.Sprintf("sql: {database: env:HR, query: %q}", query))
		_, _, err := all(t.Context(), r)
		wantFault(t, err, r.Describe()+": "+want)
	}
}

// TestPostgresOnlyReads goes around our own check: the database refuses by
// itself.
func TestPostgresOnlyReads(t *testing.T) {
	t.Parallel()
	env := postgresHR(t)
	for _, query := range []string{"DELETE FROM people RETURNING *", "WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone", "SELECT 1; DELETE FROM people", "COMMIT; DELETE FROM people"} {
		r, err := (&sqlOrigin{address: "env:HR", query: query}).open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := all(t.Context(), r); err == nil {
			t.Errorf("%s is run", query)
		}
	}
	if n := count(t, open(t, env, "", `sql: {database: env:HR, query: SELECT * FROM people}`)); n != 2 {
		t.Errorf("%d people are left", n)
	}
}

func TestPostgresMemory(t *testing.T) {
	rows := size(t, 50_000)
	r := open(t, postgresHR(t), "", fmt.Sprintf("sql: {database: env:HR, query: %q}", fmt.Sprintf("SELECT generate_series(1, %d) AS id, repeat('x', 500) AS text", rows)))
	n, grown := heapWhile(t, r, rows/8)
	if n != rows || grown > 4<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

func TestPostgresStops(t *testing.T) {
	t.Parallel()
	r := open(t, postgresHR(t), "", "sql: {database: env:HR, query: 'SELECT generate_series(1, 1000000000) AS i'}")
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
