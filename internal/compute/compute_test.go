package compute_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// env is a user with groups, an application's profile, and no directory.
type env struct {
	compute.Vars
	groups compute.Memberships
}

var errBroken = errors.New("broken")

func (e *env) Call(name string, args []any) (any, bool, error) {
	switch name {
	case "hasDirectoryUser":
		return false, true, nil
	case "findDirectoryUser":
		return map[string]any{"managerUpn": "boss@example.com"}, true, nil
	case "broken":
		return nil, true, errBroken
	}
	return e.groups.Call(name, args)
}

func newEnv() *env {
	return &env{
		Vars: compute.Vars{
			"user": map[string]any{
				"firstName": "Ann", "lastName": "O'Lee", "email": "ann.lee@example.com", "login": "ann@example.com",
				"city": "San Francisco", "salary": json.Number("1000000"), "score": json.Number("2.50"), "isContractor": false,
				"roles": []any{"dev", "ops"}, "empty": "", "huge": json.Number("1e400000000"),
			},
			"appuser": map[string]any{"x": "from the app"},
		},
		groups: compute.Memberships{Groups: func() ([]compute.Group, error) {
			return []compute.Group{
				{ID: "00g1", Name: "West Coast Users", Type: "OKTA_GROUP"},
				{ID: "00g2", Name: "San Francisco", Type: "APP_GROUP", Source: "0oa1"},
			}, nil
		}},
	}
}

func n(s string) json.Number { return json.Number(s) }

func list(items ...any) []any { return append([]any{}, items...) }

func TestEval(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want any
	}{
		// literals
		{`"Hello world"`, "Hello world"},
		{`'Hello world'`, "Hello world"},
		{`'it''s'`, "it's"},
		{`"a ""b"" c"`, `a "b" c`},
		{`"a\b"`, `a\b`},
		{`"it's"`, "it's"},
		{`""`, ""},
		{`1234`, n("1234")},
		{`007`, n("7")},
		{`3.141`, n("3.141")},
		{`0.50`, n("0.50")},
		{`true`, true},
		{`FALSE`, false},
		{`null`, nil},
		{`NULL`, nil},
		{`{}`, list()},
		{`{1, "a", {true}}`, list(n("1"), "a", list(true))},
		{`{'group.id': '00g1', name: 2}`, map[string]any{"group.id": "00g1", "name": n("2")}},

		// variables
		{`user.firstName`, "Ann"},
		{`user?.firstName`, "Ann"},
		{`user["firstName"]`, "Ann"},
		{`user.roles[1]`, "ops"},
		{`user.none`, nil},
		{`user.none.deeper`, nil},
		{`user.none[3]`, nil},
		{`appuser.x`, "from the app"},
		{`findDirectoryUser().managerUpn`, "boss@example.com"},

		// comparisons
		{`user.city == "San Francisco"`, true},
		{`user.city=="san francisco"`, false},
		{`user.city != "x"`, true},
		{`user.none == null`, true},
		{`user.none != null`, false},
		{`user.empty == null`, false},
		{`user.none == ""`, false},
		{`user.score == 2.5`, true},
		{`user.score == "2.5"`, false},
		{`user.roles == {"dev", "ops"}`, true},
		{`user.salary >= 1000000`, true},
		{`user.salary > 1000000 AND !user.isContractor`, false},
		{`user.salary < 1000001`, true},
		{`user.salary <= 999999`, false},
		{`user.huge > 5`, true},
		{`"a" < "b"`, true},
		{`"B" < "a"`, true},
		{`user.none < 5`, true},
		{`user.none > 5`, false},
		{`user.none <= null`, true},
		{`5 gt 4 and 4 GE 4 or false`, true},
		{`"a" EQ "a" && "a" ne "b" && 1 lt 2 && 1 LE 1`, true},

		// logic
		{`true AND false`, false},
		{`true and true`, true},
		{`false OR true`, true},
		{`false || false`, false},
		{`true || false && false`, true},
		{`(true || false) && false`, false},
		{`!true`, false},
		{`NOT false`, true},
		{`not (true)`, false},
		{`!!true`, true},
		{`!user.none`, true},
		{`user.none OR true`, true},
		{`false AND broken()`, false},
		{`true OR broken()`, true},
		{`true ? "yes" : broken()`, "yes"},
		{`false ? broken() : "no"`, "no"},
		{`user.none ? 1 : 2`, n("2")},
		{`false ? 1 : false ? 2 : 3`, n("3")},
		{`user.city == "x" ? "Sales" : 'Other'`, "Other"},
		{`user.none ?: "default"`, "default"},
		{`user.empty ?: "default"`, "default"},
		{`user.city ?: broken()`, "San Francisco"},
		{`hasDirectoryUser() ? findDirectoryUser().managerUpn : appuser.x`, "from the app"},

		// joining and calculating
		{`user.firstName + "." + user.lastName`, "Ann.O'Lee"},
		{`"a" + 1 + 2`, "a12"},
		{`1 + 2 + "a"`, "3a"},
		{`"a" + null`, "a"},
		{`"is " + true`, "is true"},
		{`1 + 2 * 3 - 4`, n("3")},
		{`(1 + 2) * 3`, n("9")},
		{`7 / 2`, n("3")},
		{`-7 / 2`, n("-3")},
		{`7 div 2 mod 2`, n("1")},
		{`7.0 / 2`, n("3")},
		{`7.5 / 2`, n("3.75")},
		{`7 % 3`, n("1")},
		{`-7 % 3`, n("-1")},
		{`0.1 + 0.2`, n("0.3")},
		{`-user.salary`, n("-1000000")},
		{`+5`, n("5")},
		{`1 - 1`, n("0")},
		{`9007199254740993 + 0`, n("9007199254740993")},
		{`-user.none`, nil},

		// texts
		{`String.append("This is", " a test")`, "This is a test"},
		{`String.append(null, "x")`, "x"},
		{`String.join(",", "This", "is", "a", "test")`, "This,is,a,test"},
		{`String.join("", "This", "is")`, "Thisis"},
		{`String.join(",")`, ""},
		{`String.len("This")`, n("4")},
		{`String.len("Zoë")`, n("3")},
		{`String.len(null)`, n("0")},
		{`String.len(12)`, n("2")},
		{`String.removeSpaces("This is a test")`, "Thisisatest"},
		{`String.replace("This is a test", "is", "at")`, "That at a test"},
		{`String.replace("x", "", "y")`, "x"},
		{`String.replace(null, "is", "at")`, nil},
		{`String.replaceFirst("This is a test", "is", "at")`, "That is a test"},
		{`String.startsWith(user.firstName,"An")`, true},
		{`String.startsWith(user.firstName,String.toLowerCase("AN"))`, false},
		{`String.startsWith(user.none,"")`, false},
		{`String.endsWith(user.email, "@example.com")`, true},
		{`String.stringContains("This is a test", "test")`, true},
		{`String.stringContains("This is a test", "doesn'tExist")`, false},
		{`String.stringContains(user.none, "x")`, false},
		{`String.stringContains("x", user.none)`, false},
		{`String.stringSwitch("This is a test", "default", "key1", "value1")`, "default"},
		{`String.stringSwitch("This is a test", "default", "test", "value1")`, "value1"},
		{`String.stringSwitch("First match wins", "default", "absent", "value1", "wins", "value2", "match", "value3")`, "value2"},
		{`String.stringSwitch("Substrings count", "default", "ring", "value1")`, "value1"},
		{`String.stringSwitch(user.none, "default", "", "value1")`, "default"},
		{`String.stringToArray("a, b,c")`, list("a", "b", "c")},
		{`String.stringToArray("a;b", ";")`, list("a", "b")},
		{`String.stringToArray(null)`, list()},
		{`String.substring("This is a test", 2, 9)`, "is is a"},
		{`String.substring("Zoë Ü", 2, 5)`, "ë Ü"},
		{`String.substring("abc", 1)`, "bc"},
		{`String.substring("abc", 0, 99)`, "abc"},
		{`String.substring("abc", String.len("abc")-20, String.len("abc"))`, "abc"},
		{`String.substring("abc", 2, 1)`, ""},
		{`String.substring(null, 0, 1)`, nil},
		{`String.substringAfter("abc@okta.com", "@")`, "okta.com"},
		{`String.substringAfter("abc", "@")`, ""},
		{`String.substringBefore("abc@okta.com", "@")`, "abc"},
		{`String.substringBefore(user.email,"@")`, "ann.lee"},
		{`String.substringBefore("abc", "@")`, "abc"},
		{`String.substringBefore(user.none, "@")`, nil},
		{`String.toUpperCase("This")`, "THIS"},
		{`String.toLowerCase("ThiS")`, "this"},
		{`String.toUpperCase(user.none)`, nil},
		{`String.trim("  x ")`, "x"},
		{`toUpperCase("a") + toLowerCase("B")`, "Ab"},
		{`substringBefore(user.email, '@') + substringAfter("a@b", "@") + substring("Alexander", 1, 4)`, "ann.leeblex"},
		{`(String.len(user.none) == 0 ? "" : (String.substring(user.none, 0, 1) + ". ")) + user.lastName`, "O'Lee"},

		// lists
		{`Arrays.add({10, 20, 30}, 40)`, list(n("10"), n("20"), n("30"), n("40"))},
		{`Arrays.add(null, 1)`, list(n("1"))},
		{`Arrays.remove({10, 20, 30}, 20)`, list(n("10"), n("30"))},
		{`Arrays.clear({10, 20, 30})`, list()},
		{`Arrays.get({0, 1, 2}, 0)`, n("0")},
		{`Arrays.flatten(10, {20, 30}, 40, null)`, list(n("10"), n("20"), n("30"), n("40"))},
		{`Arrays.contains({10, 20, 30}, 10)`, true},
		{`Arrays.contains({10, 20, 30}, 50)`, false},
		{`Arrays.contains(user.roles, "dev")`, true},
		{`Arrays.contains(user.none, "dev")`, false},
		{`Arrays.contains("dev", "dev")`, true},
		{`Arrays.size({10, 20, 30})`, n("3")},
		{`Arrays.size(NULL)`, n("0")},
		{`Arrays.isEmpty({10, 20})`, false},
		{`Arrays.isEmpty(NULL)`, true},
		{`Arrays.toCsvString({"This", "is", " a ", "test"})`, "This,is, a ,test"},

		// conversions
		{`Convert.toInt("1234")`, n("1234")},
		{`Convert.toInt(123.4)`, n("123")},
		{`Convert.toInt(123.6)`, n("124")},
		{`Convert.toInt(null)`, nil},
		{`Convert.toNum("3.141")`, n("3.141")},
		{`Convert.toNum(" 2.50 ")`, n("2.5")},
		{`Convert.toString(5)`, "5"},
		{`Time.fromUnixToIso8601("1438363117")`, "2015-07-31T17:18:37.000Z"},
		{`Time.fromIso8601ToUnix("2015-07-31T13:18:37.979-04:00")`, "1438363117"},
		{`Time.fromWindowsToIso8601("130828367179790000")`, "2015-07-31T17:18:37.979Z"},
		{`Time.fromIso8601ToWindows("2015-07-31T17:18:37.979Z")`, "130828367179790000"},
		{`Time.fromUnixToIso8601(user.none)`, nil},

		// groups
		{`isMemberOfGroup("00g1")`, true},
		{`isMemberOfGroup("00g3")`, false},
		{`isMemberOfAnyGroup("00g3","00g2")`, true},
		{`isMemberOfAnyGroup({"00g3","00g4"})`, false},
		{`isMemberOfGroup(null)`, false},
		{`isMemberOfGroupName("San Francisco")`, true},
		{`isMemberOfGroupName("san francisco")`, false},
		{`isMemberOfGroupNameStartsWith("San Fr")`, true},
		{`isMemberOfGroupNameStartsWith("Fr")`, false},
		{`isMemberOfGroupNameContains("Coast")`, true},
		{`isMemberOfGroupNameRegex(".*Coast.*")`, true},
		{`isMemberOfGroupNameRegex("Coast")`, false},
		{`user.isMemberOf({'group.profile.name': 'West Coast Users', 'operator': 'EXACT'})`, true},
		{`user.isMemberOf({'group.profile.name': 'West'})`, true},
		{`user.isMemberOf({'group.profile.name': 'West', 'operator': 'EXACT'})`, false},
		{`!user.isMemberOf({'group.id': '00g9'})`, true},
		{`user.isMemberOf({'group.id': {'00g9', '00g1'}})`, true},
		{`user.isMemberOf({"group.type": {"OKTA_GROUP"}}, {"group.profile.name": "San"})`, false},
		{`user.isMemberOf({"group.source.id": "0oa1", "group.profile.name": "San", "operator": "STARTS_WITH"})`, true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			e, err := compute.Parse(test.text)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			got, err := e.Eval(newEnv())
			if err != nil {
				t.Fatalf("Eval: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("- want + got\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{``, "expression, character 1: the expression ends too early"},
		{`user.`, "expression, character 6: a name is missing behind ."},
		{`user.firstName ==`, "expression, character 18: the expression ends too early"},
		{`user.firstName AND`, "expression, character 19: the expression ends too early"},
		{`user.a = "x"`, "expression, character 8: values are compared with ==, and nothing can be assigned"},
		{`user.a "x"`, `expression, character 8: unexpected "x"`},
		{`"Zoë" 'x`, "expression, character 7: the text is not closed"},
		{`(1`, "expression, character 3: ) is missing"},
		{`{1`, "expression, character 3: } is missing"},
		{`{'a': 1, 'b'}`, "expression, character 13: : is missing"},
		{`{'a': 1, 5: 2}`, `expression, character 10: unexpected "5"`},
		{`a[1`, "expression, character 4: ] is missing"},
		{`a ? b`, "expression, character 6: : is missing"},
		{`f(1,)`, `expression, character 5: unexpected ")"`},
		{`f(1 2)`, "expression, character 5: ) is missing"},
		{`a # b`, "expression, character 3: unexpected '#'"},
		{`a OR OR b`, `expression, character 9: unexpected "b"`},
		{`String.foo(1)`, "expression, character 1: there is no function String.foo"},
		{`Arrays.foo(1)`, "expression, character 1: there is no function Arrays.foo"},
		{`String.startsWith("a")`, "expression, character 1: String.startsWith takes 2 arguments, not 1"},
		{`1 + String.len()`, "expression, character 5: String.len takes one argument, not 0"},
		{`String.substring("a")`, "expression, character 1: String.substring takes 2 to 3 arguments, not 1"},
		{`String.join()`, "expression, character 1: String.join takes at least 1, not 0"},
		{strings.Repeat("(", 300), "expression, character 201: the expression is nested more than 200 deep"},
		{strings.Repeat("!", 300) + "a", "expression, character 201: the expression is nested more than 200 deep"},
		{strings.Repeat("a ? b : ", 300) + "c", "expression, character 1597: the expression is nested more than 200 deep"},
		{strings.Repeat("a", 17<<10), "the expression has more than 16384 bytes"},
		{"a\xff", "the expression is not valid UTF-8"},
	}
	for _, test := range tests {
		_, err := compute.Parse(test.text)
		if err == nil || fault.Public(err) != test.want {
			t.Errorf("Parse(%.40q) = %v, want %q", test.text, err, test.want)
		}
	}
}

func TestEvalRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{`nobody.x`, "expression, character 1: there is no variable nobody"},
		{`unknown(1)`, "expression, character 1: there is no function unknown"},
		{`Time.now()`, "expression, character 1: there is no function Time.now"},
		{`user.firstName.length`, "expression, character 16: length is asked of a text, which has no members"},
		{`user.city ? 1 : 2`, "expression, character 11: a condition must be true or false, not a text"},
		{`true AND 5`, "expression, character 6: a condition must be true or false, not a number"},
		{`!user.roles`, "expression, character 1: a condition must be true or false, not a list"},
		{`"a" < 1`, "expression, character 5: a text and a number have no order"},
		{`user < 1`, "expression, character 6: an object and a number have no order"},
		{`user.roles + "x"`, "expression, character 12: a list is not a text"},
		{`1 + true`, "expression, character 3: + needs numbers of at most 60 digits, not a Boolean"},
		{`null - 1`, "expression, character 6: - needs numbers of at most 60 digits, not null"},
		{`user.huge * 2`, "expression, character 11: * needs numbers of at most 60 digits, not a number"},
		{`1 / 0`, "expression, character 3: division by zero"},
		{`1 % (1 - 1)`, "expression, character 3: division by zero"},
		{`user.roles[2]`, "expression, character 11: the list has no element 2"},
		{`user.roles["a"]`, "expression, character 11: the list has no element a"},
		{`user.city[0]`, "expression, character 10: a text has no element 0"},
		{`String.len(user.roles)`, "expression, character 1: a list is not a text"},
		{`String.substring("a", "b")`, "expression, character 1: String.substring: a position must be a whole number"},
		{`String.substring("a", 0, 1.5)`, "expression, character 1: String.substring: a position must be a whole number"},
		{`String.stringSwitch("a", "b", "c")`, "expression, character 1: String.stringSwitch: a key has no value"},
		{`Arrays.get({1}, 1)`, "expression, character 1: Arrays.get: the list has no element 1"},
		{`Convert.toInt("x")`, `expression, character 1: Convert.toInt: "x" is not a number`},
		{`Time.fromUnixToIso8601("x")`, `expression, character 1: Time.fromUnixToIso8601: "x" is not a whole number`},
		{`Time.fromIso8601ToUnix("x")`, `expression, character 1: Time.fromIso8601ToUnix: "x" is not a time such as 2026-01-31T00:00:00.000Z`},
		{`isMemberOfGroup()`, "expression, character 1: isMemberOfGroup needs an argument"},
		{`isMemberOfGroup(5)`, "expression, character 1: isMemberOfGroup needs texts, not a number"},
		{`isMemberOfGroupNameRegex("(")`, `expression, character 1: isMemberOfGroupNameRegex: "(" is not a regular expression`},
		{`isMemberOfGroupNameRegex("West)|(.*")`, `expression, character 1: isMemberOfGroupNameRegex: "West)|(.*" is not a regular expression`},
		{`isMemberOfGroupNameRegex("a","b")`, "expression, character 1: isMemberOfGroupNameRegex needs one pattern"},
		{`user.isMemberOf("x")`, "expression, character 1: user.isMemberOf needs objects such as {'group.id': '00g…'}, not a text"},
		{`user.isMemberOf({'operator': 'EXACT'})`, "expression, character 1: user.isMemberOf needs a criterion such as {'group.id': '00g…'}"},
		{`user.isMemberOf({'group.owner': 'x'})`, "expression, character 1: user.isMemberOf: groups have no group.owner to search for"},
		{`user.isMemberOf({'group.profile.name': 'x', 'operator': 'LIKE'})`, "expression, character 1: user.isMemberOf: an operator is EXACT or STARTS_WITH"},
	}
	for _, test := range tests {
		e, err := compute.Parse(test.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.text, err)
			continue
		}
		if v, err := e.Eval(newEnv()); err == nil || fault.Public(err) != test.want {
			t.Errorf("Eval(%q) = %v, %v, want %q", test.text, v, err, test.want)
		}
	}
}

// TestEnvErrors makes sure that errors of the Env arrive as they are.
func TestEnvErrors(t *testing.T) {
	t.Parallel()
	e, err := compute.Parse("1 + broken()")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(newEnv()); !errors.Is(err, errBroken) {
		t.Errorf("Eval = %v, want %v", err, errBroken)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	// Each replacement makes the text a hundred times longer.
	text := `"a"`
	for range 20 {
		text = `String.replace(` + text + `, "a", "` + strings.Repeat("a", 100) + `")`
	}
	e, err := compute.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(compute.Vars{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("Eval = %v, want a fault.TooLarge", err)
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{`user.city == "San Francisco"`: true, `user.none`: false, `user.isContractor`: false} {
		e, err := compute.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Test(newEnv()); err != nil || got != want {
			t.Errorf("Test(%q) = %v, %v", text, got, err)
		}
	}
	e, err := compute.Parse(`user.city`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Test(newEnv()); !fault.Is(err, fault.Invalid) {
		t.Errorf("Test of a text = %v, want a fault.Invalid", err)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	e, err := compute.Parse(`String.len(user.a.b) > 1 AND isMemberOfGroup(appuser.x) OR getManagerUser("y").z`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range append(slices.Clone(e.Variables()), e.Calls()...) {
		got = append(got, r.Name)
		if !strings.HasPrefix(e.String()[r.At:], r.Name) {
			t.Errorf("%s is not at %d", r.Name, r.At)
		}
	}
	want := []string{"user.a.b", "appuser.x", "String.len", "isMemberOfGroup", "getManagerUser"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want + got\n%s", diff)
	}
}

// FuzzParse makes sure that no text brings the parser or the evaluation down,
// and that an evaluation depends on nothing but its input.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`String.startsWith(user.firstName,"andy")`, `!a.b[1] ?: {'x': {1,2}} == -7.5 % 3 ? "it''s" : NOT null`,
		`user.isMemberOf({'group.id': {'00g9'}})`, `Time.fromWindowsToIso8601("9223372036854775807")`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := compute.Parse(text)
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("Parse(%q) = %v, which is no mistake of the caller", text, err)
			}
			return
		}
		v, err := e.Eval(newEnv())
		again, errAgain := e.Eval(newEnv())
		if (err == nil) != (errAgain == nil) || !cmp.Equal(v, again) {
			t.Errorf("%q = %v, %v and then %v, %v", text, v, err, again, errAgain)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%q is %v, which is not JSON: %v", text, v, err)
		}
	})
}

func BenchmarkTest(b *testing.B) {
	e, err := compute.Parse(`user.department == "Sales" AND String.startsWith(user.city, "San") OR user.salary > 5`)
	if err != nil {
		b.Fatal(err)
	}
	env := newEnv()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Test(env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compute.Parse(`user.department == "Sales" AND String.startsWith(user.city, "San") OR user.salary > 5`); err != nil {
			b.Fatal(err)
		}
	}
}
