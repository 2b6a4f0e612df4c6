package auth0

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) userRoutes() []route {
	return []route{
		op("GET", "/users", a.listUsers, "read:users"),
		op("POST", "/users", a.createUser, "create:users"),
		op("GET", "/users/{id}", a.getUser, "read:users", "read:current_user"),
		op("PATCH", "/users/{id}", a.updateUser, "update:users", "update:users_app_metadata", "update:current_user_metadata"),
		op("DELETE", "/users/{id}", a.deleteUser, "delete:users", "delete:current_user"),
		op("GET", "/users-by-email", a.usersByEmail, "read:users"),
	}
}

// createUser is POST /api/v2/users.
func (a *API) createUser(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createProperties, "connection")
	if err != nil {
		return err
	}
	connection, err := a.connectionFor(r, p.text("connection"))
	if err != nil {
		return err
	}
	if err := p.checkIdentifiers(connection); err != nil {
		return err
	}
	draft := directory.Draft{
		Connection: connection.Name, Profile: p.profile(),
		Blocked: p.flag("blocked"), UserMetadata: p.metadata("user_metadata"), AppMetadata: p.metadata("app_metadata"),
	}
	withDefaults(draft.Profile)
	id := p.text("user_id")
	if id == "" {
		id = a.Directory.IDs.Object()
	}
	draft.ID = connection.Provider() + "|" + id
	if text := p.text("password"); text != "" {
		draft.Password = &directory.Password{Text: text}
	}
	if verified := p.flag("email_verified"); verified != nil {
		draft.EmailVerified = *verified
	}
	created, err := a.Directory.CreateAccount(r.Context(), actor(r), a.Realm, draft)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, user(created))
}

// connectionFor returns the connection in which a user is to be made. Users of
// identity providers come by SCIM or by signing in.
func (a *API) connectionFor(r *http.Request, name string) (*tenant.Connection, error) {
	c, err := a.tenant.ConnectionByName(r.Context(), name)
	if fault.Is(err, fault.NotFound) {
		return nil, &apiError{http.StatusBadRequest, "The connection does not exist.", "inexistent_connection", err}
	}
	if err != nil {
		return nil, err
	}
	if class := c.Class(); class != tenant.Database && class != tenant.Passwordless {
		return nil, &apiError{
			status: http.StatusBadRequest, code: "operation_not_supported",
			message: "Connection does not support user creation through the API. It must either be a database or passwordless connection",
		}
	}
	return c, nil
}

// checkIdentifiers makes sure that the user can sign in to its connection: a
// database needs address and password, sms a phone number, email an address.
func (p payload) checkIdentifiers(c *tenant.Connection) error {
	need := []string{"email", "password"}
	switch c.Strategy {
	case "sms":
		need = []string{"phone_number"}
	case "email":
		need = []string{"email"}
	}
	for _, name := range need {
		if p.text(name) == "" {
			return badBody("'Missing required property: " + name + "'.")
		}
	}
	return nil
}

// reaches refuses a caller that has none of some scopes, and thus another for the
// user itself only, and names another user (inferred).
func reaches(r *http.Request, id string, scopes ...string) error {
	c := caller(r)
	if c.Scopes == nil || c.ID == id || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(c.Scopes, s) }) {
		return nil
	}
	return &apiError{
		status: http.StatusForbidden, code: "insufficient_scope",
		message: "User to be acted on does not match subject in bearer token.",
	}
}

// getUser is GET /api/v2/users/{id}. The id has a pipe in it, as it is or as %7C.
func (a *API) getUser(w http.ResponseWriter, r *http.Request) error {
	if err := reaches(r, r.PathValue("id"), "read:users"); err != nil {
		return err
	}
	show, err := readProjection(r.URL.Query())
	if err != nil {
		return err
	}
	found, err := a.Directory.Account(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, show(user(found)))
}

// exclusive are properties that one PATCH may not change together.
var exclusive = [][2]string{
	{"email", "password"}, {"username", "password"}, {"username", "email"},
	{"email_verified", "password"}, {"phone_number", "password"}, {"phone_verified", "password"},
}

// updateUser is PATCH /api/v2/users/{id}.
func (a *API) updateUser(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, updateProperties)
	if err != nil {
		return err
	}
	for _, pair := range exclusive {
		if p[pair[0]] != nil && p[pair[1]] != nil {
			return &apiError{
				status: http.StatusBadRequest, code: "operation_not_supported",
				message: "Cannot update " + pair[0] + " and " + pair[1] + " simultaneously",
			}
		}
	}
	id := r.PathValue("id")
	if err := p.allowed(r, id); err != nil {
		return err
	}
	if err := a.mayChange(r, id, p); err != nil {
		return err
	}
	edit := directory.Edit{
		Profile: p.profile(), EmailVerified: p.flag("email_verified"), Blocked: p.flag("blocked"),
		UserMetadata: p.metadata("user_metadata"), AppMetadata: p.metadata("app_metadata"),
	}
	if text := p.text("password"); text != "" {
		edit.Password = &directory.Password{Text: text}
	}
	if p.text("email") != "" && edit.EmailVerified == nil { // a new address is not verified yet
		edit.EmailVerified = new(bool)
	}
	if connection := p.text("connection"); connection != "" {
		edit.Check = func(current *directory.Account) error { return hasConnection(current, connection) }
	}
	edited, err := a.Directory.EditAccount(r.Context(), actor(r), a.Realm, id, edit)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, user(edited))
}

// allowed refuses what the caller's scopes do not cover: with
// update:users_app_metadata that is everything but app_metadata, with
// update:current_user_metadata everything but the caller's own user_metadata.
func (p payload) allowed(r *http.Request, id string) error {
	const all, app, own = "update:users", "update:users_app_metadata", "update:current_user_metadata"
	c := caller(r)
	if c.Scopes == nil || slices.Contains(c.Scopes, all) {
		return nil
	}
	if err := reaches(r, id, app); err != nil {
		return err
	}
	for name := range p {
		if name == "app_metadata" && slices.Contains(c.Scopes, app) || name == "user_metadata" && c.ID == id && slices.Contains(c.Scopes, own) {
			continue
		}
		return &apiError{status: http.StatusForbidden, code: "insufficient_scope", message: "Insufficient scope, expected any of: " + all}
	}
	return nil
}

// What an identity provider says of its users: always, and as long as it is asked
// at each login.
var (
	providerOwned = []string{"email", "email_verified", "password", "phone_number", "phone_verified", "username"}
	syncOwned     = []string{"family_name", "given_name", "name", "nickname", "picture"}
)

// mayChange refuses changes to attributes that the user's identity provider
// owns. The text is Auth0's (alexkappa/terraform-provider-auth0 issue 292).
func (a *API) mayChange(r *http.Request, id string, p payload) error {
	owned := slices.Concat(providerOwned, syncOwned)
	if !slices.ContainsFunc(owned, p.has) {
		return nil
	}
	account, err := a.Directory.Account(r.Context(), a.Realm, id)
	if err != nil {
		return err
	}
	c, err := a.tenant.ConnectionByName(r.Context(), account.Connection)
	if fault.Is(err, fault.NotFound) {
		return nil // the connection was deleted: nobody owns the user any more
	}
	if err != nil {
		return err
	}
	if class := c.Class(); class == tenant.Database || class == tenant.Passwordless {
		return nil
	}
	if c.Sync() != tenant.OnEachLogin {
		owned = providerOwned
	}
	refused := slices.DeleteFunc(slices.Clone(owned), func(name string) bool { return !p.has(name) })
	if len(refused) == 0 {
		return nil
	}
	slices.Sort(refused)
	return &apiError{
		status: http.StatusBadRequest, code: "operation_not_supported",
		message: "The following user attributes cannot be updated: " + strings.Join(refused, ", ") + ". The connection (" + c.Name + ") " +
			"must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled " +
			"'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync",
	}
}

func hasConnection(a *directory.Account, connection string) error {
	if a.Connection == connection {
		return nil
	}
	return &apiError{
		status: http.StatusBadRequest, code: "inexistent_connection",
		message: "The connection does not exist for this user.",
	}
}

// deleteUser is DELETE /api/v2/users/{id}. A user that is not there is deleted
// already.
func (a *API) deleteUser(w http.ResponseWriter, r *http.Request) error {
	if err := reaches(r, r.PathValue("id"), "delete:users"); err != nil {
		return err
	}
	err := a.Directory.Remove(r.Context(), actor(r), a.Realm, r.PathValue("id"))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return noContent(w)
}

// usersByEmail is GET /api/v2/users-by-email. Case counts.
func (a *API) usersByEmail(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	email := q.Get("email")
	if email == "" {
		return badQuery("'Missing required property: email'.")
	}
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	list, err := a.Directory.Accounts(r.Context(), directory.AccountQuery{Realm: a.Realm, Email: directory.Fold(email)}, 0,
		func(account *directory.Account) bool { return account.Email() == email })
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, shown(list, show))
}
