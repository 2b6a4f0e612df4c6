package app

import (
	"context"
	"net/http"
	"os"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// connections reports on the named connections, or on all.
func (a *App) connections(ctx context.Context, s cli.Settings, names []string, probe bool) ([]cli.ConnectionReport, error) {
	c, err := a.configuration(&s)
	if err != nil {
		return nil, err
	}
	client := egress.New(egress.Policy{UserAgent: userAgent})
	defer client.Close()
	resolver := &secret.Resolver{Env: a.Env, Vault: &secret.FileVault{Dir: s.Data, Env: a.Env}}
	conns := connector.New(connector.Options{Config: c, Secrets: resolver, Client: client})
	if len(names) == 0 {
		names = conns.Names()
	}
	var out []cli.ConnectionReport
	for _, name := range names {
		conn, err := conns.BindNamed(name, run.Bindings{})
		if fault.Is(err, fault.NotFound) {
			return nil, err
		}
		out = append(out, a.connection(ctx, conns, name, conn, err, probe))
	}
	return out, nil
}

func (a *App) connection(ctx context.Context, conns *connector.Connector, name string, conn *connector.Connection, err error, probe bool) cli.ConnectionReport {
	r := cli.ConnectionReport{Name: name}
	if err != nil {
		r.Message = fault.Public(err)
		return r
	}
	r.Server, r.Credential, r.OK = conn.Server, conn.Credential, true
	if !probe {
		return r
	}
	p := conns.Probe(ctx, conn)
	r.OK, r.Status, r.Identity, r.Scopes, r.Message, r.Remedy = p.OK, p.Status, p.Identity, p.Scopes, p.Message, p.Remedy
	kind := fault.KindOf(p.Err) // also of a token endpoint, which the status is not of
	r.Denied = p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || kind == fault.Unauthorized || kind == fault.Forbidden
	return r
}

// checkSandbox opens a directory in a temporary folder and asks it something.
func (a *App) checkSandbox(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "lanyard-doctor-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no temporary folder can be made").Fix("check TMPDIR")
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil && e != nil {
			err = fault.Wrap(fault.Internal, e, "the temporary folder cannot be removed").At("%s", dir)
		}
	}()
	f, err := a.openFolder(ctx, cli.Settings{Data: dir}, "doctor", &config.Config{})
	if err != nil {
		return err
	}
	people, err := f.People(ctx, "")
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && len(people) == 0 {
		err = fault.New(fault.Internal, "the sandbox's directory is empty")
	}
	return err
}
