package sqlite

import (
	"context"
	"database/sql"

	"github.com/lanyard-id/lanyard/internal/store"
)

// DownAndUp undoes every migration and runs all again.
func DownAndUp(ctx context.Context, pool *sql.DB) error {
	files, _, err := store.Migrations(nil)
	if err != nil {
		return err
	}
	p, err := provider(pool, files)
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
