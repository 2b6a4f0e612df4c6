package store

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Many rows at once: a statement costs as much as the row that it writes or finds.

// rowsAtOnce is how many rows one INSERT writes. What is left over goes one by
// one, so that there are two statements for each table.
const rowsAtOnce = 50

// into is where rows go.
type into struct {
	table, columns string
	tail           string // of the statement, behind the values
}

// insertMany inserts n rows. row returns the values of one.
func (t *Tx) insertMany(to into, n int, row func(i int) ([]any, error)) error {
	head := "INSERT INTO " + to.table + " (" + to.columns + ")"
	var args []any
	for from := 0; from < n; {
		size := 1
		if n-from >= rowsAtOnce {
			size = rowsAtOnce
		}
		args = args[:0]
		columns := 0
		for i := range size {
			values, err := row(from + i)
			if err != nil {
				return err
			}
			columns = len(values)
			args = append(args, values...)
		}
		if _, err := t.exec(head+" VALUES "+t.places(size, columns)+to.tail, args...); err != nil {
			return err
		}
		from += size
	}
	if t.db.dialect.Analyze && t.db.growth.note(to.table, n) {
		_, err := t.tx.ExecContext(t.ctx, "ANALYZE "+to.table)
		return t.db.Translate(err)
	}
	return nil
}

// growth counts the rows that came into tables. A database that still takes a
// table for empty reads all of it to find one row, and takes a minute or more to
// notice by itself.
type growth struct {
	mu   sync.Mutex
	rows map[string]int
	next map[string]int // of rows, at which statistics are due; 0: firstDue
}

// Statistics are due at firstDue rows, and again whenever a table has grown by
// the factor.
const firstDue, dueFactor = 5000, 4

// note counts rows and reports whether statistics are due.
func (g *growth) note(table string, n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rows == nil {
		g.rows, g.next = map[string]int{}, map[string]int{}
	}
	g.rows[table] += n
	due := max(g.next[table], firstDue)
	if g.rows[table] < due {
		return false
	}
	g.next[table] = dueFactor * g.rows[table]
	return true
}

// places returns the places of rows of values: ($1, $2), ($3, $4). SQLite looks
// the name of each up among all, so there they have none.
func (t *Tx) places(rows, columns int) string {
	numbered := t.db.dialect.Name != "sqlite"
	var b strings.Builder
	n := 0
	for i := range rows {
		b.WriteString([]string{"(", ", ("}[min(i, 1)])
		for j := range columns {
			if j > 0 {
				b.WriteString(", ")
			}
			if n++; numbered {
				b.WriteByte('$')
				b.WriteString(strconv.Itoa(n))
			} else {
				b.WriteByte('?')
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// among yields the rows whose column has one of some values, asked for in few
// statements. query returns all of the statement up to IN.
func among[T any](t *directoryTx, values []string, scan func(scanner) (T, error), query func() selection) (out []T, err error) {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	for part := range slices.Chunk(values, asked[len(asked)-1]) {
		from := query()
		from.among(part)
		for v, err := range each(t, from, scan) {
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// among adds a list of values, filled up so that each length is compiled once.
func (s *selection) among(values []string) {
	s.text += " IN ("
	size, _ := slices.BinarySearch(asked[:], len(values))
	for i := range asked[size] {
		s.bind([]string{"", ", "}[min(i, 1)], values[min(i, len(values)-1)])
	}
	s.text += ")"
}

// column adds the name of a column whose values follow.
func (s *selection) column(name string) {
	s.text += []string{" WHERE ", " AND "}[number(s.started)] + name
	s.started = true
}

func nameKey(a *directory.Account) string {
	return directory.NameKey(a.Text("firstName"), a.Text("lastName"))
}

const accountInsert = "realm, id, email_key, name_key, connection, version, body"

func (t *directoryTx) accountsAmong(realm, column string, values []string) ([]*directory.Account, error) {
	return among(t, values, scanAccount, func() selection {
		from := selection{text: "SELECT " + accountColumns + " FROM directory_accounts a"}
		from.add("a.realm = ", realm)
		from.column(column)
		return from
	})
}

// AccountsByID implements directory.BulkReader.
func (t *directoryTx) AccountsByID(realm string, ids []string) ([]*directory.Account, error) {
	return t.accountsAmong(realm, "a.id", ids)
}

// AccountsByEmail implements directory.BulkReader. The column stands first in
// its index, the realm behind it.
func (t *directoryTx) AccountsByEmail(realm string, emails []string) ([]*directory.Account, error) {
	return t.accountsAmong(realm, "a.email_key", emails)
}

// AccountsByName implements directory.BulkReader.
func (t *directoryTx) AccountsByName(realm string, names []string) ([]*directory.Account, error) {
	return t.accountsAmong(realm, "a.name_key", names)
}

// AccountsByKeys implements directory.BulkReader.
func (t *directoryTx) AccountsByKeys(realm string, keys []directory.Key) (map[directory.Key]string, error) {
	values := map[directory.Key][]string{}
	for _, k := range keys {
		group := directory.Key{Scope: k.Scope, Name: k.Name}
		values[group] = append(values[group], k.Value)
	}
	type owned struct{ value, account string }
	scan := func(row scanner) (o owned, err error) {
		err = row.Scan(&o.value, &o.account)
		return o, err
	}
	out := map[directory.Key]string{}
	for group, list := range values {
		found, err := among(t, list, scan, func() selection {
			from := selection{text: "SELECT value, account FROM directory_keys"}
			from.add("realm = ", realm)
			from.add("name = ", group.Name)
			from.add("scope = ", group.Scope)
			from.column("value")
			return from
		})
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			group.Value = o.value
			out[group] = o.account
		}
	}
	return out, nil
}

// RecordsByID implements directory.BulkReader.
func (t *directoryTx) RecordsByID(realm string, noun directory.Noun, ids []string) ([]*directory.Record, error) {
	return among(t, ids, scanRecord, func() selection {
		from := selection{text: "SELECT " + recordColumns + " FROM directory_records"}
		from.add("realm = ", realm)
		from.add("noun = ", string(noun))
		from.column("id")
		return from
	})
}

// InsertAccounts implements directory.BulkTx.
func (t *directoryTx) InsertAccounts(accounts []*directory.Account, keys [][]directory.Key) error {
	err := t.insertMany(into{table: "directory_accounts", columns: accountInsert}, len(accounts), func(i int) ([]any, error) {
		a := accounts[i]
		body, err := encodeAccount(a)
		return []any{a.Realm, a.ID, directory.Fold(a.Email()), nameKey(a), ownerOf(a), a.Version, body}, err
	})
	if err != nil {
		return err
	}
	type owned struct {
		directory.Key
		a *directory.Account
	}
	var flat []owned
	for i, a := range accounts {
		if err := t.tally(a.Realm, ownerOf(a), 1); err != nil {
			return err
		}
		for _, k := range keys[i] {
			flat = append(flat, owned{k, a})
		}
	}
	return t.insertMany(into{table: "directory_keys", columns: "realm, name, scope, value, account"}, len(flat), func(i int) ([]any, error) {
		k := flat[i]
		return []any{k.a.Realm, k.Name, k.Scope, k.Value, k.a.ID}, nil
	})
}

// AddMembers implements directory.BulkTx.
func (t *directoryTx) AddMembers(realm, group string, accounts []string, at time.Time) error {
	if len(accounts) == 0 {
		return nil
	}
	err := t.insertMany(into{table: "directory_members", columns: "realm, group_id, account, added"}, len(accounts), func(i int) ([]any, error) {
		return []any{realm, group, accounts[i], Micros(at)}, nil
	})
	if err != nil {
		return err
	}
	return t.countMembers(realm, group, len(accounts), at)
}

// InsertRecords implements directory.BulkTx.
func (t *directoryTx) InsertRecords(records []*directory.Record) error {
	return t.insertMany(into{table: "directory_records", columns: recordColumns}, len(records), func(i int) ([]any, error) {
		r := records[i]
		return []any{r.Realm, string(r.Noun), r.ID, r.Parent, r.Subject, nullable(r.Key), r.Version, string(r.Body)}, nil
	})
}

// AppendAll implements directory.BulkTx.
func (t *directoryTx) AppendAll(changes []directory.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var last int64
	err := t.queryRow("UPDATE directory_counters SET value = value + $1 WHERE name = 'change' RETURNING value", len(changes)).Scan(&last)
	if err != nil {
		return t.db.Translate(err)
	}
	first := last - int64(len(changes)) + 1
	to := into{table: "directory_changes", columns: "seq, at, actor, kind, realm, target, before, after, detail"}
	return t.insertMany(to, len(changes), func(i int) ([]any, error) {
		c := &changes[i]
		detail, err := encodeBody(changeDetail{c.Actor, c.Targets, c.Outcome})
		return []any{
			first + int64(i), Micros(c.At), c.Actor.ID, c.Kind, c.Realm, c.Target,
			nullable(string(c.Before)), nullable(string(c.After)), detail,
		}, err
	})
}

// namesAtOnce is how many accounts NoteNames looks at.
const namesAtOnce = 500

// NoteNames implements directory.BulkTx. It asks by realm because the index does.
func (t *directoryTx) NoteNames() (bool, error) {
	var found []*directory.Account
	for a, err := range each(t, selection{
		text: "SELECT " + accountColumns + " FROM directory_accounts a WHERE a.realm IN (SELECT id FROM directory_realms) AND a.name_key IS NULL LIMIT " + strconv.Itoa(namesAtOnce),
	}, scanAccount) {
		if err != nil {
			return false, err
		}
		found = append(found, a)
	}
	for _, a := range found {
		if _, err := t.exec("UPDATE directory_accounts SET name_key = $1 WHERE realm = $2 AND id = $3", nameKey(a), a.Realm, a.ID); err != nil {
			return false, err
		}
	}
	return len(found) < namesAtOnce, nil
}
