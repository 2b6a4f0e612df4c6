package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// errorDoc is an error as JSON. Programs depend on its fields.
type errorDoc struct {
	Error  errorBody   `json:"error"`            // the first
	Errors []errorBody `json:"errors,omitempty"` // all, when there are several
}

type errorBody struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Place   string `json:"place,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// printError says what went wrong: to people on stderr, one line each; to a
// program on stdout, where it waits for one JSON object whatever happens.
func printError(ctx context.Context, s IO, format string, err error) {
	bodies := describe(ctx, err)
	if format == formatJSON || format == formatNDJSON {
		doc := errorDoc{Error: bodies[0]}
		if len(bodies) > 1 {
			doc.Errors = bodies
		}
		// A stream that cannot be written to leaves nobody to tell.
		_ = writeJSON(s.Out, format, doc)
		return
	}
	paint := painter(s.colour(s.ErrTerminal))
	for _, body := range bodies {
		_, _ = fmt.Fprintf(s.Err, "%s %s\n", paint(red, "error:"), printable(body.line()))
	}
}

// line is the body as people read it: the text of fault.Public.
func (b errorBody) line() string {
	e := fault.Error{Place: b.Place, Msg: b.Message, Remedy: b.Remedy}
	return e.Public()
}

// describe takes an error apart into what may be shown of each failure in it.
func describe(ctx context.Context, err error) []errorBody {
	var list *fault.List
	if errors.As(err, &list) && len(list.Errors) > 0 {
		var out []errorBody
		for _, one := range list.Errors {
			out = append(out, describe(ctx, one)...)
		}
		return out
	}
	if interrupted(ctx, err) {
		return []errorBody{{Kind: "interrupted", Message: "interrupted"}}
	}
	var e *fault.Error
	if errors.As(err, &e) {
		return []errorBody{{Kind: e.Kind.String(), Message: e.Msg, Place: e.Place, Remedy: e.Remedy}}
	}
	return []errorBody{{
		Kind:    fault.Internal.String(),
		Message: fault.Public(err),
		Remedy:  "run the command again with --verbose to see it on stderr",
	}}
}

// warn prints one line that does not stop the command.
func (s IO) warn(format string, args ...any) {
	paint := painter(s.colour(s.ErrTerminal))
	_, _ = fmt.Fprintf(s.Err, "%s %s\n", paint(yellow, "warning:"), printable(fmt.Sprintf(format, args...)))
}

// printable makes text of any origin safe for a terminal and one line long: a
// display name that a provider sent may hold escape sequences.
func printable(s string) string {
	bad := func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' }
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case bad(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
