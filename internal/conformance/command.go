package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Command judges another runner: a command that follows the contract in
// conformance/README.md. The case's documents are in its working folder; the
// servers that they name are scripted ones on loopback.
type Command struct {
	Line   string            // the command and its arguments, separated by blanks
	Shared map[string]string // documents that every case may name
}

// Limits of one case.
const (
	caseTimeout = 60 * time.Second
	maxResult   = 16 << 20 // bytes of what the command prints
)

// origin is the server that the suite's documents name.
const origin = "http://api.test"

// commandInput is what the command reads on stdin.
type commandInput struct {
	ID       string         `json:"id"`
	Document string         `json:"document"`
	Workflow string         `json:"workflow,omitempty"`
	Dialect  string         `json:"dialect,omitempty"`
	Inputs   map[string]any `json:"inputs,omitempty"`
	Server   string         `json:"server"`
}

// commandResult is what the command prints.
type commandResult struct {
	Status      string          `json:"status"`
	Outputs     json.RawMessage `json:"outputs"`
	Steps       *[]Step         `json:"steps"`
	Diagnostics *[]Finding      `json:"diagnostics"`
	Error       string          `json:"error"`
}

// Run implements Runner.
func (r *Command) Run(ctx context.Context, c *Case) (Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return Observed{}, fault.Wrap(fault.Internal, err, "no folder for the case")
	}
	defer os.RemoveAll(dir)
	files := r.files(c)
	s := &scripted{replies: c.Replies}
	h := newHosts(s, slices.Collect(maps.Values(files)))
	defer h.close()
	if err := write(dir, files, h); err != nil {
		return Observed{}, err
	}
	out, err := r.execute(ctx, dir, c, h)
	if err != nil {
		return Observed{}, err
	}
	got := s.observed()
	err = out.fill(&got, h)
	return got, err
}

// files are the documents that a case's command finds, by name.
func (r *Command) files(c *Case) map[string]string {
	files := maps.Clone(r.Shared)
	if files == nil {
		files = map[string]string{}
	}
	for _, d := range c.Documents {
		files[d.Name] = d.Text
	}
	return files
}

// write puts the documents into the command's folder, with the scripted servers
// in place of those that they name.
func write(dir string, files map[string]string, h *hosts) error {
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fault.Wrap(fault.Internal, err, "the case's documents cannot be written")
		}
		if err := os.WriteFile(path, []byte(h.out.Replace(text)), 0o600); err != nil {
			return fault.Wrap(fault.Internal, err, "the case's documents cannot be written")
		}
	}
	return nil
}

func (r *Command) execute(ctx context.Context, dir string, c *Case, h *hosts) (*commandResult, error) {
	words := strings.Fields(r.Line)
	if len(words) == 0 {
		return nil, fault.New(fault.Usage, "the runner's command is empty")
	}
	in, err := json.Marshal(commandInput{ID: c.ID, Document: c.Documents[0].Name, Workflow: c.Workflow, Dialect: c.Dialect, Inputs: c.Inputs, Server: h.api})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the case cannot be handed over")
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(h.out.Replace(string(in)))
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || out.Len() == 0 {
			return nil, fault.Wrap(fault.Unavailable, err, "the runner failed: %v: %s", err, strings.TrimSpace(tail(problems.String())))
		}
	}
	if out.Len() > maxResult {
		return nil, fault.New(fault.TooLarge, "the runner printed more than %d bytes", maxResult)
	}
	var result commandResult
	dec := json.NewDecoder(&out)
	dec.UseNumber()
	if err := dec.Decode(&result); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the runner printed no JSON result")
	}
	return &result, nil
}

func tail(s string) string {
	const most = 400
	if len(s) > most {
		return s[len(s)-most:]
	}
	return s
}

// fill adds what the command reported to what the server saw.
func (r *commandResult) fill(got *Observed, h *hosts) error {
	got.Status, got.Error = r.Status, r.Error
	if r.Steps != nil {
		got.Steps, got.HasSteps = *r.Steps, true
	}
	if r.Diagnostics != nil {
		got.Diagnostics, got.HasCodes = *r.Diagnostics, true
	}
	if len(r.Outputs) == 0 {
		return nil
	}
	v, err := value.Decode([]byte(h.back.Replace(string(r.Outputs))))
	if err != nil {
		return err
	}
	got.Outputs, got.HasOutputs = v.(map[string]any)
	return nil
}

// scripted plays a case's replies, in order, on whatever host they are asked for.
type scripted struct {
	hosts *hosts

	mu       sync.Mutex
	replies  []Reply
	requests []Request
}

// play records a request to a server and plays the next reply.
func (s *scripted) play(server string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResult))
	if err != nil {
		return // the runner broke off
	}
	back := s.hosts.back.Replace
	header := http.Header{}
	for name, values := range r.Header {
		for _, v := range values {
			header.Add(name, back(v))
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{Method: r.Method, URL: server + back(r.URL.RequestURI()), observedHeader: header, observedBody: []byte(back(string(body)))})
	reply := Reply{Status: http.StatusTeapot} // a request that the case does not expect
	if len(s.replies) > 0 {
		reply, s.replies = s.replies[0], s.replies[1:]
	}
	s.mu.Unlock()
	if reply.Fails != "" {
		drop(w)
		return
	}
	out := s.hosts.out.Replace
	a := reply.answer("")
	for name, values := range a.Header {
		for _, v := range values {
			w.Header().Add(name, out(v))
		}
	}
	w.WriteHeader(a.Status)
	switch {
	case a.JSON != nil:
		_, _ = io.WriteString(w, out(string(a.JSON))) // the runner may have gone
	case a.Text != nil:
		_, _ = io.WriteString(w, out(*a.Text))
	}
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close() // that is the point
		}
	}
}

// observed returns the requests, as if they had gone to the servers of the case.
func (s *scripted) observed() Observed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Observed{Requests: s.requests}
}
