package app

import (
	"context"
	"sync"
	"time"

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
	log      *wirelog.Recorder
	store    wirelog.Store
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
			store:    f.db.WireLog(),
		}
		client := &provision.Client{Secrets: &secret.Resolver{Env: f.env, Vault: vault}, Now: box.directory.Clock}
		if !f.readOnly {
			p.log = wirelog.NewRecorder(wirelog.Options{Store: p.store, Now: box.directory.Clock, Log: f.log})
			client.Log, client.Sender = p.log, f.executor.client
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
	p, err := f.openProvisioning(ctx)
	if err != nil {
		return wirelog.Page{}, err
	}
	if p.log != nil {
		if err := p.log.Flush(ctx); err != nil {
			return wirelog.Page{}, err
		}
	}
	return p.store.Exchanges(ctx, q)
}

// logTime is how long the request log has to be written when the folder is closed.
const logTime = 10 * time.Second

// closeProvisioning writes what is left of the request log.
func (f *Folder) closeProvisioning() error {
	if f.provisioning == nil || f.provisioning.log == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), logTime)
	defer cancel()
	return f.provisioning.log.Close(ctx)
}
