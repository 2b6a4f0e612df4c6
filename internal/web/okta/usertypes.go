package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// listUserTypes is GET /meta/types/user. It has no pages.
func (a *API) listUserTypes(w http.ResponseWriter, r *http.Request) error {
	types, err := a.Directory.UserTypes(r.Context(), a.Realm)
	if err != nil {
		return err
	}
	out := make([]web.Object, len(types))
	for i, t := range types {
		out[i] = userType(a.base(r), t)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) createUserType(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	edit, err := body.userTypeEdit()
	if err != nil {
		return err
	}
	var t directory.UserType
	set := func(into *string, from *string) {
		if from != nil {
			*into = *from
		}
	}
	set(&t.Name, edit.Name)
	set(&t.DisplayName, edit.DisplayName)
	set(&t.Description, edit.Description)
	created, err := a.Directory.CreateUserType(r.Context(), actor(r), a.Realm, t)
	return a.answerUserType(w, r, created, err)
}

func (a *API) getUserType(w http.ResponseWriter, r *http.Request) error {
	t, err := a.Directory.UserType(r.Context(), a.Realm, r.PathValue("id"))
	return a.answerUserType(w, r, t, err)
}

// updateUserType is POST /meta/types/user/{id}: what the body does not name stays.
func (a *API) updateUserType(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	edit, err := body.userTypeEdit()
	if err != nil {
		return err
	}
	t, err := a.Directory.EditUserType(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit)
	return a.answerUserType(w, r, t, err)
}

// replaceUserType is PUT /meta/types/user/{id}. The name must be sent and must
// be the one the type has.
func (a *API) replaceUserType(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	edit, err := body.userTypeEdit()
	if err != nil {
		return err
	}
	for _, missing := range []**string{&edit.Name, &edit.DisplayName, &edit.Description} {
		if *missing == nil {
			*missing = new(string)
		}
	}
	if *edit.Name == "" {
		return invalid("name", "name: The field cannot be left blank")
	}
	t, err := a.Directory.EditUserType(r.Context(), actor(r), a.Realm, r.PathValue("id"), edit)
	return a.answerUserType(w, r, t, err)
}

func (a *API) deleteUserType(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteUserType(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// userTypeEdit reads the members of a user type that can be written; nil for
// those that are absent.
func (o object) userTypeEdit() (e directory.UserTypeEdit, err error) {
	for name, into := range map[string]**string{"name": &e.Name, "displayName": &e.DisplayName, "description": &e.Description} {
		if o[name] == nil {
			continue
		}
		text, err := o.text(name)
		if err != nil {
			return e, err
		}
		*into = &text
	}
	return e, nil
}

func (a *API) answerUserType(w http.ResponseWriter, r *http.Request, t *directory.UserType, err error) error {
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, userType(a.base(r), t))
}

// userType is the wire form of a user type (Okta OpenAPI: UserType, examples).
func userType(base string, t *directory.UserType) web.Object {
	return web.Object{
		{Key: "id", Value: t.ID},
		{Key: "displayName", Value: t.DisplayName},
		{Key: "name", Value: t.Name},
		{Key: "description", Value: t.Description},
		{Key: "createdBy", Value: t.CreatedBy},
		{Key: "lastUpdatedBy", Value: t.UpdatedBy},
		{Key: "created", Value: date(t.Created)},
		{Key: "lastUpdated", Value: date(t.Updated)},
		{Key: "default", Value: t.Default()},
		{Key: "_links", Value: web.Object{
			related("schema", base+userSchemas+"/"+directory.SchemaOf(t.ID)),
			related("self", base+userTypes+"/"+t.ID),
		}},
	}
}
