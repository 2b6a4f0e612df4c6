package sqlitetest_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

// A copy is what the migrations make, in every statement of the schema.
func TestOpenHasTheSchema(t *testing.T) {
	made, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "lanyard.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = made.Close() }()
	want := schema(t, made)
	if len(want) == 0 {
		t.Fatal("the migrations made nothing")
	}
	if diff := cmp.Diff(want, schema(t, sqlitetest.Open(t))); diff != "" {
		t.Errorf("the schema of a copy (-migrated +copy):\n%s", diff)
	}
}

// Databases share nothing, not even those of one test.
func TestOpenSharesNothing(t *testing.T) {
	first, second := sqlitetest.Open(t), sqlitetest.Open(t)
	realm := directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Okta"}
	for _, db := range []*store.DB{first, second} {
		if err := directory.New(db.Directory()).AddRealm(t.Context(), realm); err != nil {
			t.Errorf("AddRealm: %v", err)
		}
	}
}

// schema is every statement that made the database, and its version.
func schema(t *testing.T, db *store.DB) []string {
	t.Helper()
	rows, err := db.SQL().QueryContext(t.Context(),
		"SELECT COALESCE(sql, '') FROM sqlite_schema UNION ALL SELECT 'version ' || user_version FROM pragma_user_version ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			t.Fatal(err)
		}
		out = append(out, statement)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
