package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// IO is all that a command may read and write. Nothing in the package touches
// os.Stdout or the environment in any other way, so a test sees everything.
type IO struct {
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // progress, warnings, errors, logs

	// Whether a stream is a terminal.
	InTerminal, OutTerminal, ErrTerminal func() bool

	// ReadSecret reads a line of In, a terminal, without showing it. Nil: cannot.
	ReadSecret func() (string, error)

	// User is who runs the command, as the operating system knows them; nil or
	// empty: not known.
	User func() string

	// Env looks up a variable of the environment.
	Env func(name string) (string, bool)
}

// System returns the streams of this process.
func System() IO {
	return IO{
		In:  os.Stdin,
		Out: os.Stdout,
		Err: os.Stderr,

		InTerminal:  terminal(os.Stdin),
		OutTerminal: terminal(os.Stdout),
		ErrTerminal: terminal(os.Stderr),

		ReadSecret: func() (string, error) {
			text, err := term.ReadPassword(int(os.Stdin.Fd()))
			return string(text), err
		},

		User: systemUser,
		Env:  os.LookupEnv,
	}
}

// untilDone is a reader that gives up when a context ends, also in the middle of a
// read that nothing comes of: a person who presses Ctrl-C at a command that waits
// for stdin is heard. What is left behind is that one read, which ends with the
// process. Only one goroutine reads from it.
type untilDone struct {
	ctx  context.Context //nolint:containedctx // a reader is told its context once
	from io.Reader
	rest []byte // that was read and not handed out yet
}

// chunk is how much is read of stdin at once, in bytes.
const chunk = 64 << 10

func (u *untilDone) Read(p []byte) (int, error) {
	if len(u.rest) > 0 {
		n := copy(p, u.rest)
		u.rest = u.rest[n:]
		return n, nil
	}
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data := make([]byte, min(max(len(p), 1), chunk))
		n, err := u.from.Read(data)
		done <- result{data[:n], err}
	}()
	select {
	case <-u.ctx.Done():
		return 0, u.ctx.Err()
	case r := <-done:
		n := copy(p, r.data)
		u.rest = r.data[n:]
		return n, r.err
	}
}

// systemUser is the account that this process runs as.
func systemUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// line prints a line of a result. What comes from others is made printable.
func (s IO) line(format string, args ...any) {
	fmt.Fprintln(s.Out, printable(fmt.Sprintf(format, args...)))
}

// user is who runs the command, empty when it is not known.
func (s IO) user() string {
	if s.User == nil {
		return ""
	}
	return s.User()
}

func terminal(f *os.File) func() bool {
	return func() bool { return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()) }
}

// colour reports whether a stream may carry colour: only a terminal that can
// show it, and only when nobody asked for none (https://no-color.org).
func (s IO) colour(isTerminal func() bool) bool {
	if v, ok := s.Env("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, _ := s.Env("TERM"); v == "dumb" {
		return false
	}
	return isTerminal()
}
