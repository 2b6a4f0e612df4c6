package auth0

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) blockRoutes() []route {
	return []route{
		op("GET", "/user-blocks", a.listBlocks, "read:users"),
		op("DELETE", "/user-blocks", a.deleteBlocks, "update:users"),
		op("GET", "/user-blocks/{id}", a.getBlocks, "read:users"),
		op("DELETE", "/user-blocks/{id}", a.deleteUserBlocks, "update:users"),
	}
}

// bruteForce is how many failed sign-ins bar a user (Auth0's default).
const bruteForce = 10

// blocks are what failed sign-ins bar.
func blocks(list ...*directory.Account) web.Object {
	out := []web.Object{}
	for _, account := range list {
		if account.FailedSignIns < bruteForce {
			continue
		}
		identifier := account.Email()
		if identifier == "" {
			identifier = account.Login()
		}
		out = append(out, web.Object{{Key: "identifier", Value: identifier}, {Key: "ip", Value: account.LastIP}})
	}
	return web.Object{{Key: "blocked_for", Value: out}}
}

func (a *API) getBlocks(w http.ResponseWriter, r *http.Request) error {
	account, err := a.Directory.Account(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, blocks(account))
}

func (a *API) deleteUserBlocks(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.Unblock(r.Context(), actor(r), r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// listBlocks is GET /user-blocks?identifier=. Nobody by that name is no error.
func (a *API) listBlocks(w http.ResponseWriter, r *http.Request) error {
	list, err := a.identified(r)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, blocks(list...))
}

func (a *API) deleteBlocks(w http.ResponseWriter, r *http.Request) error {
	list, err := a.identified(r)
	if err != nil {
		return err
	}
	for _, account := range list {
		if err := a.tenant.Unblock(r.Context(), actor(r), account.ID); err != nil {
			return err
		}
	}
	return noContent(w)
}

// identified returns the users with a user name, phone number or e-mail address.
func (a *API) identified(r *http.Request) ([]*directory.Account, error) {
	identifier := r.URL.Query().Get("identifier")
	if identifier == "" {
		return nil, badQuery("'Missing required property: identifier'.")
	}
	folded := directory.Fold(identifier)
	return a.Directory.Accounts(r.Context(), directory.AccountQuery{Realm: a.Realm, Holding: identifier}, 0, func(account *directory.Account) bool {
		return directory.Fold(account.Email()) == folded || directory.Fold(account.Login()) == folded || attribute(account, "phone_number") == identifier
	})
}
