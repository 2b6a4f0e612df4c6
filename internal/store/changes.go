package store

import (
	"database/sql"
	"encoding/json"
	"iter"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// changeDetail is the stored form of what no statement asks for.
type changeDetail struct {
	Actor   directory.Actor    `json:"actor"`
	Targets []directory.Target `json:"targets,omitempty"`
	Outcome directory.Outcome  `json:"outcome,omitzero"`
}

func (t *directoryTx) Append(c directory.Change) error {
	detail, err := encodeBody(changeDetail{c.Actor, c.Targets, c.Outcome})
	if err != nil {
		return err
	}
	var seq int64
	err = t.queryRow("UPDATE directory_counters SET value = value + 1 WHERE name = 'change' RETURNING value").Scan(&seq)
	if err != nil {
		return t.db.Translate(err)
	}
	_, err = t.exec("INSERT INTO directory_changes (seq, at, actor, kind, realm, target, before, after, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		seq, Micros(c.At), c.Actor.ID, c.Kind, c.Realm, c.Target, nullable(string(c.Before)), nullable(string(c.After)), detail)
	return err
}

func (t *directoryTx) Changes(q directory.ChangeQuery) iter.Seq2[directory.Change, error] {
	few, err := t.fewChanges(q)
	if err != nil {
		return func(yield func(directory.Change, error) bool) { yield(directory.Change{}, err) }
	}
	if few {
		from := selectChanges(q, "realm = ", "at >= ", "at < ")
		if q.MaxRows > 0 {
			from.bind(" LIMIT ", q.MaxRows)
		}
		return each(t, from, scanChange)
	}
	left := q.MaxRows
	return func(yield func(directory.Change, error) bool) {
		// Conditions on what is calculated keep the database from the index by
		// time, for which it would have to sort.
		walk := chunked(t, scanChange, func(last directory.Change, more bool) selection {
			if more {
				q.After = last.Seq
			}
			return selectChanges(q, "realm || '' = ", "at + 0 >= ", "at + 0 < ")
		})
		for c, err := range walk {
			if left--; !yield(c, err) || left == 0 {
				return
			}
		}
	}
}

// sortable is how many entries of the change log may be selected by their time
// and then sorted; more are read in their order.
const sortable = 2000

// fewChanges reports whether a time selects so few entries.
func (t *directoryTx) fewChanges(q directory.ChangeQuery) (bool, error) {
	if q.Since.IsZero() && q.Until.IsZero() || q.Realm == "" || q.Target != "" {
		return false, nil
	}
	from := selection{text: "SELECT count(*) FROM (SELECT 1 FROM directory_changes"}
	from.times(q, "realm = ", "at >= ", "at < ")
	from.bind(" LIMIT ", sortable)
	var n int
	err := t.queryRow(from.text+") AS few", from.args...).Scan(&n)
	return n < sortable, t.db.Translate(err)
}

func (s *selection) times(q directory.ChangeQuery, realm, since, until string) {
	s.where(realm, q.Realm)
	if !q.Since.IsZero() {
		s.add(since, Micros(q.Since))
	}
	if !q.Until.IsZero() {
		s.add(until, Micros(q.Until))
	}
}

func selectChanges(q directory.ChangeQuery, realm, since, until string) selection {
	from := selection{text: "SELECT seq, at, actor, kind, realm, target, before, after, detail FROM directory_changes"}
	from.times(q, realm, since, until)
	from.where("target = ", q.Target)
	from.where("kind = ", q.Kind)
	from.holding("lower(kind || ' ' || coalesce(detail, actor))", q.Holding)
	switch {
	case !q.Newest:
		from.add("seq > ", q.After)
	case q.After != 0:
		from.add("seq < ", q.After)
	}
	from.text += " ORDER BY seq"
	if q.Newest {
		from.text += " DESC"
	}
	return from
}

func scanChange(row scanner) (directory.Change, error) {
	var c directory.Change
	var at int64
	var actor string
	var before, after, detail sql.NullString
	if err := row.Scan(&c.Seq, &at, &actor, &c.Kind, &c.Realm, &c.Target, &before, &after, &detail); err != nil {
		return c, err
	}
	c.At, c.Actor = Time(at), directory.System(actor)
	if before.Valid {
		c.Before = json.RawMessage(before.String)
	}
	if after.Valid {
		c.After = json.RawMessage(after.String)
	}
	if detail.Valid {
		var d changeDetail
		if err := decodeBody(detail.String, &d); err != nil {
			return c, &directory.UnreadableChange{Seq: c.Seq, Err: err}
		}
		c.Actor, c.Targets, c.Outcome = d.Actor, d.Targets, d.Outcome
	}
	return c, nil
}
