package reconcile

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/value"
)

func TestDays(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "days.yaml") {
		name := fmt.Sprintf("%v as %v", c["text"], c["dates"])
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, _ := c["dates"].(string)
			m, err := DateForm(form).readDay(c["text"])
			if says(t, err, c) {
				return
			}
			if got := inWords(m); got != c["is"] {
				t.Errorf("it is read as %s, not %s", got, c["is"])
			}
			if text := c["text"].(string); allDigits(text) {
				if n, err := DateForm(form).readDay(json.Number(text)); err != nil || inWords(n) != c["is"] {
					t.Errorf("as a number it is %s: %v", inWords(n), err)
				}
			}
		})
	}
	for _, v := range []any{true, []any{"2026-01-31"}, map[string]any{}} {
		if _, err := DatesClear.readDay(v); err == nil {
			t.Errorf("%v is a day", v)
		}
	}
}

func inWords(m moment) string {
	if m.none() {
		return "none"
	}
	s := fmt.Sprintf("%04d-%02d-%02d", m.year, m.month, m.day)
	if !m.whole {
		s += " " + m.clock.String()
	}
	if m.offset != nil {
		s += fmt.Sprintf(" %+d", *m.offset)
	}
	return s
}

func TestPresence(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "presence.yaml") {
		t.Run(c["name"].(string), func(t *testing.T) {
			t.Parallel()
			s := Settings{Reading: Reading{ID: "id", Starts: Day{From: "starts"}, Ends: Day{From: "ends"}, Zone: Zone{From: "zone"}}}
			s.Starts.Days, s.Ends.Days = number(c["startDays"]), number(c["endDays"])
			if c["status"] != nil {
				s.Active.From = "status"
			}
			now, err := time.Parse(time.RFC3339, c["now"].(string))
			if err != nil {
				t.Fatal(err)
			}
			row := Row(c)
			row["id"] = "1"
			p, err := mustCompile(t, s).Shape(row, now)
			if says(t, err, c) {
				return
			}
			due := "none"
			if !p.Due.IsZero() {
				due = p.Due.Format(time.RFC3339)
			}
			if string(p.Presence) != c["is"] || due != c["due"] {
				t.Errorf("the person is %s until %s, not %s until %s", p.Presence, due, c["is"], c["due"])
			}
			if dated := p.Presence == Early || p.Presence == Leaving && c["status"] == nil; p.Dated != dated {
				t.Errorf("a date decides: %v", p.Dated)
			}
		})
	}
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}

func mustCompile(t testing.TB, s Settings) *Rules {
	t.Helper()
	r, err := s.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStartOfDay holds the beginnings of days against the definition: the first
// second of which the date is not before the day.
func TestStartOfDay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "Asia/Beirut", "America/Havana", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "Atlantic/Azores"} {
		zone, err := readZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for day := range 5 * 366 {
			noon := time.Date(2008, 1, 1+day, 12, 0, 0, 0, time.UTC)
			y, m, d := noon.Date()
			got := startOfDay(y, m, d, zone)
			begun := func(at time.Time) bool { return at.In(zone).Format("2006-01-02") >= noon.Format("2006-01-02") }
			if !begun(got) || begun(got.Add(-time.Second)) || begun(got.Add(-30*time.Minute)) || begun(got.Add(-time.Hour)) {
				t.Fatalf("%s begins at %s in %s", noon.Format("2006-01-02"), got.In(zone), name)
			}
		}
	}
}

func FuzzDay(f *testing.F) {
	for _, c := range cases(f, "days.yaml") {
		f.Add(value.Text(c["text"]), value.Text(c["dates"]))
	}
	f.Fuzz(func(t *testing.T, text, form string) {
		m, err := DateForm(form).readDay(text)
		again, wrong := DateForm(form).readDay(text)
		if (err == nil) != (wrong == nil) || inWords(m) != inWords(again) {
			t.Fatalf("%q is read in two ways", text)
		}
		if err != nil || m.none() {
			return
		}
		berlin, _ := readZone("Europe/Berlin")
		if begin, end := m.begin(berlin, 0), m.after(berlin, 0); end.Before(begin) {
			t.Errorf("%q ends at %s before it begins at %s", text, end, begin)
		}
	})
}
