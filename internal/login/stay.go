package login

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// How long what is kept of a sign-in lasts. Sessions: Auth0's default for those
// that nobody touches.
const (
	sessionLife = 3 * 24 * time.Hour
	codeLife    = time.Minute
)

// session is that a person is signed in in a browser, by the digest of what the
// browser holds.
type session struct {
	directory.Meta

	Account    string    `json:"account"`
	Connection string    `json:"connection"` // name
	AuthTime   time.Time `json:"authTime"`
	Expires    time.Time `json:"expires"`
}

// Place says where the session is found.
func (s *session) Place() directory.Place {
	return directory.Place{Noun: directory.BrowserNoun, Subject: s.Account}
}

// code is what a client gets tokens for, by its digest. One that was used is
// kept until it would have expired, so that its reuse is noticed.
type code struct {
	directory.Meta

	Client    string    `json:"client"`
	Account   string    `json:"account"`
	Session   string    `json:"session"`
	Request   Request   `json:"request"`
	AuthTime  time.Time `json:"authTime"`
	Used      bool      `json:"used,omitempty"`
	Expires   time.Time `json:"expires"`
	Refreshed string    `json:"refreshed,omitempty"` // id of the refresh token that it gave
}

// Place says where the code is found.
func (c *code) Place() directory.Place {
	return directory.Place{Noun: directory.CodeNoun, Parent: c.Client, Subject: c.Account}
}

// refreshToken is what a client gets new tokens for, by its digest.
type refreshToken struct {
	directory.Meta

	Client   string    `json:"client"`
	Account  string    `json:"account"`
	Session  string    `json:"session"`
	Scope    string    `json:"scope"`
	Audience string    `json:"audience,omitempty"`
	AuthTime time.Time `json:"authTime"`
	Expires  time.Time `json:"expires,omitzero"` // zero: never
}

// Place says where the token is found.
func (t *refreshToken) Place() directory.Place {
	return directory.Place{Noun: directory.RefreshTokenNoun, Parent: t.Client, Subject: t.Account}
}

// beginSession begins the session of an account, and forgets those of it that
// are over.
func (s *Service) beginSession(tx directory.Tx, a *directory.Account) (*session, string, error) {
	now := s.now()
	if err := expire[session](tx, directory.RecordQuery{Realm: a.Realm, Noun: directory.BrowserNoun, Subject: a.ID}, now); err != nil {
		return nil, "", err
	}
	cookie := random()
	stay := &session{
		Meta:    directory.Meta{ID: directory.Digest(cookie), Realm: a.Realm},
		Account: a.ID, Connection: a.Connection, AuthTime: now, Expires: now.Add(sessionLife),
	}
	return stay, cookie, s.Tenant.Directory.PutObject(tx, stay)
}

func (s *session) over(now time.Time) bool      { return !now.Before(s.Expires) }
func (c *code) over(now time.Time) bool         { return !now.Before(c.Expires) }
func (t *refreshToken) over(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

func (s *session) id() string { return s.ID }
func (c *code) id() string    { return c.ID }

// mortal is an object that ends by itself.
type mortal[T any] interface {
	directory.Kept[T]
	over(now time.Time) bool
	id() string
}

// expire removes objects that are over.
func expire[T any, P mortal[T]](tx directory.Tx, q directory.RecordQuery, now time.Time) error {
	gone, err := directory.All(tx, q, 0, func(o P) bool { return o.over(now) })
	if err != nil {
		return err
	}
	for _, o := range gone {
		if err := tx.DeleteRecord(q.Realm, q.Noun, o.id()); err != nil {
			return err
		}
	}
	return nil
}

// session returns the session that a browser holds, nil when there is none. Who
// is blocked has none.
func (s *Service) session(ctx context.Context, cookie string) (stay *session, err error) {
	if cookie == "" {
		return nil, nil
	}
	err = s.Tenant.Directory.Store.View(ctx, func(r directory.Reader) error {
		one, err := directory.Get[session](r, s.Tenant.Realm, directory.Digest(cookie))
		if err != nil || one.over(s.now()) {
			return err
		}
		a, err := r.Account(s.Tenant.Realm, one.Account)
		if err == nil && !a.Blocked() {
			stay = one
		}
		return err
	})
	if missing(err) {
		return nil, nil
	}
	return stay, err
}

// SignOut ends the session that a browser holds. One that is gone is left alone.
func (s *Service) SignOut(ctx context.Context, cookie string) error {
	if cookie == "" {
		return nil
	}
	return s.Tenant.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		stay, err := directory.Get[session](tx, s.Tenant.Realm, directory.Digest(cookie))
		if missing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.Tenant.Directory.DeleteObject(tx, stay, directory.Event{
			At: s.now(), Kind: endedKind, Target: stay.Account, Actor: directory.Actor{ID: stay.Account, Type: directory.UserActor},
			Targets: []directory.Target{{Type: "User", ID: stay.Account}},
		})
	})
}

// LogoutURI returns where a browser goes after it was signed out: to what a
// client named, when that is on the client's list. "" when it named nothing.
func (s *Service) LogoutURI(ctx context.Context, clientID, to string) (string, error) {
	if to == "" {
		return "", nil
	}
	client, err := s.Tenant.Client(ctx, clientID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	if err != nil || !slices.Contains(client.List("allowed_logout_urls"), to) {
		return "", refuse(InvalidRequest, "The returnTo URL is not in the list of allowed logout URLs of the client.")
	}
	return to, nil
}

// issueCode gives a client a code for a session.
func (s *Service) issueCode(ctx context.Context, client *tenant.Client, stay *session, r Request) (string, error) {
	text := random()
	c := &code{
		Meta:   directory.Meta{ID: directory.Digest(text), Realm: s.Tenant.Realm},
		Client: client.ID, Account: stay.Account, Session: stay.ID, Request: r, AuthTime: stay.AuthTime, Expires: s.now().Add(codeLife),
	}
	err := s.Tenant.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		// The session may have ended since it was read.
		if _, err := directory.Get[session](tx, s.Tenant.Realm, stay.ID); err != nil {
			return refuse(LoginRequired, "Login required").because(err)
		}
		codes := directory.RecordQuery{Realm: s.Tenant.Realm, Noun: directory.CodeNoun, Subject: stay.Account}
		if err := expire[code](tx, codes, s.now()); err != nil {
			return err
		}
		return s.Tenant.Directory.PutObject(tx, c)
	})
	return text, err
}
