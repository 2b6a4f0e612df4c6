package drivertest

import (
	"context"
	"sync"

	"github.com/lanyard-id/lanyard/internal/engine"
)

// Point is a kind of boundary at which a process can die.
type Point string

// The boundaries. A process reaches the first two around every write to its
// journal; Life.Call reaches the others.
const (
	BeforeAppend Point = "before append"
	AfterAppend  Point = "after append"
	BeforeCall   Point = "before call"
	AfterEffect  Point = "after effect"
)

// Life is one process from its start to its end.
type Life struct {
	target    *Target
	dies      int // at which boundary, counted from 1; 0: it lives on
	dead      chan struct{}
	gate      map[string]chan struct{} // steps whose calls hang until the process gives them up; closed on arrival
	gateSends bool                     // what hangs has left

	mu      sync.Mutex
	reached int
	at      Point
	sent    string // the step whose call has left last
}

func newLife(t *Target, dies int) *Life {
	return &Life{target: t, dies: dies, dead: make(chan struct{}), gate: map[string]chan struct{}{}}
}

// Dead is closed when the process has died.
func (l *Life) Dead() <-chan struct{} { return l.dead }

// Reach tells that the process is at a boundary, and reports whether it is dead
// there: then it must not write any more, and what it has just written has not
// been noticed by it.
func (l *Life) Reach(p Point) (dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dies > 0 && l.reached >= l.dies {
		return true
	}
	l.reached++
	if l.reached < l.dies || l.dies == 0 {
		return false
	}
	l.at = p
	close(l.dead)
	return true
}

// Call makes a call to the target, as an executor would. In a dead process it
// ends with ctx.
func (l *Life) Call(ctx context.Context, c *engine.Call) *engine.Answer {
	if ctx.Err() != nil || l.Reach(BeforeCall) {
		<-ctx.Done()
		return broken(false)
	}
	if arrived, ok := l.gate[c.Step]; ok {
		close(arrived)
		<-ctx.Done()
		return broken(l.gateSends)
	}
	l.mu.Lock()
	l.sent = c.Step
	l.mu.Unlock()
	a := l.target.serve(c)
	if l.Reach(AfterEffect) {
		<-ctx.Done()
		return broken(true)
	}
	return a
}

func broken(sent bool) *engine.Answer {
	return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "the process ends", Sent: sent}}
}

// end says where the process died, and which step's call had left last.
func (l *Life) end() (at Point, sent string, reached int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.sent, l.reached
}
