package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// WireLog keeps the request log in the table wirelog_exchanges.
type WireLog struct{ db *DB }

var _ wirelog.Store = (*WireLog)(nil)

// WireLog returns the request log's store on this database.
func (d *DB) WireLog() *WireLog { return &WireLog{db: d} }

const insertExchange = `INSERT INTO wirelog_exchanges (seq, id, at, scope, direction, method, status, subject, body)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// Append implements wirelog.Store.
func (l *WireLog) Append(ctx context.Context, exchanges []wirelog.Exchange) error {
	return l.db.Update(ctx, func(tx *Tx) error {
		var seq int64
		if err := tx.queryRow(`SELECT COALESCE(MAX(seq), 0) FROM wirelog_exchanges`).Scan(&seq); err != nil {
			return err
		}
		for i := range exchanges {
			e := &exchanges[i]
			body, err := json.Marshal(e)
			if err != nil {
				return fault.Wrap(fault.Internal, err, "an exchange cannot be recorded")
			}
			seq++
			_, err = tx.exec(insertExchange, seq, e.ID, Micros(e.At), e.Scope, string(e.Direction), strings.ToUpper(e.Method), e.Status, e.Subject, string(body))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Exchange implements wirelog.Store.
func (l *WireLog) Exchange(ctx context.Context, id string) (e wirelog.Exchange, err error) {
	err = l.db.View(ctx, func(tx *Tx) error {
		e, _, err = scanExchange(tx.queryRow(`SELECT seq, body FROM wirelog_exchanges WHERE id = $1`, id))
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return e, fault.New(fault.NotFound, "the request log has no exchange %q, or none any more", id)
	}
	return e, err
}

func scanExchange(row scanner) (e wirelog.Exchange, seq int64, err error) {
	var body string
	if err := row.Scan(&seq, &body); err != nil {
		return e, 0, err
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, 0, fault.Wrap(fault.Internal, err, "the stored exchange %d cannot be read", seq)
	}
	return e, seq, nil
}

// Exchanges implements wirelog.Store.
func (l *WireLog) Exchanges(ctx context.Context, q wirelog.Query) (page wirelog.Page, err error) {
	from, err := selectExchanges(&q)
	if err != nil {
		return page, err
	}
	err = l.db.View(ctx, func(tx *Tx) error {
		rows, err := tx.query(from.text, from.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		page, err = readExchanges(rows, &q)
		return err
	})
	return page, err
}

// selectExchanges narrows by columns. The rest of a query is left to its Match.
func selectExchanges(q *wirelog.Query) (selection, error) {
	from := selection{text: "SELECT seq, body FROM wirelog_exchanges"}
	from.where("scope = ", q.Scope)
	from.where("direction = ", string(q.Direction))
	from.where("method = ", strings.ToUpper(q.Method))
	from.where("subject = ", q.Subject)
	switch {
	case q.Status == wirelog.NoAnswer:
		from.add("status = ", 0)
	case q.Status > 0 && q.Status < 10:
		from.add("status >= ", q.Status*100)
		from.add("status < ", q.Status*100+100)
	case q.Status > 0:
		from.add("status = ", q.Status)
	}
	if !q.Since.IsZero() {
		from.add("at >= ", Micros(q.Since))
	}
	if !q.Until.IsZero() {
		from.add("at < ", Micros(q.Until))
	}
	if q.Cursor != "" {
		before, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil {
			return from, fault.Wrap(fault.Invalid, err, "%q is not a cursor of the request log", q.Cursor)
		}
		from.add("seq < ", before)
	}
	from.text += " ORDER BY seq DESC"
	return from, nil
}

// readExchanges reads rows until a page is full.
func readExchanges(rows *sql.Rows, q *wirelog.Query) (wirelog.Page, error) {
	page := wirelog.Page{Exchanges: []wirelog.Exchange{}}
	limit := q.Limit
	if limit <= 0 {
		limit = wirelog.DefaultLimit
	}
	var last int64
	for rows.Next() {
		e, seq, err := scanExchange(rows)
		if err != nil {
			return page, err
		}
		if !q.Match(&e) {
			continue
		}
		if len(page.Exchanges) == limit {
			page.Next = strconv.FormatInt(last, 10)
			return page, nil
		}
		page.Exchanges = append(page.Exchanges, e)
		last = seq
	}
	return page, rows.Err()
}

// Trim implements wirelog.Store.
func (l *WireLog) Trim(ctx context.Context, before time.Time, keep int) (forgotten int, err error) {
	err = l.db.Update(ctx, func(tx *Tx) error {
		old, err := tx.exec(`DELETE FROM wirelog_exchanges WHERE at < $1`, Micros(before))
		if forgotten = int(old); err != nil || keep <= 0 {
			return err
		}
		scopes, err := exchangeScopes(tx)
		for _, scope := range scopes {
			var more int64
			// Nothing is lower than NULL: a scope with no more than it may have.
			more, err = tx.exec(`DELETE FROM wirelog_exchanges WHERE scope = $1 AND seq <= (
				SELECT seq FROM wirelog_exchanges WHERE scope = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2
			)`, scope, keep)
			if forgotten += int(more); err != nil {
				return err
			}
		}
		return err
	})
	return forgotten, err
}

func exchangeScopes(tx *Tx) (scopes []string, err error) {
	rows, err := tx.query(`SELECT DISTINCT scope FROM wirelog_exchanges`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var scope string
		if err := rows.Scan(&scope); err != nil {
			return nil, err
		}
		scopes = append(scopes, scope)
	}
	return scopes, rows.Err()
}
