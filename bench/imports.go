//go:build unix

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/postgres"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
)

// importsTo is what a part that imports gets: where the database is and what the
// source says.
type importsTo struct {
	Folder   string `json:"folder"`
	Postgres string `json:"postgres,omitempty"` // address; empty: SQLite in the folder
	People   int    `json:"people"`
	Changed  int    `json:"changed"` // of whom so many are new in one attribute
}

// importFigures are what a full sync took.
type importFigures struct {
	Seconds float64         `json:"seconds"`
	Memory  float64         `json:"memory"` // MB, at most
	Counts  importer.Counts `json:"counts"`
}

// compareImports prints how long full syncs of a CSV file take, beside the bare
// insert rate of the database.
func (o *options) compareImports(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "Full sync of a CSV file of people with %d attributes\n", len(columns))
	fmt.Fprintln(out, "The bars are for 100,000 people; for a million: 60 s and 1,000 MB where nothing changed")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tpeople\tseconds\tpeople/s\tMB\tbar\t")
	if err := o.syncs(ctx, t, "SQLite", importsTo{People: o.people}, []string{"30 s, 400 MB", "5 s, 400 MB", "6 s, 400 MB"}); err != nil {
		return err
	}
	if address := os.Getenv("LANYARD_BENCH_POSTGRES"); address != "" {
		if err := o.syncs(ctx, t, "PostgreSQL", importsTo{People: o.people, Postgres: address}, []string{"60 s", "10 s", "12 s"}); err != nil {
			return err
		}
	}
	return t.Flush()
}

// syncs measures a first load, one that finds nothing new, and one with a hundredth
// changed, each in a process of its own.
func (o *options) syncs(ctx context.Context, t io.Writer, database string, to importsTo, bars []string) error {
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	to.Folder = folder
	for i, step := range []struct {
		title   string
		changed int
		want    int // who must come out changed
	}{{"first load", 0, to.People}, {"nothing changed", 0, 0}, {"1 % changed", to.People / 100, to.People / 100}} {
		to.Changed = step.changed
		target, err := json.Marshal(to)
		if err != nil {
			return err
		}
		var f importFigures
		if err := o.runPart(ctx, "import", string(target), &f); err != nil {
			return err
		}
		if got := f.Counts.Added + f.Counts.Updated; got != step.want {
			return fmt.Errorf("%s: %d people came out changed, want %d", step.title, got, step.want)
		}
		fmt.Fprintf(t, "%s: %s\t%d\t%.1f\t%.0f\t%.0f\t%s\t\n", database, step.title, to.People, f.Seconds, float64(to.People)/f.Seconds, f.Memory, bars[i])
	}
	target, err := json.Marshal(to)
	if err != nil {
		return err
	}
	var f importFigures
	if err := o.runPart(ctx, "import-bare", string(target), &f); err != nil {
		return err
	}
	fmt.Fprintf(t, "%s: bare inserts of a row of 1 KB, 500 in a transaction\t%d\t%.1f\t%.0f\t\t\t\n", database, to.People, f.Seconds, float64(to.People)/f.Seconds)
	return nil
}

// columns are the attributes of the source: those of Okta's base profile that are
// texts of any form.
var columns = []string{
	"id", "userName", "email", "firstName", "lastName", "middleName", "honorificPrefix", "honorificSuffix", "title", "displayName", "nickName",
	"secondEmail", "mobilePhone", "primaryPhone", "streetAddress", "city", "state", "zipCode", "postalAddress", "userType", "employeeNumber",
	"costCenter", "organization", "division", "department", "managerId", "manager", "countryCode", "locale", "timezone",
}

// writePeople writes the source.
func writePeople(path string, people, changed int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	row := make([]string, len(columns))
	err = w.Write(columns)
	for i := 0; i < people && err == nil; i++ {
		for j, name := range columns {
			switch name {
			case "id":
				row[j] = fmt.Sprintf("%08d", i)
			case "userName", "email", "secondEmail":
				row[j] = fmt.Sprintf("person%07d@%s.example.com", i, name)
			case "countryCode":
				row[j] = "DE"
			case "locale":
				row[j] = "en_US"
			case "timezone":
				row[j] = "Europe/Berlin"
			case "department":
				row[j] = fmt.Sprint("Department ", i%50)
				if i < changed {
					row[j] += " and others"
				}
			default:
				row[j] = fmt.Sprintf("%s of %d", name, i)
			}
		}
		err = w.Write(row)
	}
	w.Flush()
	return errors.Join(err, w.Error(), f.Close())
}

// csvPeople reads the source, row by row.
type csvPeople string

func (path csvPeople) Rows(context.Context) iter.Seq2[importer.Located, error] {
	return func(yield func(importer.Located, error) bool) {
		f, err := os.Open(string(path))
		if err != nil {
			yield(importer.Located{}, err)
			return
		}
		defer f.Close()
		r := csv.NewReader(f)
		heads, err := r.Read()
		for line := 2; err == nil; line++ {
			var cells []string
			if cells, err = r.Read(); err != nil {
				break
			}
			row := make(reconcile.Row, len(cells))
			for i, cell := range cells {
				row[heads[i]] = cell
			}
			if !yield(importer.Located{Place: fmt.Sprintf("people.csv:%d", line), Row: row}, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(importer.Located{}, err)
		}
	}
}

func (to *importsTo) open(ctx context.Context) (*store.DB, error) {
	if to.Postgres != "" {
		return postgres.Open(ctx, to.Postgres)
	}
	return sqlite.Open(ctx, filepath.Join(to.Folder, "lanyard.db"))
}

// measureImport carries out one full sync.
func measureImport(ctx context.Context, o *options) (any, error) {
	var to importsTo
	if err := json.Unmarshal([]byte(o.target), &to); err != nil {
		return nil, err
	}
	path := filepath.Join(to.Folder, "people.csv")
	if err := writePeople(path, to.People, to.Changed); err != nil {
		return nil, err
	}
	db, err := to.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // the process ends with it
	d := directory.New(db.Directory())
	if err := d.AddRealm(ctx, directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Okta"}); err != nil {
		return nil, err
	}
	im := &importer.Importer{Directory: d, Store: db.Importer(), Realm: directory.OktaRealm}
	me := directory.System("bench")
	source, err := im.FindSource(ctx, "HR")
	if err != nil {
		settings := reconcile.FileSettings()
		settings.ID = "id"
		if source, err = im.PutSource(ctx, me, "HR", &importer.Source{Settings: settings}); err != nil {
			return nil, err
		}
	}
	begin := time.Now()
	s, err := im.Run(ctx, me, source.ID, csvPeople(path), importer.RunOptions{Type: importer.Full})
	if err != nil {
		return nil, err
	}
	if s.State != importer.Completed {
		return nil, fmt.Errorf("the session is %s %s: %s %v", s.State, s.Phase, s.Error, s.Holds)
	}
	return importFigures{time.Since(begin).Seconds(), peakMemory(), s.Counts}, nil
}

// measureBare inserts rows as long as a person, and nothing else.
func measureBare(ctx context.Context, o *options) (any, error) {
	var to importsTo
	if err := json.Unmarshal([]byte(o.target), &to); err != nil {
		return nil, err
	}
	db, err := to.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // the process ends with it
	pool := db.SQL()
	if _, err := pool.ExecContext(ctx, "CREATE TABLE bare (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
		return nil, err
	}
	body := fmt.Sprintf("%1024d", 1)
	begin := time.Now()
	for i := 0; i < to.People; {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		for end := min(i+500, to.People); i < end; i++ {
			if _, err := tx.ExecContext(ctx, "INSERT INTO bare (id, body) VALUES ($1, $2)", i, body); err != nil {
				return nil, err
			}
		}
		if err := tx.Commit(); err != nil {
			return nil, err
		}
	}
	seconds := time.Since(begin).Seconds()
	_, err = pool.ExecContext(ctx, "DROP TABLE bare")
	return importFigures{Seconds: seconds}, err
}
