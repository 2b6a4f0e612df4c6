package openapi

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

var braced = regexp.MustCompile(`\{([^{}]*)\}`)

// ResolveServer returns the absolute URL of a server, without a trailing
// slash, so that a path can be appended (N15). vars override the defaults of
// its variables. A relative URL is resolved against documentURL, where the
// description was retrieved from; when that is a file, there is no server to
// call and the error says so.
//
// A placeholder is never sent: a variable without a value, or one whose value
// holds braces again (Auth0 publishes "{TENANT}.auth0.com" as a default), is
// an error that names the variable.
func ResolveServer(s Server, documentURL string, vars map[string]string) (string, error) {
	text, err := substitute(s, vars)
	if err != nil {
		return "", err
	}
	place := func(e *fault.Error) error {
		return e.At("server %s", clip(s.URL)).Fix("bind a server to the source")
	}
	u, perr := url.Parse(text)
	if perr != nil {
		return "", place(fault.Wrap(fault.Invalid, perr, "it is not a URL"))
	}
	if !u.IsAbs() {
		base, perr := url.Parse(documentURL)
		switch {
		case perr == nil && (base.Scheme == "http" || base.Scheme == "https"):
			u = base.ResolveReference(u)
		case u.Host != "": // "//host/path" in a description from a file
			u.Scheme = "https"
		default:
			return "", place(fault.New(fault.Invalid, "the address is relative and the description does not come from the web"))
		}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", place(fault.New(fault.Unsupported, "%s is neither http nor https", strconv.Quote(clip(u.Scheme))))
	case u.Hostname() == "":
		return "", place(fault.New(fault.Invalid, "it names no host"))
	case u.User != nil:
		return "", place(fault.New(fault.Refused, "credentials do not belong in an address"))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", place(fault.New(fault.Invalid, "a server address has no query and no fragment"))
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// substitute fills in the server's variables.
func substitute(s Server, vars map[string]string) (string, *fault.Error) {
	var bad *fault.Error
	text := braced.ReplaceAllStringFunc(s.URL, func(expression string) string {
		name := expression[1 : len(expression)-1]
		v, declared := s.Variables[name]
		val, bound := vars[name]
		if !bound {
			val = v.Default
		}
		switch {
		case bad != nil:
		case val == "" && !bound:
			bad = fault.New(fault.Invalid, "the server variable %s has no value", strconv.Quote(clip(name)))
		case strings.ContainsAny(val, "{}"):
			bad = fault.New(fault.Invalid, "the server variable %s is unbound: its value %s is a placeholder",
				strconv.Quote(clip(name)), strconv.Quote(clip(val)))
		case declared && len(v.Enum) > 0 && !slices.Contains(v.Enum, val):
			bad = fault.New(fault.Invalid, "the server variable %s must be one of %s, not %s",
				strconv.Quote(clip(name)), list(v.Enum), strconv.Quote(clip(val)))
		}
		return val
	})
	if bad == nil && strings.ContainsAny(text, "{}") {
		bad = fault.New(fault.Invalid, "it has a brace without its partner")
	}
	if bad != nil {
		return "", bad.At("server %s", clip(s.URL)).Fix("bind a server to the source, or give the variable a value")
	}
	return text, nil
}
