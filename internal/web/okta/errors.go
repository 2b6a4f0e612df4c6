package okta

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/web"
)

// catalogue is the part of Okta's error catalogue that the API answers with.
var catalogue = map[string]struct {
	status  int
	summary string // %s is what the error speaks of
}{
	"E0000001": {http.StatusBadRequest, "Api validation failed: %s"},
	"E0000003": {http.StatusBadRequest, "The request body was not well-formed."},
	"E0000004": {http.StatusUnauthorized, "Authentication failed"},
	"E0000006": {http.StatusForbidden, "You do not have permission to perform the requested action"},
	"E0000007": {http.StatusNotFound, "Not found: Resource not found: %s"},
	"E0000008": {http.StatusNotFound, "The requested path was not found"},
	"E0000009": {http.StatusInternalServerError, "Internal Server Error"},
	"E0000010": {http.StatusServiceUnavailable, "Service is in read only mode"},
	"E0000011": {http.StatusUnauthorized, "Invalid token provided"},
	"E0000014": {http.StatusForbidden, "Update of credentials failed"},
	"E0000015": {http.StatusUnauthorized, "You do not have permission to access the feature you are requesting"},
	"E0000016": {http.StatusForbidden, "Activation failed because the user is already active"},
	"E0000021": {http.StatusBadRequest, "Bad request.  Accept and/or Content-Type headers likely do not match supported values."},
	"E0000022": {http.StatusMethodNotAllowed, "The endpoint does not support the provided HTTP method"},
	"E0000023": {http.StatusForbidden, "Operation failed because user profile is mastered under another system"},
	"E0000029": {http.StatusBadRequest, "Invalid paging request."},
	"E0000031": {http.StatusBadRequest, "Invalid search criteria."},
	"E0000032": {http.StatusForbidden, "Unlock is not allowed for this user."},
	"E0000033": {http.StatusBadRequest, "Bad request. Can't specify a search query and filter in the same request."},
	"E0000034": {http.StatusForbidden, "Forgot password not allowed on specified user."},
	"E0000035": {http.StatusForbidden, "Change password not allowed on specified user."},
	"E0000036": {http.StatusForbidden, "Change recovery question not allowed on specified user."},
	"E0000038": {http.StatusForbidden, "This operation is not allowed in the user's current status."},
	"E0000041": {http.StatusBadRequest, "Credentials should not be set on this resource based on the scheme."},
	"E0000047": {http.StatusTooManyRequests, "API call exceeded rate limit due to too many requests."},
	"E0000056": {http.StatusForbidden, "Delete application forbidden."},
	"E0000060": {http.StatusNotImplemented, "Unsupported operation."},
	"E0000062": {http.StatusConflict, "The specified user is already assigned to the application."},
	"E0000064": {http.StatusUnauthorized, "Password is expired and must be changed."},
	"E0000068": {http.StatusForbidden, "Invalid Passcode/Answer"},
	"E0000076": {http.StatusMethodNotAllowed, "Cannot modify the app user because it is mastered by an external app."},
	"E0000077": {http.StatusForbidden, "Cannot modify the %s attribute because it is read-only."},
	"E0000078": {http.StatusForbidden, "Cannot modify the %s attribute because it is immutable."},
	"E0000087": {http.StatusForbidden, "The recovery question answer did not match our records."},
	"E0000090": {http.StatusConflict, "The role specified is already assigned to the user."},
	"E0000091": {http.StatusBadRequest, "The provided role type was not the same as required role type."},
	"E0000112": {http.StatusConflict, "Cannot update this user because they are still being activated. Please try again in a few minutes."},
	"E0000117": {http.StatusForbidden, "Cannot assign apps or update app profiles for an inactive user."},
	"E0000124": {http.StatusBadRequest, "Could not create user. To create a user and expire their password immediately, a password must be specified"},
	"E0000125": {http.StatusBadRequest, `Could not create user. To create a user and expire their password immediately, "activate" must be true`},
	"E0000142": {http.StatusForbidden, "This User Type cannot be deleted."},
	"E0000192": {http.StatusBadRequest, "Roles cannot be granted to groups with group membership rules. %s"},
	"E0000193": {http.StatusBadRequest, "Roles can only be granted to groups with 5000 or less users. %s"},
	"E0000194": {http.StatusBadRequest, "Roles can only be granted to Okta groups, AD groups and LDAP groups. %s"},
	"E0000211": {http.StatusBadRequest, "Roles cannot be granted to built-in groups: %s"},
	"E0000231": {http.StatusPreconditionFailed, "ETag value doesn't match."},
	"E0000239": {http.StatusLocked, "Policy priorities are being reconciled. Please try again later."},
	"E0000242": {http.StatusBadRequest, "ETag syntax is invalid."},
}

// apiError is an error in Okta's terms.
type apiError struct {
	code   string
	object string // what the summary speaks of
	causes []string
	err    error // for the log

	// refusal is set instead of a code of the catalogue when the trouble is a
	// token: then the protocol's own code and text take the catalogue's places.
	refusal   *oauth.Error
	challenge string // for WWW-Authenticate; empty: none
}

// problem returns an error of the catalogue.
func problem(code string, causes ...string) *apiError { return &apiError{code: code, causes: causes} }

// invalid returns a validation failure of an object with its causes.
func invalid(object string, causes ...string) *apiError {
	return &apiError{code: "E0000001", object: object, causes: causes}
}

// missing returns the 404 for an object, with Okta's name for its type.
func missing(id, typ string) *apiError {
	return &apiError{code: "E0000007", object: id + " (" + typ + ")"}
}

// fromOAuth words a refusal of the authorization server in the form of the
// management API.
func fromOAuth(e *oauth.Error) *apiError { return &apiError{code: e.Code, refusal: e} }

// challenged adds the header that tells a client what is wrong with its token.
func (e *apiError) challenged(header string) *apiError {
	e.challenge = header
	return e
}

func (e *apiError) because(err error) *apiError {
	e.err = err
	return e
}

func (e *apiError) Error() string {
	text := e.code + ": " + e.summary()
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

func (e *apiError) Unwrap() error { return e.err }

func (e *apiError) status() int {
	if e.refusal != nil {
		return e.refusal.Status
	}
	return catalogue[e.code].status
}

func (e *apiError) summary() string {
	if e.refusal != nil {
		return e.refusal.Text
	}
	text := catalogue[e.code].summary
	if e.object != "" {
		return fmt.Sprintf(text, e.object)
	}
	return text
}

// errorBody is the wire form; all fields are always there.
type errorBody struct {
	Code    string       `json:"errorCode"`
	Summary string       `json:"errorSummary"`
	Link    string       `json:"errorLink"` // equals the code
	ID      string       `json:"errorId"`
	Causes  []errorCause `json:"errorCauses"`
}

type errorCause struct {
	Summary string `json:"errorSummary"`
}

// fail answers an error.
func (a *API) fail(w http.ResponseWriter, _ *http.Request, err error) {
	e := translate(err)
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	// Encoding this struct cannot fail.
	_ = web.WriteJSON(w, e.status(), a.errorBody(e))
}

func (a *API) errorBody(e *apiError) errorBody {
	body := errorBody{Code: e.code, Summary: e.summary(), Link: e.code, ID: "oae" + a.Directory.IDs.Token(22), Causes: []errorCause{}}
	for _, c := range e.causes {
		body.Causes = append(body.Causes, errorCause{c})
	}
	return body
}

// translate turns any error into Okta's terms.
func translate(err error) *apiError {
	var api *apiError
	var lost *directory.Missing
	var state *directory.StateError
	var group *directory.ReadOnlyGroup
	var rule *directory.RuleError
	var role *directory.RoleError
	var owner *directory.OwnerError
	var app directory.AppRefusal
	var violations directory.Violations
	var wrong *directory.WrongCredential
	var inUse *directory.TypeInUse
	var system *directory.SystemObject
	var code directory.WrongPassCode
	switch refused := sourceRefusal(err); {
	case errors.As(err, &api):
		return api
	case refused != nil:
		return refused
	case errors.As(err, &lost):
		return missing(lost.Ref, typeNames[lost.Noun]).because(err)
	case errors.As(err, &state):
		return refusal(state.Operation).because(err)
	case errors.As(err, &wrong):
		return wrongCredential(wrong).because(err)
	case errors.As(err, &inUse):
		return problem("E0000142").because(err)
	case errors.As(err, &group):
		return problem("E0000060").because(err)
	case errors.As(err, &rule):
		return ruleRefusal(rule).because(err)
	case errors.As(err, &role):
		return roleRefusal(role).because(err)
	case errors.As(err, &owner):
		return invalid("owner", "Provided owner is already assigned to this group").because(err)
	case errors.As(err, &app):
		return problem(appRefusals[app].code, appRefusals[app].causes...).because(err)
	case errors.As(err, &violations):
		return validation(violations).because(err)
	case errors.As(err, &system):
		return problem("E0000006").because(err)
	case errors.As(err, &code):
		return problem("E0000068", "Your passcode doesn't match our records. Please try again.").because(err)
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.TooLarge:
		return problem("E0000003").because(err)
	case fault.Stale:
		return problem("E0000231").because(err)
	case fault.Conflict:
		return invalid("id", "id: "+taken).because(err)
	case fault.Unsupported:
		return problem("E0000060").because(err)
	}
	return problem("E0000009").because(err)
}

// typeNames are Okta's words for what was not found.
var typeNames = map[directory.Noun]string{
	directory.RealmNoun:         "Org",
	directory.AccountNoun:       "User",
	directory.GroupNoun:         "UserGroup",
	directory.UserTypeNoun:      "CVDType",
	directory.SchemaNoun:        "Schema",
	directory.RuleNoun:          "PolicyRule", // recorded for group rules
	directory.RoleNoun:          "RoleAssignment",
	directory.CustomRoleNoun:    "CustomRole",
	directory.ResourceSetNoun:   "IAMPolicy",
	directory.OwnerNoun:         "LinkedObject", // recorded
	directory.AppNoun:           "AppInstance",
	directory.AppUserNoun:       "AppUser",
	directory.AppGroupNoun:      "AppGroup",
	directory.AppGrantNoun:      "OAuth2Scope",
	directory.SigningKeyNoun:    "Key",
	directory.SigningCSRNoun:    "Csr",
	directory.FactorNoun:        "UserFactor",
	directory.SessionNoun:       "AppSession",
	directory.PolicyNoun:        "Policy",
	directory.PolicyRuleNoun:    "PolicyRule",
	directory.AuthenticatorNoun: "Authenticator",
	directory.TokenNoun:         "Token",
	directory.TrustedOriginNoun: "TrustedOrigin",
	directory.GroupPushNoun:     "GroupPushMapping",
	directory.MappingNoun:       "ProfileMapping",
	importer.SourceNoun:         "AppInstance",
	importer.UserNoun:           "AppUser",
	importer.GroupNoun:          "UserGroup",
}

// refusals says how Okta words that a status forbids an operation. The texts
// of suspend and unlock are recorded or relied on by clients; that of unsuspend
// is inferred.
var refusals = map[directory.Operation]apiError{
	directory.Activate:       {code: "E0000016"},
	directory.Reactivate:     {code: "E0000038"},
	directory.Deactivate:     {code: "E0000038"},
	directory.Suspend:        {code: "E0000001", object: "suspendUser", causes: []string{"Cannot suspend a user that is not active"}},
	directory.Unsuspend:      {code: "E0000001", object: "unsuspendUser", causes: []string{"Cannot unsuspend a user that is not suspended"}},
	directory.Unlock:         {code: "E0000032", causes: []string{"The user is not locked out."}},
	directory.ResetPassword:  {code: "E0000038"},
	directory.ExpirePassword: {code: "E0000038"},

	directory.ChangePassword:         {code: "E0000035"},
	directory.ForgotPassword:         {code: "E0000034"},
	directory.ChangeRecoveryQuestion: {code: "E0000036"},
}

// appRefusals says how Okta words that an application refuses. The cause of
// E0000056 is recorded, the others are as in the catalogue.
var appRefusals = map[directory.AppRefusal]apiError{
	directory.AppStillActive:    {code: "E0000056", causes: []string{"The application must be deactivated before deletion."}},
	directory.AlreadyAssigned:   {code: "E0000062"},
	directory.InactiveUser:      {code: "E0000117"},
	directory.SchemeCredentials: {code: "E0000041"},
	directory.MasteredElsewhere: {code: "E0000076"},
	directory.MasteredProfile:   {code: "E0000023"},
}

func refusal(op directory.Operation) *apiError {
	e, ok := refusals[op]
	if !ok {
		e = apiError{code: "E0000038"}
	}
	return &e
}

// wrongCredential words a wrong old password or recovery answer. The cause is
// what administrators report; no recording shows it.
func wrongCredential(w *directory.WrongCredential) *apiError {
	if w.Answer {
		return problem("E0000087")
	}
	return problem("E0000014", "Old Password is not correct")
}

const taken = "An object with this field already exists in the current organization"

// passwordPolicy is Okta's sentence for its default policy.
const passwordPolicy = "Password requirements were not met. Password requirements: at least 8 characters, a lowercase letter, an uppercase letter, a number, no parts of your username."

// validation words everything that is wrong with a request. The summary names
// the first field; attributes that are not defined are laid to the new user.
func validation(v directory.Violations) *apiError {
	e := &apiError{code: "E0000001"}
	for _, one := range v {
		switch one.Rule {
		case directory.NeedPassword:
			return problem("E0000124")
		case directory.NeedActivate:
			return problem("E0000125")
		case directory.ReadOnly:
			return &apiError{code: "E0000077", object: one.Field}
		case directory.Immutable:
			return &apiError{code: "E0000078", object: one.Field}
		}
		object, cause := wording(one)
		if e.object == "" {
			e.object = object
		}
		e.causes = append(e.causes, cause)
	}
	return e
}

func wording(v directory.Violation) (object, cause string) {
	switch v.Rule {
	case directory.Undefined:
		object = "newUser"
		if v.Noun == directory.GroupNoun {
			object = "newGroup"
		}
		return object, "Property name '" + v.Field + "' is not defined in profile"
	case directory.Weak:
		return "password", v.Field + ": " + passwordPolicy
	}
	return v.Field, v.Field + ": " + sentence(v)
}

func sentence(v directory.Violation) string {
	switch v.Rule {
	case directory.Blank:
		return "The field cannot be left blank"
	case directory.Pattern:
		if v.Field == "login" {
			return "Username must be in the form of an email address"
		}
		return "Does not match required pattern"
	case directory.TooShort:
		return fmt.Sprintf("The field is too short, minimum length is %d", v.Limit)
	case directory.TooLong:
		return "The field is too long"
	case directory.TooMany:
		return fmt.Sprintf("The field has too many items, the maximum is %d", v.Limit)
	case directory.Taken:
		return taken
	}
	return "The field has an invalid value"
}
