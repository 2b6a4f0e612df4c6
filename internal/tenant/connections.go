package tenant

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Connection is a way for users to sign in: a database, a passwordless channel,
// or an identity provider. Its name is unique in the tenant.
type Connection struct {
	directory.Meta

	Name              string            `json:"name"`
	DisplayName       string            `json:"displayName,omitempty"`
	Strategy          string            `json:"strategy"`          // one of Strategies
	Options           map[string]any    `json:"options,omitempty"` // as Auth0 spells them, without secrets
	EnabledClients    []string          `json:"enabledClients,omitempty"`
	Realms            []string          `json:"realms,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	DomainConnection  bool              `json:"domainConnection,omitempty"`
	ShowAsButton      *bool             `json:"showAsButton,omitempty"`
	Authentication    map[string]any    `json:"authentication,omitempty"`
	ConnectedAccounts map[string]any    `json:"connectedAccounts,omitempty"`
	Ticket            string            `json:"ticket,omitempty"` // ends the address of the page for the other side
}

// Place says where the connection is found.
func (c *Connection) Place() directory.Place {
	return directory.Place{Noun: directory.ConnectionNoun, Key: c.Name}
}

func (c *Connection) target() directory.Target {
	return directory.Target{Type: "Connection", ID: c.ID, DisplayName: c.Name}
}

// DefaultConnection is the database that every tenant begins with.
const DefaultConnection = "Username-Password-Authentication"

// Sync says when the profile that an identity provider gives overwrites that of
// the user (option set_user_root_attributes).
type Sync string

// When profiles are overwritten.
const (
	OnEachLogin  Sync = "on_each_login"
	OnFirstLogin Sync = "on_first_login"
	NeverOnLogin Sync = "never_on_login"
)

// Sync returns when logins overwrite profiles.
func (c *Connection) Sync() Sync {
	if s, _ := c.Options["set_user_root_attributes"].(string); s != "" {
		return Sync(s)
	}
	return OnEachLogin
}

// Connection returns a connection by its id.
func (t *Tenant) Connection(ctx context.Context, id string) (*Connection, error) {
	return get[Connection](ctx, t, id)
}

// ConnectionByName returns a connection by its name.
func (t *Tenant) ConnectionByName(ctx context.Context, name string) (c *Connection, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		c, err = directory.GetByKey[Connection](r, t.Realm, name)
		return err
	})
	return c, err
}

// Connections returns a part of the connections that match accepts (nil: all),
// in the order of creation.
func (t *Tenant) Connections(ctx context.Context, w Window, match func(*Connection) bool) (p Page[*Connection], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm}, w, w.After.ID, match)
		return err
	})
	return p, err
}

// Mistake says what is wrong with a connection or client, in Auth0's words. It is
// the cause of a fault.Invalid.
type Mistake struct{ Text string }

func (e *Mistake) Error() string { return e.Text }

func mistake(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return fault.Wrap(fault.Invalid, &Mistake{text}, "%s", text)
}

// CreateConnection adds a connection whose ID and defaults it fills in. A name
// that is taken is a fault.Conflict with Violations; an unknown strategy, or
// options that contradict each other, are a fault.Invalid.
func (t *Tenant) CreateConnection(ctx context.Context, actor directory.Actor, c *Connection) error {
	err := t.Directory.Store.Update(ctx, func(tx directory.Tx) error { return t.createConnection(tx, actor, c) })
	return err
}

func (t *Tenant) createConnection(tx directory.Tx, actor directory.Actor, c *Connection) error {
	s, ok := strategies()[c.Strategy]
	if !ok {
		return mistake("strategy %s is not supported", c.Strategy)
	}
	if c.ID == "" {
		c.ID = t.Directory.IDs.Auth0("con")
	}
	c.Realm = t.Realm
	if len(c.Realms) == 0 {
		c.Realms = []string{c.Name}
	}
	if s.Class == Enterprise && c.ShowAsButton == nil {
		c.ShowAsButton = new(bool)
	}
	if s.Ticket {
		c.Ticket = t.Directory.IDs.Hex(8)
	}
	if s.Named && c.DisplayName == "" {
		c.DisplayName = c.Name
	}
	c.activate()
	slices.Sort(c.EnabledClients) // as they are shown (recorded)
	if err := c.check(); err != nil {
		return err
	}
	c.settle(true)
	if err := free[Connection](tx, t.Realm, c.Name, "name", ""); err != nil {
		return err
	}
	secrets, nothing := part(c.Options, hiddenOptions), c.takeNothing()
	if err := t.hide(tx, c.ID, secrets); err != nil {
		return err
	}
	err := t.Directory.InsertObject(tx, c, t.event(actor, "auth0.connection.create", c.target()))
	join(c.Options, secrets)
	maps.Copy(c.Options, nothing)
	return err
}

// activate fills in what a new connection is for: signing in, and not to connect
// accounts.
func (c *Connection) activate() {
	if c.Authentication == nil {
		c.Authentication = map[string]any{"active": true}
	}
	if c.ConnectedAccounts == nil {
		c.ConnectedAccounts = map[string]any{"active": false}
	}
}

// check refuses options that contradict each other (recorded).
func (c *Connection) check() error {
	attributes, ok := c.Options["attributes"].(map[string]any)
	if !ok {
		return nil
	}
	for _, other := range []string{"requires_username", "validation"} {
		if c.Options[other] != nil {
			return mistake("Cannot set both options.attributes and options.%s", other)
		}
	}
	active := false
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute, _ := attributes[name].(map[string]any)
		signup, _ := attribute["signup"].(map[string]any)
		if attribute["profile_required"] == true && signup["status"] != nil && signup["status"] != "required" {
			return mistake("attribute %s must also be required on signup", name)
		}
		identifier, _ := attribute["identifier"].(map[string]any)
		active = active || identifier["active"] == true
	}
	if !active {
		return mistake("attributes must contain one active identifier")
	}
	return nil
}

// ConnectionEdit is a change to a connection. Nil fields stay as they are;
// Options replaces all of them.
type ConnectionEdit struct {
	DisplayName       *string
	Options           map[string]any
	EnabledClients    []string
	Realms            []string
	Metadata          map[string]string
	DomainConnection  *bool
	ShowAsButton      *bool
	Authentication    map[string]any
	ConnectedAccounts map[string]any
}

// EditConnection changes a connection and returns it with its secrets.
func (t *Tenant) EditConnection(ctx context.Context, actor directory.Actor, id string, edit ConnectionEdit) (*Connection, error) {
	var secrets, nothing map[string]any
	after, err := amend(ctx, t, id, t.event(actor, "auth0.connection.update"), func(tx directory.Tx, c *Connection) (err error) {
		edit.apply(c)
		if err := c.check(); err != nil {
			return err
		}
		if edit.Options == nil {
			secrets, err = t.reveal(tx, id)
			return err
		}
		c.settle(false)
		secrets, nothing = part(c.Options, hiddenOptions), c.takeNothing()
		return t.hide(tx, id, secrets)
	})
	if err != nil {
		return nil, err
	}
	join(after.Options, secrets)
	maps.Copy(after.Options, nothing)
	return after, nil
}

// takeNothing takes out options of social connections that are null: they are
// answered once, and not kept (recorded).
func (c *Connection) takeNothing() map[string]any {
	taken := map[string]any{}
	if c.Class() != Social {
		return taken
	}
	maps.DeleteFunc(c.Options, func(name string, v any) bool {
		if v == nil {
			taken[name] = nil
		}
		return v == nil
	})
	return taken
}

func (e ConnectionEdit) apply(c *Connection) {
	if e.DisplayName != nil {
		c.DisplayName = *e.DisplayName
	}
	if e.Options != nil {
		c.Options = value.Clone(e.Options).(map[string]any)
	}
	if e.EnabledClients != nil {
		c.EnabledClients = slices.Sorted(slices.Values(e.EnabledClients))
	}
	if e.Realms != nil {
		c.Realms = e.Realms
	}
	if e.Metadata != nil {
		c.Metadata = e.Metadata
	}
	if e.DomainConnection != nil {
		c.DomainConnection = *e.DomainConnection
	}
	if e.ShowAsButton != nil {
		c.ShowAsButton = e.ShowAsButton
	}
	if e.Authentication != nil {
		c.Authentication = e.Authentication
	}
	if e.ConnectedAccounts != nil {
		c.ConnectedAccounts = e.ConnectedAccounts
	}
}

// EnableClients switches a connection on (true) and off for clients, by their ids.
func (t *Tenant) EnableClients(ctx context.Context, actor directory.Actor, id string, enable map[string]bool) error {
	_, err := amend(ctx, t, id, t.event(actor, "auth0.connection.clients.update"), func(_ directory.Tx, c *Connection) error {
		for _, client := range slices.Sorted(maps.Keys(enable)) {
			at := slices.Index(c.EnabledClients, client)
			switch {
			case enable[client] && at < 0:
				c.EnabledClients = append(c.EnabledClients, client)
				slices.Sort(c.EnabledClients)
			case !enable[client] && at >= 0:
				c.EnabledClients = slices.Delete(c.EnabledClients, at, at+1)
			}
		}
		return nil
	})
	return err
}

// WithSecrets returns a copy of a connection that has its secrets among its
// options.
func (t *Tenant) WithSecrets(ctx context.Context, c *Connection) (*Connection, error) {
	secrets, err := t.Secrets(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	whole := *c
	whole.Options, _ = value.Clone(c.Options).(map[string]any)
	if whole.Options == nil {
		whole.Options = map[string]any{}
	}
	join(whole.Options, secrets)
	return &whole, nil
}

// withConnection are the records that end with a connection: its SCIM
// configuration and tokens, its keys.
var withConnection = []directory.Noun{directory.SCIMConfigNoun, directory.SCIMTokenNoun, directory.TenantKeyNoun}

// DeleteConnection removes a connection with everybody in it and everything of
// it, and returns it.
func (t *Tenant) DeleteConnection(ctx context.Context, actor directory.Actor, id string) (c *Connection, err error) {
	err = t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if c, err = directory.Get[Connection](tx, t.Realm, id); err != nil {
			return err
		}
		if err := t.emptyConnection(tx, actor, c); err != nil {
			return err
		}
		for _, noun := range withConnection {
			if _, err := tx.DeleteRecords(directory.RecordQuery{Realm: t.Realm, Noun: noun, Parent: id}); err != nil {
				return err
			}
		}
		if err := t.forget(tx, id); err != nil {
			return err
		}
		if err := t.leaveOrganizations(tx, actor, id); err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, c, t.event(actor, "auth0.connection.delete", c.target()))
	})
	return c, err
}

// emptyConnection removes the accounts and groups of a connection.
func (t *Tenant) emptyConnection(tx directory.Tx, actor directory.Actor, c *Connection) error {
	query := directory.AccountQuery{Realm: t.Realm}
	if c.SCIM() { // only such accounts are listed by connection
		query.Connection = c.Name
	}
	var accounts []*directory.Account
	for a, err := range tx.Accounts(query) {
		if err != nil {
			return err
		}
		if a.Connection == c.Name {
			accounts = append(accounts, a)
		}
	}
	for _, a := range accounts {
		if err := t.Directory.RemoveConnected(tx, actor, a); err != nil {
			return err
		}
	}
	var groups []*directory.Group
	for g, err := range tx.Groups(directory.GroupQuery{Realm: t.Realm, Connection: c.Name}) {
		if err != nil {
			return err
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		if err := t.Directory.RemoveConnectedGroup(tx, actor, g); err != nil {
			return err
		}
	}
	return nil
}

// leaveOrganizations takes a connection out of all organizations.
func (t *Tenant) leaveOrganizations(tx directory.Tx, actor directory.Actor, id string) error {
	of, err := directory.All(tx, directory.RecordQuery{Realm: t.Realm}, 0, func(c *OrgConnection) bool { return c.Connection == id })
	if err != nil {
		return err
	}
	for _, c := range of {
		if err := t.Directory.DeleteObject(tx, c, t.event(actor, "auth0.organization.connection.remove")); err != nil {
			return err
		}
	}
	return nil
}

// DeleteConnectionUser removes the user of a connection with an e-mail address.
func (t *Tenant) DeleteConnectionUser(ctx context.Context, actor directory.Actor, id, email string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		c, err := directory.Get[Connection](tx, t.Realm, id)
		if err != nil {
			return err
		}
		var found []*directory.Account
		for a, err := range tx.Accounts(directory.AccountQuery{Realm: t.Realm, Email: directory.Fold(email)}) {
			if err != nil {
				return err
			}
			if a.Connection == c.Name {
				found = append(found, a)
			}
		}
		for _, a := range found {
			if err := t.Directory.RemoveConnected(tx, actor, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// ConnectionsOf returns the connections that a client can use.
func (t *Tenant) ConnectionsOf(ctx context.Context, client string, w Window, strategies []string) (Page[*Connection], error) {
	return t.Connections(ctx, w, func(c *Connection) bool {
		return slices.Contains(c.EnabledClients, client) && (len(strategies) == 0 || slices.Contains(strategies, c.Strategy))
	})
}

// Provider is the first part of the ids of a connection's users: auth0 for
// databases, else the strategy. Those of enterprise connections have the
// connection's name behind it (scim-auth0.md 5.1).
func (c *Connection) Provider() string {
	if c.Class() == Enterprise {
		return c.Strategy + "|" + c.Name
	}
	return c.Strategy
}

// SeededEndpoint is the id of the connection of a sandbox that has a SCIM endpoint.
const SeededEndpoint = "con_000000000000scim"

// SeedConnections adds the connections that a sandbox begins with, unless there
// are any: the default database, and one to Okta Workforce that SCIM clients can
// write to.
func (t *Tenant) SeedConnections(ctx context.Context) error {
	seed := directory.System("seed")
	made := false
	err := t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		some, err := directory.All[Connection](tx, directory.RecordQuery{Realm: t.Realm}, 1, nil)
		if err != nil || len(some) > 0 {
			return err
		}
		made = true
		for _, c := range []*Connection{
			{
				Meta: directory.Meta{ID: "con_" + strings.Repeat("0", 11) + "users"}, Name: DefaultConnection, Strategy: "auth0",
				Options: defaultOptions(),
			},
			{
				Meta: directory.Meta{ID: SeededEndpoint}, Name: "workforce", Strategy: "okta",
				Options: map[string]any{"domain": "okta.sandbox", "client_id": "sandbox"},
			},
		} {
			if err := t.createConnection(tx, seed, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !made {
		return err
	}
	_, _, err = t.EnableSCIM(ctx, seed, SeededEndpoint, SCIMSettings{})
	return err
}

// defaultOptions are the options of the database that a tenant begins with
// (recorded).
func defaultOptions() map[string]any {
	return map[string]any{
		"requires_username": true, "import_mode": false, "enabledDatabaseCustomization": false,
		"configuration": map[string]any{}, "customScripts": map[string]any{},
		"validation":                  map[string]any{"username": map[string]any{"min": json.Number("1"), "max": json.Number("15")}},
		"password_history":            map[string]any{"enable": false, "size": json.Number("5")},
		"password_dictionary":         map[string]any{"enable": false, "dictionary": []any{}},
		"password_no_personal_info":   map[string]any{"enable": false},
		"password_complexity_options": map[string]any{"min_length": json.Number("8")},
	}
}
