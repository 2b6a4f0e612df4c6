//go:build linux

package script_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The bounds within which hostile input has to be answered.
const (
	hostileTime   = 5 * time.Second
	hostileMemory = 300 << 20
)

// hostileServer answers with what no server should.
func hostileServer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.RequestURI) })
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		flood(w, `["`)
	})
	mux.HandleFunc("/huge-and-said", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(1<<30+2))
		flood(w, `["`)
	})
	mux.HandleFunc("/packed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		floodPacked(w, `["`)
	})
	mux.HandleFunc("/deep", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.Repeat("[", 1_000_000)+strings.Repeat("]", 1_000_000))
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 64<<20))
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("/as", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("a", 100_000)+"!")
	})
	mux.HandleFunc("/inward", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	return mux
}

// flood writes a gigabyte.
func flood(w io.Writer, begin string) {
	_, _ = io.WriteString(w, begin)
	block := bytes.Repeat([]byte("a"), 1<<20)
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `"]`)
}

// floodPacked writes a gigabyte as one megabyte of gzip. A block is packed once, as
// packing all would take longer than what is measured: gzip may have many members.
func floodPacked(w io.Writer, begin string) {
	_, _ = w.Write(packed([]byte(begin)))
	block := packed(bytes.Repeat([]byte("a"), 1<<20))
	for range 1 << 10 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
	_, _ = w.Write(packed([]byte(`"]`)))
}

func packed(data []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(data) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

const hostileDescription = `openapi: 3.0.3
info: {title: Hostile, version: "1"}
servers: [{url: "https://hostile.example.com"}]
paths:
  /echo/{part}: {get: {operationId: echo, parameters: [{name: part, in: path, required: true, schema: {type: string}}, {name: X-Said, in: header, schema: {type: string}}, {name: q, in: query, schema: {type: string}}], responses: {"200": {description: ok}}}}
  /huge: {get: {operationId: huge, responses: {"200": {description: ok}}}}
  /huge-and-said: {get: {operationId: hugeAndSaid, responses: {"200": {description: ok}}}}
  /packed: {get: {operationId: packed, responses: {"200": {description: ok}}}}
  /deep: {get: {operationId: deep, responses: {"200": {description: ok}}}}
  /headers: {get: {operationId: headers, responses: {"200": {description: ok}}}}
  /as: {get: {operationId: as, responses: {"200": {description: ok}}}}
  /inward: {get: {operationId: inward, responses: {"200": {description: ok}}}}
`

// hostileFlow is a document with the given workflows.
func hostileFlow(workflows string) string {
	return "arazzo: 1.0.1\ninfo: {title: Hostile, version: '1'}\nsourceDescriptions: [{name: api, url: api.yaml, type: openapi}]\nworkflows:\n" + workflows
}

// oneStep is a workflow with one step and the input it is given.
func oneStep(step string) string {
	return hostileFlow("  - workflowId: w\n    inputs: {type: object, properties: {x: {type: string}}}\n    steps:\n      - {stepId: s, " + step + "}\n")
}

// aliasBomb is YAML that is small and means a lot.
func aliasBomb(prefix string) string {
	var b strings.Builder
	b.WriteString(prefix + "x-a: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "x-a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}

// hostileCase is one attack. Its files are written to a folder, its command has
// to end with the code and to say something that matches.
type hostileCase struct {
	name  string
	files map[string]string
	args  []string
	code  int
	says  string
}

func hostileCases(url string) []hostileCase {
	big := strings.Repeat("x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 540_000)
	distinct := func() string {
		var b strings.Builder
		for i := 0; b.Len() < 50<<20; i++ {
			fmt.Fprintf(&b, "x-filler-%d: {a: [1, 2, {b: c}]}\n", i)
		}
		return b.String()
	}()
	run := func(more ...string) []string {
		return append([]string{"run", "flow.yaml", "--server", "api=" + url, "--allow-private"}, more...)
	}
	source := func(where string) []string { return run("--source", "api="+where) }
	plain := oneStep("operationId: huge")
	get := "operationId: echo, parameters: [{name: part, in: path, value: a}]"
	cases := []hostileCase{
		{"document of 50 MB", map[string]string{"flow.yaml": plain + big}, run(), 1, `bytes|large|limit`},
		{"document of 50 MB with structure", map[string]string{"flow.yaml": plain + distinct}, []string{"validate", "flow.yaml"}, 1, `bytes|large|limit`},
		{"fix of 50 MB", map[string]string{"flow.yaml": plain + distinct}, []string{"fix", "flow.yaml"}, 1, `bytes|large|limit`},
		{"description of 50 MB", map[string]string{"flow.yaml": plain, "api.yaml": hostileDescription + distinct}, run(), 1, `bytes|large|limit`},
		{"configuration of 50 MB", map[string]string{"flow.yaml": plain, "lanyard.yaml": distinct}, run(), 1, `bytes|large|limit`},
		{"inputs of 50 MB", map[string]string{"flow.yaml": plain, "in.json": `{"x":"` + big + `"}`}, run("--inputs", "in.json"), 1, `bytes`},
		{"alias bomb in a document", map[string]string{"flow.yaml": aliasBomb(plain)}, []string{"validate", "flow.yaml"}, 1, `alias`},
		{"alias bomb in a description", map[string]string{"flow.yaml": plain, "api.yaml": aliasBomb(hostileDescription)}, run(), 1, `alias`},
		{"alias bomb in the configuration", map[string]string{"flow.yaml": plain, "lanyard.yaml": aliasBomb("")}, run(), 1, `alias`},
		{"alias of itself", map[string]string{"flow.yaml": plain + "x-a: &a [*a]\n"}, []string{"validate", "flow.yaml"}, 1, `alias|itself|deep`},
		{"flow lists a million deep", map[string]string{"flow.yaml": plain + "x-a: " + strings.Repeat("[", 1_000_000) + "\n"}, []string{"validate", "flow.yaml"}, 1, `deep|nest`},
		{"flow maps, closed", map[string]string{"flow.yaml": plain + "x-a: " + strings.Repeat("{a: ", 100_000) + strings.Repeat("}", 100_000) + "\n"}, []string{"validate", "flow.yaml"}, 1, `deep|nest`},
		{"block lists 100,000 deep", map[string]string{"flow.yaml": plain + "x-a:\n  " + strings.Repeat("- ", 100_000) + "a\n"}, []string{"validate", "flow.yaml"}, 1, `deep|nest`},
		{"JSON a million deep", map[string]string{"flow.json": `{"arazzo":"1.0.1","x-a":` + strings.Repeat(`{"a":`, 1_000_000)}, []string{"validate", "flow.json"}, 1, `deep|nest|large`},
		{"inputs a million deep", map[string]string{"flow.yaml": plain, "in.json": strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000)}, run("--inputs", "in.json"), 1, `deep|nest`},
		{"description a million deep", map[string]string{"flow.yaml": plain, "api.yaml": hostileDescription + "x-a: " + strings.Repeat("[", 1_000_000)}, run(), 1, `deep|nest`},
		{"description that refers to itself", map[string]string{"flow.yaml": plain, "api.yaml": strings.Replace(hostileDescription, `{get: {operationId: huge, responses: {"200": {description: ok}}}}`, `{$ref: "#/paths/~1huge"}`, 1)}, run(), 1, `huge|itself|circ`},

		{"source on a link-local address", map[string]string{"flow.yaml": plain}, source("http://169.254.169.254/latest/api.yaml"), 1, `169\.254\.169\.254.*(link-local|not called|refused)`},
		{"source on a private address", map[string]string{"flow.yaml": plain}, []string{"plan", "flow.yaml", "--source", "api=http://10.1.2.3/api.yaml"}, 1, `10\.1\.2\.3.*(private|not called)`},
		{"source on loopback by name", map[string]string{"flow.yaml": plain}, []string{"plan", "flow.yaml", "--source", "api=" + strings.Replace(url, "127.0.0.1", "localhost", 1) + "/api.yaml"}, 1, `loopback`},
		{"source on loopback as a number", map[string]string{"flow.yaml": plain}, []string{"plan", "flow.yaml", "--source", "api=http://[::ffff:127.0.0.1]/api.yaml"}, 1, `loopback|not called`},
		{"source that redirects inward", map[string]string{"flow.yaml": plain}, source(url + "/inward"), 1, `169\.254\.169\.254|redirect`},
		{"source that redirects for ever", map[string]string{"flow.yaml": plain}, source(url + "/round"), 1, `redirect`},
		{"source of 1 GB", map[string]string{"flow.yaml": plain}, source(url + "/huge"), 1, `bytes|large|limit`},
		{"source of 1 GB, packed", map[string]string{"flow.yaml": plain}, source(url + "/packed"), 1, `bytes|large|limit|encod`},
		{"source without end", map[string]string{"flow.yaml": plain}, []string{"plan", "flow.yaml", "--source", "api=/dev/zero"}, 1, `regular file`},
		{"document without end", nil, []string{"validate", "/dev/zero"}, 1, `regular file|bytes`},

		{"response of 1 GB", map[string]string{"flow.yaml": plain}, run(), 3, `bytes|large|limit`},
		{"response of 1 GB that says so", map[string]string{"flow.yaml": oneStep("operationId: hugeAndSaid")}, run(), 3, `bytes|large|limit`},
		{"response of 1 GB, packed", map[string]string{"flow.yaml": oneStep("operationId: packed")}, run(), 3, `bytes|large|limit|encod`},
		{"response a million deep", map[string]string{"flow.yaml": oneStep("operationId: deep, successCriteria: [{condition: $response.body#/0 != null}]")}, run(), 3, `deep|nest|no value|\$response.body`},
		{"response with a header of 64 MB", map[string]string{"flow.yaml": oneStep("operationId: headers")}, run(), 3, `header`},
		{"response that redirects inward", map[string]string{"flow.yaml": oneStep("operationId: inward")}, run(), 3, `302`},

		{"regex bomb in a criterion", map[string]string{"flow.yaml": oneStep(`operationId: as, successCriteria: [{context: $response.body, type: regex, condition: "^(a+)+$"}]`)}, run(), 3, `time|long|took`},
		{"regex bomb with look-ahead", map[string]string{"flow.yaml": oneStep(`operationId: as, successCriteria: [{context: $response.body, type: regex, condition: "^(?=(a|a?)+$)a*b"}]`)}, run(), 3, `time|long|took`},
		{"regex bomb in a schema", map[string]string{"flow.yaml": strings.Replace(plain, "x: {type: string}", `x: {type: string, pattern: "^(a+)+$"}`, 1)}, run("--input", "x="+strings.Repeat("a", 50)+"!"), 1, `x`},
		{"JSONPath bomb", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: a}], successCriteria: [{context: $response.body, type: jsonpath, condition: "` + "$" + strings.Repeat("..[?@..[?@", 50) + strings.Repeat("]", 100) + `"}]`)}, run(), 3, `.`},
		{"condition a million deep", map[string]string{"flow.yaml": oneStep(get + `, successCriteria: [{condition: "` + strings.Repeat("(", 1_000_000) + `"}]`)}, run(), 1, `deep|nest|long|condition`},
		{"expression with a million parts", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: "$inputs` + strings.Repeat(".a", 1_000_000) + `"}]`)}, run(), 1, `.`},

		{"goto itself", map[string]string{"flow.yaml": oneStep(get + ", onSuccess: [{name: again, type: goto, stepId: s}]")}, run(), -1, `again|loop|endless|steps|reach`},
		{"goto itself, always", map[string]string{"flow.yaml": oneStep(get + ", onSuccess: [{name: again, type: goto, stepId: s, criteria: [{condition: $statusCode == 200}]}]")}, run(), -1, `again|loop|endless|steps`},
		{"goto and back", map[string]string{"flow.yaml": hostileFlow(`  - workflowId: w
    steps:
      - {stepId: s, ` + get + `, onSuccess: [{name: on, type: goto, stepId: u, criteria: [{condition: $statusCode < 300}]}]}
      - {stepId: u, ` + get + `, onSuccess: [{name: back, type: goto, stepId: s, criteria: [{condition: $statusCode < 300}]}]}
`)}, run(), -1, `loop|endless|steps`},
		{"workflows that call each other", map[string]string{"flow.yaml": hostileFlow(`  - workflowId: w
    steps: [{stepId: s, workflowId: v}]
  - workflowId: v
    steps: [{stepId: t, workflowId: w}]
`)}, run(), -1, `itself|each other|cycle|recurs|nest|deep`},
		{"workflow that calls itself behind a call", map[string]string{"flow.yaml": hostileFlow(`  - workflowId: w
    steps:
      - {stepId: s, ` + get + `}
      - {stepId: t, workflowId: w}
`)}, run(), -1, `itself|cycle|recurs|nest|deep|steps`},
		{"retry without end", map[string]string{"flow.yaml": oneStep(get + ", successCriteria: [{condition: $statusCode == 201}], onFailure: [{name: again, type: retry, retryAfter: 0, retryLimit: 1000000000}]")}, run(), 3, `201|attempt|retr`},

		{"line break into a header", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: a}, {name: X-Said, in: header, value: $inputs.x}]`)}, run("--input", "x=a\r\nX-Evil: 1"), 3, `X-Said|header`},
		{"dots into a path", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: $inputs.x}]`)}, run("--input", "x=.."), 3, `part|\.\.`},
		{"one dot into a path", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: $inputs.x}]`)}, run("--input", "x=."), 3, `part|\.`},
		{"nothing into a path", map[string]string{"flow.yaml": oneStep(`operationId: echo, parameters: [{name: part, in: path, value: $inputs.x}]`)}, run("--input", "x="), 3, `part|empty`},
	}
	return cases
}

// TestHostile attacks the command from every side that takes input: each attack
// ends with a clear error, soon, and without taking the machine's memory.
func TestHostile(t *testing.T) {
	binary := buildBinary(t)
	server := httptest.NewServer(hostileServer())
	defer server.Close()
	for _, c := range hostileCases(server.URL) {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, given := c.files["api.yaml"]; !given {
				writeText(t, filepath.Join(dir, "api.yaml"), hostileDescription)
			}
			for name, text := range c.files {
				writeText(t, filepath.Join(dir, name), text)
			}
			c.check(t, measured(t, binary, dir, c.args))
		})
	}
}

// measurement is what a command took.
type measurement struct {
	result
	time   time.Duration
	cpu    time.Duration
	memory int64 // bytes, at most
}

// measured runs a command and stops it when it takes far too long. What Linux
// says a process used at most counts what the process was forked from, so a
// small one stands between this one and the command.
func measured(t *testing.T, binary, dir string, args []string) measurement {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report")
	cmd := exec.CommandContext(t.Context(), self, append([]string{"-test.run=^TestMeasureHelper$", "--", binary}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), measureReport+"="+report)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code says it
	m := measurement{result: result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, m.stderr)
	}
	if _, err := fmt.Sscan(string(text), &m.time, &m.cpu, &m.memory); err != nil {
		t.Fatal(err)
	}
	return m
}

// measureReport is the variable that names the file for a measurement.
const measureReport = "LANYARD_MEASURE_REPORT"

// TestMeasureHelper is not a test: it is the process that stands between, see
// measured.
func TestMeasureHelper(t *testing.T) {
	report := os.Getenv(measureReport)
	if report == "" {
		t.Skip("only for measured")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*hostileTime)
	defer cancel()
	args := flag.Args()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	start := time.Now()
	_ = cmd.Run() // the exit code says it
	took := time.Since(start)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not tell what a process used")
	}
	writeText(t, report, fmt.Sprintf("%d %d %d", took, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), usage.Maxrss<<10))
	os.Exit(cmd.ProcessState.ExitCode())
}

func (c hostileCase) check(t *testing.T, m measurement) {
	t.Helper()
	t.Logf("%v, %v of a core, %d MB", m.time.Round(time.Millisecond), m.cpu.Round(time.Millisecond), m.memory>>20)
	said := m.stdout + m.stderr
	// Others use the machine: what computes waits for its turn, several times as long.
	if m.cpu > hostileTime || m.time > hostileTime+3*m.cpu {
		t.Errorf("it took %v, and %v of a core", m.time, m.cpu)
	}
	if m.memory > hostileMemory {
		t.Errorf("it took %d MB", m.memory>>20)
	}
	if c.code >= 0 && m.code != c.code || c.code < 0 && m.code != 1 && m.code != 3 {
		t.Errorf("exit code %d, want %d", m.code, c.code)
	}
	if !regexp.MustCompile(c.says).MatchString(said) {
		t.Errorf("the error does not say %s", c.says)
	}
	if strings.Contains(said, "panic") || strings.Contains(said, "goroutine ") || strings.Contains(said, "internal error") {
		t.Error("it broke inside")
	}
	if len(said) > 64<<10 {
		t.Errorf("%d bytes are printed", len(said))
	}
	if t.Failed() {
		t.Logf("%.600s\n%.600s", m.stdout, m.stderr)
	}
}
