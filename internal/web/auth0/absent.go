package auth0

import (
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// words are a message and its errorCode, which often is missing in recorded
// answers.
type words struct{ message, code string }

// about puts the name of the object where the message has room for it.
func (w words) about(ref string) string { return strings.Replace(w.message, "%s", ref, 1) }

// absent is what the API says of objects that do not exist (recorded; those
// without a recording: Auth0's OpenAPI document).
var absent = map[directory.Noun]words{
	directory.AccountNoun:        {"The user does not exist.", "inexistent_user"},
	directory.GroupNoun:          {"The group does not exist.", ""},
	directory.TenantRoleNoun:     {"The role does not exist.", ""},
	directory.OrganizationNoun:   {"No organization found by that id or name", ""},
	directory.OrgMemberNoun:      {"The user is not a member of the organization.", ""}, // inferred
	directory.OrgConnectionNoun:  {"No connection found by that id", ""},
	directory.OrgInvitationNoun:  {"The invitation does not exist.", "inexistent_invitation"},
	directory.OrgDomainNoun:      {"No organization domain found by that id", ""},
	directory.OrgGrantNoun:       {"The grant does not exist.", "inexistent_client_grant"},
	directory.ConnectionNoun:     {"The connection does not exist", "inexistent_connection"},
	directory.ClientNoun:         {"The client does not exist", "inexistent_client"},
	directory.CredentialNoun:     {"The credential does not exist.", "inexistent_credential"}, // inferred
	directory.ClientGrantNoun:    {"The grant does not exist.", "inexistent_client_grant"},
	directory.UserGrantNoun:      {"The grant does not exist.", "inexistent_grant"},       // inferred
	directory.JobNoun:            {"The job does not exist", "inexistent_job"},            // the code: inferred
	directory.AuthMethodNoun:     {"The authentication method does not exist.", ""},       // inferred
	directory.ResourceServerNoun: {"The resource server does not exist: '%s'", ""},        // auth0/auth0-cli issue 348
	directory.LinkedNoun:         {"The identity does not exist.", "inexistent_identity"}, // inferred
}

// present is what the API says of values that another object has (Auth0's
// OpenAPI document).
var present = map[directory.Noun]words{
	directory.AccountNoun:        {"The user already exists.", "auth0_idp_error"},
	directory.TenantRoleNoun:     {"The role already exists.", ""},
	directory.ConnectionNoun:     {"A connection with the same name already exists", "connection_conflict"}, // auth0/terraform-provider-auth0 issues
	directory.ClientGrantNoun:    {"A resource server with the same identifier already exists.", ""},
	directory.ResourceServerNoun: {"A resource server with the same identifier already exists.", "resource_server_conflict"}, // the code: inferred
	directory.OrganizationNoun:   {"An organization with this name already exists.", ""},
	directory.OrgConnectionNoun:  {"The organization connection already exists.", ""},
	directory.OrgGrantNoun:       {"The client grant has already been added to this organization.", ""},
	directory.OrgDomainNoun:      {"An organization discovery domain with this domain is already registered to this organization.", ""},
	directory.AuthMethodNoun:     {"Authentication method already exists.", ""},
	directory.LinkedNoun:         {"Specified identity already exists.", ""},
}

// missing is the error for an object that does not exist, false when nothing is
// known of its sort.
func missing(lost *directory.Missing, err error) (*apiError, bool) {
	w, ok := absent[lost.Noun]
	if !ok {
		return nil, false
	}
	return &apiError{http.StatusNotFound, w.about(lost.Ref), w.code, err}, true
}

// conflict is the error for a value that another object has.
func conflict(v directory.Violation, err error) *apiError {
	noun := v.Noun
	if noun == "" {
		noun = directory.AccountNoun
	}
	w, ok := present[noun]
	if !ok {
		w = words{message: "The " + string(noun) + " already exists."}
	}
	return &apiError{http.StatusConflict, w.message, w.code, err}
}
