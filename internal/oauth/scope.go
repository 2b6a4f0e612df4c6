package oauth

import (
	"context"
	"slices"
	"strings"
)

// openidScopes are the scopes of OpenID Connect that the server knows.
var openidScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

// splitScopes reads a scope parameter (RFC 6749 3.3), each scope once.
func splitScopes(text string) []string {
	var out []string
	for _, scope := range strings.Fields(text) {
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out
}

// checkServiceScopes checks what a client asks for that acts for itself.
func (s *Server) checkServiceScopes(ctx context.Context, client *Client, scopes []string) error {
	if len(scopes) == 0 {
		return Refuse("missing_scopes")
	}
	granted, err := s.Clients.Scopes(ctx, client)
	if err != nil {
		return err
	}
	for _, scope := range scopes {
		switch {
		case slices.Contains(openidScopes, scope):
			return Refuse("openid_not_allowed_client_creds")
		case strings.HasSuffix(scope, ".self"):
			return Refuse("client_credentials_self_scope_requested")
		case !Includes(granted, scope):
			return Refuse("no_matching_scope")
		}
	}
	return nil
}

// checkUserScopes checks what a client asks for that acts for a user.
func (s *Server) checkUserScopes(ctx context.Context, client *Client, scopes []string) error {
	if len(scopes) == 0 {
		return Refuse("missing_scopes")
	}
	granted, err := s.Clients.Scopes(ctx, client)
	if err != nil {
		return err
	}
	for _, scope := range scopes {
		switch {
		case slices.Contains(openidScopes, scope):
			if scope != "openid" && scope != "offline_access" && !slices.Contains(scopes, "openid") {
				return Refuse("openid_scope_required")
			}
		case !Includes(granted, scope):
			return Refuse("no_matching_scope")
		}
	}
	if slices.Contains(scopes, "offline_access") && !client.allows(grantRefresh) {
		return Refuse("no_matching_scope")
	}
	return nil
}

// Includes reports whether scopes allow what one scope does: it is among them,
// or it reads what another of them manages.
func Includes(scopes []string, scope string) bool {
	if slices.Contains(scopes, scope) {
		return true
	}
	for _, suffix := range []string{".read", ".read.self"} {
		if resource, ok := strings.CutSuffix(scope, suffix); ok {
			return slices.Contains(scopes, resource+strings.Replace(suffix, "read", "manage", 1))
		}
	}
	return false
}
