package rehearsal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// Setting is what goes wrong, and when. Its JSON is what Parse reads.
type Setting struct {
	// Seed begins the random numbers of rules with a probability. The same seed
	// and the same order of requests give the same faults.
	Seed   uint64  `json:"seed,omitempty"`
	Limits *Limits `json:"limits,omitempty"` // nil: as the server was started
	Rules  []Rule  `json:"rules"`
}

// Limits is what a setting says of the façades' rate limits.
type Limits struct {
	Enforce bool    `json:"enforce,omitempty"` // answer 429; otherwise they are only shown
	Org     string  `json:"org,omitempty"`     // kind of Okta org; empty: workforce
	Share   Percent `json:"share,omitempty"`   // of a bucket that one caller may use; 0: the provider's default
}

// orgs are the kinds of Okta org that have limits of their own.
var orgs = []string{"integrator", "enterprise", "workforce"}

// Rule says which requests it is for, when it fires, and what then happens.
// What is empty of the first part restricts nothing.
type Rule struct {
	Name string `json:"name"`

	API       string   `json:"api,omitempty"`       // façade: "okta", "auth0" ...
	Methods   []string `json:"method,omitempty"`    // any of them
	Path      string   `json:"path,omitempty"`      // as web.Pattern has it
	Operation string   `json:"operation,omitempty"` // operationId, instead of API, Methods and Path
	// Caller is a client id, or "sha256:" and the first digits (8 at least) of the
	// hexadecimal SHA-256 of a token.
	Caller string `json:"caller,omitempty"`

	// At most one of these; none of them: always.
	Times       []int   `json:"times,omitempty"` // on the first, third ... request that reaches it
	First       int     `json:"first,omitempty"` // on that many, then never again
	Every       int     `json:"every,omitempty"` // on every fifth ...
	Probability float64 `json:"probability,omitempty"`

	Effect string   `json:"effect"` // a key of effects
	Status int      `json:"status,omitempty"`
	Wait   Duration `json:"wait,omitempty"`   // that a 429 or 503 asks for
	Delay  Duration `json:"delay,omitempty"`  // before the answer, or the cut
	Fields []string `json:"fields,omitempty"` // that go missing

	endpoints []endpoint // where it applies; none: everywhere
}

// Endpoint is a set of requests: a method (empty: any) and a pattern of paths of
// an API (empty: any).
type Endpoint struct{ API, Method, Path string }

// endpoint is an Endpoint made ready.
type endpoint struct {
	api, method string
	pattern     web.Pattern
}

func (e endpoint) matches(api, method string, segments []string) bool {
	return (e.api == "" || e.api == api) && (e.method == "" || e.method == method) && e.pattern.Match(segments)
}

// compile turns the part that says which requests a rule is for into endpoints.
// find gives those of an operation.
func (r *Rule) compile(find func(operationID string) []Endpoint) error {
	wanted := []Endpoint{{API: r.API, Path: r.Path}}
	if r.Operation != "" {
		wanted = find(r.Operation)
	}
	for _, e := range wanted {
		if e.Path == "" {
			e.Path = "/**"
		}
		pattern, err := web.ParsePattern(e.Path)
		if err != nil {
			return err
		}
		methods := r.Methods
		if len(methods) == 0 {
			methods = []string{e.Method}
		}
		for _, method := range methods {
			r.endpoints = append(r.endpoints, endpoint{e.API, method, pattern})
		}
	}
	return nil
}

// fires reports whether a rule fires on the n-th request that reaches it, the
// first being 1. draw gives a random number in [0, 1).
func (r *Rule) fires(n int, draw func() float64) bool {
	switch {
	case r.Times != nil:
		return slices.Contains(r.Times, n)
	case r.First > 0:
		return n <= r.First
	case r.Every > 0:
		return n%r.Every == 0
	case r.Probability > 0:
		return draw() < r.Probability
	}
	return true
}

// Duration is a time.Duration that is text in JSON: "1.5s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Percent is a number of percent that is text in JSON: "50%".
type Percent int

// MarshalText implements encoding.TextMarshaler.
func (p Percent) MarshalText() ([]byte, error) { return []byte(strconv.Itoa(int(p)) + "%"), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Percent) UnmarshalText(text []byte) error {
	v, err := strconv.Atoi(strings.TrimSuffix(string(text), "%"))
	*p = Percent(v)
	return err
}
