package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// API serves a Service.
type API struct {
	Service Service
	Stage   *rehearsal.Stage // nil: the paths of the rehearsal are not there
	Token   string           // of the owner of the data folder, as a bearer token; empty: there is none
	// Callers tells who others are, by the Authorization header; an error is
	// fault.Unauthorized. Nil: nobody else may call.
	Callers func(ctx context.Context, scheme, token string) (Caller, error)
	Log     *slog.Logger
}

// route is a handler and the scope that callers need for it; the empty one is for
// the owner alone.
type route struct {
	scope  string
	handle web.Handler
}

// Mount puts the API on a mux.
func (a *API) Mount(mux *http.ServeMux) {
	front := &web.Front{Log: a.Log, NewID: requestID, Fail: fail}
	handlers := map[string]web.Handler{
		"POST " + prefix + "/runs":             a.start,
		"GET " + prefix + "/runs/{id}/records": a.records,
		"GET " + prefix + "/runs/{id}/items":   a.items,
		"POST " + prefix + "/runs/{id}/signal": a.signal,
		"POST " + prefix + "/tokens":           a.createToken,
		"GET " + prefix + "/tokens":            a.tokens,
		"DELETE " + prefix + "/tokens/{ref}":   a.revokeToken,
		"POST " + prefix + "/provisioning":     a.provisioning,
		"POST " + prefix + "/triggers":         a.triggers,
		"POST " + prefix + "/imports":          a.imports,
		"POST " + prefix + "/plans":            a.applyPlan,
		"POST " + prefix + "/exchanges":        a.exchanges,
		"POST " + prefix + "/exchanges/replay": a.replayExchange,
		"/":                                    unknown,
	}
	maps.Copy(handlers, a.scim())
	maps.Copy(handlers, a.triggerRoutes())
	if a.Stage != nil {
		maps.Copy(handlers, a.rehearsal())
	}
	for pattern, handler := range handlers {
		mux.Handle(pattern, front.Handle(a.authorized(owner, handler)))
	}
	mux.Handle("GET "+prefix+"/openapi.yaml", front.Handle(openAPI))
	for pattern, r := range a.data() {
		mux.Handle(pattern, front.Handle(a.authorized(r.scope, r.handle)))
	}
}

// data are the paths that callers with a scope may use: those of the description
// in the catalogue, and what the commands need beside them.
func (a *API) data() map[string]route {
	routes := map[string]route{
		"GET " + prefix + "/runs":      {ReadRuns, a.runs},
		"GET " + prefix + "/runs/{id}": {ReadRuns, a.run},
		"PUT " + prefix + "/runs/{id}": {ManageRuns, a.startFlow},
	}
	maps.Copy(routes, a.tables())
	maps.Copy(routes, a.accounts())
	maps.Copy(routes, a.importRoutes())
	return routes
}

func requestID() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}

func unknown(_ http.ResponseWriter, r *http.Request) error {
	return fault.New(fault.NotFound, "there is nothing at %s %s", r.Method, r.URL.Path)
}

// statuses translates kinds of failure to HTTP.
var statuses = map[fault.Kind]int{
	fault.Usage: http.StatusBadRequest, fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound,
	fault.Conflict: http.StatusConflict, fault.Unauthorized: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden,
	fault.RateLimited: http.StatusTooManyRequests, fault.Unavailable: http.StatusServiceUnavailable, fault.Timeout: http.StatusGatewayTimeout,
	fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Refused: http.StatusForbidden, fault.Unsupported: http.StatusNotImplemented,
	fault.Stale: http.StatusPreconditionFailed, fault.Locked: http.StatusLocked, fault.Held: http.StatusConflict,
}

// clientGone is the status in the log when nobody waits for the answer any more.
const clientGone = 499

func fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		w.WriteHeader(clientGone)
		return
	}
	bodies := describe(err)
	body := bodies[0]
	if len(bodies) > 1 {
		body.Errors = bodies
	}
	status, ok := statuses[fault.KindOf(err)]
	if !ok {
		status = http.StatusInternalServerError
	}
	_ = web.WriteJSON(w, status, body) // its fields are strings: it can be written
}

// describe takes an error apart into what may be shown of each failure in it.
func describe(err error) []errorBody {
	var list *fault.List
	if errors.As(err, &list) && len(list.Errors) > 0 {
		var out []errorBody
		for _, one := range list.Errors {
			out = append(out, describe(one)...)
		}
		return out
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return []errorBody{{Kind: f.Kind.String(), Message: f.Msg, Place: f.Place, Remedy: f.Remedy}}
	}
	return []errorBody{{Kind: fault.Internal.String(), Message: fault.Public(err)}}
}

// read decodes a request's body strictly and without losing digits.
func read(r *http.Request, into any) error {
	data, err := web.ReadBody(r, maxBody)
	if err != nil {
		return err
	}
	return decode(data, into)
}

// readIfAny is read where no body means that nothing is said.
func readIfAny(r *http.Request, into any) error {
	data, err := web.ReadBody(r, maxBody)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return err
	}
	return decode(data, into)
}

func decode(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Invalid, err, "the request body does not read: %s", misread(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return fault.New(fault.Invalid, "the request body goes on behind its JSON value")
	}
	if _, err := value.DecodeExact(data); err != nil {
		return fault.Wrap(fault.Invalid, err, "the request body does not read: %s", fault.Public(err))
	}
	return nil
}

// misread says what is wrong with a body, without the names of our types.
func misread(err error) string {
	var other *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &other):
		return strings.TrimPrefix(err.Error(), "json: ")
	case other.Field == "":
		return "it may not be of the type " + other.Value
	}
	return other.Field + " may not be of the type " + other.Value
}

// answer answers with what was asked for, unless that failed.
func answer(w http.ResponseWriter, status int, v any, err error) error {
	if err != nil {
		return err
	}
	return web.WriteJSON(w, status, v)
}

// orEmpty is a list that JSON writes as one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (a *API) start(w http.ResponseWriter, r *http.Request) error {
	var body startBody
	if err := read(r, &body); err != nil {
		return err
	}
	if body.ID == "" {
		return fault.New(fault.Invalid, "the run needs an id")
	}
	bundle, err := plan.DecodeBundle(body.Bundle)
	if err != nil {
		return err
	}
	p, diags := plan.Compile(bundle)
	if p == nil {
		return &plan.RefusedError{Diagnostics: diags}
	}
	if err := a.Service.Start(run.WithStarter(r.Context(), body.StartedBy), body.ID, p, body.Inputs, body.Bindings); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, map[string]string{"id": body.ID})
}

// startFlow starts a workflow of a document that this process can read itself. The
// same again is the same run.
func (a *API) startFlow(w http.ResponseWriter, r *http.Request) error {
	var body Flow
	if err := read(r, &body); err != nil {
		return err
	}
	one, err := a.Service.StartFlow(run.WithStarter(r.Context(), actor(r.Context())), r.PathValue("id"), body)
	return answer(w, http.StatusOK, one, err)
}

func (a *API) runs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", 50, 0, 1_000_000)
	if err != nil {
		return err
	}
	f := worker.Filter{Workflow: q.Get("workflow"), Limit: limit}
	for _, s := range q["status"] {
		f.Statuses = append(f.Statuses, run.Status(s))
	}
	runs, err := a.Service.Runs(r.Context(), f)
	return answer(w, http.StatusOK, orEmpty(runs), err)
}

func (a *API) run(w http.ResponseWriter, r *http.Request) error {
	one, err := a.Service.Run(r.Context(), r.PathValue("id"))
	return answer(w, http.StatusOK, one, err)
}

func (a *API) records(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	after, err := web.Int(q, "after", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	wait, err := web.Bool(q, "wait", false)
	if err != nil {
		return err
	}
	records, err := a.Service.Records(r.Context(), r.PathValue("id"), after, wait)
	return answer(w, http.StatusOK, orEmpty(records[:min(len(records), recordsPage)]), err)
}

func (a *API) items(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := worker.ItemFilter{Run: r.PathValue("id"), Step: q.Get("step")}
	for name, into := range map[string]*int{"list": &f.Loop, "from": &f.From, "limit": &f.Limit} {
		n, err := web.Int(q, name, 0, 0, 1<<31-1)
		if err != nil {
			return err
		}
		*into = n
	}
	for _, s := range q["status"] {
		f.Statuses = append(f.Statuses, run.Status(s))
	}
	items, err := a.Service.Items(r.Context(), f)
	return answer(w, http.StatusOK, orEmpty(items), err)
}

func (a *API) signal(w http.ResponseWriter, r *http.Request) error {
	var body signalBody
	if err := read(r, &body); err != nil {
		return err
	}
	switch body.Event.Kind {
	case engine.Resumed, engine.Retried, engine.Skipped, engine.Cancelled:
	default: // the others are the driver's to make
		return fault.New(fault.Invalid, "%q is no decision about a run", body.Event.Kind)
	}
	if err := a.Service.Signal(r.Context(), r.PathValue("id"), body.Event, body.Inputs); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) people(w http.ResponseWriter, r *http.Request) error {
	people, err := a.Service.People(r.Context(), r.URL.Query().Get("email"))
	return answer(w, http.StatusOK, orEmpty(people), err)
}

func (a *API) createToken(w http.ResponseWriter, r *http.Request) error {
	var body oauth.NewAPIToken
	if err := read(r, &body); err != nil {
		return err
	}
	token, kept, err := a.Service.CreateToken(r.Context(), body)
	return answer(w, http.StatusCreated, tokenBody{Token: token, Kept: kept}, err)
}

func (a *API) tokens(w http.ResponseWriter, r *http.Request) error {
	tokens, err := a.Service.Tokens(r.Context())
	return answer(w, http.StatusOK, orEmpty(tokens), err)
}

func (a *API) revokeToken(w http.ResponseWriter, r *http.Request) error {
	kept, err := a.Service.RevokeToken(r.Context(), r.PathValue("ref"))
	return answer(w, http.StatusOK, kept, err)
}

func (a *API) provisioning(w http.ResponseWriter, r *http.Request) error {
	var body provision.Command
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.Service.Provisioning(r.Context(), body)
	return answer(w, http.StatusOK, reply, err)
}

func (a *API) triggers(w http.ResponseWriter, r *http.Request) error {
	var body trigger.Command
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.Service.Triggers(run.WithStarter(r.Context(), body.By), body)
	return answer(w, http.StatusOK, reply, err)
}

// exchanges is a POST because a query has more parts than an address can say
// plainly.
func (a *API) exchanges(w http.ResponseWriter, r *http.Request) error {
	var body wirelog.Query
	if err := read(r, &body); err != nil {
		return err
	}
	page, err := a.Service.Exchanges(r.Context(), body)
	return answer(w, http.StatusOK, page, err)
}

// replayBody names a call to be made again.
type replayBody struct {
	ID string `json:"id"`
}

func (a *API) replayExchange(w http.ResponseWriter, r *http.Request) error {
	var body replayBody
	if err := read(r, &body); err != nil {
		return err
	}
	again, err := a.Service.ReplayExchange(r.Context(), body.ID)
	return answer(w, http.StatusOK, again, err)
}
