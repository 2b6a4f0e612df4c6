// Package api is Lanyard's own HTTP API, and its client.
//
// The process that holds a data folder serves it; the commands that find the
// folder held use the client, so that both see the same runs and people. Every
// request carries the token that the holder wrote into the data folder, where
// only its owner can read it. Others, and the runs of this process, may call what
// the catalogue's entry lanyard describes (data), as far as their scopes go.
//
// What the calls mean is the Service's business. Bodies are JSON; an error is
// {"kind","message","place","remedy"} with a fitting status, and "errors" beside
// it has all of them when there are several.
package api

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Service is what the API offers of an open data folder.
type Service interface {
	// Start begins a run; one that was started before under the id is left alone.
	Start(ctx context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error
	// StartFlow begins a run of a document beside lanyard.yaml, or of the catalogue;
	// one that was started before under the id is left alone.
	StartFlow(ctx context.Context, id string, f Flow) (run.Run, error)
	// Run returns a run's summary, or a NotFound error.
	Run(ctx context.Context, id string) (run.Run, error)
	// Runs returns summaries, the newest first.
	Runs(ctx context.Context, f worker.Filter) ([]run.Run, error)
	// Records returns a run's records behind the given number; with wait it first
	// waits until there is one or the run is at rest.
	Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error)
	// Items returns what has come of the items of a run's lists, by position.
	Items(ctx context.Context, f worker.ItemFilter) ([]run.Item, error)
	// Signal hands a person's decision to a run.
	Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error
	// People returns whoever has this e-mail address.
	People(ctx context.Context, email string) ([]directory.Person, error)
	// CreateToken makes an API token of the sandbox's Okta org. It is shown this
	// once.
	CreateToken(ctx context.Context, n oauth.NewAPIToken) (token string, kept oauth.APIToken, err error)
	// Tokens returns what is kept of the API tokens that are good.
	Tokens(ctx context.Context) ([]oauth.APIToken, error)
	// RevokeToken ends the API token with this id or name, and returns what was
	// kept of it.
	RevokeToken(ctx context.Context, ref string) (oauth.APIToken, error)

	SCIM
	TableService
	AccountService
	// Provisioning carries out what is asked of the provisioning of applications.
	Provisioning(ctx context.Context, c provision.Command) (*provision.Reply, error)
	// Imports carries out what is asked of identity sources and their imports.
	Imports(ctx context.Context, c importer.Command) (*importer.Reply, error)
	// Triggers carries out what is asked of triggers.
	Triggers(ctx context.Context, c trigger.Command) (*trigger.Reply, error)
	// Exchanges returns a page of the log of SCIM calls, in and out, newest first.
	Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error)
	// ReplayExchange makes a call of that log once more, by the credential that is
	// good now.
	ReplayExchange(ctx context.Context, id string) (*wirelog.Replayed, error)
}

// Flow is a workflow by where its document is.
type Flow struct {
	File     string         `json:"file"`               // path from the folder of lanyard.yaml, which it may not leave, or an address of the catalogue
	Workflow string         `json:"workflow,omitempty"` // empty: the first of the document
	Inputs   map[string]any `json:"inputs,omitempty"`
	Sandbox  bool           `json:"sandbox,omitempty"`
}

// startBody asks for a run.
type startBody struct {
	ID       string         `json:"id"`
	Bundle   []byte         `json:"bundle"` // plan.Bundle, encoded
	Inputs   map[string]any `json:"inputs"`
	Bindings run.Bindings   `json:"bindings"`
	// StartedBy is who starts it, as the command knows; the token of the request
	// says that they may.
	StartedBy string `json:"startedBy,omitempty"`
}

// signalBody carries a decision.
type signalBody struct {
	Event  engine.Event   `json:"event"`
	Inputs map[string]any `json:"inputs"`
}

// tokenBody is a new API token.
type tokenBody struct {
	Token string         `json:"token"`
	Kept  oauth.APIToken `json:"kept"`
}

// errorBody is what went wrong, as a stranger may read it. Several things at
// once are in Errors, and the first also stands outside.
type errorBody struct {
	Kind    string      `json:"kind"`
	Message string      `json:"message"`
	Place   string      `json:"place,omitempty"`
	Remedy  string      `json:"remedy,omitempty"`
	Errors  []errorBody `json:"errors,omitempty"`
}

// prefix of every path.
const prefix = "/api/v1"

// Bounds, in bytes. A bundle carries documents, a page of records the bodies of
// answers.
const (
	maxBody   = 64 << 20
	maxAnswer = 1 << 30
)

// recordsPage is how many records one answer holds at most. A client that gets
// as many asks for those behind them.
const recordsPage = 500
