package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// judgeSuite runs somebody's tests and compares how each ends with a file of
// expectations.
func judgeSuite(ctx context.Context, out io.Writer, file, program string, env []string) error {
	expected, err := readFile(file)
	if err != nil {
		return err
	}
	results, rest, err := runSuite(ctx, program, env, nil)
	if err != nil {
		return err
	}
	return compare(out, file, expected, results, rest)
}

// judgeEach is like judgeSuite, but runs every test that a pattern selects by
// itself: a suite whose tests panic when an answer is not what they hope for
// would end at the first. A test that fails by chance, as its output tells, gets a
// second try.
func judgeEach(ctx context.Context, out io.Writer, file, program, pattern string, env []string, byChance func(output string) bool) error {
	expected, err := readFile(file)
	if err != nil {
		return err
	}
	list := exec.CommandContext(ctx, program, "-test.list", pattern)
	list.Dir, list.Env = filepath.Dir(program), env
	names, err := list.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the tests cannot be listed: %w\n%s", err, indent(string(names)))
	}
	results := map[string]*result{}
	for name := range strings.FieldsSeq(string(names)) {
		r, err := runOne(ctx, program, name, env)
		if err == nil && r.action == failed && byChance(r.output) {
			r, err = runOne(ctx, program, name, env)
		}
		if err != nil {
			return err
		}
		results[name] = r
	}
	return compare(out, file, expected, results, "")
}

func runOne(ctx context.Context, program, name string, env []string) (*result, error) {
	one, rest, err := runSuite(ctx, program, env, []string{"-test.run", "^" + name + "$"})
	if err != nil {
		return nil, err
	}
	r := one[name]
	if r == nil {
		r = &result{}
	}
	r.output += rest
	return r, nil
}

func readFile(file string) ([]expectation, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	expected, err := readExpectations(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return expected, nil
}

// compare writes how many tests ended how, and returns every difference.
func compare(out io.Writer, file string, expected []expectation, results map[string]*result, rest string) error {
	counts := map[string]int{}
	for _, r := range results {
		counts[r.action]++
	}
	fmt.Fprintf(out, "  %d tests: %d pass, %d fail, %d are skipped\n", len(results), counts[passed], counts[failed], counts[skipped])
	differences := judge(expected, results)
	if len(differences) == 0 {
		return nil
	}
	if strings.Contains(rest, "panic:") {
		differences = append(differences, indent(rest))
	}
	return fmt.Errorf("%d tests do not end as %s says\n%s", len(differences), file, strings.Join(differences, "\n"))
}

// buildSuite copies a module, which the cache holds read-only, and builds the
// tests of one of its packages. It returns the program, which stands in the
// folder where the tests look for their files.
func buildSuite(ctx context.Context, folder, name, sum, suite string) (string, error) {
	source, err := downloadModule(ctx, name, sum)
	if err != nil {
		return "", err
	}
	module := filepath.Join(folder, "module")
	if err := os.CopyFS(module, os.DirFS(source)); err != nil {
		return "", err
	}
	program := filepath.Join(module, suite, "suite.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+suite)
	build.Dir = module
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, output)
	}
	return program, nil
}

// downloadModule puts a module into Go's cache and returns its folder there.
// The module does not become one that ours requires.
func downloadModule(ctx context.Context, module, sum string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside our module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	output, failure := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(output, &got); err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, errors.Join(failure, err))
	}
	if got.Error != "" {
		return "", fmt.Errorf("go mod download %s: %s", module, got.Error)
	}
	if got.Sum != sum {
		return "", fmt.Errorf("%s has the checksum %s, not %s", module, got.Sum, sum)
	}
	return got.Dir, nil
}

// runSuite runs a program of tests and reads its results. That tests fail is no
// error here.
func runSuite(ctx context.Context, program string, env, flags []string) (map[string]*result, string, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-test.v=test2json", "-test.timeout=5m"}, flags...)...)
	cmd.Dir = filepath.Dir(program)
	cmd.Env = env
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
		return nil, "", errors.Join(ctx.Err(), err)
	}
	events := exec.CommandContext(ctx, "go", "tool", "test2json")
	events.Stdin = &text
	output, err := events.Output()
	if err != nil {
		return nil, "", fmt.Errorf("go tool test2json: %w", err)
	}
	return readResults(bytes.NewReader(output))
}
