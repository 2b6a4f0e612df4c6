package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// part is one part of a multipart body.
type part struct {
	name, filename, contentType string
	file                        bool
	data                        []byte
}

// multipartBody writes an object's properties as parts, sorted by name; a list
// gives one part per item. The boundary is derived from the parts, so that a
// repeated request has the same bytes.
func multipartBody(contentType string, v any, media *Media) (body []byte, header string, err error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, "", fault.New(fault.Invalid, "%s cannot be written as %s", article(v), baseType(contentType)).Fix("pass an object")
	}
	var parts []part
	for _, name := range sortedKeys(object) {
		values, list := object[name].([]any)
		if !list {
			values = []any{object[name]}
		}
		for _, v := range values {
			p, err := newPart(name, v, encodingOf(media, name))
			if err != nil {
				return nil, "", inProperty(err, name)
			}
			parts = append(parts, p)
		}
	}
	body, boundary := joinParts(parts)
	base, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, "", fault.New(fault.Invalid, "%s is not a media type", strconv.Quote(clip(contentType)))
	}
	params["boundary"] = boundary
	return body, mime.FormatMediaType(base, params), nil
}

func newPart(name string, v any, e Encoding) (part, error) {
	p := part{name: name, contentType: e.ContentType}
	if strings.Contains(p.contentType, ",") || strings.Contains(p.contentType, "*") {
		p.contentType = "" // a choice or a range: the value decides
	}
	if object, ok := v.(map[string]any); ok && isFile(object) {
		return p.fromFile(object)
	}
	if v == nil {
		return p, fault.New(fault.Invalid, "a part cannot be null").Fix("leave the property out")
	}
	text, ok := scalar(v)
	if ok && !IsJSON(p.contentType) {
		p.data = []byte(text)
		return p, nil
	}
	if p.contentType == "" {
		p.contentType = jsonType
	}
	if !IsJSON(p.contentType) {
		return p, fault.New(fault.Invalid, "%s cannot be written as %s", article(v), p.contentType)
	}
	data, err := value.Encode(v)
	p.data = data
	return p, err
}

// isFile recognises {filename, contentType, content or base64}. An object with
// content alone is one: it may well be data.
func isFile(object map[string]any) bool {
	_, text := object["content"]
	_, binary := object["base64"]
	for key := range object {
		switch key {
		case "filename", "contentType", "content", "base64":
		default:
			return false
		}
	}
	return binary && !text || text && !binary && len(object) > 1
}

func (p part) fromFile(object map[string]any) (part, error) {
	for _, key := range sortedKeys(object) {
		text, ok := object[key].(string)
		if !ok {
			return p, fault.New(fault.Invalid, "%s of a file must be text", key)
		}
		switch key {
		case "filename":
			p.filename = text
		case "contentType":
			if _, _, err := mime.ParseMediaType(text); err != nil || hasControl(text) {
				return p, fault.New(fault.Invalid, "%s is not a media type", strconv.Quote(clip(text)))
			}
			p.contentType = text
		case "content":
			p.data = []byte(text)
		case "base64":
			data, err := fromBase64(text)
			if err != nil {
				return p, err
			}
			p.data = data
		}
	}
	p.file = true
	if p.contentType == "" {
		p.contentType = binaryType
	}
	return p, nil
}

// quoteName escapes a name for Content-Disposition the way browsers do (WHATWG
// HTML, multipart/form-data).
var quoteName = strings.NewReplacer("\r", "%0D", "\n", "%0A", `"`, "%22")

func (p part) header() string {
	var b strings.Builder
	b.WriteString(`Content-Disposition: form-data; name="` + quoteName.Replace(p.name) + `"`)
	if p.filename != "" || p.file {
		b.WriteString(`; filename="` + quoteName.Replace(p.filename) + `"`)
	}
	b.WriteString("\r\n")
	if p.contentType != "" {
		b.WriteString("Content-Type: " + p.contentType + "\r\n")
	}
	return b.String()
}

func joinParts(parts []part) (body []byte, boundary string) {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write([]byte(p.header()))
		sum.Write([]byte(strconv.Itoa(len(p.data)) + "\r\n"))
		sum.Write(p.data)
	}
	// A part cannot hold the boundary: it would have to hold its own hash.
	boundary = "lanyard-" + hex.EncodeToString(sum.Sum(nil)[:16])
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\n" + p.header() + "\r\n")
		b.Write(p.data)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes(), boundary
}
