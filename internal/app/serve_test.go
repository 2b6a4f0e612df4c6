package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// serving is a lanyard serve of a test.
type serving struct {
	addresses map[string]string
	stop      func() error // asks it to end and waits
}

// served serves the bench's data folder on free ports.
func (b *bench) served() *serving {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	ready, done := make(chan map[string]string, 1), make(chan error, 1)
	go func() {
		done <- b.serve(ctx, cli.ServeRequest{
			Settings: b.settings(), APIPort: -1, OktaPort: -1, Auth0Port: -1, Ready: func(a map[string]string) { ready <- a },
		})
	}()
	var ended bool
	var result error
	s := &serving{stop: func() error {
		cancel()
		if !ended {
			result, ended = <-done, true
		}
		return result
	}}
	b.t.Cleanup(func() { _ = s.stop() })
	select {
	case s.addresses = <-ready:
	case err := <-done:
		cancel()
		b.t.Fatalf("serve = %v", err)
	}
	return s
}

// get asks one of the served APIs and returns the status.
func get(t *testing.T, address, authorization string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A run through a serving process is seen by both, its people by every API.
func TestServe(t *testing.T) {
	b := newBench(t)
	b.write("flow.yaml", oktaFlow)
	bind := run.Bindings{Sandbox: true}
	p := b.planOf(b.request("flow.yaml", bind))
	s := b.served()

	for file := range map[string]bool{serveFile: true, credentialsFile: true} {
		info, err := os.Stat(b.path(".lanyard/" + file))
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want it for its owner alone", file, info, err)
		}
	}
	cred, err := readCredentials(b.path(".lanyard"))
	if err != nil {
		t.Fatal(err)
	}

	client := b.session(cli.ReadWrite)
	if _, ok := client.(remote); !ok {
		t.Fatalf("the session is a %T, want one of the serving process", client)
	}
	if err := client.Start(t.Context(), "run_1", p, map[string]any{"login": "grace@example.com"}, bind); err != nil {
		t.Fatal(err)
	}
	if r := rest(t, client, "run_1"); r.Status != run.Succeeded {
		t.Fatalf("the run %s: %s", r.Status, r.Reason)
	}
	found, err := client.People(t.Context(), "grace@example.com")
	if err != nil || len(found) != 1 {
		t.Errorf("the client sees %v, %v", found, err)
	}
	users := s.addresses["okta"] + "/api/v1/users/grace@example.com"
	if status, body := get(t, users, "SSWS "+cred.OktaAPIToken); status != http.StatusOK || !strings.Contains(body, `"grace@example.com"`) {
		t.Errorf("the Okta API answers %d %s", status, body)
	}
	for _, wrong := range []string{"", "SSWS wrong", "SSWS sandbox"} {
		if status, _ := get(t, users, wrong); status != http.StatusUnauthorized {
			t.Errorf("the Okta API lets %q in: %d", wrong, status)
		}
	}
	if status, _ := get(t, s.addresses["auth0"]+"/api/v2/users", "Bearer sandbox"); status != http.StatusUnauthorized {
		t.Errorf("the Auth0 API lets anyone in: %d", status)
	}
	if status, _ := get(t, s.addresses["auth0"]+"/api/v2/users", "Bearer "+auth0Token(t, s.addresses["auth0"], cred)); status != http.StatusOK {
		t.Errorf("the Auth0 API answers its own client %d", status)
	}
	if status, _ := get(t, s.addresses["api"]+"/api/v1/runs", "Bearer wrong"); status != http.StatusUnauthorized {
		t.Errorf("the API lets anyone in: %d", status)
	}

	if err := s.stop(); err != nil {
		t.Errorf("serve = %v", err)
	}
	if _, err := os.Stat(b.path(".lanyard/" + serveFile)); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", serveFile, err)
	}
	if _, err := client.Runs(t.Context(), worker.Filter{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the client of a stopped process gets %v", err)
	}
	own := b.session(cli.ReadWrite)
	if r, err := own.Run(t.Context(), "run_1"); err != nil || r.Status != run.Succeeded {
		t.Errorf("after serve ended: %v, %v", r, err)
	}
	if found, err := own.People(t.Context(), "GRACE@example.com"); err != nil || len(found) != 1 {
		t.Errorf("after serve ended there are %v, %v", found, err)
	}
	if again, err := readCredentials(b.path(".lanyard")); err != nil || again != cred {
		t.Errorf("the credentials were made twice: %v", err)
	}
}

// auth0Token gets a token of the served Auth0 API as any client does.
func auth0Token(t *testing.T, address string, cred credentials) string {
	t.Helper()
	res, err := http.PostForm(address+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {cred.Auth0ClientID}, "client_secret": {cred.Auth0ClientSecret},
		"audience": {address + "/api/v2/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil || token.AccessToken == "" {
		t.Fatalf("no token: %d, %v", res.StatusCode, err)
	}
	return token.AccessToken
}

const oktaFlow = `
arazzo: 1.0.1
info: {title: Make, version: "1"}
sourceDescriptions: [{name: oktaApi, url: moved-away.yaml, type: openapi}]
workflows:
  - workflowId: make
    inputs: {type: object, properties: {login: {type: string}}}
    steps:
      - stepId: create
        operationId: createUser
        requestBody: {payload: {profile: {login: $inputs.login, email: $inputs.login, firstName: Grace, lastName: Hopper}}}
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {id: $response.body#/id}
`

// What was moving when the last process ended goes on when the folder is served.
func TestServeResumes(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	called, answer := make(chan struct{}, 2), make(chan struct{})
	bind := run.Bindings{AllowPrivate: true, Servers: map[string]string{"people": provider(t, func(_ http.ResponseWriter, r *http.Request) {
		called <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	})}}
	first, err := b.open(t.Context(), b.settings(), cli.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(t.Context(), "run_1", b.planOf(b.request("flow.yaml", bind)), nil, bind); err != nil {
		t.Fatal(err)
	}
	<-called
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	b.served()
	<-called
	close(answer)
	if r := rest(t, b.session(cli.ReadOnly), "run_1"); r.Status != run.Succeeded {
		t.Errorf("the run %s: %s", r.Status, r.Reason)
	}
}

// A program that watches a run does not hold up the end of serve, and is told
// why it sees no more of it.
func TestServeEndsWhileARunIsWatched(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	called := make(chan struct{})
	bind := run.Bindings{AllowPrivate: true, Servers: map[string]string{"people": provider(t, func(_ http.ResponseWriter, r *http.Request) {
		close(called)
		<-r.Context().Done()
	})}}
	p := b.planOf(b.request("flow.yaml", bind))
	s := b.served()
	client := b.session(cli.ReadWrite)
	if err := client.Start(t.Context(), "run_1", p, nil, bind); err != nil {
		t.Fatal(err)
	}
	<-called
	watched := make(chan error, 1)
	go func() {
		_, err := client.Records(t.Context(), "run_1", 1, true)
		watched <- err
	}()
	begin := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("serve = %v", err)
	}
	if took := time.Since(begin); took > shutdownTime/2 {
		t.Errorf("serve took %v to end", took)
	}
	if err := <-watched; !fault.Is(err, fault.Unavailable) {
		t.Errorf("whoever watched got %v, want Unavailable", err)
	}
}

func TestServePortTaken(t *testing.T) {
	b := newBench(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	err = b.serve(t.Context(), cli.ServeRequest{Settings: b.settings(), APIPort: -1, OktaPort: port, Auth0Port: -1, Ready: func(map[string]string) { t.Error("it is ready") }})
	if !fault.Is(err, fault.Usage) || !strings.Contains(fault.Public(err), strconv.Itoa(port)) || !strings.Contains(fault.Public(err), "--okta-port") {
		t.Errorf("serve = %v", err)
	}
	if holder, _ := LockHolder(t.Context(), b.settings().Data); holder != "" {
		t.Errorf("the folder is still held by %s", holder)
	}
}

func TestListen(t *testing.T) {
	for listen, refused := range map[string]bool{
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "localhost": false,
		"0.0.0.0": true, "::": true, "192.0.2.1": true, "example.com": true, "localhost.example.com": true, "10.0.0.1": true,
	} {
		err := checkListen(cli.ServeRequest{Listen: listen})
		if fault.Is(err, fault.Refused) != refused || (err == nil) == refused {
			t.Errorf("listening on %s = %v, refused %t", listen, err, refused)
		}
		if err := checkListen(cli.ServeRequest{Listen: listen, AllowRemote: true}); err != nil {
			t.Errorf("listening on %s although it was said explicitly = %v", listen, err)
		}
	}
	// Nothing is made before that is known.
	b := newBench(t)
	b.write("lanyard.yaml", "serve: {listen: 0.0.0.0}")
	if err := b.serve(t.Context(), cli.ServeRequest{Settings: b.settings()}); !fault.Is(err, fault.Refused) {
		t.Errorf("serve = %v, want Refused", err)
	}
	if _, err := os.Stat(b.settings().Data); !os.IsNotExist(err) {
		t.Errorf("the data folder was made: %v", err)
	}
}

func TestReachable(t *testing.T) {
	for base, want := range map[string]string{
		"http://0.0.0.0:8480": "http://127.0.0.1:8480", "http://[::]:8480": "http://[::1]:8480", "http://10.0.0.1:8480": "http://10.0.0.1:8480",
	} {
		if got := reachable(base); got != want {
			t.Errorf("reachable(%s) = %s, want %s", base, got, want)
		}
	}
}

// Flags win over the file, and that over the defaults.
func TestServeSettings(t *testing.T) {
	file := &config.Config{Serve: config.Serve{Listen: "::1", APIPort: 1, OktaPort: 2, Auth0Port: 3, PlainHTTP: true}}
	for _, test := range []struct {
		name  string
		flags cli.ServeRequest
		file  *config.Config
		want  cli.ServeRequest
	}{
		{"defaults", cli.ServeRequest{}, &config.Config{}, cli.ServeRequest{Listen: "127.0.0.1", APIPort: 8480, OktaPort: 8481, Auth0Port: 8482}},
		{"file", cli.ServeRequest{}, file, cli.ServeRequest{Listen: "::1", APIPort: 1, OktaPort: 2, Auth0Port: 3, AllowRemote: true}},
		{
			"flags", cli.ServeRequest{Listen: "127.0.0.2", APIPort: 7, OktaPort: -1}, file,
			cli.ServeRequest{Listen: "127.0.0.2", APIPort: 7, OktaPort: 0, Auth0Port: 3, AllowRemote: true},
		},
		{"TLS", cli.ServeRequest{}, &config.Config{Serve: config.Serve{TLS: true}}, cli.ServeRequest{Listen: "127.0.0.1", APIPort: 8480, OktaPort: 8481, Auth0Port: 8482, TLS: true}},
	} {
		merge(&test.flags, test.file)
		if diff := cmp.Diff(test.want, test.flags); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestCredentialsThatDoNotRead(t *testing.T) {
	b := newBench(t)
	for _, text := range []string{"", "{}", `{"oktaApiToken":"x"}`} {
		b.write(credentialsFile, text)
		if _, err := readCredentials(b.dir); !fault.Is(err, fault.Internal) || !strings.Contains(fault.Public(err), "remove the file") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
