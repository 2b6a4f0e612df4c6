package bundle

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// credentialForms are how credentials look that can be told by their form.
var credentialForms = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----` +
	`|\b(?i:SSWS|Bearer|Basic) +[A-Za-z0-9._~+/=-]{16,}` +
	`|\b00[A-Za-z0-9_-]{40}\b` + // an API token of Okta (okta.md 1)
	`|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}` + // a signed token (RFC 7519)
	`|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b` +
	`|\bgh[pousr]_[A-Za-z0-9]{36,}|\bxox[abeprs]-[A-Za-z0-9-]{10,}` +
	`|://[^\s/:@"'{}$]+:[^\s/@"'{}$]+@`)

// lookText returns where a text has what looks like a credential.
func lookText(file, text string) []string {
	if !credentialForms.MatchString(text) {
		return nil
	}
	var out []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		if credentialForms.MatchString(line) {
			out = append(out, file+":"+strconv.Itoa(n))
		}
	}
	return out
}

// lookNode returns where a tree has a text under the name of a secret, written
// out instead of an expression or a reference, or anything that looks like one.
func lookNode(file string, n *yaml.Node) []string {
	var out []string
	at := func(n *yaml.Node) {
		out = append(out, file+":"+strconv.Itoa(n.Line))
	}
	n = strict.Follow(n)
	switch n.Kind {
	case yaml.ScalarNode:
		if credentialForms.MatchString(n.Value) {
			at(n)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			out = append(out, lookNode(file, c)...)
		}
	case yaml.MappingNode:
		// {name: Authorization, in: header, value: ...}
		if name, v := member(n, "name"), member(n, "value"); name != nil && v != nil && secret.SecretName(name.Value) && literal(v) {
			at(v)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := strict.Follow(n.Content[i]), strict.Follow(n.Content[i+1])
			if secret.SecretName(key.Value) && literal(v) {
				at(v)
				continue
			}
			out = append(out, lookNode(file, v)...)
		}
	}
	return out
}

// literal reports whether a value is a text of its own: no expression, which
// holds a $, and no reference.
func literal(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value != "" && !strings.Contains(n.Value, "$") && !secret.IsRef(n.Value)
}
