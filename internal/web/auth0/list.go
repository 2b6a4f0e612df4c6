package auth0

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// listUsers is GET /api/v2/users.
func (a *API) listUsers(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	page, perPage, err := paging(q)
	if err != nil {
		return err
	}
	totals, err := web.Bool(q, "include_totals", false)
	if err != nil {
		return badQuery("'Expected type boolean' on property include_totals (Return results inside an object).").because(err)
	}
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	list, err := a.find(r, q)
	if err != nil {
		return err
	}
	total := len(list)
	start := min(page*perPage, total)
	list = list[start:min(start+perPage, total)]
	if !totals {
		return web.WriteJSON(w, http.StatusOK, shown(list, show))
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "start", Value: page * perPage},
		{Key: "limit", Value: perPage},
		{Key: "length", Value: len(list)},
		{Key: "users", Value: shown(list, show)},
		{Key: "total", Value: total},
	})
}

func paging(q url.Values) (page, perPage int, err error) {
	if page, err = web.Int(q, "page", 0, 0, maxResults); err != nil {
		return 0, 0, badQuery("'Expected type integer' on property page (Page index of the results to return. First page is 0).").because(err)
	}
	if perPage, err = web.Int(q, "per_page", defaultPerPage, 0, maxPerPage+1); err != nil {
		return 0, 0, badQuery("'Expected type integer' on property per_page (Number of results per page).").because(err)
	}
	if perPage > maxPerPage {
		return 0, 0, badQuery("'Value " + q.Get("per_page") + " is greater than maximum " + strconv.Itoa(maxPerPage) +
			"' on property per_page (Number of results per page).")
	}
	if page*perPage >= maxResults {
		return 0, 0, &apiError{
			status: http.StatusBadRequest, code: "invalid_paging",
			message: "You can only page through the first " + strconv.Itoa(maxResults) +
				" records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation",
		}
	}
	return page, perPage, nil
}

func (e *apiError) because(err error) *apiError {
	e.err = err
	return e
}

// find returns all users that q and connection select, in the order of sort.
func (a *API) find(r *http.Request, q url.Values) ([]*directory.Account, error) {
	query := directory.AccountQuery{Realm: a.Realm}
	var expr filter.Expr
	if text := q.Get("q"); text != "" {
		var err error
		if expr, err = parse(text); err != nil {
			return nil, err
		}
		if email, ok := filter.Pinned(expr, "email"); ok {
			query.Email = directory.Fold(email)
		}
	}
	by, down, err := order(q.Get("sort"))
	if err != nil {
		return nil, err
	}
	connection := q.Get("connection")
	list, err := a.Directory.Accounts(r.Context(), query, 0, func(account *directory.Account) bool {
		if connection != "" && account.Connection != connection {
			return false
		}
		return expr == nil || filter.Match(expr, filter.Subject{
			Get: func(path string) []any { return values(account, path) }, Fold: fold,
		})
	})
	if err != nil || by == "" {
		return list, err
	}
	slices.SortStableFunc(list, func(x, y *directory.Account) int {
		c := filter.Order(values(x, by), values(y, by))
		if down {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(x.ID, y.ID))
	})
	return list, nil
}

var sortPattern = regexp.MustCompile(`^([a-zA-Z0-9_.]+):(1|-1)$`)

func order(sort string) (by string, down bool, err error) {
	if sort == "" {
		return "", false, nil
	}
	m := sortPattern.FindStringSubmatch(sort)
	if m == nil || !searchable(m[1]) {
		return "", false, badQuery("'String does not match pattern " + sortPattern.String() + ": " + sort + "' on property sort (Field to sort by).")
	}
	return m[1], m[2] == "-1", nil
}

// searchableFields are the fields that a query may name, beside metadata.
var searchableFields = []string{
	"user_id", "email", "email.raw", "email_verified", "username", "name", "given_name", "family_name", "nickname", "phone_number",
	"picture", "blocked", "created_at", "updated_at", "last_password_reset", "identities.connection", "identities.provider", "identities.user_id",
}

func searchable(path string) bool {
	return slices.Contains(searchableFields, path) || strings.HasPrefix(path, "user_metadata.") || strings.HasPrefix(path, "app_metadata.")
}

// parse reads the part of Lucene's syntax that is answered exactly; everything
// else is refused rather than answered wrongly.
func parse(text string) (filter.Expr, error) {
	expr, err := filter.ParseLucene(text)
	if err == nil {
		err = filter.Walk(expr, func(c *filter.Compare) error {
			if !searchable(c.Path) {
				return fault.New(fault.Invalid, "the field %s cannot be searched", c.Path)
			}
			return nil
		})
	}
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, fault.Public(err), "invalid_query_string", err}
	}
	return expr, nil
}

// foldedFields are searched without regard to case; all others exactly.
var foldedFields = []string{"email", "name", "given_name", "family_name", "nickname"}

func fold(path, text string) string {
	if slices.Contains(foldedFields, path) {
		return strings.ToLower(text)
	}
	return text
}

// values are the values of a field for a search.
func values(a *directory.Account, path string) []any {
	var v any
	switch path {
	case "user_id":
		v = a.ID
	case "email.raw":
		v = a.Profile["email"]
	case "email_verified":
		v = a.EmailVerified
	case "blocked":
		v = a.Blocked()
	case "created_at":
		v = a.Created
	case "updated_at":
		v = a.Updated
	case "last_password_reset":
		if !a.PasswordChanged.IsZero() {
			v = a.PasswordChanged
		}
	case "identities.connection":
		v = a.Connection
	case "identities.provider":
		v, _, _ = strings.Cut(a.ID, "|")
	case "identities.user_id":
		_, v, _ = strings.Cut(a.ID, "|")
	default:
		if root, rest, ok := strings.Cut(path, "."); ok {
			return metadata(map[string]map[string]any{"user_metadata": a.UserMetadata, "app_metadata": a.AppMetadata}[root], rest)
		}
		v = a.Profile[attributes[path]]
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// metadata follows a path; arrays on the way are entered, as Auth0's index does.
func metadata(v any, path string) []any {
	switch v := v.(type) {
	case []any:
		var out []any
		for _, item := range v {
			out = append(out, metadata(item, path)...)
		}
		return out
	case map[string]any:
		if path == "" {
			return nil
		}
		name, rest, _ := strings.Cut(path, ".")
		return metadata(v[name], rest)
	case nil:
		return nil
	}
	if path != "" {
		return nil
	}
	return []any{v}
}

func shown(list []*directory.Account, show projection) []web.Object {
	out := make([]web.Object, len(list))
	for i, account := range list {
		out[i] = show(user(account))
	}
	return out
}
