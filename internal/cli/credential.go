package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// maxCredential bounds a credential that is read, in bytes.
const maxCredential = 64 << 10

// howToGive tells where a credential may come from.
const howToGive = "give env:NAME, file:PATH, or - for stdin"

// credentialFlag is a flag by which a credential is given: by where it is, never
// by what it is. It satisfies pflag.Value, so that a credential written out is
// refused while flags are read, and repeated by no message.
type credentialFlag struct{ from string }

// Set takes a place.
func (f *credentialFlag) Set(s string) error {
	if s != "-" {
		ref, err := secret.ParseRef(s)
		if err != nil || ref.Kind() == "vault" {
			return fault.New(fault.Usage, "a credential on the command line can be seen by everyone on this machine, and stays in the shell's history").
				Fix("%s; and change the credential if that was one", howToGive)
		}
	}
	f.from = s
	return nil
}

// String returns the place.
func (f *credentialFlag) String() string { return f.from }

// Type names the value in the help.
func (f *credentialFlag) Type() string { return "PLACE" }

// bind gives cmd the flag.
func (f *credentialFlag) bind(cmd *cobra.Command, name, what string) {
	cmd.Flags().Var(f, name, what+": env:NAME, file:PATH, or - for stdin")
}

// read returns the credential: from where the flag says, else of a person at the
// terminal, who does not see it. An optional one that is given nowhere is empty.
func (f *credentialFlag) read(ctx context.Context, sh *shell, flag, what string, optional bool) (secret.Value, error) {
	switch {
	case f.from == "-":
		text, err := io.ReadAll(io.LimitReader(sh.In, maxCredential+1))
		switch {
		case err != nil:
			return secret.Value{}, fault.Wrap(fault.Usage, err, "stdin cannot be read").At("--%s -", flag)
		case len(text) > maxCredential:
			return secret.Value{}, fault.New(fault.TooLarge, "stdin has more than %d bytes", maxCredential).At("--%s -", flag)
		}
		return given(strings.TrimRight(string(text), "\r\n"), flag, what)
	case f.from != "":
		r := secret.Resolver{Env: sh.Env, Warn: func(message string) { fmt.Fprintln(sh.Err, "warning: "+printable(message)) }}
		v, err := r.Resolve(ctx, secret.Ref(f.from))
		var own *fault.Error
		if errors.As(err, &own) {
			return v, fault.Wrap(fault.Usage, err, "%s", own.Msg).At("--%s", flag).Fix("%s", own.Remedy)
		}
		return v, err
	case optional:
		return secret.Value{}, nil
	case sh.ReadSecret == nil || !sh.InTerminal():
		return secret.Value{}, fault.New(fault.Usage, "%s is missing, and nobody can be asked for it", what).At("--%s", flag).Fix("%s", howToGive)
	}
	fmt.Fprintf(sh.Err, "%s (not shown): ", what)
	text, err := sh.ReadSecret()
	fmt.Fprintln(sh.Err)
	if err != nil {
		return secret.Value{}, fault.Wrap(fault.Usage, err, "%s cannot be read", what).Fix("%s with --%s", howToGive, flag)
	}
	return given(strings.TrimSpace(text), flag, what)
}

func given(text, flag, what string) (secret.Value, error) {
	if text == "" {
		return secret.Value{}, fault.New(fault.Usage, "%s is empty", what).At("--%s", flag)
	}
	return secret.NewValue(text), nil
}

// writtenOut are flags that people try for a credential, and where to put it.
var writtenOut = map[string]string{
	"token": "token-from", "api-token": "token-from", "api-key": "token-from", "key": "key-from", "private-key": "key-from",
	"secret": "secret-from", "client-secret": "secret-from", "password": "password-from",
}

// refuseWrittenOut explains why cmd has no flag that takes a credential.
func refuseWrittenOut(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			if instead, ok := writtenOut[unknown.GetSpecifiedName()]; ok {
				return fault.New(fault.Usage, "a credential on the command line can be seen by everyone on this machine, and stays in the shell's history").
					At("--%s", unknown.GetSpecifiedName()).Fix("use --%s: %s; and change the credential if you wrote it there", instead, howToGive)
			}
		}
		return flagError(cmd, err)
	})
	// An argument too many may be a credential as well: it is not repeated.
	inner := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fault.New(fault.Usage, "%s takes one name, and %d arguments are given", cmd.CommandPath(), len(args)).Fix("a credential is no argument: %s", howToGive)
		}
		return inner(cmd, args)
	}
}
