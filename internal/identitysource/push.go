package identitysource

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Tenant is an identity source of an Okta tenant. One push at a time may run for
// a source; the fields are set before first use.
type Tenant struct {
	API    API
	Source string // id of the Custom Identity Source application
	Clock  Clock
	Log    *slog.Logger // nil: no log

	// Stale is how long a session that others opened, and did not trigger, may be
	// left alone before it is cancelled; 0: an hour. A younger one that is loaded is
	// waited for, one that waits for data is in the way.
	Stale time.Duration

	// Poll is how often a session is looked at, in the end, that the tenant works
	// on: at first it is looked at more often. 0: 20 s.
	Poll time.Duration
	// Patience is how long the tenant may take for one session; 0: 2 h.
	Patience time.Duration
}

// Clock is the time by which a push waits. connector's clock is one.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or with ctx's error when it ends before.
	Wait(ctx context.Context, d time.Duration) error
}

// Progress is how far a push has come. It is small, and kept by who drives it.
type Progress struct {
	// Work stands for the changes: with other ones, a push begins anew.
	Work string `json:"work"`
	Done int    `json:"done"` // changes in sessions that are completed

	Intent   bool     `json:"intent,omitempty"`   // a session is about to be opened
	Before   []string `json:"before,omitempty"`   // sessions that were active then
	Session  string   `json:"session,omitempty"`  // that is open or worked on
	Loaded   int      `json:"loaded,omitempty"`   // changes in it
	Requests int      `json:"requests,omitempty"` // that were sent to load it, answered or not
	Full     bool     `json:"full,omitempty"`     // it is to be triggered

	Ours     []string `json:"ours,omitempty"`     // all sessions that were opened
	Complete []string `json:"complete,omitempty"` // sessions of this work that the tenant has carried out
	Calls    int      `json:"calls,omitempty"`    // made for this work, but for those that a kill hid
	Finished bool     `json:"finished,omitempty"`
}

// Keeper keeps progress so that it outlives the process. What Keep has taken is
// what the next Progress returns, even after a power cut.
type Keeper interface {
	Progress(ctx context.Context, source string) (Progress, error) // the zero one when there is none
	Keep(ctx context.Context, source string, p Progress) error
}

// Result is what a push did.
type Result struct {
	Sessions []string // completed by this call, in order
	Changes  int      // loaded by this call
	Calls    int
}

// Push brings changes into the tenant, in as many sessions as they need, and waits
// until the tenant has carried them out. work stands for the changes; called again
// with the same ones after an end of whatever kind, it goes on where it was.
//
// A failure of the tenant to carry out a session is fault.Refused, one to answer
// fault.Unavailable.
func (t *Tenant) Push(ctx context.Context, work string, changes iter.Seq2[Change, error], keeper Keeper) (Result, error) {
	p := pushing{Tenant: t, keeper: keeper}
	var err error
	if p.at, err = keeper.Progress(ctx, t.Source); err != nil {
		return p.result, err
	}
	if p.at.Work != work {
		// A session that was about to be opened may be there, and is taken then.
		p.at = Progress{Work: work, Ours: recent(p.at.ours()), Intent: p.at.Intent, Before: p.at.Before}
		if err := p.keep(ctx); err != nil {
			return p.result, err
		}
	}
	for !p.at.Finished {
		if err := p.session(ctx, changes); err != nil {
			return p.result, err
		}
	}
	return p.result, nil
}

// pushing is a push under way.
type pushing struct {
	*Tenant
	keeper Keeper
	at     Progress
	result Result

	counted int // calls of result that are in at
}

func (p *pushing) keep(ctx context.Context) error {
	p.at.Calls, p.counted = p.at.Calls+p.result.Calls-p.counted, p.result.Calls
	return p.keeper.Keep(ctx, p.Source, p.at)
}

// ours are the sessions that were opened, the current one too.
func (p Progress) ours() []string {
	if p.Session == "" || slices.Contains(p.Ours, p.Session) {
		return p.Ours
	}
	return append(slices.Clone(p.Ours), p.Session)
}

// recent keeps what still can be active: a session that is older than the newest
// few has expired or is over.
func recent(sessions []string) []string {
	const most = 20
	return sessions[max(0, len(sessions)-most):]
}

// session brings one session to its end, or finds that there is nothing left.
func (p *pushing) session(ctx context.Context, changes iter.Seq2[Change, error]) error {
	state, err := p.current(ctx)
	if err != nil {
		return err
	}
	if state == "" {
		more, err := longer(changes, p.at.Done)
		if err != nil {
			return err
		}
		if !more {
			p.at.Finished = true
			return p.keep(ctx)
		}
		if err := p.open(ctx); err != nil {
			return err
		}
		state = created
	}
	if state.open() {
		if err := p.load(ctx, changes); err != nil {
			return err
		}
		if p.at.Loaded == 0 { // all that was sent may be lost
			if err := p.cancel(ctx, p.at.Session); err != nil {
				return err
			}
			return p.leave(ctx)
		}
		if err := p.trigger(ctx); err != nil {
			return err
		}
	}
	return p.await(ctx)
}

// longer reports whether there are more than n changes.
func longer(changes iter.Seq2[Change, error], n int) (bool, error) {
	seen := 0
	for _, err := range changes {
		if err != nil {
			return false, err
		}
		if seen++; seen > n {
			return true, nil
		}
	}
	return false, nil
}

// current returns the state of the session that was under way, empty when there
// is none, or none that is any use: what was in it is loaded again.
func (p *pushing) current(ctx context.Context) (status, error) {
	if p.at.Session == "" {
		return "", nil
	}
	s, err := p.show(ctx, p.at.Session)
	if fault.Is(err, fault.NotFound) || err == nil && (s.Status == closed || s.Status == expired) {
		p.note("session is gone, what was in it is loaded again", p.at.Session)
		return "", p.leave(ctx)
	}
	return s.Status, err
}

// leave forgets the session that was under way.
func (p *pushing) leave(ctx context.Context) error {
	p.at.Ours = recent(p.at.ours())
	p.at.Session, p.at.Loaded, p.at.Requests, p.at.Full = "", 0, 0, false
	p.at.Intent, p.at.Before = false, nil
	return p.keep(ctx)
}

// load fills the session with what is left, as far as it takes it.
func (p *pushing) load(ctx context.Context, changes iter.Seq2[Change, error]) error {
	for r, err := range requests(changes, p.at.Done+p.at.Loaded) {
		if err != nil {
			return err
		}
		if p.at.Full {
			break
		}
		taken, err := p.send(ctx, r)
		if err != nil {
			return err
		}
		if !taken {
			break
		}
		p.at.Loaded += r.changes
		p.result.Changes += r.changes
	}
	p.at.Full = true
	return p.keep(ctx)
}

// send loads one request, and again when its fate is in doubt: loading twice has
// the effect of loading once. It returns false when the session takes no more
// requests; those that may have arrived count, too.
func (p *pushing) send(ctx context.Context, r request) (bool, error) {
	path := sessionsPath(p.Source) + "/" + p.at.Session + "/" + r.name
	room := true
	a, err := p.repeat(ctx, http.MethodPost, path, r.body, func(again *Answer) error {
		if again != nil && again.Status == http.StatusTooManyRequests {
			return nil // said before anything is done
		}
		if room = p.at.Requests < maxRequests; !room {
			return errFull
		}
		p.at.Requests++
		return p.keep(ctx)
	})
	if !room {
		return false, nil
	}
	if err != nil || a.ok() {
		return true, err
	}
	refusal := a.refused("the load " + r.name)
	if strings.Contains(fault.Public(refusal), "is not defined in profile") { // recorded
		refusal = fault.New(fault.Refused, "%s", fault.Public(refusal)).
			Fix("add the attribute to the profile of the tenant's application, or leave it out of the import: profile: {NAME: none}")
	}
	// Nothing of this session will be triggered: it would block the next one.
	if err := p.cancel(ctx, p.at.Session); err != nil {
		p.note("session cannot be cancelled", p.at.Session)
	}
	return false, refusal
}

// errFull ends the repetition of a load in a session that takes no more.
var errFull = fault.New(fault.Refused, "the import session takes no more requests")

// trigger starts the import of the session.
func (p *pushing) trigger(ctx context.Context) error {
	s, err := p.show(ctx, p.at.Session)
	if err != nil || !s.Status.open() {
		return err
	}
	a, err := p.call(ctx, http.MethodPost, sessionsPath(p.Source)+"/"+p.at.Session+"/start-import", nil)
	if err != nil || a.ok() {
		return err
	}
	// An answer may have been lost, and the second call refused for its effect.
	if s, err := p.show(ctx, p.at.Session); err == nil && !s.Status.open() {
		return nil
	}
	return a.refused("the start of the import")
}

// await looks at the session until it is over.
func (p *pushing) await(ctx context.Context) error {
	poll, patience := cmp.Or(p.Poll, 20*time.Second), cmp.Or(p.Patience, 2*time.Hour)
	pause := min(poll, time.Second) // a small session is over soon
	for until := p.Clock.Now().Add(patience); ; pause = min(2*pause, poll) {
		s, err := p.show(ctx, p.at.Session)
		if err != nil {
			return err
		}
		switch s.Status {
		case completed:
			p.result.Sessions = append(p.result.Sessions, s.ID)
			p.at.Complete = append(p.at.Complete, s.ID)
			p.at.Done += p.at.Loaded
			return p.leave(ctx)
		case failed:
			id := p.at.Session
			if err := p.leave(ctx); err != nil {
				return err
			}
			return fault.New(fault.Refused, "the tenant could not carry out the import session %s", id).
				Fix("its system log says why; the next push loads what was in the session again")
		case closed, expired:
			return p.leave(ctx) // the next round loads it again
		}
		if p.Clock.Now().After(until) {
			return fault.New(fault.Timeout, "the tenant works on the import session %s for more than %s", s.ID, patience).
				Fix("push again later: it goes on with this session")
		}
		if err := p.Clock.Wait(ctx, pause); err != nil {
			return err
		}
	}
}

// call makes a call, and makes it again while the trouble goes by itself. It is
// for calls whose effect is the same however often they are made.
func (p *pushing) call(ctx context.Context, method, path string, body []byte) (Answer, error) {
	return p.repeat(ctx, method, path, body, func(*Answer) error { return nil })
}

// repeat is call with something to be done before each sending: again is what was
// answered to the one before, nil for the first.
func (p *pushing) repeat(ctx context.Context, method, path string, body []byte, before func(again *Answer) error) (Answer, error) {
	const times = 6
	var last *Answer
	for n := 1; ; n++ {
		if err := before(last); err != nil {
			return Answer{}, err
		}
		p.result.Calls++
		a, err := p.API.Call(ctx, method, path, body)
		last = &a
		switch {
		case err == nil && !a.passing(), final(err), ctx.Err() != nil:
			return a, err
		case n == times && err != nil:
			return a, err
		case n == times:
			return a, a.refused(method + " " + path)
		}
		if err := p.Clock.Wait(ctx, time.Duration(1<<n)*time.Second); err != nil {
			return a, err
		}
	}
}

// final reports that a call was not sent, and will not be.
func final(err error) bool {
	return fault.Is(err, fault.Refused) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Unauthorized)
}

func (p *pushing) note(text, session string) {
	if p.Log != nil {
		p.Log.Info(text, slog.String("source", p.Source), slog.String("session", session))
	}
}

// Forecast is what a push would take.
type Forecast struct {
	Sessions int
	Calls    int
	Minutes  int // by the rate limit and the five-minute rule, rounded up
}

// String is the forecast in a sentence.
func (f Forecast) String() string {
	return fmt.Sprintf("%d sessions, %d calls, about %d minutes", f.Sessions, f.Calls, f.Minutes)
}

// callsPerMinute is what a token may do on identity sources (okta.md 1.5, observed).
const callsPerMinute = 15

// ForecastOf says what a push of changes takes: for each session four calls beside
// the loads, and one more a minute while the tenant works on it, which is taken
// for one minute.
func ForecastOf(changes iter.Seq2[Change, error]) (Forecast, error) {
	var f Forecast
	loads := 0
	for _, err := range requests(changes, 0) {
		if err != nil {
			return f, err
		}
		loads++
	}
	f.Sessions = (loads + maxRequests - 1) / maxRequests
	const beside = 5 // list, create, look, start, look
	f.Calls = loads + beside*f.Sessions
	byRate := int(math.Ceil(float64(f.Calls) / callsPerMinute))
	f.Minutes = max(byRate, max(0, f.Sessions-1)*int(apart.Minutes()))
	return f, nil
}
