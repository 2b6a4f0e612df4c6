package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Tables are the part of a session that packs and unpacks tables.
type Tables interface {
	Tables(ctx context.Context, c table.Command) (*table.Reply, error)
	ImportTable(ctx context.Context, o table.ImportOptions, file io.Reader) (*table.ImportReport, error)
	ExportTable(ctx context.Context, o table.ExportOptions, w io.Writer) error
}

// Trigger is one that was added by command.
type Trigger struct {
	Name, Text string
	Dir        string // where relative paths of it start
}

// Origin is what is packed.
type Origin struct {
	Dir         string // of lanyard.yaml
	Data        string // the data folder, which is never packed
	Config      *config.Config
	Connections map[string]config.Connection // all that are known
	Triggers    []Trigger                    // added by command
	Tables      Tables
}

// Options are the choices of Gather.
type Options struct {
	Name     string
	Made     time.Time
	WithRows bool     // pack the rows of tables, and the files that imports read
	Add      []string // further files of the folder
	Allow    []string // files in which something may look like a credential
}

// Gather collects what a folder holds. left says what was left out, and why. What
// looks like a credential is fault.Refused, with all places of it.
func Gather(ctx context.Context, o Origin, opt Options) (b *Bundle, left []string, err error) {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Usage, err, "the folder cannot be read").At("%s", o.Dir)
	}
	defer func() { _ = root.Close() }() // nothing is written through it
	g := &gatherer{
		origin: o, options: opt, root: root,
		bundle: &Bundle{Manifest: Manifest{Version: Version, Name: opt.Name, Made: opt.Made.UTC()}, Files: map[string][]byte{}, Rows: map[string][]byte{}},
		needed: map[string]string{},
	}
	if err := g.all(ctx); err != nil {
		return nil, nil, err
	}
	return g.bundle, g.left, g.refuse()
}

type gatherer struct {
	origin  Origin
	options Options
	root    *os.Root
	bundle  *Bundle
	config  *yaml.Node        // all of lanyard.yaml; nil: there is none
	needed  map[string]string // connections: name to provider
	left    []string
	leaks   []string // places
}

func (g *gatherer) all(ctx context.Context) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	if err := g.flows(settings); err != nil {
		return err
	}
	for _, s := range settings {
		if s.section == "imports" {
			if err := g.imported(s); err != nil {
				return err
			}
		}
	}
	if err := g.extras(); err != nil {
		return err
	}
	if err := g.tables(ctx); err != nil {
		return err
	}
	g.connections()
	if g.bundle.Settings == nil && len(g.bundle.Files) == 0 && len(g.bundle.Manifest.Tables) == 0 {
		return fault.New(fault.Usage, "there is nothing to pack here").At("%s", g.origin.Dir).Fix("name another lanyard.yaml with --config")
	}
	return nil
}

// refuse is the error of what looks like a credential.
func (g *gatherer) refuse() error {
	var errs []error
	slices.Sort(g.leaks)
	for _, place := range slices.Compact(g.leaks) {
		file, _, _ := strings.Cut(place, ":")
		if !slices.Contains(g.options.Allow, file) {
			errs = append(errs, fault.New(fault.Refused, "this looks like a credential, which must not be packed").At("%s", place).
				Fix("put it into an input, or a reference such as env:NAME; if it is none, say --allow %s", strconv.Quote(file)))
		}
	}
	return fault.Join(errs...)
}

// settings takes the sections of lanyard.yaml, and the triggers of the data folder.
func (g *gatherer) settings() ([]setting, error) {
	file := g.origin.Config.File
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "the configuration cannot be read").At("%s", file)
		}
		if g.config, err = readRoot(filepath.Base(file), text); err != nil {
			return nil, err
		}
	}
	list := settingsOf(g.config)
	for _, s := range list {
		g.leaks = append(g.leaks, lookNode(filepath.Base(file), s.node)...)
	}
	for _, t := range g.origin.Triggers {
		if slices.ContainsFunc(list, func(s setting) bool { return s.section == "triggers" && s.name == t.Name }) {
			continue // that one is hidden
		}
		place := "trigger " + t.Name
		n, err := value.ParseYAML([]byte(t.Text), place)
		if err != nil {
			return nil, err
		}
		if relative, err := filepath.Rel(g.origin.Dir, t.Dir); err != nil || relative != "." {
			return nil, fault.New(fault.Refused, "the trigger %s was added in another folder, %s", t.Name, t.Dir).Fix("add it again here, or export that folder")
		}
		g.leaks = append(g.leaks, lookNode(place, n)...)
		list = append(list, setting{"triggers", t.Name, n})
	}
	var err error
	g.bundle.Settings, err = assemble(list)
	return list, err
}

// isFlow reports whether a file has the name of an Arazzo document.
func isFlow(name string) bool {
	for _, ending := range []string{".arazzo.yaml", ".arazzo.yml", ".arazzo.json"} {
		if strings.HasSuffix(strings.ToLower(name), ending) {
			return true
		}
	}
	return false
}

// flows takes the documents of the folder, and those that triggers start.
func (g *gatherer) flows(settings []setting) error {
	data, _ := filepath.Abs(g.origin.Data)
	err := fs.WalkDir(g.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != ".":
			full, _ := filepath.Abs(filepath.Join(g.origin.Dir, filepath.FromSlash(p)))
			if strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || full == data {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && isFlow(p) && checkPath(p) == nil:
			return g.flow(p, p)
		}
		return nil
	})
	if err != nil {
		return asFault(err, g.origin.Dir)
	}
	for _, s := range settings {
		if flow := member(s.node, "flow"); s.section == "triggers" && flow != nil {
			file, _, _ := strings.Cut(flow.Value, "#")
			if err := g.flow(path.Clean(filepath.ToSlash(file)), "trigger "+s.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// asFault words an error of the file system.
func asFault(err error, place string) error {
	var own *fault.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return fault.Wrap(fault.Usage, err, "it cannot be read").At("%s", place)
}

// flow takes a document and the local descriptions that it names.
func (g *gatherer) flow(p, place string) error {
	if g.bundle.Files[p] != nil {
		return nil
	}
	if err := g.add(p, place); err != nil {
		return err
	}
	doc, diags := arazzo.Parse(p, g.bundle.Files[p])
	for _, d := range diags {
		if d.Severity == arazzo.Error {
			return fault.New(fault.Invalid, "the flow has mistakes").At("%s", p).Fix("lanyard validate %s shows them", p)
		}
	}
	g.leaks = append(g.leaks, lookNode(p, doc.Root)...)
	for _, s := range doc.Sources {
		if err := g.source(p, s); err != nil {
			return err
		}
	}
	return nil
}

const catalogPrefix = "lanyard:catalog/"

// source takes the description of a source when it is a file of the folder.
func (g *gatherer) source(document string, s arazzo.Source) error {
	name, location, place := s.Name.Value, s.URL.Value, document+", source "+s.Name.Value
	isFlow := s.Type.Value == "arazzo"
	if entry, ok := strings.CutPrefix(location, catalogPrefix); ok {
		if entry, _, _ = strings.Cut(entry, "/"); entry != "lanyard" { // its own API needs no connection
			g.needed[name] = entry
		}
		return nil
	}
	if !isFlow && g.needed[name] == "" {
		g.needed[name] = ""
	}
	if written, ok := g.origin.Config.Sources[name]; ok { // in the place of what the document says
		if written.File == "" {
			return nil
		}
		relative, err := filepath.Rel(g.origin.Dir, written.File)
		if err != nil {
			return fault.Wrap(fault.Refused, err, "the file of the source is outside of the folder").At("%s", place)
		}
		return g.described(filepath.ToSlash(relative), place, isFlow)
	}
	if strings.Contains(location, "://") {
		return nil
	}
	p := path.Join(path.Dir(document), location)
	if _, err := g.root.Stat(filepath.FromSlash(p)); err != nil {
		if plain, err := url.PathUnescape(location); err == nil {
			p = path.Join(path.Dir(document), plain)
		}
	}
	if path.IsAbs(location) {
		return fault.New(fault.Refused, "the description is not in the folder").At("%s", place).Fix("put it there, and name it by a relative path")
	}
	return g.described(p, place, isFlow)
}

func (g *gatherer) described(p, place string, isFlow bool) error {
	if isFlow {
		return g.flow(p, place)
	}
	return g.add(p, place)
}

// add takes a file of the folder; place says who names it.
func (g *gatherer) add(p, place string) error {
	if g.bundle.Files[p] != nil {
		return nil
	}
	if err := checkPath(p); err != nil {
		return fault.New(fault.Refused, "%s: it cannot be packed", fault.Public(err)).At("%s", place)
	}
	data, err := readPlain(g.root, p)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the file %s cannot be packed: it is missing, no plain file, too large or outside of the folder", strconv.Quote(p)).At("%s", place)
	}
	g.bundle.Files[p] = data
	g.leaks = append(g.leaks, lookText(p, string(data))...)
	return nil
}

var errNotPlain = errors.New("not a plain file, or too large")

// readPlain reads a file of at most MaxFile bytes that is no link.
func readPlain(root *os.Root, p string) ([]byte, error) {
	name := filepath.FromSlash(p)
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxFile {
		return nil, errNotPlain
	}
	data, err := root.ReadFile(name)
	if err == nil && data == nil {
		data = []byte{}
	}
	return data, err
}

// imported takes what an import names: connections, and its file when data may be
// packed.
func (g *gatherer) imported(s setting) error {
	from := member(s.node, "from")
	for i := 0; from != nil && from.Kind == yaml.MappingNode && i+1 < len(from.Content); i += 2 {
		kind, n := strict.Follow(from.Content[i]).Value, strict.Follow(from.Content[i+1])
		g.bound(member(n, "connection"))
		file := member(n, "file")
		if n.Kind == yaml.ScalarNode && (kind == "csv" || kind == "json") { // the short form
			file = n
		}
		switch {
		case file == nil || file.Kind != yaml.ScalarNode || file.Value == "-":
		case !g.options.WithRows:
			g.left = append(g.left, file.Value+", which the import "+s.name+" reads: --with-rows packs it")
		default:
			if err := g.add(path.Clean(filepath.ToSlash(file.Value)), "import "+s.name); err != nil {
				return err
			}
		}
	}
	g.bound(member(member(s.node, "to"), "connection"))
	return nil
}

// bound notes a connection that an import names; nil when it names none.
func (g *gatherer) bound(n *yaml.Node) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return
	}
	if _, known := g.needed[n.Value]; !known {
		g.needed[n.Value] = ""
	}
}

// extras takes the README, and the files that were asked for.
func (g *gatherer) extras() error {
	entries, err := fs.ReadDir(g.root.FS(), ".")
	if err != nil {
		return asFault(err, g.origin.Dir)
	}
	for _, e := range entries {
		switch strings.ToLower(e.Name()) {
		case "readme", "readme.md", "readme.txt":
			if e.Type().IsRegular() {
				if err := g.add(e.Name(), e.Name()); err != nil {
					return err
				}
			}
		}
	}
	for _, p := range g.options.Add {
		if err := g.add(path.Clean(filepath.ToSlash(p)), "--add"); err != nil {
			return err
		}
	}
	return nil
}

// tables takes the tables of the data folder.
func (g *gatherer) tables(ctx context.Context) error {
	if g.origin.Tables == nil {
		return nil
	}
	reply, err := g.origin.Tables.Tables(ctx, table.Command{Do: table.ListTables})
	if err != nil {
		return err
	}
	slices.SortFunc(reply.Tables, func(a, b *table.Table) int { return cmp.Compare(table.Fold(a.Name), table.Fold(b.Name)) })
	for i, t := range reply.Tables {
		one := Table{Name: t.Name, Columns: t.Columns}
		if g.options.WithRows {
			one.Rows = tablesFolder + strconv.Itoa(i+1) + ".csv"
			if err := g.rows(ctx, t); err != nil {
				return err
			}
		} else if t.Rows > 0 {
			g.left = append(g.left, "the "+strconv.FormatInt(t.Rows, 10)+" rows of the table "+t.Name+": --with-rows packs them")
		}
		g.bundle.Manifest.Tables = append(g.bundle.Manifest.Tables, one)
	}
	return nil
}

func (g *gatherer) rows(ctx context.Context, t *table.Table) error {
	place := "table " + t.Name
	text, err := rowsOf(ctx, g.origin.Tables, t.Name)
	if err != nil {
		return err
	}
	g.bundle.Rows[t.Name] = text
	for _, c := range t.Columns {
		if t.Rows > 0 && secret.SecretName(c.Name) {
			g.leaks = append(g.leaks, place+": column "+c.Name)
		}
	}
	g.leaks = append(g.leaks, lookText(place, string(text))...)
	return nil
}

// rowsOf are the rows of a table as CSV.
func rowsOf(ctx context.Context, tables Tables, name string) ([]byte, error) {
	w := &limited{left: MaxFile}
	err := tables.ExportTable(ctx, table.ExportOptions{Table: name, Format: table.CSV}, w)
	if w.left < 0 {
		return nil, fault.New(fault.TooLarge, "the rows of the table %q have more than %d bytes", name, int64(MaxFile)).Fix("leave them out, and move them with lanyard tables export")
	}
	return w.Bytes(), err
}

// limited is a buffer that fails when it gets too much.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, io.ErrShortWrite
	}
	return l.Buffer.Write(p)
}

// connections describes those that are needed.
func (g *gatherer) connections() {
	for _, name := range slices.Sorted(maps.Keys(g.needed)) {
		c := Connection{Name: name, Provider: g.needed[name]}
		known, ok := g.origin.Connections[name]
		if !ok {
			if known, ok = g.origin.Connections[c.Provider]; ok {
				c.Name = c.Provider
			}
		}
		if slices.ContainsFunc(g.bundle.Manifest.Connections, func(o Connection) bool { return o.Name == c.Name }) {
			continue
		}
		if ok {
			c.describe(known, g.origin.Dir)
		}
		g.bundle.Manifest.Connections = append(g.bundle.Manifest.Connections, c)
	}
}

// describe takes over what is no secret.
func (c *Connection) describe(known config.Connection, dir string) {
	c.Provider, c.Type, c.AllowPrivate, c.Scopes = cmp.Or(known.Provider, c.Provider), known.Auth.Type, known.AllowPrivate, known.Auth.Scopes
	if known.Auth.Type == config.AuthNone {
		c.Server = known.Server
	}
	for _, f := range []struct{ name, ref string }{
		{"token", known.Auth.Token}, {"username", known.Auth.Username}, {"password", known.Auth.Password}, {"clientId", known.Auth.ClientID},
		{"clientSecret", known.Auth.ClientSecret}, {"privateKey", known.Auth.PrivateKey},
	} {
		ref := f.ref
		if !secret.IsRef(ref) {
			continue
		}
		if file, ok := strings.CutPrefix(ref, "file:"); ok { // where it lies on this machine is nobody's business
			if relative, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(relative) {
				ref = "file:" + filepath.ToSlash(relative)
			} else {
				ref = "file:" + filepath.Base(file)
			}
		}
		c.Needs = append(c.Needs, Need{f.name, ref})
	}
}
