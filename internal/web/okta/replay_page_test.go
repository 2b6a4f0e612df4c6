package okta_test

import (
	"testing"
)

// The comparison must tell answers apart by everything that a client may look
// at, and by nothing else.
func TestPage(t *testing.T) {
	const recorded = `[{"id":"b","n":1.0,"at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","gone":null,"errorId":"oae1"}]`
	for _, test := range []struct {
		name, ours string
		equal      bool
	}{
		{"order of lists, times, hosts, made-up values",
			`[{"id":"a","gone":null,"errorId":"oae2"},{"id":"b","n":1.0,"at":"2026-01-02T03:04:05.000Z","href":"https://test.okta.com/x"}]`, true},
		{"what orgs have by their settings",
			`[{"id":"b","n":1.0,"realmId":"x","at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","gone":null,"errorId":"oae1"}]`, true},
		{"a value", `[{"id":"b","n":1.0,"at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/y"},{"id":"a","gone":null,"errorId":"oae1"}]`, false},
		{"a type", `[{"id":"b","n":"1.0","at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","gone":null,"errorId":"oae1"}]`, false},
		{"a time's form", `[{"id":"b","n":1.0,"at":"2025-01-02T03:04:05.123Z","href":"https://a.okta.com/x"},{"id":"a","gone":null,"errorId":"oae1"}]`, false},
		{"order of keys", `[{"n":1.0,"id":"b","at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","gone":null,"errorId":"oae1"}]`, false},
		{"null and absent", `[{"id":"b","n":1.0,"at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","errorId":"oae1"}]`, false},
		{"null and a text of that name", `[{"id":"b","n":1.0,"at":"2025-01-02T03:04:05.000Z","href":"https://a.okta.com/x"},{"id":"a","gone":"null","errorId":"oae1"}]`, false},
		{"an element too few", `[{"id":"a","gone":null,"errorId":"oae1"}]`, false},
		{"an object for a list", `{"id":"a"}`, false},
		{"no JSON", `[`, false},
	} {
		got := page(200, test.ours, org) == page(200, recorded, "https://a.okta.com")
		if got != test.equal {
			t.Errorf("%s: equal = %v, want %v\n%s", test.name, got, test.equal, page(200, test.ours, org))
		}
	}
	if page(200, "", org) == page(204, "", org) {
		t.Error("statuses are not told apart")
	}
}

func TestIDMap(t *testing.T) {
	m := newIDMap()
	m.learn(
		`[{"id":"00uaaaaaaaaaaaaaaaaa","profile":{"login":"x"},"_links":{"type":{"href":"/types/otyaaaaaaaaaaaaaaaaa"}}},{"id":"odd","label":"y"}]`,
		`[{"id":"00ubbbbbbbbbbbbbbbbb","label":"y"},{"id":"00uccccccccccccccccc","profile":{"login":"x"},"_links":{"type":{"href":"/types/otybbbbbbbbbbbbbbbbb"}}}]`)
	m.learnCursor([]string{`<https://a/x?limit=1>; rel="self"`, `<https://a/x?after=theirs&limit=1>; rel="next"`},
		[]string{`<https://b/x?after=ours&limit=1>; rel="next"`})
	const want = `/users/00uccccccccccccccccc/00ubbbbbbbbbbbbbbbbb/otybbbbbbbbbbbbbbbbb?after=ours`
	if got := m.ours(`/users/00uaaaaaaaaaaaaaaaaa/odd/otyaaaaaaaaaaaaaaaaa?after=theirs`); got != want {
		t.Errorf("ours = %s, want %s", got, want)
	}
	m.learn(`{"id":"odd"}`, `{"id":"other"}`)
	if got := m.ours("odd"); got != "00ubbbbbbbbbbbbbbbbb" {
		t.Errorf("an id was paired a second time: %s", got)
	}
}

func TestTreeJSON(t *testing.T) {
	const text = `{"b":[1.0,"x\"",null,true],"a":{}}`
	read, err := parseTree(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.json(); got != text {
		t.Errorf("json = %s, want %s", got, text)
	}
}
