package inbound

import (
	"context"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/scim"
)

// List finds resources. What an index can answer is looked up; any other filter
// is matched against every resource of the connection. Both give the same
// answer, ordered by id unless the client asks for another order.
func (e *Endpoint) List(ctx context.Context, typ *scim.ResourceType, q scim.Query) (page scim.Page, err error) {
	if err := e.admits(typ, q.Filter); err != nil {
		return page, err
	}
	q.Count = min(max(q.Count, 0), e.limits.PageSize)
	q.StartIndex = max(q.StartIndex, 1)
	// A cursor is the id of the last resource of the page before. Whoever hands it
	// out seals it.
	after := ""
	if q.Cursor != nil {
		after = *q.Cursor
	}
	err = e.view(ctx, func(r directory.Reader) error {
		l := &listing{Endpoint: e, r: r, typ: typ, q: q, after: after}
		l.source = l.plan()
		page, err = l.page()
		return err
	})
	return page, err
}

// admits refuses what Auth0 does not evaluate: it takes eq, and and or for
// users, eq alone for groups (scim-auth0.md 1.4).
func (e *Endpoint) admits(typ *scim.ResourceType, f *scim.Filter) error {
	if !e.auth0 || f == nil {
		return nil
	}
	return auth0Filter(f.Expr(), !e.isGroup(typ))
}

func auth0Filter(x filter.Expr, joins bool) error {
	var terms []filter.Expr
	switch x := x.(type) {
	case *filter.Compare:
		if x.Op == filter.Equal {
			return nil
		}
		return scim.Fail(scim.InvalidFilter, "Auth0 does not evaluate the operator %s", x.Op)
	case *filter.Has:
		return auth0Filter(x.Term, joins)
	case *filter.And:
		terms = x.Terms
	case *filter.Or:
		terms = x.Terms
	}
	if terms == nil || !joins {
		return scim.Fail(scim.InvalidFilter, "Auth0 evaluates eq, and for users also and and or")
	}
	for _, t := range terms {
		if err := auth0Filter(t, joins); err != nil {
			return err
		}
	}
	return nil
}

// source yields the candidates of a listing in the order of their ids.
type source struct {
	each iter.Seq2[candidate, error]
	all  bool // there is no filter: the total is known, and each starts at the page
}

// candidate is a resource that may be part of an answer, not yet made.
type candidate struct {
	id   string
	full func(withLinks bool) (scim.Resource, error)
}

// listing is one list request.
type listing struct {
	*Endpoint
	r      directory.Reader
	typ    *scim.ResourceType
	q      scim.Query
	after  string // id; the resources behind it
	source source

	groups map[string][]any // of the accounts that were linked, by their ids
}

// linked is the attribute of a type that costs look-ups of its own.
func (l *listing) linked() string {
	if l.isGroup(l.typ) {
		return "members"
	}
	return "groups"
}

// plan chooses how candidates are found.
func (l *listing) plan() source {
	if l.q.Filter != nil {
		if attribute, text, ok := l.q.Filter.Lookup(); ok {
			if found, ok := l.index(attribute, text); ok {
				return source{each: found}
			}
			return source{each: l.scan("", hold(attribute, text), 0)}
		}
		return source{each: l.scan("", "", 0)}
	}
	skip := 0
	if l.q.Cursor == nil && l.q.SortBy == "" {
		skip = l.q.StartIndex - 1
	}
	return source{each: l.scan(l.after, "", skip), all: true}
}

// index looks a value up, when there is an index for the attribute.
func (l *listing) index(attribute, text string) (iter.Seq2[candidate, error], bool) {
	switch {
	case strings.Contains(text, "\x00"): // nothing that is kept has it
		return func(func(candidate, error) bool) {}, true
	case !indexable(text):
		return nil, false
	}
	if l.isGroup(l.typ) {
		switch attribute {
		case "id":
			return one(l.ofGroup, func() (*directory.Group, error) { return l.group(l.r, text) }), true
		case "displayName":
			q := directory.GroupQuery{Realm: l.realm(), Connection: l.connection.Name, Name: directory.Fold(text)}
			return convert(l.r.Groups(q), l.ofGroup), directory.Fold(text) != ""
		}
		return nil, false
	}
	find := func(name string) iter.Seq2[candidate, error] {
		return one(l.ofAccount, func() (*directory.Account, error) { return l.byKey(l.r, name, text) })
	}
	switch attribute {
	case "id":
		return one(l.ofAccount, func() (*directory.Account, error) { return l.account(l.r, text) }), true
	case "userName":
		return find(directory.KeyUserName), true
	case "externalId":
		return find(directory.KeyExternalID), true
	}
	return nil, false
}

// indexable reports whether the index, which knows texts as directory.Fold writes
// them, finds all that differ from a text in case only.
func indexable(text string) bool {
	for _, r := range text {
		if r < utf8.RuneSelf {
			continue // the store folds all forms of ASCII letters to one
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if directory.Fold(string(other)) != directory.Fold(string(r)) {
				return false
			}
		}
	}
	return true
}

// one yields what a look-up finds, if it finds something.
func one[T any](of func(*T) candidate, find func() (*T, error)) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		found, err := find()
		switch {
		case fault.Is(err, fault.NotFound) || err == nil && found == nil:
		case err != nil:
			yield(candidate{}, err)
		default:
			yield(of(found), nil)
		}
	}
}

func convert[T any](list iter.Seq2[*T, error], of func(*T) candidate) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		for v, err := range list {
			if err != nil {
				yield(candidate{}, err)
				return
			}
			if !yield(of(v), nil) {
				return
			}
		}
	}
}

// holdable are attributes whose values stand in what is stored of an account or
// nowhere: the mapping does not make them up.
var holdable = map[string]bool{
	"displayName": true, "nickName": true, "title": true, "name.givenName": true, "name.familyName": true,
	"emails.value": true, "phoneNumbers.value": true,
}

// hold returns a text by which the store can narrow a scan, "" for none.
func hold(attribute, text string) string {
	if !holdable[attribute] {
		return ""
	}
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return "" // JSON may write it otherwise
		}
	}
	return text
}

// scan yields the resources of the connection behind an id.
func (l *listing) scan(after, holding string, skip int) iter.Seq2[candidate, error] {
	if l.isGroup(l.typ) {
		q := directory.GroupQuery{Realm: l.realm(), Connection: l.connection.Name, After: after, Skip: skip}
		return convert(l.r.Groups(q), l.ofGroup)
	}
	q := directory.AccountQuery{Realm: l.realm(), Connection: l.connection.Name, After: after, Skip: skip, Holding: holding}
	return convert(l.r.Accounts(q), l.ofAccount)
}

func (l *listing) ofAccount(a *directory.Account) candidate {
	return candidate{a.ID, func(withGroups bool) (scim.Resource, error) {
		if !withGroups {
			return l.userIn(a, nil), nil
		}
		return l.userIn(a, l.groups[a.ID]), nil
	}}
}

// link reads the groups of candidates, all at once: to ask for those of one
// account after the other takes longer than everything else of a page. It comes
// before full(true).
func link[T interface{ key() string }](l *listing, candidates []T) (err error) {
	if l.isGroup(l.typ) || l.auth0 {
		return nil
	}
	ids := make([]string, len(candidates))
	for i, c := range candidates {
		ids[i] = c.key()
	}
	l.groups, err = l.groupsOf(l.r, ids)
	return err
}

func (c candidate) key() string { return c.id }

func (l *listing) ofGroup(g *directory.Group) candidate {
	return candidate{g.ID, func(withMembers bool) (scim.Resource, error) { return l.groupResource(l.r, g, withMembers) }}
}

// count returns how many resources the connection has.
func (l *listing) count() (int, error) {
	if l.isGroup(l.typ) {
		return l.r.CountGroups(l.realm(), l.connection.Name)
	}
	return l.r.CountAccounts(l.realm(), l.connection.Name)
}

// page reads the part of the listing that was asked for.
func (l *listing) page() (scim.Page, error) {
	if l.q.SortBy != "" {
		return l.sorted()
	}
	page := scim.Page{StartIndex: l.q.StartIndex}
	if l.q.Cursor != nil {
		page.StartIndex = 0
	}
	if l.source.all {
		return l.stretch(page)
	}
	return l.matching(page)
}

// stretch answers a listing of everything: it reads no further than the page.
func (l *listing) stretch(page scim.Page) (scim.Page, error) {
	var err error
	if page.Total, err = l.count(); err != nil {
		return page, err
	}
	if l.q.Count == 0 {
		return page, nil
	}
	page.Resources = make([]scim.Resource, 0, min(l.q.Count, page.Total))
	more, err := l.take(&page)
	if err == nil && more && l.q.Cursor != nil {
		page.Next, _ = page.Resources[len(page.Resources)-1]["id"].(string)
	}
	return page, err
}

// take fills a page, and reports whether there is another one.
func (l *listing) take(page *scim.Page) (more bool, err error) {
	links, err := l.wantsLinks()
	if err != nil {
		return false, err
	}
	// What a sequence yields is made only after it, for no other reading may go on
	// while it is ranged over.
	found := make([]candidate, 0, cap(page.Resources))
	for c, err := range l.source.each {
		if err != nil {
			return false, err
		}
		if len(found) == l.q.Count {
			more = true
			break
		}
		found = append(found, c)
	}
	if links {
		if err := link(l, found); err != nil {
			return false, err
		}
	}
	for _, c := range found {
		r, err := c.full(links)
		if err != nil {
			return false, err
		}
		page.Resources = append(page.Resources, r)
	}
	return more, nil
}

// wantsLinks reports whether the answer holds members or groups, and there are any.
func (l *listing) wantsLinks() (bool, error) {
	if !l.q.Projection.Wants(l.linked()) {
		return false, nil
	}
	if l.isGroup(l.typ) {
		return true, nil
	}
	n, err := l.r.CountGroups(l.realm(), l.connection.Name)
	return n > 0, err
}

// batch is how many candidates are matched at once.
const batch = 500

// match is a resource that satisfies the filter, with what the filter reads.
type match struct {
	candidate
	resource scim.Resource
}

// matching answers a listing with a filter: all candidates are matched, because
// the total is asked for too.
func (l *listing) matching(page scim.Page) (scim.Page, error) {
	first := l.q.StartIndex - 1
	if l.q.Cursor != nil {
		first = 0
	}
	var found []match
	behind := 0 // matches behind the cursor
	err := l.matches(func(m match) error {
		page.Total++
		if m.id <= l.after {
			return nil
		}
		if behind >= first && len(found) < l.q.Count {
			found = append(found, m)
		}
		behind++
		return nil
	})
	if err != nil {
		return page, err
	}
	if l.q.Cursor != nil && behind > len(found) && len(found) > 0 {
		page.Next = found[len(found)-1].id
	}
	page.Resources, err = l.complete(found)
	return page, err
}

// complete returns the resources of matches with all that the answer needs.
func (l *listing) complete(found []match) ([]scim.Resource, error) {
	links, err := l.wantsLinks()
	if err != nil {
		return nil, err
	}
	links = links && !l.q.Filter.Needs(l.linked())
	if links {
		if err := link(l, found); err != nil {
			return nil, err
		}
	}
	out := make([]scim.Resource, len(found))
	for i, m := range found {
		out[i] = m.resource
		if !links {
			continue
		}
		if out[i], err = m.full(true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// matches calls f for every match, in the order of ids.
func (l *listing) matches(f func(match) error) error {
	links := l.q.Filter.Needs(l.linked())
	waiting := make([]candidate, 0, batch)
	flush := func() error {
		for some := range slices.Chunk(waiting, batch) {
			if links {
				if err := link(l, some); err != nil {
					return err
				}
			}
			for _, c := range some {
				r, err := c.full(links)
				if err != nil {
					return err
				}
				if !l.q.Filter.Match(r) {
					continue
				}
				if err := f(match{c, r}); err != nil {
					return err
				}
			}
		}
		waiting = waiting[:0]
		return nil
	}
	for c, err := range l.source.each {
		if err != nil {
			return err
		}
		// Links are read from the store, which must wait until nothing is ranged
		// over any more.
		if waiting = append(waiting, c); len(waiting) == batch && !links {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// sorted answers a listing in another order than that of ids. All matches are
// held for it.
func (l *listing) sorted() (page scim.Page, err error) {
	if l.q.Cursor != nil {
		return page, scim.Fail(scim.InvalidValue, "cursor paging and sortBy do not go together here; use startIndex")
	}
	var resources []scim.Resource
	byID := map[string]match{}
	err = l.matches(func(m match) error {
		if len(resources) == l.limits.Sorted {
			return scim.Fail(scim.TooMany, "there are more than %d resources to sort; narrow the filter", l.limits.Sorted)
		}
		resources, byID[m.id] = append(resources, m.resource), m
		return nil
	})
	if err == nil {
		err = l.typ.Sort(resources, l.q.SortBy, l.q.Descending)
	}
	if err != nil {
		return page, err
	}
	page.Total, page.StartIndex = len(resources), l.q.StartIndex
	first := min(l.q.StartIndex-1, len(resources))
	var found []match
	for _, r := range resources[first:min(first+l.q.Count, len(resources))] {
		id, _ := r["id"].(string)
		found = append(found, byID[id])
	}
	page.Resources, err = l.complete(found)
	return page, err
}
