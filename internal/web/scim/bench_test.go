package scim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/inbound/inboundtest"
)

// What the commonest requests cost with all that is behind them: the look-up of a
// person, a page of 100, a new person.
func BenchmarkStack(b *testing.B) {
	s, err := inboundtest.Start(b.Context(), b.TempDir(), inboundtest.Options{Strategy: "okta"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	number := 0
	add := func() {
		number++
		name := fmt.Sprintf("person%d@example.com", number)
		ask(b, s, "POST", "/Users", user(name, fmt.Sprintf(`,"externalId":"00u%d","active":true,"name":{"givenName":"G","familyName":"F"},"emails":[{"primary":true,"value":"%s","type":"work"}]`, number, name)))
	}
	for range 1000 {
		add()
	}
	lookUp := "/Users?startIndex=1&count=100&filter=" + url.QueryEscape(`userName eq "person500@example.com"`)
	b.Run("lookup", func(b *testing.B) {
		for b.Loop() {
			ask(b, s, "GET", lookUp, "")
		}
	})
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			ask(b, s, "GET", "/Users?startIndex=301&count=100", "")
		}
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			add()
		}
	})
}

// ask sends a request that must succeed.
func ask(b *testing.B, s *inboundtest.Server, method, path, body string) {
	r, err := http.NewRequestWithContext(b.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		b.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, text, err)
	}
}
