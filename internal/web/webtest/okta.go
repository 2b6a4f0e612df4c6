package webtest

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// oktaKnown lists the errors of Okta's descriptions.
//
//go:embed known/okta.yaml
var oktaKnown []byte

// oktaOnce reads the descriptions once: together they are 3.7 MB of YAML.
var oktaOnce = sync.OnceValues(func() (*Checker, error) {
	dir, err := sharedData()
	if err != nil {
		return nil, err
	}
	var docs []*document
	for _, name := range []string{"management", "oauth"} {
		d, err := readDocument(name, filepath.Join(dir, "okta", "openapi-"+name+"-2026.06.3.yaml"))
		if err != nil {
			return nil, fmt.Errorf("the description of %s cannot be used: %w", name, err)
		}
		docs = append(docs, d)
	}
	list, err := parseKnown(oktaKnown)
	if err != nil {
		return nil, err
	}
	return newChecker(docs, list), nil
})

// Okta returns the checker of Okta's descriptions, one for all tests of a
// binary. It is nil, and checks nothing, when the descriptions are not there.
func Okta(t testing.TB) *Checker {
	t.Helper()
	if !haveSharedData(t) {
		return nil
	}
	c, err := oktaOnce()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// StaleOkta returns the known errors of Okta's descriptions that need a test to
// show them, since no recording and no example does, and that no answer has
// shown so far.
func StaleOkta() []string {
	c, err := oktaOnce()
	if err != nil {
		return nil // then nothing was checked
	}
	return c.stale(func(k *known) bool { return k.Recording+k.Example == "" })
}

// sharedData returns the folder of test data beside the repository.
func sharedData() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(dir, "..", "shared", "data")
			_, err := os.Stat(dir)
			return dir, err
		}
	}
	return "", fmt.Errorf("the tests do not run inside the repository")
}

// haveSharedData reports whether the test data is there. In CI it must be.
func haveSharedData(t testing.TB) bool {
	t.Helper()
	_, err := sharedData()
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("the shared test data is missing: %v", err)
	}
	return err == nil
}
