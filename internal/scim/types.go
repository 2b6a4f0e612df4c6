package scim

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The schemas of RFC 7643 8.7, and the attributes that every resource has
// (RFC 7643 3.1).
var (
	//go:embed schemas/common.json
	commonJSON []byte
	//go:embed schemas/user.json
	userJSON []byte
	//go:embed schemas/group.json
	groupJSON []byte
	//go:embed schemas/enterprise.json
	enterpriseJSON []byte
)

// Types is a registry of resource types. It never changes: With and Extend
// return another one.
type Types struct {
	all []*ResourceType
}

// ResourceType is a resource type with its attributes resolved to a tree. It
// is safe for concurrent use.
type ResourceType struct {
	Definition

	root *node
	// schemas are the core schema, which stands for the root, and the extensions.
	schemas []schemaNode
	// members is the attribute of that name when its elements are told apart by
	// their value and all may come and go, as in a group. Nil when there is none.
	members *node
}

type schemaNode struct {
	urn  string
	node *node
}

// node is an attribute in its place in a resource type.
type node struct {
	*Attribute

	path      string // as in messages: "name.givenName", "urn:...:User:manager"
	extension bool   // it is the object of an extension, named by its URN
	subs      []*node
	// byName finds subs by the schema's spelling and by the same in lower case.
	byName  map[string]*node
	value   *node // the sub-attribute "value", which the attribute alone stands for
	primary *node
	// hidden says that it, or something below it, is not returned by default.
	hidden bool
	// text says that its values are compared as texts.
	text bool
}

// Standard returns User with the enterprise extension, and Group (RFC 7643 8.7).
func Standard() *Types {
	user := Definition{
		Name: "User", Endpoint: "/Users", Description: "User Account", Schema: standard(userJSON),
		Extensions: []Extension{{Schema: standard(enterpriseJSON)}},
	}
	group := Definition{Name: "Group", Endpoint: "/Groups", Description: "Group", Schema: standard(groupJSON)}
	return &Types{all: []*ResourceType{newResourceType(user), newResourceType(group)}}
}

// standard reads a schema of this package, which a test reads too.
func standard(body []byte) Schema {
	s, err := ParseSchema(body)
	if err != nil {
		return Schema{}
	}
	return s
}

// With returns t with one more resource type. A name or endpoint that is there
// already, or a schema that contradicts itself, is fault.Invalid.
func (t *Types) With(d Definition) (*Types, error) {
	if d.Name == "" || !strings.HasPrefix(d.Endpoint, "/") || len(d.Endpoint) == 1 {
		return nil, fault.New(fault.Invalid, "a resource type needs a name and an endpoint such as /Devices")
	}
	for _, other := range t.all {
		if strings.EqualFold(other.Name, d.Name) || strings.EqualFold(other.Endpoint, d.Endpoint) {
			return nil, fault.New(fault.Invalid, "there is a resource type %s at %s already", other.Name, other.Endpoint)
		}
	}
	built, err := build(d)
	if err != nil {
		return nil, err
	}
	return &Types{all: append(slices.Clone(t.all), built)}, nil
}

// Extend returns t with an extension added to the resource type of that name.
func (t *Types) Extend(name string, e Extension) (*Types, error) {
	i := slices.IndexFunc(t.all, func(r *ResourceType) bool { return r.Name == name })
	if i < 0 {
		return nil, fault.New(fault.Invalid, "there is no resource type %s", name)
	}
	d := t.all[i].Definition
	d.Extensions = append(slices.Clone(d.Extensions), e)
	built, err := build(d)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(t.all)
	all[i] = built
	return &Types{all: all}, nil
}

// All returns the resource types in the order in which they were added.
func (t *Types) All() []*ResourceType { return slices.Clone(t.all) }

// Named returns the resource type of a name ("User"), nil when there is none.
func (t *Types) Named(name string) *ResourceType {
	return t.find(func(r *ResourceType) bool { return r.Name == name })
}

// At returns the resource type of an endpoint ("/Users"), nil when there is
// none. Paths are case-sensitive.
func (t *Types) At(endpoint string) *ResourceType {
	return t.find(func(r *ResourceType) bool { return r.Endpoint == endpoint })
}

func (t *Types) find(is func(*ResourceType) bool) *ResourceType {
	if i := slices.IndexFunc(t.all, is); i >= 0 {
		return t.all[i]
	}
	return nil
}

// build checks a definition and makes its resource type.
func build(d Definition) (*ResourceType, error) {
	var err error
	if d.Schema, err = d.Schema.complete(); err != nil {
		return nil, err
	}
	common := standard(commonJSON)
	for _, a := range d.Schema.Attributes {
		for _, c := range common.Attributes {
			if strings.EqualFold(a.Name, c.Name) {
				return nil, fault.New(fault.Invalid, "the schema %s may not define %s, which every resource has", d.Schema.ID, c.Name)
			}
		}
	}
	extensions := slices.Clone(d.Extensions)
	urns := []string{strings.ToLower(d.Schema.ID)}
	for i := range extensions {
		if extensions[i].Schema, err = extensions[i].Schema.complete(); err != nil {
			return nil, err
		}
		urn := strings.ToLower(extensions[i].Schema.ID)
		if slices.Contains(urns, urn) {
			return nil, fault.New(fault.Invalid, "the resource type %s has the schema %s twice", d.Name, extensions[i].Schema.ID)
		}
		urns = append(urns, urn)
	}
	d.Extensions = extensions
	return newResourceType(d), nil
}

// newResourceType makes the attribute tree of a checked definition.
func newResourceType(d Definition) *ResourceType {
	root := &node{Attribute: &Attribute{Type: Complex, Mutability: ReadWrite, Returned: Always}}
	root.attach(standard(commonJSON).Attributes, "")
	root.attach(d.Schema.Attributes, "")
	t := &ResourceType{Definition: d, root: root, schemas: []schemaNode{{d.Schema.ID, root}}}
	for _, e := range d.Extensions {
		n := &node{
			Attribute: &Attribute{
				Name: e.Schema.ID, Type: Complex, Required: e.Required,
				Mutability: ReadWrite, Returned: OnDefault, Description: e.Schema.Description,
			},
			path:      e.Schema.ID,
			extension: true,
		}
		n.attach(e.Schema.Attributes, e.Schema.ID+":")
		root.add(n)
		t.schemas = append(t.schemas, schemaNode{e.Schema.ID, n})
	}
	if m := root.byName["members"]; m != nil && m.MultiValued && m.identified() && !m.Required && m.Mutability == ReadWrite {
		t.members = m
	}
	return t
}

// attach adds attributes below a node.
func (n *node) attach(attributes []Attribute, prefix string) {
	for i := range attributes {
		a := &attributes[i]
		sub := &node{
			Attribute: a,
			path:      prefix + a.Name,
			hidden:    a.Returned == Never || a.Returned == OnRequest,
			text:      a.Type == String || a.Type == Reference || a.Type == Binary,
		}
		sub.attach(a.Sub, sub.path+".")
		n.add(sub)
	}
}

func (n *node) add(sub *node) {
	if n.byName == nil {
		n.byName = map[string]*node{}
	}
	n.subs = append(n.subs, sub)
	n.byName[strings.ToLower(sub.Name)] = sub
	n.byName[sub.Name] = sub
	n.hidden = n.hidden || sub.hidden
	switch sub.Name {
	case "value":
		n.value = sub
	case "primary":
		if sub.Type == Boolean {
			n.primary = sub
		}
	}
}

// named returns the sub-attribute of a name, whatever its case.
func (n *node) named(name string) *node {
	if sub := n.byName[name]; sub != nil {
		return sub
	}
	return n.byName[strings.ToLower(name)]
}

// identified reports whether elements of the attribute are told apart by
// their value alone, because it never changes: the members of a group.
func (n *node) identified() bool { return n.value != nil && n.value.Mutability == Immutable }
