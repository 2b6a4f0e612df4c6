//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
)

// How many people the directory holds when it is measured: a small org and a
// large one. A look-up must cost the same in both.
const (
	fewPeople  = 1_000
	manyPeople = 100_000
)

// pageSize is that of the lists that are read.
const pageSize = 200

// question is one sort of call on the directory.
type question struct {
	part, title string
	calls       int // a round
	bar         string
}

var questions = []question{
	{"okta-get", "GET a user by id", 10_000, "5,000/s"},
	{"okta-search", "search=profile.login eq", 6_000, "3,000/s, the same for 1,000 people"},
	{"okta-page", "GET a page of 200 users", 400, "200/s"},
	{"okta-create", "POST a user", 4_000, "1,500/s"},
}

// serveTable begins a table of how fast lanyard serve answers: its title, in
// which %d is the number of clients, and the heads of its columns.
func (o *options) serveTable(out io.Writer, title string) (*tabwriter.Writer, error) {
	if _, err := os.Stat(o.lanyard); err != nil {
		return nil, fmt.Errorf("%s is missing; make build", o.lanyard)
	}
	fmt.Fprintf(out, "lanyard serve "+title+"\n", o.at)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tpeople\tcalls/s\tp50 ms\tp99 ms\tbar\t")
	return t, nil
}

// compareDirectory prints how fast lanyard serve answers as an Okta org, beside
// net/http with a map.
func (o *options) compareDirectory(ctx context.Context, out io.Writer) error {
	t, err := o.serveTable(out, "as an Okta org, SQLite with full sync, %d clients on the same processors")
	if err != nil {
		return err
	}
	var memory float64
	for _, people := range []int{fewPeople, manyPeople} {
		peak, err := o.measureOrg(ctx, people, func(q question, f figures) {
			fmt.Fprintf(t, "%s\t%d\t%.0f\t%.1f\t%.1f\t%s\t\n", q.title, people, f.Rate, f.P50, f.P99, q.bar)
		})
		if err != nil {
			return err
		}
		memory = peak
	}
	err = o.withServer(ctx, func(target string) error {
		for _, q := range []question{{"okta-get", "net/http with a map: GET a user", 10_000, ""}, {"okta-page", "net/http: a page of 200 users", 400, ""}} {
			f, err := o.ask(ctx, q, target)
			if err != nil {
				return err
			}
			fmt.Fprintf(t, "%s\t-\t%.0f\t%.1f\t%.1f\t\t\n", q.title, f.Rate, f.P50, f.P99)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "Peak memory of lanyard serve with %d people: %.0f MB (bar: 400 MB). Best of %d rounds.\n\n", manyPeople, memory, o.rounds)
	return nil
}

// measureOrg fills a directory, serves it and asks every question. It returns
// the most memory that the server held, in MB.
func (o *options) measureOrg(ctx context.Context, people int, report func(question, figures)) (float64, error) {
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	if err := fill(ctx, filepath.Join(folder, "lanyard.db"), people); err != nil {
		return 0, err
	}
	return o.served(ctx, folder, func(at addresses) error {
		credentials, err := readCredentials(folder)
		if err != nil {
			return err
		}
		for _, q := range questions {
			f, err := o.ask(ctx, q, fmt.Sprintf("%s?token=%s&people=%d", at.Okta, url.QueryEscape("SSWS "+credentials.OktaAPIToken), people))
			if err != nil {
				return err
			}
			report(q, f)
		}
		return nil
	})
}

// addresses are where lanyard serve listens.
type addresses struct{ Okta, Auth0 string }

// served runs lanyard serve on a data folder while use does. It returns the most
// memory that it held, in MB.
func (o *options) served(ctx context.Context, folder string, use func(addresses) error) (float64, error) {
	server := exec.CommandContext(ctx, o.lanyard, "serve", "--data", folder, "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := server.Start(); err != nil {
		return 0, err
	}
	stop := sync.OnceValue(func() error {
		_ = server.Process.Signal(os.Interrupt) // it may have ended
		return server.Wait()
	})
	defer func() { _ = stop() }()
	var at addresses
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		return 0, fmt.Errorf("lanyard serve did not start: %w", err)
	}
	if err := use(at); err != nil {
		return 0, err
	}
	if err := stop(); err != nil {
		return 0, fmt.Errorf("lanyard serve: %w", err)
	}
	usage, _ := server.ProcessState.SysUsage().(*syscall.Rusage)
	return megabytes(usage), nil
}

// ask puts one question from a process of its own.
func (o *options) ask(ctx context.Context, q question, target string) (f figures, err error) {
	asking := *o
	asking.runs = q.calls
	err = asking.runPart(ctx, q.part, target, &f)
	return f, err
}

// credentials are what a served data folder accepts.
type credentials struct {
	OktaAPIToken      string `json:"oktaApiToken"`
	Auth0ClientID     string `json:"auth0ClientId"`
	Auth0ClientSecret string `json:"auth0ClientSecret"`
}

func readCredentials(folder string) (c credentials, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "sandbox.json"))
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(text, &c)
	return c, err
}

// personID is the id of a person of the bench, the same in every run.
func personID(i int) string { return fmt.Sprintf("00u0bench%08d1d7", i) }

func login(i int) string { return fmt.Sprintf("ada.%d@example.com", i) }

func profile(i int) map[string]any {
	return map[string]any{
		"login": login(i), "email": login(i), "firstName": "Ada", "lastName": fmt.Sprintf("Lovelace%d", i),
		"displayName": "Ada Lovelace", "department": "Engines", "title": "Analyst", "employeeNumber": fmt.Sprint(i),
	}
}

// fill makes a directory with people. They are made in the way that the API
// makes them, many at a time.
func fill(ctx context.Context, path string, people int) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	d := directory.New(db.Directory())
	err = directory.Seed(ctx, d)
	if err == nil {
		_, err = round(ctx, 0, people, 64, func(ctx context.Context, i int) error {
			_, err := d.CreateAccount(ctx, directory.System("bench"), directory.OktaRealm,
				directory.Draft{ID: personID(i), Profile: profile(i), Activate: true})
			return err
		})
	}
	return errors.Join(err, db.Close())
}

// org is what the asking processes know of the server.
type org struct {
	base, token string // the token with its scheme
	people      int
	client      *http.Client
}

func newOrg(o *options) (*org, error) {
	u, err := url.Parse(o.target)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	u.RawQuery = ""
	g := &org{base: u.String(), token: q.Get("token"), people: 1}
	if text := q.Get("people"); text != "" {
		if _, err := fmt.Sscan(text, &g.people); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{MaxIdleConnsPerHost: o.at, MaxConnsPerHost: o.at}
	g.client = &http.Client{Transport: transport}
	return g, nil
}

// call sends a request that must succeed.
func (g *org) call(ctx context.Context, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", g.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // the status says enough
		return fmt.Errorf("%s %s: %s %s", method, path, resp.Status, strings.TrimSpace(string(text)))
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// spread picks a person for call number i, far from the one before.
func (g *org) spread(i int) int { return i * 7919 % g.people }

func measureOktaGet(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		return g.call(ctx, http.MethodGet, "/api/v1/users/"+personID(g.spread(i)), nil)
	})
}

func measureOktaSearch(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		search := url.QueryEscape(`profile.login eq "` + login(g.spread(i)) + `"`)
		return g.call(ctx, http.MethodGet, "/api/v1/users?search="+search, nil)
	})
}

func measureOktaPage(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		after := personID(g.spread(i) / 2)
		return g.call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/users?limit=%d&after=200%s", pageSize, after), nil)
	})
}

func measureOktaCreate(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		body, err := json.Marshal(map[string]any{"profile": profile(manyPeople + i)})
		if err != nil {
			return err
		}
		return g.call(ctx, http.MethodPost, "/api/v1/users?activate=false", body)
	})
}

func (o *options) asking(ctx context.Context, one func(context.Context, *org, int) error) (any, error) {
	g, err := newOrg(o)
	if err != nil {
		return nil, err
	}
	defer g.client.CloseIdleConnections()
	return load(ctx, o, func(ctx context.Context, i int) error { return one(ctx, g, i) })
}
