package importer

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Plan is what an import would do, in full, and from what that was computed. It
// is made without a single write, and carried out later only if the delta comes
// out the same.
type Plan struct {
	Version  int                `json:"version"`
	Realm    string             `json:"realm"`
	Source   string             `json:"source"` // id
	Label    string             `json:"label"`
	Type     Type               `json:"type"`
	Made     time.Time          `json:"made"`
	Counts   Counts             `json:"counts"`
	Holds    []reconcile.Reason `json:"holds,omitempty"` // it would be held, for these
	Calls    int                `json:"calls"`           // to a tenant of the provider, by its limits
	Minutes  int                `json:"minutes"`         // that the calls take, by the provider's rate limit
	Entities []Entity           `json:"entities"`        // all but those that are unchanged
	// Digest covers what the plan was computed from and what it does.
	Digest string `json:"digest"`
	Basis  string `json:"basis"`
}

// PreviewOptions say how a preview is made.
type PreviewOptions struct {
	Type Type `json:"type,omitempty"`
}

// Trace tells how an import comes to what it does about one person.
type Trace struct {
	Source   string              `json:"source"`
	Who      string              `json:"who"`
	Found    []TraceRow          `json:"found"` // rows of the source that speak of him
	Link     *reconcile.Link     `json:"link,omitempty"`
	Person   *reconcile.Person   `json:"person,omitempty"`
	Scoped   string              `json:"scoped,omitempty"` // one sentence
	Matched  *reconcile.Match    `json:"matched,omitempty"`
	Decision *reconcile.Decision `json:"decision,omitempty"`
	Steps    []TraceStep         `json:"steps"` // found, scoped, matched, mapped, acted
}

// TraceRow is a row of the source.
type TraceRow struct {
	Place string        `json:"place"`
	Row   reconcile.Row `json:"row"`
}

// TraceStep is one stage of a Trace.
type TraceStep struct {
	Stage string `json:"stage"`
	Text  string `json:"text"`
}

// Report is what a session did, for people.
type Report struct {
	Session  *Session       `json:"session"`
	Label    string         `json:"label"` // of the source
	Duration time.Duration  `json:"duration"`
	Waiting  int            `json:"waiting"` // people who wait to be confirmed
	ByAction map[string]int `json:"byAction,omitempty"`
}
