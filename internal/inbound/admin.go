package inbound

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// Overview is what an operator sees of a connection.
type Overview struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Strategy string `json:"strategy"`
	Endpoint string `json:"endpoint"` // path, or URL where that is known, of the SCIM endpoint

	UserIDAttribute string              `json:"userIdAttribute"`
	Mapping         []tenant.MappingRow `json:"mapping"`
	Policy          tenant.SCIMPolicy   `json:"policy"`
	Tokens          []Token             `json:"tokens"`
	Users           int                 `json:"users"`
	Groups          int                 `json:"groups"`
}

// Token is what an operator sees of a token.
type Token struct {
	ID         string    `json:"id"`
	Scopes     []string  `json:"scopes"`
	Created    time.Time `json:"created"`
	LastUsed   time.Time `json:"lastUsed,omitzero"`
	ValidUntil time.Time `json:"validUntil,omitzero"`
	// Warning says that the token is over or will be soon, "" otherwise.
	Warning string `json:"warning,omitempty"`
}

// EndpointPath is where the SCIM endpoint of a connection is.
func EndpointPath(connection string) string { return "/scim/v2/connections/" + connection }

func (s *Service) tokenOf(t *tenant.SCIMToken) Token {
	out := Token{ID: t.ID, Scopes: t.Scopes, Created: t.Created, LastUsed: t.LastUsed, ValidUntil: t.ValidUntil}
	switch now := s.tenant.Directory.Now(); {
	case t.Expired(now):
		out.Warning = "expired"
	case t.Expiring(now):
		out.Warning = "expires soon"
	}
	return out
}

// Overviews returns the connections that have a SCIM endpoint, ordered by id.
func (s *Service) Overviews(ctx context.Context) ([]Overview, error) {
	_, of, err := s.tenant.SCIMConfigs(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	out := make([]Overview, len(of))
	for i, c := range of {
		if out[i], err = s.Overview(ctx, c.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Overview returns the connection with an id or a name.
func (s *Service) Overview(ctx context.Context, ref string) (o Overview, err error) {
	id, err := s.find(ctx, ref)
	if err != nil {
		return o, err
	}
	c, of, err := s.tenant.SCIMConfig(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return o, fault.Wrap(fault.NotFound, err, "the connection %q has no SCIM endpoint", ref).Fix("lanyard scim connections create %s", ref)
	}
	if err != nil {
		return o, err
	}
	o = Overview{
		ID: of.ID, Name: of.Name, Strategy: of.Strategy, Endpoint: EndpointPath(of.ID),
		UserIDAttribute: c.UserIDAttribute, Mapping: c.Mapping, Policy: c.Policy, Tokens: []Token{},
	}
	tokens, err := s.tenant.SCIMTokens(ctx, id)
	if err != nil {
		return o, err
	}
	for _, t := range tokens {
		o.Tokens = append(o.Tokens, s.tokenOf(t))
	}
	err = s.tenant.Directory.Store.View(ctx, func(r directory.Reader) error {
		if o.Users, err = r.CountAccounts(s.tenant.Realm, of.Name); err != nil {
			return err
		}
		o.Groups, err = r.CountGroups(s.tenant.Realm, of.Name)
		return err
	})
	return o, err
}

// find returns the id of the connection with an id or a name.
func (s *Service) find(ctx context.Context, ref string) (string, error) {
	c, err := s.tenant.Connection(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		c, err = s.tenant.ConnectionByName(ctx, ref)
	}
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// NewConnection asks for a connection with a SCIM endpoint.
type NewConnection struct {
	Name     string `json:"name"`
	Strategy string `json:"strategy,omitempty"` // of a new connection
}

// Connect gives a connection a SCIM endpoint, and makes the connection when there
// is none of that name.
func (s *Service) Connect(ctx context.Context, actor directory.Actor, n NewConnection) (o Overview, err error) {
	id, err := s.find(ctx, n.Name)
	if fault.Is(err, fault.NotFound) {
		c := &tenant.Connection{Name: n.Name, Strategy: n.Strategy}
		if !c.SCIM() {
			return o, fault.New(fault.Invalid, "connections with the strategy %q have no SCIM endpoint", n.Strategy).Fix("choose one of okta, oidc, samlp, waad")
		}
		err = s.tenant.CreateConnection(ctx, actor, c)
		id = c.ID
	}
	if err != nil {
		return o, err
	}
	if _, _, err = s.tenant.EnableSCIM(ctx, actor, id, tenant.SCIMSettings{}); err != nil {
		return o, err
	}
	return s.Overview(ctx, id)
}

// Change is what an operator changes about a connection; empty fields stay as
// they are.
type Change struct {
	UserIDAttribute string              `json:"userIdAttribute,omitempty"`
	Set             []tenant.MappingRow `json:"set,omitempty"`     // rows to add, or to replace by their SCIM attribute
	Remove          []string            `json:"remove,omitempty"`  // SCIM attributes whose rows go
	Replace         []tenant.MappingRow `json:"replace,omitempty"` // the whole mapping
	Reset           bool                `json:"reset,omitempty"`   // user id attribute and mapping as they began
	Policy          tenant.SCIMPolicy   `json:"policy,omitzero"`
}

// Change changes a connection.
func (s *Service) Change(ctx context.Context, actor directory.Actor, ref string, c Change) (o Overview, err error) {
	if o, err = s.Overview(ctx, ref); err != nil {
		return o, err
	}
	if c.Reset {
		if _, _, err := s.tenant.ResetSCIM(ctx, actor, o.ID); err != nil {
			return o, err
		}
		return s.Overview(ctx, o.ID)
	}
	settings, err := c.settings(o)
	if err != nil {
		return o, err
	}
	if settings.UserIDAttribute != o.UserIDAttribute || !slices.Equal(settings.Mapping, o.Mapping) {
		if _, _, err := s.tenant.SetSCIM(ctx, actor, o.ID, settings); err != nil {
			return o, err
		}
	}
	if policy := c.policy(o.Policy); policy != o.Policy {
		if _, _, err := s.tenant.SetSCIMPolicy(ctx, actor, o.ID, policy); err != nil {
			return o, err
		}
	}
	return s.Overview(ctx, o.ID)
}

func (c Change) settings(o Overview) (tenant.SCIMSettings, error) {
	s := tenant.SCIMSettings{UserIDAttribute: o.UserIDAttribute, Mapping: slices.Clone(o.Mapping)}
	if c.UserIDAttribute != "" {
		s.UserIDAttribute = c.UserIDAttribute
	}
	if c.Replace != nil {
		s.Mapping = slices.Clone(c.Replace)
	}
	for _, name := range c.Remove {
		i := rowOf(s.Mapping, name)
		if i < 0 {
			return s, fault.New(fault.NotFound, "no row of the mapping has the SCIM attribute %q", name)
		}
		s.Mapping = slices.Delete(s.Mapping, i, i+1)
	}
	for _, row := range c.Set {
		if i := rowOf(s.Mapping, row.SCIM); i >= 0 {
			s.Mapping[i] = row
			continue
		}
		s.Mapping = append(s.Mapping, row)
	}
	return s, nil
}

func rowOf(rows []tenant.MappingRow, scim string) int {
	return slices.IndexFunc(rows, func(r tenant.MappingRow) bool { return strings.EqualFold(r.SCIM, scim) })
}

func (c Change) policy(p tenant.SCIMPolicy) tenant.SCIMPolicy {
	if c.Policy.Profile != "" {
		p.Profile = c.Policy.Profile
	}
	if c.Policy.UnknownMembers != "" {
		p.UnknownMembers = c.Policy.UnknownMembers
	}
	if c.Policy.Rehire != "" {
		p.Rehire = c.Policy.Rehire
	}
	if c.Policy.Existing != "" {
		p.Existing = c.Policy.Existing
	}
	return p
}

// MakeToken makes a token for a connection and returns its secret, this once.
func (s *Service) MakeToken(ctx context.Context, actor directory.Actor, ref string, n tenant.NewSCIMToken) (secret string, t Token, err error) {
	o, err := s.Overview(ctx, ref)
	if err != nil {
		return "", t, err
	}
	secret, made, err := s.tenant.CreateSCIMToken(ctx, actor, o.ID, n)
	if err != nil {
		return "", t, err
	}
	return secret, s.tokenOf(made), nil
}

// RevokeToken ends a token of a connection.
func (s *Service) RevokeToken(ctx context.Context, actor directory.Actor, ref, token string) (t Token, err error) {
	o, err := s.Overview(ctx, ref)
	if err != nil {
		return t, err
	}
	gone, err := s.tenant.RevokeSCIMToken(ctx, actor, o.ID, token)
	if err != nil {
		return t, err
	}
	return s.tokenOf(gone), nil
}
