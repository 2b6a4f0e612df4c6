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

// Okta's SDK for Go 2. The checksum is the one of the module mirror: what runs
// here is what was read.
const (
	go2Module   = "github.com/okta/okta-sdk-golang/v2@v2.20.0"
	go2Sum      = "h1:EDKM+uOPfihOMNwgHMdno+NAsIfyXkVnoFAYVPay0YU="
	go2Suite    = "tests/integration"
	go2Expected = clientsFolder + "/okta-sdk-golang-v2/expected.txt"
)

// useGo2 runs the SDK's own integration tests and compares how each ends with
// expected.txt.
func useGo2(ctx context.Context, o *org, out io.Writer) error {
	text, err := os.ReadFile(go2Expected)
	if err != nil {
		return err
	}
	expected, err := readExpectations(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", go2Expected, err)
	}
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	suite, err := buildGo2(ctx, folder)
	if err != nil {
		return err
	}
	env := o.env(folder)
	// Without the app only the tests that sign in with it fail.
	service, err := o.registerService(ctx, serviceOptions{scopes: []string{"okta.users.manage"}})
	if err != nil {
		fmt.Fprintf(out, "  no service app: %v\n", err)
	} else {
		env = append(env, service.env()...)
	}
	results, rest, err := runSuite(ctx, suite, env)
	if err != nil {
		return err
	}
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
	return fmt.Errorf("%d tests do not end as %s says\n%s", len(differences), go2Expected, strings.Join(differences, "\n"))
}

// buildGo2 copies the module, which its cache holds read-only, and builds its
// tests. It returns the program, which stands in the folder where the tests
// look for their files.
func buildGo2(ctx context.Context, folder string) (string, error) {
	source, err := downloadModule(ctx, go2Module, go2Sum)
	if err != nil {
		return "", err
	}
	module := filepath.Join(folder, "module")
	if err := os.CopyFS(module, os.DirFS(source)); err != nil {
		return "", err
	}
	program := filepath.Join(module, go2Suite, "suite.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+go2Suite)
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
func runSuite(ctx context.Context, program string, env []string) (map[string]*result, string, error) {
	cmd := exec.CommandContext(ctx, program, "-test.v=test2json", "-test.timeout=5m")
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
