package filter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
)

func bound(text string) filter.Bound { return filter.Bound{Text: text} }
func open(text string) filter.Bound  { return filter.Bound{Text: text, Open: true} }

var unlimited = filter.Bound{Unlimited: true}

func within(path string, low, high filter.Bound) *filter.Compare {
	return compare(path, filter.Within, filter.Range{Low: low, High: high})
}

func TestParseLucene(t *testing.T) {
	t.Parallel()
	exists := compare("username", "pr", nil)
	tests := []struct {
		text string
		want filter.Expr
	}{
		{`email:"a@b.c"`, compare("email", "eq", "a@b.c")},
		{`email:a@b.c`, compare("email", "eq", "a@b.c")},
		{`user_id:"auth0|5"`, compare("user_id", "eq", "auth0|5")},
		{`user_id:auth0|5`, compare("user_id", "eq", "auth0|5")},
		{`blocked:true`, compare("blocked", "eq", true)},
		{`blocked:"true"`, compare("blocked", "eq", "true")},
		{`logins_count:5`, compare("logins_count", "eq", json.Number("5"))},
		{`logins_count:-5`, compare("logins_count", "eq", json.Number("-5"))},
		{`logins_count:"5"`, compare("logins_count", "eq", "5")},
		{`_exists_:username`, exists},
		{`a:"1" AND b:"2"`, and(a, b)},
		{`a:"1" OR b:"2" AND _exists_:username`, or(a, and(b, exists))},
		{`(a:"1" OR b:"2") AND _exists_:username`, and(or(a, b), exists)},
		{`a: "1"`, a},
		{` ( a:"1" ) `, a},

		// Negation.
		{`NOT a:"1"`, not(a)},
		{`-a:"1"`, not(a)},
		{`a:"1" AND NOT b:"2" OR -_exists_:username`, or(and(a, not(b)), not(exists))},
		{`NOT (a:"1" OR b:"2")`, not(or(a, b))},
		{`NOT(a:"1")`, not(a)},
		{`-(a:"1")`, not(a)},
		{`email_verified:false OR NOT _exists_:email_verified`, or(compare("email_verified", "eq", false), not(compare("email_verified", "pr", nil)))},

		// Words and escapes.
		{`jane`, compare(filter.AnyField, "eq", "jane")},
		{`"green apple" OR jo*`, or(compare("", "eq", "green apple"), compare("", "sw", "jo"))},
		{`name:John\ Doe`, compare("name", "eq", "John Doe")},
		{`name:a\:b\\\*\u00e9`, compare("name", "eq", `a:b\*é`)},
		{`name:\5`, compare("name", "eq", "5")},
		{`name:"a\"b\\c*d?\q"`, compare("name", "eq", `a"b\c*d?q`)},
		{`name:Ünal`, compare("name", "eq", "Ünal")},
		{`name:a-b+c_d,e'f`, compare("name", "eq", "a-b+c_d,e'f")},
		{`app_metadata.first\ name:x`, compare("app_metadata.first name", "eq", "x")},
		{`app_metadata.subscription.plan:"gold"`, compare("app_metadata.subscription.plan", "eq", "gold")},
		{`phone_number:+49`, compare("phone_number", "eq", "+49")},

		// Groups of values.
		{`email:("a@b.c" OR "d@e.f")`, or(compare("email", "eq", "a@b.c"), compare("email", "eq", "d@e.f"))},
		{`n:(1 OR [3 TO 4] AND NOT (x* OR -y)) AND a:"1"`,
			and(or(compare("n", "eq", json.Number("1")), and(within("n", bound("3"), bound("4")), not(or(compare("n", "sw", "x"), not(compare("n", "eq", "y")))))), a)},

		// Wildcards.
		{`name:john*`, compare("name", "sw", "john")},
		{`name:j*`, compare("name", "sw", "j")},
		{`name:*usa`, compare("name", "ew", "usa")},
		{`name:*john*`, compare("name", "co", "john")},
		{`name:**john**`, compare("name", "co", "john")},
		{`name:jane*smith`, compare("name", filter.Like, filter.Pattern("jane*smith"))},
		{`name:*ane*s\*m\\i*th`, compare("name", filter.Like, filter.Pattern(`*ane*s\*m\\i*th`))},
		{`app_metadata.plan:go*`, compare("app_metadata.plan", "sw", "go")},

		// Ranges.
		{`logins_count:[100 TO 200]`, within("logins_count", bound("100"), bound("200"))},
		{`logins_count:{100 TO 200}`, within("logins_count", open("100"), open("200"))},
		{`logins_count:[100 TO 200}`, within("logins_count", bound("100"), open("200"))},
		{`logins_count:{100 TO *]`, within("logins_count", open("100"), unlimited)},
		{`last_login:[* TO 2017-12-31]`, within("last_login", unlimited, bound("2017-12-31"))},
		{`last_login:[ "2017-12-31T00:00:00.000Z"  TO  2018-01\] ]`, within("last_login", bound("2017-12-31T00:00:00.000Z"), bound("2018-01]"))},
	}
	for _, test := range tests {
		got, err := filter.ParseLucene(test.text)
		if err != nil {
			t.Errorf("ParseLucene(%q): %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, withoutPlaces); diff != "" {
			t.Errorf("ParseLucene(%q): - want + got\n%s", test.text, diff)
		}
	}
}

func TestParseLuceneRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, want string
		kind       fault.Kind
	}{
		// Auth0 says that it does not do it.
		{`name:*sa`, "at least 3 characters have to follow a *", fault.Invalid},
		{`name:*sa*`, "at least 3 characters have to follow a *", fault.Invalid},
		{`name:*sa*usa`, "at least 3 characters have to follow a *", fault.Invalid},
		{`user_metadata.a:x*`, "no wildcard searches in user_metadata", fault.Invalid},
		{`user_metadata.a:(x OR y*)`, "no wildcard searches in user_metadata", fault.Invalid},
		{`user_metadata.a:[1 TO 2]`, "no range searches in user_metadata", fault.Invalid},

		// Lucene, but not documented by Auth0.
		{`name:*`, "write _exists_:name", fault.Unsupported},
		{`name:**`, "write _exists_:name", fault.Unsupported},
		{`name:j?ne`, "no wildcard ?", fault.Unsupported},
		{`name:"x"~2`, "no fuzzy terms", fault.Unsupported},
		{`name:x~`, "no fuzzy terms", fault.Unsupported},
		{`name:x^2`, "no boosts", fault.Unsupported},
		{`(name:x)^2`, "no boosts", fault.Unsupported},
		{`name:/x/`, "no regular expressions", fault.Unsupported},
		{`name:a/b`, "no regular expressions", fault.Unsupported},
		{`n:>5`, "write a range", fault.Unsupported},
		{`n:>=5`, "write a range", fault.Unsupported},
		{`n:<5`, "write a range", fault.Unsupported},
		{`+a:1`, "use AND, OR and NOT", fault.Unsupported},
		{`a:1 && b:2`, "use AND, OR and NOT", fault.Unsupported},
		{`a:1&&b:2`, "use AND, OR and NOT", fault.Unsupported},
		{`a:1 || b:2`, "use AND, OR and NOT", fault.Unsupported},
		{`!a:1`, "use AND, OR and NOT", fault.Unsupported},
		{`a:1 !b:2`, "use AND, OR and NOT", fault.Unsupported},
		{`name:"x" and email:"y"`, "in capital letters: AND", fault.Unsupported},
		{`name:"x" or email:"y"`, "in capital letters: OR", fault.Unsupported},
		{`not a:1`, "side by side", fault.Unsupported},
		{`name:"x" email:"y"`, "put AND or OR between them", fault.Unsupported},
		{`name:John Doe`, "double quotes around a phrase", fault.Unsupported},
		{`(a:1) (b:2)`, "put AND or OR between them", fault.Unsupported},
		{`(a:1 b:2)`, "put AND or OR between them", fault.Unsupported},
		{`a:1 -b:2`, "put AND or OR between them", fault.Unsupported},
		{`picture:http://x`, "a colon in it stands in double quotes", fault.Unsupported},
		{`a:(b:1)`, "a colon in it stands in double quotes", fault.Unsupported},
		{`[1 TO 5]`, "a range stands directly after field:", fault.Unsupported},
		{`us*r:x`, "the name of a field is expected", fault.Unsupported},
		{`:x`, "the name of a field is expected", fault.Unsupported},

		// Neither.
		{``, "a term such as field:value is expected", fault.Invalid},
		{`()`, "a term such as field:value is expected", fault.Invalid},
		{`name:`, "a term such as field:value is expected", fault.Invalid},
		{`name: AND a:1`, "a term such as field:value is expected, not \"AND a:1\"", fault.Invalid},
		{`NOT:"1"`, "a term such as field:value is expected", fault.Invalid},
		{`a:1 AND`, "a term such as field:value is expected", fault.Invalid},
		{`NOT`, "a term such as field:value is expected", fault.Invalid},
		{`- a:1`, "directly after -", fault.Invalid},
		{`NOT NOT a:1`, "a term such as field:value is expected", fault.Invalid},
		{`--a:1`, "use AND, OR and NOT", fault.Unsupported},
		{`NOT -a:1`, "use AND, OR and NOT", fault.Unsupported},
		{`_exists_:`, "a field is expected after _exists_:", fault.Invalid},
		{`_exists_:*`, "a field is expected after _exists_:", fault.Invalid},
		{`_exists_:"a"`, "a field is expected after _exists_:", fault.Invalid},
		{`name:"x`, "character 6: a text is not closed", fault.Invalid},
		{`name:"x"y`, `unexpected "y"`, fault.Invalid},
		{`name:x"y"`, `unexpected "\"y\""`, fault.Invalid},
		{`name:x\`, "nothing follows a backslash", fault.Invalid},
		{`name:\u12`, "four hexadecimal digits", fault.Invalid},
		{`name:\u12xy`, "four hexadecimal digits", fault.Invalid},
		{`(a:1`, "a parenthesis is not closed", fault.Invalid},
		{`a:1)`, `unexpected ")"`, fault.Invalid},
		{`a:[1 TO 5`, "not closed with ] or }", fault.Invalid},
		{`a:[1 to 5]`, "TO is expected", fault.Invalid},
		{`a:[1 5]`, "TO is expected", fault.Invalid},
		{`a:[1]`, "TO is expected", fault.Invalid},
		{`a:[ TO 5]`, "TO is expected", fault.Invalid},
		{`a:[1 TO ]`, "the bound of a range is a value or *", fault.Invalid},
		{`a:[1 TO 5*]`, "the bound of a range is a value or *", fault.Invalid},
		{`a:[1 TO 5]x`, `unexpected "x"`, fault.Invalid},
		{"a:\xff", "not valid UTF-8", fault.Invalid},
		{strings.Repeat("(", 65), "nested deeper", fault.TooLarge},
		{strings.Repeat("a:1 OR ", 1000) + "a:1", "more than 1000 terms", fault.TooLarge},
	} {
		e, err := filter.ParseLucene(test.text)
		if err == nil {
			t.Errorf("ParseLucene(%.40q) = %v, want %s", test.text, e, test.want)
			continue
		}
		if !fault.Is(err, test.kind) || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("ParseLucene(%.40q) = %v, want %v: %s", test.text, err, test.kind, test.want)
		}
	}
}
