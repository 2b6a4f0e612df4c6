package drivertest

import (
	"context"
	_ "embed"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/sources"
)

//go:embed api.yaml
var api string

// header begins every document of Plan.
const header = `arazzo: 1.0.1
info: {title: Test, version: "1"}
sourceDescriptions: [{name: items, url: api.yaml, type: openapi}]
`

// Plan builds the plan of a document that lacks its header, against the
// package's API. The first workflow is the one that runs.
func Plan(t testing.TB, workflows string, profile plan.Profile) *plan.Plan {
	t.Helper()
	text := header + workflows
	if strings.Contains(workflows, "timeout:") { // a field of 1.1
		text = strings.Replace(text, "1.0.1", "1.1.0", 1)
	}
	built, err := plan.Build(context.Background(), loader{}, plan.Request{
		File: "test.arazzo.yaml", Data: []byte(text), Dialect: arazzo.Strict, Profile: profile,
	})
	if err == nil {
		err = built.Err()
	}
	if err != nil {
		t.Fatalf("Build: %s", fault.Public(err))
	}
	return built.Plan
}

type loader struct{}

// Load implements plan.Loader: there is one source.
func (loader) Load(_ context.Context, ref sources.Ref) (*sources.Source, error) {
	index, err := openapi.Parse([]byte(api), "http://items.test/api.yaml")
	if err != nil {
		return nil, err
	}
	return &sources.Source{Name: ref.Name, Location: "http://items.test/api.yaml", Digest: openapi.Digest([]byte(api)), Data: []byte(api), Index: index}, nil
}
