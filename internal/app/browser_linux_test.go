package app

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestBrowserOutlivesSignIn opens the browser with a command that stays, as
// xdg-open does when it becomes the browser itself, and ends the sign-in.
func TestBrowserOutlivesSignIn(t *testing.T) {
	dir := t.TempDir()
	pipe := func(name string) *os.File {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		if err := f.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return f
	}
	in, out := pipe("in"), pipe("out")
	script := "#!/bin/sh\necho started >" + out.Name() + "\nread go <" + in.Name() + "\necho \"$1\" >" + out.Name() + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	said := func(want string) {
		t.Helper()
		b := make([]byte, 100)
		if n, err := out.Read(b); err != nil || string(b[:n]) != want+"\n" {
			t.Fatalf("the browser says %q, %v, want %q", b[:n], err, want)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	if err := openBrowser(ctx, "https://example.okta.com"); err != nil {
		t.Fatal(err)
	}
	said("started")
	cancel()
	if _, err := in.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	said("https://example.okta.com")
}
