package auth0

import (
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) identityRoutes() []route {
	return []route{
		op("POST", "/users/{id}/identities", a.linkUser, "update:users", "update:current_user_identities"),
		op("DELETE", "/users/{id}/identities/{provider}/{user_id}", a.unlinkUser, "update:users", "update:current_user_identities"),
	}
}

var linkProperties = map[string]property{
	"provider":      {typ: "string", min: 1, about: "Identity provider of the secondary user account being linked."},
	"connection_id": {typ: "string", pattern: connectionIDPattern, about: "connection_id of the secondary user account being linked when more than one `auth0` database provider exists."},
	"user_id":       {about: "user_id of the secondary user account being linked."},
	"link_with":     {typ: "string", min: 1, about: "JWT for the secondary account being linked. If sending this parameter, `provider`, `user_id`, and `connection_id` must not be sent."},
}

// linkUser is POST /users/{id}/identities. The user_id may have the provider in
// front (recorded). Tokens of users (link_with) are not taken: nobody is signed
// in at the Management API.
func (a *API) linkUser(w http.ResponseWriter, r *http.Request) error {
	if err := reaches(r, r.PathValue("id"), "update:users"); err != nil {
		return err
	}
	p, err := readPayload(r, linkProperties)
	if err != nil {
		return err
	}
	if p.has("link_with") {
		return &apiError{status: http.StatusBadRequest, message: "Invalid token", code: "invalid_token"}
	}
	provider, id := p.text("provider"), asText(p["user_id"])
	for _, one := range []struct{ name, text string }{{"provider", provider}, {"user_id", id}} {
		if one.text == "" {
			return badBody("'Missing required property: " + one.name + "'.")
		}
	}
	if !strings.HasPrefix(id, provider+"|") {
		id = provider + "|" + id
	}
	if err := a.hasConnectionID(r, id, p.text("connection_id")); err != nil {
		return err
	}
	primary, err := a.tenant.Link(r.Context(), actor(r), r.PathValue("id"), id, profileData)
	if err != nil {
		return linkError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, linkedIdentities(primary))
}

// hasConnectionID makes sure that a user is of a connection, when one is named.
func (a *API) hasConnectionID(r *http.Request, user, id string) error {
	if id == "" {
		return nil
	}
	connection, err := a.tenant.Connection(r.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return &apiError{http.StatusNotFound, "The connection does not exist", "inexistent_connection", err}
	}
	if err != nil {
		return err
	}
	account, err := a.Directory.Account(r.Context(), a.Realm, user)
	if err != nil {
		return err
	}
	if account.Connection != connection.Name {
		return directory.NotFound(directory.AccountNoun, user)
	}
	return nil
}

// unlinkUser is DELETE /users/{id}/identities/{provider}/{user_id}.
func (a *API) unlinkUser(w http.ResponseWriter, r *http.Request) error {
	if err := reaches(r, r.PathValue("id"), "update:users"); err != nil {
		return err
	}
	identity := r.PathValue("provider") + "|" + r.PathValue("user_id")
	primary, err := a.tenant.Unlink(r.Context(), actor(r), r.PathValue("id"), identity)
	if err != nil {
		return linkError(err)
	}
	return web.WriteJSON(w, http.StatusOK, linkedIdentities(primary))
}

// linkError words what the tenant refuses (inferred).
func linkError(err error) error {
	var same *tenant.SameAccount
	var last *tenant.LastIdentity
	switch {
	case errors.As(err, &same):
		return &apiError{http.StatusBadRequest, "Main principal and secondary principal are the same", "invalid_body", err}
	case errors.As(err, &last):
		return &apiError{http.StatusBadRequest, "Main principal identity cannot be unlinked", "operation_not_supported", err}
	}
	return err
}

// asText is an id as text: some providers number their users.
func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case interface{ String() string }:
		return v.String()
	}
	return ""
}

// profileKeys are the attributes that identities show, in the recorded order.
var profileKeys = []string{"email", "given_name", "family_name", "username", "nickname", "phone_number", "name", "picture"}

// profileData is what an identity keeps of an account: what somebody said of it,
// in Auth0's names.
func profileData(a *directory.Account) map[string]any {
	out := map[string]any{}
	for _, key := range profileKeys {
		if v := attribute(a, key); v != nil {
			out[key] = v
		}
	}
	if out["name"] == out["email"] { // made up from the address, not said
		delete(out, "name")
	}
	if out["email"] != nil {
		out["email_verified"] = a.EmailVerified
	}
	return out
}

func profileObject(profile map[string]any) web.Object {
	o := web.Object{}
	for _, key := range profileKeys {
		if v, ok := profile[key]; ok {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	if v, ok := profile["email_verified"]; ok {
		o = append(o, web.Field{Key: "email_verified", Value: v})
	}
	return o
}

// identities are those of a user in the form in which users show them: only the
// ones that were linked have a profile of their own.
func identities(a *directory.Account) []web.Object {
	out := []web.Object{identity(a)}
	for _, i := range a.Identities {
		out = append(out, linkedIdentity(i))
	}
	return out
}

// linkedIdentities are those of a user in the answer to linking, where the first
// has a profile too (recorded).
func linkedIdentities(a *directory.Account) []web.Object {
	first := append(web.Object{{Key: "profileData", Value: profileObject(profileData(a))}}, identity(a)...)
	return append([]web.Object{first}, identities(a)[1:]...)
}

func linkedIdentity(i directory.Identity) web.Object {
	return web.Object{
		{Key: "profileData", Value: profileObject(i.Profile)},
		{Key: "connection", Value: i.Connection},
		{Key: "user_id", Value: i.UserID},
		{Key: "provider", Value: i.Provider},
		{Key: "isSocial", Value: i.Social},
	}
}
