package directory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// App is an application that people are assigned to and sign in to. What the
// rules need are fields; everything else is kept as the document it came in.
type App struct {
	Meta
	Name       string     `json:"name"` // of its kind: "bookmark", "oidc_client", "okta_org2org"
	Label      string     `json:"label"`
	Status     State      `json:"status"`
	SignOnMode SignOnMode `json:"signOnMode"`

	Client       *Client       `json:"client,omitempty"` // of OPENID_CONNECT
	Keys         []SigningKey  `json:"keys,omitempty"`   // the last one signs
	CSRs         []SigningCSR  `json:"csrs,omitempty"`
	Connection   AppConnection `json:"connection,omitzero"`
	AccessPolicy string        `json:"accessPolicy,omitempty"` // id; empty: the org's default

	// Document holds accessibility, credentials, features, settings, visibility
	// and whatever else was sent, without passwords and tokens, and without
	// what Client holds.
	Document map[string]any `json:"document"`
}

func (a *App) Place() Place {
	p := Place{Noun: AppNoun}
	if a.Client != nil {
		p.Key = a.Client.ID
	}
	return p
}

// target is how the system log names an application: by its label, and by the
// name of its kind.
func (a *App) target() Target {
	name := a.Label
	if kind, ok := appKinds[a.Name]; ok {
		name = kind.label
	}
	return Target{Type: "AppInstance", ID: a.ID, AlternateID: a.Label, DisplayName: name}
}

// SignOnMode is the way people get into an application.
type SignOnMode string

// The sign-on modes.
const (
	Bookmark            SignOnMode = "BOOKMARK"
	BasicAuth           SignOnMode = "BASIC_AUTH"
	BrowserPlugin       SignOnMode = "BROWSER_PLUGIN"
	SecurePasswordStore SignOnMode = "SECURE_PASSWORD_STORE"
	AutoLogin           SignOnMode = "AUTO_LOGIN"
	SAML2               SignOnMode = "SAML_2_0"
	SAML1               SignOnMode = "SAML_1_1"
	WSFederation        SignOnMode = "WS_FEDERATION"
	OpenIDConnect       SignOnMode = "OPENID_CONNECT"
)

var signOnModes = []SignOnMode{
	Bookmark, BasicAuth, BrowserPlugin, SecurePasswordStore, AutoLogin, SAML2, SAML1, WSFederation, OpenIDConnect,
}

// signs reports whether the application believes statements that are signed
// for it, with a key of its own.
func (m SignOnMode) signs() bool { return m == SAML2 || m == SAML1 || m == WSFederation }

// appKinds are the kinds of application that come with a label and a sign-on
// mode. Others are taken as they are.
var appKinds = map[string]struct {
	label string
	mode  SignOnMode
}{
	"bookmark":            {"Bookmark App", Bookmark},
	SourceApp:             {"Custom Identity Source", AutoLogin},
	"oidc_client":         {"OpenID Connect Client", OpenIDConnect},
	"okta_org2org":        {"Okta Org2Org", SAML2},
	"scim2headerauth":     {"SCIM 2.0 Test App (Header Auth)", AutoLogin},
	"template_basic_auth": {"Template Basic Auth App", BasicAuth},
	"template_saml_2_0":   {"Template SAML 2.0 App", SAML2},
	"template_sps":        {"Template App", SecurePasswordStore},
	"template_swa":        {"Template App", BrowserPlugin},
	"template_swa3field":  {"Template App 3 Field", BrowserPlugin},
	"template_wsfed":      {"Template WS-Fed App", WSFederation},
}

// kindOf are the kinds of applications that are made without a name. The modes
// that are not here make a kind of their own for each application.
var kindOf = map[SignOnMode]string{
	Bookmark: "bookmark", BasicAuth: "template_basic_auth", SecurePasswordStore: "template_sps",
	WSFederation: "template_wsfed", OpenIDConnect: "oidc_client",
}

// AppRefusal says why an application refuses an operation. It is the cause of
// a fault.Conflict.
type AppRefusal string

// The reasons.
const (
	AppStillActive    AppRefusal = "active"   // only an inactive application can be deleted
	AlreadyAssigned   AppRefusal = "assigned" // the user has the application already
	InactiveUser      AppRefusal = "inactive" // deactivated users get no applications
	SchemeCredentials AppRefusal = "scheme"   // the application's scheme leaves no room for them
	MasteredElsewhere AppRefusal = "mastered" // the application is the source of its users' profiles
	MasteredProfile   AppRefusal = "sourced"  // the same, of an attribute of the person
)

func (e AppRefusal) Error() string { return "refused: " + string(e) }

func (e AppRefusal) fault(format string, args ...any) error {
	return fault.Wrap(fault.Conflict, e, format, args...)
}

// AppDraft is a new application as asked for.
type AppDraft struct {
	Name, Label  string     // empty: by the sign-on mode
	SignOnMode   SignOnMode // empty: by the name
	Client       *Client
	ClientSecret string // empty: made by the directory
	Document     map[string]any
	Activate     bool
}

// CreateApp adds an application to a realm and returns it with its client
// secret, "" when it has none. That secret cannot be read again.
func (d *Directory) CreateApp(ctx context.Context, actor Actor, realm string, draft AppDraft) (*App, string, error) {
	app := &App{
		Meta: Meta{ID: d.IDs.Okta("0oa"), Realm: realm}, Name: draft.Name, Label: draft.Label,
		Status: Off, SignOnMode: draft.SignOnMode, Client: draft.Client, Document: draft.Document,
	}
	if draft.Activate {
		app.Status = On
	}
	app.complete()
	if err := app.check(draft.ClientSecret).err(); err != nil {
		return nil, "", err
	}
	if app.SignOnMode.signs() {
		key, err := d.newSigningKey(app, defaultValidity)
		if err != nil {
			return nil, "", err
		}
		app.Keys = []SigningKey{key}
	}
	var secret string
	err := d.Store.Update(ctx, func(tx Tx) (err error) {
		if _, err = tx.Realm(realm); err != nil {
			return err
		}
		if app.Name == "" {
			if app.Name, err = ownKind(tx, app); err != nil {
				return err
			}
		}
		if app.Client != nil {
			if err := freeClientID(tx, realm, app.Client.ID); err != nil {
				return err
			}
		}
		c := change{at: d.now(), actor: actor, kind: "application.lifecycle.create", targets: []Target{app.target()}}
		if err := d.insertObject(tx, app, c); err != nil {
			return err
		}
		secret, err = d.settleSecret(tx, app, draft.ClientSecret, c.at)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return app, secret, nil
}

// complete fills in what follows from the rest.
func (a *App) complete() {
	if a.SignOnMode == "" {
		a.SignOnMode = appKinds[a.Name].mode
		if a.SignOnMode == "" && a.Name != "" {
			a.SignOnMode = BrowserPlugin
		}
	}
	if a.Name == "" {
		a.Name = kindOf[a.SignOnMode]
	}
	if a.Label == "" {
		a.Label = appKinds[a.Name].label
		if a.Name == "oidc_client" {
			a.Label = "" // an OpenID Connect client is always named by its maker
		}
	}
	switch {
	case a.SignOnMode != OpenIDConnect:
		a.Client = nil
	case a.Client == nil && a.Name == "oidc_client":
		a.Client = &Client{}
	}
	if a.Client != nil {
		a.Client.complete(a.ID)
	}
	if a.Document == nil {
		a.Document = map[string]any{}
	}
}

func (a *App) check(secret string) Violations {
	label := Attribute{Name: "label", Type: TextType, Required: true, Min: 1, Max: 100}
	v := label.check(a.Label)
	if !slices.Contains(signOnModes, a.SignOnMode) {
		v = append(v, Violation{Field: "signOnMode", Rule: WrongType})
	}
	if a.Client != nil {
		v = append(v, a.Client.check(secret)...)
	}
	return v
}

// ownKind names the kind that an application of its own makes: the realm, the
// label without blanks, and a number.
func ownKind(r Reader, a *App) (string, error) {
	slug := strings.Map(func(c rune) rune {
		if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return -1
		}
		return unicode.ToLower(c)
	}, a.Label)
	prefix := a.Realm + "_" + slug + "_"
	taken := map[string]bool{}
	for other, err := range each[App](r, RecordQuery{Realm: a.Realm}) {
		if err != nil {
			return "", err
		}
		taken[other.Name] = true
	}
	for n := 1; ; n++ {
		if name := prefix + strconv.Itoa(n); !taken[name] {
			return name, nil
		}
	}
}

// App returns an application by its id.
func (d *Directory) App(ctx context.Context, realm, id string) (app *App, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		app, err = get[App](r, realm, id)
		return err
	})
	return app, err
}

// AppQuery selects applications.
type AppQuery struct {
	Realm string
	After string // id; the applications behind it
	User  string // assigned to this account; empty: any
	Group string // assigned to this group; empty: any
}

// Apps returns the applications that a query selects and match accepts, at most
// limit of them (0: all), in the order of their ids. A nil match accepts all.
func (d *Directory) Apps(ctx context.Context, q AppQuery, limit int, match func(*App) bool) (out []*App, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if q.User == "" && q.Group == "" {
			out, err = all(r, RecordQuery{Realm: q.Realm, After: q.After}, limit, match)
			return err
		}
		out, err = assignedApps(r, q, limit, match)
		return err
	})
	return out, err
}

// AppsOfGroup returns the applications that a group is assigned to, at most
// limit of them (0: all), behind the one with the id after.
func (d *Directory) AppsOfGroup(ctx context.Context, realm, group, after string, limit int) ([]*App, error) {
	return d.Apps(ctx, AppQuery{Realm: realm, After: after, Group: group}, limit, nil)
}

// assignedApps finds applications by who is assigned to them.
func assignedApps(r Reader, q AppQuery, limit int, match func(*App) bool) ([]*App, error) {
	ids := map[string]bool{}
	if q.User != "" {
		for u, err := range each[AppUser](r, RecordQuery{Realm: q.Realm, Subject: q.User}) {
			if err != nil {
				return nil, err
			}
			ids[u.App] = true
		}
	}
	if q.Group != "" {
		byGroup := map[string]bool{}
		for g, err := range each[AssignedGroup](r, RecordQuery{Realm: q.Realm, Subject: q.Group}) {
			if err != nil {
				return nil, err
			}
			if q.User == "" || ids[g.App] {
				byGroup[g.App] = true
			}
		}
		ids = byGroup
	}
	var out []*App
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if id <= q.After {
			continue
		}
		app, err := get[App](r, q.Realm, id)
		if err != nil {
			return nil, err
		}
		if match != nil && !match(app) {
			continue
		}
		if out = append(out, app); len(out) == limit {
			break
		}
	}
	return out, nil
}

// AppEdit is a change to an application.
type AppEdit struct {
	// Change is called in the transaction with a copy of the application.
	Change       func(*App) error
	ClientSecret string // empty: the old one stays, if it needs one
	Kind         string // for the log; empty: application.lifecycle.update
}

// EditApp changes an application. It returns the new client secret when the
// edit brought or needed one.
func (d *Directory) EditApp(ctx context.Context, actor Actor, realm, id string, e AppEdit) (after *App, secret string, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := get[App](tx, realm, id)
		if err != nil {
			return err
		}
		c := change{at: d.now(), actor: actor, kind: cmp.Or(e.Kind, "application.lifecycle.update")}
		after, err = amend(d, tx, before, c, func(a *App) error {
			if err := e.Change(a); err != nil {
				return err
			}
			a.complete()
			return a.check(e.ClientSecret).err()
		})
		if err != nil {
			return err
		}
		secret, err = d.settleSecret(tx, after, e.ClientSecret, c.at)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return after, secret, nil
}

// SetAppStatus activates or deactivates an application; one that is so already
// stays, and nothing is logged.
func (d *Directory) SetAppStatus(ctx context.Context, actor Actor, realm, id string, status State) error {
	kind := "application.lifecycle.activate"
	if status == Off {
		kind = "application.lifecycle.deactivate"
	}
	return d.Store.Update(ctx, func(tx Tx) error {
		before, err := get[App](tx, realm, id)
		if err != nil || before.Status == status {
			return err
		}
		if status == Off {
			if err := clientEnding(tx, before); err != nil {
				return err
			}
		}
		_, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: kind}, func(a *App) error {
			a.Status = status
			return nil
		})
		return err
	})
}

// ofApp are the sorts of records that end with their application.
var ofApp = []Noun{
	AppUserNoun, AppGroupNoun, AppGrantNoun, AppSecretNoun,
	ProvisioningNoun, GroupPushNoun, PushRuleNoun, MappingNoun, AppSchemaNoun, ImportSourceNoun, ImportStateNoun,
}

// DeleteApp removes an inactive application with its assignments, grants and
// secret.
func (d *Directory) DeleteApp(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		app, err := get[App](tx, realm, id)
		if err != nil {
			return err
		}
		if app.Status == On {
			return AppStillActive.fault("application %q is active and cannot be deleted", app.Label)
		}
		for _, noun := range ofApp {
			if _, err := tx.DeleteRecords(RecordQuery{Realm: realm, Noun: noun, Parent: id}); err != nil {
				return err
			}
		}
		if app.Client != nil {
			if err := endRecords(tx, realm, app.Client.ID, []Noun{RoleNoun}); err != nil {
				return err
			}
		}
		if err := clientEnding(tx, app, ConsentNoun); err != nil {
			return err
		}
		return d.deleteObject(tx, app, change{at: d.now(), actor: actor, kind: "application.lifecycle.delete", targets: []Target{app.target()}})
	})
}

// text returns the string at a path of the document, "" when there is none.
func (a *App) text(path ...string) string {
	var v any = a.Document
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// Scheme says who chooses the credentials of an application that asks for a
// user name and password (Okta: application credentials, scheme). It is empty
// for others.
func (a *App) Scheme() string {
	switch a.SignOnMode {
	case BasicAuth, BrowserPlugin, SecurePasswordStore, AutoLogin:
		return cmp.Or(a.text("credentials", "scheme"), "EDIT_USERNAME_AND_PASSWORD")
	}
	return ""
}

// has reports whether the application has a feature, such as PROFILE_MASTERING.
func (a *App) has(feature string) bool {
	list, _ := a.Document["features"].([]any)
	return slices.Contains(list, any(feature))
}

// profileSource is the feature of applications that are sources of profiles.
const profileSource = "PROFILE_MASTERING"

// SourcesProfiles reports whether the application is the source of its users'
// profiles: what it says of them is changed there only.
func (a *App) SourcesProfiles() bool { return a.has(profileSource) }

// SourceProfiles makes the application the source of its users' profiles, or no
// longer.
func (a *App) SourceProfiles(on bool) {
	list, _ := a.Document["features"].([]any)
	list = slices.DeleteFunc(slices.Clone(list), func(f any) bool { return f == any(profileSource) })
	if on {
		list = append(list, profileSource)
	}
	document := maps.Clone(a.Document)
	if document == nil {
		document = map[string]any{}
	}
	document["features"] = list
	a.Document = document
}

// AppConnection is how people are provisioned to the application. Its token
// is not kept: nothing here provisions.
type AppConnection struct {
	Scheme  string `json:"scheme,omitempty"` // TOKEN, OAUTH2 ...
	Enabled bool   `json:"enabled,omitempty"`
}
