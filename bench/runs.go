//go:build unix

package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/lanyard-id/lanyard/internal/app"
	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// workload holds the documents that are run.
//
//go:embed workload
var workload embed.FS

// compareRuns prints journalled runs beside what they are made of.
func (o *options) compareRuns(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "Runs of three steps (POST, GET, PUT) on a local server, %d at a time, every record on disk before the next call\n", o.at)
	fmt.Fprintln(out, "Bar: 2,000 runs/s and p99 under 80 ms on two cores")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\truns/s\tp50 ms\tp99 ms\tCPU ms/run\tpeak MB\tbytes/run\t")
	var items itemFigures
	err := o.withServer(ctx, func(url string) error {
		for _, row := range []struct{ part, title string }{
			{"journalled", "journalled runs"},
			{"journal", "the bare journal"},
			{"http", "bare HTTP"},
		} {
			var f figures
			if err := o.runPart(ctx, row.part, url, &f); err != nil {
				return err
			}
			disk := "-"
			if f.Disk > 0 {
				disk = fmt.Sprintf("%.0f", f.Disk)
			}
			fmt.Fprintf(t, "%s\t%.0f\t%.1f\t%.1f\t%.2f\t%.0f\t%s\t\n", row.title, f.Rate, f.P50, f.P99, f.CPU, f.Memory, disk)
		}
		return o.runPart(ctx, "items", url, &items)
	})
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "A list of %d items of one call, 16 at a time: %.0f items/s, %.2f ms of processor time and %.0f bytes an item, peak %.0f MB\n",
		items.Items, items.Rate, items.CPU, items.Disk, items.Memory)
	fmt.Fprintf(out, "Best of %d rounds of %d. The bare journal appends the same records in groups of %d; bare HTTP makes the same three calls with net/http.\n\n", o.rounds, o.runs, o.at)
	return nil
}

// product is the wired product on a new data folder.
type product struct {
	folder   string
	settings cli.Settings
	parts    cli.Product
}

// configuration gives the workload's source a connection with a credential, as
// every real run has one.
const configuration = `connections:
  directory:
    server: %s
    allowPrivate: true
    auth: {type: bearer, token: env:BENCH_TOKEN}
`

// newProduct makes a data folder and a configuration for a server.
func newProduct(server string) (*product, error) {
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return nil, err
	}
	p := &product{folder: folder, settings: cli.Settings{
		Config: filepath.Join(folder, "lanyard.yaml"), ConfigGiven: true, Data: filepath.Join(folder, "data"),
	}}
	token := func(name string) (string, bool) { return "bench-token-0123456789", name == "BENCH_TOKEN" }
	p.parts = (&app.App{Log: slog.New(slog.DiscardHandler), Env: token}).Product()
	if err := os.CopyFS(filepath.Join(folder, "documents"), workload); err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.settings.Config, fmt.Appendf(nil, configuration, server), 0o600)
}

func (p *product) remove() { _ = os.RemoveAll(p.folder) } // a temporary folder

// plan reads one of the workload's documents.
func (p *product) plan(ctx context.Context, name string) (*plan.Plan, error) {
	result, err := p.parts.Plan(ctx, cli.PlanRequest{
		Settings: p.settings, File: filepath.Join(p.folder, "documents", "workload", name), Dialect: arazzo.Strict,
	})
	if err != nil {
		return nil, err
	}
	return result.Plan, result.Err()
}

// inputs are those of run number i.
func inputs(i int) map[string]any {
	return map[string]any{"email": fmt.Sprintf("ada.%d@example.com", i), "firstName": "Ada", "lastName": "Lovelace", "groupId": "00g1"}
}

func runID(i int) string { return fmt.Sprintf("run_bench%09d", i) }

// withSession opens a new data folder for runs against a server, with the plan
// of the workload.
func withSession(ctx context.Context, server string, use func(s cli.Session, document *plan.Plan, data string) error) error {
	p, err := newProduct(server)
	if err != nil {
		return err
	}
	defer p.remove()
	document, err := p.plan(ctx, "join.arazzo.yaml")
	if err != nil {
		return err
	}
	session, err := p.parts.Open(ctx, p.settings, cli.ReadWrite)
	if err != nil {
		return err
	}
	return errors.Join(use(session, document, p.settings.Data), session.Close())
}

// runOnce makes run number i and waits until it has ended and all of it is on disk.
func runOnce(ctx context.Context, s cli.Session, document *plan.Plan, i int) error {
	if err := s.Start(ctx, runID(i), document, inputs(i), run.Bindings{}); err != nil {
		return err
	}
	_, err := s.Records(ctx, runID(i), math.MaxInt32, true) // there is no such record: it waits for the end
	return err
}

// measureJournalled measures whole runs.
func measureJournalled(ctx context.Context, o *options) (any, error) {
	var f figures
	err := withSession(ctx, o.target, func(s cli.Session, document *plan.Plan, data string) error {
		var err error
		if f, err = load(ctx, o, func(ctx context.Context, i int) error { return runOnce(ctx, s, document, i) }); err != nil {
			return err
		}
		list, err := s.Runs(ctx, worker.Filter{Statuses: []run.Status{run.Running, run.Held, run.Failed}, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			return fmt.Errorf("not all runs succeeded: %v", list)
		}
		size, err := diskUse(data)
		f.Disk = float64(size) / float64(o.runs/10+o.rounds*o.runs)
		return err
	})
	return f, err
}

// diskUse returns the bytes that the database takes, its log included.
func diskUse(folder string) (int64, error) {
	names, err := filepath.Glob(filepath.Join(folder, "lanyard.db*"))
	var size int64
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, err
}

// measureJournal appends the records of a real run again and again, under other
// ids, without engine and calls.
func measureJournal(ctx context.Context, o *options) (f any, err error) {
	model, err := recorded(ctx, o)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	db, err := sqlite.Open(ctx, filepath.Join(folder, "lanyard.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return appendRuns(ctx, o, db.Journal(), model, folder)
}

// appendRuns measures one group of runs after the other, each as large as the
// number of runs that move at a time.
func appendRuns(ctx context.Context, o *options, journal *store.Journal, model *recording, folder string) (figures, error) {
	groups := *o
	groups.at, groups.runs = 1, max(o.runs/o.at, 1)
	f, err := load(ctx, &groups, func(ctx context.Context, group int) error {
		return appendGroup(ctx, journal, model, group*o.at, o.at)
	})
	if err != nil {
		return f, err
	}
	f.Runs, f.Rate, f.CPU = f.Runs*o.at, f.Rate*float64(o.at), f.CPU/float64(o.at)
	size, err := diskUse(folder)
	f.Disk = float64(size) / float64((groups.runs/10+o.rounds*groups.runs)*o.at)
	return f, err
}

// recording is the journal of one run.
type recording struct {
	run     run.Run
	records []run.Record
}

// recorded makes one run and reads its journal.
func recorded(ctx context.Context, o *options) (*recording, error) {
	var r recording
	err := withSession(ctx, o.target, func(s cli.Session, document *plan.Plan, _ string) error {
		if err := runOnce(ctx, s, document, 0); err != nil {
			return err
		}
		var err error
		if r.run, err = s.Run(ctx, runID(0)); err != nil {
			return err
		}
		r.records, err = s.Records(ctx, runID(0), 0, false)
		return err
	})
	return &r, err
}

// appendGroup writes the records of n runs as the worker would when all of them
// move in step: one transaction for each turn.
func appendGroup(ctx context.Context, journal *store.Journal, model *recording, first, n int) error {
	entries := make([]worker.Entry, n)
	for turn, record := range model.records {
		for i := range entries {
			summary := model.run
			summary.ID = runID(first + i)
			entry := worker.Entry{Record: record}
			entry.Record.Run = summary.ID
			if turn == 0 {
				entry.Create = &summary
			}
			if turn == len(model.records)-1 {
				entry.Update, entry.Wipe = &summary, true
			}
			entries[i] = entry
		}
		if err := journal.Append(ctx, entries); err != nil {
			return err
		}
	}
	return nil
}

// measureHTTP makes the three calls of a run and nothing else.
func measureHTTP(ctx context.Context, o *options) (any, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: o.at}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	call := func(ctx context.Context, method, path, body string) error {
		req, err := http.NewRequestWithContext(ctx, method, o.target+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer bench-token-0123456789")
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(res.Body); err != nil {
			return err
		}
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s was answered with %d", method, path, res.StatusCode)
		}
		return nil
	}
	return load(ctx, o, func(ctx context.Context, i int) error {
		user := fmt.Sprintf("00u%d", i)
		body := fmt.Sprintf(`{"profile":{"email":"ada.%d@example.com","login":"ada.%d@example.com","firstName":"Ada","lastName":"Lovelace"}}`, i, i)
		if err := call(ctx, http.MethodPost, "/users", body); err != nil {
			return err
		}
		if err := call(ctx, http.MethodGet, "/users/"+user, ""); err != nil {
			return err
		}
		return call(ctx, http.MethodPut, "/groups/00g1/users/"+user, "")
	})
}
