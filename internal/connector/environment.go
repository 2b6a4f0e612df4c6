package connector

import (
	"maps"
	"strings"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
)

// bound is a connection as it is configured.
type bound struct {
	config.Connection
	by string // where its server is from: ByConfig, ByCommand or ByEnvironment
}

// connections merges those of lanyard.yaml, those added by command, and what the
// environment says of the catalogue's providers: every admin has OKTA_API_TOKEN
// and its kin already. The file wins, then the command; a token is not sent to a server that the file names and the
// environment does not.
func connections(c *config.Config, book *config.Book, env func(string) (string, bool)) map[string]bound {
	all := map[string]bound{}
	for name, added := range book.Connections {
		all[name] = bound{added.Connection, ByCommand}
	}
	if c != nil {
		for name, conn := range c.Connections {
			all[name] = bound{conn, ByConfig}
		}
	}
	if env == nil {
		return all
	}
	entries, err := catalog.All()
	if err != nil {
		return all // a test holds the embedded data to be right
	}
	for _, e := range entries {
		server, auth := fromEnvironment(e, env)
		if server == "" && auth.Type == "" {
			continue
		}
		conn := all[e.Name]
		if conn.Server == "" {
			conn.Server, conn.by = server, ByEnvironment
		}
		if conn.Auth.Type == "" && conn.Server == server {
			conn.Auth = auth
		}
		all[e.Name] = conn
	}
	return all
}

// fromEnvironment reads the server and the credential of a provider. Either may
// be missing: a flag can still give the server, and Bind says what is missing
// when none does.
func fromEnvironment(e *catalog.Entry, env func(string) (string, bool)) (server string, auth config.Auth) {
	server = fill(e.Environment, env)
	fields := maps.Clone(e.Environment.Credential)
	for field, name := range fields {
		if text, ok := env(name); !ok || text == "" {
			return server, config.Auth{}
		}
		fields[field] = "env:" + name
	}
	if len(fields) == 0 {
		return server, config.Auth{}
	}
	return server, config.Auth{
		Type: e.Environment.Auth, Token: fields["token"], Username: fields["username"], Password: fields["password"],
		ClientID: fields["clientId"], ClientSecret: fields["clientSecret"], PrivateKey: fields["privateKey"], KeyID: fields["keyId"],
	}
}

// fill replaces the variables of the server's template. It returns "" when one
// has no value.
func fill(e catalog.Environment, env func(string) (string, bool)) string {
	var b strings.Builder
	rest := e.Server
	for {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, behind, _ := strings.Cut(after, "}")
		text, _ := env(name)
		if text = strings.TrimSpace(text); text == "" {
			text = e.Defaults[name]
		}
		if text == "" {
			return ""
		}
		// Some write a domain as the URL that they see in the browser.
		b.WriteString(strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/"))
		rest = behind
	}
}
