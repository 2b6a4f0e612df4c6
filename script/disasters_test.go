package script_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
	"github.com/lanyard-id/lanyard/internal/value"
)

const disasterFiles = "../internal/reconcile/reconciletest/disasters"

// brokenFiles are disasters that happen to a file as such. The people of before are
// in it first; %s is what they were read from then.
var brokenFiles = []struct {
	name string
	json bool
	with func(good string) string // nil: the file is gone
	says string
}{
	{"file-gone", false, nil, "no such file"},
	{"file-of-no-bytes", false, func(string) string { return "" }, "emptySource|empty"},
	{"cut-in-a-quote", false, func(good string) string { return good[:len(good)/2] + "\n\"E9999,Cut" }, "quote"},
	{"cut-in-an-object", true, func(good string) string { return good[:len(good)/2] }, "end"},
	{"page-of-an-error", false, func(string) string { return "<html><body><h1>502 Bad Gateway</h1></body></html>\n" }, "no column|column"},
	{"object-of-an-error", true, func(string) string { return `{"error": "unauthorized"}` }, "list|error"},
	{"answer-of-null", true, func(string) string { return "null" }, "list|emptySource|null"},
}

// TestDisasters lets everything go wrong with sources that can, by the command line:
// each import is held or fails and says why, and the people are as they were.
func TestDisasters(t *testing.T) {
	all, err := reconciletest.Disasters()
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{T: t, binary: buildBinary(t), dir: t.TempDir()}
	imports := map[string]any{}
	var played []*disaster
	for _, d := range all {
		// Roles come by groups, the clock is the process's, and package importer
		// suffers the large ones.
		if len(d.Roles) > 0 || len(d.Before.Rows) > 300 || strings.HasPrefix(d.Name, "clock-") {
			continue
		}
		settings := k.settings(d.Name)
		// A source that breaks off is a file that is cut off.
		one := &disaster{killed: k, Disaster: d, json: len(played)%2 == 1 || d.Now.Fails}
		imports[d.Name] = one.from(settings)
		played = append(played, one)
	}
	for _, b := range brokenFiles {
		one := &disaster{killed: k, Disaster: &reconciletest.Disaster{Name: b.name}, json: b.json, broken: true, with: b.with, says: b.says}
		one.Before.Rows = reconciletest.People(30)
		one.Now.Rows, one.Expect.Fails = one.Before.Rows, true
		imports[b.name] = one.from(map[string]any{"mode": "full"})
		played = append(played, one)
	}
	text, err := json.Marshal(map[string]any{"imports": imports}) // which is YAML
	if err != nil {
		t.Fatal(err)
	}
	k.write("lanyard.yaml", string(text))
	k.up()
	for _, d := range played {
		t.Run(d.Name, func(t *testing.T) {
			k.T = t
			d.suffer()
		})
	}
	k.T = t
	k.down()
	if len(played) < 25 {
		t.Errorf("only %d disasters", len(played))
	}
}

// settings are those of a disaster as they are written.
func (k *killed) settings(name string) map[string]any {
	file := filepath.Join(disasterFiles, name+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		k.Fatal(err)
	}
	root, err := value.ParseYAML(text, file)
	if err != nil {
		k.Fatal(err)
	}
	all, _ := value.FromYAML(root).(map[string]any)
	settings, _ := all["import"].(map[string]any)
	return settings
}

// disaster is one that happens to a file.
type disaster struct {
	*killed
	*reconciletest.Disaster
	json   bool
	broken bool
	with   func(string) string
	says   string
}

func (d *disaster) file() string {
	if d.json {
		return d.Name + ".json"
	}
	return d.Name + ".csv"
}

// from completes settings. People of the disasters have the same names: they must
// not be taken for each other.
func (d *disaster) from(settings map[string]any) map[string]any {
	kind := "csv"
	if d.json {
		kind = "json"
	}
	settings["from"] = map[string]any{kind: d.file()}
	settings["match"] = map[string]any{"partial": false}
	return settings
}

// text is a file of rows.
func (d *disaster) text(rows []reconcile.Row) string {
	for _, row := range rows {
		for name, v := range row {
			if s, ok := v.(string); ok {
				row[name] = strings.ReplaceAll(s, "@example.com", "@"+d.Name+".example.com")
			}
		}
	}
	var b bytes.Buffer
	if d.json {
		if rows == nil {
			rows = []reconcile.Row{}
		}
		if err := json.NewEncoder(&b).Encode(rows); err != nil {
			d.Fatal(err)
		}
		return b.String()
	}
	columns := reconciletest.Headings(rows)
	if len(rows) == 0 {
		columns = reconciletest.Headings(d.Before.Rows)
	}
	w := csv.NewWriter(&b)
	_ = w.Write(columns) // to memory
	for _, row := range rows {
		cells := make([]string, len(columns))
		for i, name := range columns {
			if row[name] != nil {
				cells[i] = fmt.Sprint(row[name])
			}
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return b.String()
}

func (d *disaster) suffer() {
	before := d.text(d.Before.Rows)
	if len(d.Before.Rows) > 0 {
		d.write(d.file(), before)
		d.lanyard("import", "run", d.Name)
	}
	was := d.people()
	if len(was) != len(d.Before.Rows) {
		d.Fatalf("%d people of %d", len(was), len(d.Before.Rows))
	}
	d.write(d.file(), d.now(before))
	if d.broken && d.with == nil {
		if err := os.Remove(filepath.Join(d.dir, d.file())); err != nil {
			d.Fatal(err)
		}
	}
	cmd := d.command("import", "run", d.Name)
	out, _ := cmd.CombinedOutput() // its exit code says it
	code := cmd.ProcessState.ExitCode()
	is := d.people()
	for login, text := range is {
		if status, _, _ := strings.Cut(text, " "); status == string(directory.Deprovisioned) || status == string(directory.Suspended) {
			d.Errorf("%s is %s", login, status)
		}
	}
	if len(d.Expect.People) > 0 { // it goes on without them
		d.aside(string(out), code)
		return
	}
	if diff := cmp.Diff(was, is); diff != "" {
		d.Errorf("the people are others:\n%s", diff)
	}
	want := 5
	if d.Expect.Fails && !(d.broken && strings.Contains(string(out), "held:")) {
		want = 1
	}
	if code != want {
		d.Errorf("exit code %d, want %d\n%s", code, want, out)
	}
	for _, reason := range d.Expect.Holds {
		if !strings.Contains(string(out), string(reason)+":") {
			d.Errorf("it is not said that %s:\n%s", reason, out)
		}
	}
	if d.Expect.Fails && !strings.Contains(string(out), d.Name) {
		d.Errorf("it is not said what failed:\n%s", out)
	}
	if d.says != "" && !slices.ContainsFunc(strings.Split(d.says, "|"), func(word string) bool { return strings.Contains(string(out), word) }) {
		d.Errorf("it is not said why:\n%s", out)
	}
	d.Logf("%s", out)
}

// now is what the file has when it is read again.
func (d *disaster) now(before string) string {
	switch {
	case d.broken && d.with == nil:
		return ""
	case d.broken:
		return d.with(before)
	case d.Now.Fails:
		text := d.text(d.Now.Rows)
		return text[:len(text)-len(text)/10]
	}
	return d.text(d.Now.Rows)
}

// aside makes sure that the people of whom something is wrong were left out.
func (d *disaster) aside(out string, code int) {
	if code != 0 {
		d.Errorf("exit code %d\n%s", code, out)
	}
	var entities []struct{ Code reconcile.Code }
	text := d.lanyard("import", "people", d.Name, "-o", "json")
	if err := json.Unmarshal([]byte(text), &entities); err != nil {
		d.Fatalf("%v: %s", err, text)
	}
	for _, code := range d.Expect.People {
		if !slices.ContainsFunc(entities, func(e struct{ Code reconcile.Code }) bool { return e.Code == code }) {
			d.Errorf("nobody is left out because of %s: %s", code, text)
		}
	}
}

// people are those of the disaster, with status and profile, by login.
func (d *disaster) people() map[string]string {
	var list []struct {
		Status  string
		Profile map[string]any
	}
	status, answer := d.call("GET", "/api/v1/users?limit=200&search="+url.QueryEscape(`profile.login co "@`+d.Name+`.example.com"`), "")
	if err := json.Unmarshal(answer, &list); err != nil || status != 200 {
		d.Fatalf("%d %v: %s", status, err, answer)
	}
	out := map[string]string{}
	for _, p := range list {
		profile, err := json.Marshal(p.Profile)
		if err != nil {
			d.Fatal(err)
		}
		out[fmt.Sprint(p.Profile["login"])] = p.Status + " " + string(profile)
	}
	return out
}
