package openapi

import (
	"bytes"
	"encoding/base64"
	"mime"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

// DecodeBody turns a body as received into a value, and into text for those
// who match text (regex and XPath criteria, reports); text is "" for binary.
//
// JSON becomes its value without loss, and the text it is when it is not
// well-formed; XML and other text a string; anything else, and text that is
// not UTF-8, a base64 string. An empty body is nil. Without a media type the
// content decides.
func DecodeBody(contentType string, data []byte) (v any, text string) {
	if len(data) == 0 {
		return nil, ""
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		params = nil // a broken parameter does not hide the type
	}
	plain := bytes.TrimPrefix(data, []byte("\ufeff"))
	if charset, ok := params["charset"]; ok && !isUTF8(charset) && !IsJSON(contentType) || !utf8.Valid(plain) {
		return base64.StdEncoding.EncodeToString(data), ""
	}
	switch base := baseType(contentType); {
	case IsJSON(contentType), base == "":
		v, err := value.Decode(plain)
		if err == nil {
			return v, string(plain)
		}
	case IsXML(contentType), isText(contentType):
	default:
		return base64.StdEncoding.EncodeToString(data), ""
	}
	return string(plain), string(plain)
}
