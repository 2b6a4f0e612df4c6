package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Value is a secret text that does not show itself: every way of printing,
// logging or encoding it gives "[masked]". The zero Value is empty.
//
// The text is behind a pointer because fmt does not call the methods of
// unexported fields: of a struct that holds a Value it prints an address.
type Value struct{ text *string }

// NewValue wraps a text.
func NewValue(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{&text}
}

// Reveal returns the text. Call it where the secret is used, at the last moment.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty reports whether there is no text.
func (v Value) Empty() bool { return v.text == nil }

// Equal compares two values in constant time.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// String returns "[masked]".
func (v Value) String() string { return Mask }

// GoString returns "[masked]".
func (v Value) GoString() string { return Mask }

// Format writes "[masked]" whatever the verb.
func (v Value) Format(s fmt.State, _ rune) { fmt.Fprint(s, Mask) }

// MarshalText returns "[masked]".
func (v Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns "[masked]" as a JSON string.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// LogValue returns "[masked]".
func (v Value) LogValue() slog.Value { return slog.StringValue(Mask) }

var (
	_ fmt.Formatter  = Value{}
	_ fmt.GoStringer = Value{}
	_ slog.LogValuer = Value{}
)
