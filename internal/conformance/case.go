// Package conformance judges Arazzo runners: it reads the suite's cases, has a
// runner execute each against scripted replies, and compares what was seen with
// what the case expects.
//
// Ours runs in this process with a virtual clock (Machine). Any other runner is
// a command that follows the contract in conformance/README.md (Command).
// The cases themselves are data, in the folder conformance.
package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Case is one expected behaviour.
type Case struct {
	ID        string         `json:"id"`
	Clauses   []string       `json:"clauses"` // N and A numbers
	Title     string         `json:"title"`
	Documents []Document     `json:"-"` // the first is run
	Dialect   string         `json:"dialect"`
	Workflow  string         `json:"workflow"`
	Inputs    map[string]any `json:"inputs"`
	Profile   plan.Profile   `json:"profile"`
	Replies   []Reply        `json:"replies"`
	Expect    Expect         `json:"expect"`
}

// Document is one file of a case.
type Document struct{ Name, Text string }

// Reply answers one call.
type Reply struct {
	Status      int               `json:"status"`
	Headers     map[string]string `json:"headers"`
	Body        *json.RawMessage  `json:"body"`
	Text        *string           `json:"text"`
	ContentType string            `json:"contentType"`
	Fails       string            `json:"fails"` // refused, dropped or timeout
}

// Expect is what a case demands. What is absent is not checked.
type Expect struct {
	Status      string           `json:"status"`
	Requests    []Request        `json:"requests"`
	Waits       []json.Number    `json:"waits"`
	Outputs     *json.RawMessage `json:"outputs"`
	Steps       []Step           `json:"steps"`
	Diagnostics []Finding        `json:"diagnostics"`
	Error       string           `json:"error"`
}

// Request is an expected or observed request.
type Request struct {
	Method  string             `json:"method"`
	URL     string             `json:"url"`
	Headers map[string]*string `json:"headers"` // null: must be absent
	Body    *json.RawMessage   `json:"body"`
	Text    *string            `json:"text"`

	observedHeader map[string][]string
	observedBody   []byte
}

// UnmarshalJSON also takes the short form "GET http://...".
func (r *Request) UnmarshalJSON(data []byte) error {
	var short string
	if json.Unmarshal(data, &short) == nil {
		r.Method, r.URL, _ = strings.Cut(short, " ")
		return nil
	}
	type long Request
	return strict(data, (*long)(r))
}

// Step is an expected or observed step visit.
type Step struct {
	StepID   string `json:"stepId"`
	Status   string `json:"status"`
	Attempts int    `json:"attempts"`
}

// Finding is an expected or observed diagnostic.
type Finding struct {
	Code string `json:"code"`
	Line int    `json:"line"`
}

// Shared is the file that every case may name as a source.
const Shared = "api.yaml"

// ReadSuite reads cases/*.yaml and shared/*.yaml from fsys. A case that does
// not read is an error: the suite is ours.
func ReadSuite(fsys fs.FS) ([]Case, map[string]string, error) {
	names, err := fs.Glob(fsys, "cases/*.yaml")
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, err, "the suite cannot be listed")
	}
	sort.Strings(names)
	var cases []Case
	var errs []error
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err == nil {
			var c Case
			if c, err = ReadCase(name, data); err == nil {
				cases = append(cases, c)
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	shared := map[string]string{}
	names, _ = fs.Glob(fsys, "shared/*.yaml") // the pattern is well-formed
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		shared[path.Base(name)] = string(data)
	}
	return cases, shared, fault.Join(errs...)
}

// ReadCase reads one case strictly.
func ReadCase(name string, data []byte) (Case, error) {
	var c Case
	root, err := value.ParseYAML(data, name)
	if err != nil {
		return c, err
	}
	if root.Kind != yaml.MappingNode {
		return c, fault.New(fault.Invalid, "a case is a mapping").At("%s:1:1", name)
	}
	object, ok := value.FromYAML(root).(map[string]any)
	if !ok {
		return c, fault.New(fault.Invalid, "a case is a mapping").At("%s:1:1", name)
	}
	delete(object, "documents") // read below: their order counts
	raw, err := value.Encode(object)
	if err == nil {
		err = strict(raw, &c)
	}
	if err != nil {
		return c, fault.Wrap(fault.Invalid, err, "the case does not read: %v", err).At("%s", name)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "documents" {
			continue
		}
		docs := root.Content[i+1]
		for j := 0; j+1 < len(docs.Content); j += 2 {
			c.Documents = append(c.Documents, Document{Name: docs.Content[j].Value, Text: docs.Content[j+1].Value})
		}
	}
	switch {
	case c.ID != strings.TrimSuffix(path.Base(name), ".yaml"):
		return c, fault.New(fault.Invalid, "the id %q is not the file's name", c.ID).At("%s", name)
	case len(c.Documents) == 0 || len(c.Clauses) == 0 || c.Expect.Status == "":
		return c, fault.New(fault.Invalid, "a case needs clauses, documents and expect.status").At("%s", name)
	}
	return c, nil
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	return dec.Decode(into)
}

// Observed is what a runner did.
type Observed struct {
	Status      string
	Requests    []Request
	Waits       []json.Number
	TimesWaits  bool // Waits can be compared: the runner has a virtual clock
	Outputs     map[string]any
	HasOutputs  bool // the runner reports outputs
	Steps       []Step
	HasSteps    bool // the runner reports steps
	Diagnostics []Finding
	HasCodes    bool // the runner reports our diagnostic codes
	Error       string
}

// Verdict is the judgement on one case.
type Verdict struct {
	Case     *Case
	Problems []string // empty: passed
}

// Passed reports whether nothing differed.
func (v Verdict) Passed() bool { return len(v.Problems) == 0 }

// Judge compares what was seen with what is expected.
func Judge(c *Case, got Observed) Verdict {
	j := &judge{want: c.Expect, got: got}
	if got.Status != c.Expect.Status {
		j.problem("status is %s, want %s (%s)", got.Status, c.Expect.Status, got.Error)
	}
	j.requests()
	j.waits()
	j.outputs()
	j.steps()
	j.diagnostics()
	if c.Expect.Error != "" && got.HasCodes && !strings.Contains(got.Error, c.Expect.Error) {
		j.problem("the error %q does not contain %q", got.Error, c.Expect.Error)
	}
	return Verdict{Case: c, Problems: j.problems}
}

type judge struct {
	want     Expect
	got      Observed
	problems []string
}

func (j *judge) problem(format string, args ...any) {
	j.problems = append(j.problems, fmt.Sprintf(format, args...))
}

func (j *judge) requests() {
	if j.want.Requests == nil && j.want.Status != "refused" {
		return
	}
	for i := range max(len(j.want.Requests), len(j.got.Requests)) {
		switch {
		case i >= len(j.got.Requests):
			j.problem("request %d is missing: %s %s", i+1, j.want.Requests[i].Method, j.want.Requests[i].URL)
		case i >= len(j.want.Requests):
			j.problem("request %d was not expected: %s %s", i+1, j.got.Requests[i].Method, j.got.Requests[i].URL)
		default:
			j.request(i+1, j.want.Requests[i], j.got.Requests[i])
		}
	}
}

func (j *judge) request(n int, want, got Request) {
	if want.Method != got.Method || want.URL != got.URL {
		j.problem("request %d is %s %s, want %s %s", n, got.Method, got.URL, want.Method, want.URL)
	}
	for name, v := range want.Headers {
		have, ok := header(got.observedHeader, name)
		switch {
		case v == nil && ok:
			j.problem("request %d has the header %s: %s", n, name, have)
		case v != nil && !ok:
			j.problem("request %d lacks the header %s: %s", n, name, *v)
		case v != nil && *v != have:
			j.problem("request %d has the header %s: %q, want %q", n, name, have, *v)
		}
	}
	if want.Text != nil && *want.Text != string(got.observedBody) {
		j.problem("request %d has the body %q, want %q", n, got.observedBody, *want.Text)
	}
	if want.Body != nil {
		j.body(n, *want.Body, got.observedBody)
	}
}

func (j *judge) body(n int, want json.RawMessage, got []byte) {
	w, err := value.Decode(want)
	if err != nil {
		j.problem("the case's body does not read: %v", err)
		return
	}
	g, err := value.Decode(got)
	if err != nil || !value.Equal(w, g) {
		j.problem("request %d has the body %s, want %s", n, got, want)
	}
}

func header(h map[string][]string, name string) (string, bool) {
	for have, values := range h {
		if strings.EqualFold(have, name) {
			return strings.Join(values, ", "), true
		}
	}
	return "", false
}

func (j *judge) waits() {
	if !j.got.TimesWaits || j.want.Status == "refused" {
		return
	}
	same := len(j.want.Waits) == len(j.got.Waits)
	for i := 0; same && i < len(j.want.Waits); i++ {
		same = value.CompareNumbers(j.want.Waits[i], j.got.Waits[i]) == 0
	}
	if !same {
		j.problem("it waited %v, want %v", j.got.Waits, j.want.Waits)
	}
}

func (j *judge) outputs() {
	if j.want.Outputs == nil || !j.got.HasOutputs {
		return
	}
	want, err := value.Decode(*j.want.Outputs)
	if err != nil {
		j.problem("the case's outputs do not read: %v", err)
		return
	}
	got := j.got.Outputs
	if got == nil {
		got = map[string]any{}
	}
	if !value.Equal(want, got) {
		text, _ := value.Encode(got) // values we decoded ourselves
		j.problem("outputs are %s, want %s", text, *j.want.Outputs)
	}
}

func (j *judge) steps() {
	if j.want.Steps == nil || !j.got.HasSteps {
		return
	}
	same := len(j.want.Steps) == len(j.got.Steps)
	for i := 0; same && i < len(j.want.Steps); i++ {
		w, g := j.want.Steps[i], j.got.Steps[i]
		same = w.StepID == g.StepID && w.Status == g.Status && (w.Attempts == 0 || w.Attempts == g.Attempts)
	}
	if !same {
		j.problem("steps are %+v, want %+v", j.got.Steps, j.want.Steps)
	}
}

func (j *judge) diagnostics() {
	if !j.got.HasCodes {
		return
	}
	for _, want := range j.want.Diagnostics {
		found := false
		for _, got := range j.got.Diagnostics {
			found = found || got.Code == want.Code && (want.Line == 0 || got.Line == want.Line)
		}
		if !found {
			j.problem("the diagnostic %s at line %d is missing among %v (%s)", want.Code, want.Line, j.got.Diagnostics, j.got.Error)
		}
	}
}
