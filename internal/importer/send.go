package importer

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// Sources whose people go to a tenant. What a session does is told to the tenant
// after the guards and before it is carried out here, so that what is here is what
// the tenant has. Telling takes minutes: it is done beside the other sessions.

// Outside brings what sessions do into tenants.
type Outside interface {
	// Send tells a tenant what a session does and waits until that is carried out
	// there. Called again for the same session, after an end of whatever kind, it
	// goes on where it was. fault.Unavailable and fault.Timeout go by themselves.
	// The entities may be gone through any number of times, while Send runs.
	Send(ctx context.Context, session string, to reconcile.Target, entities iter.Seq2[*PlanEntity, error]) (*Sent, error)
}

// Sent is what a tenant got of a session.
type Sent struct {
	To       reconcile.Target `json:"to"`
	Source   string           `json:"source"`   // id of the identity source there
	Sessions []string         `json:"sessions"` // of the tenant, in order
	Changes  int              `json:"changes"`
	Calls    int              `json:"calls"`
}

// accepted is the phase of a session that no guard holds any more.
func (im *Importer) accepted(r directory.Reader, s *Session) (Phase, error) {
	source, err := im.source(r, s.Source)
	if err != nil || source.To == nil {
		return Applying, err
	}
	return Sending, nil
}

// toSend returns the sessions that are to be sent.
func (im *Importer) toSend(ctx context.Context) ([]*Session, error) {
	list, err := im.triggered(ctx, "")
	return slices.DeleteFunc(list, func(s *Session) bool { return s.Phase != Sending }), err
}

// sendings are the sessions that this process sends.
type sendings struct {
	mu   sync.Mutex
	byID map[string]*sending
}

// sending is one session on its way.
type sending struct {
	stop context.CancelFunc
	done chan struct{}
}

// begin makes the caller the one who sends a session, and returns what ends that;
// nil when somebody else does, who closes wait.
func (s *sendings) begin(ctx context.Context, id string) (own context.Context, end func(), wait <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byID[id]; other != nil {
		return nil, nil, other.done
	}
	if s.byID == nil {
		s.byID = map[string]*sending{}
	}
	own, cancel := context.WithCancel(ctx)
	one := &sending{cancel, make(chan struct{})}
	s.byID[id] = one
	return own, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.byID, id)
		close(one.done)
	}, nil
}

// stop interrupts the sending of a session.
func (s *sendings) stop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.byID[id]; one != nil {
		one.stop()
	}
}

// send tells the tenant what a session does. A refusal ends the session; an error
// that is returned goes by itself, and the session is still to be sent.
func (im *Importer) send(ctx context.Context, id string) error {
	own, end, other := im.sending.begin(ctx, id)
	if other != nil {
		select {
		case <-other:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer end()
	s, err := im.Session(ctx, "", id)
	if err != nil || s.Phase != Sending {
		return err
	}
	sent, err := im.tell(own, s)
	switch {
	case err != nil && ctx.Err() == nil && own.Err() != nil:
		return nil // it was cancelled
	case err != nil && ctx.Err() == nil && refusal(err):
		return im.giveUp(ctx, id, err)
	case err != nil:
		return later(err)
	}
	_, err = im.change(ctx, "", id, func(_ Tx, s *Session) error {
		if s.Phase != Sending {
			return fault.New(fault.Conflict, "the session is not being sent any more")
		}
		s.Phase, s.Sent = Applying, sent
		return nil
	})
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	im.ring()
	return err
}

// refusal reports that sending again would come to the same.
func refusal(err error) bool {
	switch fault.KindOf(err) {
	case fault.Refused, fault.Invalid, fault.Unauthorized, fault.NotFound, fault.Conflict, fault.Unsupported, fault.TooLarge:
		return true
	}
	return false
}

// later says what becomes of a session that could not be sent.
func later(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the import could not be sent to its end: %s", fault.Public(err)).
		Fix("nothing is lost: lanyard serve, or the next lanyard import run of the source, goes on where it stands")
}

// tell hands what a session does over to Outside.
func (im *Importer) tell(ctx context.Context, s *Session) (*Sent, error) {
	source, err := im.Source(ctx, s.Source)
	if err != nil || source.To == nil {
		return nil, err
	}
	for _, err := range im.outgoing(ctx, s) {
		if err != nil {
			return nil, err
		}
		return im.tellOf(ctx, s, source)
	}
	return nil, nil
}

// tellOf is tell where there is something to be told.
func (im *Importer) tellOf(ctx context.Context, s *Session, source *Source) (*Sent, error) {
	if im.Outside == nil {
		return nil, fault.New(fault.Unsupported, "nothing can be sent to a tenant here")
	}
	sent, err := im.Outside.Send(ctx, s.ID, *source.To, im.outgoing(ctx, s))
	if err != nil {
		return nil, err
	}
	sent.To = *source.To
	return sent, nil
}

// outgoing yields what a session does, with the records that it comes from.
func (im *Importer) outgoing(ctx context.Context, s *Session) iter.Seq2[*PlanEntity, error] {
	return func(yield func(*PlanEntity, error) bool) {
		var b *block
		seq := 0
		for after, more := int64(0), true; more; {
			list, err := im.Entities(ctx, EntityQuery{Session: s.ID, After: after, Limit: itemsInBlock})
			more = len(list) == itemsInBlock
			for i := range list {
				e := &PlanEntity{Entity: list[i]}
				after = e.Seq
				if !e.Writes() {
					continue
				}
				if e.Block != 0 && e.Block != seq {
					if b, err = im.block(ctx, s.ID, e.Block); err != nil {
						break
					}
					seq = e.Block
				}
				if e.Block != 0 {
					e.Record = &b.Items[e.Item]
				}
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// stopSending closes a session that is being sent. What the tenant has carried out
// stays there; the next import tells it again.
func (im *Importer) stopSending(ctx context.Context, actor directory.Actor, id string) error {
	_, err := im.change(ctx, "", id, func(tx Tx, s *Session) error {
		if s.Phase != Sending {
			return NotCancelable.fault("a session that is %s cannot be cancelled", s.State).Fix("lanyard import show %s tells what it did", s.ID)
		}
		s.State, s.Phase, s.Ended = Closed, "", im.Directory.Now()
		return im.event(tx, actor, s, "system.import.session.cancelled", directory.Outcome{})
	})
	if err == nil {
		im.sending.stop(id)
		im.ring() // the next session of the source
	}
	return err
}

// onlyInSessions refuses what would be changed here and not in the tenant.
func onlyInSessions(s *Source) error {
	return fault.New(fault.Refused, "the people of %q go to %s, which gets whole sessions only", s.Label, s.To).
		Fix("change the source and import it; who somebody is, is confirmed in the tenant")
}

// retryAfter is how long a server waits before it sends again what could not be
// sent, and at most before it tries again what else it could not do.
const retryAfter = 30 * time.Second

// couriers send sessions beside each other while a process serves.
type couriers struct {
	im   *Importer
	wait sync.WaitGroup

	mu    sync.Mutex
	again map[string]time.Time // when a session is looked at again
}

// dispatch begins to send what is to be sent and is not under way.
func (c *couriers) dispatch(ctx context.Context) error {
	list, err := c.im.toSend(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if !c.take(s.ID) {
			continue
		}
		c.wait.Go(func() {
			err := c.im.send(ctx, s.ID)
			if err != nil && ctx.Err() == nil {
				c.im.log().Error("an import cannot be sent; it is tried again", "session", s.ID, "error", err)
			}
			c.put(s.ID, err != nil)
		})
	}
	return nil
}

// take reports whether a session is nobody's and due. The far future stands for
// one that is under way.
func (c *couriers) take(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.again[id]) {
		return false
	}
	c.again[id] = now.AddDate(1, 0, 0)
	return true
}

func (c *couriers) put(id string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.again, id)
	if failed {
		c.again[id] = time.Now().Add(retryAfter)
	}
}

// send says what a tenant would be told about somebody.
func (e *explainer) send(one *decided, source *Source) {
	if source.To == nil {
		return
	}
	switch {
	case !one.Writes():
		e.step("sent", "Nothing of it would be sent to %s.", source.To)
	case one.Action == reconcile.Deactivate, one.Action == reconcile.Suspend, one.Action == reconcile.Unlink:
		e.step("sent", "A deletion of id %s would be sent to %s, whose settings say what becomes of the account.", one.id(), source.To)
	default:
		e.step("sent", "The record of id %s would be sent to %s, which finds the account by its own matching.", one.id(), source.To)
	}
}
