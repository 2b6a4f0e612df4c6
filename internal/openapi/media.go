package openapi

import (
	"mime"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
	binaryType    = "application/octet-stream"
)

// baseType returns a media type in lower case without its parameters.
func baseType(mediaType string) string {
	base, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(base))
}

// IsJSON reports whether bodies of a media type are JSON: application/json,
// text/json and everything that ends in +json. Parameters are ignored.
func IsJSON(mediaType string) bool {
	base := baseType(mediaType)
	return base == jsonType || base == "text/json" || strings.HasSuffix(base, "+json")
}

// IsXML reports whether bodies of a media type are XML, likewise.
func IsXML(mediaType string) bool {
	base := baseType(mediaType)
	return base == "application/xml" || base == "text/xml" || strings.HasSuffix(base, "+xml")
}

func isText(mediaType string) bool {
	base := baseType(mediaType)
	switch base {
	case formType, "application/javascript", "application/yaml", "application/x-yaml", "application/jwt", "application/graphql", "application/x-ndjson", "application/jsonl":
		return true
	}
	return strings.HasPrefix(base, "text/")
}

// MediaType returns the media type that a body is sent as, and what the
// operation declares about it, nil when it does not declare the type (N22).
//
// wanted is what the document asks for; a declared range such as "image/*"
// covers it. When it is empty the operation's first JSON media type is taken,
// else its first, else application/json. An error means that wanted is not a
// media type, or that it must be named because only ranges are declared.
func (op *Operation) MediaType(wanted string) (string, *Media, error) {
	var declared []Media
	if op.Body != nil {
		declared = op.Body.Media
	}
	if wanted != "" {
		base, params, err := mime.ParseMediaType(wanted)
		if err != nil || !strings.Contains(base, "/") {
			return "", nil, fault.New(fault.Invalid, "%s is not a media type", strconv.Quote(clip(wanted)))
		}
		if c, ok := params["charset"]; ok && !isUTF8(c) {
			return "", nil, fault.New(fault.Unsupported, "bodies are sent as UTF-8, not %s", strconv.Quote(clip(c)))
		}
		return wanted, matching(declared, base), nil
	}
	for i := range declared {
		if IsJSON(declared[i].Type) {
			return declared[i].Type, &declared[i], nil
		}
	}
	switch {
	case len(declared) == 0:
		return jsonType, nil, nil
	case !strings.Contains(declared[0].Type, "*"):
		return declared[0].Type, &declared[0], nil
	}
	if m := matching(declared, jsonType); m != nil {
		return jsonType, m, nil
	}
	return "", nil, fault.New(fault.Invalid, "the operation accepts %s: one type must be chosen", clip(declared[0].Type)).
		Fix("give the request body a contentType")
}

// matching returns the declared media type with the given base type, or else
// the narrowest range that covers it.
func matching(declared []Media, base string) *Media {
	kind, _, _ := strings.Cut(base, "/")
	for _, want := range []string{base, kind + "/*", "*/*"} {
		for i := range declared {
			if baseType(declared[i].Type) == want {
				return &declared[i]
			}
		}
	}
	return nil
}

func isUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii":
		return true
	}
	return false
}
