package directory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// foreignHashes are imports of the password Sesame4you, made with Python's
// hashlib and Perl's crypt.
var foreignHashes = map[string]string{
	"SHA-512":         `{"algorithm":"SHA-512","value":"rF724x+XYNp53JJXxcm10kuFMqotZ4e+KCzYEQKVz0rD+KgbA53cqpcOY6f6F/9FVKZo8VirynHmkrKUnVuQtA=="}`,
	"SHA-512 prefix":  `{"algorithm":"SHA-512","workFactor":0,"salt":"c2FsdHNhbHQ=","saltOrder":"PREFIX","value":"21HGdFYdgLWDcngrJtOvKJEP9ehGxm8LKbCyqNCDmi+JxTsL3s2TAVh+y4hxa1GAOVdmh0Cbok5jTHodwgJU2Q=="}`,
	"SHA-512 postfix": `{"algorithm":"SHA-512","salt":"c2FsdHNhbHQ=","saltOrder":"POSTFIX","value":"FXmYH/2DMssm6Ic9K/YU8p2OfKOZRovbhj3JgTfxSg9qz3yMH/5A3U36hZaLHFB9G047avs8Eqw+5EHJ2hozXA=="}`,
	"SHA-256":         `{"algorithm":"SHA-256","value":"d00hUCG5a0zKT4ytUM3QHw89WpY1r5y7nnjNMIrY+0o="}`,
	"SHA-256 postfix": `{"algorithm":"SHA-256","salt":"c2FsdHNhbHQ=","saltOrder":"POSTFIX","value":"07dQc71YHM4R4aAx3c4oaJ3B5SUi7Xds/ko11oZXLc4="}`,
	"SHA-1 prefix":    `{"algorithm":"SHA-1","salt":"c2FsdHNhbHQ=","saltOrder":"PREFIX","value":"rHNMYKiXe9SK9PWk4l4QsE82Ino="}`,
	"MD5":             `{"algorithm":"MD5","value":"9kw9633T3vmnN+c3XqB/5g=="}`,
	"BCRYPT":          `{"algorithm":"BCRYPT","workFactor":4,"salt":"abcdefghijklmnopqrstuu","value":"IBfp4Fqi5o0GSTvJUIpZs1j7jQ2x266"}`,
	"PBKDF2 256":      `{"algorithm":"PBKDF2","digestAlgorithm":"SHA256_HMAC","iterationCount":4096,"keySize":32,"salt":"c2FsdHNhbHQ=","value":"Ux4MJtPHdufOm0xPr2VTv1YDvLMCDf/iceOAFxXzTws="}`,
	"PBKDF2 512":      `{"algorithm":"PBKDF2","digestAlgorithm":"SHA512_HMAC","iterationCount":5000,"keySize":64,"salt":"c2FsdHNhbHQ=","value":"lo23isrMXme1N3JrqH72B4uJelB1fwefhho0KTmwo20x2XB5MIRIslum5bKKM0w1U41VFP4+HaAhYk1K/ML3ig=="}`,
}

// TestForeignHashes signs in with imported passwords: the first success replaces
// the foreign hash with ours, and the password works on.
func TestForeignHashes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := 0
	for name, hash := range foreignHashes {
		n++
		login := fmt.Sprintf("u%d@example.com", n)
		d := draft(login)
		d.Password = &directory.Password{Import: hash}
		a := b.create(d)
		if a.Status != directory.Active || a.Provider.Type != directory.ProviderImport {
			t.Errorf("%s: new account %+v, want ACTIVE of provider IMPORT", name, a)
		}
		if _, err := b.SignIn(t.Context(), org, login, "sesame4you"); err == nil {
			t.Errorf("%s: a wrong password signs in", name)
		}
		if got := b.secret(org, a.ID).Password; got != "import:"+hash {
			t.Errorf("%s: secret = %s after a failure, want the import", name, got)
		}
		for range 2 {
			if _, err := b.SignIn(t.Context(), org, login, "Sesame4you"); err != nil {
				t.Errorf("%s: SignIn: %v", name, err)
			}
			if got := b.secret(org, a.ID).Password; got != "hashed:Sesame4you" {
				t.Errorf("%s: secret = %s after a success, want a hash of ours", name, got)
			}
		}
	}
}

// TestForeignHashFlaws breaks one member of a good import at a time.
func TestForeignHashFlaws(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := []struct{ name, old, new, field string }{
		{"SHA-256", `"SHA-256"`, `"SHA-3"`, "algorithm"},
		{"SHA-256", `"SHA-256"`, `"sha-256"`, "algorithm"},
		{"SHA-256", `"value":"d0`, `"value":"*0`, "value"},
		{"SHA-256", `SHA-256`, `SHA-512`, "value"}, // too short for it
		{"SHA-512 prefix", `"PREFIX"`, `"BEFORE"`, "saltOrder"},
		{"SHA-512 prefix", `c2Fs`, `****`, "salt"},
		{"BCRYPT", `"workFactor":4`, `"workFactor":0`, "workFactor"},
		{"BCRYPT", `"workFactor":4`, `"workFactor":21`, "workFactor"},
		{"BCRYPT", `"workFactor":4`, `"workFactor":"4"`, "hash"},
		{"BCRYPT", `tuu"`, `tu"`, "salt"},
		{"BCRYPT", `266"`, `26!"`, "value"},
		{"PBKDF2 256", `4096`, `4095`, "iterationCount"},
		{"PBKDF2 256", `4096`, `999999999`, "iterationCount"},
		{"PBKDF2 256", `:32`, `:0`, "keySize"},
		{"PBKDF2 256", `:32`, `:16`, "value"},
		{"PBKDF2 256", `SHA256_HMAC`, `SHA1_HMAC`, "digestAlgorithm"},
		{"PBKDF2 256", `c2FsdHNhbHQ=`, ``, "salt"},
	}
	for _, test := range tests {
		broken := strings.Replace(foreignHashes[test.name], test.old, test.new, 1)
		if broken == foreignHashes[test.name] {
			t.Fatalf("%s has no %s", test.name, test.old)
		}
		d := draft("a@example.com")
		d.Password = &directory.Password{Import: broken}
		_, err := b.CreateAccount(t.Context(), me, org, d)
		var got directory.Violations
		errors.As(err, &got)
		if diff := cmp.Diff(directory.Violations{{Field: test.field, Rule: directory.WrongValue}}, got); diff != "" {
			t.Errorf("%s: %v: - want + got\n%s", broken, err, diff)
		}
	}
}

// FuzzForeignHash makes sure that no import crashes, neither when it is checked
// nor at a sign-in.
func FuzzForeignHash(f *testing.F) {
	for _, hash := range foreignHashes {
		f.Add(hash, "Sesame4you")
	}
	f.Fuzz(func(t *testing.T, hash, password string) {
		if directory.ForeignMatch(hash, password) && password == "" && !strings.Contains(hash, "value") {
			t.Errorf("%s matches nothing", hash)
		}
	})
}
