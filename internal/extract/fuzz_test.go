package extract

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

// FuzzUTF16 holds the reader to package utf16: what it reads is the same, and
// what it refuses has a half of something.
func FuzzUTF16(f *testing.F) {
	f.Add([]byte("a\x00\xac\x20\x3d\xd8\x00\xde"))
	f.Add([]byte("a\x00b"))
	f.Add([]byte("\x00\xd8\x00\xd8"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := io.ReadAll(iotest.OneByteReader(&utf16Reader{in: bufio.NewReaderSize(bytes.NewReader(data), 16), order: binary.LittleEndian}))
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(data[2*i:])
		}
		runes := utf16.Decode(units)
		want, half := string(runes), len(data)%2 == 1
		for i := 0; i < len(units); i++ {
			switch pair := utf16.IsSurrogate(rune(units[i])); {
			case !pair:
			case i+1 < len(units) && utf16.DecodeRune(rune(units[i]), rune(units[i+1])) != utf8.RuneError:
				i++
			default:
				half = true
			}
		}
		if (err != nil) != half || err == nil && string(got) != want {
			t.Fatalf("%x is read as %q, %v; want %q, half %v", data, got, err, want, half)
		}
	})
}

// FuzzPostgresList writes what it read again, and reads that.
func FuzzPostgresList(f *testing.F) {
	for _, seed := range []string{`{}`, `{a,"b \" c",NULL}`, `{{1,2},{3}}`, `[0:1]={a,b}`, `{`, `{"`, `{a`, `{,}`, `{"a"x}`} {
		f.Add(seed)
	}
	plain := func(text []byte) (any, error) { return string(text), nil }
	f.Fuzz(func(t *testing.T, s string) {
		list, rest, err := postgresList(s, 1, plain)
		if err != nil {
			return
		}
		if !strings.HasSuffix(s, rest) {
			t.Fatalf("%q leaves %q", s, rest)
		}
		again, _, err := postgresList(writeList(list), 1, plain)
		if err != nil || writeList(again) != writeList(list) {
			t.Fatalf("%q is read as %v, and that as %v, %v", s, list, again, err)
		}
	})
}

func writeList(list []any) string {
	texts := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case nil:
			texts[i] = "NULL"
		case []any:
			texts[i] = writeList(v)
		case string:
			texts[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
		}
	}
	return "{" + strings.Join(texts, ",") + "}"
}
