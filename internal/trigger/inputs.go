package trigger

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Mapping makes the inputs of a flow from an event. It is compiled once and safe
// for concurrent use.
//
// A text that is $event, or $event#/a/b with a JSON Pointer, becomes that value
// with its type; inside a text the same stands in braces: "Dr {$event#/name}".
// $$ at the beginning of a text is a plain $. Everything else is taken as it is.
type Mapping struct {
	inputs map[string]node
}

// node makes one value. ok is false when the event does not have what it names.
type node interface {
	make(event any) (v any, ok bool)
}

// CompileMapping reads the values for inputs. Mistakes are fault.Invalid and
// name the input.
func CompileMapping(inputs map[string]any) (*Mapping, error) {
	m := &Mapping{inputs: map[string]node{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		n, err := compileNode(inputs[name])
		if err != nil {
			errs = append(errs, fault.Wrap(fault.Invalid, err, "input %s: %s", name, fault.Public(err)))
			continue
		}
		m.inputs[name] = n
	}
	return m, fault.Join(errs...)
}

// Names returns the inputs that are mapped, in order.
func (m *Mapping) Names() []string { return slices.Sorted(maps.Keys(m.inputs)) }

// Inputs returns the inputs for an event. An input whose value the event does
// not have, or has as null, is left out, so that the flow's own default, or its own refusal,
// counts; a part of a list or an object that is missing is fault.Invalid.
func (m *Mapping) Inputs(event any) (map[string]any, error) {
	out := map[string]any{}
	for name, n := range m.inputs {
		v, ok := n.make(event)
		if ok {
			out[name] = v
			continue
		}
		if _, whole := n.(reference); !whole {
			return nil, fault.New(fault.Invalid, "the event does not have all that the input %s is made of", name)
		}
	}
	return out, nil
}

const eventRoot = "$event"

type (
	literal    struct{ v any }
	reference  struct{ at value.Pointer }
	listNode   []node
	objectNode map[string]node
	textNode   []node // joined
)

func (l literal) make(any) (any, bool) { return value.Clone(l.v), true }

func (r reference) make(event any) (any, bool) {
	v, ok := r.at.Get(event)
	return value.Clone(v), ok && v != nil
}

func (l listNode) make(event any) (any, bool) {
	out := make([]any, len(l))
	for i, n := range l {
		v, ok := n.make(event)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func (o objectNode) make(event any) (any, bool) {
	out := make(map[string]any, len(o))
	for name, n := range o {
		v, ok := n.make(event)
		if !ok {
			return nil, false
		}
		out[name] = v
	}
	return out, true
}

func (t textNode) make(event any) (any, bool) {
	var b strings.Builder
	for _, n := range t {
		v, ok := n.make(event)
		if !ok {
			return nil, false
		}
		b.WriteString(value.Text(v))
	}
	return b.String(), true
}

func compileNode(v any) (node, error) {
	switch v := v.(type) {
	case string:
		return compileText(v)
	case []any:
		out := make(listNode, len(v))
		for i, item := range v {
			n, err := compileNode(item)
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	case map[string]any:
		out := objectNode{}
		for name, item := range v {
			n, err := compileNode(item)
			if err != nil {
				return nil, err
			}
			out[name] = n
		}
		return out, nil
	}
	return literal{v}, nil
}

func compileText(s string) (node, error) {
	if rest, ok := strings.CutPrefix(s, "$$"); ok {
		return literal{"$" + rest}, nil
	}
	if strings.HasPrefix(s, "$") {
		return compileReference(s)
	}
	var parts textNode
	for rest := s; rest != ""; {
		plain, tail, found := strings.Cut(rest, "{"+eventRoot)
		if plain != "" {
			parts = append(parts, literal{plain})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(tail, "}")
		if !closed {
			return nil, fault.New(fault.Invalid, "%q has no closing brace", s)
		}
		n, err := compileReference(eventRoot + inner)
		if err != nil {
			return nil, err
		}
		parts, rest = append(parts, n), after
	}
	if len(parts) == 0 {
		return literal{s}, nil
	}
	if l, ok := parts[0].(literal); ok && len(parts) == 1 {
		return l, nil
	}
	return parts, nil
}

func compileReference(s string) (node, error) {
	rest, ok := strings.CutPrefix(s, eventRoot)
	if !ok || rest != "" && rest[0] != '#' {
		return nil, fault.New(fault.Invalid, "%q is not known here", s).Fix("write $event, $event#/a/b, or $$ for a plain $")
	}
	p, err := value.ParsePointer(strings.TrimPrefix(rest, "#"))
	if err != nil {
		return nil, err
	}
	return reference{p}, nil
}
