package provision

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/value"
)

// GroupWant is how a group is to be in the application.
type GroupWant struct {
	Pushed  bool
	Delete  bool // when it is not pushed any more: there too
	Why     Note
	Name    string
	Members []Member // ordered by remote id
}

// Member is somebody in a group who has an account in the application.
type Member struct {
	RemoteID string
	Display  string // his userName
}

// maxPatched is how many members one PATCH adds or removes (scim-auth0.md 1.4).
const maxPatched = 1000

// Group brings a group from what is known of it to what is wanted. known are the
// remote ids of the members that the application has, in order, when l.Synced.
// The link that it returns has to be stored whatever the error, and the wanted
// members with it when it is Synced.
func (s *Sequence) Group(ctx context.Context, l GroupLink, known []string, w GroupWant) (GroupLink, Op, error) {
	if l.Doubt != "" && !(w.Pushed && foldEqual(l.Doubt, w.Name)) {
		var err error
		if l, err = s.settleGroup(ctx, l); err != nil {
			return l, OpNone, err
		}
	}
	switch {
	case !w.Pushed && l.RemoteID == "":
		return GroupLink{Realm: l.Realm, App: l.App, Group: l.Group}, OpNone, nil
	case !w.Pushed:
		return s.unlink(ctx, l, w)
	case l.RemoteID == "":
		return s.firstPush(ctx, l, w)
	}
	return s.members(ctx, l, known, w)
}

func (s *Sequence) settleGroup(ctx context.Context, l GroupLink) (GroupLink, error) {
	hits, err := s.find(ctx, groupsPath, "displayName", l.Doubt, "a create was sent and its answer is not known: looked up before anything else")
	if err != nil {
		return l, err
	}
	if len(hits) > 0 {
		l.RemoteID, l.Name, l.Linked = idOf(hits[0]), l.Doubt, s.Now()
	}
	l.Doubt, l.Synced = "", false
	return l, nil
}

func (s *Sequence) unlink(ctx context.Context, l GroupLink, w GroupWant) (GroupLink, Op, error) {
	op := OpUnlink
	if w.Delete {
		_, err := s.Caller.Call(ctx, Call{Method: http.MethodDelete, Path: resourcePath(groupsPath, l.RemoteID), Why: []Note{w.Why}})
		if err != nil && classOf(err) != Missing {
			return l, OpNone, err
		}
		op = OpDelete
	}
	return GroupLink{Realm: l.Realm, App: l.App, Group: l.Group}, op, nil
}

// firstPush looks a group up by name, and takes it over or creates it.
func (s *Sequence) firstPush(ctx context.Context, l GroupLink, w GroupWant) (GroupLink, Op, error) {
	hits, err := s.find(ctx, groupsPath, "displayName", w.Name, w.Why)
	if err != nil {
		return l, OpNone, err
	}
	if len(hits) > 0 {
		l.RemoteID, l.Linked, l.Doubt = idOf(hits[0]), s.Now(), ""
		l.Synced = false
		if err := s.KeepGroup(ctx, l); err != nil {
			return l, OpNone, err
		}
		return s.finish(ctx, l, w, "1 hit by displayName: linked")
	}
	l.Doubt = w.Name
	if err := s.KeepGroup(ctx, l); err != nil {
		return l, OpNone, err
	}
	first := w.Members
	patches := s.Target.Writes().GroupUpdate == Patch
	if patches { // the rest follows
		first = first[:min(len(first), maxPatched)]
	}
	answer, err := s.Caller.Call(ctx, Call{
		Method: http.MethodPost, Path: groupsPath, Why: []Note{"no group has this displayName there: created"},
		Body: map[string]any{"schemas": []any{coreGroup}, "displayName": w.Name, "members": elements(first)},
	})
	if err != nil {
		if certain(err) {
			l.Doubt = ""
		}
		return l, OpNone, err
	}
	id := idOf(answer.Body)
	if id == "" {
		return l, OpNone, &CallError{
			Method: http.MethodPost, Path: groupsPath, Status: answer.Status, Class: Transient, Sent: true, Detail: "Create new group returned empty group",
		}
	}
	l.RemoteID, l.Doubt, l.Linked, l.Synced = id, "", s.Now(), false
	if err := s.KeepGroup(ctx, l); err != nil {
		return l, OpNone, err
	}
	if !patches { // captured: read back and written as a whole
		return s.finish(ctx, l, w, "the first push is written back as a whole")
	}
	if err := s.change(ctx, id, nil, w.Members[len(first):], "the rest of the members"); err != nil {
		return l, OpNone, err
	}
	return s.pushed(l, w), OpPush, nil
}

// finish writes the whole of a group that was just found or created.
func (s *Sequence) finish(ctx context.Context, l GroupLink, w GroupWant, why Note) (GroupLink, Op, error) {
	if err := s.whole(ctx, l.RemoteID, w, why); err != nil {
		return l, OpNone, err
	}
	return s.pushed(l, w), OpPush, nil
}

// pushed is the link of a group that the application has as it is wanted.
func (s *Sequence) pushed(l GroupLink, w GroupWant) GroupLink {
	l.Name, l.Pushed, l.Synced, l.Doubt = w.Name, s.Now(), true, ""
	return l
}

// full writes name and members whatever the application has.
func (s *Sequence) full(ctx context.Context, l GroupLink, w GroupWant, why Note) (GroupLink, Op, error) {
	err := s.whole(ctx, l.RemoteID, w, why)
	if classOf(err) == Missing {
		return s.pushAnew(ctx, l, w)
	}
	if err != nil {
		return l, OpNone, err
	}
	return s.pushed(l, w), OpPush, nil
}

func (s *Sequence) whole(ctx context.Context, id string, w GroupWant, why Note) error {
	if s.Target.Writes().GroupUpdate == Patch {
		if _, err := s.Caller.Call(ctx, patchCall(groupsPath, id, []Note{why}, named(id, w.Name))); err != nil {
			return err
		}
		return s.replaceMembers(ctx, id, w.Members, why)
	}
	c := getCall(groupsPath, id)
	c.Why = []Note{why}
	if _, err := s.Caller.Call(ctx, c); err != nil {
		return err
	}
	_, err := s.Caller.Call(ctx, wholeGroup(id, w, why))
	return err
}

// pushAnew creates a group that is gone in the application.
func (s *Sequence) pushAnew(ctx context.Context, l GroupLink, w GroupWant) (GroupLink, Op, error) {
	s.Caller.Explain(ctx, "the group is gone there: pushed anew")
	l.RemoteID, l.Name, l.Synced = "", "", false
	return s.firstPush(ctx, l, w)
}

// members sends a new name, and who came and went.
func (s *Sequence) members(ctx context.Context, l GroupLink, known []string, w GroupWant) (GroupLink, Op, error) {
	if !l.Synced {
		return s.full(ctx, l, w, "what the application has is not known: written as a whole")
	}
	came, went := difference(known, w.Members)
	if len(came) == 0 && len(went) == 0 && l.Name == w.Name {
		return l, OpNone, nil
	}
	l.Synced = false
	if err := s.KeepGroup(ctx, l); err != nil {
		return l, OpNone, err
	}
	why := Note(fmt.Sprintf("%d came, %d went", len(came), len(went)))
	if l.Name != w.Name {
		why = "renamed; " + why
	}
	var err error
	if s.Target.Writes().GroupUpdate == Patch {
		// The name is sent with each change of members (scim-auth0.md 1.2).
		if _, err = s.Caller.Call(ctx, patchCall(groupsPath, l.RemoteID, []Note{why}, named(l.RemoteID, w.Name))); err == nil {
			err = s.change(ctx, l.RemoteID, went, came, why)
		}
	} else {
		_, err = s.Caller.Call(ctx, wholeGroup(l.RemoteID, w, why))
	}
	if classOf(err) == Missing {
		return s.pushAnew(ctx, l, w)
	}
	if err != nil {
		return l, OpNone, err
	}
	return s.pushed(l, w), OpMembers, nil
}

// change removes and adds members, in as many requests as it takes.
func (s *Sequence) change(ctx context.Context, id string, went []string, came []Member, why Note) error {
	for len(went)+len(came) > 0 {
		var operations []any
		out := went[:min(len(went), maxPatched)]
		for _, member := range out {
			literal, _ := value.Encode(member) // a string always encodes
			operations = append(operations, map[string]any{"op": "remove", "path": "members[value eq " + string(literal) + "]"})
		}
		in := came[:min(len(came), maxPatched-len(out))]
		if len(in) > 0 {
			operations = append(operations, map[string]any{"op": "add", "path": "members", "value": elements(in)})
		}
		went, came = went[len(out):], came[len(in):]
		if _, err := s.Caller.Call(ctx, patchCall(groupsPath, id, []Note{why}, operations...)); err != nil {
			return err
		}
	}
	return nil
}

// replaceMembers is a full push.
func (s *Sequence) replaceMembers(ctx context.Context, id string, members []Member, why Note) error {
	first := members[:min(len(members), maxPatched)]
	replace := map[string]any{"op": "replace", "path": "members", "value": elements(first)}
	if _, err := s.Caller.Call(ctx, patchCall(groupsPath, id, []Note{why}, replace)); err != nil {
		return err
	}
	return s.change(ctx, id, nil, members[len(first):], why)
}

// named is the operation that renames a group.
func named(id, name string) any { return pathless(map[string]any{"id": id, "displayName": name}) }

func wholeGroup(id string, w GroupWant, why Note) Call {
	return Call{
		Method: http.MethodPut, Path: resourcePath(groupsPath, id), Why: []Note{why},
		Body: map[string]any{"schemas": []any{coreGroup}, "id": id, "displayName": w.Name, "members": elements(w.Members)},
	}
}

// elements are members as they are sent: without type.
func elements(members []Member) []any {
	out := make([]any, len(members))
	for i, m := range members {
		out[i] = map[string]any{"value": m.RemoteID, "display": m.Display}
	}
	return out
}

// difference compares the members that are known with those that are wanted.
func difference(known []string, want []Member) (came []Member, went []string) {
	for _, m := range want {
		if _, ok := slices.BinarySearch(known, m.RemoteID); !ok {
			came = append(came, m)
		}
	}
	for _, id := range known {
		_, ok := slices.BinarySearchFunc(want, id, func(m Member, id string) int {
			if m.RemoteID < id {
				return -1
			}
			if m.RemoteID > id {
				return 1
			}
			return 0
		})
		if !ok {
			went = append(went, id)
		}
	}
	return came, went
}
