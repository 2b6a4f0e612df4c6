package run

import "context"

type idKey struct{}

// WithID returns a context in which the calls of a run are made.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the run whose call is being made, empty outside one.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}
