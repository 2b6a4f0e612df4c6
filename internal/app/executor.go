package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// executor makes the calls of runs on the connections of a configuration.
type executor struct {
	data      string // the data folder, where connections are added
	client    *egress.Client
	connector *connector.Connector
}

var _ worker.Executor = (*executor)(nil)

// newExecutor wires connector and client to a folder. The sandbox is opened when
// it is first called.
func newExecutor(f *Folder) *executor {
	client := egress.New(egress.Policy{UserAgent: userAgent, InProcess: map[string]http.Handler{
		oktaSandbox:  f.lazily(oktaSandbox),
		auth0Sandbox: f.lazily(auth0Sandbox),
		scimSandbox:  f.lazily(scimSandbox),
		ownAPI:       http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.own.ServeHTTP(w, r) }),
	}})
	vault := &secret.FileVault{Dir: f.data, Env: f.env}
	return &executor{data: f.data, client: client, connector: connector.New(connector.Options{
		Config: f.config, Secrets: &secret.Resolver{Env: f.env, Vault: vault}, Vault: vault, Client: client,
		Sandbox: sandboxServers(), Inside: insideServers(), SandboxToken: secret.NewValue(randomText(16)),
	})}
}

// lazily serves one of the sandbox's tenants.
func (f *Folder) lazily(origin string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		box, err := f.openSandbox(r.Context())
		if err != nil {
			f.log.Error("the sandbox cannot be opened", "error", err)
			http.Error(w, fault.Public(err), http.StatusServiceUnavailable)
			return
		}
		if id := run.ID(r.Context()); id != "" { // the change log then tells which run made a change
			r.Header.Set("User-Agent", trigger.AgentPrefix+id)
		}
		if origin == oktaSandbox && strings.Contains(r.URL.Path, "/identity-sources/") {
			f.importMeanwhile(r.Context())
		}
		box.handlers[origin].ServeHTTP(w, r)
	})
}

// sandboxServers says which of the sandbox's tenants plays which provider.
func sandboxServers() map[string]string {
	servers := map[string]string{}
	entries, _ := catalog.All() // a test holds the embedded profiles to be right
	for _, e := range entries {
		switch e.Sandbox {
		case "okta":
			servers[e.Name] = oktaSandbox
		case "auth0":
			servers[e.Name] = auth0Sandbox
		case "scim":
			servers[e.Name] = scimSandbox
		}
	}
	return servers
}

// insideServers says which entries this process serves itself.
func insideServers() map[string]string {
	servers := map[string]string{}
	entries, _ := catalog.All() // a test holds the embedded profiles to be right
	for _, e := range entries {
		if e.Inside {
			servers[e.Name] = ownAPI
		}
	}
	return servers
}

func (x *executor) close() { x.client.Close() }

// refresh takes over the connections that commands have added or removed since.
func (x *executor) refresh() error {
	book, err := config.ReadBook(x.data)
	if err == nil {
		x.connector.Use(book)
	}
	return err
}

// Bind implements worker.Executor: every source of the plan gets its connection,
// and every credential is resolved, before anything is sent.
func (x *executor) Bind(ctx context.Context, p *plan.Plan, b run.Bindings) (worker.Caller, error) {
	if err := x.refresh(); err != nil {
		return nil, err
	}
	c := &caller{connector: x.connector, connections: map[sourceKey]*connector.Connection{}}
	var errs []error
	secretSteps := stepsWithSecrets(p)
	for key, src := range planSources(p) {
		conn, err := x.connector.Bind(src, b)
		if err == nil {
			err = withholdSecrets(conn, secretSteps[key])
		}
		if err == nil {
			err = x.connector.Open(ctx, conn)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.connections[key] = conn
	}
	slices.SortFunc(errs, func(a, b error) int { // from a map: keep reports stable
		if a.Error() < b.Error() {
			return -1
		}
		return 1
	})
	return c, fault.Join(errs...)
}

// sourceKey names a source: equal names in two documents are two sources.
type sourceKey struct{ document, name string }

func keyOf(op *plan.Operation) sourceKey { return sourceKey{op.Document, op.Source} }

// planSources gathers what binding has to know of each source of a plan.
func planSources(p *plan.Plan) map[sourceKey]connector.Source {
	out := map[sourceKey]connector.Source{}
	for op := range p.Operations() {
		src, ok := out[keyOf(op)]
		if !ok {
			src = connector.Source{Name: op.Source, Title: op.Title, Location: op.SourceURL, Schemes: op.Schemes}
		}
		if !slices.Contains(src.Operations, op.Operation) {
			src.Operations = append(src.Operations, op.Operation)
		}
		out[keyOf(op)] = src
	}
	return out
}

// stepsWithSecrets names, for each source, a step that sends it a secret input.
func stepsWithSecrets(p *plan.Plan) map[sourceKey]string {
	out, secrets := map[sourceKey]string{}, p.InputSecrets()
	note := func(op *plan.Operation, w *plan.Workflow, s *plan.Step) {
		if _, ok := out[keyOf(op)]; !ok {
			out[keyOf(op)] = "step " + s.ID + " of workflow " + w.ID
		}
	}
	for _, w := range p.Workflows {
		for _, s := range w.Steps {
			if s.Operation != nil && secrets.Receives(w, s) {
				note(s.Operation, w, s)
			}
			if secrets.LookupReceives(w, s) {
				note(s.Idempotency.Lookup.Operation, w, s)
			}
		}
	}
	return out
}

// withholdSecrets refuses to send secret inputs to a server that nobody but the
// source's description names: a description from the web must not decide where
// a password goes. step is one that would, empty when none does.
func withholdSecrets(conn *connector.Connection, step string) error {
	if step == "" || conn.BoundBy != connector.ByDescription {
		return nil
	}
	return fault.New(fault.Refused, "%s sends a secret input to %s, and only the description of source %s names that server", step, conn.Server, conn.Source).
		Fix("bind the server: --server %s=URL, or connections.%s.server in lanyard.yaml", conn.Source, conn.Source)
}

// caller makes the calls of one run.
type caller struct {
	connector   *connector.Connector
	connections map[sourceKey]*connector.Connection
}

// Call implements worker.Caller.
func (c *caller) Call(ctx context.Context, call *engine.Call) *engine.Answer {
	conn := c.connections[keyOf(call.Operation)]
	x := c.connector.Do(ctx, conn, connector.Call{
		Operation: call.Operation.Operation, Request: call.Request, Timeout: call.Timeout, Within: call.Within, SelfPaced: call.SelfPaced,
	})
	a := &engine.Answer{URL: x.Request.URL, Attempts: len(x.Attempts)}
	for _, attempt := range x.Attempts {
		a.Micros += (attempt.Waited + attempt.Duration).Microseconds()
	}
	if x.Err != nil {
		a.Failure = failure(x.Err, x.Sent)
		return a
	}
	a.Status, a.Header = x.Response.Status, x.Response.Header
	a.Denied = fault.Public(x.Denied)
	a.SetBody(x.Response.Body)
	return a
}

// Attribution implements worker.Attributor.
func (c *caller) Attribution(call *engine.Call) (connection, identity string) {
	conn, ok := c.connections[keyOf(call.Operation)]
	if !ok {
		return "", ""
	}
	return cmp.Or(conn.Name, conn.BoundBy), conn.Identity()
}

// failure turns an error into what the journal keeps of it.
func failure(err error, sent bool) *engine.Failure {
	f := &engine.Failure{Kind: fault.KindOf(err).String(), Message: fault.Public(err), Sent: sent}
	if errors.Is(err, context.DeadlineExceeded) {
		f.Kind = fault.Timeout.String()
	}
	return f
}

// Secrets implements worker.Caller.
func (c *caller) Secrets() []string {
	var out []string
	for _, conn := range c.connections {
		out = append(out, conn.Secrets()...)
	}
	return out
}

// bind says what a plan's operations are bound to, for people.
func (a *App) bind(_ context.Context, req cli.PlanRequest) (func(*plan.Operation) cli.Binding, error) {
	c, err := a.configuration(&req.Settings)
	if err != nil {
		return nil, err
	}
	book, err := config.ReadBook(req.Data)
	if err != nil {
		return nil, err
	}
	conns := connector.New(connector.Options{Config: c, Book: book, Secrets: &secret.Resolver{Env: a.Env}, Sandbox: sandboxServers(), Inside: insideServers()})
	return func(op *plan.Operation) cli.Binding {
		src := connector.Source{Name: op.Source, Title: op.Title, Location: op.SourceURL, Operations: []*openapi.Operation{op.Operation}, Schemes: op.Schemes}
		conn, err := conns.Bind(src, req.Bindings)
		if err != nil {
			return cli.Binding{Problem: fault.Public(err), Credential: "none", Scopes: scopesOf(op)}
		}
		name := conn.Name
		if name == "" || conn.BoundBy == connector.ByFlag {
			name = fmt.Sprintf("%s (%s)", op.Source, conn.BoundBy)
		}
		return cli.Binding{Server: conn.Server, Connection: name, Credential: conn.Credential, Scopes: scopesOf(op)}
	}, nil
}

// scopesOf returns the scopes that an operation needs: those of its first
// alternative that names any.
func scopesOf(op *plan.Operation) []string {
	for _, alternative := range op.Security {
		var scopes []string
		for _, s := range alternative {
			scopes = append(scopes, s...)
		}
		if len(scopes) > 0 {
			slices.Sort(scopes)
			return slices.Compact(scopes)
		}
	}
	return nil
}
