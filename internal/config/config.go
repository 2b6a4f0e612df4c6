// Package config owns lanyard.yaml: what may stand in it, and reading it
// strictly. An unknown key, a value of the wrong kind or a credential written
// out is an error with its place, and all of them are reported at once.
//
// Paths in the file are relative to the file's folder.
//
// It keeps credentials as references (env:, file:, vault:) and never resolves
// them; which source a connection serves, and what variables such as
// OKTA_API_TOKEN add, is decided by package connector. Flags and their LANYARD_
// variables are merged by the command line: flag over environment over file.
//
// schema.json describes the file for editors; a test holds it to the reader.
package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Config is what lanyard.yaml says. Zero fields were not written.
type Config struct {
	File        string // where it was read, empty when there is none
	Sources     map[string]Source
	Connections map[string]Connection
	Data        string // the data folder
	Store       string // "sqlite:PATH", "postgres://...", or a reference to the latter: "env:NAME", "file:PATH"
	Run         Run
	Serve       Serve
}

// Source says where a source's description is, when not at its URL.
type Source struct{ File, URL string }

// Connection is what the operator binds to a source, by the source's name or
// by that of its catalogue entry.
type Connection struct {
	Server       string            // base URL
	Variables    map[string]string // of the description's server
	Hosts        []string          // further hosts that may see the credential
	AllowPrivate bool              // the server may be on a private or loopback address
	Timeout      int               // seconds for one exchange; 0: the run's
	Auth         Auth
	Limits       Limits
}

// Auth is how a connection identifies itself. Fields that hold a credential are
// references.
type Auth struct {
	Type         string // none, ssws, apiKey, bearer, basic, client_credentials, private_key_jwt
	Token        string // ssws, bearer, apiKey: reference
	In, Name     string // apiKey: where it goes, when the description does not say
	Prefix       string // put before the token, when not as usual for the type: "Token "
	Username     string // basic: text or reference
	Password     string // basic: reference
	ClientID     string // text or reference
	ClientSecret string // client_credentials: reference
	PrivateKey   string // private_key_jwt: reference to a PEM or JWK
	KeyID        string
	ClientAuth   string // client_credentials: how the client shows itself, post (default) or basic
	TokenURL     string // default: by the catalogue entry or the description
	Audience     string
	Scopes       []string
}

// Limits bound how fast a connection is used.
type Limits struct {
	Share       int     // percent of the bucket that the provider advertises; 0: all
	Rate        float64 // requests a second; 0: as the provider's headers say
	Concurrency int     // calls at the same time; 0: no limit of ours
}

// Run holds the defaults of runs: the named switches and budgets of a profile.
type Run struct {
	SuccessWithoutCriteria, ActionLists, RetryAfter, OnDoubt, QuotedValues   string
	MaxSteps, MaxRepeats, MaxRetries, MaxRetryAfter, CallTimeout, RunTimeout int
	Concurrency                                                              int
}

// Serve says where lanyard serve listens.
type Serve struct {
	Listen                       string // address without port; default 127.0.0.1
	APIPort, OktaPort, Auth0Port int    // 0: 8480, 8481, 8482
	TLS                          bool   // HTTPS with the local authority of the data folder
	PlainHTTP                    bool   // said explicitly: plain HTTP beyond loopback
}

// The kinds of Auth.
const (
	AuthNone              = "none"
	AuthSSWS              = "ssws"
	AuthAPIKey            = "apiKey"
	AuthBearer            = "bearer"
	AuthBasic             = "basic"
	AuthClientCredentials = "client_credentials"
	AuthPrivateKeyJWT     = "private_key_jwt"
)

// Load reads a file. A file that does not exist is an error only when it was
// named by the user.
func Load(path string, named bool) (*Config, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return &Config{}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(fault.Usage, err, "there is no such file").At("%s", path).Fix("write one with %q", "lanyard init")
	case err != nil:
		return nil, fault.Wrap(fault.Usage, err, "the configuration cannot be read").At("%s", path).Fix("check its permissions")
	}
	return Parse(path, data)
}

// Parse reads the text of a configuration file.
func Parse(path string, data []byte) (*Config, error) {
	root, err := value.ParseYAML(data, path)
	if err != nil {
		return nil, err
	}
	r := &reader{file: path, dir: filepath.Dir(path)}
	c := r.config(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	c.File = path
	return c, nil
}
