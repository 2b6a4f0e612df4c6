package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

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

const accountColumns = "a.realm, a.id, a.version, a.body"

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
