package run

import "context"

type starterKey struct{}

// WithStarter returns a context that says who starts runs: a person, as far as
// the machine knows them. It is for the record, and proves nothing.
func WithStarter(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, starterKey{}, who)
}

// Starter returns who starts runs, empty when it is not known.
func Starter(ctx context.Context) string {
	who, _ := ctx.Value(starterKey{}).(string)
	return who
}
