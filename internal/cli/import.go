package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/run"
)

func newImport(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "import",
		GroupID: groupWork,
		Short:   "Bring people in from a source of truth: preview, guards, report",
		Long: `Bring people from a source of truth into the Okta org of the data folder: a file,
an API, a database, a directory, a table. Each import works out who joins, changes
and leaves, and is held when that looks wrong. SOURCE is an import of lanyard.yaml,
or the label or id of an identity source; a FILE (.csv, .json, .ndjson) needs no
configuration at all (docs/imports.md).`,
		Example: `  lanyard import preview people.csv
  lanyard import run people.csv`,
	})
	cmd.AddCommand(
		newImportPreview(sh), newImportRun(sh), newImportApply(sh), newImportSessions(sh), newImportShow(sh), newImportReport(sh), newImportPeople(sh),
		newImportApprove(sh), newImportReject(sh), newImportCancel(sh), newImportWaiting(sh), newImportConfirm(sh), newImportSources(sh),
	)
	return cmd
}

// importOptions are what every command about imports has: a command for the desk,
// and how to print its reply.
type importOptions struct {
	shell   *shell
	output  output
	command importer.Command
	print   func(context.Context, Session, *importer.Reply) error
	// data is what -o json prints; nil: the reply.
	data func(*importer.Reply) any
	// keep stores what the command was asked to keep, before anything is printed.
	keep func(*importer.Reply) error
	// placed gives an error the line of a file that the command was given; nil: none.
	placed func(error) error
	// write does so where it is too long for memory; nil: data says it.
	write func(*importer.Reply) error
	// before fills the command in where the session is needed for it.
	before func(context.Context, Session) error
}

// importing makes a command about imports. The arguments that usage names after
// its first word go into the fields of the command, in order.
func importing(sh *shell, verb importer.Verb, usage, short, long, example string) (*importOptions, *cobra.Command) {
	o := &importOptions{shell: sh, command: importer.Command{Do: verb}}
	names := strings.Fields(usage)[1:]
	cmd := &cobra.Command{Use: usage, Short: short, Long: long, Example: example, Args: takes(names...)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		places := map[string]*string{"SOURCE": &o.command.Source, "SESSION": &o.command.Session, "PERSON": &o.command.Person}
		for i, arg := range args {
			name, _, _ := strings.Cut(strings.Trim(names[i], "[]"), "|")
			*places[name] = arg
		}
		return o.run(cmd)
	}
	o.output.bind(cmd, formatText, formatJSON)
	return o, cmd
}

// first does something before the command is carried out.
func (o *importOptions) first(cmd *cobra.Command, do func(cmd *cobra.Command, args []string) error) {
	then := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := do(cmd, args); err != nil {
			return err
		}
		return then(cmd, args)
	}
}

// run opens the data folder, carries the command out and prints the reply.
func (o *importOptions) run(cmd *cobra.Command) error {
	access := Access(!slices.Contains([]importer.Verb{
		importer.ListSources, importer.ShowSource, importer.ListSessions, importer.ShowSession, importer.ShowReport, importer.ListEntities,
		importer.Download, importer.ListWaiting,
	}, o.command.Do))
	return withSession(o.shell, cmd, access, func(ctx context.Context, session Session) error {
		ctx = run.WithStarter(ctx, o.shell.user())
		if o.before != nil {
			if err := o.before(ctx, session); err != nil {
				return err
			}
		}
		reply, err := session.Imports(ctx, o.command)
		if err != nil && o.placed != nil {
			return o.placed(err)
		}
		if err != nil {
			return err
		}
		defer reply.Plan.Close()
		if o.keep != nil {
			if err := o.keep(reply); err != nil {
				return err
			}
		}
		if o.output.json() && o.write != nil {
			err = o.write(reply)
		} else if o.output.json() {
			var data any = reply
			if o.data != nil {
				data = o.data(reply)
			}
			err = writeJSON(o.shell.Out, o.output.format, data)
		} else {
			err = o.print(ctx, session, reply)
		}
		return cmp.Or(err, sessionOutcome(reply.Session))
	})
}

// says lets the command print its reply as one sentence.
func (o *importOptions) says(sentence func(*importer.Reply) string) {
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		o.shell.line("%s", sentence(r))
		return nil
	}
}

// sessionOutcome is the exit code of an import that this command carried out, nil
// for none.
func sessionOutcome(s *importer.Session) error {
	switch {
	case s == nil:
		return nil
	case s.Phase == importer.Held:
		return outcome(exitThreshold)
	case s.Phase == importer.Queued: // behind one that is held
		return outcome(exitHeld)
	case s.State == importer.Failed, s.State == importer.Expired, s.Counts.Failed > 0:
		return outcome(exitFailed)
	}
	return nil
}

// sourceFlags are the flags of what reads a source.
type sourceFlags struct {
	from    string
	full    bool
	sandbox bool
}

func (f *sourceFlags) bindFrom(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.from, "from", "", "read this `FILE` (.csv, .json, .ndjson, also .gz) instead of the source's own; - is CSV on stdin")
	_ = cmd.MarkFlagFilename("from", "csv", "json", "ndjson", "jsonl", "gz")
	cmd.Flags().BoolVar(&f.sandbox, "sandbox", false, "use the embedded org instead of the tenant, and read connections there: nothing leaves this machine")
}

func (f *sourceFlags) bind(cmd *cobra.Command) {
	f.bindFrom(cmd)
	cmd.Flags().BoolVar(&f.full, "full", false, "the source has everybody: who is missing is leaving (guards stay on)")
}

// readsSource lets a command read a source: its own, or a file.
func (o *importOptions) readsSource(cmd *cobra.Command) {
	f := &sourceFlags{}
	f.bind(cmd)
	then := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.command.Sandbox = f.sandbox
		if f.full {
			o.command.Run.Type = importer.Full
		}
		named := isFile(args[0])
		if !named && filepath.Ext(args[0]) != "" && isThere(args[0]) {
			return fault.New(fault.Usage, "files of this kind are not read").At("%s", args[0]).Fix("use one that ends in %s; spreadsheets can save as CSV", strings.Join(endings, ", "))
		}
		if named {
			if f.from != "" {
				return fault.New(fault.Usage, "%s is read already: there is nothing for --from to replace", args[0]).At("--from").Fix("name the source instead of the file")
			}
			f.from = args[0]
		}
		file, done, err := o.localFile(f.from)
		if err != nil {
			return err
		}
		defer done()
		o.command.From = file
		if !named {
			return then(cmd, args)
		}
		o.command.Label = labelOf(args[0])
		return o.run(cmd) // no source is named
	}
}

// endings are those of files that are read as they stand.
var endings = []string{".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl"}

// isFile reports whether an argument names a file rather than a source.
func isFile(arg string) bool {
	return arg == "-" || slices.Contains(endings, filepath.Ext(strings.TrimSuffix(strings.ToLower(arg), ".gz")))
}

// isThere reports whether there is a plain file.
func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// labelOf is the name of the source that a file is.
func labelOf(file string) string {
	if file == "-" {
		return "stdin"
	}
	base := filepath.Base(file)
	if ext := filepath.Ext(base); strings.EqualFold(ext, ".gz") {
		base = strings.TrimSuffix(base, ext)
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// localFile is the absolute path of a file that is there: whoever serves the data
// folder has another working folder. What stdin holds is put into a file until
// done is called.
func (o *importOptions) localFile(file string) (path string, done func(), err error) {
	done = func() {}
	switch file {
	case "":
		return "", done, nil
	case "-":
		return o.spool()
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", done, fault.Wrap(fault.Usage, err, "the file cannot be read: %s", plainCause(err)).At("%s", file).Fix("check the path")
	case info.IsDir():
		return "", done, fault.New(fault.Usage, "this is a folder, not a file").At("%s", file).Fix("name a file in it")
	case !info.Mode().IsRegular(): // whoever serves the data folder has other pipes, too
		return "", done, fault.New(fault.Usage, "this is a pipe or a device, not a file").At("%s", file).Fix("write what it gives into a file, or hand it over on stdin: -")
	}
	if path, err = filepath.Abs(file); err != nil {
		return "", done, fault.Wrap(fault.Usage, err, "the file cannot be found").At("%s", file)
	}
	return path, done, nil
}

func (o *importOptions) spool() (path string, done func(), err error) {
	done = func() {}
	dir, err := os.MkdirTemp("", "lanyard-import-")
	if err == nil {
		done = func() { _ = os.RemoveAll(dir) } // it holds people: nothing of it stays behind
		path = filepath.Join(dir, "stdin.csv")
		err = copyTo(path, o.shell.In)
	}
	if err != nil {
		done()
		return "", func() {}, fault.Wrap(fault.Usage, err, "what stands on stdin cannot be kept").At("--from").Fix("name a file instead")
	}
	return path, done, nil
}

func copyTo(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return cmp.Or(err, f.Close())
}

func newImportPreview(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.MakePreview, "preview SOURCE|FILE", "Show what an import would do, without doing it",
		`Read a source and show what importing it would do: figures, and for each person
what becomes of the account, attribute by attribute. Nobody is touched. --out keeps
the plan; lanyard import apply carries exactly that out, or refuses.`, `  lanyard import preview people.csv
  lanyard import preview hr --out plan.json`)
	var out string
	var list listFlags
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in this `FILE`, for lanyard import apply")
	_ = cmd.MarkFlagFilename("out", "json")
	list.bind(cmd)
	o.readsSource(cmd)
	o.keep = func(r *importer.Reply) error {
		if out == "" {
			return nil
		}
		return writeWhole(out, func(w io.Writer) error {
			_, err := r.Plan.WriteTo(w)
			return err
		})
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error { return o.plan(r.Plan, list, out) }
	o.write = func(r *importer.Reply) error {
		_, err := r.Plan.WriteTo(sh.Out)
		return err
	}
	return cmd
}

func newImportRun(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.RunImport, "run SOURCE|FILE", "Import a source, and report",
		`Read a source, work out who joins, changes and leaves, carry that out and report.
When a guard finds that something is wrong with the source, nothing is carried out:
the import is held, says why, and waits for lanyard import approve or reject. A FILE
without any configuration becomes a source of its name; what its columns were taken
for is shown.`, `  lanyard import run people.csv
  lanyard import run hr --full`)
	var list listFlags
	list.bind(cmd)
	cmd.Flags().StringVar(&o.command.Run.ID, "id", "", "the `ID` of the session: what was started under it is not started again")
	o.readsSource(cmd)
	o.before = o.saysWaiting
	o.print = func(ctx context.Context, session Session, r *importer.Reply) error {
		return o.report(ctx, session, r.Session, r.Label, list)
	}
	return cmd
}

// saysWaiting tells, before a source is read, that another session of it comes first.
func (o *importOptions) saysWaiting(ctx context.Context, session Session) error {
	first, err := sessionAhead(ctx, session, cmp.Or(o.command.Source, o.command.Label))
	if fault.Is(err, fault.NotFound) { // a new one
		return nil
	}
	if err == nil && first != nil && first.Phase != importer.Held { // else that is said in the end
		fmt.Fprintln(o.shell.Err, printable(waitsFor(first)))
	}
	return err
}

func newImportApply(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.ApplyPlan, "apply PLAN", "Carry a plan out that a preview kept",
		`Carry a plan out that lanyard import preview --out kept. It is refused when anything
that it was computed from has changed since (exit code 6): what was seen is what is
done, or nothing.`, `  lanyard import preview hr --out plan.json
  lanyard import apply plan.json`)
	var list listFlags
	list.bind(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := readPlan(args[0])
		if err != nil {
			return err
		}
		defer p.Close()
		o.command.Plan = p
		return o.run(cmd)
	}
	o.print = func(ctx context.Context, session Session, r *importer.Reply) error {
		return o.report(ctx, session, r.Session, o.command.Plan.Label, list)
	}
	return cmd
}

// readPlan reads a plan to its end, before anything else is done with it.
func readPlan(file string) (*importer.Plan, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, fault.New(fault.Usage, "this is a folder, not a plan").At("%s", file).Fix("name a file that lanyard import preview --out kept")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the plan cannot be read: %s", plainCause(err)).At("%s", file).Fix("make one with lanyard import preview SOURCE --out %s", file)
	}
	defer f.Close()
	p, err := importer.ReadPlan(f)
	if refused := (*fault.Error)(nil); errors.As(err, &refused) {
		placed := *refused
		placed.Place = file
		return nil, &placed
	}
	return p, err
}
