package reconcile

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Keys are what accounts are found by. They are in a form to be compared; an
// empty one finds nothing.
type Keys struct {
	Login   string // directory.Fold of the user name
	Exact   string // the attributes of Settings.Match.Exact
	Partial string // first and last name
}

// criterion is a Criterion made ready.
type criterion struct {
	attribute string
	rule      *compute.Expression // nil: what is mapped to the attribute
	mapped    *mapped
}

// criterionNames are how people call attributes of the directory in criteria.
var criterionNames = map[string]string{"userName": loginAttribute, "username": loginAttribute}

func (r *Rules) compileCriteria() (out []criterion, on string, err error) {
	criteria := r.settings.Match.Exact
	if len(criteria) == 0 {
		criteria = []Criterion{{Attribute: "userName"}}
	}
	var problems []error
	var names []string
	for _, c := range criteria {
		one, err := r.compileCriterion(c)
		if err != nil {
			problems = append(problems, about(err, "match %s", c.Attribute))
			continue
		}
		out = append(out, one)
		if c.Value != "" {
			names = append(names, c.Attribute+" = "+c.Value)
		} else {
			names = append(names, c.Attribute)
		}
	}
	return out, strings.Join(names, " and "), fault.Join(problems...)
}

func (r *Rules) compileCriterion(c Criterion) (criterion, error) {
	name := c.Attribute
	if known, ok := criterionNames[name]; ok {
		name = known
	}
	if _, ok := r.schema.Attribute(name); !ok {
		return criterion{}, fault.New(fault.Invalid, "the directory has no attribute %q", name).Fix("%s", r.instead(name))
	}
	out := criterion{attribute: name}
	if c.Value != "" {
		var err error
		if out.rule, err = expression(c.Value, personVariable); err != nil {
			return out, err
		}
		return out, r.checkVariables(out.rule)
	}
	for i := range r.mapping {
		if r.mapping[i].attribute.Name == name {
			out.mapped = &r.mapping[i]
			return out, nil
		}
	}
	return criterion{}, fault.New(fault.Invalid, "nothing is mapped to %s", name).
		Fix("map it, or say what it has to equal: match: {exact: {%s: appuser.NAME}}", name)
}

// Keys returns by which keys accounts have to be looked up for a person: who has
// the user name, who matches. Errors are those of expressions.
func (r *Rules) Keys(p *Person) (Keys, error) {
	login, err := r.mapping[0].read(p)
	if err != nil {
		return Keys{}, about(err, "username")
	}
	k := Keys{Login: directory.Fold(text(login))}
	if r.settings.Match.Partial {
		k.Partial = join(fold(text(p.Profile["firstName"])), fold(text(p.Profile["lastName"])))
	}
	parts := make([]string, len(r.exact))
	for i := range r.exact {
		v, err := r.exact[i].read(p)
		if err != nil {
			return Keys{}, about(err, "match %s", r.exact[i].attribute)
		}
		parts[i] = r.exact[i].form(v)
	}
	k.Exact = join(parts...)
	return k, nil
}

// AccountKeys returns the keys by which an account is found. An account is a
// candidate for a person when one of its keys is one of the person's.
func (r *Rules) AccountKeys(a *directory.Account) Keys {
	k := Keys{Login: directory.Fold(a.Login())}
	if r.settings.Match.Partial {
		k.Partial = join(fold(a.Text("firstName")), fold(a.Text("lastName")))
	}
	parts := make([]string, len(r.exact))
	for i := range r.exact {
		parts[i] = r.exact[i].form(a.Profile[r.exact[i].attribute])
	}
	k.Exact = join(parts...)
	return k
}

func (c *criterion) read(p *Person) (any, error) {
	if c.rule != nil {
		return c.rule.Eval(personEnv{p.Profile})
	}
	return c.mapped.read(p)
}

// form is a value to be compared: logins as the directory keeps them apart, other
// texts without case.
func (c *criterion) form(v any) string {
	if c.attribute == loginAttribute {
		return directory.Fold(text(v))
	}
	return fold(text(v))
}

// text is a single value as a text, "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return clean(v)
	case nil, []any, map[string]any:
		return ""
	}
	return value.Text(v)
}

// join makes one key of parts; of nothing when one is missing.
func join(parts ...string) string {
	for _, p := range parts {
		if p == "" {
			return ""
		}
	}
	return strings.Join(parts, "\x00")
}
