package scim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// mark is the newest entry of the change log with all resources of the
// connection: two that are equal show that nothing happened between them.
func (s *stack) mark() string {
	s.Helper()
	var last int64
	err := s.tenant.Directory.Store.View(s.Context(), func(r directory.Reader) error {
		for c, err := range r.Changes(directory.ChangeQuery{Newest: true, MaxRows: 1}) {
			if err != nil {
				return err
			}
			last = c.Seq
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return fmt.Sprint(last, s.send("GET", "/?count=1000", "", nil).text)
}

// known makes sure that an answer is a SCIM error with a status below 500.
func (s *stack) known(r reply) {
	s.Helper()
	detail, _ := r.body["detail"].(string)
	if r.status < 400 || r.status >= 500 || !cmp.Equal(r.body["schemas"], any([]any{scim.ErrorMessage})) || r.body["status"] != fmt.Sprint(r.status) || detail == "" {
		s.Errorf("status %d, %s", r.status, r.text)
	}
}

// patchOf is the body of a PATCH.
func patchOf(operations string) string {
	return `{"schemas":["` + scim.PatchMessage + `"],"Operations":[` + operations + `]}`
}

func groupOf(name string, more ...string) string {
	return `{"schemas":["` + scim.GroupSchema + `"],"displayName":"` + name + `"` + strings.Join(more, "") + `}`
}

func bulkOf(operations string) string {
	return `{"schemas":["` + scim.BulkRequestMessage + `"],"Operations":[` + operations + `]}`
}

// TestHostile sends what nobody should: each is refused as SCIM says, and nothing
// is changed by it.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	ada := s.send("POST", "/Users", user("ada", `,"externalId":"1","title":"x"`), nil).body["id"].(string)
	staff := s.send("POST", "/Groups", groupOf("Staff", `,"members":[{"value":"`+ada+`"}]`), nil).body["id"].(string)
	if ada != "okta|acme|1" || staff == "" {
		t.Fatalf("ids %q and %q", ada, staff)
	}
	person, group := "/Users/"+url.PathEscape(ada), "/Groups/"+staff
	kind := func(mime string) http.Header { return http.Header{"Content-Type": {mime}} }
	match := func(tag string) http.Header { return http.Header{"If-Match": {tag}} }
	many := func(n int, what string) string { return strings.TrimSuffix(strings.Repeat(what+",", n), ",") }
	find := func(filter string) string { return "/Users?filter=" + url.QueryEscape(filter) }
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

	for _, test := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		scimType                 string
	}{
		// Bodies.
		{name: "10 MB", method: "POST", path: "/Users", body: user("b", `,"title":"`+strings.Repeat("x", 10<<20)+`"`), status: 413},
		{name: "10 MB patch", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"title","value":"` + strings.Repeat("x", 10<<20) + `"}`), status: 413},
		{name: "10 MB bulk", method: "POST", path: "/Bulk", body: bulkOf(`{"method":"POST","bulkId":"a","path":"/Users","data":` + user("b", `,"title":"`+strings.Repeat("x", 10<<20)+`"`) + `}`), status: 413},
		{name: "deep", method: "POST", path: "/Users", body: user("b", `,"x":`+deep(2000)), status: 413},
		{name: "deep in a value", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"name","value":` + deep(2000) + `}`), status: 413},
		{name: "deep brackets", method: "POST", path: "/Users", body: strings.Repeat("[", 4<<20-1), status: 413},
		{name: "the same key twice", method: "POST", path: "/Users", body: user("b", `,"active":false,"active":true`), status: 400, scimType: "invalidSyntax"},
		{name: "the same key twice, below", method: "POST", path: "/Users", body: user("b", `,"name":{"givenName":"a","givenName":"b"}`), status: 400, scimType: "invalidSyntax"},
		{name: "the same key twice, escaped", method: "PUT", path: person, body: user("b", `,"titl\u0065":"a","title":"b"`), status: 400, scimType: "invalidSyntax"},
		{name: "the same key twice in a patch", method: "PATCH", path: person, body: patchOf(`{"op":"remove","op":"replace","path":"title","value":"b"}`), status: 400, scimType: "invalidSyntax"},
		{name: "two documents", method: "POST", path: "/Users", body: user("b", "") + user("c", ""), status: 400, scimType: "invalidSyntax"},
		{name: "not UTF-8", method: "POST", path: "/Users", body: user("b\xc3", ""), status: 400, scimType: "invalidSyntax"},
		{name: "half a surrogate", method: "POST", path: "/Users", body: user(`b\ud800`, ""), status: 400, scimType: "invalidSyntax"},
		{name: "NUL in a name", method: "POST", path: "/Users", body: user(`b\u0000`, ""), status: 400, scimType: "invalidValue"},
		{name: "NUL in a patch", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"title","value":"a\u0000"}`), status: 400, scimType: "invalidValue"},
		{name: "NUL in a group", method: "PATCH", path: group, body: patchOf(`{"op":"replace","path":"displayName","value":"a\u0000"}`), status: 400, scimType: "invalidValue"},
		{name: "a form", method: "POST", path: "/Users", body: user("b", ""), header: kind("application/x-www-form-urlencoded"), status: 415},
		{name: "XML", method: "PUT", path: person, body: "<a/>", header: kind("application/xml"), status: 415},
		{name: "a broken type", method: "POST", path: "/Users", body: user("b", ""), header: kind("/;=;"), status: 415},
		{name: "gzip", method: "POST", path: "/Users", body: "\x1f\x8b\x08\x00", header: http.Header{"Content-Encoding": {"gzip"}}, status: 400, scimType: "invalidSyntax"},

		// Values.
		{name: "an id of somebody else's making", method: "POST", path: "/Users", body: user("b", `,"externalId":"`+strings.Repeat("x", 300)+`"`), status: 400, scimType: "invalidValue"},
		{name: "no name", method: "POST", path: "/Users", body: user("", ""), status: 400, scimType: "invalidValue"},
		{name: "a taken name", method: "POST", path: "/Users", body: user("ADA", `,"externalId":"2"`), status: 409, scimType: "uniqueness"},
		{name: "somebody active", method: "POST", path: "/Users", body: user("ada", `,"externalId":"1"`), status: 409, scimType: "uniqueness"},
		{name: "a group with a name that is taken", method: "POST", path: "/Groups", body: groupOf("STAFF"), status: 409, scimType: "uniqueness"},
		{name: "a group in itself", method: "PATCH", path: group, body: patchOf(`{"op":"add","path":"members","value":[{"value":"` + staff + `","type":"Group"}]}`), status: 400, scimType: "invalidValue"},

		// Patches.
		{name: "many operations", method: "PATCH", path: person, body: patchOf(many(20_000, `{"op":"replace","path":"title","value":"y"}`)), status: 413},
		{name: "many members", method: "PATCH", path: group, body: patchOf(`{"op":"remove","path":"members"},{"op":"add","path":"members","value":[` + manyMembers(1001) + `]}`), status: 413},
		{name: "the last operation is wrong", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"title","value":"y"},{"op":"replace","path":"nothing","value":"y"}`), status: 400, scimType: "invalidPath"},
		{name: "the last member operation is wrong", method: "PATCH", path: group, body: patchOf(`{"op":"remove","path":"members"},{"op":"replace","path":"displayName","value":""}`), status: 400, scimType: "mutability"},
		{name: "a path of brackets", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"emails` + strings.Repeat("[", 5000) + `","value":"y"}`), status: 400, scimType: "invalidPath"},
		{name: "a nested path", method: "PATCH", path: person, body: patchOf(`{"op":"remove","path":"emails[` + strings.Repeat("not (", 3000) + `type pr` + strings.Repeat(")", 3000) + `]"}`), status: 400, scimType: "invalidPath"},
		{name: "another id", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"id","value":"auth0|1"}`), status: 400, scimType: "mutability"},
		{name: "another version", method: "PATCH", path: person, body: patchOf(`{"op":"replace","path":"meta.version","value":"1"}`), status: 400, scimType: "mutability"},
		{name: "no groups by way of the user", method: "PATCH", path: person, body: patchOf(`{"op":"remove","path":"groups"}`), status: 400, scimType: "mutability"},

		// Bulk.
		{name: "many bulk operations", method: "POST", path: "/Bulk", body: bulkOf(many(1001, `{"method":"DELETE","path":"/Users/x"}`)), status: 413},
		{name: "no bulk at all", method: "POST", path: "/Bulk", body: `{"schemas":[],"Operations":[]}`, status: 400, scimType: "invalidSyntax"},
		{name: "a bulkId twice", method: "POST", path: "/Bulk", body: bulkOf(`{"method":"POST","bulkId":"a","path":"/Users","data":` + user("b", "") + `},{"method":"POST","bulkId":"a","path":"/Users","data":` + user("c", "") + `}`), status: 400, scimType: "invalidValue"},

		// Filters.
		{name: "SQL", method: "GET", path: find(`userName eq "a" or 1=1 --`), status: 400, scimType: "invalidFilter"},
		{name: "SQL behind", method: "GET", path: find(`userName eq "a"; DROP TABLE directory_accounts`), status: 400, scimType: "invalidFilter"},
		{name: "an unclosed text", method: "GET", path: find(`userName eq "a\"`), status: 400, scimType: "invalidFilter"},
		{name: "a raw NUL", method: "GET", path: find("userName eq \"a\x00\""), status: 400, scimType: "invalidFilter"},
		{name: "not UTF-8 in a filter", method: "GET", path: find("userName eq \"a\xff\""), status: 400, scimType: "invalidFilter"},
		{name: "a secret attribute", method: "GET", path: find(`password sw "a"`), status: 400, scimType: "invalidFilter"},
		{name: "parentheses", method: "GET", path: find(strings.Repeat("(", 5000)), status: 400, scimType: "tooMany"},
		{name: "an unknown operator", method: "GET", path: find(`userName re ".*"`), status: 400, scimType: "invalidFilter"},

		{name: "a broken escape", method: "GET", path: "/Users?filter=%zz", status: 400, scimType: "invalidSyntax"},
		{name: "a broken escape in a write", method: "PATCH", path: person + "?attributes=%", body: patchOf(`{"op":"remove","path":"title"}`), status: 400, scimType: "invalidSyntax"},
		{name: "a semicolon", method: "GET", path: "/Users?filter=userName+eq+%22a%22;b", status: 400, scimType: "invalidFilter"},

		// Pages.
		{name: "a count that no number holds", method: "GET", path: "/Users?count=99999999999999999999", status: 400, scimType: "invalidValue"},
		{name: "an index that no number holds", method: "GET", path: "/Users?startIndex=-99999999999999999999", status: 400, scimType: "invalidValue"},
		{name: "a made-up cursor", method: "GET", path: "/Users?cursor=AAAA", status: 400, scimType: "invalidCursor"},
		{name: "a cursor of NUL", method: "GET", path: "/Users?cursor=%00", status: 400, scimType: "invalidCursor"},

		// Paths, methods, preconditions.
		{name: "NUL in a path", method: "GET", path: "/Users/a%00b", status: 404},
		{name: "not UTF-8 in a path", method: "GET", path: "/Users/%ff%fe", status: 404},
		{name: "NUL in the path of a DELETE", method: "DELETE", path: "/Groups/%00", status: 404},
		{name: "dots", method: "GET", path: "/Users/..%2f..%2fGroups", status: 404},
		{name: "an unescaped slash", method: "DELETE", path: "/Users/okta/acme/1", status: 404},
		{name: "a user as a group", method: "GET", path: "/Groups/" + url.PathEscape(ada), status: 404},
		{name: "a group as a user", method: "DELETE", path: "/Users/" + staff, status: 404},
		{name: "an id in other case", method: "DELETE", path: "/Users/OKTA%7Cacme%7C1", status: 404},
		{name: "PUT of nobody", method: "PUT", path: "/Users/okta%7Cacme%7C9", body: user("b", `,"externalId":"9"`), status: 404},
		{name: "OPTIONS", method: "OPTIONS", path: "/Users", status: 405},
		{name: "TRACE", method: "TRACE", path: person, status: 405},
		{name: "a method of our own", method: "PURGE", path: person, status: 405},
		{name: "DELETE of all", method: "DELETE", path: "/Users", status: 405},
		{name: "PATCH of all", method: "PATCH", path: "/Groups", body: "{}", status: 405},
		{name: "an old version", method: "PUT", path: person, body: user("ada", `,"title":"y"`), header: match(`W/"0"`), status: 412},
		{name: "a version that is none", method: "DELETE", path: person, header: match(`"`), status: 412},
		{name: "an old version of a group", method: "PATCH", path: group, body: patchOf(`{"op":"remove","path":"members"}`), header: match(`W/"1-0"`), status: 412},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := *s
			s.T = t
			before := s.mark()
			r := s.send(test.method, test.path, test.body, test.header)
			got, _ := r.body["scimType"].(string)
			if r.status != test.status || got != test.scimType {
				t.Errorf("%d %s, want %d and %q", r.status, cut(r.text), test.status, test.scimType)
			}
			if test.method != "HEAD" {
				s.known(r)
			}
			if after := s.mark(); after != before {
				t.Errorf("something changed:\n%s\nbefore:\n%s", cut(after), cut(before))
			}
		})
	}
}

func cut(text string) string { return text[:min(len(text), 300)] }

func manyMembers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"value":"okta|acme|n%d"}`, i)
	}
	return strings.Join(list, ",")
}

// TestHostileBulk makes sure that operations that fail do so alone, and that
// references lead nowhere they should not.
func TestHostileBulk(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	var waits []string
	for i := range 1000 { // each waits for the next
		waits = append(waits, fmt.Sprintf(`{"method":"POST","bulkId":"%d","path":"/Groups","data":%s}`, i, groupOf(fmt.Sprint("g", i), fmt.Sprintf(`,"externalId":"bulkId:%d"`, i+1))))
	}
	for name, test := range map[string]struct {
		operations string
		want       string
	}{
		"NUL in a path":         {`{"method":"DELETE","path":"/Users/a%00"}`, "400"},
		"no UTF-8 in a path":    {`{"method":"DELETE","path":"/Users/%ff"}`, "400"},
		"a path that climbs":    {`{"method":"DELETE","path":"/../Users/x"}`, "400"},
		"another connection":    {`{"method":"DELETE","path":"http://x/scim/v2/connections/con_2/Users/x"}`, "400"},
		"bulk in bulk":          {`{"method":"POST","bulkId":"a","path":"/Bulk","data":{}}`, "404"},
		"GET":                   {`{"method":"GET","path":"/Users"}`, "405"},
		"nobody":                {`{"method":"POST","bulkId":"a","path":"/Groups","data":` + groupOf("g", `,"members":[{"value":"bulkId:b"}]`) + `}`, "400"},
		"a circle":              {`{"method":"PUT","path":"/Users/bulkId:b","data":{}},{"method":"PUT","path":"/Users/bulkId:a","bulkId":"b","data":{"x":"bulkId:c"}},{"method":"DELETE","path":"/Users/bulkId:b","bulkId":"c"}`, "409 400 409"},
		"an old version":        {`{"method":"DELETE","path":"/Users/okta%7Cacme%7C1","version":"W/\"0\""}`, "412"},
		"a thousand in a chain": {strings.Join(waits, ","), ""},
	} {
		s.send("POST", "/Users", user("ada", `,"externalId":"1"`), nil)
		before := s.mark()
		r := s.send("POST", "/Bulk", bulkOf(test.operations), nil)
		list, _ := r.body["Operations"].([]any)
		got := ""
		for _, op := range list {
			got += " " + op.(map[string]any)["status"].(string)
		}
		if test.want == "" {
			continue
		}
		if r.status != 200 || strings.TrimSpace(got) != test.want {
			t.Errorf("%s: %d %s, want %s", name, r.status, cut(r.text), test.want)
		}
		if s.mark() != before {
			t.Errorf("%s: something changed", name)
		}
	}
}

// TestHostileTokens makes sure that only the right token in the right place opens
// the door, and that what was refused changed nothing.
func TestHostileTokens(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	operator, con := directory.System("test"), s.url[strings.LastIndex(s.url, "/")+1:]
	now := s.tenant.Directory.Now()
	s.tenant.Directory.Clock = func() time.Time { return now }
	create := func(scopes ...string) (string, *tenant.SCIMToken) {
		t.Helper()
		secret, token, err := s.tenant.CreateSCIMToken(t.Context(), operator, con, tenant.NewSCIMToken{Scopes: scopes, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return secret, token
	}
	all := s.token
	reader, _ := create("get:users")
	id, part, _ := strings.Cut(all, ".")
	send := func(token, method, path string, header http.Header) reply {
		t.Helper()
		s := *s
		s.token = token
		body := ""
		if method == "POST" || method == "PUT" {
			body = user("b", `,"externalId":"9"`)
		}
		return s.send(method, path, body, header)
	}
	refused := func(what string, status int, r reply) {
		t.Helper()
		s.known(r)
		if r.status != status || status == 401 != (r.header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: status %d with %q, want %d", what, r.status, r.header.Get("WWW-Authenticate"), status)
		}
	}
	before := s.mark()
	for what, token := range map[string]string{
		"no secret": id, "an empty secret": id + ".", "another secret": id + "." + strings.Repeat("0", len(part)), "half": all[:len(all)-1],
		"more": all + "0", "upper case": strings.ToUpper(all), "another id": "tok_0000000000000000." + part, "two": all + " " + all, "quotes": `"` + all + `"`,
		"a wildcard": "%", "SQL": "' OR 1=1 --", "long": strings.Repeat("a", 50_000), "Latin": "tok_\xe9", "its digest": directory.Digest(all),
	} {
		refused(what, 401, send(token, "POST", "/Users", nil))
	}
	for what, header := range map[string]string{
		"none": "", "Basic": "Basic " + all, "SSWS": "SSWS " + all, "bare": all, "colon": "Bearer:" + all, "tab": "Bearer\t" + all, "nothing behind": "Bearer",
	} {
		refused(what, 401, send("", "POST", "/Users", http.Header{"Authorization": {header}}))
	}
	refused("in the query", 401, send("", "POST", "/Users?access_token="+all+"&token="+all, http.Header{"Authorization": {""}}))
	refused("in a cookie", 401, send("", "POST", "/Users", http.Header{"Authorization": {""}, "Cookie": {"access_token=" + all}}))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		path := map[bool]string{true: "/Users", false: "/Users/okta%7Cacme%7C1"}[method == "POST"]
		refused("get:users for "+method, 403, send(reader, method, path, nil))
	}
	refused("get:users for groups", 403, send(reader, "GET", "/Groups", nil))
	refused("overriding the method", 403, send(reader, "POST", "/Users", http.Header{"X-Http-Method-Override": {"GET"}}))
	refused("another connection", 404, reply401or404(t, s, all, "con_0000000000000000"))
	if after := s.mark(); after != before {
		t.Errorf("something changed:\n%s", cut(after))
	}
	if r := send("", "GET", "/Users", http.Header{"Authorization": {"bearer   " + reader}}); r.status != 200 {
		t.Errorf("a scheme in lower case: %d %s", r.status, r.text)
	}
	now = now.Add(time.Hour)
	refused("over", 401, send(reader, "GET", "/Users", nil))
}

// reply401or404 asks for people of another connection.
func reply401or404(t *testing.T, s *stack, token, connection string) reply {
	t.Helper()
	other := *s
	other.token, other.url = token, s.url[:strings.LastIndex(s.url, "/")+1]+connection
	return other.send("GET", "/Users", "", nil)
}

// together runs something many times at once and counts the answers.
func together(n int, do func(i int) reply) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[int]int{}
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			r := do(i)
			mu.Lock()
			defer mu.Unlock()
			answers[r.status]++
		})
	}
	close(begin)
	wg.Wait()
	return answers
}

// TestRaces makes sure that of those who want the same, one gets it, and that
// those who want different things all do.
func TestRaces(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	const n = 100
	for name, body := range map[string]string{
		"the same person": user("ada", `,"externalId":"1"`), "the same blocked person": user("bob", `,"externalId":"2","active":false`),
		"the same name, no externalId": user("cid", ""),
	} {
		if got := together(n, func(int) reply { return s.send("POST", "/Users", body, nil) }); got[201] != 1 || got[409] != n-1 {
			t.Errorf("%s: answers %v, want one 201 and the others 409", name, got)
		}
	}
	if got := together(n, func(i int) reply {
		return s.send("POST", "/Users", user(fmt.Sprint("dan", i), `,"externalId":"3"`), nil)
	}); got[201] != 1 || got[409] != n-1 {
		t.Errorf("the same externalId: answers %v", got)
	}
	if got := together(n, func(int) reply { return s.send("POST", "/Groups", groupOf("Staff"), nil) }); got[201] != 1 || got[409] != n-1 {
		t.Errorf("the same group: answers %v", got)
	}
	all := s.send("GET", "/Groups", "", nil)
	group := "/Groups/" + all.body["Resources"].([]any)[0].(map[string]any)["id"].(string)
	for i := range n {
		if r := s.send("POST", "/Users", user(fmt.Sprint("m", i), fmt.Sprintf(`,"externalId":"m%d"`, i)), nil); r.status != 201 {
			t.Fatal(r.text)
		}
	}
	add := func(i int) reply {
		return s.send("PATCH", group, patchOf(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"okta|acme|m%d","display":"m%d"}]}`, i, i)), nil)
	}
	if got := together(n, add); got[204] != n {
		t.Errorf("adding members: answers %v", got)
	}
	count := func() int { list, _ := s.send("GET", group, "", nil).body["members"].([]any); return len(list) }
	if count() != n {
		t.Errorf("%d members, want %d", count(), n)
	}
	// Half of them are deleted while the other half leave and come back.
	got := together(n, func(i int) reply {
		if i%2 == 0 {
			return s.send("DELETE", fmt.Sprintf("/Users/okta%%7Cacme%%7Cm%d", i), "", nil)
		}
		return s.send("PATCH", group, patchOf(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"okta|acme|m%d\"]"},{"op":"add","path":"members","value":[{"value":"okta|acme|m%d"}]}`, i, i)), nil)
	})
	if got[204] != n || count() != n/2 {
		t.Errorf("answers %v and %d members, want %d", got, count(), n/2)
	}
	// Two who write on the same version.
	version := s.send("GET", "/Users/okta%7Cacme%7C1", "", nil).header.Get("ETag")
	got = together(20, func(i int) reply {
		return s.send("PUT", "/Users/okta%7Cacme%7C1", user("ada", fmt.Sprintf(`,"externalId":"1","title":"t%d"`, i)), http.Header{"If-Match": {version}})
	})
	if got[200] != 1 || got[412] != 19 {
		t.Errorf("writing on one version: answers %v", got)
	}
	version = s.send("GET", group, "", nil).header.Get("ETag")
	got = together(20, func(i int) reply {
		return s.send("PATCH", group, patchOf(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"okta|acme|m%d\"]"}`, 2*i+1)), http.Header{"If-Match": {version}})
	})
	if got[204] != 1 || got[412] != 19 || count() != n/2-1 {
		t.Errorf("writing on one version of a group: answers %v, %d members", got, count())
	}
}

// TestStrangeIDs makes sure that an id may hold anything that JSON may.
func TestStrangeIDs(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	group := "/Groups/" + s.send("POST", "/Groups", groupOf("Staff"), nil).body["id"].(string)
	for i, external := range []string{"a/b", "a%2Fb", "a|b", "ä😀", "a b", "a?b#c", "..", ".search", "a\\\\b", `a\"b`, "a+b", "%", "a,b", "bulkId:1", "\\u2028"} {
		made := s.send("POST", "/Users", user(fmt.Sprint("u", i), `,"externalId":"`+external+`"`), nil)
		id, _ := made.body["id"].(string)
		if made.status != 201 {
			t.Errorf("%q: %d %s", external, made.status, made.text)
			continue
		}
		location := made.header.Get("Location")
		path, ok := strings.CutPrefix(location, s.url)
		if got := s.send("GET", path, "", nil); !ok || got.status != 200 || got.body["id"] != id {
			t.Errorf("%q is not at %q: %d", id, location, got.status)
		}
		member := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id)
		for _, op := range []string{
			`{"op":"add","path":"members","value":[{"value":"` + member + `"}]}`,
			`{"op":"remove","path":"members[value eq \"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(member) + `\"]"}`,
		} {
			if r := s.send("PATCH", group, patchOf(op), nil); r.status != 204 {
				t.Errorf("%s: %d %s", op, r.status, r.text)
			}
		}
		if r := s.send("GET", group, "", nil); r.body["members"] != nil {
			t.Errorf("%q is still in the group", id)
		}
		if r := s.send("DELETE", path, "", nil); r.status != 204 {
			t.Errorf("%q: deleting: %d %s", id, r.status, r.text)
		}
	}
}

// TestPagesOfMany checks the figures at the ends of paging, and cursors of others.
func TestPagesOfMany(t *testing.T) {
	t.Parallel()
	s := newStack(t, "okta", tenant.ProfileStrict)
	for i := range 5 {
		s.send("POST", "/Users", user(fmt.Sprint("u", i), fmt.Sprintf(`,"externalId":"%d"`, i)), nil)
	}
	for query, want := range map[string]string{
		"count=0": "5 1 0", "count=-1": "5 1 0", "count=2000000000": "5 1 5", "startIndex=0": "5 1 5", "startIndex=-5&count=2": "5 1 2",
		"startIndex=5": "5 5 1", "startIndex=6": "5 6 0", "startIndex=2000000000": "5 2000000000 0", "startIndex=9223372036854775807&count=9223372036854775807": "5 9223372036854775807 0",
		"startIndex=9223372036854775807&sortBy=userName": "5 9223372036854775807 0", "startIndex=9223372036854775807&filter=userName+pr": "5 9223372036854775807 0",
	} {
		for _, path := range []string{"/Users?", "?"} {
			r := s.send("GET", path+query, "", nil)
			list, _ := r.body["Resources"].([]any)
			if got := fmt.Sprint(r.body["totalResults"], " ", r.body["startIndex"], " ", len(list)); r.status != 200 || got != want || list == nil {
				t.Errorf("%s%s: %d, %s, want %s", path, query, r.status, got, want)
			}
		}
	}
	first := s.send("GET", "/Users?cursor&count=2", "", nil)
	next, _ := first.body["nextCursor"].(string)
	if next == "" || first.body["previousCursor"] != nil || first.body["startIndex"] != nil {
		t.Fatalf("the first page: %s", cut(first.text))
	}
	secret, _, err := s.tenant.CreateSCIMToken(t.Context(), directory.System("test"), s.url[strings.LastIndex(s.url, "/")+1:], tenant.NewSCIMToken{Scopes: tenant.SCIMScopes()})
	if err != nil {
		t.Fatal(err)
	}
	other := *s
	other.token = secret
	for what, r := range map[string]reply{
		"another token": other.send("GET", "/Users?cursor="+next, "", nil), "another type": s.send("GET", "/Groups?cursor="+next, "", nil),
		"another query": s.send("GET", "/Users?filter=title+pr&cursor="+next, "", nil), "the root": s.send("GET", "?cursor="+next, "", nil),
		"changed": s.send("GET", "/Users?cursor="+next[:len(next)-2]+"AA", "", nil),
	} {
		if r.body["scimType"] != "invalidCursor" {
			t.Errorf("%s: %d %s", what, r.status, cut(r.text))
		}
	}
	if r := s.send("GET", "/Users?count=3&cursor="+next, "", nil); r.body["scimType"] != "invalidCount" {
		t.Errorf("another count: %s", cut(r.text))
	}
	if r := s.send("GET", "/Users?startIndex=1&cursor="+next, "", nil); r.status != 400 {
		t.Errorf("cursor and startIndex: %d", r.status)
	}
	seen := names(first)
	for next != "" {
		page := s.send("GET", "/Users?count=2&cursor="+next, "", nil)
		if page.status != 200 {
			t.Fatal(page.text)
		}
		seen = append(seen, names(page)...)
		next, _ = page.body["nextCursor"].(string)
	}
	if want := []string{"u0", "u1", "u2", "u3", "u4"}; !slices.Equal(seen, want) {
		t.Errorf("pages hold %v, want %v", seen, want)
	}
}

func names(r reply) (out []string) {
	list, _ := r.body["Resources"].([]any)
	for _, u := range list {
		name, _ := u.(map[string]any)["userName"].(string)
		out = append(out, name)
	}
	return out
}
