package reconcile

import "time"

// Tally counts what a session is about to do, in space that does not grow with it.
// Its JSON form is kept with the session. The zero value is an empty one.
type Tally struct {
	Now    time.Time `json:"now"`            // as Shape got it
	Read   bool      `json:"read,omitempty"` // a source was read, rather than people sent through the API
	Mode   Mode      `json:"mode,omitempty"` // in Full mode absence means leaving
	Sketch Sketch    `json:"sketch"`         // of all people that could be read

	Actions map[Action]int `json:"actions,omitempty"` // people, by what becomes of them

	New          int `json:"new,omitempty"`          // people whom the source did not have before
	Known        int `json:"known,omitempty"`        // people in it who were linked
	Missing      int `json:"missing,omitempty"`      // linked people who are absent
	Removals     int `json:"removals,omitempty"`     // people who lose their account, whatever a removal does
	Dated        int `json:"dated,omitempty"`        // people about whom a date decides
	DatedLeavers int `json:"datedLeavers,omitempty"` // of them those who are removed now
	Reused       int `json:"reused,omitempty"`       // ids of wholly other people
	Rekeyed      int `json:"rekeyed,omitempty"`      // people who are linked with another id
	Unidentified int `json:"unidentified,omitempty"` // rows without an id
	Unread       int `json:"unread,omitempty"`       // rows of which no person could be made
	Repeats      int `json:"repeats,omitempty"`      // rows that are there already, alike
	Conflicting  int `json:"conflicting,omitempty"`  // rows whose id is there already, not alike

	// Of the directory's attributes that had a value: how many change, and how many
	// of them lose it.
	Changed map[string]int `json:"changed,omitempty"`
	Emptied map[string]int `json:"emptied,omitempty"`

	// Of the source's attributes: how many changed, and how many now have what
	// another had ("lastName -> firstName").
	Altered map[string]int `json:"altered,omitempty"`
	Moved   map[string]int `json:"moved,omitempty"`

	Renamed int            `json:"renamed,omitempty"` // people whose login or e-mail address in the directory becomes another
	Taken   map[string]int `json:"taken,omitempty"`   // people of other sources, by these (Decision.Over)

	Grants  int     `json:"grants,omitempty"`
	Granted []Grant `json:"granted,omitempty"` // the first of them

	Doubled []string `json:"doubled,omitempty"` // the first ids of Conflicting
}

// Grant is an administrator role that somebody gets.
type Grant struct {
	ExternalID string `json:"externalId"`
	Role       string `json:"role"`
	By         string `json:"by"` // how they come to it: "the group Administrators", "an account that comes back"
}

// movedTo stands between the names of Moved.
const movedTo = " -> "

// Rows is how many records were seen.
func (t *Tally) Rows() int {
	return t.Unread + t.Repeats + t.Conflicting + t.people()
}

// people are those whom the session had.
func (t *Tally) people() int {
	n := 0
	for _, count := range t.Actions {
		n += count
	}
	return n - t.Unread - t.Missing
}

// Add counts a person and what was decided about them. p is nil for who is absent.
func (t *Tally) Add(p *Person, link *Link, d *Decision) {
	bump(&t.Actions, d.Action)
	if p == nil {
		t.absent(link, d)
		return
	}
	t.Sketch.Add(p)
	if p.Dated {
		t.Dated++
	}
	switch {
	case link.known() && link.State == Linked:
		t.Known++
		if d.Action != Unchanged {
			t.compare(link.Profile, p)
		}
	case link == nil && (p.Presence == Present || p.Presence == Early):
		t.New++
	}
	switch d.Code {
	case ReusedID:
		t.Reused++
	case LinkedToElse:
		t.Rekeyed++
	}
	t.effects(p.Dated, link, d)
}

func (t *Tally) absent(link *Link, d *Decision) {
	if link.known() && link.State == Linked {
		t.Missing++
	} else {
		t.Actions[d.Action]-- // it is nothing new that the person is absent
	}
	t.effects(false, link, d)
}

// effects counts what a decision does.
func (t *Tally) effects(dated bool, link *Link, d *Decision) {
	switch d.Action {
	case Deactivate, Suspend, Unlink:
		t.Removals++
		if dated {
			t.DatedLeavers++
		}
	case Update, LinkTo, Reactivate:
		if d.Over != "" {
			bump(&t.Taken, d.Over)
		}
		if d.Renames() {
			t.Renamed++
		}
		for name, after := range d.After {
			if d.Before[name] == nil {
				continue
			}
			bump(&t.Changed, name)
			if after == nil {
				bump(&t.Emptied, name)
			}
		}
	}
}

// compare looks at how the records of somebody differ from those of last time.
func (t *Tally) compare(before map[string]any, p *Person) {
	for name := range p.Profile {
		now := text(p.Profile[name])
		if now == "" || now == text(before[name]) {
			continue
		}
		bump(&t.Altered, name)
		for other := range before {
			if other != name && text(before[other]) == now && text(p.Profile[other]) != now {
				bump(&t.Moved, other+movedTo+name)
			}
		}
	}
}

// Unreadable counts a row of which Shape made no person; id is the external id if
// that could be read.
func (t *Tally) Unreadable(id string) {
	bump(&t.Actions, Fail)
	t.Unread++
	if id == "" {
		t.Unidentified++
	}
}

// Repeated counts an external id that a session has again. same says that the
// records are alike in every respect.
func (t *Tally) Repeated(id string, same bool) {
	if same {
		t.Repeats++
		return
	}
	t.Conflicting++
	if len(t.Doubled) < examples {
		t.Doubled = append(t.Doubled, id)
	}
}

// examples is how many cases are kept in words.
const examples = 5

// Grant counts somebody who comes to an administrator role by this session.
func (t *Tally) Grant(g Grant) {
	t.Grants++
	if len(t.Granted) < examples {
		t.Granted = append(t.Granted, g)
	}
}

// Administrator counts a decision about an account that has an administrator role:
// who gets the account back, or the address with which one signs in to it, comes to
// the role.
func (t *Tally) Administrator(externalID, role string, d *Decision) {
	switch {
	case d.Action == Reactivate:
		t.Grant(Grant{ExternalID: externalID, Role: role, By: "an account that comes back"})
	case d.Renames():
		t.Grant(Grant{ExternalID: externalID, Role: role, By: "an account that gets another user name or e-mail address"})
	}
}

// bump counts one more.
func bump[K comparable](counts *map[K]int, key K) {
	if *counts == nil {
		*counts = map[K]int{}
	}
	(*counts)[key]++
}
