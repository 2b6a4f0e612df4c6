package engine

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// nextPage asks for the page that follows an answer, if it is a list and says
// that there is one (x-lanyard-pages). Only the query changes: the request stays
// with its operation and its server.
func (t *turn) nextPage(f *frame, w waiting, a *Answer) bool {
	p := t.m.step(f).Pages
	if p == nil || a.Status/100 != 2 {
		return false
	}
	page, ok := itemsOf(p, response(a).Body)
	if !ok {
		return false
	}
	next, more := following(p, w.Request.Query, a, len(f.Visit.Pages)+len(page), len(page))
	if !more {
		return false
	}
	if next.query == "" || next.query == w.Request.Query { // half a list must not pass for a whole one
		t.judge(outcome{status: a.Status, header: a.Header, message: "the answer names a next page that cannot be asked for: " + shorten(next.name)})
		return true
	}
	if t.s.Visits >= t.m.plan.Profile.StepBudget() {
		t.frozen = t.s.Frames
		t.abort("the list of step " + t.m.step(f).ID + " has more pages than the run may make step visits; raise maxSteps")
		return true
	}
	t.s.Visits++ // a page counts as much as a visit: lists may have no end
	f.Visit.Pages = slices.Concat(f.Visit.Pages, page)
	request := *w.Request
	request.Query = next.query
	t.send(f, waiting{Kind: waitCall, Request: &request})
	return true
}

// whole puts the pages before the last one into its body.
func whole(p *plan.Pages, pages []any, body any) any {
	last, ok := itemsOf(p, body)
	if !ok || len(pages) == 0 {
		return body
	}
	all, err := p.Items.Set(value.Clone(body), slices.Concat(pages, last))
	if err != nil {
		return body // it was there a moment ago
	}
	return all
}

// itemsOf returns the list that a page is, or holds.
func itemsOf(p *plan.Pages, body any) ([]any, bool) {
	v, ok := p.Items.Get(body)
	if !ok {
		return nil, false
	}
	list, ok := v.([]any)
	return list, ok
}

// nextQuery is how a page is asked for, and what the answer called it.
type nextQuery struct{ query, name string }

// following says how the page behind an answer is asked for, if there is one.
// The query is empty when it cannot be asked for. read counts the items up to
// the end of this page, size those on it.
func following(p *plan.Pages, query string, a *Answer, read, size int) (nextQuery, bool) {
	if p.Link {
		link, more := NextLink(a.Header)
		if !more {
			return nextQuery{}, false
		}
		next, ok := QueryOf(link)
		if !ok {
			next = ""
		}
		return nextQuery{next, link}, true
	}
	body := response(a).Body
	if p.Next != nil {
		v, _ := p.Next.Get(body)
		text, _ := v.(string)
		return nextQuery{WithParameter(query, p.Parameter, text), text}, text != ""
	}
	v, _ := p.Total.Get(body)
	total, ok := v.(json.Number)
	if !ok || size == 0 || value.CompareNumbers(total, json.Number(strconv.Itoa(read))) <= 0 {
		return nextQuery{}, false
	}
	position := strconv.Itoa(p.First + read)
	if !p.ByItems {
		position = strconv.Itoa(pageOf(p, query) + 1)
	}
	return nextQuery{WithParameter(query, p.Parameter, position), position}, true
}

// pageOf returns the number of the page that a query asks for.
func pageOf(p *plan.Pages, query string) int {
	values, err := url.ParseQuery(query)
	if err != nil {
		return p.First
	}
	n, err := strconv.Atoi(values.Get(p.Parameter))
	if err != nil {
		return p.First
	}
	return n
}

// WithParameter returns a query with one of its parameters replaced.
func WithParameter(query, name, v string) string {
	var out []string
	for part := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); part != "" && (err != nil || plain != name) {
			out = append(out, part)
		}
	}
	return strings.Join(append(out, url.QueryEscape(name)+"="+url.QueryEscape(v)), "&")
}

// NextLink returns the target of the link whose relation is next (RFC 8288 3),
// from one header or several.
func NextLink(header map[string][]string) (string, bool) {
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

// QueryOf returns the query of a link, if it has one that may be sent as it is.
func QueryOf(link string) (string, bool) {
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
