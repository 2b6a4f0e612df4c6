package extract

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The kinds of sources, which are the keys of a section "from".
const (
	KindCSV      = "csv"
	KindJSON     = "json"
	KindHTTP     = "http"
	KindSQL      = "sql"
	KindDynamoDB = "dynamodb"
	KindSCIM     = "scim"
	KindLDAP     = "ldap"
	KindTable    = "table"
)

// From says where rows are read: the section "from" of an import. It holds
// references to credentials, never credentials.
type From struct {
	kind   string
	origin origin
}

// origin is a source of one kind, as it is configured.
type origin interface {
	open(ctx context.Context, env Env) (Reader, error)
}

// Kind returns which kind of source it is: KindCSV and so on.
func (f *From) Kind() string { return f.kind }

// Connection returns the name of the connection that is used, empty for none.
func (f *From) Connection() string {
	switch o := f.origin.(type) {
	case *apiOrigin:
		return o.connection
	case *scimOrigin:
		return o.connection
	}
	return ""
}

// Table returns the name of the Lanyard table that is read, empty for none.
func (f *From) Table() string {
	if o, ok := f.origin.(*tableOrigin); ok {
		return o.name
	}
	return ""
}

// Parse reads a section "from"; relative paths start at its folder. All mistakes are
// reported at once, each at its line and column.
func Parse(s config.Section) (*From, error) {
	if s.Node == nil {
		return nil, fault.New(fault.Invalid, "it is not said where to read").At("%s", s.File).Fix("add from: to the import")
	}
	r := &section{Reader: &strict.Reader{File: s.File, NullIsAbsent: true}, dir: s.Dir}
	f := r.from(strict.Follow(s.Node))
	if err := r.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// OfFile is the source that a command names by its file: JSON by the ending
// (.json, .ndjson, .jsonl, each with .gz or without), else CSV. "-" is the
// standard input. "csv:PATH" and "json:PATH" say what the file is, whatever its
// name, and "table:NAME" is a table of Lanyard.
func OfFile(name string) *From {
	if kind, rest, ok := strings.Cut(name, ":"); ok {
		switch kind {
		case KindCSV:
			return ofCSV(rest)
		case KindJSON:
			return ofJSON(rest)
		case KindTable:
			return ofTable(rest)
		}
	}
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".json", ".ndjson", ".jsonl":
		return ofJSON(name)
	}
	return ofCSV(name)
}

func ofCSV(path string) *From {
	return &From{KindCSV, &csvOrigin{file: file{path: path}, header: true}}
}

func ofJSON(path string) *From { return &From{KindJSON, &jsonOrigin{file: file{path: path}}} }

func ofTable(name string) *From { return &From{KindTable, &tableOrigin{name}} }

// section reads a section "from".
type section struct {
	*strict.Reader
	dir string
}

func (s *section) from(n *yaml.Node) *From {
	f, found := &From{}, 0
	fields := map[string]strict.Field{}
	for kind, read := range map[string]func(n *yaml.Node) origin{
		KindCSV: s.csv, KindJSON: s.json, KindHTTP: s.http, KindSQL: s.sql,
		KindDynamoDB: s.dynamodb, KindSCIM: s.scim, KindLDAP: s.ldap, KindTable: s.table,
	} {
		fields[kind] = func(n *yaml.Node) {
			found++
			f = &From{kind, read(n)}
		}
	}
	if s.Mapping(n, "from", fields) != nil && found != 1 {
		s.Wrong(n, strict.OneOf(maps.Keys(fields)), "from needs one kind of source, and has %d", found)
	}
	return f
}

// required notes keys that are missing. written is what Mapping returned.
func (s *section) required(n *yaml.Node, what string, written map[string]*yaml.Node, keys ...string) {
	if written == nil {
		return
	}
	for _, key := range keys {
		if written[key] == nil {
			s.Wrong(n, "", "%s needs %s", what, key)
		}
	}
}

// only notes keys that are of no use beside a choice: one that is silently
// unused is a misunderstanding.
func (s *section) only(written map[string]*yaml.Node, what string, all []string, used ...string) {
	for _, key := range all {
		if written[key] != nil && !slices.Contains(used, key) {
			s.Wrong(written[key], "remove it", "%s has no use for %s", what, key)
		}
	}
}

// path reads the path of a file; a relative one starts at the folder of the
// configuration, and "-" is the standard input.
func (s *section) path(into *string) strict.Field {
	return func(n *yaml.Node) {
		s.Text(into)(n)
		*into = s.resolve(*into)
	}
}

func (s *section) resolve(path string) string {
	if path == "" || path == stdin || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, filepath.FromSlash(path))
}

// credential reads a reference. The message never shows what stands there: it
// may be the secret itself.
func (s *section) credential(into *secret.Ref) strict.Field {
	return func(n *yaml.Node) {
		ref, err := secret.ParseRef(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			s.Wrong(n, "write env:NAME, file:PATH or vault:NAME", "a credential must be a reference, not the value itself")
			return
		}
		if ref.Kind() == "file" {
			ref = secret.Ref("file:" + s.resolve(ref.Name()))
		}
		*into = ref
	}
}

// pointer reads where something is in a JSON document: a JSON Pointer (/data/0),
// or a JSONPath that names one place ($.data, $.data[*]).
func (s *section) pointer(into *value.Pointer) strict.Field {
	return func(n *yaml.Node) {
		var text string
		s.Text(&text)(n)
		p, ok := parsePlace(text)
		if !ok {
			s.Wrong(n, "write a JSON Pointer as /data/people, or a JSONPath that names one list as $.data.people[*]",
				"this does not say where in a JSON document something is")
			return
		}
		*into = p
	}
}

// scalars reads a mapping of names to scalars, as text.
func (s *section) scalars(into *map[string]string) strict.Field {
	return func(n *yaml.Node) {
		*into = map[string]string{}
		s.Named(n, "this", func(name string, n *yaml.Node) {
			var text string
			s.Text(&text)(n)
			(*into)[name] = text
		})
	}
}

// parsePlace reads a JSON Pointer, or a JSONPath of names and indexes that may
// end in [*].
func parsePlace(text string) (value.Pointer, bool) {
	rest, isPath := strings.CutPrefix(text, "$")
	if !isPath {
		p, err := value.ParsePointer(text)
		return p, err == nil
	}
	rest = strings.TrimSuffix(rest, "[*]")
	p := value.Pointer{}
	for rest != "" {
		var token string
		switch {
		case strings.HasPrefix(rest, "['"):
			end := strings.Index(rest, "']")
			if end < 0 {
				return nil, false
			}
			token, rest = rest[2:end], rest[end+2:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 2 || strings.Trim(rest[1:end], "0123456789") != "" {
				return nil, false
			}
			token, rest = rest[1:end], rest[end+1:]
		case rest[0] == '.' && len(rest) > 1:
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			token, rest = rest[:end], rest[end:]
		default:
			return nil, false
		}
		if token == "" || strings.ContainsAny(token, `*?'"\@()`) {
			return nil, false
		}
		p = append(p, token)
	}
	return p, true
}
