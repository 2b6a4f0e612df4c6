package importer

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Plan is what an import would do, in full, and from what that was computed. It
// is made without a single write, and carried out later only if the delta comes
// out the same. Its entities lie in a file without a name until Close: a plan does
// not grow with its source.
//
// Written, it is one JSON document (WriteTo): what stands here, and behind it the
// entities, one in a line.
type Plan struct {
	Version  int                `json:"version"`
	Realm    string             `json:"realm"`
	Source   string             `json:"source"` // id
	Label    string             `json:"label"`
	Type     Type               `json:"type"`
	Made     time.Time          `json:"made"`
	Counts   Counts             `json:"counts"`
	Holds    []reconcile.Reason `json:"holds,omitempty"`    // it would be held, for these
	Calls    int                `json:"calls"`              // to a tenant of the provider, by its limits
	Minutes  int                `json:"minutes"`            // that the calls take, by the provider's rate limit
	Sessions int                `json:"sessions,omitempty"` // of that tenant, which the calls fill
	To       *reconcile.Target  `json:"to,omitempty"`       // the tenant that it goes to
	First    bool               `json:"first,omitempty"`    // the source has brought nobody yet

	// Digest covers what the plan does, the rules by which it does so, and the
	// figures that guards look at.
	Digest   string              `json:"digest"`
	Settings int64               `json:"settings"`         // version of the source
	Draft    *reconcile.Settings `json:"draft,omitempty"`  // of a source that was not stored with these; Source is empty when it was not there at all
	Rules    reconcile.Settings  `json:"rules"`            // as completed by the headings of the source
	Loaded   *reconcile.Tally    `json:"loaded,omitempty"` // of those of whom nothing is new
	Same     int                 `json:"same"`             // how many these are
	Scanned  int                 `json:"scanned"`
	Doubled  []string            `json:"doubled,omitempty"`
	Size     int                 `json:"size"` // how many entities there are: all but those of whom nothing is new

	entities planLines
}

// PlanEntity is an entity with the record that it comes from.
type PlanEntity struct {
	Entity
	Record *item `json:"record,omitempty"`
}

// PreviewOptions say how a preview is made.
type PreviewOptions struct {
	Type Type `json:"type,omitempty"`
}
