package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Session is one stay of a person at the org.
type Session struct {
	Meta
	Account         string    `json:"account"`
	Login           string    `json:"login"`
	Expires         time.Time `json:"expires"`
	PasswordChecked time.Time `json:"passwordChecked"`
}

func (s *Session) Place() Place { return Place{Noun: SessionNoun, Subject: s.Account} }

func (s *Session) target() Target {
	return Target{Type: "AppSession", ID: s.ID, DisplayName: s.Login}
}

// sessionToken is what signing in yields: good once, for a short time, to make
// a session of. Only its digest is kept.
type sessionToken struct {
	Meta
	Account string    `json:"account"`
	Expires time.Time `json:"expires"`
}

func (t *sessionToken) Place() Place { return Place{Noun: sessionTokenNoun, Subject: t.Account} }

const sessionTokenNoun Noun = "session token"

// How long sessions and their tokens last (Okta: sessions API; default sign-on policy).
const (
	sessionLife      = 2 * time.Hour
	sessionTokenLife = 5 * time.Minute
)

// Digest is the form in which a token is kept: enough to recognise it, not to
// make it.
func Digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// SessionToken returns a token with which the account can start one session.
func (d *Directory) SessionToken(ctx context.Context, realm, account string) (token string, expires time.Time, err error) {
	token = "20111" + d.IDs.Token(60)
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := tx.Account(realm, account)
		if err != nil {
			return err
		}
		now := d.now()
		expires = now.Add(sessionTokenLife)
		return putObject(tx, &sessionToken{Meta: Meta{Realm: realm, ID: Digest(token)}, Account: a.ID, Expires: expires}, now)
	})
	return token, expires, err
}

// StartSession makes a session of a token, which is then used up. A token that
// is unknown, used or too old is fault.Unauthorized.
func (d *Directory) StartSession(ctx context.Context, actor Actor, realm, token string) (s *Session, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		now := d.now()
		t, err := get[sessionToken](tx, realm, Digest(token))
		if fault.Is(err, fault.NotFound) || err == nil && !now.Before(t.Expires) {
			return fault.New(fault.Unauthorized, "the session token is not valid any more")
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteRecord(realm, sessionTokenNoun, t.ID); err != nil {
			return err
		}
		a, err := tx.Account(realm, t.Account)
		if err != nil {
			return err
		}
		if a.Status != Active {
			return fault.New(fault.Unauthorized, "the user may not sign in while %s", a.Status)
		}
		s = &Session{
			Meta:    Meta{Realm: realm, ID: "102" + d.IDs.Token(22)},
			Account: a.ID, Login: a.Login(), Expires: now.Add(sessionLife), PasswordChecked: t.Created,
		}
		return d.insertObject(tx, s, change{at: now, actor: actor, kind: "user.session.start", targets: []Target{a.target(), s.target()}})
	})
	return s, err
}

// Session returns a session that has not expired.
func (d *Directory) Session(ctx context.Context, realm, id string) (s *Session, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		s, err = d.session(r, realm, id)
		return err
	})
	return s, err
}

func (d *Directory) session(r Reader, realm, id string) (*Session, error) {
	s, err := get[Session](r, realm, id)
	if err == nil && !d.now().Before(s.Expires) {
		return nil, NotFound(SessionNoun, id)
	}
	return s, err
}

// RefreshSession lets a session last anew.
func (d *Directory) RefreshSession(ctx context.Context, actor Actor, realm, id string) (after *Session, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := d.session(tx, realm, id)
		if err != nil {
			return err
		}
		now := d.now()
		after, err = amend(d, tx, before, change{at: now, actor: actor, kind: "user.session.context.change"}, func(s *Session) error {
			s.Expires = now.Add(sessionLife)
			return nil
		})
		return err
	})
	return after, err
}

// EndSession ends one session.
func (d *Directory) EndSession(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		s, err := d.session(tx, realm, id)
		if err != nil {
			return err
		}
		return d.deleteObject(tx, s, change{at: d.now(), actor: actor, kind: "user.session.end", targets: []Target{s.target()}})
	})
}

// ClearSessions ends every session of an account, and whatever else of it is
// kept under the other nouns, such as the tokens that applications hold.
func (d *Directory) ClearSessions(ctx context.Context, actor Actor, realm, ref string, others ...Noun) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if err := endRecords(tx, realm, a.ID, slices.Concat(sessionNouns, others)); err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: "user.session.clear", realm: realm, target: a.ID, targets: []Target{a.target()}})
	})
}

// RevokeGrants ends all that OAuth clients hold of an account, and what the
// person agreed to.
func (d *Directory) RevokeGrants(ctx context.Context, actor Actor, realm, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		if err := endRecords(tx, realm, a.ID, append([]Noun{ConsentNoun}, clientTokens...)); err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: "app.oauth2.as.consent.revoke.user", realm: realm, target: a.ID, targets: []Target{a.target()}})
	})
}

// RevokeAppTokens ends all that the OAuth client of an application holds.
func (d *Directory) RevokeAppTokens(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		app, err := get[App](tx, realm, id)
		if err != nil {
			return err
		}
		if err := clientEnding(tx, app); err != nil {
			return err
		}
		return d.log(tx, change{at: d.now(), actor: actor, kind: "app.oauth2.token.revoke.implicit.client", realm: realm, target: id, targets: []Target{app.target()}})
	})
}
