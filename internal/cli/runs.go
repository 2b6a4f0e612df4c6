package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

func newRuns(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "runs",
		GroupID: groupWork,
		Short:   "Look at runs, and decide about those that wait",
		Long: `Look at what runs did, step by step, and decide about those that wait. A run
that was interrupted is resumed; a call that was sent and not answered is
settled by its step's rule, or the run is held until you skip, retry or cancel.`,
		Example: `  lanyard runs list --status held`,
	})
	cmd.AddCommand(
		newRunsList(sh), newRunsShow(sh), newRunsItems(sh), newRunsResume(sh),
		newDecision(sh, decision{
			name: "retry", kind: engine.Retried, short: "Send the step that holds or failed again",
			long: `Send the step that a held or failed run stands at again. For a held run this
means that you have found out that the call took no effect. A run that has ended
needs its secret inputs again: they were wiped.`,
			example: `  lanyard runs retry run_01jd3m2k7h4x9v --step create --input password="$PASSWORD"`, takesInputs: true, takesStep: true,
		}),
		newDecision(sh, decision{
			name: "skip", kind: engine.Skipped, short: "Go on behind the step that holds or failed",
			long: `Go on behind the step that a held or failed run stands at, giving its outputs.
For a held run this means that you have found out that the call took effect.`,
			example: `  lanyard runs skip run_01jd3m2k7h4x9v --step create --output-value userId=00u1a2b3c4`, takesOutputs: true, takesInputs: true, takesStep: true,
		}),
		newDecision(sh, decision{
			name: "cancel", kind: engine.Cancelled, short: "End a run",
			long:    `End a run. What it did stays done; a call that is under way may still take effect.`,
			example: `  lanyard runs cancel run_01jd3m2k7h4x9v --reason "wrong group"`, takesReason: true,
		}),
	)
	return cmd
}

type runsListOptions struct {
	shell    *shell
	output   output
	statuses []string
	workflow string
	limit    int
}

func newRunsList(sh *shell) *cobra.Command {
	opts := runsListOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List runs, the newest first",
		Long:    `List runs, the newest first.`,
		Example: `  lanyard runs list --status failed --limit 20 -o json`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.run(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	cmd.Flags().StringSliceVar(&opts.statuses, "status", nil, "only runs with this `STATUS`: running, held, succeeded, failed, cancelled; may be repeated")
	cmd.Flags().StringVar(&opts.workflow, "workflow", "", "only runs of the workflow with this `ID`")
	bindCount(cmd.Flags(), &opts.limit, "limit", 50, "at most `N` runs; 0: all")
	return cmd
}

func (o *runsListOptions) run(cmd *cobra.Command) error {
	filter := worker.Filter{Workflow: o.workflow, Limit: o.limit}
	for _, s := range o.statuses {
		switch status := run.Status(s); status {
		case run.Running, run.Held, run.Succeeded, run.Failed, run.Cancelled:
			filter.Statuses = append(filter.Statuses, status)
		default:
			return fault.New(fault.Usage, "there is no status %q", s).At("--status").Fix("use running, held, succeeded, failed or cancelled")
		}
	}
	session, err := o.shell.open(cmd.Context(), o.shell.settings(cmd), ReadOnly)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	runs, err := session.Runs(cmd.Context(), filter)
	if err != nil {
		return err
	}
	return o.print(runs)
}

func (o *runsListOptions) print(runs []run.Run) error {
	switch o.output.format {
	case formatJSON:
		if runs == nil {
			runs = []run.Run{}
		}
		return writeJSON(o.shell.Out, formatJSON, struct {
			Runs []run.Run `json:"runs"`
		}{runs})
	case formatNDJSON:
		for _, r := range runs {
			if err := writeJSON(o.shell.Out, formatNDJSON, r); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(o.shell.IO, "RUN", "STATUS", "WORKFLOW", "STARTED", "TOOK", "REASON")
	t.look = func(column, text string) style {
		if column != "STATUS" {
			return plain
		}
		return map[string]style{string(run.Succeeded): green, string(run.Failed): red, string(run.Held): yellow}[text]
	}
	for _, r := range runs {
		took := ""
		if !r.Ended.IsZero() {
			took = duration(r.Ended.Sub(r.Created).Microseconds())
		}
		t.row(r.ID, string(r.Status), r.Workflow, r.Created.Local().Format(time.DateTime), took, r.Reason)
	}
	return t.print()
}

type runsShowOptions struct {
	shell      *shell
	output     output
	har, junit string
}

func newRunsShow(sh *shell) *cobra.Command {
	opts := runsShowOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a run step by step",
		Long: `Show a run step by step: each request and response (masked), each criterion with
the values it saw, the action that was chosen and why, attempts and waits.`,
		Example: `  lanyard runs show run_01jd3m2k7h4x9v --har run.har`,
		Args:    takes("RUN"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	bindFiles(cmd, &opts.har, &opts.junit)
	return cmd
}

// reportOf reads what a run did until now, and the records that tell it.
func reportOf(ctx context.Context, session Session, id string) (*report.Report, []run.Record, error) {
	summary, err := session.Run(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	records, err := session.Records(ctx, id, 0, false)
	if err != nil {
		return nil, nil, err
	}
	rep, err := report.Build(summary, records)
	return rep, records, err
}

func (o *runsShowOptions) run(cmd *cobra.Command, id string) error {
	ctx := cmd.Context()
	session, err := o.shell.open(ctx, o.shell.settings(cmd), ReadOnly)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	rep, records, err := reportOf(ctx, session, id)
	if err != nil {
		return err
	}
	if err := rep.ReadFailedItem(ctx, session); err != nil {
		return err
	}
	if err := writeFiles(rep, o.har, o.junit); err != nil {
		return err
	}
	switch o.output.format {
	case formatJSON:
		return writeJSON(o.shell.Out, formatJSON, rep)
	case formatNDJSON:
		for _, r := range records {
			if err := writeJSON(o.shell.Out, formatNDJSON, r); err != nil {
				return err
			}
		}
		return nil
	}
	printTrace(o.shell.IO, rep, full)
	return nil
}

type runsResumeOptions struct {
	shell   *shell
	output  output
	step    string
	all     bool
	several bool // not one run that was named: -o json prints {"runs": [...]}
}

func newRunsResume(sh *shell) *cobra.Command {
	opts := runsResumeOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "resume [RUN...]",
		Short: "Go on with runs that were interrupted",
		Long: `Go on with runs that were interrupted, or try again to settle one that is held.
No completed call is repeated. Without a RUN, every interrupted run goes on. For
one RUN -o json prints the run, otherwise {"runs": [...]}.`,
		Example: `  lanyard runs resume run_01jd3m2k7h4x9v`,
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args) },
	}
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	bindStep(cmd, &opts.step)
	cmd.Flags().BoolVar(&opts.all, "all", false, "resume every interrupted run; the same as naming none")
	return cmd
}

func (o *runsResumeOptions) run(cmd *cobra.Command, ids []string) error {
	ctx := cmd.Context()
	if o.step != "" && (o.all || len(ids) != 1) {
		return fault.New(fault.Usage, "a step can be named for one run only").At("--step").Fix("name the run, and no other")
	}
	session, err := o.shell.open(ctx, o.shell.settings(cmd), ReadWrite)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	o.several = o.all || len(ids) != 1
	if o.all || len(ids) == 0 {
		ids = nil
		runs, err := session.Runs(ctx, worker.Filter{Statuses: []run.Status{run.Running}})
		if err != nil {
			return err
		}
		for i := len(runs) - 1; i >= 0; i-- { // the oldest first
			ids = append(ids, runs[i].ID)
		}
		if len(ids) == 0 {
			fmt.Fprintln(o.shell.Err, "no run was interrupted")
			if o.output.format == formatJSON {
				return o.printAll([]*report.Report{})
			}
			return nil
		}
	}
	return o.resume(ctx, session, ids)
}

// resume sets all runs going before it waits for any of them. The worst
// outcome is the command's.
func (o *runsResumeOptions) resume(ctx context.Context, session Session, ids []string) error {
	seen := make(map[string]int, len(ids))
	for _, id := range ids { // a run that is not there stops the command before it does anything
		last, err := lastRecord(ctx, session, id)
		if err != nil {
			return err
		}
		seen[id] = last
	}
	for _, id := range ids {
		err := session.Signal(ctx, id, engine.Event{Kind: engine.Resumed, By: "the command line", Step: o.step}, nil)
		if err != nil && !(fault.Is(err, fault.Conflict) && len(ids) > 1) { // one of many may have ended, or move already
			return err
		}
	}
	reports := []*report.Report{}
	var worst error
	for _, id := range ids {
		w := watcher{shell: o.shell, session: session, output: o.output, after: seen[id]}
		if o.several {
			w.each = func(r *report.Report) { reports = append(reports, r) }
		}
		err := w.watch(ctx, id, nil)
		var result outcome
		if err != nil && !asOutcome(err, &result) {
			return err
		}
		worst = worse(worst, err)
	}
	if o.several && o.output.format == formatJSON {
		if err := o.printAll(reports); err != nil {
			return err
		}
	}
	return worst
}

// printAll prints several runs as one object.
func (o *runsResumeOptions) printAll(reports []*report.Report) error {
	return writeJSON(o.shell.Out, formatJSON, struct {
		Runs []*report.Report `json:"runs"`
	}{reports})
}

// worse returns the outcome that a person has to know of first: a refused
// credential, then a failure, then a run that waits.
func worse(a, b error) error {
	for _, code := range []outcome{exitInterrupted, exitError, exitAuth, exitFailed, exitHeld} {
		for _, err := range []error{a, b} {
			if errors.Is(err, code) {
				return err
			}
		}
	}
	return cmp.Or(a, b)
}

// lastRecord is the number of a run's last record.
func lastRecord(ctx context.Context, session Session, id string) (int, error) {
	records, err := session.Records(ctx, id, 0, false)
	if err != nil {
		return 0, err
	}
	if len(records) == 0 {
		if _, err := session.Run(ctx, id); err != nil {
			return 0, err
		}
		return 0, nil
	}
	return records[len(records)-1].Seq, nil
}

// decision is a command by which a person decides about a run.
type decision struct {
	name, short, long, example string
	kind                       engine.EventKind
	takesInputs                bool
	takesOutputs               bool
	takesReason                bool
	takesStep                  bool
}

type decisionOptions struct {
	decision
	shell   *shell
	output  output
	inputs  inputFlags
	outputs inputFlags
	reason  string
	step    string
}

func newDecision(sh *shell, d decision) *cobra.Command {
	opts := decisionOptions{shell: sh, decision: d}
	cmd := &cobra.Command{
		Use: d.name + " RUN", Short: d.short, Long: d.long, Example: d.example, Args: takes("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	if d.takesInputs {
		opts.inputs.bind(cmd)
	}
	if d.takesOutputs {
		cmd.Flags().StringArrayVar(&opts.outputs.pairs, "output-value", nil, "an output of the skipped step as `NAME=TEXT` or NAME:=JSON; may be repeated")
		cmd.Flags().StringVar(&opts.outputs.file, "outputs", "", "read the outputs of the skipped step from a JSON `FILE`, or from stdin with -")
	}
	if d.takesStep {
		bindStep(cmd, &opts.step)
	}
	if d.takesReason {
		cmd.Flags().StringVar(&opts.reason, "reason", "cancelled by a person", "why, for the record")
	}
	return cmd
}

// bindStep gives cmd the flag that says which step a decision is about.
func bindStep(cmd *cobra.Command, step *string) {
	cmd.Flags().StringVar(step, "step", "", "only if the run stands at the step with this `ID`, and has not moved on since you looked")
}

func (o *decisionOptions) run(cmd *cobra.Command, id string) error {
	ctx := cmd.Context()
	inputs, err := o.inputs.read(o.shell.IO)
	if err != nil {
		return err
	}
	outputs, err := o.outputs.read(o.shell.IO)
	if err != nil {
		return err
	}
	session, err := o.shell.open(ctx, o.shell.settings(cmd), ReadWrite)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	last, err := lastRecord(ctx, session, id)
	if err != nil {
		return err
	}
	e := engine.Event{Kind: o.kind, By: "the command line", Reason: o.reason, Outputs: outputs, Step: o.step}
	if err := session.Signal(ctx, id, e, inputs); err != nil {
		return err
	}
	w := watcher{shell: o.shell, session: session, output: o.output, after: last + 1}
	err = w.watch(ctx, id, nil)
	var result outcome
	if o.kind == engine.Cancelled && asOutcome(err, &result) {
		return nil // cancelling is what was asked for
	}
	return err
}
