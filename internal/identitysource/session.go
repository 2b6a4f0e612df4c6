package identitysource

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// apart is how long after an active session no other may be opened (okta.md 3.2).
const apart = 5 * time.Minute

// staleAfter is how long nobody has to have touched a session of others before it
// is taken for one that was forgotten. The tenant itself waits for a day.
const staleAfter = time.Hour

// open opens a session and keeps its id before anything is loaded into it.
func (p *pushing) open(ctx context.Context) error {
	for range 5 {
		active, err := p.clear(ctx)
		if err != nil {
			return err
		}
		if p.at.Intent {
			if own := p.unseen(active); own != "" {
				return p.take(ctx, own) // the answer to its creation was lost
			}
		}
		if !p.at.Intent || len(active) > 0 {
			p.at.Intent, p.at.Before = true, nil
			for _, s := range active {
				p.at.Before = append(p.at.Before, s.ID)
			}
			if err := p.keep(ctx); err != nil {
				return err
			}
		}
		id, err := p.create(ctx)
		if err != nil {
			return err
		}
		if id != "" {
			return p.take(ctx, id)
		}
	}
	return fault.New(fault.Unavailable, "the tenant opens no import session for the identity source %s", p.Source).
		Fix("somebody else may be importing into it; push again later")
}

// take goes on with a session that was opened.
func (p *pushing) take(ctx context.Context, id string) error {
	p.at.Intent, p.at.Before = false, nil
	p.at.Session, p.at.Loaded, p.at.Requests, p.at.Full = id, 0, 0, false
	return p.keep(ctx)
}

// unseen returns the session that waits for data and was not there when one was
// about to be opened. There is never more than one with this state.
func (p *pushing) unseen(active []remote) string {
	for _, s := range active {
		if s.Status == created && !slices.Contains(p.at.Before, s.ID) {
			return s.ID
		}
	}
	return ""
}

// create opens a session; "" means that it has to be tried again: the answer was
// lost, or an active session is too young.
func (p *pushing) create(ctx context.Context) (string, error) {
	p.result.Calls++
	a, err := p.API.Call(ctx, http.MethodPost, sessionsPath(p.Source), nil)
	switch {
	case final(err), err != nil && ctx.Err() != nil:
		return "", err
	case err != nil, a.passing():
		return "", p.Clock.Wait(ctx, 5*time.Second)
	case a.Status == http.StatusBadRequest && a.problem().Code == "E0000001":
		return "", p.Clock.Wait(ctx, time.Minute) // nobody says how young it is
	case !a.ok():
		return "", a.refused("a new import session")
	}
	var s remote
	if err := json.Unmarshal(a.Body, &s); err != nil || s.ID == "" {
		return "", fault.New(fault.Refused, "the tenant opened an import session and did not say which")
	}
	return s.ID, nil
}

// clear cancels what is in the way and waits until a session may be opened. It
// returns the sessions that are active then.
func (p *pushing) clear(ctx context.Context) ([]remote, error) {
	for {
		active, err := p.list(ctx)
		if err != nil {
			return nil, err
		}
		var wait time.Duration
		kept := active[:0]
		for _, s := range active {
			mine := slices.Contains(p.at.Ours, s.ID)
			adopted := p.at.Intent && s.Status == created && !slices.Contains(p.at.Before, s.ID)
			switch {
			case adopted:
				return active, nil
			case s.Status.open() && (mine || p.Clock.Now().Sub(s.touched()) >= cmp.Or(p.Stale, staleAfter)):
				if err := p.cancel(ctx, s.ID); err != nil {
					return nil, err
				}
				continue
			case s.Status == created:
				return nil, fault.New(fault.Conflict, "somebody else has opened the import session %s of the identity source %s", s.ID, p.Source).
					Fix("have it triggered or cancelled, or wait: it is cancelled when nobody has touched it for %s", cmp.Or(p.Stale, staleAfter))
			}
			wait = max(wait, s.Created.Add(apart).Sub(p.Clock.Now()))
			kept = append(kept, s)
		}
		if wait <= 0 {
			return kept, nil
		}
		p.note("another session is active; waiting until a new one may be opened", "")
		if err := p.Clock.Wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (p *pushing) list(ctx context.Context) ([]remote, error) {
	a, err := p.call(ctx, http.MethodGet, sessionsPath(p.Source), nil)
	if err != nil {
		return nil, err
	}
	if !a.ok() {
		return nil, a.refused("the list of import sessions")
	}
	var list []remote
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, fault.Wrap(fault.Refused, err, "the tenant's list of import sessions cannot be read")
	}
	// Some are listed after their end.
	return slices.DeleteFunc(list, func(s remote) bool { return !s.Status.open() && s.Status != triggered }), nil
}

// show returns a session. One that the tenant does not know is fault.NotFound:
// it says 400 then, not 404 (okta.md 3.1).
func (p *pushing) show(ctx context.Context, id string) (remote, error) {
	a, err := p.call(ctx, http.MethodGet, sessionsPath(p.Source)+"/"+id, nil)
	if err != nil {
		return remote{}, err
	}
	if a.Status == http.StatusBadRequest {
		return remote{}, fault.New(fault.NotFound, "the tenant does not know the import session %s", id)
	}
	if !a.ok() {
		return remote{}, a.refused("the import session " + id)
	}
	var s remote
	if err := json.Unmarshal(a.Body, &s); err != nil {
		return s, fault.Wrap(fault.Refused, err, "the import session %s cannot be read", id)
	}
	return s, nil
}

// cancel closes a session that was not triggered; one that is over is left.
func (p *pushing) cancel(ctx context.Context, id string) error {
	a, err := p.call(ctx, http.MethodDelete, sessionsPath(p.Source)+"/"+id, nil)
	if err != nil || a.ok() || a.Status == http.StatusBadRequest || a.Status == http.StatusNotFound {
		return err
	}
	return a.refused("the end of the import session " + id)
}
