package script_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // reads the database that the command wrote
)

// leakSecrets are the secrets of the test by what they are. Each is unlike
// anything else, so that a hit is one.
var leakSecrets = map[string]string{
	"ssws token":                    "00marker-ssws-Qk3vT9",
	"bearer token":                  "marker-bearer-Zp8mL2wX",
	"basic password":                "marker:basic/P+ss w0rd",
	"api key in the query":          "marker-query-key-8Hd+2/=",
	"client secret":                 "marker-client-secret-&Ty7?",
	"fetched access token":          "marker-access.token-Vb6nM1",
	"token fetched with a key":      "marker-assertion.token-Lk4jH9",
	"input, format password":        "marker-format-R5tY7u",
	"input, writeOnly":              "marker-writeonly-G2hJ8k",
	"input, named like one":         "marker-named-F6gH3j",
	"input, a number":               "918273645546372819",
	"input that encodings change":   "mark\"er\\ <b>&é漢/+%=\t{x}'",
	"input, nested":                 "marker-nested-D4fG6h",
	"input, in a list":              "marker-list-S3dF5g",
	"secret that an answer brings":  "marker-answered-A1sD2f",
	"secret in a set-cookie header": "marker-cookie-W9eR8t",
}

// spellings returns the forms in which a secret could be found: written for
// this test, so that it does not share the product's mistakes.
func spellings(s string) map[string]string {
	out := map[string]string{
		"plain": s, "query-escaped": url.QueryEscape(s), "path-escaped": url.PathEscape(s),
		"hex": hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))),
	}
	escaped := map[string]string{"": s}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if err := enc.Encode(s); err == nil {
			text := strings.TrimSuffix(b.String(), "\n")
			escaped[fmt.Sprintf("json (html %v) ", html)] = text[1 : len(text)-1]
		}
	}
	escaped["query-escaped "] = url.QueryEscape(s)
	escaped["wholly escaped "] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20") // as in a URL (RFC 3986)
	for name, text := range escaped {
		out[name+"text"] = text
		for shift := range 3 {
			raw := append(bytes.Repeat([]byte{'x'}, shift), text...)
			// The characters that the secret alone decides.
			first, last := (shift*8+5)/6, len(raw)*8/6
			out[fmt.Sprintf("%sbase64+%d", name, shift)] = base64.RawStdEncoding.EncodeToString(raw)[first:last]
			out[fmt.Sprintf("%sbase64url+%d", name, shift)] = base64.RawURLEncoding.EncodeToString(raw)[first:last]
		}
	}
	return out
}

// reported are the leaks that were told: one of a kind is enough.
var reported sync.Map

// searchLeaks reports every secret in a text.
func searchLeaks(t *testing.T, where, text string) {
	t.Helper()
	for what, s := range leakSecrets {
		for form, spelled := range spellings(s) {
			at := strings.Index(text, spelled)
			if at < 0 {
				continue
			}
			if _, told := reported.LoadOrStore(what+form, true); !told {
				t.Errorf("%s: the %s is there (%s): ...%s...", where, what, form, text[max(0, at-80):min(len(text), at+len(spelled)+20)])
			}
		}
	}
}

// searchFolder looks for secrets in every file below a folder.
func searchFolder(t *testing.T, when, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		searchLeaks(t, when+": "+strings.TrimPrefix(path, dir), string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 3 {
		t.Errorf("%s: %d files in the data folder: nothing was looked at", when, files)
	}
}

// echoServer tells everything it is told, in every form, and fails in the way
// that the path says.
type echoServer struct{ calls atomic.Int64 }

func (e *echoServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	e.calls.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if req.URL.Path == "/oauth/token" {
		token := leakSecrets["fetched access token"]
		if strings.Contains(string(body), "client_assertion") {
			token = leakSecrets["token fetched with a key"]
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
		return
	}
	heard := e.heard(req, body)
	w.Header().Set("X-Echo", strings.Map(printableHeader, heard))
	w.Header().Set("X-Echo-64", base64.StdEncoding.EncodeToString([]byte("z"+heard)))
	w.Header().Set("Set-Cookie", "session="+leakSecrets["secret in a set-cookie header"])
	switch {
	case strings.HasSuffix(req.URL.Path, "/drop"):
		panic(http.ErrAbortHandler)
	case strings.HasSuffix(req.URL.Path, "/refuse"):
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(req.URL.Path, "/wrong"):
		w.WriteHeader(http.StatusBadRequest)
	case strings.HasSuffix(req.URL.Path, "/text"):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<p>you said "+heard+"</p>")
		return
	}
	e.answer(w, req, body, heard)
}

func printableHeader(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// heard is all that a request said, as one text.
func (e *echoServer) heard(req *http.Request, body []byte) string {
	auth := req.Header.Get("Authorization")
	if _, password, ok := req.BasicAuth(); ok {
		auth += " " + password
	}
	query, _ := url.QueryUnescape(req.URL.RawQuery)
	return auth + " " + query + " " + req.URL.RequestURI() + " " + string(body)
}

func (e *echoServer) answer(w io.Writer, req *http.Request, body []byte, heard string) {
	var sent any
	_ = json.Unmarshal(body, &sent) // nil without a body
	var hexed []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			hexed = append(hexed, hex.EncodeToString([]byte(v)))
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(sent)
	twice, _ := json.Marshal(heard)
	thrice, _ := json.Marshal(string(twice))
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may be gone
		"errorCode": "E0000001", "errorSummary": "not like this: " + heard, "message": heard,
		"errorCauses": []any{map[string]any{"errorSummary": heard}},
		"said":        sent, "headers": req.Header, "url": req.URL.String(),
		"base64": []string{
			base64.StdEncoding.EncodeToString([]byte(heard)), base64.URLEncoding.EncodeToString([]byte("x" + heard)),
			base64.RawStdEncoding.EncodeToString([]byte("xy" + heard)),
		},
		"query": url.QueryEscape(heard), "path": url.PathEscape(heard), "json": string(thrice), "hex": hexed,
		"id": "1", "client_secret": leakSecrets["secret that an answer brings"],
		"again": "it is " + leakSecrets["secret that an answer brings"],
	})
}

// leakFlow sends every secret to the server in every way: in bodies, headers,
// query and path, with criteria and outputs that look at what came back.
const leakFlow = `arazzo: 1.0.1
info: {title: Say everything, version: "1"}
sourceDescriptions:
SOURCESworkflows:
  - workflowId: say
    inputs:
      type: object
      properties:
        pass: {type: string, format: password}
        written: {type: string, writeOnly: true}
        oktaApiToken: {type: string}
        number: {type: integer, format: password}
        special: {type: string, format: password}
        account: {type: object, properties: {secret: {type: string, format: password}}}
        list: {type: array, items: {type: string, format: password}}
        harmless: {type: string}
        last: {type: string}
    steps:
STEPS      - stepId: end
        operationId: $sourceDescriptions.ssws.LAST
        requestBody: {payload: {all: "{$inputs.pass} {$inputs.special} {$steps.say-ssws.outputs.brought}", again: $steps.say-ssws.outputs.body}}
        successCriteria:
          - condition: $statusCode == 200
          - condition: $response.body#/message == $inputs.pass
        outputs: {body: $response.body, text: $response.body#/message}
    outputs:
      body: $steps.say-ssws.outputs.body
      echo: $steps.say-ssws.outputs.echo
      brought: $steps.say-ssws.outputs.brought
      number: $inputs.number
      pass: "it is {$inputs.pass}"
`

const leakStep = `      - stepId: say-SOURCE
        operationId: $sourceDescriptions.SOURCE.say
        parameters:
          - {name: q, in: query, value: $inputs.special}
          - {name: X-Said, in: header, value: "{$inputs.pass}/{$inputs.number}"}
          - {name: what, in: path, value: $inputs.written}
        requestBody:
          payload:
            pass: $inputs.pass
            written: $inputs.written
            token: $inputs.oktaApiToken
            number: $inputs.number
            special: $inputs.special
            account: $inputs.account
            list: $inputs.list
            text: "{$inputs.pass} and {$inputs.special}"
        successCriteria:
          - condition: $statusCode == 200
          - condition: $response.body#/message != $inputs.pass
          - context: $response.body#/message
            condition: "."
            type: regex
        outputs:
          body: $response.body
          echo: $response.header.X-Echo-64
          brought: $response.body#/client_secret
          sent: $request.body
          path: $request.path.what
`

func leakDescription(name, scheme string) string {
	paths := ""
	for _, path := range []string{"drop", "refuse", "wrong", "text"} {
		paths += fmt.Sprintf(`  /%s: {post: {operationId: %s, requestBody: {content: {application/json: {schema: {type: object}}}}, responses: {"200": {description: ok}}}}
`, path, path)
	}
	return fmt.Sprintf(`openapi: 3.0.3
info: {title: Echo %s, version: "1"}
servers: [{url: "https://%s.example.com"}]
security: [{it: []}]
paths:
  /say/{what}:
    post:
      operationId: say
      parameters:
        - {name: what, in: path, required: true, schema: {type: string}}
        - {name: q, in: query, schema: {type: string}}
        - {name: X-Said, in: header, schema: {type: string}}
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
%scomponents: {securitySchemes: {it: %s}}
`, name, name, paths, scheme)
}

// TestLeaks puts a marker into every secret, lets a server tell them all back in
// every form, and looks for them in everything that was written.
func TestLeaks(t *testing.T) {
	t.Parallel()
	echo := &echoServer{}
	server := httptest.NewServer(echo)
	defer server.Close()
	l := newLeakTest(t, server.URL)

	if dir := os.Getenv("LANYARD_KEEP"); dir != "" {
		defer func() { _ = os.CopyFS(dir, os.DirFS(l.dir)) }() // for a look at what was written
	}
	for _, last := range []string{"wrong", "refuse", "text", "drop"} {
		for _, format := range []string{"text", "json", "ndjson"} {
			id := "run_" + last + "_" + format
			res := l.run("run", "flow-"+last+".yaml", "--allow-private", "--inputs", l.inputs, "--id", id, "-o", format, "--verbose",
				"--har", id+".har", "--junit", id+".xml")
			if want := map[string]int{"drop": 4, "refuse": 7}[last]; res.code != want && (want != 0 || res.code != 3) {
				t.Fatalf("%s: exit %d\n%.2000s\n%.2000s", id, res.code, res.stdout, res.stderr)
			}
			if !strings.Contains(res.stdout, "[masked]") && format != "text" {
				t.Errorf("%s: nothing is masked: were the secrets sent at all?", id)
			}
			if format == "json" && len(readRun(t, res).Steps) != 7 {
				t.Fatalf("%s: %d steps were taken, want 7: the secrets were not all sent\n%s", id, len(readRun(t, res).Steps), res.stdout)
			}
			l.look("run "+id, res)
		}
	}
	if want := 12 * 7; int(echo.calls.Load()) < want {
		t.Fatalf("the server was called %d times, want at least %d", echo.calls.Load(), want)
	}
	searchFolder(t, "held and failed runs", l.dir)
	l.checkSealed("run_drop_text", true)
	l.checkSealed("run_wrong_text", false)

	for _, args := range [][]string{
		{"plan", "flow-drop.yaml", "--allow-private"}, {"plan", "flow-drop.yaml", "--allow-private", "-o", "json"},
		{"runs", "list"}, {"runs", "list", "-o", "json"},
		{"runs", "show", "run_drop_text", "--har", "show.har", "--junit", "show.xml"},
		{"runs", "show", "run_drop_text", "-o", "json"}, {"runs", "show", "run_wrong_text", "-o", "ndjson"},
		{"runs", "show", "run_refuse_text"}, {"runs", "show", "run_text_text", "-o", "json"},
		{"connections", "list"}, {"connections", "test", "-o", "json"}, {"doctor"},
		{"runs", "retry", "run_drop_json", "--verbose"}, {"runs", "resume", "run_drop_ndjson", "--verbose"},
		{"runs", "skip", "run_drop_ndjson", "--output-value", "text=known", "--verbose"},
		{"runs", "cancel", "run_drop_text"}, {"runs", "cancel", "run_drop_json"},
		{"run", "flow-wrong.yaml", "--allow-private", "--inputs", l.inputs, "--input", "number:=[1]"},
		{"run", "flow-wrong.yaml", "--allow-private", "--inputs", l.inputs, "--input", "account=" + leakSecrets["input, nested"]},
	} {
		l.look(strings.Join(args[:min(len(args), 2)], " "), l.run(args...))
	}
	searchFolder(t, "ended runs", l.dir)
	for _, id := range []string{"run_drop_text", "run_drop_json", "run_drop_ndjson"} {
		l.checkSealed(id, false)
	}

	// Through a server: the inputs cross an API.
	stop := l.serve()
	res := l.run("run", "flow-drop.yaml", "--allow-private", "--inputs", l.inputs, "--id", "run_served", "-o", "json", "--verbose")
	if res.code != 4 {
		t.Errorf("through serve: exit %d: %s", res.code, res.stderr)
	}
	l.look("run through serve", res)
	searchFolder(t, "while serve holds it", l.dir)
	l.look("serve", stop())
	searchFolder(t, "after serve", l.dir)
}

// leakTest is the folder and the environment of TestLeaks. What holds secrets by
// right (inputs, keys) is in another folder, which is not searched.
type leakTest struct {
	t           *testing.T
	dir, inputs string
	env         []string
}

func newLeakTest(t *testing.T, server string) *leakTest {
	t.Helper()
	l := &leakTest{t: t, dir: t.TempDir()}
	safe := t.TempDir()
	key := filepath.Join(safe, "key.pem")
	writeText(t, key, privateKey(t))
	l.inputs = filepath.Join(safe, "inputs.json")
	inputs, err := json.Marshal(map[string]any{
		"pass": leakSecrets["input, format password"], "written": leakSecrets["input, writeOnly"], "oktaApiToken": leakSecrets["input, named like one"],
		"number": json.Number(leakSecrets["input, a number"]), "special": leakSecrets["input that encodings change"],
		"account": map[string]any{"secret": leakSecrets["input, nested"]}, "list": []any{leakSecrets["input, in a list"]}, "harmless": "shown",
	})
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, l.inputs, string(inputs))

	config := "connections:\n"
	sources, steps := "", ""
	for i, c := range []struct{ name, scheme, auth, secret string }{
		{"ssws", "{type: apiKey, in: header, name: Authorization}", "{type: ssws, token: env:S0}", "ssws token"},
		{"bearer", "{type: http, scheme: bearer}", "{type: bearer, token: env:S1}", "bearer token"},
		{"basic", "{type: http, scheme: basic}", "{type: basic, username: me, password: env:S2}", "basic password"},
		{"query", "{type: apiKey, in: query, name: api_key}", "{type: apiKey, in: query, name: api_key, token: env:S3}", "api key in the query"},
		{"oauth", "{type: http, scheme: bearer}", "{type: client_credentials, clientId: me, clientSecret: env:S4, tokenUrl: " + server + "/oauth/token}", "client secret"},
		{"jwt", "{type: http, scheme: bearer}", "{type: private_key_jwt, clientId: me, privateKey: \"file:" + key + "\", tokenUrl: " + server + "/oauth/token}", ""},
	} {
		config += fmt.Sprintf("  %s: {server: %s, allowPrivate: true, auth: %s}\n", c.name, server, c.auth)
		l.env = append(l.env, fmt.Sprintf("S%d=%s", i, leakSecrets[c.secret]))
		sources += fmt.Sprintf("  - {name: %s, url: %s.yaml, type: openapi}\n", c.name, c.name)
		steps += strings.ReplaceAll(leakStep, "SOURCE", c.name)
		writeText(t, filepath.Join(l.dir, c.name+".yaml"), leakDescription(c.name, c.scheme))
	}
	writeText(t, filepath.Join(l.dir, "lanyard.yaml"), config)
	flow := strings.NewReplacer("SOURCES", sources, "STEPS", steps)
	for _, last := range []string{"wrong", "refuse", "text", "drop"} {
		writeText(t, filepath.Join(l.dir, "flow-"+last+".yaml"), strings.ReplaceAll(flow.Replace(leakFlow), "LAST", last))
	}
	return l
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// privateKey makes a key and adds what is secret of it to what is looked for.
func privateKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	lines := strings.Split(text, "\n")
	leakSecrets["private key"] = lines[len(lines)/2]
	leakSecrets["private key's number"] = key.D.String()
	return text
}

func (l *leakTest) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(l.t.Context(), "lanyard", args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), l.env...)
	return cmd
}

func (l *leakTest) run(args ...string) result {
	l.t.Helper()
	cmd := l.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code says it
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (l *leakTest) look(what string, res result) {
	l.t.Helper()
	searchLeaks(l.t, what+": stdout", res.stdout)
	searchLeaks(l.t, what+": stderr", res.stderr)
}

// serve holds the folder until the function it returns is called.
func (l *leakTest) serve() func() result {
	l.t.Helper()
	cmd := l.command("serve", "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json", "--verbose")
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil {
		l.t.Fatalf("serve: %v: %s", err, stderr.String())
	}
	return func() result {
		_ = cmd.Process.Signal(os.Interrupt) // Wait tells what came of it
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait()
		return result{cmd.ProcessState.ExitCode(), string(line[:n]) + string(rest), stderr.String()}
	}
}

// checkSealed asks the database whether a run still has sealed records.
func (l *leakTest) checkSealed(id string, want bool) {
	l.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(l.dir, ".lanyard", "lanyard.db"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	var records, sealed int
	err = db.QueryRowContext(l.t.Context(), "SELECT count(*), count(CASE WHEN length(sealed) > 0 THEN 1 END) FROM journal_records WHERE run = ?", id).Scan(&records, &sealed)
	if err != nil {
		l.t.Fatal(err)
	}
	if records == 0 || want != (sealed > 0) {
		l.t.Errorf("%s has %d records, %d of them sealed; sealed wanted: %v", id, records, sealed, want)
	}
}

// TestSpellings makes sure that what looks for leaks would find them.
func TestSpellings(t *testing.T) {
	secret := "mark\"er\\ <b>&é漢/+%=\t{x}'"
	inJSON, err := json.Marshal("a " + secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{
		"xx" + secret + "yy", "q=" + url.QueryEscape("a"+secret+"b"), string(inJSON), hex.EncodeToString([]byte("a" + secret + "b")),
		base64.StdEncoding.EncodeToString([]byte("1" + secret + "2")), base64.URLEncoding.EncodeToString([]byte("12" + secret + "2")),
		base64.RawStdEncoding.EncodeToString([]byte("123" + secret)), base64.StdEncoding.EncodeToString(inJSON),
	} {
		found := slices.ContainsFunc(mapValues(spellings(secret)), func(s string) bool { return strings.Contains(hidden, s) })
		if !found {
			t.Errorf("not found in %s", hidden)
		}
	}
}

func mapValues(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
