package tenant

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Scope is a permission that a resource server has.
type Scope struct {
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
}

// ResourceServer is an API that tokens are for.
type ResourceServer struct {
	directory.Meta

	Name       string         `json:"name,omitempty"`
	Identifier string         `json:"identifier"` // the audience of its tokens; unique, and stays
	Scopes     []Scope        `json:"scopes,omitempty"`
	Settings   map[string]any `json:"settings,omitempty"` // the others, as Auth0 spells them
}

// Place says where the resource server is found.
func (s *ResourceServer) Place() directory.Place {
	return directory.Place{Noun: directory.ResourceServerNoun, Key: s.Identifier}
}

func (s *ResourceServer) target() directory.Target {
	return directory.Target{Type: "ResourceServer", ID: s.ID, AlternateID: s.Identifier, DisplayName: s.Name}
}

// TokenLife is how long tokens for the API live.
func (s *ResourceServer) TokenLife(otherwise time.Duration) time.Duration {
	n, _ := s.Settings["token_lifetime"].(json.Number)
	seconds, err := n.Int64()
	if err != nil || seconds <= 0 {
		return otherwise
	}
	return time.Duration(seconds) * time.Second
}

// signingSecret is the path of the secret of servers whose tokens are signed with one.
const signingSecret = "signing_secret"

// CreateResourceServer adds an API whose ID it fills in. An identifier that is
// taken is a fault.Conflict with Violations.
func (t *Tenant) CreateResourceServer(ctx context.Context, actor directory.Actor, s *ResourceServer) error {
	s.Meta = directory.Meta{ID: t.Directory.IDs.Object(), Realm: t.Realm}
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if err := free[ResourceServer](tx, t.Realm, s.Identifier, "identifier", ""); err != nil {
			return err
		}
		if err := t.hide(tx, s.ID, part(s.Settings, []string{signingSecret})); err != nil {
			return err
		}
		return t.Directory.InsertObject(tx, s, t.event(actor, "auth0.resource_server.create", s.target()))
	})
}

// ResourceServer returns an API by its id or its identifier.
func (t *Tenant) ResourceServer(ctx context.Context, ref string) (s *ResourceServer, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		s, err = resourceServer(r, t.Realm, ref)
		return err
	})
	return s, err
}

func resourceServer(r directory.Reader, realm, ref string) (*ResourceServer, error) {
	s, err := directory.Get[ResourceServer](r, realm, ref)
	if err == nil {
		return s, nil
	}
	return directory.GetByKey[ResourceServer](r, realm, ref)
}

// ResourceServers returns a part of the APIs that match accepts (nil: all).
func (t *Tenant) ResourceServers(ctx context.Context, w Window, match func(*ResourceServer) bool) (p Page[*ResourceServer], err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		p, err = pageOf(r, directory.RecordQuery{Realm: t.Realm}, w, w.After.ID, match)
		return err
	})
	return p, err
}

// ResourceServerEdit is a change to an API. Nil fields stay as they are; a
// setting that is nil is taken away.
type ResourceServerEdit struct {
	Name     *string
	Scopes   []Scope
	Settings map[string]any
}

// EditResourceServer changes an API, named by id or identifier.
func (t *Tenant) EditResourceServer(ctx context.Context, actor directory.Actor, ref string, e ResourceServerEdit) (*ResourceServer, error) {
	s, err := t.ResourceServer(ctx, ref)
	if err != nil {
		return nil, err
	}
	return amend(ctx, t, s.ID, t.event(actor, "auth0.resource_server.update", s.target()), func(tx directory.Tx, s *ResourceServer) error {
		if e.Name != nil {
			s.Name = *e.Name
		}
		if e.Scopes != nil {
			s.Scopes = e.Scopes
		}
		if s.Settings == nil {
			s.Settings = map[string]any{}
		}
		for k, v := range e.Settings {
			if v == nil {
				delete(s.Settings, k)
				continue
			}
			s.Settings[k] = value.Clone(v)
		}
		if _, ok := s.Settings[signingSecret]; ok {
			return t.hide(tx, s.ID, part(s.Settings, []string{signingSecret}))
		}
		return nil
	})
}

// DeleteResourceServer removes an API, named by id or identifier, with the grants
// of clients for it.
func (t *Tenant) DeleteResourceServer(ctx context.Context, actor directory.Actor, ref string) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		s, err := resourceServer(tx, t.Realm, ref)
		if err != nil {
			return err
		}
		if err := t.deleteClientGrants(tx, func(g *ClientGrant) bool { return g.Audience == s.Identifier }); err != nil {
			return err
		}
		if err := t.forget(tx, s.ID); err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, s, t.event(actor, "auth0.resource_server.delete", s.target()))
	})
}
