package reconcile

import "time"

// Row is one record as the source gave it: values by the source's own names. A
// row of a text file has strings only.
type Row map[string]any

// Blank reports whether a row says nothing at all, as lines at the end of files do.
// Such rows are not counted.
func (row Row) Blank() bool {
	for _, v := range row {
		if s, isText := v.(string); v != nil && (!isText || clean(s) != "") {
			return false
		}
	}
	return true
}

// Person is a row in the words of the import: who it is about, what the source
// says of them, and whether they are to be there.
type Person struct {
	ExternalID string         `json:"externalId"` // the source's own id; never changes for a person
	Profile    map[string]any `json:"profile"`    // attributes of the identity source's profile; nil values are unset
	Presence   Presence       `json:"presence"`
	// Due is when Presence will be another by the dates in the row, zero for never:
	// the person has to be looked at again then, even when the source is silent.
	Due time.Time `json:"due,omitzero"`
	// Ends is when the last day is over, zero for never or unknown. Until then, Due
	// may be the first day.
	Ends time.Time `json:"ends,omitzero"`
	// Dated says that it is a date which makes the person Leaving or Early.
	Dated bool `json:"dated,omitempty"`
}

// Presence says whether a person is to be in the directory now.
type Presence string

// The presences.
const (
	Present Presence = "present"
	Leaving Presence = "leaving" // the source says that the person is gone, or the last day is over where they are
	Early   Presence = "early"   // the first day has not come where the person is: nothing is done
	Outside Presence = "outside" // the scope of the import leaves the person out: nothing is done
)

// Fingerprint stands for what a source says of a person: two with the same one
// are the same in every respect that an import looks at.
type Fingerprint [16]byte

// Link is what is known of somebody from earlier sessions of a source.
type Link struct {
	ExternalID  string         `json:"externalId"`
	Account     string         `json:"account,omitempty"` // empty: waits to be confirmed, or was left out
	State       LinkState      `json:"state"`
	Fingerprint Fingerprint    `json:"fingerprint"`
	Profile     map[string]any `json:"profile,omitempty"` // as the source last said it
	Due         time.Time      `json:"due,omitzero"`      // when Again has to be asked
	Ends        time.Time      `json:"ends,omitzero"`     // as in Person
}

// LinkState is where a link stands.
type LinkState string

// The states of links.
const (
	Linked      LinkState = "linked"
	Unconfirmed LinkState = "unconfirmed" // waits for a person to say who it is
	Awaited     LinkState = "awaited"     // the first day has not come
	Ignored     LinkState = "ignored"     // a person said that it is nobody of ours
	Removed     LinkState = "removed"     // the source said that the person left; the account may be there still
)

// Action is what becomes of one person.
type Action string

// The actions. Each person of a session gets exactly one of them.
const (
	Create     Action = "create"
	LinkTo     Action = "link"       // to an account that was there, whose attributes may change
	Update     Action = "update"     // attributes differ
	Unchanged  Action = "unchanged"  // nothing is written
	Deactivate Action = "deactivate" // what a removal does is a setting: deactivate, suspend or nothing
	Suspend    Action = "suspend"
	Reactivate Action = "reactivate" // deactivated or suspended before; attributes may change too
	Unlink     Action = "unlink"     // the source lets go of the person; the account stays as it is
	Skip       Action = "skip"       // outside of the scope, too early, ignored: with the reason
	Hold       Action = "hold"       // cannot be decided by itself: with the reason
	Fail       Action = "fail"       // cannot be carried out: with the error
)

// Decision is what an import does to one person.
type Decision struct {
	Action  Action `json:"action"`
	Account string `json:"account,omitempty"` // of the account that it is about; empty for Create

	// After are the attributes of the directory that will differ, with their new
	// values (nil: removed), and Before those they have now.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`

	Activate bool   `json:"activate,omitempty"` // Create: active at once, rather than staged
	Match    *Match `json:"match,omitempty"`    // how the account was found, when it was not linked before
	Over     string `json:"over,omitempty"`     // the other source that sources the account, when neither has priority
	Code     Code   `json:"code,omitempty"`     // of Reason, for Hold and Fail, and for what is to be looked at otherwise
	Reason   string `json:"reason,omitempty"`   // one sentence: of Skip, Hold and Fail, and of anything that is not obvious
	Remedy   string `json:"remedy,omitempty"`

	// Others are the accounts that Reason speaks of, when there are several.
	Others []string `json:"others,omitempty"`
}

// Writes reports whether the decision changes the directory.
func (d *Decision) Writes() bool {
	switch d.Action {
	case Unchanged, Skip, Hold, Fail:
		return false
	}
	return true
}

// Renames reports whether the decision gives an account that was there another login
// or e-mail address: what its owner signs in with, and is written to.
func (d *Decision) Renames() bool {
	if d.Action == Create || !d.Writes() {
		return false
	}
	for _, name := range []string{loginAttribute, "email"} {
		if _, changes := d.After[name]; changes && d.Before[name] != nil {
			return true
		}
	}
	return false
}

// Match is how an account was found for a person.
type Match struct {
	Kind      MatchKind `json:"kind"`
	On        string    `json:"on"` // "userName", "email", "firstName and lastName", an expression
	Confirmed bool      `json:"confirmed"`
}

// MatchKind is how sure a match is.
type MatchKind string

// The kinds of matches.
const (
	Exact   MatchKind = "exact"
	Partial MatchKind = "partial" // the same first and last name
)

// Why decisions are Hold or Fail, or other than they seem.
const (
	Unsure       Code = "unconfirmed"   // Hold: waits for a person to confirm whom it is about
	Ambiguous    Code = "ambiguous"     // Hold: several accounts match
	LinkedToElse Code = "linkedToOther" // Hold: the account is linked to another external id of the source
	ReusedID     Code = "reusedId"      // Hold: name, e-mail and user name are of somebody else
	SuperAdmin   Code = "superAdmin"    // Hold: super administrators are not touched
	Inactive     Code = "inactive"      // Hold: the account is deactivated or suspended, and is not to be reactivated by itself
	NameTaken    Code = "userNameTaken" // Fail: somebody else has the user name
	BadValue     Code = "badValue"      // Fail: an attribute does not fit the schema of the directory
	StillThere   Code = "stillThere"    // Unlink: another source has the person, and neither has priority
)
