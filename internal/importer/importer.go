package importer

import (
	"context"
	"iter"
	"log/slog"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Importer brings people into one realm. The fields are set before first use; it
// is safe for concurrent use after.
type Importer struct {
	Directory *directory.Directory
	Store     Store
	Realm     string
	Log       *slog.Logger
}

var errStub = fault.New(fault.Unsupported, "not yet")

// Serve works on triggered sessions, expires those that nobody loads, and looks
// at people whose first or last day has come, until ctx ends. It first goes on
// with what another process left.
func (im *Importer) Serve(ctx context.Context) error { return errStub }

// Settle works until nothing is left to do now.
func (im *Importer) Settle(ctx context.Context) error { return errStub }

// Source returns an identity source by its id. *directory.Missing with SourceNoun.
func (im *Importer) Source(ctx context.Context, id string) (*Source, error) { return nil, errStub }

// Sources returns all identity sources of the realm.
func (im *Importer) Sources(ctx context.Context) ([]*Source, error) { return nil, errStub }

// PutSource stores the settings of an identity source. One with an empty id gets
// an application with the label, which is found or made.
func (im *Importer) PutSource(ctx context.Context, actor directory.Actor, label string, s *Source) (*Source, error) {
	return nil, errStub
}

// RemoveSource forgets the settings and links of a source; its people and
// application stay.
func (im *Importer) RemoveSource(ctx context.Context, actor directory.Actor, id string) error {
	return errStub
}

// CreateSession makes a session. Refusals: TooSoon, OneCreated, InactiveSource.
func (im *Importer) CreateSession(ctx context.Context, actor directory.Actor, source string, t Type) (*Session, error) {
	return nil, errStub
}

// Sessions returns sessions, the newest first.
func (im *Importer) Sessions(ctx context.Context, q SessionQuery) ([]*Session, error) {
	return nil, errStub
}

// Session returns a session of a source. *directory.Missing with SourceNoun or SessionNoun.
func (im *Importer) Session(ctx context.Context, source, id string) (*Session, error) {
	return nil, errStub
}

// CancelSession closes a session that was not triggered. Refusal: NotCancelable.
func (im *Importer) CancelSession(ctx context.Context, actor directory.Actor, source, id string) error {
	return errStub
}

// Load adds records to a session. Refusals: NotLoadable, TooManyLoads. A batch
// with nothing effective in it is accepted and leaves the session CREATED.
func (im *Importer) Load(ctx context.Context, actor directory.Actor, source, session string, b Batch) error {
	return errStub
}

// Trigger queues a session. Refusal: NotTriggerable.
func (im *Importer) Trigger(ctx context.Context, actor directory.Actor, source, session string) (*Session, error) {
	return nil, errStub
}

// Users returns the people of a source behind an externalId, at most limit.
func (im *Importer) Users(ctx context.Context, source, after string, limit int) ([]*User, error) {
	return nil, errStub
}

// User returns somebody of a source by his externalId. *directory.Missing with UserNoun.
func (im *Importer) User(ctx context.Context, source, externalID string) (*User, error) {
	return nil, errStub
}

// CreateUser brings one person in at once, as a session with him alone would.
// directory.Violations; a taken externalId is a fault.Conflict.
func (im *Importer) CreateUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return nil, errStub
}

// PutUser replaces what the source says of somebody: attributes that are not
// named become unset.
func (im *Importer) PutUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return nil, errStub
}

// PatchUser changes the attributes that are named; nil values unset.
func (im *Importer) PatchUser(ctx context.Context, actor directory.Actor, source string, r Record) (*User, error) {
	return nil, errStub
}

// DeleteUser removes somebody, as a session that deletes him would.
func (im *Importer) DeleteUser(ctx context.Context, actor directory.Actor, source, externalID string) error {
	return errStub
}

// Group returns a group of a source by its id or externalId. *directory.Missing with GroupNoun.
func (im *Importer) Group(ctx context.Context, source, ref string) (*Group, error) {
	return nil, errStub
}

// CreateGroup makes a group. A taken externalId is a fault.Conflict.
func (im *Importer) CreateGroup(ctx context.Context, actor directory.Actor, source string, r Record) (*Group, error) {
	return nil, errStub
}

// PutGroup replaces the profile of a group by its id or externalId.
func (im *Importer) PutGroup(ctx context.Context, actor directory.Actor, source, ref string, profile map[string]any) (*Group, error) {
	return nil, errStub
}

// DeleteGroup removes a group with its memberships.
func (im *Importer) DeleteGroup(ctx context.Context, actor directory.Actor, source, ref string) error {
	return errStub
}

// GroupMembers returns externalIds of members of a group behind one, at most limit.
func (im *Importer) GroupMembers(ctx context.Context, source, group, after string, limit int) ([]string, error) {
	return nil, errStub
}

// AddGroupMembers puts people into a group, by their externalIds.
func (im *Importer) AddGroupMembers(ctx context.Context, actor directory.Actor, source, group string, members []string) error {
	return errStub
}

// RemoveGroupMember takes somebody out of a group.
func (im *Importer) RemoveGroupMember(ctx context.Context, actor directory.Actor, source, group, member string) error {
	return errStub
}

// Run reads a source, loads a session with it, triggers it, and waits until it
// is over or held unless told not to.
func (im *Importer) Run(ctx context.Context, actor directory.Actor, source string, rows Rows, o RunOptions) (*Session, error) {
	return nil, errStub
}

// Preview makes a plan and writes nothing.
func (im *Importer) Preview(ctx context.Context, source string, rows Rows, o PreviewOptions) (*Plan, error) {
	return nil, errStub
}

// Apply carries a plan out and waits. fault.Stale when what it was computed from
// has changed: nothing is applied then.
func (im *Importer) Apply(ctx context.Context, actor directory.Actor, p *Plan) (*Session, error) {
	return nil, errStub
}

// Approve lets a session that is held go on, this once. Refusal: NotHeld.
func (im *Importer) Approve(ctx context.Context, actor directory.Actor, session, reason string) (*Session, error) {
	return nil, errStub
}

// Reject closes a session that is held; nothing of it is applied. Refusal: NotHeld.
func (im *Importer) Reject(ctx context.Context, actor directory.Actor, session, reason string) (*Session, error) {
	return nil, errStub
}

// Waiting returns those who wait to be confirmed, behind an externalId.
func (im *Importer) Waiting(ctx context.Context, source, after string, limit int) ([]Waiting, error) {
	return nil, errStub
}

// Confirm says who somebody is who waits to be confirmed. account is an id or
// login, with IsAccount. Refusal: NotConfirmable.
func (im *Importer) Confirm(ctx context.Context, actor directory.Actor, source, externalID string, answer Answer, account string) error {
	return errStub
}

// Explain tells, without a write, how the source comes to what it does about
// somebody: who is an externalId, a login or an account's id.
func (im *Importer) Explain(ctx context.Context, source, who string, rows Rows) (*Trace, error) {
	return nil, errStub
}

// Report returns what a session did.
func (im *Importer) Report(ctx context.Context, session string) (*Report, error) { return nil, errStub }

// Entities returns what a session did, or would do while it is held, to whom.
func (im *Importer) Entities(ctx context.Context, q EntityQuery) ([]Entity, error) {
	return nil, errStub
}

// Download yields a session's report in a format, piece by piece.
func (im *Importer) Download(ctx context.Context, session string, f DownloadFormat) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield(nil, errStub) }
}
