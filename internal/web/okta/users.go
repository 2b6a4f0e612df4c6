package okta

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) userRoutes() {
	a.route(basePath+"/users",
		method{"GET", readUsers, a.listUsers},
		method{"POST", manageUsers, a.createUser})
	a.route(basePath+"/users/{id}",
		method{"GET", readUsers, a.getUser},
		method{"POST", manageUsers, a.updateUser},
		method{"PUT", manageUsers, a.replaceUser},
		method{"DELETE", manageUsers, a.deleteUser})
	a.route(basePath+"/users/{id}/groups", method{"GET", readUsers, a.listUserGroups})
	a.route(basePath+"/users/{id}/blocks", method{"GET", readUsers, a.listBlocks})
	a.route(basePath+"/users/{id}/clients", method{"GET", readUsers, a.listNothing})
	a.route(basePath+"/users/{id}/idps", method{"GET", readUsers, a.listNothing})
	a.route(basePath+"/users/{id}/grants",
		method{"GET", readUsers, a.listUserGrants},
		method{"DELETE", manageUsers, a.revokeGrants})
}

// createUser is POST /users. It answers 200, not 201.
func (a *API) createUser(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	activate, err := flag(r, "activate", true)
	if err != nil {
		return err
	}
	if _, err := flag(r, "provider", false); err != nil { // the body says which
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	draft, err := body.draft()
	if err != nil {
		return err
	}
	draft.Activate = activate
	switch q.Get("nextLogin") {
	case "":
	case "changePassword":
		draft.ExpirePassword = true
	default:
		return invalid("nextLogin", "nextLogin: only changePassword is allowed")
	}
	if err := a.mayJoin(r, draft.Groups); err != nil {
		return err
	}
	created, err := a.Directory.CreateAccount(r.Context(), actor(r), a.Realm, draft)
	if err != nil {
		return err
	}
	return a.answerUser(w, r, created)
}

// getUser is GET /users/{idOrLogin}.
func (a *API) getUser(w http.ResponseWriter, r *http.Request) error {
	found, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	w.Header().Set("Etag", etag(found))
	return a.answerUser(w, r, found)
}

// updateUser is POST /users/{idOrLogin}: what the body does not name stays.
func (a *API) updateUser(w http.ResponseWriter, r *http.Request) error {
	return a.editUser(w, r, false)
}

// replaceUser is PUT /users/{idOrLogin}: attributes that the profile does not
// name are erased.
func (a *API) replaceUser(w http.ResponseWriter, r *http.Request) error {
	return a.editUser(w, r, true)
}

func (a *API) editUser(w http.ResponseWriter, r *http.Request, replace bool) error {
	// strict asks for password rules that the default policy does not have.
	if _, err := flag(r, "strict", false); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	edit, err := body.edit(replace)
	if err != nil {
		return err
	}
	if caller(r).self && !ownEdit(edit, actor(r).Login) {
		return problem("E0000006")
	}
	edit.Check = ifMatch(r.Header.Get("If-Match"))
	if !replace {
		edit.Check, edit.Type = sameType(edit.Type, edit.Check), ""
	}
	edited, err := a.Directory.EditAccount(r.Context(), actor(r), a.Realm, userRef(r, "id"), edit)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return a.answerUser(w, r, edited)
}

// ownEdit reports whether an edit is one that people may make of themselves:
// credentials are changed by those who prove the old ones, and the login is how
// others know them (Okta: base profile, permissions of the user).
func ownEdit(e directory.Edit, login string) bool {
	if to, ok := e.Profile["login"]; ok && to != login {
		return false
	}
	return e.Password == nil && e.RecoveryQuestion == nil && e.Type == ""
}

// sameType refuses a partial update that names another user type than the
// user's: only PUT changes it (Okta OpenAPI: updateUser).
func sameType(id string, then func(*directory.Account) error) func(*directory.Account) error {
	if id == "" {
		return then
	}
	return func(current *directory.Account) error {
		if id != current.UserType() && (id != "default" || current.Type != "") {
			return invalid("type", "type: The user type cannot be changed by a partial update")
		}
		if then == nil {
			return nil
		}
		return then(current)
	}
}

// ifMatch returns the condition of an If-Match header, nil when there is none.
func ifMatch(header string) func(*directory.Account) error {
	if header == "" {
		return nil
	}
	return func(current *directory.Account) error {
		ok, err := matches(header, etag(current))
		if err == nil && !ok {
			return problem("E0000231")
		}
		return err
	}
}

// deleteUser is DELETE /users/{idOrLogin}: the first call deactivates, the
// second deletes. Both answer alike, with Prefer: respond-async too: the work is
// done by then.
func (a *API) deleteUser(w http.ResponseWriter, r *http.Request) error {
	if _, err := sendEmail(r, false); err != nil {
		return err
	}
	if _, err := a.Directory.Retire(r.Context(), actor(r), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	w.WriteHeader(a.DeleteStatus)
	return nil
}

// listBlocks is GET /users/{id}/blocks.
func (a *API) listBlocks(w http.ResponseWriter, r *http.Request) error {
	if a.WithoutBlocks {
		return problem("E0000015")
	}
	account, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, blocks(account))
}

// listNothing answers lists of what users never have here.
func (a *API) listNothing(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, []web.Object{})
}

// listUserGrants is GET /users/{id}/grants.
func (a *API) listUserGrants(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, grantsPage, usersPage)
	if err != nil {
		return err
	}
	p.links(w, "")
	return a.listNothing(w, r)
}

// revokeGrants is DELETE /users/{id}/grants: tokens of the user end with them.
func (a *API) revokeGrants(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RevokeGrants(r.Context(), actor(r), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return noContent(w)
}

// answerUser writes a single user.
func (a *API) answerUser(w http.ResponseWriter, r *http.Request, account *directory.Account) error {
	s, err := a.requestedShape(r)
	if err != nil {
		return err
	}
	s.links = true
	return web.WriteJSON(w, http.StatusOK, user(a.base(r), account, s))
}

// requestedShape reads the parts of a user that a client wants (fields, expand)
// beside those that it does not want.
func (a *API) requestedShape(r *http.Request) (shape, error) {
	q, s := r.URL.Query(), a.plainShape(r)
	var err error
	s.fields, err = parseFields(q.Get("fields"))
	s.blocks = slices.Contains(strings.Split(q.Get("expand"), ","), "blocks")
	return s, err
}

// plainShape reads the parts of a user that a client does not want:
// Content-Type: application/json; okta-response="omitCredentials,..."
// omitTransitioningToStatus has nothing to leave out: nothing is ever on its way.
func (a *API) plainShape(r *http.Request) shape {
	header := r.Header.Get("Content-Type")
	return shape{
		omitCredentials: hasFlag(header, "omitCredentials"),
		omitLinks:       hasFlag(header, "omitCredentialsLinks"),
		classic:         a.classic(),
	}
}

func hasFlag(contentType, flag string) bool {
	_, list, ok := strings.Cut(contentType, "okta-response=")
	if !ok {
		return false
	}
	list, _, _ = strings.Cut(list, ";")
	for f := range strings.SplitSeq(strings.Trim(list, `" `), ",") {
		if strings.TrimSpace(f) == flag {
			return true
		}
	}
	return false
}

// asCalled words a 404 of "me" with that name instead of the caller's.
func (a *API) asCalled(r *http.Request, segment string, err error) error {
	var lost *directory.Missing
	if errors.As(err, &lost) && lost.Noun == directory.AccountNoun && r.PathValue(segment) == "me" {
		return missing("me", "User").because(err)
	}
	return err
}

// object is a request body.
type object map[string]any

// readObject reads a JSON object. Everything else is E0000003.
func readObject(r *http.Request) (object, error) {
	if t := r.Header.Get("Content-Type"); t != "" && !web.IsJSON(t) {
		return nil, problem("E0000021")
	}
	v, err := readValue(r)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, problem("E0000003")
	}
	return o, nil
}

// readValue reads a JSON body. Everything else is E0000003, and so is text with
// NUL or with characters that take four bytes in UTF-8, which Okta does not keep
// (okta.md 1.1).
func readValue(r *http.Request) (any, error) {
	v, err := web.ReadJSON(r, web.MaxBody)
	if err != nil {
		return nil, problem("E0000003").because(err)
	}
	if !plain(v) {
		return nil, problem("E0000003")
	}
	return v, nil
}

// plain reports whether all texts of a value can be kept.
func plain(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.ContainsFunc(v, func(r rune) bool { return r == 0 || r > maxRune })
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !plain(one) })
	case map[string]any:
		for name, one := range v {
			if !plain(name) || !plain(one) {
				return false
			}
		}
	}
	return true
}

// maxRune is the greatest character that takes three bytes.
const maxRune = 0xFFFF

// object returns a member that is an object: nil when it is absent or null.
func (o object) object(name string) (object, error) {
	switch v := o[name].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, problem("E0000003")
}

// text returns a member that is a string: "" when it is absent or null.
func (o object) text(name string) (string, error) {
	switch v := o[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", problem("E0000003")
}

// integer returns a member that is a whole number: 0 when it is absent or null.
func (o object) integer(name string) (int, error) {
	switch v := o[name].(type) {
	case nil:
		return 0, nil
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n, nil
		}
	}
	return 0, problem("E0000003")
}

// draft reads the body of POST /users.
func (o object) draft() (directory.Draft, error) {
	var d directory.Draft
	profile, err := o.object("profile")
	if err != nil {
		return d, err
	}
	d.Profile = compactProfile(profile)
	if d.Type, err = o.typeID(); err != nil {
		return d, err
	}
	if _, err := o.text("realmId"); err != nil { // there is one realm only, whatever its id
		return d, err
	}
	if d.Groups, err = o.texts("groupIds"); err != nil {
		return d, err
	}
	c, err := o.credentials()
	d.Password, d.RecoveryQuestion, d.Provider = c.password, c.question, c.provider
	return d, err
}

// edit reads the body of POST and PUT /users/{id}.
func (o object) edit(replace bool) (directory.Edit, error) {
	var e directory.Edit
	profile, err := o.object("profile")
	if err != nil {
		return e, err
	}
	if profile != nil {
		e.Profile, e.Replace = profile, replace
		if replace {
			e.Profile = compactProfile(profile)
		}
	}
	if e.Type, err = o.typeID(); err != nil {
		return e, err
	}
	if _, err := o.text("realmId"); err != nil {
		return e, err
	}
	c, err := o.credentials()
	e.Password, e.RecoveryQuestion = c.password, c.question
	return e, err
}

// compactProfile drops null attributes: a null stands for no value, also of an
// attribute that the schema does not define.
func compactProfile(profile object) map[string]any {
	out := maps.Clone(map[string]any(profile))
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

// typeID returns the id of the user type that a body names, "" for none.
func (o object) typeID() (string, error) {
	t, err := o.object("type")
	if err != nil || t == nil {
		return "", err
	}
	return t.text("id")
}

// texts returns a member that is a list of strings: nil when it is absent or null.
func (o object) texts(name string) ([]string, error) {
	if o[name] == nil {
		return nil, nil
	}
	list, ok := o[name].([]any)
	if !ok {
		return nil, problem("E0000003")
	}
	out := make([]string, len(list))
	for i, v := range list {
		if out[i], ok = v.(string); !ok {
			return nil, problem("E0000003")
		}
	}
	return out, nil
}

type newCredentials struct {
	password *directory.Password
	question *directory.RecoveryQuestion
	provider directory.Provider
}

// credentials reads the credentials of a body. An empty password object means
// that there is none.
func (o object) credentials() (c newCredentials, err error) {
	all, err := o.object("credentials")
	if err != nil {
		return c, err
	}
	if c.password, err = all.password(); err != nil {
		return c, err
	}
	if c.question, err = all.question(); err != nil {
		return c, err
	}
	provider, err := all.object("provider")
	if err != nil {
		return c, err
	}
	if c.provider.Type, err = provider.text("type"); err != nil {
		return c, err
	}
	c.provider.Name, err = provider.text("name")
	return c, err
}

func (o object) password() (*directory.Password, error) {
	p, err := o.object("password")
	if err != nil || p == nil {
		return nil, err
	}
	if p["hook"] != nil {
		return nil, problem("E0000060") // password import hooks
	}
	hash, err := p.object("hash")
	if err != nil {
		return nil, err
	}
	if hash != nil {
		b, err := value.Encode(map[string]any(hash))
		return &directory.Password{Import: string(b)}, err
	}
	text, err := p.text("value")
	if err != nil || text == "" {
		return nil, err
	}
	return &directory.Password{Text: text}, nil
}
