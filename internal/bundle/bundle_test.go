package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
)

var made = time.Date(2026, time.March, 4, 5, 6, 8, 0, time.UTC)

func example() *Bundle {
	return &Bundle{
		Manifest: Manifest{
			Version: Version, Name: "example", Made: made,
			Tables:      []Table{{Name: "People", Columns: []table.Column{{Name: "id", Type: table.Text, Key: true}}, Rows: "tables/1.csv"}},
			Connections: []Connection{{Name: "okta", Provider: "okta", Needs: []Need{{"token", "env:OKTA_API_TOKEN"}}}},
		},
		Settings: []byte("sources:\n  hr:\n    file: api/hr.yaml\ntriggers:\n  nightly:\n    schedule: {cron: \"0 3 * * *\"}\n    flow: a.arazzo.yaml\n"),
		Files:    map[string][]byte{"a.arazzo.yaml": []byte("arazzo: 1.0.1\n"), "api/hr.yaml": []byte("openapi: 3.1.0\n"), "empty.txt": {}},
		Rows:     map[string][]byte{"People": []byte("id\r\n1\r\n")},
	}
}

func read(data []byte) (*Bundle, error) { return Read(bytes.NewReader(data), int64(len(data))) }

func TestEncodeRead(t *testing.T) {
	want := example()
	one, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	two, _ := example().Encode()
	if !bytes.Equal(one, two) {
		t.Error("the same content makes other bytes")
	}
	got, err := read(one)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Manifest.Files) != 5 {
		t.Errorf("files: %v", got.Manifest.Files)
	}
	got.Manifest.Files = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// raw is an entry of a zip that nobody should have written.
type raw struct {
	name string
	data string
	mode fs.FileMode
}

// pack writes a zip with a manifest that fits its entries, and then changed.
func pack(t testing.TB, change func(*Manifest), entries ...raw) []byte {
	t.Helper()
	m := Manifest{Version: Version, Name: "x", Made: made, Files: []File{}}
	for _, e := range entries {
		sum := sha256.Sum256([]byte(e.data))
		m.Files = append(m.Files, File{e.name, int64(len(e.data)), hex.EncodeToString(sum[:])})
	}
	if change != nil {
		change(&m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return packRaw(t, append([]raw{{name: manifestName, data: string(text)}}, entries...)...)
}

func packRaw(t testing.TB, entries ...raw) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadRefuses(t *testing.T) {
	file := func(p string) raw { return raw{name: "files/" + p, data: "x"} }
	good, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	many := make([]raw, MaxEntries+1)
	for i := range many {
		many[i] = raw{name: "files/" + strings.Repeat("a", 1+i%200) + string(rune('a'+i/200))}
	}
	for name, test := range map[string]struct {
		data []byte
		kind fault.Kind
	}{
		"no zip":               {[]byte("hello"), fault.Invalid},
		"cut short":            {good[:len(good)-10], fault.Invalid},
		"no manifest":          {packRaw(t, file("a")), fault.Invalid},
		"manifest no JSON":     {packRaw(t, raw{name: manifestName, data: "{"}), fault.Invalid},
		"manifest unknown key": {packRaw(t, raw{name: manifestName, data: `{"version":1,"files":[],"more":1}`}), fault.Invalid},
		"newer version":        {packRaw(t, raw{name: manifestName, data: `{"version":2,"later":1}`}), fault.Unsupported},
		"slip up":              {pack(t, nil, file("../a")), fault.Refused},
		"slip inside":          {pack(t, nil, file("a/../../b")), fault.Refused},
		"absolute":             {pack(t, nil, file("/etc/passwd")), fault.Refused},
		"backslash":            {pack(t, nil, file(`..\a`)), fault.Refused},
		"drive":                {pack(t, nil, file("C:a")), fault.Refused},
		"hidden":               {pack(t, nil, file(".lanyard/key")), fault.Refused},
		"hidden below":         {pack(t, nil, file("a/.git/hooks/x")), fault.Refused},
		"configuration":        {pack(t, nil, file("Lanyard.YAML")), fault.Refused},
		"device":               {pack(t, nil, file("a/NUL.txt")), fault.Refused},
		"trailing dot":         {pack(t, nil, file("a.")), fault.Refused},
		"line break":           {pack(t, nil, file("a\nb")), fault.Refused},
		"case":                 {pack(t, nil, file("a.yaml"), file("A.yaml")), fault.Refused},
		"case of a folder":     {pack(t, nil, file("d/a"), file("D/b")), fault.Refused},
		"file and folder":      {pack(t, nil, file("a"), file("a/b")), fault.Refused},
		"link":                 {pack(t, nil, raw{name: "files/a", data: "/etc/passwd", mode: fs.ModeSymlink | 0o777}), fault.Refused},
		"folder":               {pack(t, func(m *Manifest) { m.Files = nil }, raw{name: "files/a/"}), fault.Refused},
		"twice":                {packRaw(t, raw{name: manifestName, data: `{"version":1,"files":[]}`}, file("a"), file("a")), fault.Refused},
		"unknown entry":        {pack(t, nil, raw{name: "else", data: "x"}), fault.Refused},
		"not listed":           {pack(t, func(m *Manifest) { m.Files = m.Files[1:] }, file("a"), file("b")), fault.Refused},
		"listed twice":         {pack(t, func(m *Manifest) { m.Files = append(m.Files, m.Files[0]) }, file("a")), fault.Refused},
		"not there":            {pack(t, func(m *Manifest) { m.Files[0].Path = "files/b" }, file("a")), fault.Invalid},
		"other digest":         {pack(t, func(m *Manifest) { m.Files[0].SHA256 = strings.Repeat("0", 64) }, file("a")), fault.Refused},
		"larger than said":     {pack(t, func(m *Manifest) { m.Files[0].Size = 0 }, file("a")), fault.TooLarge},
		"smaller than said":    {pack(t, func(m *Manifest) { m.Files[0].Size = 9 }, file("a")), fault.Refused},
		"negative size":        {pack(t, func(m *Manifest) { m.Files[0].Size = -1 }, file("a")), fault.TooLarge},
		"huge by its word":     {pack(t, func(m *Manifest) { m.Files[0].Size = 1 << 62 }, file("a")), fault.TooLarge},
		"bomb": {pack(t, func(m *Manifest) { m.Files[0].Size = 10 },
			raw{name: "files/a", data: strings.Repeat("0", 4<<20)}), fault.TooLarge},
		"manifest bomb":     {packRaw(t, raw{name: manifestName, data: strings.Repeat(" ", maxManifest+1)}), fault.TooLarge},
		"too many":          {pack(t, nil, many...), fault.TooLarge},
		"settings no YAML":  {pack(t, nil, raw{name: settingsName, data: "a: [\n"}), fault.Invalid},
		"other section":     {pack(t, nil, raw{name: settingsName, data: "connections: {}\n"}), fault.Invalid},
		"data folder":       {pack(t, nil, raw{name: settingsName, data: "data: /\n"}), fault.Invalid},
		"source elsewhere":  {pack(t, nil, raw{name: settingsName, data: "sources: {a: {file: /etc/passwd}}\n"}), fault.Refused},
		"source above":      {pack(t, nil, raw{name: settingsName, data: "sources: {a: {file: ../a}}\n"}), fault.Refused},
		"rows of no table":  {pack(t, nil, raw{name: "tables/1.csv", data: "a\n"}), fault.Refused},
		"rows that are not": {pack(t, func(m *Manifest) { m.Tables = []Table{{Name: "a", Rows: "tables/1.csv"}} }), fault.Invalid},
		"tables alike":      {pack(t, func(m *Manifest) { m.Tables = []Table{{Name: "a"}, {Name: "A "}} }), fault.Refused},
		"column of no type": {pack(t, func(m *Manifest) { m.Tables = []Table{{Name: "a", Columns: []table.Column{{Name: "b", Type: "c"}}}} }), fault.Invalid},
	} {
		if _, err := read(test.data); !fault.Is(err, test.kind) {
			t.Errorf("%s: %v, want a fault of the kind %v", name, err, test.kind)
		}
	}
	if _, err := Read(bytes.NewReader(nil), MaxArchive+1); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a large file: %v", err)
	}
}

// Whatever is read can be written, and is the same when it is read again.
func FuzzRead(f *testing.F) {
	good, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(pack(f, nil, raw{name: "files/../a", data: "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := read(data)
		if err != nil {
			return
		}
		for p := range b.Files {
			if !filepath.IsLocal(p) || strings.HasPrefix(p, ".") {
				t.Fatalf("%q came through", p)
			}
		}
		out, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(out); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMerge(t *testing.T) {
	packed := "triggers:\n  b:\n    flow: b.yaml\nrun: {maxSteps: 5}\n"
	for name, test := range map[string]struct{ before, want string }{
		"nothing there": {"", "run:\n  maxSteps: 5\ntriggers:\n  b:\n    flow: b.yaml\n"},
		"comments only": {"# mine\n", "# mine\n\nrun:\n  maxSteps: 5\ntriggers:\n  b:\n    flow: b.yaml\n"},
		"section there": {
			"# top\n\ntriggers: # all\n    # the first\n    a: {flow: a.yaml} # one\n\n# data\ndata: x # here\n",
			"# top\n\ntriggers: # all\n    b:\n      flow: b.yaml\n    # the first\n    a: {flow: a.yaml} # one\n\n# data\ndata: x # here\n\nrun:\n  maxSteps: 5\n",
		},
		"replaced": {
			"# top\ntriggers:\n  # the second\n  b: {flow: c.yaml} # old\n  a: {flow: a.yaml} # one\n",
			"# top\ntriggers:\n  # the second\n  b: # old\n    flow: b.yaml\n  a: {flow: a.yaml} # one\nrun:\n  maxSteps: 5\n",
		},
		"flow style": {"{triggers: {a: {flow: a.yaml}}}\n", "{triggers: {a: {flow: a.yaml}, b: {flow: b.yaml}}, run: {maxSteps: 5}}\n"},
		"empty key":  {"triggers: # none yet\ndata: x\n", "triggers: # none yet\n  b:\n    flow: b.yaml\ndata: x\nrun:\n  maxSteps: 5\n"},
	} {
		root, err := readRoot("p", []byte(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := merge("lanyard.yaml", []byte(test.before), settingsOf(root))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := merge("f", []byte("a: 1\n"), []setting{{"triggers", "b", scalar("x")}}); err == nil {
		t.Error("a configuration that is wrong is written")
	}
}

func TestLook(t *testing.T) {
	for text, want := range map[string]int{
		"token: $inputs.token":                                                  0,
		"token: env:TOKEN":                                                      0,
		"password: {type: string}":                                              0,
		"header: 'SSWS {$inputs.token}'":                                        0,
		"userName: ada":                                                         0,
		"password: hunter2":                                                     1,
		"a: [{clientSecret: abc}]":                                              1,
		"{name: Authorization, in: header, value: anything}":                    1,
		"{name: Authorization, in: header, value: $inputs.a}":                   0,
		"x: SSWS 00abcdefghijklmnopqrstuvwxyz0123456789ABCD":                    1,
		"x: 00abcdefghijklmnopqrstuvwxyz0123456789ABCD":                         1,
		"x: https://ada:lovelace@example.com/":                                  1,
		"x: 'https://example.com:8443/a@b'":                                     0,
		"x: eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4eHh4In0.c2lnbmF0dXJlc2ln":           1,
		"x: |\n  -----BEGIN RSA PRIVATE KEY-----\n  MII\n  -----END-----\ny: 1": 1,
	} {
		root, err := readRoot("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := lookNode("f", root); len(got) != want {
			t.Errorf("%q: %v, want %d", text, got, want)
		}
	}
	if got := lookText("f", "a\nb: AKIA0123456789ABCDEF\n"); !cmp.Equal(got, []string{"f:2"}) {
		t.Errorf("text: %v", got)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

const flowText = `arazzo: 1.0.1
info: {title: A, version: "1"}
sourceDescriptions: [{name: hr, url: ../api/hr.yaml, type: openapi}, {name: tenant, url: "lanyard:catalog/okta/openapi", type: openapi}]
workflows:
  - workflowId: a
    steps: [{stepId: s, operationId: $sourceDescriptions.hr.get, parameters: [{name: x-api-key, in: header, value: VALUE}]}]
`

func origin(t *testing.T, value string) Origin {
	dir := t.TempDir()
	write(t, dir, "flows/a.arazzo.yaml", strings.ReplaceAll(flowText, "VALUE", value))
	write(t, dir, "api/hr.yaml", "openapi: 3.1.0\n")
	write(t, dir, "Readme.md", "# A\n")
	write(t, dir, "people.csv", "id\n1\n")
	write(t, dir, ".env", "A=1\n")
	write(t, dir, ".lanyard/x.arazzo.yaml", "no")
	write(t, dir, "lanyard.yaml", "connections:\n  hr: {server: https://hr.example.com, auth: {type: bearer, token: 'env:HR'}}\nimports:\n  hr: {from: {csv: {file: people.csv}}}\n")
	c, err := config.Load(filepath.Join(dir, "lanyard.yaml"), true)
	if err != nil {
		t.Fatal(err)
	}
	return Origin{
		Dir: dir, Data: filepath.Join(dir, ".lanyard"), Config: c, Connections: c.Connections,
		Triggers: []Trigger{{Name: "t", Text: "{flow: flows/a.arazzo.yaml, schedule: {cron: '0 3 * * *'}}", Dir: dir}},
	}
}

func TestGather(t *testing.T) {
	b, left, err := Gather(t.Context(), origin(t, "$inputs.key"), Options{Name: "n", Made: made})
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	var names []string
	for name := range b.entries() {
		names = append(names, name)
	}
	if len(names) != 4 || b.Files["Readme.md"] == nil || b.Files["api/hr.yaml"] == nil || b.Files["flows/a.arazzo.yaml"] == nil || len(left) != 1 {
		t.Errorf("entries %v, left %v", names, left)
	}
	if s := string(b.Settings); !strings.Contains(s, "flows/a.arazzo.yaml") || strings.Contains(s, "connections") {
		t.Errorf("settings:\n%s", s)
	}
	want := []Connection{{Name: "hr", Type: "bearer", Needs: []Need{{"token", "env:HR"}}}, {Name: "tenant", Provider: "okta"}}
	if diff := cmp.Diff(want, b.Manifest.Connections); diff != "" {
		t.Error(diff)
	}
	for from, packed := range map[string]bool{"{csv: {file: people.csv}}": true, "{csv: people.csv}": true, "{json: ./people.csv}": true, "{table: people.csv}": false, "{csv: '-'}": false} {
		o := origin(t, "$inputs.key")
		write(t, o.Dir, "lanyard.yaml", "imports:\n  hr: {from: "+from+", profile: {file: File}, to: {connection: abroad, source: HR}}\n")
		if o.Config, err = config.Load(filepath.Join(o.Dir, "lanyard.yaml"), true); err != nil {
			t.Fatal(err)
		}
		b, _, err := Gather(t.Context(), o, Options{WithRows: true})
		if err != nil || (b.Files["people.csv"] != nil) != packed {
			t.Errorf("with rows, from %s: %v", from, err)
		}
		if err == nil && !slices.ContainsFunc(b.Manifest.Connections, func(c Connection) bool { return c.Name == "abroad" }) {
			t.Errorf("from %s: the connection of to is not among %v", from, b.Manifest.Connections)
		}
	}

	_, _, err = Gather(t.Context(), origin(t, "literal"), Options{})
	if !fault.Is(err, fault.Refused) || !strings.Contains(fault.Public(err), "flows/a.arazzo.yaml:6") {
		t.Errorf("a credential: %v", fault.Public(err))
	}
	if _, _, err = Gather(t.Context(), origin(t, "literal"), Options{Allow: []string{"flows/a.arazzo.yaml"}}); err != nil {
		t.Errorf("allowed: %v", err)
	}
	for _, p := range []string{"../x", ".env", ".lanyard/x.arazzo.yaml", "none", "lanyard.yaml", "flows"} {
		if _, _, err := Gather(t.Context(), origin(t, "$inputs.key"), Options{Add: []string{p}}); err == nil {
			t.Errorf("%s is packed", p)
		}
	}
	o := origin(t, "$inputs.key")
	if err := errors.Join(os.Remove(filepath.Join(o.Dir, "api/hr.yaml")), os.Symlink("/etc/hosts", filepath.Join(o.Dir, "api/hr.yaml"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Gather(t.Context(), o, Options{}); err == nil {
		t.Error("a link out of the folder is followed")
	}
}

// unpack imports without tables, and fails at the n-th switch when told so.
func unpack(t *testing.T, b *Bundle, dir string, replace bool, offErr error) ([]Change, []string, error) {
	t.Helper()
	p, err := Compare(t.Context(), b, Target{Dir: dir, Config: filepath.Join(dir, "lanyard.yaml")})
	if err != nil {
		return nil, nil, err
	}
	if err := p.Conflicts(replace); err != nil {
		return p.Changes, nil, err
	}
	var off []string
	err = p.Apply(t.Context(), nil, func(_ context.Context, name string) error {
		off = append(off, name)
		return offErr
	})
	return p.Changes, off, err
}

func TestUnpack(t *testing.T) {
	b := example()
	b.Manifest.Tables, b.Rows = nil, nil
	dir := filepath.Join(t.TempDir(), "new")
	if _, _, err := unpack(t, b, dir, false, fs.ErrInvalid); err == nil {
		t.Fatal("a trigger that cannot be switched off is written")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was written before the triggers were off")
	}
	if _, off, err := unpack(t, b, dir, false, nil); err != nil || !cmp.Equal(off, []string{"nightly"}) {
		t.Fatal(off, err)
	}
	before, _ := os.Stat(filepath.Join(dir, "lanyard.yaml"))
	changes, off, err := unpack(t, b, dir, false, nil)
	if err != nil || len(off) != 0 {
		t.Error("the second time:", off, err)
	}
	for _, c := range changes {
		if c.State != Same {
			t.Errorf("the second time, %s %s is %s", c.What, c.Name, c.State)
		}
	}
	if after, _ := os.Stat(filepath.Join(dir, "lanyard.yaml")); !os.SameFile(before, after) {
		t.Error("the configuration was written again")
	}

	// What a crash left out is completed.
	if err := os.Remove(filepath.Join(dir, "api", "hr.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, off, err := unpack(t, b, dir, false, nil); err != nil || len(off) != 0 {
		t.Error(off, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "api", "hr.yaml")); err != nil {
		t.Error(err)
	}

	write(t, dir, "a.arazzo.yaml", "mine")
	write(t, dir, "lanyard.yaml", "# mine\ntriggers:\n  nightly: {flow: other.yaml}\n")
	_, _, err = unpack(t, b, dir, false, nil)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Public(err), "a.arazzo.yaml") || !strings.Contains(fault.Public(err), "nightly") {
		t.Errorf("what differs is not named: %v", fault.Public(err))
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "a.arazzo.yaml")); string(text) != "mine" {
		t.Error("it was overwritten")
	}
	if _, off, err := unpack(t, b, dir, true, nil); err != nil || len(off) != 1 {
		t.Error("replacing:", off, err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "lanyard.yaml")); !strings.Contains(string(text), "# mine") || !strings.Contains(string(text), "a.arazzo.yaml") {
		t.Errorf("replaced:\n%s", text)
	}
}

// A link in the target leads nowhere.
func TestUnpackThroughLink(t *testing.T) {
	outside := t.TempDir()
	for _, name := range []string{"api", "a.arazzo.yaml"} {
		dir := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		b := example()
		b.Manifest.Tables, b.Rows = nil, nil
		if _, _, err := unpack(t, b, dir, true, nil); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Error("something was written through the link")
	}
}

// A configuration that changes while a file is unpacked is not overwritten.
func TestUnpackStale(t *testing.T) {
	b := example()
	b.Manifest.Tables, b.Rows = nil, nil
	dir := t.TempDir()
	p, err := Compare(t.Context(), b, Target{Dir: dir, Config: filepath.Join(dir, "lanyard.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Apply(t.Context(), nil, func(context.Context, string) error {
		write(t, dir, "lanyard.yaml", "# somebody else\n")
		return nil
	})
	if !fault.Is(err, fault.Stale) {
		t.Errorf("%v, want fault.Stale", err)
	}
}
