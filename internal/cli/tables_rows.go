package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	tables "github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/value"
)

func newTablesRows(sh *shell) *cobra.Command {
	opts, cmd := tablesCommand(sh, tables.ListRows, "rows TABLE", "Show rows of a table",
		`Show rows of a table, all or those that a filter selects: comparisons of columns in
the grammar of SCIM (eq, ne, co, sw, ew, gt, ge, lt, le, pr), joined by and, or, not.
Letter case counts.`, `  lanyard tables rows "Sample Users" --filter 'active eq true and city sw "L"' --order last_name`)
	q := &opts.command.Query
	cmd.Flags().StringVar(&q.Filter, "filter", "", "show the rows of which this `FILTER` is true")
	cmd.Flags().StringVar(&q.Order, "order", "", "order by a `COLUMN`; \"COLUMN desc\" is the other way round")
	bindRange(cmd.Flags(), count{into: &q.Limit, least: 1, most: tables.MaxLimit}, "limit", tables.DefaultLimit, fmt.Sprintf("show at most so many `ROWS`, up to %d", tables.MaxLimit))
	cmd.Flags().StringVar(&q.After, "after", "", "go on behind a page, by the `MARK` that it ended with")
	opts.print = func(r *tables.Reply) error {
		if err := opts.rows(r); err != nil || r.Next == "" {
			return err
		}
		fmt.Fprintf(sh.Err, "there are more: --after %s\n", r.Next)
		return nil
	}
	return cmd
}

// rows prints rows under the names of their columns.
func (o *tablesOptions) rows(r *tables.Reply) error {
	header := []string{"ROW"}
	columns := r.Tables[0].Columns
	for _, c := range columns {
		header = append(header, c.Name)
	}
	t := newTable(o.shell.IO, header...)
	for _, row := range r.Rows {
		cells := []string{row.ID}
		for _, c := range columns {
			cells = append(cells, tables.Show(row.Values[c.Name]))
		}
		t.row(cells...)
	}
	return t.print()
}

// cells reads NAME=TEXT and NAME:=JSON.
func cells(args []string) (map[string]any, error) {
	out := map[string]any{}
	for _, arg := range args {
		name, v, err := parseInput(arg)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// outcome prints what became of a row.
func (o *tablesOptions) outcome(r *tables.Reply) error {
	what := r.Outcome
	if r.Counts != nil {
		switch {
		case r.Counts.Inserted > 0:
			what = tables.Inserted
		case r.Counts.Updated > 0:
			what = tables.Updated
		default:
			what = tables.Unchanged
		}
	}
	row := r.Rows[0]
	text, err := value.Encode(row.Values)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the row cannot be shown")
	}
	o.shell.line("row %s %s: %s", row.ID, what, text)
	return nil
}

func newTablesAdd(sh *shell) *cobra.Command {
	var upsert bool
	opts, cmd := tablesCommand(sh, tables.AddRow, "add TABLE CELL...", "Add a row to a table",
		`Add a row to a table. A CELL is COLUMN=TEXT, or COLUMN:=JSON; columns that are not named
stay empty. With --upsert, a row that has the key already is changed instead.`,
		`  lanyard tables add Badges number=0017 owner=ada.min@example.com issued=2026-03-29`)
	cmd.Flags().BoolVar(&upsert, "upsert", false, "change the row with this key, if there is one")
	cmd.Flags().StringVar(&opts.command.Once, "once", "", "an idempotency `KEY`: the same again adds nothing")
	cmd.MarkFlagsMutuallyExclusive("upsert", "once")
	opts.prepare = func(args []string) error {
		values, err := cells(args[1:])
		opts.command.Values = values
		if upsert {
			opts.command.Do, opts.command.Values, opts.command.Rows = tables.PutRows, nil, []map[string]any{values}
		}
		return err
	}
	opts.print = opts.outcome
	return cmd
}

// means puts the argument ROW where it belongs.
func (o *tablesOptions) means(row string, byKey bool) {
	if byKey {
		o.command.Key = row
	} else {
		o.command.Row = row
	}
}

const byKeyUsage = "ROW is the value of the key column, and not an id"

func newTablesSet(sh *shell) *cobra.Command {
	var byKey bool
	opts, cmd := tablesCommand(sh, tables.SetRow, "set TABLE ROW CELL...", "Change cells of a row",
		`Change cells of a row. ROW is its id; a CELL is COLUMN=TEXT, or COLUMN:=JSON. COLUMN= empties
a cell.`, `  lanyard tables set Badges 0017 owner=bob.max@example.com --by-key`)
	cmd.Flags().BoolVar(&byKey, "by-key", false, byKeyUsage)
	cmd.Flags().Int64Var(&opts.command.Version, "version", 0, "fail when the row has another `VERSION`: somebody has changed it")
	opts.prepare = func(args []string) (err error) {
		opts.means(args[1], byKey)
		opts.command.Values, err = cells(args[2:])
		return err
	}
	opts.print = opts.outcome
	return cmd
}

func newTablesDelete(sh *shell) *cobra.Command {
	var byKey, all bool
	opts, cmd := tablesCommand(sh, tables.DeleteRow, "delete TABLE [ROW]", "Remove a row of a table, or all",
		`Remove a row of a table, or, with --all, every row; the table stays.`, `  lanyard tables delete Badges 0017 --by-key`)
	cmd.Flags().BoolVar(&byKey, "by-key", false, byKeyUsage)
	cmd.Flags().BoolVar(&all, "all", false, "remove every row")
	opts.prepare = func(args []string) error {
		if all == (len(args) > 1) {
			return fault.New(fault.Usage, "%s needs a ROW, or --all", strings.TrimSpace(cmd.CommandPath())).Fix("lanyard tables rows %q shows the ids", args[0])
		}
		if all {
			opts.command.Do = tables.ClearTable
			return nil
		}
		opts.means(args[1], byKey)
		return nil
	}
	opts.print = func(r *tables.Reply) error {
		opts.shell.line("%s: %s removed", opts.command.Table, howMany(r.Removed, "row"))
		return nil
	}
	return cmd
}
