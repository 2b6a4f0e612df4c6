package tenant_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// admin makes the changes of the tests.
var admin = directory.Actor{ID: "admin", Type: directory.ClientActor, Name: "admin"}

// newTenant returns the tenant of a seeded directory.
func newTenant(t *testing.T) *tenant.Tenant {
	t.Helper()
	db := sqlitetest.Open(t)
	d := directory.New(db.Directory())
	d.Hash = func(password string) (string, error) { return "hashed:" + password, nil }
	if err := directory.Seed(context.Background(), d); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	return tenant.New(d, directory.Auth0Realm)
}

func connect(t *testing.T, tn *tenant.Tenant, name, strategy string, options map[string]any) *tenant.Connection {
	t.Helper()
	c := &tenant.Connection{Name: name, Strategy: strategy, Options: options}
	if err := tn.CreateConnection(context.Background(), admin, c); err != nil {
		t.Fatalf("CreateConnection(%s): %v", name, err)
	}
	return c
}

func TestStrategiesAreKnown(t *testing.T) {
	t.Parallel()
	if n := len(tenant.Strategies()); n < 60 {
		t.Errorf("%d strategies, want more than 60", n)
	}
	tn := newTenant(t)
	for _, name := range tenant.Strategies() {
		connect(t, tn, "of-"+name, name, nil)
	}
}

func TestCreateConnection(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ctx := context.Background()
	c := connect(t, tn, "corporate", "okta", map[string]any{"domain": "acme.okta.com", "client_id": "a", "client_secret": "hush"})
	if c.Options["client_secret"] != "hush" || c.Options["token_endpoint"] != "https://acme.okta.com/oauth2/v1/token" || c.Options["oidc_metadata"] == nil {
		t.Errorf("options = %v", c.Options)
	}
	kept, err := tn.ConnectionByName(ctx, "corporate")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := kept.Options["client_secret"]; ok {
		t.Error("the secret is kept among the options")
	}
	whole, err := tn.WithSecrets(ctx, kept)
	if err != nil || whole.Options["client_secret"] != "hush" {
		t.Errorf("WithSecrets = %v, %v", whole, err)
	}
	if !c.SCIM() || c.Provider() != "okta|corporate" || c.Sync() != tenant.OnEachLogin {
		t.Errorf("SCIM %v, provider %s, sync %s", c.SCIM(), c.Provider(), c.Sync())
	}
	for _, test := range []struct {
		name string
		c    tenant.Connection
		kind fault.Kind
	}{
		{"a name that is taken", tenant.Connection{Name: "corporate", Strategy: "okta"}, fault.Conflict},
		{"an unknown strategy", tenant.Connection{Name: "x", Strategy: "carrier-pigeon"}, fault.Invalid},
		{"options that contradict", tenant.Connection{Name: "y", Strategy: "auth0", Options: map[string]any{"attributes": map[string]any{
			"phone_number": map[string]any{"profile_required": true, "signup": map[string]any{"status": "inactive"}},
		}}}, fault.Invalid},
	} {
		if err := tn.CreateConnection(ctx, admin, &test.c); !fault.Is(err, test.kind) {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
}

// The change log must not know secrets, nor may anything stored beside them.
func TestSecretsOfConnectionsStayHidden(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ctx := context.Background()
	c := connect(t, tn, "gateway", "sms", map[string]any{"twilio_token": "hush", "gateway_authentication": map[string]any{"method": "bearer", "secret": "hush"}})
	edited, err := tn.EditConnection(ctx, admin, c.ID, tenant.ConnectionEdit{Options: map[string]any{"twilio_token": "hush2"}})
	if err != nil || edited.Options["twilio_token"] != "hush2" || edited.Options["gateway_authentication"] != nil {
		t.Errorf("EditConnection = %v, %v", edited, err)
	}
	err = tn.Directory.Store.View(ctx, func(r directory.Reader) error {
		changes := 0
		for change, err := range r.Changes(directory.ChangeQuery{Realm: tn.Realm, Target: c.ID}) {
			if err != nil {
				return err
			}
			changes++
			if strings.Contains(string(change.Before)+string(change.After), "hush") {
				t.Errorf("%s: the change log holds the secret", change.Kind)
			}
		}
		if changes != 2 {
			t.Errorf("%d changes, want 2", changes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeleteConnection(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ctx := context.Background()
	c := connect(t, tn, "people", "auth0", nil)
	for _, name := range []string{"ann", "bob"} {
		_, err := tn.Directory.CreateAccount(ctx, admin, tn.Realm, directory.Draft{
			Connection: "people", Profile: map[string]any{"email": name + "@example.com"},
			Password: &directory.Password{Text: "Correct-horse-7"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tn.DeleteConnectionUser(ctx, admin, c.ID, "Ann@example.com"); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		list, err := tn.Directory.Accounts(ctx, directory.AccountQuery{Realm: tn.Realm}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := count(); n != 1 {
		t.Errorf("%d accounts are left, want 1", n)
	}
	if _, err := tn.DeleteConnection(ctx, admin, c.ID); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d accounts outlive their connection", n)
	}
	if _, err := tn.Connection(ctx, c.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("Connection = %v, want not found", err)
	}
}

func TestEnableClients(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ctx := context.Background()
	c := connect(t, tn, "people", "auth0", nil)
	for _, enable := range []map[string]bool{{"a": true, "b": true}, {"a": true}, {"a": false, "z": false}} {
		if err := tn.EnableClients(ctx, admin, c.ID, enable); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tn.Connection(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b"}, got.EnabledClients); diff != "" {
		t.Errorf("enabled clients (-want +got)\n%s", diff)
	}
	page, err := tn.ConnectionsOf(ctx, "b", tenant.Window{}, []string{"auth0"})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("ConnectionsOf = %v, %v", page, err)
	}
}

// A new sandbox has the database of every tenant and a SCIM endpoint, with the
// same ids in all.
func TestSeedConnections(t *testing.T) {
	t.Parallel()
	tn := newTenant(t)
	ctx := context.Background()
	for range 2 {
		if err := tn.SeedConnections(ctx); err != nil {
			t.Fatal(err)
		}
	}
	page, err := tn.Connections(ctx, tenant.Window{Total: true}, nil)
	if err != nil || page.Total != 2 || page.Items[0].ID != tenant.SeededEndpoint || page.Items[1].Name != tenant.DefaultConnection {
		t.Errorf("Connections = %v, %v", page, err)
	}
	if _, _, err := tn.SCIMConfig(ctx, tenant.SeededEndpoint); err != nil {
		t.Errorf("SCIMConfig: %v", err)
	}
}
