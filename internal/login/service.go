package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// Options are what a Service needs. All must be set but Own.
type Options struct {
	Tenant *tenant.Tenant
	Client *egress.Client
	Signer Signer
	Sealer directory.Sealer // keeps a sign-in that is under way in the browser

	// Own are the origins that this process serves. Only identity providers at
	// one of these may have a loopback or private address. nil: none.
	Own func() []string
}

// Signer makes the tenant's tokens and reads them.
type Signer interface {
	Sign(ctx context.Context, claims ...any) (string, error)
	// Read checks signature and time of a token of ours and decodes its claims;
	// fault.Unauthorized when it is not good.
	Read(ctx context.Context, token string, into any) error
}

// Service signs people in. It is safe for concurrent use.
type Service struct {
	Options

	mu        sync.Mutex // guards providers
	providers map[string]*provider
}

// New returns the service of a tenant.
func New(o Options) *Service { return &Service{Options: o, providers: map[string]*provider{}} }

func (s *Service) now() time.Time { return s.Tenant.Directory.Now() }

func (s *Service) own() []string {
	if s.Own == nil {
		return nil
	}
	return s.Own()
}

// flow is a sign-in that is under way. The browser keeps it, sealed, and it is
// only good there: the state that comes back has to be its own.
type flow struct {
	Request    Request   `json:"request"`
	Connection string    `json:"connection"` // id
	State      string    `json:"state"`
	Nonce      string    `json:"nonce"`
	Verifier   string    `json:"verifier,omitempty"`
	Expires    time.Time `json:"expires"`
}

// Kinds of changes that this package logs, beside those of sessions.
const (
	FailedKind    = "auth0.login.failure"  // somebody could not sign in
	ExchangedKind = "auth0.login.exchange" // a client got tokens for a code
	startedKind   = "user.session.start"
	endedKind     = "user.session.end"
)

// FlowLife is how long somebody may take to sign in.
const FlowLife = 10 * time.Minute

// flowName is what sealed flows are for.
const flowName = "login/flow"

// Step is where a browser goes next.
type Step struct {
	To string

	// State names the sign-in that has begun and Flow is what the browser has to
	// keep of it; both are "" when nobody had to sign in.
	State, Flow string
}

// Begin takes a client's request. session is what the browser holds of an
// earlier sign-in, callback where the provider sends browsers back to. Errors
// that people may read are a *Refusal.
func (s *Service) Begin(ctx context.Context, r Request, session, callback string) (Step, error) {
	client, connection, err := s.check(ctx, r)
	if err != nil {
		return Step{}, err
	}
	if r.Prompt != "login" {
		to, err := s.resume(ctx, client, connection, r, session)
		if err != nil || to != "" {
			return Step{To: to}, err
		}
	}
	if r.Prompt == "none" {
		return Step{}, backTo(refuse(LoginRequired, "Login required"), r)
	}
	step, err := s.sendAway(ctx, connection, r, callback)
	if err != nil {
		return Step{}, backTo(err, r)
	}
	return step, nil
}

// resume gives a client a code for somebody who is signed in already; "" when
// nobody is.
func (s *Service) resume(ctx context.Context, client *tenant.Client, connection *tenant.Connection, r Request, cookie string) (string, error) {
	stay, err := s.session(ctx, cookie)
	if stay == nil || err != nil || stay.Connection != connection.Name {
		return "", err
	}
	code, err := s.issueCode(ctx, client, stay, r)
	if err != nil {
		return "", backTo(err, r)
	}
	return answer(r, url.Values{"code": {code}}), nil
}

// sendAway makes the request to the identity provider.
func (s *Service) sendAway(ctx context.Context, connection *tenant.Connection, r Request, callback string) (Step, error) {
	p, err := s.provider(ctx, connection, callback)
	if err != nil {
		return Step{}, err
	}
	f := &flow{Request: r, Connection: connection.ID, State: random(), Nonce: random(), Expires: s.now().Add(FlowLife)}
	with := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce)}
	if p.pkce {
		f.Verifier = oauth2.GenerateVerifier()
		with = append(with, oauth2.S256ChallengeOption(f.Verifier))
	}
	if r.LoginHint != "" {
		with = append(with, oauth2.SetAuthURLParam("login_hint", r.LoginHint))
	}
	if r.Prompt == "login" {
		with = append(with, oauth2.SetAuthURLParam("prompt", "login"))
	}
	sealed, err := s.seal(f)
	if err != nil {
		return Step{}, err
	}
	return Step{To: p.oauth.AuthCodeURL(f.State, with...), State: f.State, Flow: sealed}, nil
}

// Done is a sign-in that is over.
type Done struct {
	To      string // the client's address with a code
	Session string // what the browser keeps of it
}

// Finish takes what an identity provider sent a browser back with, and what the
// browser kept of the sign-in. from is where the request came from.
func (s *Service) Finish(ctx context.Context, back url.Values, sealed, callback string, from directory.Actor) (Done, error) {
	f, err := s.open(sealed, back.Get("state"))
	if err != nil {
		return Done{}, err
	}
	done, err := s.finish(ctx, back, f, callback, from)
	if err != nil {
		s.logFailure(ctx, f, from, err)
		return Done{}, backTo(err, f.Request)
	}
	return done, nil
}

func (s *Service) finish(ctx context.Context, back url.Values, f *flow, callback string, from directory.Actor) (Done, error) {
	// The client or the connection may have changed while somebody signed in.
	client, connection, err := s.check(ctx, f.Request)
	if err != nil {
		return Done{}, err
	}
	if connection.ID != f.Connection {
		return Done{}, refuse(InvalidRequest, "the connection was not found")
	}
	if code := back.Get("error"); code != "" {
		return Done{}, refuse(AccessDenied, "The identity provider refused the sign-in.").
			because(fault.New(fault.Refused, "it said %q: %q", clip(code), clip(back.Get("error_description"))))
	}
	p, err := s.provider(ctx, connection, callback)
	if err != nil {
		return Done{}, err
	}
	said, err := p.person(ctx, back.Get("code"), f)
	if err != nil {
		return Done{}, err
	}
	stay, cookie, err := s.admit(ctx, client, connection, said, from)
	if err != nil {
		return Done{}, err
	}
	code, err := s.issueCode(ctx, client, stay, f.Request)
	if err != nil {
		return Done{}, err
	}
	return Done{To: answer(f.Request, url.Values{"code": {code}}), Session: cookie}, nil
}

// clip bounds what a stranger wrote, for the log.
func clip(s string) string { return s[:min(len(s), 200)] }

// seal and open keep a flow in a browser that cannot read it.
func (s *Service) seal(f *flow) (string, error) {
	plain, err := json.Marshal(f)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "a sign-in cannot be written as JSON")
	}
	sealed, err := s.Sealer.Seal(plain, []byte(flowName))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Service) open(text, state string) (*flow, error) {
	lost := func(err error) error {
		return refuse(InvalidRequest, "This sign-in was not begun in this browser, or it took too long. Please start again.").because(err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || text == "" {
		return nil, lost(err)
	}
	plain, err := s.Sealer.Open(sealed, []byte(flowName))
	if err != nil {
		return nil, lost(err)
	}
	f := new(flow)
	if err := json.Unmarshal(plain, f); err != nil {
		return nil, lost(err)
	}
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 || !s.now().Before(f.Expires) {
		return nil, lost(nil)
	}
	return f, nil
}

// random is 256 bits that nobody can guess. It is not what the directory's ids
// come from, which tests may fix.
func random() string { return strings.ToLower(rand.Text() + rand.Text()) }

// logFailure notes a sign-in that failed, as far as the store takes it: the
// failure itself matters more.
func (s *Service) logFailure(ctx context.Context, f *flow, from directory.Actor, cause error) {
	reason := ServerError
	var refusal *Refusal
	if errors.As(cause, &refusal) { // causes are not for the log of changes
		reason = refusal.Text
	}
	_ = s.Tenant.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		e := directory.Event{
			At: s.now(), Actor: from, Kind: FailedKind, Outcome: directory.Outcome{Result: "FAILURE", Reason: reason},
			Targets: []directory.Target{{Type: "Client", ID: f.Request.ClientID}, {Type: "Connection", ID: f.Connection, DisplayName: f.Request.Connection}},
		}
		return s.Tenant.Directory.Log(tx, s.Tenant.Realm, e, nil, nil)
	})
}
