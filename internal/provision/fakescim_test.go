package provision_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-id/lanyard/internal/value"
)

// fakeSCIM is a small SCIM server in memory that writes down what it is asked
// and fails when told to.
type fakeSCIM struct {
	t *testing.T

	mu     sync.Mutex
	users  map[string]map[string]any
	groups map[string]map[string]any
	last   int
	log    []string // requests, as a person reads them

	// fail says how a request fails; nil or 0: not at all. With lost, the request
	// has its effect and the answer does not arrive.
	fail func(r *http.Request) failure

	sticky bool // every page is the first
}

type failure struct {
	status int
	header map[string]string
	body   string
	lost   bool
}

func newFake(t *testing.T) *fakeSCIM {
	return &fakeSCIM{t: t, users: map[string]map[string]any{}, groups: map[string]map[string]any{}}
}

func (f *fakeSCIM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	f.note(r, body)
	var bad failure
	if f.fail != nil {
		bad = f.fail(r)
	}
	if bad.status != 0 {
		for name, v := range bad.header {
			w.Header().Set(name, v)
		}
		w.WriteHeader(bad.status)
		_, _ = io.WriteString(w, bad.body)
		return
	}
	status, answer := f.answer(r, body)
	if bad.lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (f *fakeSCIM) note(r *http.Request, body []byte) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
	if len(body) > 0 {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			f.t.Errorf("a body that is no JSON: %s", body)
		}
		b.WriteString(pretty.String() + "\n")
	}
	f.log = append(f.log, b.String())
}

func (f *fakeSCIM) answer(r *http.Request, raw []byte) (int, any) {
	var body map[string]any
	if len(raw) > 0 {
		v, err := value.Decode(raw)
		if err != nil {
			return scimError(400, "not JSON")
		}
		body, _ = v.(map[string]any)
	}
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/scim/"), "/")
	id, _ = url.PathUnescape(id)
	store, unique := f.users, "userName"
	if kind == "Groups" {
		store, unique = f.groups, "displayName"
	}
	switch {
	case id == "" && r.Method == http.MethodGet:
		return f.list(store, r.URL.Query())
	case id == "" && r.Method == http.MethodPost:
		for _, other := range store {
			if strings.EqualFold(text(other[unique]), text(body[unique])) {
				return scimError(409, unique+" is taken")
			}
		}
		f.last++
		body["id"] = fmt.Sprintf("r%04d", f.last)
		delete(body, "password")
		body["meta"] = map[string]any{"resourceType": strings.TrimSuffix(kind, "s")}
		store[text(body["id"])] = body
		return 201, body
	}
	have := store[id]
	if have == nil {
		return scimError(404, "no such resource")
	}
	switch r.Method {
	case http.MethodGet:
		return 200, have
	case http.MethodPut:
		body["id"] = id
		store[id] = body
		return 200, body
	case http.MethodPatch:
		for _, op := range body["Operations"].([]any) {
			f.patch(have, op.(map[string]any))
		}
		return 204, nil
	case http.MethodDelete:
		delete(store, id)
		return 204, nil
	}
	return scimError(405, "no such method")
}

func text(v any) string { s, _ := v.(string); return s }

func scimError(status int, detail string) (int, any) {
	return status, map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(status), "detail": detail}
}

var equality = regexp.MustCompile(`^(\w+) eq (".*")$`)

func (f *fakeSCIM) list(store map[string]map[string]any, q url.Values) (int, any) {
	var hits []any
	m := equality.FindStringSubmatch(q.Get("filter"))
	for _, id := range slices.Sorted(maps.Keys(store)) {
		var want string
		if m != nil {
			_ = json.Unmarshal([]byte(m[2]), &want)
			if !strings.EqualFold(text(store[id][m[1]]), want) {
				continue
			}
		}
		hits = append(hits, store[id])
	}
	total, start := len(hits), 1
	if n, err := strconv.Atoi(q.Get("startIndex")); err == nil && !f.sticky {
		start = n
		hits = hits[min(start-1, len(hits)):]
	}
	if n, err := strconv.Atoi(q.Get("count")); err == nil {
		hits = hits[:min(n, len(hits))]
	}
	return 200, map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, "totalResults": total, "startIndex": start, "itemsPerPage": len(hits), "Resources": append([]any{}, hits...)}
}

var memberPath = regexp.MustCompile(`^members\[value eq "(.*)"\]$`)

func (f *fakeSCIM) patch(have, op map[string]any) {
	path := text(op["path"])
	members, _ := have["members"].([]any)
	switch {
	case path == "":
		maps.Copy(have, op["value"].(map[string]any))
	case path == "members" && op["op"] == "replace":
		have["members"] = op["value"]
	case path == "members" && op["op"] == "add":
		have["members"] = append(members, op["value"].([]any)...)
	default:
		id := memberPath.FindStringSubmatch(path)[1]
		have["members"] = slices.DeleteFunc(members, func(m any) bool { return m.(map[string]any)["value"] == id })
	}
}

// active are the userNames of those who can sign in, in order.
func (f *fakeSCIM) active() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.users {
		if u["active"] == true {
			out = append(out, text(u["userName"]))
		}
	}
	slices.Sort(out)
	return out
}

// members are the userNames in a group, in order; nil when there is no such group.
func (f *fakeSCIM) members(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.groups {
		if g["displayName"] != name {
			continue
		}
		out := []string{}
		list, _ := g["members"].([]any)
		for _, m := range list {
			out = append(out, text(f.users[text(m.(map[string]any)["value"])]["userName"]))
		}
		slices.Sort(out)
		return out
	}
	return nil
}

// taken returns the requests since the last call.
func (f *fakeSCIM) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

// lines are the request lines of requests.
func lines(requests []string) (out []string) {
	for _, r := range requests {
		line, _, _ := strings.Cut(r, "\n")
		out = append(out, line)
	}
	return out
}
