package store

import (
	"database/sql"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

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
