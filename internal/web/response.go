package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Object is a JSON object whose keys keep the order in which they stand.
// Providers' answers are compared with recorded ones, and some clients depend
// on what comes first.
type Object []Field

// Field is one member of an Object.
type Field struct {
	Key   string
	Value any
}

// MarshalJSON writes the object without HTML escaping.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(&b, f.Key); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := writeJSON(&b, f.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeJSON appends v without HTML escaping and without a final line feed.
func writeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// WriteJSON answers with a JSON body. The header Content-Type is left alone
// when it is set already.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return fault.Wrap(fault.Internal, err, "the answer cannot be written as JSON")
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	// An error here means that the client is gone: there is nobody to tell.
	_, _ = w.Write(b.Bytes())
	return nil
}

// AddLink adds a Link header of its own for one relation, as Okta sends them:
// one header per relation, not one with a list.
func AddLink(w http.ResponseWriter, rel, url string) {
	w.Header().Add("Link", "<"+strings.ReplaceAll(url, ">", "%3E")+`>; rel="`+rel+`"`)
}
