package directory

import "time"

// Kind is the product whose rules a realm follows.
type Kind string

// The kinds of realm.
const (
	Okta  Kind = "okta"
	Auth0 Kind = "auth0"
)

// The realms of a sandbox. A directory may hold others beside them.
const (
	OktaRealm  = "okta"
	Auth0Realm = "auth0"
)

// Realm is one tenant: the scope in which logins and group names are unique.
type Realm struct {
	ID      string
	Kind    Kind
	Name    string // for people
	Created time.Time
}
