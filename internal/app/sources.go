package app

import (
	"context"
	"errors"
	"io/fs"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/sources"
)

// sources carries out a verb on the lock file of a document.
func (a *App) sources(ctx context.Context, verb cli.SourcesVerb, req cli.PlanRequest) ([]cli.SourceState, error) {
	c, err := a.configuration(&req.Settings)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(req.File)
	if err != nil {
		return nil, err
	}
	doc, diags := arazzo.Parse(req.File, data)
	for _, d := range diags {
		if d.Severity == arazzo.Error {
			return nil, &plan.RefusedError{Diagnostics: diags}
		}
	}
	loader, done, err := a.loader(c, req)
	if err != nil {
		return nil, err
	}
	defer done()
	file := lockPath(req.Settings)
	if loader.Lock == nil {
		loader.Lock = sources.NewLock(file)
	}
	act := map[cli.SourcesVerb]func(context.Context, []sources.Ref) ([]sources.State, error){
		cli.SourcesLock: loader.Pin, cli.SourcesUpdate: loader.Update, cli.SourcesDiff: loader.Diff,
	}[verb]
	states, err := act(ctx, plan.Refs(doc))
	if err != nil {
		return nil, err
	}
	if verb != cli.SourcesDiff {
		if err := loader.Lock.Write(file); err != nil {
			return nil, err
		}
	}
	return sourceStates(states), nil
}

func sourceStates(states []sources.State) []cli.SourceState {
	out := make([]cli.SourceState, len(states))
	for i, s := range states {
		out[i] = cli.SourceState{
			Name: s.Name, State: string(s.Status), Location: s.Location, Digest: s.Digest,
			Added: s.Added, Removed: s.Removed, Changed: s.Changed, Message: s.Message,
		}
		if s.Err != nil {
			out[i].Message = fault.Public(s.Err)
		}
	}
	return out
}

// readLock reads the lock file; without one nothing is pinned.
func readLock(file string) (*sources.Lock, error) {
	l, err := sources.ReadLock(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return l, err
}
