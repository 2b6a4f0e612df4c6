package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// APIToken is what may be shown of an API token. The token itself is kept as a
// digest only.
type APIToken struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Account string    `json:"account"`        // id of the account that it acts for
	Login   string    `json:"login"`          // of that account, when the token was made
	Role    string    `json:"role,omitempty"` // the only role it may use of the account's; empty: all
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"` // to about an hour
	Expires time.Time `json:"expires"`       // moves on with use
}

// NewAPIToken asks for an API token.
type NewAPIToken struct {
	Name string `json:"name"`
	As   string `json:"as,omitempty"`   // id or login of an account; empty: the administrator of the sandbox
	Role string `json:"role,omitempty"` // see APIToken
}

const (
	// tokenWindow is how long a token stays good without being used (Okta's
	// documentation: 30 days).
	tokenWindow = 30 * 24 * time.Hour
	// usedEvery is how exactly the last use is kept: a write for every call
	// would cost more than the call.
	usedEvery = time.Hour
	// maxTokenName is the longest name in bytes.
	maxTokenName = 100
)

// superAdmin may do everything.
const superAdmin = "SUPER_ADMIN"

// CreateAPIToken makes a token and returns it beside what is kept of it. It is
// not kept itself. fault.NotFound when the account does not exist,
// fault.Conflict when it holds no admin role, or not the one that was named.
func (s *Server) CreateAPIToken(ctx context.Context, actor directory.Actor, n NewAPIToken) (token string, kept APIToken, err error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" || len(n.Name) > maxTokenName {
		return "", APIToken{}, fault.New(fault.Invalid, "a token needs a name of at most %d characters", maxTokenName)
	}
	ref := n.As
	if ref == "" {
		ref = directory.Administrator
	}
	account, err := s.Directory.FindAccount(ctx, s.realm(), ref)
	if err != nil {
		return "", APIToken{}, err
	}
	if !usable(account) {
		return "", APIToken{}, fault.New(fault.Conflict, "%s is %s and can have no token", account.Login(), account.Status)
	}
	roles, err := s.roles(ctx, account.ID)
	if err != nil {
		return "", APIToken{}, err
	}
	switch {
	case len(roles) == 0:
		return "", APIToken{}, fault.New(fault.Conflict, "%s is no administrator", account.Login()).Fix("assign an admin role to the account first")
	case n.Role != "" && !directory.RoleType(n.Role).Standard():
		return "", APIToken{}, unknownRole(n.Role)
	case n.Role != "" && len(narrow(roles, n.Role)) == 0:
		return "", APIToken{}, fault.New(fault.Conflict, "%s does not hold the role %s", account.Login(), n.Role).
			Fix("choose one of %s", strings.Join(roles, ", "))
	}
	token = "00" + s.Directory.IDs.Token(40)
	now := s.now()
	kept = APIToken{
		ID: s.Directory.IDs.Okta("00T"), Name: n.Name, Account: account.ID, Login: account.Login(), Role: n.Role,
		Created: now, Expires: now.Add(tokenWindow),
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := s.insert(tx, directory.TokenNoun, kept.ID, "", account.ID, digest(token), kept); err != nil {
			return err
		}
		return s.log(tx, actor, "system.api_token.create", kept.ID, kept.target(), accountTarget(account))
	})
	if err != nil {
		return "", APIToken{}, err
	}
	return token, kept, nil
}

func unknownRole(role string) error {
	f := fault.New(fault.Invalid, "there is no admin role %q", role)
	var known []string
	for _, t := range directory.StandardRoles() {
		known = append(known, string(t))
	}
	if near := spelling.Nearest(role, known); near != "" {
		return f.Fix("did you mean %s?", near)
	}
	return f.Fix("choose one of %s", strings.Join(known, ", "))
}

func (t APIToken) target() directory.Target {
	return directory.Target{Type: "Token", ID: t.ID, DisplayName: t.Name}
}

// narrow returns the roles that a token may use which is bound to one role of
// those that its account holds: that role, when it is among them or a greater one.
func narrow(held []string, role string) []string {
	if role == "" {
		return held
	}
	lesser := role != superAdmin && slices.Contains(held, "ORG_ADMIN")
	if slices.Contains(held, role) || slices.Contains(held, superAdmin) || lesser {
		return []string{role}
	}
	return nil
}

// APITokens returns the tokens that are good, in the order in which they were made.
func (s *Server) APITokens(ctx context.Context) ([]APIToken, error) {
	var out []APIToken
	err := s.Directory.Store.View(ctx, func(r directory.Reader) error {
		all, err := list[APIToken](r, directory.RecordQuery{Realm: s.realm(), Noun: directory.TokenNoun})
		for _, one := range all {
			if s.now().Before(one.T.Expires) {
				out = append(out, one.T)
			}
		}
		return err
	})
	return out, err
}

// APIToken returns a token by its id.
func (s *Server) APIToken(ctx context.Context, id string) (t APIToken, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		one, err := find[APIToken](r, s.realm(), directory.TokenNoun, id)
		if err == nil {
			t = one.T
		}
		return err
	})
	return t, err
}

// RevokeAPIToken ends a token, by its id.
func (s *Server) RevokeAPIToken(ctx context.Context, actor directory.Actor, id string) error {
	return s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		one, err := find[APIToken](tx, s.realm(), directory.TokenNoun, id)
		if err != nil {
			return err
		}
		if err := tx.DeleteRecord(s.realm(), directory.TokenNoun, id); err != nil {
			return err
		}
		return s.log(tx, actor, "system.api_token.revoke", id, one.T.target())
	})
}

// FindAPIToken returns the one token with an id or a name. Two with one name
// are fault.Conflict.
func (s *Server) FindAPIToken(ctx context.Context, ref string) (APIToken, error) {
	all, err := s.APITokens(ctx)
	if err != nil {
		return APIToken{}, err
	}
	var found []APIToken
	for _, t := range all {
		if t.ID == ref {
			return t, nil
		}
		if t.Name == ref {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return APIToken{}, directory.NotFound(directory.TokenNoun, ref)
	case 1:
		return found[0], nil
	}
	return APIToken{}, fault.New(fault.Conflict, "%d tokens have the name %q", len(found), ref).Fix("name it by its id")
}

// byAPIToken returns who calls with an API token.
func (s *Server) byAPIToken(ctx context.Context, token string) (*Principal, error) {
	var one *stored[APIToken]
	var account *directory.Account
	err := s.Directory.Store.View(ctx, func(r directory.Reader) (err error) {
		if one, err = findByKey[APIToken](r, s.realm(), directory.TokenNoun, digest(token)); err != nil {
			return err
		}
		account, err = r.Account(s.realm(), one.T.Account)
		return err
	})
	switch {
	case missing(err):
		return nil, fault.Wrap(fault.Unauthorized, err, "the token is unknown")
	case err != nil:
		return nil, err
	case !s.now().Before(one.T.Expires):
		return nil, fault.New(fault.Unauthorized, "the token has expired")
	case !usable(account):
		return nil, fault.New(fault.Unauthorized, "the token's account is %s", account.Status)
	}
	roles, err := s.roles(ctx, account.ID)
	if err != nil {
		return nil, err
	}
	if err := s.noteUse(ctx, one); err != nil {
		return nil, err
	}
	return &Principal{Account: account, Roles: narrow(roles, one.T.Role), Credential: one.T.ID}, nil
}

// noteUse keeps that a token was used, now and then. A token that was used or
// revoked at the same moment is left alone.
func (s *Server) noteUse(ctx context.Context, one *stored[APIToken]) error {
	now := s.now()
	if now.Sub(one.T.Used) < usedEvery {
		return nil
	}
	one.T.Used, one.T.Expires = now, now.Add(tokenWindow)
	err := s.Directory.Store.Update(ctx, one.save)
	if fault.Is(err, fault.Stale) || missing(err) {
		return nil
	}
	return err
}
