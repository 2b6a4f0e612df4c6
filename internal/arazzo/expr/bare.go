package expr

import "strings"

// Span is an expression in a text, from byte Start up to End.
type Span struct {
	Start, End int
	Expr       Expression
}

// FindBare finds the expressions that stand in text without the braces that
// would make them expressions: "SSWS $inputs.token". known is asked with the
// expression up to its name, without pointer ("$inputs.token",
// "$steps.create.outputs.id"): the longest known one is taken, because a name
// may hold dots and dashes that belong to the text. When none is known it is
// the longest that the grammar allows, without dots and dashes at its end.
// $url, $method and $self are words that texts use for themselves and are not
// looked for. A text that is one whole expression has nothing bare in it.
func FindBare(s string, known func(name string) bool) []Span {
	if _, err := Parse(s); err == nil {
		return nil
	}
	var out []Span
	for at := 0; at < len(s); {
		i := strings.IndexByte(s[at:], '$')
		if i < 0 {
			break
		}
		at += i
		if at > 0 && s[at-1] == '{' {
			if _, end, err := embedded(s, at-1); err == nil && end > 0 {
				at = end
				continue
			}
		}
		span, ok := bareAt(s, at, known)
		if !ok {
			at++
			continue
		}
		out = append(out, span)
		at = span.End
	}
	return out
}

// endsBare reports the bytes that end an expression in running text.
func endsBare(c byte) bool {
	return c <= ' ' || strings.IndexByte("\"'`<>{}()[]|\\^,;:!?&=+%@$*", c) >= 0
}

func bareAt(s string, at int, known func(string) bool) (Span, bool) {
	e, n, err := scan(s[at:], endsBare)
	if err != nil || n == 0 {
		return Span{}, false
	}
	switch e.Root {
	case RootURL, RootMethod, RootSelf, RootComponents:
		return Span{}, false
	case RootStatusCode:
		return Span{at, at + n, e}, n == len(s)-at || !isIdent(s[at+n])
	}
	text := s[at : at+n]
	if e.HasPointer {
		return trimmed(text, at)
	}
	if e.Name == "" { // $response.body
		return Span{at, at + n, e}, true
	}
	// Candidates end where the name could: before a dot or dash, or at the end.
	first := len(text) - len(e.Name)
	for end := first + cutParts(e.Name); end > first; end = first + strings.LastIndexAny(text[first:end], ".-") {
		if known != nil && known(text[:end]) {
			return trimmedTo(text[:end], at)
		}
	}
	return trimmed(text, at)
}

// trimmed leaves punctuation at the end of text to the text around it.
func trimmed(text string, at int) (Span, bool) {
	return trimmedTo(strings.TrimRight(text, ".-/"), at)
}

func trimmedTo(text string, at int) (Span, bool) {
	e, err := Parse(text)
	return Span{at, at + len(text), e}, err == nil
}

// cutParts returns the length of name, or of as many parts of it as a declared
// name is expected to have at most.
func cutParts(name string) int {
	parts := 0
	for i := 0; i < len(name); i++ {
		if name[i] == '.' || name[i] == '-' {
			if parts++; parts > maxParts {
				return i
			}
		}
	}
	return len(name)
}
