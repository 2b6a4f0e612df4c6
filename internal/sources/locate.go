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
		return webAddress(ref)
	}
	dir := folder
	if base != "" && base != "-" {
		path, err := pathOf("", base)
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(path)
	}
	return pathOf(dir, ref)
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
	return webAddress(to.String())
}

// webAddress drops the fragment, which is no part of what is fetched. An
// address with a credential is refused: it would end up in messages and in the
// lock file.
func webAddress(location string) (string, *fault.Error) {
	u, err := url.Parse(location)
	if err != nil { // not shown: it may hold a credential
		return "", fault.New(fault.Invalid, "its url is not well-formed")
	}
	if u.User != nil {
		return "", fault.New(fault.Refused, "credentials do not belong in an address").
			Fix("fetch %s yourself and name the file", u.Redacted())
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

// pathOf returns the path that a reference which is no web URL means: a file
// URL, a relative reference with percent-encoding, or a plain path. Relative
// ones lie in dir.
func pathOf(dir, ref string) (string, *fault.Error) {
	in := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	if _, err := os.Lstat(in(ref)); err == nil {
		return in(ref), nil // a file of exactly that name, whatever its characters mean in a URL
	}
	if u, err := url.Parse(ref); err == nil && len(u.Scheme) != 1 { // "C:\specs" is a drive, not a scheme
		path, err := pathOfURL(u, ref)
		return in(path), err
	}
	return in(ref), nil
}

func pathOfURL(u *url.URL, ref string) (string, *fault.Error) {
	switch {
	case u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" {
			return "", fault.New(fault.Unsupported, "%s is a file of another machine", strconv.Quote(ref))
		}
	case u.Scheme != "":
		return "", fault.New(fault.Unsupported, "%s is neither a file nor http nor https", strconv.Quote(ref))
	}
	if u.Path == "" {
		return "", fault.New(fault.Invalid, "%s names no file", strconv.Quote(ref))
	}
	return filepath.FromSlash(u.Path), nil
}
