package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
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

// Accounts.

// accountBody is the stored form of what no statement asks for. It is apart
// from directory.Account so that each may change.
type accountBody struct {
	Connection       string               `json:"connection,omitempty"`
	Resource         map[string]any       `json:"resource,omitempty"`
	Identities       []directory.Identity `json:"identities,omitempty"`
	SignIns          int                  `json:"signIns,omitempty"`
	LastIP           string               `json:"lastIP,omitempty"`
	Type             string               `json:"type,omitempty"`
	FailedSignIns    int                  `json:"failedSignIns,omitempty"`
	Status           directory.Status     `json:"status"`
	Provider         directory.Provider   `json:"provider"`
	HasPassword      bool                 `json:"hasPassword,omitempty"`
	RecoveryQuestion string               `json:"recoveryQuestion,omitempty"`
	EmailVerified    bool                 `json:"emailVerified,omitempty"`
	UserMetadata     map[string]any       `json:"userMetadata"`
	AppMetadata      map[string]any       `json:"appMetadata"`
	Created          int64                `json:"created"`
	Activated        int64                `json:"activated,omitempty"`
	StatusChanged    int64                `json:"statusChanged,omitempty"`
	LastLogin        int64                `json:"lastLogin,omitempty"`
	Updated          int64                `json:"updated"`
	PasswordChanged  int64                `json:"passwordChanged,omitempty"`
}

func encodeAccount(a *directory.Account) (string, error) {
	body, err := json.Marshal(accountBody{
		Connection: a.Connection, Resource: a.Resource, Identities: a.Identities, SignIns: a.SignIns, LastIP: a.LastIP, Type: a.Type, FailedSignIns: a.FailedSignIns, Status: a.Status, Provider: a.Provider,
		HasPassword: a.HasPassword, RecoveryQuestion: a.RecoveryQuestion, EmailVerified: a.EmailVerified,
		UserMetadata: a.UserMetadata, AppMetadata: a.AppMetadata,
		Created: Micros(a.Created), Activated: Micros(a.Activated), StatusChanged: Micros(a.StatusChanged),
		LastLogin: Micros(a.LastLogin), Updated: Micros(a.Updated), PasswordChanged: Micros(a.PasswordChanged),
	})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the record cannot be written as JSON")
	}
	body, err = value.WithMembers(body, value.Member{Name: "profile", Value: a.Profile})
	return string(body), err
}

// decodeAccount reads what encodeAccount wrote. A page has a hundred accounts or
// more, which is why it goes without reflection.
func decodeAccount(realm, id string, version int64, text string) (*directory.Account, error) {
	b := fields{}
	v, err := value.Decode([]byte(text))
	if err == nil {
		b.o, _ = v.(map[string]any)
	} else if err := decodeBody(text, &b.o); err != nil { // metadata may lie deeper here than what came in
		return nil, err
	}
	identities, err := b.identities()
	if err != nil {
		return nil, err
	}
	provider := fields{b.object("provider")}
	return &directory.Account{
		ID: id, Realm: realm, Version: version,
		Connection: b.text("connection"), Resource: b.object("resource"), Identities: identities,
		SignIns: int(b.number("signIns")), LastIP: b.text("lastIP"), Type: b.text("type"), FailedSignIns: int(b.number("failedSignIns")),
		Status: directory.Status(b.text("status")), Profile: b.object("profile"),
		Provider:    directory.Provider{Type: provider.text("type"), Name: provider.text("name")},
		HasPassword: b.flag("hasPassword"), RecoveryQuestion: b.text("recoveryQuestion"), EmailVerified: b.flag("emailVerified"),
		UserMetadata: b.object("userMetadata"), AppMetadata: b.object("appMetadata"),
		Created: b.time("created"), Activated: b.time("activated"), StatusChanged: b.time("statusChanged"),
		LastLogin: b.time("lastLogin"), Updated: b.time("updated"), PasswordChanged: b.time("passwordChanged"),
	}, nil
}

// fields reads the members of a stored body; absent ones are zero.
type fields struct{ o map[string]any }

func (f fields) text(name string) string {
	s, _ := f.o[name].(string)
	return s
}

func (f fields) flag(name string) bool {
	b, _ := f.o[name].(bool)
	return b
}

func (f fields) number(name string) int64 {
	n, _ := f.o[name].(json.Number)
	i, _ := n.Int64()
	return i
}

func (f fields) time(name string) time.Time { return Time(f.number(name)) }

func (f fields) object(name string) map[string]any {
	o, _ := f.o[name].(map[string]any)
	return o
}

// identities reads the accounts that were linked to this one. Few have any.
func (f fields) identities() (list []directory.Identity, err error) {
	if f.o["identities"] == nil {
		return nil, nil
	}
	text, err := encodeBody(f.o["identities"])
	if err == nil {
		err = decodeBody(text, &list)
	}
	return list, err
}

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

const accountColumns = "a.realm, a.id, a.version, a.body"

type scanner interface{ Scan(...any) error }

func scanAccount(row scanner) (*directory.Account, error) {
	var realm, id, body string
	var version int64
	if err := row.Scan(&realm, &id, &version, &body); err != nil {
		return nil, err
	}
	return decodeAccount(realm, id, version, body)
}

func (t *directoryTx) account(ref, query string, args ...any) (*directory.Account, error) {
	a, err := scanAccount(t.queryRow(query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, directory.NotFound(directory.AccountNoun, ref)
	}
	if err != nil {
		return nil, t.db.Translate(err)
	}
	return a, nil
}

func (t *directoryTx) Account(realm, id string) (*directory.Account, error) {
	return t.account(id, "SELECT "+accountColumns+" FROM directory_accounts a WHERE a.realm = $1 AND a.id = $2", realm, id)
}

func (t *directoryTx) AccountByKey(realm string, k directory.Key) (*directory.Account, error) {
	return t.account(k.Value, "SELECT "+accountColumns+" FROM directory_keys k"+
		" JOIN directory_accounts a ON a.realm = k.realm AND a.id = k.account"+
		" WHERE k.realm = $1 AND k.name = $2 AND k.scope = $3 AND k.value = $4", realm, k.Name, k.Scope, k.Value)
}

func (t *directoryTx) Accounts(q directory.AccountQuery) iter.Seq2[*directory.Account, error] {
	if q.KeyPrefix != nil {
		return each(t, accountsByKey(q), scanAccount)
	}
	if t.isFar(q) {
		return t.far(q)
	}
	return t.accounts(q, "")
}

// accounts yields the accounts of a query that does not ask for keys, from an id
// on unless it is empty.
func (t *directoryTx) accounts(q directory.AccountQuery, start string) iter.Seq2[*directory.Account, error] {
	return chunked(t, scanAccount, func(last *directory.Account, more bool) selection {
		if more && q.Realm != "" {
			q.After, start = last.ID, ""
		}
		// The order is that of the table which says what is selected, so that the
		// database walks its index and need not sort, or try every account.
		realm, id := "a.realm", "a.id"
		from := selection{text: "SELECT " + accountColumns + " FROM directory_accounts a"}
		if q.Group != "" {
			realm, id = "m.realm", "m.account"
			from.text = "SELECT " + accountColumns + " FROM directory_members m" +
				" JOIN directory_accounts a ON a.realm = m.realm AND a.id = m.account"
		}
		from.where(realm+" = ", q.Realm)
		from.where("m.group_id = ", q.Group)
		from.where(id+" > ", q.After)
		from.where(id+" >= ", start)
		from.where("a.email_key = ", q.Email)
		from.connected("a.connection", q.Connection)
		from.holding("lower(a.body)", q.Holding)
		if more && q.Realm == "" {
			from.behind(realm, id, last.Realm, last.ID)
		}
		from.text += " ORDER BY " + realm + ", " + id
		if !more {
			from.skip = q.Skip
		}
		return from
	})
}

// accountsByKey selects accounts by the beginning of a key: few, or all of them
// sorted at once.
func accountsByKey(q directory.AccountQuery) selection {
	k := q.KeyPrefix
	from := selection{text: "SELECT " + accountColumns + " FROM directory_keys k" +
		" JOIN directory_accounts a ON a.realm = k.realm AND a.id = k.account"}
	if q.Group != "" {
		from.text += " JOIN directory_members m ON m.realm = a.realm AND m.account = a.id"
	}
	from.where("k.realm = ", q.Realm)
	from.add("k.name = ", k.Name)
	from.add("k.scope = ", k.Scope)
	from.where("k.value >= ", k.Value)
	from.where("k.value < ", successor(k.Value))
	from.where("a.id > ", q.After)
	from.where("a.email_key = ", q.Email)
	from.where("m.group_id = ", q.Group)
	from.text += " ORDER BY a.realm, a.id"
	return from
}

func (t *directoryTx) InsertAccount(a *directory.Account, keys []directory.Key) error {
	body, err := encodeAccount(a)
	if err != nil {
		return err
	}
	connection := ownerOf(a)
	_, err = t.exec("INSERT INTO directory_accounts ("+accountInsert+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		a.Realm, a.ID, directory.Fold(a.Email()), nameKey(a), connection, a.Version, body)
	if err != nil {
		return err
	}
	if err := t.tally(a.Realm, connection, 1); err != nil {
		return err
	}
	return t.insertKeys(a, keys)
}

func (t *directoryTx) UpdateAccount(a *directory.Account, keys []directory.Key) error {
	body, err := encodeAccount(a)
	if err != nil {
		return err
	}
	n, err := t.exec("UPDATE directory_accounts SET email_key = $1, name_key = $2, version = $3, body = $4 WHERE realm = $5 AND id = $6 AND version = $7",
		directory.Fold(a.Email()), nameKey(a), a.Version, body, a.Realm, a.ID, a.Version-1)
	if err != nil {
		return err
	}
	if n == 0 {
		if _, err := t.Account(a.Realm, a.ID); err != nil {
			return err
		}
		return stale(directory.AccountNoun, a.ID)
	}
	return t.replaceKeys(a, keys)
}

func stale(noun directory.Noun, id string) error {
	return fault.New(fault.Stale, "the %s %q has changed since it was read", noun, id)
}

// replaceKeys writes only what differs: most updates leave the keys alone.
func (t *directoryTx) replaceKeys(a *directory.Account, keys []directory.Key) error {
	have, err := t.keysOf(a)
	if err != nil {
		return err
	}
	want := make(map[directory.Key]bool, len(keys))
	for _, k := range keys {
		want[k] = true
	}
	for _, k := range have {
		if want[k] {
			delete(want, k)
			continue
		}
		_, err := t.exec("DELETE FROM directory_keys WHERE realm = $1 AND name = $2 AND scope = $3 AND value = $4", a.Realm, k.Name, k.Scope, k.Value)
		if err != nil {
			return err
		}
	}
	missing := keys[:0:0]
	for _, k := range keys {
		if want[k] {
			missing = append(missing, k)
		}
	}
	return t.insertKeys(a, missing)
}

func (t *directoryTx) keysOf(a *directory.Account) ([]directory.Key, error) {
	q := selection{text: "SELECT scope, name, value FROM directory_keys"}
	q.where("realm = ", a.Realm)
	q.where("account = ", a.ID)
	var out []directory.Key
	scan := func(row scanner) (k directory.Key, err error) {
		err = row.Scan(&k.Scope, &k.Name, &k.Value)
		return k, err
	}
	for k, err := range each(t, q, scan) {
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

func (t *directoryTx) insertKeys(a *directory.Account, keys []directory.Key) error {
	for _, k := range keys {
		_, err := t.exec("INSERT INTO directory_keys (realm, name, scope, value, account) VALUES ($1, $2, $3, $4, $5)",
			a.Realm, k.Name, k.Scope, k.Value, a.ID)
		if fault.Is(err, fault.Conflict) {
			return directory.Duplicate(k.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownerOf returns the connection that an account is listed under, "" for none.
func ownerOf(a *directory.Account) string {
	if a.Connected() {
		return a.Connection
	}
	return ""
}

// tally counts the accounts of a connection: asking the database to count a
// hundred thousand for every page would take longer than the page.
func (t *directoryTx) tally(realm, connection string, n int) error {
	if connection == "" {
		return nil
	}
	_, err := t.exec("INSERT INTO directory_tallies (realm, connection, accounts, version) VALUES ($1, $2, $3, 1)"+
		" ON CONFLICT (realm, connection) DO UPDATE SET accounts = directory_tallies.accounts + excluded.accounts,"+
		" version = directory_tallies.version + 1", realm, connection, n)
	return err
}

func (t *directoryTx) CountAccounts(realm, connection string) (int, error) {
	n, _, err := t.tallied(realm, connection)
	return n, err
}

// tallied returns how many accounts a connection has, and a number that is
// another whenever one came or went.
func (t *directoryTx) tallied(realm, connection string) (accounts int, version int64, err error) {
	err = t.queryRow("SELECT accounts, version FROM directory_tallies WHERE realm = $1 AND connection = $2", realm, connection).Scan(&accounts, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return accounts, version, t.db.Translate(err)
}

func (t *directoryTx) DeleteAccount(realm, id string) error {
	var connection string
	err := t.row(directory.AccountNoun, id, "SELECT connection FROM directory_accounts WHERE realm = $1 AND id = $2", []any{realm, id}, &connection)
	if err != nil {
		return err
	}
	if err := t.tally(realm, connection, -1); err != nil {
		return err
	}
	_, err = t.exec("UPDATE directory_groups SET members = members - 1 WHERE realm = $1 AND id IN"+
		" (SELECT group_id FROM directory_members WHERE realm = $2 AND account = $3)", realm, realm, id)
	if err != nil {
		return err
	}
	n, err := t.exec("DELETE FROM directory_accounts WHERE realm = $1 AND id = $2", realm, id)
	if err == nil && n == 0 {
		return directory.NotFound(directory.AccountNoun, id)
	}
	return err
}

// Credentials.

func (t *directoryTx) Secret(realm, account string) (directory.Secret, error) {
	var s directory.Secret
	err := t.queryRow("SELECT password, answer FROM directory_secrets WHERE realm = $1 AND account = $2", realm, account).
		Scan(&s.Password, &s.Answer)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	return s, t.db.Translate(err)
}

func (t *directoryTx) PutSecret(realm, account string, s directory.Secret) error {
	if s == (directory.Secret{}) {
		_, err := t.exec("DELETE FROM directory_secrets WHERE realm = $1 AND account = $2", realm, account)
		return err
	}
	_, err := t.exec("INSERT INTO directory_secrets (realm, account, password, answer) VALUES ($1, $2, $3, $4)"+
		" ON CONFLICT (realm, account) DO UPDATE SET password = excluded.password, answer = excluded.answer",
		realm, account, s.Password, s.Answer)
	if fault.Is(err, fault.NotFound) {
		return directory.NotFound(directory.AccountNoun, account)
	}
	return err
}

// Groups.

// groupBody is to directory.Group what accountBody is to directory.Account.
type groupBody struct {
	Resource map[string]any `json:"resource,omitempty"`
	Profile  map[string]any `json:"profile"`
	Created  int64          `json:"created"`
	Updated  int64          `json:"updated"`
}

func encodeGroup(g *directory.Group) (string, error) {
	return encodeBody(groupBody{Resource: g.Resource, Profile: g.Profile, Created: Micros(g.Created), Updated: Micros(g.Updated)})
}

const groupColumns = "g.realm, g.id, g.type, g.connection, g.membership_updated, g.version, g.body"

func scanGroup(row scanner) (*directory.Group, error) {
	var g directory.Group
	var membershipUpdated int64
	var body string
	if err := row.Scan(&g.Realm, &g.ID, &g.Type, &g.Connection, &membershipUpdated, &g.Version, &body); err != nil {
		return nil, err
	}
	var b groupBody
	if err := decodeBody(body, &b); err != nil {
		return nil, err
	}
	g.Resource = b.Resource
	g.Profile, g.Created, g.Updated, g.MembershipUpdated = b.Profile, Time(b.Created), Time(b.Updated), Time(membershipUpdated)
	return &g, nil
}

func (t *directoryTx) Group(realm, id string) (*directory.Group, error) {
	g, err := scanGroup(t.queryRow("SELECT "+groupColumns+" FROM directory_groups g WHERE g.realm = $1 AND g.id = $2", realm, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, directory.NotFound(directory.GroupNoun, id)
	}
	if err != nil {
		return nil, t.db.Translate(err)
	}
	return g, nil
}

func (t *directoryTx) Groups(q directory.GroupQuery) iter.Seq2[*directory.Group, error] {
	return chunked(t, scanGroup, func(last *directory.Group, more bool) selection {
		if more && q.Realm != "" {
			q.After = last.ID
		}
		realm, id := "g.realm", "g.id"
		from := selection{text: "SELECT " + groupColumns + " FROM directory_groups g"}
		if q.Member != "" {
			realm, id = "m.realm", "m.group_id"
			from.text = "SELECT " + groupColumns + " FROM directory_members m" +
				" JOIN directory_groups g ON g.realm = m.realm AND g.id = m.group_id"
		}
		from.where(realm+" = ", q.Realm)
		from.where("m.account = ", q.Member)
		from.where(id+" > ", q.After)
		from.where("g.name_key = ", q.Name)
		from.where("g.type = ", string(q.Type))
		from.connected("g.connection", q.Connection)
		if more && q.Realm == "" {
			from.behind(realm, id, last.Realm, last.ID)
		}
		from.text += " ORDER BY " + realm + ", " + id
		if !more {
			from.skip = q.Skip
		}
		return from
	})
}

func (t *directoryTx) InsertGroup(g *directory.Group) error {
	body, err := encodeGroup(g)
	if err != nil {
		return err
	}
	n, err := t.exec("INSERT INTO directory_groups (realm, id, type, connection, name_key, unique_key, membership_updated, version, body)"+
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (realm, id) DO NOTHING",
		g.Realm, g.ID, string(g.Type), g.Connection, directory.Fold(g.Name()), nullable(g.Key()), Micros(g.MembershipUpdated), g.Version, body)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "there is a group %q already", g.ID)
	}
	return nameTaken(err)
}

// nameTaken words a unique violation of a group: with the id out of the way,
// only the name can be it.
func nameTaken(err error) error {
	if fault.Is(err, fault.Conflict) {
		return directory.Duplicate("name")
	}
	return err
}

func (t *directoryTx) UpdateGroup(g *directory.Group) error {
	body, err := encodeGroup(g)
	if err != nil {
		return err
	}
	n, err := t.exec("UPDATE directory_groups SET name_key = $1, unique_key = $2, version = $3, body = $4 WHERE realm = $5 AND id = $6 AND version = $7",
		directory.Fold(g.Name()), nullable(g.Key()), g.Version, body, g.Realm, g.ID, g.Version-1)
	if err != nil {
		return nameTaken(err)
	}
	if n == 0 {
		if _, err := t.Group(g.Realm, g.ID); err != nil {
			return err
		}
		return stale(directory.GroupNoun, g.ID)
	}
	return nil
}

func (t *directoryTx) DeleteGroup(realm, id string) error {
	n, err := t.exec("DELETE FROM directory_groups WHERE realm = $1 AND id = $2", realm, id)
	if err == nil && n == 0 {
		return directory.NotFound(directory.GroupNoun, id)
	}
	return err
}

// Memberships.

func (t *directoryTx) AddMember(realm, group, account string, at time.Time) (bool, error) {
	n, err := t.exec("INSERT INTO directory_members (realm, group_id, account, added) VALUES ($1, $2, $3, $4)"+
		" ON CONFLICT (realm, group_id, account) DO NOTHING", realm, group, account, Micros(at))
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.countMembers(realm, group, 1, at)
}

func (t *directoryTx) RemoveMember(realm, group, account string, at time.Time) (bool, error) {
	n, err := t.exec("DELETE FROM directory_members WHERE realm = $1 AND group_id = $2 AND account = $3", realm, group, account)
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.countMembers(realm, group, -1, at)
}

func (t *directoryTx) NameMember(realm, group, account, display string, at time.Time) (bool, error) {
	n, err := t.exec("UPDATE directory_members SET display = $1 WHERE realm = $2 AND group_id = $3 AND account = $4 AND display <> $5",
		display, realm, group, account, display)
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.countMembers(realm, group, 0, at)
}

func (t *directoryTx) CountMembers(realm, group string) (n int, err error) {
	err = t.queryRow("SELECT members FROM directory_groups WHERE realm = $1 AND id = $2", realm, group).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, t.db.Translate(err)
}

func (t *directoryTx) CountGroups(realm, connection string) (n int, err error) {
	err = t.queryRow("SELECT count(*) FROM directory_groups WHERE realm = $1 AND connection = $2 AND connection <> ''", realm, connection).Scan(&n)
	return n, t.db.Translate(err)
}

func (t *directoryTx) Members(realm, group, after string) iter.Seq2[directory.Member, error] {
	scan := func(row scanner) (m directory.Member, err error) {
		err = row.Scan(&m.ID, &m.Display)
		return m, err
	}
	return chunked(t, scan, func(last directory.Member, more bool) selection {
		if more {
			after = last.ID
		}
		from := selection{text: "SELECT account, display FROM directory_members"}
		from.add("realm = ", realm)
		from.add("group_id = ", group)
		from.where("account > ", after)
		from.text += " ORDER BY account"
		return from
	})
}

// asked are the numbers of accounts that one statement asks the memberships of:
// few, so that each is compiled once.
var asked = [...]int{1, 10, 100}

func (t *directoryTx) Memberships(realm string, accounts []string) iter.Seq2[directory.Membership, error] {
	scan := func(row scanner) (m directory.Membership, err error) {
		err = row.Scan(&m.Account, &m.Group)
		return m, err
	}
	return func(yield func(directory.Membership, error) bool) {
		for part := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(accounts))), asked[len(asked)-1]) {
			from := selection{text: "SELECT account, group_id FROM directory_members"}
			from.add("realm = ", realm)
			from.text += " AND account IN ("
			size, _ := slices.BinarySearch(asked[:], len(part))
			for i := range asked[size] {
				from.bind([]string{"", ", "}[min(i, 1)], part[min(i, len(part)-1)])
			}
			from.text += ") ORDER BY account, group_id"
			for m, err := range each(t, from, scan) {
				if !yield(m, err) || err != nil {
					return
				}
			}
		}
	}
}

// countMembers notes that a group has more or fewer members, and since when
// unless the time is zero.
func (t *directoryTx) countMembers(realm, group string, n int, at time.Time) error {
	if at.IsZero() {
		_, err := t.exec("UPDATE directory_groups SET members = members + $1 WHERE realm = $2 AND id = $3", n, realm, group)
		return err
	}
	_, err := t.exec("UPDATE directory_groups SET members = members + $1, membership_updated = $2 WHERE realm = $3 AND id = $4", n, Micros(at), realm, group)
	return err
}

// The change log.

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
