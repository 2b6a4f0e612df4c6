package arazzo

import (
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/value"
)

// SecretInputs returns JSON Pointers to the inputs of a workflow whose values
// must not be shown: those marked format: password or writeOnly (N77), and
// those whose names say so, since hardly anybody marks them (of 238 such inputs
// in published documents not one was). A secret inside a list gives the pointer
// of the list. The pointers are in the order of the schema.
func SecretInputs(d *Document, w *Workflow) []string {
	return newSchemaIndex(d).secretInputs(w)
}

func (x *schemaIndex) secretInputs(w *Workflow) []string {
	if !w.Inputs.Set() {
		return nil
	}
	f := secretFinder{schemas: x.of(w.Inputs.Node), open: map[*yaml.Node]bool{}}
	f.walk(w.Inputs.Node, nil)
	return f.found
}

type secretFinder struct {
	schemas
	open  map[*yaml.Node]bool // schemas we are inside of, against recursion
	found []string
	steps int
}

// maxSecretWalk bounds the walk: schemas may refer to each other in ways whose
// unfolding is exponential.
const maxSecretWalk = 20_000

func (f *secretFinder) walk(n *yaml.Node, at value.Pointer) {
	n = deref(n)
	if n == nil || n.Kind != yaml.MappingNode || f.open[n] {
		return
	}
	if f.steps++; f.steps > maxSecretWalk {
		return
	}
	f.open[n] = true
	defer delete(f.open, n)
	if len(at) > 0 && markedSecret(n) {
		f.add(at)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := deref(n.Content[i]).Value, deref(n.Content[i+1])
		switch key {
		case "$ref":
			target, _, _ := f.resolve(v.Value)
			f.walk(target, at)
		case "properties":
			for k := 0; k+1 < len(v.Content); k += 2 {
				f.property(deref(v.Content[k]).Value, v.Content[k+1], at)
			}
		case "allOf", "anyOf", "oneOf":
			for _, child := range v.Content {
				f.walk(child, at)
			}
		case "then", "else":
			f.walk(v, at)
		case "items", "contains":
			f.items(v, at)
		case "prefixItems":
			for _, child := range v.Content {
				f.items(child, at)
			}
		}
	}
}

func (f *secretFinder) property(name string, schema *yaml.Node, at value.Pointer) {
	p := append(slices.Clone(at), name)
	if secretName(name) && !f.harmless(schema, 0) {
		f.add(p)
		return
	}
	f.walk(schema, p)
}

// items finds secrets inside a list, and names the list.
func (f *secretFinder) items(schema *yaml.Node, at value.Pointer) {
	if len(at) == 0 {
		return
	}
	inner := secretFinder{schemas: f.schemas, open: f.open, steps: f.steps}
	inner.walk(schema, at)
	f.steps = inner.steps
	if len(inner.found) > 0 {
		f.add(at)
	}
}

func (f *secretFinder) add(at value.Pointer) {
	if s := at.String(); !slices.Contains(f.found, s) {
		f.found = append(f.found, s)
	}
}

// harmless reports schemas whose values cannot be secrets: flags, such as
// revokeTokens.
func (s schemas) harmless(n *yaml.Node, depth int) bool {
	const hops = 20
	n = deref(n)
	if n == nil || depth > hops {
		return false
	}
	if ref := deref(mapValue(n, "$ref")); ref != nil {
		target, _, _ := s.resolve(ref.Value)
		return s.harmless(target, depth+1)
	}
	t := deref(mapValue(n, "type"))
	return t != nil && t.Value == "boolean"
}

// markedSecret reports the marks the language has (N77).
func markedSecret(n *yaml.Node) bool {
	if f := deref(mapValue(n, "format")); f != nil && f.Value == "password" {
		return true
	}
	return value.FromYAML(deref(mapValue(n, "writeOnly"))) == true
}

// secretWords are the last words of names that hold secrets; a name ends with
// one of them, perhaps in the plural: oktaApiToken, client_secret, x-api-key.
// What only describes a secret ends otherwise: tokenType, passwordPolicy.
var secretWords = []string{
	"password", "passwd", "pwd", "pass phrase", "passphrase", "pass code", "passcode", "secret", "token", "credential", "pin", "otp", "totp",
	"api key", "apikey", "private key", "privatekey", "secret key", "access key", "signing key", "encryption key", "shared key", "client key",
	"hmac key", "service account key", "pre shared key", "psk", "jwt", "bearer", "client assertion", "recovery answer", "security answer",
	"recovery code", "backup code", "verification code", "authorization code", "auth code", "activation code", "mfa code", "one time code",
	"authorization", "connection string", "private jwk",
}

// secretTails may follow a secret word without changing what it is.
var secretTails = []string{"value", "text", "plaintext", "plain text", "base64", "b64", "pem", "hash"}

// notSecret are names that end like secrets and are none: places in a listing,
// which is no more secret than the listing.
var notSecret = []string{"page token", "next token", "continuation token", "sync token", "cursor token", "pagination token", "skip token"}

// secretName reports whether an input's name says that it holds a secret.
func secretName(name string) bool {
	words := splitWords(name)
	for _, tail := range secretTails {
		if rest, ok := cutLastWords(words, tail); ok && rest != "" {
			words = rest
			break
		}
	}
	for _, candidate := range []string{words, strings.TrimSuffix(words, "s")} {
		if slices.ContainsFunc(notSecret, func(s string) bool { return endsWithWords(candidate, s) }) {
			return false
		}
		if slices.ContainsFunc(secretWords, func(s string) bool { return endsWithWords(candidate, s) }) {
			return true
		}
	}
	return false
}

func endsWithWords(words, tail string) bool {
	_, ok := cutLastWords(words, tail)
	return ok
}

func cutLastWords(words, tail string) (string, bool) {
	if words == tail {
		return "", true
	}
	return strings.CutSuffix(words, " "+tail)
}

// splitWords writes a name in lower-case words: "oktaApiToken" and
// "OKTA_API-token" give "okta api token".
func splitWords(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte(' ')
			continue
		case i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1])),
			i > 0 && i+1 < len(runes) && unicode.IsUpper(r) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1]):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
