package store

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

type scanner interface{ Scan(...any) error }

func encodeBody(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the record cannot be written as JSON")
	}
	return string(b), nil
}

// decodeBody reads JSON without losing digits.
func decodeBody(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Internal, err, "a stored record cannot be read")
	}
	return nil
}

// selection builds a SELECT with numbered arguments.
type selection struct {
	text    string
	args    []any
	started bool
	skip    int // rows to leave out
}

// where adds a condition unless the text is empty: an empty field of a query
// selects everything.
func (s *selection) where(condition, text string) {
	if text != "" {
		s.add(condition, text)
	}
}

func (s *selection) add(condition string, arg any) {
	word := " WHERE "
	if s.started {
		word = " AND "
	}
	s.started = true
	s.bind(word+condition, arg)
}

func (s *selection) bind(text string, arg any) {
	s.args = append(s.args, arg)
	s.text += text + "$" + strconv.Itoa(len(s.args))
}

// connected adds the condition that a connection owns a row. The second half is
// what the partial indexes are made with.
func (s *selection) connected(column, connection string) {
	if connection != "" {
		s.add(column+" = ", connection)
		s.text += " AND " + column + " <> ''"
	}
}

// behind adds the condition that a row comes after another in the order of realm
// and id.
func (s *selection) behind(realm, id, lastRealm, lastID string) {
	s.add("("+realm+", "+id+") > (", lastRealm)
	s.bind(", ", lastID)
	s.text += ")"
}

// holding adds the condition that a text is in an expression of lower case.
// Wildcards in it only make it true of more.
func (s *selection) holding(expression, text string) {
	if text != "" {
		s.add(expression+" LIKE ", "%"+strings.ToLower(text)+"%")
	}
}

// The sizes of chunks: the first holds a page of most lists.
const (
	firstChunk = 256
	lastChunk  = 4096
)

// chunked yields the rows of a query that may have a great many, of which the
// caller may want the first only: a database sends or sorts all that it is asked
// for. query returns it without LIMIT, from behind the last row when there are more.
func chunked[T any](t *directoryTx, scan func(scanner) (T, error), query func(last T, more bool) selection) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last T
		for size, more := firstChunk, false; ; size, more = min(2*size, lastChunk), true {
			q := query(last, more)
			q.bind(" LIMIT ", size)
			if q.skip > 0 {
				q.bind(" OFFSET ", q.skip)
			}
			n := 0
			for v, err := range each(t, q, scan) {
				if !yield(v, err) || err != nil {
					return
				}
				last = v
				n++
			}
			if n < size {
				return
			}
		}
	}
}

// each runs a query and yields its rows. An error is the last thing it yields.
func each[T any](t *directoryTx, q selection, scan func(scanner) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := t.query(q.text, q.args...)
		if err != nil {
			yield(none, t.db.Translate(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				yield(none, t.db.Translate(err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, t.db.Translate(err))
		}
	}
}

// successor returns the least text greater than every text with the prefix, ""
// when there is none.
func successor(prefix string) string {
	b := bytes.TrimRight([]byte(prefix), "\xff")
	if len(b) == 0 {
		return ""
	}
	b[len(b)-1]++
	return string(b)
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
