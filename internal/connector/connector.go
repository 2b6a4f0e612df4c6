package connector

import (
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
	// Secrets resolves credentials. Its Env is also asked for the variables
	// that stand for a connection, such as OKTA_ORG_NAME.
	Secrets *secret.Resolver
	Client  *egress.Client
	Clock   Clock // nil: the machine's

	// Sandbox holds the base URL of each catalogue entry's stand-in in this
	// process, and SandboxToken the credential it accepts. The Client serves
	// those URLs in process.
	Sandbox      map[string]string
	SandboxToken secret.Value

	// Resends is how often one call is sent again because the provider asked
	// for patience, and MaxWait how long it may be asked to wait each time.
	// Beyond them the provider's answer is the result.
	Resends int
	MaxWait time.Duration
}

// Connector binds sources and performs their calls. It is safe for concurrent
// use; everything that runs on one connection shares its budget and tokens.
type Connector struct {
	opts        Options
	connections map[string]bound

	mu     sync.Mutex // guards shared
	shared map[string]*shared
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
	var env func(string) (string, bool)
	if o.Secrets != nil {
		env = o.Secrets.Env
	}
	return &Connector{opts: o, connections: connections(o.Config, env), shared: map[string]*shared{}}
}
