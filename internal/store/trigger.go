package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// Trigger keeps what triggers are, how far they have looked, and their firings.
type Trigger struct{ db *DB }

var _ trigger.Store = (*Trigger)(nil)

// Trigger returns the store of triggers on this database.
func (d *DB) Trigger() *Trigger { return &Trigger{db: d} }

// Definitions implements trigger.Store.
func (t *Trigger) Definitions(ctx context.Context) ([]trigger.Definition, error) {
	return bodies[trigger.Definition](ctx, t.db, "SELECT body FROM trigger_definitions ORDER BY name")
}

// PutDefinition implements trigger.Store.
func (t *Trigger) PutDefinition(ctx context.Context, d trigger.Definition) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the trigger cannot be stored")
	}
	return t.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO trigger_definitions (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body", d.Name, string(text))
		return err
	})
}

// RemoveDefinition implements trigger.Store.
func (t *Trigger) RemoveDefinition(ctx context.Context, name string) error {
	return t.db.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec("DELETE FROM trigger_definitions WHERE name = $1", name)
		if err == nil && n == 0 {
			return fault.New(fault.NotFound, "no trigger %q was added by command", name)
		}
		if err == nil {
			_, err = tx.exec("DELETE FROM trigger_cursors WHERE name = $1", name)
		}
		if err == nil {
			_, err = tx.exec("DELETE FROM trigger_switches WHERE what = $1 AND name = $2", string(trigger.SwitchTrigger), name)
		}
		return err
	})
}

// Switches implements trigger.Store.
func (t *Trigger) Switches(ctx context.Context) ([]trigger.Switch, error) {
	return bodies[trigger.Switch](ctx, t.db, "SELECT body FROM trigger_switches ORDER BY what, name")
}

// PutSwitch implements trigger.Store.
func (t *Trigger) PutSwitch(ctx context.Context, s trigger.Switch) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the switch cannot be stored")
	}
	return t.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO trigger_switches (what, name, body) VALUES ($1, $2, $3) ON CONFLICT (what, name) DO UPDATE SET body = excluded.body",
			string(s.What), s.Name, string(text))
		return err
	})
}

// Cursor implements trigger.Store.
func (t *Trigger) Cursor(ctx context.Context, name string) (c trigger.Cursor, ok bool, err error) {
	c.Trigger = name
	err = t.db.View(ctx, func(tx *Tx) error {
		var seen int64
		err := tx.queryRow("SELECT seen, seq FROM trigger_cursors WHERE name = $1", name).Scan(&seen, &c.Seq)
		c.Seen = Time(seen)
		return err
	})
	return c, err == nil, ignoreMissing(err)
}

const insertFiring = `INSERT INTO trigger_firings (id, name, state, at, due, open, many, duplicates, proof, body, sealed)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`

// Accept implements trigger.Store.
func (t *Trigger) Accept(ctx context.Context, cursors []trigger.Cursor, firings []trigger.Firing) ([]trigger.Accepted, error) {
	var out []trigger.Accepted
	err := t.db.Update(ctx, func(tx *Tx) error {
		for _, c := range cursors {
			_, err := tx.exec(`INSERT INTO trigger_cursors (name, seen, seq) VALUES ($1, $2, $3)
				ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, seq = excluded.seq`, c.Trigger, Micros(c.Seen), c.Seq)
			if err != nil {
				return err
			}
		}
		out = make([]trigger.Accepted, len(firings))
		for i := range firings {
			added, err := addFiring(tx, &firings[i])
			if err != nil {
				return err
			}
			out[i] = trigger.Accepted{Firing: firings[i], New: added}
			if !added {
				if out[i].Firing, err = sameFiring(tx, &firings[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}

// addFiring adds a firing unless it, or its proof, is there.
func addFiring(tx *Tx, f *trigger.Firing) (added bool, err error) {
	text, err := firingText(f)
	if err != nil {
		return false, err
	}
	n, err := tx.exec(insertFiring, f.ID, f.Trigger, string(f.State), Micros(f.At), Micros(f.Due), number(f.Open), f.Count, f.Duplicates, nullable(f.Proof), text, f.Sealed)
	return n > 0, err
}

func firingText(f *trigger.Firing) (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the firing of a trigger cannot be stored")
	}
	return string(text), nil
}

const firingColumns = "SELECT body, state, open, many, duplicates, proof, sealed FROM trigger_firings"

// sameFiring returns the firing that has the id or the proof of another.
func sameFiring(tx *Tx, f *trigger.Firing) (trigger.Firing, error) {
	same, err := scanFiring(tx.queryRow(firingColumns+" WHERE id = $1", f.ID))
	if fault.Is(tx.db.Translate(err), fault.NotFound) {
		same, err = scanFiring(tx.queryRow(firingColumns+" WHERE name = $1 AND proof = $2", f.Trigger, f.Proof))
	}
	return same, err
}

func scanFiring(row scanner) (f trigger.Firing, err error) {
	var text, state string
	var proof *string
	var open, many, duplicates int
	var sealed []byte
	if err := row.Scan(&text, &state, &open, &many, &duplicates, &proof, &sealed); err != nil {
		return f, err
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, fault.Wrap(fault.Internal, err, "the stored firing of a trigger cannot be read")
	}
	f.State, f.Open, f.Count, f.Duplicates = trigger.State(state), open == 1, many, duplicates
	if len(sealed) > 0 {
		f.Sealed = sealed
	}
	if proof != nil {
		f.Proof = *proof
	}
	return f, nil
}

// Settle implements trigger.Store. Counts are left to Tally.
func (t *Trigger) Settle(ctx context.Context, firings ...trigger.Firing) error {
	return t.db.Update(ctx, func(tx *Tx) error {
		for i := range firings {
			f := &firings[i]
			text, err := firingText(f)
			if err != nil {
				return err
			}
			if _, err := tx.exec("UPDATE trigger_firings SET state = $1, due = $2, open = $3, body = $4, sealed = $5 WHERE id = $6",
				string(f.State), Micros(f.Due), number(f.Open), text, f.Sealed, f.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tally implements trigger.Store.
func (t *Trigger) Tally(ctx context.Context, many []trigger.Firing, duplicates map[string]int) error {
	return t.db.Update(ctx, func(tx *Tx) error {
		for i := range many {
			f := &many[i]
			added, err := addFiring(tx, f)
			if err == nil && !added {
				_, err = tx.exec("UPDATE trigger_firings SET many = many + $1 WHERE id = $2", max(f.Count, 1), f.ID)
			}
			if err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(duplicates)) {
			if _, err := tx.exec("UPDATE trigger_firings SET duplicates = duplicates + $1 WHERE id = $2", duplicates[id], id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Firing implements trigger.Store.
func (t *Trigger) Firing(ctx context.Context, id string) (f trigger.Firing, err error) {
	err = t.db.View(ctx, func(tx *Tx) error {
		f, err = scanFiring(tx.queryRow(firingColumns+" WHERE id = $1", id))
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return f, fault.New(fault.NotFound, "there is no firing %q, or none any more", id)
	}
	return f, err
}

// Firings implements trigger.Store.
func (t *Trigger) Firings(ctx context.Context, q trigger.Query) (out []trigger.Firing, err error) {
	s := selection{text: firingColumns}
	s.where("name = ", q.Trigger)
	s.where("state = ", string(q.State))
	if q.Open {
		s.add("open = ", 1)
	}
	if !q.Before.IsZero() {
		s.add("at < ", Micros(q.Before))
	}
	if q.State == trigger.Waiting {
		s.text += " ORDER BY due, id"
	} else {
		s.text += " ORDER BY at DESC, id"
	}
	if q.Limit > 0 {
		s.bind(" LIMIT ", q.Limit)
	}
	err = t.db.View(ctx, func(tx *Tx) error {
		return scanAll(tx, s.text, s.args, func(row scanner) error {
			f, err := scanFiring(row)
			out = append(out, f)
			return err
		})
	})
	return out, err
}

// Waiting implements trigger.Store.
func (t *Trigger) Waiting(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := t.db.View(ctx, func(tx *Tx) error {
		return scanAll(tx, "SELECT name, COUNT(*) FROM trigger_firings WHERE state = $1 GROUP BY name", []any{string(trigger.Waiting)}, func(row scanner) error {
			var name string
			var n int
			err := row.Scan(&name, &n)
			out[name] = n
			return err
		})
	})
	return out, err
}

// trimAtOnce is how many firings one transaction removes: whoever calls an endpoint
// meanwhile waits for it.
const trimAtOnce = 2000

// Trim implements trigger.Store.
func (t *Trigger) Trim(ctx context.Context, before time.Time) (int, error) {
	for n := 0; ; {
		removed, err := t.trim(ctx, before)
		n += removed
		if err != nil || removed < trimAtOnce {
			return n, err
		}
	}
}

func (t *Trigger) trim(ctx context.Context, before time.Time) (n int, err error) {
	err = t.db.Update(ctx, func(tx *Tx) error {
		removed, err := tx.exec(`DELETE FROM trigger_firings WHERE id IN (
			SELECT id FROM trigger_firings WHERE at < $1 AND state <> $2 AND open = 0 ORDER BY at, id LIMIT $3)`,
			Micros(before), string(trigger.Waiting), trimAtOnce)
		n = int(removed)
		return err
	})
	return n, err
}
