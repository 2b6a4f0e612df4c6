package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/sources"
	"github.com/lanyard-id/lanyard/internal/web/api"
)

// App is Lanyard, ready to be handed to the command line.
type App struct {
	Log *slog.Logger
	Env func(name string) (string, bool)
}

// Product returns the parts that the commands use.
func (a *App) Product() cli.Product {
	return cli.Product{
		Plan:          a.plan,
		Bind:          a.bind,
		Open:          a.open,
		FindOperation: a.findOperation,
		Sources:       a.sources,
		Connections:   connections{a},
		Folders:       bundles{a},
		Serve:         a.serve,
		Rehearsal:     a.rehearsal,
		LockHolder:    LockHolder,
		CheckSandbox:  a.checkSandbox,
	}
}

// configuration reads the file. Its data folder becomes that of s when no other
// was named. Connections that variables stand for are added by package connector.
func (a *App) configuration(s *cli.Settings) (*config.Config, error) {
	c, err := config.Load(s.Config, s.ConfigGiven)
	if err != nil {
		return nil, err
	}
	s.UseData(c.Data)
	return c, nil
}

// profile turns the configuration's switches into a plan's.
func profile(r config.Run) plan.Profile {
	return plan.Profile{
		SuccessWithoutCriteria: r.SuccessWithoutCriteria, ActionLists: r.ActionLists, RetryAfter: r.RetryAfter,
		OnDoubt: r.OnDoubt, QuotedValues: r.QuotedValues, MaxSteps: r.MaxSteps, MaxRepeats: r.MaxRepeats, MaxRetries: r.MaxRetries,
		MaxRetryAfter: r.MaxRetryAfter, CallTimeout: r.CallTimeout, RunTimeout: r.RunTimeout,
	}
}

// maxDocument bounds what is read as a document, in bytes.
const maxDocument = 64 << 20

// plan reads a document and its sources.
func (a *App) plan(ctx context.Context, req cli.PlanRequest) (*plan.Result, error) {
	c, err := a.configuration(&req.Settings)
	if err != nil {
		return nil, err
	}
	loader, done, err := a.loader(c, req)
	if err != nil {
		return nil, err
	}
	defer done()
	data, err := readDocument(req.File)
	if err != nil {
		return nil, err
	}
	return plan.Build(ctx, loader, plan.Request{File: req.File, Data: data, Dialect: req.Dialect, Workflow: req.Workflow, Profile: profile(c.Run)})
}

// readDocument reads the document that was named, refusing what cannot be one.
func readDocument(file string) ([]byte, error) {
	if strings.HasPrefix(file, catalog.Address) {
		return catalog.Document(file)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault.Wrap(fault.Usage, err, "there is no such file").At("%s", file).Fix("check the path")
	case err != nil:
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read").At("%s", file)
	case info.IsDir():
		return nil, fault.New(fault.Usage, "this is a folder, not a document").At("%s", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read").At("%s", file)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1)) // a device has no size
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read").At("%s", file)
	case len(data) > maxDocument:
		return nil, fault.New(fault.TooLarge, "the file has more than the %d bytes that a document may have", maxDocument).At("%s", file)
	}
	return data, nil
}

// Folders of the data folder for what can be made again.
const cacheFolder = "cache"

// lockFileName stands beside the configuration and is meant to be committed.
const lockFileName = "lanyard.lock"

// loader returns what reads the sources of a request, and a function to call
// when it is no longer needed.
func (a *App) loader(c *config.Config, req cli.PlanRequest) (*sources.Loader, func(), error) {
	client := egress.New(egress.Policy{AllowPrivate: req.Bindings.AllowPrivate, UserAgent: userAgent})
	pins, err := readLock(lockPath(req.Settings))
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	l := &sources.Loader{
		Fetch: client, CacheDir: filepath.Join(req.Data, cacheFolder), Overrides: map[string]string{}, Lock: pins,
		AllowBuiltin: req.Bindings.Sandbox, Builtin: builtin, Own: catalog.Document,
	}
	for name, s := range c.Sources {
		l.Overrides[name] = cmp.Or(s.File, s.URL)
	}
	maps.Copy(l.Overrides, req.Sources)
	return l, client.Close, nil
}

const userAgent = "lanyard"

func lockPath(s cli.Settings) string {
	return filepath.Join(filepath.Dir(s.Config), lockFileName)
}

// builtin serves the catalogue's own description of a source that cannot be
// read. An operation that is needed by the name it has in another edition of the
// provider's description is served under that name.
func builtin(name, url string, need []string) (data []byte, label string, ok bool) {
	e := catalog.Match(name, "", []string{url})
	if e == nil {
		return nil, "", false
	}
	aliases, err := e.Aliases()
	if err != nil {
		return nil, "", false
	}
	data = e.Description()
	for _, other := range need {
		// A document that uses both names of one operation mixes two editions:
		// the loader then misses one of them and says that the source is not there.
		if own, ok := aliases[other]; ok {
			line := regexp.MustCompile(`(?m)^(\s*operationId: )` + regexp.QuoteMeta(own) + `$`)
			data = line.ReplaceAll(data, []byte("${1}"+other))
		}
	}
	return data, "of " + e.Title, true
}

// findOperation names the sources that have an operation.
func (a *App) findOperation(ctx context.Context, req cli.PlanRequest, doc *arazzo.Document) func(string) []string {
	c, err := a.configuration(&req.Settings)
	if err != nil {
		return nil
	}
	loader, _, err := a.loader(c, req)
	if err != nil {
		return nil
	}
	return plan.Finder(ctx, loader, doc)
}

// open opens the data folder, or reaches the process that serves it.
func (a *App) open(ctx context.Context, s cli.Settings, access cli.Access) (cli.Session, error) {
	c, err := a.configuration(&s)
	if err != nil {
		return nil, err
	}
	f, err := a.openFolder(ctx, s, "run", c)
	if fault.Is(err, fault.Locked) {
		if e, ok := readEndpoint(s.Data); ok {
			r, err := connect(e)
			if err != nil {
				return nil, err
			}
			return r, nil
		}
		if access == cli.ReadOnly {
			return a.openToRead(ctx, s, c)
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// remote is a session in another process.
type remote struct{ *api.Client }

// connect reaches a serving process. The token goes straight to it: through no
// proxy, and nowhere else by a redirect.
func connect(e endpoint) (remote, error) {
	transport := &http.Transport{}
	if e.Authority != "" {
		text, err := os.ReadFile(e.Authority)
		if err != nil {
			return remote{}, fault.Wrap(fault.Unavailable, err, "the certificate authority of the serving process cannot be read").At("%s", e.Authority)
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(text)
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	}
	return remote{&api.Client{Base: e.URL, Token: e.Token, HTTP: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}, nil
}

// Close lets the connections go; the other process keeps the folder.
func (r remote) Close() error {
	r.HTTP.CloseIdleConnections()
	return nil
}

// Main runs the command line of this process and returns its exit code.
func Main() int {
	a := &App{Log: slog.New(slog.DiscardHandler), Env: os.LookupEnv}
	return cli.Process(a.Product())
}
