package secret

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Ref names a credential without holding it: "env:NAME", "file:PATH" or
// "vault:NAME". The empty Ref names none.
type Ref string

// The kinds of reference.
const (
	envKind   = "env"
	fileKind  = "file"
	vaultKind = "vault"
)

// how tells people what to write instead of a value.
const how = "write env:NAME for an environment variable, file:PATH for a file, or vault:NAME for an entry of the vault"

// ParseRef checks that s is a reference. A literal value is refused, and not
// quoted: it is likely to be the credential itself.
func ParseRef(s string) (Ref, error) {
	kind, name, ok := strings.Cut(s, ":")
	if !ok || kind != envKind && kind != fileKind && kind != vaultKind {
		return "", fault.New(fault.Invalid, "a credential stands here; only a reference to it may").Fix(how)
	}
	if name == "" || strings.ContainsAny(name, "\x00\r\n") || kind == envKind && strings.ContainsAny(name, "= \t") {
		return "", fault.New(fault.Invalid, "the reference %s: has no usable name", kind).Fix(how)
	}
	return Ref(s), nil
}

// IsRef reports whether s is written as a reference.
func IsRef(s string) bool {
	_, err := ParseRef(s)
	return err == nil
}

// Kind returns "env", "file" or "vault".
func (r Ref) Kind() string { kind, _, _ := strings.Cut(string(r), ":"); return kind }

// Name returns what follows the kind: a variable, a path or an entry.
func (r Ref) Name() string { _, name, _ := strings.Cut(string(r), ":"); return name }
