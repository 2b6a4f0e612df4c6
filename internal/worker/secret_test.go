package worker_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/engine/drivertest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// secretive sends its secrets in every way that a request has and lets answers
// bring new ones.
const secretive = `
workflows:
  - workflowId: main
    inputs:
      type: object
      properties:
        user: {type: string}
        phrase: {type: string, format: password}
        apiToken: {type: string}
        pin: {type: integer, writeOnly: true}
        code: {type: string, format: password}
        person: {type: object}
    steps:
      - stepId: json
        operationId: createItem
        parameters: [{name: Idempotency-Key, in: header, value: "{$inputs.apiToken}"}]
        requestBody:
          payload: {name: $inputs.user, a: $inputs.phrase, b: "x{$inputs.phrase}y", c: $inputs.pin, d: $inputs.code, e: $inputs.person}
        outputs: {echo: $response.body#/echo, made: $response.body#/client_secret, session: $response.header.X-Auth-Token}
      - stepId: query
        operationId: findItems
        parameters: [{name: name, in: query, value: "q {$inputs.phrase}"}]
        successCriteria: [{condition: $response.body#/echo == $inputs.phrase}]
      - stepId: form
        operationId: createItem
        requestBody: {contentType: application/x-www-form-urlencoded, payload: {a: $inputs.phrase, password: anything}}
      - stepId: text
        operationId: createItem
        requestBody: {contentType: text/plain, payload: "begin {$inputs.phrase} end {$steps.json.outputs.made}"}
      - stepId: path
        operationId: putItem
        parameters: [{name: id, in: path, value: $inputs.phrase}]
        requestBody: {payload: {given: $steps.json.outputs.session}}
    outputs: {echo: $steps.json.outputs.echo, session: $steps.json.outputs.session}
`

const (
	phrase  = `S3cr"et/+&é <phrase>`
	token   = "tok-5f2b9c7d1e"
	pin     = "90210417"
	code    = "7q" // so short that it is masked only where it stands alone
	inner   = "Inner-p4ssword"
	made    = "made-client-secret-0815"
	session = "session-value-4711"
)

func secretInputs() map[string]any {
	return map[string]any{
		"user": "ada", "phrase": phrase, "apiToken": token, "pin": json.Number(pin), "code": code,
		"person": map[string]any{"name": "Ada", "password": inner},
	}
}

// echoing answers with what it was sent, in several codings.
func echoing(_ context.Context, c *engine.Call) *engine.Answer {
	body, err := json.Marshal(map[string]any{
		"echo": phrase, "client_secret": made, "again": "see " + made, "number": json.Number(pin),
		"base64": base64.StdEncoding.EncodeToString([]byte("Basic x:" + phrase)), "url": "https://x.test/?a=" + url.QueryEscape(phrase),
		"json": fmt.Sprintf(`{"a":%q}`, phrase), "inner": inner, "token": "another-token-of-the-answer",
	})
	if err != nil {
		return unanswered(context.Background(), nil)
	}
	a := answer(201, string(body))
	a.Header["X-Auth-Token"] = []string{session}
	a.URL = "https://items.test" + c.Request.Path + "?" + c.Request.Query
	if c.Step == "form" {
		a.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
		a.JSON = nil
		a.SetBody([]byte("access_token=form-token-123456&user=ada"))
	}
	if c.Step == "text" {
		a.Header["Content-Type"] = []string{"text/plain"}
		a.JSON = nil
		a.SetBody([]byte(` {"refresh_token": "text-token-123456"}`))
	}
	return a
}

// forms are the spellings in which a secret is looked for.
func forms(s string) []string {
	quoted, _ := json.Marshal(s) // a string always encodes
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s)),
		base64.RawStdEncoding.EncodeToString([]byte("Basic x:" + s))[12:],
	}
}

// kept is everything that a store holds of a run and can be read without the key.
func kept(t *testing.T, s worker.Store, id string) string {
	t.Helper()
	ctx := context.Background()
	r, err := s.Run(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	summary, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	records, err := s.Records(ctx, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := string(summary)
	for _, r := range records {
		all += "\n" + string(r.Event) + "\n" + string(r.Trace) + "\n" + string(r.Intents) + "\n" + string(r.Sealed)
	}
	return all
}

// leaks looks for every secret in a text.
func leaks(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{phrase, token, pin, inner, made, session, "another-token-of-the-answer", "form-token-123456", "text-token-123456"} {
		for _, form := range forms(secret) {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%q is kept as %q: ...%s...", secret, form, text[max(0, at-80):min(len(text), at+len(form)+40)])
				break
			}
		}
	}
	if strings.Contains(text, `"`+code+`"`) {
		t.Errorf("the short secret %q is kept", code)
	}
}

func sealed(t *testing.T, s worker.Store, id string) (n int) {
	t.Helper()
	records, err := s.Records(context.Background(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if len(r.Sealed) > 0 {
			n++
		}
	}
	return n
}

func TestSecretsAreNotKept(t *testing.T) {
	stores := map[string]func(testing.TB) worker.Store{
		"memory": func(testing.TB) worker.Store { return newMemory() },
		"sqlite": func(t testing.TB) worker.Store { return openSQLite(t).Journal() },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			p := drivertest.Plan(t, secretive, plan.Profile{})
			hang := make(chan struct{})
			w := serve(t, s, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
				if c.Step == "path" {
					hang <- struct{}{}
					<-ctx.Done()
					return unanswered(ctx, c)
				}
				return echoing(ctx, c)
			}), nil)
			w.start("r", p, secretInputs())
			<-hang
			leaks(t, kept(t, s, "r"))
			if sealed(t, s, "r") == 0 {
				t.Error("nothing is sealed while the run moves")
			}
			w.stop()

			// The next process has the secrets still.
			var path, body string
			again := serve(t, s, callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
				path, body = c.Request.Path, string(c.Request.Body)
				return echoing(ctx, c)
			}), nil)
			if err := again.Recover(context.Background()); err != nil {
				t.Fatalf("Recover: %s", fault.Public(err))
			}
			r := again.rest("r", run.Succeeded)
			if plain, err := url.PathUnescape(path); err != nil || plain != "/items/"+phrase {
				t.Errorf("after the restart the path is %s, %v, want the phrase in it", path, err)
			}
			if !strings.Contains(body, session) {
				t.Errorf("after the restart the body is %s, want the session in it", body)
			}
			leaks(t, kept(t, s, "r"))
			if n := sealed(t, s, "r"); n != 0 {
				t.Errorf("%d records are sealed after the end, want none", n)
			}
			if !strings.Contains(string(r.Outputs), "[masked]") {
				t.Errorf("outputs %s, want them masked", r.Outputs)
			}
			if got := r.Inputs["user"]; got != "ada" {
				t.Errorf("the input user is kept as %v, want ada", got)
			}
		})
	}
}

// A secret too short to be looked for inside longer texts is masked where it
// stands alone.
func TestShortSecret(t *testing.T) {
	m := newMemory()
	w := serve(t, m, callFunc(func(_ context.Context, c *engine.Call) *engine.Answer { return answer(201, `{"echo":"7q"}`) }), nil)
	w.start("r", drivertest.Plan(t, `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {code: {type: string, format: password}}}
    steps:
      - stepId: make
        operationId: createItem
        requestBody: {payload: {name: $inputs.code}}
`, plan.Profile{}), map[string]any{"code": code})
	w.rest("r", run.Succeeded)
	leaks(t, kept(t, m, "r"))
}

func TestSecretsInErrors(t *testing.T) {
	m := newMemory()
	w := serve(t, m, callFunc(func(context.Context, *engine.Call) *engine.Answer {
		return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "cannot reach https://x.test/?t=" + token + " for " + phrase}}
	}), nil)
	w.start("r", drivertest.Plan(t, secretive, plan.Profile{}), secretInputs())
	r := w.rest("r", run.Failed)
	leaks(t, kept(t, m, "r"))
	if !strings.Contains(r.Reason, "cannot reach") {
		t.Errorf("the reason is %q", r.Reason)
	}
}

// failing fails in its second step as long as it is told to.
const failing = `
workflows:
  - workflowId: main
    inputs:
      type: object
      required: [user, password]
      properties: {user: {type: string}, password: {type: string, minLength: 8}}
    steps:
      - stepId: first
        operationId: createItem
        requestBody: {payload: {name: $inputs.user}}
      - stepId: second
        operationId: createItem
        requestBody: {payload: {name: $inputs.user, password: $inputs.password}}
`

// A failed run goes on only with the secrets that were wiped when it ended, and
// keeps them for as long as it moves again.
func TestRetryNeedsSecretsAgain(t *testing.T) {
	const password = "correct-horse"
	m := newMemory()
	fails, hangs := true, false
	hang := make(chan struct{}, 1)
	sent := map[string][]string{}
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		if hangs {
			hang <- struct{}{}
			<-ctx.Done()
			return &engine.Answer{Failure: &engine.Failure{Kind: "unavailable", Message: "the process ends"}}
		}
		sent[c.Step] = append(sent[c.Step], string(c.Request.Body))
		if fails && c.Step == "second" {
			return answer(400, `{}`)
		}
		return answer(201, `{}`)
	})
	w := serve(t, m, x, nil)
	ctx := context.Background()
	w.start("r", drivertest.Plan(t, failing, plan.Profile{}), map[string]any{"user": "ada", "password": password})
	w.rest("r", run.Failed)
	if n := sealed(t, m, "r"); n != 0 {
		t.Fatalf("%d records are sealed after the end", n)
	}
	retried := engine.Event{Kind: engine.Retried}
	refused := []struct {
		name   string
		inputs map[string]any
		want   fault.Kind
	}{
		{"without the secret", nil, fault.Conflict},
		{"with another input", map[string]any{"password": password, "user": "eve"}, fault.Conflict},
		{"with an unknown input", map[string]any{"password": password, "x": "y"}, fault.Conflict},
		{"with one that does not fit", map[string]any{"password": "short"}, fault.Invalid},
	}
	for _, test := range refused {
		if err := w.Worker.Signal(ctx, "r", retried, test.inputs); !fault.Is(err, test.want) {
			t.Errorf("Signal(retried) %s = %v, want %v", test.name, err, test.want)
		}
	}
	if err := w.Signal(ctx, "r", engine.Event{Kind: engine.Resumed}); !fault.Is(err, fault.Conflict) || strings.Contains(fault.Public(err), "wiped") {
		t.Errorf("Signal(resumed) to a failed run = %s, want that nothing waits for it", fault.Public(err))
	}

	fails, hangs = false, true
	if err := w.Worker.Signal(ctx, "r", retried, map[string]any{"password": password, "user": "ada"}); err != nil {
		t.Fatalf("Signal(retried) with the secret: %s", fault.Public(err))
	}
	<-hang
	if text := kept(t, m, "r"); strings.Contains(text, password) {
		t.Errorf("the secret given again is kept: %s", text)
	}
	w.stop()

	hangs = false
	again := serve(t, m, x, nil)
	if err := again.Recover(ctx); err != nil {
		t.Fatalf("Recover: %s", fault.Public(err))
	}
	again.rest("r", run.Succeeded)
	want := fmt.Sprintf(`{"name":"ada","password":%q}`, password)
	if got := sent["second"]; len(got) != 2 || got[1] != want {
		t.Errorf("the second step sent %v, want %s at last", got, want)
	}
	if len(sent["first"]) != 1 {
		t.Errorf("the first step was sent %d times, want once", len(sent["first"]))
	}
	if n := sealed(t, m, "r"); n != 0 {
		t.Errorf("%d records are sealed after the end", n)
	}
}

// With another key than the run was started with, it cannot go on.
func TestWrongKey(t *testing.T) {
	m := newMemory()
	hang := make(chan struct{})
	x := callFunc(func(ctx context.Context, c *engine.Call) *engine.Answer {
		hang <- struct{}{}
		<-ctx.Done()
		return unanswered(ctx, c)
	})
	w := serve(t, m, x, nil)
	w.start("r", drivertest.Plan(t, failing, plan.Profile{}), map[string]any{"user": "ada", "password": "correct-horse"})
	<-hang
	w.stop()
	other := serve(t, m, x, func(w *worker.Worker) { w.Key = otherKey(t) })
	if err := other.Recover(context.Background()); err == nil {
		t.Error("Recover with another key succeeded")
	}
}

// A secret that is too short to be looked for is masked where an expression
// takes it from a place that says what it is.
func TestShortSecretsOfAnswersAreNotKept(t *testing.T) {
	s := newMemory()
	p := drivertest.Plan(t, `
workflows:
  - workflowId: main
    steps:
      - stepId: enrol
        operationId: createItem
        requestBody: {payload: {name: ada}}
        successCriteria: [{condition: $response.body#/otp == '424242'}, {condition: $response.body.codes.otp == '434343'}]
        outputs: {code: $response.body#/otp, id: $response.body#/id}
      - stepId: ask
        operationId: createItem
        requestBody: {payload: {name: ada}}
        successCriteria: [{condition: $steps.enrol.outputs.code != null}]
    outputs: {code: $steps.enrol.outputs.code, id: $steps.enrol.outputs.id}
`, plan.Profile{})
	w := serve(t, s, callFunc(func(context.Context, *engine.Call) *engine.Answer {
		return answer(201, `{"otp":"424242","codes":{"otp":"434343"},"id":"i1"}`)
	}), nil)
	w.start("r", p, nil)
	w.rest("r", run.Succeeded)
	text := kept(t, s, "r")
	// The conditions are the document's and say what they say.
	text = strings.NewReplacer("== '424242'", "", "== '434343'", "").Replace(text)
	for _, code := range []string{"424242", "434343"} {
		if at := strings.Index(text, code); at >= 0 {
			t.Errorf("%s is kept: ...%s...", code, text[max(0, at-80):at+20])
		}
	}
	if !strings.Contains(text, `"id":"i1"`) {
		t.Errorf("what is no secret is masked: %s", text)
	}
}

// A binary answer and one of XML keep no secret, and the record can be read.
func TestSecretsInOtherBodiesAreNotKept(t *testing.T) {
	s := newMemory()
	p := drivertest.Plan(t, `
workflows:
  - workflowId: main
    inputs: {type: object, properties: {phrase: {type: string, format: password}}}
    steps:
      - {stepId: binary, operationId: createItem, requestBody: {payload: {name: $inputs.phrase}}}
      - {stepId: xml, operationId: createItem, requestBody: {payload: {name: ada}}}
`, plan.Profile{})
	w := serve(t, s, callFunc(func(_ context.Context, c *engine.Call) *engine.Answer {
		a := &engine.Answer{Status: 201, Header: map[string][]string{"Content-Type": {"application/octet-stream"}}}
		if c.Step == "xml" {
			a.SetBody([]byte("<a><access_token>xml-token-123456</access_token><b>kept</b></a>"))
		} else {
			a.SetBody([]byte("\xff\xfe junk " + inner + " end"))
		}
		return a
	}), nil)
	w.start("r", p, map[string]any{"phrase": inner})
	w.rest("r", run.Succeeded)
	records, err := s.Records(t.Context(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range records {
		var e engine.Event
		if err := json.Unmarshal(r.Event, &e); err != nil {
			t.Fatalf("record %d cannot be read: %v", r.Seq, err)
		}
		if e.Answer != nil && e.Answer.Text != nil {
			texts = append(texts, *e.Answer.Text)
		}
	}
	want := []string{"[masked]", "<a><access_token>[masked]</access_token><b>kept</b></a>"}
	if strings.Join(texts, "\n") != strings.Join(want, "\n") {
		t.Errorf("answers are kept as %q, want %q", texts, want)
	}
	text := kept(t, s, "r")
	for _, gone := range []string{inner, base64.StdEncoding.EncodeToString([]byte("\xff\xfe junk " + inner + " end")), "xml-token-123456"} {
		if strings.Contains(text, gone) {
			t.Errorf("%q is kept", gone)
		}
	}
}
