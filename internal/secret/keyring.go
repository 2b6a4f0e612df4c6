package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Keyring keeps small secrets in the system's own store, by name.
type Keyring interface {
	Get(ctx context.Context, name string) (Value, error)
	Put(ctx context.Context, name string, v Value) error
	Delete(ctx context.Context, name string) error
}

// SystemKeyring is the keyring of the desktop: the Secret Service by the command
// secret-tool (libsecret), or the macOS keychain by the command security.
// Secrets go to them over stdin, never as arguments, which others could see.
type SystemKeyring struct{}

var _ Keyring = SystemKeyring{}

// keyringService is what our entries are filed under.
const keyringService = "lanyard"

// The commands that reach a keyring.
const (
	secretTool  = "secret-tool"
	macSecurity = "security"
)

// Get returns the secret under name.
func (SystemKeyring) Get(ctx context.Context, name string) (Value, error) {
	out, err := keyringCommand(ctx, map[string]keyringCall{
		secretTool:  {args: []string{"lookup", "service", keyringService, "key", name}},
		macSecurity: {args: []string{"find-generic-password", "-s", keyringService, "-a", name, "-w"}},
	})
	if err != nil {
		return Value{}, err
	}
	v := NewValue(strings.TrimRight(out, "\r\n"))
	if v.Empty() {
		return Value{}, fault.New(fault.Unauthorized, "the system's keyring has no key %q of lanyard", name).
			Fix("unlock the keyring of the person who put it there")
	}
	return v, nil
}

// Put stores a secret under name.
func (SystemKeyring) Put(ctx context.Context, name string, v Value) error {
	_, err := keyringCommand(ctx, map[string]keyringCall{
		secretTool: {args: []string{"store", "--label=Lanyard vault key", "service", keyringService, "key", name}, stdin: v.Reveal()},
		// -i reads commands from stdin; names and keys have no blanks.
		macSecurity: {args: []string{"-i"}, stdin: fmt.Sprintf("add-generic-password -U -s %s -a %s -w %s\n", keyringService, name, v.Reveal())},
	})
	return err
}

// Delete removes the secret under name.
func (SystemKeyring) Delete(ctx context.Context, name string) error {
	_, err := keyringCommand(ctx, map[string]keyringCall{
		secretTool:  {args: []string{"clear", "service", keyringService, "key", name}},
		macSecurity: {args: []string{"delete-generic-password", "-s", keyringService, "-a", name}},
	})
	return err
}

type keyringCall struct {
	args  []string
	stdin string
}

// keyringCommand runs the call of whichever command this system has.
func keyringCommand(ctx context.Context, calls map[string]keyringCall) (string, error) {
	for _, tool := range []string{secretTool, macSecurity} {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue
		}
		call := calls[tool]
		cmd := exec.CommandContext(ctx, path, call.args...)
		cmd.Stdin = strings.NewReader(call.stdin)
		var out, problem bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problem
		if err := cmd.Run(); err != nil {
			return "", fault.Wrap(fault.Unauthorized, errors.Join(err, errors.New(problem.String())), "the system's keyring refuses: %s failed", tool).
				Fix("unlock the keyring, or keep the key elsewhere: lanyard vault rotate --to file:PATH")
		}
		return out.String(), nil
	}
	return "", fault.New(fault.Unsupported, "this system has no keyring that can be reached: neither %s nor %s is installed", secretTool, macSecurity).
		Fix("install libsecret's %s, or keep the key elsewhere: folder, file:PATH or env:NAME", secretTool)
}
