package bundle

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
)

// Extension is how the name of a file ends.
const Extension = ".folder"

// Version is the format that is written, and the only one that is read.
const Version = 1

// Limits of a file, in bytes and entries. All of it is held in memory.
const (
	MaxArchive  = 32 << 20  // as it lies on the disk
	MaxTotal    = 128 << 20 // unpacked
	MaxFile     = 64 << 20  // one entry, unpacked
	MaxEntries  = 2000
	maxManifest = 4 << 20
)

// Names of the entries.
const (
	manifestName = "manifest.json"
	settingsName = "settings.yaml"
	filesFolder  = "files/"
	tablesFolder = "tables/"
)

// Manifest says what a file holds.
type Manifest struct {
	Version     int          `json:"version"`
	Name        string       `json:"name"`
	Made        time.Time    `json:"made"`
	Files       []File       `json:"files"` // every other entry
	Tables      []Table      `json:"tables,omitempty"`
	Connections []Connection `json:"connections,omitempty"`
}

// File is an entry of the zip.
type File struct {
	Path   string `json:"path"` // in the zip
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// Table is a table without its rows.
type Table struct {
	Name    string         `json:"name"`
	Columns []table.Column `json:"columns"`
	Rows    string         `json:"rows,omitempty"` // entry of the zip with them, CSV; empty: they are not packed
}

// Connection is one that flows or imports need, without its credential.
type Connection struct {
	Name         string   `json:"name"`
	Provider     string   `json:"provider,omitempty"`
	Type         string   `json:"type,omitempty"`   // of the credential
	Server       string   `json:"server,omitempty"` // only where no credential is needed
	AllowPrivate bool     `json:"allowPrivate,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	Needs        []Need   `json:"needs,omitempty"`
}

// Need is a reference that a connection was made with.
type Need struct {
	Field string `json:"field"` // of auth: "token"
	Ref   string `json:"ref"`   // "env:OKTA_API_TOKEN"
}

// Bundle is what a file holds.
type Bundle struct {
	Manifest Manifest
	Settings []byte            // sections of lanyard.yaml; nil: none
	Files    map[string][]byte // by their paths in the folder, with slashes
	Rows     map[string][]byte // CSV by the name of the table
}

// reserved are names in a folder that are Lanyard's own, in lower case.
var reserved = []string{"lanyard.yaml", "lanyard.yml", "lanyard.lock"}

// checkPath refuses the path of a file that must not be packed or unpacked: one
// that leaves the folder, is hidden, or that some system reads as something else.
func checkPath(p string) error {
	bad := func(why string) error {
		return fault.New(fault.Refused, "the path %q %s", p, why)
	}
	switch {
	case p == "" || len(p) > 500 || !utf8.ValidString(p):
		return bad("is no path")
	case strings.ContainsAny(p, `\:*?"<>|`) || strings.ContainsFunc(p, unicode.IsControl):
		return bad("has characters that not every system allows")
	case path.Clean(p) != p || !filepath.IsLocal(filepath.FromSlash(p)):
		return bad("leaves the folder")
	case slices.Contains(reserved, strings.ToLower(p)):
		return bad("is Lanyard's own")
	}
	for part := range strings.SplitSeq(p, "/") {
		base, _, _ := strings.Cut(strings.ToLower(part), ".")
		switch {
		case strings.HasPrefix(part, "."):
			return bad("is hidden")
		case strings.TrimRight(part, ". ") != part:
			return bad("ends with what not every system keeps")
		case slices.Contains(devices, base):
			return bad("is a device on Windows")
		}
	}
	return nil
}

// devices are names that Windows reads as devices, whatever follows after a dot.
var devices = []string{
	"con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// checkPaths refuses paths that cannot lie beside each other on every system:
// those that differ by case alone, and a file where another needs a folder.
func checkPaths(paths []string) error {
	files := map[string]string{}
	for _, p := range paths {
		fold := strings.ToLower(p)
		if other, taken := files[fold]; taken {
			return fault.New(fault.Refused, "the paths %q and %q differ by case alone", other, p)
		}
		files[fold] = p
	}
	folders := map[string]string{}
	for _, p := range paths {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			fold := strings.ToLower(dir)
			if other, taken := files[fold]; taken {
				return fault.New(fault.Refused, "%q is a file, and %q lies below it", other, p)
			}
			if other, known := folders[fold]; known && other != dir {
				return fault.New(fault.Refused, "the folders %q and %q differ by case alone", other, dir)
			}
			folders[fold] = dir
		}
	}
	return nil
}
