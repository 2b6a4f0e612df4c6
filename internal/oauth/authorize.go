package oauth

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// AuthorizeRequest is a call of the authorization endpoint (RFC 6749 4.1.1,
// RFC 7636 4.3, OpenID Connect Core 3.1.2.1), as the client sent it.
type AuthorizeRequest struct {
	ClientID     string `json:"clientId"`
	RedirectURI  string `json:"redirectUri"`
	ResponseType string `json:"responseType"`
	ResponseMode string `json:"responseMode,omitempty"`
	Scope        string `json:"scope"`
	State        string `json:"state"`
	Nonce        string `json:"nonce,omitempty"`
	Prompt       string `json:"prompt,omitempty"`
	MaxAge       string `json:"maxAge,omitempty"`
	LoginHint    string `json:"loginHint,omitempty"`
	Challenge    string `json:"challenge,omitempty"`
	Method       string `json:"method,omitempty"` // code_challenge_method
}

// Authorization is an authorization request that may be answered.
type Authorization struct {
	AuthorizeRequest
	Client  *Client
	Scopes  []string
	Started time.Time // when the browser came with it
}

// codeRecord is a code, by its digest. Grant is set once it was used.
type codeRecord struct {
	Client      string    `json:"client"`
	Account     string    `json:"account"`
	RedirectURI string    `json:"redirectUri"`
	Scopes      []string  `json:"scopes"`
	Nonce       string    `json:"nonce,omitempty"`
	Challenge   string    `json:"challenge,omitempty"`
	AuthTime    time.Time `json:"authTime"`
	Grant       string    `json:"grant,omitempty"`
	Expires     time.Time `json:"expires"`
}

// prompts are the values of prompt that do something here.
var prompts = []string{"none", "login", "consent"}

// maxText is the longest parameter of an authorization request that is kept.
const maxText = 4 << 10

// CheckAuthorize checks an authorization request that came at the time started.
// When it returns an Authorization beside an error, the error is the client's to
// read: it goes to the redirection URI. Without one there is nowhere that it may go.
func (s *Server) CheckAuthorize(ctx context.Context, r AuthorizeRequest, started time.Time) (*Authorization, error) {
	client, err := s.client(ctx, r.ClientID)
	switch {
	case missing(err):
		return nil, Refuse("invalid_client_id").because(err)
	case err != nil:
		return nil, err
	case !client.Active:
		return nil, Refuse("invalid_client")
	case client.Type == "service":
		return nil, Refuse("invalid_client_application_type", "/authorize")
	case !slices.Contains(client.RedirectURIs, r.RedirectURI):
		return nil, Refuse("illegal_redirect_uri")
	}
	a := &Authorization{AuthorizeRequest: r, Client: client, Scopes: splitScopes(r.Scope), Started: started}
	if err := a.check(); err != nil {
		return a, err
	}
	return a, s.checkUserScopes(ctx, client, a.Scopes)
}

// check finds what the client did wrong.
func (a *Authorization) check() error {
	switch {
	case a.ResponseType != "code":
		return Refuse("unsupported_response_type", "code")
	case !slices.Contains([]string{"", "query", "fragment"}, a.ResponseMode):
		return Refuse("unsupported_response_mode")
	case !a.Client.allows(grantCode):
		return Refuse("unauthorized_client", strings.Join(a.Client.GrantTypes, ", "))
	case a.State == "" || len(a.State) > maxText || len(a.Nonce) > maxText:
		return Refuse("invalid_state") // Okta requires one
	case a.Prompt != "" && !slices.Contains(prompts, a.Prompt):
		return Refuse("invalid_prompt", strings.Join(prompts, ", "))
	}
	if a.MaxAge != "" {
		if n, err := strconv.ParseInt(a.MaxAge, 10, 32); err != nil || n < 0 {
			return Refuse("invalid_max_age")
		}
	}
	return a.checkChallenge()
}

// checkChallenge checks the challenge of PKCE. Clients without a secret need one.
func (a *Authorization) checkChallenge() error {
	switch {
	case a.Challenge == "" && (a.Client.RequirePKCE || a.Client.public()):
		return Refuse("pkce_missing_challenge")
	case a.Challenge == "":
		return nil
	case a.Method != "S256":
		return Refuse("pkce_unsupported_code_challenge_method", "S256")
	case !goodVerifier(a.Challenge):
		return Refuse("pkce_invalid_challenge")
	}
	return nil
}

// goodVerifier reports whether a verifier or a challenge has the form of one
// (RFC 7636 4.1, 4.2).
func goodVerifier(text string) bool {
	return len(text) >= 43 && len(text) <= 128 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// Step is what an authorization request needs next.
type Step string

// The steps.
const (
	StepSignIn  Step = "sign in"
	StepConsent Step = "consent"
	StepDone    Step = "done" // IssueCode
)

// Next says what an authorization needs next, with the session of the browser,
// which may be nil. An error is the client's to read.
func (s *Server) Next(ctx context.Context, a *Authorization, session *Session) (Step, error) {
	if session == nil || !s.fresh(a, session) {
		if a.Prompt == "none" {
			return "", Refuse("login_required")
		}
		return StepSignIn, nil
	}
	assigned, err := s.Clients.Assigned(ctx, a.Client, session.Account.ID)
	switch {
	case err != nil:
		return "", err
	case !assigned:
		return "", Refuse("user_not_assigned")
	}
	open, err := s.unconsented(ctx, a, session)
	switch {
	case err != nil:
		return "", err
	case len(open) == 0:
		return StepDone, nil
	case a.Prompt == "none":
		return "", Refuse("consent_required", strings.Join(open, ", "))
	}
	return StepConsent, nil
}

// fresh reports whether the sign-in is as recent as the client wants it.
func (s *Server) fresh(a *Authorization, session *Session) bool {
	if a.Prompt == "login" && session.AuthTime.Before(a.Started) {
		return false
	}
	if a.MaxAge == "" {
		return true
	}
	n, err := strconv.ParseInt(a.MaxAge, 10, 32)
	return err == nil && a.Started.Sub(session.AuthTime) <= time.Duration(n)*time.Second
}

// IssueCode makes the code of an authorization that is done, and returns where
// the browser is sent with it.
func (s *Server) IssueCode(ctx context.Context, from directory.Actor, a *Authorization, session *Session, issuer string) (string, error) {
	code := random()
	now := s.now()
	body := codeRecord{
		Client: a.Client.ID, Account: session.Account.ID, RedirectURI: a.RedirectURI, Scopes: a.Scopes, Nonce: a.Nonce,
		Challenge: a.Challenge, AuthTime: session.AuthTime, Expires: now.Add(codeLife),
	}
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := s.insert(tx, codeNoun, digest(code), a.Client.ID, session.Account.ID, "", body); err != nil {
			return err
		}
		return s.log(tx, userActor(from, session.Account), "app.oauth2.authorize.code", a.Client.ID, a.Client.target())
	})
	if err != nil {
		return "", err
	}
	return a.redirect(url.Values{"code": {code}, "state": {a.State}, "iss": {issuer}}), nil
}

// Refused returns where the browser is sent with a refusal that is the client's
// to read.
func (a *Authorization) Refused(e *Error, issuer string) string {
	q := url.Values{"error": {e.Code}, "error_description": {e.Text}, "iss": {issuer}}
	if a.State != "" {
		q.Set("state", a.State)
	}
	return a.redirect(q)
}

// redirect adds parameters to the redirection URI, in the mode that the client
// asked for. Parameters that it has itself stay (RFC 6749 3.1.2).
func (a *Authorization) redirect(q url.Values) string {
	switch {
	case a.ResponseMode == "fragment":
		return a.RedirectURI + "#" + q.Encode()
	case strings.Contains(a.RedirectURI, "?"):
		return a.RedirectURI + "&" + q.Encode()
	}
	return a.RedirectURI + "?" + q.Encode()
}
