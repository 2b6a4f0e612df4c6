package config

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// BookFile is the name of the Book in a data folder.
const (
	BookFile = "connections.json"
	bookLock = "connections.lock"
)

const bookVersion = 1

// Book is what a data folder knows of connections: those that were added by
// command, and what the last test of any connection found. It holds no secret:
// credentials are references to the vault.
type Book struct {
	Version     int              `json:"version"`
	Connections map[string]Added `json:"connections,omitempty"`
	// Marks holds what the last test of a connection found, by its name: also
	// of those in lanyard.yaml and the environment.
	Marks map[string]Mark `json:"marks,omitempty"`
}

// Added is a connection that was added by command.
type Added struct {
	Connection
	Added   time.Time `json:"added"`
	Rotated time.Time `json:"rotated,omitzero"` // when its credential was last replaced
	Expires time.Time `json:"expires,omitzero"` // of its credential, as whoever added it knows
	// Next is the credential that is about to replace the one in Auth: a new key
	// that has to be registered with the provider first.
	Next *Next `json:"next,omitempty"`
}

// Next is a key that waits to be registered.
type Next struct {
	PrivateKey string    `json:"privateKey"` // reference
	KeyID      string    `json:"keyId"`
	Made       time.Time `json:"made"`
}

// Mark is what the last test of a connection found.
type Mark struct {
	State    string    `json:"state"` // one of package connector's states
	At       time.Time `json:"at"`
	Server   string    `json:"server"`             // that was tested
	Status   int       `json:"status,omitempty"`   // of the answer
	Identity string    `json:"identity,omitempty"` // whose credential it is, as far as known
	Scopes   []string  `json:"scopes,omitempty"`   // that an access token has
	Message  string    `json:"message,omitempty"`
	Remedy   string    `json:"remedy,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // when the connection ends unless somebody does something
	Token    time.Time `json:"token,omitzero"`   // when the access token ends, which renews itself
}

// ReadBook reads the Book of a data folder; one that does not exist is empty.
// All mistakes are reported at once.
func ReadBook(dir string) (*Book, error) {
	path := filepath.Join(dir, BookFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newBook(), nil
	case err != nil:
		return nil, fault.Wrap(fault.Internal, err, "the list of connections cannot be read").At("%s", path).Fix("check its permissions")
	}
	return ParseBook(path, data)
}

// ParseBook reads the text of a Book.
func ParseBook(path string, data []byte) (*Book, error) {
	root, err := value.ParseYAML(data, path) // JSON is YAML, and errors have places
	if err != nil {
		return nil, err
	}
	r := newReader(path)
	b := r.book(root)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return b, nil
}

// ChangeBook changes the Book of a data folder. Nobody else does meanwhile, and
// the file is replaced as a whole, or left alone when change fails.
func ChangeBook(ctx context.Context, dir string, change func(*Book) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Usage, err, "the data folder cannot be made").At("%s", dir).Fix("choose another with --data")
	}
	release, err := durable.Lock(ctx, filepath.Join(dir, bookLock))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the list of connections cannot be locked").At("%s", dir).Fix("check that the folder can be written")
	}
	defer release()
	b, err := ReadBook(dir)
	if err != nil {
		return err
	}
	if err := change(b); err != nil {
		return err
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err == nil {
		err = durable.Write(filepath.Join(dir, BookFile), append(data, '\n'))
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the list of connections cannot be written").At("%s", dir).Fix("check that the folder can be written")
	}
	return nil
}

func newBook() *Book {
	return &Book{Version: bookVersion, Connections: map[string]Added{}, Marks: map[string]Mark{}}
}

func (r *reader) book(n *yaml.Node) *Book {
	b := newBook()
	b.Version = 0
	r.Mapping(n, "the list of connections", map[string]strict.Field{
		"version": r.AtLeast(&b.Version, 1),
		"connections": func(n *yaml.Node) {
			r.Named(n, "connections", func(name string, n *yaml.Node) { b.Connections[name] = r.added(n) })
		},
		"marks": func(n *yaml.Node) {
			r.Named(n, "marks", func(name string, n *yaml.Node) { b.Marks[name] = r.mark(n) })
		},
	})
	if b.Version != bookVersion {
		r.Wrong(n, "use a newer lanyard", "the list of connections has version %d, this program reads %d", b.Version, bookVersion)
	}
	return b
}

func (r *reader) added(n *yaml.Node) Added {
	a := Added{Connection: Connection{Variables: map[string]string{}}}
	fields := r.connectionFields(&a.Connection)
	fields["added"], fields["rotated"], fields["expires"] = r.time(&a.Added), r.time(&a.Rotated), r.time(&a.Expires)
	fields["next"] = func(n *yaml.Node) {
		a.Next = &Next{}
		r.Mapping(n, "next", map[string]strict.Field{
			"privateKey": r.credential(&a.Next.PrivateKey), "keyId": r.Text(&a.Next.KeyID), "made": r.time(&a.Next.Made),
		})
	}
	r.Mapping(n, "a connection", fields)
	return a
}

func (r *reader) mark(n *yaml.Node) Mark {
	var m Mark
	r.Mapping(n, "a mark", map[string]strict.Field{
		"state": r.Text(&m.State), "at": r.time(&m.At), "server": r.Text(&m.Server), "status": r.AtLeast(&m.Status, 0),
		"identity": r.Text(&m.Identity), "scopes": r.Texts(&m.Scopes), "message": r.Text(&m.Message), "remedy": r.Text(&m.Remedy),
		"expires": r.time(&m.Expires), "token": r.time(&m.Token),
	})
	return m
}

// time reads a date and time (RFC 3339).
func (r *reader) time(into *time.Time) strict.Field {
	return func(n *yaml.Node) {
		at, err := time.Parse(time.RFC3339, n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			r.Wrong(n, "write it as 2026-01-31T12:00:00Z", "this must be a date and a time")
			return
		}
		*into = at
	}
}
