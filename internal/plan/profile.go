package plan

import (
	"cmp"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Profile is the set of named choices where the specification leaves a point
// open. The zero value of each field stands for the recommended choice in
// table 2.9 of the Arazzo facts (A numbers). docs/dialect.md describes them.
type Profile struct {
	// SuccessWithoutCriteria: "2xx" (default, A1) or "any" answer at all.
	SuccessWithoutCriteria string `json:"successWithoutCriteria,omitempty"`
	// ActionLists: "merge" workflow-level actions behind a step's own (default,
	// A2), or let a step's list "replace" them.
	ActionLists string `json:"actionLists,omitempty"`
	// RetryAfter: "honour" the response header on retries (default, A14) or "ignore" it.
	RetryAfter string `json:"retryAfter,omitempty"`
	// OnDoubt: "hold" a run whose call was sent, not answered and may not be
	// repeated (default), or "fail" the step as for any broken call (N67).
	OnDoubt string `json:"onDoubt,omitempty"`
	// QuotedValues: "reject" a query value that contains the quote it is
	// embedded in (default: it would change a filter's meaning), or send it "verbatim".
	QuotedValues string `json:"quotedValues,omitempty"`

	MaxSteps      int `json:"maxSteps,omitempty"`      // step visits in a run, sub-workflows included (A26); default 1000
	MaxRepeats    int `json:"maxRepeats,omitempty"`    // visits of a step in a row that ask the same, without a pause, and get the same answer; default 50
	MaxRetries    int `json:"maxRetries,omitempty"`    // cap on any retryLimit (A13); default 1000
	MaxRetryAfter int `json:"maxRetryAfter,omitempty"` // seconds; cap on any wait before a retry (A14); default 3600
	CallTimeout   int `json:"callTimeout,omitempty"`   // seconds for one HTTP exchange without a step timeout; default 60
	RunTimeout    int `json:"runTimeout,omitempty"`    // seconds for a whole run, waits included; 0: no limit
}

// Defaults for the numbers of a Profile.
const (
	DefaultMaxSteps      = 1000
	DefaultMaxRepeats    = 50
	DefaultMaxRetries    = 1000
	DefaultMaxRetryAfter = 3600
	DefaultCallTimeout   = 60
)

// Check reports unknown choices and negative numbers.
func (p Profile) Check() error {
	var errs []error
	choice := func(name, got string, allowed ...string) {
		if got == "" {
			return
		}
		for _, a := range allowed {
			if got == a {
				return
			}
		}
		errs = append(errs, fault.New(fault.Invalid, "profile switch %s is %q", name, got).Fix("use one of %q", allowed))
	}
	choice("successWithoutCriteria", p.SuccessWithoutCriteria, "2xx", "any")
	choice("actionLists", p.ActionLists, "merge", "replace")
	choice("retryAfter", p.RetryAfter, "honour", "ignore")
	choice("onDoubt", p.OnDoubt, "hold", "fail")
	choice("quotedValues", p.QuotedValues, "reject", "verbatim")
	for name, n := range map[string]int{"maxSteps": p.MaxSteps, "maxRepeats": p.MaxRepeats, "maxRetries": p.MaxRetries, "maxRetryAfter": p.MaxRetryAfter, "callTimeout": p.CallTimeout, "runTimeout": p.RunTimeout} {
		if n < 0 {
			errs = append(errs, fault.New(fault.Invalid, "profile number %s is negative", name))
		}
	}
	return fault.Join(errs...)
}

// StepBudget is the number of step visits a run may make.
func (p Profile) StepBudget() int { return cmp.Or(p.MaxSteps, DefaultMaxSteps) }

// RepeatBudget is how often in a row a step may get the same answer to the same
// request without a pause: polling so fast helps nobody, and a loop that learns
// nothing new never ends.
func (p Profile) RepeatBudget() int { return cmp.Or(p.MaxRepeats, DefaultMaxRepeats) }

// RetryCap is the most that any retryLimit may be.
func (p Profile) RetryCap() int { return cmp.Or(p.MaxRetries, DefaultMaxRetries) }

// WaitCap is the longest wait before a retry.
func (p Profile) WaitCap() time.Duration {
	return seconds(cmp.Or(p.MaxRetryAfter, DefaultMaxRetryAfter))
}

// CallLimit is how long one HTTP exchange may take without a step timeout.
func (p Profile) CallLimit() time.Duration { return seconds(cmp.Or(p.CallTimeout, DefaultCallTimeout)) }

// RunLimit is how long a run may take, zero for no limit.
func (p Profile) RunLimit() time.Duration { return seconds(p.RunTimeout) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
