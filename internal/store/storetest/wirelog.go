package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// TestWireLog runs the contract of wirelog.Store. open returns an empty store,
// closed when the test ends.
func TestWireLog(t *testing.T, open func(t *testing.T) wirelog.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, wirelog.Store)
	}{
		{"RoundTrip", testExchangeRoundTrip},
		{"AllOrNothing", testExchangesAllOrNothing},
		{"Queries", testExchangeQueries},
		{"Pages", testExchangePages},
		{"Trim", testExchangeTrim},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func appendExchanges(t *testing.T, s wirelog.Store, exchanges ...wirelog.Exchange) {
	t.Helper()
	if err := s.Append(context.Background(), exchanges); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func exchangeIDs(t *testing.T, s wirelog.Store, q wirelog.Query) ([]string, string) {
	t.Helper()
	page, err := s.Exchanges(context.Background(), q)
	if err != nil {
		t.Fatalf("Exchanges(%+v): %v", q, err)
	}
	ids := []string{}
	for _, e := range page.Exchanges {
		ids = append(ids, e.ID)
	}
	return ids, page.Next
}

func testExchangeRoundTrip(t *testing.T, s wirelog.Store) {
	want := wirelog.Exchange{
		ID: "a", At: at, Scope: "connection:con_1", Direction: wirelog.In, Method: "PUT", Path: "/Users/a%7Cb", Query: "x=%22", Status: 409,
		Failure: "none", Took: 1500 * time.Microsecond, Actor: "tok_1", Subject: "okta|c|1",
		RequestHeaders: map[string][]string{"Accept": {"a", "b"}}, RequestBody: `{"userName":"Zoë <&> \"x\""}`,
		ResponseHeaders: map[string][]string{"Etag": {`W/"1"`}}, ResponseBody: "\u0000", Why: []string{"One.", "Two."}, Shortened: true,
	}
	appendExchanges(t, s, want)
	got, err := s.Exchange(context.Background(), "a")
	if err != nil {
		t.Fatalf("Exchange: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was kept (-want +got):\n%s", diff)
	}
	if _, err := s.Exchange(context.Background(), "b"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an exchange that there is not: %v", err)
	}
}

func testExchangesAllOrNothing(t *testing.T, s wirelog.Store) {
	appendExchanges(t, s, wirelog.Exchange{ID: "a"})
	if err := s.Append(context.Background(), []wirelog.Exchange{{ID: "b"}, {ID: "a"}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("an id that is there already: %v", err)
	}
	if ids, _ := exchangeIDs(t, s, wirelog.Query{}); !cmp.Equal(ids, []string{"a"}) {
		t.Errorf("kept %v", ids)
	}
}

func testExchangeQueries(t *testing.T, s wirelog.Store) {
	minute := func(n int) time.Time { return at.Add(time.Duration(n) * time.Minute) }
	appendExchanges(
		t, s,
		wirelog.Exchange{ID: "a", At: minute(0), Scope: "s", Direction: wirelog.In, Method: "GET", Path: "/Users", Query: "filter=Bjensen", Status: 200},
		wirelog.Exchange{ID: "b", At: minute(1), Scope: "s", Direction: wirelog.In, Method: "post", Path: "/Users", Status: 409, Subject: "u1", RequestBody: `{"userName":"BJENSEN"}`},
		wirelog.Exchange{ID: "c", At: minute(2), Scope: "s", Direction: wirelog.In, Method: "PATCH", Path: "/Groups/g", Status: 404, Subject: "g", Why: []string{"bjensen is unknown"}},
		wirelog.Exchange{ID: "d", At: minute(3), Scope: "t", Direction: wirelog.Out, Method: "POST", Path: "/Users", Status: 0, Failure: "nobody listens"},
		wirelog.Exchange{ID: "e", At: minute(4), Scope: "t", Direction: wirelog.Out, Method: "POST", Path: "/Users", Status: 500, ResponseBody: "100% wrong"},
	)
	for _, test := range []struct {
		name string
		q    wirelog.Query
		want []string
	}{
		{"all", wirelog.Query{}, []string{"e", "d", "c", "b", "a"}},
		{"scope", wirelog.Query{Scope: "s"}, []string{"c", "b", "a"}},
		{"direction", wirelog.Query{Direction: wirelog.Out}, []string{"e", "d"}},
		{"class", wirelog.Query{Status: 4}, []string{"c", "b"}},
		{"status", wirelog.Query{Status: 404}, []string{"c"}},
		{"no answer", wirelog.Query{Status: wirelog.NoAnswer}, []string{"d"}},
		{"method", wirelog.Query{Method: "Post"}, []string{"e", "d", "b"}},
		{"subject", wirelog.Query{Subject: "u1"}, []string{"b"}},
		{"text", wirelog.Query{Text: "bjensen"}, []string{"c", "b", "a"}},
		{"text with a wildcard", wirelog.Query{Text: "0% W"}, []string{"e"}},
		{"failure", wirelog.Query{Text: "listens"}, []string{"d"}},
		{"since", wirelog.Query{Since: minute(3)}, []string{"e", "d"}},
		{"until", wirelog.Query{Until: minute(1)}, []string{"a"}},
		{"several", wirelog.Query{Scope: "s", Text: "jens", Status: 4, Method: "PATCH"}, []string{"c"}},
		{"nothing", wirelog.Query{Scope: "u"}, []string{}},
	} {
		if got, _ := exchangeIDs(t, s, test.q); !cmp.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func testExchangePages(t *testing.T, s wirelog.Store) {
	for i := range 7 {
		appendExchanges(t, s, wirelog.Exchange{ID: fmt.Sprint(i), At: at, Path: []string{"/Users", "/Groups"}[i%2]})
	}
	for _, test := range []struct {
		q    wirelog.Query
		want [][]string
	}{
		{wirelog.Query{Limit: 3}, [][]string{{"6", "5", "4"}, {"3", "2", "1"}, {"0"}}},
		{wirelog.Query{Limit: 2, Text: "users"}, [][]string{{"6", "4"}, {"2", "0"}}}, // full, and no empty page behind it
	} {
		var got [][]string
		for q := test.q; ; {
			ids, next := exchangeIDs(t, s, q)
			got = append(got, ids)
			if q.Cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("the pages (-want +got):\n%s", diff)
		}
	}
	if _, err := s.Exchanges(context.Background(), wirelog.Query{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a cursor that is none: %v", err)
	}
}

func testExchangeTrim(t *testing.T, s wirelog.Store) {
	trim := func(before time.Time, keep, want int, left ...string) {
		t.Helper()
		n, err := s.Trim(context.Background(), before, keep)
		if err != nil || n != want {
			t.Errorf("Trim(%v, %d) = %d, %v, want %d", before, keep, n, err, want)
		}
		if ids, _ := exchangeIDs(t, s, wirelog.Query{}); !cmp.Equal(ids, left) {
			t.Errorf("after Trim(%v, %d): %v, want %v", before, keep, ids, left)
		}
	}
	for i := range 6 {
		appendExchanges(t, s, wirelog.Exchange{ID: fmt.Sprint(i), Scope: []string{"s", "t"}[i%2], At: at.Add(time.Duration(i) * time.Hour)})
	}
	trim(time.Time{}, 0, 0, "5", "4", "3", "2", "1", "0")
	trim(at.Add(time.Hour), 0, 1, "5", "4", "3", "2", "1")
	trim(time.Time{}, 2, 1, "5", "4", "3", "2")
	trim(time.Time{}, 1, 2, "5", "4")
	appendExchanges(t, s, wirelog.Exchange{ID: "6", Scope: "s", At: at}) // arrives last, and is older
	trim(time.Time{}, 1, 1, "6", "5")
	trim(at.Add(time.Hour), 1, 1, "5")
}
