package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/value"
)

// entries are the contents of the zip by name, without the manifest.
func (b *Bundle) entries() map[string][]byte {
	out := map[string][]byte{}
	if b.Settings != nil {
		out[settingsName] = b.Settings
	}
	for p, data := range b.Files {
		out[filesFolder+p] = data
	}
	for _, t := range b.Manifest.Tables {
		if t.Rows != "" {
			out[t.Rows] = b.Rows[t.Name]
		}
	}
	return out
}

// Encode writes the file. The same content makes the same bytes.
func (b *Bundle) Encode() ([]byte, error) {
	entries := b.entries()
	m := b.Manifest
	m.Version, m.Files = Version, []File{}
	names := slices.Sorted(maps.Keys(entries))
	for _, name := range names {
		sum := sha256.Sum256(entries[name])
		m.Files = append(m.Files, File{name, int64(len(entries[name])), hex.EncodeToString(sum[:])})
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the manifest cannot be written")
	}
	entries[manifestName] = append(text, '\n')
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range append([]string{manifestName}, names...) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: m.Made})
		if err == nil {
			_, err = f.Write(entries[name])
		}
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the file cannot be written")
		}
	}
	if err := w.Close(); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the file cannot be written")
	}
	// What cannot be read again must not leave.
	if _, err := Read(bytes.NewReader(out.Bytes()), int64(out.Len())); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Read reads a file and verifies all of it: names, sizes, digests, and that what
// it holds can be read. Errors are fault.Refused, fault.Invalid, fault.TooLarge
// and fault.Unsupported.
func Read(r io.ReaderAt, size int64) (*Bundle, error) {
	if size > MaxArchive {
		return nil, fault.New(fault.TooLarge, "the file has %d bytes, the limit is %d", size, int64(MaxArchive))
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "this is not a file that lanyard folder export wrote, or not all of it")
	}
	entries, err := directory(z)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Files: map[string][]byte{}, Rows: map[string][]byte{}}
	if err := b.readManifest(entries); err != nil {
		return nil, err
	}
	contents, err := b.unpack(entries)
	if err != nil {
		return nil, err
	}
	return b, b.assign(contents)
}

// directory lists the entries of a zip by name.
func directory(z *zip.Reader) (map[string]*zip.File, error) {
	if len(z.File) > MaxEntries {
		return nil, fault.New(fault.TooLarge, "the file has %d entries, the limit is %d", len(z.File), MaxEntries)
	}
	entries := map[string]*zip.File{}
	for _, f := range z.File {
		switch {
		case entries[f.Name] != nil:
			return nil, fault.New(fault.Refused, "the entry %q is there twice", f.Name)
		case !f.Mode().IsRegular() || strings.HasSuffix(f.Name, "/"):
			return nil, fault.New(fault.Refused, "the entry %q is no plain file", f.Name)
		case f.Flags&1 != 0 || f.Method != zip.Deflate && f.Method != zip.Store:
			return nil, fault.New(fault.Unsupported, "the entry %q is packed in a way that is not read here", f.Name)
		}
		entries[f.Name] = f
	}
	return entries, nil
}

func (b *Bundle) readManifest(entries map[string]*zip.File) error {
	f := entries[manifestName]
	if f == nil {
		return fault.New(fault.Invalid, "the file has no %s", manifestName).Fix("choose one that lanyard folder export wrote")
	}
	data, err := content(f, maxManifest)
	if err != nil {
		return err
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return fault.Wrap(fault.Invalid, err, "the manifest cannot be read").At(manifestName)
	}
	if version.Version != Version {
		return fault.New(fault.Unsupported, "the file has the format %d; this lanyard reads %d", version.Version, Version).At(manifestName).Fix("use a newer lanyard, or export it again")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b.Manifest); err != nil {
		return fault.Wrap(fault.Invalid, err, "the manifest cannot be read").At(manifestName)
	}
	return nil
}

// content unpacks an entry of at most limit bytes, whatever size it claims.
func content(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the entry %q cannot be read", f.Name)
	}
	defer func() { _ = r.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return nil, fault.New(fault.TooLarge, "the entry %q has more than %d bytes", f.Name, limit)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the entry %q cannot be read", f.Name)
	}
	return data, nil
}

// unpack reads all entries that the manifest lists; there are no others.
func (b *Bundle) unpack(entries map[string]*zip.File) (map[string][]byte, error) {
	out := map[string][]byte{}
	var total int64
	for _, f := range b.Manifest.Files {
		e := entries[f.Path]
		switch {
		case e == nil || f.Path == manifestName:
			return nil, fault.New(fault.Invalid, "the manifest lists %q, which is not there", f.Path)
		case out[f.Path] != nil:
			return nil, fault.New(fault.Refused, "the manifest lists %q twice", f.Path)
		case f.Size < 0 || f.Size > MaxFile || f.Size > MaxTotal-total:
			return nil, fault.New(fault.TooLarge, "unpacked, %q is too large", f.Path)
		}
		total += f.Size
		data, err := content(e, f.Size)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		if int64(len(data)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
			return nil, fault.New(fault.Refused, "%q is not what the manifest says: it was changed or damaged", f.Path)
		}
		out[f.Path] = data
	}
	if len(out) != len(entries)-1 {
		for name := range entries {
			if name != manifestName && out[name] == nil {
				return nil, fault.New(fault.Refused, "the entry %q is not in the manifest", name)
			}
		}
	}
	return out, nil
}

// assign puts contents where they belong, and checks them.
func (b *Bundle) assign(contents map[string][]byte) error {
	if err := b.checkTables(contents); err != nil {
		return err
	}
	var paths []string
	for name, data := range contents {
		p, isFile := strings.CutPrefix(name, filesFolder)
		switch {
		case name == settingsName:
			b.Settings = data
		case isFile:
			if err := checkPath(p); err != nil {
				return err
			}
			b.Files[p] = data
			paths = append(paths, p)
		case !strings.HasPrefix(name, tablesFolder):
			return fault.New(fault.Refused, "nothing is known of the entry %q", name)
		}
	}
	slices.Sort(paths)
	if err := checkPaths(paths); err != nil {
		return err
	}
	return checkSettings(b.Settings)
}

func (b *Bundle) checkTables(contents map[string][]byte) error {
	seen, used := map[string]bool{}, 0
	for _, t := range b.Manifest.Tables {
		if fold := table.Fold(t.Name); fold == "" || seen[fold] {
			return fault.New(fault.Refused, "the table %q is there twice, or has no name", t.Name)
		}
		seen[table.Fold(t.Name)] = true
		for _, c := range t.Columns {
			if !slices.Contains(table.Types(), c.Type) {
				return fault.New(fault.Invalid, "the table %q has a column of the type %q, which is not known", t.Name, string(c.Type))
			}
		}
		if t.Rows == "" {
			continue
		}
		data, ok := contents[t.Rows]
		if !ok || !strings.HasPrefix(t.Rows, tablesFolder) {
			return fault.New(fault.Invalid, "the rows of the table %q are not there", t.Name)
		}
		b.Rows[t.Name] = data
		used++
	}
	for name := range contents {
		if strings.HasPrefix(name, tablesFolder) {
			used--
		}
	}
	if used != 0 {
		return fault.New(fault.Refused, "the rows in the file do not fit the tables of the manifest")
	}
	return nil
}

// checkSettings reads the sections as lanyard.yaml is read.
func checkSettings(data []byte) error {
	if data == nil {
		return nil
	}
	root, err := value.ParseYAML(data, settingsName)
	if err != nil {
		return err
	}
	r := strict.Reader{File: settingsName}
	fields := map[string]strict.Field{}
	for _, s := range sections {
		fields[s] = func(n *yaml.Node) {
			r.Named(n, s, func(string, *yaml.Node) {})
		}
	}
	r.Mapping(root, "the settings", fields)
	if err := r.Err(); err != nil {
		return err
	}
	c, err := config.Parse(settingsName, data)
	if err != nil {
		return err
	}
	for name, s := range c.Sources {
		if s.File != "" && !filepath.IsLocal(s.File) {
			return fault.New(fault.Refused, "the source %s names the file %s, outside of the folder", name, strconv.Quote(s.File)).At(settingsName)
		}
	}
	return nil
}
