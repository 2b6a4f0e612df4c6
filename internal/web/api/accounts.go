package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// AccountService is what the API offers of the accounts of the directory, to read.
type AccountService interface {
	// Accounts returns accounts in the order of realm and id.
	Accounts(ctx context.Context, q AccountQuery) (AccountPage, error)
	// Account returns one by its id, login or e-mail address, or a NotFound error.
	Account(ctx context.Context, realm, ref string) (*directory.Account, error)
}

// AccountQuery selects accounts.
type AccountQuery struct {
	Realm string // empty: all
	Email string // empty: any
	After string // id of the last one of the page before
	Limit int
}

// AccountPage is a part of the accounts.
type AccountPage struct {
	Accounts []*directory.Account `json:"accounts"`
	Next     string               `json:"next,omitempty"` // for After; empty: this was the last page
}

// Sizes of pages of accounts.
const (
	defaultAccounts = 100
	maxAccounts     = 1000
)

// accounts are the paths of accounts and people.
func (a *API) accounts() map[string]route {
	return map[string]route{
		"GET " + prefix + "/people":                 {ReadPeople, a.people},
		"GET " + prefix + "/accounts/{realm}":       {ReadPeople, a.listAccounts},
		"GET " + prefix + "/accounts/{realm}/{ref}": {ReadPeople, a.getAccount},
	}
}

// openAPI returns the description of what callers with a scope may use, with the
// address by which it was asked for.
func openAPI(w http.ResponseWriter, r *http.Request) error {
	text, err := catalog.Find("lanyard").DescriptionAt(web.BaseURL(r) + prefix)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(text) // an error here means that the client is gone
	return nil
}

func (a *API) listAccounts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", defaultAccounts, 1, maxAccounts)
	if err != nil {
		return err
	}
	page, err := a.Service.Accounts(r.Context(), AccountQuery{Realm: r.PathValue("realm"), Email: q.Get("email"), After: q.Get("after"), Limit: limit})
	page.Accounts = orEmpty(page.Accounts)
	return answer(w, http.StatusOK, page, err)
}

func (a *API) getAccount(w http.ResponseWriter, r *http.Request) error {
	account, err := a.Service.Account(r.Context(), r.PathValue("realm"), r.PathValue("ref"))
	return answer(w, http.StatusOK, account, err)
}

// Accounts implements Service.
func (c *Client) Accounts(ctx context.Context, q AccountQuery) (page AccountPage, err error) {
	query := url.Values{"limit": {strconv.Itoa(q.Limit)}, "after": {q.After}, "email": {q.Email}}
	err = c.call(ctx, http.MethodGet, "/accounts/"+url.PathEscape(q.Realm)+"?"+query.Encode(), nil, &page)
	return page, err
}

// Account implements Service.
func (c *Client) Account(ctx context.Context, realm, ref string) (*directory.Account, error) {
	var account directory.Account
	if err := c.call(ctx, http.MethodGet, "/accounts/"+url.PathEscape(realm)+"/"+url.PathEscape(ref), nil, &account); err != nil {
		return nil, err
	}
	return &account, nil
}
