// Package lanyard_test checks the shape of the whole repository: which package
// may import which, and that every package says what it is for. How the
// product behaves is tested beside its code and, from the outside, in script.
package lanyard_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root.
const module = "github.com/lanyard-id/lanyard"

// floors lists every package from the ground up. A package imports only from
// floors below its own, never from its own floor: that keeps the arrows
// pointing inward and every package testable without those above it. A name
// ending in /... stands for all packages below that folder.
//
// A new package is one more name here. When it seems to need a neighbour on its
// own floor, declare the small interface that it needs instead, and let
// internal/app join the two.
var floors = [][]string{
	// The ground lies below floor 0 (docs/decisions/2026-11-22-ground-packages.md).
	{"internal/durable", "internal/fault", "internal/spelling"},
	{"internal/value"},
	{"internal/strict"},
	// 0: languages and nouns
	{"examples", "internal/arazzo/expr", "internal/compute", "internal/filter", "internal/openapi", "internal/run", "internal/secret"},
	{"internal/shape"},
	// 1
	{"internal/arazzo", "internal/config", "internal/connector/catalog", "internal/directory", "internal/directory/directorytest", "internal/egress", "internal/filter/filtertest", "internal/localca", "internal/scim", "internal/web", "internal/web/webtest", "internal/wirelog"},
	{"internal/scim/scimtest"},
	// 2
	{"internal/oauth", "internal/sources", "internal/tenant", "internal/web/rehearsal"},
	// 3
	{"internal/inbound", "internal/login", "internal/plan", "internal/reconcile"},
	// 4
	{"internal/engine", "internal/reconcile/reconciletest"},
	// 5
	{"internal/connector", "internal/engine/drivertest", "internal/importer", "internal/provision", "internal/table"},
	{"internal/bundle", "internal/extract", "internal/identitysource"},
	// 6
	{"internal/trigger", "internal/worker"},
	// 7
	{
		"internal/report", "internal/store", "internal/telemetry",
		"internal/web/api", "internal/web/auth0", "internal/web/console", "internal/web/hooks", "internal/web/okta", "internal/web/scim",
	},
	// 8
	{"conformance", "internal/conformance", "internal/store/postgres", "internal/store/sqlite", "internal/store/storetest"},
	// 9: app stands above cli, whose Product and Session it makes
	{"internal/cli", "internal/inbound/inboundtest", "internal/store/sqlite/sqlitetest"},
	{"internal/app"},
	// 10
	{"bench", "cmd/lanyard", "examples/anything-as-a-source/items-api", "script/clients"},
}

const (
	homeless    = " stands on no floor; add it to the table in imports_test.go, as low as its imports allow"
	noTelemetry = "domains know no telemetry; internal/app wraps them with it at the seams"
)

// bans are imports that stay forbidden whatever the floors allow. A ban on a
// package covers the packages below its folder.
var bans = []struct{ from, except, to, why string }{
	{
		from: "internal/web", to: "internal/store",
		why: "a façade speaks to the directory; internal/app gives the directory its store",
	},
	{
		from: "internal", except: "internal/app", to: "internal/telemetry",
		why: noTelemetry,
	},
	{
		from: "internal", to: "internal/web/webtest",
		why: "it is for tests only",
	},
	{
		from: "conformance", to: "internal/telemetry",
		why: noTelemetry,
	},
}

// objection says why from may not import to, both relative to the module's
// root; it is empty when the import is fine.
func objection(from, to string) string {
	above, ok := floorOf(from)
	if !ok {
		return from + homeless
	}
	below, ok := floorOf(to)
	if !ok {
		return to + homeless
	}
	for _, ban := range bans {
		if within(from, ban.from) && !within(from, ban.except) && within(to, ban.to) {
			return fmt.Sprintf("%s may not import %s: %s", from, to, ban.why)
		}
	}
	if below >= above {
		return fmt.Sprintf("%s may not import %s: it is not on a lower floor; declare the interface that is needed and let internal/app join them", from, to)
	}
	return ""
}

// floorOf gives a package's height in the table: by its own name, else by the
// /... entry that covers it.
func floorOf(pkg string) (int, bool) {
	for height, names := range floors {
		for _, name := range names {
			if folder, all := strings.CutSuffix(name, "/..."); name == pkg || all && within(pkg, folder) {
				return height, true
			}
		}
	}
	return 0, false
}

// within reports whether pkg is the package in folder or one below it.
func within(pkg, folder string) bool {
	return folder != "" && (pkg == folder || strings.HasPrefix(pkg, folder+"/"))
}

// Test files may import what they like: SQLite in a temporary directory is the
// fake for every store, from any floor.
func TestImports(t *testing.T) {
	for dir, pkg := range packages(t) {
		if len(pkg.imports) == 0 && pkg.testOnly {
			continue
		}
		if _, ok := floorOf(dir); !ok {
			t.Error(dir + homeless)
			continue
		}
		for _, imp := range pkg.imports {
			if problem := objection(dir, imp.path); problem != "" {
				t.Errorf("%s: %s", imp.pos, problem)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for dir, pkg := range packages(t) {
		want := "Package " + pkg.name + " "
		if pkg.name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if !slices.ContainsFunc(pkg.docs, func(doc string) bool { return strings.HasPrefix(doc, want) }) {
			t.Errorf("%s has no package comment that starts %q; say what the package owns and what it leaves to others", dir, want)
		}
	}
}

// The check itself: each of these must be refused or allowed, or the table
// above protects nothing.
func TestObjection(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     string // part of the objection; empty when allowed
	}{
		{"internal/value", "internal/fault", ""},
		{"internal/fault", "internal/value", "not on a lower floor"},
		{"internal/arazzo", "internal/arazzo/expr", ""},
		{"internal/arazzo/expr", "internal/arazzo", "not on a lower floor"},
		{"internal/worker", "internal/engine", ""},
		{"internal/worker", "internal/trigger", "not on a lower floor"},
		{"internal/engine", "internal/connector", "not on a lower floor"},
		{"internal/web/okta", "internal/directory", ""},
		{"internal/web/okta", "internal/store", "gives the directory its store"},
		{"internal/web/okta", "internal/store/sqlite", "gives the directory its store"},
		{"internal/store/sqlite", "internal/telemetry", "wraps them"},
		{"internal/cli", "internal/telemetry", "wraps them"},
		{"internal/app", "internal/telemetry", ""},
		{"internal/web/okta", "internal/web/webtest", "for tests only"},
		{"internal/app", "internal/cli", ""},
		{"internal/cli", "internal/app", "not on a lower floor"},
		{"internal/util", "internal/fault", "stands on no floor"},
		{"internal/app", "internal/util", "stands on no floor"},
		{"cmd/lanyard", "internal/cli", ""},
	} {
		got := objection(test.from, test.to)
		if test.want == "" && got != "" || test.want != "" && !strings.Contains(got, test.want) {
			t.Errorf("objection(%q, %q) = %q, want %q in it", test.from, test.to, got, test.want)
		}
	}
}

func TestEveryPackageStandsOnOneFloor(t *testing.T) {
	seen := map[string]int{}
	for height, names := range floors {
		for _, name := range names {
			if before, twice := seen[name]; twice {
				t.Errorf("%s stands on floors %d and %d", name, before, height)
			}
			seen[name] = height
		}
	}
}

// pkg is what the checks need to know of one folder with Go files.
type pkg struct {
	name     string
	testOnly bool
	docs     []string
	imports  []imported // of files that are not tests, this module's packages only
}

type imported struct {
	path string // relative to the module's root
	pos  token.Position
}

// packages reads the tree below the working directory, which go test sets to
// the root: file by file and without a build, so that it sees packages that do
// not compile at the moment.
func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	found := map[string]*pkg{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := path.Base(name)
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
				slices.Contains([]string{"testdata", "node_modules", "bin", "vendor"}, base)) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		return read(found, name)
	})
	if err != nil {
		t.Fatalf("reading the tree: %v", err)
	}
	if len(found) < 3 {
		t.Fatalf("found only the packages %v; the test must run in the root of the repository", slices.Sorted(maps.Keys(found)))
	}
	return found
}

// read adds one file to the package of its folder.
func read(found map[string]*pkg, name string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.FromSlash(name), nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	test := strings.HasSuffix(name, "_test.go")
	p := found[path.Dir(name)]
	if p == nil {
		p = &pkg{name: file.Name.Name, testOnly: true}
		found[path.Dir(name)] = p
	}
	if file.Doc != nil {
		p.docs = append(p.docs, file.Doc.Text())
	}
	if test {
		return nil
	}
	p.name, p.testOnly = file.Name.Name, false
	for _, spec := range file.Imports {
		full, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if rel, ours := strings.CutPrefix(full, module+"/"); ours {
			p.imports = append(p.imports, imported{path: rel, pos: files.Position(spec.Pos())})
		}
	}
	return nil
}
