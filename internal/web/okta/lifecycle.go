package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) lifecycleRoutes() {
	for op, run := range a.lifecycleHandlers() {
		a.route(basePath+"/users/{id}/lifecycle/"+op, method{"POST", manageUsers, run})
	}
}

// lifecycleHandlers are the operations under /users/{id}/lifecycle/.
func (a *API) lifecycleHandlers() map[string]web.Handler {
	return map[string]web.Handler{
		"activate":                           a.activation(directory.Activate, true),
		"reactivate":                         a.activation(directory.Reactivate, false),
		"deactivate":                         a.deactivate,
		"suspend":                            a.plain(directory.Suspend),
		"unsuspend":                          a.plain(directory.Unsuspend),
		"unlock":                             a.plain(directory.Unlock),
		"reset_password":                     a.resetPassword,
		"expire_password":                    a.expirePassword,
		"expire_password_with_temp_password": a.expireWithTemporary,
		"reset_factors":                      a.resetFactors,
	}
}

// take moves the user of the path; token is set as directory.Take says.
func (a *API) take(r *http.Request, s directory.Step) (account *directory.Account, token string, err error) {
	account, token, err = a.Directory.Take(r.Context(), actor(r), a.Realm, userRef(r, "id"), s)
	return account, token, a.asCalled(r, "id", err)
}

// plain is an operation that answers {}.
func (a *API) plain(op directory.Operation) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, _, err := a.take(r, directory.Step{Operation: op}); err != nil {
			return err
		}
		return empty(w)
	}
}

// deactivate is POST .../deactivate. Prefer: respond-async may be asked for, and
// has no effect: the answer to both is {}, and the work is done by then.
func (a *API) deactivate(w http.ResponseWriter, r *http.Request) error {
	if _, err := sendEmail(r, false); err != nil {
		return err
	}
	return a.plain(directory.Deactivate)(w, r)
}

// activation answers {}, or the activation token when no mail is to be sent.
// mail is the default of sendEmail.
func (a *API) activation(op directory.Operation, mail bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		send, err := sendEmail(r, mail)
		if err != nil {
			return err
		}
		_, token, err := a.take(r, directory.Step{Operation: op})
		if err != nil {
			return err
		}
		if send {
			return empty(w)
		}
		return web.WriteJSON(w, http.StatusOK, web.Object{
			{Key: "activationUrl", Value: a.base(r) + a.activationPath(token)},
			{Key: "activationToken", Value: token},
		})
	}
}

// activationPath is where people set their first password.
func (a *API) activationPath(token string) string {
	if a.classic() {
		return "/welcome/" + token
	}
	return "/tokens/" + token + "/verify"
}

// classic reports whether the org is of the Classic Engine.
func (a *API) classic() bool { return a.Engine == "classic" }

func sendEmail(r *http.Request, def bool) (bool, error) { return flag(r, "sendEmail", def) }

// flag reads a parameter that is true or false.
func flag(r *http.Request, name string, def bool) (bool, error) {
	v, err := web.Bool(r.URL.Query(), name, def)
	if err != nil {
		return false, invalid(name, name+": must be true or false").because(err)
	}
	return v, nil
}

// resetPassword is POST .../reset_password. Today's OpenAPI document requires
// sendEmail; the older default, true, is kept. provider=FEDERATION makes the
// user one who signs in elsewhere.
func (a *API) resetPassword(w http.ResponseWriter, r *http.Request) error {
	send, err := sendEmail(r, true)
	if err != nil {
		return err
	}
	revoke, err := flag(r, "revokeSessions", false)
	if err != nil {
		return err
	}
	step := directory.Step{Operation: directory.ResetPassword, RevokeSessions: revoke}
	switch r.URL.Query().Get("provider") {
	case "", directory.ProviderOkta:
	case directory.ProviderFederation:
		step.Federate = true
	default:
		return invalid("provider", "provider: The field has an invalid value")
	}
	_, token, err := a.take(r, step)
	if err != nil {
		return err
	}
	if send || step.Federate {
		return empty(w)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "resetPasswordUrl", Value: a.base(r) + "/reset_password/" + token}})
}

// expirePassword is POST .../expire_password; it answers the user. With
// tempPassword=true it is the older form of expireWithTemporary.
func (a *API) expirePassword(w http.ResponseWriter, r *http.Request) error {
	temporary, err := flag(r, "tempPassword", false)
	if err != nil {
		return err
	}
	if temporary {
		return a.expireWithTemporary(w, r)
	}
	account, _, err := a.take(r, directory.Step{Operation: directory.ExpirePassword})
	if err != nil {
		return err
	}
	return a.answerUser(w, r, account)
}

// expireWithTemporary is POST .../expire_password_with_temp_password; it
// answers the temporary password.
func (a *API) expireWithTemporary(w http.ResponseWriter, r *http.Request) error {
	revoke, err := flag(r, "revokeSessions", false)
	if err != nil {
		return err
	}
	_, password, err := a.Directory.ExpireWithTemporary(r.Context(), actor(r), a.Realm, userRef(r, "id"), revoke)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "tempPassword", Value: password}})
}

// resetFactors is POST .../reset_factors: {} also for a user without any
// (recorded).
func (a *API) resetFactors(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.ResetFactors(r.Context(), actor(r), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return empty(w)
}
