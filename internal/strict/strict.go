// Package strict reads YAML whose keys are known, and reports everything that is
// wrong with it at once, each mistake at its line and column. JSON is read too,
// as the part of YAML that it is.
//
// What the keys are and what else must hold is left to those who own the format:
// they say it as a Field for each key.
package strict

import (
	"encoding/json"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Reader walks a tree of value.ParseYAML and gathers what is wrong with it.
type Reader struct {
	File string // stands in places

	// NullIsAbsent lets a key without a value count as not written, which people
	// who comment out what stands below a key expect. Otherwise it is read like
	// any other value.
	NullIsAbsent bool

	errors []error
}

// Field reads one value into its place, or says what is Wrong with it.
type Field func(n *yaml.Node)

// Err returns everything that was wrong as one fault.Invalid, nil for nothing.
func (r *Reader) Err() error { return fault.Join(r.errors...) }

// Wrong notes a mistake. An empty remedy is none.
func (r *Reader) Wrong(n *yaml.Node, remedy, format string, args ...any) {
	e := fault.New(fault.Invalid, format, args...).At("%s:%d:%d", r.File, n.Line, n.Column)
	if remedy != "" {
		e = e.Fix("%s", remedy)
	}
	r.errors = append(r.errors, e)
}

// Mapping reads a mapping with known keys. It returns where each of them stands;
// nil says that there is no mapping.
func (r *Reader) Mapping(n *yaml.Node, what string, fields map[string]Field) map[string]*yaml.Node {
	n = Follow(n)
	if r.NullIsAbsent && isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.Wrong(n, "", "%s must be a mapping", what)
		return nil
	}
	written := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], Follow(n.Content[i+1])
		name := Follow(key).Value
		read, ok := fields[name]
		if !ok {
			r.Wrong(key, OneOf(maps.Keys(fields)), "%s has no key %q", what, name)
			continue
		}
		if r.NullIsAbsent && isNull(v) {
			continue
		}
		written[name] = key
		read(v)
	}
	return written
}

// Named reads a mapping whose keys are names that the user chose.
func (r *Reader) Named(n *yaml.Node, what string, entry func(name string, n *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.Wrong(n, "", "%s must be a mapping of names", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		entry(Follow(n.Content[i]).Value, Follow(n.Content[i+1]))
	}
}

// Each reads the items of a list.
func (r *Reader) Each(item Field) Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.Wrong(n, "", "this must be a list")
			return
		}
		for _, one := range n.Content {
			item(Follow(one))
		}
	}
}

// Text reads a scalar as it is written.
func (r *Reader) Text(into *string) Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.Wrong(n, "", "this must be text")
			return
		}
		*into = n.Value
	}
}

// Texts reads a list of texts.
func (r *Reader) Texts(into *[]string) Field {
	return r.Each(func(n *yaml.Node) {
		var s string
		r.Text(&s)(n)
		*into = append(*into, s)
	})
}

// Choice reads one of some words.
func (r *Reader) Choice(into *string, allowed ...string) Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !slices.Contains(allowed, n.Value) {
			r.Wrong(n, "use one of "+strings.Join(allowed, ", "), "%q is not known here", n.Value)
			return
		}
		*into = n.Value
	}
}

// Flag reads true or false.
func (r *Reader) Flag(into *bool) Field {
	return func(n *yaml.Node) {
		v, ok := value.FromYAML(n).(bool)
		if !ok {
			r.Wrong(n, "", "this must be true or false")
			return
		}
		*into = v
	}
}

// AtLeast reads a whole number that has a lower bound.
func (r *Reader) AtLeast(into *int, least int) Field {
	return r.number(into, least, math.MaxInt, "this must be a whole number of at least "+strconv.Itoa(least))
}

// Between reads a whole number that has two bounds, both of them allowed.
func (r *Reader) Between(into *int, least, most int) Field {
	return r.number(into, least, most, "this must be a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
}

func (r *Reader) number(into *int, least, most int, otherwise string) Field {
	return func(n *yaml.Node) {
		number, ok := value.FromYAML(n).(json.Number)
		v, err := strconv.Atoi(string(number))
		if !ok || err != nil || v < least || v > most {
			r.Wrong(n, "", "%s", otherwise)
			return
		}
		*into = v
	}
}

// Percent reads a percentage from 1% to 100%.
func (r *Reader) Percent(into *int) Field {
	return func(n *yaml.Node) {
		digits, ok := strings.CutSuffix(n.Value, "%")
		v, err := strconv.Atoi(digits)
		if n.Kind != yaml.ScalarNode || !ok || err != nil || v < 1 || v > 100 {
			r.Wrong(n, "write it as 50%", "this must be a percentage from 1%% to 100%%")
			return
		}
		*into = v
	}
}

// Follow returns what an alias stands for.
func Follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && value.FromYAML(n) == nil }

// OneOf is the remedy that names what would be right, in order.
func OneOf(names iter.Seq[string]) string {
	return "use one of " + strings.Join(slices.Sorted(names), ", ")
}
