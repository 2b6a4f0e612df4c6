package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// connections implements cli.Connections. It needs no data folder that is held:
// list, vault and tokens are shared between processes.
type connections struct{ app *App }

var _ cli.Connections = connections{}

// links is what one command works with.
type links struct {
	app       *App
	settings  cli.Settings
	config    *config.Config
	book      *config.Book
	vault     *secret.FileVault
	client    *egress.Client
	connector *connector.Connector
	log       *slog.Logger
}

func (c connections) open(s cli.Settings) (*links, error) {
	cfg, err := c.app.configuration(&s)
	if err != nil {
		return nil, err
	}
	book, err := config.ReadBook(s.Data)
	if err != nil {
		return nil, err
	}
	l := &links{
		app: c.app, settings: s, config: cfg, book: book, vault: &secret.FileVault{Dir: s.Data, Env: c.app.Env},
		client: egress.New(egress.Policy{UserAgent: userAgent}), log: cmp.Or(s.Log, c.app.Log),
	}
	l.connector = l.with(book)
	return l, nil
}

func (l *links) close() { l.client.Close() }

// with is a connector that knows the connections of a book.
func (l *links) with(book *config.Book) *connector.Connector {
	return connector.New(connector.Options{
		Config: l.config, Book: book, Client: l.client, Vault: l.vault,
		Secrets: &secret.Resolver{Env: l.app.Env, Vault: l.vault},
	})
}

// added returns a connection that was added by command: others cannot be changed
// by one.
func (l *links) added(name string) (config.Added, error) {
	added, ok := l.book.Connections[name]
	if from := l.connector.From(name); from != connector.ByCommand && from != "" {
		return added, fault.New(fault.Conflict, "connection %s is not one that was added here: it comes from %s", name, origin(from, l.config)).
			Fix("change it there")
	}
	if !ok {
		return added, fault.New(fault.NotFound, "there is no connection %q", name).Fix("lanyard connections list shows them, lanyard connections add makes one")
	}
	return added, nil
}

// origin names where a connection comes from, for people.
func origin(from string, c *config.Config) string {
	switch from {
	case connector.ByConfig:
		return cmp.Or(c.File, from)
	case connector.ByEnvironment:
		return "the environment"
	}
	return from
}

// Report implements cli.Connections.
func (c connections) Report(ctx context.Context, s cli.Settings, names []string, probe bool) ([]cli.ConnectionReport, error) {
	l, err := c.open(s)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if len(names) == 0 {
		names = l.connector.Names()
	}
	var out []cli.ConnectionReport
	marks := map[string]config.Mark{}
	for _, name := range names {
		conn, err := l.connector.BindNamed(name, run.Bindings{})
		if fault.Is(err, fault.NotFound) {
			return nil, err
		}
		r := cli.ConnectionReport{Name: name, From: l.connector.From(name)}
		switch {
		case err != nil:
			r.Message = fault.Public(err)
		case probe:
			marks[name] = l.test(ctx, l.connector, conn, &r)
		default:
			l.standing(conn, &r)
		}
		l.details(ctx, &r)
		out = append(out, r)
	}
	l.keep(ctx, marks)
	return out, nil
}

// test probes a connection and returns what is to be kept of it.
func (l *links) test(ctx context.Context, by *connector.Connector, conn *connector.Connection, r *cli.ConnectionReport) config.Mark {
	p := by.Probe(ctx, conn)
	now := time.Now().UTC().Truncate(time.Second)
	r.Server, r.Credential = conn.Server, conn.Credential
	r.OK, r.State, r.Status, r.Identity, r.Scopes = p.OK, p.State, p.Status, p.Identity, p.Scopes
	r.Message, r.Remedy, r.Expires, r.TokenEnds, r.Checked = p.Message, p.Remedy, p.Expires, p.Token, now
	kind := fault.KindOf(p.Err) // also of a token endpoint, which the status is not of
	r.Denied = p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || kind == fault.Unauthorized || kind == fault.Forbidden
	l.ending(r, now)
	return config.Mark{
		State: p.State, At: now, Server: conn.Server, Status: p.Status, Identity: p.Identity, Scopes: p.Scopes,
		Message: p.Message, Remedy: p.Remedy, Expires: p.Expires.UTC().Truncate(time.Second), Token: p.Token.UTC().Truncate(time.Second),
	}
}

// standing reports what the last test of a connection found, unless it has been
// bound to another server since.
func (l *links) standing(conn *connector.Connection, r *cli.ConnectionReport) {
	r.Server, r.Credential, r.OK = conn.Server, conn.Credential, true
	mark, ok := l.book.Marks[r.Name]
	if ok && mark.Server == conn.Server {
		r.State, r.Checked, r.Status, r.Identity, r.Scopes = mark.State, mark.At, mark.Status, mark.Identity, mark.Scopes
		r.Message, r.Remedy, r.Expires, r.TokenEnds = mark.Message, mark.Remedy, mark.Expires, mark.Token
		r.OK = mark.State == connector.Connected || mark.State == connector.Expiring
	}
	l.ending(r, time.Now())
}

// ending marks a connection that works and is known to end: by its token, or by
// the date that was given when it was added.
func (l *links) ending(r *cli.ConnectionReport, now time.Time) {
	if known := l.book.Connections[r.Name].Expires; r.From == connector.ByCommand && !known.IsZero() && (r.Expires.IsZero() || known.Before(r.Expires)) {
		r.Expires = known
	}
	switch {
	case !r.OK || r.Expires.IsZero():
	case !now.Before(r.Expires):
		r.OK, r.State, r.Message = false, connector.Broken, "the credential has ended"
		r.Remedy = "replace it: lanyard connections rotate " + r.Name
		if r.Credential == config.AuthAuthorizationCode {
			r.Remedy = "sign in again: lanyard connections authorize " + r.Name
		}
	case connector.Ends(r.Expires, now):
		r.State = connector.Expiring
	}
}

// details adds all that is known of a connection but its secrets.
func (l *links) details(ctx context.Context, r *cli.ConnectionReport) {
	r.Details = &cli.ConnectionDetails{}
	switch added, ok := l.book.Connections[r.Name]; {
	case r.From == connector.ByConfig:
		r.Details.Connection = l.config.Connections[r.Name]
	case ok:
		r.Details.Connection, r.Details.Added, r.Details.Rotated, r.Details.Next = added.Connection, added.Added, added.Rotated, added.Next
	}
	entries, err := l.entries(ctx, r.Name)
	if err != nil {
		l.log.Warn("the vault cannot be looked at", "error", err)
	}
	r.Details.Vault = entries
}

// entries lists what the vault holds for a connection.
func (l *links) entries(ctx context.Context, name string) ([]secret.Entry, error) {
	all, err := l.vault.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []secret.Entry
	for _, e := range all {
		if strings.HasPrefix(e.Name, connector.VaultPrefix(name)) {
			out = append(out, e)
		}
	}
	return out, nil
}

// keep stores what tests found. A test counts even where it cannot be kept.
func (l *links) keep(ctx context.Context, marks map[string]config.Mark) {
	if len(marks) == 0 {
		return
	}
	err := config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		for name, mark := range marks {
			if mark.Identity == "" && b.Marks[name].Server == mark.Server {
				mark.Identity = b.Marks[name].Identity // whose it is does not change by being refused
			}
			b.Marks[name] = mark
		}
		return nil
	})
	if err != nil {
		l.log.Warn("what the test found cannot be kept", "error", err)
	}
}
