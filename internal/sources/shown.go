package sources

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/secret"
)

// plainParameters are query parameters that say which document is meant. Others
// may be what opens it: access_token, sig, X-Amz-Signature.
var plainParameters = []string{
	"ref", "branch", "tag", "commit", "sha", "at", "version", "v", "api-version", "apiversion", "rev", "revision",
	"format", "type", "alt", "raw", "plain", "lang", "path", "file", "filename", "name", "download", "dl", "inline",
}

// Shown returns a location as it may be written and shown: the values in a web
// address's query are masked unless their names are known to be harmless, since
// addresses that carry a token are how private descriptions are fetched. The
// full address exists only while a source is read.
func Shown(location string) string {
	base, query, ok := strings.Cut(location, "?")
	if !ok || !isWeb(location) {
		return location
	}
	query, fragment, hasFragment := strings.Cut(query, "#")
	fields := strings.Split(query, "&")
	for i, f := range fields {
		name, v, _ := strings.Cut(f, "=")
		plain, err := url.QueryUnescape(name)
		switch {
		case v != "" && (err != nil || !slices.Contains(plainParameters, strings.ToLower(plain))):
			fields[i] = name + "=" + secret.Mask
		case !strings.Contains(f, "=") && len(f) > maxFlag: // the query is a value itself
			fields[i] = secret.Mask
		}
	}
	out := base + "?" + strings.Join(fields, "&")
	if hasFragment {
		out += "#" + fragment
	}
	return out
}

// maxFlag is the longest parameter without a value that is taken for a name.
const maxFlag = 12

// withheld reports whether a location is one that Shown has changed, so that
// nothing can be read there.
func withheld(location string) bool {
	return isWeb(location) && strings.Contains(location, secret.Mask)
}

// shownURL is Shown for the URL as the document writes it, which may be relative
// to a document from the web.
func (r Ref) shownURL() string {
	if isWeb(r.BaseFile) && !strings.Contains(r.URL, "://") {
		const any = "http://x/" // only to have it read as a web address
		return strings.TrimPrefix(Shown(any+r.URL), any)
	}
	return Shown(r.URL)
}

// names reports whether a pin is for the URL that a reference has.
func (p Pin) names(r Ref) bool { return p.URL == r.URL || p.URL == r.shownURL() }
