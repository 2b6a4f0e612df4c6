package sources

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
)

// Bounds of the search for a file that moved.
const (
	nearDepth   = 4    // folders below a starting point
	nearEntries = 5000 // directory entries looked at
	nearFiles   = 3    // files mentioned
)

// moved are folders into which whole collections of descriptions were moved
// while the documents that name them stayed as they were.
var moved = []string{"_original"}

// withNear adds to an error where a file of the source's name does exist, and
// how to use it.
func (l *Loader) withNear(ctx context.Context, ref Ref, err error) error {
	var p *Problem
	if !errors.As(err, &p) || p.Err.Kind != fault.NotFound || p.location == "" {
		return err
	}
	found := l.movedOnWeb(ctx, p.location)
	if found == nil {
		found = l.nearby(ref, p.location)
	}
	if len(found) == 0 {
		return err
	}
	best, note := l.best(ctx, ref, found)
	e := *p.Err
	e.Msg += "; a file of that name exists at " + best + note
	e.Remedy = "use it with --source " + ref.Name + "=" + best
	return &Problem{Code: p.Code, Err: &e, location: p.location}
}

// best returns the first file that has what is needed, else the first, and
// what there is to say about it.
func (l *Loader) best(ctx context.Context, ref Ref, found []string) (location, note string) {
	if ref.Type == "arazzo" || len(ref.Needs) == 0 {
		return found[0], ""
	}
	for i, file := range found {
		data, _, err := l.read(ctx, l.inFolder(file))
		if err != nil {
			continue
		}
		x, err := l.cache().index(data, openapi.Digest(data), file)
		if err != nil {
			continue
		}
		gone := missing(x, ref.Needs)
		if len(gone) == 0 {
			return file, " and has the operations needed"
		}
		if i == 0 {
			note = ", but it lacks " + strings.Join(gone, ", ")
		}
	}
	return found[0], note
}

// movedOnWeb asks the same server for the places that collections are known to
// have moved to.
func (l *Loader) movedOnWeb(ctx context.Context, location string) []string {
	if !isWeb(location) || l.Fetch == nil {
		return nil
	}
	u, err := url.Parse(location)
	if err != nil {
		return nil
	}
	for _, folder := range moved {
		dir, file := path.Split(u.Path)
		next := *u
		next.Path, next.RawPath = dir+folder+"/"+file, ""
		if withheld(location) {
			next.RawQuery = ""
		}
		if _, _, err := l.read(ctx, next.String()); err == nil {
			return []string{next.String()}
		}
	}
	return nil
}

// nearby looks for files with the base name of a location: around the place
// where it should be, around the document, and below the current folder. They
// are named relative to the current folder when they lie in it.
func (l *Loader) nearby(ref Ref, location string) []string {
	s := &search{seen: map[string]bool{}, left: nearEntries}
	if isWeb(location) {
		u, err := url.Parse(location)
		if err != nil {
			return nil
		}
		s.name = path.Base(u.Path)
	} else {
		s.name = filepath.Base(location)
		dir := filepath.Dir(location)
		for range 3 { // the folder itself, its siblings, and those of its parent
			s.below(dir)
			dir = filepath.Dir(dir)
		}
	}
	if !isWeb(ref.BaseFile) && ref.BaseFile != "" && ref.BaseFile != "-" {
		s.below(filepath.Dir(ref.BaseFile))
	}
	s.below(l.folder())
	for i, file := range s.found {
		if rel, err := filepath.Rel(l.folder(), file); err == nil && !strings.HasPrefix(rel, "..") {
			s.found[i] = rel
		}
	}
	return s.found
}

// search looks through folders breadth first, each once.
type search struct {
	name  string
	seen  map[string]bool
	left  int
	found []string
}

// below searches a folder and those in it, to nearDepth.
func (s *search) below(root string) {
	level := []string{root}
	for depth := 0; depth <= nearDepth && len(level) > 0; depth++ {
		var next []string
		for _, dir := range level {
			next = append(next, s.in(dir)...)
		}
		level = next
	}
}

// in searches one folder and returns the folders in it.
func (s *search) in(dir string) (folders []string) {
	dir, err := filepath.Abs(dir)
	if err != nil || s.seen[dir] || len(s.found) >= nearFiles || s.left <= 0 {
		return nil
	}
	s.seen[dir] = true
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	entries, _ := f.ReadDir(s.left) // what can be read is enough
	_ = f.Close()
	s.left -= len(entries)
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		switch name := e.Name(); {
		case e.Type().IsRegular() && name == s.name && len(s.found) < nearFiles:
			s.found = append(s.found, filepath.Join(dir, name))
		case e.IsDir() && !strings.HasPrefix(name, ".") && name != "node_modules" && name != "vendor":
			folders = append(folders, filepath.Join(dir, name))
		}
	}
	return folders
}

// folder is the current folder.
func (l *Loader) folder() string {
	if l.Folder == "" {
		return "."
	}
	return l.Folder
}

// inFolder resolves a path that is relative to the current folder.
func (l *Loader) inFolder(location string) string {
	if isWeb(location) || filepath.IsAbs(location) {
		return location
	}
	return filepath.Join(l.folder(), location)
}
