package scim

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold brings a text to a form in which texts that differ in case only are
// equal, exactly as strings.EqualFold compares them. Lower-case ASCII comes back
// as it is, without a copy.
func fold(s string) string {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.Map(foldRune, s)
		}
		if 'A' <= c && c <= 'Z' {
			return foldUpper(s)
		}
	}
	return s
}

func foldUpper(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(foldRune, s)
		}
	}
	return strings.ToLower(s)
}

// foldRune returns one rune for all that differ from it in case only.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

// isASCII reports whether bytes and runes are the same in a text.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// containsFold reports whether s holds the folded part, in any case.
func containsFold(s, part string) bool {
	if !isASCII(s) || !isASCII(part) {
		return strings.Contains(fold(s), part)
	}
	for i := 0; i+len(part) <= len(s); i++ {
		if equalASCII(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// equalASCII compares a text of ASCII with a folded one of the same length.
func equalASCII(s, folded string) bool {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != folded[i] {
			return false
		}
	}
	return true
}

// hasPrefixFold and hasSuffixFold are strings.HasPrefix and HasSuffix in any
// case; the part is folded already.
func hasPrefixFold(s, part string) bool {
	if isASCII(s) && isASCII(part) {
		return len(s) >= len(part) && equalASCII(s[:len(part)], part)
	}
	return strings.HasPrefix(fold(s), part)
}

func hasSuffixFold(s, part string) bool {
	if isASCII(s) && isASCII(part) {
		return len(s) >= len(part) && equalASCII(s[len(s)-len(part):], part)
	}
	return strings.HasSuffix(fold(s), part)
}
