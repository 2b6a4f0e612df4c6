package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
)

// detail is how much of a trace is printed.
type detail int

const (
	brief detail = iota // one line a step, and what failed
	full                // requests, responses, criteria, actions
)

// tracePrinter lays out a run for people.
type tracePrinter struct {
	out   io.Writer
	paint func(style, string) string
	level detail
	cut   bool // something was left out that -o json has
}

// printTrace prints a run: its steps, what became of it, its outputs.
func printTrace(s IO, r *report.Report, level detail) {
	p := &tracePrinter{out: s.Out, paint: painter(s.colour(s.OutTerminal)), level: level}
	p.line(0, "%s  %s  %s", p.paint(bold, printable(r.Workflow)), printable(r.Run), p.status(string(r.Status)))
	if level == full {
		p.began(r)
		p.inputs(r)
	}
	width := 0
	for _, step := range r.Steps {
		width = max(width, len(step.StepID)+2*step.Depth)
	}
	for i, step := range r.Steps {
		p.gap()
		p.step(i+1, step, width)
	}
	p.gap()
	for _, w := range r.Warnings {
		p.line(0, "%s %s", p.paint(yellow, "warning:"), printable(w))
	}
	p.result(r)
	if p.cut {
		p.gap()
		p.line(0, "%s", p.paint(dim, "headers for browsers and caches, and the rest of long values, are left out; -o json has them"))
	}
}

// gap sets the parts of a full trace apart.
func (p *tracePrinter) gap() {
	if p.level == full {
		fmt.Fprintln(p.out)
	}
}

func (p *tracePrinter) line(indent int, format string, args ...any) {
	fmt.Fprintf(p.out, strings.Repeat("  ", indent)+format+"\n", args...)
}

func (p *tracePrinter) status(s string) string {
	switch s {
	case engine.StepSucceeded:
		return p.paint(green, s)
	case engine.StepFailed, string(run.Cancelled):
		return p.paint(red, s)
	}
	return p.paint(yellow, s)
}

// began says when the run was started and how long it took.
func (p *tracePrinter) began(r *report.Report) {
	if r.Created.IsZero() {
		return
	}
	took := ""
	if !r.Ended.IsZero() {
		took = ", took " + duration(r.Ended.Sub(r.Created).Microseconds())
	}
	by := ""
	if r.StartedBy != "" {
		by = " by " + printable(r.StartedBy)
	}
	p.line(1, "started %s%s%s", r.Created.Local().Format(time.DateTime), by, took)
}

func (p *tracePrinter) inputs(r *report.Report) {
	if len(r.Inputs) == 0 {
		return
	}
	p.line(1, "inputs")
	p.values(2, r.Inputs)
}

// values lists named values under each other.
func (p *tracePrinter) values(indent int, values map[string]any) {
	names := slices.Sorted(maps.Keys(values))
	width := 0
	for _, name := range names {
		width = max(width, utf8.RuneCountInString(name))
	}
	for _, name := range names {
		p.line(indent, "%-*s  %s", width, printable(name), printable(p.short(value.Text(values[name]))))
	}
}

// maxShownValue bounds a value of a full trace, in bytes. A brief one shows
// results, which are never cut.
const maxShownValue = 500

func (p *tracePrinter) short(text string) string {
	if p.level == brief || len(text) <= maxShownValue {
		return text
	}
	p.cut = true
	return shortened(text)
}

func shortened(text string) string {
	if len(text) <= maxShownValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxShownValue], "") + "..."
}

func (p *tracePrinter) step(n int, s *report.Step, width int) {
	name := strings.Repeat("  ", s.Depth) + s.StepID
	row := fmt.Sprintf("%2d  %-*s  %s", n, width, name, p.status(s.Status))
	if call := lastCall(s); call != nil {
		row += "  " + printable(call.Method+" "+where(call))
	}
	if s.StatusCode != 0 {
		row += fmt.Sprintf("  %d", s.StatusCode)
	}
	if s.Items != nil {
		row += "  " + itemCount(s.Items)
	}
	if s.Attempts > 1 {
		row += fmt.Sprintf("  %d attempts", s.Attempts)
	}
	p.line(0, "%s  %s", row, duration(s.Micros))
	if s.Message != "" && s.Status != engine.StepSucceeded {
		p.line(2, "%s", printable(s.Message))
	}
	if p.level == full {
		p.calls(s)
		return
	}
	p.doubts(s)
}

// itemCount says how far a list is done.
func itemCount(c *engine.ItemCount) string {
	text := howMany(int64(c.Total), "item")
	if c.Failed > 0 {
		text += fmt.Sprintf(", %d failed", c.Failed)
	}
	return text
}

// doubts says how answers that settle nothing by themselves were settled.
func (p *tracePrinter) doubts(s *report.Step) {
	for _, d := range s.Doubts {
		p.line(2, "%s", printable(d))
	}
}

// lastCall is the exchange that the visit was judged by.
func lastCall(s *report.Step) *report.Call {
	for _, c := range slices.Backward(s.Calls) {
		if c.Purpose == engine.ForStep {
			return c
		}
	}
	return nil
}

// where is the URL that was called, or what is known of it.
func where(c *report.Call) string {
	if c.Answer != nil && c.Answer.URL != "" {
		return c.Answer.URL
	}
	return c.Target
}

func duration(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// calls prints a visit's exchanges and, after each attempt, how it was judged.
func (p *tracePrinter) calls(s *report.Step) {
	tries := s.Tries
	for _, c := range s.Calls {
		for len(tries) > 0 && tries[0].Attempt < c.Attempt {
			p.try(tries[0])
			tries = tries[1:]
		}
		p.call(c)
	}
	p.doubts(s)
	for _, t := range tries {
		p.try(t)
	}
}

func (p *tracePrinter) call(c *report.Call) {
	what := "request"
	if c.Purpose == engine.ForLookup {
		what = "look-up"
	}
	p.line(2, "%s %d: %s", what, c.Attempt, printable(c.Method+" "+where(c)))
	p.attribution(c)
	p.headers(c.Header, c.JSON != nil)
	p.body(c.JSON, c.Text)
	if c.Answer == nil {
		p.line(2, "%s", p.paint(yellow, "no answer was recorded"))
		return
	}
	a := c.Answer
	if a.Failure != nil {
		p.line(2, "no response after %s: %s", duration(a.Micros), printable(a.Failure.Message))
		return
	}
	again := ""
	if a.Attempts > 1 {
		again = fmt.Sprintf(", sent %d times at the provider's pace", a.Attempts)
	}
	p.line(2, "response: %d after %s%s", a.Status, duration(a.Micros), again)
	p.headers(a.Header, a.JSON != nil)
	text := ""
	if a.Text != nil {
		text = *a.Text
	}
	p.body(a.JSON, text)
}

// attribution says in whose name a call was made.
func (p *tracePrinter) attribution(c *report.Call) {
	switch {
	case c.Identity != "":
		p.line(3, "by connection %s, as %s", printable(c.Connection), printable(c.Identity))
	case c.Connection != "":
		p.line(3, "by connection %s", printable(c.Connection))
	}
}

// headers shows those that say something about what happened.
func (p *tracePrinter) headers(h map[string][]string, isJSON bool) {
	budget := map[string]string{} // limit, remaining and reset, which belong together
	for _, name := range slices.Sorted(maps.Keys(h)) {
		text := strings.Join(h[name], ", ")
		if m := rateLimit.FindStringSubmatch(name); m != nil {
			budget[strings.ToLower(m[1])] = text
			continue
		}
		if !told(http.CanonicalHeaderKey(name), isJSON) {
			p.cut = true
			continue
		}
		p.line(3, "%s: %s", p.paint(dim, printable(name)), printable(p.short(text)))
	}
	if text := budgetText(budget); text != "" {
		p.line(3, "%s", p.paint(dim, printable(text)))
	}
}

// rateLimit matches the headers by which Okta and Auth0 announce a limit.
var rateLimit = regexp.MustCompile(`(?i)^x-rate-?limit-(limit|remaining|reset)$`)

// budgetText words an announced limit: "rate limit: 599 of 600 left until 12:01:06Z".
func budgetText(budget map[string]string) string {
	limit, remaining, reset := budget["limit"], budget["remaining"], budget["reset"]
	if limit == "" && remaining == "" && reset == "" {
		return ""
	}
	text := "rate limit: " + cmp.Or(remaining, "?") + " of " + cmp.Or(limit, "?") + " left"
	if reset == "" {
		return text
	}
	if seconds, err := strconv.ParseInt(reset, 10, 64); err == nil {
		reset = time.Unix(seconds, 0).UTC().Format("15:04:05Z")
	}
	return text + " until " + reset
}

// maxShownBody bounds how much of a body that is not JSON a trace prints.
const maxShownBody = 2000

func (p *tracePrinter) body(raw json.RawMessage, text string) {
	if raw != nil {
		if lines, ok := layoutJSON(raw); ok {
			p.bodyLines(lines)
			return
		}
		text = string(raw)
	}
	if text == "" {
		return
	}
	if len(text) > maxShownBody {
		p.cut = true
		text = strings.ToValidUTF8(text[:maxShownBody], "") + "..."
	}
	p.line(3, "%s", printable(text))
}

func (p *tracePrinter) bodyLines(lines []string) {
	for i, line := range lines {
		if i == maxLayoutLines {
			p.cut = true
			p.line(3, "... %d more lines", len(lines)-i)
			return
		}
		p.line(3, "%s", printable(p.short(line)))
	}
}

func (p *tracePrinter) try(t *report.Try) {
	p.criteria(2, t.Criteria)
	for _, c := range t.Considered {
		verdict := "does not apply"
		switch {
		case c.Why != "":
			verdict = "passed over: " + c.Why
		case c.Matched:
			verdict = "applies"
		}
		p.line(2, "action %s %s", printable(c.Name), verdict)
		p.criteria(3, c.Criteria)
	}
	if a := t.Action; a != nil {
		text := "then: " + a.Type
		if a.Target != "" {
			text += " " + a.Target
		}
		if a.Name != "" {
			text += " (action " + a.Name + ")"
		}
		if a.Wait > 0 {
			text += fmt.Sprintf(" after %gs by %s", a.Wait, a.Why)
		} else if a.Why != "" {
			text += ": " + a.Why
		}
		p.line(2, "%s", printable(text))
	}
	if len(t.Outputs) > 0 {
		p.line(2, "outputs")
		p.values(3, t.Outputs)
	}
	if len(t.Unset) > 0 {
		p.line(2, "outputs without a value: %s", printable(strings.Join(t.Unset, ", ")))
	}
}

func (p *tracePrinter) criteria(indent int, results []expr.Result) {
	for _, r := range results {
		mark := p.paint(green, "met")
		if !r.Pass {
			mark = p.paint(red, "not met")
		}
		var operands []string
		for _, o := range r.Operands {
			got := "has no value"
			if !o.Missing {
				got = "is " + p.short(value.Text(o.Value))
			}
			operands = append(operands, o.Expression+" "+got)
		}
		text := "criterion " + printable(r.Condition) + " " + mark
		if len(operands) > 0 {
			text += ": " + printable(strings.Join(operands, ", "))
		}
		// What a simple condition failed on is in its operands already.
		if r.Reason != "" && !strings.HasPrefix(r.Reason, r.Condition+" is false") {
			text += " (" + printable(r.Reason) + ")"
		}
		p.line(indent, "%s", text)
	}
}

func (p *tracePrinter) result(r *report.Report) {
	if r.Error != "" {
		p.line(0, "%s %s", p.paint(red, string(r.Status)+":"), printable(r.Error))
		p.done(r)
	}
	if r.Remedy != "" {
		p.line(1, "%s", strings.NewReplacer(
			"runs skip", "lanyard runs skip "+r.Run, "runs retry", "lanyard runs retry "+r.Run, "runs cancel", "lanyard runs cancel "+r.Run,
		).Replace(r.Remedy))
	} else if r.Status == run.Failed && len(r.Steps) > 0 {
		at := ""
		if step := r.FailedStep(); step != "" {
			at = " --step " + printable(step)
		}
		p.line(1, "to go on from the failed step once the cause is gone: lanyard runs retry %s%s", r.Run, at)
	}
	v, err := value.Decode(r.Outputs)
	outputs, ok := v.(map[string]any)
	if err != nil || !ok || r.Status != run.Succeeded && allNull(outputs) || len(outputs) == 0 {
		return
	}
	p.line(0, "%s", p.paint(bold, "outputs"))
	whole := *p
	whole.level = brief // results are never cut
	whole.values(1, outputs)
}

// allNull reports whether no output has a value.
func allNull(outputs map[string]any) bool {
	for _, v := range outputs {
		if v != nil {
			return false
		}
	}
	return true
}

// done says what a run that did not succeed has changed all the same: the
// orphans somebody has to know about.
func (p *tracePrinter) done(r *report.Report) {
	changed := 0
	for _, s := range r.Steps {
		what := effect(s)
		if what == "" {
			continue
		}
		if changed++; changed <= maxEffects {
			p.line(1, "%s", what)
		}
	}
	switch {
	case changed == 0:
		p.line(1, "no step changed anything")
	case changed > maxEffects:
		p.line(1, "and %d more, %d in all; lanyard runs show %s has them", changed-maxEffects, changed, r.Run)
	}
}

// maxEffects bounds how many changes are listed: a run may have worked through
// a list of thousands.
const maxEffects = 20

// effect says what a step of a run that did not succeed has changed, or may
// have; it is empty when it did not.
func effect(s *report.Step) string {
	c := lastCall(s)
	if c == nil || !c.Writes {
		return ""
	}
	where := fmt.Sprintf("%s (%s %s)", s.StepID, c.Method, printable(c.Target))
	switch {
	case s.Status == engine.StepSucceeded && len(s.Outputs) > 0:
		return "done before: " + where + " " + shortened(printable(value.Text(s.Outputs)))
	case s.Status == engine.StepSucceeded:
		return "done before: " + where
	case c.InDoubt:
		return "may have taken effect: " + where
	case c.Answer != nil && c.Answer.Status/100 == 2:
		return fmt.Sprintf("answered %d, so it may have taken effect although the step failed: %s", c.Answer.Status, where)
	}
	return ""
}

// printPerson prints what the directory holds of one person.
func printPerson(s IO, person directory.Person) {
	p := &tracePrinter{out: s.Out, paint: painter(s.colour(s.OutTerminal))}
	p.line(0, "%s %s", p.paint(bold, "directory"), printable(person.Email))
	for _, a := range person.Accounts {
		var groups []string
		for _, g := range a.Groups {
			groups = append(groups, g.Name())
		}
		in := ""
		if len(groups) > 0 {
			in = "  in " + strings.Join(groups, ", ")
		}
		p.line(1, "%-6s %s  %s%s", a.Kind, printable(a.ID), printable(string(a.Status)), printable(in))
	}
}
