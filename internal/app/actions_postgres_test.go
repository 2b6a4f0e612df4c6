//go:build postgres

package app

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// TestActionsPostgres runs every action in every case on PostgreSQL.
func TestActionsPostgres(t *testing.T) { testActions(t, postgresDatabase(t)) }

// postgresDatabase makes an empty database on the server that
// LANYARD_TEST_POSTGRES names (make test-pg starts one) and returns its address.
func postgresDatabase(t *testing.T) string {
	t.Helper()
	server := os.Getenv("LANYARD_TEST_POSTGRES")
	if server == "" {
		t.Fatal("no PostgreSQL server: run make test-pg, which starts one")
	}
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text())
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("CREATE DATABASE: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("DROP DATABASE: %v", err)
		}
		_ = admin.Close()
	})
	address.Path = "/" + name
	return address.String()
}
