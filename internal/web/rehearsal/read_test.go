package rehearsal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/web/rehearsal"
)

// scope has two APIs, and one operation that is at two places.
var scope = rehearsal.Scope{APIs: []string{"okta", "auth0"}, Endpoints: func(id string) []rehearsal.Endpoint {
	if id != "createUser" {
		return nil
	}
	return []rehearsal.Endpoint{{API: "okta", Method: "POST", Path: "/api/v1/users"}, {API: "auth0", Method: "POST", Path: "/api/v2/users"}}
}}

const everything = `
seed: 18446744073709551615
limits: {enforce: true, org: integrator, share: 40%}
rules:
  - name: busy
    api: okta
    method: [POST, PUT]
    path: /api/v1/users/{id}/lifecycle/*
    caller: 0oa1
    times: [1, 3]
    effect: error
    status: 429
    wait: 1500ms
  - {operation: createUser, first: 2, effect: timeoutBefore, delay: 2s}
  - {path: /**, every: 5, effect: html}
  - {method: GET, probability: 0.25, effect: without, fields: [id, "123"]}
  - {caller: sha256:0123456789, effect: otherStatus, status: 202}
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := rehearsal.Parse("f.yaml", []byte(everything), scope)
	if err != nil {
		t.Fatal(err)
	}
	want := &rehearsal.Setting{
		Seed: 1<<64 - 1, Limits: &rehearsal.Limits{Enforce: true, Org: "integrator", Share: 40},
		Rules: []rehearsal.Rule{
			{
				Name: "busy", API: "okta", Methods: []string{"POST", "PUT"}, Path: "/api/v1/users/{id}/lifecycle/*", Caller: "0oa1",
				Times: []int{1, 3}, Effect: "error", Status: 429, Wait: rehearsal.Duration(1500 * time.Millisecond),
			},
			{Name: "rule 2", Operation: "createUser", First: 2, Effect: "timeoutBefore", Delay: rehearsal.Duration(2 * time.Second)},
			{Name: "rule 3", Path: "/**", Every: 5, Effect: "html"},
			{Name: "rule 4", Methods: []string{"GET"}, Probability: 0.25, Effect: "without", Fields: []string{"id", "123"}},
			{Name: "rule 5", Caller: "sha256:0123456789", Effect: "otherStatus", Status: 202},
		},
	}
	ignore := cmpopts.IgnoreUnexported(rehearsal.Rule{})
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}

	// What is shown of a setting is a setting.
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var read rehearsal.Setting // as a client does
	if err := json.Unmarshal(text, &read); err != nil || !cmp.Equal(*want, read, ignore) {
		t.Errorf("a client reads %s as %+v, %v", text, read, err)
	}
	again, err := rehearsal.Parse("shown.json", text, scope)
	if diff := cmp.Diff(want, again, ignore); diff != "" || err != nil {
		t.Errorf("Parse(%s) = %v (-want +got):\n%s", text, err, diff)
	}
}

func TestParseReportsEveryMistakeWithItsPlace(t *testing.T) {
	t.Parallel()
	const text = `seed: -1
limit: 5
limits: {enforce: maybe, org: huge, share: 0%}
rules:
  - {api: scim, method: [FETCH], path: api, effect: reset}
  - {path: /a, times: [0], effect: burn}
  - {path: /a, times: [], effect: reset}
  - {first: 1, every: 2, effect: reset}
  - {probability: 1.5, effect: error}
  - {effect: error, status: 204}
  - {effect: slow, delay: 11m}
  - {effect: slow, delay: 1s, status: 500}
  - {operation: createUser, api: okta, effect: reset}
  - {operation: unheardOf, effect: reset}
  - {caller: "sha256:12", effect: reset}
  - {name: twice, effect: reset}
  - {name: twice, effect: reset}
  - {name: "", first: "1"}
  - reset
`
	_, err := rehearsal.Parse("f.yaml", []byte(text), scope)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("Parse = %v, want Invalid", err)
	}
	want := []string{
		`f.yaml:1:7: this must be a whole number that is not negative`,
		`f.yaml:2:1: the setting has no key "limit"; use one of limits, rules, seed`,
		`f.yaml:3:19: this must be true or false`,
		`f.yaml:3:31: "huge" is not known here; use one of integrator, enterprise, workforce`,
		`f.yaml:3:44: this must be a percentage from 1% to 100%; write it as 50%`,
		`f.yaml:5:11: "scim" is not known here; use one of okta, auth0`,
		`f.yaml:5:26: "FETCH" is not known here; use one of GET, HEAD, POST, PUT, PATCH, DELETE`,
		`f.yaml:5:40: a path begins with /`,
		`f.yaml:6:24: this must be a whole number from 1 to 1000000000`,
		`f.yaml:6:36: "burn" is not known here; use one of emptyList, error, html, otherStatus, reset, slow, timeoutAfter, timeoutBefore, truncated, without`,
		`f.yaml:7:23: the list is empty: the rule would never fire`,
		`f.yaml:8:16: first and every exclude each other; keep one of them`,
		`f.yaml:9:19: this must be a number above 0, at most 1; write it as 0.1`,
		`f.yaml:9:5: the effect error needs status`,
		`f.yaml:10:21: 204 is not the status of a failure; use one from 400 to 599`,
		`f.yaml:11:27: this must be a time of at most 10m0s; write it as 500ms or 2s`,
		`f.yaml:12:31: the effect slow has no use for status; remove it, or change the effect`,
		`f.yaml:13:29: operation says already what api would; remove it, or operation`,
		`f.yaml:14:6: no description has the operation "unheardOf"; use path and method`,
		`f.yaml:15:14: this is no digest of a token; write sha256: and at least 8 hexadecimal digits in lower case`,
		`f.yaml:18:12: this must be text`,
		`f.yaml:18:23: this must be a whole number from 1 to 1000000000`,
		`f.yaml:18:5: the rule needs an effect; use one of emptyList, error, html, otherStatus, reset, slow, timeoutAfter, timeoutBefore, truncated, without`,
		`f.yaml:19:5: a rule must be a mapping`,
		`f.yaml:17:5: another rule is called "twice", too`,
	}
	if diff := cmp.Diff(want, strings.Split(fault.Public(err), "\n")); diff != "" {
		t.Errorf("the mistakes (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(`{"rules":[{"effect":"reset","path":"/a/{b}/**","caller":"sha256:00000000f"}]}`))
	f.Add([]byte("rules: [&a {effect: slow, delay: 1s}, *a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := rehearsal.Parse("f", data, scope)
		if err != nil {
			if fault.KindOf(err) == fault.Internal || fault.Public(err) == "" {
				t.Errorf("%q: %v, want a fault of the file's", data, err)
			}
			return
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rehearsal.Parse("shown", text, scope); err != nil {
			t.Errorf("what is shown of %q does not read: %s: %v", data, text, err)
		}
	})
}
