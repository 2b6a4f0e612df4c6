package okta_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
)

// fakeSources are identity sources in memory, with the state machine of sessions
// and nothing behind it: nobody is matched or imported. What importer does with
// people is tested there; here it is about how the API says it.
type fakeSources struct {
	dir   *directory.Directory
	realm string

	mu       sync.Mutex
	sources  map[string]*importer.Source
	sessions []*importer.Session // oldest first
	users    map[string]map[string]*importer.User
	groups   map[string]map[string]*importer.Group
	members  map[string][]string // by id of the group, sorted
	loads    []importer.Batch
}

func newFakeSources(dir *directory.Directory) *fakeSources {
	return &fakeSources{
		dir: dir, realm: directory.OktaRealm, sources: map[string]*importer.Source{},
		users: map[string]map[string]*importer.User{}, groups: map[string]map[string]*importer.Group{}, members: map[string][]string{},
	}
}

func (f *fakeSources) now() time.Time { return f.dir.Clock().UTC() }

func refuse(why importer.Refusal) error { return fault.Wrap(fault.Conflict, why, "refused") }

func lost(noun directory.Noun, ref string) error { return directory.NotFound(noun, ref) }

func (f *fakeSources) Source(_ context.Context, id string) (*importer.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.sources[id]; s != nil {
		own := *s
		return &own, nil
	}
	return nil, lost(importer.SourceNoun, id)
}

func (f *fakeSources) Sources(context.Context) ([]*importer.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.sources)), nil
}

func (f *fakeSources) PutSource(_ context.Context, _ directory.Actor, _ string, s *importer.Source) (*importer.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sources[s.ID] = s
	if f.users[s.ID] == nil {
		f.users[s.ID], f.groups[s.ID] = map[string]*importer.User{}, map[string]*importer.Group{}
	}
	return s, nil
}

func (f *fakeSources) CreateSession(_ context.Context, _ directory.Actor, source string, t importer.Type) (*importer.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		switch {
		case s.Source != source || !s.State.Active():
		case s.State == importer.Created:
			return nil, refuse(importer.OneCreated)
		case f.now().Sub(s.Created) < 5*time.Minute:
			return nil, refuse(importer.TooSoon)
		}
	}
	s := &importer.Session{ID: f.dir.IDs.Okta("aps"), Realm: f.realm, Source: source, Type: t, State: importer.Created, Created: f.now(), Updated: f.now()}
	f.sessions = append(f.sessions, s)
	own := *s
	return &own, nil
}

func (f *fakeSources) Sessions(_ context.Context, q importer.SessionQuery) ([]*importer.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*importer.Session
	for _, s := range slices.Backward(f.sessions) {
		if s.Source == q.Source && slices.Contains(q.States, s.State) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (f *fakeSources) session(source, id string) (*importer.Session, error) {
	for _, s := range f.sessions {
		if s.Source == source && s.ID == id {
			return s, nil
		}
	}
	return nil, lost(importer.SessionNoun, id)
}

func (f *fakeSources) Session(_ context.Context, source, id string) (*importer.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session(source, id)
}

// move changes the state of a session that has one of some states.
func (f *fakeSources) move(source, id string, to importer.State, why importer.Refusal, from ...importer.State) (*importer.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.session(source, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(from, s.State) {
		return nil, refuse(why)
	}
	s.State, s.Updated = to, f.now()
	own := *s
	return &own, nil
}

func (f *fakeSources) CancelSession(_ context.Context, _ directory.Actor, source, id string) error {
	_, err := f.move(source, id, importer.Closed, importer.NotCancelable, importer.Created, importer.InProgress)
	return err
}

func (f *fakeSources) Load(_ context.Context, _ directory.Actor, source, session string, b importer.Batch) error {
	s, err := f.move(source, session, importer.InProgress, importer.NotLoadable, importer.Created, importer.InProgress)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, err = f.session(source, session); err != nil {
		return err
	}
	if s.Requests == 50 {
		return refuse(importer.TooManyLoads)
	}
	s.Requests++
	f.loads = append(f.loads, b)
	return nil
}

func (f *fakeSources) Trigger(_ context.Context, _ directory.Actor, source, session string) (*importer.Session, error) {
	return f.move(source, session, importer.Triggered, importer.NotTriggerable, importer.InProgress)
}

func (f *fakeSources) User(_ context.Context, source, externalID string) (*importer.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.users[source][externalID]; u != nil {
		return u, nil
	}
	return nil, lost(importer.UserNoun, externalID)
}

func (f *fakeSources) CreateUser(_ context.Context, _ directory.Actor, source string, r importer.Record) (*importer.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users[source][r.ExternalID] != nil {
		return nil, fault.New(fault.Conflict, "the external id is taken")
	}
	u := &importer.User{ID: f.dir.IDs.Okta("0ua"), ExternalID: r.ExternalID, Created: f.now(), Updated: f.now(), Profile: r.Profile}
	f.users[source][r.ExternalID] = u
	return u, nil
}

func (f *fakeSources) PutUser(_ context.Context, _ directory.Actor, source string, r importer.Record) (*importer.User, error) {
	return f.change(source, r, r.Profile)
}

func (f *fakeSources) PatchUser(ctx context.Context, _ directory.Actor, source string, r importer.Record) (*importer.User, error) {
	before, err := f.User(ctx, source, r.ExternalID)
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before.Profile)
	maps.Copy(after, r.Profile)
	return f.change(source, r, after)
}

func (f *fakeSources) change(source string, r importer.Record, profile map[string]any) (*importer.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.users[source][r.ExternalID]
	if u == nil {
		return nil, lost(importer.UserNoun, r.ExternalID)
	}
	u.Profile, u.Updated = profile, f.now()
	return u, nil
}

func (f *fakeSources) DeleteUser(ctx context.Context, _ directory.Actor, source, externalID string) error {
	if _, err := f.User(ctx, source, externalID); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.users[source], externalID)
	return nil
}

func (f *fakeSources) Group(_ context.Context, source, ref string) (*importer.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, g := range f.groups[source] {
		if id == ref || g.ID == ref {
			return g, nil
		}
	}
	return nil, lost(importer.GroupNoun, ref)
}

func (f *fakeSources) CreateGroup(_ context.Context, _ directory.Actor, source string, r importer.Record) (*importer.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.groups[source][r.ExternalID] != nil {
		return nil, fault.New(fault.Conflict, "the external id is taken")
	}
	g := &importer.Group{ID: f.dir.IDs.Okta("00g"), ExternalID: r.ExternalID, Profile: r.Profile}
	f.groups[source][r.ExternalID] = g
	return g, nil
}

func (f *fakeSources) PutGroup(ctx context.Context, _ directory.Actor, source, ref string, profile map[string]any) (*importer.Group, error) {
	g, err := f.Group(ctx, source, ref)
	if err == nil {
		g.Profile = profile
	}
	return g, err
}

func (f *fakeSources) DeleteGroup(ctx context.Context, _ directory.Actor, source, ref string) error {
	g, err := f.Group(ctx, source, ref)
	if err == nil {
		delete(f.groups[source], g.ExternalID)
	}
	return err
}

func (f *fakeSources) GroupMembers(ctx context.Context, source, group, after string, limit int) ([]string, error) {
	g, err := f.Group(ctx, source, group)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(slices.Clone(f.members[g.ID]), func(id string) bool { return id <= after })
	return list[:min(limit, len(list))], nil
}

func (f *fakeSources) AddGroupMembers(ctx context.Context, _ directory.Actor, source, group string, members []string) error {
	g, err := f.Group(ctx, source, group)
	if err != nil {
		return err
	}
	f.members[g.ID] = append(f.members[g.ID], members...)
	slices.Sort(f.members[g.ID])
	return nil
}

func (f *fakeSources) RemoveGroupMember(ctx context.Context, _ directory.Actor, source, group, member string) error {
	g, err := f.Group(ctx, source, group)
	if err != nil {
		return err
	}
	f.members[g.ID] = slices.DeleteFunc(f.members[g.ID], func(id string) bool { return id == member })
	return nil
}
