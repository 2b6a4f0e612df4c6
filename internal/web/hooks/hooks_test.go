package hooks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// fakeTriggers notes what calls lead to.
type fakeTriggers struct {
	triggers  map[string]*trigger.Trigger
	answer    trigger.Answer
	delivered trigger.Delivered
	outcome   trigger.Outcome
	err       error // of Call and Deliver
	calls     []trigger.Call
	bodies    []string
	refused   []string
}

func (f *fakeTriggers) Find(name string) (*trigger.Trigger, bool) {
	t, ok := f.triggers[name]
	return t, ok
}

func (f *fakeTriggers) Call(_ context.Context, _ string, c trigger.Call) (trigger.Answer, error) {
	f.calls = append(f.calls, c)
	return f.answer, f.err
}

func (f *fakeTriggers) Await(context.Context, string, string) (trigger.Outcome, error) {
	return f.outcome, nil
}

func (f *fakeTriggers) Deliver(_ context.Context, _ string, body []byte) (trigger.Delivered, error) {
	f.bodies = append(f.bodies, string(body))
	return f.delivered, f.err
}

func (f *fakeTriggers) Refuse(t *trigger.Trigger, reason string) {
	f.refused = append(f.refused, t.Name+": "+reason)
}

// bench is the hooks of some triggers.
type bench struct {
	t     *testing.T
	fake  *fakeTriggers
	hooks *Hooks
	mux   *http.ServeMux
	now   time.Time
	log   bytes.Buffer
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	c, err := config.Parse("lanyard.yaml", []byte("triggers:\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := trigger.Read(c.Triggers)
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	b := &bench{t: t, fake: &fakeTriggers{triggers: map[string]*trigger.Trigger{}, answer: trigger.Answer{Run: "trg-1"}}, mux: http.NewServeMux(), now: time.Unix(1_800_000_000, 0)}
	for _, one := range all {
		b.fake.triggers[one.Name] = one
	}
	env := map[string]string{"S": "the-secret-of-the-hook"}
	b.hooks = &Hooks{
		Triggers: b.fake, Secrets: &secret.Resolver{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }},
		Client: egress.New(egress.Policy{}), Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	b.hooks.Mount(b.mux)
	return b
}

// send makes a request and returns status and body; the id of the request is left out.
func (b *bench) send(method, target, body string, headers ...string) (int, string, http.Header) {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	id := w.Header().Get("X-Request-Id")
	if id == "" {
		b.t.Error("the answer has no request id")
	}
	return w.Code, strings.ReplaceAll(string(text), `,"request":"`+id+`"`, ""), w.Header()
}

func (b *bench) want(status int, body string) func(int, string, http.Header) http.Header {
	b.t.Helper()
	return func(gotStatus int, gotBody string, h http.Header) http.Header {
		b.t.Helper()
		if gotStatus != status || gotBody != body {
			b.t.Errorf("got %d %s\nwant %d %s", gotStatus, gotBody, status, body)
		}
		return h
	}
}

const (
	secretText = "the-secret-of-the-hook"
	started    = `{"run":"trg-1","status":"accepted"}`
)

func TestAccepted(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {public: true}}}\n")
	b.want(202, started)(b.send("POST", "/hooks/e?a=1&a=2&b=x", `{"n":9007199254740993}`, "Idempotency-Key", "k"))
	b.want(202, started)(b.send("POST", "/hooks/e", ""))
	b.fake.answer.Duplicate = true
	if h := b.want(202, started)(b.send("POST", "/hooks/e", "{}")); h.Get("Idempotent-Replayed") != "true" {
		t.Error("a duplicate does not say so")
	}
	b.fake.answer = trigger.Answer{Ignored: true}
	b.want(200, `{"status":"ignored"}`)(b.send("POST", "/hooks/e", "{}"))
	first := b.fake.calls[0]
	if first.Fingerprint == "" || first.Fingerprint == b.fake.calls[1].Fingerprint {
		t.Errorf("fingerprints = %q, %q", first.Fingerprint, b.fake.calls[1].Fingerprint)
	}
	first.Fingerprint = ""
	want := trigger.Call{Key: "k", Body: map[string]any{"n": json.Number("9007199254740993")}, Query: map[string]any{"a": []any{"1", "2"}, "b": "x"}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}

func TestWaits(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {public: true}, mode: wait}}\n")
	b.fake.outcome = trigger.Outcome{Status: run.Succeeded, Outputs: []byte(`{"id":"00u1"}`)}
	b.want(200, `{"run":"trg-1","status":"succeeded","outputs":{"id":"00u1"}}`)(b.send("POST", "/hooks/e", "{}"))
	b.fake.outcome = trigger.Outcome{Status: run.Failed, Reason: "a step of the inside"}
	b.want(500, `{"run":"trg-1","status":"failed"}`)(b.send("POST", "/hooks/e", "{}"))
	for _, s := range []run.Status{run.Running, run.Held} {
		b.fake.outcome = trigger.Outcome{Status: s}
		b.want(202, started)(b.send("POST", "/hooks/e", "{}"))
	}
}

// deadlines notes until when a body is read.
type deadlines struct {
	http.ResponseWriter
	read []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = append(d.read, t)
	return nil
}

// The time that a body has does not end the request of one who waits for longer. A
// body that was refused keeps its deadline: its rest is still to come.
func TestBodyDeadline(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {public: true}, mode: wait, limits: {body: 20}}}\n")
	for body, want := range map[string]int{"{}": 2, `{"a":"` + strings.Repeat("x", 20) + `"}`: 1} {
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		b.mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/e", strings.NewReader(body)))
		if len(w.read) != want || w.read[0].IsZero() || !w.read[len(w.read)-1].IsZero() && want == 2 {
			t.Errorf("%s: read deadlines %v, want %d", body, w.read, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {public: true}, limits: {body: 20}}}\n  s: {flow: f.yaml, schedule: {cron: '@daily'}}\n")
	for _, test := range []struct {
		name, method, target, body string
		headers                    []string
		err                        error
		status                     int
		want                       string
	}{
		{"no such hook", "POST", "/hooks/x", "{}", nil, nil, 404, `{"error":"not found","message":"there is no such hook"}`},
		{"nothing that listens", "POST", "/hooks/s", "{}", nil, nil, 404, `{"error":"not found","message":"there is no such hook"}`},
		{"deeper", "POST", "/hooks/e/x", "{}", nil, nil, 404, `{"error":"not found","message":"there is no such hook"}`},
		{"method", "GET", "/hooks/e", "", nil, nil, 405, `{"error":"usage","message":"a hook takes POST"}`},
		{"not JSON", "POST", "/hooks/e", "{", nil, nil, 400, `{"error":"invalid","message":"the body does not read: not well-formed JSON"}`},
		{"a name twice", "POST", "/hooks/e", `{"a":{"n":1,"n":2}}`, nil, nil, 400, `{"error":"invalid","message":"the body does not read: an object has a name twice"}`},
		{"not UTF-8", "POST", "/hooks/e", "\"\xff\"", nil, nil, 400, `{"error":"invalid","message":"the body is not UTF-8"}`},
		{"too long", "POST", "/hooks/e", `{"a":"0123456789ABCDEF"}`, nil, nil, 413, `{"error":"too large","message":"the request body has more than 20 bytes"}`},
		{"a key that is too long", "POST", "/hooks/e", `{}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, nil, 400, `{"error":"invalid","message":"the Idempotency-Key has more than 255 bytes, or there are several"}`},
		{
			"schema", "POST", "/hooks/e", "{}", nil, fault.Wrap(fault.Invalid, &trigger.BodyError{Problems: []plan.InputProblem{{Message: "n: got string, want integer"}}}, "the body does not fit"),
			400, `{"error":"invalid","message":"the body does not fit","problems":["n: got string, want integer"]}`,
		},
		{"another body", "POST", "/hooks/e", "{}", nil, fault.Wrap(fault.Conflict, &trigger.KeyError{Key: "k"}, "used before"), 422, `{"error":"conflict","message":"used before"}`},
		{"failed before", "POST", "/hooks/e", "{}", nil, fault.New(fault.Conflict, "failed before"), 409, `{"error":"conflict","message":"failed before"}`},
		{"full", "POST", "/hooks/e", "{}", nil, fault.New(fault.RateLimited, "2 runs"), 429, `{"error":"rate limited","message":"2 runs"}`},
		{"off", "POST", "/hooks/e", "{}", nil, fault.New(fault.Unavailable, "switched off"), 503, `{"error":"unavailable","message":"switched off"}`},
		{"inside", "POST", "/hooks/e", "{}", nil, fault.New(fault.Internal, "disk /dev/sda1 is full"), 500, `{"error":"internal","message":"the call could not be carried out; the log has the details"}`},
		{"not started", "POST", "/hooks/e", "{}", nil, &trigger.StartError{Err: fault.New(fault.Unauthorized, "env:TOKEN is not set")}, 500, `{"error":"internal","message":"the call could not be carried out; the log has the details"}`},
		{"not started yet", "POST", "/hooks/e", "{}", nil, &trigger.StartError{Err: fault.New(fault.Unavailable, "the worker is stopping")}, 503, `{"error":"unavailable","message":"the worker is stopping"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.t, b.fake.err = t, test.err
			h := b.want(test.status, test.want)(b.send(test.method, test.target, test.body, test.headers...))
			if test.status == 429 && h.Get("Retry-After") != "1" || test.status == 405 && h.Get("Allow") != "POST" {
				t.Errorf("headers = %v", h)
			}
		})
	}
}

func TestHMAC(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {hmac: {secret: env:S, signature: X-Sig, timestamp: X-Time}}}}\n  gone: {flow: f.yaml, endpoint: {auth: {hmac: {secret: env:NONE}}}}\n")
	body := `{"password":"hunter2"}`
	at := strconv.FormatInt(b.now.Unix(), 10)
	sig := trigger.Sign(secretText, b.now, []byte(body))
	b.want(202, started)(b.send("POST", "/hooks/e", body, "X-Sig", sig, "X-Time", at))
	b.want(202, started)(b.send("POST", "/hooks/e", body, "X-Sig", strings.ToUpper(sig[7:]), "X-Time", at))
	if p := b.fake.calls; p[0].Proof == "" || p[0].Proof != p[1].Proof {
		t.Errorf("proofs of one signature: %q, %q", p[0].Proof, p[1].Proof)
	}
	b.want(401, `{"error":"unauthorized","message":"the signature is wrong"}`)(b.send("POST", "/hooks/e", "{}", "X-Sig", sig, "X-Time", at))
	b.want(401, `{"error":"unauthorized","message":"the request has no signature that reads"}`)(b.send("POST", "/hooks/e", body))
	b.now = b.now.Add(301 * time.Second)
	b.want(401, `{"error":"unauthorized","message":"the signature is older or newer than 5m0s; set the clock, and sign each request anew"}`)(b.send("POST", "/hooks/e", body, "X-Sig", sig, "X-Time", at))
	b.want(500, `{"error":"internal","message":"the call could not be carried out; the log has the details"}`)(b.send("POST", "/hooks/gone", body))
	if len(b.fake.calls) != 2 || len(b.fake.refused) != 3 {
		t.Errorf("%d calls, refused %q", len(b.fake.calls), b.fake.refused)
	}
	for _, hidden := range []string{"hunter2", secretText, sig} {
		if strings.Contains(b.log.String(), hidden) {
			t.Errorf("the log has %q", hidden)
		}
	}
}

func TestToken(t *testing.T) {
	b := newBench(t, "  h: {flow: f.yaml, endpoint: {auth: {token: env:S}}}\n  q: {flow: f.yaml, endpoint: {auth: {token: {secret: env:S, query: true}}}}\n")
	denied := `{"error":"unauthorized","message":"the request has no valid client token"}`
	b.want(202, started)(b.send("POST", "/hooks/h", "", "x-api-client-token", secretText))
	b.want(401, denied)(b.send("POST", "/hooks/h", "", "x-api-client-token", secretText+"x"))
	b.want(401, denied)(b.send("POST", "/hooks/h", ""))
	b.want(401, denied)(b.send("POST", "/hooks/h?clientToken="+secretText, ""))
	b.want(202, started)(b.send("POST", "/hooks/q?clientToken="+secretText+"&x=1", ""))
	b.want(401, denied)(b.send("POST", "/hooks/q?clientToken=", ""))
	if diff := cmp.Diff(map[string]any{"x": "1"}, b.fake.calls[1].Query); diff != "" {
		t.Errorf("the query that the flow gets (-want +got):\n%s", diff)
	}
	if strings.Contains(b.log.String(), secretText) {
		t.Error("the log has the token")
	}
}

// Access tokens of an issuer whose keys are asked for.
func TestOAuth(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	issuer := httptest.NewServer(mux)
	defer issuer.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	b := newBench(t, strings.ReplaceAll(`  e: {flow: f.yaml, endpoint: {auth: {oauth: {issuer: "ISSUER", audience: "api://hooks", scopes: [flows.start], clients: [hr], allowPrivate: true}}}}
  keys: {flow: f.yaml, endpoint: {auth: {oauth: {issuer: "ISSUER", jwks: "ISSUER/keys", audience: "api://hooks", allowPrivate: true}}}}
  down: {flow: f.yaml, endpoint: {auth: {oauth: {issuer: "ISSUER/down", audience: x, allowPrivate: true}}}}
`, "ISSUER", issuer.URL))
	token := func(key *ecdsa.PrivateKey, change map[string]any) string {
		claims := map[string]any{"iss": issuer.URL, "aud": "api://hooks", "exp": b.now.Unix() + 60, "scp": []string{"flows.start"}, "cid": "hr"}
		for name, v := range change {
			claims[name] = v
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	symmetric, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := jwt.Signed(symmetric).Claims(map[string]any{"iss": issuer.URL, "aud": "api://hooks", "exp": b.now.Unix() + 60}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, hook, token string
		status            int
	}{
		{"good", "e", token(key, nil), 202},
		{"scope as a text, client as client_id", "e", token(key, map[string]any{"scp": nil, "scope": "a flows.start", "cid": "", "client_id": "hr"}), 202},
		{"keys by address", "keys", token(key, map[string]any{"scp": nil}), 202},
		{"no token", "e", "", 401},
		{"nonsense", "e", "a.b.c", 401},
		{"another key", "e", token(other, nil), 401},
		{"symmetric", "e", weak, 401},
		{"another audience", "e", token(key, map[string]any{"aud": "api://other"}), 401},
		{"another issuer", "e", token(key, map[string]any{"iss": "https://evil.example.com"}), 401},
		{"expired", "e", token(key, map[string]any{"exp": b.now.Unix() - 600}), 401},
		{"no scope", "e", token(key, map[string]any{"scp": []string{"flows.read"}}), 403},
		{"another client", "e", token(key, map[string]any{"cid": "crm"}), 403},
		{"the issuer is down", "down", token(key, nil), 503},
		{"the issuer is still down", "down", token(key, nil), 503},
	} {
		if status, body, _ := b.send("POST", "/hooks/"+test.hook, "{}", "Authorization", "Bearer "+test.token); status != test.status {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.status)
		}
	}
	if len(b.fake.calls) != 3 {
		t.Errorf("%d calls, want 3", len(b.fake.calls))
	}
}

func TestRate(t *testing.T) {
	b := newBench(t, "  e: {flow: f.yaml, endpoint: {auth: {token: env:S}, limits: {rate: 1, burst: 2}}}\n")
	call := func() int {
		status, _, _ := b.send("POST", "/hooks/e", "", "X-Api-Client-Token", secretText)
		return status
	}
	for range 5 { // who may not call takes nobody's place
		b.send("POST", "/hooks/e", "")
	}
	got := []int{call(), call(), call()}
	status, body, h := b.send("POST", "/hooks/e", "", "X-Api-Client-Token", secretText)
	if status != 429 || h.Get("Retry-After") != "1" || body != `{"error":"rate limited","message":"more than 1 requests a second"}` {
		t.Errorf("beyond the limit: %d %s, Retry-After %q", status, body, h.Get("Retry-After"))
	}
	b.now = b.now.Add(time.Second)
	got = append(got, call(), call())
	if diff := cmp.Diff([]int{202, 202, 429, 202, 429}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestOktaHook(t *testing.T) {
	b := newBench(t, "  o: {flow: f.yaml, okta: {secret: env:S, limits: {body: 100}}}\n  a: {flow: f.yaml, auth0: {secret: env:S, header: X-Auth}}\n")
	b.want(200, `{"verification":"c-<1>"}`)(b.send("GET", "/hooks/o", "", "x-okta-verification-challenge", "c-<1>"))
	b.want(400, `{"error":"invalid","message":"the header x-okta-verification-challenge is missing"}`)(b.send("GET", "/hooks/o", ""))
	b.want(405, `{"error":"usage","message":"a hook takes POST"}`)(b.send("GET", "/hooks/a", ""))
	b.fake.delivered = trigger.Delivered{Accepted: 2, Duplicates: 1}
	b.want(200, `{"accepted":2,"duplicates":1,"refused":0}`)(b.send("POST", "/hooks/o", `{"x":1}`, "Authorization", secretText))
	b.want(200, `{"accepted":2,"duplicates":1,"refused":0}`)(b.send("POST", "/hooks/a", `{"y":1}`, "X-Auth", secretText))
	b.want(401, `{"error":"unauthorized","message":"the header Authorization does not have the secret of this hook"}`)(b.send("POST", "/hooks/o", `{}`, "Authorization", "x"))
	b.want(401, `{"error":"unauthorized","message":"the header X-Auth does not have the secret of this hook"}`)(b.send("POST", "/hooks/a", `{}`, "Authorization", secretText))
	b.want(413, `{"error":"too large","message":"the request body has more than 100 bytes"}`)(b.send("POST", "/hooks/o", strings.Repeat(" ", 101), "Authorization", secretText))
	if diff := cmp.Diff([]string{`{"x":1}`, `{"y":1}`}, b.fake.bodies); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// Whatever comes in a request: it is read or refused, and the client token never
// reaches the flow.
func FuzzReadCall(f *testing.F) {
	f.Add("a=1&clientToken=x", "k", []byte(`{"a":1}`))
	f.Add("a=%zz", "", []byte{0xff})
	f.Add("a;b", "k", []byte(`{"a":1}{"b":2}`))
	f.Fuzz(func(t *testing.T, query, key string, body []byte) {
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{"Idempotency-Key": {key}}}
		c, err := readCall(r, body)
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
				t.Errorf("readCall = %v", err)
			}
			return
		}
		if _, there := c.Query[trigger.TokenQuery]; there || c.Fingerprint == "" {
			t.Errorf("call = %+v", c)
		}
	})
}
