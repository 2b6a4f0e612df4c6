package shape

import (
	"maps"
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// inspect finds what an expression reads.
func inspect(e ast.Expr) (reads []Path, names []string) {
	in := &inspection{names: map[string]bool{}, seen: map[string]bool{}}
	in.visit(e, nil)
	return in.reads, slices.Sorted(maps.Keys(in.names))
}

type inspection struct {
	reads []Path
	seen  map[string]bool
	names map[string]bool
}

// visit looks at an expression in which some names are local ones.
func (in *inspection) visit(e ast.Expr, local []string) {
	if path, ok := in.path(e, local); ok {
		if text := path.String(); !in.seen[text] {
			in.seen[text] = true
			in.reads = append(in.reads, path)
		}
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		in.names[e.AsSelect().FieldName()] = true
		in.visit(e.AsSelect().Operand(), local)
	case ast.CallKind:
		call := e.AsCall()
		if name, ok := member(call); ok {
			in.names[name] = true
		}
		if call.IsMemberFunction() {
			in.visit(call.Target(), local)
		}
		for _, arg := range call.Args() {
			in.visit(arg, local)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			in.visit(item, local)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			in.visit(entry.AsMapEntry().Key(), local)
			in.visit(entry.AsMapEntry().Value(), local)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			in.visit(field.AsStructField().Value(), local)
		}
	case ast.ComprehensionKind:
		in.comprehension(e.AsComprehension(), local)
	}
}

func (in *inspection) comprehension(c ast.ComprehensionExpr, local []string) {
	in.visit(c.IterRange(), local)
	in.visit(c.AccuInit(), local)
	result := append(slices.Clip(local), c.AccuVar())
	body := append(slices.Clip(result), c.IterVar())
	if c.HasIterVar2() {
		body = append(body, c.IterVar2())
	}
	in.visit(c.LoopCondition(), body)
	in.visit(c.LoopStep(), body)
	in.visit(c.Result(), result)
}

// path reads a chain of members that begins at a variable.
func (in *inspection) path(e ast.Expr, local []string) (Path, bool) {
	var above ast.Expr
	var name string
	switch e.Kind() {
	case ast.IdentKind:
		return Path{e.AsIdent()}, !slices.Contains(local, e.AsIdent())
	case ast.SelectKind:
		above, name = e.AsSelect().Operand(), e.AsSelect().FieldName()
	case ast.CallKind:
		var ok bool
		if name, ok = member(e.AsCall()); !ok {
			return nil, false
		}
		above = e.AsCall().Args()[0]
	default:
		return nil, false
	}
	path, ok := in.path(above, local)
	if !ok {
		return nil, false
	}
	in.names[name] = true
	return append(path, name), true
}

// member returns the name in of["name"].
func member(call ast.CallExpr) (string, bool) {
	if call.FunctionName() != operators.Index || len(call.Args()) != 2 || call.Args()[1].Kind() != ast.LiteralKind {
		return "", false
	}
	name, ok := call.Args()[1].AsLiteral().(types.String)
	return string(name), ok
}
