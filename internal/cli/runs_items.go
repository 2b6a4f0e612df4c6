package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/worker"
)

type runsItemsOptions struct {
	shell    *shell
	output   output
	statuses []string
	from     int
	limit    int
}

func newRunsItems(sh *shell) *cobra.Command {
	opts := runsItemsOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "items RUN STEP",
		Short: "List what has come of the items of a list",
		Long: `List what has come of the items that a step works through (x-lanyard-forEach), in
order. Each item, or batch of items, is a run of its own, which show takes. Those
that have not begun, or are under way, are left out.`,
		Example: `  lanyard runs items run_01jd3m2k7h4x9v load --status failed`,
		Args:    takes("RUN", "STEP"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0], args[1]) },
	}
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	cmd.Flags().StringSliceVar(&opts.statuses, "status", nil, "only items with this `STATUS`: succeeded, failed, held; may be repeated")
	cmd.Flags().IntVar(&opts.from, "from", 1, "begin with item `N`")
	bindCount(cmd.Flags(), &opts.limit, "limit", 50, "at most `N` items; 0: all")
	return cmd
}

func (o *runsItemsOptions) run(cmd *cobra.Command, id, step string) error {
	ctx := cmd.Context()
	filter := worker.ItemFilter{Run: id, From: max(o.from-1, 0), Limit: o.limit}
	for _, s := range o.statuses {
		switch status := run.Status(s); status {
		case run.Succeeded, run.Failed, run.Held:
			filter.Statuses = append(filter.Statuses, status)
		default:
			return fault.New(fault.Usage, "items have no status %q", s).At("--status").Fix("use succeeded, failed or held")
		}
	}
	session, err := o.shell.open(ctx, o.shell.settings(cmd), ReadOnly)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	rep, _, err := reportOf(ctx, session, id)
	if err != nil {
		return err
	}
	count := lastList(rep, step)
	if count == nil {
		return fault.New(fault.NotFound, "step %s of run %s works through no list", step, id)
	}
	filter.Loop = count.Loop
	items, err := session.Items(ctx, filter)
	if err != nil {
		return err
	}
	return o.print(items)
}

// lastList is the list of the last visit of a step.
func lastList(rep *report.Report, step string) (count *engine.ItemCount) {
	for _, s := range rep.Steps {
		if s.StepID == step && s.Items != nil {
			count = s.Items
		}
	}
	return count
}

func (o *runsItemsOptions) print(items []run.Item) error {
	switch o.output.format {
	case formatJSON:
		if items == nil {
			items = []run.Item{}
		}
		return writeJSON(o.shell.Out, formatJSON, struct {
			Items []run.Item `json:"items"`
		}{items})
	case formatNDJSON:
		for _, i := range items {
			if err := writeJSON(o.shell.Out, formatNDJSON, i); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(o.shell.IO, "NUMBER", "STATUS", "RUN", "ITEM", "ERROR")
	t.look = func(column, text string) style {
		if column != "STATUS" {
			return plain
		}
		return map[string]style{string(run.Succeeded): green, string(run.Failed): red, string(run.Held): yellow}[text]
	}
	for _, i := range items {
		v, err := value.Decode(i.Result)
		if err != nil {
			return err
		}
		result, _ := v.(map[string]any)
		why, _ := result["error"].(string)
		t.row(strconv.Itoa(i.Position+1), string(i.Status), i.Child, shortItem(value.Text(result["item"])), why)
	}
	return t.print()
}

// shortItem bounds an item in a table.
func shortItem(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}
