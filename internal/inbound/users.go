package inbound

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// maxIDPart is the longest last part of a user id, in bytes. Auth0 limits what
// callers choose to 255.
const maxIDPart = 255

// account returns an account of the connection.
func (e *Endpoint) account(r directory.Reader, id string) (*directory.Account, error) {
	a, err := r.Account(e.realm(), id)
	if err != nil {
		return nil, err
	}
	if !e.owns(a) {
		return nil, directory.NotFound(directory.AccountNoun, id)
	}
	return a, nil
}

func (e *Endpoint) owns(a *directory.Account) bool {
	return a.Connected() && a.Connection == e.connection.Name
}

// userVersion is the entity tag of a user.
func userVersion(a *directory.Account) string { return `W/"` + strconv.FormatInt(a.Version, 10) + `"` }

// current is the SCIM resource of an account as it is now, without id and meta.
// It takes the account's own resource over: a page has too many to copy each.
func (e *Endpoint) current(a *directory.Account) scim.Resource {
	r := a.Resource
	e.mapping.show(r, a)
	if e.auth0 {
		r = e.mapping.prune(r)
	}
	r["schemas"] = schemas(e.users, r)
	return r
}

// schemas lists the schemas that a resource has attributes of.
func schemas(typ *scim.ResourceType, r scim.Resource) []any {
	out := []any{typ.Schema.ID}
	for _, x := range typ.Extensions {
		if r[x.Schema.ID] != nil {
			out = append(out, x.Schema.ID)
		}
	}
	return out
}

// userResource is what a client is shown of an account.
func (e *Endpoint) userResource(r directory.Reader, a *directory.Account, withGroups bool) (scim.Resource, error) {
	if !withGroups || e.auth0 {
		return e.userIn(a, nil), nil
	}
	groups, err := e.groupsOf(r, []string{a.ID})
	return e.userIn(a, groups[a.ID]), err
}

// userIn is what a client is shown of an account that is in groups.
func (e *Endpoint) userIn(a *directory.Account, groups []any) scim.Resource {
	out := e.current(a)
	put(out, "groups", groups)
	stamp(out, e.users, a.ID, a.Created, a.Updated, userVersion(a))
	return out
}

// stamp writes what the server says of a resource into it.
func stamp(r scim.Resource, typ *scim.ResourceType, id string, created, modified time.Time, version string) {
	r["id"] = id
	r["meta"] = map[string]any{
		"resourceType": typ.Name, "created": scim.FormatTime(created), "lastModified": scim.FormatTime(modified), "version": version,
	}
}

// groupsOf returns the groups that accounts are in, as their resources show them.
func (e *Endpoint) groupsOf(r directory.Reader, accounts []string) (map[string][]any, error) {
	var all []directory.Membership
	for m, err := range r.Memberships(e.realm(), accounts) {
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	shown := map[string]map[string]any{}
	out := map[string][]any{}
	for _, m := range all {
		as, known := shown[m.Group]
		if !known {
			g, err := r.Group(e.realm(), m.Group)
			if err != nil {
				return nil, err
			}
			if g.Type == directory.ConnectionGroup {
				as = map[string]any{"value": g.ID, "display": g.Name(), "type": "direct"}
			}
			shown[m.Group] = as
		}
		if as != nil {
			out[m.Account] = append(out[m.Account], maps.Clone(as))
		}
	}
	return out, nil
}

// kept is the part of a resource that an account keeps.
func kept(r scim.Resource) map[string]any {
	r = shallow(r)
	for _, name := range []string{"id", "meta", "schemas", "password", "groups", "members"} {
		delete(r, name)
	}
	return r
}

// createUser adds the person that a POST describes, or links an account.
func (w *work) createUser(ctx context.Context, given scim.Resource) (made scim.Resource, err error) {
	w.notePassword(given)
	given = w.admit(given)
	err = w.update(ctx, func(tx directory.Tx) error {
		before, err := w.known(tx, given)
		if err != nil {
			return err
		}
		after, err := w.linkOrInsert(tx, before, given)
		if err != nil {
			return taken(err)
		}
		if err := w.appeared(tx, after); err != nil {
			return err
		}
		made, err = w.userResource(tx, after, before != nil)
		return err
	})
	return made, err
}

// admit returns what is kept of the resource that a client sent.
func (w *work) admit(given scim.Resource) scim.Resource {
	given = kept(given)
	if !w.auth0 {
		return given
	}
	pruned := w.mapping.prune(given)
	if !value.Equal(pruned, given) {
		w.note("attributes that the mapping does not name were left out, as Auth0 does")
	}
	return pruned
}

func (w *work) notePassword(given scim.Resource) {
	if given["password"] != nil {
		w.note("the password was not kept: people of an enterprise connection sign in at their identity provider")
	}
}

func (w *work) linkOrInsert(tx directory.Tx, before *directory.Account, given scim.Resource) (*directory.Account, error) {
	if before != nil {
		after := directory.CloneAccount(before)
		if given["active"] == nil {
			given["active"] = true // somebody who is created is active
		}
		after.Resource = given
		w.mapping.apply(after, given)
		return after, w.directory().SaveConnected(tx, w.actor(), before, after)
	}
	a, err := w.newAccount(given)
	if err != nil {
		return nil, err
	}
	return a, w.directory().CreateConnected(tx, w.actor(), a)
}

func (w *work) newAccount(given scim.Resource) (*directory.Account, error) {
	id, err := w.userID(given)
	if err != nil {
		return nil, err
	}
	a := &directory.Account{
		ID: id, Realm: w.realm(), Connection: w.connection.Name, Status: directory.Active,
		Profile: map[string]any{}, Resource: given,
		Provider: directory.Provider{Type: w.connection.Strategy, Name: w.connection.Name},
	}
	w.mapping.apply(a, given)
	if given["active"] != nil {
		a.StatusChanged = w.directory().Now() // Auth0 shows blocked once somebody said so
	}
	return a, nil
}

// userID is the id that signing in through the connection gives the person too:
// strategy|connection|part (scim-auth0.md 5.1).
func (w *work) userID(given scim.Resource) (string, error) {
	part, _ := given[w.config.UserIDAttribute].(string)
	switch {
	case len(part) > maxIDPart:
		return "", scim.Fail(scim.InvalidValue, "%s is longer than %d bytes", w.config.UserIDAttribute, maxIDPart)
	case part == "" && w.auth0:
		return "", scim.Fail(scim.InvalidValue, "%s is required: it is the user id", w.config.UserIDAttribute)
	case part == "":
		part = w.directory().IDs.Object()
		w.note("there is no " + w.config.UserIDAttribute + ", so the user id was made up; signing in will not find it")
	}
	return w.connection.Strategy + "|" + w.connection.Name + "|" + part, nil
}

// known returns the account that a POST is about by the connection's policy, nil
// for none.
func (w *work) known(tx directory.Reader, given scim.Resource) (*directory.Account, error) {
	external, _ := given["externalId"].(string)
	userName, _ := given["userName"].(string)
	by := "externalId"
	a, err := w.byKey(tx, directory.KeyExternalID, external)
	if err == nil && a == nil {
		by = "userName"
		a, err = w.byKey(tx, directory.KeyUserName, userName)
	}
	switch {
	case err != nil:
		return nil, err
	case a != nil:
		if err := w.link(a, given, by); err != nil {
			return nil, err
		}
		return a, nil
	case w.config.Policy.Existing == tenant.Link:
		return w.byEmail(tx, given)
	}
	return nil, nil
}

// link says whether an account becomes the one that a POST asks for. Somebody who
// was blocked comes back (rehire), and an account that no identity provider has
// claimed yet may be claimed (existing). Nobody else is touched: an active account
// is never the one that a POST creates.
func (w *work) link(a *directory.Account, given scim.Resource, by string) error {
	policy, own := w.config.Policy, a.ExternalText("externalId")
	external, _ := given["externalId"].(string)
	returns := a.Blocked() && given["active"] != false
	switch {
	case own != "" && external != "" && own != external && w.config.UserIDAttribute != tenant.ByUserName:
		return scim.Fail(scim.Uniqueness, "a user with another externalId has this %s already", by)
	case returns && policy.Rehire == tenant.Link:
		w.note("a blocked account has this " + by + "; it was linked, updated and unblocked (policy rehire: link)")
		return nil
	case own == "" && policy.Existing == tenant.Link:
		w.note("an account without externalId has this " + by + "; it was linked and updated (policy existing: link)")
		return nil
	case returns:
		w.note("a blocked account has this " + by + " (policy rehire: refuse)")
	case a.Blocked():
		w.note("a blocked account has this " + by + " and the request leaves it blocked: nobody returns")
	default:
		w.note("an active account has this " + by + ": only blocked ones are linked (policy rehire)")
	}
	return scim.Fail(scim.Uniqueness, "a user has this %s already", by)
}

// byEmail returns the one account of the connection with the e-mail address that
// the mapping finds in a resource and with no externalId.
func (w *work) byEmail(tx directory.Reader, given scim.Resource) (found *directory.Account, err error) {
	sketch := &directory.Account{Profile: map[string]any{}}
	w.mapping.apply(sketch, given)
	if sketch.Email() == "" {
		return nil, nil
	}
	q := directory.AccountQuery{Realm: w.realm(), Connection: w.connection.Name, Email: directory.Fold(sketch.Email())}
	for a, err := range tx.Accounts(q) {
		switch {
		case err != nil:
			return nil, err
		case a.ExternalText("externalId") != "":
		case found != nil:
			w.note("several accounts have this e-mail address; none was linked")
			return nil, nil
		default:
			found = a
		}
	}
	if found == nil {
		return nil, nil
	}
	w.note("an account without externalId has this e-mail address; it was linked and updated (policy existing: link)")
	return found, nil
}

// byKey returns the account of the connection with a key, nil when there is none.
func (e *Endpoint) byKey(r directory.Reader, name, text string) (*directory.Account, error) {
	if text == "" {
		return nil, nil
	}
	if name == directory.KeyUserName {
		text = directory.Fold(text)
	}
	a, err := r.AccountByKey(e.realm(), directory.Key{Scope: e.connection.Name, Name: name, Value: text})
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return a, err
}

// changeUser stores what a function makes of a user's resource.
func (w *work) changeUser(ctx context.Context, id, ifMatch string, change func(scim.Resource) (scim.Resource, error)) (out scim.Resource, err error) {
	err = w.update(ctx, func(tx directory.Tx) error {
		before, err := w.account(tx, id)
		if err != nil {
			return err
		}
		if err := w.match(ifMatch, userVersion(before)); err != nil {
			return err
		}
		after := directory.CloneAccount(before)
		current := w.current(after)
		current["id"] = id
		next, err := change(current)
		if err != nil {
			return err
		}
		if err := w.store(tx, before, after, current, next); err != nil {
			return err
		}
		out, err = w.userResource(tx, after, true)
		return err
	})
	return out, err
}

// store saves an account of which a request made another resource, unless it is
// the same.
func (w *work) store(tx directory.Tx, before, after *directory.Account, current, next scim.Resource) error {
	w.notePassword(next)
	was := kept(current)
	next = w.admit(next)
	if next["active"] == nil && was["active"] != nil {
		// What a PUT leaves out may be kept (RFC 7644 3.5.1); nobody is unblocked
		// by not being mentioned.
		next["active"] = was["active"]
		w.note("active was not given and stays as it is")
	}
	if value.Equal(was, next) {
		w.note("nothing changed")
		return nil
	}
	after.Resource = next
	w.mapping.apply(after, next)
	w.noteMoved(before, after)
	if err := w.directory().SaveConnected(tx, w.actor(), before, after); err != nil {
		return taken(err)
	}
	return w.appeared(tx, after)
}

// noteMoved says what follows from a change that people overlook.
func (w *work) noteMoved(before, after *directory.Account) {
	by := w.config.UserIDAttribute
	if before.ExternalText(by) != after.ExternalText(by) {
		w.note(by + " changed and the user id did not: signing in will give another one")
	}
	if !before.Blocked() && after.Blocked() {
		w.note("active became false: the user was blocked, sessions and refresh tokens ended")
	}
	if before.Blocked() && !after.Blocked() {
		w.note("active became true: the user was unblocked")
	}
}

// taken words a conflict as SCIM does.
func taken(err error) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	var violations directory.Violations
	var worded *scim.Error
	switch {
	case errors.As(err, &worded):
		return err
	case errors.As(err, &violations) && len(violations) > 0:
		return scim.Fail(scim.Uniqueness, "%s is taken by another user", violations[0].Field)
	}
	return scim.Fail(scim.Uniqueness, "a user with this id exists already")
}
