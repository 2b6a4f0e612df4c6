package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/value"
)

func newImportApprove(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.Approve, "approve SESSION", "Let a held import go on, this once",
		`Let an import go on that a guard holds. What was seen is what is approved: an import
that comes out worse by now is held again. The approval, with its reason, stays in the
report and in the change log. SESSION may be a source.`, `  lanyard import approve hr --reason "the Oslo office has closed"`)
	o.reason(cmd)
	o.namesHeld()
	var list listFlags
	list.bind(cmd)
	o.print = func(ctx context.Context, session Session, r *importer.Reply) error {
		return o.report(ctx, session, r.Session, "", list)
	}
	return cmd
}

func newImportReject(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.Reject, "reject SESSION", "Close a held import without carrying it out",
		`Close an import that a guard holds. Nothing of it is carried out. SESSION may be a
source.`, `  lanyard import reject hr --reason "the export was cut off"`)
	o.reason(cmd)
	o.namesHeld()
	o.says(func(r *importer.Reply) string { return r.Session.ID + " is rejected: nothing was carried out" })
	return cmd
}

func newImportCancel(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.Cancel, "cancel SESSION", "Close an import that has not begun, or is held",
		`Close an import that is being loaded, or that a guard holds. One that is carried out
already cannot be cancelled. SESSION may be a source.`, `  lanyard import cancel hr`)
	o.reason(cmd)
	o.namesHeld()
	o.says(func(r *importer.Reply) string { return r.Session.ID + " is cancelled" })
	return cmd
}

func (o *importOptions) reason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.command.Reason, "reason", "", "a `REASON`, for the report")
}

func newImportWaiting(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.ListWaiting, "waiting SOURCE", "List the people who wait to be confirmed",
		`List the people of a source of whom it is not certain who they are: those who have
the name of somebody who is there, and all new ones when the settings want them
confirmed.`, `  lanyard import waiting hr`)
	o.data = func(r *importer.Reply) any {
		if r.Waiting == nil {
			return []any{}
		}
		return r.Waiting
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		table := newTable(sh.IO, "PERSON", "NAME", "MAY BE", "BECAUSE")
		for _, w := range r.Waiting {
			table.row(w.ExternalID, w.Name, w.Login, w.Reason)
		}
		return table.print()
	}
	return cmd
}

func newImportConfirm(sh *shell) *cobra.Command {
	f := &confirmFlags{}
	o, cmd := importing(sh, importer.Confirm, "confirm SOURCE [PERSON]", "Say who they are who wait to be confirmed",
		`Say who somebody is who waits to be confirmed: an account that is there, somebody new,
or nobody of ours. PERSON is the id in the source, as lanyard import waiting shows it.

Without PERSON, all are confirmed of whom the matching says who they are: those with
one exact match (--exact), those with the name of one account (--partial), those whom
nobody matches (--new), or all of these (--all). Others go on waiting, and so does who
would get the account of an administrator. --dry-run says how many.`, `  lanyard import confirm hr E17 --account ada@example.com
  lanyard import confirm hr E18 --new
  lanyard import confirm hr --exact --new --dry-run`)
	f.bind(cmd)
	o.first(cmd, func(_ *cobra.Command, args []string) (err error) {
		if len(args) == 1 {
			o.command.Bulk, err = f.bulk()
			return err
		}
		o.command.Account = f.account
		o.command.Answer, err = f.answer()
		return err
	})
	o.data = func(r *importer.Reply) any {
		if r.Confirmed != nil {
			return r.Confirmed
		}
		return r
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		if r.Confirmed != nil {
			o.confirmed(r.Confirmed)
			return nil
		}
		who := map[importer.Answer]string{importer.IsAccount: "is " + f.account, importer.IsNew: "is somebody new", importer.IsIgnored: "is left out"}
		o.shell.line("%s %s", o.command.Person, who[o.command.Answer])
		return nil
	}
	return cmd
}

// confirmFlags say who somebody is, or which of those who wait are confirmed.
type confirmFlags struct {
	account                     string
	isNew, ignore               bool
	exact, partial, all, dryRun bool
}

func (f *confirmFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.account, "account", "", "it is this `ACCOUNT`: login or id")
	cmd.Flags().BoolVar(&f.isNew, "new", false, "it is somebody new: an account is made; without PERSON, for all whom nobody matches")
	cmd.Flags().BoolVar(&f.ignore, "ignore", false, "it is nobody of ours: imports leave this person out from now on")
	cmd.Flags().BoolVar(&f.exact, "exact", false, "without PERSON: all with one exact match are that account")
	cmd.Flags().BoolVar(&f.partial, "partial", false, "without PERSON: all with the name of one account are that account")
	cmd.Flags().BoolVar(&f.all, "all", false, "without PERSON: --exact, --partial and --new")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "without PERSON: only count them")
}

// answer is what is said of one person.
func (f *confirmFlags) answer() (importer.Answer, error) {
	answers := map[importer.Answer]bool{importer.IsAccount: f.account != "", importer.IsNew: f.isNew, importer.IsIgnored: f.ignore}
	maps.DeleteFunc(answers, func(_ importer.Answer, given bool) bool { return !given })
	if len(answers) != 1 || f.exact || f.partial || f.all || f.dryRun {
		return "", fault.New(fault.Usage, "say who it is").Fix("use one of --account LOGIN, --new and --ignore")
	}
	for answer := range answers {
		return answer, nil
	}
	return "", nil
}

// bulk is who is confirmed of all who wait.
func (f *confirmFlags) bulk() (*importer.Bulk, error) {
	if f.account != "" || f.ignore || !f.exact && !f.partial && !f.isNew && !f.all {
		return nil, fault.New(fault.Usage, "say who is to be confirmed").
			Fix("name the PERSON, or use --exact, --partial, --new or --all, with --dry-run to see how many they are")
	}
	return &importer.Bulk{Exact: f.exact || f.all, Partial: f.partial || f.all, New: f.isNew || f.all, DryRun: f.dryRun}, nil
}

// confirmed prints how many were confirmed, or would be.
func (o *importOptions) confirmed(c *importer.Confirmed) {
	done := "confirmed"
	if c.DryRun {
		done = "would be confirmed"
	}
	o.shell.line("%s %s: %d by an exact match, %d by name, %d new", people(c.Exact+c.Partial+c.New), done, c.Exact, c.Partial, c.New)
	for _, name := range slices.Sorted(maps.Keys(c.Over)) {
		o.shell.line("%d of them are sourced by %s as well, and neither source has priority", c.Over[name], name)
	}
	if c.Left > 0 {
		o.shell.line("still waiting: %s, see lanyard import waiting %s", people(c.Left), o.command.Source)
	}
}

func newImportSources(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "sources",
		Short:   "Say what people are imported from",
		Long:    `Say what people are imported from. Imports of lanyard.yaml are set there.`,
		Example: `  lanyard import sources list`,
	})
	cmd.AddCommand(newSourcesList(sh), newSourcesShow(sh), newSourcesSet(sh), newSourcesRemove(sh))
	return cmd
}

func newSourcesList(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.ListSources, "list", "List the identity sources",
		`List the identity sources: the imports of lanyard.yaml and the Custom Identity Source
applications of the Okta org.`, `  lanyard import sources list -o json`)
	o.data = func(r *importer.Reply) any {
		if r.Sources == nil {
			return []any{}
		}
		return r.Sources
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		table := newTable(sh.IO, "ID", "LABEL", "IMPORT", "STATUS", "PEOPLE", "WAITING", "LAST")
		for _, s := range r.Sources {
			last := ""
			if s.Last != nil {
				last = stateWords(s.Last) + " " + stamp(s.Last.Created)
			}
			table.row(s.ID, s.Label, s.From, onOff(s.Active), fmt.Sprint(s.People), fmt.Sprint(s.Waiting), last)
		}
		return table.print()
	}
	return cmd
}

func newSourcesShow(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.ShowSource, "show SOURCE", "Show an identity source with its settings",
		`Show an identity source with its settings, as JSON.`, `  lanyard import sources show hr`)
	o.data = func(r *importer.Reply) any { return r.Sources[0] }
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		s := r.Sources[0]
		o.shell.line("%s  %s  %s", s.ID, s.Label, onOff(s.Active))
		o.shell.line("%s linked, %d waiting", howMany(int64(s.People), "account"), s.Waiting)
		return writeJSON(sh.Out, formatJSON, s.Settings)
	}
	return cmd
}

func newSourcesSet(sh *shell) *cobra.Command {
	var file string
	o, cmd := importing(sh, importer.SetSource, "set SOURCE", "Give an identity source other settings, or make one",
		`Give an identity source other settings, or make one with that label. The file has what
would stand under its name in lanyard.yaml, without from: such a source is loaded
through the identity source API, or with --from.`, `  lanyard import sources set "HR system" --file hr.yaml`)
	cmd.Flags().StringVar(&file, "file", "", "the settings, YAML: a `FILE`, or - for stdin")
	bindRange(cmd.Flags(), count{into: &o.command.Keep, least: 7, most: 3650}, "keep", 0, "keep its sessions for so many `DAYS`: 7 at least, 30 by default")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	o.first(cmd, func(_ *cobra.Command, args []string) error {
		if file == "" && o.command.Keep == 0 {
			return fault.New(fault.Usage, "the settings are missing").At("--file").Fix("name the file that has them")
		}
		if file == "" {
			return nil
		}
		section, written, err := readSettings(sh.IO, file)
		if err == nil {
			o.command.Settings, o.command.Label = &written.Settings, written.Label
			o.placed = func(err error) error { return reconcile.Locate(section, err) }
		}
		if o.command.Label == "" {
			o.command.Label = args[0]
		}
		return err
	})
	o.says(func(r *importer.Reply) string { return r.Label + " (" + r.Source.ID + ") is set" })
	return cmd
}

// readSettings reads what would stand under the name of an import.
func readSettings(s IO, file string) (section config.Section, written *reconcile.Written, err error) {
	data, err := readText(s, file)
	if err != nil {
		return section, nil, err
	}
	section = config.Section{File: file, Dir: filepath.Dir(file)}
	if section.Node, err = value.ParseYAML(data, file); err != nil {
		return section, nil, err
	}
	written, err = reconcile.ReadSettings(section)
	if err == nil && written.To != nil {
		return section, nil, fault.New(fault.Invalid, "which tenant people go to stands in lanyard.yaml").At("%s", written.ToPlace).
			Fix("move the import there, or leave to: out")
	}
	if err == nil && written.From != nil {
		return section, nil, fault.New(fault.Invalid, "where a source is read from stands in lanyard.yaml").At("%s:%d:%d", file, written.From.Line, written.From.Column).
			Fix("move the import there, or leave from: out")
	}
	return section, written, err
}

func newSourcesRemove(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.RemoveSource, "remove SOURCE", "Forget the settings and links of an identity source",
		`Forget the settings of an identity source, and which accounts are linked to its
people. The accounts and the application stay. Imported again, all of them wait: lanyard
import confirm SOURCE --exact links them.`, `  lanyard import sources remove "HR system"`)
	o.says(func(r *importer.Reply) string {
		return r.Label + " is forgotten; its people and its application stay. Imported again without settings, everybody waits"
	})
	return cmd
}

func newExplain(sh *shell) *cobra.Command {
	var source string
	f := &sourceFlags{}
	o, cmd := importing(sh, importer.ExplainUser, "explain", "Trace what an import does about one person",
		`Trace what an import would do about one person, and why, without doing it: which rows
speak of the person, whether they are in scope, which account matches, what the
mappings give, what would be done.`, `  lanyard explain --user ada@example.com --source hr
  lanyard explain --user E17 --from people.csv`)
	cmd.GroupID = groupWork
	cmd.Flags().StringVar(&o.command.Person, "user", "", "the `PERSON`: login, id of the account, or id in the source")
	cmd.Flags().StringVar(&source, "source", "", "the `SOURCE`; not needed when there is one only")
	f.bindFrom(cmd)
	then := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.command.Person == "" {
			return fault.New(fault.Usage, "it is not said whom to explain").At("--user").Fix("name a login, an id, or the id in the source")
		}
		file, done, err := o.localFile(f.from)
		if err != nil {
			return err
		}
		defer done()
		o.command.Source, o.command.From, o.command.Sandbox = source, file, f.sandbox
		if source == "" && file != "" {
			o.command.Label = labelOf(f.from)
		}
		return then(cmd, args)
	}
	o.before = o.onlySource
	o.data = func(r *importer.Reply) any { return r.Trace }
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		o.trace(r.Trace)
		return nil
	}
	return cmd
}

// onlySource takes the one source that there is where none was named.
func (o *importOptions) onlySource(ctx context.Context, session Session) error {
	if o.command.Source != "" || o.command.Label != "" {
		return nil
	}
	r, err := session.Imports(ctx, importer.Command{Do: importer.ListSources})
	if err != nil {
		return err
	}
	switch len(r.Sources) {
	case 0:
		return fault.New(fault.NotFound, "there is no identity source").Fix("name a file with --from")
	case 1:
		o.command.Source = cmp.Or(r.Sources[0].ID, r.Sources[0].Label)
		return nil
	}
	var names []string
	for _, s := range r.Sources {
		names = append(names, s.Label)
	}
	slices.Sort(names)
	return fault.New(fault.Usage, "there are several sources").At("--source").Fix("name one of %q", names)
}

// trace prints how an import decides about a person.
func (o *importOptions) trace(t *importer.Trace) {
	for _, step := range t.Steps {
		o.shell.line("%-8s  %s", step.Stage, step.Text)
	}
	d := t.Decision
	if d == nil {
		return
	}
	for _, attribute := range slices.Sorted(maps.Keys(d.After)) {
		o.shell.line("          %s: %s → %s", attribute, orNothing(d.Before[attribute]), orNothing(d.After[attribute]))
	}
	if d.Remedy != "" {
		o.shell.line("          %s", d.Remedy)
	}
}
