package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web/api"
)

// ownAPI is Lanyard's own API as runs of this process see it. The name resolves
// nowhere: requests for it never leave the process.
const ownAPI = "http://lanyard.internal"

// operator is who a table says made a change that was asked for by command.
const operator = "operator"

// tables are those of the folder.
func (f *Folder) tables() *table.Desk {
	return &table.Desk{Actor: operator, Tables: &table.Tables{Store: f.db.Tables(), Now: time.Now, Scratch: f.data}}
}

// Tables implements api.Service.
func (f *Folder) Tables(ctx context.Context, c table.Command) (*table.Reply, error) {
	return f.tables().Do(ctx, c)
}

// ImportTable implements api.Service.
func (f *Folder) ImportTable(ctx context.Context, o table.ImportOptions, file io.Reader) (*table.ImportReport, error) {
	return f.tables().Import(ctx, o, file)
}

// ExportTable implements api.Service.
func (f *Folder) ExportTable(ctx context.Context, o table.ExportOptions, w io.Writer) error {
	return f.tables().Export(ctx, o, w)
}

// Accounts implements api.Service.
func (f *Folder) Accounts(ctx context.Context, q api.AccountQuery) (page api.AccountPage, err error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return page, err
	}
	page.Accounts, err = box.directory.Accounts(ctx, directory.AccountQuery{Realm: q.Realm, Email: directory.Fold(q.Email), After: q.After}, q.Limit+1, nil)
	if len(page.Accounts) > q.Limit {
		page.Accounts = page.Accounts[:q.Limit]
		page.Next = page.Accounts[q.Limit-1].ID
	}
	return page, err
}

// Account implements api.Service.
func (f *Folder) Account(ctx context.Context, realm, ref string) (*directory.Account, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	return box.directory.FindAccount(ctx, realm, ref)
}

// StartFlow implements api.Service.
func (f *Folder) StartFlow(ctx context.Context, id string, flow api.Flow) (run.Run, error) {
	file := flow.File
	if !strings.HasPrefix(file, catalog.Address) {
		if !filepath.IsLocal(file) {
			return run.Run{}, fault.New(fault.Refused, "the document %q is not below the folder of lanyard.yaml", flow.File).Fix("name it by its path from there")
		}
		file = filepath.Join(f.plans.dir, file)
	}
	p, err := f.plans.plan(ctx, trigger.Action{File: file, Workflow: flow.Workflow, Sandbox: flow.Sandbox})
	if err != nil {
		return run.Run{}, err
	}
	if _, err := f.worker.Start(ctx, run.Spec{ID: id, Bindings: run.Bindings{Sandbox: flow.Sandbox}, Trigger: "api", StartedBy: run.Starter(ctx)}, p, flow.Inputs); err != nil {
		var wrong *plan.InputError
		if errors.As(err, &wrong) {
			err = fault.Wrap(fault.Invalid, err, "%s", fault.Public(err)).At("inputs").Fix("send each as a member of inputs in the body")
		}
		return run.Run{}, err
	}
	return f.worker.Store.Run(ctx, id)
}

// inside is the own API for runs of this process. Whoever can start a run here owns
// the data folder; what the run changes says which one it was.
func (f *Folder) inside() http.Handler {
	mux := http.NewServeMux()
	(&api.API{Service: f, Log: f.log, Callers: func(ctx context.Context, _, _ string) (api.Caller, error) {
		return api.Caller{Actor: "run " + run.ID(ctx), Scopes: api.Scopes()}, nil
	}}).Mount(mux)
	return mux
}

// apiCallers lets holders of API tokens of the sandbox's Okta org in: super
// administrators to its people and tables, those who may read everything to read
// it. Starting flows and imports is left to the owner of the data folder: they reach
// the connections, which are none of the org's.
func (f *Folder) apiCallers(ctx context.Context, scheme, token string) (api.Caller, error) {
	refused := fault.New(fault.Unauthorized, "the request has no valid token").
		Fix("use the token in the data folder's serve.json, or an API token (lanyard tokens create) behind SSWS")
	if !strings.EqualFold(scheme, "SSWS") {
		return api.Caller{}, refused
	}
	box, err := f.openSandbox(ctx)
	if err != nil {
		return api.Caller{}, err
	}
	who, err := box.oauth.Authorize(ctx, oauth.Call{Scheme: scheme, Token: token})
	if err != nil {
		if fault.Is(err, fault.Unauthorized) {
			err = refused
		}
		return api.Caller{}, err
	}
	caller := api.Caller{Actor: "token " + who.Credential, Scopes: []string{}}
	if who.Account != nil {
		caller.Actor = who.Account.Login()
	}
	switch {
	case slices.Contains(who.Roles, "SUPER_ADMIN"):
		caller.Scopes = append(caller.Scopes, api.ManageTables)
		fallthrough
	case slices.Contains(who.Roles, "READ_ONLY_ADMIN"):
		caller.Scopes = append(caller.Scopes, api.ReadTables, api.ReadPeople, api.ReadRuns, api.ReadImports)
	}
	return caller, nil
}
