package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Directory returns the part of the database that keeps people and groups.
func (d *DB) Directory() directory.Store { return directoryStore{d} }

type directoryStore struct{ db *DB }

var _ directory.Store = directoryStore{}

func (s directoryStore) Update(ctx context.Context, f func(directory.Tx) error) error {
	return s.db.Update(ctx, func(tx *Tx) error { return f(&directoryTx{tx}) })
}

func (s directoryStore) View(ctx context.Context, f func(directory.Reader) error) error {
	return s.db.View(ctx, func(tx *Tx) error { return f(&directoryTx{tx}) })
}

// directoryTx is one transaction of the directory.
type directoryTx struct{ *Tx }

var _ directory.BulkTx = (*directoryTx)(nil)

// row reads one row; no row is a NotFound of the given noun.
func (t *directoryTx) row(noun directory.Noun, ref, query string, args []any, into ...any) error {
	err := t.queryRow(query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return directory.NotFound(noun, ref)
	}
	return t.db.Translate(err)
}

// Realms.

func (t *directoryTx) Realm(id string) (*directory.Realm, error) {
	r := directory.Realm{ID: id}
	var created int64
	err := t.row(directory.RealmNoun, id, "SELECT kind, name, created FROM directory_realms WHERE id = $1",
		[]any{id}, &r.Kind, &r.Name, &created)
	if err != nil {
		return nil, err
	}
	r.Created = Time(created)
	return &r, nil
}

func (t *directoryTx) InsertRealm(r *directory.Realm) error {
	_, err := t.exec("INSERT INTO directory_realms (id, kind, name, created) VALUES ($1, $2, $3, $4)",
		r.ID, string(r.Kind), r.Name, Micros(r.Created))
	return err
}
