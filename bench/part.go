//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// parts are the measurements that run in a process of their own.
var parts = map[string]func(context.Context, *options) (any, error){
	"journalled": measureJournalled,
	"journal":    measureJournal,
	"http":       measureHTTP,
	"items":      measureItems,
	"machine":    measureLoop,

	"okta-get":    measureOktaGet,
	"okta-search": measureOktaSearch,
	"okta-page":   measureOktaPage,
	"okta-create": measureOktaCreate,

	"scim-lookup": measureSCIMLookup,
	"scim-page":   measureSCIMPage,
	"scim-create": measureSCIMCreate,
	"scim-join":   measureSCIMJoin,
	"scim-enlist": measureSCIMEnlist,

	"import":      measureImport,
	"import-bare": measureBare,
}

// child carries out one part and prints its figures.
func (o *options) child(ctx context.Context, out io.Writer) error {
	if o.part == "server" {
		return serve(ctx, out)
	}
	part, ok := parts[o.part]
	if !ok {
		return fmt.Errorf("there is no part %q", o.part)
	}
	if o.profile != "" {
		f, err := os.Create(filepath.Join(o.profile, o.part+".prof"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	figures, err := part(ctx, o)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(figures)
}

// runPart carries out one part in a child process and reads its figures.
func (o *options) runPart(ctx context.Context, name, target string, figures any) error {
	cmd, err := o.self(ctx, name, target)
	if err != nil {
		return err
	}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("part %s: %w", name, err)
	}
	return json.Unmarshal(out, figures)
}

// self returns this program as a command for one part.
func (o *options) self(ctx context.Context, name, target string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-part", name, "-target", target, "-profile", o.profile,
		"-runs", strconv.Itoa(o.runs), "-at", strconv.Itoa(o.at), "-rounds", strconv.Itoa(o.rounds), "-steps", strconv.Itoa(o.steps), "-people", strconv.Itoa(o.people), "-items", strconv.Itoa(o.items))
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// withServer starts the server that measurements call, in a process of its own,
// and stops it when use has returned.
func (o *options) withServer(ctx context.Context, use func(url string) error) (err error) {
	cmd, err := o.self(ctx, "server", "")
	if err != nil {
		return err
	}
	stdin, err := cmd.StdinPipe() // closed: the server ends
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = stdin.Close() // it ends with the process at the latest
		if ended := cmd.Wait(); err == nil {
			err = ended
		}
	}()
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the server did not start: %w", err)
	}
	return use(strings.TrimSpace(url))
}

// processor returns the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a wrong argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory returns the most memory that this process has held, in MB.
func peakMemory() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a wrong argument
	return megabytes(&u)
}
