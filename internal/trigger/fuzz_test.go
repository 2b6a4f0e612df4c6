package trigger

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	key, body := secret.NewValue("s3cret"), []byte(`{"a":1}`)
	h := &HMAC{Window: defaultWindow}
	good := Sign("s3cret", now, body)
	for _, test := range []struct {
		name, signature, timestamp string
		body                       []byte
		key                        secret.Value
		at                         time.Duration // of the server, from now
		want                       string        // empty: let in
	}{
		{"good", good, "1800000000", body, key, 0, ""},
		{"bare", strings.TrimPrefix(good, "sha256="), "1800000000", body, key, 0, ""},
		{"upper case", "sha256=" + strings.ToUpper(good[7:]), "1800000000", body, key, 0, ""},
		{"late, within the window", good, "1800000000", body, key, 5 * time.Minute, ""},
		{"early, within the window", good, "1800000000", body, key, -5 * time.Minute, ""},
		{"too late", good, "1800000000", body, key, 5*time.Minute + time.Second, "older or newer"},
		{"too early", good, "1800000000", body, key, -5*time.Minute - time.Second, "older or newer"},
		{"another time", good, "1800000001", body, key, 0, "wrong"},
		{"the same time spelled otherwise", good, "01800000000", body, key, 0, "timestamp"},
		{"a sign", good, "+1800000000", body, key, 0, "timestamp"},
		{"another body", good, "1800000000", []byte(`{"a":2}`), key, 0, "wrong"},
		{"the point moved", Sign("s3cret", time.Unix(18, 0), []byte("1.x")), "18.1", []byte("x"), key, 0, "timestamp"},
		{"another key", Sign("other", now, body), "1800000000", body, key, 0, "wrong"},
		{"no key", Sign("", now, body), "1800000000", body, secret.Value{}, 0, "wrong"},
		{"none", "", "1800000000", body, key, 0, "no signature"},
		{"short", "sha256=00", "1800000000", body, key, 0, "no signature"},
		{"no time", good, "", body, key, 0, "timestamp"},
	} {
		err := h.Verify(test.key, test.signature, test.timestamp, test.body, now.Add(test.at))
		if test.want == "" && err != nil || test.want != "" && (!fault.Is(err, fault.Unauthorized) || !strings.Contains(fault.Public(err), test.want)) {
			t.Errorf("%s: Verify = %v, want %q", test.name, err, test.want)
		}
	}
	// As openssl has it: printf 1.body | openssl dgst -sha256 -hmac key
	if s := Sign("key", time.Unix(1, 0), []byte("body")); s != "sha256=91b5374b153842ad05b2c4eab9349b8321b14703165bd3fb8b034dfb8be98ae5" {
		t.Errorf("Sign = %s", s)
	}
}

// Whatever stands in the headers: only what Sign makes is let in.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add(Sign("k", now, nil), "1800000000", []byte{})
	f.Add("sha256=", "-1", []byte("x"))
	f.Add("sha256=zz", "99999999999999999999", []byte("x"))
	f.Fuzz(func(t *testing.T, signature, timestamp string, body []byte) {
		err := (&HMAC{Window: defaultWindow}).Verify(secret.NewValue("k"), signature, timestamp, body, now)
		if err != nil {
			if !fault.Is(err, fault.Unauthorized) {
				t.Errorf("Verify = %v", err)
			}
			return
		}
		at, err := parseTimestamp(timestamp)
		if err != nil || !strings.EqualFold(strings.TrimPrefix(signature, "sha256="), Sign("k", at, body)[7:]) {
			t.Errorf("%q at %q was let in", signature, timestamp)
		}
	})
}

// Deliveries of events come from outside: whatever they are, there are
// occurrences with keys, or a fault of the sender's.
func FuzzOccurrences(f *testing.F) {
	f.Add([]byte(`{"eventId":"d","data":{"events":[{"uuid":"u","eventType":"a.b"}]}}`))
	f.Add([]byte(`[{"log_id":"1","data":{"type":"s"}}]`))
	f.Add([]byte("{\"log_id\":\"1\"}\n{\"id\":\"2\"}\n"))
	f.Add([]byte(`{"eventId":"d","data":{"events":[[]]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range []Deliveries{{}, {PerDelivery: true}, {Types: []string{"a.*", "s"}}} {
			okta, err := (&OktaEvents{d}).Occurrences(body)
			checkOccurrences(t, okta, err)
			auth0, err := (&Auth0Events{d}).Occurrences(body)
			checkOccurrences(t, auth0, err)
		}
	})
}

func checkOccurrences(t *testing.T, all []Occurrence, err error) {
	t.Helper()
	if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
		t.Errorf("a fault that is not the sender's: %v", err)
	}
	for _, o := range all {
		if o.Key == "" || o.Event == nil {
			t.Errorf("an occurrence without key or event: %+v", o)
		}
		if _, err := value.Encode(map[string]any(o.Event)); err != nil {
			t.Errorf("an event that cannot be stored: %v", err)
		}
	}
}

func TestMapping(t *testing.T) {
	event, err := value.Decode([]byte(`{"a":{"b":[1,"x",null]},"n":7,"s":"t","~/":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{`"$event#/n"`, `7`},
		{`"$event#/a/b/1"`, `"x"`},
		{`"$event#/~0~1"`, `true`},
		{`"$$event"`, `"$event"`},
		{`"{$event#/s}-{$event#/n}!"`, `"t-7!"`},
		{`"plain {brace}"`, `"plain {brace}"`},
		{`{"x":["$event#/s",1.10]}`, `{"x":["t",1.10]}`},
		{`"$event#/a/b/2"`, ``},
		{`"$event#/none"`, ``},
		{`"x{$event#/none}"`, `error`},
		{`["$event#/none"]`, `error`},
	} {
		v, err := value.Decode([]byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		m, err := CompileMapping(map[string]any{"in": v})
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		inputs, err := m.Inputs(event)
		got := ""
		if in, ok := inputs["in"]; ok {
			b, err := value.Encode(in)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s makes %s, want %s", test.text, got, test.want)
		}
	}
}

// Mappings and expressions of schedules come from files of others at times.
func FuzzMapping(f *testing.F) {
	f.Add("{$event#/a}x$event", "*/5 * * * *")
	f.Add("$event#/~2", "@weekly")
	f.Fuzz(func(t *testing.T, text, cron string) {
		if m, err := CompileMapping(map[string]any{"in": text}); err == nil {
			_, _ = m.Inputs(map[string]any{"a": "b"}) // an error is fine, a panic is not
		}
		if c, err := ParseCron(cron, "Europe/Berlin"); err == nil {
			at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
			for range 5 {
				next := c.Next(at)
				if next.IsZero() {
					break
				}
				if !next.After(at) {
					t.Fatalf("%q is due at %v after %v", cron, next, at)
				}
				at = next
			}
		} else if !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseCron(%q) = %v", cron, err)
		}
	})
}
