package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Importer returns the part of the database that keeps import sessions and links,
// beside the directory.
func (d *DB) Importer() importer.Store { return importerStore{d} }

type importerStore struct{ db *DB }

func (s importerStore) Update(ctx context.Context, f func(importer.Tx) error) error {
	return s.db.Update(ctx, func(tx *Tx) error { return f(&importerTx{directoryTx{tx}}) })
}

func (s importerStore) View(ctx context.Context, f func(importer.Reader) error) error {
	return s.db.View(ctx, func(tx *Tx) error { return f(&importerTx{directoryTx{tx}}) })
}

type importerTx struct{ directoryTx }

var _ importer.Tx = (*importerTx)(nil)

func rowJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "what is known of an import cannot be stored")
	}
	return string(b), nil
}

// Sessions.

func scanSession(row scanner) (*importer.Session, error) {
	var body string
	var version int64
	if err := row.Scan(&version, &body); err != nil {
		return nil, err
	}
	var s importer.Session
	if err := decodeBody(body, &s); err != nil {
		return nil, err
	}
	s.Version = version
	return &s, nil
}

// ImportSession implements importer.Reader.
func (t *importerTx) ImportSession(id string) (*importer.Session, error) {
	s, err := scanSession(t.queryRow("SELECT version, body FROM import_sessions WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, directory.NotFound(importer.SessionNoun, id)
	}
	return s, t.db.Translate(err)
}

// ImportSessions implements importer.Reader.
func (t *importerTx) ImportSessions(q importer.SessionQuery) (out []*importer.Session, err error) {
	from := selection{text: "SELECT version, body FROM import_sessions"}
	from.where("realm = ", q.Realm)
	from.where("source = ", q.Source)
	if q.After != "" {
		from.column("(begun, id) < (SELECT begun, id FROM import_sessions WHERE id = ")
		from.bind("", q.After)
		from.text += ")"
	}
	if len(q.States) > 0 {
		from.column("state IN (")
		for i, state := range q.States {
			from.bind([]string{"", ", "}[min(i, 1)], string(state))
		}
		from.text += ")"
	}
	from.text += " ORDER BY begun DESC, id DESC"
	if q.Limit > 0 {
		from.bind(" LIMIT ", q.Limit)
	}
	for s, err := range each(&t.directoryTx, from, scanSession) {
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// InsertImportSession implements importer.Tx.
func (t *importerTx) InsertImportSession(s *importer.Session) error {
	body, err := rowJSON(s)
	if err != nil {
		return err
	}
	n, err := t.exec("INSERT INTO import_sessions (id, realm, source, state, version, body, begun) "+
		"VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(MAX(begun), 0) + 1 FROM import_sessions)) ON CONFLICT (id) DO NOTHING",
		s.ID, s.Realm, s.Source, string(s.State), s.Version, body)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "there is an import session %q already", s.ID)
	}
	return err
}

// UpdateImportSession implements importer.Tx.
func (t *importerTx) UpdateImportSession(s *importer.Session) error {
	body, err := rowJSON(s)
	if err != nil {
		return err
	}
	n, err := t.exec("UPDATE import_sessions SET state = $1, version = $2, body = $3 WHERE id = $4 AND version = $5",
		string(s.State), s.Version, body, s.ID, s.Version-1)
	if err == nil && n == 0 {
		if _, err := t.ImportSession(s.ID); err != nil {
			return err
		}
		return stale(importer.SessionNoun, s.ID)
	}
	return err
}

// DeleteImportSession implements importer.Tx.
func (t *importerTx) DeleteImportSession(id string) error {
	for _, statement := range []string{
		"DELETE FROM import_sessions WHERE id = $1", "DELETE FROM import_blocks WHERE session = $1", "DELETE FROM import_entities WHERE session = $1",
	} {
		if _, err := t.exec(statement, id); err != nil {
			return err
		}
	}
	return nil
}

// ImportBlock implements importer.Reader.
func (t *importerTx) ImportBlock(session string, seq int) (body []byte, err error) {
	err = t.queryRow("SELECT body FROM import_blocks WHERE session = $1 AND seq = $2", session, seq).Scan(&body)
	return body, t.db.Translate(err)
}

// PutImportBlock implements importer.Tx.
func (t *importerTx) PutImportBlock(session string, seq int, body []byte) error {
	_, err := t.exec("INSERT INTO import_blocks (session, seq, body) VALUES ($1, $2, $3)"+
		" ON CONFLICT (session, seq) DO UPDATE SET body = excluded.body", session, seq, body)
	return err
}

// Links.

// linkBody is what few links have.
type linkBody struct {
	Profile   map[string]any `json:"profile,omitempty"`
	Ends      int64          `json:"ends,omitempty"`
	Place     string         `json:"place,omitempty"`
	Note      string         `json:"note,omitempty"`
	Candidate string         `json:"candidate,omitempty"`
}

func (b *linkBody) empty() bool {
	return len(b.Profile) == 0 && b.Ends == 0 && b.Place == "" && b.Note == "" && b.Candidate == ""
}

const linkColumns = "source, kind, external_id, account, state, fingerprint, due, body"

func scanLink(row scanner) (importer.Link, error) {
	var l importer.Link
	var fingerprint []byte
	var due int64
	var body sql.NullString
	if err := row.Scan(&l.Source, &l.Kind, &l.ExternalID, &l.Account, &l.State, &fingerprint, &due, &body); err != nil {
		return l, err
	}
	copy(l.Fingerprint[:], fingerprint)
	l.Due = Time(due)
	if !body.Valid {
		return l, nil
	}
	var b linkBody
	if err := decodeBody(body.String, &b); err != nil {
		return l, err
	}
	l.Profile, l.Ends, l.Place, l.Note, l.Candidate = b.Profile, Time(b.Ends), b.Place, b.Note, b.Candidate
	return l, nil
}

// ImportLinks implements importer.Reader.
func (t *importerTx) ImportLinks(source string, kind importer.Kind, externalIDs []string) ([]importer.Link, error) {
	return among(&t.directoryTx, externalIDs, scanLink, func() selection {
		from := selection{text: "SELECT " + linkColumns + " FROM import_links"}
		from.add("source = ", source)
		from.add("kind = ", string(kind))
		from.column("external_id")
		return from
	})
}

// ImportLinksTo implements importer.Reader.
func (t *importerTx) ImportLinksTo(accounts []string) ([]importer.Link, error) {
	return among(&t.directoryTx, accounts, scanLink, func() selection {
		from := selection{text: "SELECT " + linkColumns + " FROM import_links"}
		from.column("account <> '' AND account")
		return from
	})
}

// EachImportLink implements importer.Reader.
func (t *importerTx) EachImportLink(q importer.LinkQuery) iter.Seq2[importer.Link, error] {
	left := q.Limit
	walk := chunked(&t.directoryTx, scanLink, func(last importer.Link, more bool) selection {
		if more {
			q.After = last.ExternalID
		}
		from := selection{text: "SELECT " + linkColumns + " FROM import_links"}
		from.add("source = ", q.Source)
		from.add("kind = ", string(q.Kind))
		from.where("state = ", string(q.State))
		if q.State != "" && q.State != reconcile.Linked {
			from.text += " AND state <> 'linked'" // as the index is made
		}
		if !q.Due.IsZero() {
			from.text += " AND due > 0"
			from.add("due <= ", Micros(q.Due))
		}
		from.where("external_id > ", q.After)
		from.text += " ORDER BY external_id"
		return from
	})
	return func(yield func(importer.Link, error) bool) {
		for l, err := range walk {
			if left--; !yield(l, err) || left == 0 {
				return
			}
		}
	}
}

// ImportIndex implements importer.Reader.
func (t *importerTx) ImportIndex(source string) iter.Seq2[importer.Indexed, error] {
	scan := func(row scanner) (x importer.Indexed, err error) {
		var fingerprint []byte
		var due int64
		if err := row.Scan(&x.ExternalID, &x.Account, &x.State, &fingerprint, &due); err != nil {
			return x, err
		}
		copy(x.Fingerprint[:], fingerprint)
		x.Due = Time(due)
		return x, nil
	}
	return each(&t.directoryTx, selection{
		text: "SELECT external_id, account, state, fingerprint, due FROM import_links WHERE source = $1 AND kind = $2",
		args: []any{source, string(importer.UserKind)},
	}, scan)
}

// ImportAssigned implements importer.Reader. The index by parent has all that it
// needs.
func (t *importerTx) ImportAssigned(realm, source string) iter.Seq2[string, error] {
	scan := func(row scanner) (account string, err error) {
		err = row.Scan(&account)
		return strings.TrimPrefix(account, source+"/"), err
	}
	return each(&t.directoryTx, selection{
		text: "SELECT id FROM directory_records WHERE realm = $1 AND noun = $2 AND parent = $3",
		args: []any{realm, string(directory.AppUserNoun), source},
	}, scan)
}

// CountImportLinks implements importer.Reader.
func (t *importerTx) CountImportLinks(source string) (map[reconcile.LinkState]int, error) {
	out := map[reconcile.LinkState]int{}
	rows, err := t.query("SELECT state, count(*) FROM import_links WHERE source = $1 AND kind = $2 GROUP BY state", source, string(importer.UserKind))
	if err != nil {
		return nil, t.db.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, t.db.Translate(err)
		}
		out[reconcile.LinkState(state)] = n
	}
	return out, t.db.Translate(rows.Err())
}

// ImportsDue implements importer.Reader.
func (t *importerTx) ImportsDue(now time.Time) (sources []string, err error) {
	scan := func(row scanner) (source string, err error) {
		err = row.Scan(&source)
		return source, err
	}
	for source, err := range each(&t.directoryTx, selection{
		text: "SELECT DISTINCT source FROM import_links WHERE due > 0 AND due <= $1 ORDER BY source", args: []any{Micros(now)},
	}, scan) {
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// PutImportLinks implements importer.Tx.
func (t *importerTx) PutImportLinks(links []importer.Link) error {
	to := into{
		"import_links", linkColumns, " ON CONFLICT (source, kind, external_id) DO UPDATE SET account = excluded.account, state = excluded.state," +
			" fingerprint = excluded.fingerprint, due = excluded.due, body = excluded.body",
	}
	return t.insertMany(to, len(links), func(i int) ([]any, error) {
		l := &links[i]
		body := linkBody{l.Profile, Micros(l.Ends), l.Place, l.Note, l.Candidate}
		var text string
		var err error
		if !body.empty() {
			text, err = rowJSON(body)
		}
		return []any{l.Source, string(l.Kind), l.ExternalID, l.Account, string(l.State), l.Fingerprint[:], Micros(l.Due), nullable(text)}, err
	})
}

// DeleteImportLinks implements importer.Tx.
func (t *importerTx) DeleteImportLinks(source string, kind importer.Kind, externalIDs []string) error {
	for _, id := range externalIDs {
		if _, err := t.exec("DELETE FROM import_links WHERE source = $1 AND kind = $2 AND external_id = $3", source, string(kind), id); err != nil {
			return err
		}
	}
	return nil
}

// DoubtImportLinks implements importer.Tx.
func (t *importerTx) DoubtImportLinks(source string) error {
	var none reconcile.Fingerprint
	_, err := t.exec("UPDATE import_links SET fingerprint = $1 WHERE source <> $2 AND state = $3 AND account <> ''"+
		" AND account IN (SELECT account FROM import_links WHERE source = $2 AND account <> '')", none[:], source, string(reconcile.Linked))
	return err
}

// ForgetImportSource implements importer.Tx.
func (t *importerTx) ForgetImportSource(source string) error {
	_, err := t.exec("DELETE FROM import_links WHERE source = $1", source)
	return err
}

// Entities.

// LastChange implements importer.Reader.
func (t *importerTx) LastChange() (seq int64, err error) {
	err = t.queryRow("SELECT value FROM directory_counters WHERE name = 'change'").Scan(&seq)
	return seq, t.db.Translate(err)
}

func (s *selection) entities(q importer.EntityQuery) {
	s.add("session = ", q.Session)
	s.where("kind = ", string(q.Kind))
	if len(q.Actions) > 0 {
		s.column("action IN (")
		for i, action := range q.Actions {
			s.bind([]string{"", ", "}[min(i, 1)], string(action))
		}
		s.text += ")"
	}
	if q.Text != "" {
		s.add("search LIKE ", "%"+likeEscape.Replace(strings.ToLower(q.Text))+"%")
		s.text += ` ESCAPE '\'`
	}
}

// likeEscape takes the meaning from what stands for other characters in LIKE.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// ImportEntities implements importer.Reader.
func (t *importerTx) ImportEntities(q importer.EntityQuery) (out []importer.Entity, err error) {
	from := selection{text: "SELECT body FROM import_entities"}
	from.entities(q)
	from.add("seq > ", q.After)
	from.text += " ORDER BY seq"
	if q.Limit > 0 {
		from.bind(" LIMIT ", q.Limit)
	}
	scan := func(row scanner) (e importer.Entity, err error) {
		var body string
		if err := row.Scan(&body); err != nil {
			return e, err
		}
		return e, decodeBody(body, &e)
	}
	for e, err := range each(&t.directoryTx, from, scan) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// CountImportEntities implements importer.Reader.
func (t *importerTx) CountImportEntities(q importer.EntityQuery) (n int, err error) {
	from := selection{text: "SELECT count(*) FROM import_entities"}
	from.entities(q)
	err = t.queryRow(from.text, from.args...).Scan(&n)
	return n, t.db.Translate(err)
}

// entityJSON is the stored form of an entity.
func entityJSON(e *importer.Entity) (string, error) {
	rest := *e
	rest.Before, rest.After = nil, nil
	b, err := json.Marshal(&rest)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "what is known of an import cannot be stored")
	}
	for _, m := range []value.Member{{Name: "before", Value: e.Before}, {Name: "after", Value: e.After}} {
		if err == nil && len(m.Value) > 0 {
			b, err = value.WithMembers(b, m)
		}
	}
	return string(b), err
}

// InsertImportEntities implements importer.Tx.
func (t *importerTx) InsertImportEntities(session string, entities []importer.Entity) error {
	to := into{table: "import_entities", columns: "session, seq, kind, action, external_id, account, search, body"}
	return t.insertMany(to, len(entities), func(i int) ([]any, error) {
		e := &entities[i]
		body, err := entityJSON(e)
		return []any{session, e.Seq, string(e.Kind), string(e.Action), e.ExternalID, e.Account, e.Search(), body}, err
	})
}

// UpdateImportEntity implements importer.Tx.
func (t *importerTx) UpdateImportEntity(session string, e *importer.Entity) error {
	body, err := entityJSON(e)
	if err != nil {
		return err
	}
	_, err = t.exec("UPDATE import_entities SET action = $1, account = $2, body = $3 WHERE session = $4 AND seq = $5",
		string(e.Action), e.Account, body, session, e.Seq)
	return err
}

// DeleteImportEntities implements importer.Tx.
func (t *importerTx) DeleteImportEntities(session string, most int) (more bool, err error) {
	n, err := t.exec("DELETE FROM import_entities WHERE session = $1 AND seq < $2 +"+
		" (SELECT MIN(seq) FROM import_entities WHERE session = $3)", session, most, session)
	return n > 0, err
}
