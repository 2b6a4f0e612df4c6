package webtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// auth0Module has conversations with real Auth0 tenants among its test data.
const auth0Module = "github.com/auth0/go-auth0@v1.45.0"

// Auth0Recordings reads the conversations with Auth0's Management API that
// travel with Auth0's SDK for Go, from the module cache. The test is skipped when
// the module cannot be had.
func Auth0Recordings(t testing.TB) []Recording {
	t.Helper()
	list, err := readAuth0(t.Context())
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	return list
}

func readAuth0(ctx context.Context) ([]Recording, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", auth0Module)
	cmd.Dir = os.TempDir() // outside our module, which does not require it
	cmd.Env = append(os.Environ(), "GOWORK=off")
	text, failure := cmd.Output()
	var module struct{ Dir, Error string }
	if err := json.Unmarshal(text, &module); err != nil || module.Error != "" {
		return nil, fmt.Errorf("%s cannot be had: %s %w", auth0Module, module.Error, errors.Join(failure, err))
	}
	dir := filepath.Join(module.Dir, "test", "data", "recordings")
	var out []Recording
	for _, pattern := range []string{"Test*.yaml", filepath.Join("Test*", "*.yaml")} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no recordings in %s: %w", dir, err)
		}
		for _, file := range files {
			r, err := readTape(dir, file)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// readTape reads one recording, named by its path below a folder.
func readTape(dir, file string) (Recording, error) {
	name, err := filepath.Rel(dir, strings.TrimSuffix(file, ".yaml"))
	if err != nil {
		return Recording{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return Recording{}, err
	}
	r := Recording{Name: name}
	if r.Interactions, err = parseCassette(text); err != nil {
		return r, fmt.Errorf("recording %s: %w", name, err)
	}
	return r, nil
}
