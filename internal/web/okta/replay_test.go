package okta_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// Recordings are real conversations with Okta (see ../shared/data/README.md),
// replayed against the API as scripts: the requests are sent in order, ids are
// mapped, and every answer must be the recorded one, byte for byte, but for
// what normal leaves out. All are replayed but those named here.
var unreplayed = map[string]string{
	"terraform/TestAccDataSourceOktaGroupRule_read":                                 "group rules",
	"terraform/TestAccResourceOktaGroupRule_crud":                                   "group rules",
	"terraform/TestAccResourceOktaGroupRule_invalidHandle":                          "group rules",
	"terraform/TestAccResourceOktaGroupMemberships_TrackAllUsersBehavior":           "group rules",
	"terraform/TestAccDataSourceOktaUsers_readWithGroupId/classic-00":               "a list that lags behind a membership",
	"python/test_groups_it/TestGroupsResource.test_group_profile_custom_attributes": "a group made outside the recording",
	"python/test_users_it/TestUsersResource.test_list_user_grants":                  "a Link of another host",
	"python/test_users_it/TestUsersResource.test_forgot_password":                   "a 404 of the HTTP edge",
}

// foreign are requests that show people who were made outside the recording:
// lists of everybody, and two of them by id.
var foreign = regexp.MustCompile(`^/api/v1/users(\?(limit=\d+|filter=status[^&]*|limit=1&search=profile\.lastName.*)|/(00uvo7s8abwP37lV81d7|00uvowubswldNSv9v1d7).*)?$`)

// readAttributes are the custom attributes that the org of one recording had
// from the start.
var readAttributes = []string{
	`"employeeId":{"title":"Employee ID","description":"Unique identifier for employees","type":"string","unique":"UNIQUE_VALIDATED","scope":"SELF","minLength":5,"maxLength":11,"permissions":[{"principal":"SELF","action":"READ_WRITE"}]}`,
	`"empID":{"title":"empId","type":"string","unique":"UNIQUE_VALIDATED","minLength":2,"maxLength":10,"permissions":[{"principal":"SELF","action":"READ_WRITE"}]}`,
	`"empId2":{"title":"empId2","type":"string","unique":"UNIQUE_VALIDATED","minLength":2,"maxLength":10,"permissions":[{"principal":"SELF","action":"READ_WRITE"}]}`,
}

// served tells the interactions that this API serves from the others in a
// recording (roles, risk, applications ...).
var served = regexp.MustCompile(`^/api/v1/((users|groups)(\?|$|/[^/?]+(\?|$|/users|/groups(\?|$)|/sessions|/lifecycle/|/credentials/|/blocks|/clients|/grants|/idps|/appLinks))|meta/schemas/user/default$)`)

// interaction is one recorded exchange, in either of the two file formats.
type interaction struct {
	Request struct {
		Method string    `yaml:"method"`
		URL    string    `yaml:"url"` // Terraform
		URI    string    `yaml:"uri"` // Python
		Raw    yaml.Node `yaml:"body"`
		Body   string    `yaml:"-"`
	} `yaml:"request"`
	Response struct {
		Code   int       `yaml:"code"`
		Status yaml.Node `yaml:"status"`
		Body   yaml.Node `yaml:"body"`
		Header headers   `yaml:"headers"`
	} `yaml:"response"`
}

type headers map[string]yaml.Node

func (h headers) values(name string) []string {
	for key, node := range h {
		if !strings.EqualFold(key, name) {
			continue
		}
		var list []string
		if node.Kind == yaml.ScalarNode {
			return []string{node.Value}
		}
		for _, n := range node.Content {
			list = append(list, n.Value)
		}
		return list
	}
	return nil
}

func (i interaction) url() string { return i.Request.URL + i.Request.URI }

func (i interaction) answer(t *testing.T) (status int, body string) {
	t.Helper()
	if i.Response.Code != 0 {
		return i.Response.Code, strings.TrimSpace(i.Response.Body.Value)
	}
	var s struct{ Code int }
	var text struct{ String string }
	if err := i.Response.Status.Decode(&s); err != nil {
		t.Fatalf("recorded status: %v", err)
	}
	if err := i.Response.Body.Decode(&text); err != nil {
		t.Fatalf("recorded body: %v", err)
	}
	return s.Code, strings.TrimSpace(text.String)
}

// shared returns the folder of shared test data, and skips when it is not there.
func shared(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "okta")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the shared test data is missing: %v", err)
		}
		t.Skipf("the shared test data is missing: %v", err)
	}
	return dir
}

func TestRecordings(t *testing.T) {
	dir := filepath.Join(shared(t), "cassettes")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", dir, err)
	}
	var replayed atomic.Int64
	t.Run("replay", func(t *testing.T) {
		for _, file := range files {
			name, err := filepath.Rel(dir, strings.TrimSuffix(file, ".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if unreplayed[name] != "" || unreplayed[filepath.Dir(name)] != "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				replayed.Add(replay(t, file))
			})
		}
	})
	// A change of the recordings' form must not empty this test silently.
	if n := replayed.Load(); n < 700 {
		t.Errorf("%d interactions were replayed, want at least 700", n)
	}
}

// replay runs one recording and returns how many of its interactions it compared.
func replay(t *testing.T, file string) (compared int64) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var tape struct{ Interactions []interaction }
	if err := yaml.Unmarshal(text, &tape); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(o *okta.Options) { o.WithoutBlocks = true }) // no recorded org has them
	if strings.Contains(file, "TestAccDataSourceOktaUser_read") {
		for _, attribute := range readAttributes {
			b.ok(200, "POST", "/api/v1/meta/schemas/user/default", `{"definitions":{"custom":{"properties":{`+attribute+`}}}}`)
		}
	}
	m := mapping{}
	for i, x := range tape.Interactions {
		if x.Request.Raw.Tag == "!!str" {
			x.Request.Body = x.Request.Raw.Value
		}
		host, path := split(x.url())
		if !served.MatchString(path) || foreign.MatchString(path) && x.Request.Method == "GET" {
			continue
		}
		if x.Request.Method == "POST" && x.Request.Body == "" && !strings.Contains(path, "/lifecycle/") {
			return compared // recordings of 2020 lost the bodies of their requests
		}
		status, want := x.answer(t)
		got := b.call(x.Request.Method, m.ours(path), m.ours(x.Request.Body))
		where := fmt.Sprintf("interaction %d: %s %s", i, x.Request.Method, path)
		if got.status != status {
			t.Fatalf("%s = %d %s, recorded %d %s", where, got.status, got.body, status, want)
		}
		m.learn(want, got.body)
		if diff := cmp.Diff(normal(t, m.ours(want), host), normal(t, got.body, org)); diff != "" {
			t.Errorf("%s: - recorded + got\n%s", where, diff)
		}
		m.checkLinks(t, where, x.Response.Header.values("Link"), got.header, host)
		compared++
	}
	return compared
}

func split(url string) (host, path string) {
	at := strings.Index(url, "/api/")
	if at < 0 {
		return url, ""
	}
	return strings.TrimRight(url[:at], "/"), url[at:]
}

// mapping knows our ids for the recorded ones.
type mapping map[string]string

func (m mapping) ours(text string) string {
	for theirs, ours := range m {
		text = strings.ReplaceAll(text, theirs, ours)
	}
	return text
}

// learn pairs the ids of two answers. Objects of lists are paired by name,
// because lists are ordered by id.
func (m mapping) learn(theirs, ours string) {
	if theirID, ourID := typePattern.FindString(theirs), typePattern.FindString(ours); theirID != "" && ourID != "" {
		m[theirID], m["osc"+theirID[3:]] = ourID, "osc"+ourID[3:] // the schema's id is that of the type
	}
	named := map[string]identified{}
	for _, o := range identify(ours) {
		named[o.name] = o
	}
	for _, o := range identify(theirs) {
		mine, ok := named[o.name]
		if !ok {
			continue
		}
		m[o.id] = mine.id
	}
}

type identified struct{ id, name string }

var typePattern = regexp.MustCompile(`oty[A-Za-z0-9]{17}`)

// identify reads the users and groups of an answer.
func identify(text string) []identified {
	type object struct {
		ID      string
		Profile struct{ Name, Login string }
	}
	var list []object
	if json.Unmarshal([]byte(text), &list) != nil {
		var one object
		if json.Unmarshal([]byte(text), &one) != nil {
			return nil
		}
		list = []object{one}
	}
	var out []identified
	for _, o := range list {
		if o.ID != "" {
			out = append(out, identified{o.ID, o.Profile.Name + o.Profile.Login})
		}
	}
	return out
}

func (m mapping) checkLinks(t *testing.T, where string, recorded []string, got http.Header, host string) {
	t.Helper()
	var want []string
	for _, link := range recorded {
		want = append(want, strings.ReplaceAll(m.ours(link), host, org))
	}
	if diff := cmp.Diff(want, got.Values("Link")); diff != "" {
		t.Errorf("%s: Link headers: - recorded + got\n%s", where, diff)
	}
}

// left are members that recorded orgs have or have not by their settings:
// realms, recovery by mail, factors, group owners; and the address of logos.
var left = map[string]bool{"realmId": true, "emails": true, "resetFactors": true, "owners": true, "logo": true, "errorId": true}

var (
	timePattern  = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z"`)
	tokenPattern = regexp.MustCompile(`(reset_password|tokens)/[A-Za-z0-9_-]{20}`)
)

// normal rewrites a JSON text with its keys in order, without what differs
// from org to org: host, times, random tokens and the members in left.
func normal(t *testing.T, text, host string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, host, "HOST"), org, "HOST")
	text = timePattern.ReplaceAllString(text, `"TIME"`)
	text = tokenPattern.ReplaceAllString(text, "$1/TOKEN")
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var out bytes.Buffer
	if !strings.HasPrefix(text, "[") {
		if err := rewrite(dec, &out, ""); err != nil {
			t.Fatalf("%q is not JSON: %v", text, err)
		}
		return out.String()
	}
	return strings.Join(elements(t, dec), "---\n")
}

// elements rewrites the elements of a list, sorted: the recorded order is that
// of recorded ids.
func elements(t *testing.T, dec *json.Decoder) []string {
	t.Helper()
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	list := []string{"list\n"}
	for dec.More() {
		var out bytes.Buffer
		if err := rewrite(dec, &out, ""); err != nil {
			t.Fatal(err)
		}
		list = append(list, out.String())
	}
	slices.Sort(list[1:])
	return list
}

// rewrite copies one value, one member a line.
func rewrite(dec *json.Decoder, out *bytes.Buffer, indent string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return json.NewEncoder(out).Encode(token)
	}
	fmt.Fprintln(out, delim)
	for dec.More() {
		keep, prefix := out, indent+" "
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			if left[key.(string)] {
				keep = &bytes.Buffer{}
			}
			fmt.Fprintf(keep, "%s%s: ", prefix, key)
		} else {
			keep.WriteString(prefix)
		}
		if err := rewrite(dec, keep, prefix); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	fmt.Fprintln(out, indent+"end")
	return err
}
