package tenant

import (
	"context"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Unblock forgets the failed sign-ins of a user.
func (t *Tenant) Unblock(ctx context.Context, actor directory.Actor, account string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := tx.Account(t.Realm, account)
		if err != nil || before.FailedSignIns == 0 {
			return err
		}
		after := directory.CloneAccount(before)
		after.FailedSignIns = 0
		return t.Directory.SaveConnected(tx, actor, before, after)
	})
}

// Stay is a session of a user, or a refresh token that a client holds for one.
type Stay struct {
	ID      string
	Client  string // of a refresh token
	Created time.Time
	Expires time.Time
}

// Stays returns what is kept of a user under a noun.
func (t *Tenant) Stays(ctx context.Context, account string, w Window, nouns ...directory.Noun) (p Page[Stay], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := r.Account(t.Realm, account); err != nil {
			return err
		}
		var all []Stay
		for _, noun := range nouns {
			for record, err := range r.Records(directory.RecordQuery{Realm: t.Realm, Noun: noun, Subject: account}) {
				if err != nil {
					return err
				}
				if record.ID <= w.After.ID {
					continue
				}
				var body struct{ Created, Expires time.Time }
				if err := record.Decode(&body); err != nil {
					return err
				}
				all = append(all, Stay{ID: record.ID, Client: record.Parent, Created: body.Created, Expires: body.Expires})
			}
		}
		p = Cut(all, w)
		return nil
	})
	return p, err
}

// EndStays removes what is kept of a user under nouns: all, or the record with
// an id. Nothing there is no error.
func (t *Tenant) EndStays(ctx context.Context, actor directory.Actor, account, id, kind string, nouns ...directory.Noun) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		a, err := tx.Account(t.Realm, account)
		if err != nil {
			return err
		}
		for _, noun := range nouns {
			if err := endStay(tx, a, id, noun); err != nil {
				return err
			}
		}
		e := t.event(actor, kind, userTarget(a))
		e.Target = a.ID
		return t.Directory.Log(tx, t.Realm, e, nil, nil)
	})
}

func endStay(tx directory.Tx, a *directory.Account, id string, noun directory.Noun) error {
	if id == "" {
		_, err := tx.DeleteRecords(directory.RecordQuery{Realm: a.Realm, Noun: noun, Subject: a.ID})
		return err
	}
	record, err := tx.Record(a.Realm, noun, id)
	if fault.Is(err, fault.NotFound) || err == nil && record.Subject != a.ID {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.DeleteRecord(a.Realm, noun, id)
}
