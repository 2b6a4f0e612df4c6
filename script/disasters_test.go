package script_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/reconcile/reconciletest"
	"github.com/lanyard-id/lanyard/internal/value"
)

const disasterFiles = "../internal/reconcile/reconciletest/disasters"

// brokenFile is a disaster that happens to a file as such. Thirty people are in it
// first.
type brokenFile struct {
	name string
	kind string                   // "csv", "json", or "http": an API that answers with the file
	with func(good string) string // nil: the file is gone
	says string                   // why it fails or is held; "": nothing is wrong with it
}

var brokenFiles = []brokenFile{
	{"file-gone", "csv", nil, "no such file"},
	{"file-of-no-bytes", "csv", func(string) string { return "" }, "the file is empty"},
	{"file-of-headings", "csv", func(good string) string { return good[:strings.Index(good, "\n")+1] }, "emptySource"},
	{"cut-in-a-quote", "csv", func(good string) string { return good + "\"E9999,Cut" }, "quote"},
	{"cut-in-an-object", "json", func(good string) string { return good[:len(good)/2] }, "cut off"},
	{"page-of-an-error", "csv", func(string) string { return errorPage }, "emptySource"},
	{"object-of-an-error", "json", func(string) string { return `{"error": "unauthorized"}` }, "no column looks like"},
	{"answer-of-null", "json", func(string) string { return "null" }, "no list"},
	{"answer-of-a-page", "http", func(string) string { return errorPage }, "JSON"},
	{"answer-of-an-error", "http", func(string) string { return `{"status": "error", "message": "session expired"}` }, "list"},
	{"answer-of-nothing", "http", func(string) string { return "[]" }, "emptySource"},
	{"answer-cut-off", "http", func(good string) string { return good[:len(good)-len(good)/3] }, "cut off"},
	{"answer-in-a-list", "json", func(good string) string { return "[" + good + "]" }, "object"},
	{"compressed", "csv", compressed, ""},
	{"compressed-and-cut-off", "csv", func(good string) string { return compressed(good)[:200] }, "cut off"},
	{"workbook", "csv", func(string) string { return "PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" }, "zero byte"},
	{"utf-16-with-a-mark", "csv", func(good string) string { return utf16le("\ufeff" + good) }, ""},
	{"utf-16-without-a-mark", "csv", utf16le, "encoding: utf-16"},
	{"utf-8-with-a-mark", "csv", func(good string) string { return "\ufeff" + good }, ""},
	{"latin-1", "csv", latin1, "UTF-8"},
	{"semicolons", "csv", func(good string) string { return strings.ReplaceAll(good, ",", ";") }, ""},
	{"heading-twice", "csv", func(good string) string { return strings.Replace(good, "Title", "E-Mail", 1) }, "E-Mail"},
	{"headings-gone", "csv", func(good string) string { return good[strings.Index(good, "\n")+1:] }, "heading"},
	{"headings-in-the-middle", "csv", func(good string) string { return good + good }, "duplicateIds"},
	{"line-of-a-database", "csv", func(good string) string { return good + "30 rows selected.\n" }, "columns"},
	{"only-carriage-returns", "csv", func(good string) string { return strings.ReplaceAll(good, "\n", "\r") }, "line"},
}

const errorPage = "<html><body><h1>502 Bad Gateway</h1></body></html>\n"

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Close()
	return b.String()
}

func utf16le(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

func latin1(text string) string {
	var b []byte
	for _, r := range text {
		b = append(b, byte(r))
	}
	return string(b)
}

// TestDisasters lets everything go wrong with sources that can, by the command line:
// each import is held or fails and says why, and the people are as they were. All of
// them happen with LANYARD_DISASTERS=all, otherwise a third of those of columns.
func TestDisasters(t *testing.T) {
	all, err := reconciletest.Disasters()
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{T: t, binary: buildBinary(t), dir: t.TempDir()}
	answers := httptest.NewServer(http.FileServer(http.Dir(k.dir)))
	t.Cleanup(answers.Close)
	imports := map[string]any{}
	var played []*disaster
	each := os.Getenv("LANYARD_DISASTERS") == "all"
	for i, d := range all {
		// Packages reconcile and importer suffer them too.
		if special := d.Other != nil || d.Admins != nil || d.Left.Rows != nil || d.Expect.Same; !each && !special && i%3 != 0 {
			continue
		}
		// Roles come by groups, the clock is the process's, and package importer
		// suffers the large ones.
		if len(d.Roles) > 0 || len(d.Before.Rows) > 300 || strings.HasPrefix(d.Name, "clock-") {
			continue
		}
		settings := k.settings(d.Name)
		// A source that breaks off is a file that is cut off.
		one := &disaster{killed: k, Disaster: d, kind: "csv"}
		if len(played)%2 == 1 || d.Now.Fails {
			one.kind = "json"
		}
		imports[d.Name] = one.from(settings, d.Name)
		if d.Other != nil {
			settings := maps.Clone(settings)
			settings["sourcing"] = map[string]any{"priority": d.Other.Priority}
			imports[d.Other.Name+"-"+d.Name] = one.from(settings, d.Other.Name+"-"+d.Name)
		}
		played = append(played, one)
	}
	for _, b := range brokenFiles {
		one := &disaster{killed: k, Disaster: &reconciletest.Disaster{Name: b.name}, kind: b.kind, broken: true, with: b.with, says: b.says}
		one.Before.Rows = reconciletest.People(30)
		one.Now.Rows, one.Expect.Fails, one.Expect.Same = one.Before.Rows, b.says != "", b.says == ""
		imports[b.name] = one.from(map[string]any{"mode": "full"}, b.name)
		played = append(played, one)
	}
	text, err := json.Marshal(map[string]any{ // which is YAML
		"imports":     imports,
		"connections": map[string]any{"answers": map[string]any{"server": answers.URL, "allowPrivate": true}},
	})
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
	kind   string // as of a brokenFile
	broken bool
	with   func(string) string
	says   string
}

func (d *disaster) file(source string) string {
	if d.kind == "csv" {
		return source + ".csv"
	}
	return source + ".json"
}

// from completes settings. People of the disasters have the same names: they must
// not be taken for each other.
func (d *disaster) from(settings map[string]any, source string) map[string]any {
	var from any = d.file(source)
	if d.kind == "http" {
		from = map[string]any{"connection": "answers", "path": "/" + d.file(source)}
	}
	settings["from"] = map[string]any{d.kind: from}
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
	if d.kind != "csv" {
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
	if d.Other != nil {
		source := d.Other.Name + "-" + d.Name
		d.write(d.file(source), before)
		d.lanyard("import", "run", source)
	}
	d.write(d.file(d.Name), before)
	switch {
	case d.Other != nil && d.Other.Joined:
		if out, err := d.command("import", "run", d.Name).CombinedOutput(); err == nil {
			d.Fatalf("the people of another source are taken over: %s", out)
		}
		d.lanyard("import", "approve", d.Name, "--reason", "both have them")
	case d.Other == nil && len(d.Before.Rows) > 0:
		d.lanyard("import", "run", d.Name)
	}
	if d.Left.Rows != nil {
		d.write(d.file(d.Name), d.text(d.Left.Rows))
		d.lanyard("import", "run", d.Name)
	}
	d.promote()
	was := d.people()
	if len(was) != len(d.Before.Rows) {
		d.Fatalf("%d people of %d", len(was), len(d.Before.Rows))
	}
	d.write(d.file(d.Name), d.now(before))
	if d.broken && d.with == nil {
		if err := os.Remove(filepath.Join(d.dir, d.file(d.Name))); err != nil {
			d.Fatal(err)
		}
	}
	cmd := d.command("import", "run", d.Name)
	out, _ := cmd.CombinedOutput() // its exit code says it
	code := cmd.ProcessState.ExitCode()
	is := d.people()
	for login, text := range is {
		if status, _, _ := strings.Cut(text, " "); text != was[login] && (status == string(directory.Deprovisioned) || status == string(directory.Suspended)) {
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
	if d.Expect.Same {
		want = 0
	}
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
	if want == 1 && !strings.HasPrefix(string(out), "error: ") {
		d.Errorf("it is not said why:\n%s", out)
	}
	if !strings.Contains(string(out), d.says) {
		d.Errorf("it is not said why:\n%s", out)
	}
}

// promote gives people the administrator roles that they have.
func (d *disaster) promote() {
	for id, role := range d.Admins {
		i := slices.IndexFunc(d.Before.Rows, func(row reconcile.Row) bool { return row["Employee ID"] == id })
		user := url.PathEscape(fmt.Sprint(d.Before.Rows[i]["E-Mail"]))
		var account struct{ ID string }
		if status, answer := d.call("GET", "/api/v1/users/"+user, ""); status != 200 || json.Unmarshal(answer, &account) != nil {
			d.Fatalf("%d: %s", status, answer)
		}
		if status, answer := d.call("POST", "/api/v1/users/"+account.ID+"/roles", fmt.Sprintf(`{"type":%q}`, role)); status != 201 {
			d.Fatalf("%d: %s", status, answer)
		}
	}
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
