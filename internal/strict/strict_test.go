package strict_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// form is a made-up format with a field of every sort.
type form struct {
	Text, Choice         string
	Flag                 bool
	Least, Between, Part int
	Texts                []string
	Named                map[string]string
	Written              []string // keys that count as written
}

func read(r *strict.Reader, n *yaml.Node) form {
	f := form{Named: map[string]string{}}
	written := r.Mapping(n, "the form", map[string]strict.Field{
		"text":    r.Text(&f.Text),
		"choice":  r.Choice(&f.Choice, "a", "b"),
		"flag":    r.Flag(&f.Flag),
		"least":   r.AtLeast(&f.Least, 1),
		"between": r.Between(&f.Between, 1, 5),
		"part":    r.Percent(&f.Part),
		"texts":   r.Texts(&f.Texts),
		"named": func(n *yaml.Node) {
			r.Named(n, "named", func(name string, n *yaml.Node) {
				var s string
				r.Text(&s)(n)
				f.Named[name] = s
			})
		},
	})
	for _, key := range []string{"text", "flag"} {
		if written[key] != nil {
			f.Written = append(f.Written, key)
		}
	}
	return f
}

func parse(t *testing.T, r *strict.Reader, text string) form {
	t.Helper()
	root, err := value.ParseYAML([]byte(text), r.File)
	if err != nil {
		t.Fatal(err)
	}
	return read(r, root)
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := &strict.Reader{File: "f.yaml"}
	got := parse(t, r, `
text: &t hello
choice: b
flag: true
least: 9000000000
between: 5
part: 100%
texts: [*t, x]
named: {one: *t}
`)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	want := form{
		Text: "hello", Choice: "b", Flag: true, Least: 9_000_000_000, Between: 5, Part: 100,
		Texts: []string{"hello", "x"}, Named: map[string]string{"one": "hello"}, Written: []string{"text", "flag"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the form (-want +got):\n%s", diff)
	}
}

// TestReaderReportsEverything has one mistake in each line.
func TestReaderReportsEverything(t *testing.T) {
	t.Parallel()
	r := &strict.Reader{File: "f.yaml"}
	parse(t, r, `text: [x]
choice: c
flag: yes
least: 0
between: 6
part: 0%
texts: hello
named: hello
other: 1
`)
	want := []string{
		"f.yaml:1:7: this must be text",
		`f.yaml:2:9: "c" is not known here; use one of a, b`,
		"f.yaml:3:7: this must be true or false",
		"f.yaml:4:8: this must be a whole number of at least 1",
		"f.yaml:5:10: this must be a whole number from 1 to 5",
		"f.yaml:6:7: this must be a percentage from 1% to 100%; write it as 50%",
		"f.yaml:7:8: this must be a list",
		"f.yaml:8:8: named must be a mapping of names",
		`f.yaml:9:1: the form has no key "other"; use one of between, choice, flag, least, named, part, text, texts`,
	}
	if diff := cmp.Diff(want, strings.Split(r.Err().Error(), "\n")); diff != "" {
		t.Errorf("the mistakes (-want +got):\n%s", diff)
	}
}

// TestNumbersAreNumbers makes sure that text which looks like one is refused.
func TestNumbersAreNumbers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`least: "5"`, "least: 1.5", "least: 99999999999999999999", "part: 50", "part: 5 %"} {
		r := &strict.Reader{File: "f.yaml"}
		if f := parse(t, r, text); r.Err() == nil || f.Least != 0 || f.Part != 0 {
			t.Errorf("%s is read as %d, %d%%: %v", text, f.Least, f.Part, r.Err())
		}
	}
}

func TestNull(t *testing.T) {
	t.Parallel()
	for _, absent := range []bool{true, false} {
		r := &strict.Reader{File: "f.yaml", NullIsAbsent: absent}
		f := parse(t, r, "flag:\ntext: x\n")
		if (r.Err() == nil) != absent {
			t.Errorf("with NullIsAbsent %v the mistakes are: %v", absent, r.Err())
		}
		if wrote := len(f.Written) == 2; wrote == absent {
			t.Errorf("with NullIsAbsent %v these keys are written: %v", absent, f.Written)
		}
	}
	r := &strict.Reader{File: "f.yaml"}
	if parse(t, r, "null"); r.Err() == nil {
		t.Error("null is a mapping")
	}
}
