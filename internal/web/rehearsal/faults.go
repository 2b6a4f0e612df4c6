package rehearsal

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// Facade is an API that faults can be put in front of.
type Facade interface {
	http.Handler
	// Refuse answers as the API itself does when it fails with a status: its
	// headers, its error body. wait is what a 429 or 503 asks the client for.
	Refuse(w http.ResponseWriter, r *http.Request, status int, wait time.Duration)
}

// Faults holds the setting in force and puts it in front of façades. It is safe
// for concurrent use.
type Faults struct {
	scope   Scope
	initial Limits
	log     *slog.Logger

	current atomic.Pointer[table] // nil: no faults
	stopped chan struct{}
	stop    sync.Once
}

// NewFaults returns Faults without a setting. limits hold where a setting says
// nothing about them. log may be nil.
func NewFaults(scope Scope, limits Limits, log *slog.Logger) *Faults {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Faults{scope: scope, initial: limits, log: log, stopped: make(chan struct{})}
}

// table is a setting with its counts.
type table struct {
	setting *Setting

	mu    sync.Mutex // guards rules
	rules []*armed
}

// armed is a rule with what it did.
type armed struct {
	*Rule
	reached, fired int
	random         *rand.Rand
}

// Load reads a setting (see Parse) and puts it in force in place of the one
// before; counts begin anew. When it is wrong, the one before stays.
func (f *Faults) Load(file string, data []byte) error {
	s, err := Parse(file, data, f.scope)
	if err != nil {
		return err
	}
	t := &table{setting: s}
	for i := range s.Rules {
		random := rand.New(rand.NewPCG(s.Seed, uint64(i))) //nolint:gosec // chances of a rehearsal must be the same again
		t.rules = append(t.rules, &armed{Rule: &s.Rules[i], random: random})
	}
	f.current.Store(t)
	return nil
}

// Clear ends all faults. Requests that are being held stay so.
func (f *Faults) Clear() { f.current.Store(nil) }

// Stop lets go of all requests that are being held, now and later: their
// connections are cut.
func (f *Faults) Stop() { f.stop.Do(func() { close(f.stopped) }) }

// Limits is what holds of the façades' rate limits at the moment.
func (f *Faults) Limits() Limits {
	if t := f.current.Load(); t != nil && t.setting.Limits != nil {
		return *t.setting.Limits
	}
	return f.initial
}

// Report is a setting and what its rules did.
type Report struct {
	Faults Setting `json:"faults"`
	Counts []Count `json:"counts"` // one for each rule, in order
}

// Count says how many requests reached a rule, and on how many it fired.
type Count struct {
	Rule    string `json:"rule"`
	Reached int    `json:"reached"`
	Fired   int    `json:"fired"`
}

// Report returns the setting in force and its counts.
func (f *Faults) Report() Report {
	t := f.current.Load()
	if t == nil {
		return Report{Faults: Setting{Rules: []Rule{}}, Counts: []Count{}}
	}
	out := Report{Faults: *t.setting, Counts: []Count{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rules {
		out.Counts = append(out.Counts, Count{r.Name, r.reached, r.fired})
	}
	return out
}

// choose counts a request and returns the rule that fires on it, nil when none
// does.
func (f *Faults) choose(api string, r *http.Request) *Rule {
	t := f.current.Load()
	if t == nil || len(t.rules) == 0 {
		return nil
	}
	segments := web.Segments(r.URL.EscapedPath())
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, rule := range t.rules {
		if !rule.matches(api, r, segments) {
			continue
		}
		rule.reached++
		if rule.fires(rule.reached, rule.random.Float64) {
			rule.fired++
			return rule.Rule
		}
	}
	return nil
}

func (r *Rule) matches(api string, req *http.Request, segments []string) bool {
	for _, e := range r.endpoints {
		if e.matches(api, req.Method, segments) {
			return r.Caller == "" || isCaller(r.Caller, req)
		}
	}
	return false
}

// Wrap puts the setting in force in front of a façade. api is its name in rules.
func (f *Faults) Wrap(api string, next Facade) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule := f.choose(api, r)
		if rule == nil {
			next.ServeHTTP(w, r)
			return
		}
		_, digest := credential(r)
		f.log.Info("fault injected", "rule", rule.Name, "effect", rule.Effect, "api", api, "method", r.Method, "path", r.URL.Path,
			"caller", digest[:min(len(digest), len(digestPrefix)+minDigest)])
		effects[rule.Effect].act(&injection{rule: rule, facade: next, w: w, r: r, stopped: f.stopped})
	})
}
