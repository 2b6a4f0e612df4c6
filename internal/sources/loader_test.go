package sources

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// description returns an OpenAPI description with the given operations, each
// at the path of its name.
func description(title string, operations ...string) string {
	text := "openapi: 3.0.0\ninfo: {title: " + title + ", version: '1'}\nservers: [{url: /api}]\npaths:\n  /ping: {get: {}}\n"
	for _, id := range operations {
		text += "  /" + id + ": {get: {operationId: " + id + "}}\n"
	}
	return text
}

// bench is a loader in a folder of its own, with a web of its own.
type bench struct {
	*Loader
	t      *testing.T
	folder string
	site   map[string]string // path to content; "-> x" redirects
	asked  []string          // paths asked for, in order
	url    string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, folder: t.TempDir(), site: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked = append(b.asked, r.URL.Path)
		text, ok := b.site[r.URL.Path]
		to, redirect := strings.CutPrefix(text, "-> ")
		switch {
		case redirect:
			http.Redirect(w, r, to, http.StatusFound)
		case ok:
			_, _ = io.WriteString(w, text)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.Loader = &Loader{
		Fetch: fetcher{server.Client()}, CacheDir: filepath.Join(b.folder, "cache"), Folder: b.folder,
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 999, time.UTC) },
	}
	b.Lock = NewLock(b.path("lanyard.lock"))
	return b
}

// fetcher is the smallest Fetcher.
type fetcher struct{ client *http.Client }

func (f fetcher) Fetch(ctx context.Context, url string, maxBytes int64) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, url, fault.Wrap(fault.Invalid, err, "not a URL")
	}
	res, err := f.client.Do(req)
	if err != nil {
		return nil, url, fault.Wrap(fault.Unavailable, err, "%s does not answer", req.URL.Host)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		kind := fault.Unavailable
		if res.StatusCode == http.StatusNotFound {
			kind = fault.NotFound
		}
		return nil, url, fault.New(kind, "the server answered %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxBytes))
	return data, res.Request.URL.String(), err
}

func (b *bench) path(name string) string { return filepath.Join(b.folder, filepath.FromSlash(name)) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// ref is a reference of the document flows/flow.yaml.
func (b *bench) ref(url string, needs ...string) Ref {
	return Ref{
		Name: "api", URL: url, BaseFile: b.path("flows/flow.yaml"), Needs: needs,
		Pos: arazzo.Pos{File: "flow.yaml", Line: 4, Col: 10},
	}
}

func (b *bench) load(ref Ref) *Source {
	b.t.Helper()
	s, err := b.Load(b.t.Context(), ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// refused loads what must not load and checks what is said about it.
func (b *bench) refused(ref Ref, code string, kind fault.Kind, want ...string) {
	b.t.Helper()
	s, err := b.Load(b.t.Context(), ref)
	if err == nil {
		b.t.Fatalf("Load(%s) = %+v, want an error", ref.URL, s)
	}
	if Code(err) != code || !fault.Is(err, kind) {
		b.t.Errorf("Load(%s): code %s, kind %v; want %s, %v (%v)", ref.URL, Code(err), fault.KindOf(err), code, kind, err)
	}
	for _, part := range append(want, "flow.yaml:4:10: the source api ") {
		if !strings.Contains(fault.Public(err), part) {
			b.t.Errorf("Load(%s) lacks %q:\n%s", ref.URL, part, fault.Public(err))
		}
	}
}

func TestLoadFile(t *testing.T) {
	b := newBench(t)
	text := description("Files", "listUsers")
	b.write("openapi/api one.yaml", text)
	for _, url := range []string{
		"../openapi/api one.yaml", "../openapi/api%20one.yaml", "./../openapi/./api one.yaml",
		b.path("openapi/api one.yaml"), "file://" + filepath.ToSlash(b.path("openapi/api%20one.yaml")),
	} {
		s := b.load(b.ref(url, "listUsers"))
		if s.Name != "api" || s.Location != b.path("openapi/api one.yaml") || s.Digest != openapi.Digest([]byte(text)) || s.Notice != "" || s.Data != nil {
			t.Errorf("%s: %+v", url, s)
		}
		if !s.Index.Has("listUsers") || s.Index.URL != s.Location {
			t.Errorf("%s: index of %s at %s", url, s.Index.Title, s.Index.URL)
		}
	}
}

func TestLoadFromStandardInput(t *testing.T) {
	b := newBench(t)
	b.write("api.yaml", description("Stdin"))
	for _, base := range []string{"", "-"} {
		ref := b.ref("api.yaml")
		ref.BaseFile = base
		if s := b.load(ref); s.Location != b.path("api.yaml") {
			t.Errorf("base %q: location %s", base, s.Location)
		}
	}
}

func TestLoadWeb(t *testing.T) {
	b := newBench(t)
	b.site["/specs/api.json"] = `{"openapi": "3.1.0", "info": {"title": "Web"}, "paths": {}, "servers": [{"url": "/v1"}]}`
	b.site["/old.json"] = "-> /specs/api.json"
	s := b.load(b.ref(b.url + "/old.json#/fragment"))
	if s.Location != b.url+"/specs/api.json" || s.Index.URL != s.Location || s.Index.Title != "Web" {
		t.Errorf("got %+v, index %+v", s, s.Index)
	}
	ref := b.ref("../specs/api.json")
	ref.BaseFile = b.url + "/flows/flow.yaml"
	if s := b.load(ref); s.Location != b.url+"/specs/api.json" {
		t.Errorf("relative to a URL: %s", s.Location)
	}
}

func TestLoadArazzo(t *testing.T) {
	b := newBench(t)
	b.write("flows/other.yaml", "arazzo: 1.0.1\n")
	ref := b.ref("other.yaml")
	ref.Type = "arazzo"
	s := b.load(ref)
	want := &Source{Name: "api", Location: b.path("flows/other.yaml"), Digest: openapi.Digest([]byte("arazzo: 1.0.1\n")), Data: []byte("arazzo: 1.0.1\n")}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ref.Type = "asyncapi"
	if _, err := b.Load(t.Context(), ref); !fault.Is(err, fault.Unsupported) {
		t.Errorf("asyncapi: %v, want Unsupported", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	b := newBench(t)
	b.write("flows/bad.yaml", "openapi: 3.0.0\n\tx: 1\n")
	b.write("flows/page.yaml", "<html>login</html>")
	b.write("flows/folder/x", "")
	b.write("flows/large.yaml", strings.Repeat("#", MaxBytes+1))
	b.site["/page"] = "<html>login</html>"
	b.refused(b.ref("bad.yaml"), CodeUnreadable, fault.Invalid, "cannot be read: "+b.path("flows/bad.yaml:2"))
	b.refused(b.ref("page.yaml"), CodeUnreadable, fault.Invalid, "this is a web page", "name the raw file")
	b.refused(b.ref(b.url+"/page"), CodeUnreadable, fault.Invalid, "this is a web page")
	b.refused(b.ref("folder"), CodeUnreadable, fault.Invalid, "it is a folder")
	b.refused(b.ref("large.yaml"), CodeUnreadable, fault.TooLarge, fmt.Sprintf("it has %d bytes, the limit is %d", MaxBytes+1, MaxBytes))
	b.refused(b.ref("nothing.yaml"), CodeUnreadable, fault.NotFound, "cannot be read from "+b.path("flows/nothing.yaml")+": there is no such file")
	b.refused(b.ref(b.url+"/nothing"), CodeUnreadable, fault.NotFound, "cannot be read from "+b.url+"/nothing: the server answered 404 Not Found")
	b.refused(b.ref(""), CodeUnreadable, fault.Invalid, "it has no url")
	b.refused(b.ref("ftp://host/x"), CodeUnreadable, fault.Unsupported, "neither a file nor http nor https")
	b.refused(b.ref("file://host/x"), CodeUnreadable, fault.Unsupported, "a file of another machine")
	web := b.ref("file:///etc/hostname")
	web.BaseFile = b.url + "/flow.yaml"
	b.refused(web, CodeUnreadable, fault.Refused, "a document from the web cannot name")
	b.Fetch = nil
	b.refused(b.ref(b.url+"/page"), CodeUnreadable, fault.Unavailable, "there is no network here")
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Load(stopped, b.ref("bad.yaml")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after cancelling: %v", err)
	}
}

// Where a description moved to, as published collections did.
func TestLoadMoved(t *testing.T) {
	b := newBench(t)
	ref := b.ref("../openapi/okta.yml", "createUser")
	b.write("openapi/_original/okta.yml", description("Okta", "createUser"))
	moved := filepath.FromSlash("openapi/_original/okta.yml")
	b.refused(ref, CodeUnreadable, fault.NotFound,
		"a file of that name exists at "+moved+" and has the operations needed; use it with --source api="+moved)

	// The remedy works.
	b.Overrides = map[string]string{"api": moved}
	if s := b.load(ref); !strings.Contains(s.Notice, "read from "+b.path(moved)) {
		t.Errorf("notice %q", s.Notice)
	}
	b.Overrides = nil

	// One with the operations is preferred to one without.
	b.write("flows/okta.yml", description("Okta", "other"))
	b.write("openapi/a/okta.yml", "not a description")
	b.refused(ref, CodeUnreadable, fault.NotFound, "exists at "+moved+" and has the operations needed")
	if err := os.Remove(b.path(moved)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.path("openapi/a/okta.yml")); err != nil {
		t.Fatal(err)
	}
	b.refused(ref, CodeUnreadable, fault.NotFound, "exists at "+filepath.FromSlash("flows/okta.yml")+", but it lacks createUser")
}

func TestLoadMovedOnWeb(t *testing.T) {
	b := newBench(t)
	b.site["/main/openapi/_original/okta.yml"] = description("Okta", "createUser")
	to := b.url + "/main/openapi/_original/okta.yml"
	b.refused(b.ref(b.url+"/main/openapi/okta.yml", "createUser"), CodeUnreadable, fault.NotFound,
		"the server answered 404 Not Found; a file of that name exists at "+to+" and has the operations needed; use it with --source api="+to)
}

// A published workflow beside its descriptions, laid out in another way than it says.
func TestLoadMovedPublished(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no published descriptions: %v", err)
	}
	l := &Loader{CacheDir: t.TempDir(), Folder: t.TempDir()}
	ref := Ref{
		Name: "oktaApi", URL: "../openapi/okta-openapi-original.yml", Needs: []string{"createUser", "addUserToGroup"},
		BaseFile: filepath.Join(data, "arazzo", "okta", "okta-onboard-user-to-group-and-app-workflow.yml"),
	}
	_, err := l.Load(t.Context(), ref)
	want := filepath.Join("shared", "data", "openapi", "okta-openapi-original.yml") + " and has the operations needed"
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Public(err), want) {
		t.Errorf("Load = %v, want %q", err, want)
	}
}

// The search must not wander through a whole disk.
func TestSearchIsBounded(t *testing.T) {
	b := newBench(t)
	b.write("a/b/c/d/e/f/deep.yaml", "")
	b.write(".git/hidden.yaml", "")
	b.write("node_modules/x/module.yaml", "")
	for _, name := range []string{"deep.yaml", "hidden.yaml", "module.yaml"} {
		ref := b.ref(b.url + "/" + name)
		ref.BaseFile = b.path("flow.yaml")
		if _, err := b.Load(t.Context(), ref); strings.Contains(err.Error(), "a file of that name") {
			t.Errorf("%s was found: %v", name, err)
		}
	}
	s := &search{name: "deep.yaml", seen: map[string]bool{}, left: 2}
	s.below(b.folder)
	if s.left > 0 || s.found != nil {
		t.Errorf("after the limit: left %d, found %v", s.left, s.found)
	}
}

// A source that was read keeps that apart from one that lacks an operation.
func TestUnknownOperation(t *testing.T) {
	b := newBench(t)
	b.write("flows/api.yaml", description("Okta", "listUsers"))
	s := b.load(b.ref("api.yaml", "listUser"))
	if _, err := s.Operation("listUser"); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Public(err), "nearest names are listUsers") {
		t.Errorf("Operation = %v", err)
	}
	for _, need := range []string{"listUsers", "GET /ping", "get /listUsers"} {
		if _, err := s.Operation(need); err != nil {
			t.Errorf("Operation(%s): %v", need, err)
		}
	}
}

func TestOverride(t *testing.T) {
	b := newBench(t)
	b.write("mine/api.yaml", description("Mine"))
	b.site["/api.yaml"], b.site["/copy.yaml"] = description("Original"), description("Copy")
	b.Overrides = map[string]string{"api": "mine/api.yaml"}
	s := b.load(b.ref(b.url + "/api.yaml"))
	if s.Index.Title != "Mine" || s.Location != b.path("mine/api.yaml") || s.Notice == "" {
		t.Errorf("file: %+v", s)
	}
	if s.Index.URL != b.url+"/api.yaml" {
		t.Errorf("relative servers are resolved against %s, want the original's URL", s.Index.URL)
	}
	b.Overrides["api"] = b.url + "/copy.yaml"
	if s = b.load(b.ref("gone.yaml")); s.Index.Title != "Copy" || s.Index.URL != b.url+"/copy.yaml" {
		t.Errorf("URL: %+v", s)
	}
	// A mistake in an override is never papered over.
	b.Overrides["api"] = "mine/nothing.yaml"
	b.AllowBuiltin = true
	b.Builtin = func(string, string, []string) ([]byte, string, bool) {
		return []byte(description("Builtin")), "x", true
	}
	b.refused(b.ref(b.url+"/api.yaml"), CodeUnreadable, fault.NotFound, b.path("mine/nothing.yaml"))
}

// What the program carries is read without a network, wherever it is named, and
// is not pinned; an override is stronger.
func TestOwn(t *testing.T) {
	b := newBench(t)
	b.Own = func(url string) ([]byte, error) {
		if url != "lanyard:shelf/api" {
			return nil, fault.New(fault.NotFound, "the shelf has no such thing").Fix("did you mean api?")
		}
		return []byte(description("Own")), nil
	}
	b.Fetch = nil
	ref := b.ref("lanyard:shelf/api")
	if s := b.load(ref); s.Index.Title != "Own" || s.Location != ref.URL || s.Notice != "" {
		t.Errorf("%+v", s)
	}
	fromWeb := ref
	fromWeb.BaseFile = "https://example.com/flow.yaml"
	if s := b.load(fromWeb); s.Index.Title != "Own" {
		t.Errorf("named by a document from the web: %+v", s)
	}
	b.refused(b.ref("lanyard:shelf/ap"), CodeUnreadable, fault.NotFound, "the shelf has no such thing", "did you mean api?")

	b.Lock = NewLock(b.path("lanyard.lock"))
	states, err := b.Pin(t.Context(), []Ref{ref})
	if err != nil || len(states) != 0 || len(b.Lock.Pins()) != 0 {
		t.Errorf("Pin = %+v, %v; want nothing pinned", states, err)
	}
	b.write("mine.yaml", description("Mine"))
	b.Overrides = map[string]string{"api": "mine.yaml"}
	if s := b.load(ref); s.Index.Title != "Mine" {
		t.Errorf("overridden: %+v", s)
	}
	b.Overrides, b.Own = nil, nil
	b.refused(ref, CodeUnreadable, fault.NotFound, "this program carries no documents")
}

func TestBuiltin(t *testing.T) {
	b := newBench(t)
	var asked []string
	b.Builtin = func(name, url string, need []string) ([]byte, string, bool) {
		asked = append(asked, name+" "+strings.TrimPrefix(url, b.url)+" "+strings.Join(need, ","))
		return []byte(description("Builtin", "createUser")), "Okta 2026.06", true
	}
	ref := b.ref(b.url+"/gone.yaml", "createUser")
	b.refused(ref, CodeUnreadable, fault.NotFound)
	if asked != nil {
		t.Error("the built-in description was asked for without permission")
	}
	b.AllowBuiltin = true
	s := b.load(ref)
	if s.Index.Title != "Builtin" || s.Location != "built-in:Okta 2026.06" || s.Index.URL != ref.URL {
		t.Errorf("got %+v, index %+v", s, s.Index)
	}
	want := "the source api cannot be read from " + ref.URL + ": the server answered 404 Not Found; the built-in description Okta 2026.06 is used instead"
	if s.Notice != want {
		t.Errorf("notice %q\nwant   %q", s.Notice, want)
	}
	if diff := cmp.Diff([]string{"api /gone.yaml createUser"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	// It must have everything that is needed.
	b.refused(b.ref(ref.URL, "createUser", "deleteUser"), CodeUnreadable, fault.NotFound)
	// What can be read is used, even when it lacks an operation: that is another diagnosis.
	b.site["/gone.yaml"] = description("Back")
	if s = b.load(ref); s.Index.Title != "Back" {
		t.Errorf("got %+v", s)
	}
	// A page instead of a description counts as unreadable.
	b.site["/gone.yaml"] = "<html>"
	if s = b.load(ref); s.Index.Title != "Builtin" {
		t.Errorf("got %+v", s)
	}
}

func TestIndexCache(t *testing.T) {
	b := newBench(t)
	text := description("Cached", "one")
	b.write("flows/api.yaml", text)
	stored := cache{b.CacheDir}.indexFile(openapi.Digest([]byte(text)))
	first := b.load(b.ref("api.yaml"))
	if _, err := os.Stat(stored); err != nil {
		t.Fatalf("no index was stored: %v", err)
	}

	// The stored index is really used: plant one that says something else.
	planted, err := openapi.Parse([]byte(description("Planted")), "elsewhere.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, planted.Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := b.load(b.ref("api.yaml")); s.Index.Title != "Planted" || s.Index.URL != s.Location {
		t.Errorf("the stored index was not used, or kept its place: %+v", s.Index)
	}

	// A damaged one is made again.
	for _, damage := range []string{"", "garbage", "LANYARD-OPENAPI-0\nolder"} {
		if err := os.WriteFile(stored, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if s := b.load(b.ref("api.yaml")); s.Index.Title != first.Index.Title {
			t.Errorf("after damage %q: %+v", damage, s.Index)
		}
		if data, err := os.ReadFile(stored); err != nil || len(data) < 100 {
			t.Errorf("after damage %q the index was not stored again: %v", damage, err)
		}
	}

	// Without a folder that can be written, everything still works.
	b.write("file", "")
	b.CacheDir = b.path("file/cache")
	b.load(b.ref("api.yaml"))
	b.CacheDir = ""
	b.load(b.ref("api.yaml"))
}

func TestPinned(t *testing.T) {
	b := newBench(t)
	url := b.url + "/api.yaml"
	b.site["/api.yaml"] = description("Pinned", "createUser")
	ref := b.ref(url, "createUser")
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}

	// The copy is used without asking the network, whatever became of the URL.
	for _, now := range []string{description("Changed"), ""} {
		if b.site["/api.yaml"] = now; now == "" {
			delete(b.site, "/api.yaml")
		}
		b.asked = nil
		s := b.load(ref)
		if s.Index.Title != "Pinned" || s.Location != url || s.Index.URL != url || len(b.asked) != 0 {
			t.Errorf("got %+v, index %+v, asked %v", s, s.Index, b.asked)
		}
		if want := "the source api is the copy pinned on 2026-11-22 of " + url; s.Notice != want {
			t.Errorf("notice %q, want %q", s.Notice, want)
		}
	}

	// Without the copy the network decides, and must give the pinned bytes.
	dropCopies := func() {
		if err := os.RemoveAll(filepath.Join(b.CacheDir, "sources")); err != nil {
			t.Fatal(err)
		}
	}
	dropCopies()
	b.refused(ref, CodeUnreadable, fault.NotFound, "404")
	b.site["/api.yaml"] = description("Changed", "createUsers")
	b.refused(ref, CodeChanged, fault.Stale, "changed since it was pinned on 2026-11-22", "it lacks createUser", "lanyard sources update")
	b.site["/api.yaml"] = "<html>"
	b.refused(ref, CodeChanged, fault.Stale, "it is no OpenAPI description any more")
	b.site["/api.yaml"] = description("Pinned", "createUser")
	if s := b.load(ref); s.Notice != "" || s.Index.Title != "Pinned" {
		t.Errorf("got %+v", s)
	}

	// A changed source is not silently replaced by a built-in one.
	b.AllowBuiltin = true
	b.Builtin = func(string, string, []string) ([]byte, string, bool) {
		return []byte(description("Builtin", "createUser")), "x", true
	}
	b.site["/api.yaml"] = description("Changed", "createUser")
	b.refused(ref, CodeChanged, fault.Stale)
	b.AllowBuiltin = false

	// A damaged copy counts as none.
	b.site["/api.yaml"] = description("Pinned", "createUser")
	pin, _ := b.Lock.Find(ref.BaseFile, ref.Name)
	if err := writeFile(cache{b.CacheDir}.copyFile(pin.Digest), []byte("tampered")); err != nil {
		t.Fatal(err)
	}
	b.asked = nil
	if s := b.load(ref); s.Index.Title != "Pinned" || len(b.asked) != 1 {
		t.Errorf("with a damaged copy: %+v, asked %v", s, b.asked)
	}

	// Another URL in the document is another source.
	b.site["/other.yaml"] = description("Other")
	if s := b.load(b.ref(b.url + "/other.yaml")); s.Index.Title != "Other" || !strings.Contains(s.Notice, "is not pinned: the lock file has another URL") {
		t.Errorf("with another URL: %+v", s)
	}
}

func TestPinnedFile(t *testing.T) {
	b := newBench(t)
	b.write("flows/api.yaml", description("Pinned", "createUser"))
	ref := b.ref("api.yaml", "createUser")
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if s := b.load(ref); s.Notice != "" || s.Location != b.path("flows/api.yaml") {
		t.Errorf("got %+v", s)
	}
	b.write("flows/api.yaml", description("Edited", "createUser"))
	b.refused(ref, CodeChanged, fault.Stale, b.path("flows/api.yaml")+" is not what it was")
	if err := os.Remove(b.path("flows/api.yaml")); err != nil {
		t.Fatal(err)
	}
	if s := b.load(ref); s.Index.Title != "Pinned" || !strings.Contains(s.Notice, "cannot be read (there is no such file)") {
		t.Errorf("without the file: %+v", s)
	}
}

// A source read from elsewhere can be pinned from there, and needs no override
// any more; relative servers stay those of the URL.
func TestPinnedOverride(t *testing.T) {
	b := newBench(t)
	b.write("mine/api.yaml", description("Mine"))
	b.site["/copy.yaml"] = description("Copy")
	ref := b.ref(b.url + "/gone.yaml")
	for override, title := range map[string]string{"mine/api.yaml": "Mine", b.url + "/copy.yaml": "Copy"} {
		b.Overrides = map[string]string{"api": override}
		if _, err := b.Update(t.Context(), []Ref{ref}); err != nil {
			t.Fatal(err)
		}
		pin, _ := b.Lock.Find(ref.BaseFile, "api")
		if pin.From != override || pin.URL != ref.URL {
			t.Errorf("pinned %+v, want from %s", pin, override)
		}
		b.Overrides = nil
		if s := b.load(ref); s.Index.Title != title || s.Index.URL != ref.URL {
			t.Errorf("%s: %+v", override, s)
		}
		states, err := b.Diff(t.Context(), []Ref{ref})
		if err != nil || states[0].Status != Unchanged {
			t.Errorf("%s: Diff = %+v, %v", override, states, err)
		}
	}
}

func TestPinnedRedirect(t *testing.T) {
	b := newBench(t)
	b.site["/old.yaml"], b.site["/new/api.yaml"] = "-> /new/api.yaml", description("Redirected")
	ref := b.ref(b.url + "/old.yaml")
	unpinned := b.load(ref)
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if pinned := b.load(ref); pinned.Index.URL != unpinned.Index.URL || pinned.Index.URL != b.url+"/new/api.yaml" {
		t.Errorf("relative servers are resolved against %s, without the pin against %s", pinned.Index.URL, unpinned.Index.URL)
	}
}

// Loading must cost next to nothing once the indexes are stored.
func BenchmarkLoadWarm(b *testing.B) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "openapi")
	if _, err := os.Stat(folder); err != nil {
		b.Skip(err)
	}
	l := &Loader{CacheDir: b.TempDir()}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range []string{"auth0-management-api-openapi.yml", "okta-openapi-original.yml"} {
			if _, err := l.Load(b.Context(), Ref{Name: name, URL: filepath.Join(folder, name)}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
