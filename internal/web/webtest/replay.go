package webtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// replayFolder names the folder into which the differences of replayed recordings
// are written, for whoever works on them.
const replayFolder = "LANYARD_REPLAY"

// ReadReplayList reads testdata/replay.yaml: what is not as recorded, with
// reasons.
func ReadReplayList(t testing.TB, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "replay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// WriteDifferences writes the differences of a recording into a file of the
// folder that LANYARD_REPLAY names, if it names one and there are any.
func WriteDifferences(t testing.TB, r Recording, differences string) {
	t.Helper()
	dir := os.Getenv(replayFolder)
	if dir == "" || differences == "" {
		return
	}
	file := filepath.Join(dir, strings.ReplaceAll(r.Name, "/", "_")+".txt")
	if err := os.WriteFile(file, []byte(differences), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ReportNeedless says that an interaction that is listed as different is as
// recorded. It is a failure in CI.
func ReportNeedless(t testing.TB, i Interaction) {
	t.Helper()
	report := t.Logf
	if os.Getenv("CI") != "" {
		report = t.Errorf
	}
	report("interaction %d: %s %s is as recorded now; take it from testdata/replay.yaml", i.Number, i.Method, i.Target)
}
