package provision

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Settings keeps what the applications of one Okta realm are provisioned with:
// targets, mappings and pushed groups. It is safe for concurrent use.
type Settings struct {
	Directory *directory.Directory
	Realm     string

	// Vault keeps credentials that are given as values; nil: only references can
	// be given.
	Vault Vault
}

// Vault is the part of a vault that settings need.
type Vault interface {
	Put(ctx context.Context, name string, v secret.Value) error
	Delete(ctx context.Context, name string) error
}

// VaultName is the entry of the vault that holds the credential of an application.
func VaultName(app string) string { return "provision/" + app }

// FindApp returns the application that ref names: by its id, or by its label
// when no other has it.
func (s *Settings) FindApp(ctx context.Context, ref string) (*directory.App, error) {
	app, err := s.Directory.App(ctx, s.Realm, ref)
	if !fault.Is(err, fault.NotFound) {
		return app, err
	}
	named, err := s.Directory.Apps(ctx, directory.AppQuery{Realm: s.Realm}, 0, func(a *directory.App) bool {
		return strings.EqualFold(a.Label, ref)
	})
	switch {
	case err != nil:
		return nil, err
	case len(named) == 0:
		return nil, fault.Wrap(fault.NotFound, directory.NotFound(directory.AppNoun, ref), "there is no app %q", ref).
			Fix("give the id or the label of an application; lanyard provision targets list names those with a target")
	case len(named) > 1:
		return nil, fault.New(fault.Conflict, "%d applications are called %q", len(named), ref).Fix("name one by its id, such as %s", named[0].ID)
	}
	return named[0], nil
}

// Target returns the target of an application, fault.NotFound when it has none.
func (s *Settings) Target(ctx context.Context, app string) (t *Target, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		t, err = directory.Get[Target](r, s.Realm, app)
		return err
	})
	return t, err
}

// Targets returns all targets in the order of the applications' ids.
func (s *Settings) Targets(ctx context.Context) (out []*Target, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		out, err = directory.All[Target](r, directory.RecordQuery{Realm: s.Realm}, 0, nil)
		return err
	})
	return out, err
}

// SetTarget changes the target of an application, or gives it one. A credential
// that is not empty goes to the vault, and the target refers to it. What was
// changed silently, or is doubtful, comes back as notes.
func (s *Settings) SetTarget(ctx context.Context, actor directory.Actor, app string, credential secret.Value, change func(*Target) error) (after *Target, notes []Note, err error) {
	prepare := func(t *Target) error {
		if err := change(t); err != nil {
			return err
		}
		if !credential.Empty() {
			t.Auth.Token = secret.Ref("vault:" + VaultName(app))
		}
		notes, err = t.check()
		return err
	}
	if !credential.Empty() {
		if err := s.keep(ctx, app, credential, prepare); err != nil {
			return nil, nil, err
		}
	}
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		e := s.event(actor, "application.lifecycle.update", of)
		before, err := directory.Get[Target](tx, s.Realm, app)
		if fault.Is(err, fault.NotFound) {
			after = newTarget(of)
			if err := prepare(after); err != nil {
				return err
			}
			return s.Directory.InsertObject(tx, after, e)
		}
		if err != nil {
			return err
		}
		if after, err = directory.CloneObject[Target](before); err != nil {
			return err
		}
		if err := prepare(after); err != nil {
			return err
		}
		return s.Directory.UpdateObject(tx, before, after, e)
	})
	if err != nil {
		return nil, nil, err
	}
	return after, notes, nil
}

// keep puts a credential into the vault, after making sure that the target which
// is to refer to it can be: a refused change must not replace the credential.
func (s *Settings) keep(ctx context.Context, app string, credential secret.Value, prepare func(*Target) error) error {
	if s.Vault == nil {
		return fault.New(fault.Refused, "there is no vault to keep the credential in").Fix("give a reference instead: env:NAME")
	}
	of, err := s.Directory.App(ctx, s.Realm, app)
	if err != nil {
		return err
	}
	t, err := s.Target(ctx, app)
	if fault.Is(err, fault.NotFound) {
		t, err = newTarget(of), nil
	}
	if err != nil {
		return err
	}
	if err := prepare(t); err != nil {
		return err
	}
	return s.Vault.Put(ctx, VaultName(app), credential)
}

// newTarget is what an application begins with: by its kind, with everything off.
func newTarget(app *directory.App) *Target {
	return &Target{
		Meta: directory.Meta{ID: app.ID, Realm: app.Realm}, Kind: KindOf(app), Auth: Auth{Scheme: Bearer},
	}
}

// KindOf guesses the kind of an application from its name: those that are made
// for themselves are called after their org (directory.CreateApp).
func KindOf(app *directory.App) Kind {
	switch {
	case strings.Contains(strings.ToLower(app.Name+app.Label), "governance"):
		return Governance
	case strings.HasPrefix(app.Name, app.Realm+"_") || app.SignOnMode == directory.OpenIDConnect:
		return Wizard
	}
	return Template
}

// DeleteTarget ends the provisioning of an application: nothing is sent any more,
// and nothing is taken back. Its credential leaves the vault.
func (s *Settings) DeleteTarget(ctx context.Context, actor directory.Actor, app string) error {
	err := s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		t, err := directory.Get[Target](tx, s.Realm, app)
		if err != nil {
			return err
		}
		return s.Directory.DeleteObject(tx, t, s.event(actor, "application.lifecycle.update", of))
	})
	if err != nil || s.Vault == nil {
		return err
	}
	if err := s.Vault.Delete(ctx, VaultName(app)); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// check returns everything wrong with a target, and brings its base URL to the
// form in which it is kept.
func (t *Target) check() (notes []Note, err error) {
	var problems []error
	wrong := func(place, remedy, format string, args ...any) {
		e := fault.New(fault.Invalid, format, args...).At("%s", place)
		if remedy != "" {
			e = e.Fix("%s", remedy)
		}
		problems = append(problems, e)
	}
	if !slices.Contains([]Kind{Wizard, Template, Governance}, t.Kind) {
		wrong("kind", "", "a target is %q, %q or %q, not %q", Wizard, Template, Governance, string(t.Kind))
	}
	for place, m := range map[string]Method{"userUpdate": t.Methods.UserUpdate, "userDeactivate": t.Methods.UserDeactivate, "groupUpdate": t.Methods.GroupUpdate} {
		if m != "" && m != Put && m != Patch {
			wrong(place, "", "changes are written with PUT or PATCH, not %q", string(m))
		}
	}
	if t.Brake.Count < 0 || t.Brake.Percent < 0 || t.Brake.Percent > 100 {
		wrong("brake", "", "the brake counts people and percents, from 0 to 100")
	}
	if t.Concurrency < 0 || t.Concurrency > 64 {
		wrong("concurrency", "", "so many people cannot be sent at a time; 64 are the most")
	}
	base, note := strings.CutSuffix(t.BaseURL, "/")
	if note {
		base = strings.TrimRight(base, "/")
		notes = append(notes, "the slash at the end of the base URL was left out")
	}
	t.BaseURL = base
	more, err := checkBase(base, t.AllowPrivate)
	notes, problems = append(notes, more...), append(problems, err)
	problems = append(problems, t.Auth.check(t.AllowPrivate)...)
	return notes, fault.Join(problems...)
}

// check returns what is wrong with a credential.
func (a Auth) check(private bool) (problems []error) {
	wrong := func(place, format string, args ...any) {
		problems = append(problems, fault.New(fault.Invalid, format, args...).At("%s", place))
	}
	switch a.Scheme {
	case Bearer, Header:
	case Basic:
		if a.ClientID == "" {
			wrong("clientId", "the scheme basic needs a user name")
		}
	case OAuth:
		if a.ClientID == "" {
			wrong("clientId", "the scheme oauth needs the id of a client")
		}
		if _, err := checkURL("tokenUrl", a.TokenURL, private); err != nil {
			problems = append(problems, err)
		}
	default:
		wrong("auth.scheme", "a scheme is %q, %q, %q or %q, not %q", Bearer, Header, Basic, OAuth, string(a.Scheme))
	}
	if a.Token == "" {
		problems = append(problems, fault.New(fault.Invalid, "the target has no credential").At("auth.token").
			Fix("say where it is read from: --token-from env:NAME, or file:PATH"))
	} else if _, err := secret.ParseRef(string(a.Token)); err != nil {
		wrong("auth.token", "%s", fault.Public(err))
	}
	return problems
}

// checkBase returns what is wrong or doubtful about the base URL of a SCIM server.
//
// Okta's documents say that a base URL must not contain an underscore, and the
// endpoint of every Auth0 connection has one in its path (con_…), which the same
// documents tell people to enter. So a host with one is refused, and a path with
// one is remarked upon.
func checkBase(base string, private bool) ([]Note, error) {
	u, err := checkURL("baseUrl", base, private)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(u.Host, "_"):
		return nil, fault.New(fault.Invalid, "a base URL must not contain an underscore").At("baseUrl").Fix("give the server a name without one")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, fault.New(fault.Invalid, "a base URL has no query").At("baseUrl").Fix("leave out what follows the question mark")
	case strings.HasSuffix(u.Path, "/Users"), strings.HasSuffix(u.Path, "/Groups"):
		return nil, fault.New(fault.Invalid, "/Users and /Groups are added to the base URL").At("baseUrl").Fix("leave them out")
	case strings.Contains(u.Path, "_") && !strings.Contains(u.Path, "/con_"):
		return []Note{"the base URL contains an underscore, which Okta itself does not accept"}, nil
	}
	return nil, nil
}

// sandboxSuffix ends the names by which runs of this process reach its own APIs.
const sandboxSuffix = ".sandbox"

// checkURL returns what is wrong with the address of something that gets a
// credential.
func checkURL(place, text string, private bool) (*url.URL, error) {
	if text == "" {
		return nil, fault.New(fault.Invalid, "the address is missing").At("%s", place)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.New(fault.Invalid, "this is not an address that begins with https://").At("%s", place)
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	loopback := strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
	switch {
	case u.User != nil:
		return nil, fault.New(fault.Invalid, "a credential stands in the address").At("%s", place).Fix("leave it out of the address, and change it")
	case u.Fragment != "":
		return nil, fault.New(fault.Invalid, "the address has a fragment").At("%s", place)
	case u.Scheme == "http" && !loopback && !strings.HasSuffix(host, sandboxSuffix):
		return nil, fault.New(fault.Invalid, "the credential would be sent unencrypted").At("%s", place).Fix("use https; http is for this machine and the sandbox")
	case (loopback || ip != nil && ip.IsPrivate()) && !private:
		return nil, fault.New(fault.Invalid, "the address is of this machine or of a private network").At("%s", place).Fix("allow private addresses for this target, if it is yours: --allow-private")
	}
	return u, nil
}

// event is what the change log keeps of a change of an application's settings.
func (s *Settings) event(actor directory.Actor, kind string, app *directory.App, more ...directory.Target) directory.Event {
	targets := append(more, directory.Target{Type: "AppInstance", ID: app.ID, AlternateID: app.Label, DisplayName: app.Label})
	return directory.Event{At: s.Directory.Now(), Actor: actor, Kind: kind, Target: app.ID, Targets: targets}
}

// Mapping returns the mapping of an application; version 0 is the one that nobody
// has changed.
func (s *Settings) Mapping(ctx context.Context, app string) (m *MappingRecord, err error) {
	err = s.Directory.Store.View(ctx, func(r directory.Reader) error {
		if _, err := directory.Get[directory.App](r, s.Realm, app); err != nil {
			return err
		}
		m, err = mappingOf(r, s.Realm, app)
		return err
	})
	return m, err
}

// SetMapping changes the mapping of an application: change gets its rows and
// returns those that are to be. Rows that cannot be are refused, all at once.
func (s *Settings) SetMapping(ctx context.Context, actor directory.Actor, app string, change func(Mapping) (Mapping, error)) (after *MappingRecord, err error) {
	err = s.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		of, err := directory.Get[directory.App](tx, s.Realm, app)
		if err != nil {
			return err
		}
		before, err := mappingOf(tx, s.Realm, app)
		if err != nil {
			return err
		}
		next := *before
		if next.Rows, err = change(slices.Clone(before.Rows)); err != nil {
			return err
		}
		if _, err := next.Rows.Compile(); err != nil {
			return err
		}
		after = &next
		e := s.event(actor, "directory.mapping.update", of)
		if before.Version == 0 {
			return s.Directory.InsertObject(tx, after, e)
		}
		return s.Directory.UpdateObject(tx, before, after, e)
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// Put replaces the row with the name of r, or adds r.
func (m Mapping) Put(r Row) Mapping {
	i := slices.IndexFunc(m, func(old Row) bool { return old.Name == r.Name })
	if i < 0 {
		return append(m, r)
	}
	m[i] = r
	return m
}

// Remove takes the row away that a name or attribute means.
func (m Mapping) Remove(ref string) (Mapping, error) {
	i := m.Find(ref)
	if i < 0 {
		return nil, fault.New(fault.NotFound, "the mapping has no attribute %q", ref).Fix("lanyard provision mapping show lists them")
	}
	return slices.Delete(m, i, i+1), nil
}
