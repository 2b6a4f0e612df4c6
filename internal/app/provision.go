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
			client.Log, client.Sender = box.wire, f.executor.client
		}
		p.engine = &provision.Engine{
			Directory: box.directory, Store: f.db.Provision(), Client: client, Mapper: provision.NewMappings(), Log: f.log, Now: box.directory.Clock,
		}
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
