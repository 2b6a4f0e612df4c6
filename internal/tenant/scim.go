package tenant

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// The SCIM attributes that can supply the last part of a user id.
const (
	ByExternalID = "externalId"
	ByUserName   = "userName"
)

// MappingRow joins one SCIM attribute to one Auth0 attribute, both as Auth0
// writes them: emails[primary eq true].value, app_metadata.external_id.
type MappingRow struct {
	SCIM  string `json:"scim"`
	Auth0 string `json:"auth0"`
}

// SCIMConfig says how a connection is provisioned by SCIM. A connection has at
// most one; its id is that of the connection.
type SCIMConfig struct {
	directory.Meta

	UserIDAttribute string       `json:"userIdAttribute"` // ByExternalID or ByUserName
	Mapping         []MappingRow `json:"mapping"`
	Policy          SCIMPolicy   `json:"policy"`
}

// Place says where the configuration is found.
func (c *SCIMConfig) Place() directory.Place {
	return directory.Place{Noun: directory.SCIMConfigNoun, Parent: c.ID}
}

// SCIMSettings are what Auth0 lets an administrator choose. Empty fields of a new
// configuration take the defaults of the connection's strategy.
type SCIMSettings struct {
	UserIDAttribute string       `json:"userIdAttribute,omitempty"`
	Mapping         []MappingRow `json:"mapping,omitempty"`
}

// Profile says what sort of client a connection serves: what it may send beside
// the RFCs, and for Auth0Strict what Auth0 does not take.
type Profile string

// The profiles.
const (
	ProfileStrict      Profile = "strict"
	ProfileGovernance  Profile = "okta-governance" // "(OAuth Bearer Token) Governance with SCIM 2.0"
	ProfileWizard      Profile = "okta-wizard"     // applications made with Okta's wizard
	ProfileEntra       Profile = "entra"
	ProfileEntraFlag   Profile = "entra-flag" // with ?aadOptscim062020
	ProfileAuth0Strict Profile = "auth0-strict"
)

// Profiles lists the profiles.
func Profiles() []Profile {
	return []Profile{ProfileStrict, ProfileGovernance, ProfileWizard, ProfileEntra, ProfileEntraFlag, ProfileAuth0Strict}
}

// UnknownMembers says what becomes of a group's members that do not exist.
type UnknownMembers string

// The policies for unknown members.
const (
	RefuseUnknown UnknownMembers = "strict" // the request is refused
	DropUnknown   UnknownMembers = "drop"   // they are left out
	DeferUnknown  UnknownMembers = "defer"  // they join when they appear
)

// Linking says what a POST does about somebody who is there already.
type Linking string

// The policies for linking.
const (
	Link   Linking = "link"   // the account becomes the one that is asked for
	Refuse Linking = "refuse" // 409 uniqueness
)

// SCIMPolicy holds the choices that Auth0 does not offer.
type SCIMPolicy struct {
	Profile        Profile        `json:"profile"`
	UnknownMembers UnknownMembers `json:"unknownMembers"`
	// Rehire is about a POST with the externalId, or else the userName, of a blocked
	// account. The identity provider says itself that this is the same person, and
	// locks the person out when it is refused (scim-auth0.md 6.4). An account with
	// another externalId is somebody else's, unless userName is the user id. A POST
	// for an active account is 409 uniqueness, whatever the policy.
	Rehire Linking `json:"rehire"`
	// Existing is about a POST with the userName, or the e-mail address, of an
	// account that has no other externalId. Whoever may choose those could take
	// over the account, hence it is refused by default; an e-mail address alone is
	// then no obstacle, for SCIM does not call it unique.
	Existing Linking `json:"existing"`
}

// scimDefaults are the configurations that connections start with, by strategy.
// What each rests on is in the file.
type scimDefaults struct {
	UserIDAttribute string       `json:"userIdAttribute"`
	Mapping         []MappingRow `json:"mapping"`
}

//go:embed scim_defaults.json
var scimDefaultsFile []byte

var defaultsOf = sync.OnceValues(func() (map[string]scimDefaults, error) {
	var out map[string]scimDefaults
	if err := json.Unmarshal(scimDefaultsFile, &out); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the default SCIM mappings cannot be read")
	}
	return out, nil
})

// DefaultSCIM returns what a connection of a strategy starts with; ok is false
// when the strategy has no SCIM.
func DefaultSCIM(strategy string) (s SCIMSettings, ok bool, err error) {
	all, err := defaultsOf()
	if err != nil {
		return s, false, err
	}
	d, ok := all[strategy]
	return SCIMSettings{d.UserIDAttribute, slices.Clone(d.Mapping)}, ok, nil
}

// DefaultPolicy returns the policy that a connection of a strategy starts with.
func DefaultPolicy(strategy string) SCIMPolicy {
	p := SCIMPolicy{Profile: ProfileStrict, UnknownMembers: RefuseUnknown, Rehire: Link, Existing: Refuse}
	switch strategy {
	case "okta":
		p.Profile = ProfileGovernance
	case "waad":
		p.Profile = ProfileEntra
	}
	return p
}

// Check reports what is wrong with a policy: fault.Invalid.
func (p SCIMPolicy) Check() error {
	return fault.Join(
		oneOf("client profile", p.Profile, Profiles()),
		oneOf("policy for unknown members", p.UnknownMembers, []UnknownMembers{RefuseUnknown, DropUnknown, DeferUnknown}),
		oneOf("policy for a rehire", p.Rehire, []Linking{Link, Refuse}),
		oneOf("policy for an existing account", p.Existing, []Linking{Link, Refuse}),
	)
}

func oneOf[T ~string](what string, got T, known []T) error {
	if slices.Contains(known, got) {
		return nil
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	f := fault.New(fault.Invalid, "there is no %s %q", what, got)
	if near := spelling.Nearest(string(got), words); near != "" {
		return f.Fix("did you mean %s?", near)
	}
	return f.Fix("choose one of %s", strings.Join(words, ", "))
}

// check reports what is wrong with settings. Auth0 looks at little of a mapping:
// names that mean nothing are accepted (recorded), and do nothing.
func (s SCIMSettings) check() error {
	if s.UserIDAttribute != ByExternalID && s.UserIDAttribute != ByUserName {
		return fault.New(fault.Invalid, "the user id attribute is externalId or userName, not %q", s.UserIDAttribute)
	}
	scim, auth0 := map[string]bool{}, map[string]bool{}
	for _, row := range s.Mapping {
		switch {
		case row.SCIM == "" || row.Auth0 == "":
			return fault.New(fault.Invalid, "a row of the mapping lacks its scim or auth0 attribute")
		case row.SCIM == "id" || row.SCIM == "meta":
			return fault.New(fault.Invalid, "the SCIM attribute %s cannot be mapped", row.SCIM)
		case scim[row.SCIM]:
			return fault.New(fault.Invalid, "the SCIM attribute %s is mapped twice", row.SCIM)
		case auth0[row.Auth0]:
			return fault.New(fault.Invalid, "the Auth0 attribute %s is mapped twice", row.Auth0)
		}
		scim[row.SCIM], auth0[row.Auth0] = true, true
	}
	return nil
}

// NoSCIM says that connections of a strategy have no SCIM endpoint. It is the
// cause of a fault.Unsupported.
type NoSCIM struct{ Strategy string }

func (e *NoSCIM) Error() string { return "strategy " + e.Strategy }

// EnableSCIM gives a connection its configuration. One that has one already is
// fault.Conflict.
func (t *Tenant) EnableSCIM(ctx context.Context, actor directory.Actor, connection string, s SCIMSettings) (made *SCIMConfig, of *Connection, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if of, err = directory.Get[Connection](tx, t.Realm, connection); err != nil {
			return err
		}
		defaults, ok, err := DefaultSCIM(of.Strategy)
		switch {
		case err != nil:
			return err
		case !ok || !of.SCIM():
			return fault.Wrap(fault.Unsupported, &NoSCIM{of.Strategy}, "connections with the strategy %s have no SCIM endpoint", of.Strategy)
		}
		if s.UserIDAttribute == "" {
			s.UserIDAttribute = defaults.UserIDAttribute
		}
		if s.Mapping == nil {
			s.Mapping = defaults.Mapping
		}
		if err := s.check(); err != nil {
			return err
		}
		made = &SCIMConfig{
			Meta:            directory.Meta{ID: of.ID, Realm: t.Realm},
			UserIDAttribute: s.UserIDAttribute, Mapping: s.Mapping, Policy: DefaultPolicy(of.Strategy),
		}
		err = t.Directory.InsertObject(tx, made, t.event(actor, "auth0.scim_config.create"))
		if fault.Is(err, fault.Conflict) {
			return fault.Wrap(fault.Conflict, err, "the connection %s has a SCIM endpoint already", of.Name)
		}
		return err
	})
	return made, of, err
}

// SCIMConfig returns the configuration of a connection, beside the connection.
func (t *Tenant) SCIMConfig(ctx context.Context, connection string) (c *SCIMConfig, of *Connection, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if of, err = directory.Get[Connection](r, t.Realm, connection); err != nil {
			return err
		}
		c, err = directory.Get[SCIMConfig](r, t.Realm, connection)
		return err
	})
	return c, of, err
}

// SCIMConfigs returns the configurations behind an id, at most limit (0: all),
// each with its connection, in the order of the connections' ids.
func (t *Tenant) SCIMConfigs(ctx context.Context, after string, limit int) (configs []*SCIMConfig, of []*Connection, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		configs, err = directory.All[SCIMConfig](r, directory.RecordQuery{Realm: t.Realm, After: after}, limit, nil)
		if err != nil {
			return err
		}
		of = make([]*Connection, len(configs))
		for i, c := range configs {
			if of[i], err = directory.Get[Connection](r, t.Realm, c.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return configs, of, err
}

// SetSCIM replaces the user id attribute and the mapping of a connection.
func (t *Tenant) SetSCIM(ctx context.Context, actor directory.Actor, connection string, s SCIMSettings) (*SCIMConfig, *Connection, error) {
	return t.changeSCIM(ctx, actor, connection, func(c *SCIMConfig) error {
		if err := s.check(); err != nil {
			return err
		}
		c.UserIDAttribute, c.Mapping = s.UserIDAttribute, s.Mapping
		return nil
	})
}

// SetSCIMPolicy replaces the policy of a connection.
func (t *Tenant) SetSCIMPolicy(ctx context.Context, actor directory.Actor, connection string, p SCIMPolicy) (*SCIMConfig, *Connection, error) {
	return t.changeSCIM(ctx, actor, connection, func(c *SCIMConfig) error {
		c.Policy = p
		return p.Check()
	})
}

func (t *Tenant) changeSCIM(ctx context.Context, actor directory.Actor, connection string, change func(*SCIMConfig) error) (c *SCIMConfig, of *Connection, err error) {
	e := t.event(actor, "auth0.scim_config.update")
	c, err = amend(ctx, t, connection, e, func(tx directory.Tx, after *SCIMConfig) error {
		if of, err = directory.Get[Connection](tx, t.Realm, connection); err != nil {
			return err
		}
		return change(after)
	})
	return c, of, err
}

// DisableSCIM takes a connection's configuration away, and its tokens with it. A
// connection that has none is left as it is; one that does not exist is
// fault.NotFound.
func (t *Tenant) DisableSCIM(ctx context.Context, actor directory.Actor, connection string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if _, err := directory.Get[Connection](tx, t.Realm, connection); err != nil {
			return err
		}
		c, err := directory.Get[SCIMConfig](tx, t.Realm, connection)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: directory.SCIMTokenNoun, Parent: connection}); err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, c, t.event(actor, "auth0.scim_config.delete"))
	})
}

// ResetSCIM gives a connection back the user id attribute and the mapping that
// it started with.
func (t *Tenant) ResetSCIM(ctx context.Context, actor directory.Actor, connection string) (*SCIMConfig, *Connection, error) {
	of, err := t.Connection(ctx, connection)
	if err != nil {
		return nil, nil, err
	}
	s, _, err := DefaultSCIM(of.Strategy)
	if err != nil {
		return nil, nil, err
	}
	return t.SetSCIM(ctx, actor, connection, s)
}
