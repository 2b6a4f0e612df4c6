package store

import (
	"bytes"
	"embed"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// migrationFiles are numbered SQL files: NNN_name.sql.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the steps that make the schema. They are written once, in
// SQLite's words; respell turns a file into those of another database, nil
// leaves it as it is. latest is the number of the last step.
func Migrations(respell func(sql string) string) (files fs.FS, latest int, err error) {
	files, err = fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, 0, fault.Wrap(fault.Internal, err, "the embedded migrations cannot be read")
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, 0, fault.Wrap(fault.Internal, err, "the embedded migrations cannot be listed")
	}
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, 0, fault.Wrap(fault.Internal, err, "migration %s has no number", name)
		}
		latest = max(latest, n)
	}
	if respell != nil {
		files = respelled{files, respell}
	}
	return files, latest, nil
}

// respelled is a file system whose files are rewritten as they are read.
type respelled struct {
	fs.FS
	respell func(string) string
}

func (r respelled) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return respelledFile{f, bytes.NewReader([]byte(r.respell(string(text))))}, nil
}

type respelledFile struct {
	fs.File
	text io.Reader
}

func (f respelledFile) Read(b []byte) (int, error) { return f.text.Read(b) }
