package trigger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Endpoint is an address that starts a flow when it is called.
type Endpoint struct {
	Auth        Auth
	Schema      *plan.Schema // of the body; nil: any
	Mode        Mode
	Timeout     time.Duration // of ModeWait
	KeyRequired bool          // a call without Idempotency-Key is refused
	Limits      Limits
}

// Mode says what a call is answered.
type Mode string

// The modes.
const (
	ModeAccept Mode = "accept" // 202 with the id of the run
	ModeWait   Mode = "wait"   // its outputs; 202 when it takes longer than the timeout
)

// Limits bound what is taken from outside. Zero fields are the defaults.
type Limits struct {
	Body  int // bytes of a body
	Rate  int // requests a second that were let in
	Burst int // how many may come at once
}

// Defaults of endpoints and hooks.
const (
	defaultBody    = 1 << 20
	defaultRate    = 50
	defaultTimeout = 30 * time.Second

	defaultSignature = "X-Lanyard-Signature"
	defaultTimestamp = "X-Lanyard-Timestamp"
	defaultWindow    = 5 * time.Minute
)

// MaxBody returns how many bytes a body may have.
func (l Limits) MaxBody() int64 {
	if l.Body == 0 {
		return defaultBody
	}
	return int64(l.Body)
}

// PerSecond returns how many requests a second are let in, and how many at once:
// two seconds' worth unless it was said.
func (l Limits) PerSecond() (rate, burst float64) {
	rate, burst = defaultRate, float64(l.Burst)
	if l.Rate > 0 {
		rate = float64(l.Rate)
	}
	if burst == 0 {
		burst = 2 * rate
	}
	return rate, burst
}

// Auth says how callers show that they may call. One field is set.
type Auth struct {
	HMAC   *HMAC
	Token  *Token
	OAuth  *OAuth
	Public bool // everybody may
}

// String names the way.
func (a Auth) String() string {
	switch {
	case a.HMAC != nil:
		return "hmac"
	case a.Token != nil:
		return "client token"
	case a.OAuth != nil:
		return "oauth"
	}
	return "public"
}

// Token is a client token, in the header x-api-client-token or, when that is
// allowed, in the query as clientToken (product.md 5, Okta Workflows).
type Token struct {
	Secret secret.Ref
	Query  bool
}

// The places of a client token.
const (
	TokenHeader = "X-Api-Client-Token"
	TokenQuery  = "clientToken"
)

// OAuth is an access token: a JWT of an issuer for an audience.
type OAuth struct {
	Issuer       string
	JWKS         string // where its keys are; empty: as its metadata say
	Audience     string
	Scopes       []string // all are needed
	Clients      []string // who may call; empty: every client of the issuer
	AllowPrivate bool     // the issuer may have a private address
}

// HMAC is a signature over timestamp and body with a secret that both know.
type HMAC struct {
	Secret    secret.Ref
	Signature string // name of the header
	Timestamp string // name of the header
	Window    time.Duration
}

// Sign returns the signature of a body at a time, as Verify takes it:
// "sha256=" and the hexadecimal HMAC-SHA-256 of the time in seconds, a full stop
// and the body.
func Sign(key string, at time.Time, body []byte) string {
	return "sha256=" + hex.EncodeToString(mac(key, strconv.FormatInt(at.Unix(), 10), body))
}

func mac(key, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(timestamp + ".")) // never fails
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// The most that the headers of a signature may have.
const maxTimestamp = 20

// Verify checks the headers of a request. The signature is compared in constant
// time. Whoever has no valid signature learns only that.
func (h *HMAC) Verify(key secret.Value, signature, timestamp string, body []byte, now time.Time) error {
	given, err := parseSignature(signature)
	if err != nil {
		return err
	}
	at, err := parseTimestamp(timestamp)
	if err != nil {
		return err
	}
	if key.Reveal() == "" || !hmac.Equal(given, mac(key.Reveal(), timestamp, body)) {
		return fault.New(fault.Unauthorized, "the signature is wrong")
	}
	if age := now.Sub(at); age > h.Window || age < -h.Window {
		return fault.New(fault.Unauthorized, "the signature is older or newer than %v", h.Window).Fix("set the clock, and sign each request anew")
	}
	return nil
}

// parseSignature reads hexadecimal SHA-256, with "sha256=" in front or without.
func parseSignature(s string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(s, "sha256="))
	if err != nil || len(raw) != sha256.Size {
		return nil, fault.New(fault.Unauthorized, "the request has no signature that reads")
	}
	return raw, nil
}

// parseTimestamp reads seconds since 1970 as digits alone, so that one time has
// one spelling.
func parseTimestamp(s string) (time.Time, error) {
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil || len(s) > maxTimestamp || strconv.FormatInt(seconds, 10) != s || seconds < 0 {
		return time.Time{}, fault.New(fault.Unauthorized, "the request has no timestamp that reads").Fix("send the seconds since 1970")
	}
	return time.Unix(seconds, 0), nil
}
