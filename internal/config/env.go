package config

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The names of the connections that AddEnvironment makes: those of the
// catalogue entries.
const (
	oktaEntry  = "okta"
	auth0Entry = "auth0"
)

// AddEnvironment adds the connections okta and auth0 from the variables that
// every admin already has, where the file has none of that name:
// OKTA_ORG_NAME, OKTA_BASE_URL (default okta.com), OKTA_API_TOKEN;
// AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET.
//
// A connection may come out with a credential and no server, or the other way
// round: the missing half can still be given by a flag, and package connector
// says what is missing when it is not.
func (c *Config) AddEnvironment(env func(name string) (string, bool)) error {
	get := func(name string) string { v, _ := env(name); return strings.TrimSpace(v) }
	okta, oktaErr := oktaConnection(get)
	auth0, auth0Err := auth0Connection(get)
	for name, made := range map[string]*Connection{oktaEntry: okta, auth0Entry: auth0} {
		if _, written := c.Connections[name]; written || made == nil {
			continue
		}
		if c.Connections == nil {
			c.Connections = map[string]Connection{}
		}
		made.Environment = true
		c.Connections[name] = *made
	}
	return fault.Join(oktaErr, auth0Err)
}

func oktaConnection(get func(string) string) (*Connection, error) {
	org, base := get("OKTA_ORG_NAME"), get("OKTA_BASE_URL")
	var c Connection
	switch {
	case strings.Contains(base, "://"): // a whole URL, as the SDKs have it
		c.Server = strings.TrimSuffix(base, "/")
	case org != "":
		if base == "" {
			base = "okta.com"
		}
		c.Server = "https://" + org + "." + strings.TrimPrefix(base, ".")
	}
	if get("OKTA_API_TOKEN") != "" {
		c.Auth = Auth{Type: AuthSSWS, Token: "env:OKTA_API_TOKEN"}
	}
	return checked(c, "OKTA_ORG_NAME and OKTA_BASE_URL", "OKTA_ORG_NAME=dev-1234 OKTA_BASE_URL=okta.com")
}

func auth0Connection(get func(string) string) (*Connection, error) {
	var c Connection
	if domain := get("AUTH0_DOMAIN"); domain != "" {
		domain = strings.TrimSuffix(strings.TrimPrefix(domain, "https://"), "/")
		c.Server = "https://" + domain + "/api/v2"
	}
	if get("AUTH0_CLIENT_ID") != "" && get("AUTH0_CLIENT_SECRET") != "" {
		c.Auth = Auth{Type: AuthClientCredentials, ClientID: "env:AUTH0_CLIENT_ID", ClientSecret: "env:AUTH0_CLIENT_SECRET"}
	}
	return checked(c, "AUTH0_DOMAIN", "AUTH0_DOMAIN=example.eu.auth0.com")
}

// checked returns nil for a connection that nothing was said about.
func checked(c Connection, variables, example string) (*Connection, error) {
	if c.Server == "" && c.Auth.Type == "" {
		return nil, nil
	}
	if c.Server != "" {
		if _, ok := baseURL(c.Server); !ok {
			return nil, fault.New(fault.Invalid, "%s do not make the address of a server", variables).Fix("write them as %s", example)
		}
	}
	return &c, nil
}
