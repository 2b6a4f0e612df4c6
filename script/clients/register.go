package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// object is a JSON object that is sent.
type object = map[string]any

// everything is the admin role of those who may do all that their scopes allow.
const everything = "SUPER_ADMIN"

// serviceOptions say what kind of service app a client needs.
type serviceOptions struct {
	scopes []string
	dpop   bool // it gets tokens bound to a key only
	ec     bool // its key is on an elliptic curve; else RSA
}

// service is an app that signs in with its key.
type service struct {
	clientID, keyID string
	privateKey      string // PEM
}

// env is how Okta's SDKs are told about the app.
func (s *service) env() []string {
	return []string{
		"OKTA_CLIENT_CLIENTID=" + s.clientID,
		"OKTA_CLIENT_PRIVATEKEY=" + s.privateKey,
		"OKTA_CLIENT_PRIVATEKEYID=" + s.keyID,
	}
}

// registerService makes a service app as an administrator would: the app with
// its public key, its scopes, an admin role.
func (o *org) registerService(ctx context.Context, opts serviceOptions) (*service, error) {
	s := &service{keyID: "made-for-the-test"}
	public, err := s.makeKey(opts.ec)
	if err != nil {
		return nil, err
	}
	app, err := o.registerApp(ctx, "private_key_jwt", object{
		"application_type":         "service",
		"grant_types":              []string{"client_credentials"},
		"response_types":           []string{"token"},
		"dpop_bound_access_tokens": opts.dpop,
		"jwks":                     jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}},
	}, opts.scopes)
	if err != nil {
		return nil, err
	}
	s.clientID = app.clientID
	path := "/oauth2/v1/clients/" + s.clientID + "/roles"
	return s, o.call(ctx, "POST", path, object{"type": everything}, nil)
}

// makeKey makes the app's key and returns the part that the server gets.
func (s *service) makeKey(ec bool) (jose.JSONWebKey, error) {
	if ec {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		s.privateKey = encodePEM("PRIVATE KEY", der)
		return s.public(key.Public(), jose.ES256), err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	// The oldest of the SDKs reads PKCS #1 only.
	s.privateKey = encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	return s.public(key.Public(), jose.RS256), nil
}

func (s *service) public(key crypto.PublicKey, alg jose.SignatureAlgorithm) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: s.keyID, Algorithm: string(alg), Use: "sig"}
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// app is an app for OpenID Connect.
type app struct{ id, clientID string }

// registerApp makes an app for OpenID Connect and grants it scopes of Okta's
// API.
func (o *org) registerApp(ctx context.Context, authMethod string, settings object, scopes []string) (app, error) {
	var made struct {
		ID          string
		Credentials struct {
			OAuthClient struct {
				ClientID string `json:"client_id"`
			}
		}
	}
	err := o.call(ctx, "POST", "/api/v1/apps", object{
		"name":        "oidc_client",
		"label":       "Client " + rand.Text()[:8],
		"signOnMode":  "OPENID_CONNECT",
		"credentials": object{"oauthClient": object{"token_endpoint_auth_method": authMethod}},
		"settings":    object{"oauthClient": settings},
	}, &made)
	if err != nil {
		return app{}, err
	}
	a := app{made.ID, made.Credentials.OAuthClient.ClientID}
	if a.id == "" || a.clientID == "" {
		return app{}, fmt.Errorf("the app was made without id or client_id: %+v", made)
	}
	for _, scope := range scopes {
		if err := o.call(ctx, "POST", "/api/v1/apps/"+a.id+"/grants", object{"issuer": o.url, "scopeId": scope}, nil); err != nil {
			return app{}, err
		}
	}
	return a, nil
}

// person is somebody who signs in on the pages.
type person struct{ login, password string }

// registerPerson makes a person with an admin role who may use an app.
func (o *org) registerPerson(ctx context.Context, a app) (person, error) {
	p := person{"client-" + rand.Text()[:8] + "@example.com", "Lanyard-" + rand.Text()[:12] + "7"}
	var made struct{ ID string }
	err := o.call(ctx, "POST", "/api/v1/users?activate=true", object{
		"profile":     object{"login": p.login, "email": p.login, "firstName": "Ada", "lastName": "Signing"},
		"credentials": object{"password": object{"value": p.password}},
	}, &made)
	if err != nil {
		return person{}, err
	}
	if err := o.call(ctx, "POST", "/api/v1/users/"+made.ID+"/roles", object{"type": everything}, nil); err != nil {
		return person{}, err
	}
	return p, o.call(ctx, "POST", "/api/v1/apps/"+a.id+"/users", object{"id": made.ID, "scope": "USER"}, nil)
}
