//go:build postgres

package app

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/store/storetest"
)

// TestActionsPostgres runs every action in every case on PostgreSQL.
func TestActionsPostgres(t *testing.T) { testActions(t, storetest.Postgres(t)) }
