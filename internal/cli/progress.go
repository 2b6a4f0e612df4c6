package cli

import (
	"fmt"
	"io"
	"time"
)

// How often progress is shown. A terminal's line is rewritten; elsewhere, in
// the log of a build, each is a line of its own and therefore rare.
const (
	terminalPace = 100 * time.Millisecond
	logPace      = 10 * time.Second
)

// progress shows on stderr how far long work is. It has no goroutine: it prints
// when it is told of progress and enough time has passed. Methods must not be
// called from several goroutines at once.
type progress struct {
	out     io.Writer
	rewrite bool
	pace    time.Duration
	now     func() time.Time
	last    time.Time
	open    bool // a line on the terminal waits to be erased
}

// newProgress starts the clock: nothing is shown for work that ends at once.
func newProgress(s IO) *progress {
	p := &progress{out: s.Err, pace: logPace, now: time.Now}
	if s.ErrTerminal() {
		p.rewrite, p.pace = true, terminalPace
	}
	p.last = p.now()
	return p
}

// show tells what is being done now: "checked 120 of 300 cases".
func (p *progress) show(format string, args ...any) {
	now := p.now()
	if now.Sub(p.last) < p.pace {
		return
	}
	p.last = now
	text := printable(fmt.Sprintf(format, args...))
	if p.rewrite {
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		p.open = true
		return
	}
	_, _ = fmt.Fprintln(p.out, text)
}

// done erases the line, so that results follow on a clean one. It may be called
// twice.
func (p *progress) done() {
	if p.open {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
		p.open = false
	}
}
