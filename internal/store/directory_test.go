package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
)

// TestAccountsComeBack writes accounts and reads them again.
func TestAccountsComeBack(t *testing.T) {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 8000, time.UTC)
	for name, a := range map[string]*directory.Account{
		"bare": {Status: directory.Active, Profile: map[string]any{}},
		"full": {
			Connection: "acme", Type: "otyp", Status: directory.Suspended, Profile: map[string]any{"displayName": "\u00e9 \"<&>\\ \u2028"},
			Resource:   map[string]any{"emails": []any{map[string]any{"value": "a@b.co", "primary": true}}},
			Identities: []directory.Identity{{Provider: "auth0", UserID: "1", Connection: "db", Profile: map[string]any{"n": "x"}}},
			Provider:   directory.Provider{Type: "okta", Name: "acme"}, HasPassword: true, RecoveryQuestion: "?", SignIns: 3, LastIP: "::1", FailedSignIns: 2,
			EmailVerified: true, UserMetadata: map[string]any{}, AppMetadata: map[string]any{"a": nil},
			Created: at, Activated: at.Add(1e3), StatusChanged: at.Add(2e3), LastLogin: at.Add(3e3), Updated: at.Add(4e3), PasswordChanged: at.Add(5e3),
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := encodeAccount(a)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeAccount("r", "i", 7, text)
			if err != nil {
				t.Fatal(err)
			}
			want := *a
			want.Realm, want.ID, want.Version = "r", "i", 7
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("- want + got\n%s", diff)
			}
			if _, err := decodeAccount("r", "i", 7, strings.TrimSuffix(text, "}")); err == nil {
				t.Error("half a body reads")
			}
		})
	}
}

// TestDeepAccounts makes sure that metadata which came in reads again, although
// it lies deeper in what is stored.
func TestDeepAccounts(t *testing.T) {
	const depth = value.MaxDepth
	deep, err := value.Decode([]byte(`{"deep":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"))
	if err != nil {
		t.Fatal(err)
	}
	a := &directory.Account{Status: directory.Active, AppMetadata: deep.(map[string]any)}
	text, err := encodeAccount(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeAccount("r", "i", 1, text)
	if err != nil || !value.Equal(got.AppMetadata, a.AppMetadata) {
		t.Errorf("the metadata does not come back: %v", err)
	}
}
