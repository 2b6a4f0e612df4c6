package postgres

import (
	"context"
	"database/sql"
)

// DownAndUp undoes every migration and runs all again.
func DownAndUp(ctx context.Context, pool *sql.DB) error {
	p, _, err := provider(pool)
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
