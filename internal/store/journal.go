package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Journal keeps plans, runs and their records in the tables journal_plans,
// journal_runs and journal_records.
type Journal struct{ db *DB }

var _ worker.Store = (*Journal)(nil)

// Journal returns the worker's store on this database.
func (d *DB) Journal() *Journal { return &Journal{db: d} }

const (
	insertRun = `INSERT INTO journal_runs (id, status, workflow, created, ended, spec, title, reason, outputs, parent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	updateRun    = `UPDATE journal_runs SET status = $2, reason = $3, ended = $4, outputs = $5 WHERE id = $1`
	insertRecord = `INSERT INTO journal_records (run, seq, at, event, trace, intents, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	wipeRecords  = `UPDATE journal_records SET sealed = $2 WHERE run = $1 AND sealed IS NOT NULL`
	wipeItems    = `UPDATE journal_items SET sealed = $2 WHERE run = $1 AND sealed IS NOT NULL`
	putItem      = `INSERT INTO journal_items (run, loop, position, step, status, try, child, result, sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run, loop, position) DO UPDATE SET
		status = excluded.status, try = excluded.try, child = excluded.child, result = excluded.result, sealed = excluded.sealed`
	runColumns = `SELECT id, status, created, ended, spec, title, reason, outputs FROM journal_runs`
)

// SavePlan implements worker.Store.
func (j *Journal) SavePlan(ctx context.Context, digest string, data []byte) error {
	return j.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO journal_plans (digest, data) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`, digest, data)
		return err
	})
}

// Plan implements worker.Store.
func (j *Journal) Plan(ctx context.Context, digest string) ([]byte, error) {
	var data []byte
	err := j.db.sql.QueryRowContext(ctx, `SELECT data FROM journal_plans WHERE digest = $1`, digest).Scan(&data)
	if err != nil {
		return nil, j.named(err, "plan", digest)
	}
	return data, nil
}

// Append implements worker.Store.
func (j *Journal) Append(ctx context.Context, entries []worker.Entry) error {
	return j.db.Update(ctx, func(tx *Tx) error {
		for i := range entries {
			if err := appendEntry(tx, &entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func appendEntry(tx *Tx, e *worker.Entry) error {
	if i := e.Item; i != nil {
		_, err := tx.exec(putItem, i.Run, i.Loop, i.Position, i.Step, string(i.Status), i.Try, i.Child, string(i.Result), i.Sealed)
		if err != nil || e.Record.Run == "" {
			return err
		}
	}
	if e.Create != nil {
		if err := createRun(tx, e); err != nil {
			return err
		}
	} else if e.Update != nil {
		u := e.Update
		if _, err := tx.exec(updateRun, u.ID, string(u.Status), u.Reason, Micros(u.Ended), text(u.Outputs)); err != nil {
			return err
		}
	}
	r := &e.Record
	sealed := r.Sealed
	if e.Wipe {
		sealed = wiped // also where nothing was sealed: it shows that this end left such marks
	}
	if _, err := tx.exec(insertRecord, r.Run, r.Seq, Micros(r.At), string(r.Event), text(r.Trace), text(r.Intents), sealed); err != nil {
		return err
	}
	if e.WipeItems {
		if _, err := tx.exec(wipeItems, r.Run, wiped); err != nil {
			return err
		}
	}
	if !e.Wipe {
		return nil
	}
	_, err := tx.exec(wipeRecords, r.Run, wiped)
	return err
}

// wiped is what stays where something sealed was dropped, see worker.Entry.
var wiped = []byte{}

// createRun inserts a run's summary, already brought up to date when its first
// turn ended it.
func createRun(tx *Tx, e *worker.Entry) error {
	r := e.Create
	if e.Update != nil {
		r = e.Update
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "a run cannot be recorded")
	}
	parent := ""
	if r.Parent != nil {
		parent = r.Parent.Run
	}
	_, err = tx.exec(insertRun, r.ID, string(r.Status), r.Workflow, Micros(r.Created), Micros(r.Ended), string(spec), r.Title, r.Reason, text(r.Outputs), parent)
	return err
}

// text stores JSON as text and nothing as NULL.
func text(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// Run implements worker.Store.
func (j *Journal) Run(ctx context.Context, id string) (run.Run, error) {
	r, err := scanRun(j.db.sql.QueryRowContext(ctx, runColumns+` WHERE id = $1`, id))
	if err != nil {
		return run.Run{}, j.named(err, "run", id)
	}
	return r, nil
}

// Runs implements worker.Store.
func (j *Journal) Runs(ctx context.Context, f worker.Filter) ([]run.Run, error) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if len(f.Statuses) > 0 {
		in := make([]string, len(f.Statuses))
		for i, s := range f.Statuses {
			in[i] = arg(string(s))
		}
		where = append(where, "status IN ("+strings.Join(in, ", ")+")")
	}
	if f.Workflow != "" {
		where = append(where, "workflow = "+arg(f.Workflow))
	}
	where = append(where, "parent = "+arg(f.Parent))
	query := runColumns
	query += " WHERE " + strings.Join(where, " AND ")
	query += " ORDER BY created DESC, id DESC"
	if f.Limit > 0 {
		query += " LIMIT " + arg(f.Limit)
	}
	rows, err := j.db.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, j.db.Translate(err)
	}
	defer rows.Close()
	var out []run.Run
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, j.db.Translate(err)
		}
		out = append(out, r)
	}
	return out, j.db.Translate(rows.Err())
}

func scanRun(row scanner) (run.Run, error) {
	var r run.Run
	var id, status, spec string
	var created, ended int64
	var outputs sql.NullString
	if err := row.Scan(&id, &status, &created, &ended, &spec, &r.Title, &r.Reason, &outputs); err != nil {
		return r, err
	}
	dec := json.NewDecoder(strings.NewReader(spec))
	dec.UseNumber()
	if err := dec.Decode(&r.Spec); err != nil {
		return r, fault.Wrap(fault.Internal, err, "the stored run %s cannot be read", id)
	}
	r.Status, r.Created, r.Ended = run.Status(status), Time(created), Time(ended)
	if outputs.Valid {
		r.Outputs = json.RawMessage(outputs.String)
	}
	return r, nil
}

// Records implements worker.Store.
func (j *Journal) Records(ctx context.Context, id string, after int) ([]run.Record, error) {
	rows, err := j.db.sql.QueryContext(ctx,
		`SELECT seq, at, event, trace, intents, sealed, sealed IS NOT NULL FROM journal_records WHERE run = $1 AND seq > $2 ORDER BY seq`, id, after)
	if err != nil {
		return nil, j.db.Translate(err)
	}
	defer rows.Close()
	var out []run.Record
	for rows.Next() {
		r := run.Record{Run: id}
		var at int64
		var event string
		var has bool
		var trace, intents sql.NullString
		if err := rows.Scan(&r.Seq, &at, &event, &trace, &intents, &r.Sealed, &has); err != nil {
			return nil, j.db.Translate(err)
		}
		if has && r.Sealed == nil {
			r.Sealed = wiped // the driver reads an empty value as none
		}
		r.At, r.Event = Time(at), json.RawMessage(event)
		if trace.Valid {
			r.Trace = json.RawMessage(trace.String)
		}
		if intents.Valid {
			r.Intents = json.RawMessage(intents.String)
		}
		out = append(out, r)
	}
	return out, j.db.Translate(rows.Err())
}

// Items implements worker.Store.
func (j *Journal) Items(ctx context.Context, f worker.ItemFilter) ([]run.Item, error) {
	where, args := []string{"run = $1", "position >= $2"}, []any{f.Run, f.From}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if f.Loop != 0 {
		where = append(where, "loop = "+arg(f.Loop))
	}
	if f.Step != "" {
		where = append(where, "step = "+arg(f.Step))
	}
	if len(f.Statuses) > 0 {
		in := make([]string, len(f.Statuses))
		for i, s := range f.Statuses {
			in[i] = arg(string(s))
		}
		where = append(where, "status IN ("+strings.Join(in, ", ")+")")
	}
	query := []string{
		`SELECT loop, position, step, status, try, child, result, sealed, sealed IS NOT NULL FROM journal_items WHERE`,
		strings.Join(where, " AND "), "ORDER BY loop, position",
	}
	if f.Limit > 0 {
		query = append(query, "LIMIT", arg(f.Limit))
	}
	rows, err := j.db.sql.QueryContext(ctx, strings.Join(query, " "), args...)
	if err != nil {
		return nil, j.db.Translate(err)
	}
	defer rows.Close()
	var out []run.Item
	for rows.Next() {
		i := run.Item{Run: f.Run}
		var status, result string
		var has bool
		if err := rows.Scan(&i.Loop, &i.Position, &i.Step, &status, &i.Try, &i.Child, &result, &i.Sealed, &has); err != nil {
			return nil, j.db.Translate(err)
		}
		if has && i.Sealed == nil {
			i.Sealed = wiped // the driver reads an empty value as none
		}
		i.Status, i.Result = run.Status(status), json.RawMessage(result)
		out = append(out, i)
	}
	return out, j.db.Translate(rows.Err())
}

// named words a missing row.
func (j *Journal) named(err error, what, id string) error {
	err = j.db.Translate(err)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "there is no %s %q", what, id)
	}
	return err
}
