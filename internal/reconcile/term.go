package reconcile

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Where values come from: terms over rows, and expressions over people.

// rowVariable and personVariable are what expressions speak of.
const (
	rowVariable    = "row"
	personVariable = "appuser"
)

// expression reads an expression that may use one variable and no function that
// asks for groups or people.
func expression(text, variable string) (*compute.Expression, error) {
	e, err := compute.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, v := range e.Variables() {
		if name, _, _ := strings.Cut(v.Name, "."); name != variable {
			return nil, fault.New(fault.Invalid, "there is no variable %s", name).Fix("write %s.%s", variable, name)
		}
	}
	for _, c := range e.Calls() {
		if !compute.IsFunction(c.Name) {
			return nil, fault.New(fault.Invalid, "there is no function %s here", c.Name)
		}
	}
	return e, nil
}

// expression returns what follows the sign that begins an expression.
func (t Term) expression() (text string, is bool) {
	text, is = strings.CutPrefix(strings.TrimSpace(string(t)), "=")
	return strings.TrimSpace(text), is
}

func (t Term) empty() bool { return t == "" || t == None }

// check returns what is wrong with a term.
func (t Term) check() error {
	_, err := t.compile()
	return err
}

// reader is a Term made ready; the zero value reads nothing.
type reader struct {
	column string
	path   []string // of a column whose name has dots
	rule   *compute.Expression
}

func (t Term) compile() (reader, error) {
	if t.empty() {
		return reader{}, nil
	}
	if text, is := t.expression(); is {
		e, err := expression(text, rowVariable)
		return reader{column: string(t), rule: e}, err
	}
	r := reader{column: string(t)}
	if strings.Contains(r.column, ".") {
		r.path = strings.Split(r.column, ".")
	}
	return r, nil
}

func (r *reader) empty() bool { return r.column == "" }

// read returns what a row has, nil for nothing.
func (r *reader) read(row Row) (any, error) {
	if r.rule != nil {
		return r.rule.Eval(rowEnv{row})
	}
	v, ok := row[r.column]
	if ok || r.path == nil {
		return v, nil
	}
	var of any = map[string]any(row)
	for _, name := range r.path {
		o, ok := of.(map[string]any)
		if !ok {
			return nil, nil
		}
		of = o[name]
	}
	return of, nil
}

// text is read as a text, clean; "" for nothing.
func (r *reader) text(row Row) (string, error) {
	v, err := r.tidy(row)
	s, _ := v.(string)
	return s, err
}

// tidy is text as a value, nil for nothing: a text that is clean is taken as it
// stands in the row, which copies nothing.
func (r *reader) tidy(row Row) (any, error) {
	v, err := r.read(row)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		s := clean(v)
		if s == "" {
			return nil, nil
		}
		if len(s) != len(v) || s != v {
			return s, nil
		}
	case json.Number, bool:
		return value.Text(v), nil
	default:
		return nil, fault.New(fault.Invalid, "this is a list or an object, and attributes of an identity source are texts").
			Fix("take one value of it by an expression such as = row.phones[0]")
	}
	return v, nil
}

// rowEnv and personEnv are what expressions see.
type (
	rowEnv    struct{ row Row }
	personEnv struct{ profile map[string]any }
)

func (e rowEnv) Variable(name string) (any, bool) {
	return map[string]any(e.row), name == rowVariable
}

func (rowEnv) Call(string, []any) (any, bool, error) { return nil, false, nil }

func (e personEnv) Variable(name string) (any, bool) { return e.profile, name == personVariable }

func (personEnv) Call(string, []any) (any, bool, error) { return nil, false, nil }

// about says what an error is about.
func about(err error, format string, args ...any) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Kind != fault.Internal {
		return fault.Wrap(e.Kind, err, "%s", e.Msg).Fix("%s", e.Remedy).At(format, args...)
	}
	return err
}

// byteOrderMark begins files of some programs.
const byteOrderMark = "\ufeff"

// clean is a text without blanks around it, in the form in which texts that look
// alike are alike (NFC). Most texts are clean and cost nothing.
func clean(s string) string {
	if tidied(s) {
		return s
	}
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || string(r) == byteOrderMark })
	if norm.NFC.IsNormalString(s) {
		return s
	}
	return norm.NFC.String(s)
}

// tidied reports whether a text is ASCII without blanks around it.
func tidied(s string) bool {
	if s == "" {
		return true
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return s[0] > ' ' && s[len(s)-1] > ' '
}

// fold is a text to be compared: clean, without case, with single blanks.
func fold(s string) string {
	s = clean(s)
	if !plain(s) {
		s = strings.Join(strings.Fields(s), " ")
	}
	return norm.NFC.String(strings.ToLower(s))
}

// plain reports whether a text has no blanks but single spaces.
func plain(s string) bool {
	return !strings.Contains(s, "  ") && !strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) })
}
