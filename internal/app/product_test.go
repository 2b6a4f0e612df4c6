package app

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

// The data folder is the one that was named, else the configuration's, else the
// usual one.
func TestDataFolder(t *testing.T) {
	b := newBench(t)
	b.write("conf/lanyard.yaml", "data: state")
	for _, test := range []struct {
		name  string
		file  string
		named bool
		want  string
	}{
		{"named", "conf/lanyard.yaml", true, "given"},
		{"configured", "conf/lanyard.yaml", false, b.path("conf/state")},
		{"neither", "none.yaml", false, "given"},
	} {
		s := cli.Settings{Config: b.path(test.file), Data: "given", DataGiven: test.named}
		if _, err := b.configuration(&s); err != nil || s.Data != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, s.Data, err, test.want)
		}
	}
}

func TestConfigurationErrors(t *testing.T) {
	b := newBench(t)
	b.write("lanyard.yaml", "connections: {o: {auth: {type: ssws, token: hunter2}}}\nrun: {maxSteps: many}")
	s := b.settings()
	_, err := b.configuration(&s)
	if !fault.Is(err, fault.Invalid) || strings.Count(fault.Public(err), "\n") != 1 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("configuration = %v, want both mistakes and no credential", err)
	}
	s.Config, s.ConfigGiven = b.path("absent.yaml"), true
	if _, err := b.configuration(&s); !fault.Is(err, fault.Usage) {
		t.Errorf("a named file that is not there = %v", err)
	}
}

// Every switch of the configuration reaches the plan.
func TestProfile(t *testing.T) {
	var c config.Run
	for i, field := range reflect.VisibleFields(reflect.TypeOf(c)) {
		v := reflect.ValueOf(&c).Elem().FieldByIndex(field.Index)
		if field.Type.Kind() == reflect.Int {
			v.SetInt(int64(i + 1))
		} else {
			v.SetString(field.Name)
		}
	}
	from, to := reflect.ValueOf(c), reflect.ValueOf(profile(c))
	for _, field := range reflect.VisibleFields(to.Type()) {
		want := from.FieldByName(field.Name)
		if !want.IsValid() {
			t.Errorf("the configuration has no %s", field.Name)
			continue
		}
		if got := to.FieldByName(field.Name); !got.Equal(want) {
			t.Errorf("%s = %v, want %v", field.Name, got, want)
		}
	}
	b := newBench(t)
	b.write("people.yaml", people)
	b.write("flow.yaml", flow)
	b.write("lanyard.yaml", "run: {maxSteps: 7, onDoubt: fail}")
	if diff := cmp.Diff(plan.Profile{MaxSteps: 7, OnDoubt: "fail"}, b.planOf(b.request("flow.yaml", run.Bindings{})).Profile); diff != "" {
		t.Errorf("the plan's profile (-want +got):\n%s", diff)
	}
}

// located returns where the source of flow.yaml is read.
func located(b *bench, req cli.PlanRequest) string {
	return b.planOf(req).Bundle.Documents[0].Sources[0].Location
}

// A source is read where --source says, else where lanyard.yaml says, from its
// own folder, else at its URL.
func TestWhereSourcesAreRead(t *testing.T) {
	b := newBench(t)
	b.write("flow.yaml", flow)
	b.write("people.yaml", people)
	b.write("conf/apis/people.yaml", people)
	elsewhere := b.write("elsewhere.yaml", people)
	b.write("conf/lanyard.yaml", "sources: {people: {file: apis/people.yaml}}")
	b.write("conf/absolute.yaml", "sources: {people: {file: "+filepath.ToSlash(elsewhere)+"}}")
	req := b.request("flow.yaml", run.Bindings{})
	if got := located(b, req); got != b.path("people.yaml") {
		t.Errorf("without a configuration it is read from %s", got)
	}
	req.Config = b.path("conf/lanyard.yaml")
	if got := located(b, req); got != b.path("conf/apis/people.yaml") {
		t.Errorf("with a file in the configuration it is read from %s", got)
	}
	req.Sources = map[string]string{"people": b.path("people.yaml")}
	if got := located(b, req); got != b.path("people.yaml") {
		t.Errorf("with --source it is read from %s", got)
	}
	req.Sources, req.Config = nil, b.path("conf/absolute.yaml")
	if got := located(b, req); got != elsewhere {
		t.Errorf("with an absolute path in the configuration it is read from %s", got)
	}
}

// The lock file stands beside the configuration; what it pins is used by plans.
func TestSourcesLock(t *testing.T) {
	b := newBench(t)
	b.write("flow.yaml", flow)
	b.write("people.yaml", people)
	b.write("conf/lanyard.yaml", "run: {}")
	req := b.request("flow.yaml", run.Bindings{})
	req.Config = b.path("conf/lanyard.yaml")
	states := func(verb cli.SourcesVerb) []cli.SourceState {
		t.Helper()
		out, err := b.sources(t.Context(), verb, req)
		if err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
		return out
	}
	digest := openapi.Digest([]byte(people))
	if got := states(cli.SourcesDiff); len(got) != 1 || got[0].Name != "people" || got[0].State != "new" {
		t.Errorf("diff before = %+v", got)
	}
	if _, err := os.Stat(b.path("conf/" + lockFileName)); !os.IsNotExist(err) {
		t.Errorf("diff wrote the lock file: %v", err)
	}
	if got := states(cli.SourcesLock); len(got) != 1 || got[0].Digest != digest {
		t.Errorf("lock = %+v, want the digest %s", got, digest)
	}
	if _, err := os.Stat(b.path("conf/" + lockFileName)); err != nil {
		t.Fatal(err)
	}
	if got := states(cli.SourcesDiff); got[0].State != "unchanged" {
		t.Errorf("diff = %+v, want unchanged", got)
	}
	b.write("people.yaml", strings.Replace(people, "listUsers", "listPeople", 1))
	result, err := b.plan(t.Context(), req)
	if err != nil || result.OK() || !strings.Contains(fault.Public(result.Err()), "changed since it was pinned") {
		t.Errorf("a plan with a changed source: %v, %v", result.Err(), err)
	}
	got := states(cli.SourcesDiff)
	if got[0].State != "changed" || !cmp.Equal(got[0].Removed, []string{"listUsers"}) {
		t.Errorf("diff = %+v, want that the operation is gone", got)
	}
	states(cli.SourcesUpdate)
	if got := states(cli.SourcesDiff); got[0].State != "unchanged" {
		t.Errorf("diff after update = %+v", got)
	}
	b.write("flow.yaml", "arazzo: 1.0.1\n")
	if _, err := b.sources(t.Context(), cli.SourcesLock, req); !fault.Is(err, fault.Invalid) {
		t.Errorf("the sources of a broken document: %v", err)
	}
}

// The built-in description is for rehearsals, and answers to the names that
// other editions of the provider's description have for an operation.
func TestBuiltinDescription(t *testing.T) {
	b := newBench(t)
	doc := func(operation string) cli.PlanRequest {
		b.write("flow.yaml", `
arazzo: 1.0.1
info: {title: End, version: "1"}
sourceDescriptions: [{name: oktaApi, url: moved-away.yaml, type: openapi}]
workflows:
  - workflowId: end
    steps:
      - stepId: end
        operationId: `+operation+`
        parameters: [{name: userId, in: path, value: a}]
        successCriteria: [{condition: $statusCode == 204}]
`)
		return b.request("flow.yaml", run.Bindings{Sandbox: true})
	}
	for _, name := range []string{"clearUserSessions", "revokeUserSessions"} {
		req := doc(name)
		result, err := b.plan(t.Context(), req)
		if err != nil || result.Err() != nil {
			t.Errorf("%s: %v, %v", name, err, result.Err())
			continue
		}
		op := result.Plan.Workflows[0].Steps[0].Operation
		if op.ID != name || op.Method != "DELETE" || op.Path != "/api/v1/users/{userId}/sessions" {
			t.Errorf("%s is %s %s %s", name, op.ID, op.Method, op.Path)
		}
		if len(result.Notices) != 1 || !strings.Contains(result.Notices[0], "the built-in description of Okta is used instead") {
			t.Errorf("%s: notices %q", name, result.Notices)
		}
		req.Bindings.Sandbox = false
		if result, err := b.plan(t.Context(), req); err != nil || result.OK() || !strings.Contains(fault.Public(result.Err()), "moved-away.yaml") {
			t.Errorf("%s without --sandbox: %v, %v; want that the source cannot be read", name, result.Err(), err)
		}
	}
	if result, err := b.plan(t.Context(), doc("frobnicate")); err != nil || result.OK() {
		t.Errorf("an operation that no edition has: %v, %v", result.Err(), err)
	}
	if _, _, ok := builtin("people", "people.yaml", nil); ok {
		t.Error("a source that nobody knows has a built-in description")
	}
}

// Each alias leads to exactly one operation, whatever else is needed.
func TestEveryAliasIsServed(t *testing.T) {
	entries, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		aliases, err := e.Aliases()
		if err != nil {
			t.Fatal(err)
		}
		plainIndex, err := openapi.Parse(e.Description(), e.Name)
		if err != nil {
			t.Fatal(err)
		}
		for alias, own := range aliases {
			data, _, ok := builtin(e.Name+"Api", "x.yaml", []string{"other", alias})
			if !ok {
				t.Fatalf("%s has no built-in description", e.Name)
			}
			index, err := openapi.Parse(data, e.Name)
			if err != nil {
				t.Fatal(err)
			}
			got, err1 := index.ByID(alias)
			want, err2 := plainIndex.ByID(own)
			if err1 != nil || err2 != nil || got.Method != want.Method || got.Path != want.Path {
				t.Errorf("%s for %s: %v, %v", alias, own, err1, err2)
			}
			if len(index.Names()) != len(plainIndex.Names()) {
				t.Errorf("%s: %d operations, want %d", alias, len(index.Names()), len(plainIndex.Names()))
			}
		}
	}
}

func TestReadDocument(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		file string
		kind fault.Kind
		want string
	}{
		{b.path("absent.yaml"), fault.Usage, "no such file"},
		{b.dir, fault.Usage, "a folder"},
		{"/dev/zero", fault.TooLarge, "more than"},
	} {
		if _, err := os.Stat(test.file); test.kind == fault.TooLarge && err != nil {
			continue // not on this system
		}
		_, err := readDocument(test.file)
		if !fault.Is(err, test.kind) || !strings.Contains(fault.Public(err), test.want) {
			t.Errorf("readDocument(%s) = %v, want %v with %q", test.file, err, test.kind, test.want)
		}
	}
}

func TestFindOperation(t *testing.T) {
	b := newBench(t)
	b.write("people.yaml", people)
	file := b.write("flow.yaml", flow)
	doc, diags := arazzo.Parse(file, []byte(flow))
	if doc == nil {
		t.Fatal(diags)
	}
	find := b.findOperation(t.Context(), b.request("flow.yaml", run.Bindings{}), doc)
	if got := find("listUsers"); !cmp.Equal(got, []string{"people"}) {
		t.Errorf("listUsers is found in %v", got)
	}
	if got := find("absent"); len(got) > 0 {
		t.Errorf("absent is found in %v", got)
	}
}
