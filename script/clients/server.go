package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/lanyard-id/lanyard/internal/localca"
)

// server is a lanyard serve with a data folder of its own.
type server struct {
	org
	folder string
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

// startServer starts lanyard serve on free ports and waits until it answers.
// The caller stops it. The flags are added to its command line.
func startServer(ctx context.Context, lanyard string, flags ...string) (*server, error) {
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return nil, err
	}
	s := &server{folder: folder, stderr: &bytes.Buffer{}}
	s.cmd = exec.CommandContext(ctx, lanyard, append([]string{"serve", "--data", filepath.Join(folder, "data"),
		"--api-port", "-1", "--okta-port", "-1", "--auth0-port", "-1", "-o", "json"}, flags...)...)
	s.cmd.Stderr = s.stderr
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 10 * time.Second
	if err := s.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return s, nil
}

func (s *server) start() error {
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("%w: build it with make build", err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		ended := s.cmd.Wait() // afterwards all that it said is there
		return fmt.Errorf("lanyard serve ended before it was ready: %w\n%s", errors.Join(err, ended), indent(s.stderr.String()))
	}
	if err := s.read(line); err != nil {
		return errors.Join(err, s.cmd.Process.Kill(), s.cmd.Wait())
	}
	return nil
}

// read takes the addresses from the line that says the server is ready, and the
// credentials from the data folder.
func (s *server) read(line []byte) error {
	var addresses struct{ Okta, Auth0 string }
	if err := json.Unmarshal(line, &addresses); err != nil {
		return fmt.Errorf("lanyard serve wrote %q: %w", line, err)
	}
	folder := filepath.Join(s.folder, "data")
	data, err := os.ReadFile(filepath.Join(folder, "sandbox.json"))
	if err != nil {
		return err
	}
	var made struct{ OktaAPIToken, Auth0ClientID, Auth0ClientSecret string }
	if err := json.Unmarshal(data, &made); err != nil {
		return fmt.Errorf("sandbox.json: %w", err)
	}
	s.org = org{url: addresses.Okta, token: made.OktaAPIToken, tenant: tenant{
		url: addresses.Auth0, clientID: made.Auth0ClientID, clientSecret: made.Auth0ClientSecret,
		authority: filepath.Join(folder, localca.CertFile),
	}}
	return nil
}

// stop ends the server as Ctrl-C does, and removes its folder. A server that
// does not end in good order is an error: it held a client's data.
func (s *server) stop() error {
	err := s.cmd.Process.Signal(os.Interrupt)
	if ended := s.cmd.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("lanyard serve: %w: %s", ended, s.stderr))
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}
