package openapi

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestNearest(t *testing.T) {
	x := parse(t, `
openapi: 3.0.0
paths:
  /a: {get: {operationId: listUsers}, post: {operationId: createUser}, put: {operationId: post_users}, delete: {operationId: users.delete}, head: {operationId: activateUser}, patch: {operationId: deactivateUser}}
`)
	for name, want := range map[string]string{
		"listUser":                         "listUsers",
		"create_user":                      "createUser",
		"CREATEUSER":                       "createUser",
		"usersPost":                        "post_users listUsers",
		"deleteUsers":                      "users.delete",
		"deactivateUsers":                  "deactivateUser activateUser",
		"somethingElse":                    "",
		"x":                                "",
		"äöü":                              "",
		"":                                 "",
		strings.Repeat("createUser", 1000): "",
	} {
		if got := strings.Join(x.Nearest(name), " "); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
	_, err := x.ByID("create_user")
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Public(err), "nearest names are createUser") {
		t.Errorf("ByID = %v", err)
	}
}

func TestByPath(t *testing.T) {
	x := parseFile(t, "testdata/people-3.1.yaml")
	if op, err := x.ByPath("/people", "post"); err != nil || op.ID != "people.create/one" {
		t.Errorf("ByPath = %v, %v", op, err)
	}
	if _, err := x.ByPath("/people/{personId}", "GET"); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Public(err), "/people/{id}") {
		t.Errorf("ByPath of another name = %v, want NotFound with the path", err)
	}
}

func TestOperationDigest(t *testing.T) {
	a, b := parseFile(t, "testdata/people-3.1.yaml"), parseFile(t, "testdata/people-3.1.yaml")
	one, other := mustByID(t, a, "listPeople"), mustByID(t, b, "listPeople")
	if one.Digest() != other.Digest() || !strings.HasPrefix(one.Digest(), "sha256:") {
		t.Errorf("digests %s and %s", one.Digest(), other.Digest())
	}
	other.Parameters[0].Required = false
	if one.Digest() == other.Digest() {
		t.Error("a changed operation has the same digest")
	}
}

func TestDigest(t *testing.T) {
	if got, want := Digest([]byte("abc")), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("Digest = %s, want %s", got, want)
	}
}

func TestMarshal(t *testing.T) {
	data, err := os.ReadFile("testdata/people-3.1.yaml")
	if err != nil {
		t.Fatal(err)
	}
	broken := parse(t, "openapi: 3.0.0\npaths: {/x: {$ref: x.yaml}, /y: {get: {operationId: y}, put: {operationId: y}}}")
	for _, x := range []*Index{parse(t, string(data)), parseFile(t, "testdata/pets-2.0.yaml"), broken} {
		stored := x.Marshal()
		got, err := Unmarshal(stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, got, cmp.AllowUnexported(Index{}, entry{})); diff != "" {
			t.Errorf("after storing (-want +got):\n%s", diff)
		}
		if !bytes.Equal(stored, got.Marshal()) {
			t.Error("stored again it has other bytes")
		}
	}
}

func TestUnmarshalDamaged(t *testing.T) {
	stored := parseFile(t, "testdata/pets-2.0.yaml").Marshal()
	if _, err := Unmarshal(append([]byte("LANYARD-OPENAPI-0\n"), stored[len(magic):]...)); !fault.Is(err, fault.Stale) {
		t.Errorf("another version: %v, want Stale", err)
	}
	for i := range stored {
		damaged := bytes.Clone(stored)
		damaged[i] ^= 0x20
		if _, err := Unmarshal(damaged); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Stale) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := Unmarshal(stored[:i]); err == nil {
			t.Fatalf("cut at byte %d: no error", i)
		}
	}
}

// Opening a stored index must stay cheap: it happens in every run.
func TestOpenIsSmall(t *testing.T) {
	x, _ := parsePublished(t, "openapi/auth0-management-api-openapi.yml")
	stored := x.Marshal()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	opened, err := Unmarshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.ByID("post_users"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const limit = 3 << 20
	if size := int(after.TotalAlloc-before.TotalAlloc) + len(stored); size > limit {
		t.Errorf("opening took %d bytes, the limit is %d", size, limit)
	}
}

func BenchmarkOpen(b *testing.B) {
	x, _ := parsePublished(b, "openapi/auth0-management-api-openapi.yml")
	stored := x.Marshal()
	b.ReportAllocs()
	for b.Loop() {
		opened, err := Unmarshal(stored)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := opened.ByID("post_users"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	_, data := parsePublished(b, "openapi/auth0-management-api-openapi.yml")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, "auth0.yml"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	x, err := Parse([]byte("openapi: 3.0.0\npaths: {/x: {$ref: x.yaml}, /y: {get: {operationId: y, parameters: [{name: a, in: query}]}}}"), "x")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(x.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		// A right checksum, so that the fuzzer gets past it.
		if len(data) >= len(magic)+8 {
			data = bytes.Clone(data)
			seal(data)
		}
		x, err := Unmarshal(data)
		if err != nil {
			return
		}
		for _, s := range x.Operations() {
			_, _ = x.ByID(s.ID)
			_, _ = x.ByPath(s.Path, s.Method)
		}
		x.Names()
		x.Marshal()
	})
}
