package provision

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// URNs of messages and schemas (RFC 7643 8.7.1, RFC 7644 8.2).
const (
	coreGroup = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchOp   = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// Op is what was done, or would be, about a person or group.
type Op string

// The operations.
const (
	OpNone       Op = "none"
	OpCreate     Op = "create"
	OpLink       Op = "link" // found there and taken over
	OpUpdate     Op = "update"
	OpDeactivate Op = "deactivate"
	OpReactivate Op = "reactivate"
	OpPush       Op = "push"    // a group for the first time
	OpMembers    Op = "members" // of a group, or its name
	OpUnlink     Op = "unlink"  // a group is let go
	OpDelete     Op = "delete"  // a group
)

// Want is how a person is to be in the application.
type Want struct {
	Active         bool
	Suspended      bool   // not active, but assigned still
	Why            Note   // why so
	Create, Update Mapped // when Active
}

// Sequence carries out what one person or group needs, in Okta's order of
// requests (scim-auth0.md 1.2).
type Sequence struct {
	Caller Caller
	Target *Target
	Now    func() time.Time

	// Keep stores what is about to be tried, before a call leaves whose loss
	// would leave a doubt.
	Keep      func(context.Context, Link) error
	KeepGroup func(context.Context, GroupLink) error

	// Holder returns the account that a remote id is linked to, "" for none.
	Holder func(ctx context.Context, remoteID string) (string, error)

	Password func() string // the placeholder of a new account; nil: random
}

// Person brings a person from what is known of him to what is wanted. The link
// that it returns has to be stored whatever the error.
func (s *Sequence) Person(ctx context.Context, l Link, w Want) (Link, Op, error) {
	if l.Doubt != "" && !(w.Active && foldEqual(l.Doubt, w.Create.UserName)) { // otherwise assigning looks it up
		var err error
		if l, err = s.settle(ctx, l); err != nil {
			return l, OpNone, err
		}
	}
	l.Kept = l.Kept && !w.Active
	switch Decide(s.Target, l, w) {
	case OpCreate:
		return s.assign(ctx, l, w)
	case OpUpdate:
		return s.update(ctx, l, w)
	case OpReactivate:
		return s.setActive(ctx, l, w, OpReactivate)
	case OpDeactivate:
		return s.setActive(ctx, l, w, OpDeactivate)
	}
	return l, OpNone, nil
}

// Decide says what a person needs. OpCreate stands for the look-up that ends in
// a create or a link.
func Decide(t *Target, l Link, w Want) Op {
	switch {
	case !w.Active && l.Doubt != "":
		return OpDeactivate // if it turns out that there is somebody
	case !w.Active && l.RemoteID != "" && l.Active && !l.Kept && t.DeactivateUsers:
		return OpDeactivate
	case !w.Active:
		return OpNone
	case l.RemoteID == "" || l.Doubt != "" || !l.Active && !l.Suspended:
		if t.CreateUsers {
			return OpCreate
		}
	case !l.Active:
		if t.DeactivateUsers {
			return OpReactivate
		}
	case l.Digest != w.Update.digest():
		if t.UpdateUsers {
			return OpUpdate
		}
	}
	return OpNone
}

// digest tells whether what an application was told has changed.
func (m *Mapped) digest() string {
	b, err := value.Encode(m.Body)
	if err != nil { // no JSON value: it is not sent either
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// settle finds out whether a create whose answer was lost had arrived.
func (s *Sequence) settle(ctx context.Context, l Link) (Link, error) {
	hits, err := s.find(ctx, usersPath, "userName", l.Doubt, "a create was sent and its answer is not known: looked up before anything else")
	if err != nil {
		return l, err
	}
	for _, hit := range hits {
		holder, err := s.Holder(ctx, idOf(hit))
		if err != nil {
			return l, err
		}
		if holder == "" || holder == l.Account {
			s.Caller.Explain(ctx, "it had arrived: linked")
			l.RemoteID, l.UserName, l.Active, l.Digest, l.Doubt, l.Linked = idOf(hit), l.Doubt, true, "", "", s.Now()
			return l, nil
		}
	}
	s.Caller.Explain(ctx, "it had not arrived")
	l.Doubt = ""
	return l, nil
}

// find looks resources up by a unique attribute. Servers that ignore filters
// answer with others as well: these are dropped.
func (s *Sequence) find(ctx context.Context, endpoint, attribute, text string, why ...Note) ([]map[string]any, error) {
	c := findCall(endpoint, attribute, text)
	c.Why = why
	answer, err := s.Caller.Call(ctx, c)
	if classOf(err) == Missing { // some servers answer so when nothing matches, and Okta accepts it
		s.Caller.Explain(ctx, Note("0 hits by "+attribute))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, ok := answer.Body["Resources"].([]any)
	if !ok && answer.Body["totalResults"] == nil {
		return nil, &CallError{Method: c.Method, Path: c.Path, Status: answer.Status, Class: Transient, Sent: true, Detail: "the answer is no list"}
	}
	var hits []map[string]any
	for _, item := range list {
		r, _ := item.(map[string]any)
		if found, _ := r[attribute].(string); foldEqual(found, text) && idOf(r) != "" {
			hits = append(hits, r)
		}
	}
	n := Note(fmt.Sprintf("%d hits by %s", len(hits), attribute))
	if len(hits) == 1 {
		n = Note("1 hit by " + attribute)
	}
	if dropped := len(list) - len(hits); dropped > 0 {
		n += Note(fmt.Sprintf("; %d more that were not asked for are ignored", dropped))
	}
	s.Caller.Explain(ctx, n)
	return hits, nil
}

func idOf(r map[string]any) string {
	id, _ := r["id"].(string)
	return id
}

// foldEqual compares as servers compare userName and displayName.
func foldEqual(a, b string) bool { return strings.EqualFold(a, b) }

// assign looks a person up, and links or creates him.
func (s *Sequence) assign(ctx context.Context, l Link, w Want) (Link, Op, error) {
	hits, err := s.find(ctx, usersPath, "userName", w.Create.UserName, w.Why)
	if err != nil {
		return l, OpNone, err
	}
	if len(hits) == 0 && l.RemoteID != "" {
		return s.reclaim(ctx, l, w)
	}
	if len(hits) == 0 {
		return s.create(ctx, l, w)
	}
	hit := preferred(hits, w.Create.Body["externalId"])
	holder, err := s.Holder(ctx, idOf(hit))
	if err != nil {
		return l, OpNone, err
	}
	if holder != "" && holder != l.Account {
		s.Caller.Explain(ctx, "it is linked to somebody else: not taken over")
		return l, OpNone, taken(holder)
	}
	return s.link(ctx, l, w, hit, len(hits))
}

// reclaim takes back the account of somebody who was assigned before and has
// another userName since: to create one would leave him with two.
func (s *Sequence) reclaim(ctx context.Context, l Link, w Want) (Link, Op, error) {
	why := []Note{"linked before under the userName of then: taken back"}
	err := s.rewrite(ctx, l.RemoteID, why, func(there map[string]any) map[string]any {
		body := merge(there, w.Update.Body)
		body["active"] = true
		return body
	})
	if classOf(err) == Missing {
		s.Caller.Explain(ctx, "the account is gone there")
		l.RemoteID = ""
		return s.create(ctx, l, w)
	}
	if err != nil {
		return l, OpNone, err
	}
	return s.sent(l, w, l.RemoteID), OpReactivate, nil
}

// taken says that the account found belongs to somebody else.
func taken(holder string) *CallError {
	return &CallError{
		Method: http.MethodGet, Path: usersPath, Class: Taken,
		Detail: "the account that has this userName in the application is linked to user " + holder,
	}
}

// preferred returns the hit that has our external id, or else the first.
func preferred(hits []map[string]any, externalID any) map[string]any {
	i := slices.IndexFunc(hits, func(r map[string]any) bool { return externalID != nil && r["externalId"] == externalID })
	return hits[max(i, 0)]
}

func (s *Sequence) create(ctx context.Context, l Link, w Want) (Link, Op, error) {
	l.Doubt = w.Create.UserName
	if err := s.Keep(ctx, l); err != nil {
		return l, OpNone, err
	}
	body := withoutNil(w.Create.Body)
	body["groups"] = []any{}
	body["password"] = s.placeholder()
	body["active"] = true
	why := append([]Note{"nobody has this userName there: created"}, w.Create.Notes...)
	answer, err := s.Caller.Call(ctx, Call{Method: http.MethodPost, Path: usersPath, Body: body, Why: why})
	if err != nil {
		if certain(err) {
			l.Doubt = ""
		}
		return l, OpNone, err
	}
	id := idOf(answer.Body)
	if id == "" { // it is there, most likely, and the next look-up finds it
		return l, OpNone, &CallError{
			Method: http.MethodPost, Path: usersPath, Status: answer.Status, Class: Transient, Sent: true, Detail: "Create new user returned empty user",
		}
	}
	return s.sent(l, w, id), OpCreate, nil
}

// certain reports whether a failed call is known to have had no effect.
func certain(err error) bool {
	var e *CallError
	return errors.As(err, &e) && (!e.Sent || e.Class != Transient)
}

// placeholder is a password that nobody knows. Okta sends one although passwords
// are not synchronised (captured).
func (s *Sequence) placeholder() string {
	if s.Password != nil {
		return s.Password()
	}
	return rand.Text()
}

// sent is the link of somebody to whom the application was just told everything.
func (s *Sequence) sent(l Link, w Want, id string) Link {
	now := s.Now()
	if l.RemoteID != id {
		l.Linked = now
	}
	l.RemoteID, l.UserName, l.Active, l.Digest, l.Pushed = id, w.Update.UserName, true, w.Update.digest(), now
	l.Doubt, l.Kept, l.Suspended, l.Deactivated = "", false, false, time.Time{}
	return l
}

// link gives the profile to an account that is there already.
func (s *Sequence) link(ctx context.Context, l Link, w Want, hit map[string]any, hits int) (Link, Op, error) {
	id := idOf(hit)
	why := append([]Note{found(hits)}, w.Update.Notes...)
	body := withoutNil(w.Update.Body)
	body["active"] = true
	c := Call{Method: http.MethodPut, Path: resourcePath(usersPath, id), Body: body, Why: why}
	if s.Target.Writes().UserUpdate == Patch {
		c = patchCall(usersPath, id, why, pathless(body))
	} else {
		body["id"] = id
	}
	if _, err := s.Caller.Call(ctx, c); err != nil {
		return l, OpNone, err
	}
	op := OpLink
	if l.RemoteID == id { // assigned again
		op = OpReactivate
	}
	return s.sent(l, w, id), op, nil
}

func found(hits int) Note {
	if hits == 1 {
		return "1 hit by userName: linked"
	}
	return Note(fmt.Sprintf("%d hits by userName: linked", hits))
}

// update sends a changed profile: what the server has, with what is mapped in it.
func (s *Sequence) update(ctx context.Context, l Link, w Want) (Link, Op, error) {
	why := append([]Note{"the mapped profile has changed: updated"}, w.Update.Notes...)
	if s.Target.Writes().UserUpdate == Patch {
		body := maps.Clone(w.Update.Body) // null takes an attribute away (RFC 7644 3.5.2)
		delete(body, "schemas")
		_, err := s.Caller.Call(ctx, patchCall(usersPath, l.RemoteID, why, pathless(body)))
		if classOf(err) == Missing {
			return s.anew(ctx, l, w)
		}
		if err != nil {
			return l, OpNone, err
		}
		return s.sent(l, w, l.RemoteID), OpUpdate, nil
	}
	err := s.rewrite(ctx, l.RemoteID, why, func(there map[string]any) map[string]any {
		body := merge(there, w.Update.Body)
		body["active"] = true
		return body
	})
	if classOf(err) == Missing {
		return s.anew(ctx, l, w)
	}
	if err != nil {
		return l, OpNone, err
	}
	return s.sent(l, w, l.RemoteID), OpUpdate, nil
}

// anew assigns somebody whose account there is gone.
func (s *Sequence) anew(ctx context.Context, l Link, w Want) (Link, Op, error) {
	s.Caller.Explain(ctx, "the account is gone there: assigned anew")
	l.RemoteID, l.Digest, l.Active, l.Suspended = "", "", false, false
	if !s.Target.CreateUsers {
		return l, OpNone, nil
	}
	return s.assign(ctx, l, w)
}

// rewrite reads a user and writes it back changed.
func (s *Sequence) rewrite(ctx context.Context, id string, why []Note, change func(map[string]any) map[string]any) error {
	c := getCall(usersPath, id)
	c.Why = why
	answer, err := s.Caller.Call(ctx, c)
	if err != nil {
		return err
	}
	_, err = s.Caller.Call(ctx, Call{Method: http.MethodPut, Path: resourcePath(usersPath, id), Body: change(answer.Body), Why: why})
	return err
}

// setActive deactivates or reactivates an account.
func (s *Sequence) setActive(ctx context.Context, l Link, w Want, op Op) (Link, Op, error) {
	why := []Note{w.Why + ": " + Note(op) + "d"}
	var err error
	if s.Target.Writes().UserDeactivate == Patch {
		_, err = s.Caller.Call(ctx, patchCall(usersPath, l.RemoteID, why, pathless(map[string]any{"active": w.Active})))
	} else {
		err = s.rewrite(ctx, l.RemoteID, why, func(there map[string]any) map[string]any {
			body := maps.Clone(there)
			if body == nil {
				body = map[string]any{}
			}
			body["active"] = w.Active
			return body
		})
	}
	switch {
	case classOf(err) == Missing && op == OpReactivate:
		return s.anew(ctx, l, w)
	case classOf(err) == Missing:
		s.Caller.Explain(ctx, "the account is gone there already")
		l.RemoteID = ""
	case err != nil:
		return l, OpNone, err
	}
	l.Active, l.Suspended = w.Active, w.Suspended
	l.Pushed = s.Now()
	if !w.Active {
		l.Deactivated = l.Pushed
	}
	return l, op, nil
}

// patchCall is a PATCH with the given operations.
func patchCall(endpoint, id string, why []Note, operations ...any) Call {
	return Call{
		Method: http.MethodPatch, Path: resourcePath(endpoint, id), Why: why,
		Body: map[string]any{"schemas": []any{patchOp}, "Operations": operations},
	}
}

// pathless is a replace operation without path, as template applications send
// it.
func pathless(attributes map[string]any) map[string]any {
	return map[string]any{"op": "replace", "value": attributes}
}

// withoutNil copies a body without what has no value, at any depth of objects.
func withoutNil(body map[string]any) map[string]any {
	return merge(nil, value.Clone(body).(map[string]any))
}

// merge puts mapped values into what the server has: objects member by member,
// everything else as a whole. What is mapped to nothing goes away, and objects
// of which nothing is left.
func merge(there, mapped map[string]any) map[string]any {
	out := maps.Clone(there)
	if out == nil {
		out = map[string]any{}
	}
	for name, v := range mapped {
		switch v := v.(type) {
		case nil:
			delete(out, name)
		case map[string]any:
			old, _ := out[name].(map[string]any)
			if m := merge(old, v); len(m) > 0 {
				out[name] = m
			} else {
				delete(out, name)
			}
		case []any:
			if name == "schemas" {
				v = union(out[name], v)
			}
			out[name] = v
		default:
			out[name] = v
		}
	}
	return out
}

// union joins the URNs of two lists.
func union(there any, ours []any) []any {
	list, _ := there.([]any)
	out := slices.Clone(list)
	for _, urn := range ours {
		if !slices.Contains(out, urn) {
			out = append(out, urn)
		}
	}
	return out
}

// classOf returns the class of a call's error, "" for others and nil.
func classOf(err error) Class {
	var e *CallError
	if errors.As(err, &e) {
		return e.Class
	}
	return ""
}

// ErrorText is what people are told of an error.
func ErrorText(err error) string {
	var call *CallError
	if errors.As(err, &call) {
		return call.Error()
	}
	return fault.Public(err)
}
