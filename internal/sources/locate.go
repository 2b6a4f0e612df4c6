package sources

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// isWeb reports whether a location is an http or https URL rather than a path.
func isWeb(location string) bool {
	scheme, _, ok := strings.Cut(location, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// locate resolves a reference against the document that makes it (N5) and
// returns an http URL or a path. base is a path, a URL, or empty for a document
// without a place, such as standard input: then folder stands in.
func locate(base, folder, ref string) (string, *fault.Error) {
	if ref == "" {
		return "", fault.New(fault.Invalid, "it has no url")
	}
	if isWeb(base) {
		return locateFromWeb(base, ref)
	}
	if isWeb(ref) {
		return withoutFragment(ref), nil
	}
	dir := folder
	if base != "" && base != "-" {
		path, err := pathOf(base)
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(path)
	}
	path, err := pathOf(ref)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return path, nil
}

// locateFromWeb keeps a document from the web on the web: what it names must
// not become a read of this machine's files.
func locateFromWeb(base, ref string) (string, *fault.Error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "%s is not a URL", strconv.Quote(base))
	}
	to, err := from.Parse(ref)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "%s is not a URL", strconv.Quote(ref))
	}
	if !isWeb(to.String()) {
		return "", fault.New(fault.Refused, "a document from the web cannot name %s", strconv.Quote(ref)).
			Fix("read the document from a file, or give the source a location of your own")
	}
	return withoutFragment(to.String()), nil
}

func withoutFragment(location string) string {
	location, _, _ = strings.Cut(location, "#")
	return location
}

// pathOf returns the path that a reference which is no web URL means: a file
// URL, a relative reference with percent-encoding, or a plain path.
func pathOf(ref string) (string, *fault.Error) {
	if _, err := os.Lstat(ref); err == nil {
		return ref, nil // a file of exactly that name, whatever its characters mean in a URL
	}
	u, err := url.Parse(ref)
	switch {
	case err != nil || len(u.Scheme) == 1: // "C:\specs": a drive, not a scheme
		return ref, nil
	case u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" {
			return "", fault.New(fault.Unsupported, "%s is a file of another machine", strconv.Quote(ref))
		}
		return filepath.FromSlash(u.Path), nil
	case u.Scheme != "":
		return "", fault.New(fault.Unsupported, "%s is neither a file nor http nor https", strconv.Quote(ref))
	case u.Path == "":
		return "", fault.New(fault.Invalid, "%s names no file", strconv.Quote(ref))
	}
	return filepath.FromSlash(u.Path), nil
}
