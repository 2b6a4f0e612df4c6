package auth0

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) authMethodRoutes() []route {
	const all, one = "/users/{id}/authentication-methods", "/users/{id}/authentication-methods/{method}"
	return []route{
		op("GET", all, a.listAuthMethods, "read:authentication_methods"),
		op("POST", all, a.createAuthMethod, "create:authentication_methods"),
		op("PUT", all, a.replaceAuthMethods, "update:authentication_methods"),
		op("DELETE", all, a.deleteAuthMethods, "delete:authentication_methods"),
		op("GET", one, a.getAuthMethod, "read:authentication_methods"),
		op("PATCH", one, a.updateAuthMethod, "update:authentication_methods"),
		op("DELETE", one, a.deleteAuthMethod, "delete:authentication_methods"),

		op("GET", "/users/{id}/enrollments", a.listEnrollments, "read:users", "read:current_user"),
		op("DELETE", "/users/{id}/authenticators", a.deleteAuthenticators, "delete:guardian_enrollments"),
		op("DELETE", "/users/{id}/multifactor/{provider}", a.deleteMultifactor, "update:users"),
		op("POST", "/users/{id}/multifactor/actions/invalidate-remember-browser", a.invalidateBrowsers, "update:users"),
		op("POST", "/users/{id}/recovery-code-regeneration", a.regenerateRecoveryCode, "update:users"),
	}
}

// phoneWays are the ways to reach a phone.
var phoneWays = []string{"voice", "sms"}

const (
	aboutPreferred = "Applies to phone authentication methods only. The preferred communication method."
	aboutMethod    = "A human-readable label to identify the authentication method."
)

var createMethodProperties = map[string]property{
	"type":                            {typ: "string", enum: []string{"phone", "email", "totp", "webauthn-roaming", "passkey"}},
	"name":                            {typ: "string", about: aboutMethod},
	"totp_secret":                     {typ: "string", about: "Base32 encoded secret for TOTP generation."},
	"phone_number":                    {typ: "string", min: 2, max: 30, about: "Applies to phone authentication methods only. The destination phone number used to send verification codes via text and voice."},
	"email":                           {typ: "string", about: "Applies to email authentication methods only. The email address used to send verification messages."},
	"preferred_authentication_method": {typ: "string", enum: phoneWays, about: aboutPreferred},
	"key_id":                          {typ: "string", about: "Applies to webauthn authentication methods only. The id of the credential."},
	"public_key":                      {typ: "string", about: "Applies to webauthn authentication methods only. The public key, which is encoded as base64."},
	"relying_party_identifier":        {typ: "string", about: "Applies to webauthn authentication methods only. The relying party identifier."},
}

var replaceMethodProperties = map[string]property{
	"type":                            {typ: "string", enum: []string{"phone", "email", "totp"}},
	"name":                            {typ: "string", min: 1, max: 20, about: aboutMethod},
	"totp_secret":                     {typ: "string", min: 1, about: "Applies to totp authentication methods only. The base32 encoded secret for TOTP generation."},
	"phone_number":                    createMethodProperties["phone_number"],
	"email":                           {typ: "string", min: 1, about: createMethodProperties["email"].about},
	"preferred_authentication_method": createMethodProperties["preferred_authentication_method"],
}

var updateMethodProperties = map[string]property{
	"name":                            {typ: "string", about: aboutMethod},
	"preferred_authentication_method": {typ: "string", enum: phoneWays, about: "Preferred phone authentication method"},
}

func newAuthMethod(p payload) *tenant.AuthMethod {
	return &tenant.AuthMethod{
		Type: p.text("type"), Name: p.text("name"), Email: p.text("email"), Phone: p.text("phone_number"),
		Preferred: p.text("preferred_authentication_method"), KeyID: p.text("key_id"), PublicKey: p.text("public_key"),
		Party: p.text("relying_party_identifier"),
	}
}

// hiddenEmail shows an address as authentication methods do (recorded): the
// first four letters of each part, if it has more.
func hiddenEmail(email string) string {
	local, domain, ok := strings.Cut(email, "@")
	if !ok {
		return hidden(email)
	}
	return hidden(local) + "@" + hidden(domain)
}

func hidden(text string) string {
	const shown = 4
	runes := []rune(text)
	if len(runes) <= shown {
		return "****"
	}
	return string(runes[:shown]) + strings.Repeat("*", len(runes)-shown)
}

// hiddenPhone shows the last four digits of a number (recorded).
func hiddenPhone(phone string) string {
	const shown = 4
	n := utf8.RuneCountInString(phone)
	if n <= shown {
		return phone
	}
	return strings.Repeat("X", n-shown) + phone[len(phone)-shown:]
}

// methodFields are the parts of the wire form that all operations share.
func methodFields(m *tenant.AuthMethod, email, phone func(string) string) (to, ways web.Object) {
	add := func(o *web.Object, key string, text string) {
		if text != "" {
			*o = append(*o, web.Field{Key: key, Value: text})
		}
	}
	if m.Email != "" {
		add(&to, "email", email(m.Email))
	}
	if m.Phone != "" {
		add(&to, "phone_number", phone(m.Phone))
	}
	add(&to, "key_id", m.KeyID)
	add(&to, "public_key", m.PublicKey)
	add(&to, "relying_party_identifier", m.Party)
	if m.Type == "phone" && m.Preferred != "" {
		ways = web.Object{
			{Key: "preferred_authentication_method", Value: m.Preferred},
			{Key: "authentication_methods", Value: []web.Object{{{Key: "id", Value: m.Preferred + "|" + m.Device()}, {Key: "type", Value: m.Preferred}}}},
		}
	}
	return to, ways
}

// authMethod is the wire form of a method that is read, in the recorded order.
func authMethod(m *tenant.AuthMethod) web.Object {
	to, ways := methodFields(m, hiddenEmail, hiddenPhone)
	o := web.Object{{Key: "id", Value: m.ID}, {Key: "type", Value: m.Type}, {Key: "confirmed", Value: true}}
	if m.Name != "" {
		o = append(o, web.Field{Key: "name", Value: m.Name})
	}
	o = append(o, to...)
	return append(append(o, web.Field{Key: "created_at", Value: date(m.Created)}), ways...)
}

// writtenMethod is the wire form of a method that was made or changed.
func writtenMethod(m *tenant.AuthMethod) web.Object {
	to, ways := methodFields(m, hiddenEmail, hiddenPhone)
	o := web.Object{{Key: "type", Value: m.Type}}
	if m.Name != "" {
		o = append(o, web.Field{Key: "name", Value: m.Name})
	}
	o = append(append(o, web.Field{Key: "created_at", Value: date(m.Created)}), to...)
	return append(append(o, ways...), web.Field{Key: "id", Value: m.ID})
}

// replacedMethod is the wire form of one of the methods that took the place of
// all: it hides nothing (recorded).
func replacedMethod(m *tenant.AuthMethod) web.Object {
	same := func(s string) string { return s }
	to, ways := methodFields(m, same, same)
	o := web.Object{{Key: "id", Value: m.ID}, {Key: "type", Value: m.Type}}
	if m.Name != "" {
		o = append(o, web.Field{Key: "name", Value: m.Name})
	}
	o = append(o, to...)
	return append(append(o, web.Field{Key: "created_at", Value: date(m.Created)}), ways...)
}

// listAuthMethods is GET. A total of nothing is left out (recorded).
func (a *API) listAuthMethods(w http.ResponseWriter, r *http.Request) error {
	l, err := readListing(r.URL.Query(), style{unlimited: true})
	if err != nil {
		return err
	}
	all, err := a.tenant.AuthMethods(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	p := tenant.Cut(all, l.window())
	if !l.totals {
		return web.WriteJSON(w, http.StatusOK, rowsOf(p, authMethod))
	}
	o := web.Object{{Key: "authenticators", Value: rowsOf(p, authMethod)}}
	if len(all) > 0 {
		o = append(o, web.Field{Key: "total", Value: len(all)})
	}
	return web.WriteJSON(w, http.StatusOK, append(o, web.Field{Key: "start", Value: l.page * l.perPage}, web.Field{Key: "limit", Value: l.perPage}))
}

func (a *API) createAuthMethod(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, createMethodProperties, "type")
	if err != nil {
		return err
	}
	m := newAuthMethod(p)
	if err := a.tenant.AddAuthMethod(r.Context(), actor(r), r.PathValue("id"), m); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, writtenMethod(m))
}

func (a *API) replaceAuthMethods(w http.ResponseWriter, r *http.Request) error {
	items, err := readItems(r, property{typ: "object", members: replaceMethodProperties, required: []string{"type"}})
	if err != nil {
		return err
	}
	list := make([]*tenant.AuthMethod, len(items))
	for i, p := range items {
		list[i] = newAuthMethod(p)
	}
	if err := a.tenant.ReplaceAuthMethods(r.Context(), actor(r), r.PathValue("id"), list); err != nil {
		return err
	}
	out := make([]web.Object, len(list))
	for i, m := range list {
		out[i] = replacedMethod(m)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) getAuthMethod(w http.ResponseWriter, r *http.Request) error {
	m, err := a.tenant.AuthMethod(r.Context(), r.PathValue("id"), r.PathValue("method"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, authMethod(m))
}

func (a *API) updateAuthMethod(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, updateMethodProperties)
	if err != nil {
		return err
	}
	m, err := a.tenant.EditAuthMethod(r.Context(), actor(r), r.PathValue("id"), r.PathValue("method"), p.given("name"), p.given("preferred_authentication_method"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, writtenMethod(m))
}

func (a *API) deleteAuthMethod(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteAuthMethod(r.Context(), actor(r), r.PathValue("id"), r.PathValue("method")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) deleteAuthMethods(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteAuthMethods(r.Context(), actor(r), r.PathValue("id"), nil); err != nil {
		return err
	}
	return noContent(w)
}

// enrolled are the methods that Guardian, Auth0's older interface to factors,
// knows, with its names for them.
var enrolled = map[string]string{"totp": "authenticator", "phone": "sms", "webauthn-roaming": "webauthn-roaming"}

func isEnrolled(m *tenant.AuthMethod) bool { return enrolled[m.Type] != "" }

// listEnrollments is GET /users/{id}/enrollments.
func (a *API) listEnrollments(w http.ResponseWriter, r *http.Request) error {
	if err := reaches(r, r.PathValue("id"), "read:users"); err != nil {
		return err
	}
	list, err := a.tenant.AuthMethods(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	out := []web.Object{}
	for _, m := range list {
		if !isEnrolled(m) {
			continue
		}
		o := web.Object{{Key: "id", Value: m.ID}, {Key: "status", Value: "confirmed"}, {Key: "type", Value: enrolled[m.Type]}}
		if m.Name != "" {
			o = append(o, web.Field{Key: "name", Value: m.Name})
		}
		if m.Phone != "" {
			o = append(o, web.Field{Key: "phone_number", Value: hiddenPhone(m.Phone)})
		}
		out = append(out, append(o, web.Field{Key: "auth_method", Value: enrolled[m.Type]}, web.Field{Key: "enrolled_at", Value: date(m.Created)}))
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) deleteAuthenticators(w http.ResponseWriter, r *http.Request) error {
	if err := a.tenant.DeleteAuthMethods(r.Context(), actor(r), r.PathValue("id"), isEnrolled); err != nil {
		return err
	}
	return noContent(w)
}

// deleteMultifactor is DELETE /users/{id}/multifactor/{provider}: duo, of which
// there is nothing here, or google-authenticator.
func (a *API) deleteMultifactor(w http.ResponseWriter, r *http.Request) error {
	provider := property{enum: []string{"duo", "google-authenticator"}, about: "The multi-factor provider. Supported values 'duo' or 'google-authenticator'"}
	if wrong := provider.checkText(r.PathValue("provider")); wrong != "" {
		return badPath(wrong, "provider", provider.about)
	}
	match := func(m *tenant.AuthMethod) bool {
		return m.Type == "totp" && r.PathValue("provider") == "google-authenticator"
	}
	if err := a.tenant.DeleteAuthMethods(r.Context(), actor(r), r.PathValue("id"), match); err != nil {
		return err
	}
	return noContent(w)
}

// invalidateBrowsers ends that browsers are remembered, which they are not here.
func (a *API) invalidateBrowsers(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Directory.Account(r.Context(), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// recoveryCodeLength is that of the recorded one.
const recoveryCodeLength = 24

// regenerateRecoveryCode answers a new code also for users without a factor
// (recorded). The code is not kept: nothing here asks for one.
func (a *API) regenerateRecoveryCode(w http.ResponseWriter, r *http.Request) error {
	err := a.Directory.Note(r.Context(), actor(r), a.Realm, r.PathValue("id"), "auth0.user.recovery_code.regenerate")
	if err != nil {
		return err
	}
	code := strings.ToUpper(a.Directory.IDs.Hex(recoveryCodeLength))
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "recovery_code", Value: code}})
}
