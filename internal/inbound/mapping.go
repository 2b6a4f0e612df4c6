package inbound

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// mapping is the compiled mapping of a connection. It is safe for concurrent use.
type mapping struct {
	rows []row
	// inert are rows that Auth0 accepts and that do nothing, with the reason.
	inert []inertRow
}

type inertRow struct {
	tenant.MappingRow
	why string
}

// row joins a place in a SCIM resource to a place in an account.
type row struct {
	tenant.MappingRow
	from   path
	to     slot
	invert bool // active and blocked are opposites
}

// path is where a SCIM attribute is in a resource.
type path struct {
	urn       string // of the extension; "" for the core schema
	attribute string
	sub       string
	multi     bool   // the attribute has several elements
	complex   bool   // the attribute, or its elements, have sub-attributes
	terms     []term // that an element must satisfy
}

type term struct {
	attribute string
	value     any
}

// compile resolves the rows of a mapping against the schema of users.
func compile(rows []tenant.MappingRow, users *scim.ResourceType) *mapping {
	m := new(mapping)
	for _, r := range rows {
		from, why := compilePath(r.SCIM, users)
		if why != "" {
			m.inert = append(m.inert, inertRow{r, why})
			continue
		}
		to, why := compileSlot(r.Auth0)
		if why != "" {
			m.inert = append(m.inert, inertRow{r, why})
			continue
		}
		m.rows = append(m.rows, row{MappingRow: r, from: from, to: to, invert: r.SCIM == "active" && r.Auth0 == "blocked"})
	}
	return m
}

func compilePath(text string, users *scim.ResourceType) (p path, why string) {
	schema, name := users.Schema, text
	for _, e := range users.Extensions {
		// Auth0 writes a dot behind the URN (recorded), the RFC a colon.
		if rest, ok := cutPrefixFold(text, e.Schema.ID); ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, ":")) {
			schema, p.urn, name = e.Schema, e.Schema.ID, rest[1:]
			break
		}
	}
	parsed, _, err := filter.ParsePath(name, filter.SCIMOptions{Blanks: true})
	if err != nil {
		return p, "its SCIM side is not a path"
	}
	attribute, sub, _ := strings.Cut(parsed.Name, ".")
	if parsed.Filter != nil {
		sub = parsed.Sub
	}
	found := attributeNamed(schema.Attributes, attribute)
	if p.urn == "" && strings.EqualFold(attribute, "externalId") {
		found = &scim.Attribute{Name: "externalId", Type: scim.String} // of all resources, of no schema
	}
	if found == nil {
		return p, "no schema has its SCIM attribute"
	}
	p.attribute, p.multi, p.complex = found.Name, found.MultiValued, found.Type == scim.Complex
	if sub != "" {
		child := attributeNamed(found.Sub, sub)
		if child == nil {
			return p, "no schema has its SCIM attribute"
		}
		p.sub = child.Name
	}
	if parsed.Filter != nil {
		if !p.multi {
			return p, "its SCIM attribute has no elements to choose from"
		}
		var ok bool
		if p.terms, ok = equalities(parsed.Filter, found.Sub); !ok {
			return p, "only eq and and may stand in its brackets"
		}
	}
	return p, ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func attributeNamed(list []scim.Attribute, name string) *scim.Attribute {
	i := slices.IndexFunc(list, func(a scim.Attribute) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// equalities takes a filter apart that says what the sub-attributes of one
// element are.
func equalities(e filter.Expr, sub []scim.Attribute) ([]term, bool) {
	switch e := e.(type) {
	case *filter.Compare:
		found := attributeNamed(sub, e.Path)
		if found == nil || e.Op != filter.Equal || e.Value == nil {
			return nil, false
		}
		return []term{{found.Name, e.Value}}, true
	case *filter.And:
		var out []term
		for _, one := range e.Terms {
			terms, ok := equalities(one, sub)
			if !ok {
				return nil, false
			}
			out = append(out, terms...)
		}
		return out, true
	}
	return nil, false
}

// read returns the value at the path, nil when there is none.
func (p *path) read(r scim.Resource) any {
	if p.urn != "" {
		r, _ = r[p.urn].(map[string]any)
	}
	v := r[p.attribute]
	if p.multi {
		if len(p.terms) == 0 && p.sub == "" {
			return v
		}
		list, _ := v.([]any)
		i := p.element(list)
		if i < 0 {
			return nil
		}
		v = list[i]
	}
	o, isObject := v.(map[string]any)
	switch {
	case p.sub != "":
		return o[p.sub]
	case isObject && o["value"] != nil:
		return o["value"] // as Auth0 flattens manager (scim-auth0.md 1.3)
	}
	return v
}

// element returns which element the path speaks of, -1 for none: the first that
// satisfies the terms, and without terms the primary or first one.
func (p *path) element(list []any) int {
	if len(p.terms) > 0 {
		return slices.IndexFunc(list, p.fits)
	}
	i := slices.IndexFunc(list, func(v any) bool {
		o, _ := v.(map[string]any)
		return o["primary"] == true
	})
	if i < 0 && len(list) > 0 {
		return 0
	}
	return i
}

func (p *path) fits(v any) bool {
	o, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, t := range p.terms {
		have := o[t.attribute]
		if a, ok := have.(string); ok {
			b, _ := t.value.(string)
			if !strings.EqualFold(a, b) {
				return false
			}
			continue
		}
		if !value.Equal(have, t.value) {
			return false
		}
	}
	return true
}

// write sets the value at the path; nil takes it away. Containers that it needs
// are made, those that it empties are removed. It changes r, but nothing in it
// that another resource may share.
func (p *path) write(r scim.Resource, v any) {
	if p.urn == "" {
		p.writeIn(r, v)
		return
	}
	extension, _ := r[p.urn].(map[string]any)
	extension = shallow(extension)
	p.writeIn(extension, v)
	put(r, p.urn, extension)
}

func (p *path) writeIn(o map[string]any, v any) {
	switch {
	case p.multi && len(p.terms) == 0 && p.sub == "":
		put(o, p.attribute, v)
	case p.multi:
		list, _ := o[p.attribute].([]any)
		put(o, p.attribute, p.writeElement(list, v))
	case p.complex:
		inner, _ := o[p.attribute].(map[string]any)
		put(o, p.attribute, p.writeSub(inner, v))
	default:
		put(o, p.attribute, v)
	}
}

func (p *path) writeElement(list []any, v any) []any {
	list = slices.Clone(list)
	i := p.element(list)
	if i < 0 {
		if v == nil {
			return list
		}
		made := map[string]any{}
		for _, t := range p.terms {
			made[t.attribute] = t.value
		}
		return append(list, p.writeSub(made, v))
	}
	before, _ := list[i].(map[string]any)
	after := p.writeSub(before, v)
	if p.hollow(after) {
		return slices.Delete(list, i, i+1)
	}
	list[i] = after
	return list
}

// hollow reports whether nothing is left of an element but what selected it and
// what describes it.
func (p *path) hollow(o map[string]any) bool {
	for name := range o {
		selects := slices.ContainsFunc(p.terms, func(t term) bool { return t.attribute == name })
		if !selects && name != "type" && name != "primary" && name != "display" {
			return false
		}
	}
	return true
}

func (p *path) writeSub(o map[string]any, v any) map[string]any {
	if p.sub == "" {
		if whole, ok := v.(map[string]any); ok {
			return whole
		}
	}
	name := p.sub
	if name == "" {
		name = "value"
	}
	o = shallow(o)
	put(o, name, v)
	return o
}

func shallow(o map[string]any) map[string]any {
	out := make(map[string]any, len(o)+1)
	for k, v := range o {
		out[k] = v
	}
	return out
}

// put sets a member, or removes it when there is nothing in the value.
func put(o map[string]any, name string, v any) {
	switch v := v.(type) {
	case nil:
		delete(o, name)
		return
	case map[string]any:
		if len(v) == 0 {
			delete(o, name)
			return
		}
	case []any:
		if len(v) == 0 {
			delete(o, name)
			return
		}
	}
	o[name] = v
}

// slot is where an Auth0 attribute is in an account.
type slot struct {
	kind slotKind
	path []string // profile attribute, or the way through the metadata
}

type slotKind uint8

const (
	inProfile slotKind = iota
	inAppMetadata
	inUserMetadata
	isBlocked
	isVerified
)

// maxWay bounds how deep in the metadata a row reaches.
const maxWay = 16

// readOnlySlots are Auth0 attributes that nobody can map to.
var readOnlySlots = []string{"user_id", "created_at", "updated_at", "last_login", "last_ip", "logins_count", "identities"}

func compileSlot(name string) (s slot, why string) {
	root, rest, nested := strings.Cut(name, ".")
	switch {
	case strings.Count(rest, ".") >= maxWay:
		return s, "its Auth0 side is too deep"
	case nested && root == "app_metadata" && rest != "":
		return slot{inAppMetadata, strings.Split(rest, ".")}, ""
	case nested && root == "user_metadata" && rest != "":
		return slot{inUserMetadata, strings.Split(rest, ".")}, ""
	case nested || name == "app_metadata" || name == "user_metadata":
		return s, "its Auth0 side is neither a root attribute nor one in the metadata"
	case name == "blocked":
		return slot{kind: isBlocked}, ""
	case name == "email_verified":
		return slot{kind: isVerified}, ""
	case slices.Contains(readOnlySlots, name):
		return s, "its Auth0 attribute is set by Auth0 alone"
	}
	return slot{inProfile, []string{tenant.ProfileAttribute(name)}}, ""
}

// read returns what an account has in the slot, nil for nothing.
func (s *slot) read(a *directory.Account) any {
	switch s.kind {
	case isBlocked:
		return a.Blocked()
	case isVerified:
		return a.EmailVerified
	case inAppMetadata:
		return dig(a.AppMetadata, s.path)
	case inUserMetadata:
		return dig(a.UserMetadata, s.path)
	}
	return a.Profile[s.path[0]]
}

func dig(o map[string]any, path []string) any {
	for _, name := range path[:len(path)-1] {
		o, _ = o[name].(map[string]any)
	}
	return o[path[len(path)-1]]
}

// fit brings a SCIM value to what the slot can hold; ok is false when it cannot.
// Root attributes are texts.
func (s *slot) fit(v any) (fitted any, ok bool) {
	switch s.kind {
	case isBlocked, isVerified:
		_, ok := v.(bool)
		return v, ok
	case inAppMetadata, inUserMetadata:
		return v, true
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number, bool:
		return value.Text(v), true
	}
	return nil, false
}

// write puts a value into an account that the caller owns; nil takes it away.
func (s *slot) write(a *directory.Account, v any) {
	switch s.kind {
	case isBlocked:
		blocked, _ := v.(bool)
		if blocked != a.Blocked() {
			a.Status = directory.Active
			if blocked {
				a.Status = directory.Suspended
			}
		}
	case isVerified:
		a.EmailVerified, _ = v.(bool)
	case inAppMetadata:
		a.AppMetadata = bury(a.AppMetadata, s.path, v)
	case inUserMetadata:
		a.UserMetadata = bury(a.UserMetadata, s.path, v)
	default:
		put(a.Profile, s.path[0], v)
	}
}

// bury sets a value in nested objects, making those that it needs.
func bury(o map[string]any, path []string, v any) map[string]any {
	if o == nil {
		if v == nil {
			return nil
		}
		o = map[string]any{}
	}
	if len(path) == 1 {
		if v == nil {
			delete(o, path[0])
		} else {
			o[path[0]] = v
		}
		return o
	}
	inner, isObject := o[path[0]].(map[string]any)
	if v == nil && !isObject {
		return o
	}
	o[path[0]] = bury(inner, path[1:], v)
	return o
}

// want returns what the resource says should be in the row's slot, nil for
// nothing.
func (r *row) want(from scim.Resource) any {
	v := r.from.read(from)
	if v == nil {
		return nil
	}
	fitted, ok := r.to.fit(v)
	if !ok {
		return nil
	}
	if r.invert {
		return fitted != true
	}
	return fitted
}

// apply writes what a resource says into an account, which the caller owns.
// Whether somebody is blocked changes only when the resource says it.
func (m *mapping) apply(a *directory.Account, r scim.Resource) {
	for i := range m.rows {
		row := &m.rows[i]
		v := row.want(r)
		if v == nil && row.to.kind == isBlocked {
			continue
		}
		row.to.write(a, value.Clone(v))
	}
}

// identity are the attributes by which the connection finds an account. Only
// SCIM changes them.
func identity(p *path) bool {
	return p.urn == "" && (p.attribute == "userName" || p.attribute == "externalId")
}

// show brings a resource, which it changes at its top level only, up to date with
// what the account has: where the two differ, somebody changed the account by
// other means than SCIM.
func (m *mapping) show(r scim.Resource, a *directory.Account) {
	for i := range m.rows {
		row := &m.rows[i]
		if identity(&row.from) {
			continue
		}
		have := row.to.read(a)
		if row.invert {
			r[row.from.attribute] = have != true
			continue
		}
		if want := row.want(r); !value.Equal(want, have) && (want != nil || !empty(have)) {
			row.from.write(r, have)
		}
	}
}

// empty reports whether a slot holds what SCIM calls unassigned.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// prune returns what the mapping knows of a resource, as Auth0 ignores the rest
// (scim-auth0.md 1.4), and whether anything else was in it.
func (m *mapping) prune(r scim.Resource) (kept scim.Resource) {
	kept = scim.Resource{}
	for _, name := range []string{"userName", "externalId"} {
		put(kept, name, r[name])
	}
	for i := range m.rows {
		if row := &m.rows[i]; !identity(&row.from) {
			if v := row.from.read(r); v != nil {
				row.from.write(kept, v)
			}
		}
	}
	return kept
}
