package secret_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

func TestValueDoesNotShow(t *testing.T) {
	v := secret.NewValue("hunter2")
	type holder struct {
		Public  secret.Value
		private secret.Value
		deep    []any
	}
	h := holder{v, v, []any{v, &v}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v, "h", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v, "h", h)
	inJSON, err := json.Marshal(map[string]any{"v": v, "h": h, "p": &v})
	if err != nil {
		t.Fatal(err)
	}
	asKey, err := json.Marshal(map[secret.Value]int{v: 1})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{v.String(), v.GoString(), log.String(), string(inJSON), string(asKey)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, v), fmt.Sprintf(verb, &v), fmt.Sprintf(verb, h), fmt.Sprintf(verb, []any{h}))
	}
	for _, s := range shown {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e74657232") {
			t.Errorf("the value shows in %s", s)
		}
	}
	if v.Reveal() != "hunter2" || v.Empty() || !(secret.Value{}).Empty() || !v.Equal(secret.NewValue("hunter2")) || v.Equal(secret.Value{}) {
		t.Error("the value is not what it was made of")
	}
}

func TestParseRef(t *testing.T) {
	for _, s := range []string{"env:TOKEN", "file:/run/secrets/x", `file:C:\key`, "vault:okta.token"} {
		if ref, err := secret.ParseRef(s); err != nil || string(ref) != s {
			t.Errorf("ParseRef(%q) = %q, %v", s, ref, err)
		}
	}
	for _, s := range []string{"", "s3cret-literal", "env:", "env:A B", "env:A=B", "vault:", "https://x", "ENV:X", "file:a\nb"} {
		_, err := secret.ParseRef(s)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "env:NAME") {
			t.Errorf("ParseRef(%q) = %v, want Invalid with the remedy", s, err)
		}
		if s != "" && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("ParseRef(%q) quotes what may be the credential: %v", s, err)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	vault := newVault(t)
	if err := vault.Put(t.Context(), "token", secret.NewValue("from vault")); err != nil {
		t.Fatal(err)
	}
	var warned []string
	r := &secret.Resolver{
		Env: func(name string) (string, bool) {
			v, ok := map[string]string{"TOKEN": "from env", "BLANK": ""}[name]
			return v, ok
		},
		Vault: vault,
		Warn:  func(m string) { warned = append(warned, m) },
	}
	tests := []struct {
		ref, want string
		kind      fault.Kind // when want is empty
	}{
		{"env:TOKEN", "from env", 0},
		{"env:OTHER", "", fault.Unauthorized},
		{"env:BLANK", "", fault.Unauthorized},
		{write("mine", "from file\r\n", 0o600), "from file", 0},
		{write("open", "from file", 0o644), "from file", 0},
		{write("blank", "\n", 0o600), "", fault.Unauthorized},
		{write("large", strings.Repeat("x", 64<<10+1), 0o600), "", fault.TooLarge},
		{"file:" + filepath.Join(dir, "none"), "", fault.Unauthorized},
		{"file:" + dir, "", fault.Unauthorized},
		{"vault:token", "from vault", 0},
		{"vault:none", "", fault.Unauthorized},
		{"literal", "", fault.Invalid},
	}
	for _, tt := range tests {
		got, err := r.Resolve(t.Context(), secret.Ref(tt.ref))
		if tt.want == "" {
			if err == nil || fault.KindOf(err) != tt.kind {
				t.Errorf("Resolve(%s) = %v, want kind %v", tt.ref, err, tt.kind)
			}
		} else if err != nil || got.Reveal() != tt.want {
			t.Errorf("Resolve(%s) = %q, %v, want %q", tt.ref, got.Reveal(), err, tt.want)
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "open can be read by others") {
		t.Errorf("warnings = %q, want one, about the open file", warned)
	}
	if _, err := (&secret.Resolver{}).Resolve(t.Context(), "vault:x"); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("without a vault: %v, want Unauthorized", err)
	}
}

func TestOpenKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	// All who race for a new key get the same one.
	var wg sync.WaitGroup
	sealed := make([][]byte, 8)
	for i := range sealed {
		wg.Go(func() {
			k, err := secret.OpenKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			sealed[i], err = k.Seal([]byte("hello"), []byte("a"))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k, err := secret.OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sealed {
		if plain, err := k.Open(s, []byte("a")); err != nil || string(plain) != "hello" {
			t.Errorf("opening what racer %d sealed = %q, %v", i, plain, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v, want the key alone", entries)
	}
	info, err := os.Stat(filepath.Join(dir, "key"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("the key file is %v, %v, want 32 bytes, 0600", info, err)
	}

	if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.OpenKey(dir); !fault.Is(err, fault.Refused) {
		t.Errorf("a key that everyone can read = %v, want Refused", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(dir, "key"), 0o600)
	if _, err := secret.OpenKey(dir); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("a damaged key = %v, want its size named", err)
	}
}

func TestSeal(t *testing.T) {
	k, other := newKey(t, 1), newKey(t, 2)
	sealed, err := k.Seal([]byte("hunter2"), []byte("run 1"))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := k.Seal([]byte("hunter2"), []byte("run 1"))
	if bytes.Equal(sealed, again) || bytes.Contains(sealed, []byte("hunter2")) {
		t.Error("sealing is not hiding")
	}
	if plain, err := k.Open(sealed, []byte("run 1")); err != nil || string(plain) != "hunter2" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if empty, err := k.Seal(nil, nil); err != nil {
		t.Error(err)
	} else if plain, err := k.Open(empty, nil); err != nil || len(plain) != 0 {
		t.Errorf("Open of nothing = %q, %v", plain, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"other purpose": func() ([]byte, error) { return k.Open(sealed, []byte("run 2")) },
		"other key":     func() ([]byte, error) { return other.Open(sealed, []byte("run 1")) },
		"changed":       func() ([]byte, error) { return k.Open(flipped, []byte("run 1")) },
		"cut":           func() ([]byte, error) { return k.Open(sealed[:10], []byte("run 1")) },
		"empty":         func() ([]byte, error) { return k.Open(nil, []byte("run 1")) },
		"version":       func() ([]byte, error) { return k.Open(append([]byte{9}, sealed[1:]...), []byte("run 1")) },
		"no key":        func() ([]byte, error) { return secret.Key{}.Open(sealed, nil) },
		"no key, seal":  func() ([]byte, error) { return secret.Key{}.Seal(sealed, nil) },
	} {
		if out, err := try(); err == nil {
			t.Errorf("%s: opened to %q", name, out)
		}
	}
	if s := fmt.Sprintf("%+v %#v", k, k); strings.Contains(s, strings.Repeat("1, ", 8)) {
		t.Errorf("the key prints as %s", s)
	}
}

func TestFileVault(t *testing.T) {
	ctx := context.Background()
	v := newVault(t)
	if list, err := v.List(ctx); err != nil || len(list) != 0 {
		t.Fatalf("a new vault lists %v, %v", list, err)
	}
	for name, text := range map[string]string{"okta": "tok-okta", "auth0": "tok-auth0"} {
		if err := v.Put(ctx, name, secret.NewValue(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Put(ctx, "okta", secret.NewValue("tok-new")); err != nil {
		t.Fatal(err)
	}
	got, err := v.Get(ctx, "okta")
	if err != nil || got.Reveal() != "tok-new" {
		t.Errorf("Get(okta) = %q, %v, want the last value put", got.Reveal(), err)
	}
	list, err := v.List(ctx)
	want := []secret.Entry{{Name: "auth0", Updated: noon}, {Name: "okta", Updated: noon}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("List = %v (-want +got):\n%s", err, diff)
	}

	path := filepath.Join(v.Dir, secret.VaultFile)
	data, err := os.ReadFile(path)
	if err != nil || bytes.Contains(data, []byte("tok-")) || !json.Valid(data) {
		t.Errorf("the file is %s, %v", data, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want 0600", info.Mode())
	}
	// An entry moved under another name does not open.
	swapped := bytes.Replace(bytes.Replace(bytes.Replace(data, []byte(`"okta"`), []byte(`"x"`), 1), []byte(`"auth0"`), []byte(`"okta"`), 1), []byte(`"x"`), []byte(`"auth0"`), 1)
	if err := os.WriteFile(path, swapped, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(ctx, "okta"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a moved entry = %v, want Invalid", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}

	if err := v.Delete(ctx, "okta"); err != nil {
		t.Error(err)
	}
	if _, err := v.Get(ctx, "okta"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Get after Delete = %v, want NotFound", err)
	}
	if err := v.Delete(ctx, "okta"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Delete twice = %v, want NotFound", err)
	}
	if err := v.Put(ctx, "a\nb", secret.NewValue("x")); !fault.Is(err, fault.Usage) {
		t.Errorf("a name with a newline = %v, want Usage", err)
	}
	if err := v.Put(ctx, "a", secret.Value{}); !fault.Is(err, fault.Usage) {
		t.Errorf("an empty value = %v, want Usage", err)
	}
	for text, kind := range map[string]fault.Kind{"{": fault.Invalid, `{"version":3}`: fault.Unsupported} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := v.List(ctx); !fault.Is(err, kind) {
			t.Errorf("List of %s = %v, want %v", text, err, kind)
		}
	}
}

func TestSecretName(t *testing.T) {
	secretNames := `password client_secret clientSecret access_token refresh_token id_token authorization Authorization
		Proxy-Authorization set-cookie Set-Cookie cookie passCode tempPassword activationToken private_key privateKey
		privateKeyPem X-Api-Key apiKey api_key oktaApiToken auth0Token new_password password2 passwordHash tokens
		secretBase64 X-Amz-Security-Token client_assertion newPassword passwords otp pin secret sharedSecret code_verifier
		recovery_question credential token activationUrl password_confirmation
		resetPasswordUrl ticket ticket_url barcode_uri recovery_code recoveryCodes`
	for name := range strings.FieldsSeq(secretNames) {
		if !secret.SecretName(name) {
			t.Errorf("SecretName(%q) = false, want true", name)
		}
	}
	plainNames := `email userName token_type tokenType token_url tokenUrl passwordPolicy password_changed secretName
		nextPageToken page_token maxTokens credentials provider connection spin pinned authorizationServerId context
		public_key publicKey keyId key id cookieDomain expires_in tokenCount author`
	for name := range strings.FieldsSeq(plainNames) {
		if secret.SecretName(name) {
			t.Errorf("SecretName(%q) = true, want false", name)
		}
	}
	if secret.SecretName("") || secret.SecretName("123") {
		t.Error("names without letters are secret")
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newKey(t *testing.T, b byte) secret.Key {
	t.Helper()
	k, err := secret.NewKey(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newVault(t *testing.T) *secret.FileVault {
	t.Helper()
	return &secret.FileVault{Dir: t.TempDir(), Now: func() time.Time { return noon }}
}
