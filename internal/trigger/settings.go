package trigger

import (
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Trigger is one entry of triggers:, read and checked. It does not change.
type Trigger struct {
	Name        string
	Description string
	Place       string // "lanyard.yaml:12:3"
	Enabled     bool   // as written; Switch has what was decided since
	Action      Action
	Inputs      *Mapping            // nil: as the kind says
	Filter      *compute.Expression // nil: every event
	Concurrent  int                 // runs at the same time; 0: as many as come

	// One of them is set.
	Schedule  *Schedule
	Endpoint  *Endpoint
	Okta      *OktaEvents
	Auth0     *Auth0Events
	Directory *Changes
}

// Action is what a trigger starts: a flow or an import.
type Action struct {
	File         string         `json:"file,omitempty"`     // of the flow
	Workflow     string         `json:"workflow,omitempty"` // empty: the first of the document
	Flow         string         `json:"flow,omitempty"`     // as written: "joiner.arazzo.yaml#welcome"
	Import       string         `json:"import,omitempty"`   // name of the import
	Dialect      arazzo.Dialect `json:"dialect,omitempty"`
	Sandbox      bool           `json:"sandbox,omitempty"`
	AllowPrivate bool           `json:"allowPrivate,omitempty"`
}

// String names the action for people.
func (a Action) String() string {
	if a.Import != "" {
		return "import " + a.Import
	}
	return a.Flow
}

// Kind is what sort of happening a trigger waits for.
type Kind string

// The kinds.
const (
	ScheduleKind  Kind = "schedule"
	EndpointKind  Kind = "endpoint"
	OktaKind      Kind = "okta"
	Auth0Kind     Kind = "auth0"
	DirectoryKind Kind = "directory"
)

// Kind returns what sort of happening the trigger waits for.
func (t *Trigger) Kind() Kind {
	switch {
	case t.Schedule != nil:
		return ScheduleKind
	case t.Endpoint != nil:
		return EndpointKind
	case t.Okta != nil:
		return OktaKind
	case t.Auth0 != nil:
		return Auth0Kind
	}
	return DirectoryKind
}

// Listens reports whether requests from outside start the trigger.
func (t *Trigger) Listens() bool { return t.Endpoint != nil || t.Okta != nil || t.Auth0 != nil }

// When says in words when the trigger fires.
func (t *Trigger) When() string {
	switch {
	case t.Schedule != nil:
		return t.Schedule.Cron.String()
	case t.Endpoint != nil:
		return "POST " + HooksPath + t.Name + " (" + t.Endpoint.Auth.String() + ")"
	case t.Okta != nil:
		return "Okta events at " + HooksPath + t.Name
	case t.Auth0 != nil:
		return "Auth0 events at " + HooksPath + t.Name
	}
	return t.Directory.String()
}

// HooksPath is where requests for triggers go: the name of the trigger follows.
const HooksPath = "/hooks/"

// validName is what a trigger may be called: the name is part of an address.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Read reads the triggers of a configuration, in the order of their names, and
// reports everything that is wrong with them at once.
func Read(sections map[string]config.Section) ([]*Trigger, error) {
	var out []*Trigger
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		t, err := readOne(name, sections[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, t)
	}
	return out, fault.Join(errs...)
}

// readOne reads one trigger. Everything that is wrong with it is reported at
// once, each mistake with its line and column.
func readOne(name string, s config.Section) (*Trigger, error) {
	r := &reader{Reader: strict.Reader{File: s.File, NullIsAbsent: true}, dir: s.Dir}
	n := strict.Follow(s.Node)
	t := &Trigger{Name: name, Enabled: true, Place: s.File + ":" + strconv.Itoa(n.Line) + ":" + strconv.Itoa(n.Column)}
	if !validName.MatchString(name) {
		r.Wrong(n, "use letters, digits, dots, dashes and underscores, 64 at most", "%q cannot be the name of a trigger", name)
	}
	r.trigger(n, t)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// reader knows the format of a trigger.
type reader struct {
	strict.Reader
	dir string
}

// kinds are the keys of which a trigger has exactly one.
var kinds = []string{string(ScheduleKind), string(EndpointKind), string(OktaKind), string(Auth0Kind), string(DirectoryKind)}

func (r *reader) trigger(n *yaml.Node, t *Trigger) {
	var dialect string
	written := r.Mapping(n, "a trigger", map[string]strict.Field{
		"description":  r.Text(&t.Description),
		"enabled":      r.Flag(&t.Enabled),
		"flow":         r.flow(&t.Action),
		"import":       r.Text(&t.Action.Import),
		"dialect":      r.Choice(&dialect, string(arazzo.Strict), string(arazzo.Compat)),
		"sandbox":      r.Flag(&t.Action.Sandbox),
		"allowPrivate": r.Flag(&t.Action.AllowPrivate),
		"concurrent":   r.AtLeast(&t.Concurrent, 1),
		"inputs":       r.inputs(&t.Inputs),
		"filter":       r.filter(&t.Filter),
		"schedule":     func(n *yaml.Node) { t.Schedule = r.schedule(n) },
		"endpoint":     func(n *yaml.Node) { t.Endpoint = r.endpoint(n) },
		"okta":         func(n *yaml.Node) { t.Okta = r.okta(n) },
		"auth0":        func(n *yaml.Node) { t.Auth0 = r.auth0(n) },
		"directory":    func(n *yaml.Node) { t.Directory = r.directory(n) },
	})
	if written == nil {
		return
	}
	t.Action.Dialect = arazzo.Dialect(dialect)
	switch {
	case (written["flow"] == nil) == (written["import"] == nil):
		r.Wrong(n, "write flow: FILE#WORKFLOW or import: NAME", "a trigger starts either a flow or an import")
	case written["import"] != nil && written["inputs"] != nil:
		r.Wrong(written["inputs"], "", "an import has no inputs")
	}
	has := 0
	for _, kind := range kinds {
		if written[kind] != nil {
			has++
		}
	}
	if has != 1 {
		r.Wrong(n, "write one of "+strings.Join(kinds, ", "), "a trigger waits for exactly one thing")
	}
	if t.Schedule != nil {
		if written["concurrent"] != nil {
			r.Wrong(written["concurrent"], "say overlap: skip, queue or allow", "a schedule has no concurrent")
		}
		if written["filter"] != nil {
			r.Wrong(written["filter"], "", "a schedule has nothing to filter")
		}
		if t.Schedule.Overlap != OverlapAllow {
			t.Concurrent = 1
		}
	}
}

// flow reads FILE or FILE#WORKFLOW. The file starts at the configuration's folder.
func (r *reader) flow(into *Action) strict.Field {
	return func(n *yaml.Node) {
		var text string
		r.Text(&text)(n)
		file, workflow, marked := strings.Cut(text, "#")
		if file == "" || marked && workflow == "" {
			r.Wrong(n, "write FILE or FILE#WORKFLOW", "%q does not name a flow", text)
			return
		}
		into.Flow, into.File, into.Workflow = path.Clean(filepath.ToSlash(file)), file, workflow
		if workflow != "" {
			into.Flow += "#" + workflow
		}
		if !filepath.IsAbs(file) && !strings.Contains(file, "://") {
			into.File = filepath.Join(r.dir, filepath.FromSlash(file))
		}
	}
}

func (r *reader) inputs(into **Mapping) strict.Field {
	return func(n *yaml.Node) {
		given, ok := value.FromYAML(n).(map[string]any)
		if !ok {
			r.Wrong(n, "", "inputs must be a mapping")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 { // one by one, for their places
			name := strict.Follow(n.Content[i]).Value
			if _, err := CompileMapping(map[string]any{name: given[name]}); err != nil {
				r.Wrong(n.Content[i+1], "", "%s", fault.Public(err))
			}
		}
		*into, _ = CompileMapping(given)
	}
}

func (r *reader) filter(into **compute.Expression) strict.Field {
	return func(n *yaml.Node) {
		var text string
		r.Text(&text)(n)
		e, err := compute.Parse(text)
		if err != nil {
			r.Wrong(n, "", "%s", fault.Public(err))
			return
		}
		for _, v := range e.Variables() {
			root, _, _ := strings.Cut(v.Name, ".")
			if root != "event" && root != "user" {
				r.Wrong(n, "use event, or user for the person of a directory change", "the filter knows no %q", v.Name)
			}
		}
		if calls := e.Calls(); len(calls) > 0 {
			for _, c := range calls {
				if !compute.IsFunction(c.Name) {
					r.Wrong(n, "", "the filter knows no function %q", c.Name)
				}
			}
		}
		*into = e
	}
}

func (r *reader) schedule(n *yaml.Node) *Schedule {
	s := &Schedule{}
	var text, zone string
	var catchUp, overlap string
	written := r.Mapping(n, "a schedule", map[string]strict.Field{
		"cron":         r.Text(&text),
		"zone":         r.Text(&zone),
		"catchUp":      r.Choice(&catchUp, string(CatchNone), string(CatchOne), string(CatchAll)),
		"catchUpLimit": r.Between(&s.Limit, 1, 1000),
		"overlap":      r.Choice(&overlap, string(OverlapSkip), string(OverlapQueue), string(OverlapAllow)),
		"jitter":       r.duration(&s.Jitter, 0, 24*time.Hour),
	})
	if written == nil {
		return s
	}
	s.CatchUp, s.Overlap = CatchUp(orText(catchUp, string(CatchOne))), Overlap(orText(overlap, string(OverlapSkip)))
	if written["cron"] == nil {
		r.Wrong(n, `write cron: "30 6 * * 1-5"`, "a schedule needs cron")
		return s
	}
	if written["catchUpLimit"] != nil && s.CatchUp != CatchAll {
		r.Wrong(written["catchUpLimit"], "", "only catchUp: all has a limit")
	}
	if s.CatchUp == CatchAll && s.Overlap == OverlapSkip {
		r.Wrong(written["catchUp"], "say overlap: queue or allow", "with overlap: skip all but the first of the missed runs would be left out")
	}
	c, err := ParseCron(text, zone)
	if err != nil {
		at := written["cron"]
		if written["zone"] != nil && strings.Contains(fault.Public(err), "time zone") && !strings.Contains(text, "TZ=") {
			at = written["zone"]
		}
		r.fault(at, err)
		return s
	}
	s.Cron = c
	return s
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// fault notes what another reader said, here.
func (r *reader) fault(n *yaml.Node, err error) {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // readers of single values return plain faults
		r.Wrong(n, e.Remedy, "%s", e.Msg)
		return
	}
	r.Wrong(n, "", "%s", fault.Public(err))
}

// credential reads a reference, never the secret itself.
func (r *reader) credential(into *secret.Ref) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !secret.IsRef(n.Value) {
			r.Wrong(n, "write env:NAME, file:PATH or vault:NAME", "a credential must be a reference, not the value itself")
			return
		}
		*into = secret.Ref(n.Value)
		if file, ok := strings.CutPrefix(n.Value, "file:"); ok && !filepath.IsAbs(file) {
			*into = secret.Ref("file:" + filepath.Join(r.dir, filepath.FromSlash(file)))
		}
	}
}

// duration reads 30s, 5m, 24h or 7d.
func (r *reader) duration(into *time.Duration, least, most time.Duration) strict.Field {
	return func(n *yaml.Node) {
		d, err := time.ParseDuration(n.Value)
		if days, ok := strings.CutSuffix(n.Value, "d"); ok {
			var count int
			count, err = strconv.Atoi(days)
			d = time.Duration(min(count, 100_000)) * 24 * time.Hour
		}
		if n.Kind != yaml.ScalarNode || err != nil || d < least || d > most {
			r.Wrong(n, "write it as 30s, 5m, 24h or 7d", "this must be a time from %v to %v", least, most)
			return
		}
		*into = d
	}
}

// header reads the name of an HTTP header.
func (r *reader) header(into *string) strict.Field {
	return func(n *yaml.Node) {
		r.Text(into)(n)
		if !validHeader.MatchString(*into) {
			r.Wrong(n, "", "%q is not the name of a header", *into)
		}
	}
}

var validHeader = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// schema reads a JSON Schema.
func (r *reader) schema(into **plan.Schema) strict.Field {
	return func(n *yaml.Node) {
		raw, ok := value.FromYAML(n).(map[string]any)
		if !ok {
			r.Wrong(n, "", "a schema must be a mapping")
			return
		}
		s, err := plan.CompileSchema(raw)
		if err != nil {
			r.Wrong(n, "see json-schema.org for draft 2020-12; references stay within it", "this is no valid JSON Schema")
			return
		}
		*into = s
	}
}

func (r *reader) limits(into *Limits) strict.Field {
	return func(n *yaml.Node) {
		r.Mapping(n, "limits", map[string]strict.Field{
			"body":  r.Between(&into.Body, 1, 16<<20),
			"rate":  r.Between(&into.Rate, 1, 10_000),
			"burst": r.Between(&into.Burst, 1, 100_000),
		})
	}
}

func (r *reader) endpoint(n *yaml.Node) *Endpoint {
	e := &Endpoint{Mode: ModeAccept, Timeout: defaultTimeout}
	var mode string
	written := r.Mapping(n, "an endpoint", map[string]strict.Field{
		"auth":           func(n *yaml.Node) { r.auth(n, &e.Auth) },
		"schema":         r.schema(&e.Schema),
		"mode":           r.Choice(&mode, string(ModeAccept), string(ModeWait)),
		"timeout":        r.duration(&e.Timeout, time.Second, 5*time.Minute),
		"idempotencyKey": r.required(&e.KeyRequired),
		"limits":         r.limits(&e.Limits),
	})
	if written == nil {
		return e
	}
	e.Mode = Mode(orText(mode, string(ModeAccept)))
	if written["auth"] == nil {
		r.Wrong(n, "write auth: with hmac, token or oauth; or auth: {public: true} when everybody may start the flow", "an endpoint needs auth")
	}
	if written["timeout"] != nil && e.Mode != ModeWait {
		r.Wrong(written["timeout"], "say mode: wait", "only an endpoint that waits has a timeout")
	}
	return e
}

// required reads required or optional.
func (r *reader) required(into *bool) strict.Field {
	return func(n *yaml.Node) {
		var s string
		r.Choice(&s, "required", "optional")(n)
		*into = s == "required"
	}
}

func (r *reader) auth(n *yaml.Node, a *Auth) {
	var public bool
	written := r.Mapping(n, "auth", map[string]strict.Field{
		"hmac":   func(n *yaml.Node) { a.HMAC = r.hmac(n) },
		"token":  func(n *yaml.Node) { a.Token = r.token(n) },
		"oauth":  func(n *yaml.Node) { a.OAuth = r.oauth(n) },
		"public": r.Flag(&public),
	})
	if written == nil {
		return
	}
	a.Public = public
	if len(written) != 1 || written["public"] != nil && !public {
		r.Wrong(n, "write one of hmac, token, oauth, or public: true", "auth says one way to tell who calls")
	}
}

func (r *reader) hmac(n *yaml.Node) *HMAC {
	h := &HMAC{Signature: defaultSignature, Timestamp: defaultTimestamp, Window: defaultWindow}
	written := r.Mapping(n, "hmac", map[string]strict.Field{
		"secret":    r.credential(&h.Secret),
		"signature": r.header(&h.Signature),
		"timestamp": r.header(&h.Timestamp),
		"window":    r.duration(&h.Window, 10*time.Second, time.Hour),
	})
	if written != nil && written["secret"] == nil {
		r.Wrong(n, "write secret: env:NAME", "hmac needs a secret")
	}
	return h
}

func (r *reader) token(n *yaml.Node) *Token {
	t := &Token{}
	if n.Kind == yaml.ScalarNode {
		r.credential(&t.Secret)(n)
		return t
	}
	written := r.Mapping(n, "token", map[string]strict.Field{
		"secret": r.credential(&t.Secret),
		"query":  r.Flag(&t.Query),
	})
	if written != nil && written["secret"] == nil {
		r.Wrong(n, "write secret: env:NAME", "token needs a secret")
	}
	return t
}

func (r *reader) oauth(n *yaml.Node) *OAuth {
	o := &OAuth{}
	written := r.Mapping(n, "oauth", map[string]strict.Field{
		"issuer":       r.url(&o.Issuer),
		"jwks":         r.url(&o.JWKS),
		"audience":     r.Text(&o.Audience),
		"scopes":       r.Texts(&o.Scopes),
		"clients":      r.Texts(&o.Clients),
		"allowPrivate": r.Flag(&o.AllowPrivate),
	})
	for _, needs := range []string{"issuer", "audience"} {
		if written != nil && written[needs] == nil {
			r.Wrong(n, "", "oauth needs %s", needs)
		}
	}
	return o
}

// url reads the address of a server.
func (r *reader) url(into *string) strict.Field {
	return func(n *yaml.Node) {
		r.Text(into)(n)
		if !strings.HasPrefix(*into, "https://") && !strings.HasPrefix(*into, "http://") {
			r.Wrong(n, "write https://host/path", "%q is no address", *into)
		}
	}
}

// deliveries are the keys that event hooks have in common.
func (r *reader) deliveries(d *Deliveries, one *bool) map[string]strict.Field {
	return map[string]strict.Field{
		"secret":     r.credential(&d.Secret),
		"header":     r.header(&d.Header),
		"eventTypes": r.Texts(&d.Types),
		"runs": func(n *yaml.Node) {
			var s string
			r.Choice(&s, "perEvent", "perDelivery")(n)
			*one = s == "perDelivery"
		},
		"limits": r.limits(&d.Limits),
	}
}

func (r *reader) hook(n *yaml.Node, what string, d *Deliveries) {
	d.Header = "Authorization"
	written := r.Mapping(n, what, r.deliveries(d, &d.PerDelivery))
	if written != nil && written["secret"] == nil {
		r.Wrong(n, "write secret: env:NAME, and give the provider the same text", "%s needs a secret", what)
	}
}

func (r *reader) okta(n *yaml.Node) *OktaEvents {
	o := &OktaEvents{}
	r.hook(n, "an Okta event hook", &o.Deliveries)
	return o
}

func (r *reader) auth0(n *yaml.Node) *Auth0Events {
	a := &Auth0Events{}
	r.hook(n, "an Auth0 event stream", &a.Deliveries)
	return a
}

func (r *reader) directory(n *yaml.Node) *Changes {
	c := &Changes{}
	var on string
	var events []string
	written := r.Mapping(n, "a directory change", map[string]strict.Field{
		"on":         r.Choice(&on, string(Joiner), string(Mover), string(Leaver)),
		"events":     r.Texts(&events),
		"realm":      r.Choice(&c.Realm, "okta", "auth0"),
		"attributes": r.Texts(&c.Attributes),
		"groups":     r.Texts(&c.Groups),
		"loops":      r.Flag(&c.Loops),
	})
	if written == nil {
		return c
	}
	c.On, c.Realm = Move(on), orText(c.Realm, "okta")
	if written["on"] == nil {
		r.Wrong(n, "write on: joiner, mover or leaver", "a directory change needs on")
		return c
	}
	known := moveEvents[c.On]
	for _, e := range events {
		if c.On != Mover && !slices.Contains(known, e) {
			r.Wrong(written["events"], "use "+strings.Join(known, ", "), "a %s has no event %q", c.On, e)
		}
	}
	c.Events = events
	for _, key := range []string{"attributes", "groups"} {
		if written[key] != nil && c.On != Mover {
			r.Wrong(written[key], "", "only a mover has %s", key)
		}
	}
	if written["events"] != nil && c.On == Mover {
		r.Wrong(written["events"], "name attributes or groups", "a mover has no events")
	}
	if c.On == Mover && len(c.Attributes)+len(c.Groups) == 0 {
		r.Wrong(n, "name attributes, groups or both; attributes: ['*'] are all", "a mover needs what has to change")
	}
	return c
}
