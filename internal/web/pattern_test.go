package web_test

import (
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern   string
		yes, fail string // paths, separated by blanks
	}{
		{"/", "/", "/x"},
		{"/**", "/ /x /x/y", ""},
		{"/api/v1/users", "/api/v1/users /api/v1/users/", "/api/v1 /api/v1/users/1 /api/v1/Users"},
		{"/api/v1/users/{id}/lifecycle/*", "/api/v1/users/1/lifecycle/suspend /api/v1/users/a%2Fb/lifecycle/unlock", "/api/v1/users/1/lifecycle /api/v1/users/1/lifecycle/a/b /api/v1/users/a/b/lifecycle/x"},
		{"/api/v1/apps/**", "/api/v1/apps /api/v1/apps/1 /api/v1/apps/1/users/2", "/api/v1/application /api/v1"},
		{"/users/a b", "/users/a%20b", "/users/a+b"},
	} {
		p, err := web.ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q): %v", test.pattern, err)
		}
		for path := range strings.FieldsSeq(test.yes) {
			if !p.Match(web.Segments(path)) {
				t.Errorf("%s does not match %s", test.pattern, path)
			}
		}
		for path := range strings.FieldsSeq(test.fail) {
			if p.Match(web.Segments(path)) {
				t.Errorf("%s matches %s", test.pattern, path)
			}
		}
	}
	for _, wrong := range []string{"", "api", "/a//b", "/a*", "/{a}b", "/{}", "/a/**/b", "/a?b", "/a%20b", "/a/"} {
		if _, err := web.ParsePattern(wrong); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParsePattern(%q) = %v, want Invalid", wrong, err)
		}
	}
}

// The more a pattern says, the higher it ranks.
func TestPatternRank(t *testing.T) {
	t.Parallel()
	last := -1
	for _, text := range []string{"/**", "/api/**", "/api/v1/**", "/api/v1/apps/**", "/api"} {
		p, err := web.ParsePattern(text)
		if err != nil || p.Rank() <= last {
			t.Errorf("the rank of %s is %d, want more than %d (%v)", text, p.Rank(), last, err)
		}
		last = p.Rank()
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("/api/v1/users/{id}", "/api/v1/users/a%2Fb")
	f.Add("/**", "//%zz")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := web.ParsePattern(pattern)
		if err != nil {
			return
		}
		if p.Match(web.Segments(path)) && !strings.Contains(pattern, "*") && strings.Count(strings.Trim(path, "/"), "/") != strings.Count(strings.Trim(pattern, "/"), "/") {
			t.Errorf("%q matches %q, which has other segments", pattern, path)
		}
	})
}
