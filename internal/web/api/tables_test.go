package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// desk is a TableService on real tables.
type desk struct{ *table.Desk }

func (d desk) Tables(ctx context.Context, c table.Command) (*table.Reply, error) { return d.Do(ctx, c) }

func (d desk) ImportTable(ctx context.Context, o table.ImportOptions, file io.Reader) (*table.ImportReport, error) {
	return d.Import(ctx, o, file)
}

func (d desk) ExportTable(ctx context.Context, o table.ExportOptions, w io.Writer) error {
	return d.Export(ctx, o, w)
}

var errFull = errors.New("no space left")

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// people are made accounts.
type people struct{}

func (people) Accounts(_ context.Context, q AccountQuery) (AccountPage, error) {
	return AccountPage{Accounts: []*directory.Account{{ID: "1", Realm: q.Realm, Profile: map[string]any{"q": q.Email + q.After, "limit": json.Number("1.0")}}}, Next: "1"}, nil
}

func (people) Account(_ context.Context, realm, ref string) (*directory.Account, error) {
	if ref == "nobody" {
		return nil, fault.New(fault.NotFound, "there is no account %q", ref)
	}
	return &directory.Account{ID: ref, Realm: realm, Profile: map[string]any{}}, nil
}

// tableAPI serves real tables. The caller is who its token says: scopes with commas
// between, behind "SSWS ".
func tableAPI(t *testing.T) (*Client, *httptest.Server) {
	t.Helper()
	db := sqlitetest.Open(t)
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	service := &fakeService{
		AccountService: people{},
		TableService:   desk{&table.Desk{Actor: "operator", Tables: &table.Tables{Store: db.Tables(), Now: func() time.Time { return at }, Scratch: t.TempDir()}}},
		people:         func(context.Context, string) ([]directory.Person, error) { return nil, nil },
		runs:           func(context.Context, worker.Filter) ([]run.Run, error) { return nil, nil },
		imports:        madeImports,
		flow: func(ctx context.Context, id string, f Flow) (run.Run, error) {
			return run.Run{Spec: run.Spec{ID: id, Workflow: f.File + " " + f.Workflow, Inputs: f.Inputs, StartedBy: run.Starter(ctx)}}, nil
		},
		run: func(_ context.Context, id string) (run.Run, error) { return run.Run{Spec: run.Spec{ID: id}}, nil },
	}
	mux := http.NewServeMux()
	(&API{Service: service, Token: token, Log: slog.New(slog.DiscardHandler), Callers: func(_ context.Context, scheme, token string) (Caller, error) {
		if scheme != "SSWS" {
			return Caller{}, fault.New(fault.Unauthorized, "who are you?")
		}
		return Caller{Actor: "run 7", Scopes: strings.Split(token, ",")}, nil
	}}).Mount(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &Client{Base: server.URL, Token: token, HTTP: server.Client()}, server
}

// madeImports answers with what it was asked.
func madeImports(_ context.Context, c importer.Command) (*importer.Reply, error) {
	if c.Session == "none" || c.Source == "none" {
		return nil, fault.New(fault.NotFound, "there is no such thing")
	}
	s := &importer.Session{ID: c.Session + c.Run.ID, Source: c.Source, Error: string(c.Do) + " " + c.Reason, Type: c.Run.Type}
	if c.Actor != nil {
		s.Actor = *c.Actor
	}
	pieces := func(yield func([]byte, error) bool) {
		if c.Format == importer.JSON {
			yield([]byte(`{"report":"json"}`), nil)
			return
		}
		yield([]byte("seq,"+string(c.Format)+"\n"), nil)
	}
	return &importer.Reply{
		Pieces:  pieces,
		Session: s, Report: &importer.Report{Session: s}, Sources: []importer.SourceView{{Source: &importer.Source{}, Label: c.Source}},
		Entities: []importer.Entity{{Seq: 7, Name: "ada"}}, Count: 9,
	}, nil
}

// askAs makes a request with a credential: "GET /tables", body behind a further blank.
func askAs(t *testing.T, server *httptest.Server, credential, request string, header ...string) (int, string) {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+prefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", credential)
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// The story of a table over HTTP.
func TestTableRoutes(t *testing.T) {
	t.Parallel()
	_, server := tableAPI(t)
	all := "SSWS " + strings.Join(Scopes(), ",")
	for _, test := range []struct {
		request string
		status  int
		want    string // in the answer
	}{
		{"GET /tables", 200, `{"tables":[]}`},
		{`POST /tables {"name":"My Users","columns":[{"name":"id","type":"text","key":true},{"name":"n","type":"number"}]}`, 201, `"required":true,"key":true`},
		{`POST /tables {"name":"my users"}`, 409, `"kind":"conflict"`},
		{`POST /tables {"name":"x","colums":[]}`, 400, "colums"},
		{"GET /tables/My%20Users", 200, `"rows":0`},
		{"GET /tables/none", 404, `"kind":"not found"`},
		{`POST /tables/My%20Users/rows {"values":{"id":"a/b","n":1.10}}`, 201, `"values":{"id":"a/b","n":1.10},"outcome":"inserted"`},
		{`POST /tables/My%20Users/rows {"values":{"id":"a/b"}}`, 409, "already"},
		{`PUT /tables/My%20Users/rows {"rows":[{"id":"a/b","n":1.10},{"id":"c"}]}`, 200, `"inserted":1,"updated":0,"unchanged":1`},
		{"GET /tables/My%20Users/row?key=a%2Fb", 200, `"id":"1","version":1`},
		{"GET /tables/My%20Users/row?key=zz", 404, "no row"},
		{"GET /tables/My%20Users/row", 400, "which row"},
		{"GET /tables/My%20Users/rows/1", 200, `"version":1`},
		{`PATCH /tables/My%20Users/rows/1 {"values":{"n":2},"version":1}`, 200, `"version":2,`},
		{`PATCH /tables/My%20Users/rows/1 {"values":{"n":3},"version":1}`, 412, `"kind":"stale"`},
		{"GET /tables/My%20Users/rows?filter=n+eq+2&order=id+desc&limit=1", 200, `{"rows":[{"id":"1",`},
		{"GET /tables/My%20Users/rows?limit=1", 200, `"next":"`},
		{"GET /tables/My%20Users/rows?filter=x", 400, "filter"},
		{"GET /tables/My%20Users/rows?limit=0", 400, "limit"},
		{"DELETE /tables/My%20Users/rows/2", 200, `{"removed":1}`},
		{"DELETE /tables/My%20Users/rows/2", 404, "no row"},
		{`PUT /tables/My%20Users/import {"csv":"id,n\nq,7\nr,x\n","mode":"upsert"}`, 400, `"place":"csv:3, column n"`},
		{`PUT /tables/My%20Users/import {"csv":"id,n\nq,7\n","mode":"append"}`, 400, "may be repeated"},
		{`PUT /tables/My%20Users/import {"csv":"id,n\nq,7\n","mode":"replace"}`, 200, `"inserted":1`},
		{"GET /tables/My%20Users/export", 200, "id,n\r\nq,7\r\n"},
		{"GET /tables/My%20Users/export?format=json&filter=n+gt+8", 200, "[\n]\n"},
		{"GET /tables/My%20Users/export?format=xls", 400, "csv or json"},
		{`PATCH /tables/My%20Users {"name":"Users","drop":["n"]}`, 200, `"name":"Users"`},
		{"DELETE /tables/Users/rows", 200, `{"removed":1}`},
		{"DELETE /tables/Users", 200, `{"removed":0}`},
		{"DELETE /tables/Users", 404, "no table"},
		{"GET /accounts/okta?email=a@b.c&after=7", 200, `"q":"a@b.c7"`},
		{"GET /accounts/okta/nobody", 404, "no account"},
		{"GET /people?email=x", 200, "[]"},
		{"GET /runs", 200, "[]"},
		{`PUT /runs/r%2F1 {"file":"a/b.yaml","workflow":"w","inputs":{"n":1.10}}`, 200, `"id":"r/1","plan":"","workflow":"a/b.yaml w","inputs":{"n":1.10},"startedBy":"run 7"`},
		{"GET /sources", 200, `{"sources":[{`},
		{"GET /sources/a%2Fb", 200, `"label":"a/b"`},
		{"GET /sources/none", 404, "no such"},
		{`PUT /sources/hr/imports/i1 {"type":"FULL"}`, 200, `"source":"hr","type":"FULL"`},
		{`PUT /sources/hr/imports/i1 {"from":"/etc/passwd"}`, 400, "from"},
		{"GET /imports?source=hr&state=COMPLETED", 200, `{"imports":[]}`},
		{"GET /imports?limit=x", 400, "limit"},
		{"GET /imports/s1", 200, `"error":"report "`},
		{"GET /imports/s1/entities?action=create&limit=1", 200, `"count":9,"entities":[{"seq":7,`},
		{"GET /imports/s1/entities?after=x", 400, "after"},
		{"GET /imports/s1/entities?action=created&kind=user&limit=1", 200, `"count":9,"entities":[{"seq":7,`},
		{"GET /imports/s1/entities?action=done", 400, "deactivated, failed"},
		{"GET /imports/s1/entities?kind=people", 400, "there is no kind"},
		{"GET /imports?state=DONE", 400, "there is no state"},
		{"GET /imports/s1/download", 200, "seq,csv"},
		{"GET /imports/s1/download?format=json", 200, `{"report":"json"}`},
		{"GET /imports/s1/download?format=xml", 400, "use csv or json"},
		{"GET /imports/none/download", 404, "no such"},
		{`POST /imports/s1/approve {"reason":"fine"}`, 200, `"error":"approve fine"`},
		{`POST /imports/s1/reject {}`, 200, `"actor":{"id":"run 7"`},
		{`POST /imports/none/cancel {}`, 404, "no such"},
		{"GET /openapi.yaml", 200, server.URL + "/api/v1"},
	} {
		status, text := askAs(t, server, all, test.request)
		if status != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s: %d %s, want %d with %s", test.request, status, text, test.status, test.want)
		}
	}
}

// Who does something is kept with it, and an insertion under one key is made once.
func TestTableActors(t *testing.T) {
	t.Parallel()
	c, server := tableAPI(t)
	if _, err := c.Tables(t.Context(), table.Command{Do: table.CreateTable, Table: "T", Columns: []table.Column{{Name: "a", Type: table.Text}}, Actor: "somebody else"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"outcome":"inserted"`, `"outcome":"unchanged"`} {
		if status, text := askAs(t, server, "SSWS "+ManageTables, `POST /tables/T/rows {"values":{"a":"x"}}`, "Idempotency-Key", "k"); status != 201 || !strings.Contains(text, want) {
			t.Errorf("%d %s, want %s", status, text, want)
		}
	}
	reply, err := c.Tables(t.Context(), table.Command{Do: table.ShowTable, Table: "T"})
	if err != nil {
		t.Fatal(err)
	}
	var actors []string
	for _, change := range reply.Changes {
		actors = append(actors, change.Actor+" "+change.What)
	}
	if want := []string{"run 7 insert", "operator create"}; !slices.Equal(actors, want) || reply.Tables[0].Rows != 1 {
		t.Errorf("%q did %d rows, want %q", actors, reply.Tables[0].Rows, want)
	}
}

// What the description names is served, to callers with the scope that it names and
// nobody else; and nothing else is served to them.
func TestDescriptionOfOwnAPI(t *testing.T) {
	t.Parallel()
	_, server := tableAPI(t)
	e := catalog.Find("lanyard")
	index, err := openapi.Parse(e.Description(), "lanyard")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, s := range index.Operations() {
		op, err := index.ByID(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		described[s.Method+" "+prefix+s.Path] = true
		scope := ""
		for _, alternative := range op.Security {
			if scopes, ok := alternative["token"]; ok {
				scope = scopes[0]
			}
		}
		request := s.Method + " " + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(s.Path, "x") + " {"
		if status, text := askAs(t, server, "SSWS "+scope, request); status == http.StatusForbidden || strings.Contains(text, "there is nothing at") {
			t.Errorf("%s with %s: %d %s", s.ID, scope, status, text)
		}
		others := slices.DeleteFunc(Scopes(), func(other string) bool {
			return other == scope || strings.TrimSuffix(other, ".manage") == strings.TrimSuffix(scope, ".read")
		})
		if status, text := askAs(t, server, "SSWS "+strings.Join(others, ","), request); status != http.StatusForbidden || !strings.Contains(text, scope) {
			t.Errorf("%s without %s: %d %s", s.ID, scope, status, text)
		}
		if status, _ := askAs(t, server, "Bearer wrong", request); status != http.StatusUnauthorized {
			t.Errorf("%s without a credential: %d", s.ID, status)
		}
		if status, text := askAs(t, server, "Bearer "+token, request); status == http.StatusUnauthorized || status == http.StatusForbidden {
			t.Errorf("%s by the owner: %d %s", s.ID, status, text)
		}
	}
	for pattern, r := range (&API{}).data() {
		if described[pattern] == (r.scope == owner) {
			t.Errorf("%s needs the scope %q; described: %t", pattern, r.scope, described[pattern])
		}
	}
	for _, request := range []string{"GET /tokens", "GET /triggers", "POST /triggers/x/fire", "GET /firings", "POST /runs {}", "POST /desk/tables {}", "POST /tables/T/import x"} {
		if status, text := askAs(t, server, "SSWS "+strings.Join(Scopes(), ","), request); status != http.StatusForbidden {
			t.Errorf("%s is open to callers with scopes: %d %s", request, status, text)
		}
	}
}

// The client has what the Service has, also files of any length.
func TestTableClient(t *testing.T) {
	t.Parallel()
	c, _ := tableAPI(t)
	ctx := t.Context()
	text := "id,n\n" + strings.Repeat("x,1.10\n", 30_000)
	report, err := c.ImportTable(ctx, table.ImportOptions{Table: "A/B? ", Mode: table.Append}, strings.NewReader(text))
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("a table cannot be called so: %+v, %v", report, err)
	}
	report, err = c.ImportTable(ctx, table.ImportOptions{Table: "A ?&b", File: "f.csv"}, io.MultiReader(strings.NewReader(text)))
	if err != nil || report.Inserted != 30_000 || report.Columns[1].Type != table.Number {
		t.Fatalf("%+v, %v", report, err)
	}
	_, err = c.ImportTable(ctx, table.ImportOptions{Table: "A ?&b", File: "f.csv"}, strings.NewReader("id,n\ny,z\nq\n"))
	if err == nil || !strings.Contains(err.Error(), `f.csv:2, column n: "z" is no number`) || !strings.Contains(err.Error(), "f.csv:3: the line has 1 cells") {
		t.Errorf("bad lines: %v", err)
	}
	var out bytes.Buffer
	if err := c.ExportTable(ctx, table.ExportOptions{Table: "A ?&b"}, &out); err != nil || strings.ReplaceAll(out.String(), "\r", "") != text {
		t.Errorf("exported %d bytes, %v", out.Len(), err)
	}
	if err := c.ExportTable(ctx, table.ExportOptions{Table: "none"}, &out); !fault.Is(err, fault.NotFound) {
		t.Errorf("no table: %v", err)
	}
	if err := c.ExportTable(ctx, table.ExportOptions{Table: "A ?&b"}, fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("onto a full disk: %v", err)
	}
	page, err := c.Accounts(ctx, AccountQuery{Realm: "a b", Email: "x&y", After: "z", Limit: 3})
	want := AccountPage{Accounts: []*directory.Account{{ID: "1", Realm: "a b", Profile: map[string]any{"q": "x&yz", "limit": json.Number("1.0")}}}, Next: "1"}
	if diff := cmp.Diff(want, page); err != nil || diff != "" {
		t.Errorf("Accounts: %v\n%s", err, diff)
	}
	if a, err := c.Account(ctx, "okta", "a/b"); err != nil || a.ID != "a/b" {
		t.Errorf("Account: %v, %v", a, err)
	}
}
