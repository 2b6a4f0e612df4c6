package webtest

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Checker compares answers with one or more descriptions. It is safe for
// concurrent use, and its methods do nothing when it is nil.
type Checker struct {
	mu       sync.Mutex // guards what follows, while a schema is being compiled
	docs     []*document
	compiler *jsonschema.Compiler
	compiled map[string]compiled
	known    []*known
}

type compiled struct {
	schema *jsonschema.Schema
	err    error
}

// Answer is what a server said to a request.
type Answer struct {
	Method string
	Path   string // escaped, as sent; without the query
	Status int
	Header http.Header
	Body   []byte
}

// Violation is one way in which an answer differs from the description.
type Violation struct {
	Operation string // its operationId; else method and path
	Status    int
	Path      string // JSON Pointer to the place in the body
	Problem   string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %d at %q: %s", v.Operation, v.Status, v.Path, v.Problem)
}

// newChecker returns a checker of descriptions, which excuses known errors.
func newChecker(docs []*document, list []*known) *Checker {
	c := &Checker{docs: docs, known: list, compiled: map[string]compiled{}}
	c.compiler = jsonschema.NewCompiler()
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	c.compiler.UseRegexpEngine(ecma)
	c.compiler.UseLoader(loader(docs))
	return c
}

// loader translates named schemas when a compiled one refers to them.
type loader []*document

func (l loader) Load(at string) (any, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	for _, d := range l {
		if d.name == u.Host {
			return d.load(strings.TrimPrefix(u.Path, "/"))
		}
	}
	return nil, fmt.Errorf("no description is called %s", u.Host)
}

// ecmaPattern is a pattern of ECMA-262, which OpenAPI means.
type ecmaPattern struct{ *regexp2.Regexp }

func ecma(pattern string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = time.Second
	return ecmaPattern{re}, nil
}

func (p ecmaPattern) MatchString(s string) bool {
	ok, err := p.Regexp.MatchString(s)
	return ok && err == nil
}

// Check returns how an answer differs from the description, without the
// description's known errors.
func (c *Checker) Check(a Answer) []Violation {
	if c == nil {
		return nil
	}
	o := c.operation(a.Method, a.Path)
	if o == nil {
		return c.undescribed(a)
	}
	r, problem := c.expect(o, a.Status)
	name := o.id
	if name == "" {
		name = o.method + " " + o.path
	}
	var out []Violation
	if problem != "" {
		out = c.add(out, Violation{name, a.Status, "", problem})
	}
	if r == nil {
		return out
	}
	return c.body(out, name, a, *r)
}

// operation finds what serves a path; nil when nothing does.
func (c *Checker) operation(method, path string) *operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := strings.Split(path, "/")
	var found *operation
	for _, d := range c.docs {
		for _, o := range d.operations {
			if o.match(method, segments) && (found == nil || o.before(found)) {
				found = o
			}
		}
	}
	return found
}

// undescribed checks the answer to a call that no description has: it must say
// that there is no such path or method, or that the caller is unknown.
func (c *Checker) undescribed(a Answer) []Violation {
	name := a.Method + " " + a.Path
	switch a.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return c.body(nil, name, a, c.failure())
	}
	return c.add(nil, Violation{name, a.Status, "", "the operation is not described"})
}

// failure is the form of errors of Okta's management API.
func (c *Checker) failure() response {
	return response{{name: "application/json", schema: map[string]any{"$ref": refPrefix + "Error"}, at: "error"}}
}

// expect returns what an operation declares for a status. For one that it does
// not declare it returns the problem, and the nearest thing there is: the
// error's form, or the answer of the only other success.
func (c *Checker) expect(o *operation, status int) (*response, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok, err := o.answer(status)
	switch {
	case err != nil:
		return nil, err.Error()
	case ok:
		return &r, ""
	}
	all := o.declared()
	problem := fmt.Sprintf("the status is not declared, only %s", strings.Join(all, ", "))
	if status >= http.StatusBadRequest {
		r = c.failure()
		return &r, problem
	}
	successes := slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, "2") })
	if len(successes) != 1 {
		return nil, problem
	}
	if r, err = o.declaration(successes[0]); err != nil {
		return nil, err.Error()
	}
	return &r, problem
}

// body checks an answer's content type and body.
func (c *Checker) body(out []Violation, name string, a Answer, r response) []Violation {
	differs := func(format string, args ...any) []Violation {
		return c.add(out, Violation{name, a.Status, "", fmt.Sprintf(format, args...)})
	}
	switch {
	case a.Method == http.MethodHead:
		return out
	case len(a.Body) == 0 && len(r) > 0:
		return differs("there is no body, %s is declared", r)
	case len(a.Body) == 0:
		return out
	case len(r) == 0:
		return differs("there is a body, none is declared")
	}
	sent, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	i := slices.IndexFunc(r, func(m media) bool { return m.name == sent })
	if err != nil || i < 0 {
		return differs("the content type is %q, %s is declared", a.Header.Get("Content-Type"), r)
	}
	if r[i].schema == nil || sent != "application/json" {
		return out
	}
	v, err := value.Decode(a.Body)
	if err != nil {
		return differs("the body is not JSON: %v", err)
	}
	schema, err := c.compile(name, r[i])
	if err != nil {
		return differs("the schema cannot be used: %v", err)
	}
	err = schema.Validate(v)
	if err == nil {
		return out
	}
	invalid, ok := err.(*jsonschema.ValidationError) //nolint:errorlint // the library's only type of failure
	if !ok {
		return differs("the body cannot be checked: %v", err)
	}
	for _, v := range c.leaves(invalid, name, a.Status) {
		out = c.add(out, v)
	}
	return out
}

// compile returns the schema of a body, compiled once.
func (c *Checker) compile(name string, m media) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.docs[0]
	if o := c.byName(name); o != nil {
		d = o.doc
	}
	at := d.url("answer", m.at)
	if have, ok := c.compiled[at]; ok {
		return have.schema, have.err
	}
	var done compiled
	if done.err = c.compiler.AddResource(at, translation{doc: d}.schema(m.schema)); done.err == nil {
		done.schema, done.err = c.compiler.Compile(at)
	}
	c.compiled[at] = done
	return done.schema, done.err
}

func (c *Checker) byName(name string) *operation {
	for _, d := range c.docs {
		for _, o := range d.operations {
			if o.id == name {
				return o
			}
		}
	}
	return nil
}

// leaves returns the causes of a failure that have no causes of their own. Of
// alternatives it takes the one that comes nearest.
func (c *Checker) leaves(e *jsonschema.ValidationError, name string, status int) []Violation {
	if len(e.Causes) == 0 {
		return []Violation{{name, status, pointer(e.InstanceLocation), explain(e.ErrorKind)}}
	}
	var all [][]Violation
	for _, cause := range e.Causes {
		all = append(all, c.leaves(cause, name, status))
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return slices.MinFunc(all, func(a, b []Violation) int { return c.unknown(a) - c.unknown(b) })
	}
	return slices.Concat(all...)
}

func explain(k jsonschema.ErrorKind) string {
	if _, ok := k.(*kind.FalseSchema); ok {
		return "a writeOnly property must not be in an answer"
	}
	return k.LocalizedString(message.NewPrinter(language.English))
}

func pointer(location []string) string {
	var out strings.Builder
	for _, segment := range location {
		out.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(segment))
	}
	return out.String()
}
