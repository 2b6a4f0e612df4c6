package sources

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

func digest(text string) string { return openapi.Digest([]byte(text)) }

// Every status, seen by each of the three commands in turn.
func TestStates(t *testing.T) {
	b := newBench(t)
	same, before, after := description("Same", "s"), description("Before", "kept", "removed", "altered"), description("After", "kept", "added")+"  /other: {put: {operationId: altered}}\n"
	b.site["/same.yaml"], b.site["/changed.yaml"], b.site["/gone.yaml"], b.site["/unused.yaml"] = same, before, description("Gone"), description("Unused")
	ref := func(name string, needs ...string) Ref {
		r := b.ref(b.url+"/"+name+".yaml", needs...)
		r.Name = name
		return r
	}
	if _, err := b.Pin(t.Context(), []Ref{ref("same"), ref("changed"), ref("gone"), ref("unused")}); err != nil {
		t.Fatal(err)
	}
	pinned := b.Lock.Pins()
	b.site["/changed.yaml"], b.site["/new.yaml"], b.site["/page.yaml"] = after, description("New"), "<html>"
	delete(b.site, "/gone.yaml")
	refs := []Ref{ref("same", "s"), ref("changed", "kept", "removed", "altered", "added", "neither"), ref("gone"), ref("new"), ref("page")}

	at := func(name string) string { return b.url + "/" + name + ".yaml" }
	const doc = "flows/flow.yaml"
	gone, unused := digest(description("Gone")), digest(description("Unused"))
	want := []State{
		{Document: doc, Name: "same", Status: Unchanged, Location: at("same"), Digest: digest(same), Pinned: digest(same)},
		{
			Document: doc, Name: "changed", Status: Changed, Location: at("changed"), Digest: digest(after), Pinned: digest(before),
			Added: []string{"added"}, Removed: []string{"removed"}, Changed: []string{"altered"},
		},
		{
			Document: doc, Name: "gone", Status: Gone, Location: at("gone"), Digest: gone, Pinned: gone,
			Message: "flow.yaml:4:10: the source gone cannot be read from " + at("gone") + ": the server answered 404 Not Found",
		},
		{Document: doc, Name: "new", Status: New, Location: at("new"), Digest: digest(description("New"))},
		{
			Document: doc, Name: "page", Status: Gone, Location: at("page"),
			Message: "flow.yaml:4:10: the source page cannot be read: " + at("page") + ": this is a web page or XML, not an OpenAPI description; name the raw file",
		},
		{Document: doc, Name: "unused", Status: Unused, Location: at("unused"), Digest: unused, Pinned: unused, Message: "the document has no such source any more"},
	}
	check := func(command string, states []State, err error, want []State) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if diff := cmp.Diff(want, states, cmpopts.IgnoreFields(State{}, "Err")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
		for _, s := range states {
			if (s.Err != nil) != (s.Status == Gone) {
				t.Errorf("%s: %s is %s with error %v", command, s.Name, s.Status, s.Err)
			}
		}
	}
	names := func() (out []string) {
		for _, p := range b.Lock.Pins() {
			out = append(out, p.Name+" "+p.Digest[7:15])
		}
		return out
	}
	short := func(name, text string) string { return name + " " + digest(text)[7:15] }

	states, err := b.Diff(t.Context(), refs)
	check("Diff", states, err, want)
	if diff := cmp.Diff(pinned, b.Lock.Pins()); diff != "" {
		t.Errorf("Diff changed the lock (-before +after):\n%s", diff)
	}

	states, err = b.Pin(t.Context(), refs)
	check("Pin", states, err, want)
	wantNames := []string{short("changed", before), short("gone", description("Gone")), short("new", description("New")), short("same", same)}
	if diff := cmp.Diff(wantNames, names()); diff != "" {
		t.Errorf("lock after Pin (-want +got):\n%s", diff)
	}

	states, err = b.Update(t.Context(), refs)
	want[3].Status, want[3].Pinned = Unchanged, want[3].Digest
	check("Update", states, err, want[:5])
	wantNames[0] = short("changed", after)
	if diff := cmp.Diff(wantNames, names()); diff != "" {
		t.Errorf("lock after Update (-want +got):\n%s", diff)
	}

	pin, _ := b.Lock.Find(b.path(doc), "changed")
	wantPin := Pin{Document: doc, Name: "changed", URL: at("changed"), Digest: digest(after), Size: int64(len(after)), Fetched: b.now().Truncate(1e9)}
	if diff := cmp.Diff(wantPin, pin); diff != "" {
		t.Errorf("pin (-want +got):\n%s", diff)
	}
	if data, ok := b.cache().copy(pin.Digest); !ok || string(data) != after {
		t.Errorf("the copy is %q, %v", data, ok)
	}
}

func TestChangedWithoutCopy(t *testing.T) {
	b := newBench(t)
	b.site["/api.yaml"] = description("Before", "a")
	ref := b.ref(b.url+"/api.yaml", "a")
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.CacheDir); err != nil {
		t.Fatal(err)
	}
	// The same bytes bring the copy back.
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.cache().copy(digest(b.site["/api.yaml"])); !ok {
		t.Error("the copy was not kept again")
	}
	if err := os.RemoveAll(b.CacheDir); err != nil {
		t.Fatal(err)
	}
	b.site["/api.yaml"] = description("After")
	states, err := b.Diff(t.Context(), []Ref{ref})
	if err != nil || states[0].Status != Changed || !strings.Contains(states[0].Message, "no copy of the pinned content") || states[0].Removed != nil {
		t.Errorf("Diff = %+v, %v", states, err)
	}
}

func TestPinAnotherURL(t *testing.T) {
	b := newBench(t)
	b.site["/a.yaml"], b.site["/b.yaml"] = description("A"), description("B")
	if _, err := b.Pin(t.Context(), []Ref{b.ref(b.url + "/a.yaml")}); err != nil {
		t.Fatal(err)
	}
	states, err := b.Pin(t.Context(), []Ref{b.ref(b.url + "/b.yaml")})
	if err != nil || states[0].Status != New || !strings.Contains(states[0].Message, "another URL") {
		t.Errorf("Pin = %+v, %v", states, err)
	}
	pins := b.Lock.Pins()
	if len(pins) != 1 || pins[0].URL != b.url+"/b.yaml" || pins[0].Digest != digest(description("B")) {
		t.Errorf("pins %+v", pins)
	}
}

func TestPinArazzo(t *testing.T) {
	b := newBench(t)
	b.write("flows/other.yaml", "arazzo: 1.0.1\n")
	ref := b.ref("other.yaml")
	ref.Type = "arazzo"
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	b.write("flows/other.yaml", "arazzo: 1.1.0\n")
	states, err := b.Diff(t.Context(), []Ref{ref})
	if err != nil || states[0].Status != Changed || states[0].Message != "" {
		t.Errorf("Diff = %+v, %v", states, err)
	}
	b.refused(ref, CodeChanged, fault.Stale)
}

func TestStatesStop(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Diff(ctx, []Ref{b.ref("x.yaml")}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after cancelling: %v", err)
	}
	b.write("flows/api.yaml", description("A"))
	b.write("file", "")
	b.CacheDir = b.path("file/cache")
	if _, err := b.Pin(t.Context(), []Ref{b.ref("api.yaml")}); err == nil {
		t.Error("a copy that cannot be kept is no error")
	}
	if len(b.Lock.Pins()) != 0 {
		t.Error("a source without its copy was pinned")
	}
	if _, err := (&Loader{}).Diff(t.Context(), nil); err == nil {
		t.Error("Diff without a lock is no error")
	}
}

// A digest comes from a file that people edit; it must not become a path.
func TestCacheNames(t *testing.T) {
	c := cache{t.TempDir()}
	good := digest("x")
	if got := c.copyFile(good); got != filepath.Join(c.dir, "sources", good[7:]) {
		t.Errorf("copyFile = %s", got)
	}
	for _, bad := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:" + good[7:], "sha256:" + strings.ToUpper(good[7:]), good + "0", good[:70]} {
		if got := c.copyFile(bad); got != "" {
			t.Errorf("copyFile(%q) = %q, want none", bad, got)
		}
	}
	if got := (cache{}).copyFile(good); got != "" {
		t.Errorf("without a folder: %q", got)
	}
}
