package scimtest

import (
	"errors"
	"testing"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
)

// strict returns a program that applies an operation as we do.
func strict() Program {
	types := scim.Standard()
	return func(typ string, r scim.Resource, op map[string]any) (scim.Resource, error) {
		return ours(types.Named(typ), r, op), nil
	}
}

// ours returns nil for what is refused.
func ours(typ *scim.ResourceType, r scim.Resource, op map[string]any) scim.Resource {
	body := map[string]any{"schemas": []any{scim.PatchMessage}, "Operations": []any{op}}
	ops, _, err := scim.ParsePatch(body, scim.Strict())
	if err != nil {
		return nil
	}
	out, _, err := typ.Patch(r, ops, scim.Strict())
	if err != nil {
		return nil
	}
	return out
}

// broken returns a program that applies no operation that adds.
func broken() Program {
	right := strict()
	return func(typ string, r scim.Resource, op map[string]any) (scim.Resource, error) {
		if op["op"] == "add" {
			return r, nil
		}
		return right(typ, r, op)
	}
}

// check runs the ledger of a program over some patches.
func check(t *testing.T, name string, apply Program) (unexplained int) {
	t.Helper()
	l, err := OpenLedger(name, apply)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Patches(7, 2_000) {
		found, err := l.Check(p)
		if err != nil {
			t.Fatal(err)
		}
		unexplained += len(found)
	}
	return unexplained
}

func TestLedger(t *testing.T) {
	if n := check(t, "nobody", strict()); n != 0 {
		t.Errorf("%d differences from ourselves", n)
	}
	for _, name := range []string{"nobody", "scim-patch", "scimmy"} {
		if n := check(t, name, broken()); n < 100 {
			t.Errorf("%s: the entries explain a program that adds nothing, but for %d operations", name, n)
		}
	}
}

func TestLedgerStopsWithTheProgram(t *testing.T) {
	gone := errors.New("gone")
	l, err := OpenLedger("scimmy", func(string, scim.Resource, map[string]any) (scim.Resource, error) { return nil, gone })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Check(Patches(1, 1)[0]); !errors.Is(err, gone) {
		t.Errorf("%v; want %v", err, gone)
	}
	if l.Unused() == nil {
		t.Error("entries that explained nothing are not reported")
	}
}

func TestPatchesAreRepeatable(t *testing.T) {
	a, b := Patches(3, 50), Patches(3, 50)
	for i := range a {
		for j := range a[i].Operations {
			if !value.Equal(a[i].Resource, b[i].Resource) || !value.Equal(a[i].Operations[j].Body, b[i].Operations[j].Body) {
				t.Fatalf("patch %d differs from itself", i)
			}
		}
	}
}

// The patches must reach what they are made for: most outcomes, in numbers.
func TestPatchesReach(t *testing.T) {
	words := map[string]int{}
	l, err := OpenLedger("nobody", strict())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Patches(1, 2_000) {
		for _, op := range p.Operations {
			c, err := l.compare(p.Type, p.Resource, op)
			if err != nil {
				t.Fatal(err)
			}
			words[c.word]++
		}
	}
	for word, least := range map[string]int{
		"changed": 1_000, "same": 200, "invalidPath": 200, "mutability": 200, "invalidValue": 100, "noTarget": 30,
	} {
		if words[word] < least {
			t.Errorf("%s comes out %d times; want %d", word, words[word], least)
		}
	}
}
