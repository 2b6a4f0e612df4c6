package directory

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// GroupType says who owns the membership of a group.
type GroupType string

// The group types, as Okta names them.
const (
	OktaGroup GroupType = "OKTA_GROUP" // members are set by administrators
	AppGroup  GroupType = "APP_GROUP"  // an application or import owns the members
	BuiltIn   GroupType = "BUILT_IN"   // the directory owns it: Everyone

	// ConnectionGroup is an enterprise group of Auth0: its connection owns it.
	ConnectionGroup GroupType = "CONNECTION_GROUP"
)

// Everyone is the name of the built-in group that every account of an Okta
// realm belongs to.
const Everyone = "Everyone"

// Group is a set of accounts of one realm.
type Group struct {
	ID                string         `json:"id"`
	Realm             string         `json:"realm"`
	Type              GroupType      `json:"type"`
	Connection        string         `json:"connection,omitempty"` // of a ConnectionGroup: its name
	Resource          map[string]any `json:"resource,omitempty"`   // of a ConnectionGroup: as Account.Resource, without members
	Profile           map[string]any `json:"profile"`              // name, description, custom attributes; no null values
	Created           time.Time      `json:"created"`
	Updated           time.Time      `json:"updated"`           // of the profile
	MembershipUpdated time.Time      `json:"membershipUpdated"` // of the set of members
	Version           int64          `json:"version"`           // counts writes to the profile from 1
}

// Name returns the group's name.
func (g *Group) Name() string {
	s, _ := g.Profile["name"].(string)
	return s
}

// Key returns what must be unique in the realm, the name of most groups and that
// within its connection of a ConnectionGroup, "" when nothing must:
// applications may bring in groups whose names are taken already.
func (g *Group) Key() string {
	switch g.Type {
	case AppGroup:
		return ""
	case ConnectionGroup: // names of connections have no bar in them
		return g.Connection + "|" + Fold(g.Name())
	}
	return Fold(g.Name())
}

func (g *Group) clone() *Group {
	c := *g
	c.Profile = value.Clone(g.Profile).(map[string]any)
	return &c
}
