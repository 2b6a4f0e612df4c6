package provision

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Kind is the sort of application, which decides how its requests look
// (scim-auth0.md 1.2).
type Kind string

// The kinds.
const (
	Wizard     Kind = "wizard"     // made by the App Integration Wizard: writes everything with PUT
	Template   Kind = "template"   // from the integration network: PATCHes deactivations and groups
	Governance Kind = "governance" // "(OAuth Bearer Token) Governance with SCIM 2.0": PATCHes groups
)

// Method is how a change of something that exists is written.
type Method string

// The methods. The empty one is that of the Kind.
const (
	Put   Method = "PUT"
	Patch Method = "PATCH"
)

// Methods are the three choices in which the kinds of application differ.
type Methods struct {
	UserUpdate     Method `json:"userUpdate,omitempty"`
	UserDeactivate Method `json:"userDeactivate,omitempty"` // and reactivate
	GroupUpdate    Method `json:"groupUpdate,omitempty"`
}

// Methods returns what applications of a kind do: Okta's own documents disagree
// about deactivation by template and Governance apps (scim-auth0.md 1.2).
func (k Kind) Methods() Methods {
	switch k {
	case Template:
		return Methods{Put, Patch, Patch}
	case Governance:
		return Methods{Put, Put, Patch}
	}
	return Methods{Put, Put, Put}
}

// Target is the provisioning side of an application of an Okta realm: the SCIM
// server that its people and groups are pushed to, and what is pushed. Its id
// is that of the application.
type Target struct {
	directory.Meta
	Kind    Kind   `json:"kind"`
	BaseURL string `json:"baseUrl"` // of the SCIM server, without a slash at the end
	Auth    Auth   `json:"auth"`
	Enabled bool   `json:"enabled"` // "Enable API integration"

	// AllowPrivate lets this target be at a loopback or private address.
	AllowPrivate bool `json:"allowPrivate,omitempty"`

	// "Provisioning to App".
	CreateUsers     bool `json:"createUsers,omitempty"`
	UpdateUsers     bool `json:"updateUsers,omitempty"`     // "Update User Attributes"
	DeactivateUsers bool `json:"deactivateUsers,omitempty"` //
	SetPassword     bool `json:"setPassword,omitempty"`     // "Set password when creating new users"
	PushGroups      bool `json:"pushGroups,omitempty"`

	Methods     Methods `json:"methods,omitzero"`      // empty fields: those of the Kind
	Brake       Brake   `json:"brake,omitzero"`        // on deactivations
	Concurrency int     `json:"concurrency,omitempty"` // people at the same time; 0: 4
}

// Place says where the record of a target is kept.
func (t *Target) Place() directory.Place {
	return directory.Place{Noun: directory.ProvisioningNoun, Parent: t.ID}
}

// Writes returns the methods of the target: its own where it has any, else
// those of its kind.
func (t *Target) Writes() Methods {
	m := t.Kind.Methods()
	if t.Methods.UserUpdate != "" {
		m.UserUpdate = t.Methods.UserUpdate
	}
	if t.Methods.UserDeactivate != "" {
		m.UserDeactivate = t.Methods.UserDeactivate
	}
	if t.Methods.GroupUpdate != "" {
		m.GroupUpdate = t.Methods.GroupUpdate
	}
	return m
}

// Scheme is how a target is told who calls.
type Scheme string

// The schemes.
const (
	Bearer Scheme = "bearer" // Authorization: Bearer TOKEN
	Header Scheme = "header" // Authorization: TOKEN
	Basic  Scheme = "basic"  // user name and password
	OAuth  Scheme = "oauth"  // client credentials at TokenURL
)

// Auth is the credential of a target, by reference: the secrets themselves are
// never in the directory.
type Auth struct {
	Scheme   Scheme     `json:"scheme"`
	Token    secret.Ref `json:"token,omitempty"`    // of Bearer and Header; the password of Basic; the client's secret of OAuth
	ClientID string     `json:"clientId,omitempty"` // of OAuth; the user name of Basic
	TokenURL string     `json:"tokenUrl,omitempty"`
	Scopes   []string   `json:"scopes,omitempty"`
}

// Brake says from when on deactivations are held until somebody has approved
// them. Those of the last day that nobody approved count together.
type Brake struct {
	Off     bool `json:"off,omitempty"`
	Count   int  `json:"count,omitempty"`   // more than so many people; 0: 500
	Percent int  `json:"percent,omitempty"` // more than this share of the linked people, from ten on; 0: 20
}

// GroupPush is a group that is pushed to an application ("Push Groups").
type GroupPush struct {
	directory.Meta
	App    string `json:"app"`
	Group  string `json:"group"`
	Rule   string `json:"rule,omitempty"` // id of the PushRule that brought it; empty: pushed by name
	Paused bool   `json:"paused,omitempty"`

	// DeleteRemote is set when the push is ended: the group of the application
	// is deleted too, not only let go.
	DeleteRemote bool `json:"deleteRemote,omitempty"`
}

// Place says where the record of a group push is kept.
func (g *GroupPush) Place() directory.Place {
	return directory.Place{Noun: directory.GroupPushNoun, Parent: g.App, Subject: g.Group}
}

// PushRule pushes every group whose name or description it matches. All parts
// that are not empty have to match, without regard to case.
type PushRule struct {
	directory.Meta
	App         string    `json:"app"`
	Name        string    `json:"name"`
	GroupName   TextMatch `json:"groupName,omitzero"`
	Description TextMatch `json:"description,omitzero"`
	Paused      bool      `json:"paused,omitempty"`
}

// TextMatch is a condition on a text; the zero one accepts all.
type TextMatch struct {
	StartsWith string `json:"startsWith,omitempty"`
	EndsWith   string `json:"endsWith,omitempty"`
	Contains   string `json:"contains,omitempty"`
}

// Place says where the record of a push rule is kept.
func (r *PushRule) Place() directory.Place {
	return directory.Place{Noun: directory.PushRuleNoun, Parent: r.App}
}

// Note is one sentence about a decision. It goes into the request log.
type Note string

// Occasion says what a mapped profile is for: mapping rows may be for creates
// only.
type Occasion int

// The occasions.
const (
	Creating Occasion = iota
	Updating
)

// Person is somebody as the directory knows him. AppUser is nil when the
// application is not assigned to him.
type Person struct {
	Account *directory.Account
	AppUser *directory.AppUser
}

// Mapped is what an application is told of a person.
type Mapped struct {
	UserName string // by which the application is searched; never empty
	// Body is the SCIM resource: schemas, userName, name, emails, externalId,
	// extensions under their URN ... without id, meta, active, groups and
	// password, which the sequences set. A nil value says that the attribute is
	// mapped and has no value: creates leave it out, updates take it away.
	Body  map[string]any
	Notes []Note // become reasons in the request log
}

// Mapper computes what an application is told of a person, by its attribute
// mappings. Errors are fault.Invalid: the person is not sent, and the others go
// on.
type Mapper interface {
	Map(r directory.Reader, t *Target, p Person, when Occasion) (Mapped, error)
}

// Link is what is known of a person in the application. It is kept by the Store.
type Link struct {
	Realm    string `json:"realm"`
	App      string `json:"app"`
	Account  string `json:"account"`
	RemoteID string `json:"remoteId,omitempty"` // empty: not found or created yet; unique in the application
	UserName string `json:"userName,omitempty"` // as last sent
	Active   bool   `json:"active"`             // as last sent
	Digest   string `json:"digest,omitempty"`   // of the Mapped body last sent

	// Doubt is the userName of a create that was sent and whose answer is not
	// known. It is looked up before anything else is done.
	Doubt string `json:"doubt,omitempty"`

	// Suspended says that the person was deactivated while still assigned.
	Suspended bool `json:"suspended,omitempty"`

	// Kept says that somebody rejected the deactivation of this person: he stays
	// active there until he is assigned again.
	Kept bool `json:"kept,omitempty"`

	Linked      time.Time `json:"linked,omitzero"`
	Pushed      time.Time `json:"pushed,omitzero"`
	Deactivated time.Time `json:"deactivated,omitzero"`
}

// GroupLink is what is known of a pushed group in the application.
type GroupLink struct {
	Realm    string `json:"realm"`
	App      string `json:"app"`
	Group    string `json:"group"`
	RemoteID string `json:"remoteId,omitempty"`
	Name     string `json:"name,omitempty"`  // displayName as last sent
	Doubt    string `json:"doubt,omitempty"` // displayName of a create without answer

	// Synced says that the application has exactly the members that the Store
	// knows. It is taken back before members are sent.
	Synced bool      `json:"synced,omitempty"`
	Linked time.Time `json:"linked,omitzero"`
	Pushed time.Time `json:"pushed,omitzero"`
}
