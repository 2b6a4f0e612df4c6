package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The exit codes. Scripts depend on them: a code is never given a second
// meaning.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2
	exitFailed      = 3
	exitHeld        = 4
	exitThreshold   = 5
	exitStale       = 6
	exitAuth        = 7
	exitInterrupted = 130
)

// exitCodes documents the codes; the help and the reference print it.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "done; nothing is left to do"},
	{exitError, "wrong usage, a wrong document or configuration, or an internal error"},
	{exitChanges, "the plan has changes"},
	{exitFailed, "the workflow failed"},
	{exitHeld, "the run waits for a person: an approval, or a call in doubt"},
	{exitThreshold, "a safety threshold held the changes back"},
	{exitStale, "the plan is stale: what it was made from has changed since"},
	{exitAuth, "authentication failed, or a permission is missing"},
	{exitInterrupted, "interrupted"},
}

// kindCodes holds the kinds of failure that have an exit code of their own; the
// others end with exitError.
var kindCodes = map[fault.Kind]int{
	fault.Held:         exitHeld,
	fault.Stale:        exitStale,
	fault.Unauthorized: exitAuth,
	fault.Forbidden:    exitAuth,
}

// outcome ends a command that did its work and has printed the result, and
// whose result has an exit code of its own: a failed workflow, a plan with
// changes. Nothing more is printed for it.
type outcome int

// Error makes an outcome travel as an error; people never see the text.
func (o outcome) Error() string { return fmt.Sprintf("ended with exit code %d", int(o)) }

// exitCode maps what a command returned to the code the process ends with.
func exitCode(ctx context.Context, err error) int {
	var result outcome
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &result):
		return int(result)
	case interrupted(ctx, err):
		return exitInterrupted
	}
	if code, ok := kindCodes[fault.KindOf(err)]; ok {
		return code
	}
	return exitError
}

// interrupted reports whether a command ended because the person stopped it,
// and not because something inside cancelled a context of its own.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
