package openapi

import (
	"slices"
	"strings"
	"unicode"

	"github.com/lanyard-id/lanyard/internal/spelling"
)

// Nearest returns up to three operationIds that resemble the given one, the
// most similar first.
func (x *Index) Nearest(operationID string) []string { return nearest(operationID, x.Names()) }

// nearestPaths prefers paths that differ only in the names of parameters.
func nearestPaths(path string, among []string) []string {
	var same []string
	for _, other := range among {
		if braced.ReplaceAllString(other, "{}") == braced.ReplaceAllString(path, "{}") {
			same = append(same, other)
		}
	}
	if same != nil {
		return same
	}
	return nearest(path, among)
}

// nearest compares without case and punctuation, and with the words in any
// order: post_users, PostUsers and users_post are one name to a person.
func nearest(name string, among []string) []string {
	const most, longest = 3, 100
	if len(name) > longest {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	plain, sorted := normal(name)
	limit := max(2, len(plain)/3)
	var found []candidate
	for _, other := range among {
		if len(other) > longest {
			continue
		}
		p, s := normal(other)
		d := min(spelling.Distance(plain, p, limit), spelling.Distance(sorted, s, limit)+1)
		if d <= limit {
			found = append(found, candidate{other, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range found[:min(len(found), most)] {
		out = append(out, c.name)
	}
	return out
}

// normal returns a name in lower case without punctuation, as written and with
// its words sorted.
func normal(name string) (plain, sorted string) {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	lower := false
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			flush()
			lower = false
			continue
		case unicode.IsUpper(c) && lower:
			flush()
		}
		lower = unicode.IsLower(c)
		word.WriteRune(c)
	}
	flush()
	plain = strings.Join(words, "")
	slices.Sort(words)
	return plain, strings.Join(words, "")
}
