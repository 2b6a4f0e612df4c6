package reconcile

// Settings say how an identity source is read and what is done with its people.
// The zero value is a source without any of it; begin with OktaSettings or
// FileSettings. They are kept as JSON in the directory and written as YAML in
// lanyard.yaml (ReadSettings); both have the same keys.
type Settings struct {
	Reading

	// UserName says how people are called in the directory: UserNameAsGiven,
	// UserNameEmail or an expression over appuser (okta.md 3.3: username format).
	UserName string `json:"username,omitempty"`

	// Attributes are the custom attributes of the identity source's profile,
	// beside the base ones and those of Profile (seed 004: "Update Identity
	// Source Profile"). All of them are texts.
	Attributes []string `json:"attributes,omitempty"`

	// Mapping computes attributes of the directory, by their names. Attributes of
	// the identity source go to those of the same name unless it says otherwise.
	Mapping map[string]Mapping `json:"mapping,omitempty"`

	Match      Matching     `json:"match,omitzero"`
	Confirm    Confirm      `json:"confirm,omitzero"`
	Activate   bool         `json:"activate,omitempty"` // new people are active at once; else they are staged
	Sourcing   Sourcing     `json:"sourcing,omitzero"`
	Reactivate Reactivation `json:"reactivate,omitzero"`
	Removal    Removal      `json:"removal,omitempty"` // empty: RemovalDeactivates
	Mode       Mode         `json:"mode,omitempty"`    // empty: Incremental
	Guard      Limits       `json:"guard,omitzero"`
}

// Reading says what a row means. Sources that are loaded through the API have
// none of it: what they send are people already.
type Reading struct {
	ID      Term            `json:"id,omitempty"`      // what never changes for a person
	Where   string          `json:"where,omitempty"`   // expression over row: the scope; empty: everybody
	Active  Activity        `json:"active,omitzero"`   // who is gone by a column
	Starts  Day             `json:"starts,omitzero"`   // the first day
	Ends    Day             `json:"ends,omitzero"`     // the last day, which still counts
	Dates   DateForm        `json:"dates,omitempty"`   // empty: what cannot be misread
	Zone    Zone            `json:"timezone,omitzero"` // where days begin and end
	Profile map[string]Term `json:"profile,omitempty"` // attributes of the identity source

	// Literal leaves it at that: headings are not guessed.
	Literal bool `json:"literal,omitempty"`
}

// Term says where a value of a row comes from: "First Name" is a column (or a
// path such as name.first in records that are not flat), "= row.a + row.b" an
// expression, and "none" stands for nothing at all.
type Term string

// None is the Term for nothing: no column is guessed for it either.
const None Term = "none"

// Activity says who is gone by what a column says. Without Present and Gone the
// usual words are known: true, active, yes, 1, terminated, no ...
type Activity struct {
	From    Term     `json:"column,omitempty"`
	Present []string `json:"present,omitempty"` // without Gone: everything else is gone
	Gone    []string `json:"gone,omitempty"`    // without Present: everything else is present
}

// Day is a day that counts where the person is.
type Day struct {
	From Term `json:"column,omitempty"`
	Days int  `json:"days,omitempty"` // added to it: -7 lets people in a week before
}

// DateForm says how days are written.
type DateForm string

// The forms. Where days are no numbers, 2026-01-31, 20260131 and "31 Jan 2026" are
// read too.
const (
	DatesClear      DateForm = ""            // 13/01/2026 is read, 02/01/2026 is refused
	DatesDayFirst   DateForm = "day first"   // 31/01/2026, 31.1.2026
	DatesMonthFirst DateForm = "month first" // 01/31/2026
	DatesUnix       DateForm = "unix"        // seconds since 1970
	DatesUnixMilli  DateForm = "unix ms"     // milliseconds
	DatesExcel      DateForm = "excel"       // days since 1899-12-30
)

// Zone says in which time zone a person is.
type Zone struct {
	From  Term   `json:"column,omitempty"`  // IANA names or offsets such as +02:00
	Fixed string `json:"default,omitempty"` // of everybody, or of those for whom the column is empty; empty: UTC
}

// Mapping computes one attribute of the directory.
type Mapping struct {
	Value  string `json:"value"`            // expression over appuser; "none": the attribute is left alone
	Create bool   `json:"create,omitempty"` // for new people only
}

// Matching says which accounts may be somebody whom the source did not have before.
type Matching struct {
	Exact   []Criterion `json:"exact,omitempty"`   // all of them hold; none: the user name
	Partial bool        `json:"partial,omitempty"` // the same first and last name
}

// Criterion is one attribute of the directory that has to equal what the source says.
type Criterion struct {
	Attribute string `json:"attribute"`       // "login", "email", "employeeNumber" ...
	Value     string `json:"value,omitempty"` // expression over appuser; empty: what is mapped to the attribute
}

// Confirm says what needs no person (okta.md 3.3).
type Confirm struct {
	Exact   bool `json:"exact,omitempty"`
	Partial bool `json:"partial,omitempty"`
	New     bool `json:"new,omitempty"`
}

// Sourcing says whether the source decides attributes and life of people, and
// which source does so for people of several. Without it people are only created
// and linked.
type Sourcing struct {
	Users    bool `json:"users,omitempty"`
	Priority int  `json:"priority,omitempty"` // 1 is the highest; 0: below all others
}

// Reactivation says what happens to people whom the source had let go and has again.
type Reactivation struct {
	Suspended   bool `json:"suspended,omitempty"`
	Deactivated bool `json:"deactivated,omitempty"`
}

// Removal is what becomes of the account of somebody who leaves.
type Removal string

// What a removal does.
const (
	RemovalDeactivates Removal = "deactivate"
	RemovalSuspends    Removal = "suspend"
	RemovalIsNothing   Removal = "nothing" // the person is unlinked, and the account stays as it is
)

// Mode says what absence means.
type Mode string

// The modes.
const (
	Incremental Mode = "incremental" // nothing
	Full        Mode = "full"        // who was there and is not any more has left
)

// User names other than expressions.
const (
	UserNameAsGiven = ""      // userName of the source's profile
	UserNameEmail   = "EMAIL" // its email
)

// OktaSettings are those of a source that was made through the API: nothing is
// confirmed by itself, and partial matches are looked for (recorded: okta.md 3.3).
func OktaSettings() Settings {
	return Settings{Match: Matching{Partial: true}, Removal: RemovalDeactivates, Mode: Incremental}
}

// FileSettings are those of a source in lanyard.yaml, as far as the file says
// nothing else. Who writes an import there wants its people in: exact matches and
// new people need nobody's confirmation and new people are active; who only has
// the same name as somebody else waits. The source sources its people, and lets
// back in those whom it had let go.
func FileSettings() Settings {
	return Settings{
		Match:      Matching{Partial: true},
		Confirm:    Confirm{Exact: true, New: true},
		Activate:   true,
		Sourcing:   Sourcing{Users: true, Priority: 1},
		Reactivate: Reactivation{Suspended: true, Deactivated: true},
		Removal:    RemovalDeactivates,
		Mode:       Incremental,
	}
}
