package identitysource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// model is a tenant in memory that keeps Okta's rules for sessions, and fails
// the test when it is asked for what Okta would refuse for its limits.
type model struct {
	t        *testing.T
	at       time.Time
	sessions []*modelSession
	users    map[string]int // how often an external id was imported
	gone     map[string]int
	groups   map[string]bool
	members  map[string]bool
	takes    time.Duration // to work on a session
	calls    int
	cancels  []string
	kill     context.CancelFunc // of the push that runs

	// trouble says what happens to a call beside its effect.
	trouble func(n int) trouble
}

type modelSession struct {
	ID       string    `json:"id"`
	Status   status    `json:"status"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"lastUpdated,omitzero"`
	requests int
	loads    []map[string]any
	since    time.Time
	other    bool // somebody else's
	fails    bool
}

// trouble is what goes wrong with a call.
type trouble int

const (
	none         trouble = iota
	limited              // 429 before anything is done
	broken               // 500 before anything is done
	lostBefore           // it never arrives
	lostAfter            // it arrives, its answer does not
	killed               // the process ends when it has arrived
	killedBefore         // the process ends before it is sent
)

var errKilled = errors.New("killed")

func newModel(t *testing.T) *model {
	return &model{
		t: t, at: time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC), takes: 90 * time.Second,
		users: map[string]int{}, gone: map[string]int{}, groups: map[string]bool{}, members: map[string]bool{},
	}
}

func (m *model) Now() time.Time { return m.at }

func (m *model) Wait(ctx context.Context, d time.Duration) error {
	m.at = m.at.Add(d)
	m.work()
	return ctx.Err()
}

// work ends sessions, one after the other, once they took their time.
func (m *model) work() {
	free := time.Time{}
	for _, s := range m.sessions {
		if s.Status != triggered {
			continue
		}
		start := s.since
		if free.After(start) {
			start = free
		}
		if free = start.Add(m.takes); m.at.Before(free) {
			return
		}
		if s.Status = completed; s.fails {
			s.Status = failed
			continue
		}
		for _, load := range s.loads {
			m.apply(load)
		}
	}
}

func (m *model) apply(load map[string]any) {
	for _, v := range list(load["users"]) {
		m.users[v.(map[string]any)["externalId"].(string)]++
	}
	for _, v := range list(load["gone"]) {
		m.gone[v.(map[string]any)["externalId"].(string)]++
	}
	for _, v := range list(load["groups"]) {
		m.groups[v.(map[string]any)["externalId"].(string)] = true
	}
	for _, v := range list(load["members"]) {
		o := v.(map[string]any)
		for _, id := range list(o["memberExternalIds"]) {
			m.members[o["groupExternalId"].(string)+"/"+id.(string)] = true
		}
	}
	for _, v := range list(load["groupsGone"]) {
		delete(m.groups, v.(string))
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

func (m *model) Call(ctx context.Context, method, path string, body []byte) (Answer, error) {
	if ctx.Err() != nil {
		return Answer{}, errKilled
	}
	m.calls++
	var what trouble
	if m.trouble != nil {
		what = m.trouble(m.calls)
	}
	switch what {
	case limited:
		return refusal(429, "E0000047"), nil
	case broken:
		return refusal(500, "E0000009"), nil
	case lostBefore:
		return Answer{}, fault.New(fault.Unavailable, "no answer")
	case killedBefore:
		m.kill()
		return Answer{}, errKilled
	}
	m.work()
	a := m.serve(method, strings.TrimPrefix(path, "/api/v1/identity-sources/0oasource/sessions"), body)
	switch what {
	case lostAfter:
		return Answer{}, fault.New(fault.Timeout, "no answer")
	case killed:
		m.kill()
		return Answer{}, errKilled
	}
	return a, nil
}

func refusal(status int, code string) Answer {
	return Answer{status, fmt.Appendf(nil, `{"errorCode":%q,"errorSummary":"no","errorCauses":[]}`, code)}
}

func (m *model) serve(method, rest string, body []byte) Answer {
	answer := func(status int, v any) Answer {
		text, _ := json.Marshal(v)
		return Answer{status, text}
	}
	if rest == "" && method == "GET" {
		active := slices.DeleteFunc(slices.Clone(m.sessions), func(s *modelSession) bool { return !s.Status.open() && s.Status != triggered })
		return answer(200, active)
	}
	if rest == "" {
		for _, s := range m.sessions {
			if s.Status == created || (s.Status.open() || s.Status == triggered) && m.at.Sub(s.Created) < apart {
				return refusal(400, "E0000001")
			}
		}
		s := &modelSession{ID: "aps" + strconv.Itoa(len(m.sessions)+1), Status: created, Created: m.at}
		m.sessions = append(m.sessions, s)
		return answer(201, s)
	}
	id, load, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	i := slices.IndexFunc(m.sessions, func(s *modelSession) bool { return s.ID == id })
	if i < 0 {
		return refusal(400, "E0000001")
	}
	s := m.sessions[i]
	switch {
	case method == "GET":
		return answer(200, s)
	case method == "DELETE" && s.Status.open():
		s.Status = closed
		m.cancels = append(m.cancels, s.ID)
		return Answer{Status: 204}
	case load == "start-import" && s.Status == inProgress:
		s.Status, s.since = triggered, m.at
		return answer(200, s)
	case method == "DELETE", load == "start-import", !s.Status.open():
		return refusal(400, "E0000001")
	}
	return m.load(s, load, body)
}

func (m *model) load(s *modelSession, name string, body []byte) Answer {
	if s.requests++; s.requests > 50 {
		m.t.Errorf("session %s gets %d requests", s.ID, s.requests)
		return refusal(400, "E0000001")
	}
	if len(body) > 200_000 {
		m.t.Errorf("a request has %d bytes", len(body))
	}
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		m.t.Error(err)
	}
	form := map[string][2]string{
		"bulk-upsert": {"profiles", "users"}, "bulk-delete": {"profiles", "gone"}, "bulk-groups-upsert": {"profiles", "groups"},
		"bulk-groups-delete": {"externalIds", "groupsGone"}, "bulk-group-memberships-upsert": {"memberships", "members"},
	}[name]
	entries := list(o[form[0]])
	if n := len(entries); n == 0 || n > 200 {
		m.t.Errorf("%s has %d entries", name, n)
	}
	for _, v := range entries {
		if e, ok := v.(map[string]any); ok && e["externalId"] == "bad" {
			return refusal(400, "E0000001")
		}
	}
	s.Status, s.loads = inProgress, append(s.loads, map[string]any{form[1]: entries})
	return Answer{Status: 202}
}

// desk keeps progress, as what is on a disk.
type desk struct{ text []byte }

func (d *desk) Progress(context.Context, string) (p Progress, err error) {
	if d.text != nil {
		err = json.Unmarshal(d.text, &p)
	}
	return p, err
}

func (d *desk) Keep(ctx context.Context, _ string, p Progress) (err error) {
	if ctx.Err() != nil {
		return errKilled // nothing is written after the end
	}
	d.text, err = json.Marshal(p)
	return err
}

// each yields changes.
func each(changes ...Change) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for _, c := range changes {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func people(n int) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for i := range n {
			id := fmt.Sprintf("E%05d", i)
			if !yield(Change{Kind: PutUser, ExternalID: id, Profile: map[string]any{"userName": id + "@example.com"}}, nil) {
				return
			}
		}
	}
}

// push pushes until it ends, or is killed.
func (m *model) push(work string, changes iter.Seq2[Change, error], keeper Keeper) error {
	ctx, kill := context.WithCancel(m.t.Context())
	defer kill()
	m.kill = kill
	_, err := m.tenant().Push(ctx, work, changes, keeper)
	return err
}

func (m *model) tenant() *Tenant { return &Tenant{API: m, Source: "0oasource", Clock: m} }

// check checks that every one of n people came in, and that at most extra of them
// came more than once (which has no effect).
func (m *model) check(n int) {
	m.t.Helper()
	if len(m.users) != n {
		m.t.Errorf("%d people were imported, want %d", len(m.users), n)
	}
}

func TestPush(t *testing.T) {
	for _, tt := range []struct{ people, sessions, loads int }{{0, 0, 0}, {1, 1, 1}, {200, 1, 1}, {201, 1, 2}, {10_000, 1, 50}, {10_001, 2, 51}, {25_000, 3, 125}} {
		t.Run(strconv.Itoa(tt.people), func(t *testing.T) {
			m := newModel(t)
			keeper := &desk{}
			start := m.at
			result, err := m.tenant().Push(t.Context(), "w", people(tt.people), keeper)
			if err != nil {
				t.Fatal(err)
			}
			loads := 0
			for _, s := range m.sessions {
				loads += s.requests
			}
			if len(result.Sessions) != tt.sessions || loads != tt.loads || result.Changes != tt.people {
				t.Errorf("%+v, %d loads", result, loads)
			}
			for id, times := range m.users {
				if times != 1 {
					t.Errorf("%s was imported %d times", id, times)
				}
			}
			m.check(tt.people)
			f, err := ForecastOf(people(tt.people))
			if err != nil || f.Sessions != tt.sessions || f.Calls < loads || tt.people > 0 && f.Minutes < 1 {
				t.Errorf("forecast %v, %v", f, err)
			}
			t.Logf("%s, took %s and %d calls", f, m.at.Sub(start), result.Calls)
			// Once it is done, it is done.
			calls := m.calls
			if result, err := m.tenant().Push(t.Context(), "w", people(tt.people), keeper); err != nil || result.Calls != 0 || m.calls != calls {
				t.Errorf("again: %+v, %v", result, err)
			}
		})
	}
}

// All kinds of changes arrive, in their order.
func TestPushKinds(t *testing.T) {
	m := newModel(t)
	changes := each([]Change{
		{Kind: PutUser, ExternalID: "E1", Profile: map[string]any{"userName": "a"}},
		{Kind: DropUser, ExternalID: "E2"},
		{Kind: PutGroup, ExternalID: "G1", Profile: map[string]any{"displayName": "G"}},
		{Kind: PutGroup, ExternalID: "G2", Profile: map[string]any{"displayName": "H"}},
		{Kind: PutMembers, ExternalID: "G1", Members: []string{"E1"}},
		{Kind: DropGroup, ExternalID: "G2"},
	}...)
	if _, err := m.tenant().Push(t.Context(), "w", changes, &desk{}); err != nil {
		t.Fatal(err)
	}
	if m.users["E1"] != 1 || m.gone["E2"] != 1 || !m.groups["G1"] || m.groups["G2"] || !m.members["G1/E1"] {
		t.Errorf("%v %v %v %v", m.users, m.gone, m.groups, m.members)
	}
}

// Bodies stay within 200 KB, whatever the entries are; one that is too large alone
// is an error before anything of its request is sent.
func TestRequestsAreSmall(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{}))
	var changes []Change
	for i := range 2000 {
		changes = append(changes, Change{ExternalID: strconv.Itoa(i), Profile: map[string]any{"x": strings.Repeat("é\"", random.IntN(4000))}})
	}
	n := 0
	for r, err := range requests(each(changes...), 0) {
		if err != nil || len(r.body) > maxBytes || r.changes > maxEntries {
			t.Fatalf("%d bytes, %d entries, %v", len(r.body), r.changes, err)
		}
		n += r.changes
	}
	if n != len(changes) {
		t.Errorf("%d entries, want %d", n, len(changes))
	}
}

// A body is as large as it may be, and not a byte larger, for every kind; one whose
// entry is too large alone is an error before anything of it is sent.
func TestRequestsToTheByte(t *testing.T) {
	for kind := PutUser; kind <= DropGroup; kind++ {
		alone := func(id int) []Change {
			c := Change{Kind: kind, ExternalID: strings.Repeat("i", id)}
			return []Change{c}
		}
		bytes := func(changes []Change) (n int, all []int, err error) {
			for r, err := range requests(each(changes...), 0) {
				if err != nil {
					return 0, nil, err
				}
				if !json.Valid(r.body) {
					t.Fatalf("%s", r.body)
				}
				n, all = n+r.changes, append(all, len(r.body))
			}
			return n, all, nil
		}
		_, small, err := bytes(alone(1))
		if err != nil {
			t.Fatal(err)
		}
		most := maxBytes - small[0] + 1 // the longest id that a request can hold
		if _, got, err := bytes(alone(most)); err != nil || got[0] != maxBytes {
			t.Errorf("%d: %d bytes, %v", kind, got, err)
		}
		if _, _, err := bytes(alone(most + 1)); !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "iii") {
			t.Errorf("%d: a byte more is answered %v", kind, err)
		}
		two := func(more int) []Change { // which share a request, but for more bytes
			entry := small[0] - forms[kind].around() - 1 // without its id
			return append(alone(most/2), alone(maxBytes-forms[kind].around()-len(",")-2*entry-most/2+more)...)
		}
		if _, got, err := bytes(two(0)); err != nil || len(got) != 1 || got[0] != maxBytes {
			t.Errorf("%d: two entries: %d bytes, %v", kind, got, err)
		}
		if n, got, err := bytes(two(1)); err != nil || len(got) != 2 || n != 2 {
			t.Errorf("%d: two entries and a byte: %d bytes, %v", kind, got, err)
		}
	}
}

// Whatever single call goes wrong, and however, everybody arrives in the end; a
// push that was killed goes on when it is started again.
func TestPushThroughTrouble(t *testing.T) {
	const n = 900
	clean := newModel(t)
	if _, err := clean.tenant().Push(t.Context(), "w", people(n), &desk{}); err != nil {
		t.Fatal(err)
	}
	for what := limited; what <= killedBefore; what++ {
		for at := 1; at <= clean.calls; at++ {
			m := newModel(t)
			m.trouble = func(call int) trouble {
				if call == at {
					return what
				}
				return none
			}
			m.until(t, n, fmt.Sprintf("trouble %d in call %d", what, at))
		}
	}
}

// A run of troubles that come by chance, many times over.
func TestPushThroughManyTroubles(t *testing.T) {
	const n = 10_300 // two sessions
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := newModel(t)
		m.trouble = func(int) trouble {
			if random.IntN(8) > 0 {
				return none
			}
			return trouble(1 + random.IntN(int(killedBefore)))
		}
		m.until(t, n, fmt.Sprintf("seed %d", seed))
	}
}

// until pushes again and again until it is through.
func (m *model) until(t *testing.T, n int, what string) {
	t.Helper()
	keeper := &desk{}
	for range 60 {
		err := m.push("w", people(n), keeper)
		if err == nil {
			m.check(n)
			for _, s := range m.sessions {
				if s.Status != completed && s.Status != closed {
					t.Errorf("%s: the session %s is left %s", what, s.ID, s.Status)
				}
			}
			return
		}
		if !errors.Is(err, errKilled) && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Timeout) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	t.Errorf("%s: it never came to an end", what)
}

// Sessions of others are cancelled when they were forgotten, and only then.
func TestSessionsOfOthers(t *testing.T) {
	stranger := func(m *model, s status, age, untouched time.Duration) {
		m.sessions = append(m.sessions, &modelSession{ID: "apsother", Status: s, Created: m.at.Add(-age), Updated: m.at.Add(-untouched), since: m.at, other: true})
	}
	for _, test := range []struct {
		name           string
		status         status
		age, untouched time.Duration
		conflict       bool
		cancels        []string
	}{
		{"waits for data", created, 59 * time.Minute, 59 * time.Minute, true, nil},
		{"waits for data in vain", created, time.Hour, time.Hour, false, []string{"apsother"}},
		{"is loaded", inProgress, 3 * time.Hour, 59 * time.Minute, false, nil},
		{"was loaded and left", inProgress, 3 * time.Hour, time.Hour, false, []string{"apsother"}},
		{"was triggered and takes long", triggered, 3 * time.Hour, 2 * time.Hour, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newModel(t)
			stranger(m, test.status, test.age, test.untouched)
			m.takes = 10 * time.Minute
			_, err := m.tenant().Push(t.Context(), "w", people(1), &desk{})
			if fault.Is(err, fault.Conflict) != test.conflict || !test.conflict && err != nil || !slices.Equal(m.cancels, test.cancels) {
				t.Errorf("%v, cancelled %v", err, m.cancels)
			}
		})
	}
	t.Run("was triggered a minute ago", func(t *testing.T) {
		m := newModel(t)
		stranger(m, triggered, time.Minute, time.Minute)
		m.takes = time.Hour
		start := m.at
		tenant := m.tenant()
		if _, err := tenant.Push(t.Context(), "w", people(1), &desk{}); err != nil || len(m.cancels) > 0 {
			t.Errorf("%v, cancelled %v", err, m.cancels)
		}
		if own := m.sessions[1]; own.Created.Sub(start) != 4*time.Minute {
			t.Errorf("the own session was opened after %s, want 4 minutes", own.Created.Sub(start))
		}
	})
}

// What a plan that has changed left open is cancelled, and nothing of it arrives.
func TestAnotherPlan(t *testing.T) {
	m := newModel(t)
	keeper := &desk{}
	m.trouble = func(call int) trouble {
		if call == 4 { // list, create, load, load
			return killed
		}
		return none
	}
	if err := m.push("old", people(1000), keeper); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if _, err := m.tenant().Push(t.Context(), "new", people(3), keeper); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.cancels, []string{"aps1"}) {
		t.Errorf("cancelled %v", m.cancels)
	}
	m.check(3)
}

// A load that the tenant refuses ends the push with its words, and the session
// is not left open.
func TestRefusedLoad(t *testing.T) {
	m := newModel(t)
	changes := each([]Change{{ExternalID: "bad", Profile: map[string]any{}}}...)
	_, err := m.tenant().Push(t.Context(), "w", changes, &desk{})
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "E0000001") {
		t.Errorf("%v", err)
	}
	if m.sessions[0].Status != closed {
		t.Errorf("the session is left %s", m.sessions[0].Status)
	}
}

// A session that the tenant cannot carry out is reported, and loaded anew by the
// next push; so is one that expired in the meantime.
func TestSessionsThatCameToNothing(t *testing.T) {
	m := newModel(t)
	keeper := &desk{}
	m.trouble = func(call int) trouble {
		if len(m.sessions) > 0 {
			m.sessions[0].fails = true
		}
		return none
	}
	if _, err := m.tenant().Push(t.Context(), "w", people(5), keeper); !fault.Is(err, fault.Refused) {
		t.Errorf("%v", err)
	}
	m.check(0)
	m.trouble = func(call int) trouble {
		if len(m.sessions) == 2 && m.sessions[1].requests == 1 && m.sessions[1].Status == inProgress {
			m.sessions[1].Status = expired
			return killed
		}
		return none
	}
	if err := m.push("w", people(5), keeper); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	m.trouble = nil
	if _, err := m.tenant().Push(t.Context(), "w", people(5), keeper); err != nil {
		t.Fatal(err)
	}
	m.check(5)
}

// Progress in files outlives the process, and two processes do not push at once.
func TestFiles(t *testing.T) {
	files := Files{Dir: filepath.Join(t.TempDir(), "pushes"), Connection: "okta"}
	if p, err := files.Progress(t.Context(), "0oasource"); err != nil || p.Work != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	want := Progress{Work: "w", Done: 200, Session: "aps1", Before: []string{"aps0"}}
	if err := files.Keep(t.Context(), "0oasource", want); err != nil {
		t.Fatal(err)
	}
	got, err := Files{Dir: files.Dir, Connection: "okta"}.Progress(t.Context(), "0oasource")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := files.Progress(t.Context(), "../x"); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
	release, err := files.Hold(t.Context(), "0oasource")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := files.Hold(ended, "0oasource"); err == nil {
		t.Error("it is held twice")
	}
	release()
}
