package extract

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The ways in which a list goes on behind its first page.
const (
	byNothing = ""       // there is one page
	byLink    = "link"   // the header Link names the next page (RFC 8288)
	byURL     = "url"    // the body has the address of the next page
	byCursor  = "cursor" // the body, or a header, has what to ask with
	byNumber  = "number" // pages are counted
	byOffset  = "offset" // items are counted
)

// The ways in which a list ends whose length is not told.
const (
	endsEmpty = "empty" // with a page without items
	endsShort = "short" // with a page of fewer items than asked for
)

// defaultMostPages is how many pages a list may have when nothing is said.
const defaultMostPages = 10_000

// pages says how a list goes on.
type pages struct {
	by            string
	at            value.Pointer // url, cursor: where it is in the body
	header        string        // cursor: the header that has it instead
	parameter     string        // cursor, number, offset: of the query
	first         int           // number, offset: of the first page
	size          int
	sizeParameter string
	total         value.Pointer // of the number of all items; nil: not told
	totalHeader   string
	totalOptional bool          // it is checked where it is told
	more          value.Pointer // of a boolean; nil: not told
	ends          string
	most          int
}

// counts reports whether the reader itself counts how far it is.
func (p *pages) counts() bool { return p.by == byNumber || p.by == byOffset }

// pages reads pages: "link", or a mapping.
func (s *section) pages(n *yaml.Node, p *pages) {
	if n.Kind == yaml.ScalarNode {
		s.Choice(&p.by, byLink)(n)
		return
	}
	written := s.Mapping(n, "pages", map[string]strict.Field{
		"by":            s.Choice(&p.by, byLink, byURL, byCursor, byNumber, byOffset),
		"at":            s.pointer(&p.at),
		"header":        s.Text(&p.header),
		"parameter":     s.Text(&p.parameter),
		"first":         s.AtLeast(&p.first, 0),
		"size":          s.AtLeast(&p.size, 1),
		"sizeParameter": s.Text(&p.sizeParameter),
		"total":         s.pointer(&p.total),
		"totalHeader":   s.Text(&p.totalHeader),
		"more":          s.pointer(&p.more),
		"ends":          s.Choice(&p.ends, endsEmpty, endsShort),
		"most":          s.AtLeast(&p.most, 1),
	})
	s.required(n, "pages", written, "by")
	if p.by == byNothing {
		return
	}
	if p.by == byNumber && written["first"] == nil {
		p.first = 1
	}
	what := "pages by " + p.by
	all := []string{"at", "header", "parameter", "first", "more", "ends"}
	switch p.by {
	case byLink:
		s.only(written, what, all)
	case byURL:
		s.only(written, what, all, "at")
		s.required(n, what, written, "at")
	case byCursor:
		s.only(written, what, all, "at", "header", "parameter", "more")
		s.required(n, what, written, "parameter")
		if (written["at"] == nil) == (written["header"] == nil) {
			s.Wrong(n, "", "%s need either at or header", what)
		}
	default:
		s.only(written, what, all, "parameter", "first", "more", "ends")
		s.required(n, what, written, "parameter")
	}
	if p.ends == endsShort && p.size == 0 {
		s.Wrong(written["ends"], "", "a page can only be short when size is said")
	}
	if (p.sizeParameter != "") && p.size == 0 {
		s.Wrong(written["sizeParameter"], "", "sizeParameter needs size")
	}
	if p.total != nil && p.totalHeader != "" {
		s.Wrong(written["totalHeader"], "remove one of them", "the total is said to be at two places")
	}
}

// next finds how the page behind an answer is asked for. It returns false when
// the answer is the last page, and an error when it should not be.
func (w *walk) next(a *answer) (bool, error) {
	query, more, err := w.following(a)
	if err != nil {
		return false, err
	}
	if !more {
		if total, known := w.total(a); known && w.read < total {
			return false, w.wrong("the server promised %s and gave %d", several(total, "item"), w.read)
		}
		return false, nil
	}
	if query == w.query {
		return false, w.wrong("the next page is asked for like this one").Fix("the server does not go on as pages says; correct it")
	}
	w.query = query
	return true, nil
}

// following returns the query of the next page, if there is one.
func (w *walk) following(a *answer) (query string, more bool, err error) {
	p := &w.pages
	if w.hasTotal() && !p.totalOptional {
		if _, known := w.total(a); !known {
			return "", false, w.wrong("the answer does not say how many items there are").Fix("correct total")
		}
	}
	if err := w.shrank(a); err != nil {
		return "", false, err
	}
	switch p.by {
	case byLink:
		link, more := engine.NextLink(a.header)
		return w.linked(link, more)
	case byURL:
		link, err := w.text(a, p.at)
		if err != nil {
			return "", false, err
		}
		return w.linked(link, link != "")
	case byCursor:
		cursor := a.header.Get(p.header)
		if p.header == "" {
			if cursor, err = w.text(a, p.at); err != nil {
				return "", false, err
			}
		}
		return w.cursor(a, cursor)
	case byNumber, byOffset:
		return w.counted(a)
	}
	return "", false, nil
}

// shrank refuses a list that lost items while its pages are counted: those behind
// them moved up, and one of them onto a page that was read already.
func (w *walk) shrank(a *answer) error {
	total, known := w.total(a)
	before := w.promised
	w.promised = total
	if known && w.pages.counts() && w.number > 1 && total < before {
		return w.wrong("the list lost items while it was read: there were %d, then %d", before, total).
			Fix("nothing was taken over; read it again, when nobody changes it, or by link or cursor")
	}
	return nil
}

// cursor goes on with what the server said.
func (w *walk) cursor(a *answer, cursor string) (string, bool, error) {
	more := cursor != ""
	if w.pages.more != nil {
		said, err := w.more(a)
		if err != nil {
			return "", false, err
		}
		if said && !more {
			return "", false, w.wrong("the server says that there is more, and not how to ask for it")
		}
		more = said
	}
	return engine.WithParameter(w.query, w.pages.parameter, cursor), more, nil
}

// counted goes on by the number of pages or items.
func (w *walk) counted(a *answer) (string, bool, error) {
	p := &w.pages
	position := p.first + w.number
	if p.by == byOffset {
		position = p.first + w.read
	}
	query := engine.WithParameter(w.query, p.parameter, strconv.Itoa(position))
	total, known := w.total(a)
	switch {
	case p.more != nil:
		more, err := w.more(a)
		if more && len(a.items) == 0 {
			return "", false, w.wrong("the server says that there is more, and gives an empty page")
		}
		return query, more, err
	case len(a.items) == 0:
		return "", false, nil // a page too early is found out by the total
	case known:
		return query, w.read < total, nil
	case p.ends == endsShort:
		return query, len(a.items) >= p.size, nil
	}
	return query, true, nil
}

// more reads the boolean that says whether there is another page.
func (w *walk) more(a *answer) (bool, error) {
	v, _ := w.pages.more.Get(a.body)
	more, ok := v.(bool)
	if !ok {
		return false, w.wrong("there is neither true nor false at %q in the answer", w.pages.more.String()).Fix("correct more")
	}
	return more, nil
}

// text reads what leads to the next page: a text or a number; nothing is the
// empty text.
func (w *walk) text(a *answer, at value.Pointer) (string, error) {
	v, _ := at.Get(a.body)
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if !v { // some say so that there is nothing more
			return "", nil
		}
	}
	return "", w.wrong("what is at %q does not lead to another page", at.String()).Fix("correct at")
}

// linked goes on at the address of the next page. Only its query is taken: the
// reader stays with its path and its server, whatever the server is called
// behind a proxy.
func (w *walk) linked(link string, more bool) (string, bool, error) {
	if !more {
		return "", false, nil
	}
	query, ok := engine.QueryOf(link)
	u, err := url.Parse(link)
	if !ok || err != nil || !w.samePath(u.EscapedPath()) {
		return "", false, w.wrong("the next page is at another path, which is not followed").Fix("it has to differ from %s in its query only", w.path)
	}
	return query, true, nil
}

// samePath reports whether a link's path is that of the list. Proxies take off
// what it begins with, or add to it.
func (w *walk) samePath(path string) bool {
	if path == "" {
		return true // nothing but a query
	}
	here := w.path
	if u, err := url.Parse(w.conn.Server); err == nil {
		here = strings.TrimSuffix(u.EscapedPath(), "/") + w.path
	}
	return strings.HasSuffix(here, path) || strings.HasSuffix(path, here)
}

func (w *walk) hasTotal() bool { return w.pages.total != nil || w.pages.totalHeader != "" }

// total returns how many items the server promises, if it says so.
func (w *walk) total(a *answer) (int, bool) {
	if !w.hasTotal() {
		return 0, false
	}
	text := strings.TrimSpace(a.header.Get(w.pages.totalHeader))
	if w.pages.total != nil {
		v, _ := w.pages.total.Get(a.body)
		switch v := v.(type) {
		case json.Number:
			text = v.String()
		case string:
			text = v
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}
