package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Session is who is signed in in a browser.
type Session struct {
	Account  *directory.Account
	AuthTime time.Time
}

// browserRecord is a session, by the digest of its cookie.
type browserRecord struct {
	AuthTime time.Time `json:"authTime"`
	Begun    time.Time `json:"begun"` // AuthTime exactly
	Expires  time.Time `json:"expires"`
}

// consentRecord is what a user agreed that a client may do.
type consentRecord struct {
	Scopes []string  `json:"scopes"`
	Given  time.Time `json:"given"`
}

// endsSessions are the events after which the sessions of an account are over.
var endsSessions = []string{"user.session.clear", "user.lifecycle.deactivate", "user.lifecycle.suspend"}

// SignInBrowser checks login and password and begins a session. The cookie is
// its only proof. fault.Unauthorized when they are wrong.
func (s *Server) SignInBrowser(ctx context.Context, from directory.Actor, login, password string) (cookie string, session *Session, err error) {
	if s.SignIn == nil {
		return "", nil, fault.New(fault.Unauthorized, "nobody can sign in here")
	}
	a, err := s.SignIn(ctx, from, login, password)
	if err != nil {
		return "", nil, err
	}
	cookie, now := random(), s.now()
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		body := browserRecord{AuthTime: now, Begun: s.Directory.Clock().UTC(), Expires: now.Add(browserLife)}
		if err := s.insert(tx, browserNoun, digest(cookie), "", a.ID, "", body); err != nil {
			return err
		}
		return s.sweep(tx)
	})
	if err != nil {
		return "", nil, err
	}
	return cookie, &Session{Account: a, AuthTime: now}, nil
}

// Browser returns the session of a cookie, nil when there is none.
func (s *Server) Browser(ctx context.Context, cookie string) (*Session, error) {
	if cookie == "" {
		return nil, nil
	}
	var session *Session
	err := s.Directory.Store.View(ctx, func(r directory.Reader) error {
		one, err := find[browserRecord](r, s.realm(), browserNoun, digest(cookie))
		if err != nil || !s.now().Before(one.T.Expires) {
			return err
		}
		a, err := r.Account(s.realm(), one.record.Subject)
		if err != nil || !usable(a) {
			return err
		}
		over, err := s.happened(r, a.ID, one.T.Begun, endsSessions)
		if err == nil && !over {
			session = &Session{Account: a, AuthTime: one.T.AuthTime}
		}
		return err
	})
	if missing(err) {
		return nil, nil
	}
	return session, err
}

// happened reports whether one of some events happened to an object since a
// time. The change log tells, so that nobody needs to tell this package.
func (s *Server) happened(r directory.Reader, target string, since time.Time, kinds []string) (bool, error) {
	for _, kind := range kinds {
		for _, err := range r.Changes(directory.ChangeQuery{Realm: s.realm(), Target: target, Kind: kind, Since: since, MaxRows: 1}) {
			return err == nil, err
		}
	}
	return false, nil
}

// SignOut ends the session of a cookie. One that is gone is left alone.
func (s *Server) SignOut(ctx context.Context, from directory.Actor, cookie string) error {
	session, err := s.Browser(ctx, cookie)
	if session == nil || err != nil {
		return err
	}
	return s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := tx.DeleteRecord(s.realm(), browserNoun, digest(cookie)); err != nil && !missing(err) {
			return err
		}
		return s.log(tx, userActor(from, session.Account), "user.session.end", session.Account.ID, accountTarget(session.Account))
	})
}

// consentID is the id of the record of what a user agreed to for a client.
func consentID(client, account string) string { return client + "." + account }

// unconsented returns the scopes that the user must still agree to.
func (s *Server) unconsented(ctx context.Context, a *Authorization, session *Session) ([]string, error) {
	if a.Prompt != "consent" && !a.Client.RequireConsent {
		return nil, nil
	}
	var given consentRecord
	err := s.Directory.Store.View(ctx, func(r directory.Reader) error {
		one, err := find[consentRecord](r, s.realm(), consentNoun, consentID(a.Client.ID, session.Account.ID))
		if err == nil {
			given = one.T
		}
		return err
	})
	if err != nil && !missing(err) {
		return nil, err
	}
	if a.Prompt == "consent" && given.Given.Before(a.Started) {
		return a.Scopes, nil
	}
	return slices.DeleteFunc(slices.Clone(a.Scopes), func(scope string) bool {
		return scope == "openid" || slices.Contains(given.Scopes, scope)
	}), nil
}

// Consent remembers that the user agreed to what a client asks for.
func (s *Server) Consent(ctx context.Context, from directory.Actor, a *Authorization, session *Session) error {
	id, now := consentID(a.Client.ID, session.Account.ID), s.now()
	return s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		before, err := find[consentRecord](tx, s.realm(), consentNoun, id)
		switch {
		case missing(err):
			err = s.insert(tx, consentNoun, id, a.Client.ID, session.Account.ID, "", consentRecord{Scopes: a.Scopes, Given: now})
		case err == nil:
			for _, scope := range a.Scopes {
				if !slices.Contains(before.T.Scopes, scope) {
					before.T.Scopes = append(before.T.Scopes, scope)
				}
			}
			before.T.Given = now
			err = before.save(tx)
		}
		if err != nil {
			return err
		}
		return s.log(tx, userActor(from, session.Account), "app.oauth2.consent.grant", a.Client.ID, a.Client.target())
	})
}

// Form is what a sign-in or consent page carries from one request to the next.
// It is sealed, so that nobody can make one up, and bound to a cookie of the
// browser that it was given to, so that no other site can send it.
type Form struct {
	Request AuthorizeRequest `json:"request"`
	Started time.Time        `json:"started"`
	Browser string           `json:"browser"`           // digest of the cookie
	Account string           `json:"account,omitempty"` // of a consent page: who was asked
}

// formName says what sealed forms are for.
const formName = "oauth/authorization form"

// SealForm writes a form for the browser with a cookie.
func (s *Server) SealForm(f Form, cookie string) (string, error) {
	f.Browser = digest(cookie)
	plain, err := json.Marshal(f)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the form cannot be written")
	}
	sealed, err := s.Key.Seal(plain, []byte(formName))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// OpenForm reads a form that came back from the browser with a cookie.
func (s *Server) OpenForm(text, cookie string) (Form, error) {
	var f Form
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return f, Refuse("invalid_request").because(err)
	}
	plain, err := s.Key.Open(sealed, []byte(formName))
	if err != nil {
		return f, Refuse("invalid_request").because(err)
	}
	if err := json.Unmarshal(plain, &f); err != nil {
		return f, Refuse("invalid_request").because(err)
	}
	switch {
	case cookie == "" || f.Browser != digest(cookie):
		return f, Refuse("invalid_request")
	case s.now().Sub(f.Started) > formLife:
		return f, Refuse("request_expired")
	}
	return f, nil
}

// NewCookie returns the value of a new cookie.
func NewCookie() string { return random() }
