package scim

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// presets are what every fuzzer tries.
var presets = []func() Leniency{Strict, Okta, Entra, EntraFlag, Auth0}

// FuzzPatch applies operations to a fixed user, group and device. Whatever they
// are, the inputs stay as they are, the same comes out each time, and what comes
// out is a resource: reading it back changes nothing.
func FuzzPatch(f *testing.F) {
	var cases []patchCase
	load(f, "patch.yaml", &cases)
	for _, c := range cases {
		text, err := value.Encode(c.Do)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	all, from := types(f), resources(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Decode(text)
		ops, ok := v.([]any)
		if err != nil || !ok {
			t.Skip()
		}
		for _, name := range []string{"babs", "plain", "guides", "device"} {
			for _, how := range presets {
				fuzzPatch(t, typeOf(t, all, from[name]), from[name], ops, how())
			}
		}
	})
}

func fuzzPatch(t *testing.T, typ *ResourceType, before Resource, ops []any, how Leniency) {
	t.Helper()
	copied, given := value.Clone(before), value.Clone(ops)
	got, _, err := apply(typ, before, ops, how)
	same(t, before, copied)
	same(t, ops, given)
	if err != nil {
		if Describe(err).Status >= 500 {
			t.Errorf("status %d: %v", Describe(err).Status, err)
		}
		return
	}
	again, _, err := apply(typ, before, ops, how)
	if err != nil || !value.Equal(got, again) {
		t.Fatalf("another outcome: %v and %v, %v", got, again, err)
	}
	checkResource(t, typ, got)
	body := map[string]any{"schemas": []any{PatchMessage}, "Operations": ops}
	parsed, _, err := ParsePatch(body, how)
	if err != nil {
		t.Fatal(err)
	}
	if change, _, ok := typ.Members(parsed, how); ok && !value.Equal(applyMembers(before, change), got) {
		t.Fatalf("Members gives %v, Patch %v", applyMembers(before, change), got)
	}
}

// checkResource reports a resource that Read would not make.
func checkResource(t *testing.T, typ *ResourceType, r Resource) {
	t.Helper()
	read, notes, err := typ.Replace(r, r, Strict())
	if err != nil {
		t.Fatalf("%v cannot be read: %v", r, err)
	}
	if len(notes) > 0 || !value.Equal(read, r) {
		t.Fatalf("%v reads as %v, %q", r, read, notes)
	}
}

// FuzzRead reads bodies as users, groups and devices. What is accepted is stable:
// reading the outcome again changes nothing.
func FuzzRead(f *testing.F) {
	var cases []readCase
	load(f, "read.yaml", &cases)
	for _, c := range cases {
		text, err := value.Encode(c.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	all := types(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Decode(text)
		body, ok := v.(map[string]any)
		if err != nil || !ok {
			t.Skip()
		}
		given := value.Clone(body)
		for _, typ := range all.All() {
			for _, how := range presets {
				got, _, err := typ.Read(body, how())
				same(t, body, given)
				if err != nil {
					if Describe(err).Status >= 500 {
						t.Errorf("status %d: %v", Describe(err).Status, err)
					}
					continue
				}
				checkResource(t, typ, got)
				typ.Project(got, Projection{})
			}
		}
	})
}

// FuzzCompile compiles filters and matches them. Not has to negate, Lookup has
// to be necessary, and two runs have to agree.
func FuzzCompile(f *testing.F) {
	var file struct {
		Users map[string]Resource
		Cases []filterCase
	}
	load(f, "filter.yaml", &file)
	for _, c := range file.Cases {
		f.Add(c.Filter)
	}
	all := types(f)
	file.Users["device"] = resources(f)["device"]
	f.Fuzz(func(t *testing.T, text string) {
		e, _, err := ParseFilter(text, Entra())
		if err != nil {
			return
		}
		for _, r := range file.Users {
			typ := typeOf(t, all, r)
			compiled, err := typ.Compile(e)
			if err != nil {
				if Describe(err).Type != InvalidFilter {
					t.Errorf("%v", err)
				}
				continue
			}
			is := compiled.Match(r)
			attribute, want, ok := compiled.Lookup()
			if !ok || !is {
				continue
			}
			eq, err := compileText(typ, attribute+" eq "+quoted(want))
			if err == nil && !eq.Match(r) {
				t.Errorf("%s matches %v but not the lookup %s %q", text, r["id"], attribute, want)
			}
		}
	})
}

// FuzzProjection projects a user and a group by any names.
func FuzzProjection(f *testing.F) {
	var cases []projectionCase
	load(f, "projection.yaml", &cases)
	for _, c := range cases {
		for _, names := range append(c.Attributes, c.Excluded...) {
			f.Add(names)
		}
	}
	all, from := types(f), resources(f)
	f.Fuzz(func(t *testing.T, names string) {
		for _, p := range [][2][]string{{{names}, nil}, {nil, {names}}} {
			projection, err := ParseProjection(p[0], p[1])
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range from {
				got := typeOf(t, all, r).Project(r, projection)
				if got["id"] != r["id"] || got["password"] != nil {
					t.Errorf("%q leaves %v", names, got)
				}
				for name := range got {
					if !projection.Wants(name) && name != "id" && name != "schemas" {
						t.Errorf("%q does not want %s, which is there", names, name)
					}
				}
			}
		}
	})
}
