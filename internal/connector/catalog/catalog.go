package catalog

import (
	"bytes"
	"embed"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

//go:embed */profile.yaml */openapi.yaml */actions/*.arazzo.yaml
var files embed.FS

// entries reads the embedded files once: they cannot change while we run.
var entries = sync.OnceValues(func() ([]*Entry, error) { return read(files) })

// All returns the entries, ordered by name. They are shared: nobody may write
// to them. An error means that the binary was built with a wrong profile.
func All() ([]*Entry, error) {
	list, err := entries()
	return slices.Clone(list), err
}

// Find returns the entry with the given name, nil when there is none.
func Find(name string) *Entry {
	list, _ := entries() // the embedded profiles are right, a test holds them to it
	i := slices.IndexFunc(list, func(e *Entry) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// Names returns the names of the entries in order.
func Names() []string {
	list, _ := entries() // as above
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name
	}
	return names
}

// Entry is what the catalogue knows of one provider: its profile.yaml.
type Entry struct {
	Name  string `yaml:"-"`     // of the folder, and of the connection that serves every source of this provider
	Title string `yaml:"title"` // for people

	Match Patterns `yaml:"match"`

	// BasePath is the path of the API on the provider's server: the paths of
	// the description, of Probes and of Forecast follow it. It is empty when
	// they begin at the root.
	BasePath string `yaml:"basePath"`

	Auth        []Auth      `yaml:"auth"` // the kinds of credential that it accepts, the preferred first
	Environment Environment `yaml:"environment"`
	RateLimit   RateLimit   `yaml:"rateLimit"`

	// NotProcessed are the statuses by which the provider says that it did
	// nothing: such a call may be sent again, whatever it does.
	NotProcessed []int `yaml:"notProcessed"`

	// ScopeIncludes says by their ends which scopes include others: with
	// .manage: .read, users.manage includes users.read.
	ScopeIncludes map[string]string `yaml:"scopeIncludes"`

	Probes   []Probe  `yaml:"probes"`
	Forecast Forecast `yaml:"forecast"`

	// DescriptionFile is the name of the built-in description in the folder.
	DescriptionFile string `yaml:"description"`

	// Sandbox is the façade that plays the provider in the sandbox: "okta" or
	// "auth0". It is empty when none does.
	Sandbox string `yaml:"sandbox"`

	// Inside says that this program serves the API itself, to its own runs, without a
	// connection.
	Inside bool `yaml:"inside"`

	// ErrorCode is a JSON Pointer into the body of a refusal to the code that
	// tells what went wrong, NotFound the code that says that there is nothing of
	// that name. Remedies say what to do about errors of any operation, by code.
	ErrorCode string            `yaml:"errorCode"`
	NotFound  string            `yaml:"notFound"`
	Remedies  map[string]string `yaml:"remedies"`

	description []byte
	actions     map[string][]byte // files of the folder actions, by their name without its end
}

// Patterns say by what a source is recognised. In a pattern, * stands for any
// text, empty too; case makes no difference.
type Patterns struct {
	Hosts  []string `yaml:"hosts"`  // of a server
	Titles []string `yaml:"titles"` // info.title of the description
	Names  []string `yaml:"names"`  // the source's name in the document
}

// Auth is one kind of credential that a provider accepts.
type Auth struct {
	// Type is the kind as in lanyard.yaml: ssws, apiKey, bearer, basic,
	// client_credentials, private_key_jwt or authorization_code.
	Type string `yaml:"type"`

	// The credential is sent in the header Header, after Prefix, which ends in
	// a blank where one belongs: "SSWS ".
	Header string `yaml:"header"`
	Prefix string `yaml:"prefix"`

	// TokenURL and Audience are those of OAuth 2.0, empty for other kinds.
	// {origin} stands for scheme, host and port of the bound server; see At.
	TokenURL string `yaml:"tokenUrl"`
	Audience string `yaml:"audience"`

	// AuthorizeURL is where people sign in (authorization_code); {origin} as above.
	AuthorizeURL string `yaml:"authorizeUrl"`
	// Scopes are asked for when nothing else says which (authorization_code).
	Scopes []string `yaml:"scopes"`
	// Grant tells an admin how to grant a client further scopes.
	Grant string `yaml:"grant"`

	// SendScopes says that a token request must name the scopes; without it
	// the provider issues all that the client was granted.
	SendScopes bool `yaml:"sendScopes"`

	// Answers explain what the token endpoint refuses, by status.
	Answers map[int]Answer `yaml:"answers"`
}

// OAuth reports whether the credential is exchanged for a token first.
func (a Auth) OAuth() bool { return a.TokenURL != "" }

// At returns a with the origin of the bound server, an absolute URL, filled in
// to TokenURL and Audience. The error is a fault of kind Invalid.
func (a Auth) At(server string) (Auth, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Auth{}, fault.New(fault.Invalid, "the server is not an absolute URL").Fix("write it as https://host/base/path")
	}
	origin := u.Scheme + "://" + u.Host
	a.TokenURL, a.Audience, a.AuthorizeURL = withOrigin(a.TokenURL, origin), withOrigin(a.Audience, origin), withOrigin(a.AuthorizeURL, origin)
	return a, nil
}

// Credential returns how the provider takes credentials of the given type.
func (e *Entry) Credential(authType string) (Auth, bool) {
	for _, a := range e.Auth {
		if a.Type == authType {
			return a, true
		}
	}
	return Auth{}, false
}

// Environment names the environment variables that make a connection when
// lanyard.yaml has none.
type Environment struct {
	// Server is the base URL, with the names of variables in braces.
	Server string `yaml:"server"`
	// Defaults are the values of variables in Server that may be left unset.
	Defaults map[string]string `yaml:"defaults"`
	// Auth is the type of credential that Credential makes.
	Auth string `yaml:"auth"`
	// Credential names the variable for each field of the credential in
	// lanyard.yaml: token: OKTA_API_TOKEN.
	Credential map[string]string `yaml:"credential"`
}

// RateLimit says how a provider announces its limits, and how long a caller
// who was refused has to wait:
//
//   - as long as Retry-After says, when RetryAfter is set and the header is there;
//   - else until the time in the header Reset, compared with the answer's Date
//     and not with our clock, and Margin seconds more.
type RateLimit struct {
	Limit     string `yaml:"limit"`     // header: calls in a window
	Remaining string `yaml:"remaining"` // header: calls left in it
	Reset     string `yaml:"reset"`     // header: when the window ends, in seconds since 1970

	RetryAfter bool `yaml:"retryAfter"`
	Margin     int  `yaml:"marginSeconds"`

	// ZeroIsConcurrency: a 429 with both Limit and Remaining 0 means too many
	// calls at the same time, not too many in the window. Its Reset is only an
	// estimate; what helps is fewer calls at once.
	ZeroIsConcurrency bool `yaml:"zeroIsConcurrency"`
	// Concurrency is how many calls the provider serves at the same time, 0
	// when it does not say.
	Concurrency int `yaml:"concurrency"`
}

// Probe is a call that only reads, by which a connection is tested.
type Probe struct {
	// Auth limits the probe to credentials of these types; empty: all.
	Auth   []string          `yaml:"auth"`
	Method string            `yaml:"method"`
	Path   string            `yaml:"path"` // relative to the server, BasePath not included
	Query  map[string]string `yaml:"query"`
	// Identity is a JSON Pointer into the answer to the name of who the
	// credential belongs to; empty when the answer does not tell.
	Identity string `yaml:"identity"`
	// Answers explain what else than success may come, by status.
	Answers map[int]Answer `yaml:"answers"`
	// Scopes are those that the call needs.
	Scopes []string `yaml:"scopes"`
	// Role explains what it means when the scopes are there and the call is
	// forbidden all the same, or shows an empty list: the identity lacks a role.
	// Nil: the provider has no such thing.
	Role *Answer `yaml:"role"`
}

// Answer explains a status to an admin.
type Answer struct {
	Meaning string `yaml:"meaning"`
	Remedy  string `yaml:"remedy"`
	// Mark is the state of the connection that it shows, when that is not
	// "broken": MissingScopes.
	Mark string `yaml:"mark"`
}

// MissingScopes is the mark of a connection whose identity was not granted the
// scopes that are asked for.
const MissingScopes = "missing scopes"

// Includes reports whether the scope that was granted allows what needs another.
func (e *Entry) Includes(granted, needed string) bool {
	if granted == needed {
		return true
	}
	for larger, smaller := range e.ScopeIncludes {
		if stem, ok := strings.CutSuffix(granted, larger); ok && stem+smaller == needed {
			return true
		}
	}
	return false
}

// Probe returns the probe for a credential of the given type, nil when there is
// none.
func (e *Entry) Probe(authType string) *Probe {
	for i, p := range e.Probes {
		if len(p.Auth) == 0 || slices.Contains(p.Auth, authType) {
			return &e.Probes[i]
		}
	}
	return nil
}

// Description returns the built-in OpenAPI description. Nobody may write to it.
func (e *Entry) Description() []byte { return e.description }

// DescriptionAt returns the built-in description with a server's base URL in
// place of the one to be filled in, for tools that call it.
func (e *Entry) DescriptionAt(server string) ([]byte, error) {
	head, rest, ok := bytes.Cut(e.description, []byte("\nservers:\n"))
	_, paths, ok2 := bytes.Cut(rest, []byte("\npaths:\n"))
	quoted, err := json.Marshal(server) // a string in double quotes is YAML too
	if !ok || !ok2 || err != nil {
		return nil, fault.New(fault.Internal, "the description has no servers before its paths").At("%s/%s", e.Name, e.DescriptionFile)
	}
	return slices.Concat(head, []byte("\nservers:\n  - url: "), quoted, []byte("\npaths:\n"), paths), nil
}

// Aliases maps the names that other editions of the provider's published
// description have for an operation to the operationId in ours
// (x-lanyard-aliases). A name that means something else in another edition is
// no alias. The names of parameters may differ between editions too; they are
// not translated.
func (e *Entry) Aliases() (map[string]string, error) {
	tree, err := value.ParseYAML(e.description, e.Name+"/"+e.DescriptionFile)
	if err != nil {
		return nil, err
	}
	aliases := map[string]string{}
	document, _ := value.FromYAML(tree).(map[string]any)
	paths, _ := document["paths"].(map[string]any)
	for _, item := range paths {
		operations, _ := item.(map[string]any)
		for _, o := range operations {
			operation, _ := o.(map[string]any)
			id, _ := operation["operationId"].(string)
			others, _ := operation["x-lanyard-aliases"].([]any)
			for _, other := range others {
				if name, ok := other.(string); ok && id != "" {
					aliases[name] = id
				}
			}
		}
	}
	return aliases, nil
}
