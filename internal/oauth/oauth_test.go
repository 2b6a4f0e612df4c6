package oauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
)

// newServer is a Server over a seeded directory, whose administrator holds
// SUPER_ADMIN. Keys are small: they are made in tests that look at how many
// there are.
func newServer(t testing.TB) (*Server, *directorytest.Clock) {
	t.Helper()
	db := sqlitetest.Open(t)
	clock := directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC))
	d := directory.New(db.Directory())
	d.Clock, d.IDs = clock.Now, directory.NewIDs(clock.Now)
	if err := directory.Seed(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	return serverOver(t, d), clock
}

func serverOver(t testing.TB, d *directory.Directory) *Server {
	t.Helper()
	key, err := secret.NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &Server{
		Directory: d, Key: key, Clients: Applications{Directory: d, Realm: directory.OktaRealm},
		Roles: func(_ context.Context, id string) ([]string, error) {
			if id == directory.Administrator {
				return []string{superAdmin}, nil
			}
			return nil, nil
		},
		GenerateKey: func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) },
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s, clock := newServer(t)
	ctx := t.Context()
	old, err := s.sign(ctx, accessClaims{ID: "AT.x", Issuer: "https://a"}, accessType)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Keys(ctx)
	if err != nil || len(first) != 1 || first[0].Use != "sig" || first[0].Algorithm != "RS256" || !first[0].IsPublic() {
		t.Fatalf("Keys = %+v, %v", first, err)
	}
	if err := s.RotateKey(ctx, directory.System("test")); err != nil {
		t.Fatal(err)
	}
	second, err := s.Keys(ctx)
	if err != nil || len(second) != 2 || second[0].KeyID == first[0].KeyID || second[1].KeyID != first[0].KeyID {
		t.Fatalf("after a rotation: %v, %v", second, err)
	}

	again := serverOver(t, s.Directory) // after a restart, the keys are the same
	var claims accessClaims
	if ok, err := again.read(ctx, old, accessType, &claims); !ok || err != nil || claims.ID != "AT.x" {
		t.Errorf("a token of the key before: %v, %v", ok, err)
	}
	if ok, err := again.read(ctx, old, "", &claims); ok || err != nil {
		t.Errorf("an access token as an ID token: %v, %v", ok, err)
	}
	if id, _, err := again.signer(ctx); err != nil || id != second[0].KeyID {
		t.Errorf("the key that signs is %s, %v; want %s", id, err, second[0].KeyID)
	}
	clock.Step(keptKey + time.Second)
	if keys, err := again.Keys(ctx); err != nil || len(keys) != 1 || keys[0].KeyID != second[0].KeyID {
		t.Errorf("a day after the rotation: %v, %v", keys, err)
	}
	if ok, err := again.read(ctx, old, accessType, &claims); ok || err != nil {
		t.Errorf("a token of a key that is gone: %v, %v", ok, err)
	}

	wrong := serverOver(t, s.Directory)
	if wrong.Key, err = secret.NewKey([]byte(strings.Repeat("x", 32))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := wrong.signer(ctx); err == nil {
		t.Error("the keys open with another data folder's key")
	}
}

// A token is good for the org that it was made for, and for no other that
// happens to have the same keys.
func TestAccessTokenOfAnotherOrg(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	claims := s.newClaims(&Client{ID: "0oa1"}, []string{"okta.users.read"}, nil, "https://a.example.com")
	claims.ID = "AT.x"
	if err := s.Directory.Store.Update(t.Context(), func(tx directory.Tx) error {
		return s.insert(tx, grantNoun, grantOf(claims.ID), "0oa1", "", "", grantRecord{Client: "0oa1"})
	}); err != nil {
		t.Fatal(err)
	}
	token, err := s.sign(t.Context(), claims, accessType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.accessToken(t.Context(), token, "https://a.example.com"); err != nil {
		t.Errorf("at its own org: %v", err)
	}
	var refusal *Error
	if _, err := s.accessToken(t.Context(), token, "https://b.example.com"); !errors.As(err, &refusal) || refusal.Name != "access_token_invalid_issuer" {
		t.Errorf("at another org: %v", err)
	}
}

// Many first calls at once make one key.
func TestFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	other := serverOver(t, s.Directory) // as another process over the same store
	var ids sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			server := []*Server{s, other}[i%2]
			id, _, err := server.signer(t.Context())
			if err != nil {
				t.Error(err)
			}
			ids.Store(id, true)
		})
	}
	all.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d keys were made", n)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s, clock := newServer(t)
	count := func() (n int) {
		err := s.Directory.Store.View(t.Context(), func(r directory.Reader) error {
			for _, err := range r.Records(directory.RecordQuery{Realm: s.realm(), Noun: usedNoun}) {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	spend := func(id string) error {
		return s.Directory.Store.Update(t.Context(), func(tx directory.Tx) error {
			if err := s.spend(tx, &assertion{issuer: "c", id: id, expires: s.now().Add(time.Hour)}); err != nil {
				return err
			}
			return s.sweep(tx)
		})
	}
	for _, id := range []string{"a", "b"} {
		if err := spend(id); err != nil {
			t.Fatal(err)
		}
	}
	var refusal *Error
	if err := spend("a"); !errors.As(err, &refusal) || refusal.Name != "client_assertion_already_used" {
		t.Errorf("a second use: %v", err)
	}
	clock.Step(90 * time.Minute) // they expired, but not for long
	if err := spend("c"); err != nil || count() != 3 {
		t.Errorf("%d are kept, %v", count(), err)
	}
	clock.Step(90 * time.Minute)
	if err := spend("d"); err != nil || count() != 2 {
		t.Errorf("%d are kept, %v; want c and d", count(), err)
	}
}

func TestSameTarget(t *testing.T) {
	t.Parallel()
	const target = "https://example.okta.com/oauth2/v1/token"
	for text, want := range map[string]bool{
		target: true, target + "?x=1": true, target + "#x": true, "HTTPS://EXAMPLE.okta.com:443/oauth2/v1/token": true,
		"http://example.okta.com/oauth2/v1/token": false, target + "/": false, "https://example.okta.com:8443/oauth2/v1/token": false,
		"https://example.okta.com/oauth2/v1/TOKEN": false, "/oauth2/v1/token": false, "": false, "%": false,
	} {
		if got := sameTarget(text, target); got != want {
			t.Errorf("sameTarget(%q) = %v", text, got)
		}
	}
	if !sameTarget("http://127.0.0.1:8481", "http://127.0.0.1:8481/") {
		t.Error("an empty path is not the root")
	}
}

func TestIncludes(t *testing.T) {
	t.Parallel()
	held := []string{"okta.users.manage", "okta.groups.read", "okta.apps.manage.self"}
	for scope, want := range map[string]bool{
		"okta.users.manage": true, "okta.users.read": true, "okta.groups.read": true, "okta.groups.manage": false,
		"okta.apps.read": false, "okta.apps.read.self": true, "okta.users.read.self": false, "okta.user.read": false, "": false,
	} {
		if got := Includes(held, scope); got != want {
			t.Errorf("Includes(%s) = %v", scope, got)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, splitScopes(" a  b a ")); diff != "" {
		t.Error(diff)
	}
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		held []string
		role string
		want []string
	}{
		{[]string{"APP_ADMIN", "HELP_DESK_ADMIN"}, "", []string{"APP_ADMIN", "HELP_DESK_ADMIN"}},
		{[]string{"APP_ADMIN", "HELP_DESK_ADMIN"}, "HELP_DESK_ADMIN", []string{"HELP_DESK_ADMIN"}},
		{[]string{"SUPER_ADMIN"}, "APP_ADMIN", []string{"APP_ADMIN"}},
		{[]string{"ORG_ADMIN"}, "READ_ONLY_ADMIN", []string{"READ_ONLY_ADMIN"}},
		{[]string{"ORG_ADMIN"}, "SUPER_ADMIN", nil},
		{[]string{"HELP_DESK_ADMIN"}, "USER_ADMIN", nil},
		{nil, "USER_ADMIN", nil},
	} {
		if diff := cmp.Diff(test.want, narrow(test.held, test.role)); diff != "" {
			t.Errorf("narrow(%v, %s): %s", test.held, test.role, diff)
		}
	}
}

func TestFindAPIToken(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	ctx, tester := t.Context(), directory.System("test")
	var ids []string
	for _, name := range []string{"one", "two", "two"} {
		_, kept, err := s.CreateAPIToken(ctx, tester, NewAPIToken{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, kept.ID)
	}
	if kept, err := s.FindAPIToken(ctx, "one"); err != nil || kept.ID != ids[0] {
		t.Errorf("by name: %v, %v", kept, err)
	}
	if kept, err := s.FindAPIToken(ctx, ids[2]); err != nil || kept.ID != ids[2] {
		t.Errorf("by id: %v, %v", kept, err)
	}
	if _, err := s.FindAPIToken(ctx, "two"); !fault.Is(err, fault.Conflict) {
		t.Errorf("ambiguous: %v", err)
	}
	if _, err := s.FindAPIToken(ctx, "three"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: %v", err)
	}
	for _, name := range []string{"", " ", strings.Repeat("x", maxTokenName+1)} {
		if _, _, err := s.CreateAPIToken(ctx, tester, NewAPIToken{Name: name}); !fault.Is(err, fault.Invalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, _, err := s.CreateAPIToken(ctx, tester, NewAPIToken{Name: "x", Role: "READ_ADMIN"}); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "READ_ONLY_ADMIN") {
		t.Errorf("a token with a role that does not exist: %v", err)
	}
	if _, _, err := s.CreateAPIToken(ctx, tester, NewAPIToken{Name: "x", As: "00u0jonas0weber001d7"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("for somebody who is gone: %v", err)
	}
}

// What comes from strangers is refused in Okta's words, whatever it is.
func FuzzProof(f *testing.F) {
	s, _ := newServer(f)
	f.Add("", "", "x")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2In0.e30.", "https://a/", "x")
	f.Add("eyJhbGciOiJub25lIn0.e30.e30", "::", "")
	f.Fuzz(func(t *testing.T, text, target, token string) {
		_, err := s.checkProof(t.Context(), proofCheck{proofs: []string{text}, method: "POST", url: target, token: token, nonce: true})
		var refusal *Error
		if !errors.As(err, &refusal) {
			t.Errorf("checkProof(%q) = %v", text, err)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	s, _ := newServer(f)
	f.Add("")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4Iiwic3ViIjoieCIsImV4cCI6MX0.eA")
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjFlOTk5OTk5OTk5fQ.eA")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := s.authenticate(t.Context(), Credentials{AssertionType: assertionType, Assertion: text})
		var refusal *Error
		if !errors.As(err, &refusal) {
			t.Errorf("authenticate(%q) = %v", text, err)
		}
	})
}

func FuzzAccessToken(f *testing.F) {
	s, _ := newServer(f)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJSUzI1NiJ9.e30.eA")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		for _, scheme := range []string{"Bearer", "DPoP", "SSWS"} {
			if _, err := s.Authorize(t.Context(), Call{Scheme: scheme, Token: text, Issuer: "https://a"}); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("%s %q = %v", scheme, text, err)
			}
		}
	})
}

func FuzzForm(f *testing.F) {
	s, _ := newServer(f)
	sealed, err := s.SealForm(Form{Started: s.now()}, "cookie")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := s.OpenForm(sealed, "cookie"); err != nil {
		f.Fatal(err)
	}
	f.Add("x", "cookie")
	f.Add(sealed+"x", "cookie")
	f.Add(sealed, "other")
	f.Add(sealed, "")
	f.Fuzz(func(t *testing.T, text, cookie string) {
		if text == sealed && cookie == "cookie" {
			return
		}
		var refusal *Error
		if _, err := s.OpenForm(text, cookie); !errors.As(err, &refusal) {
			t.Errorf("OpenForm(%q, %q) = %v", text, cookie, err)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	s, _ := newServer(b)
	token, _, err := s.CreateAPIToken(b.Context(), directory.System("test"), NewAPIToken{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Authorize(b.Context(), Call{Scheme: "SSWS", Token: token}); err != nil {
			b.Fatal(err)
		}
	}
}
