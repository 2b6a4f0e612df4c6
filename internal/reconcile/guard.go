package reconcile

import "time"

// Limits say from when on a session is held. Zero values are the defaults, which
// stand at each; a negative number means that there is no limit.
type Limits struct {
	Percent    int    `json:"percent,omitempty"`    // removals, of the people linked: 20
	Most       int    `json:"most,omitempty"`       // removals, whatever the percentage: 500
	Floor      int    `json:"floor,omitempty"`      // removals that never hold a session, but for half of all people: 5
	Drop       int    `json:"drop,omitempty"`       // percent by which a full source may shrink: 20
	Change     int    `json:"change,omitempty"`     // percent of people for whom one attribute may change: 50
	Failures   int    `json:"failures,omitempty"`   // percent of rows that may fail: 20
	Privileges int    `json:"privileges,omitempty"` // people who may come to administrator roles: 0
	Off        []Code `json:"off,omitempty"`        // what is not looked at
}

// Code names a reason, of a session to be held or of a decision about a person.
type Code string

// Why sessions are held.
const (
	EmptySource    Code = "emptySource"
	SharpDrop      Code = "sharpDrop"
	Removals       Code = "removals"
	Privileges     Code = "privileges"
	SwappedColumns Code = "swappedColumns"
	OddColumn      Code = "oddColumn"  // its values are of another sort than last time
	SameColumn     Code = "sameColumn" // it equals another, which it did not
	LostColumn     Code = "lostColumn" // it is empty, which it was not
	MassChange     Code = "massChange"
	ReusedIDs      Code = "reusedIds"
	ChangedIDs     Code = "changedIds" // many new and many gone at once
	DuplicateIDs   Code = "duplicateIds"
	Encoding       Code = "encoding"
	ClockJump      Code = "clockJump"
	Failures       Code = "failures"
	NoIDs          Code = "noIds" // rows that say not whom they are about, while others are missing
)

// Reason is why a session is held.
type Reason struct {
	Code   Code   `json:"code"`
	Text   string `json:"text"`   // one sentence, with figures
	Remedy string `json:"remedy"` // what to do, and what is needed to go on
	Count  int    `json:"count"`  // people or rows concerned
	Limit  int    `json:"limit"`  // how many would have passed
}

// Allowance lets one session pass in spite of a reason, as long as it concerns no
// more people than Count. It is what an approval records.
type Allowance struct {
	Code  Code `json:"code"`
	Count int  `json:"count"`
}

// Base is what a session is compared with.
type Base struct {
	Linked int       // people that were linked when the session began
	Recent int       // of them removed by earlier sessions of the last 24 hours without an approval
	Last   *Sketch   // of the last accepted session of the same mode that read its source; nil: there is none
	At     time.Time // when that was
}

// Tally counts what a session is about to do. Its JSON form is kept with the
// session. The zero value is an empty one.
type Tally struct {
	Now    time.Time `json:"now"`    // as Shape and Decide got it
	Read   bool      `json:"read"`   // a source was read, rather than records sent through the API
	Mode   Mode      `json:"mode"`   // in Full mode absence means leaving
	Sketch Sketch    `json:"sketch"` // of all people that could be read
}

// Add counts a person and what was decided about him. p is nil for who is absent.
func (t *Tally) Add(p *Person, link *Link, d *Decision) {}

// Unreadable counts a row of which Shape made no person; id is the external id if
// that could be read.
func (t *Tally) Unreadable(id string) {}

// Repeated counts an external id that a session has again. same says that the
// records are alike in every respect.
func (t *Tally) Repeated(id string, same bool) {}

// Grant counts somebody who comes to an administrator role by this session.
func (t *Tally) Grant(g Grant) {}

// Grant is an administrator role that somebody gets.
type Grant struct {
	ExternalID string `json:"externalId"`
	Role       string `json:"role"`
	By         string `json:"by"` // how he comes to it: "group Administrators", "rule Managers, by department"
}

// Guard returns the reasons to hold a session that no allowance covers, most
// serious first. None: it may be applied.
func (r *Rules) Guard(b *Base, t *Tally, allowed ...Allowance) []Reason { return nil }

// Sketch describes the columns of a source in bounded space. Its JSON form is kept
// with the last accepted session.
type Sketch struct {
	People int `json:"people"`
}

// Add counts a person.
func (s *Sketch) Add(p *Person) { s.People++ }
