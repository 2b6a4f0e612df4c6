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
	link, more := nextLink(a.Header)
	if !ok || !more {
		return false
	}
	query, ok := queryOf(link)
	if !ok || query == w.Request.Query { // half a list must not pass for a whole one
		t.judge(outcome{status: a.Status, header: a.Header, message: "the Link header names a next page that cannot be asked for: " + shorten(link)})
		return true
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

// nextLink returns the target of the link whose relation is next (RFC 8288 3),
// from one header or several.
func nextLink(header map[string][]string) (string, bool) {
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
				if isNext(params) {
					return target, true
				}
				rest = after[len(target)+1:]
			}
		}
	}
	return "", false
}

// queryOf returns the query of a link, if it has one that may be sent as it is.
func queryOf(link string) (string, bool) {
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return "", false
	}
	unsafe := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) } // RFC 3986 3.4
	return u.RawQuery, strings.IndexFunc(u.RawQuery, unsafe) < 0
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
