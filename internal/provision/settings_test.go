package provision_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

const org = directory.OktaRealm

var me = directory.System("me")

// vault is a vault in memory.
type vault map[string]secret.Value

func (v vault) Put(_ context.Context, name string, value secret.Value) error {
	v[name] = value
	return nil
}

func (v vault) Delete(_ context.Context, name string) error {
	if _, ok := v[name]; !ok {
		return fault.New(fault.NotFound, "no %s", name)
	}
	delete(v, name)
	return nil
}

// desk is an org with the settings of its applications.
type desk struct {
	*provision.Settings
	t     *testing.T
	vault vault
	db    *store.DB
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := sqlitetest.Open(t)
	d := directory.New(db.Directory())
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	d.Clock = func() time.Time { return at }
	if err := d.AddRealm(t.Context(), directory.Realm{ID: org, Kind: directory.Okta}); err != nil {
		t.Fatal(err)
	}
	v := vault{}
	return &desk{Settings: &provision.Settings{Directory: d, Realm: org, Vault: v}, t: t, vault: v, db: db}
}

// app makes an application and returns its id.
func (d *desk) app(name, label string) string {
	d.t.Helper()
	app, _, err := d.Directory.CreateApp(d.t.Context(), me, org, directory.AppDraft{Name: name, Label: label, SignOnMode: directory.AutoLogin, Activate: true})
	d.do(err)
	return app.ID
}

func (d *desk) do(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// kinds are the event types about an application, oldest first.
func (d *desk) kinds(app string) (out []string) {
	d.t.Helper()
	changes, err := d.Directory.Changes(d.t.Context(), directory.ChangeQuery{Realm: org, Target: app}, 0, nil)
	d.do(err)
	for _, c := range changes {
		out = append(out, c.Kind)
	}
	return out
}

// good sets what a target needs at least.
func good(t *provision.Target) error {
	t.BaseURL, t.Auth.Token = "https://scim.example.com/v2", "env:SCIM_TOKEN"
	return nil
}

func TestTargetChecked(t *testing.T) {
	for _, test := range []struct {
		change func(*provision.Target)
		base   string // as kept
		note   string
		want   string // part of the error
	}{
		{func(*provision.Target) {}, "https://scim.example.com/v2", "", ""},
		{func(t *provision.Target) { t.BaseURL += "//" }, "https://scim.example.com/v2", "the slash at the end of the base URL was left out", ""},
		{func(t *provision.Target) {
			t.BaseURL = "https://tenant.example.com/scim/v2/connections/con_0000000000000001"
		}, "https://tenant.example.com/scim/v2/connections/con_0000000000000001", "", ""},
		{func(t *provision.Target) { t.BaseURL = "https://scim.example.com/my_app" }, "https://scim.example.com/my_app", "which Okta itself does not accept", ""},
		{func(t *provision.Target) { t.BaseURL = "http://auth0.sandbox/scim" }, "http://auth0.sandbox/scim", "", ""},
		{func(t *provision.Target) { t.BaseURL, t.AllowPrivate = "http://127.0.0.1:80/x", true }, "http://127.0.0.1:80/x", "", ""},
		{func(t *provision.Target) { t.BaseURL = "" }, "", "", "baseUrl: the address is missing"},
		{func(t *provision.Target) { t.BaseURL = "scim.example.com" }, "", "", "baseUrl: this is not an address"},
		{func(t *provision.Target) { t.BaseURL = "https://my_host.example.com" }, "", "", "baseUrl: a base URL must not contain an underscore"},
		{func(t *provision.Target) { t.BaseURL = "https://scim.example.com/v2/Users" }, "", "", "are added to the base URL"},
		{func(t *provision.Target) { t.BaseURL = "https://scim.example.com?x=1" }, "", "", "has no query"},
		{func(t *provision.Target) { t.BaseURL = "https://u:p@scim.example.com" }, "", "", "a credential stands in the address"},
		{func(t *provision.Target) { t.BaseURL = "http://scim.example.com" }, "", "", "would be sent unencrypted; use https"},
		{func(t *provision.Target) { t.BaseURL = "http://127.0.0.1:80" }, "", "", "is of this machine or of a private network"},
		{func(t *provision.Target) { t.BaseURL = "https://10.0.0.1" }, "", "", "is of this machine or of a private network"},
		{func(t *provision.Target) { t.Auth.Token = "secret-itself" }, "", "", "auth.token: a credential stands here; only a reference to it may"},
		{func(t *provision.Target) { t.Auth.Token = "" }, "", "", "the target has no credential"},
		{func(t *provision.Target) { t.Auth.Scheme = provision.Basic }, "", "", "clientId: the scheme basic needs a user name"},
		{func(t *provision.Target) { t.Auth.Scheme, t.Auth.ClientID = provision.OAuth, "c" }, "", "", "tokenUrl: the address is missing"},
		{func(t *provision.Target) { t.Auth.Scheme = "magic" }, "", "", "auth.scheme"},
		{func(t *provision.Target) { t.Kind = "x" }, "", "", "kind: "},
		{func(t *provision.Target) { t.Methods.UserUpdate = "POST" }, "", "", "userUpdate: changes are written with PUT or PATCH"},
		{func(t *provision.Target) { t.Brake.Percent = 101 }, "", "", "brake: "},
		{func(t *provision.Target) { t.Concurrency = 65 }, "", "", "concurrency: "},
		{func(t *provision.Target) { t.BaseURL, t.Kind, t.Auth.Token = "", "x", "" }, "", "", "kind: "},
	} {
		d := newDesk(t)
		id := d.app("scim2headerauth", "A")
		got, notes, err := d.SetTarget(t.Context(), me, id, secret.Value{}, func(x *provision.Target) error {
			d.do(good(x))
			test.change(x)
			return nil
		})
		if test.want != "" {
			if err == nil || !strings.Contains(fault.Public(err), test.want) || !fault.Is(err, fault.Invalid) {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
			if _, err := d.Target(t.Context(), id); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: a refused target is kept: %v", test.want, err)
			}
			continue
		}
		if err != nil || got.BaseURL != test.base {
			t.Errorf("%s: %+v, %v", test.base, got, err)
		}
		if test.note == "" && len(notes) > 0 || test.note != "" && (len(notes) != 1 || !strings.Contains(string(notes[0]), test.note)) {
			t.Errorf("%s: notes %q, want %q", test.base, notes, test.note)
		}
	}
}

// Everything wrong is said at once.
func TestTargetAllProblems(t *testing.T) {
	d := newDesk(t)
	_, _, err := d.SetTarget(t.Context(), me, d.app("scim2headerauth", "A"), secret.Value{}, func(x *provision.Target) error {
		x.Kind = "x"
		return nil
	})
	if lines := strings.Split(fault.Public(err), "\n"); len(lines) != 3 {
		t.Errorf("%d problems, want 3: %v", len(lines), err)
	}
}

// A credential that is given goes to the vault, the record has a reference, and
// neither record nor log holds the value.
func TestTargetCredential(t *testing.T) {
	d := newDesk(t)
	id := d.app("scim2headerauth", "A")
	const token = "tok_value-that-nobody-may-see"
	set := func(change func(*provision.Target) error) error {
		_, _, err := d.SetTarget(t.Context(), me, id, secret.NewValue(token), change)
		return err
	}
	if err := set(func(x *provision.Target) error { x.BaseURL = "nowhere"; return nil }); err == nil || len(d.vault) > 0 {
		t.Fatalf("a refused target put %v into the vault: %v", d.vault, err)
	}
	d.do(set(func(x *provision.Target) error { x.BaseURL = "https://scim.example.com"; return nil }))
	got, err := d.Target(t.Context(), id)
	d.do(err)
	if got.Auth.Token != secret.Ref("vault:provision/"+id) || d.vault["provision/"+id].Reveal() != token {
		t.Errorf("%+v, %v", got.Auth, d.vault)
	}
	changes, err := d.Directory.Changes(t.Context(), directory.ChangeQuery{Realm: org}, 0, nil)
	d.do(err)
	for _, c := range changes {
		if strings.Contains(string(c.Before)+string(c.After), token) {
			t.Errorf("the change log holds the credential: %s", c.After)
		}
	}
	d.do(d.DeleteTarget(t.Context(), me, id))
	if len(d.vault) > 0 {
		t.Errorf("the vault keeps %v", d.vault)
	}
	if got, want := d.kinds(id), []string{"application.lifecycle.create", "application.lifecycle.update", "application.lifecycle.update"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	if err := d.DeleteTarget(t.Context(), me, id); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestKindOf(t *testing.T) {
	d := newDesk(t)
	for id, want := range map[string]provision.Kind{
		d.app("scim2headerauth", "A"): provision.Template, d.app("scim_governance", "B"): provision.Governance,
		d.app("", "Own App"): provision.Wizard, d.app("x", "(OAuth Bearer Token) Governance with SCIM 2.0"): provision.Governance,
	} {
		app, err := d.Directory.App(t.Context(), org, id)
		d.do(err)
		if got := provision.KindOf(app); got != want {
			t.Errorf("%s %s is %s, want %s", app.Name, app.Label, got, want)
		}
	}
}

func TestFindApp(t *testing.T) {
	d := newDesk(t)
	id := d.app("scim2headerauth", "My App")
	d.app("scim2headerauth", "Twin")
	d.app("scim2headerauth", "twin")
	for ref, want := range map[string]string{id: id, "my app": id} {
		if app, err := d.FindApp(t.Context(), ref); err != nil || app.ID != want {
			t.Errorf("%s is %v, %v", ref, app, err)
		}
	}
	if _, err := d.FindApp(t.Context(), "Twin"); !fault.Is(err, fault.Conflict) {
		t.Errorf("an ambiguous label: %v", err)
	}
	if _, err := d.FindApp(t.Context(), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such label: %v", err)
	}
}

func TestMappingSettings(t *testing.T) {
	d := newDesk(t)
	id := d.app("scim2headerauth", "A")
	first, err := d.Mapping(t.Context(), id)
	d.do(err)
	if first.Version != 0 || first.ID != "prm"+id[3:] || len(first.Rows) != 31 {
		t.Fatalf("the default mapping is %+v", first)
	}
	remove := func(ref string) error {
		_, err := d.SetMapping(t.Context(), me, id, func(m provision.Mapping) (provision.Mapping, error) { return m.Remove(ref) })
		return err
	}
	d.do(remove("emailType"))
	d.do(remove("phoneNumbers[primary eq true].type"))
	if err := remove("emailType"); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
	row := provision.Row{Name: "title", Path: "title", Namespace: provision.CoreUser, Expression: "user.title", Apply: provision.ApplyOnCreate}
	_, err = d.SetMapping(t.Context(), me, id, func(m provision.Mapping) (provision.Mapping, error) { return m.Put(row), nil })
	d.do(err)
	_, err = d.SetMapping(t.Context(), me, id, func(m provision.Mapping) (provision.Mapping, error) {
		return m.Put(provision.Row{Name: "active", Path: "active", Namespace: provision.CoreUser, Expression: "true", Apply: provision.ApplyAlways}), nil
	})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("active became a row: %v", err)
	}
	got, err := d.Mapping(t.Context(), id)
	d.do(err)
	if diff := cmp.Diff(row, got.Rows[got.Rows.Find("title")]); diff != "" || len(got.Rows) != 29 || got.Version != 3 {
		t.Errorf("%d rows, version %d\n%s", len(got.Rows), got.Version, diff)
	}
	if got, want := d.kinds(id)[1:], slices.Repeat([]string{"directory.mapping.update"}, 3); !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}

func TestPushes(t *testing.T) {
	d := newDesk(t)
	app, other := d.app("scim2headerauth", "A"), d.app("scim2headerauth", "B")
	g, err := d.Directory.CreateGroup(t.Context(), me, org, map[string]any{"name": "Sales"})
	d.do(err)
	p, err := d.AddPush(t.Context(), me, app, g.ID, false)
	d.do(err)
	if _, err := d.AddPush(t.Context(), me, app, g.ID, false); !fault.Is(err, fault.Conflict) {
		t.Errorf("pushed twice: %v", err)
	}
	if _, err := d.AddPush(t.Context(), me, app, "00gnone", false); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such group: %v", err)
	}
	if _, err := d.Push(t.Context(), other, p.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("of another application: %v", err)
	}
	for range 2 {
		p, err = d.PausePush(t.Context(), me, app, p.ID, true)
		d.do(err)
	}
	_, err = d.PausePush(t.Context(), me, app, p.ID, false)
	d.do(err)
	d.do(d.RemovePush(t.Context(), me, app, p.ID, true))
	if list, err := d.Pushes(t.Context(), app); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	want := []string{
		"application.lifecycle.create", "application.provision.group_push.mapping.created", "application.provision.group_push.deactivate_mapping",
		"application.provision.group_push.activate_mapping", "application.provision.group_push.removed",
	}
	if diff := cmp.Diff(want, d.kinds(app)); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	changes, err := d.Directory.Changes(t.Context(), directory.ChangeQuery{Realm: org, Kind: "application.provision.group_push.removed"}, 0, nil)
	d.do(err)
	if len(changes) != 1 || !strings.Contains(string(changes[0].Before), `"deleteRemote":true`) {
		t.Errorf("the log does not say that the remote group goes: %+v", changes)
	}
}

func TestPushRules(t *testing.T) {
	d := newDesk(t)
	app := d.app("scim2headerauth", "A")
	if _, err := d.AddPushRule(t.Context(), me, provision.PushRule{App: app, Name: "all"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a rule for everything: %v", err)
	}
	rule := provision.PushRule{App: app, Name: "apps", GroupName: provision.TextMatch{StartsWith: "APP-"}}
	_, err := d.AddPushRule(t.Context(), me, rule)
	d.do(err)
	if _, err := d.AddPushRule(t.Context(), me, rule); !fault.Is(err, fault.Conflict) {
		t.Errorf("a rule twice: %v", err)
	}
	d.do(d.RemovePushRule(t.Context(), me, app, "apps", false))
	if rules, err := d.PushRules(t.Context(), app); err != nil || len(rules) > 0 {
		t.Errorf("%v, %v", rules, err)
	}
}
