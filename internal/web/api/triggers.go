package api

import (
	"encoding/json"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web"
)

// byAPI is who starts and switches what nobody says the name of.
const byAPI = "api"

// triggerRoutes are the paths of triggers. They are for the owner of the data folder
// alone: what triggers start reaches the connections. POST of prefix/triggers is for
// the commands.
func (a *API) triggerRoutes() map[string]web.Handler {
	return map[string]web.Handler{
		"GET " + prefix + "/triggers":                a.listTriggers,
		"GET " + prefix + "/triggers/{name}":         a.oneTrigger,
		"GET " + prefix + "/triggers/{name}/history": a.history,
		"POST " + prefix + "/triggers/{name}/fire":   a.fire,
		"POST " + prefix + "/triggers/{name}/on":     a.turn(trigger.On),
		"POST " + prefix + "/triggers/{name}/off":    a.turn(trigger.Off),
		"GET " + prefix + "/firings":                 a.history,
	}
}

func (a *API) listTriggers(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.Service.Triggers(r.Context(), trigger.Command{Do: trigger.List})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"triggers": orEmpty(reply.Triggers), "notes": orEmpty(reply.Notes)})
}

// oneTrigger answers with a trigger as it is now.
func (a *API) oneTrigger(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.Service.Triggers(r.Context(), trigger.Command{Do: trigger.Show, Name: r.PathValue("name")})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, reply.Triggers[0])
}

// history lists what a trigger took notice of, or all of them, newest first.
func (a *API) history(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", 50, 1, 1000)
	if err != nil {
		return err
	}
	c := trigger.Command{Do: trigger.History, Name: r.PathValue("name"), State: trigger.State(q.Get("state")), Limit: limit}
	if c.Name == "" {
		c.Name = q.Get("trigger")
	}
	reply, err := a.Service.Triggers(r.Context(), c)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"firings": orEmpty(reply.Firings)})
}

// fireBody says what a trigger is told, and whether the end is waited for.
type fireBody struct {
	Event json.RawMessage `json:"event,omitempty"` // the body of a request, or the event; none for a schedule
	Wait  bool            `json:"wait,omitempty"`
}

func (a *API) fire(w http.ResponseWriter, r *http.Request) error {
	var body fireBody
	if err := readIfAny(r, &body); err != nil {
		return err
	}
	c := trigger.Command{Do: trigger.Fire, Name: r.PathValue("name"), Wait: body.Wait, By: byAPI}
	if body.Event != nil {
		c.Event = &trigger.Event{Body: string(body.Event), From: "event"}
	}
	reply, err := a.Service.Triggers(run.WithStarter(r.Context(), byAPI), c)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"started": orEmpty(reply.Would)})
}

// switchBody says why somebody switches a trigger.
type switchBody struct {
	Why string `json:"why,omitempty"`
}

func (a *API) turn(do trigger.Verb) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var body switchBody
		if err := readIfAny(r, &body); err != nil {
			return err
		}
		c := trigger.Command{Do: do, Name: r.PathValue("name"), Why: body.Why, By: byAPI}
		if _, err := a.Service.Triggers(r.Context(), c); err != nil {
			return err
		}
		return a.oneTrigger(w, r)
	}
}
