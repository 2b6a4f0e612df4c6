package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	tables "github.com/lanyard-id/lanyard/internal/table"
)

type tablesImportOptions struct {
	shell   *shell
	output  output
	options tables.ImportOptions
	mode    string
	columns []string
}

func newTablesImport(sh *shell) *cobra.Command {
	opts := tablesImportOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "import TABLE FILE",
		Short: "Make rows of a CSV file",
		Long: `Make rows of a CSV file; - is stdin. Its first line names the columns. All lines are
read before the first is written: when one is bad, all bad lines are named and
nothing changes. A table that does not exist, or has no columns, gets those of the
file, with the types that all their cells have in common.`,
		Example: `  lanyard tables import "Sample Users" sampleUsers.csv --mode upsert --preview`,
		Args:    takes("TABLE", "FILE"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0], args[1]) }
	opts.output.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&opts.mode, "mode", string(tables.Append), "what becomes of the rows that are there: append, replace, or upsert by the key column (`MODE`)")
	flags.StringVar(&opts.options.Key, "key", "", "the key `COLUMN` of a table that is made")
	flags.StringArrayVar(&opts.columns, "column", nil, "the type of a column that is not to be guessed, as `NAME:TYPE`; may be repeated")
	flags.StringVar(&opts.options.Delimiter, "delimiter", "", "what stands between cells, as a `CHARACTER` or tab; default: what the first line has")
	flags.BoolVar(&opts.options.SkipBad, "skip-bad", false, "leave bad lines out instead of importing none")
	flags.BoolVar(&opts.options.Preview, "preview", false, "write nothing: show the columns and the first rows")
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{string(tables.Append), string(tables.Replace), string(tables.Merge)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *tablesImportOptions) run(cmd *cobra.Command, name, path string) (err error) {
	o.options.Table, o.options.Mode, o.options.File = name, tables.Mode(o.mode), filepath.Base(path)
	if o.options.Delimiter == "tab" {
		o.options.Delimiter = "\t"
	}
	if o.options.Columns, err = parseColumns(o.columns); err != nil {
		return err
	}
	file, err := o.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return withSession(o.shell, cmd, ReadWrite, func(ctx context.Context, session Session) error {
		report, err := session.ImportTable(ctx, o.options, file)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, report)
		}
		return o.print(report)
	})
}

// open opens the file; - is stdin.
func (o *tablesImportOptions) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		o.options.File = "stdin"
		return io.NopCloser(o.shell.In), nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fault.New(fault.Usage, "this is a folder, not a file").At("%s", path).Fix("name a file in it")
	case err == nil && info.Mode()&os.ModeNamedPipe != 0: // opening it may wait without end
		return nil, fault.New(fault.Usage, "this is a pipe, not a file").At("%s", path).Fix("hand over what it gives on stdin: -")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "%s", openProblem(err)).At("%s", path).Fix("check the path")
	}
	return f, nil
}

func (o *tablesImportOptions) print(r *tables.ImportReport) error {
	for _, bad := range r.Bad {
		text := bad.Place + ": " + bad.Message
		if bad.Remedy != "" {
			text += "; " + bad.Remedy
		}
		fmt.Fprintf(o.shell.Err, "left out: %s\n", printable(text))
	}
	t := newTable(o.shell.IO, "COLUMN", "TYPE", "WHY")
	for _, g := range r.Columns {
		t.row(g.Column, string(g.Type), g.Why)
	}
	if r.Created || r.Preview {
		if err := t.print(); err != nil {
			return err
		}
	}
	if r.Preview {
		if err := o.sample(r); err != nil {
			return err
		}
		fmt.Fprintf(o.shell.Out, "%s: %s; nothing was written\n", printable(r.Table), lines(r))
		return nil
	}
	words := []string{fmt.Sprintf("%d inserted", r.Inserted)}
	for _, part := range []struct {
		n    int64
		word string
	}{{r.Updated, "updated"}, {r.Unchanged, "unchanged"}, {r.Removed, "replaced"}, {r.Skipped, "left out"}} {
		if part.n > 0 || part.word == "unchanged" && r.Mode == tables.Merge {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	fmt.Fprintf(o.shell.Out, "%s: %s: %s\n", printable(r.Table), howMany(r.Lines, "line"), strings.Join(words, ", "))
	return nil
}

func lines(r *tables.ImportReport) string {
	if r.Skipped == 0 {
		return howMany(r.Lines, "good line")
	}
	return fmt.Sprintf("%s, %d of them bad", howMany(r.Lines, "line"), r.Skipped)
}

// sample prints the first rows as they would be.
func (o *tablesImportOptions) sample(r *tables.ImportReport) error {
	var header []string
	for _, g := range r.Columns {
		header = append(header, g.Column)
	}
	t := newTable(o.shell.IO, header...)
	for _, row := range r.Sample {
		var cells []string
		for _, name := range header {
			cells = append(cells, tables.Show(row[name]))
		}
		t.row(cells...)
	}
	fmt.Fprintln(o.shell.Out)
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintln(o.shell.Out)
	return nil
}

func newTablesExport(sh *shell) *cobra.Command {
	var options tables.ExportOptions
	var format, file string
	cmd := &cobra.Command{
		Use:   "export TABLE",
		Short: "Write the rows of a table as CSV or JSON",
		Long: `Write the rows of a table as CSV or JSON, in the order in which they were inserted. In
CSV, texts that a spreadsheet would take for formulas get a quote in front, which an
import takes off again.`,
		Example: `  lanyard tables export "Sample Users" --out users.csv`,
		Args:    takes("TABLE"),
	}
	cmd.Flags().StringVar(&format, "format", string(tables.CSV), "the `FORMAT` of the file: csv or json")
	cmd.Flags().StringVar(&options.Filter, "filter", "", "write the rows of which this `FILTER` is true")
	cmd.Flags().StringVar(&file, "out", "", "the `FILE` to write; default: stdout")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{string(tables.CSV), string(tables.JSONList)}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options.Table, options.Format = args[0], tables.Format(format)
		return withSession(sh, cmd, ReadOnly, func(ctx context.Context, session Session) error {
			if file == "" {
				return session.ExportTable(ctx, options, sh.Out)
			}
			return writeWhole(file, func(w io.Writer) error { return session.ExportTable(ctx, options, w) })
		})
	}
	return cmd
}

// writeWhole writes a file that is there when it is whole, and not before.
func writeWhole(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() { // a pipe: there is nothing to replace
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "%s", plainCause(err)).At("%s", path)
		}
		return cmp.Or(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return fault.Wrap(fault.Usage, err, "%s", plainCause(err)).At("%s", path).Fix("choose another file")
	}
	err = write(f)
	if closed := f.Close(); err == nil && closed != nil {
		err = fault.Wrap(fault.Internal, closed, "the file cannot be written").At("%s", path)
	}
	if err == nil {
		if moved := os.Rename(f.Name(), path); moved != nil {
			err = fault.Wrap(fault.Usage, moved, "the file cannot be written").At("%s", path)
		}
	}
	if err != nil {
		_ = os.Remove(f.Name()) // half a file
	}
	return err
}
