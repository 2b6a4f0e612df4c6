package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/value"
)

// conversation is a running program of .ci/clients that answers each line of
// JSON with one.
type conversation struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// converse starts a program.
func converse(ctx context.Context, program string, args ...string) (*conversation, error) {
	args = append([]string{filepath.Join(clientsFolder, program)}, args...)
	c := &conversation{cmd: exec.CommandContext(ctx, "node", args...)}
	c.cmd.Stderr = &c.stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(stdout)
	return c, c.cmd.Start()
}

// ask sends a question and reads the answer.
func (c *conversation) ask(question any) (any, error) {
	if err := json.NewEncoder(c.in).Encode(question); err != nil {
		return nil, err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return value.Decode(line)
}

// stop ends the program and says what went wrong with it.
func (c *conversation) stop() error {
	if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("%w\n%s", err, indent(c.stderr.String()))
	}
	return nil
}
