package script_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/value"
)

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// lanyard runs the command in a folder.
func lanyard(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return command(t, "lanyard", dir, args...)
}

func command(t *testing.T, program, dir string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// publishedWorkflow is one of the 21 published Okta workflows. All pass their
// token as text without braces, so they run as written in dialect compat only.
type publishedWorkflow struct {
	name, file string
	inputs     map[string]any
	statuses   []int  // that its criteria expect, in the order of its steps
	bare       []int  // lines on which an expression without braces stands in text
	search     bool   // its first step looks for something, and ends when there is nothing
	binary     string // that reads it; none: the test's own, which may look for races
}

// lanyard runs the command on the workflow.
func (w publishedWorkflow) lanyard(t *testing.T, dir string, args ...string) result {
	t.Helper()
	if w.binary == "" {
		return lanyard(t, dir, args...)
	}
	return command(t, w.binary, dir, args...)
}

const oktaToken = "00-published-okta-token"

func publishedWorkflows(t *testing.T) []publishedWorkflow {
	t.Helper()
	shared, ok := sharedData(t)
	if !ok {
		t.Skip("the published documents are not here")
	}
	files, err := filepath.Glob(filepath.Join(shared, "arazzo", "okta", "*.yml"))
	if err != nil || len(files) != 21 {
		t.Fatalf("%d documents, want 21 (%v)", len(files), err)
	}
	var out []publishedWorkflow
	for _, file := range files {
		out = append(out, readPublished(t, file))
	}
	return out
}

var (
	expectedStatus = regexp.MustCompile(`condition: \$statusCode == (\d+)`)
	bareToken      = regexp.MustCompile(`SSWS \$inputs\.`)
)

func readPublished(t *testing.T, file string) publishedWorkflow {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := publishedWorkflow{name: strings.TrimSuffix(filepath.Base(file), "-workflow.yml"), file: file}
	for i, line := range strings.Split(string(data), "\n") {
		if bareToken.MatchString(line) {
			w.bare = append(w.bare, i+1)
		}
	}
	for _, found := range expectedStatus.FindAllStringSubmatch(string(data), -1) {
		status, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		w.statuses = append(w.statuses, status)
	}
	w.search = strings.Contains(string(data), "$.length == 0")
	w.inputs = madeInputs(t, file, data)
	return w
}

// madeInputs gives every input of a document a value of its type.
func madeInputs(t *testing.T, file string, data []byte) map[string]any {
	t.Helper()
	root, err := value.ParseYAML(data, file)
	if err != nil {
		t.Fatal(err)
	}
	v := value.FromYAML(root)
	pointer, err := value.ParsePointer("/workflows/0/inputs/properties")
	if err != nil {
		t.Fatal(err)
	}
	found, ok := pointer.Get(v)
	properties, isMap := found.(map[string]any)
	if !ok || !isMap {
		t.Fatalf("%s has no inputs", file)
	}
	inputs := map[string]any{}
	for name, schema := range properties {
		inputs[name] = madeInput(name, schema.(map[string]any))
	}
	inputs["oktaApiToken"] = oktaToken
	return inputs
}

func madeInput(name string, schema map[string]any) any {
	if list, ok := schema["enum"].([]any); ok {
		return list[0]
	}
	switch schema["type"] {
	case "boolean":
		return true
	case "integer", "number":
		return json.Number("7")
	case "array":
		return []any{name + "-1", name + "-2"}
	case "object":
		return map[string]any{name: "made"}
	}
	return name + "-made"
}

func (w publishedWorkflow) writeInputs(t *testing.T, dir string) string {
	t.Helper()
	data, err := value.Encode(w.inputs)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "inputs.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// recorder plays Okta: it answers the n-th request with the n-th expected
// status, and gives everything an id of its own.
type recorder struct {
	statuses []int
	empty    bool // searches find nothing
	asked    []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(req.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	n := len(r.asked)
	r.asked = append(r.asked, requestLine(req, body.Bytes()))
	status := http.StatusTeapot
	if n < len(r.statuses) {
		status = r.statuses[n]
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusNoContent {
		return
	}
	one := fmt.Sprintf(`{"id":"made-%d","status":"ACTIVE","name":"n","type":"t","profile":{"login":"l","name":"g"}}`, n+1)
	switch path := req.URL.Path; {
	case req.Method == http.MethodGet && (strings.HasSuffix(path, "/users") || strings.HasSuffix(path, "/groups") || strings.HasSuffix(path, "/roles")):
		if r.empty {
			one = ""
		}
		fmt.Fprintf(w, "[%s]", one)
	default:
		fmt.Fprint(w, one)
	}
}

// play runs a document against a new recorder.
func play(t *testing.T, w publishedWorkflow, file, dialect string, empty bool) (result, []string) {
	t.Helper()
	shared, _ := sharedData(t)
	rec := &recorder{statuses: w.statuses, empty: empty}
	server := httptest.NewServer(rec)
	defer server.Close()
	dir := t.TempDir()
	res := w.lanyard(t, dir, "run", file, "--dialect", dialect, "--inputs", w.writeInputs(t, dir), "-o", "json",
		"--source", "oktaApi="+filepath.Join(shared, "openapi", "okta-openapi-original.yml"),
		"--server", "oktaApi="+server.URL, "--allow-private")
	return res, rec.asked
}

// outcome is what programs read of a run.
type runOutput struct {
	Run     string          `json:"run"`
	Status  string          `json:"status"`
	Outputs json.RawMessage `json:"outputs"`
	Steps   []struct {
		StepID     string `json:"stepId"`
		Status     string `json:"status"`
		StatusCode int    `json:"statusCode"`
		Attempts   int    `json:"attempts"`
	} `json:"steps"`
	Error any `json:"error"`
}

func readRun(t *testing.T, res result) runOutput {
	t.Helper()
	var out runOutput
	if err := json.Unmarshal([]byte(res.stdout), &out); err != nil {
		t.Fatalf("exit %d, not one JSON object: %v\n%s\n%s", res.code, err, res.stdout, res.stderr)
	}
	return out
}

// As written, each runs in compat: all steps, every token substituted.
func TestPublishedOktaCompat(t *testing.T) {
	for _, w := range publishedWorkflows(t) {
		t.Run(w.name, func(t *testing.T) {
			res, asked := play(t, w, w.file, "compat", false)
			out := readRun(t, res)
			if res.code != 0 || out.Status != "succeeded" {
				t.Fatalf("exit %d, %s: %v\n%s", res.code, out.Status, out.Error, res.stderr)
			}
			if len(asked) != len(w.statuses) || len(out.Steps) != len(asked) {
				t.Fatalf("%d requests, %d steps reported, want %d:\n%s", len(asked), len(out.Steps), len(w.statuses), strings.Join(asked, "\n"))
			}
			for i, line := range asked {
				if !strings.Contains(line, "[SSWS "+oktaToken+"]") {
					t.Errorf("request %d has not the token substituted: %s", i+1, line)
				}
				if strings.Contains(line, "$inputs") || strings.Contains(line, "$steps") {
					t.Errorf("request %d carries an expression: %s", i+1, line)
				}
				if s := out.Steps[i]; s.StatusCode != w.statuses[i] || s.Status != "succeeded" || s.Attempts != 1 {
					t.Errorf("step %d is reported as %+v", i+1, s)
				}
			}
			if strings.Contains(res.stdout+res.stderr, oktaToken) {
				t.Error("the token is shown")
			}
		})
	}
}

// Read by the specification each is refused before any request, every
// expression without braces is named at its line with its fix, and what fix
// makes of it means the same as compat.
//
// The binary is the one that users have: most of what it does here is to read the
// same description again, and TestPublishedOktaCompat runs all of them in the
// test's own, where races are found.
func TestPublishedOktaStrict(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	for _, w := range publishedWorkflows(t) {
		w.binary = binary
		t.Run(w.name, func(t *testing.T) {
			res, asked := play(t, w, w.file, "strict", false)
			if res.code != 1 || len(asked) != 0 {
				t.Fatalf("exit %d after %d requests, want 1 before any", res.code, len(asked))
			}
			checkBare(t, w)

			fixed := fixDocument(t, w)
			after, strict := play(t, w, fixed, "strict", false)
			before, compat := play(t, w, w.file, "compat", false)
			if after.code != 0 {
				t.Fatalf("after fix: exit %d\n%s\n%s", after.code, after.stdout, after.stderr)
			}
			if diff := cmp.Diff(compat, strict); diff != "" {
				t.Errorf("fix changed what is sent (-compat +strict):\n%s", diff)
			}
			if diff := cmp.Diff(string(readRun(t, before).Outputs), string(readRun(t, after).Outputs)); diff != "" {
				t.Errorf("fix changed the outputs (-compat +strict):\n%s", diff)
			}
			// Nothing is left to fix, and the comments and the layout stay.
			if again := w.lanyard(t, filepath.Dir(fixed), "fix", fixed); again.code != 0 || again.stderr != "" {
				t.Errorf("fix finds more in its own result: exit %d\n%s", again.code, again.stderr)
			}
		})
	}
}

// checkBare asks validate where the expressions without braces are.
func checkBare(t *testing.T, w publishedWorkflow) {
	t.Helper()
	shared, _ := sharedData(t)
	res := w.lanyard(t, t.TempDir(), "validate", w.file, "-o", "json", "--source", "oktaApi="+filepath.Join(shared, "openapi", "okta-openapi-original.yml"))
	if res.code != 1 {
		t.Errorf("validate --dialect strict ends with %d, want 1", res.code)
	}
	if !json.Valid([]byte(res.stdout)) {
		t.Errorf("validate -o json is no JSON:\n%s", res.stdout)
	}
	// The text form is what people see; it has the place and the fix in it.
	text := w.lanyard(t, t.TempDir(), "validate", w.file, "--source", "oktaApi="+filepath.Join(shared, "openapi", "okta-openapi-original.yml"))
	var lines []int
	for _, d := range strings.Split(text.stdout, "\n") {
		if !strings.Contains(d, "[bare-expression-in-text]") {
			continue
		}
		found := regexp.MustCompile(regexp.QuoteMeta(w.file) + `:(\d+):\d+: .*write "SSWS \{\$inputs\.oktaApiToken\}"`).FindStringSubmatch(d)
		if found == nil {
			t.Errorf("without a place or a fix: %s", d)
			continue
		}
		line, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if diff := cmp.Diff(w.bare, lines); diff != "" {
		t.Errorf("lines with a bare expression (-in the file +reported):\n%s", diff)
	}
}

// fixDocument runs lanyard fix and returns the file with the result.
func fixDocument(t *testing.T, w publishedWorkflow) string {
	t.Helper()
	dir := t.TempDir()
	res := w.lanyard(t, dir, "fix", w.file)
	if res.code != 0 {
		t.Fatalf("fix: exit %d\n%s", res.code, res.stderr)
	}
	original, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(original), "\n"), strings.Split(res.stdout, "\n")
	kept := 0
	for _, line := range was {
		if slices.Contains(is, line) {
			kept++
		}
	}
	if kept < len(was)*8/10 {
		t.Errorf("fix kept %d of %d lines", kept, len(was))
	}
	file := filepath.Join(dir, "fixed.yml")
	if err := os.WriteFile(file, []byte(res.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Workflows that search and find nothing end after the search, successfully;
// with a hit they act once. As written, and as fixed.
func TestPublishedFindOrEnd(t *testing.T) {
	found := 0
	for _, w := range publishedWorkflows(t) {
		if !w.search {
			continue
		}
		found++
		t.Run(w.name, func(t *testing.T) {
			fixed := fixDocument(t, w)
			for dialect, file := range map[string]string{"compat": w.file, "strict": fixed} {
				none, asked := play(t, w, file, dialect, true)
				out := readRun(t, none)
				if none.code != 0 || out.Status != "succeeded" || len(asked) != 1 || len(out.Steps) != 1 {
					t.Errorf("%s, nothing found: exit %d, %s, requests %q", dialect, none.code, out.Status, asked)
				}
				one, asked := play(t, w, file, dialect, false)
				if one.code != 0 || len(asked) != 2 {
					t.Errorf("%s, one found: exit %d, requests %q", dialect, one.code, asked)
				}
			}
		})
	}
	if found != 3 {
		t.Errorf("%d workflows that find or end, want 3", found)
	}
}

// The same on the sandbox: nobody is found, nothing is done; somebody is found,
// and is suspended once.
func TestPublishedFindOrEndSandbox(t *testing.T) {
	for _, w := range publishedWorkflows(t) {
		if w.name != "okta-find-user-and-suspend" {
			continue
		}
		dir := t.TempDir()
		run := func(query string) (result, runOutput) {
			res := lanyard(t, dir, "run", w.file, "--dialect", "compat", "--sandbox", "-o", "json", "--input", "oktaApiToken="+oktaToken, "--input", "query="+query)
			return res, readRun(t, res)
		}
		if res, out := run("nobody-of-that-name"); res.code != 0 || len(out.Steps) != 1 {
			t.Errorf("nobody found: exit %d after %d steps\n%s", res.code, len(out.Steps), res.stderr)
		}
		if res, out := run("Amara"); res.code != 0 || len(out.Steps) != 2 || out.Steps[1].StatusCode != 200 {
			t.Errorf("Amara found: exit %d after %d steps\n%s", res.code, len(out.Steps), res.stderr)
		}
		if res, out := run("Amara"); res.code != 3 || len(out.Steps) != 2 {
			t.Errorf("Amara is suspended already: exit %d after %d steps\n%s", res.code, len(out.Steps), res.stderr)
		}
	}
}

// The sandbox's own description has every operation that the 21 use.
func TestPublishedOktaSandboxPlans(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	for _, w := range publishedWorkflows(t) {
		w.binary = binary
		res := w.lanyard(t, t.TempDir(), "plan", w.file, "--dialect", "compat", "--sandbox")
		if res.code != 0 || !strings.Contains(res.stderr, "the built-in description of Okta is used instead") {
			t.Errorf("%s: exit %d: %s", w.name, res.code, res.stderr)
		}
	}
}
