package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
)

type runOptions struct {
	shell    *shell
	document documentFlags
	inputs   inputFlags
	output   output
	har      string
	junit    string
	id       string
	cmd      *cobra.Command
}

func newRun(sh *shell) *cobra.Command {
	opts := runOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "run FILE",
		GroupID: groupWork,
		Short:   "Run a workflow",
		Long: `Run a workflow of an Arazzo document. Everything is resolved before the first
request: a document that cannot run sends nothing. What is done is recorded in
the data folder, so that a run which is interrupted can be resumed and no
completed call is repeated.`,
		Example: `  lanyard run auth0-user-to-okta-group.arazzo.yaml --sandbox --inputs inputs.json
  lanyard run flow.yaml --server oktaApi=https://example.okta.com --input login=ada@example.com`,
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.cmd = cmd
			return opts.run(cmd.Context(), args[0])
		},
	}
	opts.document.bind(cmd)
	opts.inputs.bind(cmd)
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	bindFiles(cmd, &opts.har, &opts.junit)
	cmd.Flags().StringVar(&opts.id, "id", "", "the run's `ID`, for callers that must not start it twice; default: a new one")
	return cmd
}

// bindFiles gives cmd the flags that write a run to files.
func bindFiles(cmd *cobra.Command, har, junit *string) {
	cmd.Flags().StringVar(har, "har", "", "also write the exchanges to `FILE` as an HTTP archive, masked")
	cmd.Flags().StringVar(junit, "junit", "", "also write the steps to `FILE` as JUnit XML")
}

func (o *runOptions) run(ctx context.Context, file string) error {
	inputs, err := o.inputs.read(o.shell.IO)
	if err != nil {
		return err
	}
	req, err := o.document.request(o.shell, o.cmd, file)
	if err != nil {
		return err
	}
	built, err := o.shell.plan(ctx, req)
	if err != nil {
		return err
	}
	// Wrong inputs are refused before the data folder is touched.
	if err := checkInputs(built.Plan, inputs); err != nil {
		return err
	}
	if err := checkFiles(o.har, o.junit); err != nil {
		return err
	}
	session, err := o.shell.open(ctx, req.Settings, ReadWrite)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	id := o.id
	if id == "" {
		id = newRunID(time.Now())
	}
	if err := session.Start(run.WithStarter(ctx, o.shell.user()), id, built.Plan, inputs, req.Bindings); err != nil {
		return err
	}
	w := watcher{shell: o.shell, session: session, output: o.output, har: o.har, junit: o.junit, people: req.Bindings.Sandbox}
	return w.watch(ctx, id, inputs)
}

// open opens the data folder.
func (sh *shell) open(ctx context.Context, s Settings, access Access) (Session, error) {
	if sh.product.Open == nil {
		return nil, missingPart("runs")
	}
	return sh.product.Open(ctx, s, access)
}

// withSession does something with the open data folder.
func withSession(sh *shell, cmd *cobra.Command, access Access, do func(context.Context, Session) error) error {
	session, err := sh.open(cmd.Context(), sh.settings(cmd), access)
	if err != nil {
		return err
	}
	defer closeSession(sh, session)
	return do(cmd.Context(), session)
}

// closeSession lets the data folder go. What could not be let go is logged: the
// command has its result by then.
func closeSession(sh *shell, s Session) {
	if err := s.Close(); err != nil {
		sh.log.Error("the data folder was not closed cleanly", "error", err)
	}
}

// newRunID makes an id that sorts by time: seconds and chance, in base 32.
func newRunID(now time.Time) string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [16]byte
	for i, n := 6, now.Unix(); i >= 0; i, n = i-1, n/32 {
		b[i] = digits[n%32]
	}
	random := make([]byte, 9)
	rand.Read(random) // never fails (Go 1.24)
	for i, r := range random {
		b[7+i] = digits[r%32]
	}
	return "run_" + string(b[:])
}

// watcher follows a run to where it rests and prints it.
type watcher struct {
	shell   *shell
	session Session
	output  output
	har     string
	junit   string
	people  bool // show the directory's view of the people named in the inputs
	after   int  // records up to here belong to the past

	// remedy says what to do about a failed run; may be nil.
	remedy func(*report.Report) string

	// each is given the report in place of -o json's own printing, for commands
	// that print several as one object; may be nil.
	each func(*report.Report)
}

// watch prints a run when it rests. The run has begun, so a program gets the
// run's object whatever happens; what kept us from watching it to its end is in
// the object's error.
func (w *watcher) watch(ctx context.Context, id string, inputs map[string]any) error {
	records, broke := w.follow(ctx, id)
	rep, err := w.report(ctx, id, records)
	if broke == nil {
		broke = err
	}
	if broke != nil {
		return w.broken(ctx, rep, broke)
	}
	if rep.Status == run.Running {
		rep.Error, rep.Remedy = "the run stopped moving before it ended", "lanyard runs resume "+id
	}
	if err := w.print(ctx, rep, inputs); err != nil {
		return err
	}
	result := outcomeOf(rep)
	if err := writeFiles(rep, w.har, w.junit); err != nil {
		// Stdout has the run already: the error goes to stderr in any format.
		printError(ctx, w.shell.IO, formatText, err)
		if result == nil {
			return outcome(exitError)
		}
	}
	return result
}

// report reads the run's summary. Without one it returns the error and a report
// of what is known.
func (w *watcher) report(ctx context.Context, id string, records []run.Record) (*report.Report, error) {
	// Also when the person stops the command: what was done is worth knowing.
	summary, err := w.session.Run(context.WithoutCancel(ctx), id)
	if err == nil {
		var rep *report.Report
		if rep, err = report.Build(summary, records); err == nil {
			if err := rep.ReadFailedItem(context.WithoutCancel(ctx), w.session); err != nil {
				w.shell.log.Warn("the failed item of the run cannot be shown", "run", id, "error", err)
			}
			if w.remedy != nil && rep.Status == run.Failed && rep.Remedy == "" {
				rep.Remedy = w.remedy(rep)
			}
			return rep, nil
		}
	}
	rep, _ := report.Build(run.Run{Spec: run.Spec{ID: id}, Status: run.Running}, nil) // without records nothing can be wrong
	return rep, err
}

// broken ends the watching of a run that goes on without us.
func (w *watcher) broken(ctx context.Context, rep *report.Report, cause error) error {
	resume := "lanyard runs resume " + rep.Run
	if !w.output.json() {
		fmt.Fprintf(w.shell.Err, "the run %s is kept: %s\n", rep.Run, resume)
		return cause
	}
	w.shell.log.Error("the run was not watched to its end", "run", rep.Run, "error", cause)
	if !rep.Status.Final() {
		rep.Remedy = resume
	}
	rep.Error = describe(ctx, cause)[0].line()
	if err := w.print(ctx, rep, nil); err != nil {
		return err
	}
	return outcome(exitCode(ctx, cause))
}

// follow reads the run's records as they come, until it rests.
func (w *watcher) follow(ctx context.Context, id string) ([]run.Record, error) {
	var all []run.Record
	progress := newProgress(w.shell.IO)
	defer progress.done()
	after, wait := 0, w.after == 0
	for {
		fresh, err := w.session.Records(ctx, id, after, wait)
		if err != nil {
			return all, err
		}
		all = append(all, fresh...)
		if len(fresh) > 0 {
			after = fresh[len(fresh)-1].Seq
			wait = after >= w.after
			if err := w.stream(fresh, progress); err != nil {
				return all, err
			}
			continue
		}
		if wait { // and nothing came: it rests
			return all, ctx.Err()
		}
		wait = true
	}
}

// stream passes fresh records on: to programs as lines, to people as progress.
func (w *watcher) stream(fresh []run.Record, p *progress) error {
	for _, r := range fresh {
		if w.output.format == formatNDJSON {
			if err := writeJSON(w.shell.Out, formatNDJSON, r); err != nil {
				return err
			}
			continue
		}
		if note := lastStep(r); note != "" {
			p.show("%s", note)
		}
	}
	return nil
}

func (w *watcher) print(ctx context.Context, rep *report.Report, inputs map[string]any) error {
	switch w.output.format {
	case formatJSON:
		if w.each != nil {
			w.each(rep)
			return nil
		}
		return writeJSON(w.shell.Out, formatJSON, rep)
	case formatNDJSON:
		return writeJSON(w.shell.Out, formatNDJSON, rep)
	}
	printTrace(w.shell.IO, rep, brief)
	if !w.people {
		return nil
	}
	return w.printPeople(ctx, inputs)
}

// printPeople shows what the sandbox's directory holds of everyone whose e-mail
// address was among the inputs.
func (w *watcher) printPeople(ctx context.Context, inputs map[string]any) error {
	for _, email := range emails(inputs) {
		people, err := w.session.People(ctx, email)
		if err != nil {
			return err
		}
		for _, p := range people {
			printPerson(w.shell.IO, p)
		}
	}
	return nil
}

// outcomeOf maps how a run rests to the command's exit code.
func outcomeOf(rep *report.Report) error {
	switch rep.Status {
	case run.Succeeded:
		return nil
	case run.Held, run.Running:
		return outcome(exitHeld)
	}
	if rep.AuthFailed() {
		return outcome(exitAuth)
	}
	return outcome(exitFailed)
}

// checkFiles refuses files that cannot be written before anything is done for
// them.
func checkFiles(files ...string) error {
	var problems []error
	for _, file := range files {
		if file == "" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
			problems = append(problems, fault.New(fault.Usage, "there is no folder for the file").At("%s", file).Fix("make it first"))
		} else if info, err := os.Stat(file); err == nil && info.IsDir() {
			problems = append(problems, fault.New(fault.Usage, "this is a folder, not a file").At("%s", file).Fix("name a file"))
		}
	}
	return fault.Join(problems...)
}

// writeFiles writes the machine-readable forms that were asked for.
func writeFiles(rep *report.Report, har, junit string) error {
	if har != "" {
		data, err := rep.HAR(version())
		if err == nil {
			err = os.WriteFile(har, data, 0o600)
		}
		if err != nil {
			return fault.Wrap(fault.Usage, err, "the HTTP archive cannot be written").At("%s", har)
		}
	}
	if junit != "" {
		data, err := rep.JUnit()
		if err == nil {
			err = os.WriteFile(junit, data, 0o600)
		}
		if err != nil {
			return fault.Wrap(fault.Usage, err, "the JUnit report cannot be written").At("%s", junit)
		}
	}
	return nil
}

// emails returns the distinct texts among the inputs that look like an address.
func emails(inputs map[string]any) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		s, ok := inputs[name].(string)
		key := strings.ToLower(s)
		if at := strings.IndexByte(s, '@'); ok && at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t\n") && !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}

// lastStep says in one line what a record decided, for progress.
func lastStep(r run.Record) string {
	notes, err := report.Notes(r)
	if err != nil || len(notes) == 0 {
		return ""
	}
	n := notes[len(notes)-1]
	switch n.Kind {
	case engine.NoteStep:
		return fmt.Sprintf("%s %s", n.Step, n.Status)
	case engine.NoteAttempt:
		return fmt.Sprintf("%s is tried again", n.Step)
	}
	return ""
}
