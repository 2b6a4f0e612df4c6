package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

func newTriggers(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "triggers",
		GroupID: groupWork,
		Short:   "Start flows by themselves: schedules, endpoints, events, changes of people",
		Long: `Start flows by themselves: at times of a schedule, when an API endpoint or an
event hook is called, and when people join, move or leave in the directory.
Triggers stand in lanyard.yaml under triggers:, or are added here; lanyard serve
lets them fire (docs/triggers.md).`,
		Example: `  lanyard triggers list
  lanyard triggers test nightly`,
	})
	cmd.AddCommand(newTriggersList(sh), newTriggersShow(sh), newTriggersAdd(sh), newTriggersRemove(sh), newTriggersSwitch(sh, trigger.On), newTriggersSwitch(sh, trigger.Off),
		newTriggersFire(sh), newTriggersHistory(sh), newTriggersTest(sh))
	return cmd
}

// triggerOptions are what every command of the group has: a command for the
// desk, and how to print its reply.
type triggerOptions struct {
	shell   *shell
	output  output
	command trigger.Command
	event   string // --event
	print   func(*trigger.Reply) error
}

// triggering makes a command of the group.
func triggering(sh *shell, verb trigger.Verb, usage, short, long, example string) (*triggerOptions, *cobra.Command) {
	opts := &triggerOptions{shell: sh, command: trigger.Command{Do: verb}}
	cmd := &cobra.Command{Use: usage, Short: short, Long: long, Example: example, Args: takes(strings.Fields(usage)[1:]...)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			opts.command.Name = args[0]
		}
		return opts.run(cmd)
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return opts, cmd
}

// run opens the data folder, carries the command out and prints the reply.
func (o *triggerOptions) run(cmd *cobra.Command) error {
	if o.event != "" {
		data, err := readText(o.shell.IO, o.event)
		if err != nil {
			return err
		}
		o.command.Event = &trigger.Event{Body: string(data)}
	}
	o.command.By = o.shell.user()
	return withSession(o.shell, cmd, Access(!o.command.Local()), func(ctx context.Context, session Session) error {
		reply, err := session.Triggers(run.WithStarter(ctx, o.shell.user()), o.command)
		if err != nil {
			return err
		}
		for _, note := range reply.Notes {
			fmt.Fprintf(o.shell.Err, "note: %s\n", printable(note))
		}
		if o.output.json() {
			err = writeJSON(o.shell.Out, o.output.format, reply)
		} else {
			err = o.print(reply)
		}
		return cmp.Or(err, wouldOutcome(reply))
	})
}

// bindEvent gives a command the flag --event.
func (o *triggerOptions) bindEvent(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.event, "event", "", "what the trigger is told: the body of a request, or the event; a `FILE`, or - for stdin")
	_ = cmd.MarkFlagFilename("event", "json")
}

func newTriggersList(sh *shell) *cobra.Command {
	opts, cmd := triggering(sh, trigger.List, "list", "List the triggers",
		`List the triggers with what they wait for, what they start, and whether they are
on. The flows are read: one that cannot run is an error, with its place.`, `  lanyard triggers list`)
	opts.print = func(r *trigger.Reply) error {
		table := newTable(sh.IO, "NAME", "WHEN", "STARTS", "STATE", "NEXT", "LAST")
		for _, v := range r.Triggers {
			last := ""
			if v.Last != nil {
				last = string(v.Last.State) + " " + stamp(v.Last.At)
			}
			table.row(v.Name, v.When, v.Starts, onOff(v.On), stamp(v.Next), last)
		}
		return table.print()
	}
	return cmd
}

// stamp is a time for people, empty for never.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func newTriggersShow(sh *shell) *cobra.Command {
	opts, cmd := triggering(sh, trigger.Show, "show TRIGGER", "Show one trigger", "Show one trigger with its settings, its switch, and what it did last.", `  lanyard triggers show nightly`)
	opts.print = func(r *trigger.Reply) error {
		for _, v := range r.Triggers {
			opts.view(v)
		}
		return nil
	}
	return cmd
}

func (o *triggerOptions) view(v trigger.View) {
	field := func(name, text string) {
		if text != "" {
			o.shell.line("%-12s %s", name, text)
		}
	}
	field("name", v.Name)
	field("about", v.Description)
	field("when", v.When)
	if v.CatchUp != "" {
		field("policy", "catchUp: "+string(v.CatchUp)+", overlap: "+string(v.Overlap))
	}
	field("starts", v.Starts)
	field("inputs", strings.Join(v.Inputs, ", "))
	field("filter", v.Filter)
	field("state", strings.TrimSuffix(onOff(v.On)+": "+v.Why, ": "))
	field("next", stamp(v.Next))
	if v.Waiting > 0 {
		field("waiting", fmt.Sprint(v.Waiting))
	}
	if v.Last != nil {
		field("last", strings.TrimSpace(stamp(v.Last.At)+" "+string(v.Last.State)+" "+v.Last.Reason))
	}
	field("from", v.Place)
}

func newTriggersAdd(sh *shell) *cobra.Command {
	var file string
	opts, cmd := triggering(sh, trigger.Add, "add TRIGGER", "Add a trigger",
		`Add a trigger that does not stand in lanyard.yaml, or replace one that was added
before. The file has what would stand under its name there; paths in it start at
the folder of lanyard.yaml.`, `  lanyard triggers add nightly --file nightly.yaml`)
	cmd.Flags().StringVar(&file, "file", "", "the trigger, YAML: a `FILE`, or - for stdin")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file == "" {
			return fault.New(fault.Usage, "the trigger is missing").At("--file").Fix("name the file that has it")
		}
		data, err := readText(sh.IO, file)
		if err != nil {
			return err
		}
		opts.command.Text, opts.command.File = string(data), file
		return run(cmd, args)
	}
	opts.print = func(r *trigger.Reply) error {
		for _, v := range r.Triggers {
			opts.shell.line("%s starts %s: %s", v.Name, v.Starts, v.When)
		}
		return nil
	}
	return cmd
}

func newTriggersRemove(sh *shell) *cobra.Command {
	opts, cmd := triggering(sh, trigger.Remove, "remove TRIGGER", "Remove a trigger that was added", "Remove a trigger that was added by command. Its history stays.", `  lanyard triggers remove nightly`)
	opts.print = func(*trigger.Reply) error {
		opts.shell.line("%s is removed", opts.command.Name)
		return nil
	}
	return cmd
}

// newTriggersSwitch makes the commands on and off.
func newTriggersSwitch(sh *shell, verb trigger.Verb) *cobra.Command {
	long := map[trigger.Verb]string{
		trigger.On:  "Switch a trigger on, or with --flow every trigger of a flow. Schedules and changes\nof people count from now.",
		trigger.Off: "Switch a trigger off, or with --flow every trigger of a flow. The switch survives\nrestarts; what would have fired is in the history as refused.",
	}
	opts, cmd := triggering(sh, verb, string(verb)+" [TRIGGER]", "Switch a trigger, or a flow, "+string(verb), long[verb],
		fmt.Sprintf("  lanyard triggers %s nightly\n  lanyard triggers %s --flow joiner.arazzo.yaml", verb, verb))
	cmd.Flags().StringVar(&opts.command.Flow, "flow", "", "a flow instead of a trigger: `FILE`, or FILE#WORKFLOW, as triggers name it")
	if verb == trigger.Off {
		cmd.Flags().StringVar(&opts.command.Why, "why", "", "a `REASON`, for the history")
	}
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 1) == (opts.command.Flow != "") {
			return fault.New(fault.Usage, "name either a trigger or --flow").Fix("%q shows an example", cmd.CommandPath()+" --help")
		}
		return run(cmd, args)
	}
	opts.print = func(r *trigger.Reply) error {
		opts.shell.line("%s %s is %s", r.Switch.What, r.Switch.Name, onOff(!r.Switch.Off))
		return nil
	}
	return cmd
}

func newTriggersFire(sh *shell) *cobra.Command {
	opts, cmd := triggering(sh, trigger.Fire, "fire TRIGGER", "Let a trigger fire now",
		`Let a trigger fire now, whatever else it has under way. Without a lanyard serve on
the data folder, the command waits for the end of the run.`, `  lanyard triggers fire nightly --wait`)
	opts.bindEvent(cmd)
	cmd.Flags().BoolVar(&opts.command.Wait, "wait", false, "wait for the end of the run")
	opts.print = opts.would
	return cmd
}

func newTriggersTest(sh *shell) *cobra.Command {
	opts, cmd := triggering(sh, trigger.Test, "test TRIGGER", "Show what an event would start",
		`Show what an event would start, with its inputs, without starting it; with --run
start it on the sandbox, so that nothing leaves this machine.`, `  lanyard triggers test hr-events --event delivery.json
  lanyard triggers test nightly --run`)
	opts.bindEvent(cmd)
	cmd.Flags().BoolVar(&opts.command.Run, "run", false, "run it on the sandbox")
	opts.print = opts.would
	return cmd
}

// would prints what events lead to.
func (o *triggerOptions) would(r *trigger.Reply) error {
	for _, w := range r.Would {
		switch {
		case w.Filtered:
			o.shell.line("left out by the filter")
		case w.Problem != "":
			o.shell.line("cannot start %s: %s", w.Starts, w.Problem)
		case w.Run != "":
			o.shell.line("started %s: run %s", w.Starts, w.Run)
		case w.Before != "":
			o.shell.line("nothing: this was told before and is %s (%s)", w.Before, w.ID)
		default:
			o.shell.line("would start %s: run %s", w.Starts, w.ID)
		}
		if len(w.Inputs) > 0 && !w.Filtered {
			o.shell.line("    inputs %s", quoted(w.Inputs))
		}
		if w.Outcome != nil {
			o.shell.line("    %s", strings.TrimSpace(string(w.Outcome.Status)+" "+w.Outcome.Reason))
			if len(w.Outcome.Outputs) > 0 {
				o.shell.line("    outputs %s", w.Outcome.Outputs)
			}
		}
	}
	return nil
}

// wouldOutcome is the exit code of what was started or cannot be, nil for none.
func wouldOutcome(r *trigger.Reply) error {
	for _, w := range r.Would {
		switch {
		case w.Problem != "", w.Outcome != nil && (w.Outcome.Status == run.Failed || w.Outcome.Status == run.Cancelled):
			return outcome(exitFailed)
		case w.Outcome != nil && w.Outcome.Status == run.Held:
			return outcome(exitHeld)
		}
	}
	return nil
}

func newTriggersHistory(sh *shell) *cobra.Command {
	var state string
	opts, cmd := triggering(sh, trigger.History, "history [TRIGGER]", "List what triggers took notice of",
		`List what triggers took notice of, newest first: what was started, what waits, and
what was refused, skipped or missed, with the reason. Entries are kept for 30 days.`, `  lanyard triggers history nightly --limit 10
  lanyard triggers history --state refused`)
	cmd.Flags().StringVar(&state, "state", "", "only entries in this `STATE`: waiting, started, skipped, missed, refused, failed")
	bindCount(cmd.Flags(), &opts.command.Limit, "limit", 50, "`N` entries at most; 0: all")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		states := []trigger.State{trigger.Waiting, trigger.Started, trigger.Skipped, trigger.Missed, trigger.Refused, trigger.Failed}
		if opts.command.State = trigger.State(strings.ToLower(state)); state != "" && !slices.Contains(states, opts.command.State) {
			return fault.New(fault.Usage, "there is no state %q", state).At("--state").Fix("use one of waiting, started, skipped, missed, refused, failed")
		}
		if opts.command.Limit == 0 {
			opts.command.Limit = math.MaxInt32
		}
		return run(cmd, args)
	}
	opts.print = func(r *trigger.Reply) error {
		table := newTable(sh.IO, "AT", "TRIGGER", "STATE", "RUN", "COUNT", "KEY", "REASON")
		for _, f := range r.Firings {
			id := f.ID
			if f.State != trigger.Started {
				id = ""
			}
			count := ""
			if f.Count > 1 {
				count = fmt.Sprint(f.Count)
			}
			reason := f.Reason
			if f.Duplicates > 0 {
				reason = strings.TrimSpace(fmt.Sprintf("%s (told %d times more)", reason, f.Duplicates))
			}
			table.row(stamp(f.At), f.Trigger, string(f.State), id, count, f.Key, reason)
		}
		return table.print()
	}
	return cmd
}
