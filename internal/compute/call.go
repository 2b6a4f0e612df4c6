package compute

import (
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Signature is a function of the language and how many arguments it takes; Most
// is -1 for any number.
type Signature struct {
	Name        string
	Least, Most int
}

// Functions returns the functions that need neither a directory nor a clock, by
// name, for other languages that offer them as well.
func Functions() []Signature {
	out := make([]Signature, 0, len(functions))
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		f := functions[name]
		out = append(out, Signature{Name: name, Least: f.least, Most: f.most})
	}
	return out
}

// Call runs one of Functions, within the bounds of an expression of its own.
func Call(name string, args []any) (any, error) {
	f, ok := functions[name]
	if !ok || len(args) < f.least || f.most >= 0 && len(args) > f.most {
		return nil, fault.New(fault.Invalid, "there is no function %s of %d arguments", name, len(args))
	}
	m := &machine{env: Vars(nil), text: name, left: maxCost}
	return f.run(&invocation{machine: m, call: &call{name: name, own: &f}, args: args})
}
