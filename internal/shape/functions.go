package shape

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// mostArguments bounds the arguments of functions that take any number.
const mostArguments = 12

// functions are those that CEL does not have: chunk, and Okta's.
func functions() []cel.EnvOption {
	item := cel.TypeParamType("T")
	list := cel.ListType(item)
	out := []cel.EnvOption{cel.Function("chunk",
		cel.Overload("chunk_list_int", []*cel.Type{list, cel.IntType}, cel.ListType(list), cel.BinaryBinding(chunk)),
		cel.MemberOverload("list_chunk_int", []*cel.Type{list, cel.IntType}, cel.ListType(list), cel.BinaryBinding(chunk)),
	)}
	for _, f := range compute.Functions() {
		if strings.Contains(f.Name, ".") { // the others are names that CEL has itself
			out = append(out, okta(f))
		}
	}
	return out
}

// chunk cuts a list into parts of at most n items.
func chunk(list, n ref.Val) ref.Val {
	items, ok := list.(traits.Lister)
	size, okSize := n.(types.Int)
	if !ok || !okSize || size < 1 {
		return types.NewErr("chunk takes a list and a size of at least 1")
	}
	var chunks, part []ref.Val
	for it := items.Iterator(); it.HasNext() == types.True; {
		if part = append(part, it.Next()); types.Int(len(part)) == size {
			chunks, part = append(chunks, types.NewRefValList(adapter{}, part)), nil
		}
	}
	if len(part) > 0 {
		chunks = append(chunks, types.NewRefValList(adapter{}, part))
	}
	return types.NewRefValList(adapter{}, chunks)
}

// okta offers a function of Okta's expressions.
func okta(f compute.Signature) cel.EnvOption {
	most := f.Most
	if most < 0 {
		most = mostArguments
	}
	options := []cel.FunctionOpt{cel.SingletonFunctionBinding(func(args ...ref.Val) ref.Val { return call(f.Name, args) })}
	id := strings.ReplaceAll(f.Name, ".", "_")
	for n := f.Least; n <= most; n++ {
		args := make([]*cel.Type, n)
		for i := range args {
			args[i] = cel.DynType
		}
		options = append(options, cel.Overload(id+"_"+string(rune('a'+n)), args, returns(f.Name)))
	}
	return cel.Function(f.Name, options...)
}

// returns is the type of a function, where it is certain: not of those that
// give nothing for nothing.
func returns(name string) *cel.Type {
	switch name {
	case "String.startsWith", "String.endsWith", "String.stringContains", "Arrays.contains", "Arrays.isEmpty":
		return cel.BoolType
	case "String.len", "Arrays.size":
		return cel.IntType
	}
	return cel.DynType
}

func call(name string, args []ref.Val) ref.Val {
	given := make([]any, len(args))
	for i, arg := range args {
		v, err := (&result{}).take(arg)
		if err != nil {
			return types.WrapErr(err)
		}
		given[i] = v
	}
	v, err := compute.Call(name, given)
	if err != nil {
		return types.NewErr("%s", fault.Public(err))
	}
	return adapter{}.NativeToValue(v)
}
