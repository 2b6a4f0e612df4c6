package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/scim"
)

// bulkBody is a bulk request of operations in JSON.
func bulkBody(failOnErrors int, operations ...string) string {
	more := ""
	if failOnErrors > 0 {
		more = fmt.Sprintf(`"failOnErrors":%d,`, failOnErrors)
	}
	return `{"schemas":["` + scim.BulkRequestMessage + `"],` + more + `"Operations":[` + strings.Join(operations, ",") + `]}`
}

func postUser(bulkID, name string) string {
	return `{"method":"POST","path":"/Users","bulkId":"` + bulkID + `","data":` + user(name, "") + `}`
}

func postGroup(bulkID, name string, members ...string) string {
	var list []string
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return `{"method":"post","path":"/Groups","bulkId":"` + bulkID + `","data":{"schemas":["` + scim.GroupSchema + `"],"displayName":"` + name + `","members":[` + strings.Join(list, ",") + `]}}`
}

// results lists status, bulkId and path of the resource of each operation.
func (r reply) results() []string {
	var out []string
	list, _ := r.body["Operations"].([]any)
	for _, item := range list {
		o, _ := item.(map[string]any)
		location, _ := o["location"].(string)
		text := fmt.Sprint(o["method"], " ", o["bulkId"], " ", o["status"], " ", strings.TrimPrefix(location, root))
		if body, ok := o["response"].(map[string]any); ok {
			text += fmt.Sprint(" ", body["scimType"], " ", body["status"])
		}
		out = append(out, text)
	}
	return out
}

// members lists the ids of a group's members.
func (b *bench) members(id string) []string {
	b.Helper()
	r := b.call("GET", "/Groups/"+id, "")
	list, _ := r.get("/members").([]any)
	out := []string{}
	for _, item := range list {
		o, _ := item.(map[string]any)
		out = append(out, fmt.Sprint(o["value"]))
	}
	return out
}

func TestBulk(t *testing.T) {
	b := newBench(t)
	b.fill(t, 2)
	version := b.call("GET", "/Users/u%7C1", "").header.Get("ETag")
	quoted, _ := json.Marshal(version)
	r := b.call(
		"POST", "/Bulk", bulkBody(
			0,
			postUser("a", "bjensen"),
			`{"method":"PUT","path":"/Users/u%7C1","version":`+string(quoted)+`,"data":`+user("put", "")+`}`,
			`{"method":"PATCH","path":"/Users/bulkId:a","data":{"schemas":["`+scim.PatchMessage+`"],"Operations":[{"op":"add","path":"title","value":"T"}]}}`,
			`{"method":"DELETE","path":"/Users/u|2"}`,
			postUser("b", "BJENSEN"),
			`{"method":"DELETE","path":"/Users/u%7C1","version":"W/\"other\""}`,
			`{"method":"GET","path":"/Users/u%7C1"}`,
			`{"method":"DELETE","path":"/Robots/1"}`,
			`{"method":"PUT","path":"/Users","data":{}}`,
		),
	)
	b.want(r, 200, "")
	want := []string{
		"POST a 201 /Users/u%7C3",
		"PUT <nil> 200 /Users/u%7C1",
		"PATCH <nil> 204 /Users/u%7C3",
		"DELETE <nil> 204 /Users/u%7C2",
		"POST b 409  uniqueness 409",
		"DELETE <nil> 412 /Users/u%7C1 <nil> 412",
		"GET <nil> 405 /Users/u%7C1 <nil> 405",
		"DELETE <nil> 404 /Robots/1 <nil> 404",
		"PUT <nil> 400  invalidPath 400",
	}
	if diff := cmp.Diff(want, r.results()); diff != "" {
		t.Errorf("the operations (-want +got):\n%s", diff)
	}
	if !cmp.Equal(r.body["schemas"], any([]any{scim.BulkResponseMessage})) || r.get("/Operations/0/version") == nil {
		t.Errorf("the answer %s", r.text)
	}
	if got := b.call("GET", "/Users/u%7C3", ""); got.get("/title") != "T" {
		t.Errorf("patched to %s", got.text)
	}
	if names := b.names("User"); !cmp.Equal(names, []string{"put", "bjensen"}) {
		t.Errorf("left are %v", names)
	}
}

func TestBulkReferences(t *testing.T) {
	for _, test := range []struct {
		name       string
		operations []string
		want       []string
		members    map[string][]string
	}{
		{
			name:       "backward",
			operations: []string{postUser("u", "a"), postGroup("g", "g", "bulkId:u", "other")},
			want:       []string{"POST u 201 /Users/u%7C1", "POST g 201 /Groups/g%7C2"},
			members:    map[string][]string{"g%7C2": {"u|1", "other"}},
		},
		{
			name:       "forward",
			operations: []string{postGroup("g", "g", "bulkId:u"), postUser("u", "a")},
			want:       []string{"POST g 201 /Groups/g%7C2", "POST u 201 /Users/u%7C1"},
			members:    map[string][]string{"g%7C2": {"u|1"}},
		},
		{
			name:       "circle",
			operations: []string{postGroup("a", "a", "bulkId:b", "other"), postGroup("b", "b", "bulkId:c"), postGroup("c", "c", "bulkId:a")},
			want:       []string{"POST a 201 /Groups/g%7C1", "POST b 201 /Groups/g%7C3", "POST c 201 /Groups/g%7C2"},
			members:    map[string][]string{"g%7C1": {"other", "g|3"}, "g%7C3": {"g|2"}, "g%7C2": {"g|1"}},
		},
		{
			name:       "itself",
			operations: []string{postGroup("a", "a", "bulkId:a")},
			want:       []string{"POST a 201 /Groups/g%7C1"},
			members:    map[string][]string{"g%7C1": {"g|1"}},
		},
		{
			name:       "to nothing",
			operations: []string{postGroup("a", "a", "bulkId:z"), postUser("u", "a")},
			want:       []string{"POST a 400  invalidValue 400", "POST u 201 /Users/u%7C1"},
		},
		{
			name:       "to what failed",
			operations: []string{postUser("u", "a"), postUser("v", "a"), postGroup("g", "g", "bulkId:v")},
			want:       []string{"POST u 201 /Users/u%7C1", "POST v 409  uniqueness 409", "POST g 409  <nil> 409"},
		},
		{
			name:       "circle through a failure",
			operations: []string{postGroup("a", "a", "bulkId:b"), `{"method":"POST","path":"/Groups","bulkId":"b","data":{"schemas":["` + scim.GroupSchema + `"],"members":[{"value":"bulkId:a"}]}}`},
			want:       []string{"POST a 409  <nil> 409", "POST b 400  invalidValue 400"},
		},
		{
			name: "changes that wait for each other",
			operations: []string{
				`{"method":"DELETE","path":"/Users/bulkId:b","bulkId":"a"}`, `{"method":"DELETE","path":"/Users/bulkId:a","bulkId":"b"}`,
			},
			want: []string{"DELETE a 409 /Users/bulkId:b <nil> 409", "DELETE b 409 /Users/bulkId:a <nil> 409"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := b.call("POST", "/Bulk", bulkBody(0, test.operations...))
			b.want(r, 200, "")
			if diff := cmp.Diff(test.want, r.results()); diff != "" {
				t.Errorf("the operations (-want +got):\n%s", diff)
			}
			for id, want := range test.members {
				if got := b.members(id); !cmp.Equal(got, want) {
					t.Errorf("members of %s: %v, want %v", id, got, want)
				}
			}
		})
	}
}

func TestFailOnErrors(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	r := b.call("POST", "/Bulk", bulkBody(2, postUser("a", "user01"), postUser("b", "b"), postUser("c", "user01"), postUser("d", "d")))
	want := []string{"POST a 409  uniqueness 409", "POST b 201 /Users/u%7C2", "POST c 409  uniqueness 409"}
	if diff := cmp.Diff(want, r.results()); diff != "" {
		t.Errorf("the operations (-want +got):\n%s", diff)
	}
	// What was created in part, and is given up, says so.
	r = b.call("POST", "/Bulk", bulkBody(1, postGroup("a", "a", "bulkId:b"), postUser("x", "user01"), postGroup("b", "b", "bulkId:a")))
	if got := r.results(); len(got) != 1 || !strings.Contains(got[0], "409") {
		t.Errorf("given up: %v", got)
	}
}

func TestBulkRefusals(t *testing.T) {
	for _, test := range []struct {
		name, body string
		status     int
		scimType   string
	}{
		{"no bulk request", `{"Operations":[` + postUser("a", "a") + `]}`, 400, "invalidSyntax"},
		{"no operations", bulkBody(0), 400, "invalidSyntax"},
		{"too many", bulkBody(0, strings.Split(strings.Repeat(`{"method":"DELETE","path":"/Users/x"};`, 11), ";")[:11]...), 413, ""},
		{"too large", bulkBody(0, postUser("a", strings.Repeat("a", 4000))), 413, ""},
		{"one bulkId twice", bulkBody(0, postUser("a", "a"), postUser("a", "b")), 400, "invalidValue"},
		{"POST without bulkId", bulkBody(0, postUser("a", "a"), `{"method":"POST","path":"/Users","data":{}}`), 400, "invalidSyntax"},
		{"wrong failOnErrors", bulkBody(-1) + " ", 400, "invalidSyntax"},
		{"failOnErrors of 0", strings.Replace(bulkBody(1, postUser("a", "a")), `"failOnErrors":1`, `"failOnErrors":0`, 1), 400, "invalidValue"},
		{"no object", bulkBody(0, `"x"`), 400, "invalidSyntax"},
		{"data is no object", bulkBody(0, `{"method":"POST","path":"/Users","bulkId":"a","data":[]}`), 400, "invalidSyntax"},
		{"method is no text", bulkBody(0, postUser("a", "a"), `{"method":1}`), 400, "invalidValue"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.want(b.call("POST", "/Bulk", test.body), test.status, test.scimType)
			if names := b.names("User"); len(names) > 0 {
				t.Errorf("what was refused has made %v", names)
			}
		})
	}
	b := newBench(t)
	b.config.Features.Bulk = false
	b.want(b.call("POST", "/Bulk", bulkBody(0, postUser("a", "a"))), 501, "")
}

// A token's scopes hold for each operation.
func TestBulkScopes(t *testing.T) {
	b := newBench(t)
	b.fill(t, 1)
	b.tokens[token] = []string{"POST"}
	r := b.call("POST", "/Bulk", bulkBody(0, postUser("a", "a"), `{"method":"DELETE","path":"/Users/u%7C1"}`))
	want := []string{"POST a 201 /Users/u%7C2", "DELETE <nil> 403 /Users/u%7C1 <nil> 403"}
	if diff := cmp.Diff(want, r.results()); diff != "" {
		t.Errorf("the operations (-want +got):\n%s", diff)
	}
}
