package shape

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// adapter makes CEL's values of ours.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		return types.NewDynamicList(a, v)
	case map[string]any:
		return object{types.NewStringInterfaceMap(a, v)}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// number is an int or a double when that loses nothing.
func number(n json.Number) ref.Val {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return types.Int(i)
	}
	if f, err := n.Float64(); err == nil && value.CompareNumbers(decimal(f), n) == 0 {
		return types.Double(f)
	}
	return exact(n)
}

// decimal writes a double with as many digits as tell it from every other one.
func decimal(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'g', -1, 64)) }

// exact is a number that neither an int nor a double can hold. It can be handed
// on and compared.
type exact json.Number

// exactType has no arithmetic.
var exactType = types.NewTypeValue("exact", traits.ComparerType) //nolint:staticcheck // what is offered in its place would have fields

// ConvertToNative implements ref.Val.
func (n exact) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("a number of so many digits cannot become a %s", to)
}

// ConvertToType implements ref.Val.
func (n exact) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.StringType:
		return types.String(n)
	case types.DoubleType:
		if f, err := json.Number(n).Float64(); err == nil {
			return types.Double(f)
		}
	case types.TypeType:
		return exactType
	}
	return types.NewErr("the number %s cannot become a %s", string(n), to.TypeName())
}

// Equal implements ref.Val.
func (n exact) Equal(other ref.Val) ref.Val {
	order, ok := n.Compare(other).(types.Int)
	return types.Bool(ok && order == 0)
}

// Compare implements traits.Comparer.
func (n exact) Compare(other ref.Val) ref.Val {
	var m json.Number
	switch v := other.(type) {
	case exact:
		m = json.Number(v)
	case types.Int:
		m = json.Number(strconv.FormatInt(int64(v), 10))
	case types.Uint:
		m = json.Number(strconv.FormatUint(uint64(v), 10))
	case types.Double:
		m = decimal(float64(v))
	default:
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Int(value.CompareNumbers(json.Number(n), m))
}

// Type implements ref.Val.
func (exact) Type() ref.Type { return exactType }

// Value implements ref.Val.
func (n exact) Value() any { return json.Number(n) }

// object is a map whose members come in the order of their names.
type object struct{ traits.Mapper }

// ordered makes an object of a map that an expression has written out.
func ordered(v ref.Val) ref.Val {
	if m, ok := v.(traits.Mapper); ok {
		return object{m}
	}
	return v
}

// Iterator implements traits.Iterable.
func (o object) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := o.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		if c, ok := a.(traits.Comparer); ok {
			if order, ok := c.Compare(b).(types.Int); ok {
				return int(order)
			}
		}
		return 0 // keys of several types only meet where the result is refused
	})
	return types.NewRefValList(adapter{}, keys).Iterator()
}

// result turns a value of CEL into one of ours, within the bounds.
type result struct {
	values, bytes int
}

func (r *result) count(text string) error {
	r.values++
	r.bytes += len(text)
	if r.values > maxValues || r.bytes > maxBytes {
		return fault.New(fault.TooLarge, "the result is larger than %d values or %d MB of text", maxValues, maxBytes>>20)
	}
	return nil
}

func (r *result) take(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, r.count("")
	case types.Bool:
		return bool(v), r.count("")
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), r.count("")
	case types.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10)), r.count("")
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fault.New(fault.Invalid, "the result is no number")
		}
		return decimal(float64(v)), r.count("")
	case exact:
		return json.Number(v), r.count(string(v))
	case types.String:
		return string(v), r.count(string(v))
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), r.count("")
	case traits.Lister:
		return r.list(v)
	case traits.Mapper:
		return r.object(v)
	}
	return nil, fault.New(fault.Invalid, "a %s is nothing that JSON has; turn it into a text", v.Type().TypeName())
}

func (r *result) list(v traits.Lister) (any, error) {
	if own, ok := v.Value().([]any); ok {
		return own, r.own(own)
	}
	size, _ := v.Size().(types.Int)
	out := make([]any, 0, min(int(size), maxValues))
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, err := r.take(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, r.count("")
}

func (r *result) object(v traits.Mapper) (any, error) {
	if own, ok := v.Value().(map[string]any); ok {
		return own, r.own(own)
	}
	out := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fault.New(fault.Invalid, "the name of a member must be a text, not a %s", key.Type().TypeName())
		}
		item, err := r.take(v.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = item
	}
	return out, r.count("")
}

// own counts a value that was ours before.
func (r *result) own(v any) error {
	switch v := v.(type) {
	case string:
		return r.count(v)
	case json.Number:
		return r.count(string(v))
	case []any:
		for _, item := range v {
			if err := r.own(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := r.own(v[name]); err != nil {
				return err
			}
		}
	}
	return r.count("")
}
