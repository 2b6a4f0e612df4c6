package web

import (
	"net/url"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Pattern matches paths of requests: segments between slashes, of which
// "{name}" and "*" stand for any single one, and "/**" at the end for whatever
// comes below, or nothing. The zero Pattern matches "/" alone.
type Pattern struct {
	segments []string // "" is any single one
	below    bool     // ends in /**
}

// ParsePattern reads a pattern such as /api/v1/users/{id}/lifecycle/*. A mistake
// is fault.Invalid.
func ParsePattern(text string) (Pattern, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return Pattern{}, fault.New(fault.Invalid, "a path begins with /")
	}
	var p Pattern
	if rest, p.below = strings.CutSuffix("/"+rest, "/**"); rest == "" || rest == "/" {
		return p, nil
	}
	for segment := range strings.SplitSeq(rest[1:], "/") {
		named := len(segment) > 2 && segment[0] == '{' && strings.IndexByte(segment, '}') == len(segment)-1
		switch {
		case segment == "":
			return Pattern{}, fault.New(fault.Invalid, "a segment of the path is empty")
		case named || segment == "*":
			segment = ""
		case strings.ContainsAny(segment, "*{}?#%"):
			return Pattern{}, fault.New(fault.Invalid, "%q is no segment of a path", segment).
				Fix("write it unescaped; {name} and * stand alone between slashes, /** at the end")
		}
		p.segments = append(p.segments, segment)
	}
	return p, nil
}

// Match reports whether the pattern matches the segments of a path.
func (p Pattern) Match(segments []string) bool {
	if len(segments) < len(p.segments) || !p.below && len(segments) > len(p.segments) {
		return false
	}
	for i, want := range p.segments {
		if want != "" && want != segments[i] {
			return false
		}
	}
	return true
}

// Rank orders the patterns that match one path: the greater, the closer. One
// without /** comes before all that have it, and among those the longest.
func (p Pattern) Rank() int {
	const exact = 1 << 16
	if !p.below {
		return exact
	}
	return len(p.segments)
}

// Segments splits an escaped path (url.URL.EscapedPath) where the server's
// router does, so that a login with an escaped slash is one segment.
func Segments(escaped string) []string {
	trimmed := strings.Trim(escaped, "/")
	if trimmed == "" {
		return nil
	}
	out := strings.Split(trimmed, "/")
	for i, segment := range out {
		if plain, err := url.PathUnescape(segment); err == nil {
			out[i] = plain
		}
	}
	return out
}
