package compute

import (
	"regexp"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Group is a group as the group functions see it.
type Group struct {
	ID, Name string
	Type     string // OKTA_GROUP ...
	Source   string // id of the application that it comes from; empty: none
}

// Memberships answers the functions that ask which groups a user is in:
// isMemberOfGroup and its relatives, and user.isMemberOf with criteria. An Env
// passes its calls on to it. Names are compared with their case.
type Memberships struct {
	// Groups reads the groups of the user. It is called at the first question,
	// and once at most.
	Groups func() ([]Group, error)

	groups []Group
	read   bool
}

// Call runs a group function; false when the name is none.
func (s *Memberships) Call(name string, args []any) (result any, known bool, err error) {
	matcher, ok := groupFunctions[name]
	if !ok {
		return nil, false, nil
	}
	if len(args) == 0 {
		return nil, true, fault.New(fault.Invalid, "%s needs an argument", name)
	}
	if !s.read {
		if s.groups, err = s.Groups(); err != nil {
			return nil, true, err
		}
		s.read = true
	}
	match, err := matcher(name, args)
	if err != nil {
		return nil, true, err
	}
	for _, g := range s.groups {
		if match(g) {
			return true, true, nil
		}
	}
	return false, true, nil
}

// IsGroupFunction reports whether a function asks for groups.
func IsGroupFunction(name string) bool {
	_, ok := groupFunctions[name]
	return ok
}

type groupMatch func(Group) bool

var groupFunctions = map[string]func(name string, args []any) (groupMatch, error){
	"isMemberOfGroup":               anyOf(func(g Group, id string) bool { return g.ID == id }),
	"isMemberOfAnyGroup":            anyOf(func(g Group, id string) bool { return g.ID == id }),
	"isMemberOfGroupName":           anyOf(func(g Group, name string) bool { return g.Name == name }),
	"isMemberOfGroupNameStartsWith": anyOf(func(g Group, s string) bool { return strings.HasPrefix(g.Name, s) }),
	"isMemberOfGroupNameContains":   anyOf(func(g Group, s string) bool { return strings.Contains(g.Name, s) }),
	"isMemberOfGroupNameRegex":      byPattern,
	"user.isMemberOf":               byCriteria,
}

// anyOf is true of a group that fits one of the arguments. Lists count by their
// elements.
func anyOf(fits func(Group, string) bool) func(string, []any) (groupMatch, error) {
	return func(name string, args []any) (groupMatch, error) {
		wanted, err := words(name, args)
		if err != nil {
			return nil, err
		}
		return func(g Group) bool {
			for _, w := range wanted {
				if fits(g, w) {
					return true
				}
			}
			return false
		}, nil
	}
}

// words are texts, and the elements of lists of texts. A null is left out.
func words(name string, args []any) ([]string, error) {
	var out []string
	for _, arg := range args {
		switch v := arg.(type) {
		case nil:
		case string:
			out = append(out, v)
		case []any:
			more, err := words(name, v)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		default:
			return nil, fault.New(fault.Invalid, "%s needs texts, not %s", name, sort(arg))
		}
	}
	return out, nil
}

// byPattern matches whole names against a regular expression, in linear time.
func byPattern(name string, args []any) (groupMatch, error) {
	patterns, err := words(name, args)
	if err != nil || len(patterns) != 1 {
		return nil, fault.Wrap(fault.Invalid, err, "%s needs one pattern", name)
	}
	// By itself first: one that closes more than it opens would end the brackets
	// that make it match the whole name.
	if _, err = regexp.Compile(patterns[0]); err == nil {
		var re *regexp.Regexp
		if re, err = regexp.Compile("^(?:" + patterns[0] + ")$"); err == nil {
			return func(g Group) bool { return re.MatchString(g.Name) }, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, err, "%s: %q is not a regular expression", name, patterns[0])
}

// byCriteria is user.isMemberOf({"group.id": {"00g…"}}, {"group.profile.name":
// "West", "operator": "EXACT"}): a group must fit all arguments; of several
// values one must fit. Names match by their start when no operator is named.
func byCriteria(name string, args []any) (groupMatch, error) {
	var all []groupMatch
	for _, arg := range args {
		o, ok := arg.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s needs objects such as {'group.id': '00g…'}, not %s", name, sort(arg))
		}
		for key, v := range o {
			if key == "operator" {
				continue
			}
			match, err := criterion(name, key, v, o["operator"])
			if err != nil {
				return nil, err
			}
			all = append(all, match)
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "%s needs a criterion such as {'group.id': '00g…'}", name)
	}
	return func(g Group) bool {
		for _, match := range all {
			if !match(g) {
				return false
			}
		}
		return true
	}, nil
}

func criterion(name, key string, v, operator any) (groupMatch, error) {
	equal := func(of func(Group) string) func(Group, string) bool {
		return func(g Group, s string) bool { return of(g) == s }
	}
	byName := func(g Group, s string) bool { return strings.HasPrefix(g.Name, s) }
	if operator == "EXACT" {
		byName = equal(func(g Group) string { return g.Name })
	} else if operator != nil && operator != "STARTS_WITH" {
		return nil, fault.New(fault.Invalid, "%s: an operator is EXACT or STARTS_WITH", name)
	}
	fits := map[string]func(Group, string) bool{
		"group.id":           equal(func(g Group) string { return g.ID }),
		"group.type":         equal(func(g Group) string { return g.Type }),
		"group.source.id":    equal(func(g Group) string { return g.Source }),
		"group.profile.name": byName,
	}[key]
	if fits == nil {
		return nil, fault.New(fault.Invalid, "%s: groups have no %s to search for", name, key)
	}
	return anyOf(fits)(name, []any{v})
}
