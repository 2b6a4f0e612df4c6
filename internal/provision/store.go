package provision

import (
	"context"
	"iter"
	"time"
)

// Links is the part of the Store that tells what is linked to what; imports and
// dry runs use it.
type Links interface {
	// Link returns what is known of a person; zero but for its key when nothing is.
	Link(ctx context.Context, realm, app, account string) (Link, error)
	// LinkByRemote returns the link that has an id of the application; ok is
	// false when none has.
	LinkByRemote(ctx context.Context, realm, app, remoteID string) (l Link, ok bool, err error)
	// Links yields the links of an application ordered by account.
	Links(ctx context.Context, realm, app string) iter.Seq2[Link, error]
	// PutLink stores a link. A RemoteID that another account has is a fault.Conflict.
	PutLink(ctx context.Context, l Link) error
	// GroupLinks yields the pushed groups of an application ordered by group.
	GroupLinks(ctx context.Context, realm, app string) iter.Seq2[GroupLink, error]
}

// Store keeps what provisioning knows and has to do. What it promises is tested
// by internal/store/storetest. Every method is on disk when it returns.
type Store interface {
	Links

	// Relink is PutLink, and queues the jobs that follow from it together with it
	// (Enqueue): a process that ends between the two would forget them.
	Relink(ctx context.Context, l Link, jobs []Job) error

	// GroupLink is Link for a group.
	GroupLink(ctx context.Context, realm, app, group string) (GroupLink, error)
	// PutGroupLink stores a group's link. One without RemoteID and Doubt is
	// removed with its members.
	PutGroupLink(ctx context.Context, l GroupLink) error
	// Members returns the remote ids of the members that the application has of a
	// group, in order.
	Members(ctx context.Context, realm, app, group string) ([]string, error)
	// PutMembers stores a group's link and its members together.
	PutMembers(ctx context.Context, l GroupLink, members []string) error

	// CountLinks says how many people are active in an application, and how many
	// were deactivated since a time.
	CountLinks(ctx context.Context, realm, app string, since time.Time) (active, deactivated int, err error)

	// Cursor is the number of the last entry of the change log that was read.
	Cursor(ctx context.Context) (int64, error)
	// Enqueue adds jobs, or renews those that are there, and moves the cursor to
	// it unless that is 0. A renewed job is waiting again, weighs nothing yet, and
	// keeps its back-off; one that was dead starts anew.
	Enqueue(ctx context.Context, cursor int64, jobs []Job) error
	// Jobs returns jobs ordered by their time, then kind and subject.
	Jobs(ctx context.Context, q JobQuery) ([]Job, error)
	// CountJobs returns how many jobs of an application there are in each state,
	// and when the next of those that wait is due (zero: none waits).
	CountJobs(ctx context.Context, realm, app string) (map[JobState]int, time.Time, error)
	// PutJobs stores what became of jobs. One that was renewed since it was read
	// keeps waiting, with the attempts and time given.
	PutJobs(ctx context.Context, jobs ...Job) error
	// Done removes a job, unless it was renewed since it was read.
	Done(ctx context.Context, j Job) error

	// Condition returns how a target is; zero when nothing is known.
	Condition(ctx context.Context, realm, app string) (Condition, error)
	PutCondition(ctx context.Context, realm, app string, c Condition) error

	// Forget removes everything about an application.
	Forget(ctx context.Context, realm, app string) error
}

// Job is something to be looked at: a person or a group of an application. What
// is to be done follows from the directory when its time comes, so that there is
// one job at most for each, and never an old order.
type Job struct {
	Realm   string  `json:"realm"`
	App     string  `json:"app"`
	Kind    JobKind `json:"kind"`
	Subject string  `json:"subject"` // id of the account or group

	State    JobState  `json:"state"`
	Attempts int       `json:"attempts,omitempty"`
	Due      time.Time `json:"due"`
	Queued   time.Time `json:"queued"` // first

	// Assign says that somebody was assigned or is to be provisioned now. Without
	// it, people who are not linked yet are left alone (scim-auth0.md 1.2, Force
	// Sync).
	Assign bool `json:"assign,omitempty"`
	// Delete says that the group is to be deleted there when it is pushed no more.
	Delete bool `json:"delete,omitempty"`

	Weight   Weight `json:"weight,omitempty"`
	Approved bool   `json:"approved,omitempty"` // its deactivation

	Error   string `json:"error,omitempty"`  // of the last attempt; public
	Status  int    `json:"status,omitempty"` // of the last answer
	Renewed int64  `json:"-"`                // counts Enqueue
}

// JobKind is what a job is about.
type JobKind string

// The kinds. People go first.
const (
	PersonJob JobKind = "person"
	GroupJob  JobKind = "group"
)

// JobState is where a job stands.
type JobState string

// The states.
const (
	Waiting JobState = "waiting"
	Held    JobState = "held" // by the brake: somebody has to approve
	Dead    JobState = "dead" // failed for good; Replay tries again
)

// Weight is what the brake knows of a job.
type Weight string

// The weights; the empty one was not looked at yet.
const (
	Light Weight = "light"      // deactivates nobody
	Heavy Weight = "deactivate" // takes somebody's access
)

// JobQuery selects jobs. Fields that are empty restrict nothing.
type JobQuery struct {
	Realm, App string
	Kind       JobKind
	Subject    string
	State      JobState
	Weight     Weight
	Unweighed  bool
	Due        time.Time // at or before
	Limit      int       // 0: all
}

// Condition is how a target is.
type Condition struct {
	Paused     time.Time   `json:"paused,omitzero"`      // until then, as a 429 asked
	Failures   int         `json:"failures,omitempty"`   // in a row
	Quarantine *Quarantine `json:"quarantine,omitempty"` // nil: none
	Hold       *Hold       `json:"hold,omitempty"`       // nil: none
	Approved   time.Time   `json:"approved,omitzero"`    // the last time; the brake counts from then on
}

// Quarantine says that nothing is sent to a target, why, and what ends it.
type Quarantine struct {
	Since  time.Time `json:"since"`
	Cause  string    `json:"cause"` // public
	Status int       `json:"status,omitempty"`
	Probes int       `json:"probes"`
	Next   time.Time `json:"next"`  // probe
	Lifts  string    `json:"lifts"` // what ends it, for people
}

// Hold says that deactivations wait for a person.
type Hold struct {
	Since   time.Time `json:"since"`
	People  int       `json:"people"` // whose deactivation is held, when it began
	Linked  int       `json:"linked"` // of so many
	Because string    `json:"because"`
}
