package okta

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// grammar says which expressions a parameter takes (Okta: core API, filtering
// and searching). Everything else is E0000031.
type grammar struct {
	attributes []string    // by name; profile attributes with "profile." in front
	schema     []string    // names of profile attributes beside them
	custom     bool        // also the profile attributes that the org defined
	anyProfile bool        // also profile attributes outside the schema
	operators  []filter.Op // for every attribute
	contains   []string    // attributes that also take co
	ordered    []string    // attributes that also take gt, ge, lt, le
	folded     bool        // values are compared without case
}

var inequalities = []filter.Op{filter.Greater, filter.GreaterOrEqual, filter.Less, filter.LessOrEqual}

var searchOperators = append([]filter.Op{filter.Equal, filter.StartsWith, filter.Present}, inequalities...)

var (
	userSearch = grammar{
		attributes: []string{"id", "status", "created", "activated", "statusChanged", "lastUpdated", "type.id"},
		schema:     names(directory.OktaProfile),
		custom:     true,
		operators:  searchOperators,
		contains:   []string{"profile.firstName", "profile.lastName", "profile.email", "profile.login"},
		folded:     true,
	}
	userFilter = grammar{
		attributes: []string{"status", "lastUpdated", "id", "profile.login", "profile.email", "profile.firstName", "profile.lastName"},
		operators:  []filter.Op{filter.Equal},
		ordered:    []string{"lastUpdated"},
	}
	groupSearch = grammar{
		attributes: []string{"id", "created", "lastMembershipUpdated", "lastUpdated", "type", "source.id"},
		anyProfile: true,
		operators:  searchOperators,
		contains:   []string{"profile.name", "profile.description"},
		folded:     true,
	}
	groupFilter = grammar{
		attributes: []string{"id", "type", "lastUpdated", "lastMembershipUpdated", "published"},
		operators:  []filter.Op{filter.Equal, filter.Greater, filter.Less},
	}
)

func names(schema []directory.Attribute) []string {
	out := make([]string, len(schema))
	for i, a := range schema {
		out[i] = a.Name
	}
	return out
}

// dates are the attributes that hold a time.
var dates = []string{"created", "activated", "statusChanged", "lastUpdated", "lastMembershipUpdated", "published"}

// sortable reports whether a list can be ordered by an attribute.
func (g grammar) sortable(path string) bool {
	if slices.Contains(g.attributes, path) {
		return true
	}
	name, ok := strings.CutPrefix(path, "profile.")
	return ok && (g.anyProfile || slices.Contains(g.schema, name))
}

func (g grammar) allows(c *filter.Compare) bool {
	switch {
	case !g.sortable(c.Path):
		return false
	case slices.Contains(g.operators, c.Op):
		return true
	case c.Op == filter.Contains:
		return slices.Contains(g.contains, c.Path)
	}
	return slices.Contains(inequalities, c.Op) && slices.Contains(g.ordered, c.Path)
}

// parse reads an expression and checks it against the grammar.
func (g grammar) parse(text string) (filter.Expr, error) {
	e, err := filter.Parse(text)
	if err != nil {
		return nil, problem("E0000031", fault.Public(err)).because(err)
	}
	err = filter.Walk(e, func(c *filter.Compare) error {
		if !g.allows(c) {
			return problem("E0000031", c.Path+" "+string(c.Op)+" is not supported here")
		}
		if text, ok := c.Value.(string); slices.Contains(dates, c.Path) && c.Op != filter.Present {
			if _, good := filter.ParseTime(text); !ok || !good {
				return problem("E0000031", c.Path+" needs a date in double quotes, such as \"2026-01-31T00:00:00.000Z\"")
			}
		}
		return nil
	})
	return e, err
}

// fold is how the grammar compares values.
func (g grammar) fold() func(path, text string) string {
	if !g.folded {
		return nil
	}
	return func(_, text string) string { return strings.ToLower(text) }
}

// accountSelection is what a list of users asks for: a query that the store
// answers from an index, and a condition on what it yields.
type accountSelection struct {
	query directory.AccountQuery
	ref   string // the id or login of the only account that can match; empty: any may
	match func(*directory.Account) bool
}

// withCustom adds the custom attributes of the org to a grammar, when an
// expression or a sort key may need them. Most do not, and read no schema.
func (a *API) withCustom(ctx context.Context, g grammar, text string) (grammar, error) {
	if !g.custom || !g.names(text) {
		return g, nil
	}
	custom, err := a.Directory.CustomAttributes(ctx, a.Realm)
	g.schema = append(slices.Clip(g.schema), custom...)
	return g, err
}

// names reports whether an expression names a profile attribute that the
// grammar does not know. What cannot be read names none: parse will say why.
func (g grammar) names(text string) bool {
	e, err := filter.Parse(text)
	if err != nil {
		return false
	}
	unknown := false
	_ = filter.Walk(e, func(c *filter.Compare) error {
		unknown = unknown || !g.sortable(c.Path) && strings.HasPrefix(c.Path, "profile.")
		return nil
	})
	return unknown
}

func (a *API) userSelection(ctx context.Context, search, filterText, term string) (accountSelection, error) {
	g, text := userSearch, search
	if filterText != "" {
		g, text = userFilter, filterText
	}
	var s accountSelection
	var expr filter.Expr
	if text != "" {
		g, err := a.withCustom(ctx, g, text)
		if err != nil {
			return s, err
		}
		if expr, err = g.parse(text); err != nil {
			return s, err
		}
		s.query, s.ref = indexed(expr)
		s.query.Holding = web.PlainRun(filter.Needed(expr, keptAsText))
	}
	s.query.Holding = cmp.Or(s.query.Holding, web.PlainRun(term))
	s.match = func(a *directory.Account) bool {
		if expr == nil && a.Status == directory.Deprovisioned {
			return false // the bare list and q leave them out
		}
		if term != "" && !startsWith(term, a.Text("firstName"), a.Text("lastName"), a.Email()) {
			return false
		}
		return expr == nil || filter.Match(expr, filter.Subject{
			Get: func(path string) []any { return accountValues(a, path) }, Fold: g.fold(),
		})
	}
	return s, nil
}

// indexed finds what an expression pins down, so that looking up one login, id
// or address does not read every account.
func indexed(e filter.Expr) (q directory.AccountQuery, ref string) {
	if id, ok := filter.Pinned(e, "id"); ok {
		return q, id
	}
	if login, ok := filter.Pinned(e, "profile.login"); ok {
		return q, login
	}
	if email, ok := filter.Pinned(e, "profile.email"); ok {
		q.Email = directory.Fold(email)
	}
	return q, ""
}

// keptAsText reports whether an attribute of users is stored in the letters that
// it is shown in.
func keptAsText(path string) bool { return path == "status" || strings.HasPrefix(path, "profile.") }

func startsWith(term string, values ...string) bool {
	term = strings.ToLower(term)
	return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(strings.ToLower(v), term) })
}

// accountValues are the values of an attribute for a search.
func accountValues(a *directory.Account, path string) []any {
	switch path {
	case "id":
		return []any{a.ID}
	case "status":
		return []any{string(a.Status)}
	case "type.id":
		return []any{a.UserType()}
	case "created":
		return moment(a.Created)
	case "activated":
		return moment(a.Activated)
	case "statusChanged":
		return moment(a.StatusChanged)
	case "lastUpdated":
		return moment(a.Updated)
	}
	return profileValues(a.Profile, path)
}

// moment is a time as it is shown: clients search for what they have seen.
func moment(t time.Time) []any {
	if t.IsZero() {
		return nil
	}
	return []any{t.Truncate(time.Second)}
}

func profileValues(profile map[string]any, path string) []any {
	name, ok := strings.CutPrefix(path, "profile.")
	if !ok || profile[name] == nil {
		return nil
	}
	if list, ok := profile[name].([]any); ok {
		return list
	}
	return []any{profile[name]}
}

// groupMatch is the condition of a list of groups.
func groupMatch(search, filterText, term string) (func(*directory.Group) bool, error) {
	g, text := groupSearch, search
	if filterText != "" {
		g, text = groupFilter, filterText
	}
	var expr filter.Expr
	if text != "" {
		var err error
		if expr, err = g.parse(text); err != nil {
			return nil, err
		}
	}
	return func(group *directory.Group) bool {
		if term != "" && !startsWith(term, group.Name()) {
			return false
		}
		return expr == nil || filter.Match(expr, filter.Subject{
			Get: func(path string) []any { return groupValues(group, path) }, Fold: g.fold(),
		})
	}, nil
}

// groupValues are the values of an attribute for a search.
func groupValues(g *directory.Group, path string) []any {
	switch path {
	case "id":
		return []any{g.ID}
	case "type":
		return []any{string(g.Type)}
	case "created":
		return moment(g.Created)
	case "lastUpdated":
		return moment(g.Updated)
	case "lastMembershipUpdated":
		return moment(g.MembershipUpdated)
	}
	return profileValues(g.Profile, path)
}
