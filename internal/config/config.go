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
// A [Book] is the other place of connections: those added by command, in a file
// of the data folder that Lanyard writes itself, read just as strictly.
//
// schema.json describes the file for editors; a test holds it to the reader.
package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"

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
	Sandbox     Sandbox

	// Imports and Triggers are read by the packages that own them: import sources
	// and triggers by their names.
	Imports  map[string]Section
	Triggers map[string]Section
}

// Section is a part of the file whose format another package owns. That package
// reads Node strictly, with File for its messages; relative paths in it start at
// Dir.
type Section struct {
	Node      *yaml.Node
	File, Dir string
}

// Source says where a source's description is, when not at its URL.
type Source struct{ File, URL string }

// Connection is what the operator binds to a source, by the source's name or
// by that of its catalogue entry.
type Connection struct {
	Provider     string            `json:"provider,omitempty"`     // the catalogue entry, when name and server do not tell
	Server       string            `json:"server,omitempty"`       // base URL
	Variables    map[string]string `json:"variables,omitempty"`    // of the description's server
	Hosts        []string          `json:"hosts,omitempty"`        // further hosts that may see the credential
	AllowPrivate bool              `json:"allowPrivate,omitempty"` // the server may be on a private or loopback address
	Timeout      int               `json:"timeout,omitempty"`      // seconds for one exchange; 0: the run's
	Auth         Auth              `json:"auth,omitzero"`
	Limits       Limits            `json:"limits,omitzero"`
}

// Auth is how a connection identifies itself. Fields that hold a credential are
// references.
type Auth struct {
	Type         string   `json:"type"`                   // none, ssws, apiKey, bearer, basic, client_credentials, private_key_jwt, authorization_code
	Token        string   `json:"token,omitempty"`        // ssws, bearer, apiKey: reference
	In           string   `json:"in,omitempty"`           // apiKey: where it goes, when the description does not say
	Name         string   `json:"name,omitempty"`         // apiKey: of the header, parameter or cookie
	Prefix       string   `json:"prefix,omitempty"`       // put before the token, when not as usual for the type: "Token "
	Username     string   `json:"username,omitempty"`     // basic: text or reference
	Password     string   `json:"password,omitempty"`     // basic: reference
	ClientID     string   `json:"clientId,omitempty"`     // text or reference
	ClientSecret string   `json:"clientSecret,omitempty"` // client_credentials, authorization_code of a web application: reference
	PrivateKey   string   `json:"privateKey,omitempty"`   // private_key_jwt: reference to a PEM or JWK
	KeyID        string   `json:"keyId,omitempty"`
	ClientAuth   string   `json:"clientAuth,omitempty"`   // with a client secret: how the client shows itself, post (default) or basic
	AuthorizeURL string   `json:"authorizeUrl,omitempty"` // authorization_code; default: by the catalogue entry
	TokenURL     string   `json:"tokenUrl,omitempty"`     // default: by the catalogue entry or the description
	Audience     string   `json:"audience,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	DPoP         bool     `json:"dpop,omitempty"` // private_key_jwt, authorization_code: bind tokens to a key (RFC 9449)
}

// Limits bound how fast a connection is used.
type Limits struct {
	Share       int     // percent of the bucket that the provider advertises; 0: all
	Rate        float64 // requests a second; 0: as the provider's headers say
	Concurrency int     // calls at the same time; 0: no limit of ours
}

// MarshalJSON writes the limits as they are read.
func (l Limits) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	if l.Share != 0 {
		out["share"] = strconv.Itoa(l.Share) + "%"
	}
	if l.Rate != 0 {
		out["rate"] = strconv.FormatFloat(l.Rate, 'f', -1, 64)
	}
	if l.Concurrency != 0 {
		out["concurrency"] = l.Concurrency
	}
	return json.Marshal(out)
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

// Sandbox holds the switches for behaviour of providers that differs by edition
// or is in doubt.
type Sandbox struct{ Okta OktaSandbox }

// OktaSandbox are the switches of the org that the sandbox plays.
type OktaSandbox struct {
	Engine   string // oie (default) or classic
	Statuses string // recorded (default), as recorded traffic answers; described, as Okta's description says; 2022, as that of this year says

	IndexDelay        int  // seconds by which lists and searches of users lag behind changes
	SuspendPending    bool // people who wait for their first password can be suspended
	DeactivateAgain   bool // deactivating who is deactivated passes without effect
	EditDeprovisioned bool // profiles of deactivated people can be changed
}

// The choices of OktaSandbox.Statuses.
const (
	StatusesRecorded  = "recorded"
	StatusesDescribed = "described"
	Statuses2022      = "2022"
)

// The kinds of Auth.
const (
	AuthNone              = "none"
	AuthSSWS              = "ssws"
	AuthAPIKey            = "apiKey"
	AuthBearer            = "bearer"
	AuthBasic             = "basic"
	AuthClientCredentials = "client_credentials"
	AuthPrivateKeyJWT     = "private_key_jwt"
	AuthAuthorizationCode = "authorization_code"
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
	r := newReader(path)
	c := r.config(root)
	if err := r.Err(); err != nil {
		return nil, err
	}
	c.File = path
	return c, nil
}
