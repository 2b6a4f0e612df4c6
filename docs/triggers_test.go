package docs_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(triggers:\n.*?)```")

// Every example of triggers.md reads.
func TestTriggerExamples(t *testing.T) {
	data, err := os.ReadFile("triggers.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[trigger.Kind]bool{}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(data), -1) {
		c, err := config.Parse("triggers.md", []byte(block[1]))
		if err != nil {
			t.Errorf("%v in\n%s", fault.Public(err), block[1])
			continue
		}
		all, err := trigger.Read(c.Triggers)
		if err != nil {
			t.Errorf("%v in\n%s", fault.Public(err), block[1])
		}
		for _, one := range all {
			kinds[one.Kind()] = true
		}
	}
	if len(kinds) != 5 {
		t.Errorf("there are examples of %v only", kinds)
	}
}

// What the table of triggers.md says of two nights in Berlin.
func TestTriggerClockChanges(t *testing.T) {
	data, err := os.ReadFile("triggers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "| schedule | 29 March 2026")
	table, _, _ := strings.Cut(rest, "\n\n")
	found := 0
	clock := regexp.MustCompile(`\d\d:\d\d`)
	for _, cells := range rows(t, table) {
		c, err := trigger.ParseCron(cells[0], "Europe/Berlin")
		if err != nil {
			continue // the line under the header
		}
		found++
		for i, day := range []time.Time{time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC)} {
			at := day.Add(-31 * time.Minute) // before 01:30 there
			var got []string
			for range 4 {
				if at = c.Next(at); at.Format("15:04") < "01:30" {
					at = c.Next(at)
				}
				if at.Format(time.DateOnly) == day.Add(2*time.Hour).Format(time.DateOnly) && at.Hour() <= 3 {
					got = append(got, at.Format("15:04"))
				}
			}
			if want := clock.FindAllString(cells[i+1], -1); !slices.Equal(got, want) {
				t.Errorf("%s: due at %v, the table says %v", cells[0], got, want)
			}
		}
	}
	if found != 3 {
		t.Errorf("the table has %d schedules that were looked at, want 3", found)
	}
}
