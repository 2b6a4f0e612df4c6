package okta

import (
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// Row is one error of the catalogue.
type Row struct {
	Status  int
	Summary string
}

// Catalogue returns the errors that the API answers with, in Okta's notation.
func Catalogue() map[string]Row {
	out := map[string]Row{}
	for code, e := range catalogue {
		out[code] = Row{e.status, strings.ReplaceAll(e.summary, "%s", "{0}")}
	}
	return out
}

// Matches is the check of an If-Match header.
var Matches = matches

// Select reports whether a text is a list of fields, and keeps the id.
func Select(text string) (kept, ok bool) {
	s, err := parseFields(text)
	o := s.project(web.Object{{Key: "id", Value: 1}})
	return len(o) == 1, err == nil
}

// Limits counts calls apart from an API.
type Limits struct{ *limits }

// NewLimits returns the counters of an org.
func NewLimits(clock func() time.Time, policy LimitPolicy) Limits {
	return Limits{newLimits(clock, func() LimitPolicy { return policy })}
}

// Take, Enter and TakeSignIn count a call.
func (l Limits) Take(h http.Header, method, path, caller string) bool {
	return l.take(h, method, path, caller)
}

func (l Limits) Enter(h http.Header) (func(), bool) { return l.enter(h) }

func (l Limits) TakeSignIn(h http.Header, username string) bool { return l.takeSignIn(h, username) }

// Held is how many callers are told apart at the moment.
func (l Limits) Held() int {
	n := 0
	for _, s := range l.spent {
		n += len(s.callers)
	}
	return n
}

// MaxCounted is how many callers a window tells apart.
const MaxCounted = maxCounted

// BucketPaths are the paths of the table.
func BucketPaths() []string {
	var out []string
	for _, b := range buckets {
		out = append(out, b.path)
	}
	return out
}
