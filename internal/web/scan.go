package web

import "strings"

// PlainRun returns the longest part of a text that looks the same wherever it is
// stored: of ASCII that JSON does not escape, and without i and k, which letters
// beyond ASCII have as their lower case. A search narrows its scan by it.
func PlainRun(text string) string {
	longest := ""
	for _, run := range strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\<>&%iIkK`, r) }) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	return longest
}
