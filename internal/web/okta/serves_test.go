package okta_test

import "testing"

func TestServes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, test := range []struct {
		method, path string
		want         bool
	}{
		{"GET", "/api/v1/users", true},
		{"GET", "/api/v1/users?limit=1&search=profile.login+eq+%22a%22", true},
		{"HEAD", "/api/v1/users", true},
		{"PATCH", "/api/v1/users", false},
		{"POST", "/api/v1/users/a%2Fb", true},
		{"DELETE", "/api/v1/users/1/sessions", true},
		{"GET", "/api/v1/nothing", false},
		{"GET", "/", false},
		{"GET", "%zz", false},
	} {
		if got := b.api.Serves(test.method, test.path); got != test.want {
			t.Errorf("Serves(%s, %s) = %v, want %v", test.method, test.path, got, test.want)
		}
	}
}
