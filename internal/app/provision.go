package app

import (
	"context"
	"sync"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// provisioning is outbound SCIM from the applications of a folder's Okta org.
type provisioning struct {
	engine   *provision.Engine
	settings *provision.Settings
	desk     *provision.Desk
}

// openProvisioning builds the provisioning of the folder once, when something
// first needs it. Nothing moves until serveProvisioning or Settle.
func (f *Folder) openProvisioning(ctx context.Context) (*provisioning, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return nil, err
	}
	f.provisionOnce.Do(func() {
		vault := &secret.FileVault{Dir: f.data, Env: f.env}
		p := &provisioning{
			settings: &provision.Settings{Directory: box.directory, Realm: directory.OktaRealm, Vault: vault},
		}
		client := &provision.Client{Secrets: &secret.Resolver{Env: f.env, Vault: vault}, Now: box.directory.Clock}
		if !f.readOnly {
			client.Log, client.Sender = box.wire, f.executor.client
		}
		mappings := provision.NewMappings()
		p.engine = &provision.Engine{
			Directory: box.directory, Store: f.db.Provision(), Client: client, Mapper: mappings, Log: f.log, Now: box.directory.Clock,
		}
		p.desk = &provision.Desk{Settings: p.settings, Engine: p.engine, Mappings: mappings, Actor: commandActor}
		f.provisioning = p
	})
	return f.provisioning, nil
}

// serveProvisioning keeps targets up to date until ctx ends or stop is called,
// which waits for what is under way.
func (f *Folder) serveProvisioning(ctx context.Context) (stop func(), err error) {
	p, err := f.openProvisioning(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { p.engine.Serve(ctx) })
	return func() {
		cancel()
		serving.Wait()
	}, nil
}

// Provisioning implements api.Service.
func (f *Folder) Provisioning(ctx context.Context, c provision.Command) (*provision.Reply, error) {
	p, err := f.openProvisioning(ctx)
	if err != nil {
		return nil, err
	}
	return p.desk.Do(ctx, c)
}

// Exchanges implements api.Service. What was just recorded is written first.
func (f *Folder) Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error) {
	box, err := f.openSandbox(ctx)
	if err != nil {
		return wirelog.Page{}, err
	}
	if err := box.wire.Flush(ctx); err != nil { // the nil Recorder has nothing to write
		return wirelog.Page{}, err
	}
	return f.db.WireLog().Exchanges(ctx, q)
}
