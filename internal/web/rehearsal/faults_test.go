package rehearsal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// facade is a façade that counts what it handles.
type facade struct {
	handle http.HandlerFunc

	mu      sync.Mutex
	handled int
}

func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.handled++
	f.mu.Unlock()
	if f.handle != nil {
		f.handle(w, r)
	}
}

func (f *facade) Refuse(w http.ResponseWriter, _ *http.Request, status int, wait time.Duration) {
	w.Header().Set("X-Wait", wait.String())
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"errorCode":"` + strconv.Itoa(status) + `"}`))
}

func (f *facade) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handled
}

func loaded(t *testing.T, text string) *rehearsal.Faults {
	t.Helper()
	f := rehearsal.NewFaults(scope, rehearsal.Limits{}, nil)
	if err := f.Load("f.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// ask sends requests and returns their statuses.
func ask(h http.Handler, n int, method, path string, authorization ...string) []int {
	var out []int
	for range n {
		r := httptest.NewRequest(method, path, nil)
		for _, a := range authorization {
			r.Header.Set("Authorization", a)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		out = append(out, w.Code)
	}
	return out
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rules string
		want  []int
	}{
		{"", []int{200, 200, 200, 200, 200, 200}},
		{"{effect: error, status: 500}", []int{500, 500, 500, 500, 500, 500}},
		{"{times: [1, 3], effect: error, status: 500}", []int{500, 200, 500, 200, 200, 200}},
		{"{first: 2, effect: error, status: 500}", []int{500, 500, 200, 200, 200, 200}},
		{"{every: 3, effect: error, status: 500}", []int{200, 200, 500, 200, 200, 500}},
		{"{probability: 1, effect: error, status: 500}", []int{500, 500, 500, 500, 500, 500}},
		// A rule counts what those above it leave.
		{"{first: 1, effect: error, status: 429}, {first: 1, effect: error, status: 500}", []int{429, 500, 200, 200, 200, 200}},
		{"{every: 2, effect: error, status: 429}, {every: 2, effect: error, status: 500}", []int{200, 429, 500, 429, 200, 429}},
	} {
		h := loaded(t, "rules: ["+test.rules+"]").Wrap("okta", &facade{})
		if diff := cmp.Diff(test.want, ask(h, 6, "GET", "/x")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.rules, diff)
		}
	}
}

// Chances are the same again with the same seed, others with another, and about
// as many as was asked for.
func TestProbability(t *testing.T) {
	t.Parallel()
	with := func(seed string) []int {
		h := loaded(t, "seed: "+seed+"\nrules: [{probability: 0.2, effect: error, status: 500}]").Wrap("okta", &facade{})
		return ask(h, 1000, "GET", "/")
	}
	one, again, other := with("1"), with("1"), with("2")
	if !cmp.Equal(one, again) || cmp.Equal(one, other) {
		t.Error("a seed does not decide the chances")
	}
	failed := 0
	for _, status := range one {
		if status == 500 {
			failed++
		}
	}
	if failed < 150 || failed > 250 {
		t.Errorf("%d of 1000 failed, want about 200", failed)
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("the-token"))
	digest := hex.EncodeToString(sum[:])
	jwt := "Bearer e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"cid":"0oa1","sub":"x"}`)) + ".sig"
	for _, test := range []struct {
		rule, method, path, authorization string
		want                              bool
	}{
		{"", "GET", "/api/v1/users", "", true},
		{"api: okta", "GET", "/x", "", true},
		{"api: auth0", "GET", "/x", "", false},
		{"method: POST", "POST", "/x", "", true},
		{"method: POST", "GET", "/x", "", false},
		{"method: [POST, PUT]", "PUT", "/x", "", true},
		{"path: /api/v1/users/*", "GET", "/api/v1/users/a%2Fb", "", true},
		{"path: /api/v1/users/*", "GET", "/api/v1/users", "", false},
		{"operation: createUser", "POST", "/api/v1/users", "", true},
		{"operation: createUser", "GET", "/api/v1/users", "", false},
		{"operation: createUser", "POST", "/api/v2/users", "", false}, // that of the other API
		{"caller: 0oa1", "GET", "/x", jwt, true},
		{"caller: 0oa2", "GET", "/x", jwt, false},
		{"caller: 0oa1", "GET", "/x", "SSWS 0oa1", false},
		{"caller: 0oa1", "GET", "/x", "Bearer a.%%%.c", false},
		{"caller: sha256:" + digest[:9], "GET", "/x", "SSWS the-token", true},
		{"caller: sha256:" + digest, "GET", "/x", "Bearer the-token", true},
		{"caller: sha256:" + digest, "GET", "/x", "SSWS another", false},
		{"caller: sha256:00000000", "GET", "/x", "", false},
	} {
		h := loaded(t, "rules: [{effect: error, status: 500, "+test.rule+"}]").Wrap("okta", &facade{})
		if got := ask(h, 1, test.method, test.path, test.authorization)[0] == 500; got != test.want {
			t.Errorf("%s on %s %s %q: %v, want %v", test.rule, test.method, test.path, test.authorization, got, test.want)
		}
	}
}

// A setting can be changed while requests come; counts tell what happened, and
// one that is wrong changes nothing.
func TestLoad(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := rehearsal.NewFaults(scope, rehearsal.Limits{Share: 10}, slog.New(slog.NewTextHandler(&log, nil)))
	h := f.Wrap("okta", &facade{})
	if got := f.Report(); len(got.Faults.Rules) != 0 || got.Counts == nil || f.Limits() != (rehearsal.Limits{Share: 10}) {
		t.Errorf("at the beginning: %+v %+v", got, f.Limits())
	}
	if err := f.Load("a", []byte("limits: {enforce: true}\nrules: [{name: a, first: 2, effect: error, status: 503}, {name: b, method: PUT, effect: reset}]")); err != nil {
		t.Fatal(err)
	}
	ask(h, 5, "GET", "/users/ada", "SSWS hunter2")
	if err := f.Load("wrong", []byte("rules: 5")); !fault.Is(err, fault.Invalid) {
		t.Errorf("a wrong setting is %v", err)
	}
	want := []rehearsal.Count{{Rule: "a", Reached: 5, Fired: 2}, {Rule: "b"}}
	if diff := cmp.Diff(want, f.Report().Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if !f.Limits().Enforce || f.Limits().Share != 0 {
		t.Errorf("limits are %+v, want those of the setting", f.Limits())
	}
	sum := sha256.Sum256([]byte("hunter2"))
	for _, part := range []string{"fault injected", "rule=a", "effect=error", "api=okta", "method=GET", "path=/users/ada", "caller=sha256:" + hex.EncodeToString(sum[:4]) + "\n"} {
		if strings.Count(log.String(), part) != 2 {
			t.Errorf("the log has %q not twice:\n%s", part, log.String())
		}
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Error("the log has the token")
	}
	f.Clear()
	if got := ask(h, 1, "GET", "/")[0]; got != 200 || f.Limits().Enforce {
		t.Errorf("after Clear: %d, %+v", got, f.Limits())
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	const text = "rules: [{probability: 0.5, effect: error, status: 500}, {every: 2, effect: error, status: 429}]"
	f := loaded(t, text)
	h := f.Wrap("okta", &facade{})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			ask(h, 250, "GET", "/")
			if i == 0 {
				_ = f.Report()
			}
		})
	}
	group.Wait()
	if c := f.Report().Counts; c[0].Reached != 1000 || c[1].Reached != 1000-c[0].Fired || c[1].Fired != c[1].Reached/2 {
		t.Errorf("counts %+v do not add up to 1000", c)
	}
}

// Whatever a client sends as its credential, it only decides who it is.
func FuzzCaller(f *testing.F) {
	f.Add("Bearer e30.eyJjaWQiOiIwb2ExIn0.x")
	f.Add("SSWS a.b.c")
	f.Add("DPoP e30.bnVsbA.")
	f.Fuzz(func(t *testing.T, authorization string) {
		faults := rehearsal.NewFaults(scope, rehearsal.Limits{}, nil)
		if err := faults.Load("f", []byte("rules: [{caller: 0oa1, effect: error, status: 500}]")); err != nil {
			t.Fatal(err)
		}
		status := ask(faults.Wrap("okta", &facade{}), 1, "GET", "/", authorization)[0]
		if status == 500 && !strings.Contains(authorization, ".") {
			t.Errorf("%q is taken for a client", authorization)
		}
	})
}
