package connector

import (
	"context"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Defaults of Options.
const (
	DefaultResends = 5
	DefaultMaxWait = 2 * time.Minute
)

// Options are what a Connector works with.
type Options struct {
	Config *config.Config // connections; may be nil
	// Book holds the connections that were added by command, which those of
	// Config win over by name, and what is known of any. It may be nil.
	Book *config.Book
	// Secrets resolves credentials. Its Env is also asked for the variables
	// that stand for a connection, such as OKTA_ORG_NAME.
	Secrets *secret.Resolver
	// Vault keeps what connections get for themselves: tokens of people who
	// signed in, and keys that tokens are bound to. Without it nobody can sign in.
	Vault  Vault
	Client *egress.Client
	Clock  Clock // nil: the machine's

	// Sandbox holds the base URL of each catalogue entry's stand-in in this
	// process, and SandboxToken the credential it accepts. The Client serves
	// those URLs in process.
	Sandbox      map[string]string
	SandboxToken secret.Value

	// Inside holds the base URL of what this process serves to its own runs without
	// a connection, by the name of its catalogue entry. The Client serves it in
	// process.
	Inside map[string]string

	// Resends is how often one call is sent again because the provider asked
	// for patience, and MaxWait how long it may be asked to wait each time.
	// Beyond them the provider's answer is the result.
	Resends int
	MaxWait time.Duration
}

// Vault is the part of a secret.Vault that connections write to. Exclusive keeps
// other processes from exchanging a refresh token at the same time.
type Vault interface {
	Get(ctx context.Context, name string) (secret.Value, error)
	Put(ctx context.Context, name string, v secret.Value) error
	Exclusive(ctx context.Context) (release func(), err error)
}

// VaultName is the name in the vault of what belongs to a connection: a field of
// its auth, or "tokens" and "dpop", which connections write themselves.
func VaultName(connection, field string) string { return VaultPrefix(connection) + field }

// VaultPrefix begins the names of all that the vault holds for a connection.
func VaultPrefix(connection string) string { return "connection/" + connection + "/" }

// Connector binds sources and performs their calls. It is safe for concurrent
// use; everything that runs on one connection shares its budget and tokens.
type Connector struct {
	opts Options

	mu          sync.Mutex // guards what follows
	connections map[string]bound
	identities  map[string]string // by connection, as the last test found
	shared      map[string]*shared
}

// New returns a Connector.
func New(o Options) *Connector {
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Resends == 0 {
		o.Resends = DefaultResends
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	c := &Connector{opts: o, shared: map[string]*shared{}}
	c.Use(o.Book)
	return c
}

// Use takes over another Book: connections may be added and removed while others
// are used.
func (c *Connector) Use(book *config.Book) {
	if book == nil {
		book = &config.Book{}
	}
	var env func(string) (string, bool)
	if c.opts.Secrets != nil {
		env = c.opts.Secrets.Env
	}
	all := connections(c.opts.Config, book, env)
	identities := map[string]string{}
	for name, mark := range book.Marks {
		identities[name] = mark.Identity
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections, c.identities = all, identities
}

// named returns a connection by its own name.
func (c *Connector) named(name string) (bound, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.connections[name]
	return b, ok
}
