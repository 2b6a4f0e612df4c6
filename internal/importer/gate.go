package importer

import (
	"context"
	"sync"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// gates let one in at a time, each of them. Those who wait can be called off.
type gates struct {
	mu     sync.Mutex
	byName map[string]chan struct{}
}

// carrying is the gate of who carries sessions out. Every source has one of its
// own, for who reads it.
const carrying = ""

// enter waits until nobody else is in, and returns how to leave.
func (g *gates) enter(ctx context.Context, name string) (leave func(), err error) {
	place := g.of(name)
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the import was cancelled while it waited for another one")
	}
}

// busy reports whether somebody is in.
func (g *gates) busy(name string) bool { return len(g.of(name)) > 0 }

func (g *gates) of(name string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = map[string]chan struct{}{}
	}
	if g.byName[name] == nil {
		g.byName[name] = make(chan struct{}, 1)
	}
	return g.byName[name]
}
