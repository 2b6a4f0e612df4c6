// Package script_test tests the whole product from the outside: each .txtar
// file in this folder is a script of commands with the files it needs, as a
// person would type them (https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript).
// What a script cannot do (kill a process at a random moment, search files for
// encoded secrets, measure memory) is a Go test beside them.
//
// The command lanyard runs as a process of its own, from the test's binary, so
// nothing has to be built or installed first. Besides testscript's own, scripts
// have these commands:
//
//	exits CODE COMMAND [ARG...]   run a command and ask for its exit code
//	fake NAME FILE                serve the answers in FILE; $NAME is the server's URL (fake_test.go)
//	requests NAME FILE            write what the server was asked since the last time to FILE
//	daemon NAME COMMAND [ARG...]  start a command that prints one JSON object when it is ready;
//	                              its fields become $NAME_FIELD
//	stop NAME                     end a daemon as Ctrl-C does
//	call METHOD URL okta|none|CREDENTIAL [BODY]
//	                              ask a server of serve's, with the credential of .lanyard, none, or an
//	                              Authorization header; stdout gets the status and the body
//	browse URL [LOGIN PASSWORD]   go to a page as a browser that keeps cookies, signing in when asked
//	                              (browse_test.go)
//	expand FILE                   replace $NAME in a file by the value of each variable a fake has set
//	capture VARIABLE PATTERN      set a variable to the first group of PATTERN in the last stdout
//
// the variable $EXAMPLES, which is the folder examples,
// and the condition [shared], which holds where the published documents are.
package script_test

import (
	"errors"
	"fmt"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lanyard-id/lanyard/internal/app"
)

func TestMain(m *testing.M) {
	testscript.Main(built{m}, map[string]func(){
		"lanyard": func() { os.Exit(app.Main()) }, // as cmd/lanyard
	})
}

// builtFolder is the variable that names the folder of what tests have built.
const builtFolder = "LANYARD_TEST_BUILT"

// built runs tests that share what they build, and removes it after the last.
type built struct{ *testing.M }

func (b built) Run() int {
	if os.Getenv(builtFolder) != "" { // a process of a test, see measured
		return b.M.Run()
	}
	dir, err := os.MkdirTemp("", "lanyard-built")
	if err == nil {
		err = os.Setenv(builtFolder, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return b.M.Run()
}

func TestScript(t *testing.T) {
	shared, haveShared := sharedData(t)
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SHARED", shared)
			env.Setenv("EXAMPLES", examples)
			jar, err := cookiejar.New(nil)
			env.Values[browserKey{}] = jar
			return err
		},
		Condition: func(name string) (bool, error) {
			if name == "shared" {
				return haveShared, nil
			}
			return false, errors.New("there is no condition of that name")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"fake":     startFake,
			"requests": takeRequests,
			"daemon":   startDaemon,
			"stop":     stopDaemon,
			"capture":  capture,
			"expand":   expand,
			"call":     call,
			"browse":   browse,
		},
	})
}

// sizeOf is how large a test is: what the variable says, or the default. make storm
// sets the variables.
func sizeOf(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// sharedData is the folder of published documents. It is not part of the
// repository, so it may be missing, but never where everything is tested.
func sharedData(t *testing.T) (string, bool) {
	t.Helper()
	dir, err := filepath.Abs("../../shared/data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the published documents are missing: %v", err)
		}
		return "", false
	}
	return dir, true
}

// exits runs a command and compares its exit code: exits CODE COMMAND [ARG...].
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%q ended with exit code %d, want %d", args[1:], got, want)
	}
}
