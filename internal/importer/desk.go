package importer

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Desk carries out what administrators ask for: it is behind the commands, here
// and in a process that serves. It is safe for concurrent use.
type Desk struct {
	Importer *Importer
	Actor    directory.Actor
	// Read opens what a source is read from by its name in the settings, or from
	// what the command gives.
	Read func(ctx context.Context, source *Source, from string) (Rows, error)
}

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	ListSources  Verb = "sources"
	ShowSource   Verb = "source"
	SetSource    Verb = "set source"
	RemoveSource Verb = "remove source"
	RunImport    Verb = "run"
	MakePreview  Verb = "preview"
	ApplyPlan    Verb = "apply"
	ListSessions Verb = "sessions"
	ShowSession  Verb = "session"
	ShowReport   Verb = "report"
	ListEntities Verb = "entities"
	Download     Verb = "download"
	Approve      Verb = "approve"
	Reject       Verb = "reject"
	Cancel       Verb = "cancel"
	ListWaiting  Verb = "waiting"
	Confirm      Verb = "confirm"
	ExplainUser  Verb = "explain"
)

// Command is something to be done. Source is the id or label of an identity
// source; which other fields count depends on the verb.
type Command struct {
	Do      Verb   `json:"do"`
	Source  string `json:"source,omitempty"`
	Session string `json:"session,omitempty"`

	Label    string              `json:"label,omitempty"` // of SetSource: of the application
	Settings *reconcile.Settings `json:"settings,omitempty"`

	From     string         `json:"from,omitempty"` // of RunImport, MakePreview, ExplainUser: instead of the source's own
	Run      RunOptions     `json:"run,omitzero"`
	Plan     *Plan          `json:"plan,omitempty"`
	Sessions *SessionQuery  `json:"sessions,omitempty"`
	Entities *EntityQuery   `json:"entities,omitempty"`
	Format   DownloadFormat `json:"format,omitempty"` // of Download
	Reason   string         `json:"reason,omitempty"` // of Approve, Reject and Cancel
	Person   string         `json:"person,omitempty"` // of Confirm: externalId; of ExplainUser: externalId, login or id
	Answer   Answer         `json:"answer,omitempty"` // of Confirm
	Account  string         `json:"account,omitempty"`
}

// DownloadFormat is the form of a report that is downloaded.
type DownloadFormat string

// The formats.
const (
	CSV  DownloadFormat = "csv"
	JSON DownloadFormat = "json"
)

// Answer says who somebody is who waits to be confirmed.
type Answer string

// The answers.
const (
	IsAccount Answer = "account" // the account that is named
	IsNew     Answer = "new"
	IsIgnored Answer = "ignore"
)

// Reply is what came of a Command: those members that its verb fills.
type Reply struct {
	Source *Source `json:"source,omitempty"`
	Label  string  `json:"label,omitempty"`

	Sources  []SourceView `json:"sources,omitempty"`
	Session  *Session     `json:"session,omitempty"`
	Sessions []*Session   `json:"sessions,omitempty"`
	Report   *Report      `json:"report,omitempty"`
	Entities []Entity     `json:"entities,omitempty"`
	Waiting  []Waiting    `json:"waiting,omitempty"`
	Plan     *Plan        `json:"plan,omitempty"`
	Trace    *Trace       `json:"trace,omitempty"`
	Text     string       `json:"text,omitempty"` // of Download
	Count    int          `json:"count,omitempty"`
}

// SourceView is an identity source as lists show it.
type SourceView struct {
	*Source
	Label   string   `json:"label"`
	Active  bool     `json:"active"`
	People  int      `json:"people"`  // linked
	Waiting int      `json:"waiting"` // to be confirmed
	Last    *Session `json:"last,omitempty"`
}

// Waiting is somebody of a source who waits to be confirmed.
type Waiting struct {
	ExternalID string         `json:"externalId"`
	Name       string         `json:"name"`
	Profile    map[string]any `json:"profile"`
	Reason     string         `json:"reason"`
	Account    string         `json:"account,omitempty"` // whom the match found
	Login      string         `json:"login,omitempty"`
}

// Do carries a command out.
func (d *Desk) Do(context.Context, Command) (*Reply, error) {
	return nil, fault.New(fault.Unsupported, "not yet")
}
