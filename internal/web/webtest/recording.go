package webtest

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// invented are cassettes that were written by hand: no evidence.
var invented = []string{
	"terraform/TestAccResourceOktaIdentitySourceUser_basic",
	"terraform/TestAccResourceOktaIdentitySourceGroupMembership_basic",
	"terraform/TestAccResourceOktaIdentitySourceImport_uploadError",
	"terraform/TestAccDataSourceOktaIdentitySourceGroupMemberships_read",
}

// Recording is one recorded conversation with a real Okta org.
type Recording struct {
	Name         string // such as terraform/TestAccDataSourceOktaGroup_read/oie-00
	Interactions []Interaction
}

// Classic reports whether the org ran the classic engine: where the name says
// so, and before Identity Engine came to new orgs in 2022; but not where
// answers show otherwise.
func (r Recording) Classic() bool {
	date, err := http.ParseTime(r.Interactions[0].Header.Get("Date"))
	if !strings.HasSuffix(r.Name, "/classic-00") && (err != nil || date.Year() >= 2022) {
		return false
	}
	return !slices.ContainsFunc(r.Interactions, func(i Interaction) bool {
		return slices.ContainsFunc(identityEngine, func(sign string) bool { return strings.Contains(i.Body, sign) })
	})
}

// identityEngine are texts that only Identity Engine answers. The last is the
// user type of an org that has the first in another recording.
var identityEngine = []string{`"pipeline":"idx"`, `"accessPolicy":`, "otytivnus5k8rPk4X1d7"}

// AllHeaders reports whether the recording kept all headers of the answers.
func (r Recording) AllHeaders() bool { return strings.HasPrefix(r.Name, "python/") }

// Interaction is one request and its answer.
type Interaction struct {
	Number  int
	Method  string
	Host    string // scheme and host, such as https://oie-00.dne-okta.com
	Target  string // path and query, as sent
	Scheme  string // of the credential: SSWS or DPoP; "" when there was none
	Request string // body; "" too where the recording lost it

	RequestHeader http.Header // content type and user agent, where they were kept

	Status int
	Header http.Header
	Body   string
}

// Path is the target without the query.
func (i Interaction) Path() string {
	path, _, _ := strings.Cut(i.Target, "?")
	return path
}

// Recordings reads all recorded conversations with Okta but those written by
// hand. The test is skipped when they are not there.
func Recordings(t testing.TB) []Recording {
	t.Helper()
	if !haveSharedData(t) {
		t.Skip("the shared test data is missing")
	}
	list, err := readRecordings()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func readRecordings() ([]Recording, error) {
	dir, err := sharedData()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "okta", "cassettes")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no recordings in %s: %w", dir, err)
	}
	var out []Recording
	for _, file := range files {
		r, err := readTape(dir, file)
		if err != nil {
			return nil, err
		}
		if slices.Contains(invented, filepath.Dir(r.Name)) {
			continue
		}
		out = append(out, r)
	}
	return out, nil
}

// cassette is the file of a recording, in the form of go-vcr or of VCR.py.
type cassette struct {
	Interactions []struct {
		Request struct {
			Method string
			URL    string    // go-vcr
			URI    string    // VCR.py
			Body   yaml.Node // null, text, or a form's fields

			Headers map[string]yaml.Node
		}
		Response struct {
			Code    int       // go-vcr
			Status  yaml.Node // go-vcr: text; VCR.py: {code, message}
			Body    yaml.Node // go-vcr: text; VCR.py: {string}
			Headers map[string]yaml.Node
		}
	}
}

func parseCassette(text []byte) ([]Interaction, error) {
	var tape cassette
	if err := yaml.Unmarshal(text, &tape); err != nil {
		return nil, err
	}
	var out []Interaction
	for n, x := range tape.Interactions {
		i := Interaction{Number: n, Method: x.Request.Method, Status: x.Response.Code, Header: http.Header{}}
		i.Host, i.Target = split(x.Request.URL + x.Request.URI)
		for _, v := range scalars(x.Request.Headers["Authorization"]) {
			i.Scheme, _, _ = strings.Cut(v, " ")
		}
		i.RequestHeader = http.Header{}
		for _, name := range []string{"Content-Type", "User-Agent"} {
			for _, v := range scalars(x.Request.Headers[name]) {
				i.RequestHeader.Add(name, v)
			}
		}
		if x.Request.Body.Tag == "!!str" {
			i.Request = strings.TrimSpace(x.Request.Body.Value)
		}
		i.Body = strings.TrimSpace(x.Response.Body.Value)
		if i.Status == 0 {
			var status struct{ Code int }
			var body struct{ String string }
			if err := x.Response.Status.Decode(&status); err != nil {
				return nil, err
			}
			if err := x.Response.Body.Decode(&body); err != nil {
				return nil, err
			}
			i.Status, i.Body = status.Code, strings.TrimSpace(body.String)
		}
		for name, node := range x.Response.Headers {
			for _, v := range scalars(node) {
				i.Header.Add(name, v)
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// split parts a URL. Some recordings have a doubled slash after the host.
func split(url string) (host, target string) {
	scheme, rest, _ := strings.Cut(url, "://")
	host, target, _ = strings.Cut(rest, "/")
	return scheme + "://" + host, "/" + strings.TrimLeft(target, "/")
}

func scalars(n yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, item := range n.Content {
		out = append(out, item.Value)
	}
	return out
}
