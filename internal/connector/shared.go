package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// shared is what all runs on one connection have in common.
type shared struct {
	budget *budget
	tokens *tokenSource // nil without OAuth 2.0

	mu      sync.Mutex              // guards what follows
	values  map[string]secret.Value // of the credential's fields, once opened
	prover  *prover                 // with DPoP, once opened
	who     string                  // whose access token it is, as far as it tells
	fixed   []string                // secrets of the credential, old values too
	fetched []string                // access tokens
	known   []string                // both; replaced, never changed
}

// maxFetched bounds the access tokens that are remembered for masking. One that
// is older than this many others has long expired.
const maxFetched = 256

// share finds or makes what the connection has in common with others on the
// same server with the same credential.
func (c *Connector) share(conn *Connection, limits config.Limits) *shared {
	key := strings.Join([]string{conn.Name, conn.BoundBy, conn.origin(), fmt.Sprint(conn.AllowPrivate), fmt.Sprintf("%+v", conn.auth.config),
		conn.auth.tokenURL, conn.auth.audience, strings.Join(conn.auth.scopes, " ")}, "\n")
	if conn.Name == "" {
		key += "\n" + conn.Source
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.shared[key]; ok {
		return s
	}
	s := &shared{budget: newBudget(c.opts.Clock, conn, limits)}
	if conn.auth.oauth() {
		s.tokens = &tokenSource{connector: c, conn: conn, shared: s}
	}
	if !conn.auth.fixed.Empty() {
		s.learn(&s.fixed, conn.auth.fixed)
	}
	c.shared[key] = s
	return s
}

// Open resolves the references of the connection's credential, so that a missing
// one is known before the first call. Opening again takes over changed values,
// and the tokens of somebody who signed in since in another process.
func (c *Connector) Open(ctx context.Context, conn *Connection) error {
	if err := c.open(ctx, conn); err != nil {
		return err
	}
	if conn.auth.kind != config.AuthAuthorizationCode {
		return nil
	}
	return conn.shared.tokens.reload(ctx)
}

// open is Open before anybody has signed in.
func (c *Connector) open(ctx context.Context, conn *Connection) error {
	a := conn.auth.config
	fields := map[string]string{
		"token": a.Token, "username": a.Username, "password": a.Password,
		"clientId": a.ClientID, "clientSecret": a.ClientSecret, "privateKey": a.PrivateKey,
	}
	values := map[string]secret.Value{}
	var errs []error
	for _, field := range []string{"token", "username", "password", "clientId", "clientSecret", "privateKey"} {
		text := fields[field]
		if text == "" {
			continue
		}
		if !secret.IsRef(text) { // a user name or client id, written out
			values[field] = secret.NewValue(text)
			continue
		}
		v, err := c.resolve(ctx, secret.Ref(text))
		if err != nil {
			var f *fault.Error
			if errors.As(err, &f) {
				err = f.At("connections.%s.auth.%s", conn.Name, field)
			}
			errs = append(errs, err)
			continue
		}
		values[field] = v
	}
	if err := fault.Join(errs...); err != nil {
		return err
	}
	if key, ok := values["privateKey"]; ok {
		if _, err := signingKey(key, a.KeyID); err != nil {
			return conn.wrong("auth.privateKey", "%s", fault.Public(err))
		}
	}
	if a.DPoP {
		if err := c.openProver(ctx, conn); err != nil {
			return err
		}
	}
	conn.shared.take(values)
	return nil
}

func (c *Connector) resolve(ctx context.Context, ref secret.Ref) (secret.Value, error) {
	if c.opts.Secrets == nil {
		return (&secret.Resolver{}).Resolve(ctx, ref)
	}
	return c.opts.Secrets.Resolve(ctx, ref)
}

// opened resolves the credential unless that was done before.
func (c *Connector) opened(ctx context.Context, conn *Connection) error {
	conn.shared.mu.Lock()
	done := conn.shared.values != nil
	conn.shared.mu.Unlock()
	if done {
		return nil
	}
	return c.Open(ctx, conn)
}

// take stores the values of a credential. A changed one ends the tokens that
// were got with the old one.
func (s *shared) take(values map[string]secret.Value) {
	s.mu.Lock()
	changed := false
	for field, v := range values {
		changed = changed || s.values != nil && !v.Equal(s.values[field])
	}
	s.values = values
	s.mu.Unlock()
	for _, field := range []string{"token", "password", "clientSecret", "privateKey"} {
		s.learn(&s.fixed, values[field])
	}
	if changed && s.tokens != nil {
		s.tokens.forget()
	}
}

func (s *shared) value(field string) secret.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[field]
}

// learn adds a secret to one of the lists of what is masked.
func (s *shared) learn(list *[]string, v secret.Value) {
	if v.Empty() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.known, v.Reveal()) {
		return
	}
	*list = append(*list, v.Reveal())
	if len(s.fetched) > maxFetched {
		// Half at once: users notice news by the number changing.
		s.fetched = slices.Clone(s.fetched[maxFetched/2:])
	}
	s.known = slices.Concat(s.fixed, s.fetched)
}

// Secrets returns the secrets of the connection as known by now, fetched tokens
// included, for masking. The slice must not be changed.
func (conn *Connection) Secrets() []string {
	conn.shared.mu.Lock()
	defer conn.shared.mu.Unlock()
	return conn.shared.known
}
