package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Store keeps a directory. What it promises is tested by internal/store/storetest.
type Store interface {
	// Update runs f in one transaction that may read and write. It commits
	// when f returns nil and is on disk when Update returns; otherwise nothing
	// has changed. Updates happen one after the other: what f reads stays true
	// until the commit. The error of f is returned as it is.
	Update(ctx context.Context, f func(Tx) error) error

	// View runs f on one consistent snapshot.
	View(ctx context.Context, f func(Reader) error) error
}

// Reader reads a directory inside a transaction. Single look-ups answer
// fault.NotFound with a *Missing when there is no such object. No other method
// may be called while a sequence is being ranged over.
type Reader interface {
	Realm(id string) (*Realm, error)
	Account(realm, id string) (*Account, error)
	// AccountByKey finds the account that has a key.
	AccountByKey(realm string, k Key) (*Account, error)
	// CountAccounts returns how many accounts a connection has.
	CountAccounts(realm, connection string) (int, error)
	// Accounts yields accounts ordered by realm and id. An error ends the sequence.
	Accounts(q AccountQuery) iter.Seq2[*Account, error]
	// Secret returns the credentials of an account, zero when it has none.
	Secret(realm, account string) (Secret, error)

	Group(realm, id string) (*Group, error)
	// Groups yields groups ordered by realm and id. An error ends the sequence.
	Groups(q GroupQuery) iter.Seq2[*Group, error]
	// CountGroups returns how many groups a connection has.
	CountGroups(realm, connection string) (int, error)
	// CountMembers returns how many accounts are in a group.
	CountMembers(realm, group string) (int, error)
	// Members yields the accounts in a group whose ids come behind one, ordered by
	// id. An error ends the sequence.
	Members(realm, group, after string) iter.Seq2[Member, error]

	// Memberships yields the groups that accounts are in, ordered by account and
	// group. An error ends the sequence.
	Memberships(realm string, accounts []string) iter.Seq2[Membership, error]

	// Record returns a record by its id.
	Record(realm string, noun Noun, id string) (*Record, error)
	// Records yields records ordered by id. An error ends the sequence.
	Records(q RecordQuery) iter.Seq2[*Record, error]

	// Changes yields entries of the change log in order. An error ends the sequence.
	Changes(q ChangeQuery) iter.Seq2[Change, error]
}

// Tx reads and writes a directory inside a transaction.
type Tx interface {
	Reader

	InsertRealm(r *Realm) error

	// InsertAccount adds an account and its keys. A taken key is a
	// fault.Conflict with Violations; an id that exists, a plain fault.Conflict.
	InsertAccount(a *Account, keys []Key) error
	// UpdateAccount replaces the account whose version is a.Version-1;
	// fault.Stale when the stored version is another, fault.NotFound when the
	// account is gone. Keys as for InsertAccount.
	UpdateAccount(a *Account, keys []Key) error
	// DeleteAccount removes an account with its keys, credentials and memberships.
	DeleteAccount(realm, id string) error
	// PutSecret replaces the credentials of an account; a zero Secret removes them.
	PutSecret(realm, account string, s Secret) error

	// InsertGroup, UpdateGroup and DeleteGroup follow the same rules; the name
	// is unique in the realm unless Group.Key is empty.
	InsertGroup(g *Group) error
	UpdateGroup(g *Group) error
	DeleteGroup(realm, id string) error

	// AddMember puts an account into a group and reports whether it was not in
	// it before. RemoveMember reports whether it was. Both set the group's
	// MembershipUpdated to at when it is not zero and something changed. Adding
	// to a group or an account that does not exist is a fault.NotFound.
	AddMember(realm, group, account string, at time.Time) (bool, error)
	RemoveMember(realm, group, account string, at time.Time) (bool, error)
	// NameMember gives a member the name by which the group shows it, and reports
	// whether it had another. Somebody who is not in the group is none. The
	// group's MembershipUpdated is set as by AddMember.
	NameMember(realm, group, account, display string, at time.Time) (bool, error)

	// InsertRecord, UpdateRecord and DeleteRecord follow the rules of accounts: a
	// taken id or key is a fault.Conflict, an update that is not of the version
	// after the stored one is fault.Stale.
	InsertRecord(r *Record) error
	UpdateRecord(r *Record) error
	DeleteRecord(realm string, noun Noun, id string) error
	// DeleteRecords removes the records that a query selects and returns how many.
	DeleteRecords(q RecordQuery) (int64, error)

	// Append adds an entry to the change log and numbers it. Numbers grow in
	// the order of commits, so a reader with a cursor misses nothing.
	Append(c Change) error
}

// AccountQuery selects accounts. The zero value selects all.
type AccountQuery struct {
	Realm      string // empty: all realms
	After      string // id; the accounts behind it in the order
	Email      string // folded
	KeyPrefix  *Key   // accounts with a key whose value starts so
	Group      string // members of this group
	Connection string // that this connection has; not with Group or KeyPrefix
	Skip       int    // leaves out so many of the first

	// Holding narrows the scan to accounts that are stored with a text in them,
	// ASCII compared without case. It is an aid: a store may yield others too. The
	// text must be one that JSON does not escape.
	Holding string
}

// GroupQuery selects groups. The zero value selects all.
type GroupQuery struct {
	Realm      string
	After      string
	Name       string // folded
	Member     string // groups that this account is in
	Type       GroupType
	Connection string
	Skip       int // leaves out so many of the first
}

// ChangeQuery selects entries of the change log. The zero value selects all.
type ChangeQuery struct {
	Realm   string    // empty: all
	After   int64     // numbers greater than this; with Newest, less than it unless 0
	Since   time.Time // at or after
	Until   time.Time // before
	Target  string    // about the object with this id
	Kind    string    // of this event type
	Newest  bool      // from the newest to the oldest
	MaxRows int       // 0: no limit
	Holding string    // as in AccountQuery: in the type, the actor or the targets
}

// Change is one entry of the change log.
type Change struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Actor   Actor           `json:"actor"`
	Kind    string          `json:"kind"` // Okta's event type names: "user.lifecycle.create"
	Realm   string          `json:"realm"`
	Target  string          `json:"target"`           // id of the object that the change is about
	Before  json.RawMessage `json:"before,omitempty"` // Account, Group, Membership or another object; absent when it did not exist
	After   json.RawMessage `json:"after,omitempty"`  // absent when it is gone
	Targets []Target        `json:"targets,omitempty"`
	Outcome Outcome         `json:"outcome,omitzero"`
}

// UnreadableChange is the cause of an error about one entry of the change log
// that cannot be read. The entries behind it may be fine.
type UnreadableChange struct {
	Seq int64
	Err error
}

func (e *UnreadableChange) Error() string {
	return fmt.Sprintf("entry %d of the change log: %v", e.Seq, e.Err)
}

func (e *UnreadableChange) Unwrap() error { return e.Err }

// Member is an account in a group.
type Member struct {
	ID      string // of the account
	Display string // by which the group shows it, "" for none
}

// Membership is what the change log says of a member who came or went.
type Membership struct {
	Group   string `json:"group"`
	Account string `json:"account"`
}
