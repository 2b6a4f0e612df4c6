package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/bundle"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// fakeFolders answers with examples, and remembers what was asked.
type fakeFolders struct{ imported ImportFolder }

func (f *fakeFolders) Export(_ context.Context, req ExportFolder) (*FolderExport, error) {
	m := bundle.Manifest{Version: bundle.Version, Name: req.Options.Name, Made: time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)}
	m.Tables = []bundle.Table{{Name: "People"}}
	m.Connections = []bundle.Connection{{Name: "okta", Provider: "okta"}}
	return &FolderExport{File: req.File, Size: 1234, Manifest: m, Files: []string{"a.arazzo.yaml"}, Left: []string{"the 3 rows of the table People: --with-rows packs them"}}, nil
}

func (f *fakeFolders) Import(_ context.Context, req ImportFolder) (*FolderImport, error) {
	f.imported = req
	if req.File == "bad.folder" {
		return nil, fault.New(fault.Conflict, "the file is another one").At("file a.arazzo.yaml").Fix("say --replace to overwrite it, or unpack elsewhere with --to")
	}
	if req.File == "conflicts.folder" {
		return &FolderImport{Name: "joiners", DryRun: true, Refused: "file a.arazzo.yaml: the file is another one", Changes: []bundle.Change{{What: "file", Name: "a.arazzo.yaml", State: bundle.Differs}}}, nil
	}
	r := &FolderImport{Name: "joiners", Dir: "/there", DryRun: req.DryRun, Environment: []string{"HR_TOKEN"}, Triggers: []string{"nightly"}}
	r.Changes = []bundle.Change{{What: "file", Name: "a.arazzo.yaml", State: bundle.New}, {What: "file", Name: "b\x1b.yaml", State: bundle.Differs}, {What: "triggers", Name: "nightly", State: bundle.New}}
	r.Connections = []ToBind{{Name: "okta", Command: "lanyard connections add okta --server https://HOST"}}
	return r, nil
}

func TestFolder(t *testing.T) {
	p := newProduct(play(t))
	folders := &fakeFolders{}
	p.Folders = folders
	var out []string
	for _, args := range [][]string{
		{"export", "joiners.folder"},
		{"export", "joiners.zip"},
		{"import", "joiners.folder", "--dry-run"},
		{"import", "conflicts.folder", "--dry-run"},
		{"import", "joiners.folder", "--to", "there", "--replace"},
		{"import", "joiners.folder", "-o", "json"},
		{"import", "bad.folder"},
		{"import", "joiners.folder", "--to", "there", "--config", "x.yaml"},
	} {
		out = append(out, transcript(t.Context(), newTestIO("", nil), p.Product, append([]string{"folder"}, args...)...))
		if args[len(args)-1] == "--replace" && (folders.imported.Config != "there/lanyard.yaml" || folders.imported.Data != "there/.lanyard") {
			t.Errorf("--to asks for %+v", folders.imported)
		}
	}
	golden(t, "folder", strings.Join(out, "\n"))
}
