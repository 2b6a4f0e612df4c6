package tenant

import (
	"fmt"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// What users are members of (roles, organizations) has lists with a lot of
// entries, which are read from any place: the ids of the records are in the order
// of the list.

// Member is a user in a list of members.
type Member struct {
	Account *directory.Account
	Since   time.Time
	Roles   []*Role // in the organization, when they were asked for
}

// Mark returns the member's place in the list.
func (m Member) Mark() Mark { return Mark{m.Since, m.Account.ID} }

// memberID is the id of the record that says that a user is a member of
// something. A zero mark stands in front of all.
func memberID(of string, m Mark) string {
	if m.ID == "" {
		return ""
	}
	return fmt.Sprintf("%s/%020d/%s", of, m.At.UnixMicro(), m.ID)
}

// memberKey is what such records are unique by.
func memberKey(of, account string) string { return of + "/" + account }

func (t *Tenant) member(r directory.Reader, account string, since time.Time) (Member, error) {
	a, err := r.Account(t.Realm, account)
	return Member{Account: a, Since: since}, err
}

func userTarget(a *directory.Account) directory.Target {
	return directory.Target{Type: "User", ID: a.ID, AlternateID: a.Email(), DisplayName: a.Text("displayName")}
}

// free makes sure that no object but the one with the id except has a key. It
// returns a fault.Conflict with Violations, which names the field.
func free[T any, P directory.Kept[T]](r directory.Reader, realm, key, field, except string) error {
	noun := P(new(T)).Place().Noun
	for record, err := range r.Records(directory.RecordQuery{Realm: realm, Noun: noun, Key: key}) {
		if err != nil {
			return err
		}
		if record.ID != except {
			return taken(noun, field)
		}
	}
	return nil
}

// taken is the fault for a value that another object of a sort has.
func taken(noun directory.Noun, field string) error {
	return fault.Wrap(fault.Conflict, directory.Violations{{Field: field, Rule: directory.Taken, Noun: noun}},
		"another %s has this %s", noun, field)
}
