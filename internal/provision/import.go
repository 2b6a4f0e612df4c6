package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/compute"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// ImportOptions say how an import finds the people of the directory.
type ImportOptions struct {
	// Match is the rule: "userName" (of the assignment, else the login), "email",
	// "externalId" (the id of the user), or "expression". Empty: userName.
	Match MatchRule `json:"match,omitempty"`
	// Expression gives the login that somebody of the application has here. It
	// reads appuser: the attributes of the mapping by name, with userName,
	// externalId, id and active.
	Expression string `json:"expression,omitempty"`

	// Inactive imports people too who are inactive in the application; Okta skips
	// them (scim-auth0.md 1.2).
	Inactive bool `json:"inactive,omitempty"`
	// Confirm links those who match exactly one person. Without it, the import
	// only reports.
	Confirm bool `json:"confirm,omitempty"`
}

// MatchRule says how a user of an application is found in the directory.
type MatchRule string

// The rules.
const (
	MatchUserName   MatchRule = "userName"
	MatchEmail      MatchRule = "email"
	MatchExternalID MatchRule = "externalId"
	MatchExpression MatchRule = "expression"
)

// ImportReport is what an import found.
type ImportReport struct {
	App       string        `json:"app"`
	Scanned   int           `json:"scanned"`
	Inactive  int           `json:"inactive"`  // skipped
	Linked    int           `json:"linked"`    // before
	Confirmed int           `json:"confirmed"` // linked by this import
	Matched   []Match       `json:"matched,omitempty"`
	Ambiguous []Match       `json:"ambiguous,omitempty"` // one for each person they might be
	Taken     []Match       `json:"taken,omitempty"`     // the person is linked to another user there
	Orphans   []Remote      `json:"orphans,omitempty"`   // nobody here is them
	Missing   []MissingLink `json:"missing,omitempty"`   // linked, and not there any more
	Drift     []Drift       `json:"drift,omitempty"`     // attributes that differ from what is mapped
}

// Remote is a user of an application.
type Remote struct {
	ID       string `json:"id"`
	UserName string `json:"userName"`
	Active   bool   `json:"active"`
}

// Match is a user of an application and the person whom the rule finds.
type Match struct {
	Remote
	Account string `json:"account"`
	Login   string `json:"login"`
	By      string `json:"by"` // which value matched
}

// MissingLink is somebody who is linked to a user that the application does not list.
type MissingLink struct {
	Account  string `json:"account"`
	RemoteID string `json:"remoteId"`
	UserName string `json:"userName"`
}

// Drift is an attribute of a linked person that is different in the application.
type Drift struct {
	Account   string `json:"account"`
	UserName  string `json:"userName"`
	Attribute string `json:"attribute"`
	Here      any    `json:"here"` // as mapped
	There     any    `json:"there"`
}

// Import reads the users of an application page by page, as Okta does, and
// compares them with the directory. It writes nothing at the target. Links that
// are confirmed are kept, and so is the application of the person, who gets it
// assigned unless it is already.
func (e *Engine) Import(ctx context.Context, actor directory.Actor, t *Target, o ImportOptions) (*ImportReport, error) {
	i, err := e.newImport(ctx, t, o)
	if err != nil {
		return nil, err
	}
	if err := i.read(ctx); err != nil {
		return nil, err
	}
	for _, remote := range slices.Sorted(maps.Keys(i.linked)) {
		if l := i.linked[remote]; !i.seen[remote] {
			i.report.Missing = append(i.report.Missing, MissingLink{l.Account, l.RemoteID, l.UserName})
		}
	}
	i.dropShared()
	if o.Confirm {
		for _, m := range i.report.Matched {
			if err := i.confirm(ctx, actor, m); err != nil {
				return nil, err
			}
		}
	}
	return i.report, nil
}

// importing is one import.
type importing struct {
	engine     *Engine
	target     *Target
	options    ImportOptions
	expression *compute.Expression
	mapping    *CompiledMapping
	report     *ImportReport

	linked   map[string]Link // by remote id
	holder   map[string]bool // accounts that are linked
	assigned map[string]string
	seen     map[string]bool // remote ids
}

func (e *Engine) newImport(ctx context.Context, t *Target, o ImportOptions) (*importing, error) {
	i := &importing{
		engine: e, target: t, options: o, report: &ImportReport{App: t.ID},
		linked: map[string]Link{}, holder: map[string]bool{}, assigned: map[string]string{}, seen: map[string]bool{},
	}
	switch o.Match {
	case "":
		i.options.Match = MatchUserName
	case MatchUserName, MatchEmail, MatchExternalID:
	case MatchExpression:
		var err error
		if i.expression, err = matchExpression(o.Expression); err != nil {
			return nil, err
		}
	default:
		return nil, fault.New(fault.Invalid, "people are not matched by %q", string(o.Match)).Fix("use userName, email, externalId or expression")
	}
	for l, err := range e.Store.Links(ctx, t.Realm, t.ID) {
		if err != nil {
			return nil, err
		}
		if l.RemoteID != "" {
			i.linked[l.RemoteID], i.holder[l.Account] = l, true
		}
	}
	err := e.Directory.Store.View(ctx, func(r directory.Reader) error {
		mapping, err := mappingOf(r, t.Realm, t.ID)
		if err != nil {
			return err
		}
		if i.mapping, err = mapping.Rows.Compile(); err != nil {
			return err
		}
		users, err := directory.All[directory.AppUser](r, directory.RecordQuery{Realm: t.Realm, Parent: t.ID}, 0, nil)
		for _, u := range users {
			i.assigned[directory.Fold(u.UserName)] = u.Account
		}
		return err
	})
	return i, err
}

func matchExpression(text string) (*compute.Expression, error) {
	x, err := compute.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, v := range x.Variables() {
		if name, _, _ := strings.Cut(v.Name, "."); name != "appuser" {
			return nil, fault.New(fault.Invalid, "there is no variable %s", name).Fix("the expression reads appuser")
		}
	}
	return x, nil
}

// read goes through the pages. Servers that give less than they are asked for go
// on where they stopped.
func (i *importing) read(ctx context.Context) error {
	session := i.engine.Client.Open(i.target, "", "import")
	defer session.Close(ctx)
	for start := 1; ; {
		c := ListCall(usersPath, start, PageSize)
		c.Why = []Note{"import"}
		answer, err := session.Call(ctx, c)
		if err != nil {
			return Unreached(err)
		}
		list, ok := answer.Body["Resources"].([]any)
		if !ok && answer.Body["totalResults"] == nil {
			return fault.New(fault.Unavailable, "the answer of the target is no list of users").At("GET %s?%s", c.Path, c.Query)
		}
		fresh, err := i.page(ctx, list)
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return nil
		case fresh == 0:
			return fault.New(fault.Unavailable, "the target answers the same users again").At("startIndex %d", start).Fix("its paging by startIndex does not work")
		}
		start += len(list)
		if total, ok := wholeNumber(answer.Body["totalResults"]); ok && start > total {
			return nil
		}
	}
}

func wholeNumber(v any) (int, bool) {
	n := 0
	_, err := fmt.Sscan(value.Text(v), &n)
	return n, err == nil
}

// page looks at the users of a page, and says how many are new.
func (i *importing) page(ctx context.Context, list []any) (fresh int, err error) {
	err = i.engine.Directory.Store.View(ctx, func(r directory.Reader) error {
		for _, item := range list {
			resource, _ := item.(map[string]any)
			id := idOf(resource)
			if id == "" || i.seen[id] {
				continue
			}
			i.seen[id] = true
			fresh++
			if err := i.user(r, resource); err != nil {
				return err
			}
		}
		return nil
	})
	return fresh, err
}

// remoteOf reads what identifies a user; who does not say is active.
func remoteOf(resource map[string]any) Remote {
	userName, _ := resource["userName"].(string)
	inactive := resource["active"] == false || strings.EqualFold(value.Text(resource["active"]), "false")
	return Remote{ID: idOf(resource), UserName: userName, Active: !inactive}
}

func (i *importing) user(r directory.Reader, resource map[string]any) error {
	i.report.Scanned++
	remote := remoteOf(resource)
	if l, ok := i.linked[remote.ID]; ok {
		i.report.Linked++
		return i.drift(r, l, remote, resource)
	}
	if !remote.Active && !i.options.Inactive {
		i.report.Inactive++
		return nil
	}
	found, by, err := i.find(r, remote, resource)
	if err != nil {
		return err
	}
	var matches []Match
	for _, a := range found {
		matches = append(matches, Match{remote, a.ID, a.Login(), by})
	}
	switch {
	case len(matches) == 0:
		i.report.Orphans = append(i.report.Orphans, remote)
	case len(matches) > 1:
		i.report.Ambiguous = append(i.report.Ambiguous, matches...)
	case i.holder[matches[0].Account]:
		i.report.Taken = append(i.report.Taken, matches[0])
	default:
		i.report.Matched = append(i.report.Matched, matches[0])
	}
	return nil
}

// find returns the people whom the rule finds for a user, and the value by which.
func (i *importing) find(r directory.Reader, remote Remote, resource map[string]any) (found []*directory.Account, by string, err error) {
	realm := i.target.Realm
	one := func(a *directory.Account, err error) ([]*directory.Account, string, error) {
		if fault.Is(err, fault.NotFound) {
			return nil, by, nil
		}
		if err != nil {
			return nil, by, err
		}
		return []*directory.Account{a}, by, nil
	}
	login := func(text string) ([]*directory.Account, string, error) {
		if text == "" {
			return nil, "", nil
		}
		by = text
		return one(r.AccountByKey(realm, directory.LoginKey(text)))
	}
	switch i.options.Match {
	case MatchExternalID:
		by, _ = resource["externalId"].(string)
		if by == "" {
			return nil, "", nil
		}
		return one(r.Account(realm, by))
	case MatchEmail:
		return i.findByEmail(r, resource)
	case MatchExpression:
		v, err := i.expression.Eval(compute.Vars{"appuser": i.attributes(remote, resource)})
		if err != nil {
			return nil, "", err
		}
		text, _ := v.(string)
		return login(text)
	}
	if account, ok := i.assigned[directory.Fold(remote.UserName)]; ok {
		by = remote.UserName
		return one(r.Account(realm, account))
	}
	return login(remote.UserName)
}

// findByEmail matches any of a user's addresses.
func (i *importing) findByEmail(r directory.Reader, resource map[string]any) (found []*directory.Account, by string, err error) {
	emails, _ := resource["emails"].([]any)
	for _, e := range emails {
		o, _ := e.(map[string]any)
		address, _ := o["value"].(string)
		if address == "" {
			continue
		}
		for a, err := range r.Accounts(directory.AccountQuery{Realm: i.target.Realm, Email: directory.Fold(address)}) {
			if err != nil {
				return nil, "", err
			}
			if !slices.ContainsFunc(found, func(b *directory.Account) bool { return a.ID == b.ID }) {
				found, by = append(found, a), address
			}
		}
	}
	return found, by, nil
}

// attributes are what an expression sees of a user of the application.
func (i *importing) attributes(remote Remote, resource map[string]any) map[string]any {
	out := map[string]any{}
	for _, row := range i.mapping.rows {
		out[row.Name] = row.read(resource)
	}
	out["id"], out["userName"], out["active"], out["externalId"] = remote.ID, remote.UserName, remote.Active, resource["externalId"]
	return out
}

// read returns the value that a resource has where a row writes.
func (row mappedRow) read(resource map[string]any) any {
	if !row.core() {
		resource, _ = resource[row.Namespace].(map[string]any)
	}
	return row.path.get(resource)
}

// drift compares a linked user with what would be sent now. People who are not to
// be active there are compared by that alone.
func (i *importing) drift(r directory.Reader, l Link, remote Remote, resource map[string]any) error {
	p, err := personOf(r, i.target.Realm, i.target.ID, l.Account)
	if err != nil {
		return err
	}
	add := func(attribute string, here, there any) {
		i.report.Drift = append(i.report.Drift, Drift{l.Account, remote.UserName, attribute, here, there})
	}
	if want := active(p); want != remote.Active {
		add("active", want, remote.Active)
		return nil
	} else if !want {
		return nil
	}
	resolution, err := i.mapping.Resolve(r, p, Updating)
	if fault.Is(err, fault.Invalid) {
		return nil // its push fails, and says so
	}
	if err != nil {
		return err
	}
	if resolution.UserName != remote.UserName {
		add("userName", resolution.UserName, remote.UserName)
	}
	for _, a := range resolution.Attributes {
		there := mappedRow{Row: a.Row, path: a.path}.read(resource)
		if !same(a.Value, there) {
			add(a.Attribute(), a.Value, there)
		}
	}
	return nil
}

// same compares values; no value is the same as an empty one, because servers
// may drop what is empty (RFC 7643 2.5).
func same(a, b any) bool {
	empty := func(v any) bool { return v == nil || v == "" }
	return empty(a) && empty(b) || value.Equal(a, b)
}

// dropShared takes away the matches of people whom several users match: nobody
// can say which of them it is.
func (i *importing) dropShared() {
	times := map[string]int{}
	for _, m := range i.report.Matched {
		times[m.Account]++
	}
	kept := i.report.Matched[:0]
	for _, m := range i.report.Matched {
		if times[m.Account] > 1 {
			i.report.Ambiguous = append(i.report.Ambiguous, m)
			continue
		}
		kept = append(kept, m)
	}
	i.report.Matched = kept
}

// confirm links somebody. The link is stored before the assignment, whose entry
// in the change log would have him created otherwise.
func (i *importing) confirm(ctx context.Context, actor directory.Actor, m Match) error {
	t, e := i.target, i.engine
	l, err := e.Store.Link(ctx, t.Realm, t.ID, m.Account)
	if err != nil {
		return err
	}
	l.RemoteID, l.UserName, l.Active, l.Linked, l.Doubt = m.ID, m.UserName, m.Active, e.now(), ""
	if err := e.Store.PutLink(ctx, l); err != nil {
		return err
	}
	_, err = e.Directory.AssignUser(ctx, actor, t.Realm, t.ID, m.Account, directory.AppUserDraft{UserName: &m.UserName})
	if errors.Is(err, directory.AlreadyAssigned) || errors.Is(err, directory.InactiveUser) { // the link is kept all the same
		err = nil
	}
	if err == nil {
		i.report.Confirmed++
	}
	return err
}
