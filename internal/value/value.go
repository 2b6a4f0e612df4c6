// Package value owns JSON values: how they are read without loss, compared,
// copied, addressed by JSON Pointer and turned into text.
//
// A value is nil, bool, json.Number, string, []any or map[string]any. Numbers
// stay json.Number from the first byte read to the last byte sent, so that
// 9007199254740993 and 1.10 leave as they came (A30).
//
// It also reads YAML into values and bounded node trees (yaml.go). What the
// values mean is left to its users.
package value

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// MaxDepth bounds the nesting of any value we read, JSON or YAML: deeper ones
// are refused, because every recursive walk over a value relies on the bound.
const MaxDepth = 512

// Decode reads exactly one JSON value without losing digits.
func Decode(data []byte) (any, error) {
	if v, ok := parse(string(data)); ok {
		return v, nil
	}
	return byReflection(data)
}

// DecodeExact is Decode for what strangers send: where a value would not say all
// that the text does, it is fault.Invalid. That is a name that an object has
// twice, of which others may read the first, and half of a surrogate pair.
func DecodeExact(data []byte) (any, error) {
	p := parser{s: string(data), exact: true}
	v, ok := p.parse()
	switch {
	case ok:
		return v, nil
	case p.lost != "":
		return nil, fault.New(fault.Invalid, "%s", p.lost)
	}
	return byReflection(data)
}

// byReflection is Decode by encoding/json, which words what is wrong.
func byReflection(data []byte) (any, error) {
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "not well-formed JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "more than one JSON value")
	}
	return v, nil
}

// checkDepth scans brackets outside strings; encoding/json's own limit (10,000)
// is too generous for our recursive walks.
func checkDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fault.New(fault.TooLarge, "nested deeper than %d levels", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Encode writes v as compact JSON with sorted keys and without HTML escaping:
// equal values give equal bytes.
func Encode(v any) ([]byte, error) {
	if b, ok := appendJSON(nil, v, 0); ok {
		return b, nil
	}
	return encodeByReflection(v)
}

// WithMembers returns an object that was written as JSON with members that it
// lacks. Those that are nil are left out. The memory of object is used up.
func WithMembers(object []byte, members ...Member) ([]byte, error) {
	if len(object) < 2 || object[len(object)-1] != '}' {
		return nil, fault.New(fault.Internal, "members can only be added to an object")
	}
	out := object[:len(object)-1]
	for _, m := range members {
		if m.Value == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendText(out, m.Name), ':')
		at := len(out)
		var ok bool
		if out, ok = appendJSON(out, m.Value, 0); !ok {
			b, err := encodeByReflection(m.Value)
			if err != nil {
				return nil, err
			}
			out = append(out[:at], b...)
		}
	}
	return append(out, '}'), nil
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value map[string]any
}

// encodeByReflection is Encode by encoding/json, which words what is wrong.
func encodeByReflection(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot be written as JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Text embeds a value in text: scalars as text, strings as they are, structures
// as JSON (N37; Arazzo 1.1 "Runtime Expressions").
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	}
	b, err := Encode(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// Clone copies a value deeply.
func Clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = Clone(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = Clone(item)
		}
		return out
	}
	return v
}

// Equal reports whether two values are the same JSON value; numbers are
// compared by magnitude (1.0 equals 1), strings exactly.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && CompareNumbers(a, b) == 0
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, av := range a {
			bv, ok := b[k]
			if !ok || !Equal(av, bv) {
				return false
			}
		}
		return true
	}
	return a == b
}

// CompareNumbers orders two JSON numbers exactly, without going through
// float64: -1, 0 or 1. It compares digits, so neither a long number nor a great
// exponent costs more than reading it. A number that cannot be read compares as
// zero.
func CompareNumbers(a, b json.Number) int {
	if a == b {
		return 0
	}
	x, y := readDecimal(a.String()), readDecimal(b.String())
	switch {
	case x.sign != y.sign:
		return cmp.Compare(x.sign, y.sign)
	case x.sign < 0:
		return y.compareMagnitude(x)
	}
	return x.compareMagnitude(y)
}

// decimal is a number as 0.DIGITS times ten to the exponent, where DIGITS is
// whole followed by frac, starts with no zero, and is empty for zero.
type decimal struct {
	sign        int // -1, 0, 1
	whole, frac string
	exponent    int64
}

// maxExponent is where exponents stop being told apart.
const maxExponent = 1 << 40

func readDecimal(s string) decimal {
	d := decimal{sign: 1}
	if strings.HasPrefix(s, "-") {
		d.sign, s = -1, s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		d.exponent = readExponent(s[i+1:])
		s = s[:i]
	}
	d.whole, d.frac, _ = strings.Cut(s, ".")
	if !allDigits(d.whole) || !allDigits(d.frac) {
		return decimal{}
	}
	d.whole = strings.TrimLeft(d.whole, "0")
	if d.whole == "" {
		frac := strings.TrimLeft(d.frac, "0")
		d.exponent -= int64(len(d.frac) - len(frac))
		d.frac = frac
	}
	if d.whole == "" && d.frac == "" {
		return decimal{}
	}
	d.exponent += int64(len(d.whole))
	return d
}

func readExponent(s string) int64 {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && allDigits(s) || n > maxExponent {
		n = maxExponent
	}
	if negative {
		return -n
	}
	return n
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) compareMagnitude(e decimal) int {
	if d.exponent != e.exponent {
		return cmp.Compare(d.exponent, e.exponent)
	}
	n := max(len(d.whole)+len(d.frac), len(e.whole)+len(e.frac))
	for i := 0; i < n; i++ {
		if c := cmp.Compare(d.digit(i), e.digit(i)); c != 0 {
			return c
		}
	}
	return 0
}

// digit returns the i-th digit after the point of 0.DIGITS.
func (d decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i]
	}
	if i -= len(d.whole); i < len(d.frac) {
		return d.frac[i]
	}
	return '0'
}
