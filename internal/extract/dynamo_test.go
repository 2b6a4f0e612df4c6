package extract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// dynamo is a server that knows Scan: a page is three items by default.
type dynamo struct {
	rows int
	item func(i int) string // its attributes; nil: an id
	fail func(scans int) (status int, body string)
	with func(in map[string]any)

	mu    sync.Mutex
	scans int
}

func (d *dynamo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	dec := json.NewDecoder(r.Body)
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "DynamoDB_20120810.Scan" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKID/") {
		http.Error(w, `{"__type":"com.amazonaws.dynamodb.v20120810#UnrecognizedClientException","message":"The security token included in the request is invalid."}`, http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.scans++
	scans := d.scans
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if d.with != nil {
		d.with(in)
	}
	if d.fail != nil {
		if status, body := d.fail(scans); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	if in["TableName"] != "items" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}`)
		return
	}
	whole := func(v any, otherwise int) int {
		if n, ok := v.(json.Number); ok {
			i, _ := n.Int64()
			return int(i)
		}
		return otherwise
	}
	from, step := whole(in["Segment"], 0), whole(in["TotalSegments"], 1)
	if key, ok := in["ExclusiveStartKey"].(map[string]any); ok {
		fmt.Sscan(key["id"].(map[string]any)["S"].(string), &from)
		from += step
	}
	var items []string
	last := ""
	for i := from; i < d.rows; i += step {
		if len(items) == whole(in["Limit"], 3) {
			last = fmt.Sprintf(`,"LastEvaluatedKey":{"id":{"S":"%d"}}`, i-step)
			break
		}
		text := fmt.Sprintf(`{"id":{"S":"%d"}}`, i)
		if d.item != nil {
			text = d.item(i)
		}
		items = append(items, text)
	}
	fmt.Fprintf(w, `{"Count":%d,"ScannedCount":%d,"Items":[%s]%s}`, len(items), len(items), strings.Join(items, ","), last)
}

func serveDynamo(t testing.TB, d *dynamo) (env Env, from string) {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	env = Env{Secrets: &secret.Resolver{Env: func(name string) (string, bool) {
		v, ok := map[string]string{"ID": "AKID", "KEY": "key", "SESSION": "session"}[name]
		return v, ok
	}}}
	return env, "dynamodb: {table: items, region: us-east-1, endpoint: '" + server.URL + "', allowPrivate: true, accessKeyId: env:ID, secretAccessKey: env:KEY, sessionToken: env:SESSION"
}

func TestDynamoDB(t *testing.T) {
	t.Parallel()
	d := &dynamo{rows: 8}
	d.with = func(in map[string]any) {
		if in["ConsistentRead"] != true || in["Segment"] != nil {
			t.Errorf("asked for %v", in)
		}
	}
	env, from := serveDynamo(t, d)
	r := open(t, env, "", from+", consistent: true}")
	got, places, err := all(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, list(0, 8))
	if places[4] != "items[1] of page 2" || r.Describe() != "DynamoDB table items" || r.Identity() != "" || d.scans != 3 {
		t.Errorf("%v, %s, %d scans", places, r.Describe(), d.scans)
	}
	d.with = nil
	rows, places, err := all(t.Context(), open(t, env, "", from+", segments: 3, size: 2}"))
	if err != nil || len(rows) != 8 || !strings.Contains(strings.Join(places, " "), "items[0] of page 2 of segment 1") {
		t.Errorf("%d rows, %v, %v", len(rows), places, err)
	}
	seen := map[any]bool{}
	for _, row := range rows {
		seen[row.(map[string]any)["id"]] = true
	}
	if len(seen) != 8 {
		t.Errorf("the segments gave %v", rows)
	}
}

func TestFromDynamo(t *testing.T) {
	t.Parallel()
	got := fromDynamo(&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
		"s": &types.AttributeValueMemberS{Value: "x"}, "n": &types.AttributeValueMemberN{Value: "9007199254740993.10"}, "odd": &types.AttributeValueMemberN{Value: "x"},
		"t": &types.AttributeValueMemberBOOL{Value: true}, "null": &types.AttributeValueMemberNULL{Value: true}, "b": &types.AttributeValueMemberB{Value: []byte{0, 255}},
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberN{Value: "1"}}},
		"ss": &types.AttributeValueMemberSS{Value: []string{"b", "a"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"2", "1"}},
		"bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {0}}},
	}})
	want := decode(t, `{"s":"x","n":9007199254740993.10,"odd":"x","t":true,"null":null,"b":"AP8=","l":[1],"ss":["a","b"],"ns":[1,2],"bs":["AA==","AQ=="]}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDynamoDBRefuses(t *testing.T) {
	t.Parallel()
	answer := func(kind, text string) func(int) (int, string) {
		return func(scans int) (int, string) {
			if scans < 2 {
				return 0, ""
			}
			return http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `","message":"` + text + `"}`
		}
	}
	for _, test := range []struct {
		fail func(int) (int, string)
		want string
	}{
		{answer("ResourceNotFoundException", "Requested resource not found"), "AWS answered ResourceNotFoundException: Requested resource not found; check table, region and the account of the credentials"},
		{answer("AccessDeniedException", "User is not authorized."), "AWS answered AccessDeniedException: User is not authorized; check the credentials; they need dynamodb:Scan on the table"},
		{answer("ValidationException", "no"), "AWS answered ValidationException: no; correct the settings of the source"},
		{func(scans int) (int, string) { // the same page for ever
			return http.StatusOK, `{"Items":[{"id":{"S":"1"}}],"LastEvaluatedKey":{"id":{"S":"1"}}}`
		}, "page 2 ends where it began; the server does not go on; nothing was taken over"},
	} {
		env, from := serveDynamo(t, &dynamo{rows: 8, fail: test.fail})
		rows, _, err := all(t.Context(), open(t, env, "", from+"}"))
		wantFault(t, err, "DynamoDB table items: "+test.want)
		if len(rows) == 0 || len(rows) > 3 {
			t.Errorf("%d rows before the error", len(rows))
		}
	}
}

// TestDynamoDBMends has a failure that passes.
func TestDynamoDBMends(t *testing.T) {
	t.Parallel()
	env, from := serveDynamo(t, &dynamo{rows: 8, fail: func(scans int) (int, string) {
		if scans == 2 {
			return http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slower"}`
		}
		return 0, ""
	}})
	got, _, err := all(t.Context(), open(t, env, "", from+"}"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, list(0, 8))
}

// A server that is not there is told at once, with its address.
func TestDynamoDBUnreached(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	env, _ := serveDynamo(t, &dynamo{})
	begin := time.Now()
	_, _, err := all(t.Context(), open(t, env, "", "dynamodb: {table: items, region: us-east-1, endpoint: '"+gone.URL+"', allowPrivate: true, accessKeyId: env:ID, secretAccessKey: env:KEY, sessionToken: env:SESSION}"))
	if took := time.Since(begin); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), gone.URL) || !strings.Contains(err.Error(), "check that it is running") || took > 5*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestDynamoDBGuards(t *testing.T) {
	t.Parallel()
	env, from := serveDynamo(t, &dynamo{})
	_, _, err := all(t.Context(), open(t, env, "", strings.Replace(from, "allowPrivate: true", "allowPrivate: false", 1)+"}"))
	if !fault.Is(err, fault.Refused) {
		t.Errorf("a private address: %v", err)
	}
	if _, err := tryOpen(t, Env{}, "", "dynamodb: {table: items, region: us-east-1, accessKeyId: x, secretAccessKey: env:NONE}"); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a key that is not there: %v", err)
	}
	r := open(t, env, "", "dynamodb: {table: items, region: eu-central-1, accessKeyId: env:ID, secretAccessKey: env:KEY}")
	if got := r.(*dynamoReader).base; got != "https://dynamodb.eu-central-1.amazonaws.com" {
		t.Errorf("DynamoDB is at %s", got)
	}
}

func TestDynamoDBStops(t *testing.T) {
	t.Parallel()
	env, from := serveDynamo(t, &dynamo{rows: 100_000})
	r := open(t, env, "", from+", segments: 4}")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range r.Rows(ctx) {
		last = err
		if n++; n == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n > 100 {
		t.Errorf("after %d rows: %v", n, last)
	}
	for range r.Rows(t.Context()) {
		break
	}
}

func TestDynamoDBMemory(t *testing.T) {
	rows := size(t, 20_000)
	env, from := serveDynamo(t, &dynamo{rows: rows, item: func(i int) string {
		return fmt.Sprintf(`{"id":{"S":"%d"},"name":{"M":{"givenName":{"S":"Ada"},"familyName":{"S":"Byron %d"}}},"department":{"S":"Engineering and more"}}`, i, i)
	}})
	n, grown := heapWhile(t, open(t, env, "", from+", size: 500, segments: 2}"), max(rows/16, 1))
	if n != rows || grown > 8<<20 {
		t.Errorf("%d of %d rows, the heap grew by %d KB", n, rows, grown>>10)
	}
}

// tables is a Tables of one table.
type tables struct {
	rows []map[string]any
	err  error
}

func (s tables) Rows(_ context.Context, name string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		if name != "people" {
			yield(nil, fault.New(fault.NotFound, "there is no table %q", name).Fix("lanyard tables list shows them"))
			return
		}
		for _, row := range s.rows {
			if !yield(row, nil) {
				return
			}
		}
		if s.err != nil {
			yield(nil, s.err)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	env := Env{Tables: tables{rows: []map[string]any{{"id": json.Number("1")}, {"id": json.Number("2")}}}}
	r := open(t, env, "", "table: people")
	got, places, err := all(t.Context(), r)
	if err != nil || places[1] != "table people row 2" || r.Describe() != "table people" || r.Identity() != "" {
		t.Errorf("%v, %v, %s", err, places, r.Describe())
	}
	want(t, got, `[{"id":1},{"id":2}]`)
	for range r.Rows(t.Context()) {
		break
	}
	_, _, err = all(t.Context(), open(t, env, "", "table: {name: persons}"))
	wantFault(t, err, `there is no table "persons"; lanyard tables list shows them`)
	env.Tables = tables{rows: []map[string]any{{}}, err: fault.New(fault.Unavailable, "the disk is gone").Fix("buy one")}
	r, err = Open(t.Context(), OfFile("table:people"), env)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = all(t.Context(), r)
	wantFault(t, err, "the disk is gone; buy one")
	if OfFile("table:people").Table() != "people" {
		t.Error("the table has no name")
	}
	if _, err := Open(t.Context(), OfFile("table:people"), Env{}); err == nil {
		t.Error("without tables a table can be read")
	}
}
