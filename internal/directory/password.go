package directory

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"unicode"

	"golang.org/x/crypto/bcrypt"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Password is a new password: as text, or as a hash computed elsewhere.
type Password struct {
	Text   string
	Import string // a foreign hash with its parameters, as JSON; kept as it is
}

// Secret is what proves an account's identity, hashed. It is never shown.
type Secret struct {
	Password string // bcrypt in modular crypt form, or "import:" and the foreign hash
	Answer   string // bcrypt of the recovery answer's digest
}

const importPrefix = "import:"

// MaxPassword is the longest password in bytes. It is Okta's and Auth0's limit
// and the most that bcrypt reads.
const MaxPassword = 72

// hashCost is bcrypt's work factor. Cost 9 takes 25 to 40 ms on the machines
// this was measured on (2 cores of a 2024 server), which a person does not
// notice and which makes guessing slow. Argon2id would need some 20 MB for
// each hash under way, more than the rest of the sandbox together.
const hashCost = 9

// rehearsalCost is the work factor of HashRehearsal: 2 ms.
const rehearsalCost = 5

// HashPassword is the default of Directory.Hash: bcrypt.
func HashPassword(text string) (string, error) { return bcryptHash(text, hashCost) }

// HashRehearsal is HashPassword for a directory that only a rehearsal in this
// process can reach: its passwords are made up, and a command that runs once
// should not spend half its time on guarding them. The cost is kept with each
// hash, so both kinds can be checked.
func HashRehearsal(text string) (string, error) { return bcryptHash(text, rehearsalCost) }

func bcryptHash(text string, cost int) (string, error) {
	b, err := bcrypt.GenerateFromPassword([]byte(text), cost)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the password cannot be hashed")
	}
	return string(b), nil
}

// CheckPassword reports whether text is the password behind a hash made by
// HashPassword. Imported hashes never match here.
func CheckPassword(hash, text string) (bool, error) {
	if hash == "" || strings.HasPrefix(hash, importPrefix) {
		return false, nil
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(text))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	if err != nil {
		return false, fault.Wrap(fault.Internal, err, "the stored password hash cannot be read")
	}
	return true, nil
}

// checkSecret reports whether text is the password behind a secret, whoever
// hashed it.
func (d *Directory) checkSecret(s Secret, text string) (bool, error) {
	if foreign, ok := strings.CutPrefix(s.Password, importPrefix); ok {
		hash, err := readForeignHash(foreign)
		if err != nil {
			return false, fault.Wrap(fault.Internal, err, "the stored password hash cannot be read")
		}
		return hash.matches(text), nil
	}
	if s.Password == "" { // takes as long as a wrong password does
		_, err := d.Check(seedSecret.Password, text)
		return false, err
	}
	return d.Check(s.Password, text)
}

// secretFor hashes what a draft or an edit brings. It takes tens of
// milliseconds, so it must run outside transactions.
func (d *Directory) secretFor(p *Password, q *RecoveryQuestion) (Secret, error) {
	var s Secret
	var err error
	if p != nil {
		if p.Import != "" {
			s.Password = importPrefix + p.Import
		} else if s.Password, err = d.Hash(p.Text); err != nil {
			return Secret{}, err
		}
	}
	if q != nil {
		if s.Answer, err = d.Hash(answerDigest(q.Answer)); err != nil {
			return Secret{}, err
		}
	}
	return s, nil
}

// answerDigest is what is hashed of a recovery answer: case and accents do not
// count, and an answer may be longer than bcrypt reads.
func answerDigest(answer string) string {
	sum := sha256.Sum256([]byte(Fold(strings.TrimSpace(answer))))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// checkPassword applies Okta's default policy (facts: at least 8 characters
// with upper case, lower case and digit, no part of the login of 4 or more
// characters, at most 72 bytes).
func checkPassword(p *Password, login string) Violations {
	if p == nil || p.Import != "" {
		return nil
	}
	if len(p.Text) > MaxPassword {
		return Violations{{Field: "password", Rule: TooLong, Limit: MaxPassword}}
	}
	c := classes(p.Text)
	if c.length < 8 || !c.lower || !c.upper || !c.digit || containsPart(p.Text, login) {
		return Violations{{Field: "password", Rule: Weak}}
	}
	return nil
}

// containsPart reports whether a password holds a part of the login: the
// pieces between punctuation marks that have 4 or more characters.
func containsPart(password, login string) bool {
	password = Fold(password)
	local, _, _ := strings.Cut(Fold(login), "@")
	for _, part := range strings.FieldsFunc(local, func(r rune) bool { return strings.ContainsRune(",.-_#@", r) }) {
		if len(part) >= 4 && strings.Contains(password, part) {
			return true
		}
	}
	return false
}

type passwordClasses struct {
	length                      int
	lower, upper, digit, symbol bool
}

func classes(s string) passwordClasses {
	var c passwordClasses
	for _, r := range s {
		c.length++
		switch {
		case unicode.IsLower(r):
			c.lower = true
		case unicode.IsUpper(r):
			c.upper = true
		case unicode.IsDigit(r):
			c.digit = true
		default:
			c.symbol = true
		}
	}
	return c
}

// checkAuth0Password applies the policy "Good" that an Auth0 database
// connection starts with: at least 8 characters of three of four classes.
func checkAuth0Password(p *Password) Violations {
	if p == nil || p.Import != "" {
		return nil
	}
	if len(p.Text) > MaxPassword {
		return Violations{{Field: "password", Rule: TooLong, Limit: MaxPassword}}
	}
	c := classes(p.Text)
	n := 0
	for _, present := range []bool{c.lower, c.upper, c.digit, c.symbol} {
		if present {
			n++
		}
	}
	if c.length < 8 || n < 3 {
		return Violations{{Field: "password", Rule: Weak}}
	}
	return nil
}
