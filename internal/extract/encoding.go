package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The character encodings of files.
const (
	utf8Text    = "utf-8"
	utf16Text   = "utf-16" // byte order by its mark
	utf16Little = "utf-16le"
	utf16Big    = "utf-16be"
	windows1252 = "windows-1252"
	latin1      = "latin1"
)

func encodings() []string {
	return []string{utf8Text, utf16Text, utf16Little, utf16Big, windows1252, latin1}
}

// mark is a byte order mark and the encoding that it stands for.
type mark struct{ bytes, encoding string }

// markOf returns the mark that a text begins with; none is the zero mark.
func markOf(head []byte) mark {
	for _, m := range []mark{{"\xef\xbb\xbf", utf8Text}, {"\xff\xfe", utf16Little}, {"\xfe\xff", utf16Big}} {
		if len(head) >= len(m.bytes) && string(head[:len(m.bytes)]) == m.bytes {
			return m
		}
	}
	return mark{}
}

// decoder returns what turns an encoding into UTF-8, nil for UTF-8 itself.
func decoder(encoding string, m mark) (func(*bufio.Reader) io.Reader, error) {
	found := m.encoding
	switch {
	case encoding == "":
		encoding = found
	case encoding == utf16Text && found == "":
		return nil, fault.New(fault.Invalid, "the file has no byte order mark: it has to be said as utf-16le or utf-16be")
	case encoding == utf16Text && found != utf8Text:
		encoding = found
	case found != "" && found != encoding:
		return nil, fault.New(fault.Invalid, "the file begins with the mark of %s, and is said to be %s", found, encoding)
	}
	switch encoding {
	case utf16Little:
		return func(r *bufio.Reader) io.Reader { return &utf16Reader{in: r, order: binary.LittleEndian} }, nil
	case utf16Big:
		return func(r *bufio.Reader) io.Reader { return &utf16Reader{in: r, order: binary.BigEndian} }, nil
	case windows1252:
		return func(r *bufio.Reader) io.Reader { return charmap.Windows1252.NewDecoder().Reader(r) }, nil
	case latin1:
		return func(r *bufio.Reader) io.Reader { return charmap.ISO8859_1.NewDecoder().Reader(r) }, nil
	}
	return nil, nil
}

// utf16Reader turns UTF-16 into UTF-8. Unlike the decoders at hand it refuses
// halves of pairs, which are damage, instead of writing replacements.
type utf16Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	err   error
	last  [utf8.UTFMax]byte // a character of which the buffer took a part
	left  []byte            // of it
}

// Read implements io.Reader. Buffers may have less room than a character needs:
// that is how a bufio.Reader is filled to its end.
func (u *utf16Reader) Read(p []byte) (int, error) {
	n := copy(p, u.left)
	u.left = u.left[n:]
	for u.err == nil && n < len(p) {
		r, err := u.rune()
		if err != nil {
			u.err = err
			break
		}
		u.left = u.last[:utf8.EncodeRune(u.last[:], r)]
		taken := copy(p[n:], u.left)
		n, u.left = n+taken, u.left[taken:]
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, u.err
}

func (u *utf16Reader) rune() (rune, error) {
	first, err := u.unit()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	second, err := u.unit()
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if r := utf16.DecodeRune(first, second); err == nil && r != utf8.RuneError {
		return r, nil
	}
	return 0, fault.New(fault.Invalid, "the text is not UTF-16: it holds half of a character").Fix("check encoding, or get the file again")
}

func (u *utf16Reader) unit() (rune, error) {
	b, err := u.in.Peek(2)
	if len(b) == 1 && errors.Is(err, io.EOF) {
		return 0, fault.New(fault.Invalid, "the text is not UTF-16, or was cut off: it ends with half of a character").Fix("check encoding, or get the file again")
	}
	if err != nil {
		return 0, err
	}
	v := rune(u.order.Uint16(b))
	_, err = u.in.Discard(2)
	return v, err
}
