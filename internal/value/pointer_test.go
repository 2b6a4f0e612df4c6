package value

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestPointerGet(t *testing.T) {
	// The examples of RFC 6901 5, and more.
	doc := decode(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
		"list":[[1,2],{"0":"zero","-":"dash","01":"lead"}],"null":null,"s":"text"}`)
	found := []struct{ pointer, want string }{
		{"/foo", `["bar","baz"]`},
		{"/foo/0", `"bar"`},
		{"/", `0`},
		{"/a~1b", `1`},
		{"/c%d", `2`},
		{"/e^f", `3`},
		{"/g|h", `4`},
		{`/i\j`, `5`},
		{`/k"l`, `6`},
		{"/ ", `7`},
		{"/m~0n", `8`},
		{"/list/0/1", `2`},
		{"/list/1/0", `"zero"`},
		{"/list/1/-", `"dash"`},
		{"/list/1/01", `"lead"`},
		{"/null", `null`},
	}
	for _, tt := range found {
		p, err := ParsePointer(tt.pointer)
		if err != nil {
			t.Fatalf("ParsePointer(%q): %v", tt.pointer, err)
		}
		got, ok := p.Get(doc)
		if !ok || !cmp.Equal(got, decode(t, tt.want)) {
			t.Errorf("%q: Get = %v, %v; want %s", tt.pointer, got, ok, tt.want)
		}
		if p.String() != tt.pointer {
			t.Errorf("%q becomes %q", tt.pointer, p.String())
		}
	}
	for _, pointer := range []string{"/nope", "/foo/2", "/foo/-", "/foo/-1", "/foo/01", "/foo/+1", "/foo/ 1", "/foo/1e0", "/foo/bar",
		"/foo/18446744073709551616", "/null/x", "/s/0", "//x", "/list/0/1/0"} {
		p, err := ParsePointer(pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Get(doc); ok {
			t.Errorf("%q: Get = %v, want nothing", pointer, got)
		}
	}
	if got, ok := (Pointer{}).Get(doc); !ok || !cmp.Equal(got, doc) {
		t.Errorf("the empty pointer gives %v, %v", got, ok)
	}
}

func TestParsePointerRefuses(t *testing.T) {
	for _, s := range []string{"a", "a/b", "#/a", " /a", "/~", "/a~2", "/~~0", "/a/b~"} {
		if p, err := ParsePointer(s); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParsePointer(%q) = %v, %v; want an Invalid error", s, p, err)
		}
	}
}

func TestPointerSet(t *testing.T) {
	const doc = `{"a":{"b":[1,{"c":2}]},"n":null}`
	tests := []struct{ pointer, v, want string }{
		{"", `1`, `1`},
		{"/a", `1`, `{"a":1,"n":null}`},
		{"/new", `[]`, `{"a":{"b":[1,{"c":2}]},"n":null,"new":[]}`},
		{"/a/b/0", `"x"`, `{"a":{"b":["x",{"c":2}]},"n":null}`},
		{"/a/b/-", `3`, `{"a":{"b":[1,{"c":2},3]},"n":null}`},
		{"/a/b/1/c", `null`, `{"a":{"b":[1,{"c":null}]},"n":null}`},
		{"/a/b/1/d", `4`, `{"a":{"b":[1,{"c":2,"d":4}]},"n":null}`},
	}
	for _, tt := range tests {
		p, _ := ParsePointer(tt.pointer)
		got, err := p.Set(decode(t, doc), decode(t, tt.v))
		if err != nil || !cmp.Equal(got, decode(t, tt.want)) {
			t.Errorf("Set(%q, %s) = %v, %v; want %s", tt.pointer, tt.v, got, err, tt.want)
		}
	}
	for _, pointer := range []string{"/x/y", "/a/b/2", "/a/b/-/c", "/a/b/01", "/a/b/0/c", "/n/x", "/a/b/x"} {
		p, _ := ParsePointer(pointer)
		root := decode(t, doc)
		if got, err := p.Set(root, "v"); !fault.Is(err, fault.Invalid) {
			t.Errorf("Set(%q) = %v, %v; want an Invalid error", pointer, got, err)
		}
		if diff := cmp.Diff(decode(t, doc), root); diff != "" {
			t.Errorf("Set(%q) failed and changed the value:\n%s", pointer, diff)
		}
	}
	if got, err := (Pointer{"-"}).Set([]any{}, "v"); err != nil || !cmp.Equal(got, []any{"v"}) {
		t.Errorf("Set(/-) on the empty array = %v, %v", got, err)
	}
}

func FuzzParsePointer(f *testing.F) {
	for _, s := range []string{"", "/", "/a~1b/0", "/~0~1", "/~2", "a", "//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePointer(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q becomes %q", s, p.String())
		}
		p.Get(map[string]any{"a": []any{"b", map[string]any{}}})
	})
}
