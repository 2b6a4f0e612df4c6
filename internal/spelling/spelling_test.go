package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"run", "runs", "validate", "version", "allow-private", "conformance", "createUser", ""}
	for typed, want := range map[string]string{
		"rnu":           "run",
		"ru":            "run",
		"vlidate":       "validate",
		"valid":         "validate",
		"validation":    "validate",
		"alow-privat":   "allow-private",
		"conformanse":   "conformance",
		"CREATEUSER":    "createUser",
		"create_user":   "createUser",
		"conformity":    "",
		"frobnicate":    "",
		"x":             "",
		"":              "",
		"run\xff\xfe":   "",
		"r" + long("u"): "",
	} {
		if got := Nearest(typed, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func long(s string) string { return strings.Repeat(s, maxLength) }

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 0, 0},
		{"a", "", 3, 1},
		{"", "abc", 3, 3},
		{"kitten", "sitting", 5, 3},
		{"kitten", "sitting", 3, 3},
		{"kitten", "sitting", 2, 3},
		{"kitten", "sitting", 0, 1},
		{"abcdef", "ghijkl", 3, 4},
		{"flaw", "lawn", 9, 2},
		{"short", "a much longer one", 4, 5},
	} {
		if got := Distance(test.a, test.b, test.limit); got != test.want {
			t.Errorf("Distance(%q, %q, %d) = %d, want %d", test.a, test.b, test.limit, got, test.want)
		}
		if got := Distance(test.b, test.a, test.limit); got != test.want {
			t.Errorf("Distance(%q, %q, %d) = %d, want %d: it must not depend on the order", test.b, test.a, test.limit, got, test.want)
		}
	}
}
