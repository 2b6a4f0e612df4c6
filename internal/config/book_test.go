package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
)

var day = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// whole is an entry with everything set.
func whole() config.Added {
	return config.Added{
		Connection: config.Connection{
			Provider: "okta", Server: "https://example.okta.com", Variables: map[string]string{"a": "b"}, Hosts: []string{"x.example.com"},
			AllowPrivate: true, Timeout: 5, Limits: config.Limits{Share: 50, Rate: 0.00001, Concurrency: 3},
			Auth: config.Auth{Type: "private_key_jwt", ClientID: "0oa1", PrivateKey: "vault:connection/okta/privateKey", KeyID: "k1",
				TokenURL: "/t", Audience: "a", Scopes: []string{"okta.users.read"}, DPoP: true},
		},
		Added: day, Rotated: day, Expires: day.AddDate(0, 1, 0),
		Next: &config.Next{PrivateKey: "vault:connection/okta/privateKey-2", KeyID: "k2", Made: day},
	}
}

func TestBook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	b, err := config.ReadBook(dir)
	if err != nil || len(b.Connections) != 0 {
		t.Fatalf("a book that is not there = %v, %v", b, err)
	}
	mark := config.Mark{State: "connected", At: day, Server: "https://x", Status: 200, Identity: "ada", Scopes: []string{"a"}, Message: "m", Remedy: "r", Expires: day, Token: day}
	err = config.ChangeBook(t.Context(), dir, func(b *config.Book) error {
		b.Connections["okta"] = whole()
		b.Marks["okta"] = mark
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err = config.ReadBook(dir)
	want := &config.Book{Version: 1, Connections: map[string]config.Added{"okta": whole()}, Marks: map[string]config.Mark{"okta": mark}}
	if diff := cmp.Diff(want, b); err != nil || diff != "" {
		t.Errorf("ReadBook = %v (-want +got):\n%s", err, diff)
	}
	if info, err := os.Stat(filepath.Join(dir, config.BookFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want mode 0600", info, err)
	}
	no := errors.New("no")
	if err := config.ChangeBook(t.Context(), dir, func(b *config.Book) error { delete(b.Connections, "okta"); return no }); !errors.Is(err, no) {
		t.Errorf("a change that fails = %v", err)
	}
	if b, _ := config.ReadBook(dir); len(b.Connections) != 1 {
		t.Error("a change that failed was kept")
	}
}

func TestBookIsShared(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for _, name := range strings.Split("abcdefgh", "") {
		wg.Go(func() {
			if err := config.ChangeBook(t.Context(), dir, func(b *config.Book) error { b.Connections[name] = whole(); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b, err := config.ReadBook(dir); err != nil || len(b.Connections) != 8 {
		t.Errorf("%d of 8 changes were kept, %v", len(b.Connections), err)
	}
}

func TestWrongBooks(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":2}`:          "has version 2",
		`{}`:                     "has version 0",
		`{"version":1,"more":1}`: "use one of connections, marks, version",
		`{"version":1,"connections":{"okta":{"sever":"x"}}}`:                               `no key "sever"`,
		`{"version":1,"connections":{"okta":{"auth":{"type":"ssws","token":"00-plain"}}}}`: "must be a reference",
		`{"version":1,"connections":{"okta":{"added":"yesterday"}}}`:                       "a date and a time",
		`{"version":1,"connections":{"okta":{"next":{"privateKey":"-----BEGIN"}}}}`:        "must be a reference",
		`[`: "",
	} {
		_, err := config.ParseBook("connections.json", []byte(text))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "00-plain") {
			t.Errorf("%s: the message repeats the secret", text)
		}
	}
}

func FuzzParseBook(f *testing.F) {
	f.Add([]byte(`{"version":1,"connections":{"okta":{"server":"https://x","auth":{"type":"ssws","token":"vault:a"},"added":"2026-01-01T00:00:00Z"}}}`))
	f.Add([]byte(`{"version":1,"marks":{"okta":{"state":"connected","scopes":["a"]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := config.ParseBook("connections.json", data)
		if (b == nil) == (err == nil) {
			t.Errorf("ParseBook = %v, %v; want one of them", b, err)
		}
	})
}
