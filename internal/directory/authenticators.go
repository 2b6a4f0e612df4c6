package directory

import (
	"context"
	"slices"
	"time"
)

// Authenticator is a way to prove who one is that an org offers.
type Authenticator struct {
	Meta
	Key    string         `json:"key"` // okta_password, phone_number ...
	Type   string         `json:"type"`
	Name   string         `json:"name"`
	Status State          `json:"status"`
	Rest   map[string]any `json:"rest"` // settings, provider
}

func (a *Authenticator) Place() Place { return Place{Noun: AuthenticatorNoun, Key: a.uniqueKey()} }

// uniqueKey is empty for the authenticators that an org may have several of.
func (a *Authenticator) uniqueKey() string {
	if slices.Contains([]string{"custom_otp", "custom_app", "external_idp"}, a.Key) {
		return ""
	}
	return a.Key
}

func (a *Authenticator) target() Target {
	return Target{Type: "Authenticator", ID: a.ID, AlternateID: a.Key, DisplayName: a.Name}
}

// authenticatorTypes are the keys that Okta knows, with their types (Okta
// OpenAPI 2026.06.3, AuthenticatorKeyEnum).
var authenticatorTypes = map[string]string{
	"okta_email": "email", "okta_password": "password", "phone_number": "phone",
	"security_question": "security_question", "okta_verify": "app", "webauthn": "security_key",
	"google_otp": "app", "duo": "app", "custom_app": "app", "custom_otp": "security_key",
	"external_idp": "federated", "onprem_mfa": "security_key", "rsa_token": "security_key",
	"symantec_vip": "app", "yubikey_token": "security_key", "smart_card_idp": "federated", "tac": "tac",
}

// Authenticators returns those of an org in the order in which they came.
func (d *Directory) Authenticators(ctx context.Context, realm string) (out []*Authenticator, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = all[Authenticator](r, RecordQuery{Realm: realm}, 0, nil)
		return err
	})
	return out, err
}

// Authenticator returns one by its id.
func (d *Directory) Authenticator(ctx context.Context, realm, id string) (a *Authenticator, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		a, err = get[Authenticator](r, realm, id)
		return err
	})
	return a, err
}

// CreateAuthenticator adds one. An org has one of most keys.
func (d *Directory) CreateAuthenticator(ctx context.Context, actor Actor, realm string, a *Authenticator) (*Authenticator, error) {
	v := checkName(a.Name)
	if a.Type = authenticatorTypes[a.Key]; a.Type == "" {
		v = append(v, Violation{Field: "key", Rule: WrongValue})
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	err := d.Store.Update(ctx, func(tx Tx) error {
		a.ID, a.Realm = d.IDs.Okta("aut"), realm
		return d.insertObject(tx, a, change{at: d.now(), actor: actor, kind: "security.authenticator.lifecycle.create", targets: []Target{a.target()}})
	})
	return a, err
}

// ReplaceAuthenticator replaces name and settings.
func (d *Directory) ReplaceAuthenticator(ctx context.Context, actor Actor, realm, id string, by *Authenticator) (*Authenticator, error) {
	if err := checkName(by.Name).err(); err != nil {
		return nil, err
	}
	return d.changeAuthenticator(ctx, actor, realm, id, "security.authenticator.lifecycle.update", func(a *Authenticator) {
		a.Name, a.Rest = by.Name, by.Rest
	})
}

// SwitchAuthenticator activates or deactivates one.
func (d *Directory) SwitchAuthenticator(ctx context.Context, actor Actor, realm, id string, to State) (*Authenticator, error) {
	kind := "security.authenticator.lifecycle.activate"
	if to == Off {
		kind = "security.authenticator.lifecycle.deactivate"
	}
	return d.changeAuthenticator(ctx, actor, realm, id, kind, func(a *Authenticator) { a.Status = to })
}

func (d *Directory) changeAuthenticator(ctx context.Context, actor Actor, realm, id, kind string, f func(*Authenticator)) (after *Authenticator, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := get[Authenticator](tx, realm, id)
		if err != nil {
			return err
		}
		after, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: kind}, func(a *Authenticator) error {
			f(a)
			return nil
		})
		return err
	})
	return after, err
}

// defaultAuthenticators are those that a new org has.
var defaultAuthenticators = []Authenticator{
	{Key: "okta_email", Name: "Email", Rest: map[string]any{"settings": map[string]any{"allowedFor": "any", "tokenLifetimeInMinutes": 5}}},
	{Key: "okta_password", Name: "Password"},
	{Key: "phone_number", Name: "Phone", Rest: map[string]any{"settings": map[string]any{"allowedFor": "any"}}},
	{Key: "security_question", Name: "Security Question", Rest: map[string]any{"settings": map[string]any{"allowedFor": "recovery"}}},
	{Key: "okta_verify", Name: "Okta Verify"},
}

func addDefaultAuthenticators(tx Tx, realm string, at time.Time) error {
	for _, a := range defaultAuthenticators {
		a.Realm, a.ID = realm, fixedID("aut", a.Key)
		a.Type, a.Status = authenticatorTypes[a.Key], On
		if err := putObject(tx, &a, at); err != nil {
			return err
		}
	}
	return nil
}
