package scim

import (
	"maps"
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// projectionCase is a case of projection.yaml.
type projectionCase struct {
	Name, On, Error        string
	Attributes, Excluded   []string
	Left, Gone, Load, Skip []string
}

// paths lists what a resource holds, as in projection.yaml.
func paths(prefix string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			sub := name
			if prefix != "" {
				sub = prefix + "." + name
			}
			paths(sub, e, into)
		}
	case []any:
		for _, e := range v {
			paths(prefix, e, into)
		}
	default:
		into[prefix] = true
	}
}

func TestProject(t *testing.T) {
	var cases []projectionCase
	load(t, "projection.yaml", &cases)
	all, from := types(t), resources(t)
	from["full"] = Resource{
		"schemas": []any{"urn:example:2.0:Device"}, "id": "d", "serial": "s", "pin": "1", "log": "l", "label": "x",
		"model": map[string]any{"maker": "m", "secret": "s"},
	}
	from["babs"]["password"] = "secret"
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p, err := ParseProjection(c.Attributes, c.Excluded)
			if c.Error != "" {
				checkError(t, err, c.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			before := from[c.On]
			copied := value.Clone(before)
			got := typeOf(t, all, before).Project(before, p)
			same(t, before, copied)
			left := map[string]bool{}
			paths("", got, left)
			if c.Left != nil {
				if have, want := slices.Sorted(maps.Keys(left)), slices.Sorted(slices.Values(c.Left)); !slices.Equal(have, want) {
					t.Errorf("left %v; want %v", have, want)
				}
			}
			for _, name := range c.Gone {
				if left[name] {
					t.Errorf("%s is left", name)
				}
			}
			for _, name := range c.Load {
				if !p.Wants(name) {
					t.Errorf("Wants(%s) is false", name)
				}
			}
			for _, name := range c.Skip {
				if p.Wants(name) {
					t.Errorf("Wants(%s) is true", name)
				}
			}
		})
	}
}

// What is not wanted is never part of an answer.
func TestWantsCoversProject(t *testing.T) {
	var cases []projectionCase
	load(t, "projection.yaml", &cases)
	all := types(t)
	for name, r := range resources(t) {
		for _, c := range cases {
			p, err := ParseProjection(c.Attributes, c.Excluded)
			if err != nil {
				continue
			}
			for attribute := range typeOf(t, all, r).Project(r, p) {
				if !p.Wants(attribute) && attribute != "id" && attribute != "schemas" {
					t.Errorf("%s, %s: %s is in the answer but not wanted", c.Name, name, attribute)
				}
			}
		}
	}
}
