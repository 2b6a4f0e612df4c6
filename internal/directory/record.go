package directory

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Record is the stored form of an object that is read and written whole: an
// application, an assignment, a role, a factor, a rule ... Accounts, groups and
// memberships have tables of their own, because searches look into them; for
// everything else the four ways to find a record are enough. What is in the
// body is the business of the type that it was made from.
type Record struct {
	Realm   string
	Noun    Noun // the sort of object; ids and keys are unique within it
	ID      string
	Parent  string // id of the object it belongs to: the application of an assignment
	Subject string // id of the account or group it is about
	Key     string // unique in the realm and noun; empty: none
	Version int64  // counts writes from 1
	Body    json.RawMessage
}

// RecordQuery selects records of one realm and noun, ordered by id.
type RecordQuery struct {
	Realm   string
	Noun    Noun
	Parent  string // empty: any
	Subject string // empty: any
	Key     string // empty: any
	After   string // id; the records behind it
}

// Meta is what every object that is kept as a record has. Types embed it.
type Meta struct {
	ID      string    `json:"id"`
	Realm   string    `json:"realm"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Version int64     `json:"version"` // counts writes from 1
}

func (m *Meta) meta() *Meta { return m }

// Place says where an object is found beside its id: the fields of a Record.
type Place struct {
	Noun                 Noun
	Parent, Subject, Key string
}

// Object is a type that is kept as a record: a struct that embeds Meta and says
// its place. Its JSON form is the record's body and what the change log shows.
type Object interface {
	meta() *Meta
	Place() Place
}

// Kept is satisfied by pointers to such structs, so that functions can make them.
type Kept[T any] interface {
	*T
	Object
}

func recordOf(o Object) (*Record, error) {
	body, err := encodeState(o)
	if err != nil {
		return nil, err
	}
	m, p := o.meta(), o.Place()
	return &Record{
		Realm: m.Realm, Noun: p.Noun, ID: m.ID, Parent: p.Parent, Subject: p.Subject, Key: p.Key,
		Version: m.Version, Body: body,
	}, nil
}

// read decodes a record without losing digits.
func read[T any, P Kept[T]](r *Record) (P, error) {
	o := P(new(T))
	if err := decodeState(r.Body, o); err != nil {
		return nil, err
	}
	return o, nil
}

// get returns an object by its id.
func get[T any, P Kept[T]](r Reader, realm, id string) (P, error) {
	record, err := r.Record(realm, P(new(T)).Place().Noun, id)
	if err != nil {
		return nil, err
	}
	return read[T, P](record)
}

// getByKey returns the object with a key, or fault.NotFound.
func getByKey[T any, P Kept[T]](r Reader, realm, key string) (P, error) {
	noun := P(new(T)).Place().Noun
	for record, err := range r.Records(RecordQuery{Realm: realm, Noun: noun, Key: key}) {
		if err != nil {
			return nil, err
		}
		return read[T, P](record)
	}
	return nil, NotFound(noun, key)
}

// each yields the objects that a query selects; the noun is that of the type.
func each[T any, P Kept[T]](r Reader, q RecordQuery) iter.Seq2[P, error] {
	q.Noun = P(new(T)).Place().Noun
	return func(yield func(P, error) bool) {
		for record, err := range r.Records(q) {
			if err != nil {
				yield(nil, err)
				return
			}
			o, err := read[T, P](record)
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// all returns at most limit objects (0: all) that a query selects and match
// accepts. A nil match accepts all.
func all[T any, P Kept[T]](r Reader, q RecordQuery, limit int, match func(P) bool) ([]P, error) {
	var out []P
	for o, err := range each[T, P](r, q) {
		if err != nil {
			return nil, err
		}
		if match != nil && !match(o) {
			continue
		}
		if out = append(out, o); len(out) == limit {
			break
		}
	}
	return out, nil
}

// putObject stores a new object without logging it, as part of what a realm is
// made with. It sets the times and the version.
func putObject(tx Tx, o Object, at time.Time) error {
	m := o.meta()
	m.Version, m.Created, m.Updated = 1, at, at
	record, err := recordOf(o)
	if err != nil {
		return err
	}
	return tx.InsertRecord(record)
}

// replaceObject stores what became of an object without logging it. Like
// putObject, it sets the time and the version.
func replaceObject(tx Tx, o Object, at time.Time) error {
	m := o.meta()
	m.Version, m.Updated = m.Version+1, at
	record, err := recordOf(o)
	if err != nil {
		return err
	}
	return tx.UpdateRecord(record)
}

// insertObject stores a new object and logs it.
func (d *Directory) insertObject(tx Tx, o Object, c change) error {
	if err := putObject(tx, o, c.at); err != nil {
		return err
	}
	m := o.meta()
	c.realm, c.target, c.after = m.Realm, cmp.Or(c.target, m.ID), o
	return d.log(tx, c)
}

// updateObject stores what became of an object and logs it. before is the
// object as it was read; its version must still be the stored one.
func (d *Directory) updateObject(tx Tx, before, after Object, c change) error {
	m := after.meta()
	m.Version = before.meta().Version
	if err := replaceObject(tx, after, c.at); err != nil {
		return err
	}
	c.realm, c.target, c.before, c.after = m.Realm, cmp.Or(c.target, m.ID), before, after
	return d.log(tx, c)
}

// deleteObject removes an object and logs it.
func (d *Directory) deleteObject(tx Tx, o Object, c change) error {
	m := o.meta()
	if err := tx.DeleteRecord(m.Realm, o.Place().Noun, m.ID); err != nil {
		return err
	}
	c.realm, c.target, c.before = m.Realm, cmp.Or(c.target, m.ID), o
	return d.log(tx, c)
}

// errUnchanged is what the function given to amend returns when there is nothing
// to do: nothing is stored then, and nothing logged.
var errUnchanged = errors.New("unchanged")

// amend stores what f makes of a copy of an object, logs it, and returns it.
// A change that names no targets is about the object itself, under the name that
// f leaves it with.
func amend[T any, P Kept[T]](d *Directory, tx Tx, before P, c change, f func(after P) error) (P, error) {
	after, err := cloneObject(before)
	if err != nil {
		return nil, err
	}
	switch err := f(after); {
	case errors.Is(err, errUnchanged):
		return before, nil
	case err != nil:
		return nil, err
	}
	if t, ok := any(after).(targeted); ok && c.targets == nil {
		c.targets = []Target{t.target()}
	}
	if err := d.updateObject(tx, before, after, c); err != nil {
		return nil, err
	}
	return after, nil
}

// targeted is an object that the log can name.
type targeted interface{ target() Target }

// cloneObject copies an object deeply, by its JSON form, so that before and
// after do not share anything.
func cloneObject[T any, P Kept[T]](o P) (P, error) {
	record, err := recordOf(o)
	if err != nil {
		return nil, err
	}
	return read[T, P](record)
}

// Decode reads a body as its own type. Others than this package need it for
// what they keep as records themselves.
func (r *Record) Decode(into any) error { return decodeState(r.Body, into) }

// NewRecord returns a record of a value's JSON form.
func NewRecord(realm string, noun Noun, id string, body any) (*Record, error) {
	b, err := encodeState(body)
	if err != nil {
		return nil, err
	}
	return &Record{Realm: realm, Noun: noun, ID: id, Version: 1, Body: b}, nil
}
