package okta_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// BenchmarkCreateUser is one POST /users in process, with the full sync of the
// database and without a password to hash. It must stay below 3 ms.
func BenchmarkCreateUser(b *testing.B) {
	api := newBenchmark(b)
	i := 0
	for b.Loop() {
		i++
		body := fmt.Sprintf(`{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann%d@example.com"}}`, i)
		do(b, api, "POST", "/api/v1/users", body)
	}
}

func BenchmarkGetUser(b *testing.B) {
	api := newBenchmark(b)
	for b.Loop() {
		do(b, api, "GET", "/api/v1/users/"+directory.Administrator, "")
	}
}

func BenchmarkSearchLogin(b *testing.B) {
	api := newBenchmark(b)
	for i := range 1000 {
		do(b, api, "POST", "/api/v1/users", fmt.Sprintf(`{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann%d@example.com"}}`, i))
	}
	for b.Loop() {
		do(b, api, "GET", "/api/v1/users?search=profile.login+eq+%22ada.min@example.com%22", "")
	}
}

// BenchmarkListUsers is a page of 200.
func BenchmarkListUsers(b *testing.B) {
	api := newBenchmark(b)
	for i := range 300 {
		do(b, api, "POST", "/api/v1/users", fmt.Sprintf(`{"profile":{"firstName":"Ann","lastName":"Lee","email":"ann@example.com","login":"ann%d@example.com"}}`, i))
	}
	for b.Loop() {
		do(b, api, "GET", "/api/v1/users?limit=200", "")
	}
}

func newBenchmark(b *testing.B) *okta.API {
	b.Helper()
	db := sqlitetest.Open(b)
	d := directory.New(db.Directory())
	if err := directory.Seed(context.Background(), d); err != nil {
		b.Fatal(err)
	}
	return okta.New(okta.Options{Directory: d, Authorizer: okta.Tokens(map[string]string{"good": "me"})})
}

func do(b *testing.B, api *okta.API, method, path, body string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "SSWS good")
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != 200 {
		b.Fatalf("%s %s = %d %s", method, path, w.Code, w.Body)
	}
}
