package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestBuild(t *testing.T) {
	for _, test := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"release", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}}, "lanyard v1.2.3 go1.26.8 "},
		{"checkout", debug.BuildInfo{
			GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}},
		}, "lanyard devel 0123456789ab (modified) go1.26.8 "},
		{"test", debug.BuildInfo{GoVersion: "go1.26.8"}, "lanyard devel go1.26.8 "},
	} {
		if got := buildOf(&test.info).String(); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want it to start %q", test.name, got, test.want)
		}
	}
}

// Programs depend on these fields.
func TestVersionFields(t *testing.T) {
	text, err := json.Marshal(build{"v1", "r", true, "t", "go", "os", "arch"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":"v1","revision":"r","modified":true,"time":"t","go":"go","os":"os","arch":"arch"}`
	if got := string(text); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDoctor(t *testing.T) {
	data := t.TempDir()
	files := t.TempDir()
	right, wrong := filepath.Join(files, "right.yaml"), filepath.Join(files, "wrong.yaml")
	for file, text := range map[string]string{
		right: "connections:\n  oktaApi: {server: https://example.okta.com}\n",
		wrong: "conections: {}\nstore: postgres\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	well := Product{
		LockHolder:   func(context.Context, string) (string, error) { return "process 4711", nil },
		CheckSandbox: func(context.Context) error { return nil },
	}
	ill := Product{
		LockHolder:   func(context.Context, string) (string, error) { return "", nil },
		CheckSandbox: func(context.Context) error { return fault.New(fault.Internal, "no answer") },
	}
	for _, test := range []struct {
		name    string
		product Product
		config  string
		code    int
		want    []finding // from "lock" on
	}{
		{"well", well, right, exitOK, []finding{
			{"lock", "ok", "held by process 4711", ""},
			{"configuration", "ok", right + " is correct; connections: oktaApi", ""},
			{"sandbox", "ok", "starts and answers", ""},
		}},
		{"ill", ill, wrong, exitError, []finding{
			{"lock", "ok", "no process holds the data folder", ""},
			{"configuration", "failed", wrong + `:1:1: the configuration has no key "conections"`, "use one of connections, data, imports, run, sandbox, serve, sources, store, triggers"},
			{"configuration", "failed", wrong + ":2:8: this store is not known", "write sqlite:PATH, postgres://USER@HOST/DATABASE, or env:NAME for an address with a password"},
			{"sandbox", "failed", "no answer", ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestIO("", nil)
			if code := Main(t.Context(), s.IO, test.product, []string{"doctor", "-o", "json", "--data", data, "--config", test.config}); code != test.code {
				t.Errorf("exit code %d, want %d; stderr %s", code, test.code, s.err)
			}
			var got struct{ Checks []finding }
			if err := json.Unmarshal(s.out.Bytes(), &got); err != nil {
				t.Fatalf("stdout is not JSON: %v\n%s", err, s.out)
			}
			for i, f := range got.Checks {
				if f.Check == "lock" {
					got.Checks = got.Checks[i:]
					break
				}
			}
			if diff := cmp.Diff(test.want, got.Checks); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if left, _ := os.ReadDir(data); len(left) > 0 {
				t.Errorf("the doctor left %v in the data folder", left)
			}
		})
	}
}

// Every shell gets a script that asks the program itself for candidates.
func TestCompletion(t *testing.T) {
	for _, shell := range shells {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, Product{}, []string{"completion", shell}); code != exitOK {
			t.Errorf("%s: exit code %d, stderr %s", shell, code, s.err)
		}
		if !strings.Contains(s.out.String(), "__complete") {
			t.Errorf("%s: the script never calls __complete", shell)
		}
	}
	s := newTestIO("", nil)
	Main(t.Context(), s.IO, Product{}, []string{"__complete", "version", "-o", ""})
	if got := s.out.String(); !strings.Contains(got, "text\njson\n") {
		t.Errorf("the candidates for -o are %q, want text and json", got)
	}
}

// What init writes is read without a complaint, as it stands and with the
// connections filled in.
func TestStarterConfiguration(t *testing.T) {
	text, err := starter.ReadFile("starter/lanyard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("lanyard.yaml", text); err != nil {
		t.Errorf("as written: %v", err)
	}
	// The fields that are commented out are indented; the prose is not.
	filled := regexp.MustCompile(`(?m)^  # ( *[a-zA-Z0-9]+:( |$))`).ReplaceAll(text, []byte("  $1"))
	filled = bytes.ReplaceAll(filled, []byte("# store: "), []byte("store: "))
	c, err := config.Parse("lanyard.yaml", filled)
	if err != nil {
		t.Fatalf("filled in: %v\n%s", err, filled)
	}
	want := []string{config.AuthClientCredentials, config.AuthSSWS}
	got := []string{c.Connections["auth0Api"].Auth.Type, c.Connections["oktaApi"].Auth.Type}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds of credential (-want +got):\n%s\n%s", diff, filled)
	}
}
