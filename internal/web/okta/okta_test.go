package okta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

const org = "https://test.okta.com"

// bench is one org with a fresh directory, fixed ids, and a clock that moves one
// second with each request, so that timestamps in second resolution tell changes
// apart.
type bench struct {
	t       *testing.T
	dir     *directory.Directory
	imports *importer.Importer // works when a test says so
	api     *okta.API
	http    http.Handler // the API, its answers checked against Okta's description
	clock   *directorytest.Clock
	token   string
}

// newBench returns an empty org: only the group Everyone. Options may be
// changed before the API is made.
func newBench(t *testing.T, change ...func(*okta.Options)) *bench {
	t.Helper()
	b := newDirectory(t)
	err := b.dir.AddRealm(context.Background(), directory.Realm{ID: directory.OktaRealm, Kind: directory.Okta, Name: "Test"})
	if err != nil {
		t.Fatalf("AddRealm: %v", err)
	}
	return b.serve(change...)
}

// newSeeded returns the org of a new sandbox.
func newSeeded(t *testing.T, change ...func(*okta.Options)) *bench {
	t.Helper()
	b := newDirectory(t)
	if err := directory.Seed(context.Background(), b.dir); err != nil {
		t.Fatalf("Seed: %v", err)
	}
	return b.serve(change...)
}

func newDirectory(t *testing.T) *bench {
	t.Helper()
	db := sqlitetest.Open(t)
	c := directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 891e6, time.UTC))
	d := directory.New(db.Directory())
	d.Clock = c.Now
	d.IDs = &directory.IDs{Clock: c.Now, Random: rand.NewChaCha8([32]byte{})}
	d.Hash = func(password string) (string, error) { return "hashed:" + password, nil }
	d.Check = func(hash, password string) (bool, error) { return hash == "hashed:"+password, nil }
	imports := &importer.Importer{Directory: d, Store: db.Importer(), Realm: directory.OktaRealm}
	return &bench{t: t, dir: d, imports: imports, clock: c, token: "SSWS good"}
}

func (b *bench) serve(change ...func(*okta.Options)) *bench {
	o := okta.Options{
		Directory:  b.dir,
		Authorizer: okta.Tokens(map[string]string{"good": directory.Administrator}),
		BaseURL:    org,
		Sources:    b.imports,
	}
	for _, f := range change {
		f(&o)
	}
	b.api = okta.New(o)
	b.http = webtest.Okta(b.t).Handler(b.t, b.api)
	return b
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request; path may have a query. A body that is not "" is JSON.
func (b *bench) call(method, path, body string, headers ...string) answer {
	b.t.Helper()
	b.clock.Step(time.Second)
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, org+path, reader)
	r.Header.Set("Authorization", b.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	b.http.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// ok sends a request that must be answered with a status.
func (b *bench) ok(status int, method, path, body string, headers ...string) answer {
	b.t.Helper()
	a := b.call(method, path, body, headers...)
	if a.status != status {
		b.t.Fatalf("%s %s = %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// object reads the answer's JSON object.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %q is not a JSON object: %v", a.body, err)
	}
	return v
}

// list reads one member of each object of the answer's JSON array.
func (a answer) list(t *testing.T, path ...string) []string {
	t.Helper()
	var v []map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %q is not a JSON array: %v", a.body, err)
	}
	out := []string{}
	for _, o := range v {
		var at any = o
		for _, key := range path {
			at = at.(map[string]any)[key]
		}
		out = append(out, at.(string))
	}
	return out
}

// keys returns the keys of a JSON object in the order of the text.
func keys(t *testing.T, object string) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(object)))
	if _, err := dec.Token(); err != nil {
		t.Fatalf("%q: %v", object, err)
	}
	var out []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatalf("%q: %v", object, err)
		}
		out = append(out, key.(string))
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			t.Fatalf("%q: %v", object, err)
		}
	}
	return out
}

const ann = `{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann@example.com"}}`

const annWithPassword = `{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann@example.com"},` +
	`"credentials":{"password":{"value":"Sesame4you"}}}`

// user creates a user and returns its id.
func (b *bench) user(body, query string) string {
	b.t.Helper()
	return b.ok(200, "POST", "/api/v1/users"+query, body).object(b.t)["id"].(string)
}
