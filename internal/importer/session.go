package importer

import (
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Session is one load of an identity source and what became of it.
//
//	         create           first load              trigger             done
//	(none) ────────► CREATED ────────────► IN_PROGRESS ───────► TRIGGERED ─────► COMPLETED
//	                   │ └── cancel ► CLOSED ◄── cancel ─┘        │ held: waits    │
//	                   └── 24 h idle ► EXPIRED ◄─────────┘        └─ reject ► CLOSED
//	                                                              └─ failure ► ERROR
//
// The states are Okta's (okta.md 3.2); Phase is ours and says how far a triggered
// session has come.
type Session struct {
	ID     string `json:"id"`
	Realm  string `json:"realm"`
	Source string `json:"source"` // id of the identity source
	Type   Type   `json:"type"`
	State  State  `json:"state"`
	Phase  Phase  `json:"phase,omitempty"`
	Origin Origin `json:"origin"`

	Actor    directory.Actor `json:"actor"` // who made it
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"` // Okta lastUpdated: of the last load or trigger
	Queued   time.Time       `json:"queued,omitzero"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
	Requests int             `json:"requests,omitempty"` // loads that were accepted
	Blocks   int             `json:"blocks,omitempty"`   // that its records are kept in

	Counts   Counts             `json:"counts"`
	Holds    []reconcile.Reason `json:"holds,omitempty"` // why it waits, or waited, for approval
	Approval *Approval          `json:"approval,omitempty"`
	Error    string             `json:"error,omitempty"` // why it is in ERROR
	Remedy   string             `json:"remedy,omitempty"`
	Plan     string             `json:"plan,omitempty"` // digest of the plan that it carries out
	// First says that nothing of its source was under way when it began to be read.
	// It is carried out before all that came after it: those of whom nothing was new
	// were counted while they were read, and nobody knows any more what the source
	// had of them. A session that is not first keeps everybody, and compares them
	// when its turn comes.
	First bool `json:"first,omitempty"`
	Stale bool `json:"stale,omitempty"` // it failed because the plan would have come out otherwise

	Sent *Sent `json:"sent,omitempty"` // what a tenant got of it

	Version int64 `json:"version"`

	// AsOf is the time that the delta is made for: who is to be there by then is
	// present. Zero until it is made.
	AsOf time.Time `json:"asOf,omitzero"`
	// Position is the last entity that was applied.
	Position int64 `json:"position,omitempty"`
	// Total is how many entities the delta has.
	Total int64 `json:"total,omitempty"`
	// Basis is the number of the change log up to which the delta, and what was
	// applied of it, is computed: while it stands there, nobody else has changed
	// anything.
	Basis int64 `json:"basis,omitempty"`
	// Doubt says that somebody else has changed something since: each person is
	// decided about again before anything is done to them.
	Doubt bool `json:"doubt,omitempty"`
	// Rules are the settings as completed by the headings of the source; nil: those
	// of the source.
	Rules *reconcile.Settings `json:"rules,omitempty"`
}

// Type says what absence from a load means.
type Type string

// The types.
const (
	Incremental Type = "INCREMENTAL" // nothing
	Full        Type = "FULL"        // who is not in it is leaving; with guards only
)

// State is where a session stands for the identity source API.
type State string

// The states.
const (
	Created    State = "CREATED"
	InProgress State = "IN_PROGRESS"
	Triggered  State = "TRIGGERED"
	Completed  State = "COMPLETED"
	Closed     State = "CLOSED"
	Expired    State = "EXPIRED"
	Failed     State = "ERROR"
)

// States are all states, in the order in which a session comes to them.
func States() []State {
	return []State{Created, InProgress, Triggered, Completed, Closed, Expired, Failed}
}

// Active reports whether the session still has something before it.
func (s State) Active() bool { return s == Created || s == InProgress || s == Triggered }

// Unread reports whether the session failed before all of its source was read: the
// source could not be read, or the process ended. Nothing was decided by it, so that
// it may begin anew under its id.
func (s *Session) Unread() bool {
	return s.Origin == FromReader && s.State == Failed && s.Queued.IsZero()
}

// Phase is where a triggered session is.
type Phase string

// The phases.
const (
	Queued   Phase = "queued"   // waits for the sessions before it; nobody of it was compared, unless it is First
	Matching Phase = "matching" // people are found and compared: the delta is made
	Guarding Phase = "guard"    // the delta is looked at as a whole
	Held     Phase = "held"     // waits for approval
	Sending  Phase = "sending"  // a tenant is told, which carries it out first
	Applying Phase = "applying"
)

// Origin says how the records came.
type Origin string

// The origins.
const (
	FromAPI    Origin = "api"    // loaded by requests; Okta's limits hold
	FromReader Origin = "reader" // a source was read
	FromPlan   Origin = "plan"
	FromDates  Origin = "dates" // people whose first or last day has come
)

// Counts are the figures of a session.
type Counts struct {
	Scanned     int `json:"scanned"`
	Added       int `json:"added"`
	Linked      int `json:"linked"`
	Updated     int `json:"updated"`
	Unchanged   int `json:"unchanged"`
	Removed     int `json:"removed"` // deactivated, or let go of
	Suspended   int `json:"suspended"`
	Reactivated int `json:"reactivated"`
	Skipped     int `json:"skipped"`
	Held        int `json:"held"`
	Failed      int `json:"failed"`

	Groups      GroupCounts `json:"groups,omitzero"`
	Memberships GroupCounts `json:"memberships,omitzero"`
}

// GroupCounts are the figures about groups or memberships.
type GroupCounts struct {
	Scanned   int `json:"scanned"`
	Added     int `json:"added"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Removed   int `json:"removed"`
	Failed    int `json:"failed"`
}

// Approval is the decision of a person about a session that was held.
type Approval struct {
	Approved bool            `json:"approved"` // or rejected
	Actor    directory.Actor `json:"actor"`
	At       time.Time       `json:"at"`
	Reason   string          `json:"reason,omitempty"` // in the person's words
	// Allowed is what was approved. The delta may come out smaller when it is made
	// again, and is held again when it is larger or has another reason.
	Allowed []reconcile.Allowance `json:"allowed,omitempty"`
}

// Report is what a session did, for people.
type Report struct {
	Session  *Session      `json:"session"`
	Label    string        `json:"label"` // of the source
	Duration time.Duration `json:"duration"`
	Waiting  int           `json:"waiting"` // people who wait to be confirmed
}

// SessionQuery selects sessions, the newest first.
type SessionQuery struct {
	Realm  string  `json:"realm,omitempty"`
	Source string  `json:"source,omitempty"` // empty: of all sources
	States []State `json:"states,omitempty"` // empty: all
	After  string  `json:"after,omitempty"`  // id; the sessions behind it
	Limit  int     `json:"limit,omitempty"`  // 0: no limit
}
