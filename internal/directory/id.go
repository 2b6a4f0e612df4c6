package directory

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"time"
)

// IDs makes identifiers in the providers' forms. They grow with time, so that
// ordering by identifier is ordering by creation, as lists and cursors expect.
// Two IDs with the same clock and random source make the same identifiers.
type IDs struct {
	Clock  func() time.Time
	Random io.Reader

	mu   sync.Mutex // guards Random and last
	last uint64
}

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" // in byte order
	// cell is the suffix that tells on which of Okta's cells an org lives.
	cell = "1d7"
)

// Okta returns a 20-character identifier: a prefix of three characters (00u
// user, 00g group ...), 14 letters and digits, and the cell's suffix.
func (g *IDs) Okta(prefix string) string {
	stamp, noise := g.next()
	b := make([]byte, 14)
	encode62(b[:8], stamp)
	encode62(b[8:], noise)
	return prefix + string(b) + cell
}

// fixedID is the id of an object that every org is made with: the same in all
// of them, so that new directories are equal.
func fixedID(prefix, name string) string {
	letters := strings.Map(func(r rune) rune {
		if r == '_' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return prefix + ("0" + letters + "00000000000000")[:14] + cell
}

// Object returns 24 hexadecimal digits, as MongoDB makes them and Auth0 shows
// them: seconds since 1970, then eight bytes of counter and noise.
func (g *IDs) Object() string {
	stamp, noise := g.next()
	var b [12]byte
	binary.BigEndian.PutUint32(b[:4], uint32(stamp/ticks))
	binary.BigEndian.PutUint32(b[4:8], uint32(stamp%ticks))
	binary.BigEndian.PutUint32(b[8:], uint32(noise))
	return hex.EncodeToString(b[:])
}

// Auth0 returns an identifier of an object of an Auth0 tenant: a word (rol, org,
// con ...), an underscore, and 16 letters and digits.
func (g *IDs) Auth0(word string) string {
	stamp, noise := g.next()
	var b [16]byte
	encode62(b[:8], stamp)
	encode62(b[8:], noise)
	return word + "_" + string(b[:])
}

// base58 are the letters and digits that nobody mistakes for others, in order.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// EnterpriseGroup returns an identifier of an enterprise group of Auth0, whose
// API takes no other letters (OpenAPI, GET /groups/{id}).
func (g *IDs) EnterpriseGroup() string {
	stamp, noise := g.next()
	var b [18]byte
	encode(b[:9], stamp, base58)
	encode(b[9:], noise, base58)
	return "grp_" + string(b[:])
}

// Token returns n random characters that are safe in a URL.
func (g *IDs) Token(n int) string {
	const alphabet = base62 + "-_"
	b := make([]byte, n)
	g.read(b)
	for i := range b {
		b[i] = alphabet[b[i]&63]
	}
	return string(b)
}

// Alphanumeric returns n random letters and digits.
func (g *IDs) Alphanumeric(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = g.letter()
	}
	return string(b)
}

// letter returns one random letter or digit, all alike often: of the 64 values
// of six random bits, two are drawn again, 16 times at most.
func (g *IDs) letter() byte {
	var one [1]byte
	for range 16 {
		if g.read(one[:]); int(one[0]&63) < len(base62) {
			break
		}
	}
	return base62[int(one[0]&63)%len(base62)]
}

// Hex returns n random hexadecimal digits.
func (g *IDs) Hex(n int) string {
	b := make([]byte, (n+1)/2)
	g.read(b)
	return hex.EncodeToString(b)[:n]
}

// ticks is how many stamps a second has: fine enough that the stamp, which
// never repeats, does not run ahead of the clock.
const ticks = 50_000

// next returns a stamp that is greater than all before it, and noise.
func (g *IDs) next() (stamp, noise uint64) {
	now := g.Clock()
	stamp = uint64(now.Unix())*ticks + uint64(now.Nanosecond())/(1_000_000_000/ticks)
	var b [8]byte
	g.read(b[:])
	g.mu.Lock()
	defer g.mu.Unlock()
	if stamp <= g.last {
		stamp = g.last + 1
	}
	g.last = stamp
	return stamp, binary.BigEndian.Uint64(b[:])
}

// read fills b with random bytes. crypto/rand never fails; a test's source
// that ends leaves zeros.
func (g *IDs) read(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = io.ReadFull(g.Random, b)
}

// encode62 writes n in base 62, as encode does.
func encode62(b []byte, n uint64) { encode(b, n, base62) }

// encode writes n in digits, highest first, cut to the size of b.
func encode(b []byte, n uint64, digits string) {
	base := uint64(len(digits))
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n%base]
		n /= base
	}
}

// NewIDs returns a generator on the given clock and the system's randomness.
func NewIDs(clock func() time.Time) *IDs { return &IDs{Clock: clock, Random: rand.Reader} }
