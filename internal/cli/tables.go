package cli

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	tables "github.com/lanyard-id/lanyard/internal/table"
)

func newTables(sh *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "tables",
		GroupID: groupWork,
		Short:   "Keep data in tables, and move it in and out as CSV",
		Long: `Keep data in tables: typed columns, rows with ids, CSV in and out. Workflows read
and write them as the source lanyard, and an import can take people from one.
TABLE is the name of a table; letter case makes no difference.`,
		Example: `  lanyard tables import "Sample Users" sampleUsers.csv --key id
  lanyard tables rows "Sample Users" --filter 'country eq "PL"'`,
	},
		newTablesList(sh), newTablesShow(sh), newTablesCreate(sh), newTablesAlter(sh), newTablesImport(sh), newTablesExport(sh),
		newTablesRows(sh), newTablesAdd(sh), newTablesSet(sh), newTablesDelete(sh), newTablesDrop(sh),
	)
}

// tablesOptions are what every command of the group has: a command for the desk,
// and how to print its reply.
type tablesOptions struct {
	shell   *shell
	output  output
	command tables.Command
	prepare func(args []string) error // fills the command; nil: the first argument is the table, if any
	print   func(*tables.Reply) error
}

// tablesCommand makes a command of the group out of its arguments.
func tablesCommand(sh *shell, do tables.Verb, usage, short, long, example string) (*tablesOptions, *cobra.Command) {
	opts := &tablesOptions{shell: sh, command: tables.Command{Do: do}}
	cmd := &cobra.Command{Use: usage, Short: short, Long: long, Example: example, Args: takes(strings.Fields(usage)[1:]...)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			opts.command.Table = args[0]
		}
		if opts.prepare != nil {
			if err := opts.prepare(args); err != nil {
				return err
			}
		}
		return opts.run(cmd)
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return opts, cmd
}

// run opens the data folder, carries the command out and prints the reply.
func (o *tablesOptions) run(cmd *cobra.Command) error {
	return withSession(o.shell, cmd, Access(!o.command.Do.Local()), func(ctx context.Context, session Session) error {
		reply, err := session.Tables(ctx, o.command)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, reply)
		}
		return o.print(reply)
	})
}

func newTablesList(sh *shell) *cobra.Command {
	opts, cmd := tablesCommand(sh, tables.ListTables, "list", "List the tables", `List the tables, with how many columns and rows they have.`, `  lanyard tables list`)
	opts.print = func(r *tables.Reply) error {
		t := newTable(sh.IO, "TABLE", "ROWS", "COLUMNS", "KEY", "UPDATED")
		for _, one := range r.Tables {
			key := ""
			if c := one.KeyColumn(); c != nil {
				key = c.Name
			}
			t.row(one.Name, strconv.FormatInt(one.Rows, 10), strconv.Itoa(len(one.Columns)), key, day(one.Updated))
		}
		return t.print()
	}
	return cmd
}

func newTablesShow(sh *shell) *cobra.Command {
	opts, cmd := tablesCommand(sh, tables.ShowTable, "show TABLE", "Show the columns of a table, and what was done to it",
		`Show the columns of a table, and what was done to it last: when, by whom, and to
how many rows.`, `  lanyard tables show "Sample Users"`)
	opts.print = func(r *tables.Reply) error {
		opts.columns(r.Tables[0])
		if err := opts.columnTable(r.Tables[0]); err != nil || len(r.Changes) == 0 {
			return err
		}
		fmt.Fprintln(sh.Out)
		t := newTable(sh.IO, "WHEN", "BY", "WHAT", "ROWS", "DETAIL")
		for _, c := range r.Changes {
			rows := ""
			if c.Rows > 0 {
				rows = strconv.FormatInt(c.Rows, 10)
			}
			t.row(day(c.At), c.Actor, c.What, rows, c.Detail)
		}
		return t.print()
	}
	return cmd
}

// columns prints the first line about a table.
func (o *tablesOptions) columns(t *tables.Table) {
	o.shell.line("%s: %s, %s", t.Name, howMany(int64(len(t.Columns)), "column"), howMany(t.Rows, "row"))
}

func (o *tablesOptions) columnTable(one *tables.Table) error {
	if len(one.Columns) == 0 {
		return nil
	}
	t := newTable(o.shell.IO, "COLUMN", "TYPE", "")
	for _, c := range one.Columns {
		note := ""
		switch {
		case c.Key:
			note = "key"
		case c.Required:
			note = "required"
		}
		t.row(c.Name, string(c.Type), note)
	}
	return t.print()
}

// howMany is a number of things: "1 row", "3 rows".
func howMany(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func newTablesCreate(sh *shell) *cobra.Command {
	opts, cmd := tablesCommand(sh, tables.CreateTable, "create TABLE [COLUMN...]", "Create a table",
		`Create a table. A COLUMN is NAME, NAME:TYPE, or NAME:TYPE:key or :required; types are
text, number, boolean, date, time, json. Without columns, the first import brings them.`,
		`  lanyard tables create Badges number:text:key owner:text:required issued:date`)
	opts.prepare = func(args []string) (err error) {
		opts.command.Columns, err = parseColumns(args[1:])
		return err
	}
	opts.print = opts.printTable
	return cmd
}

func (o *tablesOptions) printTable(r *tables.Reply) error {
	o.columns(r.Tables[0])
	return o.columnTable(r.Tables[0])
}

// parseColumns reads columns as the command line has them.
func parseColumns(texts []string) (list []tables.Column, err error) {
	var bad []error
	for _, text := range texts {
		c, err := tables.ParseColumn(text)
		if err != nil {
			bad = append(bad, err)
		}
		list = append(list, c)
	}
	return list, fault.Join(bad...)
}

// alterFlags are the changes of a table as flags.
type alterFlags struct {
	name                     string
	add, drop, rename, types []string
	require, optional        []string
	key                      string
	noKey                    bool
}

func newTablesAlter(sh *shell) *cobra.Command {
	var f alterFlags
	opts, cmd := tablesCommand(sh, tables.AlterTable, "alter TABLE", "Change the columns or the name of a table",
		`Change the columns or the name of a table. When a row does not fit, nothing is
changed and the rows are named. Columns are dropped first, then renamed, changed
and added.`, `  lanyard tables alter Badges --add expires:date --rename owner=holder --key number`)
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the new `NAME` of the table")
	flags.StringArrayVar(&f.add, "add", nil, "add a `COLUMN`, as NAME:TYPE; may be repeated")
	flags.StringArrayVar(&f.drop, "drop", nil, "remove a `COLUMN` with its cells; may be repeated")
	flags.StringArrayVar(&f.rename, "rename", nil, "rename a column, as `OLD=NEW`; may be repeated")
	flags.StringArrayVar(&f.types, "type", nil, "change the type of a column, as `NAME=TYPE`; may be repeated")
	flags.StringArrayVar(&f.require, "require", nil, "let no cell of a `COLUMN` be empty; may be repeated")
	flags.StringArrayVar(&f.optional, "optional", nil, "let cells of a `COLUMN` be empty; may be repeated")
	flags.StringVar(&f.key, "key", "", "the `COLUMN` that rows are known by")
	flags.BoolVar(&f.noKey, "no-key", false, "have no key column")
	cmd.MarkFlagsMutuallyExclusive("key", "no-key")
	opts.prepare = func([]string) (err error) {
		if opts.command.Alter, err = f.read(); err == nil && reflect.DeepEqual(opts.command.Alter, &tables.Alteration{}) {
			err = fault.New(fault.Usage, "it is not said what to change").Fix("%q lists the flags", cmd.CommandPath()+" --help")
		}
		return err
	}
	opts.print = opts.printTable
	return cmd
}

func (f *alterFlags) read() (*tables.Alteration, error) {
	a := &tables.Alteration{Name: f.name, Drop: f.drop, Require: f.require, Optional: f.optional}
	var err error
	if a.Add, err = parseColumns(f.add); err != nil {
		return nil, err
	}
	if a.Rename, err = pairs("--rename", f.rename); err != nil {
		return nil, err
	}
	types, err := pairs("--type", f.types)
	if err != nil {
		return nil, err
	}
	for name, t := range types {
		if a.Types == nil {
			a.Types = map[string]tables.Type{}
		}
		a.Types[name] = tables.Type(t)
	}
	if f.key != "" || f.noKey {
		a.Key = &f.key
	}
	return a, nil
}

func newTablesDrop(sh *shell) *cobra.Command {
	var yes bool
	opts, cmd := tablesCommand(sh, tables.DropTable, "drop TABLE", "Remove a table with its rows",
		`Remove a table with its rows. There is no way back but a file that was exported.`, `  lanyard tables drop Badges --yes`)
	cmd.Flags().BoolVar(&yes, "yes", false, "do it: without it, nothing is removed")
	opts.prepare = func([]string) error {
		if !yes {
			return fault.New(fault.Usage, "this removes the table %q with its rows", opts.command.Table).Fix("say --yes")
		}
		return nil
	}
	opts.print = func(r *tables.Reply) error {
		opts.shell.line("%s: removed, with %s", opts.command.Table, howMany(r.Removed, "row"))
		return nil
	}
	return cmd
}
