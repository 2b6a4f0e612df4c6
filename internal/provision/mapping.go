package provision

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The schemas of users (RFC 7643 8.7.1).
const (
	CoreUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	EnterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// Mapping says which attributes an application gets of a person. The user name,
// the external id and active are not in it: they are no rows in Okta either
// (scim-auth0.md 1.2).
type Mapping []Row

// Row computes one attribute.
type Row struct {
	// Name is what Okta calls the attribute in the profile of the app user:
	// "givenName", "emailType". No two rows share one.
	Name  string `json:"name"`
	Label string `json:"label,omitempty"` // for people

	// Path is where the value goes, within the namespace: "title",
	// "name.givenName", "emails[primary eq true].type".
	Path string `json:"path"`

	// Namespace is the URN of the schema that the attribute is of (Okta: external
	// namespace). A custom attribute may lack it, as in Okta: the first push of
	// somebody fails then.
	Namespace string `json:"namespace,omitempty"`

	Expression string `json:"expression"`
	Apply      Apply  `json:"apply"`
}

// Apply says when a row counts.
type Apply string

// Okta offers two (pushStatus PUSH and DONT_PUSH).
const (
	ApplyAlways   Apply = "always" // create and update
	ApplyOnCreate Apply = "create" // create only
)

// InvalidNamespace is how Okta words the failure of a task for somebody who has
// an attribute without a namespace (scim-auth0.md 1.2).
const InvalidNamespace = "Invalid externalNamespace"

//go:embed mapping.json
var defaultMapping []byte

// DefaultMapping is what an application for SCIM begins with. It has the three
// type rows that seed 001 (step 6) tells people to delete. The kinds of
// application do not differ in it.
func DefaultMapping() (Mapping, error) {
	var m Mapping
	if err := json.Unmarshal(defaultMapping, &m); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the default mapping cannot be read")
	}
	return m, nil
}

// Attribute names where the value goes, with its namespace where it is not the
// core one.
func (r Row) Attribute() string {
	if r.Namespace == CoreUser || r.Namespace == "" {
		return r.Path
	}
	return r.Namespace + ":" + r.Path
}

// Find returns the position of the row that a name or attribute means, -1 for none.
func (m Mapping) Find(ref string) int {
	return slices.IndexFunc(m, func(r Row) bool {
		return r.Name == ref || strings.EqualFold(r.Attribute(), ref) || strings.EqualFold(r.Path, ref)
	})
}

// fixed are the attributes that no row may set, with what sets them.
var fixed = map[string]string{
	"username":   "it is the user name of the assignment",
	"externalid": "it is the id of the user in Okta",
	"active":     "it follows from the assignment", // never a row (scim-auth0.md 1.2)
	"id":         "the application chooses it",
	"schemas":    "it follows from the attributes",
	"meta":       "the application writes it",
	"groups":     "groups are pushed by themselves",
	"password":   "a switch of the target sets it",
}

// CompiledMapping is a mapping with its expressions read. It does not change and
// is safe for concurrent use.
type CompiledMapping struct{ rows []mappedRow }

type mappedRow struct {
	Row
	path       path
	expression *compute.Expression
}

// Compile reads a mapping. It returns everything wrong with it, each at its row.
func (m Mapping) Compile() (*CompiledMapping, error) {
	out := &CompiledMapping{rows: make([]mappedRow, 0, len(m))}
	var problems []error
	for i, r := range m {
		row, err := r.compile()
		if err == nil && m.Find(r.Name) < i {
			err = fault.New(fault.Invalid, "another row has this name")
		}
		if err != nil {
			problems = append(problems, atRow(err, r))
			continue
		}
		out.rows = append(out.rows, row)
	}
	if err := fault.Join(problems...); err != nil {
		return nil, err
	}
	return out, nil
}

func (r Row) compile() (mappedRow, error) {
	if r.Name == "" {
		return mappedRow{}, fault.New(fault.Invalid, "the row has no name")
	}
	if r.Apply != ApplyAlways && r.Apply != ApplyOnCreate {
		return mappedRow{}, fault.New(fault.Invalid, "a row applies %q or %q, not %q", ApplyAlways, ApplyOnCreate, string(r.Apply))
	}
	p, err := parsePath(r.Path)
	if err != nil {
		return mappedRow{}, err
	}
	if why, ok := fixed[strings.ToLower(p.attribute)]; ok && r.core() {
		return mappedRow{}, fault.New(fault.Invalid, "%s is never mapped: %s", p.attribute, why)
	}
	e, err := compute.Parse(r.Expression)
	if err != nil {
		return mappedRow{}, err
	}
	for _, v := range e.Variables() {
		name, _, _ := strings.Cut(v.Name, ".")
		if !slices.Contains(variables, name) {
			return mappedRow{}, fault.New(fault.Invalid, "there is no variable %s", name).Fix("use one of %s", strings.Join(variables, ", "))
		}
	}
	return mappedRow{r, p, e}, nil
}

func (r Row) core() bool { return r.Namespace == "" || r.Namespace == CoreUser }

// atRow says which row an error is about.
func atRow(err error, r Row) error {
	return fault.Wrap(fault.KindOf(err), err, "%s", fault.Public(err)).At("attribute %s", r.Attribute())
}

// variables are the names that expressions may use: the profile of the account,
// and that of the assignment.
var variables = []string{"user", "source", "appuser"}

// personEnv is what an expression sees.
type personEnv struct {
	Person
	memberships compute.Memberships
}

// env reads the groups of the person when an expression asks for them.
func (p Person) env(r directory.Reader) *personEnv {
	return &personEnv{p, compute.Memberships{Groups: func() (out []compute.Group, err error) {
		for g, err := range r.Groups(directory.GroupQuery{Realm: p.Account.Realm, Member: p.Account.ID}) {
			if err != nil {
				return nil, err
			}
			out = append(out, compute.Group{ID: g.ID, Name: g.Name(), Type: string(g.Type)})
		}
		return out, nil
	}}}
}

// userName is what the person is called in the application.
func (p Person) userName() string {
	if p.AppUser == nil || p.AppUser.UserName == "" {
		return p.Account.Login()
	}
	return p.AppUser.UserName
}

// set returns what the assignment itself says of an attribute.
func (p Person) set(name string) any {
	if p.AppUser == nil {
		return nil
	}
	return p.AppUser.Profile[name]
}

// Variable knows the profiles.
func (e *personEnv) Variable(name string) (any, bool) {
	switch name {
	case "user", "source":
		return e.Account.Profile, true
	case "appuser":
		profile := map[string]any{}
		if e.AppUser != nil {
			maps.Copy(profile, e.AppUser.Profile)
		}
		profile["userName"] = e.userName()
		return profile, true
	}
	return nil, false
}

// Call knows the group functions, user.getInternalProperty, and that nobody here
// comes from another directory.
func (e *personEnv) Call(name string, args []any) (any, bool, error) {
	switch name {
	case "hasDirectoryUser", "hasWorkdayUser":
		return false, true, nil
	case "findDirectoryUser", "findWorkdayUser":
		return nil, true, nil
	case "user.getInternalProperty":
		if len(args) == 1 && args[0] == "id" {
			return e.Account.ID, true, nil
		}
		if len(args) == 1 && args[0] == "status" {
			return string(e.Account.Status), true, nil
		}
		return nil, true, fault.New(fault.Invalid, `%s takes "id" or "status"`, name)
	}
	return e.memberships.Call(name, args)
}

// Resolved is what a row comes to for one person.
type Resolved struct {
	Row
	Value any    `json:"value"`          // nil: there is none, and nothing is sent
	Note  string `json:"note,omitempty"` // what is remarkable about it

	path path
}

// Resolution is a person as an application is to see him or her.
type Resolution struct {
	UserName   string     `json:"userName"`
	ExternalID string     `json:"externalId"`
	Attributes []Resolved `json:"attributes"` // in the order of the mapping
}

// Resolve computes the attributes of a person. On update, the rows for creates
// only are left out. An expression that fails, and a value of an attribute
// without namespace, are fault.Invalid and name the row.
func (m *CompiledMapping) Resolve(r directory.Reader, p Person, when Occasion) (*Resolution, error) {
	out := &Resolution{UserName: p.userName(), ExternalID: p.Account.ID}
	env := p.env(r)
	var problems []error
	for _, row := range m.rows {
		if row.Apply == ApplyOnCreate && when != Creating {
			continue
		}
		resolved, err := row.resolve(env)
		if err != nil {
			problems = append(problems, atRow(err, row.Row))
			continue
		}
		out.Attributes = append(out.Attributes, resolved)
	}
	if err := fault.Join(problems...); err != nil {
		return nil, err
	}
	out.explainTypes()
	return out, nil
}

func (row mappedRow) resolve(env *personEnv) (Resolved, error) {
	r := Resolved{Row: row.Row, path: row.path}
	if own := env.set(row.Name); own != nil {
		r.Value, r.Note = own, "set at the assignment; the expression is not used"
	} else {
		var err error
		if r.Value, err = row.expression.Eval(env); err != nil {
			return r, err
		}
	}
	switch {
	case r.Value == nil:
		r.Note = "no value: not sent"
	case row.Namespace == "":
		return r, fault.New(fault.Invalid, InvalidNamespace).Fix("give the attribute the URN of the schema that it is of")
	}
	return r, nil
}

// explainTypes says which rows send a type that is the empty text, and why.
func (r *Resolution) explainTypes() {
	for i := range r.Attributes {
		a := &r.Attributes[i]
		if a.path.sub == "type" && a.Value == "" {
			a.Note = fmt.Sprintf(`the source is empty, so the expression gives '' and %s is sent with type ""; delete the row to avoid it`, r.elementWords(a.path))
		}
	}
}

// elementWords names the element that a path is of: one that says nothing but its
// type exists because of that row alone.
func (r *Resolution) elementWords(p path) string {
	alone := !slices.ContainsFunc(r.Attributes, func(a Resolved) bool {
		return a.path.sameElement(p) && a.path.sub != p.sub && a.Value != nil
	})
	if alone {
		return "an otherwise empty element of " + p.attribute
	}
	return "the element of " + p.attribute
}

// Mapped is the resolution in the form that is sent. What is mapped and has no
// value is nil in it.
func (r *Resolution) Mapped() Mapped {
	schemas := []any{CoreUser}
	body := map[string]any{"userName": r.UserName, "externalId": r.ExternalID}
	out := Mapped{UserName: r.UserName, Body: body}
	for _, a := range r.Attributes {
		into := body
		if !a.core() {
			into = within(body, a.Namespace)
			if a.Value != nil && !slices.Contains(schemas, any(a.Namespace)) {
				schemas = append(schemas, a.Namespace)
			}
		}
		a.path.set(into, value.Clone(a.Value))
		if a.path.sub == "type" && a.Value == "" {
			out.Notes = append(out.Notes, Note(a.Attribute()+": "+a.Note))
		}
	}
	body["schemas"] = schemas
	return out
}

// Warnings says what is doubtful about a mapping before anybody is pushed.
func (m Mapping) Warnings() []string {
	var out []string
	for _, r := range m {
		if r.emptyType() {
			out = append(out, fmt.Sprintf(`%s: when its source is empty the expression gives '', and an element with type "" is sent, which can cause issues during PUT operations; delete the row`, r.Name))
		}
		if r.Namespace == "" {
			out = append(out, fmt.Sprintf("%s: the attribute has no external namespace; pushing a value of it fails with %q", r.Name, InvalidNamespace))
		}
	}
	return out
}

// emptyType reports whether a row may send a type that is the empty text.
func (r Row) emptyType() bool {
	p, err := parsePath(r.Path)
	return err == nil && p.key != "" && p.sub == "type" && strings.Contains(strings.ReplaceAll(r.Expression, `"`, `'`), "''")
}

// MappingRecord is the mapping of one application, once somebody has changed it.
type MappingRecord struct {
	directory.Meta
	App  string  `json:"app"`
	Rows Mapping `json:"rows"`
}

// Place says where the record of a mapping is kept.
func (m *MappingRecord) Place() directory.Place {
	return directory.Place{Noun: directory.MappingNoun, Parent: m.App}
}

// MappingID returns the id of the mapping of an application: it differs in the
// prefix only, so that a mapping which nobody has changed has one too.
func MappingID(app string) string { return "prm" + app[min(len(app), 3):] }

// mappingOf reads the mapping of an application; one that nobody changed is the
// default one, with version 0.
func mappingOf(r directory.Reader, realm, app string) (*MappingRecord, error) {
	m, err := directory.Get[MappingRecord](r, realm, MappingID(app))
	if !fault.Is(err, fault.NotFound) {
		return m, err
	}
	rows, err := DefaultMapping()
	return &MappingRecord{Meta: directory.Meta{ID: MappingID(app), Realm: realm}, App: app, Rows: rows}, err
}

// Mappings computes what applications are told of people, by their mappings in
// the directory. It keeps those that are read, and is safe for concurrent use.
type Mappings struct {
	mu    sync.Mutex
	known map[mappingVersion]*CompiledMapping
}

type mappingVersion struct {
	realm, app string
	version    int64
}

var _ Mapper = (*Mappings)(nil)

// NewMappings returns a Mappings that knows nothing yet.
func NewMappings() *Mappings { return &Mappings{known: map[mappingVersion]*CompiledMapping{}} }

// Map implements Mapper.
func (m *Mappings) Map(r directory.Reader, t *Target, p Person, when Occasion) (Mapped, error) {
	resolution, err := m.Resolve(r, t, p, when)
	if err != nil {
		return Mapped{}, err
	}
	return resolution.Mapped(), nil
}

// Resolve computes what Map sends, row by row.
func (m *Mappings) Resolve(r directory.Reader, t *Target, p Person, when Occasion) (*Resolution, error) {
	record, err := mappingOf(r, t.Realm, t.ID)
	if err != nil {
		return nil, err
	}
	compiled, err := m.compiled(record)
	if err != nil {
		return nil, err
	}
	return compiled.Resolve(r, p, when)
}

// compiled returns a mapping ready. Only one version of each is kept.
func (m *Mappings) compiled(record *MappingRecord) (*CompiledMapping, error) {
	key := mappingVersion{record.Realm, record.App, record.Version}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.known[key]; c != nil {
		return c, nil
	}
	c, err := record.Rows.Compile()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(m.known, func(k mappingVersion, _ *CompiledMapping) bool { return k.realm == key.realm && k.app == key.app })
	m.known[key] = c
	return c, nil
}
