package okta_test

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// idPattern finds ids of Okta in a text (okta.md 1.1): a prefix for the type, and
// 20 characters in all.
var idPattern = regexp.MustCompile(`\b(?:00u|00g|00p|00o|00T|0oa|0ua|0pr|rst|rul|oty|osc|ufs|ost|aps|guo|iam|cr0|ra1|gra|irb|aut|aus|pol|pfm|lae)[A-Za-z0-9]{17}\b`)

// idMap knows our ids for the recorded ones.
type idMap struct {
	known    map[string]string
	replacer *strings.Replacer
}

func newIDMap() *idMap {
	return &idMap{known: map[string]string{}, replacer: strings.NewReplacer()}
}

// ours writes our ids into a recorded text.
func (m *idMap) ours(text string) string { return m.replacer.Replace(text) }

// add pairs two ids. The first pairing stays: a later other one is a
// difference that the comparison has to show.
func (m *idMap) add(theirs, ours string) {
	if _, ok := m.known[theirs]; ok || theirs == ours || theirs == "" {
		return
	}
	m.known[theirs] = ours
	var pairs []string
	for _, id := range slices.SortedFunc(maps.Keys(m.known), func(a, b string) int { return len(b) - len(a) }) {
		pairs = append(pairs, id, m.known[id])
	}
	m.replacer = strings.NewReplacer(pairs...)
}

// learn pairs the ids of two answers. Objects of lists are paired by name,
// because lists are in the order of ids.
func (m *idMap) learn(theirs, ours string) {
	a, err := parseTree(theirs)
	if err != nil {
		return
	}
	b, err := parseTree(ours)
	if err != nil {
		return
	}
	m.walk("", a, b)
}

func (m *idMap) walk(key string, a, b *tree) {
	switch {
	case a.kind != b.kind:
	case a.kind == '{':
		for _, k := range a.keys {
			if other := b.get(k); other != nil {
				m.walk(k, a.get(k), other)
			}
		}
	case a.kind == '[':
		for n, item := range a.items {
			if other := m.partner(n, item, b.items); other != nil {
				m.walk("", item, other)
			}
		}
	case key == "id" && !strings.Contains(a.text, "/"):
		m.add(a.text, b.text) // whatever it looks like
	default:
		left, right := idPattern.FindAllString(a.text, -1), idPattern.FindAllString(b.text, -1)
		if len(left) != len(right) {
			return
		}
		for n := range left {
			if left[n][:3] == right[n][:3] {
				m.add(left[n], right[n])
			}
		}
	}
}

// partner finds the object of our list for one of theirs.
func (m *idMap) partner(n int, item *tree, list []*tree) *tree {
	if name := item.name(); name != "" {
		for _, other := range list {
			if other.name() == name {
				return other
			}
		}
		return nil
	}
	if n < len(list) {
		return list[n]
	}
	return nil
}

// name is what people know an object by; "" for what has no name.
func (t *tree) name() string {
	for _, path := range [][]string{{"profile", "login"}, {"profile", "name"}, {"label"}, {"name"}, {"externalId"}, {"factorType"}} {
		at := t
		for _, key := range path {
			if at = at.get(key); at == nil {
				break
			}
		}
		if at != nil && at.kind == 's' {
			return at.text
		}
	}
	return ""
}

// learnCursor pairs the cursors of the next page.
func (m *idMap) learnCursor(theirs, ours []string) {
	a, b := cursor(theirs), cursor(ours)
	if b != "" {
		m.add(a, b)
	}
}

var nextLink = regexp.MustCompile(`<([^>]*)>; rel="next"`)

func cursor(links []string) string {
	for _, link := range links {
		if found := nextLink.FindStringSubmatch(link); found != nil {
			if u, err := url.Parse(found[1]); err == nil {
				return u.Query().Get("after")
			}
		}
	}
	return ""
}
