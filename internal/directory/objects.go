package directory

import "time"

// Other packages keep objects of their own beside those of this one: structs
// that embed Meta and say their Place. What follows is the way to them. Their
// nouns are in errors.go, so that they end with the accounts and groups that
// they are about.

// Event says for the change log what an operation of another package did.
type Event struct {
	At      time.Time
	Actor   Actor
	Kind    string
	Target  string // id; empty: of the object itself
	Targets []Target
	Outcome Outcome
}

func (e Event) change() change {
	return change{at: e.At, actor: e.Actor, kind: e.Kind, target: e.Target, targets: e.Targets, outcome: e.Outcome}
}

// Now is the time of one transaction, in the resolution of the store.
func (d *Directory) Now() time.Time { return d.now() }

// Get returns an object by its id.
func Get[T any, P Kept[T]](r Reader, realm, id string) (P, error) { return get[T, P](r, realm, id) }

// GetByKey returns the object with a key, or fault.NotFound.
func GetByKey[T any, P Kept[T]](r Reader, realm, key string) (P, error) {
	return getByKey[T, P](r, realm, key)
}

// All returns at most limit objects (0: all) that a query selects and match
// accepts, ordered by id. A nil match accepts all. The query's noun is that of
// the type.
func All[T any, P Kept[T]](r Reader, q RecordQuery, limit int, match func(P) bool) ([]P, error) {
	return all(r, q, limit, match)
}

// InsertObject stores a new object, with its times and version set, and logs it.
func (d *Directory) InsertObject(tx Tx, o Object, e Event) error {
	return d.insertObject(tx, o, e.change())
}

// UpdateObject stores what became of an object and logs it. before is the object
// as it was read; its version must still be the stored one (fault.Stale).
func (d *Directory) UpdateObject(tx Tx, before, after Object, e Event) error {
	return d.updateObject(tx, before, after, e.change())
}

// PutObject and ReplaceObject store like InsertObject and UpdateObject, but log
// nothing: for what changes with every use, such as the time of the last one.
func (d *Directory) PutObject(tx Tx, o Object) error { return putObject(tx, o, d.now()) }

// ReplaceObject is described at PutObject.
func (d *Directory) ReplaceObject(tx Tx, o Object) error { return replaceObject(tx, o, d.now()) }

// DeleteObject removes an object and logs it.
func (d *Directory) DeleteObject(tx Tx, o Object, e Event) error {
	return d.deleteObject(tx, o, e.change())
}

// CloneObject copies an object deeply, by its JSON form.
func CloneObject[T any, P Kept[T]](o P) (P, error) { return cloneObject[T, P](o) }

// Log adds an entry to the change log for something that is not an object, of
// the realm and about the target given.
func (d *Directory) Log(tx Tx, realm string, e Event, before, after any) error {
	c := e.change()
	c.realm, c.before, c.after = realm, before, after
	return d.log(tx, c)
}
