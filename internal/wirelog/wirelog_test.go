package wirelog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// shelf is a store that can be made to wait and to fail.
type shelf struct {
	wirelog.Store

	mu      sync.Mutex
	kept    []wirelog.Exchange
	batches []int
	trims   []time.Time
	fail    error
	gate    chan struct{} // Append waits for it unless nil
}

func (s *shelf) Append(_ context.Context, exchanges []wirelog.Exchange) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.kept = append(s.kept, exchanges...)
	s.batches = append(s.batches, len(exchanges))
	return nil
}

func (s *shelf) Trim(_ context.Context, before time.Time, _ int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trims = append(s.trims, before)
	return 0, nil
}

// record masks one exchange.
func record(t *testing.T, e wirelog.Exchange, secrets ...string) wirelog.Exchange {
	t.Helper()
	s := &shelf{}
	r := wirelog.NewRecorder(wirelog.Options{Store: s, MaxBody: 400, MaxMembers: 2})
	r.Record(t.Context(), e, secrets...)
	if err := r.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if len(s.kept) != 1 {
		t.Fatalf("%d exchanges were kept", len(s.kept))
	}
	return s.kept[0]
}

func TestMaskedBodies(t *testing.T) {
	long := `"` + strings.Repeat("ä", 300) + `"`
	for _, test := range []struct {
		name, body, want string
		shortened        bool
	}{
		{name: "as it was written", body: `{ "userName":"b", "active" : true }`, want: `{ "userName":"b", "active" : true }`},
		{name: "password", body: `{"userName":"b","password":"x"}`, want: `{"password":"[masked]","userName":"b"}`},
		{name: "in a patch without path", body: `{"Operations":[{"op":"replace","value":{"password":"x"}}]}`, want: `{"Operations":[{"op":"replace","value":{"password":"[masked]"}}]}`},
		{name: "by path", body: `{"Operations":[{"op":"replace","path":"password","value":"x"}]}`, want: `{"Operations":[{"op":"replace","path":"password","value":"[masked]"}]}`},
		{
			name: "by path with a URN, in another case", body: `{"Operations":[{"op":"add","PATH":"urn:x:User:passWord","Value":"x"}]}`,
			want: `{"Operations":[{"PATH":"urn:x:User:passWord","Value":"[masked]","op":"add"}]}`,
		},
		{name: "by a key that is a path", body: `{"value":{"urn:x:User:password":"x","name.givenName":"y"}}`, want: `{"value":{"name.givenName":"y","urn:x:User:password":"[masked]"}}`},
		{
			name: "in bulk", body: `{"Operations":[{"path":"/Users","data":{"password":"x"}}]}`,
			want: `{"Operations":[{"data":{"password":"[masked]"},"path":"/Users"}]}`,
		},
		{
			name: "in a search", body: `{"filter":"userName eq \"b\" and (password eq \"x y\\\" z\")"}`,
			want: `{"filter":"userName eq \"b\" and (password eq \"[masked]\")"}`,
		},
		{name: "known", body: `{"nickName":"s3cret!"}`, want: `{"nickName":"[masked]"}`},
		{name: "broken off", body: `{"userName":"b","password":"x y`, want: `{"userName":"b","password":"[masked]"`},
		{name: "a form", body: `grant_type=password&client_secret=abc&scope=x`, want: `grant_type=password&client_secret=[masked]&scope=x`},
		{name: "members", body: `{"displayName":"g","members":[{"value":"1"},{"value":"2"},{"value":"3"}]}`, want: `{"displayName":"g"}`, shortened: true},
		{name: "few members", body: `{"members":[{"value":"1"},{"value":"2"}]}`, want: `{"members":[{"value":"1"},{"value":"2"}]}`},
		{name: "too long", body: long, want: `"` + strings.Repeat("ä", 199), shortened: true},
		{name: "not text", body: "\x00\xff", want: "\uFFFD\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := record(t, wirelog.Exchange{RequestBody: test.body}, "s3cret!")
			if diff := cmp.Diff(test.want, got.RequestBody); diff != "" {
				t.Errorf("the body (-want +got):\n%s", diff)
			}
			if got.Shortened != test.shortened || len(got.Why) > 0 != test.shortened {
				t.Errorf("shortened %v, %q", got.Shortened, got.Why)
			}
			answer := record(t, wirelog.Exchange{ResponseBody: test.body}, "s3cret!")
			if answer.ResponseBody != test.want || answer.Shortened {
				t.Errorf("the answer: %q, shortened %v", answer.ResponseBody, answer.Shortened)
			}
		})
	}
}

func TestMaskedAddressAndHeaders(t *testing.T) {
	got := record(t, wirelog.Exchange{
		Path: "/Users/s3cret!", Query: `filter=password+eq+%22x%22&startIndex=1&access_token=y`, Failure: "s3cret! is refused", Why: []string{"said s3cret!"},
		RequestHeaders:  map[string][]string{"Authorization": {"Bearer z"}, "Accept": {"s3cret!"}},
		ResponseHeaders: map[string][]string{"Set-Cookie": {"z"}},
	}, "s3cret!")
	want := wirelog.Exchange{
		ID:   got.ID,
		Path: "/Users/[masked]", Query: "filter=[masked]&startIndex=1&access_token=[masked]", Failure: "[masked] is refused", Why: []string{"said [masked]"},
		RequestHeaders:  map[string][]string{"Authorization": {"[masked]"}, "Accept": {"[masked]"}},
		ResponseHeaders: map[string][]string{"Set-Cookie": {"[masked]"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was kept (-want +got):\n%s", diff)
	}
	if q := record(t, wirelog.Exchange{Query: `filter=userName+eq+%22x%22`}).Query; q != `filter=userName+eq+%22x%22` {
		t.Errorf("a filter without secrets was kept as %q", q)
	}
}

// An error may quote what a filter was about.
func TestFilterInAnError(t *testing.T) {
	for _, e := range []wirelog.Exchange{
		{Query: "filter=password+eq+hunter2&count=1"},
		{Query: "count=1&filter=password%20eq%20%22hunter2%22"},
		{RequestBody: `{"filter":"title pr and password eq \"hunter2\""}`},
	} {
		e.ResponseBody, e.Why = `{"detail":"a value is expected, not \"hunter2\""}`, []string{`refused: not "hunter2"`}
		if got := fmt.Sprint(record(t, e)); strings.Contains(got, "hunter2") {
			t.Errorf("kept was %s", got)
		}
	}
}

func TestReplay(t *testing.T) {
	e := record(t, wirelog.Exchange{
		Method: "POST", Path: "/Users", Query: "a=b",
		RequestHeaders: map[string][]string{"Authorization": {"Bearer z"}, "content-length": {"7"}, "Content-Type": {"application/scim+json"}},
		RequestBody:    `{"userName":"b","password":"x","data":[{"token":"y"}]}`,
	})
	got, err := e.Replay()
	if err != nil {
		t.Fatalf("Replay: %v", err)
	}
	want := wirelog.Request{
		Method: "POST", Path: "/Users", Query: "a=b", Header: map[string][]string{"Content-Type": {"application/scim+json"}},
		Body:   map[string]any{"userName": "b", "password": "[masked]", "data": []any{map[string]any{"token": "[masked]"}}},
		Masked: []value.Pointer{{"data", "0", "token"}, {"password"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	if got, err := (&wirelog.Exchange{Method: "GET"}).Replay(); err != nil || got.Body != nil {
		t.Errorf("without a body: %v, %v", got.Body, err)
	}
	for name, e := range map[string]wirelog.Exchange{
		"a body that is cut":        {Shortened: true},
		"an address that is masked": {Query: "token=[masked]"},
		"a body that is broken":     {RequestBody: "{"},
	} {
		if _, err := e.Replay(); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnmasked(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{`{"userName":"b","password":"x"}`, `{"userName":"b"}`},
		{`{"Operations":[{"op":"replace","path":"password","value":"x"},{"op":"replace","value":{"password":"y","title":"T"}}]}`, `{"Operations":[{"op":"replace","value":{"title":"T"}}]}`},
		{`{"Operations":[{"op":"replace","value":{"password":"y"}}],"schemas":[]}`, `{"schemas":[]}`},
		{`{"active":false,"members":[],"n":1.10}`, `{"active":false,"members":[],"n":1.10}`},
		{`{"password":"x"}`, `null`},
	} {
		e := record(t, wirelog.Exchange{RequestBody: test.body})
		r, err := e.Replay()
		if err != nil {
			t.Fatal(err)
		}
		if got := value.Text(r.Unmasked()); got != test.want {
			t.Errorf("%s: %s, want %s", test.body, got, test.want)
		}
	}
}

// What is recorded waits when the queue is full, in order, and nothing is lost.
func TestRecorderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{gate: make(chan struct{})}
		r := wirelog.NewRecorder(wirelog.Options{Store: s})
		const number = 5000
		done := false
		go func() {
			for i := range number {
				r.Record(t.Context(), wirelog.Exchange{ID: fmt.Sprint(i)})
			}
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("an endless queue")
		}
		close(s.gate)
		synctest.Wait()
		if err := r.Flush(t.Context()); err != nil || !done || len(s.kept) != number {
			t.Fatalf("%d of %d were kept, %v", len(s.kept), number, err)
		}
		for i, e := range s.kept {
			if e.ID != fmt.Sprint(i) {
				t.Fatalf("at %d stands %s", i, e.ID)
			}
		}
		if len(s.batches) > number/10 {
			t.Errorf("%d writes", len(s.batches))
		}
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if r.Record(t.Context(), wirelog.Exchange{}) == "" || r.Flush(t.Context()) != nil || r.Close(t.Context()) != nil {
			t.Error("a closed recorder does not stay calm")
		}
	})
}

func TestRecorderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{gate: make(chan struct{})}
		r := wirelog.NewRecorder(wirelog.Options{Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		for range 5000 {
			r.Record(ctx, wirelog.Exchange{})
		}
		if err := r.Flush(ctx); !fault.Is(err, fault.Timeout) {
			t.Errorf("Flush: %v", err)
		}
		if err := r.Close(ctx); !fault.Is(err, fault.Timeout) {
			t.Errorf("Close: %v", err)
		}
		close(s.gate)
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestRecorderTrims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)
		s := &shelf{}
		r := wirelog.NewRecorder(wirelog.Options{Store: s, Days: 2, Now: func() time.Time { return now }})
		for range 1001 {
			r.Record(t.Context(), wirelog.Exchange{})
		}
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := now.AddDate(0, 0, -2)
		if diff := cmp.Diff([]time.Time{before, before, before}, s.trims); diff != "" {
			t.Errorf("trimmed at the start, after 1,000 and after an hour (-want +got):\n%s", diff)
		}
	})
}

// A store that fails holds nobody up.
func TestRecorderFails(t *testing.T) {
	s := &shelf{fail: fault.New(fault.Unavailable, "no")}
	r := wirelog.NewRecorder(wirelog.Options{Store: s})
	r.Record(t.Context(), wirelog.Exchange{})
	if err := r.Flush(t.Context()); err != nil {
		t.Errorf("Flush: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	var none *wirelog.Recorder
	if none.Record(t.Context(), wirelog.Exchange{}) != "" || none.Flush(t.Context()) != nil || none.Close(t.Context()) != nil {
		t.Error("the nil Recorder does something")
	}
}

func FuzzMask(f *testing.F) {
	f.Add(`{"password":"hunter2hunter2"}`, `filter=password+eq+"hunter2hunter2"`)
	f.Add(`{"path":"password","value":["hunter2hunter2"]}`, "")
	f.Fuzz(func(t *testing.T, body, query string) {
		s := &shelf{}
		r := wirelog.NewRecorder(wirelog.Options{Store: s, MaxBody: 100})
		r.Record(t.Context(), wirelog.Exchange{RequestBody: body, Query: query, ResponseBody: body + query}, "hunter2hunter2")
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := s.kept[0]
		for _, text := range []string{e.RequestBody, e.Query, e.ResponseBody} {
			if strings.Contains(text, "hunter2hunter2") {
				t.Errorf("a secret was kept: %q", text)
			}
		}
		_, _ = e.Replay()
	})
}
