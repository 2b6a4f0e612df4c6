package okta

import (
	"net"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web"
)

// authnPath is the one path of the management API that needs no token: who
// calls it proves who he is by it.
const authnPath = basePath + "/authn"

// authenticate is POST /authn: a login and a password become a session token.
// Of the states that the call can lead to there are SUCCESS and failures; a
// password that has expired is E0000064, because nothing here goes on from the
// state PASSWORD_EXPIRED.
func (a *API) authenticate(w http.ResponseWriter, r *http.Request) error {
	if !a.limits.take(w.Header(), r.Method, r.URL.EscapedPath(), "") {
		return problem("E0000047")
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	login, err := body.text("username")
	if err != nil {
		return err
	}
	password, err := body.text("password")
	if err != nil {
		return err
	}
	if login == "" || password == "" {
		return problem("E0000004")
	}
	if !a.limits.takeSignIn(w.Header(), login) {
		return problem("E0000047")
	}
	account, err := a.Directory.SignInFrom(r.Context(), client(r), a.Realm, login, password)
	switch {
	case account != nil && err != nil:
		return problem("E0000064").because(err)
	case fault.Is(err, fault.Unauthorized):
		return problem("E0000004").because(err)
	case err != nil:
		return err
	}
	token, expires, err := a.Directory.SessionToken(r.Context(), a.Realm, account.ID)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "expiresAt", Value: date(expires)},
		{Key: "status", Value: "SUCCESS"},
		{Key: "sessionToken", Value: token},
		{Key: "_embedded", Value: web.Object{{Key: "user", Value: signedIn(account)}}},
	})
}

// signedIn is how a sign-in shows the user (Okta: authentication API, user object).
func signedIn(a *directory.Account) web.Object {
	return web.Object{
		{Key: "id", Value: a.ID},
		{Key: "passwordChanged", Value: date(a.PasswordChanged)},
		{Key: "profile", Value: web.Object{
			{Key: "login", Value: a.Login()},
			{Key: "firstName", Value: a.Profile["firstName"]},
			{Key: "lastName", Value: a.Profile["lastName"]},
			{Key: "locale", Value: a.Profile["locale"]},
			{Key: "timeZone", Value: a.Profile["timezone"]},
		}},
	}
}

// maxUserAgent is how much the change log keeps of a User-Agent header, in bytes.
const maxUserAgent = 512

// client is where a request comes from, for the change log, before it is known
// who makes it.
func client(r *http.Request) directory.Actor {
	agent := r.UserAgent()
	agent = strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
	c := directory.Actor{Request: web.RequestID(r.Context()), UserAgent: agent}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.IP = host
	}
	return c
}
