package oauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// The sorts of records that the package keeps beside directory.TokenNoun.
const (
	keyNoun     directory.Noun = "signing key"
	secretNoun  directory.Noun = "dpop secret"
	grantNoun                  = directory.GrantNoun
	refreshNoun                = directory.RefreshTokenNoun
	codeNoun                   = directory.CodeNoun
	revokedNoun directory.Noun = "revoked token"
	usedNoun    directory.Noun = "used jti"
	browserNoun                = directory.BrowserNoun
	consentNoun                = directory.ConsentNoun
)

// Lifetimes (okta.md 4 and 7; that of refresh tokens is the default of Okta's
// org authorization server, of codes and browser sessions Okta's documentation).
const (
	accessLife  = time.Hour
	codeLife    = 5 * time.Minute
	refreshLife = 90 * 24 * time.Hour
	browserLife = 2 * time.Hour
	formLife    = time.Hour // of a sign-in or consent page

	// clockSkew is how far the clock of a client may be ahead.
	clockSkew = time.Minute
)

// Server is the org authorization server of one realm, and the keeper of its
// API tokens. All fields but the optional ones must be set before first use; it
// is safe for concurrent use after.
type Server struct {
	Directory *directory.Directory
	Realm     string     // default: directory.OktaRealm
	Key       secret.Key // seals what signs, and forms

	Clients Clients // nil: there are no clients

	// Roles returns the types of the admin roles that an account or a client
	// holds: "SUPER_ADMIN" ... nil: nobody holds any.
	Roles func(ctx context.Context, id string) ([]string, error)

	// SignIn checks login and password, and returns who signed in.
	// fault.Unauthorized when they are wrong or the account may not sign in.
	// nil: nobody can.
	SignIn func(ctx context.Context, actor directory.Actor, login, password string) (*directory.Account, error)

	// Began is when the process began. Proofs of possession that were made before
	// are refused: which of them were used is not known any more. Zero: none are.
	Began time.Time

	// GenerateKey makes a key to sign with; default: RSA of 2048 bits.
	GenerateKey func() (*rsa.PrivateKey, error)

	keys   keyring
	proofs proofMemory
	sweeps sweeper
}

// Clients are the applications that may ask for tokens.
type Clients interface {
	// Client returns a client by its id; fault.NotFound when there is none.
	Client(ctx context.Context, id string) (*Client, error)
	// CheckSecret reports whether a text is the client's secret.
	CheckSecret(ctx context.Context, c *Client, secret string) (bool, error)
	// Scopes returns the okta.* scopes that an administrator granted a client.
	Scopes(ctx context.Context, c *Client) ([]string, error)
	// Assigned reports whether an account may sign in to a client.
	Assigned(ctx context.Context, c *Client, account string) (bool, error)
}

// Client is an application as the authorization server sees it.
type Client struct {
	ID         string // client_id
	App        string // id of the application
	Name       string
	Active     bool
	Type       string // application_type: web, native, browser, service
	AuthMethod string // token_endpoint_auth_method: private_key_jwt, client_secret_basic, client_secret_post, none
	JWKS       []byte // a JSON Web Key Set; empty: none
	JWKSURI    string // where its keys are; they are not fetched
	GrantTypes []string

	RedirectURIs   []string
	LogoutURIs     []string
	RequirePKCE    bool
	RequireDPoP    bool
	RequireConsent bool // consent_method REQUIRED
}

// public reports whether the client cannot keep a secret.
func (c *Client) public() bool { return c.AuthMethod == "none" }

func (c *Client) allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

func (c *Client) actor(by directory.Actor) directory.Actor {
	by.ID, by.Type, by.Name = c.ID, directory.ClientActor, c.Name
	return by
}

func (c *Client) target() directory.Target {
	return directory.Target{Type: "AppInstance", ID: c.App, DisplayName: c.Name}
}

func accountTarget(a *directory.Account) directory.Target {
	return directory.Target{Type: "User", ID: a.ID, AlternateID: a.Login(), DisplayName: a.Text("firstName") + " " + a.Text("lastName")}
}

func (s *Server) realm() string {
	if s.Realm == "" {
		return directory.OktaRealm
	}
	return s.Realm
}

// now is the org's time in the resolution of tokens: whole seconds.
func (s *Server) now() time.Time { return s.Directory.Clock().UTC().Truncate(time.Second) }

// client returns a client; fault.NotFound when there is none.
func (s *Server) client(ctx context.Context, id string) (*Client, error) {
	if s.Clients == nil || id == "" {
		return nil, directory.NotFound(directory.AppNoun, id)
	}
	return s.Clients.Client(ctx, id)
}

func (s *Server) roles(ctx context.Context, id string) ([]string, error) {
	if s.Roles == nil {
		return nil, nil
	}
	return s.Roles(ctx, id)
}

// account returns an account by its id.
func (s *Server) account(ctx context.Context, id string) (a *directory.Account, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		a, err = r.Account(s.realm(), id)
		return err
	})
	return a, err
}

// usable reports whether an account may act: tokens of others are refused, not ended.
func usable(a *directory.Account) bool {
	return a.Status != directory.Deprovisioned && a.Status != directory.Suspended && a.Status != directory.Staged
}

// digest is the form in which tokens are kept and looked up.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// random returns a secret of 32 bytes as text that is safe in a URL and a cookie.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// stored is a record of the package with what it holds.
type stored[T any] struct {
	record *directory.Record
	T      T
}

// find returns the record with an id, or fault.NotFound.
func find[T any](r directory.Reader, realm string, noun directory.Noun, id string) (*stored[T], error) {
	record, err := r.Record(realm, noun, id)
	if err != nil {
		return nil, err
	}
	return open[T](record)
}

// findByKey returns the record with a key, or fault.NotFound.
func findByKey[T any](r directory.Reader, realm string, noun directory.Noun, key string) (*stored[T], error) {
	for record, err := range r.Records(directory.RecordQuery{Realm: realm, Noun: noun, Key: key}) {
		if err != nil {
			return nil, err
		}
		return open[T](record)
	}
	return nil, directory.NotFound(noun, "")
}

// list returns the records that a query selects.
func list[T any](r directory.Reader, q directory.RecordQuery) ([]*stored[T], error) {
	var out []*stored[T]
	for record, err := range r.Records(q) {
		if err != nil {
			return nil, err
		}
		one, err := open[T](record)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func open[T any](record *directory.Record) (*stored[T], error) {
	s := &stored[T]{record: record}
	if err := record.Decode(&s.T); err != nil {
		return nil, err
	}
	return s, nil
}

// save writes what became of a record. It must still be the stored version.
func (o *stored[T]) save(tx directory.Tx) error {
	next, err := directory.NewRecord(o.record.Realm, o.record.Noun, o.record.ID, o.T)
	if err != nil {
		return err
	}
	next.Parent, next.Subject, next.Key = o.record.Parent, o.record.Subject, o.record.Key
	next.Version = o.record.Version + 1
	o.record = next
	return tx.UpdateRecord(next)
}

// insert adds a record.
func (s *Server) insert(tx directory.Tx, noun directory.Noun, id, parent, subject, key string, body any) error {
	record, err := directory.NewRecord(s.realm(), noun, id, body)
	if err != nil {
		return err
	}
	record.Parent, record.Subject, record.Key = parent, subject, key
	return tx.InsertRecord(record)
}

// log adds an event to the change log; kind is one of Okta's event types.
func (s *Server) log(tx directory.Tx, actor directory.Actor, kind, target string, targets ...directory.Target) error {
	return tx.Append(directory.Change{
		At: s.Directory.Clock().UTC().Truncate(time.Microsecond), Actor: actor, Kind: kind, Realm: s.realm(), Target: target, Targets: targets,
	})
}

// sweeper remembers when expired records were last removed.
type sweeper struct {
	mu   sync.Mutex // guards last
	last time.Time
}

// sweepEvery is how often expired records are looked for, when there is
// something to write anyway.
const sweepEvery = time.Hour

// due reports, once in a while, that it is time.
func (w *sweeper) due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.last) < sweepEvery && !now.Before(w.last) {
		return false
	}
	w.last = now
	return true
}

// expiring is what records have in common that end by themselves.
type expiring struct {
	Expires time.Time `json:"expires"`
}

// sweep removes what has expired for longer than an access token lives. Codes
// and refresh tokens are kept that long, so that their reuse is still noticed.
func (s *Server) sweep(tx directory.Tx) error {
	now := s.now()
	if !s.sweeps.due(now) {
		return nil
	}
	for _, noun := range []directory.Noun{usedNoun, revokedNoun, codeNoun, refreshNoun, grantNoun, browserNoun} {
		old, err := list[expiring](tx, directory.RecordQuery{Realm: s.realm(), Noun: noun})
		if err != nil {
			return err
		}
		for _, o := range old {
			if now.Sub(o.T.Expires) <= accessLife {
				continue
			}
			if err := tx.DeleteRecord(s.realm(), noun, o.record.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing reports whether err says that something is not there.
func missing(err error) bool { return fault.Is(err, fault.NotFound) }
