package sources

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// Status says how a source stands against the lock.
type Status string

// The statuses.
const (
	New       Status = "new"       // not pinned
	Unchanged Status = "unchanged" // the bytes that are pinned
	Changed   Status = "changed"   // other bytes
	Gone      Status = "gone"      // it cannot be read now
	Unused    Status = "unused"    // pinned, and its document names it no more
)

// State is one source against the lock.
type State struct {
	Document string // as in the lock file
	Name     string
	Status   Status
	Location string // where it was read, or should have been
	Digest   string // of what was read; of what is pinned when nothing was
	Pinned   string // digest in the lock before, empty when there was none

	// Of the operations that the document needs: those that are there now and
	// were not, those that were and are not, and those that are called
	// differently. Only of a Changed source whose pinned copy is still kept.
	Added, Removed, Changed []string

	Message string // what else there is to say, such as why it cannot be read
	Err     error  // why it cannot be read
}

// Diff compares sources with the lock and changes nothing.
//
// The errors of Diff, Pin and Update are for what stops them half-way, such as
// a cancelled context; what is wrong with one source is in its State.
func (l *Loader) Diff(ctx context.Context, refs []Ref) ([]State, error) {
	return l.each(ctx, refs, func(*comparison) error { return nil })
}

// Pin adds the sources that are not pinned yet to the lock, and keeps copies.
// What is pinned stays as it is, whatever the source is now. Pins that their
// documents name no more are dropped. The caller writes the lock.
func (l *Loader) Pin(ctx context.Context, refs []Ref) ([]State, error) {
	states, err := l.each(ctx, refs, func(c *comparison) error {
		switch c.Status {
		case New:
			return l.take(c)
		case Unchanged: // this machine may have no copy yet
			return l.cache().keep(c.now.digest, c.now.data)
		}
		return nil
	})
	l.drop(states)
	return states, err
}

// Update pins what the sources are now, and drops pins like Pin. A source that
// cannot be read keeps its pin. The caller writes the lock.
func (l *Loader) Update(ctx context.Context, refs []Ref) ([]State, error) {
	states, err := l.each(ctx, refs, func(c *comparison) error {
		switch c.Status {
		case New, Changed:
			return l.take(c)
		case Unchanged:
			return l.cache().keep(c.now.digest, c.now.data)
		}
		return nil
	})
	l.drop(states)
	return states, err
}

// comparison is a source against its pin, with what was read to compare them.
type comparison struct {
	State
	ref  Ref
	from string   // as the lock should name the location, when it is not the URL
	now  *content // nil when it cannot be read
}

// each compares every source and hands it to act, then lists unused pins.
func (l *Loader) each(ctx context.Context, refs []Ref, act func(*comparison) error) ([]State, error) {
	if l.Lock == nil {
		return nil, fault.New(fault.Internal, "there is no lock to compare the sources with")
	}
	var out []State
	named := map[string][]string{} // document to the names of its sources
	for _, ref := range refs {
		if _, override := l.Overrides[ref.Name]; isOwn(ref.URL) && !override {
			continue // it changes with the program alone
		}
		c := l.compare(ctx, ref)
		if err := ctx.Err(); err != nil {
			return out, fault.Wrap(fault.Unavailable, err, "reading the sources was given up")
		}
		if err := act(c); err != nil {
			return out, err
		}
		out = append(out, c.State)
		named[c.Document] = append(named[c.Document], ref.Name)
	}
	for _, p := range l.Lock.Pins() {
		if names, ok := named[p.Document]; ok && !slices.Contains(names, p.Name) {
			out = append(out, State{
				Document: p.Document, Name: p.Name, Status: Unused, Location: Shown(p.URL), Digest: p.Digest, Pinned: p.Digest,
				Message: "the document has no such source any more",
			})
		}
	}
	return out, nil
}

// drop removes the pins that were found to be unused.
func (l *Loader) drop(states []State) {
	for _, s := range states {
		if s.Status == Unused {
			l.Lock.remove(s.Document, s.Name)
		}
	}
}

// compare reads a source as if it were not pinned.
func (l *Loader) compare(ctx context.Context, ref Ref) *comparison {
	pin, pinned := l.Lock.Find(ref.BaseFile, ref.Name)
	c := &comparison{ref: ref}
	c.State = State{Document: l.Lock.relative(ref.BaseFile), Name: ref.Name, Status: New, Digest: pin.Digest, Pinned: pin.Digest}
	if pinned && !pin.names(ref) {
		c.Message, pinned = "the document names another URL than the one that is pinned", false
	}
	now, index, err := l.current(ctx, c, pin, pinned)
	switch {
	case err != nil:
		c.Status, c.Err, c.Message = Gone, err, fault.Public(err)
		return c
	case pinned && now.digest == pin.Digest:
		c.Status = Unchanged
	case pinned:
		c.Status = Changed
		l.operations(&c.State, index, ref.Needs)
	}
	c.now, c.Digest, c.Location = now, now.digest, now.location
	return c
}

// current reads what a source is now, and its index unless it is an Arazzo
// document.
func (l *Loader) current(ctx context.Context, c *comparison, pin Pin, pinned bool) (*content, *openapi.Index, error) {
	location, bad := locate(c.ref.BaseFile, l.Folder, c.ref.URL)
	if override, ok := l.Overrides[c.ref.Name]; ok {
		if location, bad = locate("", l.Folder, override); bad == nil {
			c.from = l.Lock.relative(location)
		}
	} else if pinned && pin.From != "" && !withheld(pin.From) {
		c.from = pin.From
		location, bad = l.Lock.place(pin.From), nil
	}
	if bad != nil {
		return nil, nil, unreadable(c.ref, "", bad)
	}
	c.Location = Shown(location)
	data, at, err := l.read(ctx, location)
	if err != nil {
		return nil, nil, l.withNear(ctx, c.ref, unreadable(c.ref, c.Location, err))
	}
	now := &content{data: data, digest: openapi.Digest(data), location: c.Location, url: Shown(at)}
	if c.ref.Type == "arazzo" {
		return now, nil, nil
	}
	index, err := l.cache().index(data, now.digest, now.location)
	if err != nil {
		return nil, nil, unreadable(c.ref, now.location, err)
	}
	return now, index, nil
}

// operations compares the operations that are needed with those of the pinned
// copy.
func (l *Loader) operations(s *State, now *openapi.Index, needs []string) {
	if now == nil {
		return
	}
	data, ok := l.cache().copy(s.Pinned)
	if !ok {
		s.Message = "there is no copy of the pinned content here, so the operations cannot be compared"
		return
	}
	before, err := l.cache().index(data, s.Pinned, s.Location)
	if err != nil {
		s.Message = "the pinned copy cannot be read"
		return
	}
	for _, need := range needs {
		was, wasErr := find(before, need)
		is, isErr := find(now, need)
		switch {
		case wasErr != nil && isErr == nil:
			s.Added = append(s.Added, need)
		case wasErr == nil && isErr != nil:
			s.Removed = append(s.Removed, need)
		case wasErr == nil && was.Digest() != is.Digest():
			s.Changed = append(s.Changed, need)
		}
	}
}

// take pins what was read and keeps a copy.
func (l *Loader) take(c *comparison) error {
	if err := l.cache().keep(c.now.digest, c.now.data); err != nil {
		return err
	}
	p := Pin{
		Document: c.Document, Name: c.Name, URL: c.ref.shownURL(), From: Shown(c.from),
		Digest: c.now.digest, Size: int64(len(c.now.data)), Fetched: l.now().UTC().Truncate(time.Second),
	}
	if c.from == "" && c.now.url != c.now.location { // redirected
		p.Retrieved = c.now.url
	}
	l.Lock.set(p)
	return nil
}
