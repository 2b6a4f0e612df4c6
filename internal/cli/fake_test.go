package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/sources"
	tables "github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC // traces show local times
	os.Exit(m.Run())
}

// golden compares a text with a file in testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), go test -update accepts it:\n%s", file, diff)
	}
}

// journal is a recorded run: testdata/journal holds the summary and, line by
// line, the records of runs that were really made.
type journal struct {
	summary run.Run
	records []run.Record
}

func readJournal(t testing.TB, name string) journal {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "journal", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&j.summary); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		var r run.Record
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		j.records = append(j.records, r)
	}
	return j
}

// fakeSession plays recorded journals: whatever is started, or resumed, goes as
// the journal of its id says.
type fakeSession struct {
	t        testing.TB
	journals map[string]journal
	items    []run.Item
	people   []directory.Person
	tokens   []oauth.APIToken
	fakeSCIM
	desk *tables.Desk // of real tables; nil: there are none

	replies   map[provision.Verb]*provision.Reply
	exchanges []wirelog.Exchange

	// What fails, by the name of the method.
	fails map[string]error

	// What was asked.
	started []string
	spec    run.Spec // of the last start
	signals []string
	events  []engine.Event
	inputs  map[string]any // of the last signal
	closed  int

	commands []provision.Command
	told     []trigger.Command
	outcomes map[trigger.Verb]*trigger.Reply
	imports  []importer.Command
	bulk     *importer.Reply // of Confirm for many
	imported map[importer.Verb]*importer.Reply
	queries  []wirelog.Query
}

// play makes a session in which the run id is the journal of that name.
func play(t testing.TB, runs ...string) *fakeSession {
	s := &fakeSession{t: t, journals: map[string]journal{}, fails: map[string]error{}}
	for _, name := range runs {
		id, name, ok := strings.Cut(name, "=")
		if !ok {
			name = id
		}
		j := readJournal(t, name)
		j.summary.ID = id
		s.journals[id] = j
	}
	return s
}

func (s *fakeSession) find(id string) (journal, error) {
	j, ok := s.journals[id]
	if !ok {
		return j, fault.New(fault.NotFound, "there is no run %s", id)
	}
	return j, nil
}

func (s *fakeSession) Start(_ context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error {
	if err := s.fails["Start"]; err != nil {
		return err
	}
	s.started = append(s.started, id)
	s.spec = run.Spec{ID: id, Workflow: p.Workflows[p.Main].ID, Inputs: inputs, Bindings: b}
	return nil
}

func (s *fakeSession) Run(ctx context.Context, id string) (run.Run, error) {
	if err := s.fails["Run"]; err != nil {
		return run.Run{}, err
	}
	if ctx.Err() != nil {
		return run.Run{}, ctx.Err()
	}
	j, err := s.find(id)
	return j.summary, err
}

func (s *fakeSession) Runs(_ context.Context, f worker.Filter) ([]run.Run, error) {
	if err := s.fails["Runs"]; err != nil {
		return nil, err
	}
	var out []run.Run
	for _, id := range []string{"succeeded", "settled", "failed", "held", "run_1", "run_2"} {
		j, ok := s.journals[id]
		if ok && (len(f.Statuses) == 0 || f.Statuses[0] == j.summary.Status) {
			out = append(out, j.summary)
		}
	}
	return out, nil
}

// Items gives out those of the list of every run.
func (s *fakeSession) Items(_ context.Context, f worker.ItemFilter) ([]run.Item, error) {
	if err := s.fails["Items"]; err != nil {
		return nil, err
	}
	return s.items, nil
}

// Records gives out the journal in two parts, as a run that moves would.
func (s *fakeSession) Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if err := s.fails["Records"]; err != nil && after > 0 {
		return nil, err
	}
	var out []run.Record
	for _, r := range j.records {
		if r.Seq > after && !(wait && after == 0 && r.Seq > 2) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *fakeSession) Signal(_ context.Context, id string, e engine.Event, inputs map[string]any) error {
	if err := s.fails["Signal "+id]; err != nil {
		return err
	}
	s.signals, s.events, s.inputs = append(s.signals, fmt.Sprint(e.Kind, " ", id)), append(s.events, e), inputs
	return nil
}

func (s *fakeSession) CreateToken(_ context.Context, n oauth.NewAPIToken) (string, oauth.APIToken, error) {
	kept := oauth.APIToken{
		ID: "00T1", Name: n.Name, Account: "00u1", Login: "ada.min@example.com", Role: n.Role,
		Created: time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC), Expires: time.Date(2026, time.April, 3, 5, 6, 7, 0, time.UTC),
	}
	return "00secret", kept, s.fails["CreateToken"]
}

func (s *fakeSession) Tokens(context.Context) ([]oauth.APIToken, error) {
	return s.tokens, s.fails["Tokens"]
}

func (s *fakeSession) RevokeToken(_ context.Context, ref string) (oauth.APIToken, error) {
	for _, t := range s.tokens {
		if t.ID == ref || t.Name == ref {
			return t, s.fails["RevokeToken"]
		}
	}
	return oauth.APIToken{}, directory.NotFound(directory.TokenNoun, ref)
}

func (s *fakeSession) People(_ context.Context, email string) ([]directory.Person, error) {
	var out []directory.Person
	for _, p := range s.people {
		if strings.EqualFold(p.Email, email) {
			out = append(out, p)
		}
	}
	return out, s.fails["People"]
}

func (s *fakeSession) Close() error {
	s.closed++
	return s.fails["Close"]
}

// Documents for the fake Product.
const (
	peopleAPI = `
openapi: 3.0.3
info: {title: People, version: "1"}
servers: [{url: https://people.example.com}]
paths:
  /users:
    get: {operationId: listUsers, responses: {"200": {description: ok}}}
    post:
      operationId: createUser
      security: [{token: [users.manage]}]
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: made}}
  /users/{id}:
    delete:
      operationId: deleteUser
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: gone}}
components: {securitySchemes: {token: {type: http, scheme: bearer}}}
`
	peopleFlow = `
arazzo: 1.0.1
info: {title: Make a person, version: "1"}
sourceDescriptions: [{name: people, url: people.yaml, type: openapi}]
workflows:
  - workflowId: make
    inputs:
      type: object
      required: [login]
      properties: {login: {type: string}, count: {type: integer}, password: {type: string, format: password}}
    steps:
      - stepId: look
        operationId: listUsers
        successCriteria: [{condition: $statusCode == 200}]
      - stepId: create
        description: Make the account.
        operationId: createUser
        requestBody: {payload: {login: $inputs.login, count: $inputs.count, password: $inputs.password}}
        successCriteria: [{condition: $statusCode == 201}]
        outputs: {id: $response.body#/id}
      - stepId: clean
        workflowId: remove
        parameters: [{name: id, value: $steps.create.outputs.id}]
    outputs: {id: $steps.create.outputs.id}
  - workflowId: remove
    inputs: {type: object, required: [id], properties: {id: {type: string}}}
    steps:
      - stepId: delete
        operationId: deleteUser
        parameters: [{name: id, in: path, value: $inputs.id}]
        successCriteria: [{condition: $statusCode == 204}]
`
)

// oneSource loads every source from one text.
type oneSource string

func (s oneSource) Load(_ context.Context, ref sources.Ref) (*sources.Source, error) {
	index, err := openapi.Parse([]byte(s), ref.URL)
	if err != nil {
		return nil, err
	}
	return &sources.Source{Name: ref.Name, Location: ref.URL, Digest: "sha256:x", Index: index, Notice: "the source " + ref.Name + " is a test's"}, nil
}

// fakeProduct plans for real and runs on the session.
type fakeProduct struct {
	Product
	session  *fakeSession
	requests []PlanRequest // of Plan
	settings []Settings    // of Open
	access   []Access
}

func newProduct(s *fakeSession) *fakeProduct {
	p := &fakeProduct{session: s}
	p.Plan = func(ctx context.Context, req PlanRequest) (*plan.Result, error) {
		p.requests = append(p.requests, req)
		text := peopleFlow
		if data, err := os.ReadFile(req.File); err == nil {
			text = string(data)
		}
		return plan.Build(ctx, oneSource(peopleAPI), plan.Request{File: req.File, Data: []byte(text), Dialect: req.Dialect, Workflow: req.Workflow})
	}
	p.Bind = func(context.Context, PlanRequest) (func(*plan.Operation) Binding, error) {
		return func(op *plan.Operation) Binding {
			if op.ID == "deleteUser" {
				return Binding{Credential: "none", Problem: "source people has no server; bind one"}
			}
			return Binding{Server: "https://people.example/", Connection: "people", Credential: "bearer", Scopes: []string{"users.manage"}}
		}, nil
	}
	p.Open = func(_ context.Context, settings Settings, access Access) (Session, error) {
		p.settings, p.access = append(p.settings, settings), append(p.access, access)
		return s, nil
	}
	return p
}

// fakeConnections reports what the function says, and does nothing else.
type fakeConnections struct {
	Connections
	report func(names []string, probe bool) ([]ConnectionReport, error)
}

func (f fakeConnections) Report(_ context.Context, _ Settings, names []string, probe bool) ([]ConnectionReport, error) {
	return f.report(names, probe)
}

var planDigest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// transcript runs a command line and writes down all that can be seen of it.
func transcript(ctx context.Context, s *testIO, product Product, args ...string) string {
	code := Main(ctx, s.IO, product, args)
	// The digest of a plan changes with every change to what plans are made of.
	out := planDigest.ReplaceAllString(s.out.String(), "sha256:DIGEST")
	var b strings.Builder
	fmt.Fprintf(&b, "$ lanyard %s\n%s", strings.Join(args, " "), out)
	if s.err.Len() > 0 {
		fmt.Fprintf(&b, "-- stderr --\n%s", s.err)
	}
	fmt.Fprintf(&b, "-- exit %d --\n", code)
	return b.String()
}

func (s *fakeSession) Provisioning(_ context.Context, c provision.Command) (*provision.Reply, error) {
	s.commands = append(s.commands, c)
	if err := s.fails["Provisioning"]; err != nil {
		return nil, err
	}
	return s.replies[c.Do], nil
}

func (s *fakeSession) Triggers(_ context.Context, c trigger.Command) (*trigger.Reply, error) {
	s.told = append(s.told, c)
	if err := s.fails["Triggers"]; err != nil {
		return nil, err
	}
	return s.outcomes[c.Do], nil
}

func (s *fakeSession) Imports(_ context.Context, c importer.Command) (*importer.Reply, error) {
	s.imports = append(s.imports, c)
	if err := s.fails["Imports"]; err != nil {
		return nil, err
	}
	if c.Session == "hr" {
		return nil, fault.New(fault.NotFound, "there is no session %q", c.Session)
	}
	if c.Bulk != nil {
		return s.bulk, nil
	}
	reply := *s.imported[c.Do]
	if reply.Plan != nil { // who gets one closes it
		var text bytes.Buffer
		if _, err := reply.Plan.WriteTo(&text); err != nil {
			return nil, err
		}
		var err error
		reply.Plan, err = importer.ReadPlan(&text)
		return &reply, err
	}
	return &reply, nil
}

func (s *fakeSession) ReplayExchange(_ context.Context, id string) (*wirelog.Replayed, error) {
	if err := s.fails["ReplayExchange"]; err != nil {
		return nil, err
	}
	return &wirelog.Replayed{Status: 409, Body: `{"detail":"taken"}`, LeftOut: true, Exchange: id}, nil
}

func (s *fakeSession) Exchanges(_ context.Context, q wirelog.Query) (wirelog.Page, error) {
	s.queries = append(s.queries, q)
	return wirelog.Page{Exchanges: s.exchanges}, s.fails["Exchanges"]
}

func (s *fakeSession) Tables(ctx context.Context, c tables.Command) (*tables.Reply, error) {
	return s.desk.Do(ctx, c)
}

func (s *fakeSession) ImportTable(ctx context.Context, o tables.ImportOptions, file io.Reader) (*tables.ImportReport, error) {
	return s.desk.Import(ctx, o, file)
}

func (s *fakeSession) ExportTable(ctx context.Context, o tables.ExportOptions, w io.Writer) error {
	return s.desk.Export(ctx, o, w)
}

func (s *fakeSession) Accounts(context.Context, api.AccountQuery) (api.AccountPage, error) {
	return api.AccountPage{}, s.fails["Accounts"]
}

func (s *fakeSession) Account(context.Context, string, string) (*directory.Account, error) {
	return nil, s.fails["Account"]
}

func (s *fakeSession) StartFlow(context.Context, string, api.Flow) (run.Run, error) {
	return run.Run{}, s.fails["StartFlow"]
}
