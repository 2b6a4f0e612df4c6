package script_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// oktaLeaks is a session with the Okta façade in which every secret that can
// enter or leave it is noted.
type oktaLeaks struct {
	t       *testing.T
	dir     string
	base    string
	token   string
	client  *http.Client
	secrets map[string]string
	answers strings.Builder // error answers, in which no secret may stand
}

// secret notes a secret and returns it.
func (o *oktaLeaks) secret(what, text string) string {
	o.t.Helper()
	if len(text) < 8 {
		o.t.Fatalf("the %s is %q", what, text)
	}
	o.secrets[what] = text
	return text
}

// call sends a request and returns its status, its header and what its body says.
func (o *oktaLeaks) call(method, path, body string, headers ...string) (int, http.Header, map[string]any) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.base+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "SSWS "+o.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := o.client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		fmt.Fprintf(&o.answers, "%s %s: %s\n", method, resp.Status, data)
	}
	out := map[string]any{"page": string(data)}
	_ = json.Unmarshal(data, &out) // lists and pages stay as they are
	return resp.StatusCode, resp.Header, out
}

// ok is call for what must succeed.
func (o *oktaLeaks) ok(method, path, body string, headers ...string) map[string]any {
	o.t.Helper()
	status, _, out := o.call(method, path, body, headers...)
	if status >= 400 {
		o.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// text returns the string at a path of an answer.
func text(v any, path ...string) string {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

var oktaForm = []string{"Content-Type", "application/x-www-form-urlencoded"}

// serve starts the server with its log at its most talkative, and returns what
// stops it and gives what it wrote.
func (o *oktaLeaks) serve() func() string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "lanyard", "serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json", "--verbose")
	cmd.Dir = o.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	line, err := reader.ReadBytes('\n')
	if err != nil {
		o.t.Fatalf("serve: %v", err)
	}
	var addresses struct{ Okta string }
	if err := json.Unmarshal(line, &addresses); err != nil {
		o.t.Fatal(err)
	}
	o.base = addresses.Okta
	file := filepath.Join(o.dir, ".lanyard", "sandbox.json")
	data, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		o.t.Errorf("sandbox.json: %v, %v", info.Mode(), err)
	}
	var credentials struct{ OktaAPIToken string }
	if err := json.Unmarshal(data, &credentials); err != nil {
		o.t.Fatal(err)
	}
	o.token = credentials.OktaAPIToken
	return func() string {
		_ = cmd.Process.Signal(os.Interrupt) // Wait tells what came of it
		rest, _ := io.ReadAll(reader)
		_ = cmd.Wait()
		return string(line) + string(rest) + stderr.String()
	}
}

// people puts the secrets of people in: passwords, answers, seeds and tokens.
func (o *oktaLeaks) people() {
	first, second := o.secret("password", "Marker1-Qk3vT9pw"), o.secret("new password", "Marker2-Zp8mL2wX")
	answer, factor := o.secret("recovery answer", "marker-answer-8Hd+2"), o.secret("factor answer", "marker-factor-Ty7u")
	user := text(o.ok("POST", "/api/v1/users", `{"profile":{"firstName":"A","lastName":"B","email":"ann@example.com","login":"ann@example.com"},`+
		`"credentials":{"password":{"value":"`+first+`"},"recovery_question":{"question":"Which one?","answer":"`+answer+`"}}}`), "id")
	path := "/api/v1/users/" + user
	o.ok("POST", path+"/factors", `{"factorType":"question","provider":"OKTA","profile":{"question":"disliked_food","answer":"`+factor+`"}}`)
	o.secret("seed", text(o.ok("POST", path+"/factors", `{"factorType":"token:software:totp","provider":"GOOGLE"}`), "_embedded", "activation", "sharedSecret"))
	o.secret("session token", text(o.ok("POST", "/api/v1/authn", `{"username":"ann@example.com","password":"`+first+`"}`), "sessionToken"))
	o.ok("POST", path+"/credentials/change_password", `{"oldPassword":{"value":"`+first+`"},"newPassword":{"value":"`+second+`"}}`)
	o.ok("POST", path+"/credentials/change_recovery_question", `{"password":{"value":"`+second+`"},"recovery_question":{"question":"Which?","answer":"`+o.secret("new answer", "marker-again-P+ss")+`"}}`)
	o.ok("POST", path+"/credentials/forgot_password_recovery_question", `{"password":{"value":"`+o.secret("recovered password", "Marker3-Vb6nM1aa")+`"},"recovery_question":{"answer":"marker-again-P+ss"}}`)
	o.secret("temporary password", text(o.ok("POST", path+"/lifecycle/expire_password_with_temp_password", ""), "tempPassword"))
	link := text(o.ok("POST", path+"/lifecycle/reset_password?sendEmail=false", ""), "resetPasswordUrl")
	o.secret("reset token", link[strings.LastIndexByte(link, '/')+1:])
	o.ok("POST", path, `{"credentials":{"password":{"value":"`+o.secret("password set by an administrator", "Marker4-Lk4jH9bb")+`"}}}`)

	// What is refused is not told either.
	wrong := o.secret("wrong password", "Marker5-R5tY7ucc")
	o.call("POST", "/api/v1/authn", `{"username":"ann@example.com","password":"`+wrong+`"}`)
	o.call("POST", "/api/v1/authn", `{"username":"nobody@example.com","password":"`+wrong+`"}`)
	o.call("POST", path+"/credentials/change_password", `{"oldPassword":{"value":"`+wrong+`"},"newPassword":{"value":"`+wrong+`"}}`)
	o.call("POST", "/api/v1/users", `{"profile":{"login":"`+`x"},"credentials":{"password":{"value":"`+wrong+`"}}}`)
	o.call("POST", "/api/v1/users", `{"credentials":{"password":{"value":"`+wrong+`"}}`) // not closed
	o.call("POST", "/api/v1/users", `{"credentials":{"password":"`+wrong+`"}}`)
	o.call("GET", "/api/v1/users", "", "Authorization", "SSWS "+o.secret("wrong API token", "00marker-token-G2hJ8k"))
	o.call("GET", "/api/v1/users", "", "Authorization", "Bearer "+o.secret("wrong access token", "marker-bearer-F6gH3j"))
	o.call("GET", "/api/v1/users", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+wrong)))
}

// apps puts the secrets of applications in, and signs Ann in to one of them.
func (o *oktaLeaks) apps() {
	o.ok("POST", "/api/v1/apps", `{"name":"template_sps","label":"Shared","signOnMode":"SECURE_PASSWORD_STORE","settings":{"app":{"url":"https://a.example","passwordField":"p","usernameField":"u"}},`+
		`"credentials":{"scheme":"SHARED_USERNAME_AND_PASSWORD","userName":"us","password":{"value":"`+o.secret("shared password", "marker-shared-D4fG6h")+`"}}}`)
	form := text(o.ok("POST", "/api/v1/apps", `{"name":"template_sps","label":"Form","signOnMode":"SECURE_PASSWORD_STORE","settings":{"app":{"url":"https://a.example","passwordField":"p","usernameField":"u"}},`+
		`"credentials":{"scheme":"EDIT_USERNAME_AND_PASSWORD"}}`), "id")
	ann := text(o.ok("GET", "/api/v1/users/ann@example.com", ""), "id")
	o.ok("POST", "/api/v1/apps/"+form+"/users", `{"id":"`+ann+`","scope":"USER","credentials":{"userName":"a","password":{"value":"`+o.secret("password for an application", "marker-appuser-S3dF5g")+`"}}}`)
	o.call("POST", "/api/v1/apps/"+form+"/connections/default", `{"profile":{"authScheme":"TOKEN","token":"`+o.secret("token of a connection", "marker-connection-A1sD2f")+`"}}`)
	o.call("POST", "/api/v1/authenticators", `{"key":"duo","name":"Duo","provider":{"type":"DUO","configuration":{"host":"api-1.duosecurity.com","integrationKey":"ik","secretKey":"`+
		o.secret("key of an authenticator", "marker-duo-secret-W9eR8t")+`","userNameTemplate":{"template":"oktaId"}}}}`)

	const back = "http://127.0.0.1:9/callback"
	const settings = `"settings":{"oauthClient":{"application_type":"web","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"redirect_uris":["` + back + `"]}}`
	chosen := o.secret("chosen client secret", "marker-client-secret-H7jK2")
	o.ok("POST", "/api/v1/apps", `{"name":"oidc_client","label":"Chosen","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"client_secret":"`+chosen+`"}},`+settings+`}`)
	app := o.ok("POST", "/api/v1/apps", `{"name":"oidc_client","label":"Made","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{}},`+settings+`}`)
	id, secret := text(app, "id"), o.secret("made client secret", text(app, "credentials", "oauthClient", "client_secret"))
	o.ok("POST", "/api/v1/apps/"+id+"/users", `{"id":"`+ann+`"}`)

	verifier := o.secret("verifier", "marker-verifier-0123456789012345678901234567890123456789")
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {id}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"openid offline_access"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	page := o.ok("GET", "/oauth2/v1/authorize?"+query.Encode(), "")
	hidden := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(text(page, "page"))
	if hidden == nil {
		o.t.Fatalf("no form in %s", text(page, "page"))
	}
	signIn := func(password string) http.Header {
		_, header, _ := o.call("POST", "/oauth2/v1/authorize/sign-in", url.Values{"form": {hidden[1]}, "login": {"ann@example.com"}, "password": {password}}.Encode(), oktaForm...)
		return header
	}
	signIn(o.secrets["wrong password"])
	header := signIn(o.secrets["password set by an administrator"])
	to, err := url.Parse(header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		o.t.Fatalf("sign-in: %v", header)
	}
	where, err := url.Parse(o.base + "/oauth2/v1/authorize")
	if err != nil {
		o.t.Fatal(err)
	}
	for _, c := range o.client.Jar.Cookies(where) {
		o.secret("cookie "+c.Name, c.Value)
	}
	code := o.secret("code", to.Query().Get("code"))
	ask := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "client_secret": {secret}, "code": {code}, "redirect_uri": {back}, "code_verifier": {verifier}}
	tokens := o.ok("POST", "/oauth2/v1/token", ask.Encode(), oktaForm...)
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		o.secret(name, text(tokens, name))
		o.call("POST", "/oauth2/v1/introspect", url.Values{"client_id": {id}, "client_secret": {secret}, "token": {text(tokens, name)}}.Encode(), oktaForm...)
	}
	o.call("GET", "/oauth2/v1/userinfo", "", "Authorization", "Bearer "+text(tokens, "access_token"))
	o.call("GET", "/api/v1/users", "", "Authorization", "Bearer "+text(tokens, "access_token"))
	ask.Set("client_secret", o.secret("wrong client secret", "marker-wrong-secret-N8mB3"))
	o.call("POST", "/oauth2/v1/token", ask.Encode(), oktaForm...)
	o.call("POST", "/oauth2/v1/token?"+ask.Encode(), "", oktaForm...)
	o.call("POST", "/oauth2/v1/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {o.secret("assertion", "marker.assertion.C5vB2n")}, "client_assertion_type": {"x"}}.Encode(), oktaForm...)
}

// look reports every secret that stands in a text, in any spelling. The
// identifiers of the session cookie and of API tokens are no secrets.
func (o *oktaLeaks) look(where, text string) {
	o.t.Helper()
	for what, secret := range o.secrets {
		for form, spelled := range spellings(secret) {
			if at := strings.Index(text, spelled); at >= 0 {
				o.t.Errorf("%s: the %s is there (%s): ...%q...", where, what, form, text[max(0, at-60):min(len(text), at+len(spelled)+20)])
				break
			}
		}
	}
}

// TestOktaLeaks puts every secret that there is into the Okta façade, and looks
// for them in everything that was written: log, database, answers to mistakes,
// and the system log that the API shows.
func TestOktaLeaks(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &oktaLeaks{t: t, dir: t.TempDir(), secrets: map[string]string{}}
	o.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	stop := o.serve()
	o.people()
	o.apps()
	made := lanyard(t, o.dir, "tokens", "create", "--name", "leaky", "-o", "json")
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(made.stdout), &token); err != nil {
		t.Fatalf("tokens create: %v: %+v", err, made)
	}
	o.secret("API token", token.Token)
	o.look("tokens list", lanyard(t, o.dir, "tokens", "list", "-o", "json").stdout)
	o.ok("GET", "/api/v1/users/me", "", "Authorization", "SSWS "+token.Token)
	o.look("system log", text(o.ok("GET", "/api/v1/logs?limit=1000", ""), "page"))
	for _, path := range []string{"/api/v1/users", "/api/v1/apps?limit=200", "/api/v1/authenticators", "/api/v1/api-tokens"} {
		o.look(path, text(o.ok("GET", path, ""), "page"))
	}
	o.look("an answer to a mistake", o.answers.String())
	if len(o.secrets) < 30 {
		t.Errorf("only %d secrets were put in", len(o.secrets))
	}
	o.files("while serve runs")
	o.secret("API token of the sandbox", o.token)
	log := stop()
	o.look("log", log)
	if !strings.Contains(log, "/oauth2/v1/token") {
		t.Error("the log says nothing of calls: it was not talkative")
	}
	o.files("after serve")
}

// files looks for secrets in all files of the data folder, but in the one that
// hands the sandbox's own token to its owner.
func (o *oktaLeaks) files(when string) {
	o.t.Helper()
	files := 0
	err := filepath.WalkDir(o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "sandbox.json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		o.look(when+": "+strings.TrimPrefix(path, o.dir), string(data))
		return nil
	})
	if err != nil || files < 2 {
		o.t.Errorf("%s: %d files, %v", when, files, err)
	}
}
