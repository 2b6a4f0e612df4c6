package reconcile

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

func TestReadSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w := written(t, string(text))
	want := Settings{
		Reading: Reading{
			ID: "Employee ID", Where: `row.type != "Contractor"`,
			Active: Activity{From: "Status", Present: []string{"Active", ""}, Gone: []string{"Left"}},
			Starts: Day{From: "Hire Date", Days: -7}, Ends: Day{From: "Last Day"}, Dates: DatesDayFirst,
			Zone:    Zone{From: "Zone", Fixed: "Europe/Berlin"},
			Profile: map[string]Term{"firstName": "Given Name", "displayName": `= row.a + " " + row["b c"]`, "title": None},
			Literal: true,
		},
		UserName: "String.toLowerCase(appuser.email)", Attributes: []string{"badge"},
		Mapping: map[string]Mapping{
			"displayName": {Value: "appuser.displayName"}, "title": {Value: "none"},
			"employeeNumber": {Value: "appuser.badge", Create: true}, "department": {Value: `"Sales"`},
		},
		Match:    Matching{Exact: []Criterion{{"email", "appuser.email"}, {"employeeNumber", "appuser.badge"}}},
		Confirm:  Confirm{Partial: true},
		Sourcing: Sourcing{Users: true, Priority: 3}, Reactivate: Reactivation{Deactivated: true},
		Removal: RemovalSuspends, Mode: Full,
		Guard: Limits{Percent: 10, Most: -1, Floor: 2, Drop: 5, Change: -1, Failures: 1, Privileges: 2, TakeOver: 7, Growth: -1, Newcomers: 9, Renames: 100, Returns: 3, Off: []Code{Encoding, MassChange}},
	}
	if diff := cmp.Diff(want, w.Settings); diff != "" {
		t.Errorf("the settings (-want +got):\n%s", diff)
	}
	if w.Label != "Personnel" || w.From == nil {
		t.Errorf("the label is %q, and from %v", w.Label, w.From)
	}
	data, err := json.Marshal(w.Settings)
	if err != nil {
		t.Fatal(err)
	}
	var kept Settings
	if err := json.Unmarshal(data, &kept); err != nil || !cmp.Equal(kept, w.Settings) {
		t.Errorf("kept as JSON they are %s: %v", data, err)
	}
	if _, ok := valid(t, string(text)); !ok {
		t.Error("the schema of lanyard.yaml does not allow it")
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	w := written(t, "from: {csv: people.csv}\nid: ~\n")
	if diff := cmp.Diff(FileSettings(), w.Settings, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a file that says nothing (-want +got):\n%s", diff)
	}
	for _, s := range []Settings{OktaSettings(), {}} {
		r := mustCompile(t, s)
		if d := r.Decide(&Person{ExternalID: "1", Presence: Present, Profile: map[string]any{
			"userName": "ada@example.com", "email": "ada@example.com", "firstName": "Ada", "lastName": "Byron",
		}}, nil, Candidates{}); d.Action != Hold || d.Code != Unsure {
			t.Errorf("by the settings of a source that was made through the API somebody new is %s", d.Action)
		}
	}
	r := mustCompile(t, OktaSettings())
	if got := r.Attributes(); !slices.Equal(got, []string{"email", "firstName", "homeAddress", "lastName", "mobilePhone", "secondEmail", "userName"}) {
		t.Errorf("the attributes of such a source are %v", got)
	}
	if !r.Defines("mobilePhone") || r.Defines("title") {
		t.Error("it defines title and not mobilePhone")
	}
}

func TestShorthands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]func(*Settings){
		"active: status":                 func(s *Settings) { s.Active.From = "status" },
		"timezone: Europe/Berlin":        func(s *Settings) { s.Zone.Fixed = "Europe/Berlin" },
		"username: EMAIL":                func(s *Settings) { s.UserName = UserNameEmail },
		"match: {exact: email}":          func(s *Settings) { s.Match.Exact = []Criterion{{Attribute: "email"}} },
		"match: {exact: [lastName, id]}": func(s *Settings) { s.Match.Exact = []Criterion{{Attribute: "lastName"}, {Attribute: "id"}} },
		"sourcing: false":                func(s *Settings) { s.Sourcing.Users = false },
		"sourcing: {priority: 2}":        func(s *Settings) { s.Sourcing.Priority = 2 },
		"reactivate: false":              func(s *Settings) { s.Reactivate = Reactivation{} },
		"reactivate: {suspended: false}": func(s *Settings) { s.Reactivate.Suspended = false },
		"profile: {title: 1, email: }":   func(s *Settings) { s.Profile = map[string]Term{"title": "1", "email": ""} },
		"guard: {privileges: none}":      func(s *Settings) { s.Guard.Privileges = -1 },
	} {
		s := FileSettings()
		want(&s)
		if diff := cmp.Diff(s, written(t, text).Settings); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if out, ok := valid(t, text); !ok {
			t.Errorf("the schema of lanyard.yaml does not allow %s: %s", text, out)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "mistakes.yaml") {
		text := c["text"].(string)
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			root, err := value.ParseYAML([]byte(text), "lanyard.yaml")
			if err != nil {
				t.Fatal(err)
			}
			_, err = ReadSettings(config.Section{Node: root, File: "lanyard.yaml"})
			says(t, err, c)
		})
	}
	root, err := value.ParseYAML([]byte("mode: x\nremoval: y\nidd: z\n"), "lanyard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSettings(config.Section{Node: root, File: "lanyard.yaml"}); err == nil || strings.Count(fault.Public(err), "lanyard.yaml:") != 3 {
		t.Errorf("of three mistakes it says %v", err)
	}
}

func TestCompileMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "compile.yaml") {
		t.Run(c["wrong"].(string), func(t *testing.T) {
			t.Parallel()
			_, err := settingsOf(t, c["import"]).Compile(nil)
			says(t, err, c)
		})
	}
	s := Settings{
		Reading: Reading{ID: "= x", Where: "y", Dates: "z", Zone: Zone{Fixed: "Nowhere"}, Active: Activity{Present: []string{"a"}, Gone: []string{"A"}}},
		Removal: "shoot", Mode: "mood", Sourcing: Sourcing{Priority: -1}, Guard: Limits{Percent: 200},
	}
	_, err := s.Compile(nil)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, part := range []string{"id: there is no variable x", "where: there is no variable y", `dates: days are not written in the form "z"`, "timezone: there is no time zone", "active: ", "removal: ", "mode: ", "sourcing: ", "guard: 200"} {
		if !strings.Contains(fault.Public(err), part) {
			t.Errorf("%s is not among what is wrong:\n%s", part, fault.Public(err))
		}
	}
}

func TestHeadings(t *testing.T) {
	t.Parallel()
	for _, c := range cases(t, "headings.yaml") {
		t.Run(c["name"].(string), func(t *testing.T) {
			t.Parallel()
			text, err := value.Encode(c["import"])
			if err != nil {
				t.Fatal(err)
			}
			before := FileSettings()
			if c["import"] != nil {
				before = written(t, string(text)).Settings
			}
			var columns []string
			for _, v := range c["columns"].([]any) {
				columns = append(columns, v.(string))
			}
			after, guesses, err := before.Complete(columns, nil)
			if says(t, err, c) {
				return
			}
			got := map[string]any{}
			for _, as := range []string{asID, asActive, asStarts, asEnds, asTimeZone} {
				if term := (&guesser{settings: after}).get(as); term != "" {
					got[as] = string(term)
				}
			}
			for name, term := range after.Profile {
				got[name] = string(term)
			}
			if diff := cmp.Diff(c["is"], any(got)); diff != "" {
				t.Errorf("the columns (-want +got):\n%s", diff)
			}
			if !before.Literal && len(guesses) != len(columns) {
				t.Errorf("there are %d columns and %d guesses", len(columns), len(guesses))
			}
			if _, err := after.Compile(nil); err != nil {
				t.Errorf("they cannot be used: %v", err)
			}
			slices.Reverse(columns)
			if again, _, err := before.Complete(columns, nil); err != nil || !cmp.Equal(again, after) {
				t.Errorf("in another order they are %+v: %v", again, err)
			}
		})
	}
}

func TestGuesses(t *testing.T) {
	t.Parallel()
	_, guesses, err := FileSettings().Complete([]string{"id", "first", "last", "mail", "shoe size"}, nil)
	want := []Guess{{"first", "firstName"}, {"id", "id"}, {"last", "lastName"}, {"mail", "email"}, {"shoe size", ""}}
	if diff := cmp.Diff(want, guesses); err != nil || diff != "" {
		t.Errorf("the guesses (-want +got):\n%s%v", diff, err)
	}
}

func TestCheckColumns(t *testing.T) {
	t.Parallel()
	s := FileSettings()
	s.ID, s.Profile = "id", map[string]Term{"title": "Job Title", "city": None, "state": "= row.other"}
	s.Where = `row["any thing"] == "x"`
	if err := s.CheckColumns([]string{"id", "Job Title", "other"}); err != nil {
		t.Error(err)
	}
	err := s.CheckColumns([]string{"id", "Jobtitle"})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), `profile state: the source has no column "other"`) || !strings.Contains(fault.Public(err), `no column "Job Title"`) || !strings.Contains(fault.Public(err), `did you mean "Jobtitle"?`) {
		t.Errorf("a column that is not there: %v", err)
	}
}

// Mistakes that only show later have the place of their key all the same.
func TestLocate(t *testing.T) {
	t.Parallel()
	text := "match: {exact: [nope, lastName]}\nmapping:\n  titel: appuser.email\nusername: appuser.emial\nprofile: {department: detp}\nwhere: row.sate == \"x\"\n"
	n, err := value.ParseYAML([]byte(text), "lanyard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	section := config.Section{Node: n, File: "lanyard.yaml"}
	w, err := ReadSettings(section)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Settings.Compile(nil)
	err = fault.Join(err, w.Settings.CheckColumns([]string{"dept", "state"}), fault.New(fault.Invalid, "of nothing here").At("people.csv:3"))
	said := fault.Public(Locate(section, err))
	for _, want := range []string{
		`lanyard.yaml:1:17: match nope: the directory has no attribute "nope"`, `use one of `,
		`lanyard.yaml:3:10: mapping titel: the directory has no attribute "titel"; did you mean title?`,
		`lanyard.yaml:4:11: username: the profile of the source has no attribute "emial"`,
		`lanyard.yaml:5:23: profile department: the source has no column "detp"; it has "dept", "state"; did you mean "dept"?`,
		`lanyard.yaml:6:8: where: the source has no column "sate"; it has "dept", "state"; did you mean "state"?`,
		"\npeople.csv:3: of nothing here",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it lacks %s:\n%s", want, said)
		}
	}
}

// valid holds an import against the schema of lanyard.yaml.
func valid(t *testing.T, text string) (why string, ok bool) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("lanyard.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("lanyard.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	root, err := value.ParseYAML([]byte(text), "lanyard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(map[string]any{"imports": map[string]any{"hr": value.FromYAML(root)}}); err != nil {
		return err.Error(), false
	}
	return "", true
}

// mustObject is the JSON form of a value.
func mustObject(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	o, err := value.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return object(o)
}

// TestSchema holds the keys of the schema against those of the reader.
func TestSchema(t *testing.T) {
	t.Parallel()
	doc, err := value.Decode(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	inSchema := object(object(object(object(doc)["$defs"])["import"])["properties"])
	r := &settingsReader{s: &Settings{}}
	fields := r.reading()
	maps.Copy(fields, r.deciding())
	want := append(slices.Sorted(maps.Keys(fields)), "from", "label", "to")
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(inSchema))); diff != "" {
		t.Errorf("the keys of the schema (-reader +schema):\n%s", diff)
	}
	guard := []string{"off"}
	for name := range mustObject(t, Limits{Percent: 1, Most: 1, Floor: 1, Drop: 1, Change: 1, Failures: 1, Privileges: 1, TakeOver: 1, Growth: 1, Newcomers: 1, Renames: 1, Returns: 1}) {
		guard = append(guard, name)
	}
	slices.Sort(guard)
	if diff := cmp.Diff(guard, slices.Sorted(maps.Keys(object(object(inSchema["guard"])["properties"])))); diff != "" {
		t.Errorf("the limits of the schema (-settings +schema):\n%s", diff)
	}
	off := object(object(object(object(inSchema["guard"])["properties"])["off"])["items"])["enum"]
	var codes []any
	for _, c := range Codes() {
		codes = append(codes, string(c))
	}
	if diff := cmp.Diff(any(codes), off); diff != "" {
		t.Errorf("the guards of the schema (-want +got):\n%s", diff)
	}
	for _, text := range []string{"mode: x", "guard: {percent: 20}", "idd: x", "mapping: {login: a}", "match: {exact: 1}", "starts: {days: 1.5}"} {
		if _, ok := valid(t, text); ok {
			t.Errorf("the schema allows %s", text)
		}
	}
}

func FuzzReadSettings(f *testing.F) {
	for _, c := range cases(f, "mistakes.yaml") {
		f.Add(c["text"].(string))
	}
	full, err := os.ReadFile(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(full))
	f.Fuzz(func(t *testing.T, text string) {
		root, err := value.ParseYAML([]byte(text), "f")
		if err != nil {
			return
		}
		w, err := ReadSettings(config.Section{Node: root, File: "f"})
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
				t.Errorf("the error is %s: %v", fault.KindOf(err), err)
			}
			return
		}
		data, err := json.Marshal(w.Settings)
		if err != nil {
			t.Fatal(err)
		}
		var kept Settings
		if err := json.Unmarshal(data, &kept); err != nil {
			t.Fatal(err)
		}
		one, wrong := w.Settings.Compile(nil)
		two, also := kept.Compile(nil)
		if (wrong == nil) != (also == nil) {
			t.Fatalf("once kept, the settings are other ones: %v, %v", wrong, also)
		}
		if wrong == nil && one.digest != two.digest {
			t.Error("once kept, the rules are other ones")
		}
	})
}
