package cli

import (
	"io"
	"os"

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

		Env: os.LookupEnv,
	}
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
