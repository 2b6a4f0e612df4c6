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
		"activate":        a.activation(directory.Activate, true),
		"reactivate":      a.activation(directory.Reactivate, false),
		"deactivate":      a.plain(directory.Deactivate),
		"suspend":         a.plain(directory.Suspend),
		"unsuspend":       a.plain(directory.Unsuspend),
		"unlock":          a.plain(directory.Unlock),
		"reset_password":  a.resetPassword,
		"expire_password": a.expirePassword,
		"reset_factors":   a.resetFactors,
	}
}

func (a *API) transition(r *http.Request, op directory.Operation) (*directory.Account, error) {
	account, err := a.Directory.Transition(r.Context(), actor(r), a.Realm, userRef(r, "id"), op)
	if err != nil {
		return nil, a.asCalled(r, "id", err)
	}
	return account, nil
}

// plain is an operation that answers {}.
func (a *API) plain(op directory.Operation) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := a.transition(r, op); err != nil {
			return err
		}
		return empty(w)
	}
}

// activation answers {}, or the activation token when no mail is to be sent.
// mail is the default of sendEmail.
func (a *API) activation(op directory.Operation, mail bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		send, err := sendEmail(r, mail)
		if err != nil {
			return err
		}
		if _, err := a.transition(r, op); err != nil {
			return err
		}
		if send {
			return empty(w)
		}
		token := a.Directory.IDs.Token(20)
		return web.WriteJSON(w, http.StatusOK, web.Object{
			{Key: "activationUrl", Value: a.base(r) + "/tokens/" + token + "/verify"}, // /welcome/{token} on Classic
			{Key: "activationToken", Value: token},
		})
	}
}

func sendEmail(r *http.Request, def bool) (bool, error) {
	send, err := web.Bool(r.URL.Query(), "sendEmail", def)
	if err != nil {
		return false, invalid("sendEmail", "sendEmail: must be true or false").because(err)
	}
	return send, nil
}

// resetPassword is POST .../reset_password. Today's OpenAPI document requires
// sendEmail; the older default, true, is kept.
func (a *API) resetPassword(w http.ResponseWriter, r *http.Request) error {
	send, err := sendEmail(r, true)
	if err != nil {
		return err
	}
	if _, err := a.transition(r, directory.ResetPassword); err != nil {
		return err
	}
	if send {
		return empty(w)
	}
	url := a.base(r) + "/reset_password/" + a.Directory.IDs.Token(20)
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "resetPasswordUrl", Value: url}})
}

// expirePassword is POST .../expire_password; it answers the user.
func (a *API) expirePassword(w http.ResponseWriter, r *http.Request) error {
	if temp, err := web.Bool(r.URL.Query(), "tempPassword", false); err != nil || temp {
		return problem("E0000060").because(err)
	}
	account, err := a.transition(r, directory.ExpirePassword)
	if err != nil {
		return err
	}
	return a.answerUser(w, r, account)
}

// resetFactors is POST .../reset_factors: {} also for a user without any
// (recorded).
func (a *API) resetFactors(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.ResetFactors(r.Context(), actor(r), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return empty(w)
}
