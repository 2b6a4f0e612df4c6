package config

import (
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// reader knows the format of the file. Relative paths in it start at its folder.
type reader struct {
	strict.Reader
	dir string
}

func newReader(file string) *reader {
	return &reader{Reader: strict.Reader{File: file, NullIsAbsent: true}, dir: filepath.Dir(file)}
}

// path reads the path of a file; a relative one starts at the configuration's
// folder.
func (r *reader) path(into *string) strict.Field {
	return func(n *yaml.Node) {
		r.Text(into)(n)
		*into = r.resolve(*into)
	}
}

func (r *reader) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, filepath.FromSlash(path))
}

// credential reads a reference. The message never shows what stands there: it
// may be the secret itself.
func (r *reader) credential(into *string) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !secret.IsRef(n.Value) {
			r.Wrong(n, "write env:NAME, file:PATH or vault:NAME", "a credential must be a reference, not the value itself")
			return
		}
		*into = n.Value
		if path, ok := strings.CutPrefix(n.Value, "file:"); ok {
			*into = "file:" + r.resolve(path)
		}
	}
}

// hosts reads places that may be called besides the server: host names, with a
// port or without, or base URLs.
func (r *reader) hosts(into *[]string) strict.Field {
	return func(n *yaml.Node) {
		r.Texts(into)(n)
		for i, host := range *into {
			if !strings.Contains(host, "://") {
				host = "https://" + host
			}
			if _, ok := baseURL(host); !ok {
				r.Wrong(strict.Follow(n.Content[i]), "write example.com, example.com:8443 or https://example.com", "this is not a host")
			}
		}
	}
}

// baseURL parses the base URL of a server.
func baseURL(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	return u, err == nil && u.Host != "" && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http") &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(u.Host, "{}*")
}

// serverURL reads a base URL.
func (r *reader) serverURL(into *string) strict.Field {
	return func(n *yaml.Node) {
		if _, ok := baseURL(n.Value); n.Kind != yaml.ScalarNode || !ok {
			r.Wrong(n, "write it as https://host/base/path", "this is not the base URL of a server")
			return
		}
		*into = n.Value
	}
}

func (r *reader) config(n *yaml.Node) *Config {
	c := &Config{Sources: map[string]Source{}, Connections: map[string]Connection{}}
	r.Mapping(n, "the configuration", map[string]strict.Field{
		"sources": func(n *yaml.Node) {
			r.Named(n, "sources", func(name string, n *yaml.Node) { c.Sources[name] = r.source(n) })
		},
		"connections": func(n *yaml.Node) {
			r.Named(n, "connections", func(name string, n *yaml.Node) { c.Connections[name] = r.connection(n) })
		},
		"imports":  r.sections("imports", &c.Imports),
		"triggers": r.sections("triggers", &c.Triggers),

		"data":  r.path(&c.Data),
		"store": r.store(&c.Store),
		"run":   func(n *yaml.Node) { r.run(n, &c.Run) },
		"serve": func(n *yaml.Node) { r.serve(n, &c.Serve) },
		"sandbox": func(n *yaml.Node) {
			r.Mapping(n, "sandbox", map[string]strict.Field{"okta": func(n *yaml.Node) { r.oktaSandbox(n, &c.Sandbox.Okta) }})
		},
	})
	return c
}

// sections keeps what stands under names for the package that owns its format.
func (r *reader) sections(what string, into *map[string]Section) strict.Field {
	return func(n *yaml.Node) {
		*into = map[string]Section{}
		r.Named(n, what, func(name string, n *yaml.Node) { (*into)[name] = Section{Node: n, File: r.File, Dir: r.dir} })
	}
}

func (r *reader) oktaSandbox(n *yaml.Node, s *OktaSandbox) {
	r.Mapping(n, "sandbox.okta", map[string]strict.Field{
		"engine":   r.Choice(&s.Engine, "oie", "classic"),
		"statuses": r.Choice(&s.Statuses, StatusesRecorded, StatusesDescribed, Statuses2022),

		"indexDelay":        r.AtLeast(&s.IndexDelay, 0),
		"suspendPending":    r.Flag(&s.SuspendPending),
		"deactivateAgain":   r.Flag(&s.DeactivateAgain),
		"editDeprovisioned": r.Flag(&s.EditDeprovisioned),
	})
}

// store reads where runs and the directory are kept: a file, a server, or a
// reference to the server's address, which may then hold a password.
func (r *reader) store(into *string) strict.Field {
	const how = "write sqlite:PATH, postgres://USER@HOST/DATABASE, or env:NAME for an address with a password"
	return func(n *yaml.Node) {
		kind, rest, _ := strings.Cut(n.Value, ":")
		switch {
		case rest == "":
			r.Wrong(n, how, "this store is not known")
		case kind == "sqlite":
			*into = "sqlite:" + r.resolve(rest)
		case kind == "postgres" || kind == "postgresql":
			if u, err := url.Parse(n.Value); err != nil || u.User != nil && hasPassword(u.User) {
				r.Wrong(n, "write env:NAME and put the address there, or leave the password to PGPASSWORD or .pgpass", "a password must not stand in the file")
				return
			}
			*into = n.Value
		case kind == "env":
			*into = n.Value
		case kind == "file":
			*into = "file:" + r.resolve(rest)
		default:
			r.Wrong(n, how, "this store is not known")
		}
	}
}

func hasPassword(u *url.Userinfo) bool {
	_, ok := u.Password()
	return ok
}

func (r *reader) source(n *yaml.Node) Source {
	var s Source
	r.Mapping(n, "a source", map[string]strict.Field{"file": r.path(&s.File), "url": r.Text(&s.URL)})
	if (s.File == "") == (s.URL == "") && n.Kind == yaml.MappingNode {
		r.Wrong(n, "", "a source needs either file or url")
	}
	return s
}

func (r *reader) connection(n *yaml.Node) Connection {
	c := Connection{Variables: map[string]string{}}
	r.Mapping(n, "a connection", r.connectionFields(&c))
	return c
}

func (r *reader) connectionFields(c *Connection) map[string]strict.Field {
	return map[string]strict.Field{
		"provider":     r.Text(&c.Provider),
		"server":       r.serverURL(&c.Server),
		"hosts":        r.hosts(&c.Hosts),
		"allowPrivate": r.Flag(&c.AllowPrivate),
		"timeout":      r.AtLeast(&c.Timeout, 1),
		"auth":         func(n *yaml.Node) { r.auth(n, &c.Auth) },
		"limits":       func(n *yaml.Node) { r.limits(n, &c.Limits) },
		"variables": func(n *yaml.Node) {
			r.Named(n, "variables", func(name string, n *yaml.Node) {
				var s string
				r.Text(&s)(n)
				c.Variables[name] = s
			})
		},
	}
}

// authKinds says which fields each kind of credential cannot do without, and
// which others it may have.
var authKinds = map[string]struct{ needs, may []string }{
	AuthNone:              {},
	AuthSSWS:              {[]string{"token"}, []string{"prefix"}},
	AuthAPIKey:            {[]string{"token"}, []string{"in", "name", "prefix"}},
	AuthBearer:            {[]string{"token"}, []string{"prefix"}},
	AuthBasic:             {[]string{"username", "password"}, nil},
	AuthClientCredentials: {[]string{"clientId", "clientSecret"}, []string{"clientAuth", "tokenUrl", "audience", "scopes"}},
	AuthPrivateKeyJWT:     {[]string{"clientId", "privateKey"}, []string{"keyId", "tokenUrl", "audience", "scopes", "dpop"}},
	AuthAuthorizationCode: {[]string{"clientId"}, []string{"clientSecret", "clientAuth", "authorizeUrl", "tokenUrl", "audience", "scopes", "dpop"}},
}

func (r *reader) auth(n *yaml.Node, a *Auth) {
	written := r.Mapping(n, "auth", map[string]strict.Field{
		"type":         r.Choice(&a.Type, AuthNone, AuthSSWS, AuthAPIKey, AuthBearer, AuthBasic, AuthClientCredentials, AuthPrivateKeyJWT, AuthAuthorizationCode),
		"token":        r.credential(&a.Token),
		"in":           r.Choice(&a.In, "header", "query", "cookie"),
		"name":         r.Text(&a.Name),
		"prefix":       r.Text(&a.Prefix),
		"username":     r.Text(&a.Username),
		"password":     r.credential(&a.Password),
		"clientId":     r.Text(&a.ClientID),
		"clientSecret": r.credential(&a.ClientSecret),
		"clientAuth":   r.Choice(&a.ClientAuth, "post", "basic"),
		"privateKey":   r.credential(&a.PrivateKey),
		"keyId":        r.Text(&a.KeyID),
		"authorizeUrl": r.Text(&a.AuthorizeURL),
		"tokenUrl":     r.Text(&a.TokenURL),
		"audience":     r.Text(&a.Audience),
		"scopes":       r.Texts(&a.Scopes),
		"dpop":         r.Flag(&a.DPoP),
	})
	if written != nil {
		r.authFields(n, a.Type, written)
	}
}

// authFields checks that the fields fit the kind of credential: one that is
// silently unused is a misunderstanding.
func (r *reader) authFields(n *yaml.Node, kind string, written map[string]*yaml.Node) {
	if written["type"] == nil {
		r.Wrong(n, "", "auth needs a type")
	}
	k, ok := authKinds[kind]
	if !ok {
		return
	}
	for _, name := range k.needs {
		if written[name] == nil {
			r.Wrong(n, "", "auth of type %s needs %s", kind, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if slices.Contains(authNames, name) && !slices.Contains(k.needs, name) && !slices.Contains(k.may, name) {
			r.Wrong(written[name], "remove it, or change the type", "auth of type %s has no use for %s", kind, name)
		}
	}
}

// authNames are the fields that some kind of credential has.
var authNames = func() []string {
	var names []string
	for _, k := range authKinds {
		names = slices.Concat(names, k.needs, k.may)
	}
	return names
}()

func (r *reader) limits(n *yaml.Node, l *Limits) {
	r.Mapping(n, "limits", map[string]strict.Field{
		"share":       r.Percent(&l.Share),
		"rate":        r.rate(&l.Rate),
		"concurrency": r.AtLeast(&l.Concurrency, 1),
	})
}

var perTime = regexp.MustCompile(`^([0-9.]+)(?:/(s|min|h))?$`)

// rate reads requests a second: 2.5, 10/s, 600/min, 5000/h.
func (r *reader) rate(into *float64) strict.Field {
	return func(n *yaml.Node) {
		var v float64
		m := perTime.FindStringSubmatch(n.Value)
		if m != nil {
			v, _ = strconv.ParseFloat(m[1], 64) // 0 is refused below
			v /= map[string]float64{"": 1, "s": 1, "min": 60, "h": 3600}[m[2]]
		}
		if !(v > 0 && v <= 1e6) {
			r.Wrong(n, "write it as 10/s or 600/min", "rate must be requests a second, more than 0")
			return
		}
		*into = v
	}
}

func (r *reader) run(n *yaml.Node, p *Run) {
	r.Mapping(n, "run", map[string]strict.Field{
		"successWithoutCriteria": r.Choice(&p.SuccessWithoutCriteria, "2xx", "any"),
		"actionLists":            r.Choice(&p.ActionLists, "merge", "replace"),
		"retryAfter":             r.Choice(&p.RetryAfter, "honour", "ignore"),
		"onDoubt":                r.Choice(&p.OnDoubt, "hold", "fail"),
		"quotedValues":           r.Choice(&p.QuotedValues, "reject", "verbatim"),
		"maxSteps":               r.AtLeast(&p.MaxSteps, 1),
		"maxRepeats":             r.AtLeast(&p.MaxRepeats, 1),
		"maxRetries":             r.AtLeast(&p.MaxRetries, 1),
		"maxRetryAfter":          r.AtLeast(&p.MaxRetryAfter, 1),
		"callTimeout":            r.AtLeast(&p.CallTimeout, 1),
		"runTimeout":             r.AtLeast(&p.RunTimeout, 1),
		"concurrency":            r.AtLeast(&p.Concurrency, 1),
	})
}

func (r *reader) serve(n *yaml.Node, s *Serve) {
	r.Mapping(n, "serve", map[string]strict.Field{
		"listen":    r.Text(&s.Listen),
		"apiPort":   r.AtLeast(&s.APIPort, 1),
		"oktaPort":  r.AtLeast(&s.OktaPort, 1),
		"auth0Port": r.AtLeast(&s.Auth0Port, 1),
		"tls":       r.Flag(&s.TLS),
		"plainHttp": r.Flag(&s.PlainHTTP),
	})
}
