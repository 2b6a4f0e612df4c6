package cli

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// recorder remembers what it was asked, and answers as a connection would that
// works.
type recorder struct {
	fakeConnections
	added   AddConnection
	signIn  AuthorizeConnection
	scopes  ScopesRequest
	rotated secret.Value
	now     bool
	vaultTo string
	result  RotateReport
	lacks   []string
	unknown bool // which scopes are granted
	pasted  url.Values
	public  KeyToRegister
}

func (r *recorder) Add(_ context.Context, req AddConnection) (KeyToRegister, error) {
	r.added = req
	return r.public, nil
}

func (r *recorder) Authorize(_ context.Context, req AuthorizeConnection) (connector.Granted, error) {
	r.signIn = req
	req.Show("https://example.okta.com/oauth2/v1/authorize?state=x", "http://127.0.0.1:8484/callback")
	if req.Paste != nil {
		var err error
		if r.pasted, err = req.Paste(); err != nil {
			return connector.Granted{}, err
		}
	}
	return connector.Granted{Identity: "ada@example.com", Scopes: []string{"okta.users.read", "openid"}, Expires: time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)}, nil
}

func (r *recorder) Scopes(_ context.Context, req ScopesRequest) (ScopesReport, error) {
	r.scopes = req
	s := ScopesReport{
		Name: req.Name, Kind: "private_key_jwt", Scoped: true, Granted: []string{"okta.groups.manage", "okta.users.read"},
		Needed: []string{"okta.apps.read", "okta.groups.read", "okta.users.read"}, Missing: []string{},
	}
	if r.unknown {
		s.Granted, s.Message = []string{}, "it is not known which scopes are granted: nobody has signed in to connection okta yet"
		s.Remedy = "lanyard connections authorize okta"
	}
	if len(r.lacks) > 0 {
		s.Missing, s.Message, s.Remedy = r.lacks, "missing: "+strings.Join(r.lacks, " "), "in the Admin Console open the service app"
	}
	return s, nil
}

func (r *recorder) Rotate(_ context.Context, req RotateConnection) (RotateReport, error) {
	var err error
	r.now = req.Now
	if r.rotated, err = req.Ask(config.AuthSSWS); err != nil {
		return RotateReport{}, err
	}
	return r.result, nil
}

func (r *recorder) Remove(context.Context, Settings, string) (int, error) { return 2, nil }

func (r *recorder) Vault(context.Context, Settings) (VaultReport, error) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return VaultReport{Key: secret.VaultKey{Ref: "file:key", ID: "0123456789abcdef"}, Entries: []secret.Entry{{Name: "connection/okta/token", Updated: at}}}, nil
}

func (r *recorder) RotateVault(_ context.Context, _ Settings, to string) (secret.VaultKey, error) {
	r.vaultTo = to
	return secret.VaultKey{Ref: "file:vault-fedcba9876543210.key", ID: "fedcba9876543210"}, nil
}

func TestAddConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const server = " --server https://example.okta.com"
	for _, test := range []struct {
		args, stdin string
		terminal    string // what a person types there; empty: there is none
		kind        string
		want        Credentials
		stderr      string // of a refusal
	}{
		{args: "okta --token-from env:TOKEN" + server, kind: "ssws", want: Credentials{Token: secret.NewValue("from-env")}},
		{args: "okta --token-from file:" + file + server, kind: "ssws", want: Credentials{Token: secret.NewValue("from-file")}},
		{args: "okta --token-from -" + server, stdin: "from-stdin\n", kind: "ssws", want: Credentials{Token: secret.NewValue("from-stdin")}},
		{args: "okta" + server, terminal: "typed", kind: "ssws", want: Credentials{Token: secret.NewValue("typed")}},
		{args: "x --server https://api.example.com --token-from env:TOKEN", kind: "bearer", want: Credentials{Token: secret.NewValue("from-env")}},
		{args: "x --provider auth0 --server https://api.example.com --client-id i --secret-from env:TOKEN", kind: "client_credentials", want: Credentials{ClientSecret: secret.NewValue("from-env")}},
		{args: "x --type basic --username u --password-from env:TOKEN" + server, kind: "basic", want: Credentials{Password: secret.NewValue("from-env")}},
		{args: "x --type private_key_jwt --client-id i" + server, kind: "private_key_jwt"},
		{args: "x --type private_key_jwt --client-id i --key-from env:TOKEN" + server, kind: "private_key_jwt", want: Credentials{PrivateKey: secret.NewValue("from-env")}},
		{args: "x --type authorization_code --client-id i" + server, terminal: "unasked", kind: "authorization_code"},

		{args: "okta" + server, stderr: "--token-from: the token is missing, and nobody can be asked"},
		{args: "okta" + server, terminal: " ", stderr: "--token-from: the token is empty"},
		{args: "okta --token-from -" + server, stderr: "--token-from: the token is empty"},
		{args: "okta --token-from -" + server, stdin: strings.Repeat("x", maxCredential+1), stderr: "more than 65536 bytes"},
		{args: "okta --token-from env:ABSENT" + server, stderr: "--token-from: the environment variable ABSENT is not set"},
		{args: "okta --token-from vault:x" + server, stderr: "--token-from: a credential on the command line"},
		{args: "okta --token-from s3cret" + server, stderr: "--token-from: a credential on the command line"},
		{args: "okta --token s3cret" + server, stderr: "use --token-from"},
		{args: "okta --client-secret=s3cret" + server, stderr: "use --secret-from"},
		{args: "okta s3cret" + server, stderr: "takes one name"},
		{args: "okta --tokn-from env:TOKEN" + server, stderr: "did you mean --token-from?"},
		{args: "okta --key-from env:TOKEN --token-from env:TOKEN" + server, stderr: "--key-from: a credential of type ssws has no use for it"},
		{args: "okta --type swss --token-from env:TOKEN" + server, stderr: `no kind of credential "swss"`},
		{args: "okta --token-from env:TOKEN", stderr: "--server: the server is missing"},
		{args: "okta --expires tomorrow --token-from env:TOKEN" + server, stderr: "--expires: this is not a date"},
	} {
		s := newTestIO(test.stdin, map[string]string{"TOKEN": "from-env"})
		if test.terminal != "" {
			s.InTerminal = func() bool { return true }
			s.ReadSecret = func() (string, error) { return test.terminal, nil }
		}
		var r recorder
		code := Main(t.Context(), s.IO, Product{Connections: &r}, append([]string{"connections", "add"}, strings.Fields(test.args)...))
		seen := s.out.String() + s.err.String()
		if strings.Contains(seen, "s3cret") || strings.Contains(seen, "from-") && strings.Contains(seen, test.want.Token.Reveal()) && !test.want.Token.Empty() {
			t.Errorf("%s: the credential shows in %s", test.args, seen)
		}
		if test.stderr != "" {
			if code != exitError || !strings.Contains(s.err.String(), test.stderr) || r.added.Name != "" {
				t.Errorf("%s: exit code %d, %s, want %q", test.args, code, s.err, test.stderr)
			}
			continue
		}
		reveal := func(c Credentials) []string {
			return []string{c.Token.Reveal(), c.Password.Reveal(), c.ClientSecret.Reveal(), c.PrivateKey.Reveal()}
		}
		if diff := cmp.Diff(reveal(test.want), reveal(r.added.Credentials)); code != exitOK || diff != "" || r.added.Connection.Auth.Type != test.kind {
			t.Errorf("%s: exit code %d, %s, type %s, credentials (-want +got):\n%s", test.args, code, s.err, r.added.Connection.Auth.Type, diff)
		}
	}
}

func TestTerminalThatBreaks(t *testing.T) {
	s := newTestIO("", nil)
	s.InTerminal = func() bool { return true }
	s.ReadSecret = func() (string, error) { return "", errors.New("hung up") }
	if code := Main(t.Context(), s.IO, Product{Connections: &recorder{}}, strings.Fields("connections add okta --server https://example.okta.com")); code != exitError || !strings.Contains(s.err.String(), "cannot be read") {
		t.Errorf("exit code %d, %s", code, s.err)
	}
}

// What the commands print, as people and programs see it.
func TestConnectionsGolden(t *testing.T) {
	key := &KeyToRegister{KeyID: "lanyard-1", Public: []byte(`{"kty":"RSA","kid":"lanyard-1","n":"AQAB","e":"AQAB"}`)}
	failed := &ConnectionReport{Name: "okta", State: "broken", Message: "Okta does not accept the credential (401)", Remedy: "check it"}
	for _, test := range []struct {
		name, args, stdin string
		recorder          recorder
		code              int
	}{
		{"connections-add-key", "connections add okta --server https://example.okta.com --type private_key_jwt --client-id i", "", recorder{public: *key}, exitOK},
		{"connections-add-json", "connections add okta --server https://example.okta.com --type private_key_jwt --client-id i -o json", "", recorder{public: *key}, exitOK},
		{"connections-authorize", "connections authorize okta --port 8484", "", recorder{}, exitOK},
		{"connections-authorize-json", "connections authorize okta -o json", "", recorder{}, exitOK},
		{"connections-authorize-paste", "connections authorize okta --no-listen", "http://127.0.0.1:8484/callback?code=c&state=x\n", recorder{}, exitOK},
		{"connections-scopes", "connections scopes okta --for a.yaml", "", recorder{lacks: []string{"okta.apps.read"}}, exitAuth},
		{"connections-scopes-unknown", "connections scopes okta --for a.yaml", "", recorder{unknown: true}, exitAuth},
		{"connections-scopes-json", "connections scopes okta -o json", "", recorder{}, exitOK},
		{"connections-rotate", "connections rotate okta --token-from -", "new", recorder{result: RotateReport{Switched: true}}, exitOK},
		{"connections-rotate-refused", "connections rotate okta --token-from -", "new", recorder{result: RotateReport{Test: failed}}, exitAuth},
		{"connections-rotate-key-json", "connections rotate okta --token-from - -o json", "new", recorder{result: RotateReport{Key: key, Test: failed}}, exitOK},
		{"connections-remove", "connections remove okta", "", recorder{}, exitOK},
		{"connections-remove-json", "connections remove okta -o json", "", recorder{}, exitOK},
		{"vault-show", "vault show", "", recorder{}, exitOK},
		{"vault-show-json", "vault show -o json", "", recorder{}, exitOK},
		{"vault-rotate", "vault rotate", "", recorder{}, exitOK},
		{"vault-rotate-json", "vault rotate --to file:k -o json", "", recorder{}, exitOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestIO(test.stdin, nil)
			text := transcript(t.Context(), s, Product{Connections: &test.recorder}, strings.Fields(test.args)...)
			golden(t, test.name, text)
			if want := "-- exit " + string(rune('0'+test.code)) + " --\n"; !strings.HasSuffix(text, want) {
				t.Errorf("%s: want %s", text, want)
			}
		})
	}
}

func TestAuthorizeFlags(t *testing.T) {
	for _, test := range []struct {
		args, stdin string
		check       func(*recorder) bool
		stderr      string
	}{
		{"okta --scope a --scope b --open", "", func(r *recorder) bool {
			return cmp.Equal(r.signIn.Scopes, []string{"a", "b"}) && r.signIn.Open && r.signIn.Paste == nil
		}, ""},
		{"okta --for a.yaml --for b.yaml --dialect compat", "", func(r *recorder) bool {
			return len(r.signIn.For) == 2 && r.signIn.For[1].File == "b.yaml" && r.signIn.For[0].Dialect == "compat"
		}, ""},
		{"okta --no-listen", "code=c&state=s", func(r *recorder) bool { return r.signIn.Port == pastePort && r.pasted.Get("code") == "c" }, ""},
		{"okta --no-listen --redirect-uri https://x.example.com/back", "https://x.example.com/back?error=access_denied&state=s#frag\n", func(r *recorder) bool {
			return r.signIn.Redirect == "https://x.example.com/back" && r.pasted.Get("error") == "access_denied"
		}, ""},
		{"okta --no-listen", "https://x.example.com/\n", nil, "it holds no code"},
		{"okta --no-listen", "", nil, "it holds no code"},
		{"okta --scope a --for b.yaml", "", nil, "--scope, --for: "},
		{"okta --redirect-uri https://x.example.com", "", nil, "add --no-listen"},
		{"okta --port 99999", "", nil, "there is no port 99999"},
		{"okta --dialect loose", "", nil, "there is no dialect"},
	} {
		s := newTestIO(test.stdin, nil)
		var r recorder
		code := Main(t.Context(), s.IO, Product{Connections: &r}, append([]string{"connections", "authorize"}, strings.Fields(test.args)...))
		if test.check == nil {
			if code != exitError || !strings.Contains(s.err.String(), test.stderr) {
				t.Errorf("%s: exit code %d, %s, want %q", test.args, code, s.err, test.stderr)
			}
			continue
		}
		if code != exitOK || !test.check(&r) {
			t.Errorf("%s: exit code %d, %s, asked for %+v", test.args, code, s.err, r.signIn)
		}
	}
}

// A build without connections says so.
func TestNoConnections(t *testing.T) {
	for _, args := range []string{"add x --server https://x.okta.com --token-from env:T", "list", "show x", "authorize x", "test", "scopes x", "rotate x", "remove x"} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, Product{}, append([]string{"connections"}, strings.Fields(args)...)); code != exitError || !strings.Contains(s.err.String(), "this build has no connections") {
			t.Errorf("%s: exit code %d, %s", args, code, s.err)
		}
	}
	for _, args := range []string{"show", "rotate"} {
		s := newTestIO("", nil)
		if Main(t.Context(), s.IO, Product{}, []string{"vault", args}); !strings.Contains(s.err.String(), "this build has no connections") {
			t.Errorf("vault %s: %s", args, s.err)
		}
	}
}

func TestAttributionInTraces(t *testing.T) {
	s := play(t, "succeeded")
	j := s.journals["succeeded"]
	j.summary.StartedBy = "grace"
	for i, r := range j.records {
		if len(r.Intents) > 2 {
			j.records[i].Intents = []byte(strings.Replace(string(r.Intents), `"source":`, `"connection":"okta","identity":"svc@example.com","source":`, 1))
		}
	}
	s.journals["succeeded"] = j
	out := newTestIO("", nil)
	Main(t.Context(), out.IO, newProduct(s).Product, []string{"runs", "show", "succeeded"})
	for _, want := range []string{" by grace, took ", "by connection okta, as svc@example.com"} {
		if !strings.Contains(out.out.String(), want) {
			t.Errorf("the trace has no %q:\n%s", want, out.out)
		}
	}
	out = newTestIO("", nil)
	Main(t.Context(), out.IO, newProduct(s).Product, []string{"runs", "show", "succeeded", "-o", "json"})
	for _, want := range []string{`"startedBy": "grace"`, `"connection": "okta"`, `"identity": "svc@example.com"`} {
		if !strings.Contains(out.out.String(), want) {
			t.Errorf("the report has no %s", want)
		}
	}
}

func FuzzRedirected(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:8484/callback?code=c&state=s", "code=c", "?error=x#y", "%zz", "a?b?code=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, ok := redirected(text)
		if ok && !values.Has("code") && !values.Has("error") {
			t.Errorf("%q was taken for the end of a sign-in: %v", text, values)
		}
	})
}
