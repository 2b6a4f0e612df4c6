package importer

import (
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// The nouns of what may be missing (*directory.Missing).
const (
	SourceNoun                 = directory.ImportSourceNoun
	SessionNoun directory.Noun = "import session"
	UserNoun    directory.Noun = "identity source user"
	GroupNoun   directory.Noun = "identity source group"
)

// Refusal says why a session or source refuses a request. It is the cause of a
// fault.Conflict, so that each façade can word it as its provider does.
type Refusal string

// The refusals.
const (
	TooSoon        Refusal = "too soon"        // another active session was made less than five minutes ago
	OneCreated     Refusal = "one created"     // the source has a session that is CREATED
	NotLoadable    Refusal = "not loadable"    // neither CREATED nor IN_PROGRESS
	NotTriggerable Refusal = "not triggerable" // not IN_PROGRESS
	NotCancelable  Refusal = "not cancelable"  // neither CREATED nor IN_PROGRESS
	NotHeld        Refusal = "not held"        // approve and reject are for sessions that are held
	TooManyLoads   Refusal = "too many loads"  // 50 requests a session
	NotConfirmable Refusal = "not confirmable" // the person does not wait to be confirmed
	InactiveSource Refusal = "inactive source" // its application is switched off
)

func (r Refusal) Error() string { return "refused: " + string(r) }

func (r Refusal) fault(format string, args ...any) *fault.Error {
	return fault.Wrap(fault.Conflict, r, format, args...)
}
