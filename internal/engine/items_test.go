package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
)

// list is a list that a game works through: one item after the other, each with
// a state of its own, as a driver would with maxParallel 1.
type list struct {
	c       *engine.ForEach
	state   engine.State // of the run around it
	at      int          // the item that is under way
	results map[int]map[string]any
	items   map[int]engine.State
}

// pass is what the game knows of a list, by its number and those around it.
type pass struct {
	results map[int]map[string]any
	items   map[int]engine.State
}

// enter begins items until one waits for something, and leaves lists that are
// over.
func (g *game) settle() {
	g.t.Helper()
	for {
		switch {
		case g.turn.Command.Kind == engine.ForEachCommand:
			g.enter(g.turn.Command.ForEach)
		case len(g.lists) > 0 && g.state.Status.Final():
			g.leave()
		default:
			return
		}
	}
}

func (g *game) enter(c *engine.ForEach) {
	g.t.Helper()
	key := strconv.Itoa(c.Loop)
	for _, l := range g.lists {
		key = fmt.Sprintf("%d.%d/%s", l.c.Loop, l.at, key)
	}
	known, ok := g.passes[key]
	if !ok {
		known = pass{map[int]map[string]any{}, map[int]engine.State{}}
		if g.passes == nil {
			g.passes = map[string]pass{}
		}
		g.passes[key] = known
	}
	l := &list{c: c, state: g.state, results: known.results, items: known.items}
	maps.DeleteFunc(l.results, func(_ int, r map[string]any) bool { return r["succeeded"] != true }) // this is another try
	g.lists = append(g.lists, l)
	g.begin()
}

// begin takes the next item that is not over, or ends the list.
func (g *game) begin() {
	g.t.Helper()
	l := g.lists[len(g.lists)-1]
	failed := slices.ContainsFunc(slices.Collect(maps.Values(l.results)), func(r map[string]any) bool { return r["succeeded"] != true })
	for at := range l.c.Len() {
		if _, over := l.results[at]; over || l.c.Stop && failed {
			continue
		}
		l.at = at
		e, err := l.c.Start(at, g.now)
		if old, ok := l.items[at]; ok && l.c.Inside {
			g.state, e = old, engine.Event{Kind: engine.Retried}
		} else {
			g.state = engine.State{}
		}
		if err == nil {
			g.direct(e)
			return
		}
		l.results[at] = l.c.Result(at, nil, fault.Public(err))
		failed = true
	}
	g.lists = g.lists[:len(g.lists)-1]
	done := &engine.Items{}
	for at := range l.c.Len() {
		r, ok := l.results[at]
		switch {
		case !ok:
			continue
		case r["succeeded"] == true:
			done.Succeeded++
		default:
			done.Failed++
			if done.First == nil {
				done.First = &engine.FailedItem{At: at, Message: r["error"].(string)}
			}
		}
		if l.c.Results {
			done.Results = append(done.Results, r)
		}
		if l.c.Keeps {
			done.Kept = append(done.Kept, l.c.Keep(r))
		}
	}
	g.state = l.state
	g.direct(engine.Event{Kind: engine.Looped, ID: l.c.ID, Items: done})
}

// leave takes in an item that is over, and goes on with the next.
func (g *game) leave() {
	g.t.Helper()
	l := g.lists[len(g.lists)-1]
	l.items[l.at] = g.state
	if g.state.Status == run.Cancelled { // the run around it is, too
		g.lists = g.lists[:len(g.lists)-1]
		g.state = l.state
		g.direct(engine.Event{Kind: engine.Cancelled, Reason: "enough"})
		return
	}
	failure := l.c.Failure(g.state)
	l.results[l.at] = l.c.Result(l.at, g.state.Outputs, failure)
	g.begin()
}

// direct folds an event that the machine must take.
func (g *game) direct(e engine.Event) {
	g.t.Helper()
	if err := g.fold(e); err != nil {
		g.t.Fatalf("%s: Apply(%s): %s", g.where, e.Kind, fault.Public(err))
	}
}
