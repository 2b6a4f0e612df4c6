package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/provision"
)

func newProvision(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "provision",
		GroupID: groupSetup,
		Short:   "Push people and groups of the Okta org to SCIM servers",
		Long: `Push people and groups of the sandbox's Okta org to SCIM servers, as Okta does:
an application has a target, a mapping of attributes, and groups that are pushed.
lanyard serve keeps targets equal to the assignments; these commands set them
up, look at them, and do one thing at a time. APP is the id or the label of an
application.`,
		Example: `  lanyard provision targets set "My SCIM app" --base-url https://scim.example.com/v2 --token-from env:SCIM_TOKEN --create --update --deactivate --on
  lanyard provision plan "My SCIM app"`,
	})
	cmd.AddCommand(
		newProvisionTargets(sh), newProvisionMapping(sh), newProvisionPush(sh), newProvisionPlan(sh), newProvisionNow(sh), newProvisionRun(sh),
		newProvisionImport(sh), newProvisionStatus(sh), newProvisionDead(sh), newProvisionQuarantine(sh), newProvisionBrake(sh), newProvisionLog(sh), newProvisionReplay(sh),
	)
	return cmd
}

// provisionOptions are what every command of the group has: a command for the
// desk, and how to print its reply.
type provisionOptions struct {
	shell   *shell
	output  output
	command provision.Command
	print   func(*provision.Reply) error
}

// provisioning makes a command of the group. The arguments that usage names
// after its first word go into the fields of into, in order.
func provisioning(sh *shell, verb provision.Verb, usage, short, long, example string) (*provisionOptions, *cobra.Command) {
	opts := &provisionOptions{shell: sh, command: provision.Command{Do: verb}}
	names := strings.Fields(usage)[1:]
	cmd := &cobra.Command{Use: usage, Short: short, Long: long, Example: example, Args: takes(names...)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.fill(names, args)
		return opts.run(cmd)
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return opts, cmd
}

// says lets the command print its reply as one sentence.
func (o *provisionOptions) says(sentence func(*provision.Reply) string) {
	o.print = func(r *provision.Reply) error {
		o.shell.line("%s", sentence(r))
		return nil
	}
}

// fill puts arguments where their names say.
func (o *provisionOptions) fill(names, args []string) {
	places := map[string]*string{
		"APP": &o.command.App, "PERSON": &o.command.Person, "ATTRIBUTE": &o.command.Attribute, "GROUP": &o.command.Group, "SUBJECT": &o.command.Subject,
	}
	for i, arg := range args {
		*places[strings.Trim(names[i], "[]")] = arg
	}
}

// run opens the data folder, carries the command out and prints the reply.
func (o *provisionOptions) run(cmd *cobra.Command) error {
	return withSession(o.shell, cmd, accessOf(o.command.Do), func(ctx context.Context, session Session) error {
		reply, err := session.Provisioning(ctx, o.command)
		if err != nil {
			return err
		}
		for _, note := range reply.Notes {
			fmt.Fprintf(o.shell.Err, "note: %s\n", printable(string(note)))
		}
		if o.output.json() {
			err = writeJSON(o.shell.Out, o.output.format, reply)
		} else {
			err = o.print(reply)
		}
		return cmp.Or(err, nowFailed(reply), provisionOutcome(reply))
	})
}

// provisionOutcome is the exit code of a plan or a run that leaves something undone,
// as an import's: nil for none.
func provisionOutcome(r *provision.Reply) error {
	switch {
	case r.Run != nil && r.Run.Held > 0, r.Plan != nil && r.Plan.Held != "":
		return outcome(exitThreshold)
	case r.Run != nil && r.Run.Dead > 0, r.Plan != nil && r.Plan.Failed > 0:
		return outcome(exitFailed)
	}
	return nil
}

// accessOf says how the data folder has to be open for a command: whatever speaks
// to a target needs all of it.
func accessOf(v provision.Verb) Access { return Access(!v.Local()) }

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
