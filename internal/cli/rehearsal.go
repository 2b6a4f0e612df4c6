package cli

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// Rehearsal is what a lanyard serve offers for rehearsing.
type Rehearsal interface {
	// Faults returns the faults in force and what they did.
	Faults(ctx context.Context) (rehearsal.Report, error)
	// SetFaults puts faults in force; file is their name in places of mistakes.
	SetFaults(ctx context.Context, file string, setting []byte) (rehearsal.Report, error)
	// ClearFaults ends all faults.
	ClearFaults(ctx context.Context) error
	// Clock returns the time of the directory.
	Clock(ctx context.Context) (api.Clock, error)
	// SetClock moves it.
	SetClock(ctx context.Context, change api.ClockChange) (api.Clock, error)
	// Close lets the connections go.
	Close() error
}

func newRehearsal(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "rehearsal",
		GroupID: groupWork,
		Short:   "Make a serving directory fail on purpose, and move its time",
		Long: `Make the APIs of a running lanyard serve fail on purpose, and move the time they
show. What files of faults look like is in docs/rehearsal.md.`,
		Example: `  lanyard rehearsal set faults.yaml`,
	})
	cmd.AddCommand(newRehearsalList(sh), newRehearsalSet(sh), newRehearsalClear(sh), newRehearsalClock(sh))
	return cmd
}

type rehearsalOptions struct {
	shell    *shell
	output   output
	settings Settings
}

// with calls a function with the rehearsal of the process that serves.
func (o *rehearsalOptions) with(ctx context.Context, f func(Rehearsal) error) error {
	if o.shell.product.Rehearsal == nil {
		return missingPart("rehearsal")
	}
	r, err := o.shell.product.Rehearsal(ctx, o.settings)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return f(r)
}

func newRehearsalList(sh *shell) *cobra.Command {
	opts := rehearsalOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the faults in force and how often they fired",
		Long:    `List the faults in force, how many requests reached each, and how often it fired.`,
		Example: `  lanyard rehearsal list -o json`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.settings = opts.shell.settings(cmd)
			return opts.with(cmd.Context(), func(r Rehearsal) error {
				report, err := r.Faults(cmd.Context())
				if err != nil {
					return err
				}
				return opts.print(report)
			})
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func newRehearsalSet(sh *shell) *cobra.Command {
	opts := rehearsalOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "set FILE",
		Short: "Put the faults of a file in force",
		Long: `Put the faults of a file in force, in place of those before; - is the standard
input. A file with mistakes changes nothing.`,
		Example: `  lanyard rehearsal set faults.yaml`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.settings = opts.shell.settings(cmd)
			data, err := opts.read(args[0])
			if err != nil {
				return err
			}
			return opts.with(cmd.Context(), func(r Rehearsal) error {
				report, err := r.SetFaults(cmd.Context(), args[0], data)
				if err != nil {
					return err
				}
				return opts.print(report)
			})
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *rehearsalOptions) read(file string) ([]byte, error) { return readText(o.shell.IO, file) }

// readText reads a whole file; - is stdin.
func readText(s IO, file string) ([]byte, error) {
	if file == "-" {
		data, err := io.ReadAll(s.In)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "the standard input cannot be read")
		}
		return data, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read: %s", plainCause(err)).At("%s", file).Fix("check the path")
	}
	return data, nil
}

func newRehearsalClear(sh *shell) *cobra.Command {
	opts := rehearsalOptions{shell: sh}
	return &cobra.Command{
		Use:     "clear",
		Short:   "End all faults",
		Long:    `End all faults. Requests that are being held stay so until their clients give up.`,
		Example: `  lanyard rehearsal clear`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.settings = opts.shell.settings(cmd)
			return opts.with(cmd.Context(), func(r Rehearsal) error { return r.ClearFaults(cmd.Context()) })
		},
	}
}

// print shows the rules in the order in which they are tried.
func (o *rehearsalOptions) print(report rehearsal.Report) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, report)
	}
	t := newTable(o.shell.IO, "RULE", "FOR", "WHEN", "EFFECT", "REACHED", "FIRED")
	for i, rule := range report.Faults.Rules {
		if i >= len(report.Counts) {
			break
		}
		count := report.Counts[i]
		t.row(rule.Name, target(rule), schedule(rule), consequence(rule), strconv.Itoa(count.Reached), strconv.Itoa(count.Fired))
	}
	return t.print()
}

// target says which requests a rule is for.
func target(r rehearsal.Rule) string {
	parts := []string{r.API, strings.Join(r.Methods, ","), r.Path, r.Operation}
	if r.Caller != "" {
		parts = append(parts, "by", r.Caller)
	}
	return anything(strings.Join(strings.Fields(strings.Join(parts, " ")), " "))
}

func anything(text string) string {
	if text == "" {
		return "everything"
	}
	return text
}

// schedule says when a rule fires.
func schedule(r rehearsal.Rule) string {
	switch {
	case len(r.Times) > 0:
		texts := make([]string, len(r.Times))
		for i, n := range r.Times {
			texts[i] = strconv.Itoa(n)
		}
		return "times " + strings.Join(texts, ",")
	case r.First > 0:
		return "first " + strconv.Itoa(r.First)
	case r.Every > 0:
		return "every " + strconv.Itoa(r.Every)
	case r.Probability > 0:
		return "probability " + strconv.FormatFloat(r.Probability, 'g', -1, 64)
	}
	return "always"
}

// consequence says what happens then.
func consequence(r rehearsal.Rule) string {
	parts := []string{r.Effect}
	if r.Status != 0 {
		parts = append(parts, strconv.Itoa(r.Status))
	}
	if r.Wait != 0 {
		parts = append(parts, "wait", time.Duration(r.Wait).String())
	}
	if r.Delay != 0 {
		parts = append(parts, time.Duration(r.Delay).String())
	}
	return strings.Join(append(parts, r.Fields...), " ")
}

type clockOptions struct {
	rehearsalOptions
	at              string
	offset, advance time.Duration
	freeze, unfreeze,
	backwards bool
}

func newRehearsalClock(sh *shell) *cobra.Command {
	opts := clockOptions{rehearsalOptions: rehearsalOptions{shell: sh}}
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Show the directory's time, and move it",
		Long: `Show the time that the directory and its APIs are on, and move it: everything they
show, rate limits and the lives of tokens go by it. Journals and certificates stay
on the machine's time. It begins as the machine's when lanyard serve starts.`,
		Example: `  lanyard rehearsal clock --advance 24h`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.settings = opts.shell.settings(cmd)
			return opts.run(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&opts.at, "at", "", "move it to `TIME`, such as 2026-01-01T00:00:00Z")
	flags.DurationVar(&opts.advance, "advance", 0, "move it on by a `DURATION`, such as 5m")
	flags.DurationVar(&opts.offset, "offset", 0, "keep it a `DURATION` ahead of the machine's; 0s ends a rehearsal of time")
	flags.BoolVar(&opts.freeze, "freeze", false, "make it stand still")
	flags.BoolVar(&opts.unfreeze, "unfreeze", false, "let it run on")
	flags.BoolVar(&opts.backwards, "backwards", false, "allow it to go back")
	cmd.MarkFlagsMutuallyExclusive("at", "advance", "offset")
	cmd.MarkFlagsMutuallyExclusive("freeze", "unfreeze")
	return cmd
}

func (o *clockOptions) run(cmd *cobra.Command) error {
	change := api.ClockChange{Backwards: o.backwards}
	moves := false
	for _, name := range []string{"at", "advance", "offset", "freeze", "unfreeze"} {
		moves = moves || cmd.Flags().Changed(name)
	}
	if cmd.Flags().Changed("advance") {
		change.Advance = o.advance.String()
	}
	if cmd.Flags().Changed("offset") {
		change.Offset = o.offset.String()
	}
	if o.freeze || o.unfreeze {
		change.Frozen = &o.freeze
	}
	if o.at != "" {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "%q is not a time", o.at).At("--at").Fix("write it as 2026-01-01T00:00:00Z")
		}
		change.At = &at
	}
	return o.with(cmd.Context(), func(r Rehearsal) error {
		var clock api.Clock
		var err error
		if moves {
			clock, err = r.SetClock(cmd.Context(), change)
		} else {
			clock, err = r.Clock(cmd.Context())
		}
		if err != nil {
			return err
		}
		return o.show(clock)
	})
}

func (o *clockOptions) show(c api.Clock) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, c)
	}
	state := "runs"
	if c.Frozen {
		state = "stands still"
	}
	t := newTable(o.shell.IO, "TIME", "MACHINE", "OFFSET", "STATE")
	t.row(c.Now.Format(time.RFC3339), c.Real.Format(time.RFC3339), c.Offset, state)
	return t.print()
}
