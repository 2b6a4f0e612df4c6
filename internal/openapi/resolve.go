package openapi

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

const (
	maxHops = 32       // of $ref to $ref
	maxWork = 24 << 20 // values visited and bytes written while reading one description
	wide    = 16       // members from which an object is worth a lookup table
)

// resolver follows references inside one document and keeps account of the
// work, because a few references can make a small document endlessly large.
type resolver struct {
	root   node
	refs   map[string]target
	tables map[node]map[string]node
	work   int
}

type target struct {
	node node
	err  *fault.Error
}

func newResolver(root node) *resolver {
	return &resolver{root: root, refs: map[string]target{}, tables: map[node]map[string]node{}}
}

// spend accounts for work and reports whether there is some left.
func (r *resolver) spend(n int) bool {
	r.work += n
	return !r.exhausted()
}

func (r *resolver) exhausted() bool { return r.work > maxWork }

// deref follows $ref until there is none. A reference that leads nowhere, to
// another file or in a circle is an error that names it.
func (r *resolver) deref(n node) (node, *fault.Error) {
	for range maxHops {
		ref := n.get("$ref")
		if !ref.exists() || ref.isObject() { // a schema property may be called $ref
			return n, nil
		}
		t := r.follow(ref.text())
		if t.err != nil {
			return node{}, t.err
		}
		n = t.node
	}
	return node{}, fault.New(fault.Invalid, "the reference %s goes round in a circle", strconv.Quote(clip(n.get("$ref").text())))
}

func (r *resolver) follow(ref string) target {
	t, ok := r.refs[ref]
	if !ok {
		t.node, t.err = r.lookup(ref)
		r.refs[ref] = t
	}
	return t
}

func (r *resolver) lookup(ref string) (node, *fault.Error) {
	file, fragment, _ := strings.Cut(ref, "#")
	if file != "" {
		return node{}, fault.New(fault.Unsupported, "%s is in another file", strconv.Quote(clip(ref))).
			Fix("bundle the description into one file")
	}
	dangling := fault.New(fault.Invalid, "the reference %s leads nowhere", strconv.Quote(clip(ref)))
	text, err := url.PathUnescape(fragment)
	if err != nil {
		return node{}, dangling
	}
	pointer, err := value.ParsePointer(text)
	if err != nil {
		return node{}, dangling // an $anchor, or not a pointer at all
	}
	at := r.root
	for _, token := range pointer {
		if at = r.child(at, token); !at.exists() {
			return node{}, dangling
		}
	}
	return at, nil
}

// child is get with a table for wide objects: thousands of references into
// components.schemas would otherwise each search it from the start.
func (r *resolver) child(n node, token string) node {
	if n.isArray() {
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 {
			return node{}
		}
		for item := range n.items() {
			if i == 0 || !r.spend(1) {
				return item
			}
			i--
		}
		return node{}
	}
	table, ok := r.tables[n]
	if !ok {
		table = make(map[string]node)
		for k, v := range n.pairs() {
			r.spend(1)
			if _, again := table[k]; !again {
				table[k] = v
			}
		}
		if len(table) < wide {
			return table[token]
		}
		r.tables[n] = table
	}
	return table[token]
}

// clip shortens text from the document for a message.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
