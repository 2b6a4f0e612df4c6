package importer

import (
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Entity is what a session does, or did, to one person, group or membership.
// Those whom the source says nothing new of have none: they are only counted.
type Entity struct {
	Seq        int64  `json:"seq"` // from 1, in the order in which they are carried out
	Kind       Kind   `json:"kind"`
	ExternalID string `json:"externalId"`       // of a membership: of the group
	Member     string `json:"member,omitempty"` // of a membership: externalId of the person
	Name       string `json:"name,omitempty"`   // user name of the person, or name of the group
	Place      string `json:"place,omitempty"`  // in the source

	// Decision is what is done: Account is the account or group, also of one that
	// is created.
	reconcile.Decision

	// Block and Item are where the record is kept; zero for who is absent.
	Block int `json:"block,omitempty"`
	Item  int `json:"item,omitempty"`

	Done bool `json:"done,omitempty"` // it was carried out, as far as there was anything to do
}

// Search is the text that an entity is found by, in lower case.
func (e *Entity) Search() string {
	return strings.ToLower(strings.Join([]string{e.Name, e.ExternalID, e.Member}, " "))
}

// Kind is what an entity is about.
type Kind string

// The kinds.
const (
	UserKind       Kind = "user"
	GroupKind      Kind = "group"
	MembershipKind Kind = "membership"
)

// ActionWords are the actions by the words for what was done to somebody. Of those of
// whom nothing is new there are no entities to ask for.
func ActionWords() map[string]reconcile.Action {
	return map[string]reconcile.Action{
		"created": reconcile.Create, "linked": reconcile.LinkTo, "updated": reconcile.Update, "deactivated": reconcile.Deactivate,
		"suspended": reconcile.Suspend, "reactivated": reconcile.Reactivate, "unlinked": reconcile.Unlink, "skipped": reconcile.Skip,
		"held": reconcile.Hold, "failed": reconcile.Fail,
	}
}

// EntityQuery selects entities of a session in their order.
type EntityQuery struct {
	Session string             `json:"session"`
	Kind    Kind               `json:"kind,omitempty"`    // empty: all
	Actions []reconcile.Action `json:"actions,omitempty"` // empty: all
	Text    string             `json:"text,omitempty"`    // part of the name or the external id, without case
	After   int64              `json:"after,omitempty"`   // seq
	Limit   int                `json:"limit,omitempty"`   // 0: no limit
}

// User is somebody as an identity source has them (okta.md 3.1). Profile is what
// the source says, by the names of its own profile.
type User struct {
	ID         string         `json:"id"`      // 0ua…, of the assignment
	Account    string         `json:"account"` // empty for who waits to be confirmed
	ExternalID string         `json:"externalId"`
	Created    time.Time      `json:"created"`
	Updated    time.Time      `json:"lastUpdated"`
	Profile    map[string]any `json:"profile"`
}

// Group is a group as an identity source has it. Its id is the directory's.
type Group struct {
	ID         string         `json:"id"`
	ExternalID string         `json:"externalId"`
	Profile    map[string]any `json:"profile"` // displayName, description
}
