package run

import "context"

type idKey struct{}

// WithID returns a context in which calls are made for a run.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the run that a call is made for, empty when it is for none.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}
