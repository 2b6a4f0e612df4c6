package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// Written is an import of lanyard.yaml.
type Written struct {
	Settings Settings
	Label    string     // of the application that it is bound to; empty: the import's name
	From     *yaml.Node // what extract reads; nil: the source is only loaded through the API
	To       *Target    // nil: the embedded org
	ToPlace  string     // where To stands
}

// Target is an identity source of an Okta tenant that an import's people go to.
type Target struct {
	Connection string `json:"connection"` // to the tenant
	Source     string `json:"source"`     // id or label of the Custom Identity Source application
}

// String names the target for people.
func (t *Target) String() string {
	return "the identity source " + t.Source + " of the connection " + t.Connection
}

// ReadSettings reads what stands under the name of an import in lanyard.yaml. What
// is not written is as in FileSettings. It returns everything wrong at once, each
// mistake at its place.
func ReadSettings(section config.Section) (*Written, error) {
	w := &Written{Settings: FileSettings()}
	r := &settingsReader{Reader: strict.Reader{File: section.File, NullIsAbsent: true}, s: &w.Settings}
	fields := r.reading()
	maps.Copy(fields, r.deciding())
	fields["label"] = r.Text(&w.Label)
	fields["from"] = func(n *yaml.Node) { w.From = n }
	fields["to"] = func(n *yaml.Node) {
		w.To, w.ToPlace = r.target(n), fmt.Sprintf("%s:%d:%d", section.File, n.Line, n.Column)
	}
	written := r.Mapping(section.Node, "an import", fields)
	if written["to"] != nil && (written["match"] == nil || !names(written["match"], "partial")) {
		w.Settings.Match.Partial = false // who somebody is there, the tenant finds out
	}
	if at := written["guard"]; at != nil {
		for _, err := range w.Settings.Guard.check(w.Settings.Mode) {
			r.refuse(at, err)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return w, nil
}

// names reports whether a mapping has a key.
func names(n *yaml.Node, key string) bool {
	n = strict.Follow(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// target reads where the people of an import go.
func (r *settingsReader) target(n *yaml.Node) *Target {
	t := &Target{}
	r.Mapping(n, "to", map[string]strict.Field{"connection": r.Text(&t.Connection), "source": r.Text(&t.Source)})
	if strict.Follow(n).Kind != yaml.MappingNode {
		return t
	}
	if t.Connection == "" {
		r.Wrong(n, "add connection: with the name of a connection to an Okta tenant", "it is not said which connection leads to the tenant")
	}
	if t.Source == "" {
		r.Wrong(n, "add source: with the id (0oa...) or the label of the Custom Identity Source application", "it is not said which identity source of the tenant it is")
	}
	return t
}

// settingsReader reads Settings.
type settingsReader struct {
	strict.Reader
	s *Settings
}

// reading are the keys of Reading.
func (r *settingsReader) reading() map[string]strict.Field {
	s := r.s
	return map[string]strict.Field{
		"id":    r.term(&s.ID),
		"where": r.expression(&s.Where, rowVariable),
		"active": r.termOr(&s.Active.From, func(n *yaml.Node) {
			r.Mapping(n, "active", map[string]strict.Field{
				"column": r.term(&s.Active.From), "present": r.Texts(&s.Active.Present), "gone": r.Texts(&s.Active.Gone),
			})
			if _, _, err := s.Active.words(); err != nil {
				r.refuse(n, err)
			}
		}),
		"starts":   r.day(&s.Starts, "starts"),
		"ends":     r.day(&s.Ends, "ends"),
		"dates":    r.dates,
		"timezone": r.zone,
		"profile": func(n *yaml.Node) {
			s.Profile = map[string]Term{}
			r.Named(n, "profile", func(name string, n *yaml.Node) {
				var t Term
				r.term(&t)(n)
				s.Profile[name] = t
			})
		},
		"guess": func(n *yaml.Node) {
			guess := true
			r.Flag(&guess)(n)
			s.Literal = !guess
		},
	}
}

// deciding are the keys of everything else.
func (r *settingsReader) deciding() map[string]strict.Field {
	s := r.s
	return map[string]strict.Field{
		"username": func(n *yaml.Node) {
			r.Text(&s.UserName)(n)
			if s.UserName != UserNameEmail {
				r.expression(&s.UserName, personVariable)(n)
			}
		},
		"attributes": r.Texts(&s.Attributes),
		"mapping":    r.mapping,
		"match": func(n *yaml.Node) {
			r.Mapping(n, "match", map[string]strict.Field{"exact": r.exact, "partial": r.Flag(&s.Match.Partial)})
		},
		"confirm": func(n *yaml.Node) {
			r.Mapping(n, "confirm", map[string]strict.Field{
				"exact": r.Flag(&s.Confirm.Exact), "partial": r.Flag(&s.Confirm.Partial), "new": r.Flag(&s.Confirm.New),
			})
		},
		"activate": r.Flag(&s.Activate),
		"sourcing": r.flagOr(func(on bool) { s.Sourcing.Users = on }, func(n *yaml.Node) {
			r.Mapping(n, "sourcing", map[string]strict.Field{"users": r.Flag(&s.Sourcing.Users), "priority": r.AtLeast(&s.Sourcing.Priority, 1)})
		}),
		"reactivate": r.flagOr(func(on bool) { s.Reactivate = Reactivation{on, on} }, func(n *yaml.Node) {
			r.Mapping(n, "reactivate", map[string]strict.Field{
				"suspended": r.Flag(&s.Reactivate.Suspended), "deactivated": r.Flag(&s.Reactivate.Deactivated),
			})
		}),
		"removal": r.Choice((*string)(&s.Removal), string(RemovalDeactivates), string(RemovalSuspends), string(RemovalIsNothing)),
		"mode":    r.Choice((*string)(&s.Mode), string(Incremental), string(Full)),
		"guard":   r.guard,
	}
}

// refuse notes an error of something else at a place.
func (r *settingsReader) refuse(n *yaml.Node, err error) {
	for _, one := range faults(err) {
		msg := one.Msg
		if one.Place != "" {
			msg = one.Place + ": " + msg
		}
		r.Wrong(n, one.Remedy, "%s", msg)
	}
}

// faults are the errors that are joined in one.
func faults(err error) []*fault.Error {
	switch e := err.(type) { //nolint:errorlint // the errors are our own and not wrapped
	case *fault.Error:
		return []*fault.Error{e}
	case *fault.List:
		var out []*fault.Error
		for _, one := range e.Errors {
			out = append(out, faults(one)...)
		}
		return out
	}
	return []*fault.Error{fault.New(fault.Invalid, "%s", fault.Public(err))}
}

func (r *settingsReader) term(into *Term) strict.Field {
	return func(n *yaml.Node) {
		r.Text((*string)(into))(n)
		if err := into.check(); err != nil {
			r.refuse(n, err)
		}
	}
}

// termOr reads a term alone, or a mapping that has it with more.
func (r *settingsReader) termOr(into *Term, mapping strict.Field) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			mapping(n)
			return
		}
		r.term(into)(n)
	}
}

// flagOr reads true or false for a whole mapping.
func (r *settingsReader) flagOr(set func(bool), mapping strict.Field) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			mapping(n)
			return
		}
		var on bool
		r.Flag(&on)(n)
		set(on)
	}
}

func (r *settingsReader) expression(into *string, variable string) strict.Field {
	return func(n *yaml.Node) {
		r.Text(into)(n)
		if n.Kind != yaml.ScalarNode {
			return
		}
		if _, err := expression(*into, variable); err != nil {
			r.refuse(n, err)
		}
	}
}

func (r *settingsReader) day(into *Day, what string) strict.Field {
	return r.termOr(&into.From, func(n *yaml.Node) {
		r.Mapping(n, what, map[string]strict.Field{
			"column": r.term(&into.From),
			"days":   r.Between(&into.Days, -maxDays, maxDays),
		})
	})
}

// maxDays is how far presence may be from the days of a source.
const maxDays = 366

func (r *settingsReader) dates(n *yaml.Node) {
	var words []string
	for _, f := range dateForms[1:] {
		words = append(words, string(f))
	}
	r.Choice((*string)(&r.s.Dates), words...)(n)
}

func (r *settingsReader) zone(n *yaml.Node) {
	fixed := func(n *yaml.Node) {
		r.Text(&r.s.Zone.Fixed)(n)
		if _, err := readZone(r.s.Zone.Fixed); err != nil {
			r.refuse(n, err)
		}
	}
	if n.Kind == yaml.MappingNode {
		r.Mapping(n, "timezone", map[string]strict.Field{"column": r.term(&r.s.Zone.From), "default": fixed})
		return
	}
	fixed(n)
}

func (r *settingsReader) mapping(n *yaml.Node) {
	r.s.Mapping = map[string]Mapping{}
	r.Named(n, "mapping", func(name string, n *yaml.Node) {
		m := Mapping{}
		value := func(n *yaml.Node) {
			r.Text(&m.Value)(n)
			if Term(m.Value) != None {
				r.expression(&m.Value, personVariable)(n)
			}
		}
		if name == loginAttribute {
			r.Wrong(n, "write it as username: EXPRESSION", "the login is never mapped: the format of user names says what it is")
			return
		}
		if n.Kind == yaml.MappingNode {
			apply := ""
			written := r.Mapping(n, "the mapping of "+name, map[string]strict.Field{"value": value, "apply": r.Choice(&apply, "create", "always")})
			if written["value"] == nil {
				r.Wrong(n, "", "the mapping of %s has no value", name)
			}
			m.Create = apply == "create"
		} else {
			value(n)
		}
		r.s.Mapping[name] = m
	})
}

// exact reads an attribute, a list of them, or what each has to equal.
func (r *settingsReader) exact(n *yaml.Node) {
	out := &r.s.Match.Exact
	*out = nil
	switch n.Kind {
	case yaml.MappingNode:
		r.Named(n, "exact", func(name string, n *yaml.Node) {
			c := Criterion{Attribute: name}
			r.expression(&c.Value, personVariable)(n)
			*out = append(*out, c)
		})
		slices.SortFunc(*out, func(a, b Criterion) int { return cmp.Compare(a.Attribute, b.Attribute) })
	case yaml.SequenceNode:
		var names []string
		r.Texts(&names)(n)
		for _, name := range names {
			*out = append(*out, Criterion{Attribute: name})
		}
	default:
		var name string
		r.Text(&name)(n)
		*out = []Criterion{{Attribute: name}}
	}
}

// guard reads limits: percentages and numbers of which none means no limit.
func (r *settingsReader) guard(n *yaml.Node) {
	g := &r.s.Guard
	var off []string
	r.Mapping(n, "guard", map[string]strict.Field{
		"percent":    r.unlessNone(&g.Percent, r.Percent(&g.Percent)),
		"most":       r.unlessNone(&g.Most, r.AtLeast(&g.Most, 1)),
		"floor":      r.unlessNone(&g.Floor, r.AtLeast(&g.Floor, 1)),
		"drop":       r.unlessNone(&g.Drop, r.Percent(&g.Drop)),
		"change":     r.unlessNone(&g.Change, r.Percent(&g.Change)),
		"failures":   r.unlessNone(&g.Failures, r.Percent(&g.Failures)),
		"privileges": r.unlessNone(&g.Privileges, r.AtLeast(&g.Privileges, 0)),
		"takeOver":   r.unlessNone(&g.TakeOver, r.Percent(&g.TakeOver)),
		"growth":     r.unlessNone(&g.Growth, r.Percent(&g.Growth)),
		"newcomers":  r.unlessNone(&g.Newcomers, r.AtLeast(&g.Newcomers, 1)),
		"renames":    r.unlessNone(&g.Renames, r.Percent(&g.Renames)),
		"returns":    r.unlessNone(&g.Returns, r.Percent(&g.Returns)),
		"off":        r.Texts(&off),
	})
	for _, code := range off {
		g.Off = append(g.Off, Code(code))
	}
}

func (r *settingsReader) unlessNone(into *int, read strict.Field) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Value == string(None) {
			*into = -1
			return
		}
		read(n)
	}
}
