package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// listFlags say whom of an import to show.
type listFlags struct {
	limit      int
	attributes bool
}

func (f *listFlags) bind(cmd *cobra.Command) {
	bindCount(cmd.Flags(), &f.limit, "limit", 20, "show `N` people at most; 0: everybody")
	cmd.Flags().BoolVar(&f.attributes, "attributes", false, "show the attributes of new people too")
}

// plan prints what an import would do.
func (o *importOptions) plan(p *importer.Plan, list listFlags, kept string) error {
	o.shell.line("%s: %s, %s", p.Label, kindWords(p.Type), howMany(int64(p.Counts.Scanned), "row"))
	o.counts(&p.Counts)
	o.readAs(&p.Rules)
	shown := 0
	for e, err := range p.Entities() {
		if err != nil {
			return err
		}
		if list.limit > 0 && shown == list.limit {
			break
		}
		o.entity(&e.Entity, list)
		shown++
	}
	o.more(shown, p.Size, "--limit 0 shows everybody")
	if len(p.Holds) > 0 {
		o.shell.line("this import would be held:")
		o.reasons(p.Holds)
	}
	switch {
	case p.To != nil:
		o.outside(p)
	case p.Calls > 0:
		o.shell.line("to an Okta tenant: %s, about %s", howMany(int64(p.Calls), "call"), howMany(int64(p.Minutes), "minute"))
	}
	if kept == "" {
		o.shell.line("nothing was written")
		return nil
	}
	o.shell.line("nothing was written; lanyard import apply %s carries it out", kept)
	return nil
}

// outside says what a tenant would be sent.
func (o *importOptions) outside(p *importer.Plan) {
	if p.Calls == 0 {
		o.shell.line("to %s: nothing", p.To)
		return
	}
	o.shell.line("to %s: %s, %s, about %s", p.To, howMany(int64(p.Sessions), "session"), howMany(int64(p.Calls), "call"), howMany(int64(p.Minutes), "minute"))
	if p.First {
		o.shell.line("    nothing was sent there yet: who is in the tenant already is linked there, by the matching that its application has")
	}
}

// sent says what a tenant got.
func (o *importOptions) sent(s *importer.Session) {
	switch {
	case s.Phase == importer.Sending:
		o.shell.line("being sent to the tenant")
	case s.Sent != nil:
		o.shell.line("sent to %s: %s in %s (%s), %s", &s.Sent.To, howMany(int64(s.Sent.Changes), "change"), howMany(int64(len(s.Sent.Sessions)), "session"),
			strings.Join(s.Sent.Sessions, ", "), howMany(int64(s.Sent.Calls), "call"))
	}
}

// report prints what became of a session, and of whom.
func (o *importOptions) report(ctx context.Context, session Session, s *importer.Session, label string, list listFlags) error {
	if label == "" {
		r, err := session.Imports(ctx, importer.Command{Do: importer.ShowReport, Session: s.ID})
		if err != nil {
			return err
		}
		label = r.Report.Label
	}
	o.shell.line("%s: %s, %s, session %s", label, kindWords(s.Type), howMany(int64(s.Counts.Scanned), "row"), s.ID)
	o.figures(s)
	if s.Rules != nil {
		o.readAs(s.Rules)
	}
	if err := o.people(ctx, session, importer.EntityQuery{Session: s.ID, Limit: list.limit}, list); err != nil {
		return err
	}
	if s.Phase == importer.Queued {
		return o.queued(ctx, session, s)
	}
	o.sent(s)
	o.ending(s)
	return nil
}

// queued says whom a session waits for.
func (o *importOptions) queued(ctx context.Context, session Session, s *importer.Session) error {
	first, err := sessionAhead(ctx, session, s.Source)
	if err != nil || first == nil || first.ID == s.ID {
		o.ending(s)
		return err
	}
	o.shell.line("%s: lanyard import show %s", waitsFor(first), first.ID)
	return nil
}

// waitsFor says whom a session waits for.
func waitsFor(s *importer.Session) string {
	what := "being carried out"
	switch {
	case s.Phase == importer.Held:
		what = "held"
	case s.Phase == importer.Sending:
		what = "being sent to the tenant"
	case s.State == importer.InProgress:
		what = "being read"
	}
	return "waits for session " + s.ID + ", which is " + what
}

// sessionAhead returns the session of a source that those which come now wait for,
// nil for none.
func sessionAhead(ctx context.Context, session Session, source string) (first *importer.Session, err error) {
	q := &importer.SessionQuery{Source: source, States: []importer.State{importer.InProgress, importer.Triggered}}
	r, err := session.Imports(ctx, importer.Command{Do: importer.ListSessions, Sessions: q})
	if err != nil {
		return nil, err
	}
	for _, s := range r.Sessions { // the newest first
		switch {
		case s.Phase == importer.Held, s.Phase == importer.Sending:
			return s, nil
		case s.State == importer.Triggered, s.Origin == importer.FromReader:
			first = s
		}
	}
	return first, nil
}

// people prints the entities of a session.
func (o *importOptions) people(ctx context.Context, session Session, q importer.EntityQuery, list listFlags) error {
	r, err := session.Imports(ctx, importer.Command{Do: importer.ListEntities, Session: q.Session, Entities: &q})
	if err != nil {
		return err
	}
	for i := range r.Entities {
		o.entity(&r.Entities[i], list)
	}
	o.more(len(r.Entities), r.Count, "lanyard import people "+q.Session)
	return nil
}

// more says that not everybody was shown.
func (o *importOptions) more(shown, of int, how string) {
	if of > shown {
		o.shell.line("... and %d more: %s", of-shown, how)
	}
}

// ending says where a session stands and what to do about it.
func (o *importOptions) ending(s *importer.Session) {
	switch {
	case s.Phase == importer.Held:
		o.shell.line("held: nothing was carried out")
		o.reasons(s.Holds)
		o.shell.line("if it is right all the same:  lanyard import approve %s --reason WHY", s.ID)
		o.shell.line("if it is not:                 lanyard import reject %s", s.ID)
	case s.State == importer.Completed:
		o.shell.line("done")
	case s.State == importer.Failed:
		o.shell.line("failed: %s", s.Error)
		if s.Remedy != "" && !strings.HasSuffix(s.Error, s.Remedy) {
			o.shell.line("    %s", s.Remedy)
		}
	case s.State == importer.Closed && s.Approval != nil:
		o.shell.line("%s", strings.TrimSuffix("rejected: "+s.Approval.Reason, ": "))
	case s.State == importer.Closed:
		o.shell.line("cancelled")
	case s.State == importer.Expired:
		o.shell.line("expired: nobody triggered it within a day")
	default:
		o.shell.line("under way: lanyard import show %s", s.ID)
	}
}

func kindWords(t importer.Type) string {
	if t == importer.Full {
		return "full import"
	}
	return "incremental import"
}

// figures prints what a session did, or would do. Of one that waits for others, only
// those are known who were compared while it was read.
func (o *importOptions) figures(s *importer.Session) {
	switch {
	case s.Phase != importer.Queued:
		o.counts(&s.Counts)
		if s.State == importer.Failed || s.State == importer.Closed {
			o.carriedOut(s)
		}
	case s.First:
		o.shell.line("    %d unchanged; all others are compared when its turn comes", s.Counts.Unchanged)
	default:
		o.shell.line("    all are compared when its turn comes")
	}
}

// carriedOut says of a session that came to nothing how its figures are meant.
func (o *importOptions) carriedOut(s *importer.Session) {
	switch {
	case s.Total > 0 && s.Position == 0:
		o.shell.line("    nothing of it was carried out here")
	case s.Position < s.Total:
		o.shell.line("    it was carried out in part: lanyard import people %s -o json says of each whether it is done", s.ID)
	}
}

// counts prints the figures that are not zero, and always what is unchanged.
func (o *importOptions) counts(c *importer.Counts) {
	figures := []struct {
		name string
		n    int
	}{
		{"created", c.Added}, {"linked", c.Linked}, {"updated", c.Updated}, {"unchanged", c.Unchanged}, {"removed", c.Removed}, {"suspended", c.Suspended},
		{"reactivated", c.Reactivated}, {"skipped", c.Skipped}, {"held", c.Held}, {"failed", c.Failed},
	}
	var parts []string
	for _, f := range figures {
		if f.n > 0 || f.name == "unchanged" {
			parts = append(parts, fmt.Sprintf("%d %s", f.n, f.name))
		}
	}
	o.shell.line("    %s", strings.Join(parts, ", "))
	o.groupCounts("groups", &c.Groups)
	o.groupCounts("memberships", &c.Memberships)
}

func (o *importOptions) groupCounts(name string, c *importer.GroupCounts) {
	if *c == (importer.GroupCounts{}) {
		return
	}
	o.shell.line("    %s: %d added, %d updated, %d unchanged, %d removed, %d failed", name, c.Added, c.Updated, c.Unchanged, c.Removed, c.Failed)
}

// readAs says what the columns of a source were taken for.
func (o *importOptions) readAs(s *reconcile.Settings) {
	var parts []string
	add := func(as string, t reconcile.Term) {
		if t != "" && t != reconcile.None {
			parts = append(parts, as+" from "+string(t))
		}
	}
	add("id", s.ID)
	for _, name := range slices.Sorted(maps.Keys(s.Profile)) {
		add(name, s.Profile[name])
	}
	add("active", s.Active.From)
	add("starts", s.Starts.From)
	add("ends", s.Ends.From)
	add("timezone", s.Zone.From)
	if len(parts) > 0 {
		o.shell.line("    read as: %s", strings.Join(parts, ", "))
	}
}

// reasons prints why an import is held.
func (o *importOptions) reasons(list []reconcile.Reason) {
	for _, r := range list {
		o.shell.line("    %s: %s", r.Code, r.Text)
		if r.Remedy != "" {
			o.shell.line("        %s", r.Remedy)
		}
	}
}

// entity prints what is done to one person, group or membership.
func (o *importOptions) entity(e *importer.Entity, list listFlags) {
	name := e.Name
	switch {
	case e.Kind == importer.MembershipKind:
		name = e.Member + " in group " + e.ExternalID
	case e.Kind == importer.GroupKind:
		name = "group " + name
	case name == "":
		name = e.ExternalID
	}
	var notes []string
	if e.ExternalID != "" && e.ExternalID != name && e.Kind != importer.MembershipKind {
		notes = append(notes, e.ExternalID)
	}
	if e.Place != "" {
		notes = append(notes, e.Place)
	}
	if len(notes) > 0 {
		name += " (" + strings.Join(notes, ", ") + ")"
	}
	o.shell.line("%-10s  %s", e.Action, name)
	if e.Match != nil {
		o.shell.line("    %s match on %s", e.Match.Kind, e.Match.On)
	}
	if e.Action != reconcile.Create || list.attributes {
		for _, attribute := range slices.Sorted(maps.Keys(e.After)) {
			o.shell.line("    %s: %s → %s", attribute, orNothing(e.Before[attribute]), orNothing(e.After[attribute]))
		}
	}
	if e.Reason != "" {
		o.shell.line("    because: %s", e.Reason)
	}
	if e.Remedy != "" {
		o.shell.line("    %s", e.Remedy)
	}
}

func newImportSessions(sh *shell) *cobra.Command {
	var states []string
	q := &importer.SessionQuery{}
	o, cmd := importing(sh, importer.ListSessions, "sessions [SOURCE]", "List imports, newest first",
		`List imports, the newest first: of one source or of all. They are kept for thirty
days.`, `  lanyard import sessions hr --limit 5
  lanyard import sessions --state TRIGGERED`)
	cmd.Flags().StringSliceVar(&states, "state", nil, "only sessions in this `STATE`: CREATED, IN_PROGRESS, TRIGGERED, COMPLETED, CLOSED, EXPIRED, ERROR; may be repeated")
	bindCount(cmd.Flags(), &q.Limit, "limit", 20, "`N` sessions at most; 0: all")
	o.first(cmd, func(*cobra.Command, []string) error {
		for _, s := range states {
			state := importer.State(strings.ToUpper(s))
			if !slices.Contains(importer.States(), state) {
				return fault.New(fault.Usage, "there is no state %q", s).At("--state").Fix("use one of CREATED, IN_PROGRESS, TRIGGERED, COMPLETED, CLOSED, EXPIRED, ERROR")
			}
			q.States = append(q.States, state)
		}
		o.command.Sessions = q
		return nil
	})
	labels := map[string]string{}
	o.before = func(ctx context.Context, session Session) error {
		r, err := session.Imports(ctx, importer.Command{Do: importer.ListSources})
		if err != nil {
			return err
		}
		for _, s := range r.Sources {
			labels[s.ID] = s.Label
		}
		return nil
	}
	o.data = func(r *importer.Reply) any {
		if r.Sessions == nil {
			return []any{}
		}
		return r.Sessions
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		table := newTable(sh.IO, "SESSION", "SOURCE", "TYPE", "STATE", "STARTED", "TOOK", "ROWS", "ADDED", "UPDATED", "SAME", "REMOVED", "HELD", "FAILED")
		for _, s := range r.Sessions {
			c := s.Counts
			label := labels[s.Source]
			if label == "" {
				label = s.Source
			}
			row := []string{s.ID, label, string(s.Type), stateWords(s), stamp(s.Started), took(s), fmt.Sprint(c.Scanned)}
			for _, n := range []int{c.Added, c.Updated + c.Linked + c.Reactivated, c.Unchanged, c.Removed + c.Suspended, c.Held, c.Failed} {
				if cameToNothing(s) {
					row = append(row, "-")
				} else {
					row = append(row, fmt.Sprint(n))
				}
			}
			table.row(row...)
		}
		return table.print()
	}
	return cmd
}

// cameToNothing reports whether a session is over and touched nobody: its figures
// are what it would have done.
func cameToNothing(s *importer.Session) bool {
	over := s.State == importer.Failed || s.State == importer.Closed || s.State == importer.Expired
	return over && s.Position == 0 && s.Sent == nil
}

// stateWords is the state of a session, and while it is worked on how far it is.
func stateWords(s *importer.Session) string {
	if s.State == importer.Triggered && s.Phase != "" {
		return string(s.State) + " (" + string(s.Phase) + ")"
	}
	return string(s.State)
}

// took is how long a session was worked on, empty while it is.
func took(s *importer.Session) string {
	if s.Started.IsZero() || s.Ended.IsZero() {
		return ""
	}
	return s.Ended.Sub(s.Started).Round(time.Millisecond).String()
}

// namesSession lets a command take a session, or a source for its newest one, or
// nothing for the newest of all.
func (o *importOptions) namesSession() {
	o.before = func(ctx context.Context, session Session) error {
		id, err := findSession(ctx, session, o.command.Session)
		o.command.Session = id
		return err
	}
}

// namesHeld lets a command take a session, or a source for the one that is held.
func (o *importOptions) namesHeld() {
	o.before = func(ctx context.Context, session Session) error {
		id, err := findSession(ctx, session, o.command.Session)
		if err != nil {
			return err
		}
		if id != o.command.Session { // a source was named
			held, err := heldSession(ctx, session, o.command.Session)
			if err != nil {
				return err
			}
			id = cmp.Or(held, id)
		}
		o.command.Session = id
		return nil
	}
}

// heldSession returns the session of a source that is held, empty for none: the
// others of the source wait for it.
func heldSession(ctx context.Context, session Session, source string) (string, error) {
	q := &importer.SessionQuery{Source: source, States: []importer.State{importer.Triggered}}
	r, err := session.Imports(ctx, importer.Command{Do: importer.ListSessions, Sessions: q})
	if err != nil {
		return "", err
	}
	for _, s := range r.Sessions {
		if s.Phase == importer.Held {
			return s.ID, nil
		}
	}
	return "", nil
}

func findSession(ctx context.Context, session Session, ref string) (string, error) {
	if ref != "" {
		_, err := session.Imports(ctx, importer.Command{Do: importer.ShowSession, Session: ref})
		if !fault.Is(err, fault.NotFound) {
			return ref, err
		}
	}
	q := &importer.SessionQuery{Source: ref, Limit: 1}
	r, err := session.Imports(ctx, importer.Command{Do: importer.ListSessions, Sessions: q})
	switch {
	case ref != "" && fault.Is(err, fault.NotFound):
		return "", fault.New(fault.NotFound, "there is no session or source %q", ref).Fix("lanyard import sessions lists the sessions")
	case err != nil:
		return "", err
	case len(r.Sessions) == 0:
		return "", fault.New(fault.NotFound, "nothing has been imported yet").Fix("lanyard import run SOURCE or FILE does")
	}
	return r.Sessions[0].ID, nil
}

func newImportShow(sh *shell) *cobra.Command {
	o, cmd := importing(sh, importer.ShowReport, "show [SESSION]", "Show one import: where it stands and its figures",
		`Show one import: where it stands, its figures, and why it is held or has failed.
SESSION may be a source, for its newest session; without it the newest of all.`, `  lanyard import show hr`)
	o.namesSession()
	o.data = func(r *importer.Reply) any { return r.Report }
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		o.heading(r.Report)
		o.figures(r.Report.Session)
		o.sent(r.Report.Session)
		o.ending(r.Report.Session)
		return nil
	}
	return cmd
}

// heading prints what a session is.
func (o *importOptions) heading(r *importer.Report) {
	s := r.Session
	o.shell.line("session   %s", s.ID)
	o.shell.line("source    %s", r.Label)
	o.shell.line("type      %s", s.Type)
	o.shell.line("state     %s", stateWords(s))
	if s.Actor.ID != "" {
		o.shell.line("by        %s", orActor(s.Actor))
	}
	o.shell.line("created   %s", stamp(s.Created))
	if !s.Started.IsZero() {
		o.shell.line("started   %s", stamp(s.Started))
	}
	if t := took(s); t != "" {
		o.shell.line("took      %s", t)
	}
	if a := s.Approval; a != nil {
		word := "rejected"
		if a.Approved {
			word = "approved"
		}
		o.shell.line("%-8s  by %s at %s %s", word, orActor(a.Actor), stamp(a.At), a.Reason)
	}
	if r.Waiting > 0 {
		o.shell.line("waiting   %s to be confirmed: lanyard import waiting %s", people(r.Waiting), r.Session.Source)
	}
}

// orActor names who did something.
func orActor(a directory.Actor) string { return cmp.Or(a.Name, a.Login, a.ID) }

func newImportReport(sh *shell) *cobra.Command {
	var list listFlags
	var format, out string
	o, cmd := importing(sh, importer.ShowReport, "report [SESSION]", "Show what an import did to whom, or download it",
		`Show what an import did: its figures, and each person with the attributes that
changed. --format gives all of it for other programs. SESSION may be a source, for
its newest session; without it the newest of all.`, `  lanyard import report hr
  lanyard import report hr --format csv --out report.csv`)
	list.bind(cmd)
	cmd.Flags().StringVar(&format, "format", "", "the whole report as a `FORMAT`: csv, json")
	cmd.Flags().StringVar(&out, "out", "", "write the report to this `FILE` instead of stdout")
	o.namesSession()
	o.first(cmd, func(*cobra.Command, []string) error {
		switch importer.DownloadFormat(format) {
		case "":
			if out != "" {
				return fault.New(fault.Usage, "--out needs --format").At("--out").Fix("say --format csv or --format json")
			}
			return nil
		case importer.CSV, importer.JSON:
			o.command.Do, o.command.Format = importer.Download, importer.DownloadFormat(format)
			o.output.format = formatText // the report has its own
			o.print = func(_ context.Context, _ Session, r *importer.Reply) error { return o.download(r.Pieces, out) }
			return nil
		}
		return fault.New(fault.Usage, "there is no format %q here", format).At("--format").Fix("use csv or json")
	})
	o.data = func(r *importer.Reply) any { return r.Report }
	o.print = func(ctx context.Context, session Session, r *importer.Reply) error {
		return o.report(ctx, session, r.Report.Session, r.Report.Label, list)
	}
	return cmd
}

func newImportPeople(sh *shell) *cobra.Command {
	list := listFlags{attributes: true}
	q := &importer.EntityQuery{}
	var actions []string
	o, cmd := importing(sh, importer.ListEntities, "people [SESSION]", "List the people of an import, by what was done",
		`List the people of an import with what was done to each, and the attributes before
and after. Those of whom the source said nothing new are not kept one by one.
SESSION may be a source, for its newest session; without it the newest of all.`, `  lanyard import people hr --action failed
  lanyard import people hr --find ada -o json`)
	known := importer.ActionWords()
	words := slices.Sorted(maps.Keys(known))
	cmd.Flags().StringSliceVar(&actions, "action", nil, "only who was this `ACTION`: "+strings.Join(words, ", ")+"; may be repeated")
	cmd.Flags().StringVar(&q.Text, "find", "", "only whose name or id has this `TEXT`")
	bindCount(cmd.Flags(), &q.Limit, "limit", 0, "`N` people at most; 0: everybody")
	cmd.Flags().Int64Var(&q.After, "after", 0, "people behind this `NUMBER` (seq), to read on")
	o.namesSession()
	o.first(cmd, func(*cobra.Command, []string) error {
		if q.After < 0 {
			return fault.New(fault.Usage, "this must be a whole number of at least 0").At("--after")
		}
		for _, a := range actions {
			action, ok := known[strings.ToLower(a)]
			if !ok {
				return fault.New(fault.Usage, "there is no action %q", a).At("--action").Fix("use one of %s", strings.Join(words, ", "))
			}
			q.Actions = append(q.Actions, action)
		}
		o.command.Entities = q
		return nil
	})
	o.data = func(r *importer.Reply) any {
		if r.Entities == nil {
			return []any{}
		}
		return r.Entities
	}
	o.print = func(_ context.Context, _ Session, r *importer.Reply) error {
		for i := range r.Entities {
			o.entity(&r.Entities[i], list)
		}
		if n := len(r.Entities); n > 0 {
			o.more(n, r.Count, fmt.Sprintf("--after %d", r.Entities[n-1].Seq))
		}
		return nil
	}
	return cmd
}

// download writes a report where it was asked for.
func (o *importOptions) download(pieces iter.Seq2[[]byte, error], file string) error {
	write := func(w io.Writer) error {
		for piece, err := range pieces {
			if err != nil {
				return err
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
	if file == "" {
		return write(o.shell.Out)
	}
	return writeWhole(file, write)
}

// people is a number of persons.
func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}
