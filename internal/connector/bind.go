package connector

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/run"
)

// Source is what binding has to know of a document's source.
type Source struct {
	Name       string
	Title      string // of its description
	Location   string // where the description was read: relative servers start there
	Operations []*openapi.Operation
	Schemes    map[string]openapi.Scheme
}

// How a connection was bound.
const (
	ByFlag        = "--server"
	BySandbox     = "--sandbox"
	ByConfig      = "lanyard.yaml"
	ByCommand     = "connections add"
	ByEnvironment = "environment"
	ByProcess     = "this process"
	ByDescription = "description" // its default server; never with a credential
)

// Connection is a source bound to a server. It is immutable, holds no secret,
// and prints nothing that is one.
type Connection struct {
	Source       string
	Name         string // of the connection in lanyard.yaml; empty when none is used
	BoundBy      string
	Server       string   // base URL, without a slash at its end
	Credential   string   // kind: "none", "ssws", "client_credentials" ...
	Scopes       []string // that a token is asked for
	Hosts        []string // that may be called
	AllowPrivate bool
	Timeout      time.Duration // of one exchange; 0: the call's
	Entry        *catalog.Entry

	identity string // as the last test found
	auth     auth
	servers  map[*openapi.Operation]string // ByDescription: by operation
	schemes  map[string]openapi.Scheme
	shared   *shared
	selfMade bool // the sandbox: its limits are shown, not meant
}

// Bind chooses the server, credential and limits of a source for one run: a
// --server flag, the sandbox, the connection of lanyard.yaml or of the Book by
// the source's name or its catalogue entry's, variables of the environment. A server that the
// description names is used only when none of its operations asks for a
// credential, none is bound, and the provider is not one of the catalogue.
//
// Bind does no I/O and resolves no credential; see Open.
func (c *Connector) Bind(src Source, choices run.Bindings) (*Connection, error) {
	server := choices.Servers[src.Name]
	if other, ok := choices.Connections[src.Name]; ok {
		if !slices.Contains(c.Names(), other) {
			return nil, fault.New(fault.NotFound, "there is no connection %q", other).Fix("lanyard connections list shows them")
		}
		src.Name = other // bound as a source of that name is
	}
	entry := c.recognise(src, server)
	name, bound := c.configured(src.Name, entry)
	if own := catalog.Find(bound.Provider); own != nil {
		entry = own
	} else if bound.Provider != "" {
		return nil, fault.New(fault.Invalid, "there is no provider %q in the catalogue", bound.Provider).At("connections.%s.provider", name).
			Fix("use one of %s, or remove it", strings.Join(catalog.Names(), ", "))
	}
	conn := &Connection{
		Source: src.Name, Name: name, Entry: entry, schemes: src.Schemes,
		AllowPrivate: choices.AllowPrivate || bound.AllowPrivate,
		Timeout:      time.Duration(bound.Timeout) * time.Second,
	}
	switch sandbox := c.sandbox(entry); {
	case server != "":
		conn.BoundBy = ByFlag
	case choices.Sandbox && sandbox != "":
		return c.bindSandbox(conn, sandbox)
	case bound.Server != "":
		server, conn.BoundBy = bound.Server, bound.by
	case c.inside(entry) != "":
		return c.bindInside(conn), nil
	default:
		if server = fromVariables(src, bound.Variables); server != "" {
			conn.BoundBy = bound.by
		}
	}
	if server == "" {
		if err := bindDescription(conn, src, hasCredential(bound.Auth)); err != nil {
			return nil, err
		}
	} else {
		base, err := baseURL(server, entry)
		if err != nil {
			return nil, err.At("%s %s", conn.BoundBy, src.Name)
		}
		conn.Server, conn.Hosts = base, slices.Concat([]string{base}, bound.Hosts)
	}
	if err := conn.bindAuth(bound.Auth, src); err != nil {
		return nil, err
	}
	conn.shared = c.share(conn, bound.Limits)
	c.mu.Lock()
	conn.identity = c.identities[name]
	c.mu.Unlock()
	return conn, nil
}

// BindNamed binds a connection by its own name, without any document, to test it.
func (c *Connector) BindNamed(name string, choices run.Bindings) (*Connection, error) {
	if _, ok := c.named(name); !ok {
		return nil, fault.New(fault.NotFound, "there is no connection %q", name).Fix("lanyard connections list shows them, lanyard connections add makes one")
	}
	return c.Bind(Source{Name: name}, choices)
}

// Names returns the names of all connections in order.
func (c *Connector) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.connections))
}

// From says where a connection is from: ByConfig, ByCommand or ByEnvironment;
// empty when there is none of that name.
func (c *Connector) From(name string) string {
	b, _ := c.named(name)
	return b.by
}

// recognise finds the catalogue entry of a source.
func (c *Connector) recognise(src Source, server string) *catalog.Entry {
	own, _ := c.named(src.Name)
	servers := []string{server, own.Server}
	for _, op := range src.Operations {
		for _, s := range op.Servers {
			if !slices.Contains(servers, s.URL) {
				servers = append(servers, s.URL)
			}
			for _, v := range s.Variables {
				if default_ := "https://" + v.Default; !slices.Contains(servers, default_) {
					servers = append(servers, default_)
				}
			}
		}
	}
	return catalog.Match(src.Name, src.Title, servers)
}

// configured finds the connection for a source: under its own name, else under
// that of its catalogue entry, else the only one that says it is of that entry.
func (c *Connector) configured(source string, entry *catalog.Entry) (string, bound) {
	if conn, ok := c.named(source); ok {
		return source, conn
	}
	if entry == nil {
		return "", bound{}
	}
	if conn, ok := c.named(entry.Name); ok {
		return entry.Name, conn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var only string
	for name, conn := range c.connections {
		if conn.Provider != entry.Name {
			continue
		}
		if only != "" {
			return "", bound{} // which of them is meant has to be said
		}
		only = name
	}
	return only, c.connections[only]
}

func (c *Connector) sandbox(entry *catalog.Entry) string {
	if entry == nil {
		return ""
	}
	return c.opts.Sandbox[entry.Name]
}

// bindSandbox binds the stand-in in this process with its own credential:
// nothing of lanyard.yaml is used, and nothing of it can leak there.
func (c *Connector) bindSandbox(conn *Connection, base string) (*Connection, error) {
	usual := conn.Entry.Auth[0]
	conn.Name, conn.BoundBy, conn.selfMade, conn.AllowPrivate = "", BySandbox, true, false
	conn.Server, conn.Hosts, conn.Credential = strings.TrimRight(base, "/")+conn.Entry.BasePath, []string{base}, "sandbox"
	conn.auth = auth{kind: config.AuthBearer, in: inHeader, name: usual.Header, prefix: usual.Prefix, fixed: c.opts.SandboxToken}
	conn.shared = c.share(conn, config.Limits{})
	return conn, nil
}

func (c *Connector) inside(entry *catalog.Entry) string {
	if entry == nil {
		return ""
	}
	return c.opts.Inside[entry.Name]
}

// bindInside binds what this process serves itself. There is no credential: the
// call never leaves.
func (c *Connector) bindInside(conn *Connection) *Connection {
	base := c.inside(conn.Entry)
	conn.Name, conn.BoundBy, conn.selfMade, conn.AllowPrivate = "", ByProcess, true, false
	conn.Server, conn.Hosts, conn.Credential = strings.TrimRight(base, "/")+conn.Entry.BasePath, []string{base}, "none"
	conn.auth = auth{kind: config.AuthNone}
	conn.shared = c.share(conn, config.Limits{})
	return conn
}

// baseURL checks the base URL of a bound server. A provider's own host without a
// path gets the API's base path: nothing else is served there.
func baseURL(server string, entry *catalog.Entry) (string, *fault.Error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fault.New(fault.Usage, "the server is not a base URL").Fix("write it as https://host/base/path")
	}
	base := strings.TrimRight(server, "/")
	if entry != nil && strings.Trim(u.Path, "/") == "" && ownHost(entry, server) {
		base += entry.BasePath
	}
	return base, nil
}

// ownHost reports whether a server is the provider itself and not a stand-in.
func ownHost(entry *catalog.Entry, server string) bool {
	return entry != nil && catalog.Match("", "", []string{server}) == entry
}

// fromVariables fills in the description's server with variables of the
// operator. It counts as bound only when they name the whole host.
func fromVariables(src Source, vars map[string]string) string {
	if len(vars) == 0 {
		return ""
	}
	for _, op := range src.Operations {
		for _, s := range op.Servers {
			_, rest, _ := strings.Cut(s.URL, "://")
			host, _, _ := strings.Cut(rest, "/")
			if name := strings.TrimSuffix(strings.TrimPrefix(host, "{"), "}"); host != "{"+name+"}" || vars[name] == "" {
				continue
			}
			if base, err := openapi.ResolveServer(s, src.Location, vars); err == nil {
				return base
			}
		}
	}
	return ""
}

// bindDescription uses the servers that the description names, when nothing
// secret can go there.
func bindDescription(conn *Connection, src Source, credential bool) error {
	unbound := func(why string) error {
		e := fault.New(fault.Invalid, "source %s has no server: %s", src.Name, why)
		name := src.Name
		if conn.Name != "" {
			name = conn.Name
		}
		remedy := "bind one: connections." + name + ".server in lanyard.yaml, or --server " + src.Name + "=URL"
		if conn.Entry != nil && conn.Entry.Sandbox != "" {
			remedy += "; or try it with --sandbox"
		}
		return e.Fix("%s", remedy)
	}
	switch {
	case credential:
		return unbound("its description's default is never used with a credential")
	case conn.Entry != nil:
		return unbound("the tenant of " + conn.Entry.Title + " must be named")
	case len(src.Operations) == 0:
		return unbound("none is bound")
	}
	conn.BoundBy, conn.servers = ByDescription, map[*openapi.Operation]string{}
	for _, op := range src.Operations {
		if !isOpen(op) {
			return unbound("its description's default is never used where a credential is asked for")
		}
		if len(op.Servers) == 0 {
			return unbound("its description names none")
		}
		base, err := openapi.ResolveServer(op.Servers[0], src.Location, nil)
		if err != nil {
			return unbound(fault.Public(err))
		}
		conn.servers[op] = base
		if !slices.Contains(conn.Hosts, base) {
			conn.Hosts = append(conn.Hosts, base)
		}
	}
	conn.Server = conn.Hosts[0]
	return nil
}

// isOpen reports whether an operation can be called without a credential.
func isOpen(op *openapi.Operation) bool {
	return len(op.Security) == 0 || slices.ContainsFunc(op.Security, func(all map[string][]string) bool { return len(all) == 0 })
}

func hasCredential(a config.Auth) bool { return a.Type != "" && a.Type != config.AuthNone }

// base is the base URL of an operation, without a slash at its end: the base
// path is kept, and no slash doubled, when the operation's path is appended.
func (conn *Connection) base(op *openapi.Operation) string {
	if base, ok := conn.servers[op]; ok {
		return base
	}
	return conn.Server
}

// host is the host of the server, for messages.
func (conn *Connection) host() string {
	if u, err := url.Parse(conn.Server); err == nil {
		return u.Host
	}
	return conn.Source
}

// origin is scheme, host and port of the server.
func (conn *Connection) origin() string {
	o, err := egress.Origin(conn.Server)
	if err != nil {
		return ""
	}
	return o
}
