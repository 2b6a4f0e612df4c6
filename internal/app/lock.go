package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Files in a data folder beside the key, the vault and the database.
const (
	lockFile   = "lock"       // held, exclusively, by the process that owns the folder
	holderFile = "owner.json" // who holds the lock; only for people
	serveFile  = "serve.json" // how to reach the serving process; only its owner can read it
)

// holder says who owns a data folder.
type holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

// endpoint is where a serving process answers.
type endpoint struct {
	PID   int    `json:"pid"`
	URL   string `json:"url"`
	Token string `json:"token"`

	Authority string `json:"authority,omitempty"` // of its certificate: a file in the data folder, as each command names that folder; empty: plain HTTP
}

// lock takes a data folder for this process. A folder that is held by another
// is a Locked error; the kernel lets go when a process dies, so a stale lock
// cannot exist.
func lock(data, command string) (*flock.Flock, error) {
	l := flock.New(filepath.Join(data, lockFile), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the data folder cannot be locked").At("%s", data).
			Fix("network file systems cannot hold a data folder; choose another with --data")
	}
	if !ok {
		return nil, locked(data)
	}
	text, err := json.Marshal(holder{PID: os.Getpid(), Command: command})
	if err == nil {
		err = os.WriteFile(filepath.Join(data, holderFile), text, 0o600)
	}
	if err != nil {
		_ = l.Unlock() // the first error is the one to report
		return nil, fault.Wrap(fault.Internal, err, "the data folder cannot be written").At("%s", data)
	}
	return l, nil
}

func locked(data string) error {
	return fault.New(fault.Locked, "the data folder is held by %s", describeHolder(data)).At("%s", data).
		Fix("wait for it to end, stop it, or use another folder with --data")
}

func describeHolder(data string) string {
	h, ok := readHolder(data)
	if !ok {
		return "another process"
	}
	return fmt.Sprintf("process %d (lanyard %s)", h.PID, h.Command)
}

func readHolder(data string) (h holder, ok bool) {
	text, err := os.ReadFile(filepath.Join(data, holderFile))
	return h, err == nil && json.Unmarshal(text, &h) == nil && h.PID != 0
}

// LockHolder says which process owns a data folder, "" when none does. It never
// waits and makes nothing.
func LockHolder(_ context.Context, data string) (string, error) {
	if _, err := os.Stat(filepath.Join(data, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	l := flock.New(filepath.Join(data, lockFile), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the lock cannot be looked at").At("%s", data)
	}
	if ok {
		return "", l.Unlock()
	}
	return describeHolder(data), nil
}

// readEndpoint returns how to reach the process that serves a data folder. What
// a serving process left behind that was killed does not count: by now its port
// may be somebody else's, who must not be told the token.
func readEndpoint(data string) (endpoint, bool) {
	var e endpoint
	text, err := os.ReadFile(filepath.Join(data, serveFile))
	if err != nil || json.Unmarshal(text, &e) != nil || e.URL == "" {
		return e, false
	}
	if e.Authority != "" {
		e.Authority = filepath.Join(data, e.Authority)
	}
	h, ok := readHolder(data)
	return e, ok && h.PID == e.PID
}

// writeEndpoint lets other commands on the data folder find this process.
func writeEndpoint(data string, e endpoint) error {
	text, err := json.Marshal(e)
	if err == nil {
		err = os.WriteFile(filepath.Join(data, serveFile), text, 0o600)
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the data folder cannot be written").At("%s", data)
	}
	return nil
}
