package catalog

import (
	"slices"
	"strings"
)

// Forecast holds what a plan needs to say how long its calls will take.
type Forecast struct {
	// CredentialShare is how many percent of a bucket one credential may use
	// unless the provider's admin changed it.
	CredentialShare int      `yaml:"credentialShare"`
	Buckets         []Bucket `yaml:"buckets"`
}

// Bucket is a set of operations that share one rate limit.
type Bucket struct {
	// Methods are those that the bucket counts; empty: all.
	Methods []string `yaml:"methods"`
	// Path is the templated path of an operation, whatever its parameters are
	// called; with /** at its end, also everything below it.
	Path string `yaml:"path"`
	// PerMinute is how many calls a minute the bucket allows in the long run.
	PerMinute int `yaml:"perMinute"`
	// Burst is how many calls it allows at once after a rest; 0: PerMinute.
	Burst int `yaml:"burst"`
}

// Bucket returns the bucket that counts calls of the operation with the given
// method and templated path: the one of that very path, else the one with the
// longest path above it; of two with the same path, the one that names the
// method. Two operations with equal buckets share their limit.
func (f Forecast) Bucket(method, path string) (Bucket, bool) {
	best, found := -1, 0
	for i, b := range f.Buckets {
		if rank := b.rank(method, path); rank > found {
			best, found = i, rank
		}
	}
	if best < 0 {
		return Bucket{}, false
	}
	return f.Buckets[best], true
}

// rank says how closely the bucket describes the operation, 0 for not at all.
func (b Bucket) rank(method, path string) int {
	if len(b.Methods) > 0 && !slices.Contains(b.Methods, method) {
		return 0
	}
	above, below := strings.CutSuffix(b.Path, "/**")
	want, have := segments(above), segments(path)
	if len(have) < len(want) || !below && len(have) > len(want) || !slices.Equal(want, have[:len(want)]) {
		return 0
	}
	rank := 1 + 2*len(want)
	if len(b.Methods) > 0 {
		rank++
	}
	if !below {
		rank += 2 // above /** with the same path, whose method counts for one
	}
	return rank
}

// segments splits a templated path; parameters lose their names.
func segments(path string) []string {
	var out []string
	for s := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		switch {
		case s == "":
			continue
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}"):
			s = "{}"
		}
		out = append(out, s)
	}
	return out
}
