package script_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestImportKilled kills imports at random moments, and imports again: nobody is
// there twice, nobody is lost, and in the end nothing is left to do.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	const people = 3000
	rounds := sizeOf(t, "LANYARD_CRASH_ROUNDS", 4)
	binary, dir := buildBinary(t), t.TempDir()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	write := func(round int) {
		var b strings.Builder
		b.WriteString("employee_id,first_name,last_name,email,title\n")
		for i := range people { // every round makes some new, and changes everybody
			if i < people*(round+1)/rounds {
				fmt.Fprintf(&b, "E%d,First%d,Last%d,p%d@killed.example,Title %d\n", i, i, i, i, round)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir)
		return cmd
	}
	killed := 0
	for round := range rounds {
		write(round)
		cmd := command("import", "run", "people.csv")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(20+random.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil && strings.Contains(err.Error(), "killed") {
			killed++
		}
		kill.Stop()
		// Everybody's title changes, so that a guard asks: about what the killed import
		// had read, and about what this one reads.
		out, err := command("import", "run", "people.csv", "--limit", "1").CombinedOutput()
		for range 3 {
			if !strings.Contains(string(out), "held") {
				break
			}
			out, err = command("import", "approve", "people", "--limit", "1").CombinedOutput()
			if err == nil { // there may be one that waited for it
				out, err = command("import", "run", "people.csv", "--limit", "1").CombinedOutput()
			}
		}
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, out)
		}
	}
	var preview struct {
		Counts map[string]any
	}
	out, err := command("import", "preview", "people.csv", "-o", "json").Output()
	if err != nil || json.Unmarshal(out, &preview) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := fmt.Sprint(preview.Counts["unchanged"]); got != strconv.Itoa(people) {
		t.Errorf("in the end there is something left to do: %v", preview.Counts)
	}
	var sources []struct{ People int }
	out, err = command("import", "sources", "list", "-o", "json").Output()
	if err != nil || json.Unmarshal(out, &sources) != nil || len(sources) != 1 || sources[0].People != people {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("%d of %d imports were killed", killed, rounds)
}
