package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// rehearsal lists the paths that change the stage.
func (a *API) rehearsal() map[string]web.Handler {
	const faults, clock = prefix + "/rehearsal/faults", prefix + "/rehearsal/clock"
	return map[string]web.Handler{
		"GET " + faults:    a.faults,
		"PUT " + faults:    a.setFaults,
		"DELETE " + faults: a.clearFaults,
		"GET " + clock:     a.clock,
		"PUT " + clock:     a.setClock,
	}
}

func (a *API) faults(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, a.Stage.Faults.Report())
}

// setFaults reads a setting in YAML or JSON. The parameter file is its name in
// places of mistakes.
func (a *API) setFaults(w http.ResponseWriter, r *http.Request) error {
	data, err := web.ReadBody(r, web.MaxBody)
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("file")
	if name == "" {
		name = "body"
	}
	if err := a.Stage.Faults.Load(name, data); err != nil {
		return err
	}
	return a.faults(w, r)
}

func (a *API) clearFaults(w http.ResponseWriter, _ *http.Request) error {
	a.Stage.Faults.Clear()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Clock is what the clock of the rehearsal shows.
type Clock struct {
	Now    time.Time `json:"now"`
	Real   time.Time `json:"real"`   // of the machine
	Offset string    `json:"offset"` // now - real: "24h0m0s"
	Frozen bool      `json:"frozen"`
}

// ClockChange moves the clock of the rehearsal: to a time, to an offset from the
// machine's, or on by a duration.
type ClockChange struct {
	At        *time.Time `json:"at,omitempty"`
	Offset    string     `json:"offset,omitempty"`  // "24h", "-90m"
	Advance   string     `json:"advance,omitempty"` // "5m"
	Frozen    *bool      `json:"frozen,omitempty"`  // nil: as it is
	Backwards bool       `json:"backwards,omitempty"`
}

func (a *API) clock(w http.ResponseWriter, _ *http.Request) error {
	return writeClock(w, a.Stage.Clock.State())
}

func writeClock(w http.ResponseWriter, s rehearsal.ClockState) error {
	return web.WriteJSON(w, http.StatusOK, Clock{s.Now.UTC(), s.Real.UTC(), s.Offset.Round(time.Microsecond).String(), s.Frozen})
}

func (a *API) setClock(w http.ResponseWriter, r *http.Request) error {
	var body ClockChange
	if err := read(r, &body); err != nil {
		return err
	}
	change := rehearsal.ClockChange{At: body.At, Freeze: body.Frozen, Backwards: body.Backwards}
	var err1, err2 error
	change.Offset, err1 = duration("offset", body.Offset)
	change.Advance, err2 = duration("advance", body.Advance)
	if err := fault.Join(err1, err2); err != nil {
		return err
	}
	state, err := a.Stage.Clock.Change(change)
	if err != nil {
		return err
	}
	return writeClock(w, state)
}

// duration reads a field that may be empty.
func duration(field, text string) (*time.Duration, error) {
	if text == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no duration", field).Fix("write it as 90s, 5m or 24h")
	}
	return &d, nil
}

// Faults returns the faults of the serving process, and what they did.
func (c *Client) Faults(ctx context.Context) (rehearsal.Report, error) {
	return c.faults(ctx, http.MethodGet, "", nil)
}

// SetFaults puts a setting in force; file is its name in places of mistakes.
func (c *Client) SetFaults(ctx context.Context, file string, setting []byte) (rehearsal.Report, error) {
	return c.faults(ctx, http.MethodPut, "?file="+url.QueryEscape(file), setting)
}

func (c *Client) faults(ctx context.Context, method, query string, body []byte) (out rehearsal.Report, err error) {
	err = c.send(ctx, method, "/rehearsal/faults"+query, body, &out)
	return out, err
}

// ClearFaults ends all faults of the serving process.
func (c *Client) ClearFaults(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/rehearsal/faults", nil, nil)
}

// Clock returns the time of the serving process's directory.
func (c *Client) Clock(ctx context.Context) (out Clock, err error) {
	err = c.call(ctx, http.MethodGet, "/rehearsal/clock", nil, &out)
	return out, err
}

// SetClock moves it.
func (c *Client) SetClock(ctx context.Context, change ClockChange) (out Clock, err error) {
	err = c.call(ctx, http.MethodPut, "/rehearsal/clock", change, &out)
	return out, err
}
