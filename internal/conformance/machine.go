package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/sources"
)

// Runner executes one case and reports what it saw.
type Runner interface {
	Run(ctx context.Context, c *Case) (Observed, error)
}

// Machine is our own runner: plan and engine with scripted replies and a
// virtual clock, in this process.
type Machine struct {
	Shared map[string]string // documents that every case may name

	// Apply folds an event; nil: the machine's own. Tests put checks around it.
	Apply func(m *engine.Machine, s engine.State, e engine.Event) (engine.State, engine.Turn, error)
}

// clockStart is when every case begins.
var clockStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// maxTurns stops a case whose run does not end.
const maxTurns = 100_000

// Run implements Runner.
func (m *Machine) Run(ctx context.Context, c *Case) (Observed, error) {
	got := Observed{TimesWaits: true, HasOutputs: true, HasSteps: true, HasCodes: true}
	dialect := arazzo.Strict
	if c.Dialect != "" {
		dialect = arazzo.Dialect(c.Dialect)
	}
	main := c.Documents[0]
	built, err := plan.Build(ctx, &memory{c: c, shared: m.Shared}, plan.Request{
		File: main.Name, Data: []byte(main.Text), Dialect: dialect, Workflow: c.Workflow, Profile: c.Profile,
	})
	if err != nil {
		return refuse(got, err), nil
	}
	for _, d := range built.Diagnostics {
		got.Diagnostics = append(got.Diagnostics, Finding{Code: d.Code, Line: d.Line})
	}
	if !built.OK() {
		return refuse(got, built.Err()), nil
	}
	p := built.Plan
	inputs, err := p.Workflows[p.Main].Prepare(c.Inputs)
	if err != nil {
		return refuse(got, err), nil
	}
	s := &script{replies: c.Replies, now: clockStart, got: got, apply: m.Apply}
	if s.apply == nil {
		s.apply = (*engine.Machine).Apply
	}
	return s.drive(engine.New(p), inputs)
}

func refuse(got Observed, err error) Observed {
	got.Status, got.Error = "refused", fault.Public(err)
	var inputs *plan.InputError
	if errors.As(err, &inputs) {
		for _, p := range inputs.Problems {
			got.Diagnostics = append(got.Diagnostics, Finding{Code: p.Code})
		}
	}
	return got
}

// script feeds a machine with a case's replies.
type script struct {
	replies []Reply
	now     time.Time
	got     Observed
	apply   func(m *engine.Machine, s engine.State, e engine.Event) (engine.State, engine.Turn, error)
}

func (s *script) drive(m *engine.Machine, inputs map[string]any) (Observed, error) {
	state, turn := m.Start(inputs, s.now)
	for range maxTurns {
		s.notes(turn.Notes)
		var event engine.Event
		switch c := turn.Command; c.Kind {
		case engine.CallCommand:
			answer, err := s.answer(c.Call)
			if err != nil {
				return s.got, err
			}
			event = engine.Event{Kind: engine.Answered, At: s.now, ID: c.Call.ID, Answer: answer}
		case engine.TimerCommand:
			s.now = s.now.Add(c.Timer.After)
			s.got.Waits = append(s.got.Waits, json.Number(strconv.FormatFloat(c.Timer.After.Seconds(), 'f', -1, 64)))
			event = engine.Event{Kind: engine.Fired, At: s.now, ID: c.Timer.ID}
		case engine.ComputeCommand:
			event = engine.Event{Kind: engine.Computed, At: s.now, ID: c.Compute.ID}
			event.Outputs, event.Reason = c.Compute.Run()
		case engine.HoldCommand:
			s.got.Status, s.got.Error = "held", c.Hold.Reason
			return s.got, nil
		case engine.FinishCommand:
			s.got.Status, s.got.Outputs, s.got.Error = string(c.Finish.Status), c.Finish.Outputs, c.Finish.Reason
			return s.got, nil
		default:
			return s.got, fault.New(fault.Internal, "the machine asked for nothing")
		}
		var err error
		if state, turn, err = s.apply(m, state, event); err != nil {
			return s.got, err
		}
	}
	return s.got, fault.New(fault.Internal, "the run did not end within %d turns", maxTurns)
}

func (s *script) notes(notes []engine.Note) {
	for _, n := range notes {
		if n.Kind == engine.NoteStep {
			s.got.Steps = append(s.got.Steps, Step{StepID: n.Step, Status: n.Status, Attempts: n.Attempt})
		}
	}
}

// answer records a request and plays the next reply.
func (s *script) answer(c *engine.Call) (*engine.Answer, error) {
	server, err := openapi.ResolveServer(c.Operation.Servers[0], c.Operation.SourceURL, nil)
	if err != nil {
		return nil, err
	}
	url := server + c.Request.Path
	if c.Request.Query != "" {
		url += "?" + c.Request.Query
	}
	header := map[string][]string{}
	for name, values := range c.Request.Header {
		header[name] = values
	}
	if c.Request.ContentType != "" {
		header["Content-Type"] = []string{c.Request.ContentType}
	}
	s.got.Requests = append(s.got.Requests, Request{Method: c.Request.Method, URL: url, observedHeader: header, observedBody: c.Request.Body})
	if len(s.replies) == 0 {
		return nil, fault.New(fault.Invalid, "request %d (%s %s) has no reply in the case", len(s.got.Requests), c.Request.Method, url)
	}
	r := s.replies[0]
	s.replies = s.replies[1:]
	return r.answer(url), nil
}

// answer turns a scripted reply into what a driver would report.
func (r *Reply) answer(url string) *engine.Answer {
	switch r.Fails {
	case "refused":
		return &engine.Answer{URL: url, Failure: &engine.Failure{Kind: fault.Unavailable.String(), Message: "connection refused"}}
	case "dropped":
		return &engine.Answer{URL: url, Failure: &engine.Failure{Kind: fault.Unavailable.String(), Message: "the connection broke off", Sent: true}}
	case "timeout":
		return &engine.Answer{URL: url, Failure: &engine.Failure{Kind: fault.Timeout.String(), Message: "no answer in time", Sent: true}}
	}
	a := &engine.Answer{Status: r.Status, URL: url, Header: map[string][]string{}}
	for name, v := range r.Headers {
		a.Header[name] = []string{v}
	}
	if r.ContentType != "" {
		a.Header["Content-Type"] = []string{r.ContentType}
	}
	if r.Body != nil {
		a.JSON = *r.Body
		if r.ContentType == "" {
			a.Header["Content-Type"] = []string{"application/json"}
		}
	}
	if r.Text != nil {
		a.SetBody([]byte(*r.Text))
	}
	return a
}

// memory is a plan.Loader over the documents of a case.
type memory struct {
	c      *Case
	shared map[string]string
}

// Load finds a document by its identity ($self, N5), else by file name.
func (m *memory) Load(_ context.Context, ref sources.Ref) (*sources.Source, error) {
	name, text, ok := m.find(ref)
	if !ok {
		return nil, fault.New(fault.NotFound, "the source %s cannot be read: there is no %s", ref.Name, ref.URL)
	}
	s := &sources.Source{Name: ref.Name, Location: name, Digest: openapi.Digest([]byte(text)), Data: []byte(text)}
	if ref.Type == "arazzo" {
		return s, nil
	}
	index, err := openapi.Parse([]byte(text), origin+"/"+name)
	if err != nil {
		return nil, err
	}
	s.Index, s.Location = index, origin+"/"+name
	return s, nil
}

func (m *memory) find(ref sources.Ref) (name, text string, ok bool) {
	full := ref.URL
	base, err := url.Parse(ref.BaseFile)
	if err == nil {
		if u, err := base.Parse(ref.URL); err == nil {
			full = u.String()
		}
	}
	for _, d := range m.c.Documents {
		if strings.Contains(d.Text, fmt.Sprintf("$self: %s\n", full)) {
			return d.Name, d.Text, true
		}
	}
	name = path.Base(ref.URL)
	for _, d := range m.c.Documents {
		if d.Name == name || d.Name == strings.TrimPrefix(ref.URL, "./") {
			return d.Name, d.Text, true
		}
	}
	text, ok = m.shared[name]
	return name, text, ok
}
