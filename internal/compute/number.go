package compute

import (
	"encoding/json"
	"math/big"
	"strings"
)

// maxDigits bounds the numbers that are calculated with.
const maxDigits = 60

// fraction is how many digits behind the point a division gives.
const fraction = 16

// rational reads a number that is not too long to calculate with.
func rational(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > maxDigits || strings.Trim(n.String(), "0123456789.-+") != "" {
		return nil, false // also no exponent: it makes a short number a long one
	}
	return new(big.Rat).SetString(n.String())
}

// arithmetic calculates with two numbers exactly. Whole numbers give whole
// numbers, also when they are divided, as in Java.
func (m *machine) arithmetic(op string, left, right any, at int) (any, error) {
	x, ok := rational(left)
	if !ok {
		return nil, m.fail(at, "%s needs numbers of at most %d digits, not %s", op, maxDigits, sort(left))
	}
	y, ok := rational(right)
	if !ok {
		return nil, m.fail(at, "%s needs numbers of at most %d digits, not %s", op, maxDigits, sort(right))
	}
	r := new(big.Rat)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		r.Mul(x, y)
	default:
		if y.Sign() == 0 {
			return nil, m.fail(at, "division by zero")
		}
		r.Quo(x, y)
		if op == "%" {
			r.Sub(x, r.Mul(whole(r), y))
		} else if x.IsInt() && y.IsInt() {
			r = whole(r)
		}
	}
	return decimal(r), m.spend(at, 1)
}

// whole cuts off the fraction.
func whole(r *big.Rat) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Quo(r.Num(), r.Denom()))
}

// rounded is the nearest whole number, halves away from zero.
func rounded(r *big.Rat) json.Number { return json.Number(r.FloatString(0)) }

// decimal writes a number without zeros at the end.
func decimal(r *big.Rat) json.Number {
	s := r.FloatString(fraction)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" || s == "-" {
		return "0"
	}
	return json.Number(s)
}

// integer is a whole number that fits, for positions.
func integer(v any) (int, bool) {
	r, ok := rational(v)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return int(r.Num().Int64()), true
}
