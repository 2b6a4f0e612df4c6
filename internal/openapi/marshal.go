package openapi

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// magic opens a stored index. The number is raised whenever an index made by
// an older version would be read wrongly or lacks something: the reader then
// refuses it, and the index is made again from the description.
const magic = "LANYARD-OPENAPI-1\n"

// stored is the head of a stored index. The operations follow it as they are,
// so that reading one costs only that one.
//
//	magic | CRC-32C of the rest | length of the head | head, JSON | operations, JSON
type stored struct {
	Version     string
	Title       string
	APIVersion  string
	URL         string
	Servers     []Server
	Schemes     map[string]Scheme
	Security    []map[string][]string `json:",omitempty"`
	HasSecurity bool                  `json:",omitempty"`
	Broken      []brokenPath          `json:",omitempty"`
	IDs         []string              // columns of the table: many times
	Methods     []string              // faster to decode than one object
	Paths       []string              // per operation
	Sizes       []int
}

var crc = crc32.MakeTable(crc32.Castagnoli)

// Marshal returns the index in its stored form. The same description gives the
// same bytes.
func (x *Index) Marshal() []byte {
	s := stored{
		Version: x.Version, Title: x.Title, APIVersion: x.APIVersion, URL: x.URL,
		Servers: x.Servers, Schemes: x.Schemes, Security: x.security, HasSecurity: x.hasSecurity, Broken: x.broken,
	}
	for _, e := range x.entries {
		s.IDs, s.Methods = append(s.IDs, e.ID), append(s.Methods, e.Method)
		s.Paths, s.Sizes = append(s.Paths, e.Path), append(s.Sizes, e.Size)
	}
	head, err := json.Marshal(s)
	if err != nil { // cannot be: every field is plain data
		return nil
	}
	out := make([]byte, 0, len(magic)+8+len(head)+len(x.blob))
	out = append(out, magic...)
	out = append(out, 0, 0, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	out = append(out, head...)
	out = append(out, x.blob...)
	seal(out)
	return out
}

// seal writes the checksum into a stored index.
func seal(data []byte) {
	binary.BigEndian.PutUint32(data[len(magic):], crc32.Checksum(data[len(magic)+4:], crc))
}

// Unmarshal reads a stored index. The index keeps data, which must not change
// afterwards. An error of kind Stale means that the index was stored by another
// version, Invalid that it is damaged; in both cases it can only be made again.
func Unmarshal(data []byte) (*Index, error) {
	damaged := fault.New(fault.Invalid, "the stored index is damaged")
	if len(data) < len(magic)+8 {
		return nil, damaged
	}
	if string(data[:len(magic)]) != magic {
		return nil, fault.New(fault.Stale, "the stored index was written by another version")
	}
	data = data[len(magic):]
	if binary.BigEndian.Uint32(data) != crc32.Checksum(data[4:], crc) {
		return nil, damaged
	}
	size := binary.BigEndian.Uint32(data[4:])
	data = data[8:]
	if uint64(size) > uint64(len(data)) {
		return nil, damaged
	}
	var s stored
	if err := json.Unmarshal(data[:size], &s); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the stored index is damaged")
	}
	x := &Index{
		Version: s.Version, Title: s.Title, APIVersion: s.APIVersion, URL: s.URL,
		Servers: s.Servers, Schemes: s.Schemes, security: s.Security, hasSecurity: s.HasSecurity, broken: s.Broken,
		blob: data[size:],
	}
	n := len(s.IDs)
	if len(s.Methods) != n || len(s.Paths) != n || len(s.Sizes) != n || len(s.Servers) == 0 {
		return nil, damaged
	}
	x.entries = make([]entry, n)
	rest := len(x.blob)
	for i := range x.entries {
		if s.Sizes[i] < 0 || s.Sizes[i] > rest {
			return nil, damaged
		}
		rest -= s.Sizes[i]
		x.entries[i] = entry{ID: s.IDs[i], Method: s.Methods[i], Path: s.Paths[i], Size: s.Sizes[i]}
	}
	if rest != 0 {
		return nil, damaged
	}
	x.link()
	return x, nil
}
