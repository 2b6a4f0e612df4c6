package expr

import (
	"regexp"
	"strconv"
)

// Keys returns the names of a compiled object's members, and whether the value
// is an object. A member may still be left out when it is evaluated.
func (v Value) Keys() (map[string]bool, bool) {
	keys := map[string]bool{}
	switch n := v.root.(type) {
	case object:
		for _, m := range n {
			keys[m.key] = true
		}
	case constant:
		members, ok := n.v.(map[string]any)
		for key := range members {
			keys[key] = true
		}
		return keys, ok
	default:
		return nil, false
	}
	return keys, true
}

var statusCondition = regexp.MustCompile(`^\s*\$statusCode\s*==\s*([1-5][0-9][0-9])\s*$`)

// Status returns the status code that a criterion demands, when that is all it
// demands.
func (c Criterion) Status() (int, bool) {
	m := statusCondition.FindStringSubmatch(c.text)
	if m == nil || c.typed != nil {
		return 0, false
	}
	code, err := strconv.Atoi(m[1])
	return code, err == nil
}
