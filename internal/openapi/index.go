package openapi

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Index is one OpenAPI description reduced to what a caller needs. It is safe
// for concurrent use as long as nobody writes its fields.
type Index struct {
	Version    string            // of the specification, as written: "3.1.0"; "2.0" for Swagger
	Title      string            // info.title
	APIVersion string            // info.version
	URL        string            // where it was retrieved from, for ResolveServer
	Servers    []Server          // of the document; never empty
	Schemes    map[string]Scheme // security schemes by name

	security    []map[string][]string // of the document, for operations without their own
	hasSecurity bool
	entries     []entry
	broken      []brokenPath
	blob        []byte         // the operations as JSON, one after the other
	byID        map[string]int // to entries; ambiguous when several have the id
}

const ambiguous = -1

// entry is one operation in the table.
type entry struct {
	ID, Method, Path string
	Size             int // bytes of the blob
	start            int
}

// brokenPath is a path item that is not, or not wholly, known.
type brokenPath struct {
	Path   string
	Kind   fault.Kind
	Msg    string
	Remedy string `json:",omitempty"`
}

// Summary is one line of a description's table of contents.
type Summary struct{ ID, Method, Path string }

// link fills in what follows from entries.
func (x *Index) link() {
	x.byID = make(map[string]int, len(x.entries))
	start := 0
	for i := range x.entries {
		e := &x.entries[i]
		e.start = start
		start += e.Size
		if e.ID == "" {
			continue
		}
		if _, again := x.byID[e.ID]; again {
			x.byID[e.ID] = ambiguous
			continue
		}
		x.byID[e.ID] = i
	}
}

// Operations lists all operations in document order.
func (x *Index) Operations() []Summary {
	out := make([]Summary, len(x.entries))
	for i, e := range x.entries {
		out[i] = Summary{e.ID, e.Method, e.Path}
	}
	return out
}

// Names returns the operationIds in document order, each once.
func (x *Index) Names() []string {
	out := make([]string, 0, len(x.byID))
	seen := make(map[string]bool, len(x.byID))
	for _, e := range x.entries {
		if e.ID != "" && !seen[e.ID] {
			seen[e.ID] = true
			out = append(out, e.ID)
		}
	}
	return out
}

// Has reports whether exactly one operation has the operationId.
func (x *Index) Has(operationID string) bool {
	i, ok := x.byID[operationID]
	return ok && i != ambiguous
}

// ByID returns the operation with the operationId. Case matters. A missing one
// is NotFound with the nearest names, one that several operations have is
// Conflict. The result is read only: it shares parts with the index.
func (x *Index) ByID(operationID string) (*Operation, error) {
	i, ok := x.byID[operationID]
	switch {
	case !ok:
		err := fault.New(fault.NotFound, "%s has no operation %s", x.name(), strconv.Quote(clip(operationID)))
		return nil, err.Fix("%s", x.missingHelp(x.Nearest(operationID)))
	case i == ambiguous:
		var at []string
		for _, e := range x.entries {
			if e.ID == operationID {
				at = append(at, e.Method+" "+e.Path)
			}
		}
		return nil, fault.New(fault.Conflict, "the operationId %s is ambiguous: %s has it at %s", strconv.Quote(clip(operationID)), x.name(), list(at)).
			Fix("name the operation by operationPath")
	}
	return x.load(i)
}

// ByPath returns the operation at a path as the document writes it, braces
// included, and a method in any case (N13).
func (x *Index) ByPath(path, method string) (*Operation, error) {
	var others, paths []string
	for i, e := range x.entries {
		if e.Path != path {
			if len(paths) == 0 || paths[len(paths)-1] != e.Path {
				paths = append(paths, e.Path)
			}
			continue
		}
		if strings.EqualFold(e.Method, method) {
			return x.load(i)
		}
		others = append(others, e.Method)
	}
	for _, b := range x.broken {
		if b.Path == path {
			return nil, fault.New(b.Kind, "the path %s of %s cannot be read: %s", strconv.Quote(clip(path)), x.name(), b.Msg).Fix("%s", b.Remedy)
		}
	}
	if len(others) > 0 {
		return nil, fault.New(fault.NotFound, "the path %s of %s has no %s, only %s", strconv.Quote(clip(path)), x.name(), clip(strings.ToUpper(method)), list(others))
	}
	err := fault.New(fault.NotFound, "%s has no path %s", x.name(), strconv.Quote(clip(path)))
	return nil, err.Fix("%s", x.missingHelp(nearestPaths(path, paths)))
}

// name is how the description is called in messages.
func (x *Index) name() string {
	if x.Title == "" {
		return "the description"
	}
	return "the description " + strconv.Quote(clip(x.Title))
}

func (x *Index) missingHelp(near []string) string {
	help := "nothing in it has a similar name"
	if len(near) > 0 {
		help = "the nearest names are " + list(near)
	}
	if n := len(x.broken); n > 0 {
		help += "; " + strconv.Quote(clip(x.broken[0].Path)) + " could not be read (" + x.broken[0].Msg + ")"
		if n > 1 {
			help += " and " + strconv.Itoa(n-1) + " more paths"
		}
	}
	return help
}

// list writes a few names for a message.
func list(names []string) string {
	const most = 8
	var out []string
	for _, name := range names[:min(len(names), most)] {
		out = append(out, clip(name))
	}
	if n := len(names) - most; n > 0 {
		out = append(out, strconv.Itoa(n)+" more")
	}
	return strings.Join(out, ", ")
}

// load decodes one operation and adds what it has from the document.
func (x *Index) load(i int) (*Operation, error) {
	e := x.entries[i]
	op := new(Operation)
	if err := json.Unmarshal(x.blob[e.start:e.start+e.Size], op); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the index of %s is damaged", x.name())
	}
	if len(op.Servers) == 0 {
		op.Servers = slices.Clone(x.Servers)
	}
	if !op.HasSecurity {
		op.Security, op.HasSecurity = slices.Clone(x.security), x.hasSecurity
	}
	return op, nil
}

// Digest identifies what the description says of the operation: the same
// digest, the same way of calling it.
func (op *Operation) Digest() string {
	text, err := json.Marshal(op)
	if err != nil { // cannot be: it was made from JSON
		return ""
	}
	return Digest(text)
}
