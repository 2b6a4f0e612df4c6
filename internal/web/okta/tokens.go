package okta

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Tokens returns an Authorizer that knows a fixed set of tokens, each with the
// account it acts as, and lets each do everything. A token is accepted with
// the scheme SSWS or Bearer.
func Tokens(accounts map[string]string) Authorizer {
	// Looked up by digest, so the time a look-up takes says nothing about the
	// tokens.
	byDigest := make(map[[sha256.Size]byte]string, len(accounts))
	for token, account := range accounts {
		byDigest[sha256.Sum256([]byte(token))] = account
	}
	return func(_ context.Context, c Call) (Caller, error) {
		if !strings.EqualFold(c.Scheme, "SSWS") && !strings.EqualFold(c.Scheme, "Bearer") {
			return Caller{}, fault.New(fault.Unauthorized, "the scheme %q is not supported", c.Scheme)
		}
		account, ok := byDigest[sha256.Sum256([]byte(c.Token))]
		if !ok {
			return Caller{}, fault.New(fault.Unauthorized, "the token is unknown")
		}
		return Owner(account), nil
	}
}

// Owner is a caller that may do everything in the name of an account.
func Owner(account string) Caller {
	return Caller{
		Actor: directory.Actor{ID: account, Type: directory.UserActor},
		Roles: []string{"SUPER_ADMIN"}, Token: account,
	}
}
