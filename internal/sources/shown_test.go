package sources

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"https://h/a.yaml":                                     "https://h/a.yaml",
		"https://h/a.yaml?ref=main&access_token=abc":           "https://h/a.yaml?ref=main&access_token=[masked]",
		"https://h/a?X-Amz-Signature=1&sig=2&k%65y=3&v=4&e=#f": "https://h/a?X-Amz-Signature=[masked]&sig=[masked]&k%65y=[masked]&v=4&e=#f",
		"https://h/a?raw":                                      "https://h/a?raw",
		"https://h/a?c2VjcmV0LXRva2Vu":                         "https://h/a?[masked]",
		"folder/what?token=x.yaml":                             "folder/what?token=x.yaml",
	} {
		if got := Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
		if again := Shown(Shown(in)); again != want {
			t.Errorf("Shown twice of %q is %q, want %q", in, again, want)
		}
	}
}

// A token in a source's address is used to read it, and kept nowhere.
func TestTokenInAddressIsNotKept(t *testing.T) {
	const marker = "SRCSECRET99"
	b := newBench(t)
	b.site["/spec.yaml"] = description("Private", "s")
	full := b.url + "/spec.yaml?access_token=" + marker
	clean := func(what, text string) {
		t.Helper()
		if strings.Contains(text, marker) {
			t.Errorf("%s holds the token: %s", what, text)
		}
	}
	load := func(ref Ref) {
		t.Helper()
		s, err := b.Load(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		clean("location", s.Location)
		clean("notice", s.Notice)
		clean("index", s.Index.URL)
	}
	ref := b.ref(full, "s")
	load(ref)
	if _, err := b.Pin(t.Context(), []Ref{ref}); err != nil {
		t.Fatal(err)
	}
	load(ref) // from the kept copy
	states, err := b.Update(t.Context(), []Ref{ref})
	if err != nil || states[0].Status != Unchanged {
		t.Errorf("Update: %+v, %v", states, err)
	}
	clean("state", states[0].Location)

	// The address is given on the command line instead.
	plain := b.ref("gone.yaml", "s")
	b.Overrides = map[string]string{plain.Name: full}
	load(plain)
	if _, err := b.Update(t.Context(), []Ref{plain}); err != nil {
		t.Fatal(err)
	}
	b.Overrides = nil
	load(plain)
	if err := os.RemoveAll(b.CacheDir); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(context.Background(), plain); !strings.Contains(fault.Public(err), "not known in full") {
		t.Errorf("without the kept copy: %v", err)
	}

	if err := b.Lock.Write(b.path("lanyard.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLock(b.path("lanyard.lock")); err != nil {
		t.Errorf("the lock cannot be read: %v", err)
	}
	delete(b.site, "/spec.yaml")
	b.Lock = nil
	_, err = b.Load(t.Context(), ref)
	clean("error", fault.Public(err)+err.Error())
	b.site["/spec.yaml"] = "<html>"
	_, err = b.Load(t.Context(), ref)
	clean("error", fault.Public(err)+err.Error())

	err = filepath.WalkDir(b.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		clean(path, string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
