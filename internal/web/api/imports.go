package api

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Paths of imports. POST of prefix/imports is for the commands.
const (
	importsPath = prefix + "/imports"
	importPath  = importsPath + "/{session}"
)

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

// orEmpty is a list that JSON writes as one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
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
	for _, state := range q["state"] {
		sessions.States = append(sessions.States, importer.State(state))
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
	entities := &importer.EntityQuery{Text: q.Get("text"), After: int64(after), Limit: limit}
	for _, action := range q["action"] {
		entities.Actions = append(entities.Actions, reconcile.Action(action))
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
