//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// Where the documents and the other runner are, from the root of the repository.
const (
	sharedData = "../shared/data"
	redocly    = ".ci/clients/node_modules/@redocly/cli/bin/cli.js"
)

// repetitions of each process, of which the fastest counts.
const repetitions = 5

// process is what one whole process cost.
type process struct {
	wall, cpu time.Duration
	memory    float64 // MB at the peak
}

// compareProcesses prints what the seed workflow costs from the command line,
// with the two real descriptions that it names: 2.3 MB and 0.46 MB of YAML.
func (o *options) compareProcesses(ctx context.Context, out io.Writer) error {
	shared, err := filepath.Abs(sharedData)
	if err != nil {
		return err
	}
	if _, err := os.Stat(shared); err != nil {
		return skip(out, "process", "the documents to run are missing: "+sharedData)
	}
	if _, err := os.Stat(o.lanyard); err != nil {
		return fmt.Errorf("%s is missing; make build", o.lanyard)
	}
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	seed := &seedRun{lanyard: o.lanyard, shared: shared, folder: folder}

	fmt.Fprintln(out, "A whole process: the seed workflow with both real descriptions, three calls")
	fmt.Fprintln(out, "Bar: cold 1,000 ms and 80 MB, warm 60 ms and 40 MB")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\twall ms\tCPU ms\tpeak MB\t")
	row := func(title string, p process, err error) error {
		if err == nil {
			fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t\n", title, millis(p.wall), millis(p.cpu), p.memory)
		}
		return err
	}
	cold, err := fastest(func(n int) (process, error) { return seed.run(ctx, fmt.Sprintf("cold%d", n), n) })
	if err := row("lanyard run, cold", cold, err); err != nil {
		return err
	}
	warm, err := fastest(func(n int) (process, error) { return seed.run(ctx, "cold0", repetitions+n) })
	if err := row("lanyard run, warm", warm, err); err != nil {
		return err
	}
	note := ""
	if why := seed.noRespect(); why != "" {
		note = why
	} else if err := o.withServer(ctx, func(url string) error {
		p, err := fastest(func(int) (process, error) { return seed.respect(ctx, url) })
		return row("Redocly Respect", p, err)
	}); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "Fastest of %d. Cold has no data folder; warm has one, and another person each time. Lanyard's calls go to its\n"+
		"sandbox, which keeps users and hashes a password; Respect's go to a server that answers at once.\n", repetitions)
	if note != "" {
		return skip(out, "Redocly Respect", note)
	}
	fmt.Fprintln(out)
	return nil
}

// skip says why something was not measured. In CI everything has to be there.
func skip(out io.Writer, what, why string) error {
	if os.Getenv("CI") != "" {
		return errors.New(why)
	}
	fmt.Fprintf(out, "%s: not measured: %s\n\n", what, why)
	return nil
}

// fastest repeats a process and returns the least of each of its costs.
func fastest(one func(n int) (process, error)) (process, error) {
	var best process
	for n := range repetitions {
		p, err := one(n)
		if err != nil {
			return best, err
		}
		if n == 0 {
			best = p
			continue
		}
		best.wall, best.cpu, best.memory = min(best.wall, p.wall), min(best.cpu, p.cpu), min(best.memory, p.memory)
	}
	return best, nil
}

// seedRun runs the seed workflow as a process.
type seedRun struct {
	lanyard string
	shared  string // folder of the documents
	folder  string // for what the runs leave
}

// The sources of the seed workflow and the descriptions that they mean.
var descriptions = []struct{ source, file string }{
	{"auth0Api", "auth0-management-api-openapi.yml"},
	{"oktaApi", "okta-openapi-original.yml"},
}

func (s *seedRun) document() string { return filepath.Join(s.shared, "arazzo", "seed.arazzo.yml") }

// person are the inputs for somebody who is not there yet.
func person(n int) map[string]string {
	address := fmt.Sprintf("ada.%d.%d@example.com", os.Getpid(), n)
	return map[string]string{
		"email": address, "login": address, "password": "Corr3ct-horse-battery", "firstName": "Ada", "lastName": "Lovelace",
		"connection": "Username-Password-Authentication", "oktaGroupId": "00g0engineering001d7",
	}
}

// run runs it with Lanyard on its sandbox.
func (s *seedRun) run(ctx context.Context, data string, n int) (process, error) {
	args := []string{"run", s.document(), "--sandbox", "--data", filepath.Join(s.folder, data), "-o", "json"}
	for _, d := range descriptions {
		args = append(args, "--source", d.source+"="+filepath.Join(s.shared, "openapi", d.file))
	}
	for name, value := range person(n) {
		args = append(args, "--input", name+"="+value)
	}
	return s.measure(exec.CommandContext(ctx, s.lanyard, args...))
}

// noRespect says why Redocly Respect cannot be run; empty when it can.
func (s *seedRun) noRespect() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "there is no node"
	}
	if _, err := os.Stat(redocly); errors.Is(err, fs.ErrNotExist) {
		return "it is not installed: npm ci --prefix .ci/clients"
	}
	return ""
}

// respect runs it with Redocly Respect against a server.
func (s *seedRun) respect(ctx context.Context, server string) (process, error) {
	// It has no option that says where a source is, so the copy of the document says it.
	text, err := os.ReadFile(s.document())
	if err != nil {
		return process{}, err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		for _, d := range descriptions {
			if before, _, ok := strings.Cut(line, "url:"); ok && strings.HasSuffix(line, d.file) {
				lines[i] = before + "url: " + filepath.Join(s.shared, "openapi", d.file)
			}
		}
	}
	document := filepath.Join(s.folder, "seed.arazzo.yml")
	if err := os.WriteFile(document, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return process{}, err
	}
	inputs, err := json.Marshal(person(0))
	if err != nil {
		return process{}, err
	}
	cmd := exec.CommandContext(ctx, "node", redocly, "respect", document, "--workflow", "auth0-to-okta-group",
		"--input", string(inputs), "--server", "auth0Api="+server+"/api/v2", "--server", "oktaApi="+server)
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	return s.measure(cmd)
}

// measure runs a process that has to succeed.
func (s *seedRun) measure(cmd *exec.Cmd) (process, error) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	err := cmd.Run()
	p := process{wall: time.Since(begin)}
	if err != nil {
		return p, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:2], " "), err, said.String())
	}
	p.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		p.memory = megabytes(u)
	}
	return p, nil
}
