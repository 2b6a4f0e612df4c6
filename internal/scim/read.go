package scim

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/filter"
)

// reader checks values against the attribute tree and brings them to the
// schema's form. What is in that form already is shared and not copied.
//
// Its methods return nil for a value that leaves the attribute unassigned
// (RFC 7643 2.5: null, an empty array; an object without anything in it too),
// and same when the value is the one that they were given.
type reader struct {
	how   Leniency
	notes *notes
}

// object reads an object with the sub-attributes of n. Sub-attributes that are
// readOnly and those that no schema has are dropped.
func (r reader) object(n *node, in map[string]any) (out map[string]any, same bool, err error) {
	return r.attributes(n, in, false)
}

// attributes reads the attributes below n. With nulls, those that are given
// but unassigned stay in the result as nil: a patch unassigns them.
func (r reader) attributes(n *node, in map[string]any, nulls bool) (out map[string]any, same bool, err error) {
	out, same = in, true
	edit := func() {
		if same {
			out, same = maps.Clone(in), false
		}
	}
	known := 0
	for _, sub := range n.subs {
		v, ok := in[sub.Name]
		if !ok {
			continue
		}
		known++
		if sub.Mutability == ReadOnly || sub == n.byName["schemas"] && n.path == "" {
			edit()
			delete(out, sub.Name)
			continue
		}
		w, kept, err := r.value(sub, v)
		if err != nil {
			return nil, false, err
		}
		switch {
		case w == nil && nulls && v == nil: // as it is
		case w == nil:
			edit()
			delete(out, sub.Name)
			if nulls {
				out[sub.Name] = nil
			}
		case !kept:
			edit()
			out[sub.Name] = w
		}
	}
	if known == len(in) {
		return out, same, nil
	}
	edit()
	return out, false, r.others(n, in, out, nulls)
}

// others reads the attributes of in whose names are not spelled as in the
// schema, in the order of their names so that errors do not change from call
// to call.
func (r reader) others(n *node, in, out map[string]any, nulls bool) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if sub := n.byName[name]; sub != nil && sub.Name == name {
			continue
		}
		delete(out, name)
		sub := n.named(name)
		if sub == nil && r.how.ElementDisplayName && n.MultiValued && strings.EqualFold(name, "displayName") {
			if sub = n.byName["display"]; sub != nil {
				r.notes.add("displayName in %s was read as display", n.path)
			}
		}
		if sub == nil {
			r.unknown(n, name)
			continue
		}
		if _, twice := in[sub.Name]; twice {
			return Fail(InvalidSyntax, "%s is there twice, in different spellings", sub.path)
		}
		if _, twice := out[sub.Name]; twice {
			return Fail(InvalidSyntax, "%s is there twice, in different spellings", sub.path)
		}
		if sub.Mutability == ReadOnly || sub == n.byName["schemas"] && n.path == "" {
			continue
		}
		w, _, err := r.value(sub, in[name])
		if err != nil {
			return err
		}
		if w != nil || nulls {
			out[sub.Name] = w
		}
	}
	return nil
}

// unknown notes that an attribute which no schema has was ignored. RFC 7644
// has no error for one in a body: 3.3 has readOnly ones ignored, 3.12 keeps
// invalidPath for paths.
func (r reader) unknown(n *node, name string) {
	if n.path == "" {
		r.notes.add("the unknown attribute %s was ignored", quoted(name))
		return
	}
	r.notes.add("the unknown attribute %s in %s was ignored", quoted(name), n.path)
}

// quoted prints a name that a client made up.
func quoted(name string) string {
	const most = 80
	if len(name) > most {
		name = name[:most] + "..."
	}
	text, err := json.Marshal(strings.ToValidUTF8(name, "?"))
	if err != nil {
		return `"?"`
	}
	return string(text)
}

// value reads the value of an attribute, an array if it has several.
func (r reader) value(n *node, v any) (w any, same bool, err error) {
	if v == nil {
		return nil, true, nil
	}
	if !n.MultiValued {
		return r.single(n, v)
	}
	list, ok := v.([]any)
	if !ok {
		if s, text := v.(string); text && s == "" && r.how.BareReference && n.Type == Complex {
			r.notes.add("the empty text for %s was read as no value", n.path)
			return nil, false, nil
		}
		if !r.how.LoneValues {
			return nil, false, Fail(InvalidValue, "%s must be an array", n.path)
		}
		r.notes.add("the single value for %s was read as an array", n.path)
		list = []any{v}
	}
	out, kept, err := r.elements(n, list)
	if err != nil || len(out) == 0 {
		return nil, false, err
	}
	return out, kept && ok, nil
}

// elements reads the values of a multi-valued attribute. At most one of them
// may be the primary one (RFC 7643 2.4).
func (r reader) elements(n *node, in []any) (out []any, same bool, err error) {
	out, same = in, true
	primaries := 0
	for i, v := range in {
		var w any
		kept := v != nil
		if v != nil {
			if w, kept, err = r.single(n, v); err != nil {
				return nil, false, err
			}
		}
		if isPrimary(n, w) {
			if primaries++; primaries > 1 {
				return nil, false, Fail(InvalidValue, "%s has more than one primary value", n.path)
			}
		}
		if same && !kept {
			out, same = slices.Clone(in[:i]), false
		}
		if !same && w != nil {
			out = append(out, w)
		}
	}
	return out, same, nil
}

// orNone returns nil for an empty text by which the client means no value, and
// otherwise the value.
func (r reader) orNone(n *node, v any) any {
	if v == "" && r.how.EmptyText {
		r.notes.add("the empty text for %s was read as no value", n.path)
		return nil
	}
	return v
}

// isPrimary reports whether an element is the primary value of n.
func isPrimary(n *node, element any) bool {
	if n.primary == nil {
		return false
	}
	m, ok := element.(map[string]any)
	return ok && m["primary"] == true
}

// single reads one value.
func (r reader) single(n *node, v any) (w any, same bool, err error) {
	if v == nil {
		return nil, true, nil
	}
	switch n.Type {
	case Complex:
		return r.complex(n, v)
	case Boolean:
		return r.boolean(n, v)
	case Integer, Decimal:
		number, ok := v.(json.Number)
		if !ok || n.Type == Integer && !isInteger(string(number)) {
			return nil, false, wrongType(n)
		}
		return v, true, nil
	}
	text, ok := v.(string)
	if !ok || !wellFormed(n.Type, text) {
		return nil, false, wrongType(n)
	}
	if strings.Contains(text, "\x00") { // not every database can keep it
		return nil, false, Fail(InvalidValue, "%s holds the character NUL", n.path)
	}
	return v, true, nil
}

func (r reader) complex(n *node, v any) (any, bool, error) {
	asSent := true
	if text, ok := v.(string); ok && r.how.BareReference && n.value != nil {
		if text == "" {
			r.notes.add("the empty text for %s was read as no value", n.path)
			return nil, false, nil
		}
		r.notes.add("the text for %s was read as its value", n.path)
		v, asSent = map[string]any{n.value.Name: text}, false
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, false, wrongType(n)
	}
	out, same, err := r.object(n, object)
	if err != nil || len(out) == 0 {
		return nil, false, err
	}
	same = same && asSent
	if n.extension {
		return out, same, nil
	}
	return out, same, n.complete(out)
}

// complete reports a required sub-attribute that a complex value lacks.
func (n *node) complete(object map[string]any) error {
	for _, sub := range n.subs {
		if sub.Required && sub.Mutability != ReadOnly && isUnassigned(object[sub.Name]) {
			return Fail(InvalidValue, "%s is required", sub.path)
		}
	}
	return nil
}

// isUnassigned reports whether a value stands for none where one is required.
func isUnassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func (r reader) boolean(n *node, v any) (any, bool, error) {
	if _, ok := v.(bool); ok {
		return v, true, nil
	}
	text, ok := v.(string)
	if !ok || !r.how.TextBooleans {
		return nil, false, wrongType(n)
	}
	for _, b := range []bool{true, false} {
		word := map[bool]string{true: "true", false: "false"}[b]
		if strings.EqualFold(text, word) {
			r.notes.add("the text for %s was read as %s", n.path, word)
			return b, false, nil
		}
	}
	return nil, false, wrongType(n)
}

// kinds names what a value of a type looks like.
var kinds = map[Type]string{
	String:    "a string",
	Boolean:   "true or false",
	Decimal:   "a number",
	Integer:   "a whole number without fraction or exponent",
	DateTime:  `a date and time such as "2011-08-01T21:32:44Z"`,
	Reference: "a URI",
	Binary:    "text in Base64",
	Complex:   "an object",
}

func wrongType(n *node) error {
	return Fail(InvalidValue, "%s must be %s", n.path, kinds[n.Type])
}

// isInteger holds RFC 7643 2.3.4: no fraction and no exponent.
func isInteger(number string) bool { return !strings.ContainsAny(number, ".eE") }

// wellFormed reports whether a text is a value of a type that is written as
// text.
func wellFormed(t Type, text string) bool {
	switch t {
	case DateTime:
		_, ok := parseTime(text)
		return ok
	case Reference:
		_, err := url.Parse(text)
		return err == nil
	case Binary:
		return isBase64(text)
	}
	return t == String
}

// parseTime reads an xsd:dateTime (RFC 7643 2.3.5). One without a zone is
// taken as UTC.
func parseTime(text string) (time.Time, bool) {
	if at, ok := filter.ParseTime(text); ok {
		return at, true
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999999", text)
	return at, err == nil
}

// isBase64 accepts both alphabets of RFC 4648, with or without padding.
func isBase64(text string) bool {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	_, err := encoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil
}

// Read makes a new resource from the body of a POST (RFC 7644 3.3): names are
// brought to the schema's spelling, types are checked, readOnly attributes
// (id, meta, groups) and those that no schema has are dropped, schemas is
// recomputed, required attributes must be there. The password, being writeOnly,
// is kept: Project drops it. The result has no id and no meta; Stamp adds them.
func (t *ResourceType) Read(body map[string]any, how Leniency) (Resource, []Note, error) {
	var n notes
	out, err := t.read(body, how, &n)
	if err != nil {
		return nil, n.list, err
	}
	if err := t.finish(out); err != nil {
		return nil, n.list, err
	}
	return out, n.list, nil
}

// read checks a body and returns a map of its own with the attributes.
func (t *ResourceType) read(body map[string]any, how Leniency, n *notes) (Resource, error) {
	if err := t.checkSchemas(body, how, n); err != nil {
		return nil, err
	}
	out, same, err := reader{how, n}.object(t.root, body)
	if err != nil {
		return nil, err
	}
	if same {
		out = maps.Clone(out)
	}
	return out, nil
}

// checkSchemas holds that a body names the schema of the resource type.
// Extensions need not be named: their attributes say that they are there.
func (t *ResourceType) checkSchemas(body map[string]any, how Leniency, n *notes) error {
	if names(body, t.Schema.ID) {
		return nil
	}
	if !how.Schemas {
		return Fail(InvalidSyntax, "schemas must name %s", t.Schema.ID)
	}
	n.add("the body's schemas do not name %s, which was assumed", t.Schema.ID)
	return nil
}

// names reports whether the schemas of a body name a URN.
func names(body map[string]any, urn string) bool {
	list, _ := member(body, "schemas").([]any)
	for _, v := range list {
		if s, ok := v.(string); ok && strings.EqualFold(s, urn) {
			return true
		}
	}
	return false
}

// member returns the member of an object by its name, whatever its case.
func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for key, v := range object {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// finish recomputes schemas and reports a required attribute that is missing.
func (t *ResourceType) finish(r Resource) error {
	for _, n := range t.root.subs {
		if n.Name == "schemas" || !n.Required || n.Mutability == ReadOnly {
			continue
		}
		if isUnassigned(r[n.Name]) {
			return Fail(InvalidValue, "%s is required", n.path)
		}
	}
	for _, s := range t.schemas[1:] {
		object, ok := r[s.urn].(map[string]any)
		if !ok {
			continue
		}
		if err := s.node.complete(object); err != nil {
			return err
		}
	}
	r["schemas"] = t.schemasOf(r)
	return nil
}

// schemasOf lists the schemas that a resource has attributes of.
func (t *ResourceType) schemasOf(r Resource) []any {
	list := []any{t.Schema.ID}
	for _, s := range t.schemas[1:] {
		if _, ok := r[s.urn]; ok {
			list = append(list, s.urn)
		}
	}
	return list
}
