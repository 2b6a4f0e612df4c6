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

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// reader walks the file and gathers everything that is wrong with it.
type reader struct {
	file   string
	dir    string // of the file
	errors []error
}

func (r *reader) err() error { return fault.Join(r.errors...) }

func (r *reader) wrong(n *yaml.Node, remedy, format string, args ...any) {
	e := fault.New(fault.Invalid, format, args...).At("%s:%d:%d", r.file, n.Line, n.Column)
	if remedy != "" {
		e = e.Fix("%s", remedy)
	}
	r.errors = append(r.errors, e)
}

// field reads one value into its place.
type field func(n *yaml.Node)

// mapping reads a mapping with known keys.
func (r *reader) mapping(n *yaml.Node, what string, fields map[string]field) {
	n = follow(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "", "%s must be a mapping", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], follow(n.Content[i+1])
		read, ok := fields[key.Value]
		if !ok {
			r.wrong(key, "use one of "+keys(fields), "%s has no key %q", what, key.Value)
			continue
		}
		if !isNull(v) {
			read(v)
		}
	}
}

// named reads a mapping whose keys are names chosen by the user.
func (r *reader) named(n *yaml.Node, what string, entry func(name string, n *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "", "%s must be a mapping of names", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		entry(n.Content[i].Value, follow(n.Content[i+1]))
	}
}

func keys(fields map[string]field) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && value.FromYAML(n) == nil }

func (r *reader) text(into *string) field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.wrong(n, "", "this must be text")
			return
		}
		*into = n.Value
	}
}

// path reads the path of a file; a relative one starts at the configuration's
// folder.
func (r *reader) path(into *string) field {
	return func(n *yaml.Node) {
		r.text(into)(n)
		*into = r.resolve(*into)
	}
}

func (r *reader) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, filepath.FromSlash(path))
}

func (r *reader) flag(into *bool) field {
	return func(n *yaml.Node) {
		v, ok := value.FromYAML(n).(bool)
		if !ok {
			r.wrong(n, "", "this must be true or false")
			return
		}
		*into = v
	}
}

// number reads a whole number of at least least.
func (r *reader) number(into *int, least int) field {
	return func(n *yaml.Node) {
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || v < least {
			r.wrong(n, "", "this must be a whole number of at least %d", least)
			return
		}
		*into = v
	}
}

func (r *reader) choice(into *string, allowed ...string) field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !slices.Contains(allowed, n.Value) {
			r.wrong(n, "use one of "+strings.Join(allowed, ", "), "%q is not known here", n.Value)
			return
		}
		*into = n.Value
	}
}

func (r *reader) list(into *[]string) field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(n, "", "this must be a list")
			return
		}
		for _, item := range n.Content {
			var s string
			r.text(&s)(follow(item))
			*into = append(*into, s)
		}
	}
}

// credential reads a reference. The message never shows what stands there: it
// may be the secret itself.
func (r *reader) credential(into *string) field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !secret.IsRef(n.Value) {
			r.wrong(n, "write env:NAME, file:PATH or vault:NAME", "a credential must be a reference, not the value itself")
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
func (r *reader) hosts(into *[]string) field {
	return func(n *yaml.Node) {
		r.list(into)(n)
		for i, host := range *into {
			if !strings.Contains(host, "://") {
				host = "https://" + host
			}
			if _, ok := baseURL(host); !ok {
				r.wrong(follow(n.Content[i]), "write example.com, example.com:8443 or https://example.com", "this is not a host")
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
func (r *reader) serverURL(into *string) field {
	return func(n *yaml.Node) {
		if _, ok := baseURL(n.Value); n.Kind != yaml.ScalarNode || !ok {
			r.wrong(n, "write it as https://host/base/path", "this is not the base URL of a server")
			return
		}
		*into = n.Value
	}
}

func (r *reader) config(n *yaml.Node) *Config {
	c := &Config{Sources: map[string]Source{}, Connections: map[string]Connection{}}
	r.mapping(n, "the configuration", map[string]field{
		"sources": func(n *yaml.Node) {
			r.named(n, "sources", func(name string, n *yaml.Node) { c.Sources[name] = r.source(n) })
		},
		"connections": func(n *yaml.Node) {
			r.named(n, "connections", func(name string, n *yaml.Node) { c.Connections[name] = r.connection(n) })
		},
		"data":  r.path(&c.Data),
		"store": r.store(&c.Store),
		"run":   func(n *yaml.Node) { r.run(n, &c.Run) },
		"serve": func(n *yaml.Node) { r.serve(n, &c.Serve) },
	})
	return c
}

// store reads where runs and the directory are kept: a file, a server, or a
// reference to the server's address, which may then hold a password.
func (r *reader) store(into *string) field {
	const how = "write sqlite:PATH, postgres://USER@HOST/DATABASE, or env:NAME for an address with a password"
	return func(n *yaml.Node) {
		kind, rest, _ := strings.Cut(n.Value, ":")
		switch {
		case rest == "":
			r.wrong(n, how, "this store is not known")
		case kind == "sqlite":
			*into = "sqlite:" + r.resolve(rest)
		case kind == "postgres" || kind == "postgresql":
			if u, err := url.Parse(n.Value); err != nil || u.User != nil && hasPassword(u.User) {
				r.wrong(n, "write env:NAME and put the address there, or leave the password to PGPASSWORD or .pgpass", "a password must not stand in the file")
				return
			}
			*into = n.Value
		case kind == "env":
			*into = n.Value
		case kind == "file":
			*into = "file:" + r.resolve(rest)
		default:
			r.wrong(n, how, "this store is not known")
		}
	}
}

func hasPassword(u *url.Userinfo) bool {
	_, ok := u.Password()
	return ok
}

func (r *reader) source(n *yaml.Node) Source {
	var s Source
	r.mapping(n, "a source", map[string]field{"file": r.path(&s.File), "url": r.text(&s.URL)})
	if (s.File == "") == (s.URL == "") && n.Kind == yaml.MappingNode {
		r.wrong(n, "", "a source needs either file or url")
	}
	return s
}

func (r *reader) connection(n *yaml.Node) Connection {
	c := Connection{Variables: map[string]string{}}
	r.mapping(n, "a connection", r.connectionFields(&c))
	return c
}

func (r *reader) connectionFields(c *Connection) map[string]field {
	return map[string]field{
		"provider":     r.text(&c.Provider),
		"server":       r.serverURL(&c.Server),
		"hosts":        r.hosts(&c.Hosts),
		"allowPrivate": r.flag(&c.AllowPrivate),
		"timeout":      r.number(&c.Timeout, 1),
		"auth":         func(n *yaml.Node) { r.auth(n, &c.Auth) },
		"limits":       func(n *yaml.Node) { r.limits(n, &c.Limits) },
		"variables": func(n *yaml.Node) {
			r.named(n, "variables", func(name string, n *yaml.Node) {
				var s string
				r.text(&s)(n)
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
	r.mapping(n, "auth", map[string]field{
		"type":         r.choice(&a.Type, AuthNone, AuthSSWS, AuthAPIKey, AuthBearer, AuthBasic, AuthClientCredentials, AuthPrivateKeyJWT, AuthAuthorizationCode),
		"token":        r.credential(&a.Token),
		"in":           r.choice(&a.In, "header", "query", "cookie"),
		"name":         r.text(&a.Name),
		"prefix":       r.text(&a.Prefix),
		"username":     r.text(&a.Username),
		"password":     r.credential(&a.Password),
		"clientId":     r.text(&a.ClientID),
		"clientSecret": r.credential(&a.ClientSecret),
		"clientAuth":   r.choice(&a.ClientAuth, "post", "basic"),
		"privateKey":   r.credential(&a.PrivateKey),
		"keyId":        r.text(&a.KeyID),
		"authorizeUrl": r.text(&a.AuthorizeURL),
		"tokenUrl":     r.text(&a.TokenURL),
		"audience":     r.text(&a.Audience),
		"scopes":       r.list(&a.Scopes),
		"dpop":         r.flag(&a.DPoP),
	})
	if n.Kind == yaml.MappingNode {
		r.authFields(n, a.Type)
	}
}

// authFields checks that the fields fit the kind of credential: one that is
// silently unused is a misunderstanding.
func (r *reader) authFields(n *yaml.Node, kind string) {
	written := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isNull(follow(n.Content[i+1])) {
			written[n.Content[i].Value] = n.Content[i]
		}
	}
	if written["type"] == nil {
		r.wrong(n, "", "auth needs a type")
	}
	k, ok := authKinds[kind]
	if !ok {
		return
	}
	for _, name := range k.needs {
		if written[name] == nil {
			r.wrong(n, "", "auth of type %s needs %s", kind, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if slices.Contains(authNames, name) && !slices.Contains(k.needs, name) && !slices.Contains(k.may, name) {
			r.wrong(written[name], "remove it, or change the type", "auth of type %s has no use for %s", kind, name)
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

var percent = regexp.MustCompile(`^([0-9]{1,3})%$`)

func (r *reader) limits(n *yaml.Node, l *Limits) {
	r.mapping(n, "limits", map[string]field{
		"share": func(n *yaml.Node) {
			m := percent.FindStringSubmatch(n.Value)
			if m == nil {
				r.wrong(n, "write it as 50%", "share must be a percentage")
				return
			}
			l.Share, _ = strconv.Atoi(m[1]) // digits only
			if l.Share < 1 || l.Share > 100 {
				r.wrong(n, "", "share must be between 1%% and 100%%")
			}
		},
		"rate":        r.rate(&l.Rate),
		"concurrency": r.number(&l.Concurrency, 1),
	})
}

var perTime = regexp.MustCompile(`^([0-9.]+)(?:/(s|min|h))?$`)

// rate reads requests a second: 2.5, 10/s, 600/min, 5000/h.
func (r *reader) rate(into *float64) field {
	return func(n *yaml.Node) {
		var v float64
		m := perTime.FindStringSubmatch(n.Value)
		if m != nil {
			v, _ = strconv.ParseFloat(m[1], 64) // 0 is refused below
			v /= map[string]float64{"": 1, "s": 1, "min": 60, "h": 3600}[m[2]]
		}
		if !(v > 0 && v <= 1e6) {
			r.wrong(n, "write it as 10/s or 600/min", "rate must be requests a second, more than 0")
			return
		}
		*into = v
	}
}

func (r *reader) run(n *yaml.Node, p *Run) {
	r.mapping(n, "run", map[string]field{
		"successWithoutCriteria": r.choice(&p.SuccessWithoutCriteria, "2xx", "any"),
		"actionLists":            r.choice(&p.ActionLists, "merge", "replace"),
		"retryAfter":             r.choice(&p.RetryAfter, "honour", "ignore"),
		"onDoubt":                r.choice(&p.OnDoubt, "hold", "fail"),
		"quotedValues":           r.choice(&p.QuotedValues, "reject", "verbatim"),
		"maxSteps":               r.number(&p.MaxSteps, 1),
		"maxRepeats":             r.number(&p.MaxRepeats, 1),
		"maxRetries":             r.number(&p.MaxRetries, 1),
		"maxRetryAfter":          r.number(&p.MaxRetryAfter, 1),
		"callTimeout":            r.number(&p.CallTimeout, 1),
		"runTimeout":             r.number(&p.RunTimeout, 1),
		"concurrency":            r.number(&p.Concurrency, 1),
	})
}

func (r *reader) serve(n *yaml.Node, s *Serve) {
	r.mapping(n, "serve", map[string]field{
		"listen":    r.text(&s.Listen),
		"apiPort":   r.number(&s.APIPort, 1),
		"oktaPort":  r.number(&s.OktaPort, 1),
		"auth0Port": r.number(&s.Auth0Port, 1),
		"tls":       r.flag(&s.TLS),
		"plainHttp": r.flag(&s.PlainHTTP),
	})
}
