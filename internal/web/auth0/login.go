package auth0

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/web"
)

// People sign in at /authorize through the enterprise connection that a client
// names, and come back from its identity provider to /login/callback.

// Login signs people in. *login.Service is one.
type Login interface {
	Begin(ctx context.Context, r login.Request, session, callback string) (login.Step, error)
	Finish(ctx context.Context, back url.Values, sealed, callback string, from directory.Actor) (login.Done, error)
	Exchange(ctx context.Context, r login.TokenRequest) (login.Tokens, error)
	UserInfo(ctx context.Context, token, issuer string) (map[string]any, error)
	LogoutURI(ctx context.Context, client, to string) (string, error)
	SignOut(ctx context.Context, session string) error
}

const (
	authorizePath = "/authorize"
	callbackPath  = "/login/callback"
	userInfoPath  = "/userinfo"
	logoutPath    = "/v2/logout"
)

// The cookies of a browser. No script can read them, and other sites' posts do
// not carry them.
const (
	sessionCookie = "lanyard_auth0" // who is signed in
	flowCookie    = "lanyard_login" // begins the names of those of sign-ins that are under way
)

// registerLogin puts the pages and endpoints of signing in on the mux.
func (a *API) registerLogin() {
	if a.Login == nil {
		return
	}
	a.mux.Handle("GET "+authorizePath, a.front.Handle(a.beginLogin))
	a.mux.Handle("GET "+callbackPath, a.front.Handle(a.finishLogin))
	a.mux.Handle("GET "+userInfoPath, a.front.Handle(a.userInfo))
	a.mux.Handle("POST "+userInfoPath, a.front.Handle(a.userInfo))
	a.mux.Handle("GET "+logoutPath, a.front.Handle(a.logout))
}

// beginLogin is GET /authorize.
func (a *API) beginLogin(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	for name, values := range q {
		if len(values) > 1 { // RFC 6749 3.1
			return a.showRefusal(w, &login.Refusal{Code: login.InvalidRequest, Text: "The parameter " + name + " is there twice."})
		}
	}
	step, err := a.Login.Begin(r.Context(), login.Request{
		ClientID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), ResponseType: q.Get("response_type"),
		Scope: q.Get("scope"), Audience: q.Get("audience"), State: q.Get("state"), Nonce: q.Get("nonce"),
		Connection: q.Get("connection"), Prompt: q.Get("prompt"), LoginHint: q.Get("login_hint"),
		Challenge: q.Get("code_challenge"), Method: q.Get("code_challenge_method"),
	}, cookieOf(r, sessionCookie), a.callback(r))
	if err != nil {
		return a.refuseLogin(w, r, err)
	}
	if step.Flow != "" {
		a.setCookie(w, r, &http.Cookie{Name: flowCookieOf(step.State), Value: step.Flow, Path: callbackPath, MaxAge: int(login.FlowLife.Seconds())})
	}
	return found(w, step.To)
}

// finishLogin is GET /login/callback.
func (a *API) finishLogin(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	name := flowCookieOf(q.Get("state"))
	flow := cookieOf(r, name)
	if flow != "" {
		a.setCookie(w, r, &http.Cookie{Name: name, Path: callbackPath, MaxAge: -1})
	}
	done, err := a.Login.Finish(r.Context(), q, flow, a.callback(r), a.browser(r))
	if err != nil {
		return a.refuseLogin(w, r, err)
	}
	a.setCookie(w, r, &http.Cookie{Name: sessionCookie, Value: done.Session, Path: "/"})
	return found(w, done.To)
}

// logout is GET /v2/logout.
func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	to, err := a.Login.LogoutURI(r.Context(), q.Get("client_id"), q.Get("returnTo"))
	if err != nil {
		return a.refuseLogin(w, r, err)
	}
	if err := a.Login.SignOut(r.Context(), cookieOf(r, sessionCookie)); err != nil {
		return err
	}
	a.setCookie(w, r, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	if to == "" {
		return a.show(w, http.StatusOK, page{Title: "Signed out", Text: "You are signed out."})
	}
	return found(w, to)
}

// userInfo is GET and POST /userinfo (OpenID Connect Core 5.3).
func (a *API) userInfo(w http.ResponseWriter, r *http.Request) error {
	scheme, token := web.Credential(r)
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	said, err := a.Login.UserInfo(r.Context(), token, a.issuer(r))
	if fault.Is(err, fault.Unauthorized) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		return &oauthError{http.StatusUnauthorized, "invalid_token", "Unauthorized", err}
	}
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, said)
}

// exchange is POST /oauth/token for what somebody who signed in lets a client do.
func (a *API) exchange(w http.ResponseWriter, r *http.Request, grant string, field func(string) string) error {
	if a.Login == nil {
		return &oauthError{status: http.StatusForbidden, Code: "unsupported_grant_type", Description: "Unsupported grant type: " + grant}
	}
	request := login.TokenRequest{
		Grant: grant, ClientID: field("client_id"), ClientSecret: field("client_secret"), Code: field("code"),
		RedirectURI: field("redirect_uri"), Verifier: field("code_verifier"), RefreshToken: field("refresh_token"), Issuer: a.issuer(r),
	}
	if id, secret, ok := r.BasicAuth(); ok {
		request.ClientID, request.ClientSecret = id, secret
	}
	t, err := a.Login.Exchange(r.Context(), request)
	var refusal *login.Refusal
	switch {
	case errors.As(err, &refusal):
		status := http.StatusForbidden // as Auth0 answers invalid_grant
		if refusal.Code == login.InvalidClient {
			status = http.StatusUnauthorized
		}
		return &oauthError{status, refusal.Code, refusal.Text, err}
	case err != nil:
		return err
	}
	o := web.Object{{Key: "access_token", Value: t.Access}}
	if t.Refresh != "" {
		o = append(o, web.Field{Key: "refresh_token", Value: t.Refresh})
	}
	return web.WriteJSON(w, http.StatusOK, append(o, web.Object{
		{Key: "id_token", Value: t.ID}, {Key: "scope", Value: t.Scope},
		{Key: "expires_in", Value: int64(t.Expires.Seconds())}, {Key: "token_type", Value: "Bearer"},
	}...))
}

// Sign and Read are for package login, whose tokens have the tenant's keys too.
func (c *Clients) Sign(ctx context.Context, claims ...any) (string, error) {
	return c.sign(ctx, claims...)
}

// Read is described at Sign.
func (c *Clients) Read(ctx context.Context, token string, into any) error {
	var claims jwt.Claims
	return c.read(ctx, token, &claims, into)
}

// callback is where identity providers send browsers back to.
func (a *API) callback(r *http.Request) string {
	return strings.TrimSuffix(a.issuer(r), "/") + callbackPath
}

// browser is who sits before a browser, as far as it is known before they have
// signed in.
func (a *API) browser(r *http.Request) directory.Actor {
	who := actor(r)
	who.Type = directory.UserActor
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		who.IP = host
	}
	return who
}

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// flowCookieOf names the cookie of one sign-in, so that several can be under way
// in a browser. The state is checked when the cookie has been opened.
func flowCookieOf(state string) string {
	return flowCookie + "_" + directory.Digest(state)[:16]
}

func (a *API) setCookie(w http.ResponseWriter, r *http.Request, c *http.Cookie) {
	c.HttpOnly, c.SameSite = true, http.SameSiteLaxMode
	c.Secure = strings.HasPrefix(a.issuer(r), "https://")
	http.SetCookie(w, c)
}

// found sends a browser on.
func found(w http.ResponseWriter, to string) error {
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", to)
	h.Del("Content-Type")
	w.WriteHeader(http.StatusFound)
	return nil
}

// refuseLogin tells the client why nobody signed in, when there is a way to it,
// and otherwise whoever sits before the browser. The log gets the cause.
func (a *API) refuseLogin(w http.ResponseWriter, r *http.Request, err error) error {
	var refusal *login.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	if a.Log != nil {
		a.Log.InfoContext(r.Context(), "a sign-in was refused", "request", web.RequestID(r.Context()), "reason", err.Error())
	}
	if refusal.Back != "" {
		return found(w, refusal.Back)
	}
	return a.showRefusal(w, refusal)
}

func (a *API) showRefusal(w http.ResponseWriter, refusal *login.Refusal) error {
	status := http.StatusBadRequest
	if refusal.Code == login.ServerError {
		status = http.StatusInternalServerError
	}
	return a.show(w, status, page{Title: "The sign-in cannot be continued", Text: refusal.Text, Alert: refusal.Code})
}

// page is what a page says.
type page struct{ Title, Text, Alert string }

// show writes a page that runs no scripts, loads nothing and cannot be framed.
func (a *API) show(w http.ResponseWriter, status int, p page) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fault.Wrap(fault.Internal, err, "the page cannot be written")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error means that the browser is gone
	return nil
}

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title></head>
<body><main><h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Alert}}<p><code>{{.}}</code></p>
{{end}}</main></body>
</html>
`))
