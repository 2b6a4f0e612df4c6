package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// oktaSpec is Okta's test of SCIM servers, as exported from Runscope: requests,
// variables taken from answers, assertions. Pauses between them are left out.
type oktaSpec struct {
	Steps []struct {
		Type       string              `json:"step_type"`
		Note       string              `json:"note"`
		Method     string              `json:"method"`
		URL        string              `json:"url"`
		Body       string              `json:"body"`
		Headers    map[string][]string `json:"headers"`
		Scripts    []string            `json:"scripts"`
		Assertions []oktaAssertion     `json:"assertions"`
		Variables  []struct {
			Name, Source, Property string
		} `json:"variables"`
	} `json:"steps"`
}

type oktaAssertion struct {
	Comparison, Source, Property string
	Value                        *string `json:"value"`
}

// The whole of Okta's SPEC test against the whole stack.
func TestOktaSpec(t *testing.T) {
	t.Parallel()
	var spec oktaSpec
	if err := json.Unmarshal(sharedFile(t, "okta-spec-test.json"), &spec); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, "okta", tenant.ProfileStrict)
	// The first step asks for somebody, whom the tester has added before.
	r := s.send("POST", "/Users", user("first@example.com", `,"externalId":"00u1","active":true,"name":{"givenName":"F","familyName":"G"},"emails":[{"primary":true,"value":"first@example.com","type":"work"}]`), nil)
	if r.status != 201 {
		t.Fatalf("the first person: %d %s", r.status, r.text)
	}
	vars := variables{
		"SCIMBaseURL": s.url, "auth": "Bearer " + s.token,
		"InvalidUserEmail": "nobody@example.com", "UserIdThatDoesNotExist": "010101001010101011001010101011",
		"randomEmail": "random@example.com", "randomUsername": "Random.User@example.com", "randomUsernameCaps": "RANDOM.USER@EXAMPLE.COM",
		"randomGivenName": "Random", "randomFamilyName": "User",
	}
	total, passed := 0, 0
	for _, step := range spec.Steps {
		if step.Type != "request" {
			continue
		}
		target := strings.TrimPrefix(vars.fill(step.URL), s.url)
		path, query, _ := strings.Cut(target, "?")
		header := http.Header{}
		for name, values := range step.Headers {
			for _, v := range values {
				header.Add(name, vars.fill(v))
			}
		}
		begun := time.Now()
		r := s.send(step.Method, path+escapedQuery(query), vars.fill(step.Body), header)
		took := time.Since(begun)
		for _, v := range step.Variables {
			vars[v.Name] = fmt.Sprint(lookUp(r.body, v.Property))
		}
		for _, a := range step.Assertions {
			total++
			if err := a.check(r, took, vars); err != nil {
				t.Errorf("%s: %s %s: %v in %d %s", step.Note, step.Method, target, err, r.status, r.text)
				continue
			}
			passed++
		}
	}
	if total != 52 || passed != total {
		t.Errorf("%d of %d assertions hold, want 52 of 52", passed, total)
	}
}

// escapedQuery encodes a query as it is written by people.
func escapedQuery(query string) string {
	if query == "" {
		return ""
	}
	fields := strings.Split(query, "&")
	for i, f := range fields {
		name, v, _ := strings.Cut(f, "=")
		fields[i] = name + "=" + url.QueryEscape(v)
	}
	return "?" + strings.Join(fields, "&")
}

// variables are what stands for {{name}}.
type variables map[string]string

var placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)

func (v variables) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string { return v[found[2:len(found)-2]] })
}

// lookUp finds Resources[0].name.familyName, nil when there is none.
func lookUp(body any, property string) any {
	for part := range strings.FieldsFuncSeq(property, func(c rune) bool { return c == '.' || c == '[' || c == ']' }) {
		switch at := body.(type) {
		case map[string]any:
			body = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(at) {
				return nil
			}
			body = at[i]
		default:
			return nil
		}
	}
	return body
}

// check reports why an assertion does not hold.
func (a oktaAssertion) check(r reply, took time.Duration, vars variables) error {
	want := ""
	if a.Value != nil {
		want = vars.fill(*a.Value)
	}
	var got any
	switch a.Source {
	case "response_status":
		got = json.Number(strconv.Itoa(r.status))
	case "response_time":
		got = json.Number(strconv.FormatInt(took.Milliseconds(), 10))
	case "response_json":
		got = lookUp(r.body, a.Property)
	default:
		return fmt.Errorf("the source %q is unknown", a.Source)
	}
	list, _ := got.([]any)
	number, isNumber := got.(json.Number)
	var holds bool
	switch a.Comparison {
	case "equal", "equal_number":
		holds = got != nil && value.Text(got) == want
	case "not_empty":
		holds = got != nil && got != "" && (list == nil || len(list) > 0)
	case "has_value":
		holds = slices.Contains(list, any(want))
	case "contains":
		holds = slices.Contains(list, any(want)) || strings.Contains(value.Text(got), want)
	case "is_a_number":
		holds = isNumber
	case "is_less_than":
		limit, err := strconv.Atoi(want)
		n, bad := number.Int64()
		holds = err == nil && bad == nil && n < int64(limit)
	default:
		return fmt.Errorf("the comparison %q is unknown", a.Comparison)
	}
	if !holds {
		return fmt.Errorf("%s %s: %v %s %q", a.Source, a.Property, got, a.Comparison, want)
	}
	return nil
}
