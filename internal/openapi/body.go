package openapi

import (
	"encoding/base64"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Content is a request body before encoding.
type Content struct {
	Type  string // media type; empty: the operation's own (MediaType)
	Value any

	// JSONText says that a string Value is the text of a JSON document rather
	// than a JSON string: a payload written as a template (A18). It is sent as
	// it is, and must be well-formed.
	JSONText bool

	Raw []byte // when not nil, sent instead of Value
}

// encode returns the body's bytes and its Content-Type. Equal content gives
// equal bytes.
func (c *Content) encode(contentType string, media *Media) (body []byte, header string, err error) {
	switch base := baseType(contentType); {
	case c.Raw != nil:
		body = c.Raw
	case IsJSON(contentType):
		body, err = c.json()
	case base == formType:
		body, err = formBody(c.Value, media)
	case strings.HasPrefix(base, "multipart/"):
		return multipartBody(contentType, c.Value, media)
	case IsXML(contentType):
		body, err = xmlBody(c.Value)
	case isText(contentType):
		text, ok := scalar(c.Value)
		if !ok {
			return nil, "", fault.New(fault.Invalid, "%s cannot be written as %s", article(c.Value), base).Fix("pass text")
		}
		body = []byte(text)
	default:
		body, err = binaryBody(c.Value, base)
	}
	if err != nil {
		return nil, "", err
	}
	if body == nil {
		body = []byte{} // there is a body, and it is empty
	}
	return body, contentType, nil
}

func article(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	}
	return "a " + nameOf(v)
}

func (c *Content) json() ([]byte, error) {
	text, ok := c.Value.(string)
	if !ok || !c.JSONText {
		return value.Encode(c.Value)
	}
	if _, err := value.Decode([]byte(text)); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the text is not well-formed JSON").Fix("write the payload as a structure")
	}
	return []byte(text), nil
}

// formBody writes an object as name=value pairs. Text is taken as it is.
func formBody(v any, media *Media) ([]byte, error) {
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "%s cannot be written as a form", article(v)).Fix("pass an object")
	}
	var pieces []string
	for _, name := range sortedKeys(object) {
		more, err := formProperty(name, object[name], encodingOf(media, name))
		if err != nil {
			return nil, inProperty(err, name)
		}
		pieces = append(pieces, more...)
	}
	return []byte(strings.Join(pieces, "&")), nil
}

// formProperty writes one property. Without a declared encoding, objects and
// lists of objects are JSON and everything else is in style form (OpenAPI 3.1
// 4.8.15.1).
func formProperty(name string, v any, e Encoding) ([]string, error) {
	if e.ContentType == "" && e.Style == "" && !isFlat(v) {
		e.ContentType = jsonType
	}
	if e.ContentType != "" {
		text, err := content(e.ContentType, v)
		return []string{escape(name) + "=" + escape(text)}, err
	}
	if e.Style == "" {
		e.Style, e.Explode = "form", true
	}
	return inForm(name, e.Style, e.Explode, v, escape)
}

// isFlat reports whether style form can carry a value as a form field.
func isFlat(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return false
	case []any:
		for _, item := range v {
			if _, ok := scalar(item); !ok {
				return false
			}
		}
	}
	return v != nil
}

func encodingOf(media *Media, name string) Encoding {
	if media == nil {
		return Encoding{}
	}
	return media.Encoding[name]
}

func inProperty(err error, name string) error { return at(err, "property "+clip(name)) }

// binaryBody takes text as its bytes, or {base64: ...} for what is not text.
func binaryBody(v any, base string) ([]byte, error) {
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	if object, ok := v.(map[string]any); ok && len(object) == 1 {
		if text, ok := object["base64"].(string); ok {
			return fromBase64(text)
		}
	}
	return nil, fault.New(fault.Invalid, "%s cannot be written as %s", article(v), base).Fix("pass text, or {base64: ...}")
}

func fromBase64(text string) ([]byte, error) {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	out, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the text is not base64")
	}
	return out, nil
}
