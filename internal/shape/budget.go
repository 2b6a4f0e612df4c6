package shape

import (
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// CEL's own cost limit takes time that grows with the square of a list, so that
// costs are counted here: every value that is looked at and every call costs
// one, and in addition what their result holds, one level deep.

// budget is what one evaluation may still cost.
type budget struct{ left int }

// budgetName is the variable under which the budget travels. No expression can
// name it.
const budgetName = "@budget"

// spend takes a cost, and gives an error in the value's place when too little is left.
func spend(frame *interpreter.ExecutionFrame, cost int, v ref.Val) ref.Val {
	found, _ := frame.ResolveName(budgetName)
	b, ok := found.(*budget)
	if !ok {
		return v
	}
	if b.left -= cost; b.left < 0 {
		return types.NewErr("too many steps")
	}
	return v
}

// charge makes the parts of an expression pay.
func charge(part interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch p := part.(type) {
	case interpreter.InterpretableConst:
		return interpreter.NewConstValue(p.ID(), ordered(p.Value())), nil
	case interpreter.InterpretableAttribute:
		return paidAttribute{p}, nil
	case interpreter.InterpretableCall:
		return paidCall{p}, nil
	case interpreter.InterpretableConstructor:
		return paidConstructor{p}, nil
	}
	return part, nil
}

type paidAttribute struct {
	interpreter.InterpretableAttribute
}

// Exec implements interpreter.InterpretableV2.
func (p paidAttribute) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := p.InterpretableAttribute.Exec(frame)
	return spend(frame, 1+size(v), v)
}

// Eval implements interpreter.Interpretable.
func (p paidAttribute) Eval(a interpreter.Activation) ref.Val { return p.Exec(interpreter.AsFrame(a)) }

type paidCall struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (p paidCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := p.InterpretableCall.Exec(frame)
	cost := 1
	_, list := v.(traits.Lister)
	if name := p.Function(); name != operators.Index && (name != operators.Add || !list) { // those copy nothing
		cost += size(v)
	}
	return spend(frame, cost, v)
}

// Eval implements interpreter.Interpretable.
func (p paidCall) Eval(a interpreter.Activation) ref.Val { return p.Exec(interpreter.AsFrame(a)) }

type paidConstructor struct {
	interpreter.InterpretableConstructor
}

// Exec implements interpreter.InterpretableV2.
func (p paidConstructor) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return spend(frame, 1+len(p.InitVals()), ordered(p.InterpretableConstructor.Exec(frame)))
}

// Eval implements interpreter.Interpretable.
func (p paidConstructor) Eval(a interpreter.Activation) ref.Val {
	return p.Exec(interpreter.AsFrame(a))
}

// textShare is how many bytes of text cost as much as one value.
const textShare = 8

// size is how much a value holds, one level deep.
func size(v ref.Val) int {
	sized, ok := v.(traits.Sizer)
	if !ok {
		return 0
	}
	switch s := v.(type) {
	case types.String:
		return len(s) / textShare
	case types.Bytes:
		return len(s) / textShare
	case traits.MutableLister: // being built by a macro: its items are paid for one by one
		return 0
	}
	n, _ := sized.Size().(types.Int)
	return int(n)
}
