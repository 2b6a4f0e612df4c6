package openapi

import (
	"encoding/json"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// tape is JSON text with the place of every value in it, found in one pass.
// It is several times smaller and faster than decoding the text, and unlike
// decoding level by level its cost does not grow with nesting.
type tape struct {
	data  []byte
	spans []span
}

// span is one value, or one key of an object: data[start:end]. next is the
// index of the first span after this value and all that is inside it.
type span struct{ start, end, next int32 }

// newTape reads JSON text of at most value.MaxYAML bytes. ok is false when
// data is not JSON.
func newTape(data []byte) (t *tape, ok bool, err *fault.Error) {
	if !json.Valid(data) {
		return nil, false, nil
	}
	t = &tape{data: data, spans: make([]span, 0, len(data)/12)}
	var open []int32 // containers not closed yet
	for i := 0; i < len(data); i++ {
		at := int32(len(t.spans))
		switch data[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		case '{', '[':
			if len(open) >= value.MaxDepth {
				return nil, true, fault.New(fault.TooLarge, "nested deeper than %d levels", value.MaxDepth)
			}
			open = append(open, at)
			t.spans = append(t.spans, span{start: int32(i)})
		case '}', ']':
			s := &t.spans[open[len(open)-1]]
			s.end, s.next = int32(i+1), at
			open = open[:len(open)-1]
		default:
			end := scalarEnd(data, i)
			t.spans = append(t.spans, span{int32(i), int32(end), at + 1})
			i = end - 1
		}
	}
	return t, true, nil
}

// scalarEnd returns where the string, number or word at i of valid JSON ends.
func scalarEnd(data []byte, i int) int {
	if data[i] == '"' {
		for i++; data[i] != '"'; i++ {
			if data[i] == '\\' {
				i++
			}
		}
		return i + 1
	}
	for ; i < len(data); i++ {
		switch data[i] {
		case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
			return i
		}
	}
	return i
}

// raw returns the JSON text of the span at i.
func (t *tape) raw(i int32) []byte { return t.data[t.spans[i].start:t.spans[i].end] }

// text returns the span at i as text: a string's characters, a number's or a
// word's letters, "" for null.
func (t *tape) text(i int32) string {
	raw := t.raw(i)
	if raw[0] != '"' {
		if raw[0] == 'n' {
			return ""
		}
		return string(raw)
	}
	for _, c := range raw {
		if c == '\\' || c >= 0x80 { // escapes, and UTF-8 that may need mending
			var s string
			if json.Unmarshal(raw, &s) != nil {
				return ""
			}
			return s
		}
	}
	return string(raw[1 : len(raw)-1])
}
