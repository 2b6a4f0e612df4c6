package catalog

import "strings"

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
	by := func(text string, patterns func(*Entry) []string) *Entry {
		if text == "" {
			return nil
		}
		for _, e := range list {
			for _, pattern := range patterns(e) {
				if like(pattern, text) {
					return e
				}
			}
		}
		return nil
	}
	for _, server := range servers {
		if e := by(host(server), func(e *Entry) []string { return e.Match.Hosts }); e != nil {
			return e
		}
	}
	if e := by(title, func(e *Entry) []string { return e.Match.Titles }); e != nil {
		return e
	}
	return by(sourceName, func(e *Entry) []string { return e.Match.Names })
}

// host returns the host name of a server's URL. It cannot be left to net/url,
// which refuses the braces of variables.
func host(server string) string {
	_, rest, ok := strings.Cut(server, "//")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	name, _, _ := strings.Cut(rest, ":")
	return strings.TrimSuffix(name, ".")
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
