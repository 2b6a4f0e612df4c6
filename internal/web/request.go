package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// MaxBody is the most that a request body may have, in bytes, where a façade
// has no limit of its own.
const MaxBody = 1 << 20

// ErrNoBody is the cause of the fault.Invalid for a body that is missing.
var ErrNoBody = errors.New("no body")

// ReadBody reads a request body of at most limit bytes. More is fault.TooLarge.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the request body broke off")
	}
	if int64(len(b)) > limit {
		return nil, tooLarge(limit)
	}
	return b, nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "the request body has more than %d bytes", limit)
}

// ReadJSON reads a JSON body of at most limit bytes without losing digits. A
// missing body is fault.Invalid with ErrNoBody as its cause; so is, without it,
// one that is not UTF-8.
func ReadJSON(r *http.Request, limit int64) (any, error) {
	b, err := ReadBody(r, limit)
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil, fault.Wrap(fault.Invalid, ErrNoBody, "the request has no body")
	}
	if !utf8.Valid(b) { // what is not would be changed silently
		return nil, fault.New(fault.Invalid, "the request body is not UTF-8")
	}
	return value.Decode(b)
}

// IsJSON reports whether a media type is JSON: application/json or any type
// with the suffix +json, whatever its parameters.
func IsJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// Credential splits the Authorization header into scheme ("SSWS", "Bearer",
// "DPoP", as sent) and token. Both are empty when there is none.
func Credential(r *http.Request) (scheme, token string) {
	scheme, token, _ = strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	return scheme, strings.TrimSpace(token)
}

// BaseURL returns scheme and host that the client used, without a path.
func BaseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if r.URL.IsAbs() { // absolute-form target, as proxies and some clients send it
		scheme = r.URL.Scheme
	}
	return scheme + "://" + r.Host
}

// Int reads an integer parameter: absent is def, beyond max is max. Text that
// is no integer or less than min is fault.Invalid.
func Int(q url.Values, name string, def, min, max int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < min {
		return 0, fault.New(fault.Invalid, "parameter %s must be an integer of at least %d", name, min)
	}
	return maxed(n, max), nil
}

func maxed(n, max int) int {
	if n > max {
		return max
	}
	return n
}

// Bool reads a boolean parameter: absent is def, anything but true and false
// is fault.Invalid.
func Bool(q url.Values, name string, def bool) (bool, error) {
	switch strings.ToLower(q.Get(name)) {
	case "":
		return def, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fault.New(fault.Invalid, "parameter %s must be true or false", name)
}
