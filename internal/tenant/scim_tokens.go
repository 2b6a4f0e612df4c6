package tenant

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

const (
	// maxSCIMTokens is how many tokens of a connection are good at once: enough to
	// hand over from one to the next (scim-auth0.md 1.4).
	maxSCIMTokens = 2
	// minSCIMTokenLife is the shortest life of a token (scim-auth0.md 1.4).
	minSCIMTokenLife = 900 * time.Second
	// scimUsedEvery is how exactly the last use of a token is kept: a write for
	// every call would cost more than most calls.
	scimUsedEvery = time.Minute
	// scimWarning is how long before its end a token is reported: two weeks are
	// enough to hand over, and not so long that the warning is always there.
	scimWarning = 14 * 24 * time.Hour
)

// SCIMToken is what is kept of a token for a connection's SCIM endpoint. The
// secret itself is not.
type SCIMToken struct {
	directory.Meta

	Connection string    `json:"connection"` // id
	Scopes     []string  `json:"scopes"`
	ValidUntil time.Time `json:"validUntil,omitzero"` // zero: for ever
	LastUsed   time.Time `json:"lastUsed,omitzero"`   // to about a minute
	Digest     string    `json:"digest"`              // of the secret (directory.Digest)
}

// Place says where the token is found.
func (t *SCIMToken) Place() directory.Place {
	return directory.Place{Noun: directory.SCIMTokenNoun, Parent: t.Connection}
}

// Expired reports whether the token's time is over.
func (t *SCIMToken) Expired(now time.Time) bool {
	return !t.ValidUntil.IsZero() && !now.Before(t.ValidUntil)
}

// Expiring reports whether the token is good, and will not be for long.
func (t *SCIMToken) Expiring(now time.Time) bool {
	return !t.ValidUntil.IsZero() && !t.Expired(now) && t.ValidUntil.Sub(now) <= scimWarning
}

// May reports whether the token has a scope.
func (t *SCIMToken) May(scope string) bool { return slices.Contains(t.Scopes, scope) }

// SCIMScopes are the scopes that a token can have, verb by verb.
func SCIMScopes() []string {
	var out []string
	for _, of := range []string{"users", "groups"} {
		for _, verb := range []string{"get", "post", "put", "patch", "delete"} {
			out = append(out, verb+":"+of)
		}
	}
	return out
}

// defaultSCIMScopes are those of a token that asks for none: what Okta Workforce
// needs for users (seed of the document that Auth0 publishes for it).
func defaultSCIMScopes() []string { return []string{"get:users", "post:users", "put:users"} }

// NewSCIMToken asks for a token.
type NewSCIMToken struct {
	Scopes []string      `json:"scopes,omitempty"`   // nil: the default ones
	Life   time.Duration `json:"lifetime,omitempty"` // 0: for ever
}

func (n NewSCIMToken) check() error {
	if n.Life != 0 && n.Life < minSCIMTokenLife {
		return fault.New(fault.Invalid, "a token lasts at least %d seconds", int(minSCIMTokenLife/time.Second))
	}
	if len(n.Scopes) == 0 {
		return fault.New(fault.Invalid, "a token needs a scope")
	}
	for _, s := range n.Scopes {
		if err := oneOf("SCIM scope", s, SCIMScopes()); err != nil {
			return err
		}
	}
	return nil
}

// TokensFull says that a connection has as many tokens as it may. It is the cause
// of a fault.Conflict.
type TokensFull struct{ Most int }

func (e *TokensFull) Error() string { return "tokens full" }

// CreateSCIMToken makes a token and returns its secret, this once. A third one
// beside two that are good is fault.Conflict. Tokens whose time is over make room.
func (t *Tenant) CreateSCIMToken(ctx context.Context, actor directory.Actor, connection string, n NewSCIMToken) (secret string, made *SCIMToken, err error) {
	if n.Scopes == nil {
		n.Scopes = defaultSCIMScopes()
	}
	if err := n.check(); err != nil {
		return "", nil, err
	}
	id := "tok_" + t.Directory.IDs.Alphanumeric(16)
	secret = id + "." + t.Directory.IDs.Hex(64)
	now := t.Directory.Now()
	made = &SCIMToken{
		Meta: directory.Meta{ID: id, Realm: t.Realm}, Connection: connection,
		Scopes: slices.Clone(n.Scopes), Digest: directory.Digest(secret),
	}
	if n.Life > 0 {
		made.ValidUntil = now.Add(n.Life)
	}
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := t.makeRoom(tx, connection, now); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, made, t.event(actor, "auth0.scim_token.create"))
	})
	if err != nil {
		return "", nil, err
	}
	return secret, made, nil
}

// makeRoom removes the tokens of a connection that are over, and fails when as
// many as there may be are left.
func (t *Tenant) makeRoom(tx directory.Tx, connection string, now time.Time) error {
	have, err := t.scimTokens(tx, connection)
	if err != nil {
		return err
	}
	live := 0
	for _, one := range have {
		if !one.Expired(now) {
			live++
			continue
		}
		if err := tx.DeleteRecord(t.Realm, directory.SCIMTokenNoun, one.ID); err != nil {
			return err
		}
	}
	if live >= maxSCIMTokens {
		return fault.Wrap(fault.Conflict, &TokensFull{maxSCIMTokens}, "the connection has %d tokens already", maxSCIMTokens).
			Fix("revoke the one that is not in use")
	}
	return nil
}

// scimTokens returns the tokens of a connection that has a SCIM configuration.
func (t *Tenant) scimTokens(r directory.Reader, connection string) ([]*SCIMToken, error) {
	if _, err := directory.Get[Connection](r, t.Realm, connection); err != nil {
		return nil, err
	}
	if _, err := directory.Get[SCIMConfig](r, t.Realm, connection); err != nil {
		return nil, err
	}
	return directory.All[SCIMToken](r, directory.RecordQuery{Realm: t.Realm, Parent: connection}, 0, nil)
}

// SCIMTokens returns the tokens of a connection in the order in which they were
// made, those whose time is over among them.
func (t *Tenant) SCIMTokens(ctx context.Context, connection string) (list []*SCIMToken, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		list, err = t.scimTokens(r, connection)
		return err
	})
	slices.SortStableFunc(list, func(a, b *SCIMToken) int { return a.Created.Compare(b.Created) })
	return list, err
}

// RevokeSCIMToken ends a token of a connection. One that it does not have is
// fault.NotFound.
func (t *Tenant) RevokeSCIMToken(ctx context.Context, actor directory.Actor, connection, id string) (gone *SCIMToken, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		have, err := t.scimTokens(tx, connection)
		if err != nil {
			return err
		}
		for _, one := range have {
			if one.ID == id {
				gone = one
				return t.Directory.DeleteObject(tx, one, t.event(actor, "auth0.scim_token.delete"))
			}
		}
		return directory.NotFound(directory.SCIMTokenNoun, id)
	})
	return gone, err
}

// FindSCIMToken returns the token that a secret is of. A secret that is nobody's
// is fault.Unauthorized; whether the token is over, and which connection it is
// for, is left to the caller.
func (t *Tenant) FindSCIMToken(r directory.Reader, secret string) (*SCIMToken, error) {
	id, _, _ := strings.Cut(strings.ToValidUTF8(secret, "?"), ".")
	one, err := directory.Get[SCIMToken](r, t.Realm, id)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.Unauthorized, err, "the token is unknown or was revoked")
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(directory.Digest(secret)), []byte(one.Digest)) != 1 {
		return nil, fault.New(fault.Unauthorized, "the token is unknown or was revoked")
	}
	return one, nil
}

// NoteSCIMUse keeps that a token was used, now and then. A token that was used or
// revoked at the same moment is left alone.
func (t *Tenant) NoteSCIMUse(ctx context.Context, one *SCIMToken) error {
	now := t.Directory.Now()
	if now.Sub(one.LastUsed) < scimUsedEvery {
		return nil
	}
	after := *one
	after.LastUsed = now
	err := t.Directory.Store.Update(ctx, func(tx directory.Tx) error { return t.Directory.ReplaceObject(tx, &after) })
	if fault.Is(err, fault.Stale) || fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
