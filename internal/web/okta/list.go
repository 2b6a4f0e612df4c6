package okta

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes: the default of each list is also its greatest, as far as Okta
// says, except with q.
const (
	usersPage      = 200
	usersByQ       = 10
	groupsPage     = 10000
	groupsByQ      = 300
	membersPage    = 1000
	userGroupsPage = 200
	grantsPage     = 20
)

// page is one page of a list, as asked for.
type page struct {
	url   string // without query
	limit int
	after string // id of the last object of the page before
	// plainCursor is set for the plain list of users, whose cursors are
	// recorded with three digits in front of the id.
	plainCursor bool
	keep        [][2]string // parameters that the links repeat, in order
}

// newPage reads limit and after.
func (a *API) newPage(r *http.Request, def, most int) (*page, error) {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", def, 0, most)
	if err != nil {
		return nil, invalid("limit", "limit: The field has an invalid value").because(err)
	}
	if limit == 0 {
		limit = def
	}
	p := &page{url: a.base(r) + r.URL.EscapedPath(), limit: limit, after: q.Get("after")}
	for _, name := range []string{"search", "filter", "q", "fields", "sortBy"} {
		if v := q.Get(name); v != "" {
			p.keep = append(p.keep, [2]string{name, v})
		}
	}
	if order := q.Get("sortOrder"); q.Get("sortBy") != "" && order != "" {
		p.keep = append(p.keep, [2]string{"sortOrder", order})
	}
	return p, nil
}

const cursorDigits = "200"

// cursor turns after into the id it stands for. Cursors of other lists are an
// error with the given code.
func (p *page) cursor(prefix, code string) error {
	if p.after == "" {
		return nil
	}
	id := p.after
	if p.plainCursor {
		if len(id) <= 3 || strings.Trim(id[:3], "0123456789") != "" {
			return problem(code, "Invalid cursor.")
		}
		id = id[3:]
	}
	if !strings.HasPrefix(id, prefix) || strings.ContainsAny(id, "/?&= ") {
		return problem(code, "Invalid cursor.")
	}
	p.after = id
	return nil
}

// links adds one Link header per relation. last is the id of the page's last
// object when there is a next page.
func (p *page) links(w http.ResponseWriter, last string) {
	self := "limit=" + strconv.Itoa(p.limit)
	for _, kv := range p.keep {
		self += "&" + kv[0] + "=" + url.QueryEscape(kv[1])
	}
	if p.after != "" {
		self = "after=" + url.QueryEscape(p.mark(p.after)) + "&" + self
	}
	web.AddLink(w, "self", p.url+"?"+self)
	if last == "" {
		return
	}
	next := "after=" + url.QueryEscape(p.mark(last)) + "&limit=" + strconv.Itoa(p.limit)
	for _, kv := range p.keep {
		next += "&" + kv[0] + "=" + url.QueryEscape(kv[1])
	}
	web.AddLink(w, "next", p.url+"?"+next)
}

func (p *page) mark(id string) string {
	if p.plainCursor {
		return cursorDigits + id
	}
	return id
}

// cut shortens a list that was read one longer than the page, and returns the
// id of the last object when there is more.
func cut[T any](list []T, limit int, id func(T) string) ([]T, string) {
	if len(list) <= limit {
		return list, ""
	}
	list = list[:limit]
	return list, id(list[limit-1])
}

// sorted orders a whole list by an attribute, ids breaking ties, and returns
// what stands behind the object last, nil for all. That need not be in the list:
// it may have gone, or not match any more, since it ended a page.
func sorted[T any](list []*T, q url.Values, last *T, id func(*T) string, get func(*T, string) []any) []*T {
	by, down := q.Get("sortBy"), strings.EqualFold(q.Get("sortOrder"), "desc")
	order := func(x, y *T) int {
		c := filter.Order(get(x, by), get(y, by))
		if down {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(id(x), id(y)))
	}
	slices.SortStableFunc(list, order)
	if last == nil {
		return list
	}
	at, found := slices.BinarySearchFunc(list, last, order)
	if found {
		at++
	}
	return list[at:]
}

// lastOf returns the object that a cursor names, nil when there is no cursor.
func lastOf[T any](r *http.Request, realm, after string, read func(ctx context.Context, realm, id string) (*T, error)) (*T, error) {
	if after == "" {
		return nil, nil
	}
	return read(r.Context(), realm, after)
}

// listUsers is GET /users.
func (a *API) listUsers(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	search, filterText, term := q.Get("search"), q.Get("filter"), q.Get("q")
	if search != "" && filterText != "" {
		return problem("E0000033")
	}
	def := usersPage
	if term != "" && search == "" {
		def = usersByQ
	}
	p, err := a.newPage(r, def, usersPage)
	if err != nil {
		return err
	}
	code := "E0000031"
	if search == "" && filterText == "" {
		p.plainCursor, code = true, "E0000029"
	}
	if err := p.cursor("00u", code); err != nil {
		return err
	}
	if err := a.ownCursor(r, p, code, a.Directory.KnewAccount); err != nil {
		return err
	}
	s, err := a.userSelection(r.Context(), search, filterText, term)
	if err != nil {
		return err
	}
	s.match = withinReach(r, s.match, func(to *reach, account *directory.Account) bool { return to.members[account.ID] })
	list, last, err := a.selectUsers(r, p, s)
	if err != nil {
		return err
	}
	if term != "" {
		last = "" // q is not pageable
	}
	return a.answerUsers(w, r, p, list, last)
}

// ownCursor refuses a cursor that did not come from this org: knew says whether
// there is, or ever was, the object that it names.
func (a *API) ownCursor(r *http.Request, p *page, code string, knew func(ctx context.Context, realm, id string) (bool, error)) error {
	if p.after == "" {
		return nil
	}
	ok, err := knew(r.Context(), a.Realm, p.after)
	if err == nil && !ok {
		return problem(code, "Invalid cursor.")
	}
	return err
}

// selectUsers reads one page of users, and the id of its last one when there
// is another page.
func (a *API) selectUsers(r *http.Request, p *page, s accountSelection) ([]*directory.Account, string, error) {
	q := r.URL.Query()
	id := func(x *directory.Account) string { return x.ID }
	by := q.Get("sortBy")
	if by == "" || q.Get("search") == "" {
		list, err := a.matching(r.Context(), s, p.after, p.limit+1)
		if err != nil {
			return nil, "", err
		}
		list, last := cut(list, p.limit, id)
		return list, last, nil
	}
	g, err := a.withCustom(r.Context(), userSearch, by+" pr")
	if err != nil {
		return nil, "", err
	}
	if !g.sortable(by) {
		return nil, "", problem("E0000031", "sortBy: "+by+" is not a property of users")
	}
	list, err := a.matching(r.Context(), s, "", 0)
	if err != nil {
		return nil, "", err
	}
	from, err := lastOf(r, a.Realm, p.after, a.Directory.LastAccount)
	if err != nil {
		return nil, "", err
	}
	list, last := cut(sorted(list, q, from, id, accountValues), p.limit, id)
	return list, last, nil
}

// matching returns at most limit accounts (0: all) behind the one with the id
// after, in the order of their ids.
func (a *API) matching(ctx context.Context, s accountSelection, after string, limit int) ([]*directory.Account, error) {
	if a.IndexDelay > 0 {
		return a.matchingLate(ctx, s, after, limit)
	}
	if s.ref != "" {
		return a.matchingOne(ctx, s, after)
	}
	s.query.Realm, s.query.After = a.Realm, after
	return a.Directory.Accounts(ctx, s.query, limit, s.match)
}

// matchingOne looks up the only account that a selection can have.
func (a *API) matchingOne(ctx context.Context, s accountSelection, after string) ([]*directory.Account, error) {
	account, err := a.Directory.FindAccount(ctx, a.Realm, s.ref)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil || account.ID <= after || !s.match(account) {
		return nil, err
	}
	return []*directory.Account{account}, nil
}

// answerUsers writes one page of users.
func (a *API) answerUsers(w http.ResponseWriter, r *http.Request, p *page, list []*directory.Account, last string) error {
	users, err := a.thinUsers(r, list)
	if err != nil {
		return err
	}
	p.links(w, last)
	return web.WriteJSON(w, http.StatusOK, users)
}

// thinUsers is the form of users in lists: self is the only link.
func (a *API) thinUsers(r *http.Request, list []*directory.Account) ([]web.Object, error) {
	s, err := a.requestedShape(r)
	if err != nil {
		return nil, err
	}
	base := a.base(r)
	out := make([]web.Object, len(list))
	for i, account := range list {
		out[i] = user(base, account, s)
	}
	return out, nil
}

// listUserGroups is GET /users/{id}/groups.
func (a *API) listUserGroups(w http.ResponseWriter, r *http.Request) error {
	account, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	p, err := a.newPage(r, userGroupsPage, groupsPage)
	if err != nil {
		return err
	}
	return a.answerGroups(w, r, p, directory.GroupQuery{Member: account.ID}, nil)
}

// listMembers is GET /groups/{id}/users.
func (a *API) listMembers(w http.ResponseWriter, r *http.Request) error {
	g, err := a.Directory.Group(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := a.newPage(r, membersPage, membersPage)
	if err != nil {
		return err
	}
	if err := p.cursor("00u", "E0000029"); err != nil {
		return err
	}
	if err := a.ownCursor(r, p, "E0000029", a.Directory.KnewAccount); err != nil {
		return err
	}
	list, err := a.Directory.Accounts(r.Context(), directory.AccountQuery{Realm: a.Realm, Group: g.ID, After: p.after}, p.limit+1, nil)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(x *directory.Account) string { return x.ID })
	return a.answerUsers(w, r, p, list, last)
}

// listGroups is GET /groups.
func (a *API) listGroups(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	search, filterText, term := q.Get("search"), q.Get("filter"), q.Get("q")
	if search != "" && filterText != "" {
		return problem("E0000033")
	}
	match, err := groupMatch(search, filterText, term)
	if err != nil {
		return err
	}
	match = withinReach(r, match, func(to *reach, g *directory.Group) bool { return slices.Contains(to.groups, g.ID) })
	if term != "" {
		return a.answerGroupsByName(w, r, term, match)
	}
	p, err := a.newPage(r, groupsPage, groupsPage)
	if err != nil {
		return err
	}
	return a.answerGroups(w, r, p, directory.GroupQuery{}, match)
}

// answerGroups writes one page of groups.
func (a *API) answerGroups(w http.ResponseWriter, r *http.Request, p *page, query directory.GroupQuery, match func(*directory.Group) bool) error {
	q := r.URL.Query()
	if err := p.cursor("00g", "E0000029"); err != nil {
		return err
	}
	if err := a.ownCursor(r, p, "E0000029", a.Directory.KnewGroup); err != nil {
		return err
	}
	query.Realm = a.Realm
	id := func(g *directory.Group) string { return g.ID }
	byAttribute := q.Get("sortBy") != "" && q.Get("search") != ""
	limit := p.limit + 1
	if byAttribute {
		if !groupSearch.sortable(q.Get("sortBy")) {
			return problem("E0000031", "sortBy: "+q.Get("sortBy")+" is not a property of groups")
		}
		limit = 0
	} else {
		query.After = p.after
	}
	list, err := a.Directory.Groups(r.Context(), query, limit, match)
	if err != nil {
		return err
	}
	if byAttribute {
		from, err := lastOf(r, a.Realm, p.after, a.Directory.LastGroup)
		if err != nil {
			return err
		}
		list = sorted(list, q, from, id, groupValues)
	}
	list, last := cut(list, p.limit, id)
	p.links(w, last)
	out, err := a.wireGroups(r, list)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// answerGroupsByName writes the groups whose names start with a term, exact
// matches first, without Link headers: q is not pageable.
func (a *API) answerGroupsByName(w http.ResponseWriter, r *http.Request, term string, match func(*directory.Group) bool) error {
	p, err := a.newPage(r, groupsByQ, groupsPage)
	if err != nil {
		return err
	}
	list, err := a.Directory.Groups(r.Context(), directory.GroupQuery{Realm: a.Realm}, 0, match)
	if err != nil {
		return err
	}
	exact := func(g *directory.Group) int {
		if directory.Fold(g.Name()) == directory.Fold(term) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(x, y *directory.Group) int { return cmp.Compare(exact(x), exact(y)) })
	list, _ = cut(list, p.limit, func(g *directory.Group) string { return g.ID })
	out, err := a.wireGroups(r, list)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, out)
}
