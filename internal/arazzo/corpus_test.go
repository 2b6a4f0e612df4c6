package arazzo

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type node = yaml.Node

// scalars lists the scalar nodes of a tree.
func scalars(n *node) []*node {
	if n.Kind == yaml.ScalarNode {
		return []*node{n}
	}
	var out []*node
	for _, child := range n.Content {
		out = append(out, scalars(child)...)
	}
	return out
}

const sharedData = "../../../shared/data/arazzo"

// corpus lists the published documents.
func corpus(tb testing.TB) []string {
	files, err := filepath.Glob(sharedData + "/okta/*.yml")
	if err != nil {
		tb.Fatal(err)
	}
	seed := sharedData + "/seed.arazzo.yml"
	if _, err := os.Stat(seed); err != nil || len(files) == 0 {
		if os.Getenv("CI") != "" {
			tb.Fatalf("the published documents are missing: %s", sharedData)
		}
		tb.Skipf("the published documents are not here: %s", sharedData)
	}
	return append(files, seed)
}

// TestCorpus counts the findings over the seed and the 21 Okta documents. A
// count that changes is either a better analysis or a false alarm; look before
// changing it.
func TestCorpus(t *testing.T) {
	count := map[Dialect]map[string]int{Strict: {}, Compat: {}}
	for _, file := range corpus(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, diags := Parse(filepath.Base(file), data)
		if len(diags) > 0 {
			t.Errorf("Parse: %v", diags)
		}
		for dialect, counts := range count {
			for _, diag := range Check(d, CheckOptions{Dialect: dialect, Schema: true}) {
				counts[fmt.Sprintf("%s %s", diag.Severity, diag.Code)]++
				if dialect == Compat && diag.Severity == Error {
					t.Errorf("%s", diag)
				}
			}
		}
	}
	want := map[Dialect]map[string]int{
		Strict: {
			"error bare-expression-in-text": 47, "error bad-jsonpath": 6,
			"warning missing-input": 2, "info unmarked-secret": 25, "info maybe-skipped-output": 2,
		},
		Compat: {
			"warning bare-expression-in-text": 47, "warning bad-jsonpath": 6,
			"warning missing-input": 2, "info unmarked-secret": 25, "info maybe-skipped-output": 2,
		},
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
