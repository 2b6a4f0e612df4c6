package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
func (o Object) MarshalJSON() ([]byte, error) { return o.append(nil) }

func (o Object) append(b []byte) ([]byte, error) {
	b = append(b, '{')
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.Key), ':')
		var err error
		if b, err = appendJSON(b, f.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendJSON appends v without HTML escaping. What answers are mostly made of is
// written here, at a fifth of what reflection costs: a page of users has
// thousands of values.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case json.Number:
		if v == "" {
			v = "0" // as encoding/json has it
		}
		return append(b, v...), nil
	case map[string]any:
		return appendMap(b, v)
	case Object:
		return v.append(b)
	case []Object:
		return appendList(b, v)
	case []any:
		return appendList(b, v)
	}
	out := bytes.NewBuffer(b)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return out.Bytes()[:out.Len()-1], nil // without the final line feed
}

// appendMap appends an object with its keys sorted, as encoding/json does.
func appendMap(b []byte, o map[string]any) ([]byte, error) {
	if o == nil {
		return append(b, "null"...), nil
	}
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		var err error
		if b, err = appendJSON(b, o[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendList[T any](b []byte, list []T) ([]byte, error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendString appends a JSON string. Text with anything to escape, or that may
// not be UTF-8, goes the long way round.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendAnyString(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendAnyString(b []byte, s string) []byte {
	out := bytes.NewBuffer(b)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string and a buffer: nothing can fail
	return out.Bytes()[:out.Len()-1]
}

// WriteJSON answers with a JSON body. The header Content-Type is left alone
// when it is set already.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b, err := appendJSON(nil, v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the answer cannot be written as JSON")
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	// An error here means that the client is gone: there is nobody to tell.
	_, _ = w.Write(b)
	return nil
}

// AddLink adds a Link header of its own for one relation, as Okta sends them:
// one header per relation, not one with a list.
func AddLink(w http.ResponseWriter, rel, url string) {
	w.Header().Add("Link", "<"+strings.ReplaceAll(url, ">", "%3E")+`>; rel="`+rel+`"`)
}
