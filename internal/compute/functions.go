package compute

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/lanyard-id/lanyard/internal/value"
)

// namespaces are the ones that the language has for itself, but for the
// functions that only an Env can know: Time.now, Groups.contains ...
var namespaces = []string{"String", "Arrays", "Convert"}

// function is a function of the language.
type function struct {
	least, most int // arguments; most -1: any number
	run         func(*invocation) (any, error)
}

func (f function) arity() string {
	switch {
	case f.most < 0:
		return fmt.Sprintf("at least %d", f.least)
	case f.least == f.most && f.least == 1:
		return "one argument"
	case f.least == f.most:
		return fmt.Sprintf("%d arguments", f.least)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}

// functions are those that Okta's overview of the language lists and that need
// neither a directory nor a clock, with its names from before the namespaces.
var functions = map[string]function{
	"String.append":          {2, 2, (*invocation).concatenate},
	"String.join":            {1, -1, (*invocation).join},
	"String.len":             {1, 1, (*invocation).length},
	"String.removeSpaces":    {1, 1, onText(func(s string) any { return strings.ReplaceAll(s, " ", "") })},
	"String.replace":         {3, 3, (*invocation).replaceAll},
	"String.replaceFirst":    {3, 3, (*invocation).replaceFirst},
	"String.startsWith":      {2, 2, onTexts(strings.HasPrefix)},
	"String.endsWith":        {2, 2, onTexts(strings.HasSuffix)},
	"String.stringContains":  {2, 2, onTexts(strings.Contains)},
	"String.stringSwitch":    {2, -1, (*invocation).stringSwitch},
	"String.stringToArray":   {1, 2, (*invocation).split},
	"String.substring":       {2, 3, (*invocation).substring},
	"String.substringAfter":  {2, 2, (*invocation).substringAfter},
	"String.substringBefore": {2, 2, (*invocation).substringBefore},
	"String.toLowerCase":     {1, 1, onText(func(s string) any { return strings.ToLower(s) })},
	"String.toUpperCase":     {1, 1, onText(func(s string) any { return strings.ToUpper(s) })},
	"String.trim":            {1, 1, onText(func(s string) any { return strings.TrimSpace(s) })},

	"substring":       {2, 3, (*invocation).substring},
	"substringAfter":  {2, 2, (*invocation).substringAfter},
	"substringBefore": {2, 2, (*invocation).substringBefore},
	"toLowerCase":     {1, 1, onText(func(s string) any { return strings.ToLower(s) })},
	"toUpperCase":     {1, 1, onText(func(s string) any { return strings.ToUpper(s) })},

	"Arrays.add":         {2, 2, (*invocation).add},
	"Arrays.clear":       {1, 1, func(*invocation) (any, error) { return []any{}, nil }},
	"Arrays.contains":    {2, 2, (*invocation).contains},
	"Arrays.flatten":     {0, -1, (*invocation).flatten},
	"Arrays.get":         {2, 2, (*invocation).get},
	"Arrays.isEmpty":     {1, 1, (*invocation).isEmpty},
	"Arrays.remove":      {2, 2, (*invocation).remove},
	"Arrays.size":        {1, 1, (*invocation).size},
	"Arrays.toCsvString": {1, 1, (*invocation).csv},

	"Convert.toInt":    {1, 1, (*invocation).toInt},
	"Convert.toNum":    {1, 1, (*invocation).toNum},
	"Convert.toString": {1, 1, onText(func(s string) any { return s })},

	"Time.fromUnixToIso8601":    {1, 1, (*invocation).fromUnix},
	"Time.fromIso8601ToUnix":    {1, 1, (*invocation).toUnix},
	"Time.fromWindowsToIso8601": {1, 1, (*invocation).fromWindows},
	"Time.fromIso8601ToWindows": {1, 1, (*invocation).toWindows},
}

// invocation is a call with its arguments.
type invocation struct {
	*machine
	call *call
	args []any
}

func (i *invocation) fail(format string, args ...any) error {
	return i.machine.fail(i.call.at, "%s: %s", i.call.name, fmt.Sprintf(format, args...))
}

// text is an argument as a text, "" for null.
func (i *invocation) text(n int) (string, error) { return i.words(i.args[n], i.call.at) }

// texts are the first n arguments as texts. absent says that the first is null.
func (i *invocation) texts(n int) (out []string, absent bool, err error) {
	out = make([]string, n)
	for k := range out {
		if out[k], err = i.text(k); err != nil {
			return nil, false, err
		}
	}
	return out, i.args[0] == nil, nil
}

// made pays for a text and returns it.
func (i *invocation) made(s string) (any, error) { return s, i.spend(i.call.at, len(s)+1) }

// onText makes a function of one text; of null it is null.
func onText(f func(string) any) func(*invocation) (any, error) {
	return func(i *invocation) (any, error) {
		s, absent, err := i.texts(1)
		if err != nil || absent {
			return nil, err
		}
		return f(s[0]), i.spend(i.call.at, len(s[0])+1)
	}
}

// onTexts makes a condition of two texts; of null it is false.
func onTexts(f func(s, part string) bool) func(*invocation) (any, error) {
	return func(i *invocation) (any, error) {
		s, absent, err := i.texts(2)
		if err != nil {
			return nil, err
		}
		return !absent && i.args[1] != nil && f(s[0], s[1]), i.spend(i.call.at, 1)
	}
}

func (i *invocation) concatenate() (any, error) {
	return i.machine.join(i.args[0], i.args[1], i.call.at)
}

// join is String.join(separator, text...).
func (i *invocation) join() (any, error) {
	s, _, err := i.texts(len(i.args))
	if err != nil {
		return nil, err
	}
	return i.made(strings.Join(s[1:], s[0]))
}

func (i *invocation) length() (any, error) {
	s, err := i.text(0)
	return count(len([]rune(s))), err
}

func count(n int) json.Number { return json.Number(fmt.Sprint(n)) }

func (i *invocation) replaceAll() (any, error) { return i.replace(-1) }

func (i *invocation) replaceFirst() (any, error) { return i.replace(1) }

// replace pays before it builds: replacing can make a text very much longer.
func (i *invocation) replace(times int) (any, error) {
	s, absent, err := i.texts(3)
	if err != nil || absent {
		return nil, err
	}
	if s[1] == "" {
		return s[0], nil
	}
	found := strings.Count(s[0], s[1])
	if times >= 0 {
		found = min(found, times)
	}
	if err := i.spend(i.call.at, len(s[0])+1+found*len(s[2])); err != nil {
		return nil, err
	}
	return strings.Replace(s[0], s[1], s[2], times), nil
}

// stringSwitch is String.stringSwitch(text, default, key, value ...): the value
// of the first key that is part of the text.
func (i *invocation) stringSwitch() (any, error) {
	if len(i.args)%2 != 0 {
		return nil, i.fail("a key has no value")
	}
	s, absent, err := i.texts(len(i.args))
	if err != nil {
		return nil, err
	}
	for k := 2; k < len(s) && !absent; k += 2 {
		if i.args[k] != nil && strings.Contains(s[0], s[k]) {
			return i.args[k+1], nil
		}
	}
	return i.args[1], nil
}

// split is String.stringToArray(text[, separator]): blanks around the parts are
// left out; the separator is a comma when none is named.
func (i *invocation) split() (any, error) {
	s, err := i.text(0)
	if err != nil || s == "" {
		return []any{}, err
	}
	separator := ","
	if len(i.args) > 1 {
		if separator, err = i.text(1); err != nil {
			return nil, err
		}
	}
	if err := i.spend(i.call.at, len(s)+1); err != nil {
		return nil, err
	}
	out := []any{}
	for part := range strings.SplitSeq(s, separator) {
		out = append(out, strings.TrimSpace(part))
	}
	return out, nil
}

// substring is String.substring(text, from[, to]), counted in characters from 0.
func (i *invocation) substring() (any, error) {
	s, absent, err := i.texts(1)
	if err != nil || absent {
		return nil, err
	}
	runes := []rune(s[0])
	to := len(runes)
	from, ok := integer(i.args[1])
	if !ok {
		return nil, i.fail("a position must be a whole number")
	}
	if len(i.args) > 2 {
		if to, ok = integer(i.args[2]); !ok {
			return nil, i.fail("a position must be a whole number")
		}
	}
	to = min(max(to, 0), len(runes))
	from = min(max(from, 0), to)
	return i.made(string(runes[from:to]))
}

// substringAfter is the text behind the first separator; empty without one.
func (i *invocation) substringAfter() (any, error) {
	s, absent, err := i.texts(2)
	if err != nil || absent {
		return nil, err
	}
	_, after, _ := strings.Cut(s[0], s[1])
	return i.made(after)
}

// substringBefore is the text before the first separator; all of it without one.
func (i *invocation) substringBefore() (any, error) {
	s, absent, err := i.texts(2)
	if err != nil || absent {
		return nil, err
	}
	before, _, _ := strings.Cut(s[0], s[1])
	return i.made(before)
}

// list is an argument as a list: empty for null, and of one element for a
// single value.
func (i *invocation) list(n int) []any {
	switch v := i.args[n].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func (i *invocation) add() (any, error) {
	items := i.list(0)
	if err := i.spend(i.call.at, len(items)+1); err != nil {
		return nil, err
	}
	return append(append(make([]any, 0, len(items)+1), items...), i.args[1]), nil
}

func (i *invocation) remove() (any, error) {
	items := i.list(0)
	if err := i.spend(i.call.at, len(items)+1); err != nil {
		return nil, err
	}
	out := []any{}
	for _, item := range items {
		if !value.Equal(item, i.args[1]) {
			out = append(out, item)
		}
	}
	return out, nil
}

func (i *invocation) contains() (any, error) {
	for _, item := range i.list(0) {
		if value.Equal(item, i.args[1]) {
			return true, nil
		}
	}
	return false, nil
}

// flatten makes one list of values and lists of values.
func (i *invocation) flatten() (any, error) {
	out := []any{}
	for n := range i.args {
		out = append(out, i.list(n)...)
	}
	return out, i.spend(i.call.at, len(out)+1)
}

func (i *invocation) get() (any, error) {
	items := i.list(0)
	n, ok := integer(i.args[1])
	if !ok || n < 0 || n >= len(items) {
		return nil, i.fail("the list has no element %s", value.Text(i.args[1]))
	}
	return items[n], nil
}

func (i *invocation) isEmpty() (any, error) { return len(i.list(0)) == 0, nil }

func (i *invocation) size() (any, error) { return count(len(i.list(0))), nil }

func (i *invocation) csv() (any, error) {
	var parts []string
	for _, item := range i.list(0) {
		s, err := i.words(item, i.call.at)
		if err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	return i.made(strings.Join(parts, ","))
}

// toNum reads a number; of null it is null.
func (i *invocation) toNum() (any, error) {
	if i.args[0] == nil {
		return nil, nil
	}
	s, err := i.text(0)
	if err != nil {
		return nil, err
	}
	r, ok := rational(json.Number(strings.TrimFunc(s, unicode.IsSpace)))
	if !ok {
		return nil, i.fail("%q is not a number", s)
	}
	return decimal(r), nil
}

// toInt is toNum, rounded.
func (i *invocation) toInt() (any, error) {
	n, err := i.toNum()
	if err != nil || n == nil {
		return nil, err
	}
	r, _ := rational(n)
	return rounded(r), nil
}

// IsFunction reports whether a function is one of the language.
func IsFunction(name string) bool {
	_, ok := functions[name]
	return ok
}
