package store

import (
	"database/sql"
	"errors"
	"iter"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

const recordColumns = "realm, noun, id, parent, subject, unique_key, version, body"

func scanRecord(row scanner) (*directory.Record, error) {
	var r directory.Record
	var key sql.NullString
	var body string
	if err := row.Scan(&r.Realm, &r.Noun, &r.ID, &r.Parent, &r.Subject, &key, &r.Version, &body); err != nil {
		return nil, err
	}
	r.Key, r.Body = key.String, []byte(body)
	return &r, nil
}

func (t *directoryTx) Record(realm string, noun directory.Noun, id string) (*directory.Record, error) {
	r, err := scanRecord(t.queryRow(
		"SELECT "+recordColumns+" FROM directory_records WHERE realm = $1 AND noun = $2 AND id = $3", realm, string(noun), id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, directory.NotFound(noun, id)
	}
	if err != nil {
		return nil, t.db.Translate(err)
	}
	return r, nil
}

func (t *directoryTx) Records(q directory.RecordQuery) iter.Seq2[*directory.Record, error] {
	return chunked(t, scanRecord, func(last *directory.Record, more bool) selection {
		if more {
			q.After = last.ID
		}
		from := selection{text: "SELECT " + recordColumns + " FROM directory_records"}
		from.records(q)
		from.text += " ORDER BY id"
		return from
	})
}

// records adds the conditions of a query.
func (s *selection) records(q directory.RecordQuery) {
	s.add("realm = ", q.Realm)
	s.add("noun = ", string(q.Noun))
	s.where("parent = ", q.Parent)
	s.where("subject = ", q.Subject)
	s.where("unique_key = ", q.Key)
	s.where("id > ", q.After)
}

func (t *directoryTx) InsertRecord(r *directory.Record) error {
	n, err := t.exec("INSERT INTO directory_records ("+recordColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"+
		" ON CONFLICT (realm, noun, id) DO NOTHING",
		r.Realm, string(r.Noun), r.ID, r.Parent, r.Subject, nullable(r.Key), r.Version, string(r.Body))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "there is a %s %q already", r.Noun, r.ID)
	}
	return keyTaken(r, err)
}

// keyTaken words a unique violation: with the id out of the way, only the key
// can be it.
func keyTaken(r *directory.Record, err error) error {
	if fault.Is(err, fault.Conflict) {
		return directory.Duplicate(string(r.Noun))
	}
	return err
}

func (t *directoryTx) UpdateRecord(r *directory.Record) error {
	n, err := t.exec("UPDATE directory_records SET parent = $1, subject = $2, unique_key = $3, version = $4, body = $5"+
		" WHERE realm = $6 AND noun = $7 AND id = $8 AND version = $9",
		r.Parent, r.Subject, nullable(r.Key), r.Version, string(r.Body), r.Realm, string(r.Noun), r.ID, r.Version-1)
	if err != nil {
		return keyTaken(r, err)
	}
	if n == 0 {
		if _, err := t.Record(r.Realm, r.Noun, r.ID); err != nil {
			return err
		}
		return stale(r.Noun, r.ID)
	}
	return nil
}

func (t *directoryTx) DeleteRecord(realm string, noun directory.Noun, id string) error {
	n, err := t.exec("DELETE FROM directory_records WHERE realm = $1 AND noun = $2 AND id = $3", realm, string(noun), id)
	if err == nil && n == 0 {
		return directory.NotFound(noun, id)
	}
	return err
}

func (t *directoryTx) DeleteRecords(q directory.RecordQuery) (int64, error) {
	from := selection{text: "DELETE FROM directory_records"}
	from.records(q)
	return t.exec(from.text, from.args...)
}
