package auth0_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// doorman is a Login that lets everybody in, or fails.
type doorman struct {
	err      error
	sealed   string // what Finish was given
	callback string
	signed   string // the session that was ended
}

func (d *doorman) Begin(_ context.Context, r login.Request, session, callback string) (login.Step, error) {
	d.callback = callback
	return login.Step{To: "https://idp.example.com/?c=" + r.ClientID + session, State: "state", Flow: "sealed"}, d.err
}

func (d *doorman) Finish(_ context.Context, _ url.Values, sealed, _ string, _ directory.Actor) (login.Done, error) {
	d.sealed = sealed
	return login.Done{To: "https://app.example.com/?code=c", Session: "session"}, d.err
}

func (d *doorman) Exchange(context.Context, login.TokenRequest) (login.Tokens, error) {
	return login.Tokens{Access: "a", ID: "i", Scope: "openid"}, d.err
}

func (d *doorman) UserInfo(context.Context, string, string) (map[string]any, error) {
	return map[string]any{"sub": "okta|acme|1"}, d.err
}

func (d *doorman) LogoutURI(_ context.Context, _, to string) (string, error) { return to, d.err }

func (d *doorman) SignOut(_ context.Context, session string) error {
	d.signed = session
	return nil
}

func (b *bench) visit(path string, cookies ...*http.Cookie) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest("GET", tenant+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return w.Result()
}

func TestLoginPages(t *testing.T) {
	t.Parallel()
	door := new(doorman)
	b := newBench(t, func(o *auth0.Options) { o.Login = door })

	res := b.visit("/authorize?client_id=x")
	if res.StatusCode != 302 || res.Header.Get("Location") != "https://idp.example.com/?c=x" || door.callback != tenant+"/login/callback" {
		t.Fatalf("%d to %s, back to %s", res.StatusCode, res.Header.Get("Location"), door.callback)
	}
	flow := res.Cookies()[0]
	if !flow.HttpOnly || !flow.Secure || flow.SameSite != http.SameSiteLaxMode || flow.Path != "/login/callback" || flow.MaxAge != 600 {
		t.Errorf("cookie of a sign-in: %+v", flow)
	}

	res = b.visit("/login/callback?state=state&code=c", flow)
	if res.StatusCode != 302 || door.sealed != "sealed" || len(res.Cookies()) != 2 {
		t.Fatalf("%d, %q, %v", res.StatusCode, door.sealed, res.Cookies())
	}
	if c := res.Cookies()[0]; c.Name != flow.Name || c.MaxAge >= 0 {
		t.Errorf("the cookie of the sign-in stays: %+v", c)
	}
	session := res.Cookies()[1]
	if session.Value != "session" || !session.HttpOnly || !session.Secure || session.Path != "/" {
		t.Errorf("cookie of the session: %+v", session)
	}
	if res := b.visit("/login/callback?state=another&code=c", flow); res.StatusCode != 302 || door.sealed != "" {
		t.Errorf("another state got the cookie %q", door.sealed)
	}
	if res := b.visit("/authorize?client_id=x", session); res.Header.Get("Location") != "https://idp.example.com/?c=xsession" {
		t.Errorf("the session was not seen: %s", res.Header.Get("Location"))
	}
	if res := b.visit("/v2/logout?returnTo=https%3A%2F%2Fapp.example.com%2F", session); res.Header.Get("Location") != "https://app.example.com/" || door.signed != "session" {
		t.Errorf("signing out: %d to %s, ended %q", res.StatusCode, res.Header.Get("Location"), door.signed)
	}

	if a := b.call("POST", "/oauth/token", `{"grant_type":"authorization_code","client_id":"x","code":"c"}`); a.status != 200 || !strings.Contains(a.body, `"id_token":"i"`) {
		t.Errorf("token: %d %s", a.status, a.body)
	}
	if a := b.call("GET", "/userinfo", ""); a.status != 200 || !strings.Contains(a.body, `"sub":"okta|acme|1"`) {
		t.Errorf("userinfo: %d %s", a.status, a.body)
	}
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	door := new(doorman)
	b := newBench(t, func(o *auth0.Options) { o.Login = door })
	if res := b.visit("/authorize?client_id=x&client_id=y"); res.StatusCode != 400 {
		t.Errorf("a parameter twice: %d", res.StatusCode)
	}

	door.err = &login.Refusal{Code: login.InvalidRequest, Text: "<script>"}
	a := b.call("GET", "/authorize", "")
	if a.status != 400 || strings.Contains(a.body, "<script>") || !strings.Contains(a.body, "&lt;script&gt;") ||
		!strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("page: %d %v %s", a.status, a.header, a.body)
	}
	door.err = &login.Refusal{Code: login.Unauthorized, Text: "user is blocked", Back: "https://app.example.com/?error=unauthorized"}
	if a := b.call("GET", "/login/callback", ""); a.status != 302 || a.header.Get("Location") != "https://app.example.com/?error=unauthorized" || len(a.header["Set-Cookie"]) != 0 {
		t.Errorf("refused: %d %v", a.status, a.header)
	}
	for code, status := range map[string]int{login.InvalidGrant: 403, login.InvalidClient: 401} {
		door.err = &login.Refusal{Code: code, Text: "no"}
		if a := b.call("POST", "/oauth/token", `{"grant_type":"refresh_token","client_id":"x"}`); a.status != status || a.body != `{"error":"`+code+`","error_description":"no"}` {
			t.Errorf("%s: %d %s", code, a.status, a.body)
		}
	}
	door.err = fault.Wrap(fault.Unauthorized, errors.New("inside"), "no")
	if a := b.call("GET", "/userinfo", ""); a.status != 401 || strings.Contains(a.body, "inside") || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("userinfo: %d %s", a.status, a.body)
	}
	door.err = errors.New("inside")
	if a := b.call("GET", "/login/callback", ""); a.status != 500 || strings.Contains(a.body, "inside") {
		t.Errorf("broken: %d %s", a.status, a.body)
	}

	without := newBench(t)
	if a := without.call("GET", "/authorize", ""); a.status != 404 {
		t.Errorf("without login: %d", a.status)
	}
	if a := without.call("POST", "/oauth/token", `{"grant_type":"authorization_code"}`); a.status != 403 {
		t.Errorf("without login: %d", a.status)
	}
}
