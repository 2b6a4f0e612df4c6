package app

import (
	"context"
	"iter"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/identitysource"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/run"
)

// tenants sends what imports of a folder do into the Okta tenants that lanyard.yaml
// says they go to.
type tenants struct{ folder *Folder }

// tenantsFolder is where it is kept, in the data folder, how far each has come.
const tenantsFolder = "tenants"

// connection binds the connection that leads to a tenant. Nothing is sent.
func (t *tenants) connection(to *reconcile.Target) (*connector.Connection, error) {
	x := t.folder.executor
	if err := x.refresh(); err != nil {
		return nil, err
	}
	conn, err := x.connector.BindNamed(to.Connection, run.Bindings{})
	if err != nil {
		return nil, err
	}
	_, err = identitysource.Over(x.connector, conn)
	return conn, err
}

// Send implements importer.Outside.
func (t *tenants) Send(ctx context.Context, session string, to reconcile.Target, entities iter.Seq2[*importer.PlanEntity, error]) (*importer.Sent, error) {
	conn, err := t.connection(&to)
	if err != nil {
		return nil, err
	}
	by := t.folder.executor.connector
	if err := by.Open(ctx, conn); err != nil {
		return nil, err
	}
	api, err := identitysource.Over(by, conn)
	if err != nil {
		return nil, err
	}
	source, err := identitysource.Find(ctx, api, to.Source)
	if err != nil {
		return nil, err
	}
	files := identitysource.Files{Dir: filepath.Join(t.folder.data, tenantsFolder), Connection: to.Connection}
	release, err := files.Hold(ctx, source)
	if err != nil {
		return nil, err
	}
	defer release()
	tenant := &identitysource.Tenant{API: api, Source: source, Clock: connector.SystemClock(), Log: t.folder.log}
	return tenant.Send(ctx, session, entities, files)
}

// foresee says what sending a plan takes, when its people go to a tenant.
func (i *imports) foresee(p *importer.Plan) error {
	if p.To == nil {
		return nil
	}
	if _, err := (&tenants{i.folder}).connection(p.To); err != nil {
		return at(err, i.placeOf(p.To))
	}
	f, err := identitysource.ForecastOf(identitysource.Changes(p.Entities()))
	p.Sessions, p.Calls, p.Minutes = f.Sessions, f.Calls, f.Minutes
	return err
}

// placeOf is where it stands that people go to a tenant.
func (i *imports) placeOf(to *reconcile.Target) string {
	for _, w := range i.written() {
		if sameTarget(w.to, to) {
			return w.toPlace
		}
	}
	return ""
}
