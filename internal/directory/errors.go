package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Noun names what sort of object an error speaks of.
type Noun string

// The nouns.
const (
	RealmNoun         Noun = "realm"
	AccountNoun       Noun = "user"
	GroupNoun         Noun = "group"
	UserTypeNoun      Noun = "user type"
	SchemaNoun        Noun = "schema"
	RuleNoun          Noun = "group rule"
	RoleNoun          Noun = "role"     // assigned to an account or a group
	AppNoun           Noun = "app"      // application
	AppUserNoun       Noun = "app user" // assignment of an account to an application
	AppGroupNoun      Noun = "app group"
	AppGrantNoun      Noun = "app grant" // a scope that an application may ask for
	AppSecretNoun     Noun = "app secret"
	SigningKeyNoun    Noun = "signing key" // of an application
	SigningCSRNoun    Noun = "certificate signing request"
	FactorNoun        Noun = "factor"
	SessionNoun       Noun = "session"
	PolicyNoun        Noun = "policy"
	PolicyRuleNoun    Noun = "policy rule"
	AuthenticatorNoun Noun = "authenticator"
	TokenNoun         Noun = "token" // API token
)

// What browsers and OAuth clients hold of an account, which is the subject of
// these records; grants, codes and consents have the client as parent.
// internal/oauth makes them, and they end here with what they belong to.
const (
	BrowserNoun      Noun = "browser session"
	GrantNoun        Noun = "oauth grant"
	RefreshTokenNoun Noun = "refresh token"
	CodeNoun         Noun = "authorization code"
	ConsentNoun      Noun = "consent"
)

// Objects of an Auth0 tenant. internal/tenant makes them, and those about an
// account or group end here with it.
const (
	ConnectionNoun     Noun = "connection"
	SCIMConfigNoun     Noun = "scim configuration" // parent: the connection
	SCIMTokenNoun      Noun = "scim token"         // parent: the connection
	TenantKeyNoun      Noun = "tenant key"         // parent: the connection, or TenantKeys
	TenantSecretNoun   Noun = "tenant secret"      // of the object with the same id
	ClientNoun         Noun = "client"
	CredentialNoun     Noun = "credential" // of a client
	ClientGrantNoun    Noun = "client grant"
	ResourceServerNoun Noun = "resource server"
	TenantRoleNoun     Noun = "tenant role"
	RoleMemberNoun     Noun = "role member"     // parent: the role, subject: the account
	UserPermissionNoun Noun = "user permission" // subject: the account
	OrganizationNoun   Noun = "organization"
	OrgMemberNoun      Noun = "organization member"      // parent: the organization, subject: the account
	OrgMemberRoleNoun  Noun = "organization member role" // parent: the organization, subject: the account
	OrgConnectionNoun  Noun = "organization connection"
	OrgInvitationNoun  Noun = "organization invitation"
	OrgGrantNoun       Noun = "organization client grant"
	OrgDomainNoun      Noun = "organization discovery domain" // parent: the organization
	AuthMethodNoun     Noun = "authentication method"         // subject: the account
	LinkedNoun         Noun = "linked account"                // subject: the account that it was linked to
	UserGrantNoun      Noun = "user grant"                    // consent of an account for a client
	JobNoun            Noun = "job"
	DeferredMemberNoun Noun = "deferred member" // parent: the group, key: who is awaited
)

// What applications are provisioned with. internal/provision makes them, and
// they end here with their application or group.
const (
	ProvisioningNoun Noun = "provisioning" // parent: the application, whose id it has
	GroupPushNoun    Noun = "group push"   // parent: the application, subject: the group
	PushRuleNoun     Noun = "push rule"    // parent: the application
	MappingNoun      Noun = "mapping"      // parent: the application
	AppSchemaNoun    Noun = "app schema"   // parent: the application, whose id it has
)

// Identity sources. internal/importer makes them, and they end here with their
// application.
const (
	ImportSourceNoun Noun = "identity source" // parent: the application, whose id it has
	ImportStateNoun  Noun = "import state"    // likewise
)

// clientTokens are the sorts of records by which clients act.
var clientTokens = []Noun{GrantNoun, RefreshTokenNoun, CodeNoun}

// ClientTokens returns the sorts of records by which clients act for accounts.
// Their parent is the client.
func ClientTokens() []Noun { return slices.Clone(clientTokens) }

// Missing says that an object does not exist. It is the cause of a fault.NotFound.
type Missing struct {
	Noun Noun
	Ref  string // as the caller named it
}

func (e *Missing) Error() string { return fmt.Sprintf("no %s %q", e.Noun, e.Ref) }

// NotFound returns the fault for an object that does not exist.
func NotFound(noun Noun, ref string) error {
	return fault.Wrap(fault.NotFound, &Missing{noun, ref}, "there is no %s %q", noun, ref)
}

// StateError says that an account's status forbids an operation. It is the
// cause of a fault.Conflict.
type StateError struct {
	Operation Operation
	Status    Status
}

func (e *StateError) Error() string { return fmt.Sprintf("%s from %s", e.Operation, e.Status) }

func refused(a *Account, op Operation) error {
	return fault.Wrap(fault.Conflict, &StateError{op, a.Status}, "%s is not possible while the user is %s", op, a.Status)
}

// ReadOnlyGroup says that a group cannot be changed in the way asked, because
// the directory or an application owns it. It is the cause of a fault.Unsupported.
type ReadOnlyGroup struct{ Type GroupType }

func (e *ReadOnlyGroup) Error() string { return string(e.Type) + " group" }

func readOnly(g *Group) error {
	return fault.Wrap(fault.Unsupported, &ReadOnlyGroup{g.Type}, "group %q is a %s group and cannot be changed by hand", g.Name(), g.Type)
}

// SystemObject says that an object came with the org and cannot be taken away.
// It is the cause of a fault.Refused.
type SystemObject struct{ Noun Noun }

func (e *SystemObject) Error() string { return "system " + string(e.Noun) }

// Rule is what a value breaks.
type Rule string

// The rules.
const (
	Blank        Rule = "blank"     // required and absent or empty
	Pattern      Rule = "pattern"   // not an e-mail address, or not what the schema's pattern says
	TooShort     Rule = "short"     //
	TooLong      Rule = "long"      //
	WrongType    Rule = "type"      //
	WrongValue   Rule = "value"     // not one of those that are allowed
	ReadOnly     Rule = "readonly"  // the schema lets nobody change it
	Immutable    Rule = "immutable" // the schema lets it be set once
	Undefined    Rule = "unknown"   // no such attribute
	Taken        Rule = "taken"     // another object has it
	Weak         Rule = "weak"      // password policy
	TooMany      Rule = "many"      // more than Limit entries
	NeedPassword Rule = "password"  // expiring a password that is not there
	NeedActivate Rule = "activate"  // expiring the password of a user that is not activated
)

// Violation is one thing wrong with what was asked for.
type Violation struct {
	Field string // attribute, or "password", "groupIds" ...
	Rule  Rule
	Limit int  // for TooShort, TooLong and TooMany
	Noun  Noun // of the object; empty: an account
}

// Violations are all things wrong at once. They are the cause of a
// fault.Invalid, or of a fault.Conflict when the only trouble is a Taken value.
type Violations []Violation

// Error is terse: the fault around it has the words.
func (v Violations) Error() string {
	return v.join(func(one Violation) string { return one.Field + " " + string(one.Rule) })
}

func (v Violations) join(describe func(Violation) string) string {
	parts := make([]string, len(v))
	for i, one := range v {
		parts[i] = describe(one)
	}
	return strings.Join(parts, "; ")
}

func (v Violation) words() string {
	switch v.Rule {
	case Blank:
		return "is required"
	case Pattern:
		return "does not have the form it must have"
	case TooShort:
		return fmt.Sprintf("is shorter than %d characters", v.Limit)
	case TooLong:
		return fmt.Sprintf("is longer than %d characters", v.Limit)
	case WrongType:
		return "has the wrong type"
	case WrongValue:
		return "is not one of the values that are allowed"
	case Undefined:
		return "is not an attribute of the profile"
	case Taken:
		return "is taken by another object"
	case Weak:
		return "does not meet the password policy"
	case ReadOnly, Immutable:
		return "may not be changed"
	case TooMany:
		return fmt.Sprintf("has more than %d entries", v.Limit)
	case NeedPassword:
		return "is needed to expire it"
	case NeedActivate:
		return "can only be expired when the user is activated"
	}
	return string(v.Rule)
}

// err returns nil for no violations.
func (v Violations) err() error {
	if len(v) == 0 {
		return nil
	}
	kind := fault.Conflict
	for _, one := range v {
		if one.Rule != Taken {
			kind = fault.Invalid
		}
	}
	return fault.Wrap(kind, v, "%s", v.join(func(one Violation) string { return one.Field + ": " + one.words() }))
}

// Duplicate returns the fault for a value that another object has.
func Duplicate(field string) error { return Violations{{Field: field, Rule: Taken}}.err() }
