package importer

import (
	"context"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Run reads a source, loads a session with it, triggers it, and waits until it
// is over or held unless told not to. What is under way of the source is carried
// out before it is read, so that what is read is compared with what came of that;
// nobody waits for a person to approve, or for a tenant. A session of that id that
// there is already is not begun again, unless its source could not be read
// (Session.Unread).
func (im *Importer) Run(ctx context.Context, actor directory.Actor, source string, rows Rows, o RunOptions) (*Session, error) {
	s, err := im.take(ctx, actor, source, rows, o)
	if err != nil || o.NoWait {
		return s, err
	}
	return im.wait(ctx, s)
}

// take reads a source when it is its turn, and queues a session of that.
func (im *Importer) take(ctx context.Context, actor directory.Actor, source string, rows Rows, o RunOptions) (*Session, error) {
	leave, err := im.gates.enter(ctx, source)
	if err != nil {
		return nil, err
	}
	defer im.ring() // others may wait for the end of this, however it ends
	defer leave()
	if err := im.turn(ctx, source); err != nil {
		return nil, err
	}
	s, fresh, err := im.begin(ctx, actor, source, o)
	if err != nil || !fresh {
		return s, err
	}
	return im.read(ctx, s, rows)
}

// turn carries out what was triggered of a source, as far as it waits for nobody
// else.
func (im *Importer) turn(ctx context.Context, source string) error {
	list, err := im.triggered(ctx, source)
	if err != nil || len(list) == 0 || slices.ContainsFunc(list, (*Session).waits) {
		return err
	}
	return im.settleSource(ctx, source)
}

// triggered returns the sessions of a source that are triggered, and not over.
func (im *Importer) triggered(ctx context.Context, source string) (list []*Session, err error) {
	err = im.Store.View(ctx, func(r Reader) error {
		list, err = r.ImportSessions(SessionQuery{Realm: im.Realm, Source: source, States: []State{Triggered}})
		return err
	})
	return list, err
}

// settleSource works until nothing is left to do here for a source.
func (im *Importer) settleSource(ctx context.Context, source string) error {
	stuck, err := im.settle(ctx)
	return fault.Join(stuck[source], err)
}

// wait works until nothing is left to do for the source of a session, and returns
// what became of the session.
func (im *Importer) wait(ctx context.Context, s *Session) (*Session, error) {
	for {
		if err := im.settleSource(ctx, s.Source); err != nil {
			return nil, err
		}
		s, err := im.Session(ctx, s.Source, s.ID)
		if err != nil || s.State != Triggered || s.Phase == Held {
			return s, err
		}
		list, err := im.triggered(ctx, s.Source)
		if err != nil {
			return nil, err
		}
		first := slices.IndexFunc(list, (*Session).waits)
		switch {
		case first < 0: // one that is first is being read
			var leave func()
			if leave, err = im.gates.enter(ctx, s.Source); err == nil {
				leave()
			}
		case list[first].Phase == Held:
			return s, nil
		default:
			err = im.send(ctx, list[first].ID)
		}
		if err != nil {
			return nil, err
		}
	}
}

// begin makes the session of a source that is about to be read.
func (im *Importer) begin(ctx context.Context, actor directory.Actor, source string, o RunOptions) (s *Session, fresh bool, err error) {
	err = im.Store.Update(ctx, func(tx Tx) error {
		fresh = false
		if o.ID != "" {
			if s, err = im.known(tx, source, o.ID); s != nil || err != nil {
				return err
			}
		}
		if err := im.open(tx, source); err != nil {
			return err
		}
		settings, err := im.source(tx, source)
		if err != nil {
			return err
		}
		before, err := tx.ImportSessions(SessionQuery{Realm: im.Realm, Source: source, States: []State{Created, InProgress, Triggered}})
		if err != nil {
			return err
		}
		s, fresh = im.newSession(actor, source, o.Type.or(settings.Settings.Mode), FromReader), true
		if o.ID != "" {
			s.ID = o.ID
		}
		s.State, s.First = InProgress, len(before) == 0
		if err := tx.InsertImportSession(s); err != nil {
			return err
		}
		return im.event(tx, actor, s, "system.import.session.created", directory.Outcome{})
	})
	return s, fresh, err
}

// known returns the session that was begun under an id; nil: it is to be begun now.
func (im *Importer) known(tx Tx, source, id string) (*Session, error) {
	s, err := tx.ImportSession(id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case s.Source != source || s.Realm != im.Realm:
		return nil, fault.New(fault.Conflict, "another source has an import session %q", id).Fix("choose another id")
	case s.Unread(), s.Origin == FromReader && s.State == InProgress: // nobody reads it any more
		return nil, tx.DeleteImportSession(id)
	}
	return s, nil
}

// or is the type that the settings ask for where nobody says otherwise.
func (t Type) or(mode reconcile.Mode) Type {
	switch {
	case t != "":
		return t
	case mode == reconcile.Full:
		return Full
	}
	return Incremental
}

// read loads a session with all of a source and queues it. A source that cannot be
// read to its end ends the session: nothing of it is applied.
func (im *Importer) read(ctx context.Context, s *Session, rows Rows) (*Session, error) {
	queued, err := im.readAll(ctx, s, rows)
	if err != nil {
		return nil, fault.Join(err, im.giveUp(ctx, s.ID, err))
	}
	return queued, nil
}

func (im *Importer) readAll(ctx context.Context, s *Session, rows Rows) (*Session, error) {
	seq := 0
	l, err := im.newLoader(ctx, s.Source, func(ctx context.Context, b *block) error {
		body, err := b.encode()
		if err != nil {
			return err
		}
		seq++
		return im.Store.Update(ctx, func(tx Tx) error { return tx.PutImportBlock(s.ID, seq, body) })
	})
	if err == nil {
		l.whole = !s.First
		err = l.load(ctx, rows)
	}
	if err != nil {
		return nil, err
	}
	s.Blocks, s.Rules = seq, &l.settings
	return im.enqueue(ctx, s, l.loaded)
}

// enqueue queues a session whose records are all kept, by what is known of it now.
func (im *Importer) enqueue(ctx context.Context, is *Session, l *loaded) (*Session, error) {
	figures, err := deflated(l)
	if err != nil {
		return nil, err
	}
	return im.change(ctx, is.Source, is.ID, func(tx Tx, s *Session) error {
		if s.State != InProgress {
			return NotTriggerable.fault("the session is %s", s.State)
		}
		s.Blocks, s.Rules = is.Blocks, is.Rules
		s.Counts.Scanned, s.Counts.Unchanged = l.Scanned, l.Same
		s.queue(im.Directory.Now())
		if err := tx.PutImportBlock(s.ID, loadedTally, figures); err != nil {
			return err
		}
		return im.events(tx, s.Actor, s, triggeredEvents)
	})
}

// loader turns rows into blocks. Those of whom nothing is new it only counts, unless
// it is to keep the whole of the source.
type loader struct {
	im       *Importer
	source   *Source
	schema   *directory.Shape
	settings reconcile.Settings
	rules    *reconcile.Rules
	now      time.Time
	index    *index
	whole    bool
	keep     func(context.Context, *block) error

	loaded *loaded
	items  []item
	same   []uint64
}

func (im *Importer) newLoader(ctx context.Context, source string, keep func(context.Context, *block) error) (*loader, error) {
	l := &loader{im: im, keep: keep, now: im.Directory.Now(), loaded: &loaded{Tally: &reconcile.Tally{}}}
	err := im.Store.View(ctx, func(r Reader) error {
		if err := l.open(r, source); err != nil {
			return err
		}
		links, err := r.CountImportLinks(source)
		if err != nil {
			return err
		}
		total := 0
		for _, n := range links {
			total += n
		}
		l.index = newIndex(total)
		return l.fill(r)
	})
	return l, err
}

// open finds the source. To shape its rows, no more is needed.
func (l *loader) open(r Reader, source string) (err error) {
	if l.source, err = l.im.source(r, source); err != nil {
		return err
	}
	l.schema, err = l.im.Directory.UserShape(r, l.im.Realm)
	return err
}

// fill reads what is known of the source's people.
func (l *loader) fill(r Reader) error {
	var assigned []uint64 // accounts that have the application
	for account, err := range r.ImportAssigned(l.im.Realm, l.source.ID) {
		if err != nil {
			return err
		}
		assigned = append(assigned, idHash(account))
	}
	slices.Sort(assigned)
	for x, err := range r.ImportIndex(l.source.ID) {
		if err != nil {
			return err
		}
		s := l.index.at(idHash(x.ExternalID))
		s.state, s.fingerprint, s.due = stateByte(x.State), x.Fingerprint, micros(x.Due)
		if x.State != reconcile.Linked {
			continue
		}
		if _, has := slices.BinarySearch(assigned, idHash(x.Account)); !has {
			s.fingerprint = reconcile.Fingerprint{} // as Link.lose
		}
	}
	return nil
}

func stateByte(state reconcile.LinkState) byte {
	return byte(max(0, slices.Index(linkStates[:], state)))
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// link returns what a slot knows, nil when that is nothing.
func (s *slot) link() *reconcile.Link {
	if s.state == 0 {
		return nil
	}
	l := &reconcile.Link{State: linkStates[s.state], Fingerprint: s.fingerprint}
	if l.State == reconcile.Linked || l.State == reconcile.Removed {
		l.Account = "known" // whose does not matter where nothing is new
	}
	if s.due != 0 {
		l.Due = time.UnixMicro(s.due).UTC()
	}
	return l
}

// rowsAtOnce is how many rows are shaped at once.
const rowsAtOnce = 256

// portion are some rows on their way: shaped elsewhere, and used in their order.
type portion struct {
	rows   []Located
	shaped chan []shapedRow
}

type shapedRow struct {
	item
	fingerprint reconcile.Fingerprint
}

// belt carries portions from a source to those who shape them, and in their order
// to whoever uses them.
type belt struct {
	queue, work chan *portion
	err         error // that ended the source; set before queue is closed
}

// carry puts portions on the belt, the first of which was read already, until there
// are no more.
func (b *belt) carry(ctx context.Context, part []Located, next func() ([]Located, error, bool)) {
	defer close(b.queue)
	defer close(b.work)
	for len(part) > 0 {
		p := &portion{rows: part, shaped: make(chan []shapedRow, 1)}
		for _, to := range []chan *portion{b.queue, b.work} {
			select {
			case to <- p:
			case <-ctx.Done():
				b.err = cancelled(ctx)
				return
			}
		}
		if part, b.err, _ = next(); b.err != nil {
			return
		}
	}
}

func cancelled(ctx context.Context) error {
	return fault.Wrap(fault.Unavailable, ctx.Err(), "the import was cancelled")
}

// load reads rows to their end. Reading, shaping and using them goes on at the
// same time.
func (l *loader) load(ctx context.Context, rows Rows) error {
	ctx, cancel := context.WithCancel(ctx)
	next, stop := iter.Pull2(portions(rows.Rows(ctx)))
	defer stop() // when nobody reads any more
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	first, err, _ := next()
	if err != nil {
		return err
	}
	if err := l.complete(first); err != nil {
		return err
	}
	b := &belt{queue: make(chan *portion, 2*runtime.GOMAXPROCS(0)), work: make(chan *portion)}
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for p := range b.work {
				p.shaped <- l.shape(p.rows)
			}
		})
	}
	wait.Go(func() { b.carry(ctx, first, next) })
	return l.use(ctx, b)
}

// use takes rows from the belt, to their end.
func (l *loader) use(ctx context.Context, b *belt) error {
	for p := range b.queue {
		select {
		case rows := <-p.shaped:
			for i := range rows {
				if err := l.take(ctx, &rows[i]); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return cancelled(ctx)
		}
	}
	if b.err != nil {
		return b.err
	}
	return l.flush(ctx, true)
}

// portions gathers rows. An error is the last thing that it yields.
func portions(rows iter.Seq2[Located, error]) iter.Seq2[[]Located, error] {
	return func(yield func([]Located, error) bool) {
		part := make([]Located, 0, rowsAtOnce)
		for row, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if part = append(part, row); len(part) < rowsAtOnce {
				continue
			}
			if !yield(part, nil) {
				return
			}
			part = make([]Located, 0, rowsAtOnce)
		}
		if len(part) > 0 {
			yield(part, nil)
		}
	}
}

// complete makes the rules ready, with what the headings of the first rows say.
func (l *loader) complete(first []Located) error {
	names := map[string]bool{}
	for i := range first {
		for name := range first[i].Row {
			names[name] = true
		}
	}
	// Records that leave out what is empty do not tell all columns that there are.
	known := !slices.ContainsFunc(first, func(row Located) bool { return len(row.Row) < len(names) })
	var err error
	l.settings = l.source.Settings
	if columns := slices.Sorted(maps.Keys(names)); len(columns) > 0 {
		if l.settings, _, err = l.settings.Complete(columns, l.schema); err == nil && known {
			err = l.settings.CheckColumns(columns)
		}
	}
	if err == nil {
		l.rules, err = l.settings.Compile(l.schema)
	}
	return err
}

func (l *loader) shape(rows []Located) []shapedRow {
	out := make([]shapedRow, len(rows))
	for i := range rows {
		out[i].item = shaped(l.rules, rows[i], l.now)
		if out[i].Error == "" {
			out[i].fingerprint = l.rules.Fingerprint(out[i].Person)
		}
	}
	return out
}

// shaped makes an item of a row.
func shaped(rules *reconcile.Rules, l Located, now time.Time) item {
	p, err := rules.Shape(l.Row, now)
	it := item{Kind: UserKind, Place: l.Place, Person: &p}
	if err != nil {
		it.fail(err)
	}
	return it
}

func (it *item) fail(err error) {
	it.Error = fault.Public(err)
	if it.Error == "" {
		it.Error = "The row cannot be read."
	}
}

// take counts a row of whom nothing is new, and keeps any other.
func (l *loader) take(ctx context.Context, row *shapedRow) error {
	l.loaded.Scanned++
	p := row.Person
	if p.ExternalID == "" {
		l.items = append(l.items, row.item)
		return l.flush(ctx, false)
	}
	s := l.index.at(idHash(p.ExternalID))
	if s.seen {
		return l.repeated(ctx, s, row)
	}
	s.seen = true
	if row.Error == "" && !l.whole {
		// What Quick would say, which would compute the fingerprint again.
		link := s.link()
		if link != nil && link.State == reconcile.Linked && p.Presence == reconcile.Present && link.Due.Equal(p.Due) && link.Fingerprint == row.fingerprint {
			l.loaded.Same++
			l.loaded.Tally.Add(p, link, &reconcile.Decision{Action: reconcile.Unchanged})
			l.same = append(l.same, s.hash)
			return l.flush(ctx, false)
		}
	}
	s.fingerprint = row.fingerprint
	l.items = append(l.items, row.item)
	return l.flush(ctx, false)
}

// repeated takes a row whose id the session had already. What is said again in the
// same words is as if it was said once; of what differs nobody knows which is right.
func (l *loader) repeated(ctx context.Context, s *slot, row *shapedRow) error {
	if row.Error == "" && s.fingerprint == row.fingerprint {
		l.loaded.Tally.Repeated(row.Person.ExternalID, true)
		l.loaded.Scanned--
		return nil
	}
	l.loaded.Doubled = append(l.loaded.Doubled, row.Person.ExternalID)
	row.Again = true
	l.items = append(l.items, row.item)
	return l.flush(ctx, false)
}

// flush keeps what has been gathered when it is a block, or the end.
func (l *loader) flush(ctx context.Context, end bool) error {
	if len(l.items) < l.im.portion() && len(l.same) < sameInBlock && (!end || len(l.items) == 0 && len(l.same) == 0) {
		return nil
	}
	b := &block{Items: l.items, Same: packHashes(l.same)}
	l.items, l.same = nil, l.same[:0]
	return l.keep(ctx, b)
}
