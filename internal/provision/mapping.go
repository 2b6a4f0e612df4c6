package provision

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
	Always   Apply = "always" // create and update
	OnCreate Apply = "create" // create only
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

// Mapper is a mapping with its expressions read. It does not change and is safe
// for concurrent use.
type Mapper struct{ rows []mappedRow }

type mappedRow struct {
	Row
	path       path
	expression *compute.Expression
}

// Compile reads a mapping. It returns everything wrong with it, each at its row.
func (m Mapping) Compile() (*Mapper, error) {
	out := &Mapper{rows: make([]mappedRow, 0, len(m))}
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
	if r.Apply != Always && r.Apply != OnCreate {
		return mappedRow{}, fault.New(fault.Invalid, "a row applies %q or %q, not %q", Always, OnCreate, string(r.Apply))
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

// Subject is the person whose attributes are computed.
type Subject struct {
	Account *directory.Account
	User    *directory.AppUser // the assignment

	// Groups reads the groups of the account for expressions that ask for them;
	// nil: it is in none.
	Groups func() ([]compute.Group, error)
}

// variables are the names that expressions may use: the profile of the account,
// and that of the assignment.
var variables = []string{"user", "source", "appuser"}

// subjectEnv is what an expression sees.
type subjectEnv struct {
	Subject
	memberships compute.Memberships
}

func (s Subject) env() *subjectEnv {
	groups := s.Groups
	if groups == nil {
		groups = func() ([]compute.Group, error) { return nil, nil }
	}
	return &subjectEnv{s, compute.Memberships{Groups: groups}}
}

// Variable knows the profiles.
func (e *subjectEnv) Variable(name string) (any, bool) {
	switch name {
	case "user", "source":
		return e.Account.Profile, true
	case "appuser":
		profile := map[string]any{"userName": e.User.UserName}
		for k, v := range e.User.Profile {
			profile[k] = v
		}
		return profile, true
	}
	return nil, false
}

// Call knows the group functions, user.getInternalProperty, and that nobody here
// comes from another directory.
func (e *subjectEnv) Call(name string, args []any) (any, bool, error) {
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
	UserName   string
	ExternalID string
	Attributes []Resolved // in the order of the mapping
}

// Resolve computes the attributes of a person. creating includes the rows that
// apply on create only. An expression that fails, and a value of an attribute
// without namespace, are fault.Invalid and name the row.
func (m *Mapper) Resolve(s Subject, creating bool) (*Resolution, error) {
	out := &Resolution{UserName: s.User.UserName, ExternalID: s.Account.ID}
	env := s.env()
	var problems []error
	for _, row := range m.rows {
		if row.Apply == OnCreate && !creating {
			continue
		}
		r, err := row.resolve(env)
		if err != nil {
			problems = append(problems, atRow(err, row.Row))
			continue
		}
		out.Attributes = append(out.Attributes, r)
	}
	if err := fault.Join(problems...); err != nil {
		return nil, err
	}
	out.explainTypes()
	return out, nil
}

func (row mappedRow) resolve(env *subjectEnv) (Resolved, error) {
	r := Resolved{Row: row.Row, path: row.path}
	if own, ok := env.User.Profile[row.Name]; ok && own != nil {
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
			a.Note = fmt.Sprintf(`%s is empty, so the expression gives '' and an element with type "" is sent; delete the row to avoid it`, a.path.attribute)
			if r.elementHas(a.path) {
				a.Note = `the expression gives '', so type "" is sent; delete the row to avoid it`
			}
		}
	}
}

// elementHas reports whether another row gives the element of a path a value.
func (r *Resolution) elementHas(p path) bool {
	return slices.ContainsFunc(r.Attributes, func(a Resolved) bool {
		return a.path.sameElement(p) && a.path.sub != p.sub && a.Value != nil && a.Value != ""
	})
}

// Warnings says what is doubtful about a mapping before anybody is pushed.
func (m Mapping) Warnings() []string {
	var out []string
	for _, r := range m {
		p, err := parsePath(r.Path)
		if err != nil {
			continue // Compile says so
		}
		if p.sub == "type" && strings.Contains(strings.ReplaceAll(r.Expression, `"`, `'`), "''") {
			out = append(out, fmt.Sprintf(`%s (%s): when the source is empty the expression gives '', and an element with type "" is sent, which can cause issues during PUT operations; delete the row`, r.Attribute(), r.Name))
		}
		if r.Namespace == "" {
			out = append(out, fmt.Sprintf("%s (%s): the attribute has no external namespace; pushing a value of it fails with %q", r.Attribute(), r.Name, InvalidNamespace))
		}
	}
	return out
}

// Create is the body of POST /Users, as Okta sends it (scim-auth0.md 1.2).
// password is the real or the placeholder one; Okta sends one always.
func (r *Resolution) Create(password string) map[string]any {
	body := map[string]any{
		"schemas": []any{CoreUser}, "userName": r.UserName, "externalId": r.ExternalID,
		"groups": []any{}, "password": password, "active": true,
	}
	r.into(body)
	return body
}

// Update is the body of PUT /Users/{id}: what the server returned, merged with
// the mapped values. A mapped attribute without value is taken away. Okta sends
// everything else back as it came (scim-auth0.md 1.2).
func (r *Resolution) Update(current map[string]any) map[string]any {
	body, _ := value.Clone(current).(map[string]any)
	if body == nil {
		body = map[string]any{}
	}
	if _, ok := body["schemas"].([]any); !ok {
		body["schemas"] = []any{CoreUser}
	}
	body["userName"], body["externalId"], body["active"] = r.UserName, r.ExternalID, true
	r.into(body)
	return body
}

// Partial holds the mapped values alone, as the value of a PATCH without path.
func (r *Resolution) Partial() map[string]any {
	body := map[string]any{"userName": r.UserName, "externalId": r.ExternalID, "active": true}
	for _, a := range r.Attributes {
		a.set(body)
	}
	return body
}

func (r *Resolution) into(body map[string]any) {
	for _, a := range r.Attributes {
		a.set(body)
	}
	r.nameSchemas(body)
}

// nameSchemas makes schemas name the extensions that have values, and no mapped
// one without.
func (r *Resolution) nameSchemas(body map[string]any) {
	schemas, _ := body["schemas"].([]any)
	schemas = slices.Clone(schemas)
	for _, a := range r.Attributes {
		if a.core() {
			continue
		}
		extension, _ := body[a.Namespace].(map[string]any)
		at := slices.Index(schemas, any(a.Namespace))
		switch {
		case len(extension) == 0:
			delete(body, a.Namespace)
			if at >= 0 {
				schemas = slices.Delete(schemas, at, at+1)
			}
		case at < 0:
			schemas = append(schemas, a.Namespace)
		}
	}
	body["schemas"] = schemas
}

// set puts the value where it belongs in a body, or takes away what is there.
func (a Resolved) set(body map[string]any) {
	into := body
	if !a.core() {
		extension, ok := body[a.Namespace].(map[string]any)
		if !ok {
			if a.Value == nil {
				return
			}
			extension = map[string]any{}
			body[a.Namespace] = extension
		}
		into = extension
	}
	a.path.set(into, value.Clone(a.Value))
}
