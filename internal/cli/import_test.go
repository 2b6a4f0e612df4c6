package cli

import (
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// importSession answers every command about imports.
func importSession(t *testing.T) *fakeSession {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	settings := reconcile.FileSettings()
	settings.ID, settings.Profile = "employee_id", map[string]reconcile.Term{"email": "mail", "nickName": reconcile.None}
	done := &importer.Session{
		ID: "iis1", Source: "0oa1", Type: importer.Incremental, State: importer.Completed, Actor: directory.System("command line"), Created: at, Started: at, Ended: at.Add(1200 * time.Millisecond),
		Counts: importer.Counts{Scanned: 5, Added: 1, Updated: 1, Unchanged: 1, Removed: 1, Held: 1}, Rules: &settings,
	}
	held := &importer.Session{
		ID: "iis2", Source: "0oa1", Type: importer.Full, State: importer.Triggered, Phase: importer.Held, Created: at, Started: at, Counts: importer.Counts{Scanned: 2, Unchanged: 2, Removed: 30},
		Holds: []reconcile.Reason{{Code: reconcile.Removals, Text: "30 of 100 people would be removed.", Remedy: "Look whether all of them have left.", Count: 30, Limit: 20}},
	}
	failed := &importer.Session{ID: "iis3", Source: "0oa2", State: importer.Failed, Created: at, Error: "the source broke off", Remedy: "Start the import again."}
	entities := []importer.Entity{
		{Seq: 1, Kind: importer.UserKind, ExternalID: "E1", Name: "ada@example.com", Place: "people.csv:2", Decision: reconcile.Decision{Action: reconcile.Create, After: map[string]any{"title": "Countess"}}},
		{Seq: 2, Kind: importer.UserKind, ExternalID: "E2", Name: "bob\x1b@example.com", Decision: reconcile.Decision{
			Action: reconcile.Update, Before: map[string]any{"title": "Builder"}, After: map[string]any{"title": "Boss", "city": "Oslo"},
		}},
		{Seq: 3, Kind: importer.UserKind, ExternalID: "E3", Name: "cid@example.com", Decision: reconcile.Decision{Action: reconcile.Deactivate, Reason: "the source says that the person has left"}},
		{Seq: 4, Kind: importer.UserKind, ExternalID: "E4", Name: "dee@example.com", Decision: reconcile.Decision{
			Action: reconcile.Hold, Match: &reconcile.Match{Kind: reconcile.Partial, On: "firstName and lastName"}, Reason: "the name is that of somebody else", Remedy: "say who it is",
		}},
		{Seq: 5, Kind: importer.GroupKind, ExternalID: "G1", Name: "Sales", Decision: reconcile.Decision{Action: reconcile.Create}},
		{Seq: 6, Kind: importer.MembershipKind, ExternalID: "G1", Member: "E1", Decision: reconcile.Decision{Action: reconcile.Create}},
	}
	plan := &importer.Plan{
		Version: 2, Source: "0oa1", Label: "hr", Type: importer.Incremental, Counts: done.Counts, Holds: held.Holds, Calls: 3, Minutes: 1, Rules: settings,
	}
	plan.Counts.Groups.Added, plan.Counts.Memberships.Added = 1, 1
	for _, e := range entities {
		if err := plan.Add(&importer.PlanEntity{Entity: e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := plan.Seal(); err != nil {
		t.Fatal(err)
	}
	source := &importer.Source{Meta: directory.Meta{ID: "0oa1"}, Label: "hr", From: "hr", Settings: settings}
	views := []importer.SourceView{
		{Source: source, Label: "hr", Active: true, People: 100, Waiting: 1, Last: held},
		{Source: &importer.Source{Meta: directory.Meta{ID: "0oa2"}, Label: "Contractors"}, Label: "Contractors"},
	}
	s := play(t)
	s.bulk = &importer.Reply{Source: source, Label: "hr", Confirmed: &importer.Confirmed{Exact: 40, Partial: 1, New: 2, Left: 1, Over: map[string]int{"Payroll": 3}, DryRun: true}}
	s.imported = map[importer.Verb]*importer.Reply{
		importer.ListSources: {Sources: views}, importer.ShowSource: {Source: source, Label: "hr", Sources: views[:1]},
		importer.SetSource: {Source: source, Label: "hr"}, importer.RemoveSource: {Source: source, Label: "hr"},
		importer.RunImport: {Source: source, Label: "hr", Session: done}, importer.MakePreview: {Source: source, Label: "hr", Plan: plan},
		importer.ApplyPlan: {Session: held}, importer.ListSessions: {Sessions: []*importer.Session{held, done, failed}},
		importer.ShowSession: {Session: done}, importer.ShowReport: {Report: &importer.Report{Session: held, Label: "hr", Waiting: 1}},
		importer.ListEntities: {Entities: entities, Count: 7}, importer.Download: {Pieces: inPieces("seq,kind\n", "1,user\n")},
		importer.Approve: {Session: done}, importer.Reject: {Session: &importer.Session{ID: "iis2", State: importer.Closed}}, importer.Cancel: {Session: &importer.Session{ID: "iis2", State: importer.Closed}},
		importer.ListWaiting: {Waiting: []importer.Waiting{{ExternalID: "E4", Name: "Dee Dee", Login: "dee@example.com", Reason: "the name is that of somebody else"}}},
		importer.Confirm:     {Source: source, Label: "hr"},
		importer.ExplainUser: {Trace: &importer.Trace{
			Steps:    []importer.TraceStep{{Stage: "found", Text: "The source has 1 record: people.csv:3."}, {Stage: "acted", Text: "update"}},
			Decision: &reconcile.Decision{Action: reconcile.Update, Before: map[string]any{"title": "Builder"}, After: map[string]any{"title": "Boss"}, Remedy: "ask"},
		}},
	}
	return s
}

// inPieces yields a report piece by piece.
func inPieces(pieces ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, piece := range pieces {
			if !yield([]byte(piece), nil) {
				return
			}
		}
	}
}

// What the commands print, and what goes wrong before anything is asked.
func TestImportGolden(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"people.csv": "id\n", "old.json": `{"version":1,"source":"0oa1","label":"hr","digest":"abc"}`, "other.json": `{}`,
		"hr.yaml": "label: HR system\nid: employee_id\n", "wrong.yaml": "id: x\nremovall: suspend\nguard: {percent: 200}\n", "from.yaml": "id: x\nfrom: {csv: people.csv}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	session := importSession(t)
	p := newProduct(session)
	var out []string
	for _, args := range [][]string{
		{"preview", "hr"},
		{"preview", "people.csv", "--limit", "1", "--attributes", "--out", "kept.json"},
		{"run", "hr", "--full"},
		{"apply", "kept.json", "--limit", "2"},
		{"sessions"},
		{"show"},
		{"show", "hr"},
		{"report", "iis1"},
		{"report", "--format", "csv"},
		{"people", "hr", "--action", "created,failed"},
		{"approve", "iis2", "--reason", "moved"},
		{"approve", "hr"},
		{"reject", "iis2"},
		{"cancel", "iis2"},
		{"waiting", "hr"},
		{"confirm", "hr", "E4", "--account", "dee"},
		{"confirm", "hr", "E4", "--new"},
		{"confirm", "hr", "--all", "--dry-run"},
		{"sources", "list"},
		{"sources", "show", "hr"},
		{"sources", "set", "hr", "--file", "hr.yaml"},
		{"sources", "remove", "hr"},
		// what cannot be
		{"preview"},
		{"run", "people.csv", "--from", "people.csv"},
		{"run", "absent.csv"},
		{"run", "hr", "--from", "."},
		{"apply", "absent.json"},
		{"apply", "other.json"},
		{"apply", "old.json"},
		{"sessions", "--state", "done"},
		{"report", "--out", "x"},
		{"report", "--format", "xml"},
		{"people", "hr", "--action", "hired"},
		{"confirm", "hr", "E4"},
		{"confirm", "hr", "E4", "--new", "--ignore"},
		{"confirm", "hr", "E4", "--all"},
		{"confirm", "hr"},
		{"confirm", "hr", "--ignore"},
		{"sources", "set", "hr"},
		{"sources", "set", "hr", "--file", "wrong.yaml"},
		{"sources", "set", "hr", "--file", "from.yaml"},
	} {
		for i, arg := range args {
			if ext := filepath.Ext(arg); ext != "" {
				args[i] = filepath.Join(dir, arg)
			}
		}
		out = append(out, transcript(t.Context(), newTestIO("", nil), p.Product, append([]string{"import"}, args...)...))
	}
	out = append(out,
		transcript(t.Context(), newTestIO("", nil), p.Product, "explain", "--user", "ada", "--source", "hr"),
		transcript(t.Context(), newTestIO("", nil), p.Product, "explain", "--user", "ada"),
		transcript(t.Context(), newTestIO("", nil), p.Product, "explain"))
	golden(t, "import", strings.ReplaceAll(strings.Join(out, "\n"), dir, "DIR"))
	if session.closed != len(p.access) {
		t.Errorf("%d of %d sessions were closed", session.closed, len(p.access))
	}
	kept, err := readPlan(filepath.Join(dir, "kept.json"))
	if err != nil || kept.Size != 6 {
		t.Fatalf("the plan that was kept: %v", err)
	}
	kept.Close()
}

// What flags say arrives at the desk, and the exit codes say what came of it.
func TestImportFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("people.csv", []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "people.csv")
	for _, test := range []struct {
		args string
		code int
		want importer.Command
	}{
		{"run hr --full --id x1", exitOK, importer.Command{Do: importer.RunImport, Source: "hr", Run: importer.RunOptions{Type: importer.Full, ID: "x1"}}},
		{"run people.csv", exitOK, importer.Command{Do: importer.RunImport, From: file, Label: "people"}},
		{"preview hr --from people.csv", exitOK, importer.Command{Do: importer.MakePreview, Source: "hr", From: file}},
		{"show iis2", exitOK, importer.Command{Do: importer.ShowReport, Session: "iis2"}},
		{"people iis1 --find ada --after 3 --limit 2 --action held", exitOK, importer.Command{
			Do: importer.ListEntities, Session: "iis1", Entities: &importer.EntityQuery{Text: "ada", After: 3, Limit: 2, Actions: []reconcile.Action{reconcile.Hold}},
		}},
		{"sessions hr --state triggered --limit 3", exitOK, importer.Command{
			Do: importer.ListSessions, Source: "hr", Sessions: &importer.SessionQuery{Limit: 3, States: []importer.State{importer.Triggered}},
		}},
		{"reject iis2 --reason no", exitOK, importer.Command{Do: importer.Reject, Session: "iis2", Reason: "no"}},
		{"confirm hr E4 --ignore", exitOK, importer.Command{Do: importer.Confirm, Source: "hr", Person: "E4", Answer: importer.IsIgnored}},
		{"confirm hr --exact --new", exitOK, importer.Command{Do: importer.Confirm, Source: "hr", Bulk: &importer.Bulk{Exact: true, New: true}}},
		{"confirm hr --all --dry-run", exitOK, importer.Command{Do: importer.Confirm, Source: "hr", Bulk: &importer.Bulk{Exact: true, Partial: true, New: true, DryRun: true}}},
		{"sources set hr --keep 90", exitOK, importer.Command{Do: importer.SetSource, Source: "hr", Keep: 90}},
	} {
		session := importSession(t)
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, newProduct(session).Product, append([]string{"import"}, strings.Fields(test.args)...)); code != test.code {
			t.Errorf("%s: exit code %d: %s", test.args, code, s.err)
		}
		last := slices.IndexFunc(session.imports, func(c importer.Command) bool { return c.Do == test.want.Do })
		if last < 0 {
			t.Errorf("%s: the desk was not asked", test.args)
			continue
		}
		if diff := cmp.Diff(test.want, session.imports[last]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.args, diff)
		}
	}
	for state, code := range map[*importer.Session]int{
		{State: importer.Completed}:                                     exitOK,
		{State: importer.Triggered, Phase: importer.Held}:               exitThreshold,
		{State: importer.Failed}:                                        exitFailed,
		{State: importer.Completed, Counts: importer.Counts{Failed: 1}}: exitFailed,
		{State: importer.Triggered, Phase: importer.Queued}:             exitHeld,
	} {
		session := importSession(t)
		session.imported[importer.RunImport].Session = state
		if got := Main(t.Context(), newTestIO("", nil).IO, newProduct(session).Product, []string{"import", "run", "hr"}); got != code {
			t.Errorf("%s %s: exit code %d, want %d", state.State, state.Phase, got, code)
		}
	}
}

// The figures of a session that came to nothing are not taken for what was done.
func TestImportCameToNothing(t *testing.T) {
	for _, test := range []struct {
		state    importer.State
		position int64
		want     string
	}{
		{importer.Failed, 0, "1 created, 0 unchanged\n    nothing of it was carried out here\n"},
		{importer.Closed, 0, "nothing of it was carried out here"},
		{importer.Failed, 2, "carried out in part: lanyard import people iis9 -o json"},
		{importer.Failed, 3, "1 created, 0 unchanged\n"},
	} {
		session := importSession(t)
		session.imported[importer.RunImport].Session = &importer.Session{ID: "iis9", State: test.state, Position: test.position, Total: 3, Counts: importer.Counts{Added: 1}, Error: "it broke; mend it", Remedy: "mend it"}
		s := newTestIO("", nil)
		Main(t.Context(), s.IO, newProduct(session).Product, []string{"import", "run", "hr"})
		if !strings.Contains(s.out.String(), test.want) || test.position == 3 && strings.Contains(s.out.String(), "carried out") || strings.Count(s.out.String(), "mend it") > 1 {
			t.Errorf("%s at %d: %s", test.state, test.position, s.out)
		}
	}
}

// Whoever has to wait is told for whom, before and after; nothing is said of figures
// that nobody knows yet.
func TestImportWaits(t *testing.T) {
	queued := &importer.Session{ID: "iis9", State: importer.Triggered, Phase: importer.Queued, Counts: importer.Counts{Scanned: 5, Unchanged: 2}}
	first := *queued
	first.First = true
	for _, test := range []struct {
		ahead        importer.Session
		became       *importer.Session
		before       string
		figures, end string
	}{
		{importer.Session{State: importer.Triggered, Phase: importer.Applying}, &first,
			"waits for session iis1, which is being carried out\n", "    2 unchanged; all others are compared when its turn comes\n", "waits for session iis1, which is being carried out: lanyard import show iis1\n"},
		{importer.Session{State: importer.InProgress, Origin: importer.FromReader}, queued, "waits for session iis1, which is being read\n", "    all are compared when its turn comes\n", "waits for session iis1, which is being read: "},
		{importer.Session{State: importer.Triggered, Phase: importer.Sending}, queued, "waits for session iis1, which is being sent to the tenant\n", "", "which is being sent to the tenant: "},
		{importer.Session{State: importer.Triggered, Phase: importer.Held}, queued, "", "", "which is held: "},
		{importer.Session{State: importer.InProgress, Origin: importer.FromAPI}, queued, "", "", "under way: lanyard import show iis9\n"},
	} {
		test.ahead.ID = "iis1"
		session := importSession(t)
		session.imported[importer.ListSessions].Sessions = []*importer.Session{{ID: "iis2", State: importer.Triggered, Phase: importer.Queued, Origin: importer.FromReader}, &test.ahead}
		if test.ahead.Origin == importer.FromAPI {
			session.imported[importer.ListSessions].Sessions = []*importer.Session{&test.ahead}
		}
		session.imported[importer.RunImport].Session = test.became
		s := newTestIO("", nil)
		Main(t.Context(), s.IO, newProduct(session).Product, []string{"import", "run", "hr"})
		if s.err.String() != test.before || !strings.Contains(s.out.String(), test.figures) || !strings.Contains(s.out.String(), test.end) {
			t.Errorf("%s %s: said %q, then\n%s", test.ahead.State, test.ahead.Phase, s.err, s.out)
		}
	}
}

// A pipe is not opened: that waits until somebody writes to it, and nothing ends it.
func TestImportPipe(t *testing.T) {
	for args, want := range map[string]string{
		"import run hr --from " + os.DevNull:     "this is a pipe or a device, not a file",
		"import preview hr --from " + os.DevNull: "this is a pipe or a device, not a file",
	} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, newProduct(importSession(t)).Product, strings.Fields(args)); code != exitError || !strings.Contains(s.err.String(), want) {
			t.Errorf("%s: exit code %d: %s", args, code, s.err)
		}
	}
}

// What stands on stdin is a file for as long as it is read.
func TestImportStdin(t *testing.T) {
	session := importSession(t)
	s := newTestIO("id\nE1\n", nil)
	if code := Main(t.Context(), s.IO, newProduct(session).Product, []string{"import", "run", "hr", "--from", "-"}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, s.err)
	}
	from := session.imports[slices.IndexFunc(session.imports, func(c importer.Command) bool { return c.Do == importer.RunImport })].From
	if _, err := os.Stat(from); filepath.Base(from) != "stdin.csv" || !os.IsNotExist(err) {
		t.Errorf("stdin was kept in %q: %v", from, err)
	}
}

// With -o json programs get what people see.
func TestImportJSON(t *testing.T) {
	for args, key := range map[string]string{"preview hr": "digest", "run hr": "session", "show": "session", "sources show hr": "settings"} {
		s := newTestIO("", nil)
		Main(t.Context(), s.IO, newProduct(importSession(t)).Product, append([]string{"import"}, append(strings.Fields(args), "-o", "json")...))
		var got map[string]any
		if err := json.Unmarshal(s.out.Bytes(), &got); err != nil || got[key] == nil {
			t.Errorf("%s: %v: %s", args, err, s.out)
		}
	}
}
