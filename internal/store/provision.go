package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
)

// Provision keeps what outbound provisioning knows and has to do.
type Provision struct{ db *DB }

var _ provision.Store = (*Provision)(nil)

// Provision returns the store of outbound provisioning on this database.
func (d *DB) Provision() *Provision { return &Provision{db: d} }

// linksAtOnce is how many links are read at once. No transaction is open while
// the caller has them.
const linksAtOnce = 500

// Link implements provision.Links.
func (p *Provision) Link(ctx context.Context, realm, app, account string) (provision.Link, error) {
	l := provision.Link{Realm: realm, App: app, Account: account}
	err := p.body(ctx, &l, "SELECT body FROM provision_links WHERE realm = $1 AND app = $2 AND account = $3", realm, app, account)
	return l, ignoreMissing(err)
}

// LinkByRemote implements provision.Links.
func (p *Provision) LinkByRemote(ctx context.Context, realm, app, remoteID string) (l provision.Link, ok bool, err error) {
	err = p.body(ctx, &l, "SELECT body FROM provision_links WHERE realm = $1 AND app = $2 AND remote_id = $3", realm, app, remoteID)
	return l, err == nil, ignoreMissing(err)
}

// body reads one row's JSON.
func (p *Provision) body(ctx context.Context, into any, query string, args ...any) error {
	return p.db.View(ctx, func(tx *Tx) error {
		var text string
		if err := tx.queryRow(query, args...).Scan(&text); err != nil {
			return err
		}
		return readJSON(text, into)
	})
}

func readJSON(text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fault.Wrap(fault.Internal, err, "what is stored of provisioning cannot be read")
	}
	return nil
}

func writeJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "what is known of provisioning cannot be stored")
	}
	return string(text), nil
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// Links implements provision.Links.
func (p *Provision) Links(ctx context.Context, realm, app string) iter.Seq2[provision.Link, error] {
	return pages(func(last *provision.Link) ([]provision.Link, error) {
		after := ""
		if last != nil {
			after = last.Account
		}
		return bodies[provision.Link](ctx, p.db,
			"SELECT body FROM provision_links WHERE realm = $1 AND app = $2 AND account > $3 ORDER BY account LIMIT $4", realm, app, after, linksAtOnce)
	})
}

// GroupLinks implements provision.Links.
func (p *Provision) GroupLinks(ctx context.Context, realm, app string) iter.Seq2[provision.GroupLink, error] {
	return pages(func(last *provision.GroupLink) ([]provision.GroupLink, error) {
		after := ""
		if last != nil {
			after = last.Group
		}
		return bodies[provision.GroupLink](ctx, p.db,
			"SELECT body FROM provision_groups WHERE realm = $1 AND app = $2 AND group_id > $3 ORDER BY group_id LIMIT $4", realm, app, after, linksAtOnce)
	})
}

// pages yields what comes in pages of linksAtOnce.
func pages[T any](read func(last *T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for {
			page, err := read(last)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < linksAtOnce {
				return
			}
			last = &page[len(page)-1]
		}
	}
}

func bodies[T any](ctx context.Context, db *DB, query string, args ...any) (out []T, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return scanAll(tx, query, args, func(row scanner) error {
			var text string
			if err := row.Scan(&text); err != nil {
				return err
			}
			var v T
			if err := readJSON(text, &v); err != nil {
				return err
			}
			out = append(out, v)
			return nil
		})
	})
	return out, err
}

// scanAll runs a query and gives every row to f.
func scanAll(tx *Tx, query string, args []any, f func(scanner) error) error {
	rows, err := tx.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// PutLink implements provision.Links.
func (p *Provision) PutLink(ctx context.Context, l provision.Link) error {
	return p.Relink(ctx, l, nil)
}

// Relink implements provision.Store.
func (p *Provision) Relink(ctx context.Context, l provision.Link, jobs []provision.Job) error {
	text, err := writeJSON(l)
	if err != nil {
		return err
	}
	err = p.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO provision_links (realm, app, account, remote_id, active, deactivated, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (realm, app, account) DO UPDATE SET remote_id = excluded.remote_id, active = excluded.active,
			deactivated = excluded.deactivated, body = excluded.body`,
			l.Realm, l.App, l.Account, nullable(l.RemoteID), number(l.Active && l.RemoteID != ""), Micros(l.Deactivated), text)
		if err != nil {
			return err
		}
		return enqueue(tx, jobs)
	})
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "the account %q of the application is linked to another user already", l.RemoteID)
	}
	return err
}

// number is how a truth is stored.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// GroupLink implements provision.Store.
func (p *Provision) GroupLink(ctx context.Context, realm, app, group string) (provision.GroupLink, error) {
	l := provision.GroupLink{Realm: realm, App: app, Group: group}
	err := p.body(ctx, &l, "SELECT body FROM provision_groups WHERE realm = $1 AND app = $2 AND group_id = $3", realm, app, group)
	return l, ignoreMissing(err)
}

// PutGroupLink implements provision.Store.
func (p *Provision) PutGroupLink(ctx context.Context, l provision.GroupLink) error {
	return p.db.Update(ctx, func(tx *Tx) error { return putGroup(tx, l) })
}

func putGroup(tx *Tx, l provision.GroupLink) error {
	if l.RemoteID == "" && l.Doubt == "" {
		if err := putMembers(tx, l, nil); err != nil {
			return err
		}
		_, err := tx.exec("DELETE FROM provision_groups WHERE realm = $1 AND app = $2 AND group_id = $3", l.Realm, l.App, l.Group)
		return err
	}
	text, err := writeJSON(l)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO provision_groups (realm, app, group_id, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (realm, app, group_id) DO UPDATE SET body = excluded.body`, l.Realm, l.App, l.Group, text)
	return err
}

// Members implements provision.Store.
func (p *Provision) Members(ctx context.Context, realm, app, group string) (out []string, err error) {
	err = p.db.View(ctx, func(tx *Tx) error {
		out, err = members(tx, realm, app, group)
		return err
	})
	return out, err
}

func members(tx *Tx, realm, app, group string) (out []string, err error) {
	err = scanAll(tx, "SELECT remote_id FROM provision_members WHERE realm = $1 AND app = $2 AND group_id = $3 ORDER BY remote_id",
		[]any{realm, app, group}, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			out = append(out, id)
			return err
		})
	return out, err
}

// PutMembers implements provision.Store.
func (p *Provision) PutMembers(ctx context.Context, l provision.GroupLink, want []string) error {
	return p.db.Update(ctx, func(tx *Tx) error {
		if err := putGroup(tx, l); err != nil {
			return err
		}
		return putMembers(tx, l, want)
	})
}

// putMembers writes only what differs: one member of many is one row.
func putMembers(tx *Tx, l provision.GroupLink, want []string) error {
	have, err := members(tx, l.Realm, l.App, l.Group)
	if err != nil {
		return err
	}
	want = slices.Clone(want)
	slices.Sort(want)
	for _, id := range have {
		if _, ok := slices.BinarySearch(want, id); ok {
			continue
		}
		if _, err := tx.exec("DELETE FROM provision_members WHERE realm = $1 AND app = $2 AND group_id = $3 AND remote_id = $4", l.Realm, l.App, l.Group, id); err != nil {
			return err
		}
	}
	for _, id := range slices.Compact(want) {
		if _, ok := slices.BinarySearch(have, id); ok {
			continue
		}
		if _, err := tx.exec("INSERT INTO provision_members (realm, app, group_id, remote_id) VALUES ($1, $2, $3, $4)", l.Realm, l.App, l.Group, id); err != nil {
			return err
		}
	}
	return nil
}

// CountLinks implements provision.Store.
func (p *Provision) CountLinks(ctx context.Context, realm, app string, since time.Time) (active, deactivated int, err error) {
	err = p.db.View(ctx, func(tx *Tx) error {
		err := tx.queryRow("SELECT count(*) FROM provision_links WHERE realm = $1 AND app = $2 AND active = 1", realm, app).Scan(&active)
		if err != nil {
			return err
		}
		return tx.queryRow("SELECT count(*) FROM provision_links WHERE realm = $1 AND app = $2 AND deactivated > $3", realm, app, Micros(since)).Scan(&deactivated)
	})
	return active, deactivated, err
}

// Cursor implements provision.Store.
func (p *Provision) Cursor(ctx context.Context) (seq int64, err error) {
	err = p.db.View(ctx, func(tx *Tx) error {
		err := tx.queryRow("SELECT seq FROM provision_cursor WHERE id = 1").Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, err
}

const enqueueJob = `INSERT INTO provision_jobs (realm, app, kind, subject, state, attempts, due, queued, assign, remove, weight, approved, error, status, renewed)
	VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $6, $7, $8, '', 0, '', 0, 1)
	ON CONFLICT (realm, app, kind, subject) DO UPDATE SET
	due = CASE WHEN provision_jobs.state = 'waiting' AND provision_jobs.attempts > 0 THEN provision_jobs.due ELSE excluded.due END,
	attempts = CASE WHEN provision_jobs.state = 'waiting' THEN provision_jobs.attempts ELSE 0 END,
	assign = CASE WHEN provision_jobs.assign = 1 THEN 1 ELSE excluded.assign END,
	remove = excluded.remove, state = 'waiting', weight = '', approved = 0, renewed = provision_jobs.renewed + 1`

// Enqueue implements provision.Store.
func (p *Provision) Enqueue(ctx context.Context, cursor int64, jobs []provision.Job) error {
	return p.db.Update(ctx, func(tx *Tx) error {
		if err := enqueue(tx, jobs); err != nil || cursor == 0 {
			return err
		}
		_, err := tx.exec("INSERT INTO provision_cursor (id, seq) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq", cursor)
		return err
	})
}

func enqueue(tx *Tx, jobs []provision.Job) error {
	for i := range jobs {
		j := &jobs[i]
		_, err := tx.exec(enqueueJob, j.Realm, j.App, string(j.Kind), j.Subject, Micros(j.Due), Micros(j.Queued), number(j.Assign), number(j.Delete))
		if err != nil {
			return err
		}
	}
	return nil
}

const jobColumns = "realm, app, kind, subject, state, attempts, due, queued, assign, remove, weight, approved, error, status, renewed"

// Jobs implements provision.Store.
func (p *Provision) Jobs(ctx context.Context, q provision.JobQuery) (out []provision.Job, err error) {
	s := selection{text: "SELECT " + jobColumns + " FROM provision_jobs"}
	s.where("realm = ", q.Realm)
	s.where("app = ", q.App)
	s.where("kind = ", string(q.Kind))
	s.where("subject = ", q.Subject)
	s.where("state = ", string(q.State))
	s.where("weight = ", string(q.Weight))
	if q.Unweighed {
		s.add("weight = ", "")
	}
	if !q.Due.IsZero() {
		s.add("due <= ", Micros(q.Due))
	}
	s.text += " ORDER BY due, kind, subject"
	if q.Limit > 0 {
		s.bind(" LIMIT ", q.Limit)
	}
	err = p.db.View(ctx, func(tx *Tx) error {
		return scanAll(tx, s.text, s.args, func(row scanner) error {
			var j provision.Job
			var kind, state, weight string
			var due, queued int64
			var assign, remove, approved int
			err := row.Scan(&j.Realm, &j.App, &kind, &j.Subject, &state, &j.Attempts, &due, &queued, &assign, &remove, &weight, &approved, &j.Error, &j.Status, &j.Renewed)
			j.Kind, j.State, j.Weight = provision.JobKind(kind), provision.JobState(state), provision.Weight(weight)
			j.Due, j.Queued, j.Assign, j.Delete, j.Approved = Time(due), Time(queued), assign == 1, remove == 1, approved == 1
			out = append(out, j)
			return err
		})
	})
	return out, err
}

// CountJobs implements provision.Store.
func (p *Provision) CountJobs(ctx context.Context, realm, app string) (map[provision.JobState]int, time.Time, error) {
	counts := map[provision.JobState]int{}
	var next time.Time
	err := p.db.View(ctx, func(tx *Tx) error {
		const query = "SELECT state, count(*), min(due) FROM provision_jobs WHERE realm = $1 AND app = $2 GROUP BY state"
		return scanAll(tx, query, []any{realm, app}, func(row scanner) error {
			var state string
			var n int
			var due int64
			if err := row.Scan(&state, &n, &due); err != nil {
				return err
			}
			counts[provision.JobState(state)] = n
			if provision.JobState(state) == provision.Waiting {
				next = Time(due)
			}
			return nil
		})
	})
	return counts, next, err
}

const putJob = `UPDATE provision_jobs SET attempts = $1, due = $2, error = $3, status = $4,
	state = CASE WHEN renewed = $5 THEN $6 ELSE 'waiting' END,
	weight = CASE WHEN renewed = $5 THEN $7 ELSE '' END,
	approved = CASE WHEN renewed = $5 THEN $8 ELSE approved END
	WHERE realm = $9 AND app = $10 AND kind = $11 AND subject = $12`

// PutJobs implements provision.Store.
func (p *Provision) PutJobs(ctx context.Context, jobs ...provision.Job) error {
	return p.db.Update(ctx, func(tx *Tx) error {
		for i := range jobs {
			j := &jobs[i]
			_, err := tx.exec(putJob, j.Attempts, Micros(j.Due), j.Error, j.Status, j.Renewed, string(j.State), string(j.Weight), number(j.Approved),
				j.Realm, j.App, string(j.Kind), j.Subject)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Done implements provision.Store.
func (p *Provision) Done(ctx context.Context, j provision.Job) error {
	return p.db.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec("DELETE FROM provision_jobs WHERE realm = $1 AND app = $2 AND kind = $3 AND subject = $4 AND renewed = $5",
			j.Realm, j.App, string(j.Kind), j.Subject, j.Renewed)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec("UPDATE provision_jobs SET attempts = 0, error = '', status = 0 WHERE realm = $1 AND app = $2 AND kind = $3 AND subject = $4",
			j.Realm, j.App, string(j.Kind), j.Subject)
		return err
	})
}

// Condition implements provision.Store.
func (p *Provision) Condition(ctx context.Context, realm, app string) (c provision.Condition, err error) {
	err = p.body(ctx, &c, "SELECT body FROM provision_conditions WHERE realm = $1 AND app = $2", realm, app)
	return c, ignoreMissing(err)
}

// PutCondition implements provision.Store.
func (p *Provision) PutCondition(ctx context.Context, realm, app string, c provision.Condition) error {
	text, err := writeJSON(c)
	if err != nil {
		return err
	}
	return p.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO provision_conditions (realm, app, body) VALUES ($1, $2, $3) ON CONFLICT (realm, app) DO UPDATE SET body = excluded.body",
			realm, app, text)
		return err
	})
}

// Forget implements provision.Store.
func (p *Provision) Forget(ctx context.Context, realm, app string) error {
	return p.db.Update(ctx, func(tx *Tx) error {
		for _, table := range []string{"provision_links", "provision_groups", "provision_members", "provision_jobs", "provision_conditions"} {
			if _, err := tx.exec("DELETE FROM "+table+" WHERE realm = $1 AND app = $2", realm, app); err != nil {
				return err
			}
		}
		return nil
	})
}
