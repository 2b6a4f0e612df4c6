package okta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Authorization returns the Authorizer of an org: API tokens, and access tokens
// of its authorization server. fixed knows tokens that were made elsewhere and
// is asked first; nil: there are none.
func Authorization(s *oauth.Server, fixed Authorizer) Authorizer {
	return func(ctx context.Context, c Call) (Caller, error) {
		if fixed != nil {
			who, err := fixed(ctx, c)
			if !fault.Is(err, fault.Unauthorized) {
				return who, err
			}
		}
		p, err := s.Authorize(ctx, oauth.Call{
			Scheme: c.Scheme, Token: c.Token, Proofs: c.Proofs, Method: c.Method, URL: c.URL, Issuer: c.Issuer,
		})
		if err != nil {
			return Caller{}, err
		}
		return callerOf(p), nil
	}
}

func callerOf(p *oauth.Principal) Caller {
	who := Caller{Scopes: p.Scopes, Roles: p.Roles, Token: p.Credential}
	if p.Account == nil {
		who.Actor = directory.Actor{ID: p.Client.ID, Type: directory.ClientActor, Name: p.Client.Name}
		return who
	}
	name := strings.TrimSpace(p.Account.Text("firstName") + " " + p.Account.Text("lastName"))
	who.Actor = directory.Actor{ID: p.Account.ID, Type: directory.UserActor, Name: name, Login: p.Account.Login()}
	return who
}

// everything is the permission to call every operation.
const everything = "*"

// anyRead is the permission to call every operation that only reads.
const anyRead = "*.read"

// adminRoles says what the standard roles may call: all operations of a scope
// and of the scopes within it, or one operation by method and path. What is
// not in Okta's comparison of them by name is decided by its nearest row
// (help.okta.com, Standard administrator roles and permissions).
var adminRoles = map[string][]string{
	"SUPER_ADMIN": {everything},
	"ORG_ADMIN": {
		anyRead, manageUsers, manageGroups, "okta.orgs.manage", "okta.schemas.manage", "okta.userTypes.manage", "okta.policies.manage",
		"okta.authenticators.manage", "okta.factors.manage", "okta.sessions.manage", "okta.templates.manage", "okta.features.manage",
		"okta.linkedObjects.manage", "okta.trustedOrigins.manage", "okta.profileMappings.manage",
	},
	"APP_ADMIN": {
		readUsers, readGroups, "okta.apps.manage", "okta.appGrants.manage", "okta.clients.manage", "okta.clients.register", "okta.logs.read",
		"okta.schemas.read", "okta.userTypes.read", "okta.orgs.read", "okta.profileMappings.manage", "okta.policies.read", "okta.identitySources.manage",
	},
	"USER_ADMIN": { // "Group Administrator" today
		manageUsers, readGroups, "okta.factors.manage", "okta.sessions.manage", "okta.logs.read", "okta.schemas.read", "okta.userTypes.read", "okta.apps.read",
		// not to make or delete groups (help.okta.com, Group administrators)
		"PUT /api/v1/groups/{id}",
		"PUT /api/v1/groups/{id}/users/{user}",
		"DELETE /api/v1/groups/{id}/users/{user}",
		"POST /api/v1/groups/{id}/owners",
		"DELETE /api/v1/groups/{id}/owners/{owner}",
		"POST /api/v1/groups/rules",
		"PUT /api/v1/groups/rules/{id}",
		"DELETE /api/v1/groups/rules/{id}",
		"POST /api/v1/groups/rules/{id}/lifecycle/activate",
		"POST /api/v1/groups/rules/{id}/lifecycle/deactivate",
	},
	"HELP_DESK_ADMIN": {
		readUsers, readGroups, "okta.factors.read", "okta.logs.read", "okta.userTypes.read", "okta.schemas.read",
		"POST /api/v1/users/{id}/lifecycle/unlock",
		"POST /api/v1/users/{id}/lifecycle/reset_password",
		"POST /api/v1/users/{id}/lifecycle/expire_password",
		"POST /api/v1/users/{id}/lifecycle/expire_password_with_temp_password",
		"POST /api/v1/users/{id}/lifecycle/reset_factors",
		"POST /api/v1/users/{id}/credentials/forgot_password",
		"DELETE /api/v1/users/{id}/sessions",
		"DELETE /api/v1/users/{id}/factors/{factor}",
	},
	"GROUP_MEMBERSHIP_ADMIN": {
		readUsers, readGroups, "okta.logs.read",
		"PUT /api/v1/groups/{id}/users/{user}",
		"DELETE /api/v1/groups/{id}/users/{user}",
	},
	"READ_ONLY_ADMIN":             {anyRead},
	"REPORT_ADMIN":                {"okta.logs.read", "okta.reports.read", readUsers, readGroups, "okta.apps.read"},
	"MOBILE_ADMIN":                {readUsers, readGroups, "okta.devices.manage", "okta.logs.read"},
	"WORKFLOWS_ADMIN":             {},
	"ACCESS_REQUESTS_ADMIN":       {},
	"ACCESS_CERTIFICATIONS_ADMIN": {},
	"API_ACCESS_MANAGEMENT_ADMIN": {
		readUsers, readGroups, "okta.apps.read", "okta.appGrants.manage", "okta.clients.manage", "okta.clients.register",
		"okta.authorizationServers.manage", "okta.logs.read",
	},
}

// forSuperAdmins are the scopes of what only super administrators see.
var forSuperAdmins = []string{readRoles, manageRoles, readTokens, manageTokens}

// selfService are the operations that people may call about themselves without
// an admin role (okta.users.read.self, okta.users.manage.self, and what API
// tokens of people without a role can do).
var selfService = []string{
	"GET /api/v1/users/{id}",
	"POST /api/v1/users/{id}",
	"PUT /api/v1/users/{id}",
	"GET /api/v1/users/{id}/appLinks",
	"GET /api/v1/users/{id}/groups",
	"GET /api/v1/users/{id}/factors",
	"POST /api/v1/users/{id}/credentials/change_password",
	"POST /api/v1/users/{id}/credentials/change_recovery_question",
}

// operation is a method of a path.
type operation struct {
	pattern string // of the path
	method
}

func (o operation) String() string { return o.name + " " + o.pattern }

// verdict is what comes of a call before its handler is asked.
type verdict int

const (
	mayCall   verdict = iota
	ownAffair         // it needs no role
	outOfScope
	noRole     // E0000006
	seesNobody // an empty list
	seesNot    // the object is not there, for the caller
)

// judge decides whether a caller may call an operation: its credential must
// have the scope, and whoever acts by it the right. Without any role a list of
// people, groups or applications is empty (recorded), and one of them is not found.
func judge(who Caller, o operation, r *http.Request) verdict {
	self := who.means(r, o.pattern)
	inScope := o.scope == "" || who.Scopes == nil || oauth.Includes(who.Scopes, o.scope)
	if !inScope && !(self && oauth.Includes(who.Scopes, o.scope+".self")) {
		return outOfScope
	}
	switch {
	case o.scope == "", self && slices.Contains(selfService, o.String()):
		return ownAffair
	case slices.ContainsFunc(who.Roles, func(role string) bool { return permits(role, o) }):
		return mayCall
	case len(who.Roles) > 0 || o.name != http.MethodGet:
		return noRole
	case slices.Contains([]string{usersPath, groupsPath, appsPath}, o.pattern):
		return seesNobody
	case slices.Contains([]string{usersPath + "/{id}", groupsPath + "/{id}", appsPath + "/{id}"}, o.pattern):
		return seesNot
	}
	return noRole
}

const (
	usersPath  = basePath + "/users"
	groupsPath = basePath + "/groups"
)

// permits reports whether a role may call an operation.
func permits(role string, o operation) bool {
	held := adminRoles[role]
	switch {
	case slices.Contains(held, everything):
		return true
	case slices.Contains(held, o.String()):
		return true
	case slices.Contains(forSuperAdmins, o.scope):
		return slices.Contains(held, o.scope)
	}
	return oauth.Includes(held, o.scope) || strings.HasSuffix(o.scope, ".read") && slices.Contains(held, anyRead)
}

// means reports whether the path of a request names the caller.
func (c Caller) means(r *http.Request, pattern string) bool {
	if c.Actor.Type != directory.UserActor || !strings.HasPrefix(pattern, usersPath+"/{id}") {
		return false
	}
	ref := r.PathValue("id")
	return ref == "me" || ref == c.Actor.ID || c.Actor.Login != "" && directory.Fold(ref) == directory.Fold(c.Actor.Login)
}

// enforce answers a call that must not reach its handler. It reports whether it
// may go on.
func (a *API) enforce(w http.ResponseWriter, r *http.Request, who *Caller, o operation) (bool, error) {
	switch judge(*who, o, r) {
	case mayCall:
		if on, err := a.within(r, who, o); err != nil || !on {
			return false, cmp.Or(err, error(problem("E0000006")))
		}
	case ownAffair:
		who.self = o.scope != "" && !slices.ContainsFunc(who.Roles, func(role string) bool { return permits(role, o) })
	case outOfScope:
		refusal := oauth.Refuse("access_token_insufficient_scopes")
		scheme, _ := web.Credential(r)
		return false, problem("E0000006").challenged(a.challenge(r, scheme, o.scope, refusal)).because(refusal)
	case noRole:
		return false, problem("E0000006")
	case seesNobody:
		self := a.base(r) + r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			self += "?" + r.URL.Query().Encode()
		}
		web.AddLink(w, "self", self)
		return false, web.WriteJSON(w, http.StatusOK, []any{})
	case seesNot:
		return false, missing(r.PathValue("id"), seenTypes[o.pattern])
	}
	return true, nil
}

// seenTypes are Okta's words for what is not there for the caller.
var seenTypes = map[string]string{
	usersPath + "/{id}":  typeNames[directory.AccountNoun],
	groupsPath + "/{id}": typeNames[directory.GroupNoun],
	appsPath + "/{id}":   typeNames[directory.AppNoun],
}

// challenge is the WWW-Authenticate header of a refusal of an access token, in
// the form that Okta gives it (okta/okta-sdk-golang issue 145). Okta's SDKs
// read the reason from it.
func (a *API) challenge(r *http.Request, scheme, scope string, e *oauth.Error) string {
	if !strings.EqualFold(scheme, "DPoP") {
		scheme = "Bearer"
	}
	base := a.base(r)
	text := fmt.Sprintf(`%s authorization_uri="%s/oauth2/v1/authorize", realm="%s"`, scheme, base, base)
	if scope != "" {
		text += fmt.Sprintf(`, scope="%s"`, scope)
	}
	return text + fmt.Sprintf(`, error="%s", error_description="%s", resource="%s"`, e.Code, e.Text, headerText(r.URL.EscapedPath()))
}

// headerText keeps a path within the quotes of a header.
func headerText(text string) string { return strings.NewReplacer(`"`, "%22", `\`, "%5C").Replace(text) }

// unauthorized words why a credential was refused.
func (a *API) unauthorized(r *http.Request, scheme string, err error) error {
	var refusal *oauth.Error
	switch {
	case errors.As(err, &refusal) && refusal.Status == http.StatusBadRequest:
		return fromOAuth(refusal).challenged(a.challenge(r, scheme, "", refusal)).because(err)
	case errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized:
		return problem("E0000011").challenged(a.challenge(r, scheme, "", refusal)).because(err)
	case fault.Is(err, fault.Unauthorized):
		return problem("E0000011").because(err)
	case fault.Is(err, fault.Forbidden):
		return problem("E0000006").because(err)
	}
	return err
}
