package auth0

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// search is what the list of users is asked for.
type search struct {
	expr       filter.Expr // nil: all
	connection string      // empty: all
	by         string      // field to sort by; empty: the order of ids
	descending bool
}

// readSearch reads q, connection and sort.
func readSearch(q url.Values) (s search, err error) {
	s.connection = q.Get("connection")
	if text := q.Get("q"); text != "" {
		if s.expr, err = parse(text); err != nil {
			return s, err
		}
	}
	sort := q.Get("sort")
	if sort == "" {
		return s, nil
	}
	m := sortPattern.FindStringSubmatch(sort)
	if m == nil || !searchable(m[1]) {
		return s, wrongQuery("String does not match pattern "+sortPattern.String()+": "+sort, "sort", "Field to sort by.")
	}
	s.by, s.descending = m[1], m[2] == "-1"
	return s, nil
}

// parse reads the part of Lucene's syntax that Auth0 documents; everything else
// is refused rather than answered wrongly.
func parse(text string) (filter.Expr, error) {
	expr, err := filter.ParseLucene(text)
	if err == nil {
		err = filter.Walk(expr, func(c *filter.Compare) error {
			if c.Path != filter.AnyField && !searchable(c.Path) {
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

// searchableFields are the fields that a query may name, beside metadata.
var searchableFields = []string{
	"user_id", "email", "email.raw", "email.domain", "email_verified", "username", "name", "given_name", "family_name", "nickname",
	"preferred_username", "phone_number", "phone_verified", "picture", "blocked", "created_at", "updated_at", "last_password_reset",
	"last_login", "last_ip", "logins_count",
	"identities.connection", "identities.provider", "identities.user_id", "identities.isSocial",
}

func searchable(path string) bool {
	return slices.Contains(searchableFields, path) || strings.HasPrefix(path, "user_metadata.") || strings.HasPrefix(path, "app_metadata.")
}

// foldedFields are searched without regard to case; all others exactly
// (scim-auth0.md 5.1). A bare word is looked for without regard to case too.
var foldedFields = []string{"email", "email.domain", "name", "given_name", "family_name", "nickname", filter.AnyField}

func fold(path, text string) string {
	if slices.Contains(foldedFields, path) {
		return strings.ToLower(text)
	}
	return text
}

// match reports whether the search selects an account.
func (s search) match(account *directory.Account) bool {
	if s.connection != "" && account.Connection != s.connection {
		return false
	}
	return s.expr == nil || filter.Match(s.expr, filter.Subject{
		Get: func(path string) []any { return values(account, path) }, Fold: fold, Loose: true,
	})
}

// find returns all users that a search selects, in its order.
func (a *API) find(ctx context.Context, s search) (out []*directory.Account, err error) {
	err = a.within(ctx, func(ctx context.Context, limited func(func() bool) bool) error {
		return a.Directory.Store.View(ctx, func(r directory.Reader) error {
			return a.candidates(r, s, func(account *directory.Account) {
				if limited(func() bool { return s.match(account) }) {
					out = append(out, account)
				}
			})
		})
	})
	if err == nil && s.by != "" {
		s.sort(out)
	}
	return out, err
}

// searchTime is how long a search may take (scim-auth0.md 5.1). What reading the
// store takes does not count: Auth0 searches an index.
const searchTime = 2 * time.Second

// errTooLong ends a search that takes too long, in the words of Auth0's OpenAPI
// document.
var errTooLong = &apiError{
	status: http.StatusServiceUnavailable, code: "query_timeout",
	message: "The query exceeded the timeout. Please try refining your search criteria. See https://auth0.com/docs/best-practices/search-best-practices.",
}

// within runs a search, and ends it when the comparisons that it wraps in limited
// have taken longer than a search may.
func (a *API) within(ctx context.Context, search func(ctx context.Context, limited func(func() bool) bool) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	left := a.searchTime
	err := search(ctx, func(compare func() bool) bool {
		begin := time.Now()
		ok := compare()
		if left -= time.Since(begin); left < 0 {
			stop(errTooLong)
			return false
		}
		return ok
	})
	if errors.Is(context.Cause(ctx), errTooLong) {
		return errTooLong
	}
	return err
}

func (s search) sort(list []*directory.Account) {
	slices.SortStableFunc(list, func(x, y *directory.Account) int {
		c := filter.Order(values(x, s.by), values(y, s.by))
		if s.descending {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(x.ID, y.ID))
	})
}

// candidates yields the accounts among which those are that a search selects, in
// the order of their ids: by an index when the search says what one of user_id,
// email, username and an enterprise connection equals, else all of them that have
// the search's texts in them.
func (a *API) candidates(r directory.Reader, s search, yield func(*directory.Account)) error {
	q := directory.AccountQuery{Realm: a.Realm, Holding: web.PlainRun(s.connection)}
	if s.expr == nil {
		return scan(r, q, yield)
	}
	if id, ok := filter.Pinned(s.expr, "user_id"); ok {
		return a.lookUp(r, []string{id}, yield)
	}
	if name, ok := filter.Pinned(s.expr, "username"); ok {
		return a.byUsername(r, name, yield)
	}
	if email, ok := filter.Pinned(s.expr, "email"); ok {
		q.Email = directory.Fold(email)
		return scan(r, q, yield)
	}
	if name, ok := filter.Pinned(s.expr, "identities.connection"); ok {
		c, err := directory.GetByKey[tenant.Connection](r, a.Realm, name)
		if err == nil && c.Class() == tenant.Enterprise {
			return a.byConnection(r, name, yield)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	q.Holding = cmp.Or(web.PlainRun(filter.Needed(s.expr, keptAsText)), q.Holding)
	return scan(r, q, yield)
}

func scan(r directory.Reader, q directory.AccountQuery, yield func(*directory.Account)) error {
	for account, err := range r.Accounts(q) {
		if err != nil {
			return err
		}
		yield(account)
	}
	return nil
}

// lookUp yields the accounts with some ids that there are.
func (a *API) lookUp(r directory.Reader, ids []string, yield func(*directory.Account)) error {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		account, err := r.Account(a.Realm, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		yield(account)
	}
	return nil
}

// byUsername asks each connection, because user names are unique within one.
// What an enterprise connection calls so is not unique and has to be scanned for.
func (a *API) byUsername(r directory.Reader, name string, yield func(*directory.Account)) error {
	connections, err := directory.All[tenant.Connection](r, directory.RecordQuery{Realm: a.Realm}, 0, nil)
	if err != nil {
		return err
	}
	scopes := map[string]bool{tenant.DefaultConnection: true}
	var found []*directory.Account
	for _, c := range connections {
		if c.Class() != tenant.Enterprise {
			scopes[c.Name] = true
			continue
		}
		q := directory.AccountQuery{Realm: a.Realm, Connection: c.Name, Holding: web.PlainRun(name)}
		if err := scan(r, q, func(account *directory.Account) { found = append(found, account) }); err != nil {
			return err
		}
	}
	for scope := range scopes {
		account, err := r.AccountByKey(a.Realm, directory.Key{Scope: scope, Name: directory.KeyUsername, Value: directory.Fold(name)})
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		found = append(found, account)
	}
	yieldOnce(found, yield)
	return nil
}

// byConnection yields the users that an enterprise connection owns, and those to whom one of its
// users was linked.
func (a *API) byConnection(r directory.Reader, connection string, yield func(*directory.Account)) error {
	ids, err := tenant.LinkedFrom(r, a.Realm, connection)
	if err != nil {
		return err
	}
	var found []*directory.Account
	keep := func(account *directory.Account) { found = append(found, account) }
	if err := scan(r, directory.AccountQuery{Realm: a.Realm, Connection: connection}, keep); err != nil {
		return err
	}
	if err := a.lookUp(r, ids, keep); err != nil {
		return err
	}
	yieldOnce(found, yield)
	return nil
}

// yieldOnce yields accounts in the order of their ids, each once.
func yieldOnce(list []*directory.Account, yield func(*directory.Account)) {
	byID := map[string]*directory.Account{}
	for _, account := range list {
		byID[account.ID] = account
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		yield(byID[id])
	}
}

// keptAsText are the fields that stand in the store as they are shown.
func keptAsText(path string) bool {
	switch path {
	case "email", "email.raw", "email.domain", "identities.connection", "username", "name", "given_name", "family_name", "nickname", "preferred_username", "phone_number", "picture":
		return true
	}
	return strings.HasPrefix(path, "user_metadata.") || strings.HasPrefix(path, "app_metadata.")
}

// values are the values of a field for a search.
func values(a *directory.Account, path string) []any {
	root, rest, nested := strings.Cut(path, ".")
	switch {
	case path == filter.AnyField:
		return everything(a)
	case root == "user_metadata" && nested:
		return metadata(a.UserMetadata, rest)
	case root == "app_metadata" && nested:
		return metadata(a.AppMetadata, rest)
	case root == "identities" && nested:
		return identityValues(a, rest)
	}
	if v := single(a, path); v != nil {
		return []any{v}
	}
	return nil
}

// single is the value of a field that has one, nil for none.
func single(a *directory.Account, path string) any {
	switch path {
	case "user_id":
		return a.ID
	case "email.raw":
		return a.Profile["email"]
	case "email.domain":
		if _, domain, ok := strings.Cut(a.Email(), "@"); ok {
			return domain
		}
		return nil
	case "email_verified":
		return a.EmailVerified
	case "blocked":
		return a.Blocked()
	case "created_at":
		return a.Created
	case "updated_at":
		return a.Updated
	case "last_password_reset":
		if a.PasswordChanged.IsZero() {
			return nil
		}
		return a.PasswordChanged
	case "last_login":
		if a.LastLogin.IsZero() {
			return nil
		}
		return a.LastLogin
	case "last_ip":
		if a.LastIP == "" {
			return nil
		}
		return a.LastIP
	case "logins_count":
		return json.Number(strconv.Itoa(a.SignIns))
	}
	return attribute(a, path)
}

// identityValues are the values of a field of all identities of a user.
func identityValues(a *directory.Account, field string) []any {
	out := make([]any, 0, 1+len(a.Identities))
	for _, one := range identities(a) {
		for _, f := range one {
			if f.Key == field {
				out = append(out, f.Value)
			}
		}
	}
	return out
}

// everything are the values of all fields outside of user_metadata.
func everything(a *directory.Account) []any {
	var out []any
	for _, path := range searchableFields {
		out = append(out, values(a, path)...)
	}
	return append(out, leaves(a.AppMetadata)...)
}

// leaves are the values at the ends of metadata.
func leaves(v any) []any {
	var out []any
	switch v := v.(type) {
	case nil:
	case []any:
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
	case map[string]any:
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
	default:
		out = append(out, v)
	}
	return out
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
