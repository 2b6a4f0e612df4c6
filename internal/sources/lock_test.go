package sources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

func TestLockWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	l := NewLock(path)
	when := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	pins := []Pin{
		{Document: "flows/b.yaml", Name: "api", URL: "../api.yaml", Digest: "sha256:" + sum, Size: 3, Fetched: when},
		{Document: "flows/a.yaml", Name: "okta", URL: "https://example.com/okta.yml", From: "openapi/okta.yml", Digest: "sha256:" + sum, Size: 2297056, Fetched: when},
		{Document: "flows/a.yaml", Name: "auth0: #1", URL: "https://example.com/x", Retrieved: "https://example.com/y", Digest: "sha256:" + sum, Fetched: when},
	}
	for _, p := range pins {
		l.set(p)
		l.set(p) // replaces, does not repeat
	}
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `# Which bytes each source is. Written by lanyard sources lock and update; keep it with the documents.
version: 1
sources:
  - document: flows/a.yaml
    name: 'auth0: #1'
    url: https://example.com/x
    retrieved: https://example.com/y
    digest: sha256:` + sum + `
    size: 0
    fetched: 2026-11-22T12:00:00Z
  - document: flows/a.yaml
    name: okta
    url: https://example.com/okta.yml
    from: openapi/okta.yml
    digest: sha256:` + sum + `
    size: 2297056
    fetched: 2026-11-22T12:00:00Z
  - document: flows/b.yaml
    name: api
    url: ../api.yaml
    digest: sha256:` + sum + `
    size: 3
    fetched: 2026-11-22T12:00:00Z
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	read, err := ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Pin{pins[2], pins[1], pins[0]}, read.Pins()); diff != "" {
		t.Errorf("pins (-want +got):\n%s", diff)
	}
	document := filepath.Join(filepath.Dir(path), "flows", "a.yaml")
	if p, ok := read.Find(document, "okta"); !ok || p.Size != 2297056 {
		t.Errorf("Find = %+v, %v", p, ok)
	}
	if _, ok := read.Find(document, "api"); ok {
		t.Error("found the source of another document")
	}
}

func TestLockAbsent(t *testing.T) {
	l, err := ReadLock(filepath.Join(t.TempDir(), LockFile))
	if err != nil || len(l.Pins()) != 0 {
		t.Errorf("ReadLock = %+v, %v", l, err)
	}
	if _, ok := (*Lock)(nil).Find("a", "b"); ok || (*Lock)(nil).Pins() != nil {
		t.Error("no lock pins something")
	}
	if _, err := ReadLock(t.TempDir()); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "it is a folder") {
		t.Errorf("ReadLock of a folder = %v", err)
	}
}

func TestLockNames(t *testing.T) {
	l := NewLock("/work/project/lanyard.lock")
	for path, want := range map[string]string{
		"/work/project/flows/a.yaml": "flows/a.yaml",
		"/work/other/a.yaml":         "../other/a.yaml",
		"https://example.com/a.yaml": "https://example.com/a.yaml",
		"":                           "",
	} {
		if got := l.relative(path); got != want {
			t.Errorf("relative(%q) = %q, want %q", path, got, want)
		}
		if want != "" && l.place(want) != path {
			t.Errorf("place(%q) = %q, want %q", want, l.place(want), path)
		}
	}
}

// Every mistake is reported, with its place.
func TestLockRefuses(t *testing.T) {
	pin := func(change string) string {
		fields := map[string]string{"document": "a", "name": "n", "url": "u", "digest": "sha256:" + sum, "size": "1", "fetched": "2026-11-22T12:00:00Z"}
		name, v, _ := strings.Cut(change, "=")
		fields[name] = v
		text := "version: 1\nsources:\n"
		lead := "  - "
		for _, name := range []string{"document", "name", "url", "from", "digest", "size", "fetched", "colour"} {
			if v, ok := fields[name]; ok && v != "-" {
				text += lead + name + ": " + v + "\n"
				lead = "    "
			}
		}
		return text
	}
	for text, want := range map[string]string{
		"":                                 "lock:1:1: the document is empty",
		"version: 2\n":                     "lock:1:10: this is not a lock file of version 1",
		"sources: []\n":                    "lock:1:1: this is not a lock file of version 1",
		"[]":                               "fields are expected here: version, sources",
		"version: 1\nsources: 7\n":         "lock:2:10: sources must be a list",
		"version: 1\nsources: [7]\n":       "lock:2:11: fields are expected here: document, name",
		"version: 1\nextra: 1\n":           `lock:2:1: the field "extra" is not known; there are version, sources`,
		"version: 1\nversion: 1\n":         `the key "version" stands twice`,
		pin("colour=red"):                  `the field "colour" is not known`,
		pin("name=-"):                      "name is missing",
		pin("name=''"):                     "name must be text",
		pin("url=[x]"):                     "url must be text",
		pin("digest=md5:x"):                "lock:6:13: digest must be sha256: and 64 hexadecimal digits",
		pin("digest=sha256:../../x"):       "digest must be sha256:",
		pin("size=-1"):                     "size must be a number of bytes",
		pin("size=1e3"):                    "size must be a number of bytes",
		pin("fetched=yesterday"):           "fetched must be a time like",
		pin("size=1") + pin("size=1")[20:]: `the source "n" of "a" stands twice`,
	} {
		_, err := parseLock([]byte(text), "lock")
		if err == nil || !strings.Contains(fault.Public(err), want) || fault.KindOf(err) == fault.Internal {
			t.Errorf("parseLock(%q) = %v, want %q", text, err, want)
		}
	}
	_, err := parseLock([]byte("version: 1\nsources:\n- {name: a, size: x, what: 1}\n- {}\n"), "lock")
	for _, want := range []string{"document is missing", "url is missing", "digest is missing", "size must be a number", `"what" is not known`, "fetched is missing", "lock:4:3: name is missing"} {
		if !strings.Contains(fault.Public(err), want) {
			t.Errorf("the report lacks %q:\n%v", want, err)
		}
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte("version: 1\nsources:\n- {document: a, name: n, url: u, digest: 'sha256:" + sum + "', size: 1, fetched: 2026-11-22T12:00:00Z}\n"))
	f.Add([]byte("version: 1\nsources: []"))
	f.Add([]byte("version: 1\nsources: [{document: a, from: b, retrieved: c}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), LockFile)
		l, err := parseLock(data, path)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("internal error: %v", err)
			}
			return
		}
		if err := l.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := ReadLock(path)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(l.Pins(), again.Pins()); diff != "" {
			t.Errorf("after writing (-before +after):\n%s", diff)
		}
	})
}
