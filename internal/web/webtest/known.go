package webtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// known is one known error of a description: what real answers have although
// the description forbids it.
type known struct {
	Operations []string `yaml:"operations"` // operationIds, or METHOD /path, as patterns with *; empty for all
	Status     int      `yaml:"status"`     // 0 for any
	Path       string   `yaml:"path"`       // JSON Pointer into the body: * is one segment, a leading ** any number
	Problem    string   `yaml:"problem"`    // part of the violation's text
	Reason     string   `yaml:"reason"`

	// Who shows it: a recording (name#number), else an example that the
	// description itself has (operationId/status/name), else a written source.
	Recording string `yaml:"recording"`
	Example   string `yaml:"example"`
	Source    string `yaml:"source"`

	hits atomic.Int64
}

func parseKnown(text []byte) ([]*known, error) {
	var list []*known
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	for i, k := range list {
		if k.Problem == "" || k.Reason == "" || k.Recording+k.Example+k.Source == "" {
			return nil, fmt.Errorf("known error %d (%s %s) lacks its problem, reason or source", i+1, k.Operations, k.Path)
		}
	}
	return list, nil
}

func (k *known) String() string {
	return fmt.Sprintf("%s %d at %q: %s (%s)", strings.Join(k.Operations, ", "), k.Status, k.Path, k.Problem, k.Reason)
}

func (k *known) covers(v Violation) bool {
	named := len(k.Operations) == 0 || slices.ContainsFunc(k.Operations, func(pattern string) bool {
		ok, err := path.Match(pattern, v.Operation)
		return ok && err == nil
	})
	return named && (k.Status == 0 || k.Status == v.Status) && at(k.Path, v.Path) && strings.Contains(v.Problem, k.Problem)
}

// at reports whether a pointer fits a pattern of segments.
func at(pattern, pointer string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(pointer, "/")
	if len(want) > 1 && want[1] == "**" {
		want = want[2:]
		if len(got) <= len(want) {
			return false
		}
		got = got[len(got)-len(want):]
	}
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == "*" || w == g })
}

// add appends a violation unless it is a known error.
func (c *Checker) add(list []Violation, v Violation) []Violation {
	if k := c.excuse(v); k != nil {
		k.hits.Add(1)
		return list
	}
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func (c *Checker) excuse(v Violation) *known {
	for _, k := range c.known {
		if k.covers(v) {
			return k
		}
	}
	return nil
}

// unknown counts the violations that no known error covers.
func (c *Checker) unknown(list []Violation) int {
	n := 0
	for _, v := range list {
		if c.excuse(v) == nil {
			n++
		}
	}
	return n
}

// stale returns the known errors of a kind that no answer has shown so far.
func (c *Checker) stale(of func(*known) bool) []string {
	var out []string
	for _, k := range c.known {
		if of(k) && k.hits.Load() == 0 {
			out = append(out, k.String())
		}
	}
	return out
}
