package catalog

import (
	"regexp"
	"strings"
)

// Match returns the entry that a source belongs to, nil when the catalogue has
// none. It judges by the hosts of the servers first, since a description of any
// name that lives on a provider's host is the provider's; then by the
// description's title; then by the source's name in the document. title and
// servers may be empty. Servers may be written with variables in braces.
//
// A match says which provider is meant. It is no reason to trust the server.
func Match(sourceName, title string, servers []string) *Entry {
	list, _ := entries() // the embedded profiles are right, a test holds them to it
	return match(list, sourceName, title, servers)
}

func match(list []*Entry, sourceName, title string, servers []string) *Entry {
	first := func(fits func(*Entry) bool) *Entry {
		for _, e := range list {
			if fits(e) {
				return e
			}
		}
		return nil
	}
	for _, server := range servers {
		if e := first(func(e *Entry) bool { return e.Serves(server) }); e != nil {
			return e
		}
	}
	if e := first(func(e *Entry) bool { return likeAny(e.Match.Titles, title) }); e != nil {
		return e
	}
	return first(func(e *Entry) bool { return likeAny(e.Match.Names, sourceName) })
}

// Serves reports whether a server's URL is on a host of the provider itself,
// and not on a custom domain, in the sandbox or elsewhere.
func (e *Entry) Serves(server string) bool { return likeAny(e.Match.Hosts, host(server)) }

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:)?$`)

// host returns the host name of a server's URL. It cannot be left to net/url,
// which refuses the braces of variables.
func host(server string) string {
	before, rest, ok := strings.Cut(server, "//")
	if !ok || !scheme.MatchString(before) {
		return ""
	}
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	name, _, _ := strings.Cut(rest, ":")
	return strings.TrimSuffix(name, ".")
}

func likeAny(patterns []string, text string) bool {
	for _, pattern := range patterns {
		if like(pattern, text) {
			return true
		}
	}
	return false
}

// like reports whether text has the form of the pattern, in which * stands for
// any text. Case makes no difference.
func like(pattern, text string) bool {
	text = strings.ToLower(text)
	parts := strings.Split(strings.ToLower(pattern), "*")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && text == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}
