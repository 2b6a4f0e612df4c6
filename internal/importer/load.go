package importer

import (
	"context"
	"iter"

	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Rows is a source that can be read from its beginning to its end. An error ends
// it, and the session: nothing is applied then.
type Rows interface {
	Rows(ctx context.Context) iter.Seq2[Located, error]
}

// Located is a row and where it came from: "people.csv:17", "items[3] of page 2".
type Located struct {
	Place string
	Row   reconcile.Row
}

// Batch is what one request loads into a session: any of its parts may be empty.
// Whoever sends it has measured it (200 entities, 200 KB: okta.md 3.2).
type Batch struct {
	Users             []Record     `json:"users,omitempty"`
	DeleteUsers       []string     `json:"deleteUsers,omitempty"` // externalIds
	Groups            []Record     `json:"groups,omitempty"`      // profile: displayName, description
	DeleteGroups      []string     `json:"deleteGroups,omitempty"`
	Memberships       []Membership `json:"memberships,omitempty"`
	DeleteMemberships []Membership `json:"deleteMemberships,omitempty"`
}

// Record is a person or a group as loaded.
type Record struct {
	ExternalID string         `json:"externalId"`
	Profile    map[string]any `json:"profile"`
}

// Membership says that people, by their externalIds, are in a group.
type Membership struct {
	Group   string   `json:"groupExternalId"`
	Members []string `json:"memberExternalIds"`
}

// RunOptions say how a source is imported.
type RunOptions struct {
	Type   Type   `json:"type,omitempty"` // empty: as the source's settings say
	NoWait bool   `json:"noWait,omitempty"`
	ID     string `json:"id,omitempty"` // of the session, so that starting it twice is starting it once; empty: made
}
