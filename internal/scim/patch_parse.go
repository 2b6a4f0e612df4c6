package scim

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
)

// Operation is one operation of a PATCH, its path parsed. ParsePatch makes it.
type Operation struct {
	Op    string // OpAdd, OpReplace or OpRemove
	Path  string // as sent; "" when absent
	Value any    // nil when absent or null

	path *filter.Path // nil without a path
}

// ParsePatch reads the body of a PATCH (RFC 7644 3.5.2). It knows no resource
// type: paths are parsed and not resolved.
func ParsePatch(body map[string]any, how Leniency) ([]Operation, []Note, error) {
	var n notes
	if !names(body, PatchMessage) {
		if !how.Schemas {
			return nil, nil, Fail(InvalidSyntax, "schemas must name %s", PatchMessage)
		}
		n.add("the body's schemas do not name %s, which was assumed", PatchMessage)
	}
	list, ok := member(body, "Operations").([]any)
	if !ok || len(list) == 0 {
		return nil, n.list, Fail(InvalidSyntax, "Operations must be an array with at least one operation")
	}
	if len(list) > MaxOperations {
		return nil, n.list, Fail(TooLarge, "a patch may have %d operations, not %d", MaxOperations, len(list))
	}
	ops := make([]Operation, 0, len(list))
	for i, v := range list {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, n.list, Fail(InvalidSyntax, "operation %d must be an object", i+1)
		}
		op, err := parseOperation(object, i+1, how, &n)
		if err != nil {
			return nil, n.list, err
		}
		ops = append(ops, op)
	}
	return ops, n.list, nil
}

func parseOperation(object map[string]any, number int, how Leniency, n *notes) (Operation, error) {
	var op Operation
	word, _ := member(object, "op").(string)
	for _, known := range []string{OpAdd, OpReplace, OpRemove} {
		if strings.EqualFold(word, known) {
			op.Op = known
		}
	}
	switch {
	case op.Op == "":
		return op, Fail(InvalidSyntax, "the op of operation %d must be add, replace or remove", number)
	case op.Op != word:
		n.add("the operation %s was read as %s", word, op.Op)
	}
	switch path := member(object, "path").(type) {
	case nil:
	case string:
		if strings.TrimSpace(path) == "" {
			n.add("an empty path was read as none")
			break
		}
		parsed, relaxed, err := filter.ParsePath(path, how.Syntax)
		if err != nil {
			return op, Fail(InvalidPath, "%s", fault.Public(err))
		}
		for _, text := range relaxed {
			n.add("%s", text)
		}
		op.Path, op.path = path, &parsed
	default:
		return op, Fail(InvalidPath, "the path of operation %d must be a string", number)
	}
	op.Value = member(object, "value")
	if op.Value == nil && op.Op != OpRemove && !has(object, "value") {
		return op, Fail(InvalidValue, "operation %d needs a value", number)
	}
	return op, nil
}
