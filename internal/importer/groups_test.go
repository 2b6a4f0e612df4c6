package importer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
)

// said is what a source has after the sessions so far, by the rules of its API alone:
// of what a session says about the same thing several times, the last counts; people
// come first, then those who leave, then groups, then who is in them.
type said struct {
	people map[string]bool
	groups map[string]string          // name
	in     map[string]map[string]bool // group: people
}

// saying are the requests of one session as they came.
type saying struct {
	people  map[string]bool // there
	groups  map[string]string
	members map[[2]string]bool // group, person: in it
}

func (s *said) take(x *saying) {
	for id, there := range x.people {
		if s.people[id] = there; there {
			continue
		}
		delete(s.people, id)
		for _, members := range s.in {
			delete(members, id)
		}
	}
	for id, name := range x.groups {
		if name == "" {
			delete(s.groups, id)
			delete(s.in, id)
			continue
		}
		s.groups[id] = name
		if s.in[id] == nil {
			s.in[id] = map[string]bool{}
		}
	}
	for m, in := range x.members {
		switch {
		case s.groups[m[0]] == "" || !s.people[m[1]]:
		case in:
			s.in[m[0]][m[1]] = true
		default:
			delete(s.in[m[0]], m[1])
		}
	}
}

// People, groups and memberships come out as the sessions of the API say, in
// whatever order they come and however they are spread over requests.
func TestGroupsAcrossSessions(t *testing.T) {
	rounds := 6
	if _, all := thorough(); all {
		rounds = 40
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newBench(t, func(s *reconcile.Settings) {
				api(s)
				s.Guard.Off = reconcile.Codes()
				s.Reactivate = reconcile.Reactivation{Suspended: true, Deactivated: true}
				s.Removal = []reconcile.Removal{reconcile.RemovalDeactivates, reconcile.RemovalSuspends, reconcile.RemovalIsNothing}[seed%3]
			})
			b.AtOnce(4)
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 3)), bench: b}
			world := &said{people: map[string]bool{}, groups: map[string]string{}, in: map[string]map[string]bool{}}
			for range rounds {
				b.clock.Step(time.Hour)
				s, x := b.create(), &saying{people: map[string]bool{}, groups: map[string]string{}, members: map[[2]string]bool{}}
				for range 1 + g.IntN(8) {
					b.load(s, g.batch(x))
				}
				s, err := b.Session(t.Context(), b.source, s.ID)
				b.do(err)
				if s.State == importer.Created { // nothing effective
					b.do(b.CancelSession(t.Context(), me, b.source, s.ID))
					continue
				}
				b.imported(s)
				world.take(x)
				b.holds(world)
			}
		})
	}
}

// batch is one request, noted in x.
func (g *generator) batch(x *saying) (out importer.Batch) {
	person := func() string { return fmt.Sprint("p", g.IntN(5)) }
	group := func() string { return fmt.Sprint("g", g.IntN(3)) }
	switch g.IntN(8) {
	case 0, 1:
		id := person()
		out.Users, x.people[id] = []importer.Record{record(id, "P"+id, "Ash")}, true
	case 2:
		id := person()
		out.DeleteUsers, x.people[id] = []string{id}, false
	case 3, 4:
		id, name := group(), pick(g, "A", "B")
		out.Groups, x.groups[id] = []importer.Record{{ExternalID: id, Profile: map[string]any{"displayName": name}}}, name
	case 5:
		id := group()
		out.DeleteGroups, x.groups[id] = []string{id}, ""
	default:
		m := [2]string{group(), person()}
		list := []importer.Membership{{Group: m[0], Members: []string{m[1]}}}
		if x.members[m] = g.chance(60); x.members[m] {
			out.Memberships = list
		} else {
			out.DeleteMemberships = list
		}
	}
	return out
}

// holds compares the directory with what the source has.
func (b *bench) holds(want *said) {
	b.Helper()
	ctx := b.Context()
	people := map[string]bool{}
	users, err := b.Users(ctx, b.source, "", 0)
	b.do(err)
	for _, u := range users {
		people[u.ExternalID] = true
	}
	b.equal("people", people, want.people)
	all, err := b.Directory.Groups(ctx, directory.GroupQuery{Realm: b.Realm}, 0, nil)
	b.do(err)
	sourced := 0
	for _, g := range all {
		if g.Type == directory.AppGroup {
			sourced++
		}
	}
	b.equal("groups", sourced, len(want.groups))
	for id, name := range want.groups {
		g, err := b.Group(ctx, b.source, id)
		b.do(err)
		b.equal("name of "+id, g.Profile["displayName"], any(name))
		members, err := b.GroupMembers(ctx, b.source, id, "", 0)
		b.do(err)
		b.equal("members of "+id, members, slices.Sorted(maps.Keys(want.in[id])))
		stats, err := b.Directory.GroupStats(ctx, b.Realm, []*directory.Group{{ID: g.ID, Realm: b.Realm}})
		b.do(err)
		b.equal("accounts in "+id, stats[0].Users, len(members))
	}
}
