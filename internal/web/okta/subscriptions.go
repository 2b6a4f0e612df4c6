package okta

import (
	"context"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// subscriptionRoutes lists the paths of mails to administrators, by role and by
// user, and of what administrators think of a user.
func (a *API) subscriptionRoutes() {
	a.subscriptionsOf("/roles/{id}", readRoles, manageRoles, a.role, a.Directory.Subscribe)
	a.subscriptionsOf("/users/{id}", readUsers, manageUsers, a.userID, a.Directory.SubscribeAccount)
	a.route(basePath+"/users/{id}/risk",
		method{"GET", "okta.userRisk.read", a.getRisk},
		method{"PUT", "okta.userRisk.manage", a.setRisk})
}

func (a *API) subscriptionsOf(owner, read, manage string, who func(*http.Request) (string, error), set subscribe) {
	path := basePath + owner + "/subscriptions"
	a.route(path, method{"GET", read, a.listSubscriptions(who)})
	a.route(path+"/{type}", method{"GET", read, a.getSubscription(who)})
	a.route(path+"/{type}/subscribe", method{"POST", manage, a.setSubscription(who, set, true)})
	a.route(path+"/{type}/unsubscribe", method{"POST", manage, a.setSubscription(who, set, false)})
}

// subscribe is Directory.Subscribe or SubscribeAccount.
type subscribe func(ctx context.Context, actor directory.Actor, realm, who, typ string, on bool) error

// role returns the role that a path names.
func (a *API) role(r *http.Request) (string, error) { return r.PathValue("id"), nil }

// userID returns the id of the user that a path names.
func (a *API) userID(r *http.Request) (string, error) {
	account, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return "", a.asCalled(r, "id", err)
	}
	return account.ID, nil
}

func (a *API) listSubscriptions(who func(*http.Request) (string, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		owner, err := who(r)
		if err != nil {
			return err
		}
		out := make([]web.Object, len(directory.NotificationTypes))
		for i, typ := range directory.NotificationTypes {
			on, err := a.Directory.Subscribed(r.Context(), a.Realm, owner, typ)
			if err != nil {
				return err
			}
			out[i] = subscription(a.base(r)+r.URL.Path+"/"+typ, typ, on)
		}
		return web.WriteJSON(w, http.StatusOK, out)
	}
}

func (a *API) getSubscription(who func(*http.Request) (string, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		owner, err := who(r)
		if err != nil {
			return err
		}
		typ, err := notificationType(r)
		if err != nil {
			return err
		}
		on, err := a.Directory.Subscribed(r.Context(), a.Realm, owner, typ)
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, subscription(a.base(r)+r.URL.Path, typ, on))
	}
}

// setSubscription answers an empty 200 (recorded).
func (a *API) setSubscription(who func(*http.Request) (string, error), set subscribe, on bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		owner, err := who(r)
		if err != nil {
			return err
		}
		typ, err := notificationType(r)
		if err != nil {
			return err
		}
		if err := set(r.Context(), actor(r), a.Realm, owner, typ, on); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
}

func notificationType(r *http.Request) (string, error) {
	typ := r.PathValue("type")
	if !slices.Contains(directory.NotificationTypes, typ) {
		return "", missing(typ, "NotificationType")
	}
	return typ, nil
}

// subscription is the wire form, as recorded.
func subscription(self, typ string, on bool) web.Object {
	status, other := "subscribed", "unsubscribe"
	if !on {
		status, other = "unsubscribed", "subscribe"
	}
	return web.Object{
		{Key: "notificationType", Value: typ}, {Key: "channels", Value: []any{"email"}}, {Key: "status", Value: status},
		{Key: "_links", Value: web.Object{allowing(other, self+"/"+other, "POST"), link("self", self, "")}},
	}
}

func (a *API) getRisk(w http.ResponseWriter, r *http.Request) error {
	risk, err := a.Directory.Risk(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return a.answerRisk(w, r, http.StatusOK, risk)
}

// setRisk is PUT /users/{id}/risk: 201 the first time (recorded).
func (a *API) setRisk(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	level, err := body.text("riskLevel")
	if err != nil {
		return err
	}
	risk, fresh, err := a.Directory.SetRisk(r.Context(), actor(r), a.Realm, userRef(r, "id"), level)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	return a.answerRisk(w, r, status, risk)
}

func (a *API) answerRisk(w http.ResponseWriter, r *http.Request, status int, risk *directory.Risk) error {
	user := a.base(r) + "/api/v1/users/" + risk.Account
	level, reason := risk.Level, "Admin override risk"
	if level == "" {
		level, reason = "NONE", ""
	}
	o := web.Object{{Key: "riskLevel", Value: level}}
	if reason != "" {
		o = append(o, web.Field{Key: "reason", Value: reason})
	}
	return web.WriteJSON(w, status, append(o, web.Field{Key: "_links", Value: web.Object{
		allowing("user", user, "GET"), allowing("self", user+"/risk", "GET", "PUT"),
	}}))
}
