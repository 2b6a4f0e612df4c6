package auth0_test

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// counted is a store that counts the accounts that lists of them read.
type counted struct {
	directory.Store
	accounts int
}

func (c *counted) View(ctx context.Context, f func(directory.Reader) error) error {
	return c.Store.View(ctx, func(r directory.Reader) error { return f(countedReader{r, c}) })
}

type countedReader struct {
	directory.Reader
	of *counted
}

func (r countedReader) Accounts(q directory.AccountQuery) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		for a, err := range r.Reader.Accounts(q) {
			r.of.accounts++
			if !yield(a, err) {
				return
			}
		}
	}
}

// TestSearchReadsByIndex makes sure that a search for what is unique, or for a
// connection, does not read everybody.
func TestSearchReadsByIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.made("/api/v2/connections", `{"name":"corp","strategy":"okta","options":{"domain":"corp.okta.com","client_id":"x"}}`)
	for i := range 40 {
		b.made("/api/v2/users", fmt.Sprintf(`{"connection":%q,"email":"u%d@example.com","username":"u%d","password":"Sesame-4-you"}`, database, i, i))
	}
	user := b.made("/api/v2/users", fmt.Sprintf(`{"connection":%q,"email":"zoe@example.com","username":"zoe","password":"Sesame-4-you"}`, database))
	corp := b.connected("corp", "00u1", "ann@corp.example")
	store := &counted{Store: b.dir.Store}
	b.dir.Store = store
	for q, want := range map[string]string{
		`user_id:"` + user + `"`:                         user,
		`email:"zoe@example.com"`:                        user,
		`email:"zoe@example.com" AND username:"zoe"`:     user,
		`username:"zoe"`:                                 user,
		`identities.connection:"corp"`:                   corp,
		`identities.connection:"corp" AND blocked:false`: corp,
		`name:"zoe@example.com"`:                         user, // by what must stand in the stored form
	} {
		store.accounts = 0
		got := b.ok(200, "GET", "/api/v2/users?include_totals=true&q="+url.QueryEscape(q), "").ids(t, "users", "user_id")
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", q, got, want)
		}
		if store.accounts > 3 {
			t.Errorf("%s read %d accounts", q, store.accounts)
		}
	}
}
