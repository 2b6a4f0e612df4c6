package directory

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Account is one user of one realm. Its JSON form is what the change log keeps.
// A zero time means that the thing never happened.
type Account struct {
	ID         string         `json:"id"`
	Realm      string         `json:"realm"`
	Connection string         `json:"connection,omitempty"` // Auth0: where the user signs in; empty in Okta realms
	Type       string         `json:"type,omitempty"`       // id of the user type; empty: the default one
	Status     Status         `json:"status"`
	Profile    map[string]any `json:"profile"` // by canonical attribute name (profile.go); no null values

	// Resource is the SCIM resource by which an enterprise connection owns the
	// account, as its provider gave it, without id and meta; nil: no such owner.
	Resource   map[string]any `json:"resource,omitempty"`
	Identities []Identity     `json:"identities,omitempty"` // Auth0: other accounts that were linked to this one

	Provider         Provider `json:"provider"`
	HasPassword      bool     `json:"hasPassword,omitempty"` // the hash itself is a Secret
	RecoveryQuestion string   `json:"recoveryQuestion,omitempty"`

	SignIns       int            `json:"signIns,omitempty"`       // Auth0 logins_count
	LastIP        string         `json:"lastIP,omitempty"`        // of the last sign-in
	FailedSignIns int            `json:"failedSignIns,omitempty"` // since the last success
	EmailVerified bool           `json:"emailVerified,omitempty"`
	UserMetadata  map[string]any `json:"userMetadata,omitempty"` // Auth0 user_metadata; nil when never set
	AppMetadata   map[string]any `json:"appMetadata,omitempty"`  // Auth0 app_metadata; nil when never set

	Created         time.Time `json:"created"`
	Activated       time.Time `json:"activated,omitzero"`
	StatusChanged   time.Time `json:"statusChanged,omitzero"`
	LastLogin       time.Time `json:"lastLogin,omitzero"`
	Updated         time.Time `json:"updated"` // Okta lastUpdated, Auth0 updated_at
	PasswordChanged time.Time `json:"passwordChanged,omitzero"`

	Version int64 `json:"version"` // counts writes from 1
}

// Identity is an account that was linked to another and lives on as a part of it.
type Identity struct {
	Provider   string         `json:"provider"`
	UserID     string         `json:"userId"`
	Connection string         `json:"connection"`
	Social     bool           `json:"social,omitempty"`
	Profile    map[string]any `json:"profile,omitempty"` // Auth0 profileData
}

func (i Identity) text(attribute string) string {
	s, _ := i.Profile[attribute].(string)
	return s
}

// Provider says who checks the account's credential, as Okta names it.
type Provider struct {
	Type string `json:"type"` // OKTA, IMPORT, FEDERATION, SOCIAL, ACTIVE_DIRECTORY, LDAP
	Name string `json:"name"`
}

// The providers the rules distinguish.
const (
	ProviderOkta       = "OKTA"
	ProviderImport     = "IMPORT" // the password came as a hash
	ProviderFederation = "FEDERATION"
	ProviderSocial     = "SOCIAL"
)

// external reports whether sign-in happens elsewhere, so that no password is needed.
func (p Provider) external() bool {
	return p.Type == ProviderFederation || p.Type == ProviderSocial
}

// UserType returns the id of the account's user type.
func (a *Account) UserType() string { return cmp.Or(a.Type, DefaultUserType) }

// Text returns a profile attribute that is a string, "" when it is absent.
func (a *Account) Text(attribute string) string {
	s, _ := a.Profile[attribute].(string)
	return s
}

// Login returns the name the account signs in with.
func (a *Account) Login() string { return a.Text("login") }

// Email returns the primary e-mail address.
func (a *Account) Email() string { return a.Text("email") }

// Blocked reports whether sign-in is barred for now.
func (a *Account) Blocked() bool { return a.Status == Suspended }

// clone copies the account deeply, so that before and after do not share maps.
func (a *Account) clone() *Account {
	c := *a
	c.Profile = value.Clone(a.Profile).(map[string]any)
	c.UserMetadata = cloneMap(a.UserMetadata)
	c.AppMetadata = cloneMap(a.AppMetadata)
	c.Resource = cloneMap(a.Resource)
	c.Identities = slices.Clone(a.Identities)
	return &c
}

func cloneMap(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	return value.Clone(m).(map[string]any)
}

// Key is a value by which an account can be found and that no other account of
// the realm may have. Scope is the connection for keys that are unique per
// connection only.
type Key struct {
	Scope string
	Name  string // "login", "email", "username"
	Value string // folded
}

// The names of keys.
const (
	KeyLogin    = "login"
	KeyEmail    = "email"
	KeyUsername = "username"

	// Of accounts that a connection owns.
	KeyUserName   = "userName"   // SCIM userName
	KeyExternalID = "externalId" // SCIM externalId; case counts
)

// LoginKey is the key of an Okta login.
func LoginKey(login string) Key { return Key{Name: KeyLogin, Value: Fold(login)} }

// Keys returns what is unique about the account under the rules of kind: the
// login in Okta, where two users may share an e-mail address; e-mail address
// and user name within the connection in Auth0, those of linked identities too;
// SCIM userName and externalId within the connection for accounts that one owns.
func (a *Account) Keys(kind Kind) []Key {
	var keys []Key
	add := func(scope, name, text string) {
		if text != "" {
			keys = append(keys, Key{Scope: scope, Name: name, Value: Fold(text)})
		}
	}
	switch {
	case a.Connected():
		add(a.Connection, KeyUserName, a.ExternalText("userName"))
		if id := a.ExternalText("externalId"); id != "" {
			keys = append(keys, Key{Scope: a.Connection, Name: KeyExternalID, Value: id})
		}
	case kind == Auth0:
		add(a.Connection, KeyEmail, a.Email())
		add(a.Connection, KeyUsername, a.Login())
	default:
		add("", KeyLogin, a.Login())
	}
	for _, i := range a.Identities { // who signs in by one of them is this account
		add(i.Connection, KeyEmail, i.text("email"))
		add(i.Connection, KeyUsername, i.text("username"))
	}
	return keys
}

// Fold brings a name to the form in which it is compared: without case and
// without diacritics, as Okta compares logins.
func Fold(s string) string {
	if isLowerASCII(s) {
		return s
	}
	decomposed := norm.NFKD.String(s)
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, decomposed))
}

func isLowerASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
}
