package auth0_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/web/auth0"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// Recordings are conversations with a real Auth0 tenant, which travel with
// Auth0's SDK for Go. They are replayed as scripts: the requests are sent in
// order, with ids mapped (replay_compare_test.go), and every answer must be the
// recorded one where the API has the operation.
//
// testdata/replay.yaml lists what is compared otherwise, and the interactions
// that differ, each with its reason. To work on them, run
//
//	LANYARD_REPLAY=/tmp/diff go test ./internal/web/auth0 -run TestRecordings -v
//
// which prints a table and writes all differences into that folder, a file for
// each recording.

// equalShare is how much of the interactions with operations that the API has
// must be equal, in percent.
const equalShare = 95

// verdict is what became of an interaction.
type verdict int

const (
	unsupported verdict = iota // the API does not have the operation
	equal
	late // the recorded answer was behind what had been done
	different
)

// accepted is testdata/replay.yaml.
type accepted struct {
	// Newer are members that came after some of the recordings were made: where a
	// recorded answer lacks one it may.
	Newer []struct{ Member, Reason string }

	// Gone are members that only older recordings have.
	Gone []struct{ Member, Reason string }

	// Elsewhere are areas whose answers are about what the recorded tenant held
	// and did before. They are not compared.
	Elsewhere []struct{ Area, Reason string }

	// Reordered are operations whose recordings disagree on the order of keys.
	Reordered []struct{ Operation, Reason string }

	Interactions []struct {
		Recording    string
		Interactions []int
		Reason       string
	}

	needed *sync.Map // the members, areas and operations that made a difference
}

// needless reports what of the list made no difference, but for interactions.
func (a accepted) needless(t *testing.T) {
	t.Helper()
	var all []string
	for _, m := range slices.Concat(a.Newer, a.Gone) {
		all = append(all, m.Member)
	}
	for _, e := range a.Elsewhere {
		all = append(all, e.Area)
	}
	for _, o := range a.Reordered {
		all = append(all, o.Operation)
	}
	for _, name := range all {
		if _, ok := a.needed.Load(name); !ok {
			t.Errorf("testdata/replay.yaml: %s makes no difference; take it out", name)
		}
	}
}

func readAccepted(t *testing.T) accepted {
	t.Helper()
	a := accepted{needed: new(sync.Map)}
	webtest.ReadReplayList(t, &a)
	for _, n := range slices.Concat(a.Newer, a.Gone) {
		if n.Member == "" || n.Reason == "" {
			t.Errorf("testdata/replay.yaml: %+v lacks its member or reason", n)
		}
	}
	for _, o := range a.Reordered {
		if o.Operation == "" || o.Reason == "" {
			t.Errorf("testdata/replay.yaml: %+v lacks its operation or reason", o)
		}
	}
	for _, i := range a.Interactions {
		if i.Reason == "" || i.Recording == "" || len(i.Interactions) == 0 {
			t.Errorf("testdata/replay.yaml: %+v lacks its recording, interactions or reason", i)
		}
	}
	return a
}

// newer reports whether a member came after some of the recordings were made.
func (a accepted) newer(member string) bool {
	for _, n := range a.Newer {
		if n.Member == member {
			a.needed.Store(member, true)
			return true
		}
	}
	return false
}

// gone reports whether only older recordings have a member.
func (a accepted) gone(member string) bool {
	for _, n := range a.Gone {
		if n.Member == member {
			a.needed.Store(member, true)
			return true
		}
	}
	return false
}

// elsewhere reports whether answers are about what the recorded tenant held.
func (a accepted) elsewhere(path string) bool {
	for _, e := range a.Elsewhere {
		if rest, ok := strings.CutPrefix(path, "/api/v2/"+e.Area); ok && (rest == "" || rest[0] == '/') {
			a.needed.Store(e.Area, true)
			return true
		}
	}
	return false
}

// reordered reports whether the recordings of an operation disagree on the order
// of keys.
func (a accepted) reordered(i webtest.Interaction) bool {
	for _, o := range a.Reordered {
		if o.Operation == i.Method+" "+i.Path() {
			a.needed.Store(o.Operation, true)
			return true
		}
	}
	return false
}

// reason is why an interaction may differ, "" when it must not.
func (a accepted) reason(recording string, number int) string {
	for _, i := range a.Interactions {
		if i.Recording == recording && slices.Contains(i.Interactions, number) {
			return i.Reason
		}
	}
	return ""
}

// judgedAreas are the areas that have to be as recorded for themselves. SCIM
// configurations and tokens are among the connections.
var judgedAreas = []string{"users", "users-by-email", "user-blocks", "roles", "connections", "organizations", "jobs"}

// judgedSuites are the SDK's own tests whose recordings, with all areas they
// touch, have to be as recorded for themselves.
var judgedSuites = regexp.MustCompile(`^Test(User|Role|Connection|Organization|Job|Log)Manager`)

func TestRecordings(t *testing.T) {
	recordings := webtest.Auth0Recordings(t)
	list := readAccepted(t)
	var mu sync.Mutex
	counts := map[string]*[different + 1]int{}
	var suites [different + 1]int
	var order []string
	t.Run("replay", func(t *testing.T) {
		for _, r := range recordings {
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				outcomes := replay(t, r, list)
				judge(t, outcomes, r, list)
				mu.Lock()
				defer mu.Unlock()
				for i, o := range outcomes {
					area := areaOf(r.Interactions[i].Path())
					if counts[area] == nil {
						counts[area] = new([different + 1]int)
						order = append(order, area)
					}
					counts[area][o.verdict]++
					if judgedSuites.MatchString(r.Name) {
						suites[o.verdict]++
					}
				}
			})
		}
	})
	list.needless(t)
	var total [different + 1]int
	row := func(name string, n [different + 1]int) {
		supported := n[equal] + n[late] + n[different]
		t.Logf("%-30s %5d %5d %5d %5d %5d", name, n[unsupported]+supported, supported, n[equal], n[late], n[different])
	}
	t.Logf("%-30s %5s %5s %5s %5s %5s", "area", "all", "supp.", "equal", "late", "diff.")
	slices.Sort(order)
	for _, area := range order {
		row(area, *counts[area])
		for v, n := range counts[area] {
			total[v] += n
		}
	}
	row("total", total)
	var ours [different + 1]int
	for area, n := range counts {
		if slices.Contains(judgedAreas, area) {
			for v := range n {
				ours[v] += n[v]
			}
		}
	}
	row("users to jobs", ours)
	row("suites of users to logs", suites)
	for name, n := range map[string][different + 1]int{strings.Join(judgedAreas, ", "): ours, judgedSuites.String(): suites} {
		if known := n[equal] + n[late] + n[different]; n[equal]*100 < known*equalShare {
			t.Errorf("%d of %d interactions with %s are equal, want %d %%", n[equal], known, name, equalShare)
		}
	}
	supported := total[equal] + total[late] + total[different]
	// A change of the recordings' form must not empty this test silently.
	if supported < 1100 {
		t.Errorf("%d interactions are with operations of the API, want at least 1100", supported)
	}
	if total[different]*100 > supported*(100-equalShare) {
		t.Errorf("%d of %d interactions differ; at least %d %% must be equal", total[different], supported, equalShare)
	}
}

// areaOf is the first segment of a path below the Management API.
func areaOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/v2/")
	if !ok {
		return path
	}
	area, _, _ := strings.Cut(rest, "/")
	return area
}

// judge holds the outcomes of one recording to the list of accepted
// differences. An entry that is not needed is a failure in CI.
func judge(t *testing.T, outcomes []outcome, r webtest.Recording, list accepted) {
	t.Helper()
	var differences strings.Builder
	for n, o := range outcomes {
		i := r.Interactions[n]
		reason := list.reason(r.Name, n)
		switch {
		case o.verdict == different:
			fmt.Fprintf(&differences, "interaction %d: %s %s\n%s\n%s\n", n, i.Method, i.Target, i.Request, o.text)
			if reason == "" {
				t.Errorf("interaction %d: %s %s\n%s", n, i.Method, i.Target, o.text)
			}
		case o.verdict == equal && reason != "":
			webtest.ReportNeedless(t, i)
		}
	}
	webtest.WriteDifferences(t, r, differences.String())
}

// outcome is the verdict on one interaction, with the difference.
type outcome struct {
	verdict verdict
	text    string
}

// player replays one recording.
type player struct {
	*bench
	ids     *idMap
	list    accepted
	deleted map[string]bool // by path

	playing webtest.Interaction
	work    []func(context.Context) // that the tenant has not come to yet
}

func replay(t *testing.T, r webtest.Recording, list accepted) []outcome {
	t.Helper()
	p := &player{ids: newIDMap(), list: list, deleted: map[string]bool{}}
	p.bench = newBench(t, func(o *auth0.Options) {
		o.BaseURL, o.Describe = recordedTenant, p.describe
		o.Background = func(work func(context.Context)) { p.work = append(p.work, work) }
	})
	p.seed(r)
	var out []outcome
	for _, i := range r.Interactions {
		out = append(out, p.play(i))
	}
	return out
}

// seed makes what the recorded tenant held before a conversation began: clients
// used its database, which the conversation only reads.
func (p *player) seed(r webtest.Recording) {
	p.t.Helper()
	for _, i := range r.Interactions {
		var page struct {
			Connections []struct {
				Name    string
				Clients []string `json:"enabled_clients"`
			}
		}
		if i.Method != http.MethodGet || areaOf(i.Path()) != "connections" || json.Unmarshal([]byte(i.Body), &page) != nil {
			continue
		}
		for _, c := range page.Connections {
			if c.Name != database {
				continue
			}
			body, err := json.Marshal(map[string]any{"enabled_clients": c.Clients})
			if err != nil {
				p.t.Fatal(err)
			}
			p.ok(http.StatusOK, http.MethodPatch, "/api/v2/connections/"+p.connection(database), string(body))
			return
		}
	}
}

// describe plays the identity provider of the connection that is being created:
// it says of itself what the recorded tenant was told. What a provider may leave
// out (OpenID Connect Discovery 1.0 3) it does leave out, so that the tenant has
// to fill it in; thumbprints of certificates stand in its keys.
func (p *player) describe(_ context.Context, address string) (map[string]any, error) {
	var recorded struct {
		Options struct {
			Metadata    map[string]any `json:"oidc_metadata"`
			Thumbprints []string
		}
	}
	dec := json.NewDecoder(strings.NewReader(p.playing.Body))
	dec.UseNumber()
	if err := dec.Decode(&recorded); err != nil {
		return nil, err
	}
	var keys []any
	for _, text := range recorded.Options.Thumbprints {
		sum, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, map[string]any{"kty": "RSA", "x5t": base64.RawURLEncoding.EncodeToString(sum)})
	}
	said := recorded.Options.Metadata
	switch {
	case keys != nil:
		return map[string]any{"keys": keys}, nil
	case said == nil:
		return nil, fmt.Errorf("nothing was recorded of %s", address)
	}
	maps.DeleteFunc(said, func(_ string, v any) bool { return v == false })
	return said, nil
}

// play sends one request and compares the answers. Recordings do not say when
// Auth0 had done what it does in the background: the tests waited two seconds for
// some imports and for others not. A request that changes nothing is sent before
// that work, and where the answer is another, again behind it. One of the two
// must be as recorded.
func (p *player) play(i webtest.Interaction) outcome {
	p.t.Helper()
	if !p.api.Serves(i.Method, p.ids.ours(i.Target)) || p.list.elsewhere(i.Path()) {
		return outcome{}
	}
	if len(p.work) > 0 && i.Method == http.MethodGet {
		if before := p.exchange(i); before.verdict == equal {
			return before
		}
	}
	for _, work := range p.work {
		work(p.t.Context())
	}
	p.work = nil
	return p.exchange(i)
}

// exchange sends one request and compares the answers.
func (p *player) exchange(i webtest.Interaction) outcome {
	p.t.Helper()
	target := p.ids.ours(i.Target)
	media := "application/json"
	if given := i.RequestHeader.Get("Content-Type"); given != "" {
		media = given
	}
	p.playing = i
	got := p.call(i.Method, target, p.ids.ours(i.Request), "Content-Type", media)
	if got.status == i.Status {
		p.ids.learn(i.Body, got.body)
	}
	theirs, ours := p.pages(i, got)
	diff := cmp.Diff(theirs, ours)
	if again := i.Method == http.MethodDelete && areaOf(i.Path()) == "connections" && p.deleted[i.Target]; diff != "" && again {
		return outcome{verdict: late} // Auth0 was still at it, and answered as the first time
	}
	if i.Method == http.MethodDelete {
		p.deleted[i.Target] = true
	}
	if diff != "" {
		return outcome{different, "- recorded + got\n" + diff}
	}
	return outcome{verdict: equal}
}

// rewritten are the answers that the recorder decoded and encoded again, to
// take secrets out: the order of their keys is lost.
func rewritten(i webtest.Interaction) bool {
	switch area := areaOf(i.Path()); area {
	case "clients", "resource-servers":
		return !strings.Contains(i.Target, "include_totals")
	case "logs":
		return true
	default:
		return strings.HasSuffix(i.Path(), "/scim-configuration/tokens") && i.Method == http.MethodPost
	}
}
