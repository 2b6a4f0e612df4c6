package auth0

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// What Auth0 says of the parameters of the search for users.
const (
	aboutUsersPerPage = "Number of results per page."
	aboutPrimaryOrder = "If true (default), results are returned in a deterministic order. If false, results may be returned in a " +
		"non-deterministic order, which can enhance performance for complex queries targeting a small number of users. Set to false " +
		"only when consistent ordering and pagination is not required."
)

var searchEngine = property{enum: []string{"v1", "v2", "v3"}, about: "The version of the search engine"}

var sortPattern = regexp.MustCompile(`^([a-zA-Z0-9_.]+):(1|-1)$`)

// listUsers is GET /api/v2/users. All versions of the search engine are the
// third, and the order of the results is always the same.
func (a *API) listUsers(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	l, err := readUsersListing(q)
	if err != nil {
		return err
	}
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	if _, err := queryBool(q, "primary_order", true, aboutPrimaryOrder); err != nil {
		return err
	}
	if _, err := queryText(q, "search_engine", searchEngine); err != nil {
		return err
	}
	s, err := readSearch(q)
	if err != nil {
		return err
	}
	found, err := a.find(r.Context(), s)
	if err != nil {
		return err
	}
	list := tenant.Cut(found, tenant.Window{Skip: l.page * l.perPage, Limit: l.perPage}).Items
	if l.perPage == 0 {
		list = nil
	}
	if !l.totals {
		return web.WriteJSON(w, http.StatusOK, shown(list, show))
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "start", Value: l.page * l.perPage},
		{Key: "limit", Value: l.perPage},
		{Key: "length", Value: len(list)},
		{Key: "users", Value: shown(list, show)},
		{Key: "total", Value: len(found)},
	})
}

// readUsersListing reads the paging of users, which differs from that of other
// lists: pages may be empty, and the error beyond the last is another.
func readUsersListing(q url.Values) (l listing, err error) {
	if l.page, err = queryInt(q, "page", 0, 0, maxInt, aboutPage); err != nil {
		return l, err
	}
	if l.perPage, err = queryInt(q, "per_page", defaultPerPage, 0, maxPerPage, aboutUsersPerPage); err != nil {
		return l, err
	}
	if l.totals, err = queryBool(q, "include_totals", false, aboutTotals); err != nil {
		return l, err
	}
	if l.page > maxResults || l.page*l.perPage >= maxResults {
		return l, &apiError{
			status: http.StatusBadRequest, code: "invalid_paging",
			message: "You can only page through the first " + strconv.Itoa(maxResults) +
				" records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation",
		}
	}
	return l, nil
}

func (e *apiError) because(err error) *apiError {
	e.err = err
	return e
}

func shown(list []*directory.Account, show projection) []web.Object {
	out := make([]web.Object, len(list))
	for i, account := range list {
		out[i] = show(user(account))
	}
	return out
}
