package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The module whose tests hold requests of Okta's and Entra's clients, with the
// answers they are content with. Its checksum is the one of the module mirror.
const (
	fixturesModule = "github.com/elimity-com/scim@v0.0.0-20240320110924-172bf2aee9c8"
	fixturesSum    = "h1:0+BTyxIYgiVAry/P5s8R4dYuLkhB9Nhso8ogFWNr4IQ="
	fixturesFolder = "internal/idp_test/testdata"
)

// fixture is one request and its answer.
type fixture struct {
	Request    json.RawMessage `json:"request"`
	Response   json.RawMessage `json:"response"`
	Method     string          `json:"method"`
	Path       string          `json:"path"`
	StatusCode int             `json:"statusCode"`
}

// The requests of Okta's and Entra's clients in the fixtures of elimity's server
// are answered as they expect.
func TestFixtures(t *testing.T) {
	t.Parallel()
	folder := fixturesDir(t)
	total := 0
	for provider, profile := range map[string]tenant.Profile{"okta": tenant.ProfileGovernance, "azuread": tenant.ProfileEntra} {
		files, err := filepath.Glob(filepath.Join(folder, provider, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			total++
			t.Run(provider+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				strategy := map[string]string{"okta": "okta", "azuread": "waad"}[provider]
				replayFixture(t, newStack(t, strategy, profile), corrected(string(text), filepath.Base(file)))
			})
		}
	}
	if total != 18 {
		t.Errorf("%d fixtures, want 18", total)
	}
}

// corrections are texts in fixtures that contradict the fixture itself: the server
// they were made with answers the same whatever it is sent.
var corrections = map[string][2]string{
	// The request sets displayName to "Test SCIMv2".
	"update_group_name.json": {`"Test SCIMv20"`, `"Test SCIMv2"`},
}

func corrected(text, file string) string {
	c, ok := corrections[file]
	if !ok {
		return text
	}
	return strings.ReplaceAll(text, c[0], c[1])
}

// fixturesDir returns where the fixtures lie in Go's module cache, having put them
// there when they were not.
func fixturesDir(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", fixturesModule)
	cmd.Dir = t.TempDir() // outside our module, which does not require it
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, failure := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(output, &got); err != nil || got.Error != "" {
		missing(t, "%s cannot be downloaded: %v %s", fixturesModule, failure, got.Error)
	}
	if got.Sum != fixturesSum {
		t.Fatalf("%s has the checksum %s, not %s", fixturesModule, got.Sum, fixturesSum)
	}
	return filepath.Join(got.Dir, fixturesFolder)
}

// resourceID is an id in a fixture: ours are others.
var resourceID = regexp.MustCompile(`\b(?:[0-9a-f]{20}|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`)

// replayFixture makes what the request is about, sends it, and compares the
// answer.
func replayFixture(t *testing.T, s *stack, text string) {
	t.Helper()
	text = withPeople(t, s, text)
	f := readFixture(t, text)
	if id := s.prepare(f); id != "" {
		old := f.Path[strings.LastIndex(f.Path, "/")+1:]
		text = strings.ReplaceAll(text, old, strings.Trim(jsonText(id), `"`))
		f = readFixture(t, text)
		f.Path = strings.ReplaceAll(f.Path, id, url.PathEscape(id))
	}
	r := s.send(f.Method, f.Path, string(f.Request), http.Header{"Accept": {"application/scim+json"}})
	if f.Method == http.MethodPatch && r.status == http.StatusNoContent {
		// As good an answer as 200 (RFC 7644 3.5.2). What became of it is read.
		r = s.send(http.MethodGet, f.Path, "", nil)
	}
	if r.status != f.StatusCode {
		t.Fatalf("%s %s: %d %s, want %d", f.Method, f.Path, r.status, r.text, f.StatusCode)
	}
	if f.Response == nil {
		return
	}
	want, err := value.Decode(f.Response)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range lacks("", want, any(r.body)) {
		t.Errorf("%s %s: %s in %s", f.Method, f.Path, difference, r.text)
	}
}

func readFixture(t *testing.T, text string) fixture {
	t.Helper()
	var f fixture
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func jsonText(s string) string {
	b, _ := json.Marshal(s) // a string: nothing can fail
	return string(b)
}

// withPeople makes a person for each id that stands for a member, and puts theirs
// in its place: a group has members that there are.
func withPeople(t *testing.T, s *stack, text string) string {
	t.Helper()
	f := readFixture(t, text)
	if !strings.Contains(f.Path, "/Groups") {
		return text
	}
	own := resourceID.FindString(f.Path)
	ids := slices.Compact(slices.Sorted(slices.Values(resourceID.FindAllString(string(f.Request)+string(f.Response), -1))))
	for _, id := range ids {
		if id == own || !strings.Contains(text, `"value": "`+id+`"`) && !strings.Contains(text, `value eq \"`+id) {
			continue
		}
		r := s.send("POST", "/Users", user(id+"@example.com", `,"externalId":"`+id+`"`), nil)
		if r.status != http.StatusCreated {
			t.Fatalf("a member: %d %s", r.status, r.text)
		}
		text = strings.ReplaceAll(text, id, strings.Trim(jsonText(fmt.Sprint(r.body["id"])), `"`))
	}
	return text
}

// prepare makes the resource that a request is about from the answer it expects,
// and returns its id.
func (s *stack) prepare(f fixture) string {
	s.Helper()
	var before map[string]any
	switch v, _ := value.Decode(f.Response); body := v.(type) {
	case map[string]any:
		before = body
		if list, ok := body["Resources"]; ok {
			items, _ := list.([]any)
			if len(items) == 0 {
				return ""
			}
			before, _ = items[0].(map[string]any)
		}
	default:
		before = map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "before"}
	}
	if f.Method == http.MethodPost {
		return ""
	}
	typ := "/Users"
	if strings.HasPrefix(f.Path, "/Groups") {
		typ = "/Groups"
	}
	before = maps.Clone(before)
	if before["externalId"] == nil {
		before["externalId"] = "00u1"
	}
	text, err := value.Encode(before)
	if err != nil {
		s.Fatal(err)
	}
	r := s.send("POST", typ, string(text), nil)
	if r.status != http.StatusCreated {
		s.Fatalf("what the request is about: %d %s", r.status, r.text)
	}
	if strings.Contains(f.Path, "?") {
		return ""
	}
	return fmt.Sprint(r.body["id"])
}

// lacks lists what is wanted and not there. More may be there. What the server
// chooses by itself is left out: ids, times and places, and the schemas of
// extensions that have no attribute.
func lacks(at string, want, got any) []string {
	switch want := want.(type) {
	case nil: // no value is shown by nothing (RFC 7643 2.5), but a list is a list
		if at == "/Resources" && !value.Equal(got, []any{}) {
			return []string{at + " is no empty list"}
		}
		return nil
	case map[string]any:
		object, _ := got.(map[string]any)
		var out []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			switch name {
			case "id", "meta", "schemas":
				if object[name] == nil {
					out = append(out, at+"/"+name+" is missing")
				}
			case "itemsPerPage": // theirs is what was asked for, not what is there
			case "display": // the members' own names are theirs, not the client's
			default:
				out = append(out, lacks(at+"/"+name, want[name], object[name])...)
			}
		}
		return out
	case []any:
		list, _ := got.([]any)
		if len(list) != len(want) {
			return []string{fmt.Sprintf("%s has %d elements, want %d", at, len(list), len(want))}
		}
		var out []string
		for i := range want {
			out = append(out, lacks(fmt.Sprint(at, "/", i), want[i], list[i])...)
		}
		return out
	}
	if !value.Equal(want, got) {
		return []string{fmt.Sprintf("%s is %v, want %v", at, got, want)}
	}
	return nil
}
