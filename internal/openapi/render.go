package openapi

import (
	"errors"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Param is one value given for a parameter. A Value of nil in a query, header
// or cookie is left out; in a path it is an error. A parameter that the
// operation does not declare is written in its place's default style.
type Param struct {
	Name, In string // In: path, query, querystring, header, cookie
	Value    any
}

// Bound is the Value of a Param that a credential supplies after rendering: it
// counts as given and writes nothing.
type Bound struct{}

// Request is an operation with its values filled in: everything of an HTTP
// request but the server and the credential.
type Request struct {
	Method      string
	Path        string              // escaped, begins with "/"; to be appended to the server's URL
	Query       string              // encoded, without "?"
	Header      map[string][]string // canonical names; without Content-Type
	Body        []byte              // nil when there is none
	ContentType string              // "" when there is no body
	PathValues  map[string]any      // the values as given, for $request.path
	QueryValues map[string]any      // the values as given, for $request.query
}

// Render fills in the operation's values. It reports everything that is wrong
// with them at once, by the parameter's name and never with its value.
func (op *Operation) Render(params []Param, body *Content) (*Request, error) {
	r := &rendering{
		op: op, declared: map[paramKey]*Parameter{}, given: map[paramKey]bool{}, segments: map[string]string{},
		req: &Request{
			Method: op.Method, Header: map[string][]string{},
			PathValues: map[string]any{}, QueryValues: map[string]any{},
		},
	}
	for i := range op.Parameters {
		r.declared[keyOf(op.Parameters[i].In, op.Parameters[i].Name)] = &op.Parameters[i]
	}
	for _, p := range params {
		r.add(p)
	}
	if missing := op.Missing(params, body); len(missing) > 0 {
		r.fail(fault.New(fault.Invalid, "not given: %s", strings.Join(missing, ", ")))
	}
	r.fillPath()
	r.fillQuery()
	if len(r.cookies) > 0 {
		r.req.Header["Cookie"] = []string{strings.Join(r.cookies, "; ")}
	}
	r.fillBody(body)
	if err := fault.Join(r.errs...); err != nil {
		return nil, err
	}
	return r.req, nil
}

// Missing names what the operation requires and is not given, as public
// phrases such as `path parameter "id"` and "request body". Headers that
// OpenAPI leaves to the client (Accept, Content-Type, Authorization) are never
// missing.
func (op *Operation) Missing(params []Param, body *Content) []string {
	given := map[paramKey]bool{}
	for _, p := range params {
		given[keyOf(p.In, p.Name)] = p.Value != nil
	}
	var out []string
	need := func(in, name string) {
		if k := keyOf(in, name); !given[k] {
			given[k] = true
			out = append(out, in+" parameter "+strconv.Quote(clip(name)))
		}
	}
	for _, name := range templateNames(op.Path) {
		need("path", name)
	}
	for _, p := range op.Parameters {
		switch {
		case !p.Required, p.In == "path": // a path's are those of its template
		case p.In == "header" && clientHeaders[textproto.CanonicalMIMEHeaderKey(p.Name)]:
		default:
			need(p.In, p.Name)
		}
	}
	if op.Body != nil && op.Body.Required && body == nil {
		out = append(out, "request body")
	}
	return out
}

// clientHeaders are declared for documentation only (OpenAPI 3.1 4.8.12.2).
var clientHeaders = map[string]bool{"Accept": true, "Content-Type": true, "Authorization": true}

// transportHeaders are written by the HTTP client from the request itself.
// Values from a document would be dropped silently or change where it ends.
var transportHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true,
	"Keep-Alive": true, "Upgrade": true, "Trailer": true, "Te": true,
}

// at names the place of an error, around the place that it names itself.
func at(err error, place string) error {
	var e *fault.Error
	if !errors.As(err, &e) {
		e = fault.Wrap(fault.Invalid, err, "it cannot be written")
	}
	if e.Place != "" {
		place += ", " + e.Place
	}
	return e.At("%s", place)
}

// paramKey identifies a parameter; header names are compared without case.
type paramKey struct{ in, name string }

func keyOf(in, name string) paramKey {
	if in == "header" {
		name = strings.ToLower(name)
	}
	return paramKey{in, name}
}

func templateNames(path string) []string {
	var out []string
	for _, m := range braced.FindAllStringSubmatch(path, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// rendering is a request being made.
type rendering struct {
	op          *Operation
	declared    map[paramKey]*Parameter
	given       map[paramKey]bool
	segments    map[string]string // rendered path parameters
	query       []string
	queryString *string // instead of query
	cookies     []string
	contentType string // from a header parameter
	req         *Request
	errs        []error
}

func (r *rendering) fail(err error) { r.errs = append(r.errs, err) }

// failParam reports a mistake in one parameter.
func (r *rendering) failParam(p Param, err error) {
	r.fail(at(err, p.In+" parameter "+strconv.Quote(clip(p.Name))))
}

// add writes one parameter into its place.
func (r *rendering) add(p Param) {
	refuse := func(format string, args ...any) { r.failParam(p, fault.New(fault.Invalid, format, args...)) }
	k := keyOf(p.In, p.Name)
	if r.given[k] {
		refuse("it is given twice")
		return
	}
	r.given[k] = true
	_, bound := p.Value.(Bound)
	switch {
	case p.In == "path":
		r.addPath(p, bound)
		return
	case bound || p.Value == nil:
		return
	}
	d := r.declaration(p)
	var err error
	switch p.In {
	case "query":
		r.req.QueryValues[p.Name] = p.Value
		var pieces []string
		pieces, err = queryPieces(d, p.Value)
		r.query = append(r.query, pieces...)
	case "querystring":
		err = r.addQueryString(d, p.Value)
	case "header":
		err = r.addHeader(d, p.Value)
	case "cookie":
		err = r.addCookie(d, p.Value)
	default:
		refuse("%s is not a place for a parameter", strconv.Quote(clip(p.In)))
	}
	if err != nil {
		r.failParam(p, err)
	}
}

// declaration returns the declared parameter, or one in the default style.
func (r *rendering) declaration(p Param) *Parameter {
	if d, ok := r.declared[keyOf(p.In, p.Name)]; ok {
		return d
	}
	d := &Parameter{Name: p.Name, In: p.In, Style: "form", Explode: true}
	if p.In == "path" || p.In == "header" {
		d.Style, d.Explode = "simple", false
	}
	return d
}

// content writes the value of a parameter that is declared with a media type.
func content(contentType string, v any) (string, error) {
	text, ok := v.(string)
	if ok && !IsJSON(contentType) {
		return text, nil
	}
	if _, ok := scalar(v); !ok && !IsJSON(contentType) {
		return "", fault.New(fault.Unsupported, "a structure cannot be written as %s", clip(contentType))
	}
	b, err := value.Encode(v)
	return string(b), err
}

func (r *rendering) addPath(p Param, bound bool) {
	var text string
	var err error
	switch {
	case !slices.Contains(templateNames(r.op.Path), p.Name):
		err = fault.New(fault.Invalid, "the path %s has no place for it", strconv.Quote(clip(r.op.Path)))
	case bound:
		err = fault.New(fault.Invalid, "a credential cannot be part of a path")
	case p.Value == nil: // Missing says so
		return
	default:
		text, err = pathSegment(r.declaration(p), p.Value)
	}
	if err != nil {
		r.failParam(p, err)
		return
	}
	r.segments[p.Name] = text
	r.req.PathValues[p.Name] = p.Value
}

// pathSegment refuses what would lead to another path than the template says:
// an empty segment, or one that means "here" or "up".
func pathSegment(d *Parameter, v any) (string, error) {
	esc := escape
	if d.AllowReserved {
		esc = escapePath
	}
	var text string
	var err error
	if d.ContentType != "" {
		text, err = content(d.ContentType, v)
		text = esc(text)
	} else {
		text, err = inPath(d, v, esc)
	}
	switch {
	case err != nil:
		return "", err
	case text == "" || v == "" || isEmpty(v):
		return "", fault.New(fault.Invalid, "it is empty, which would be another path")
	case text == "." || text == "..":
		return "", fault.New(fault.Invalid, "it is a relative path segment, which would be another path")
	}
	return text, nil
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// queryPieces writes a query parameter as name=value pieces.
func queryPieces(d *Parameter, v any) ([]string, error) {
	esc := escape
	if d.AllowReserved {
		esc = escapeQuery
	}
	if d.ContentType != "" {
		text, err := content(d.ContentType, v)
		return []string{escape(d.Name) + "=" + esc(text)}, err
	}
	return inForm(d.Name, d.Style, d.Explode, v, esc)
}

// addQueryString takes a value for the whole query (N21). What cannot stand in
// a query is escaped; what is escaped already stays.
func (r *rendering) addQueryString(d *Parameter, v any) error {
	text, ok := v.(string)
	if !ok {
		return fault.New(fault.Invalid, "the query must be text, not %s", nameOf(v))
	}
	if r.queryString != nil {
		return fault.New(fault.Invalid, "only one parameter can be the whole query")
	}
	text = escapeQueryLiteral(strings.TrimPrefix(text, "?"))
	r.queryString = &text
	r.req.QueryValues[d.Name] = v
	return nil
}

func (r *rendering) addHeader(d *Parameter, v any) error {
	var text string
	var err error
	if d.ContentType != "" {
		text, err = content(d.ContentType, v)
	} else {
		text, err = inHeader(d, v)
	}
	name := textproto.CanonicalMIMEHeaderKey(d.Name)
	switch {
	case err != nil:
		return err
	case !isToken(d.Name):
		return fault.New(fault.Invalid, "this cannot be the name of a header")
	case transportHeaders[name]:
		return fault.New(fault.Invalid, "this header is written from the request itself").Fix("leave it out")
	case hasControl(text):
		return fault.New(fault.Invalid, "the value has a line break or another control character")
	case name == "Content-Type":
		r.contentType = text
	default:
		r.req.Header[name] = []string{text}
	}
	return nil
}

func (r *rendering) addCookie(d *Parameter, v any) error {
	esc := escape
	if d.Style == "cookie" { // OpenAPI 3.2: written as it is
		esc = asIs
	}
	var pieces []string
	var err error
	if d.ContentType != "" {
		var text string
		text, err = content(d.ContentType, v)
		pieces = []string{d.Name + "=" + esc(text)}
	} else {
		pieces, err = inForm(d.Name, d.Style, d.Explode, v, esc)
	}
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		name, text, _ := strings.Cut(piece, "=")
		if !isToken(name) || hasControl(text) || strings.ContainsAny(text, " \",;\\\t") {
			return fault.New(fault.Invalid, "a cookie cannot carry this name or value")
		}
	}
	r.cookies = append(r.cookies, pieces...)
	return nil
}

// fillPath puts the parameters into the template. A query written into the
// path's template, as some descriptions do, goes before the parameters.
func (r *rendering) fillPath() {
	template, _, _ := strings.Cut(r.op.Path, "#")
	template, query, _ := strings.Cut(template, "?")
	r.req.Path = r.fill(template, escapePathLiteral)
	if query != "" {
		r.query = append([]string{r.fill(query, escapeQueryLiteral)}, r.query...)
	}
}

// fill replaces the expressions of a template, and escapes what is between.
func (r *rendering) fill(template string, literal escaper) string {
	var b strings.Builder
	end := 0
	for _, m := range braced.FindAllStringSubmatchIndex(template, -1) {
		b.WriteString(literal(template[end:m[0]]))
		b.WriteString(r.segments[template[m[2]:m[3]]])
		end = m[1]
	}
	b.WriteString(literal(template[end:]))
	return b.String()
}

func (r *rendering) fillQuery() {
	switch {
	case r.queryString == nil:
		r.req.Query = strings.Join(r.query, "&")
	case len(r.query) > 0:
		r.fail(fault.New(fault.Invalid, "a querystring parameter excludes query parameters"))
	default:
		r.req.Query = *r.queryString
	}
}

func (r *rendering) fillBody(body *Content) {
	if body == nil {
		if r.contentType != "" {
			r.req.Header["Content-Type"] = []string{r.contentType}
		}
		return
	}
	c := *body
	switch {
	case c.Type == "":
		c.Type = r.contentType
	case r.contentType != "" && baseType(r.contentType) != baseType(c.Type):
		r.fail(fault.New(fault.Invalid, "the header parameter Content-Type says %s, the request body %s", clip(r.contentType), clip(c.Type)))
		return
	}
	contentType, media, err := r.op.MediaType(c.Type)
	if err == nil {
		r.req.Body, r.req.ContentType, err = c.encode(contentType, media)
	}
	if err != nil {
		r.fail(at(err, "request body"))
	}
}

// Clone returns a copy whose header can be added to.
func (r *Request) Clone() *Request {
	c := *r
	c.Header = make(map[string][]string, len(r.Header))
	for name, values := range r.Header {
		c.Header[name] = slices.Clone(values)
	}
	c.PathValues, c.QueryValues = maps.Clone(r.PathValues), maps.Clone(r.QueryValues)
	return &c
}
