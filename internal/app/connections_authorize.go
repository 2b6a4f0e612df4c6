package app

import (
	"cmp"
	"context"
	"net/url"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
)

// signInTime is how long a person may take to sign in.
const signInTime = 15 * time.Minute

// Authorize implements cli.Connections.
func (c connections) Authorize(ctx context.Context, req cli.AuthorizeConnection) (connector.Granted, error) {
	l, err := c.open(req.Settings)
	if err != nil {
		return connector.Granted{}, err
	}
	defer l.close()
	conn, err := l.connector.BindNamed(req.Name, run.Bindings{})
	if err != nil {
		return connector.Granted{}, err
	}
	scopes := req.Scopes
	if len(req.For) > 0 {
		needed, err := l.needed(ctx, conn, req.For)
		if err != nil {
			return connector.Granted{}, err
		}
		scopes = connector.ForSignIn(needed)
	}
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	granted, asked, err := l.signIn(ctx, conn, req, scopes)
	if err != nil {
		return granted, err
	}
	return granted, l.signedIn(ctx, req.Name, granted, asked, len(scopes) > 0)
}

// signIn takes a person through the sign-in, and returns the scopes that were
// asked for as well.
func (l *links) signIn(ctx context.Context, conn *connector.Connection, req cli.AuthorizeConnection, scopes []string) (connector.Granted, []string, error) {
	redirect := req.Redirect
	if redirect == "" {
		redirect = connector.LoopbackURI(req.Port)
	}
	var loopback *connector.Loopback
	if req.Paste == nil {
		var err error
		if loopback, err = connector.ListenLoopback(ctx, req.Port); err != nil {
			return connector.Granted{}, nil, err
		}
		defer loopback.Close()
		redirect = loopback.URI
	}
	s, err := l.connector.SignIn(ctx, conn, redirect, scopes)
	if err != nil {
		return connector.Granted{}, nil, err
	}
	req.Show(s.URL, redirect)
	if req.Open {
		if err := openBrowser(ctx, s.URL); err != nil {
			return connector.Granted{}, nil, err
		}
	}
	var back url.Values
	if loopback == nil {
		back, err = req.Paste()
	} else {
		back, err = loopback.Wait(ctx, s.Answers)
	}
	if err != nil {
		return connector.Granted{}, nil, err
	}
	granted, err := s.Finish(ctx, back)
	return granted, s.Scopes, err
}

// signedIn keeps what is known of the connection by now. The scopes that were
// chosen for this sign-in become the connection's: later tests compare with them.
func (l *links) signedIn(ctx context.Context, name string, g connector.Granted, asked []string, chosen bool) error {
	err := config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		if added, ok := b.Connections[name]; ok && chosen {
			added.Auth.Scopes = asked
			b.Connections[name] = added
		}
		return nil
	})
	if err != nil {
		return err
	}
	book, err := config.ReadBook(l.settings.Data)
	if err != nil {
		return err
	}
	by := l.with(book)
	conn, err := by.BindNamed(name, run.Bindings{})
	if err != nil {
		return err
	}
	r := cli.ConnectionReport{Name: name, From: by.From(name)}
	mark := l.test(ctx, by, conn, &r)
	mark.Identity = cmp.Or(mark.Identity, g.Identity)
	l.keep(ctx, map[string]config.Mark{name: mark})
	return nil
}

// openBrowser opens an address in this machine's browser.
func openBrowser(ctx context.Context, address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		// The command may become the browser itself, so it must not end with us.
		cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...)
		if err = cmd.Start(); err == nil {
			err = cmd.Process.Release()
		}
	}
	if err != nil {
		return fault.Wrap(fault.Unsupported, err, "no browser can be opened: %s does not run", name).Fix("open the address yourself, without --open")
	}
	return nil
}

// Scopes implements cli.Connections.
func (c connections) Scopes(ctx context.Context, req cli.ScopesRequest) (cli.ScopesReport, error) {
	l, err := c.open(req.Settings)
	if err != nil {
		return cli.ScopesReport{}, err
	}
	defer l.close()
	conn, err := l.connector.BindNamed(req.Name, run.Bindings{})
	if err != nil {
		return cli.ScopesReport{}, err
	}
	r := cli.ScopesReport{Name: req.Name, Kind: conn.Credential, Scoped: conn.HasScopes(), Granted: []string{}, Needed: []string{}, Missing: []string{}}
	needed, err := l.needed(ctx, conn, req.For)
	if err != nil {
		return r, err
	}
	r.Needed = append(r.Needed, needed...)
	if !r.Scoped {
		r.Message = "a credential of type " + conn.Credential + " has no scopes: it may do what its owner's admin roles allow"
		return r, nil
	}
	test := cli.ConnectionReport{Name: req.Name, From: l.connector.From(req.Name)}
	mark := l.test(ctx, l.connector, conn, &test)
	l.keep(ctx, map[string]config.Mark{req.Name: mark})
	r.Granted = append(r.Granted, test.Scopes...)
	if len(test.Scopes) == 0 {
		r.Message, r.Remedy = "it is not known which scopes are granted: "+test.Message, test.Remedy
		return r, nil
	}
	r.Missing = append(r.Missing, conn.Missing(test.Scopes, needed)...)
	if len(r.Missing) > 0 {
		r.Message, r.Remedy = "missing: "+strings.Join(r.Missing, " "), conn.GrantAdvice()
	}
	return r, nil
}

// needed gathers the scopes that workflows need on a connection.
func (l *links) needed(ctx context.Context, conn *connector.Connection, documents []cli.PlanRequest) ([]string, error) {
	var all []string
	for _, req := range documents {
		result, err := l.app.plan(ctx, req)
		if err != nil {
			return nil, err
		}
		if !result.OK() {
			return nil, result.Err()
		}
		served := false
		for _, src := range planSources(result.Plan) {
			if !l.connector.Serves(conn, src) {
				continue
			}
			served = true
			scopes, err := conn.NeededScopes(src)
			if err != nil {
				return nil, err
			}
			all = append(all, scopes...)
		}
		if !served {
			return nil, fault.New(fault.Usage, "no source of the document is one that connection %s serves", conn.Name).At("%s", req.File).
				Fix("name another connection, or another document")
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
