package openapi

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// xmlBody takes text as it is, and writes a structure as simple elements: an
// object's keys are elements in sorted order, a list repeats its element, null
// is an empty one. The object must have exactly one key, the root. Attributes,
// namespaces and the xml keyword of schemas need text.
func xmlBody(v any) ([]byte, error) {
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	const remedy = "pass an object with one key, the root element, or the XML as text"
	object, ok := v.(map[string]any)
	if !ok || len(object) != 1 {
		return nil, fault.New(fault.Invalid, "%s cannot be written as XML", article(v)).Fix(remedy)
	}
	var b bytes.Buffer
	for name, child := range object {
		if _, list := child.([]any); list {
			return nil, fault.New(fault.Invalid, "a list cannot be the root of XML").Fix(remedy)
		}
		if err := element(&b, name, child); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func element(b *bytes.Buffer, name string, v any) error {
	if !isXMLName(name) {
		return fault.New(fault.Invalid, "%s cannot be the name of an XML element", strconv.Quote(clip(name)))
	}
	if list, ok := v.([]any); ok {
		for _, item := range list {
			if _, nested := item.([]any); nested {
				return fault.New(fault.Invalid, "a list of lists cannot be written as XML")
			}
			if err := element(b, name, item); err != nil {
				return err
			}
		}
		return nil
	}
	b.WriteString("<" + name + ">")
	if object, ok := v.(map[string]any); ok {
		for _, key := range sortedKeys(object) {
			if err := element(b, key, object[key]); err != nil {
				return err
			}
		}
	} else if text, ok := scalar(v); ok {
		if err := xml.EscapeText(b, []byte(text)); err != nil {
			return fault.Wrap(fault.Internal, err, "the text cannot be written as XML")
		}
	}
	b.WriteString("</" + name + ">")
	return nil
}

// IsXMLName accepts plain names; a colon would need a namespace declaration.
func isXMLName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != "" && !strings.EqualFold(s[:min(3, len(s))], "xml")
}
