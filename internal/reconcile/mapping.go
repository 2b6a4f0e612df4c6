package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/value"
)

// loginAttribute is what the directory calls the user name.
const loginAttribute = "login"

// mapped computes an attribute of the directory.
type mapped struct {
	attribute directory.Attribute
	text      string // of the expression
	from      string // attribute of the source that is taken as it is; else rule
	rule      *compute.Expression
	create    bool // for new people only
}

// compileMapping lays the mapping over the default one, by which attributes go to
// those of the same name. The login is not in it: the user name's format is. What
// Okta itself or another source decides (its master) is for new people only.
func (r *Rules) compileMapping() ([]mapped, error) {
	s := &r.settings
	written := map[string]Mapping{}
	for _, name := range r.attributes {
		if _, ok := r.schema.Attribute(name); ok {
			written[name] = Mapping{Value: personVariable + "." + name}
		}
	}
	maps.Copy(written, s.Mapping)
	delete(written, loginAttribute)

	var problems []error
	login, err := r.compileLogin()
	if err != nil {
		problems = append(problems, about(err, "username"))
	}
	out := []mapped{login}
	if _, ok := s.Mapping[loginAttribute]; ok {
		problems = append(problems, fault.New(fault.Invalid, "the login is never mapped: the format of user names says what it is").
			At("mapping login").Fix("write it as username: EXPRESSION"))
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if Term(written[name].Value) == None {
			continue
		}
		m, err := r.compileRow(name, written[name])
		if err != nil {
			problems = append(problems, about(err, "mapping %s", name))
			continue
		}
		out = append(out, m)
	}
	return out, fault.Join(problems...)
}

func (r *Rules) compileLogin() (mapped, error) {
	text := r.settings.UserName
	switch text {
	case UserNameAsGiven:
		text = personVariable + ".userName"
	case UserNameEmail:
		text = personVariable + ".email"
	}
	return r.compileRow(loginAttribute, Mapping{Value: text})
}

func (r *Rules) compileRow(name string, m Mapping) (mapped, error) {
	attribute, ok := r.schema.Attribute(name)
	if !ok {
		e := fault.New(fault.Invalid, "the directory has no attribute %q", name)
		return mapped{}, e.Fix("%s", r.instead(name))
	}
	out := mapped{attribute: attribute, text: m.Value, create: m.Create || !attribute.Sourced()}
	if plain, ok := strings.CutPrefix(m.Value, personVariable+"."); ok && r.Defines(plain) {
		out.from = plain
		return out, nil
	}
	rule, err := expression(m.Value, personVariable)
	if err != nil {
		return mapped{}, err
	}
	out.rule = rule
	return out, r.checkVariables(rule)
}

// checkVariables refuses an expression over attributes that the profile of the
// source does not have: they would be empty for everybody.
func (r *Rules) checkVariables(rule *compute.Expression) error {
	for _, v := range rule.Variables() {
		_, name, _ := strings.Cut(v.Name, ".")
		if name, _, _ = strings.Cut(name, "."); name == "" || r.Defines(name) {
			continue
		}
		e := fault.New(fault.Invalid, "the profile of the source has no attribute %q", name)
		all := "use one of " + strings.Join(r.attributes, ", ") + ", or add it to attributes"
		if near := spelling.Nearest(name, r.attributes); near != "" {
			all = "did you mean " + near + "? Or " + all
		}
		return e.Fix("%s", all)
	}
	return nil
}

// instead is what to do about an attribute that the directory lacks.
func (r *Rules) instead(name string) string {
	var names []string
	for _, a := range r.schema.Base() {
		names = append(names, a.Name)
	}
	for _, a := range r.schema.Custom() {
		names = append(names, a.Name)
	}
	if near := spelling.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "add it to the profile of users first, or use one of " + strings.Join(names, ", ")
}

// read computes the attribute for a person; nil is no value.
func (m *mapped) read(p *Person) (any, error) {
	var v any
	if m.rule == nil {
		v = p.Profile[m.from]
	} else {
		var err error
		if v, err = m.rule.Eval(personEnv{p.Profile}); err != nil {
			return nil, err
		}
	}
	return fit(v, m.attribute.Type)
}

// fit turns a value into what an attribute holds where nothing is lost: attributes
// of identity sources are texts.
func fit(v any, t directory.AttributeType) (any, error) {
	text, isText := v.(string)
	if isText {
		if text = clean(text); text == "" {
			return nil, nil
		}
		v = text
	}
	switch t {
	case directory.TextType:
		switch v.(type) {
		case json.Number, bool:
			return value.Text(v), nil
		}
	case directory.BoolType:
		switch fold(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	case directory.NumberType, directory.IntegerType:
		if n, err := value.Decode([]byte(text)); err == nil && isText {
			if number, ok := n.(json.Number); ok {
				return number, nil
			}
		}
	}
	return v, nil
}

// badValue is why somebody cannot be carried out: one attribute or several.
type badValue struct {
	attributes []string
	reason     string
	remedy     string
}

func (b *badValue) Error() string { return b.reason }

// profile computes what the attributes of the directory are to be for a person: of
// a new one (before is nil), or those of before that differ. nil is no value.
// Errors are *badValue.
func (r *Rules) profile(p *Person, before map[string]any) (map[string]any, error) {
	out := map[string]any{}
	var bad badValue
	for i := range r.mapping {
		m := &r.mapping[i]
		if m.create && before != nil {
			continue
		}
		name := m.attribute.Name
		v, err := m.read(p)
		if err != nil {
			bad.add(name, "its expression fails: "+fault.Public(err), "mend the expression, or the value that it is of")
			continue
		}
		old := before[name]
		if before != nil && (v == nil && old == nil || v != nil && value.Equal(v, old)) {
			continue
		}
		if wrong := r.schema.CheckValue(name, v); len(wrong) > 0 {
			bad.add(name, wrong[0].Words()+shown(v), remedyFor(wrong[0], m))
			continue
		}
		if v != nil || before != nil {
			out[name] = v
		}
	}
	if before == nil {
		r.checkRequired(out, &bad)
	}
	if bad.attributes != nil {
		return nil, &bad
	}
	return out, nil
}

// checkRequired finds attributes that new people must have and nothing gives them.
func (r *Rules) checkRequired(profile map[string]any, bad *badValue) {
	for _, list := range [][]directory.Attribute{r.schema.Base(), r.schema.Custom()} {
		for _, a := range list {
			_, has := profile[a.Name]
			if a.Required && !has && a.Default == nil && !slices.Contains(bad.attributes, a.Name) {
				bad.add(a.Name, "is required, and nothing is mapped to it", "map it, or make it optional in the profile of users")
			}
		}
	}
}

func (b *badValue) add(attribute, what, remedy string) {
	if b.reason != "" {
		b.reason += "; "
	}
	b.reason += attribute + " " + what
	b.attributes = append(b.attributes, attribute)
	if b.remedy == "" {
		b.remedy = remedy
	}
}

func shown(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(" (%q)", shorten(value.Text(v)))
}

// remedyFor says what to do about a value that does not fit.
func remedyFor(v directory.Violation, m *mapped) string {
	switch {
	case v.Rule == directory.Blank:
		return "give it a value at the source: " + m.text
	case m.attribute.Format == "country-code":
		return "the directory has codes of two letters such as DE; map it by an expression"
	case v.Rule == directory.WrongType && m.attribute.Type == directory.ArrayType:
		return fmt.Sprintf(`make a list of it: String.stringToArray(%s, ",")`, m.text)
	case v.Rule == directory.WrongType:
		return fmt.Sprintf("the attribute is of type %s; convert the value in the mapping", m.attribute.Type)
	case v.Rule == directory.TooLong:
		return fmt.Sprintf("shorten it at the source or in the mapping: String.substring(%s, 0, %d)", m.text, v.Limit)
	}
	return "correct it at the source, or map it by an expression"
}

// asBadValue returns the badValue of an error of profile.
func asBadValue(err error) *badValue {
	var b *badValue
	if errors.As(err, &b) {
		return b
	}
	return &badValue{reason: fault.Public(err)}
}
