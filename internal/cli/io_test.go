package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// Ctrl-C is heard while a command waits for stdin.
func TestInterruptedRead(t *testing.T) {
	never, stop := io.Pipe()
	defer stop.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = stop.Write([]byte("id\n"))
		cancel()
	}()
	s := newTestIO("", nil)
	s.In = never
	if code := Main(ctx, s.IO, newProduct(importSession(t)).Product, []string{"import", "run", "-"}); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, s.err)
	}
	if _, err := (&untilDone{ctx: ctx, from: never}).Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a read after the end: %v", err)
	}
}

// What is read is what was there.
func TestUntilDone(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), chunk/4)
	if err := iotest.TestReader(&untilDone{ctx: t.Context(), from: bytes.NewReader(text)}, text); err != nil {
		t.Error(err)
	}
}
