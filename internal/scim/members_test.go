package scim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

// applyMembers is what a store does with a MemberChange.
func applyMembers(r Resource, c MemberChange) Resource {
	group := Standard().Named("Group")
	out := value.Clone(r).(map[string]any)
	members, _ := out["members"].([]any)
	if c.Clear {
		members = nil
	}
	members = slices.DeleteFunc(members, func(e any) bool {
		id, _ := e.(map[string]any)["value"].(string)
		return slices.Contains(c.Remove, id)
	})
	for _, e := range c.Add {
		at := slices.IndexFunc(members, func(m any) bool { return m.(map[string]any)["value"] == e["value"] })
		if at < 0 {
			members = append(members, e)
			continue
		}
		member := members[at].(map[string]any)
		for name, v := range e {
			if _, had := member[name]; !had || group.members.byName[name].Mutability != Immutable {
				member[name] = v
			}
		}
	}
	if len(members) > 0 {
		out["members"] = members
	} else {
		delete(out, "members")
	}
	for name, v := range c.Set {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	return out
}

// randomOperations makes operations on a group, also ones that need the group.
func randomOperations(r *rand.Rand) []any {
	id := func() string { return string(rune('a' + r.IntN(5))) }
	member := func() map[string]any {
		m := map[string]any{"value": id()}
		if r.IntN(2) == 0 {
			m["display"] = fmt.Sprint(r.IntN(3))
		}
		if r.IntN(3) == 0 {
			m["type"] = []string{"User", "Group"}[r.IntN(2)]
		}
		return m
	}
	some := func() []any {
		list := []any{}
		for range r.IntN(4) {
			list = append(list, member())
		}
		return list
	}
	var ops []any
	for range 1 + r.IntN(5) {
		ops = append(ops, map[int]map[string]any{
			0:  {"op": "add", "path": "members", "value": some()},
			1:  {"op": "add", "path": "members", "value": member()},
			2:  {"op": "remove", "path": fmt.Sprintf("members[value eq %q]", id())},
			3:  {"op": "remove", "path": fmt.Sprintf("members[value eq %q or value eq %q]", id(), id())},
			4:  {"op": "remove", "path": "members"},
			5:  {"op": "replace", "path": "members", "value": some()},
			6:  {"op": "remove", "path": "members", "value": some()},
			7:  {"op": "replace", "path": "displayName", "value": id()},
			8:  {"op": "replace", "value": map[string]any{"displayName": id(), "id": "x", "members": some()}},
			9:  {"op": "add", "value": map[string]any{"members": some()}},
			10: {"op": "replace", "path": "externalId", "value": []any{"", id(), nil}[r.IntN(3)]},
			11: {"op": "remove", "path": "externalId"},
			12: {"op": "replace", "path": fmt.Sprintf("members[value eq %q].display", id()), "value": "d"},
			13: {"op": "remove", "path": `members[display eq "1"]`},
			14: {"op": "replace", "path": "displayName", "value": ""},
		}[r.IntN(15)])
	}
	return ops
}

// The change worked out without the group is what Patch does with it.
func TestMembersIsPatch(t *testing.T) {
	group := Standard().Named("Group")
	folded := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		how := Leniency{RemoveByValue: r.IntN(2) == 0, EmptyText: r.IntN(2) == 0}
		before := Resource{"schemas": []any{GroupSchema}, "id": "g", "displayName": "G", "externalId": "e"}
		var members []any
		for _, id := range []string{"a", "b", "c"} {
			if r.IntN(2) == 0 {
				members = append(members, map[string]any{"value": id, "display": "old", "type": "User"})
			}
		}
		if members != nil {
			before["members"] = members
		}
		body := map[string]any{"schemas": []any{PatchMessage}, "Operations": randomOperations(r)}
		ops, _, err := ParsePatch(body, how)
		if err != nil {
			t.Fatal(err)
		}
		change, _, ok := group.Members(ops, how)
		if !ok {
			continue
		}
		folded++
		want, _, err := group.Patch(before, ops, how)
		if err != nil {
			t.Fatalf("%d: Members takes %v, Patch says %v", seed, body["Operations"], err)
		}
		if change.Clear && len(change.Remove) > 0 {
			t.Fatalf("%d: %+v removes members when there are none", seed, change)
		}
		if got := applyMembers(before, change); !value.Equal(got, want) {
			t.Fatalf("%d: %v\non %v\ngives %v by %+v\nwant  %v", seed, body["Operations"], before, got, change, want)
		}
	}
	if folded < 5_000 {
		t.Errorf("only %d patches were worked out without the group", folded)
	}
}

func TestMembersNeedsTheGroup(t *testing.T) {
	all := types(t)
	for _, c := range []struct {
		typ string
		op  map[string]any
		how Leniency
	}{
		{typ: "User", op: map[string]any{"op": "replace", "path": "displayName", "value": "x"}},
		{typ: "Group", op: map[string]any{"op": "replace", "path": `members[value eq "a"].display`, "value": "x"}},
		{typ: "Group", op: map[string]any{"op": "remove", "path": `members[display eq "a"]`}},
		{typ: "Group", op: map[string]any{"op": "remove", "path": `members[value co "a"]`}},
		{typ: "Group", op: map[string]any{"op": "remove", "path": `members[value eq "a"].display`}},
		{typ: "Group", op: map[string]any{"op": "add", "path": `members[value eq "a"]`, "value": map[string]any{"display": "x"}}},
		{typ: "Group", op: map[string]any{"op": "remove", "path": "members", "value": []any{"a"}}},
		{typ: "Group", op: map[string]any{"op": "add", "path": "members", "value": []any{"a"}}},
		{typ: "Group", op: map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"display": "a"}}}},
		{typ: "Group", op: map[string]any{"op": "remove", "path": "displayName"}},
		{typ: "Group", op: map[string]any{"op": "replace", "path": "id", "value": "x"}},
		{typ: "Group", op: map[string]any{"op": "replace", "path": "nope", "value": "x"}},
		{typ: "Group", op: map[string]any{"op": "replace", "value": map[string]any{"nope": "x"}}},
		{typ: "Group", op: map[string]any{"op": "replace", "value": "x"}},
		{typ: "Group", op: map[string]any{"op": "remove"}},
	} {
		ops, _, err := ParsePatch(map[string]any{"schemas": []any{PatchMessage}, "Operations": []any{c.op}}, c.how)
		if err != nil {
			t.Fatal(err)
		}
		if change, _, ok := all.Named(c.typ).Members(ops, c.how); ok {
			t.Errorf("%s, %v: %+v without the group", c.typ, c.op, change)
		}
	}
}

// A patch of a thousand operations on two hundred thousand members is a matter
// of a second, not of their product.
func TestPatchBombs(t *testing.T) {
	group := Standard().Named("Group")
	large := bigGroup(200_000)
	var ops []any
	for i := range MaxOperations {
		ops = append(ops,
			map[string]any{"op": "remove", "path": fmt.Sprintf(`members[value eq "u%d"]`, i)},
			map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": fmt.Sprintf("n%d", i)}}})
	}
	start := time.Now()
	got, _, err := apply(group, large, ops[:MaxOperations], Strict())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got["members"].([]any)); n != 200_000 {
		t.Errorf("%d members", n)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, _, err := apply(group, large, ops, Strict()); Describe(err) == nil || Describe(err).Status != 413 {
		t.Errorf("%d operations: %v; want 413", len(ops), err)
	}
	// A filter that no index serves is bounded by MaxWork.
	ops = nil
	for range MaxOperations {
		ops = append(ops, map[string]any{"op": "remove", "path": `members[display co "zzz"]`})
	}
	if _, _, err := apply(group, large, ops, Strict()); Describe(err) == nil || Describe(err).Status != 413 {
		t.Errorf("scans without end: %v; want 413", err)
	}
	// So is what is removed by value.
	user := Standard().Named("User")
	var same []any
	for i := range 20_000 {
		same = append(same, map[string]any{"value": "x", "display": fmt.Sprint(i), "type": fmt.Sprint(i)})
	}
	ops = []any{
		map[string]any{"op": "add", "path": "emails", "value": same},
		map[string]any{"op": "remove", "path": "emails", "value": same},
	}
	_, _, err = apply(user, Resource{"schemas": []any{UserSchema}, "userName": "a"}, ops, Entra())
	if Describe(err) == nil || Describe(err).Status != 413 {
		t.Errorf("removing by value without end: %v; want 413", err)
	}
}

func bigGroup(n int) Resource {
	members := make([]any, n)
	for i := range members {
		members[i] = map[string]any{"value": fmt.Sprintf("u%d", i), "display": "someone"}
	}
	return Resource{"schemas": []any{GroupSchema}, "id": "g", "displayName": "G", "members": members}
}
