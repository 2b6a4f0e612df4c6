package api

import (
	"context"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The scopes of callers who do not own the data folder. One that ends in .manage
// includes the .read beside it.
const (
	ReadTables    = "lanyard.tables.read"
	ManageTables  = "lanyard.tables.manage"
	ReadPeople    = "lanyard.people.read"
	ReadRuns      = "lanyard.runs.read"
	ManageRuns    = "lanyard.runs.manage"
	ReadImports   = "lanyard.imports.read"
	ManageImports = "lanyard.imports.manage"
)

// owner is what an operation needs that nobody may call but who owns the folder.
const owner = ""

// Scopes are all scopes.
func Scopes() []string {
	return []string{ReadTables, ManageTables, ReadPeople, ReadRuns, ManageRuns, ReadImports, ManageImports}
}

// Caller is who makes a call.
type Caller struct {
	Actor  string   // for what is kept of changes: "run RUN", an API token's name
	Scopes []string // nil: the owner of the data folder, who may do everything
}

// may reports whether the caller may call what needs a scope.
func (c Caller) may(scope string) bool {
	if c.Scopes == nil {
		return true
	}
	if scope == owner {
		return false
	}
	stem, read := strings.CutSuffix(scope, ".read")
	return slices.Contains(c.Scopes, scope) || read && slices.Contains(c.Scopes, stem+".manage")
}

type callerKey struct{}

// actor returns who makes the call, empty for the owner of the folder.
func actor(ctx context.Context) string {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c.Actor
}

// authorized lets those call a handler who may.
func (a *API) authorized(scope string, h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := a.caller(r)
		if err != nil {
			return err
		}
		if !who.may(scope) {
			if scope == owner {
				return fault.New(fault.Forbidden, "only the owner of the data folder may do this")
			}
			return fault.New(fault.Forbidden, "the caller lacks the scope %s", scope)
		}
		return h(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	}
}

func (a *API) caller(r *http.Request) (Caller, error) {
	scheme, token := web.Credential(r)
	if a.Token != "" && strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(token), []byte(a.Token)) == 1 {
		return Caller{}, nil
	}
	if a.Callers != nil {
		return a.Callers(r.Context(), scheme, token)
	}
	return Caller{}, fault.New(fault.Unauthorized, "the request has no valid token").Fix("use the token in the data folder's serve.json")
}
