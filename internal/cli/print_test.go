package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	s := newTestIO("", nil)
	table := newTable(s.IO, "RUN", "STATUS", "REASON")
	table.row("r1", "succeeded", "")
	table.row("r-long", "held", "a call in doubt")
	table.row("Žofie", "fa\x1b[31miled", "two\nlines")
	table.row("short")
	if err := table.print(); err != nil {
		t.Fatal(err)
	}
	want := `RUN     STATUS            REASON
r1      succeeded
r-long  held              a call in doubt
Žofie   fa\u001b[31miled  two lines
short
`
	if diff := cmp.Diff(want, s.out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// Columns stay aligned when they are coloured.
func TestTableInColour(t *testing.T) {
	s := newTestIO("", nil)
	s.OutTerminal = func() bool { return true }
	table := newTable(s.IO, "CHECK", "STATUS", "DETAIL")
	table.look = func(column, text string) style {
		if column == "STATUS" && text == "ok" {
			return green
		}
		return plain
	}
	table.row("disk", "ok", "fine")
	table.row("net", "failed", "down")
	if err := table.print(); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1mCHECK\x1b[0m  \x1b[1mSTATUS\x1b[0m  \x1b[1mDETAIL\x1b[0m\n" +
		"disk   \x1b[32mok\x1b[0m      fine\n" +
		"net    failed  down\n"
	if diff := cmp.Diff(want, s.out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestProgress(t *testing.T) {
	for _, test := range []struct {
		name     string
		terminal bool
		step     time.Duration
		want     string
	}{
		{"a terminal's line is rewritten and erased", true, 60 * time.Millisecond, "\r\x1b[K2 of 4\r\x1b[K4 of 4\r\x1b[K"},
		{"a log gets a line now and then", false, 5 * time.Second, "2 of 4\n4 of 4\n"},
		{"short work shows nothing", true, time.Millisecond, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestIO("", nil)
			s.ErrTerminal = func() bool { return test.terminal }
			p := newProgress(s.IO)
			now := p.last
			p.now = func() time.Time { return now }
			for i := 1; i <= 4; i++ {
				now = now.Add(test.step)
				p.show("%d of 4", i)
			}
			p.done()
			p.done()
			if diff := cmp.Diff(test.want, s.err.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	type person struct {
		Name string `json:"name"`
	}
	for format, want := range map[string]string{
		formatJSON:   "{\n  \"name\": \"<Ada & Co>\"\n}\n",
		formatNDJSON: "{\"name\":\"<Ada & Co>\"}\n",
	} {
		var out bytes.Buffer
		if err := writeJSON(&out, format, person{"<Ada & Co>"}); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("writeJSON as %s = %q, want %q", format, got, want)
		}
	}
}

func TestWarn(t *testing.T) {
	s := newTestIO("", nil)
	s.warn("the source %s moved\x07", "oktaApi")
	if got, want := s.err.String(), "warning: the source oktaApi moved\\u0007\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}
