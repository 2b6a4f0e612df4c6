package okta

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
)

// The cookies of a browser. Neither can be read by a script, nor is sent with
// what other sites post.
const (
	formCookie    = "lanyard_form" // binds sign-in and consent pages to the browser
	sessionCookie = "lanyard_sid"  // who is signed in
)

// authorizeGet is GET /oauth2/v1/authorize.
func (a *API) authorizeGet(w http.ResponseWriter, r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		q = url.Values{}
	}
	return a.begin(w, r, q)
}

// authorizePost is POST /oauth2/v1/authorize: the same with a form.
func (a *API) authorizePost(w http.ResponseWriter, r *http.Request) error {
	form, err := readBody(r)
	if err != nil {
		return a.showError(w, r, err)
	}
	return a.begin(w, r, form)
}

// begin takes an authorization request.
func (a *API) begin(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if err := once(q, "illegal_duplicated_parameters"); err != nil {
		return a.showError(w, r, err)
	}
	// In whole seconds, as the times of sign-ins and consents that it is compared with.
	form := oauth.Form{Started: a.now().Truncate(time.Second), Request: oauth.AuthorizeRequest{
		ClientID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), ResponseType: q.Get("response_type"),
		ResponseMode: q.Get("response_mode"), Scope: q.Get("scope"), State: q.Get("state"), Nonce: q.Get("nonce"),
		Prompt: q.Get("prompt"), MaxAge: q.Get("max_age"), LoginHint: q.Get("login_hint"),
		Challenge: q.Get("code_challenge"), Method: q.Get("code_challenge_method"),
	}}
	auth, err := a.OAuth.CheckAuthorize(r.Context(), form.Request, form.Started)
	if err != nil {
		return a.refuse(w, r, auth, err)
	}
	session, err := a.OAuth.Browser(r.Context(), cookie(r, sessionCookie))
	if err != nil {
		return a.showError(w, r, err)
	}
	return a.proceed(w, r, form, auth, session)
}

// proceed does what an authorization needs next.
func (a *API) proceed(w http.ResponseWriter, r *http.Request, form oauth.Form, auth *oauth.Authorization, session *oauth.Session) error {
	step, err := a.OAuth.Next(r.Context(), auth, session)
	switch {
	case err != nil:
		return a.refuse(w, r, auth, err)
	case step == oauth.StepSignIn:
		return a.showSignIn(w, r, http.StatusOK, form, auth, form.Request.LoginHint, "")
	case step == oauth.StepConsent:
		return a.showConsent(w, r, form, auth, session)
	}
	to, err := a.OAuth.IssueCode(r.Context(), client(r), auth, session, a.base(r))
	if err != nil {
		return a.refuse(w, r, auth, err)
	}
	return redirect(w, to)
}

// refuse tells the client what is wrong when there is a way to it, and
// otherwise whoever sits before the browser.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, auth *oauth.Authorization, err error) error {
	var refusal *oauth.Error
	if auth == nil || !errors.As(err, &refusal) {
		return a.showError(w, r, err)
	}
	return redirect(w, auth.Refused(refusal, a.base(r)))
}

// redirect sends the browser away, with GET whatever it came with.
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// resume reads a form that came back from a page of ours.
func (a *API) resume(r *http.Request) (url.Values, oauth.Form, *oauth.Authorization, error) {
	values, err := readBody(r)
	if err != nil {
		return nil, oauth.Form{}, nil, err
	}
	form, err := a.OAuth.OpenForm(values.Get("form"), cookie(r, formCookie))
	if err != nil {
		return nil, form, nil, err
	}
	auth, err := a.OAuth.CheckAuthorize(r.Context(), form.Request, form.Started)
	return values, form, auth, err
}

// signIn is what the sign-in page posts.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) error {
	values, form, auth, err := a.resume(r)
	if err != nil {
		return err
	}
	if !a.limits.takeSignIn(w.Header(), values.Get("login")) {
		return a.showSignIn(w, r, http.StatusTooManyRequests, form, auth, values.Get("login"), "Too many attempts. Wait a moment.")
	}
	id, session, err := a.OAuth.SignInBrowser(r.Context(), client(r), values.Get("login"), values.Get("password"))
	switch {
	case fault.Is(err, fault.Conflict):
		return a.showSignIn(w, r, http.StatusOK, form, auth, values.Get("login"), "The password has expired. Ask an administrator to reset it.")
	case fault.Is(err, fault.Unauthorized):
		return a.showSignIn(w, r, http.StatusOK, form, auth, values.Get("login"), "Unable to sign in. Check the username and the password.")
	case err != nil:
		return err
	}
	a.setCookie(w, r, sessionCookie, id, oauthPath)
	return a.proceed(w, r, form, auth, session)
}

// consent is what the consent page posts.
func (a *API) consent(w http.ResponseWriter, r *http.Request) error {
	values, form, auth, err := a.resume(r)
	if err != nil {
		return err
	}
	session, err := a.OAuth.Browser(r.Context(), cookie(r, sessionCookie))
	if err != nil {
		return err
	}
	if session == nil || session.Account.ID != form.Account || values.Get("decision") != "allow" {
		return a.refuse(w, r, auth, oauth.Refuse("access_denied"))
	}
	if err := a.OAuth.Consent(r.Context(), client(r), auth, session); err != nil {
		return err
	}
	return a.proceed(w, r, form, auth, session)
}

// logout is GET and POST /oauth2/v1/logout (OpenID Connect RP-Initiated Logout).
func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		form, err := readBody(r)
		if err != nil {
			return err
		}
		q = form
	}
	app, err := a.OAuth.HintedClient(r.Context(), q.Get("id_token_hint"), a.base(r))
	if err != nil {
		return err
	}
	to := q.Get("post_logout_redirect_uri")
	switch {
	case app == nil:
		return oauth.Refuse("invalid_request")
	case to != "" && !slices.Contains(app.LogoutURIs, to):
		return oauth.Refuse("illegal_post_logout_redirect_uri")
	}
	if err := a.OAuth.SignOut(r.Context(), client(r), cookie(r, sessionCookie)); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: oauthPath, MaxAge: -1, HttpOnly: true, Secure: a.isSecure(r), SameSite: http.SameSiteLaxMode})
	if to == "" {
		return a.show(w, http.StatusOK, "", pageView{Title: "Signed out", Text: "You are signed out."})
	}
	if state := q.Get("state"); state != "" {
		mark := "?"
		if strings.Contains(to, "?") {
			mark = "&"
		}
		to += mark + url.Values{"state": {state}}.Encode()
	}
	return redirect(w, to)
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that lasts as long as the browser.
func (a *API) setCookie(w http.ResponseWriter, r *http.Request, name, value, path string) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, HttpOnly: true, Secure: a.isSecure(r), SameSite: http.SameSiteLaxMode,
	})
}

// pageView is what the template shows. Parts that are empty are left out.
type pageView struct {
	Title, Text string
	Alert       string

	Client string
	Form   string // sealed
	Action string // where the page posts to

	SignIn  bool
	Login   string
	Consent bool
	User    string
	Scopes  []string
}

// showSignIn asks for login and password.
func (a *API) showSignIn(w http.ResponseWriter, r *http.Request, status int, form oauth.Form, auth *oauth.Authorization, login, alert string) error {
	sealed, err := a.seal(w, r, form)
	if err != nil {
		return err
	}
	return a.show(w, status, auth.RedirectURI, pageView{
		Title: "Sign in", Alert: alert, Client: auth.Client.Name, Form: sealed, Action: authorizePath + "/sign-in", SignIn: true, Login: login,
	})
}

// showConsent asks whether the client may do what it asks for.
func (a *API) showConsent(w http.ResponseWriter, r *http.Request, form oauth.Form, auth *oauth.Authorization, session *oauth.Session) error {
	form.Account = session.Account.ID
	sealed, err := a.seal(w, r, form)
	if err != nil {
		return err
	}
	return a.show(w, http.StatusOK, auth.RedirectURI, pageView{
		Title: "Allow access", Client: auth.Client.Name, Form: sealed, Action: authorizePath + "/consent",
		Consent: true, User: session.Account.Login(), Scopes: auth.Scopes,
	})
}

// seal binds a form to the browser, which gets a cookie when it has none.
func (a *API) seal(w http.ResponseWriter, r *http.Request, form oauth.Form) (string, error) {
	id := cookie(r, formCookie)
	if id == "" {
		id = oauth.NewCookie()
		a.setCookie(w, r, formCookie, id, authorizePath)
	}
	return a.OAuth.SealForm(form, id)
}

// showError tells whoever sits before the browser what is wrong.
func (a *API) showError(w http.ResponseWriter, r *http.Request, err error) error {
	a.failPage(w, r, err)
	return nil
}

// failPage answers an error with a page.
func (a *API) failPage(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(err)
	if e == nil {
		a.fail(w, r, err)
		return
	}
	// The template takes any text.
	_ = a.show(w, e.Status, "", pageView{Title: "The request cannot be handled", Text: e.Text, Alert: e.Code})
}

// show writes a page that runs no scripts, loads nothing and cannot be framed.
// It may post to us, and be sent on to redirect.
func (a *API) show(w http.ResponseWriter, status int, redirect string, p pageView) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fault.Wrap(fault.Internal, err, "the page cannot be written")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash+"'; form-action 'self'"+source(redirect)+
		"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	// An error here means that the client is gone: there is nobody to tell.
	_, _ = w.Write(b.Bytes())
	return nil
}

// source is a redirection URI as a source of a Content-Security-Policy, with a
// blank in front. Browsers apply form-action to where a post is sent on to.
func source(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return " " + u.Scheme + ":"
	case strings.ContainsAny(u.Host, " ;,'\""):
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}

// styleHash lets the page's own style pass its policy, and no other.
var styleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}()

const style = `body{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:3rem auto;padding:0 1rem;color:#1d1d21;background:#fff}
h1{font-size:1.5rem}label,button{display:block}input{display:block;box-sizing:border-box;width:100%;padding:.5rem;margin:.25rem 0 1rem;font:inherit;border:1px solid #6e6e78;border-radius:4px}
button{width:100%;padding:.6rem;margin:.5rem 0;font:inherit;border:1px solid #00297a;border-radius:4px;background:#00297a;color:#fff}
button.second{background:#fff;color:#00297a}:focus-visible{outline:3px solid #b35900;outline-offset:2px}
[role=alert]{padding:.5rem .75rem;border-left:4px solid #a3000b;background:#fdeced}`

// pageTemplate is the one template of all pages.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Alert}}<p role="alert">{{.}}</p>
{{end}}{{with .Text}}<p>{{.}}</p>
{{end}}{{if .SignIn}}<p>to continue to {{.Client}}</p>
<form method="post" action="{{.Action}}">
<input type="hidden" name="form" value="{{.Form}}">
<label for="login">Username</label>
<input id="login" name="login" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" required value="{{.Login}}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
</form>
{{end}}{{if .Consent}}<p>{{.Client}} asks for access as {{.User}} to:</p>
<ul>
{{range .Scopes}}<li><code>{{.}}</code></li>
{{end}}</ul>
<form method="post" action="{{.Action}}">
<input type="hidden" name="form" value="{{.Form}}">
<button type="submit" name="decision" value="allow">Allow access</button>
<button type="submit" name="decision" value="deny" class="second">Don't allow</button>
</form>
{{end}}</main>
</body>
</html>
`))
