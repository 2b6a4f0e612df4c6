package connector

import (
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// NeededScopes gathers the scopes that the operations of a source need on this
// connection. Where its description says nothing about OAuth 2.0, the
// catalogue's is asked about the same method and path.
func (conn *Connection) NeededScopes(src Source) ([]string, error) {
	scopes := neededScopes(src)
	var own *openapi.Index
	for _, op := range src.Operations {
		if saysScopes(op, src.Schemes) || conn.Entry == nil {
			continue
		}
		if own == nil {
			var err error
			if own, err = openapi.Parse(conn.Entry.Description(), conn.Entry.Name); err != nil {
				return nil, err
			}
		}
		known, err := sameOperation(own, op)
		if err != nil {
			return nil, err
		}
		if known != nil {
			scopes = append(scopes, neededScopes(Source{Operations: []*openapi.Operation{known}, Schemes: own.Schemes})...)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// saysScopes reports whether the description knows what OAuth 2.0 scopes an
// operation needs, or that it needs none.
func saysScopes(op *openapi.Operation, schemes map[string]openapi.Scheme) bool {
	if isPublic(op) {
		return true
	}
	for _, alternative := range op.Security {
		for name := range alternative {
			if schemes[name].Type == "oauth2" {
				return true
			}
		}
	}
	return false
}

// sameOperation finds an operation by method and path, nil when there is none;
// the names of path parameters differ between editions.
func sameOperation(x *openapi.Index, op *openapi.Operation) (*openapi.Operation, error) {
	for _, known := range x.Operations() {
		if strings.EqualFold(known.Method, op.Method) && nameless(known.Path) == nameless(op.Path) {
			return x.ByPath(known.Path, known.Method)
		}
	}
	return nil, nil
}

// nameless is a path template without the names of its parameters.
func nameless(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// signInScopes are those of OpenID Connect that make up a sign-in, not rights to
// an API; a token need not list them.
var signInScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// Missing returns the scopes that are needed and neither granted themselves nor
// included in others that are.
func (conn *Connection) Missing(granted, needed []string) []string {
	var missing []string
	for _, need := range needed {
		if slices.Contains(signInScopes, need) || slices.ContainsFunc(granted, func(g string) bool { return includes(conn.Entry, g, need) }) {
			continue
		}
		missing = append(missing, need)
	}
	return missing
}

func includes(e *catalog.Entry, granted, needed string) bool {
	return granted == needed || e != nil && e.Includes(granted, needed)
}

// ForSignIn are the scopes that a sign-in has to ask for so that its token has
// the needed ones: also who signs in, and a token that can be renewed.
func ForSignIn(needed []string) []string {
	return slices.Concat([]string{"openid"}, needed, []string{"offline_access"})
}

// GrantAdvice tells an admin how to grant the connection's client further
// scopes; empty when the catalogue does not know.
func (conn *Connection) GrantAdvice() string {
	known, _ := conn.known(conn.auth.kind)
	return known.Grant
}

// HasScopes reports whether the connection's rights are told by scopes at all.
// An API token may do whatever its owner may.
func (conn *Connection) HasScopes() bool {
	return conn.auth.oauth() || conn.auth.kind == config.AuthBearer
}

// Serves reports whether a source belongs to a connection: runs bind it there,
// or they bind it nowhere and it is of the connection's provider.
func (c *Connector) Serves(conn *Connection, src Source) bool {
	entry := c.recognise(src, "")
	name, _ := c.configured(src.Name, entry)
	return name == conn.Name || name == "" && entry != nil && entry == conn.Entry
}
