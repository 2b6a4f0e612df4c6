package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Paths of imports. POST of prefix/imports is for the commands.
const (
	importsPath = prefix + "/imports"
	importPath  = importsPath + "/{session}"
)

// imports carries out what the commands ask for. Plans and reports have no end that
// memory could hold: they are the body as they stand.
func (a *API) imports(w http.ResponseWriter, r *http.Request) error {
	var body importer.Command
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.Service.Imports(r.Context(), body)
	switch {
	case err != nil:
		return err
	case reply.Pieces != nil:
		return streamed(w, reply.Pieces, body.Format)
	case reply.Plan != nil:
		defer reply.Plan.Close()
		out := &firstWrite{ResponseWriter: w, media: "application/json"}
		if _, err := reply.Plan.WriteTo(out); err != nil && out.begun {
			panic(http.ErrAbortHandler) // the status is out: only a cut tells
		} else if err != nil {
			return err
		}
		return nil
	}
	return web.WriteJSON(w, http.StatusOK, reply)
}

// streamed writes a report as it is read. One that breaks off is cut off: half a
// report does not pass for a whole one.
func streamed(w http.ResponseWriter, pieces iter.Seq2[[]byte, error], format importer.DownloadFormat) error {
	out := &firstWrite{ResponseWriter: w, media: "text/csv; charset=utf-8"}
	if format == importer.JSON {
		out.media = "application/json"
	}
	for piece, err := range pieces {
		if err == nil && len(piece) > 0 {
			_, err = out.Write(piece)
		}
		if err != nil && out.begun {
			panic(http.ErrAbortHandler) // the status is out: only a cut tells
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyPlan carries a plan out that is the body. All of it is read before anything
// is done.
func (a *API) applyPlan(w http.ResponseWriter, r *http.Request) error {
	p, err := importer.ReadPlan(r.Body)
	if err != nil {
		return err
	}
	defer p.Close()
	reply, err := a.Service.Imports(r.Context(), importer.Command{Do: importer.ApplyPlan, Plan: p})
	return answer(w, http.StatusOK, reply, err)
}

// Imports implements Service.
func (c *Client) Imports(ctx context.Context, command importer.Command) (*importer.Reply, error) {
	var reply importer.Reply
	switch command.Do {
	case importer.ApplyPlan:
		if command.Plan == nil {
			return nil, fault.New(fault.Usage, "there is no plan to apply")
		}
		return &reply, c.applyPlan(ctx, command.Plan, &reply)
	case importer.MakePreview, importer.Download:
		return c.stream(ctx, command)
	}
	if err := c.call(ctx, http.MethodPost, "/imports", command, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

func (c *Client) applyPlan(ctx context.Context, p *importer.Plan, reply *importer.Reply) error {
	body, to := io.Pipe()
	var writing sync.WaitGroup
	writing.Go(func() {
		_, err := p.WriteTo(to)
		_ = to.CloseWithError(err) // it never fails
	})
	defer writing.Wait()
	defer func() { _ = body.Close() }() // when the answer came before the end of the plan
	res, err := c.open(ctx, http.MethodPost, "/plans", body)
	if err != nil {
		return err
	}
	return c.finish(ctx, res, reply)
}

// stream asks for what is not read into memory.
func (c *Client) stream(ctx context.Context, command importer.Command) (*importer.Reply, error) {
	data, err := json.Marshal(command)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the request cannot be written")
	}
	res, err := c.open(ctx, http.MethodPost, "/imports", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, c.finish(ctx, res, nil)
	}
	if command.Do == importer.Download {
		return &importer.Reply{Pieces: pieces(ctx, res.Body)}, nil
	}
	defer res.Body.Close()
	p, err := importer.ReadPlan(&answering{ctx: ctx, body: res.Body})
	return &importer.Reply{Plan: p}, err
}

// pieces yields a body, which it closes.
func pieces(ctx context.Context, body io.ReadCloser) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer body.Close()
		from, b := &answering{ctx: ctx, body: body}, make([]byte, 1<<16)
		for {
			n, err := from.Read(b)
			if n > 0 && !yield(b[:n], nil) || errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// answering is a body of an answer, whose end before its time is told as what it is.
type answering struct {
	ctx  context.Context //nolint:containedctx // that of the request
	body io.Reader
}

func (a *answering) Read(b []byte) (int, error) {
	n, err := a.body.Read(b)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case a.ctx.Err() != nil:
		return n, a.ctx.Err()
	}
	return n, brokeOff(err)
}

// importRoutes are the paths of imports that callers with a scope may use. They
// name no file: what a source is read from is written in lanyard.yaml.
func (a *API) importRoutes() map[string]route {
	return map[string]route{
		"GET " + prefix + "/sources":                       {ReadImports, a.listSources},
		"GET " + prefix + "/sources/{source}":              {ReadImports, a.getSource},
		"PUT " + prefix + "/sources/{source}/imports/{id}": {ManageImports, a.runImport},
		"GET " + importsPath:                               {ReadImports, a.listImports},
		"GET " + importPath:                                {ReadImports, a.getImport},
		"GET " + importPath + "/entities":                  {ReadImports, a.listEntities},
		"GET " + importPath + "/download":                  {ReadImports, a.downloadImport},
		"POST " + importPath + "/approve":                  {ManageImports, a.decide(importer.Approve)},
		"POST " + importPath + "/reject":                   {ManageImports, a.decide(importer.Reject)},
		"POST " + importPath + "/cancel":                   {ManageImports, a.decide(importer.Cancel)},
	}
}

// ask carries a command about imports out in the name of the caller.
func (a *API) ask(r *http.Request, c importer.Command) (*importer.Reply, error) {
	if who := actor(r.Context()); who != "" {
		system := directory.System(who)
		c.Actor = &system
	}
	return a.Service.Imports(r.Context(), c)
}

func (a *API) listSources(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.ask(r, importer.Command{Do: importer.ListSources})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"sources": orEmpty(reply.Sources)})
}

func (a *API) getSource(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.ask(r, importer.Command{Do: importer.ShowSource, Source: r.PathValue("source")})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, reply.Sources[0])
}

// runBody says how a source is imported.
type runBody struct {
	Type importer.Type `json:"type,omitempty"` // empty: as the source's settings say
	Wait *bool         `json:"wait,omitempty"` // nil: until it is done, or waits for approval
}

func (a *API) runImport(w http.ResponseWriter, r *http.Request) error {
	var body runBody
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.ask(r, importer.Command{Do: importer.RunImport, Source: r.PathValue("source"), Run: importer.RunOptions{
		Type: body.Type, NoWait: body.Wait != nil && !*body.Wait, ID: r.PathValue("id"),
	}})
	return oneSession(w, reply, err)
}

func oneSession(w http.ResponseWriter, reply *importer.Reply, err error) error {
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, reply.Session)
}

func (a *API) listImports(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", 50, 1, 1000)
	if err != nil {
		return err
	}
	sessions := &importer.SessionQuery{After: q.Get("after"), Limit: limit}
	for _, name := range q["state"] {
		state := importer.State(strings.ToUpper(name))
		if !slices.Contains(importer.States(), state) {
			return fault.New(fault.Invalid, "there is no state %q", name).At("state").Fix("use one of %v", importer.States())
		}
		sessions.States = append(sessions.States, state)
	}
	reply, err := a.ask(r, importer.Command{Do: importer.ListSessions, Source: q.Get("source"), Sessions: sessions})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"imports": orEmpty(reply.Sessions)})
}

func (a *API) getImport(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.ask(r, importer.Command{Do: importer.ShowReport, Session: r.PathValue("session")})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, reply.Report)
}

func (a *API) listEntities(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", 100, 1, 1000)
	if err != nil {
		return err
	}
	after, err := web.Int(q, "after", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	entities := &importer.EntityQuery{Kind: importer.Kind(q.Get("kind")), Text: q.Get("text"), After: int64(after), Limit: limit}
	if kinds := []importer.Kind{"", importer.UserKind, importer.GroupKind, importer.MembershipKind}; !slices.Contains(kinds, entities.Kind) {
		return fault.New(fault.Invalid, "there is no kind %q", string(entities.Kind)).At("kind").Fix("use one of %v", kinds[1:])
	}
	for _, name := range q["action"] {
		action, err := actionOf(name)
		if err != nil {
			return err
		}
		entities.Actions = append(entities.Actions, action)
	}
	reply, err := a.ask(r, importer.Command{Do: importer.ListEntities, Session: r.PathValue("session"), Entities: entities})
	if err != nil {
		return err
	}
	answer := map[string]any{"entities": orEmpty(reply.Entities), "count": reply.Count}
	if n := len(reply.Entities); n == limit {
		answer["next"] = reply.Entities[n-1].Seq
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}

// actionOf is the action of a name: create, or what it is called once it is done.
func actionOf(name string) (reconcile.Action, error) {
	words := importer.ActionWords()
	for word, action := range words {
		if name == word || name == string(action) {
			return action, nil
		}
	}
	return "", fault.New(fault.Invalid, "there is no action %q", name).At("action").Fix("use one of %s", strings.Join(slices.Sorted(maps.Keys(words)), ", "))
}

// downloadImport answers the report as a file.
func (a *API) downloadImport(w http.ResponseWriter, r *http.Request) error {
	format := importer.DownloadFormat(cmp.Or(r.URL.Query().Get("format"), string(importer.CSV)))
	if format != importer.CSV && format != importer.JSON {
		return fault.New(fault.Invalid, "there is no format %q", string(format)).At("format").Fix("use csv or json")
	}
	session := r.PathValue("session")
	reply, err := a.ask(r, importer.Command{Do: importer.Download, Session: session, Format: format})
	if err != nil {
		return err
	}
	name := mime.FormatMediaType("attachment", map[string]string{"filename": session + "." + string(format)})
	w.Header().Set("Content-Disposition", name)
	err = streamed(w, reply.Pieces, format)
	if err != nil { // what is answered is no file
		w.Header().Del("Content-Disposition")
	}
	return err
}

// reasonBody says why somebody decides something.
type reasonBody struct {
	Reason string `json:"reason,omitempty"`
}

func (a *API) decide(do importer.Verb) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var body reasonBody
		if err := read(r, &body); err != nil {
			return err
		}
		reply, err := a.ask(r, importer.Command{Do: do, Session: r.PathValue("session"), Reason: body.Reason})
		return oneSession(w, reply, err)
	}
}
