package script_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
)

// storm is many clients that write to the same people and groups at once.
type storm struct {
	t      *testing.T
	client *http.Client
	token  string
	logins int // so few that clients get in each other's way
	groups []string

	mu      sync.Mutex
	base    string
	people  []string          // ids of created people
	written map[string]string // acknowledged writes: request id to what was done
	added   map[string]bool   // acknowledged memberships: "group person"
	counts  map[string]int    // answers, by operation and status
	unsure  int               // calls that got no answer
}

const stormClients = 64

// TestDirectoryStorm lets 64 clients create, update, suspend, activate, and put
// into groups, kills the server in the middle, starts it again, and then reads
// its database: every acknowledged write is in the log, the log adds up to the
// state, no login is there twice, and nobody came into a status that the rules
// do not lead to.
func TestDirectoryStorm(t *testing.T) {
	t.Parallel()
	seconds := sizeOf(t, "LANYARD_STORM_SECONDS", 4)
	binary, data := buildBinary(t), t.TempDir()
	s := &storm{
		t: t, logins: 200, written: map[string]string{}, added: map[string]bool{}, counts: map[string]int{},
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: stormClients}},
	}
	half := time.Duration(seconds) * time.Second / 2
	server := s.serve(binary, data)
	s.makeGroups(4)
	s.rage(half, func() { _ = server.Process.Kill() }) // kill -9 while everybody writes
	_ = server.Wait()                                  // it was killed
	server = s.serve(binary, data)
	s.rage(half, func() {})
	if err := server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("lanyard serve: %v", err)
	}
	t.Logf("%d acknowledged writes, %d calls without an answer; answers: %v", len(s.written), s.unsure, s.counts)
	if len(s.written) < 100*seconds {
		t.Errorf("only %d writes were acknowledged: the test shows nothing", len(s.written))
	}
	s.check(filepath.Join(data, "lanyard.db"))
}

// serve starts the server and waits until it answers.
func (s *storm) serve(binary, data string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), binary, "serve", "--data", data, "--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		s.t.Fatalf("lanyard serve: %v", err)
	}
	var addresses struct{ Okta string }
	if err := json.Unmarshal(line, &addresses); err != nil {
		s.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(data, "sandbox.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var credentials struct{ OktaAPIToken string }
	if err := json.Unmarshal(text, &credentials); err != nil {
		s.t.Fatal(err)
	}
	s.base, s.token = addresses.Okta, credentials.OktaAPIToken
	return cmd
}

// rage lets the clients write for a while, and calls end when the time is up
// and they still do.
func (s *storm) rage(d time.Duration, end func()) {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	var clients sync.WaitGroup
	for n := range stormClients {
		random := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
		clients.Go(func() {
			for ctx.Err() == nil {
				s.act(random)
			}
		})
	}
	<-ctx.Done()
	end()
	clients.Wait()
}

func (s *storm) makeGroups(n int) {
	for i := range n {
		status, _, body := s.send("POST", "/api/v1/groups", fmt.Sprintf(`{"profile":{"name":"Storm %d"}}`, i))
		var g struct{ ID string }
		if err := json.Unmarshal(body, &g); status != 200 || err != nil {
			s.t.Fatalf("POST /groups = %d %s", status, body)
		}
		s.groups = append(s.groups, g.ID)
	}
}

// act does one thing to somebody.
func (s *storm) act(random *rand.Rand) {
	person := s.somebody(random)
	group := s.groups[random.IntN(len(s.groups))]
	user := "/api/v1/users/" + person
	switch n := random.IntN(20); {
	case n < 4 || person == "":
		login := fmt.Sprintf("storm.%d@example.com", random.IntN(s.logins))
		s.write("create", "POST", "/api/v1/users?activate="+strconv.FormatBool(random.IntN(3) > 0),
			fmt.Sprintf(`{"profile":{"login":%q,"email":%q,"firstName":"S","lastName":"T"},"credentials":{"password":{"hash":{"algorithm":"MD5","value":"kJgK2p/ZQ6MZC5rHFEuCqA=="}}}}`, login, login))
	case n < 7:
		s.write("update", "POST", user, fmt.Sprintf(`{"profile":{"title":"T%d"}}`, random.IntN(1000)))
	case n < 9:
		s.write("suspend", "POST", user+"/lifecycle/suspend", "")
	case n < 11:
		s.write("unsuspend", "POST", user+"/lifecycle/unsuspend", "")
	case n < 12:
		s.write("activate", "POST", user+"/lifecycle/activate?sendEmail=false", "")
	case n < 13:
		s.write("deactivate", "POST", user+"/lifecycle/deactivate", "")
	case n < 14:
		s.write("delete", "DELETE", user, "")
	case n < 17:
		s.write("add", "PUT", "/api/v1/groups/"+group+"/users/"+person, "")
	default:
		s.write("remove", "DELETE", "/api/v1/groups/"+group+"/users/"+person, "")
	}
}

func (s *storm) somebody(random *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.people) == 0 {
		return ""
	}
	return s.people[random.IntN(len(s.people))]
}

// write makes a call and remembers what was promised.
func (s *storm) write(what, method, path, body string) {
	status, request, answer := s.send(method, path, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 {
		s.unsure++
		return
	}
	s.counts[what+" "+strconv.Itoa(status)]++
	if status >= 500 {
		s.t.Errorf("%s %s = %d %s", method, path, status, answer)
	}
	if status/100 != 2 {
		return
	}
	switch what {
	case "add": // it may have been so already
		_, pair, _ := strings.Cut(path, "/groups/")
		s.added[strings.ReplaceAll(pair, "/users/", " ")] = true
	case "remove":
	default:
		s.written[request] = what
	}
	if what == "create" {
		var u struct{ ID string }
		if err := json.Unmarshal(answer, &u); err != nil {
			s.t.Errorf("POST /users = %s", answer)
		}
		s.people = append(s.people, u.ID)
		if len(s.people) > s.logins {
			s.people = s.people[1:]
		}
	}
}

// send makes a call. Status 0 means that no answer came.
func (s *storm) send(method, path, body string) (status int, request string, answer []byte) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Error(err)
		return 0, "", nil
	}
	req.Header.Set("Authorization", "SSWS "+s.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", nil
	}
	return resp.StatusCode, resp.Header.Get("X-Okta-Request-Id"), answer
}

// check reads the database that is left and compares log, state and promises.
func (s *storm) check(path string) {
	ctx := s.t.Context()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	d := directory.New(db.Directory())
	changes, err := d.Changes(ctx, directory.ChangeQuery{Realm: directory.OktaRealm}, 0, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	replay := newReplay(s.t)
	for i := range changes {
		replay.apply(&changes[i])
	}
	for request, what := range s.written {
		if !replay.requests[request] {
			s.t.Errorf("an acknowledged %s (request %s) is not in the log", what, request)
		}
	}
	for pair := range s.added {
		if !replay.joined[pair] {
			s.t.Errorf("the membership %s was acknowledged and is not in the log", pair)
		}
	}
	replay.compare(ctx, d, s.groups)
}

// replay folds the change log.
type replay struct {
	t        *testing.T
	accounts map[string]json.RawMessage // by id, as last logged
	members  map[string]bool            // "group account"
	joined   map[string]bool            // "group account" that was ever a member
	requests map[string]bool            // that changed something
	last     int64
}

func newReplay(t *testing.T) *replay {
	return &replay{t: t, accounts: map[string]json.RawMessage{}, members: map[string]bool{}, joined: map[string]bool{}, requests: map[string]bool{}}
}

// steps are the changes of status that the rules allow, written down here anew.
var steps = map[string][]string{
	"":              {"STAGED", "ACTIVE", "PROVISIONED", "SUSPENDED", "DEPROVISIONED"}, // also as seeded
	"STAGED":        {"STAGED", "ACTIVE", "PROVISIONED", "DEPROVISIONED"},
	"PROVISIONED":   {"PROVISIONED", "SUSPENDED", "DEPROVISIONED"},
	"ACTIVE":        {"ACTIVE", "SUSPENDED", "DEPROVISIONED"},
	"SUSPENDED":     {"SUSPENDED", "ACTIVE", "DEPROVISIONED"},
	"DEPROVISIONED": {"DEPROVISIONED", "PROVISIONED", "ACTIVE", ""},
}

func (r *replay) apply(c *directory.Change) {
	if c.Seq <= r.last {
		r.t.Errorf("change %d stands behind %d", c.Seq, r.last)
	}
	r.last = c.Seq
	r.requests[c.Actor.Request] = true
	switch {
	case strings.HasPrefix(c.Kind, "group.user_membership."):
		r.member(c)
	case isAccount(c.Before) || isAccount(c.After):
		r.account(c)
	}
}

// isAccount tells the state of an account from those of its roles and factors,
// whose changes are about the account as well.
func isAccount(state json.RawMessage) bool {
	var a struct {
		Profile  map[string]any
		Provider struct{ Type string }
	}
	return state != nil && json.Unmarshal(state, &a) == nil && a.Profile["login"] != nil && a.Provider.Type != ""
}

func (r *replay) member(c *directory.Change) {
	state := c.After
	if state == nil {
		state = c.Before
	}
	var m directory.Membership
	if err := json.Unmarshal(state, &m); err != nil {
		r.t.Fatal(err)
	}
	key, joins := m.Group+" "+m.Account, c.After != nil
	if r.members[key] == joins {
		r.t.Errorf("change %d: %s of %s, which was so already", c.Seq, c.Kind, key)
	}
	r.members[key] = joins
	r.joined[key] = r.joined[key] || joins
}

func (r *replay) account(c *directory.Change) {
	was := r.accounts[c.Target]
	if !bytes.Equal(was, c.Before) {
		r.t.Errorf("change %d of %s begins with %s, the one before ended with %s", c.Seq, c.Target, c.Before, was)
	}
	from, to := r.status(c.Before), r.status(c.After)
	if !slices.Contains(steps[from], to) {
		r.t.Errorf("change %d: %s leads from %q to %q", c.Seq, c.Kind, from, to)
	}
	r.accounts[c.Target] = c.After
	if c.After != nil {
		return
	}
	delete(r.accounts, c.Target)
	for key := range r.members { // they go with the account
		if strings.HasSuffix(key, " "+c.Target) {
			delete(r.members, key)
		}
	}
}

func (r *replay) status(state json.RawMessage) string {
	if state == nil {
		return ""
	}
	var a directory.Account
	if err := json.Unmarshal(state, &a); err != nil {
		r.t.Fatal(err)
	}
	return string(a.Status)
}

// sameJSON compares two texts by what they say; the order of members is nobody's.
func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// compare holds the state against what the log adds up to.
func (r *replay) compare(ctx context.Context, d *directory.Directory, groups []string) {
	accounts, err := d.Accounts(ctx, directory.AccountQuery{Realm: directory.OktaRealm}, 0, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	logins := map[string]string{}
	for _, a := range accounts {
		state, err := json.Marshal(a)
		if err != nil {
			r.t.Fatal(err)
		}
		if logged := r.accounts[a.ID]; !sameJSON(state, logged) {
			r.t.Errorf("user %s is %s, the log says %s", a.ID, state, logged)
		}
		if other := logins[directory.Fold(a.Login())]; other != "" {
			r.t.Errorf("%s and %s have the login %s", other, a.ID, a.Login())
		}
		logins[directory.Fold(a.Login())] = a.ID
	}
	if len(accounts) != len(r.accounts) {
		r.t.Errorf("%d users, the log says %d", len(accounts), len(r.accounts))
	}
	for _, group := range groups {
		members, err := d.Accounts(ctx, directory.AccountQuery{Realm: directory.OktaRealm, Group: group}, 0, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, a := range members {
			if !r.members[group+" "+a.ID] {
				r.t.Errorf("%s is in %s, the log does not say so", a.ID, group)
			}
			delete(r.members, group+" "+a.ID)
		}
		for key, in := range r.members {
			if in && strings.HasPrefix(key, group+" ") {
				r.t.Errorf("the log says %s, but it is not so", key)
			}
		}
	}
}
