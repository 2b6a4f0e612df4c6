package provision_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// call makes the test call to a target that a handler serves.
func call(t *testing.T, auth provision.Auth, h http.HandlerFunc, calls int) (provision.Answer, error) {
	t.Helper()
	client := &provision.Client{
		Sender:  egress.New(egress.Policy{InProcess: map[string]http.Handler{"http://target.sandbox": h}}),
		Secrets: &secret.Resolver{Env: func(string) (string, bool) { return "s3cret", true }}, Now: time.Now,
	}
	auth.Token = "env:TOKEN"
	target := &provision.Target{BaseURL: "http://target.sandbox/scim", Auth: auth}
	var answer provision.Answer
	var err error
	for range calls {
		s := client.Open(target, "", "test")
		answer, err = s.Call(t.Context(), provision.TestCall())
		s.Close(t.Context())
	}
	return answer, err
}

func TestSchemes(t *testing.T) {
	for _, test := range []struct {
		auth provision.Auth
		want string
	}{
		{provision.Auth{Scheme: provision.Bearer}, "Bearer s3cret"},
		{provision.Auth{Scheme: provision.Header}, "s3cret"},
		{provision.Auth{Scheme: provision.Basic, ClientID: "ada"}, "Basic YWRhOnMzY3JldA=="},
	} {
		_, err := call(t, test.auth, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != test.want {
				t.Errorf("%s: Authorization: %s, want %s", test.auth.Scheme, got, test.want)
			}
			_, _ = io.WriteString(w, "{}")
		}, 1)
		if err != nil {
			t.Error(err)
		}
	}
}

// An access token is used until it is refused, and then once more obtained.
func TestOAuth(t *testing.T) {
	issued, used := 0, 0
	good := "t1"
	_, err := call(t, provision.Auth{Scheme: provision.OAuth, ClientID: "me", TokenURL: "http://target.sandbox/token", Scopes: []string{"scim"}},
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				body, _ := io.ReadAll(r.Body)
				form, _ := url.ParseQuery(string(body))
				if form.Get("client_id") != "me" || form.Get("client_secret") != "s3cret" || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "scim" {
					t.Errorf("token request: %v", form)
				}
				issued++
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"access_token":"t`+string(rune('0'+issued))+`","token_type":"Bearer","expires_in":3600}`)
				return
			}
			if used++; used == 3 {
				good = "t2" // the first one is revoked
			}
			if r.Header.Get("Authorization") != "Bearer "+good {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, `{"totalResults":0}`)
		}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if issued != 2 || used != 5 {
		t.Errorf("%d tokens for %d calls, want 2 for 5", issued, used)
	}
}

func TestEncodings(t *testing.T) {
	const plain = `{"totalResults":7}`
	pack := func(open func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		w := open(&b)
		_, _ = io.WriteString(w, plain)
		_ = w.Close()
		return b.String()
	}
	raw := func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 1); return f }
	for _, test := range []struct{ encoding, body string }{
		{"", plain},
		{"gzip", pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })},
		{"deflate", pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })},
		{"deflate", pack(raw)},
	} {
		answer, err := call(t, provision.Auth{Scheme: provision.Bearer}, func(w http.ResponseWriter, _ *http.Request) {
			if test.encoding != "" {
				w.Header().Set("Content-Encoding", test.encoding)
			}
			_, _ = io.WriteString(w, test.body)
		}, 1)
		if err != nil || answer.Body["totalResults"] == nil {
			t.Errorf("%s: %v, %v", test.encoding, answer, err)
		}
	}
	_, err := call(t, provision.Auth{Scheme: provision.Bearer}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, plain)
	}, 1)
	if err == nil {
		t.Error("an encoding that was not asked for was read")
	}
}
