package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/oauth"
)

func TestTokens(t *testing.T) {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	session := play(t)
	session.tokens = []oauth.APIToken{
		{ID: "00T1", Name: "ci", Login: "ada.min@example.com", Role: "READ_ONLY_ADMIN", Created: at, Used: at.Add(time.Hour), Expires: at.AddDate(0, 1, 0)},
		{ID: "00T2", Name: "laptop", Login: "ada.min@example.com", Created: at, Expires: at.AddDate(0, 1, 0)},
	}
	p := newProduct(session)
	run := func(args ...string) string {
		return transcript(t.Context(), newTestIO("", nil), p.Product, append([]string{"tokens"}, args...)...)
	}
	golden(t, "tokens", strings.Join([]string{
		run("create", "--name", "ci", "--role", "READ_ONLY_ADMIN"), run("create"), run("list"), run("revoke", "laptop"), run("revoke", "nobody"),
	}, "\n"))
	if want := []Access{ReadWrite, ReadOnly, ReadWrite, ReadWrite}; !slices.Equal(p.access, want) {
		t.Errorf("the folder was opened %v, want %v", p.access, want)
	}
	if session.closed != len(p.access) {
		t.Errorf("%d of %d sessions were closed", session.closed, len(p.access))
	}

	// The fields are a contract with programs.
	s := newTestIO("", nil)
	if code := Main(t.Context(), s.IO, p.Product, []string{"tokens", "list", "-o", "json"}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, s.err)
	}
	var list struct {
		Tokens []struct{ ID, Name, Login, Role, Created, Used, Expires string }
	}
	if err := json.Unmarshal(s.out.Bytes(), &list); err != nil || len(list.Tokens) != 2 || list.Tokens[0].Used != "2026-03-04T06:06:07Z" || list.Tokens[1].Used != "" {
		t.Errorf("%v: %s", err, s.out)
	}
	s = newTestIO("", nil)
	if Main(t.Context(), s.IO, p.Product, []string{"tokens", "create", "--name", "x", "-o", "json"}); !strings.Contains(s.out.String(), `"token": "00secret"`) {
		t.Errorf("create -o json: %s", s.out)
	}
}
