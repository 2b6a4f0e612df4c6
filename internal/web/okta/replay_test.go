package okta_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// Recordings are conversations with real Okta orgs. They are replayed as
// scripts: what an org held before is seeded (replay_seed_test.go), the requests
// are sent in order with ids mapped (replay_ids_test.go), and every answer must
// be the recorded one (replay_compare_test.go) where the API has the operation.
//
// testdata/replay.yaml lists the interactions that differ, each with its
// reason. To work on them, run
//
//	LANYARD_REPLAY=/tmp/diff go test ./internal/web/okta -run TestRecordings -v
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
	late // the recorded answer was behind what had been written: search is eventually consistent
	different
)

// shared returns the folder of shared test data, and skips when it is not there.
func shared(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "okta")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the shared test data is missing: %v", err)
		}
		t.Skipf("the shared test data is missing: %v", err)
	}
	return dir
}

// accepted is an entry of testdata/replay.yaml.
type accepted struct {
	Recording    string
	Interactions []int
	Skip         bool   // do not send the request: it did not reach the API
	Needs        string // METHOD path that the answer depends on: the entry holds as long as the API lacks it, and the interaction does not count
	Reason       string
}

func readAccepted(t *testing.T) []accepted {
	t.Helper()
	var list []accepted
	webtest.ReadReplayList(t, &list)
	for _, a := range list {
		if a.Reason == "" || a.Recording == "" || len(a.Interactions) == 0 {
			t.Errorf("testdata/replay.yaml: %+v lacks its recording, interactions or reason", a)
		}
	}
	return list
}

// find returns the entry for an interaction, the zero one when there is none.
func find(list []accepted, recording string, number int) accepted {
	for _, a := range list {
		if a.Recording == recording && slices.Contains(a.Interactions, number) {
			return a
		}
	}
	return accepted{}
}

func TestRecordings(t *testing.T) {
	recordings := webtest.Recordings(t)
	list := readAccepted(t)
	var mu sync.Mutex
	counts := map[string][different + 1]int{}
	t.Run("replay", func(t *testing.T) {
		for _, r := range recordings {
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				n := judge(t, replay(t, r, list), r, list)
				mu.Lock()
				defer mu.Unlock()
				counts[r.Name] = n
			})
		}
	})
	var total [different + 1]int
	row := func(name string, n [different + 1]int) {
		supported := n[equal] + n[late] + n[different]
		t.Logf("%-105s %5d %5d %5d %5d %5d", name, supported+n[unsupported], supported, n[equal], n[late], n[different])
	}
	t.Logf("%-105s %5s %5s %5s %5s %5s", "recording", "all", "supp.", "equal", "late", "diff.")
	for _, r := range recordings {
		for v, n := range counts[r.Name] {
			total[v] += n
		}
		row(r.Name, counts[r.Name])
	}
	row("total", total)
	supported := total[equal] + total[late] + total[different]
	if total[different]*100 > supported*(100-equalShare) {
		t.Errorf("%d of %d interactions differ; at least %d %% must be equal", total[different], supported, equalShare)
	}
	// A change of the recordings' form must not empty this test silently.
	if supported < 1070 {
		t.Errorf("%d interactions are with operations of the API, want at least 1070", supported)
	}
}

// judge holds the outcomes of one recording to the list of accepted
// differences, and counts them. An entry that is not needed is a failure in CI.
func judge(t *testing.T, outcomes []outcome, r webtest.Recording, list []accepted) (n [different + 1]int) {
	t.Helper()
	var differences strings.Builder
	for i, o := range outcomes {
		n[o.verdict]++
		entry := find(list, r.Name, i)
		reason := entry.Reason
		if entry.Needs != "" {
			reason = "" // it was left out, or the entry holds no longer
		}
		switch {
		case o.verdict == different:
			fmt.Fprintf(&differences, "interaction %d: %s %s\n%s\n", i, r.Interactions[i].Method, r.Interactions[i].Target, o.text)
			if reason == "" {
				t.Errorf("interaction %d: %s %s\n%s", i, r.Interactions[i].Method, r.Interactions[i].Target, o.text)
			}
		case o.verdict != unsupported && reason != "":
			webtest.ReportNeedless(t, r.Interactions[i])
		}
	}
	webtest.WriteDifferences(t, r, differences.String())
	return n
}

// outcome is the verdict on one interaction, with the difference.
type outcome struct {
	verdict verdict
	text    string
}

// player replays one recording.
type player struct {
	*bench
	r    webtest.Recording
	ids  *idMap
	past map[string][]string // our answers by request, in order of time
	lack []string            // recorded ids of what the API could not make
}

func replay(t *testing.T, r webtest.Recording, list []accepted) []outcome {
	t.Helper()
	p := &player{r: r, ids: newIDMap(), past: map[string][]string{}}
	p.bench = newBench(t, func(o *okta.Options) {
		o.WithoutBlocks = true // no recorded org has them
		o.Authorizer = serviceApp(o.Authorizer)
		o.WithoutBlocks = true // no recorded org has them
		if r.Classic() {
			o.Engine = "classic"
		}
	})
	p.seed()
	var out []outcome
	for _, i := range r.Interactions {
		entry := find(list, r.Name, i.Number)
		if entry.Skip {
			out = append(out, outcome{different, "not sent"})
			continue
		}
		if method, path, ok := strings.Cut(entry.Needs, " "); ok && !p.api.Serves(method, path) {
			out = append(out, p.pass(i))
			continue
		}
		out = append(out, p.play(i))
	}
	return out
}

// serviceApp makes the scheme DPoP that of an app with scopes but without an
// admin role, which is what the recordings have.
func serviceApp(next okta.Authorizer) okta.Authorizer {
	return func(ctx context.Context, c okta.Call) (okta.Caller, error) {
		if c.Scheme != "DPoP" {
			return next(ctx, c)
		}
		return okta.Caller{
			Actor:  directory.Actor{ID: "0oaserviceapp000001", Type: "PublicClientApp"},
			Scopes: []string{"okta.users.read", "okta.apps.read", "okta.groups.read"},
			Token:  "service",
		}, nil
	}
}

// play sends one request and compares the answers.
func (p *player) play(i webtest.Interaction) outcome {
	p.t.Helper()
	target := p.ids.ours(i.Target)
	if !p.api.Serves(i.Method, target) {
		return p.pass(i)
	}
	if slices.ContainsFunc(p.lack, func(id string) bool { return strings.Contains(i.Target+i.Request+i.Body, id) }) {
		return outcome{} // about what the API could not make
	}
	var headers []string
	if i.Scheme != "SSWS" {
		headers = []string{"Authorization", strings.TrimSpace(i.Scheme + " x")}
	}
	got := p.call(i.Method, target, p.ids.ours(p.request(i)), headers...)
	if got.status == i.Status {
		p.ids.learn(i.Body, got.body)
		p.ids.learnCursor(i.Header.Values("Link"), got.header.Values("Link"))
	}
	ours := page(got.status, got.body, org)
	diff := cmp.Diff(p.theirs(i), ours)
	before := p.past[i.Method+" "+i.Target]
	p.past[i.Method+" "+i.Target] = append(before, ours)
	if diff != "" {
		if i.Method == http.MethodGet && (slices.Contains(before, p.theirs(i)) || p.soon(i, ours)) {
			return outcome{verdict: late}
		}
		return outcome{different, "body: - recorded + got\n" + diff}
	}
	want, have := p.headers(i, got.header)
	if diff := cmp.Diff(want, have); diff != "" {
		return outcome{different, "headers: - recorded + got\n" + diff}
	}
	return outcome{verdict: equal}
}

// pass leaves out an interaction that the API cannot serve, and remembers what
// it made.
func (p *player) pass(i webtest.Interaction) outcome {
	p.t.Helper()
	if i.Method != http.MethodPost || kindOf(i.Path()) == "" || i.Status >= http.StatusMultipleChoices {
		return outcome{}
	}
	var o struct{ ID string }
	if err := json.Unmarshal([]byte(i.Body), &o); err != nil || o.ID == "" {
		p.t.Fatalf("interaction %d: %s %s made nothing with an id: %s", i.Number, i.Method, i.Target, i.Body)
	}
	p.lack = append(p.lack, o.ID)
	return outcome{}
}

// theirs is the recorded answer in the form that is compared.
func (p *player) theirs(i webtest.Interaction) string {
	return page(i.Status, p.ids.ours(i.Body), i.Host)
}

// soon reports whether the org came to give our answer to the same question,
// before anything else was written to what the question is about.
func (p *player) soon(i webtest.Interaction, ours string) bool {
	about := idPattern.FindAllString(i.Target, -1)
	for _, next := range p.r.Interactions[i.Number+1:] {
		if next.Method == i.Method && next.Target == i.Target && p.theirs(next) == ours {
			return true
		}
		touches := slices.ContainsFunc(about, func(id string) bool { return strings.Contains(next.Target, id) })
		if next.Method != http.MethodGet && touches {
			return false
		}
	}
	return false
}
