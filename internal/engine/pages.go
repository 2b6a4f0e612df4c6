package engine

import (
	"net/url"
	"slices"
	"strings"
)

// nextPage asks for the page that follows an answer, if it is a list and its
// Link header names one (x-lanyard-pages). Only the query is taken from the
// header: the request stays with its operation and its server.
func (t *turn) nextPage(f *frame, w waiting, a *Answer) bool {
	if a.Status/100 != 2 {
		return false
	}
	page, ok := response(a).Body.([]any)
	query, more := nextQuery(a.Header)
	if !ok || !more || query == w.Request.Query {
		return false
	}
	if t.s.Visits >= t.m.plan.Profile.StepBudget() {
		t.frozen = t.s.Frames
		t.abort("the list of step " + t.m.step(f).ID + " has more pages than the run may make step visits; raise maxSteps")
		return true
	}
	t.s.Visits++ // a page counts as much as a visit: lists may have no end
	f.Visit.Pages = slices.Concat(f.Visit.Pages, page)
	next := *w.Request
	next.Query = query
	t.send(f, waiting{Kind: waitCall, Request: &next})
	return true
}

// nextQuery returns the query of the link whose relation is next (RFC 8288 3),
// from one header or several.
func nextQuery(header map[string][]string) (string, bool) {
	for name, values := range header {
		if !strings.EqualFold(name, "Link") {
			continue
		}
		for _, v := range values {
			for rest := v; ; {
				_, after, ok := strings.Cut(rest, "<")
				target, params, closed := strings.Cut(after, ">")
				if !ok || !closed {
					break
				}
				params, _, _ = strings.Cut(params, "<") // of the next link
				rest = after[len(target)+1:]
				if !isNext(params) {
					continue
				}
				u, err := url.Parse(target)
				return queryOf(u), err == nil && u.RawQuery != ""
			}
		}
	}
	return "", false
}

func queryOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.RawQuery
}

// isNext reads the parameters of a link.
func isNext(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(strings.Trim(p, " \t,"), "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return slices.Contains(strings.Fields(strings.ToLower(strings.Trim(v, `" `))), "next")
		}
	}
	return false
}
