package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// connectionName is what a connection may be called: its name stands in files,
// in names of the vault and on command lines.
var connectionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Add implements cli.Connections. The secrets are in the vault before the
// connection is in the list: a process that is killed meanwhile leaves no
// connection, and adding it again replaces what it left.
func (c connections) Add(ctx context.Context, req cli.AddConnection) (cli.KeyToRegister, error) {
	var made cli.KeyToRegister
	if !connectionName.MatchString(req.Name) {
		return made, fault.New(fault.Usage, "a connection cannot be called that").At("NAME").Fix("use letters, digits, dots, dashes and underscores")
	}
	l, err := c.open(req.Settings)
	if err != nil {
		return made, err
	}
	defer l.close()
	if from := l.connector.From(req.Name); from != "" && from != connector.ByEnvironment {
		return made, exists(req.Name, origin(from, l.config))
	}
	added := config.Added{Connection: req.Connection, Added: time.Now().UTC().Truncate(time.Second), Expires: req.Expires}
	if req.Connection.Auth.Type == config.AuthPrivateKeyJWT && req.Credentials.PrivateKey.Empty() {
		if req.Credentials.PrivateKey, made, err = newSigningKey(); err != nil {
			return made, err
		}
		added.Auth.KeyID = made.KeyID
	}
	values := refer(req.Name, &added.Auth, req.Credentials)
	if err := l.check(req.Name, added); err != nil {
		return made, err
	}
	return made, config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		if _, ok := b.Connections[req.Name]; ok {
			return exists(req.Name, connector.ByCommand)
		}
		// What a killed command left of another connection of that name must not
		// become this one's.
		if _, err := l.clear(ctx, req.Name); err != nil {
			return err
		}
		for name, v := range values {
			if err := l.vault.Put(ctx, name, v); err != nil {
				return err
			}
		}
		b.Connections[req.Name] = added
		delete(b.Marks, req.Name) // of another connection of that name
		return nil
	})
}

func exists(name, where string) error {
	return fault.New(fault.Conflict, "there is a connection %s already: it comes from %s", name, where).
		Fix("choose another name; or replace its credential with lanyard connections rotate %s, or remove it first", name)
}

// refer makes the fields of a credential references into the vault, and returns
// what has to be put there.
func refer(connection string, a *config.Auth, c cli.Credentials) map[string]secret.Value {
	values := map[string]secret.Value{}
	for _, one := range []struct {
		field string
		value secret.Value
		ref   *string
	}{
		{"token", c.Token, &a.Token}, {"password", c.Password, &a.Password},
		{"clientSecret", c.ClientSecret, &a.ClientSecret}, {"privateKey", c.PrivateKey, &a.PrivateKey},
	} {
		if one.value.Empty() {
			continue
		}
		name := connector.VaultName(connection, one.field)
		*one.ref, values[name] = "vault:"+name, one.value
	}
	return values
}

// check refuses a connection that could not be read back or not be bound.
func (l *links) check(name string, added config.Added) error {
	book := &config.Book{Version: 1, Connections: map[string]config.Added{name: added}}
	text, err := json.Marshal(book)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the connection cannot be written")
	}
	if book, err = config.ParseBook("connections."+name, text); err != nil {
		return err
	}
	_, err = l.with(book).BindNamed(name, run.Bindings{})
	return err
}

// keyBits is the size of the RSA keys that are made; every provider takes it.
const keyBits = 2048

// newSigningKey makes the key pair of a service app: the private JWK for the
// vault, and the public one for the provider.
func newSigningKey() (secret.Value, cli.KeyToRegister, error) {
	fail := func(err error) (secret.Value, cli.KeyToRegister, error) {
		return secret.Value{}, cli.KeyToRegister{}, fault.Wrap(fault.Internal, err, "no key can be made")
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fail(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "lanyard-" + strings.ToLower(rand.Text()[:12]), Algorithm: string(jose.RS256), Use: "sig"}
	private, err := jwk.MarshalJSON()
	if err != nil {
		return fail(err)
	}
	public, err := jwk.Public().MarshalJSON()
	if err != nil {
		return fail(err)
	}
	return secret.NewValue(string(private)), cli.KeyToRegister{KeyID: jwk.KeyID, Public: public}, nil
}

// publicKey is the public half of a key in the vault.
func (l *links) publicKey(ctx context.Context, ref string) (cli.KeyToRegister, error) {
	v, err := (&secret.Resolver{Vault: l.vault}).Resolve(ctx, secret.Ref(ref))
	if err != nil {
		return cli.KeyToRegister{}, err
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(v.Reveal())); err != nil {
		return cli.KeyToRegister{}, fault.New(fault.Invalid, "the key %s is not one that was made here", ref)
	}
	public := jwk.Public()
	text, err := public.MarshalJSON()
	if err != nil {
		return cli.KeyToRegister{}, fault.Wrap(fault.Internal, err, "the public key cannot be written")
	}
	return cli.KeyToRegister{KeyID: jwk.KeyID, Public: text}, nil
}

// Rotate implements cli.Connections.
func (c connections) Rotate(ctx context.Context, req cli.RotateConnection) (cli.RotateReport, error) {
	l, err := c.open(req.Settings)
	if err != nil {
		return cli.RotateReport{}, err
	}
	defer l.close()
	added, err := l.added(req.Name)
	if err != nil {
		return cli.RotateReport{}, err
	}
	value, err := req.Ask(added.Auth.Type)
	if err != nil {
		return cli.RotateReport{}, err
	}
	switch {
	case added.Auth.Type == config.AuthPrivateKeyJWT && value.Empty():
		return l.rotateKey(ctx, req, added)
	case value.Empty():
		return cli.RotateReport{}, fault.New(fault.Usage, "connection %s has no credential that could be replaced: people sign in to it", req.Name).
			Fix("sign in again: lanyard connections authorize %s", req.Name)
	}
	field, ref := theSecret(&added.Auth)
	name, err := l.nextName(ctx, req.Name, field)
	if err != nil {
		return cli.RotateReport{}, err
	}
	if err := l.vault.Put(ctx, name, value); err != nil {
		return cli.RotateReport{}, err
	}
	*ref = "vault:" + name
	if field == "privateKey" {
		added.Auth.KeyID, added.Next = "", nil // the new key's own, if it has one
	}
	r, err := l.tryAndSwitch(ctx, req, added)
	if err == nil && !r.Switched {
		// After an error the connection may have the new credential already; if not,
		// a useless entry stays, which goes with the next rotation.
		_ = l.vault.Delete(ctx, name)
	}
	return r, err
}

// theSecret returns the secret field of a credential.
func theSecret(a *config.Auth) (field string, ref *string) {
	switch a.Type {
	case config.AuthBasic:
		return "password", &a.Password
	case config.AuthClientCredentials, config.AuthAuthorizationCode:
		return "clientSecret", &a.ClientSecret
	case config.AuthPrivateKeyJWT:
		return "privateKey", &a.PrivateKey
	}
	return "token", &a.Token
}

// nextName is a name in the vault that no secret of the connection has: token-2,
// token-3. The old one stays until the new one is in use.
func (l *links) nextName(ctx context.Context, connection, field string) (string, error) {
	entries, err := l.entries(ctx, connection)
	if err != nil {
		return "", err
	}
	last := 1
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name, connector.VaultName(connection, field)+"-")
		if n, err := strconv.Atoi(number); ok && err == nil {
			last = max(last, n)
		}
	}
	return connector.VaultName(connection, fmt.Sprintf("%s-%d", field, last+1)), nil
}

// rotateKey makes a key for a service app, and takes it once the provider knows it.
func (l *links) rotateKey(ctx context.Context, req cli.RotateConnection, added config.Added) (cli.RotateReport, error) {
	if added.Next == nil {
		next, key, err := l.makeNext(ctx, req.Name)
		if err != nil || !req.Now {
			return cli.RotateReport{Key: &key}, err
		}
		added.Next = next
	}
	key, err := l.publicKey(ctx, added.Next.PrivateKey)
	if err != nil {
		return cli.RotateReport{}, err
	}
	added.Auth.PrivateKey, added.Auth.KeyID, added.Next = added.Next.PrivateKey, added.Next.KeyID, nil
	r, err := l.tryAndSwitch(ctx, req, added)
	if !r.Switched || req.Now {
		r.Key = &key
	}
	return r, err
}

// makeNext makes a key that waits to be registered.
func (l *links) makeNext(ctx context.Context, name string) (*config.Next, cli.KeyToRegister, error) {
	private, key, err := newSigningKey()
	if err != nil {
		return nil, key, err
	}
	entry, err := l.nextName(ctx, name, "privateKey")
	if err != nil {
		return nil, key, err
	}
	next := &config.Next{PrivateKey: "vault:" + entry, KeyID: key.KeyID, Made: time.Now().UTC().Truncate(time.Second)}
	return next, key, config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		added, ok := b.Connections[name]
		if !ok {
			return fault.New(fault.Conflict, "connection %s was removed meanwhile", name)
		}
		if err := l.vault.Put(ctx, entry, private); err != nil {
			return err
		}
		added.Next = next
		b.Connections[name] = added
		return nil
	})
}

// tryAndSwitch tests a connection as it is to be, and makes it so when that
// works. The list is switched in one step; then the old secrets are removed.
func (l *links) tryAndSwitch(ctx context.Context, req cli.RotateConnection, next config.Added) (cli.RotateReport, error) {
	var r cli.RotateReport
	if !req.Now {
		book := &config.Book{Connections: map[string]config.Added{req.Name: next}}
		by := l.with(book)
		conn, err := by.BindNamed(req.Name, run.Bindings{})
		if err != nil {
			return r, err
		}
		r.Test = &cli.ConnectionReport{Name: req.Name, From: connector.ByCommand}
		mark := l.test(ctx, by, conn, r.Test)
		if mark.State == connector.Broken {
			return r, nil
		}
		l.keep(ctx, map[string]config.Mark{req.Name: mark})
	}
	next.Rotated, next.Expires = time.Now().UTC().Truncate(time.Second), time.Time{}
	err := config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		if _, ok := b.Connections[req.Name]; !ok {
			return fault.New(fault.Conflict, "connection %s was removed meanwhile", req.Name)
		}
		b.Connections[req.Name] = next
		return nil
	})
	if err != nil {
		return r, err
	}
	r.Switched = true
	return r, l.dropOthers(ctx, req.Name, next.Auth)
}

// dropOthers removes the secrets of a connection that its credential does not
// name. Those that it gets for itself stay.
func (l *links) dropOthers(ctx context.Context, name string, a config.Auth) error {
	field, ref := theSecret(&a)
	entries, err := l.entries(ctx, name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		own, _, _ := strings.Cut(strings.TrimPrefix(e.Name, connector.VaultPrefix(name)), "-")
		if own != field || "vault:"+e.Name == *ref {
			continue
		}
		if err := l.vault.Delete(ctx, e.Name); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

// Remove implements cli.Connections. The connection goes first, so that nothing
// uses it while its secrets go.
func (c connections) Remove(ctx context.Context, s cli.Settings, name string) (int, error) {
	l, err := c.open(s)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if _, ok := l.book.Connections[name]; !ok { // one that lanyard.yaml hides can be removed
		_, err := l.added(name)
		return 0, err
	}
	err = config.ChangeBook(ctx, l.settings.Data, func(b *config.Book) error {
		delete(b.Connections, name)
		delete(b.Marks, name)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return l.clear(ctx, name)
}

// clear removes all that the vault holds for a connection, and returns how many
// entries that were.
func (l *links) clear(ctx context.Context, name string) (int, error) {
	entries, err := l.entries(ctx, name)
	for i, e := range entries {
		if err := l.vault.Delete(ctx, e.Name); err != nil && !fault.Is(err, fault.NotFound) {
			return i, err
		}
	}
	return len(entries), err
}

// Vault implements cli.Connections.
func (c connections) Vault(ctx context.Context, s cli.Settings) (cli.VaultReport, error) {
	l, err := c.open(s)
	if err != nil {
		return cli.VaultReport{}, err
	}
	defer l.close()
	var r cli.VaultReport
	if r.Key, err = l.vault.Key(ctx); err != nil {
		return r, err
	}
	r.Entries, err = l.vault.List(ctx)
	return r, err
}

// RotateVault implements cli.Connections.
func (c connections) RotateVault(ctx context.Context, s cli.Settings, to string) (secret.VaultKey, error) {
	l, err := c.open(s)
	if err != nil {
		return secret.VaultKey{}, err
	}
	defer l.close()
	return l.vault.Rotate(ctx, to)
}
