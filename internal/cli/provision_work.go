package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/value"
)

func newProvisionPlan(sh *shell) *cobra.Command {
	var bodies bool
	opts, cmd := provisioning(sh, provision.MakePlan, "plan APP", "Show what would be sent, without sending it",
		`Show what provisioning an application would do now to everybody who has it or is
linked in it, and to every pushed group. The target is read; nothing is written,
there or here. The exit code is 5 when deactivations would be held, and 3 when
somebody could not be provisioned.`, `  lanyard provision plan "My SCIM app" --bodies`)
	cmd.Flags().BoolVar(&bodies, "bodies", false, "show the bodies of the requests too")
	opts.print = func(r *provision.Reply) error {
		p := r.Plan
		for _, w := range p.Warnings {
			fmt.Fprintf(sh.Err, "warning: %s\n", printable(w))
		}
		for _, item := range p.Items {
			if item.Error != "" {
				opts.shell.line("%-10s  %s: %s", "fails", item.Name, item.Error)
			} else {
				opts.shell.line("%-10s  %s", item.Op, item.Name)
			}
			opts.calls(item.Calls, nil, bodies)
		}
		opts.shell.line("%s: %s", p.Label, p.Summary())
		if p.Held != "" {
			opts.shell.line("the deactivations would wait for you: %s", p.Held)
		}
		return nil
	}
	return cmd
}

// calls prints requests for people: the line of each, what it was made for, and
// its body when asked for.
func (o *provisionOptions) calls(calls []provision.PlannedCall, statuses []int, bodies bool) {
	for i, c := range calls {
		line := c.Method + " " + c.Path
		if c.Query != "" {
			line += "?" + c.Query
		}
		if i < len(statuses) {
			line += fmt.Sprintf("  → %d", statuses[i])
		}
		o.shell.line("    %s", line)
		for _, why := range c.Why {
			o.shell.line("        because: %s", why)
		}
		if bodies && c.Body != nil {
			o.body(c.Body)
		}
	}
}

// body prints a body as indented JSON. Its lines are JSON, which escapes whatever
// would disturb a terminal.
func (o *provisionOptions) body(body map[string]any) {
	text, err := json.MarshalIndent(body, "        ", "  ")
	if err != nil {
		return
	}
	fmt.Fprintf(o.shell.Out, "        %s\n", text)
}

func newProvisionNow(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ProvisionNow, "now APP PERSON", "Bring one person up to date at once (Provision User)",
		`Bring one person up to date in the application at once, and show every attribute
with the expression behind it. PERSON is a login or an id. Who was assigned
before provisioning was enabled is provisioned too.`, `  lanyard provision now "My SCIM app" ada@example.com`)
	opts.print = func(r *provision.Reply) error {
		n := r.Now
		if len(n.Attributes) > 0 {
			table := newTable(sh.IO, "ATTRIBUTE", "VALUE", "EXPRESSION", "NOTE")
			for _, a := range n.Attributes {
				table.row(shortAttribute(a.Row), quoted(a.Value), a.Expression, a.Note)
			}
			if err := table.print(); err != nil {
				return err
			}
		}
		if n.Error == "" {
			opts.shell.line("%s: %s", n.Person, opWords(n.Op))
		}
		opts.calls(n.Calls, n.Statuses, false)
		return nil
	}
	return cmd
}

// nowFailed is the error of a person who could not be brought up to date, nil for
// none: the command shows what was tried and fails all the same.
func nowFailed(r *provision.Reply) error {
	if r.Now == nil || r.Now.Error == "" {
		return nil
	}
	return fault.New(fault.Unavailable, "%s could not be brought up to date: %s", r.Now.Person, r.Now.Error)
}

// quoted is a value as people read it: texts in quotes, so that an empty one is
// seen.
func quoted(v any) string {
	if v == nil {
		return ""
	}
	b, err := value.Encode(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// opWords says what was done.
func opWords(op provision.Op) string {
	words := map[provision.Op]string{
		provision.OpCreate: "created", provision.OpLink: "linked", provision.OpUpdate: "updated", provision.OpDeactivate: "deactivated", provision.OpReactivate: "reactivated",
	}
	if w := words[op]; w != "" {
		return w
	}
	return "nothing to be done"
}

func newProvisionRun(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.RunQueue, "run APP", "Bring everybody up to date",
		`Bring everybody who has the application or is linked in it up to date, and every
pushed group; those too who were assigned before provisioning was enabled. What
fails is tried again later: by lanyard serve, or here with --wait. The figures are
those of all targets. The exit code is 5 when deactivations are held, and 3 when
something has failed for good.`, `  lanyard provision run "My SCIM app" --wait`)
	cmd.Flags().BoolVar(&opts.command.Wait, "wait", false, "wait for what has to be tried again")
	opts.print = func(r *provision.Reply) error {
		opts.shell.line("%s: %d done, %d to be tried again, %d held, %d failed", r.Label, r.Run.Done, r.Run.Waiting, r.Run.Held, r.Run.Dead)
		if r.Run.Held > 0 {
			opts.shell.line("deactivations are held: lanyard provision brake show")
		}
		if r.Run.Dead > 0 {
			opts.shell.line("some have failed for good: lanyard provision deadletters list")
		}
		if r.Run.Quarantined > 0 {
			opts.shell.line("a target is in quarantine: lanyard provision quarantine show")
		}
		return nil
	}
	return cmd
}

func newProvisionImport(sh *shell) *cobra.Command {
	o := &provision.ImportOptions{}
	var match string
	opts, cmd := provisioning(sh, provision.RunImport, "import APP", "Compare the people of a SCIM server with the directory",
		`Read the people of a target page by page and compare them with the directory:
who matches whom, who there is nobody here (orphans), who is linked and gone
there, and which attributes differ (drift). Inactive people are skipped, as Okta
does. Nothing is written at the target; with --confirm, whoever matches exactly
one person is linked and gets the application assigned.`, `  lanyard provision import "My SCIM app" --match email
  lanyard provision import "My SCIM app" --match expression --expression 'appuser.userName + "@example.com"' --confirm`)
	flags := cmd.Flags()
	flags.StringVar(&match, "match", string(provision.MatchUserName), "the `RULE`: userName, email, externalId, expression")
	flags.StringVar(&o.Expression, "expression", "", "the `EXPRESSION` that gives the login of somebody, from appuser")
	flags.BoolVar(&o.Inactive, "inactive", false, "take inactive people too")
	flags.BoolVar(&o.Confirm, "confirm", false, "link those who match exactly one person")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Match = provision.MatchRule(match)
		if o.Expression != "" && !cmd.Flags().Changed("match") {
			o.Match = provision.MatchExpression
		}
		opts.command.Import = o
		return run(cmd, args)
	}
	opts.print = opts.imported
	return cmd
}

func (o *provisionOptions) imported(r *provision.Reply) error {
	i := r.Import
	for _, m := range i.Matched {
		o.shell.line("%-10s  %s is %s", "matches", m.UserName, m.Login)
	}
	for _, m := range i.Ambiguous {
		o.shell.line("%-10s  %s may be %s", "ambiguous", m.UserName, m.Login)
	}
	for _, m := range i.Taken {
		o.shell.line("%-10s  %s would be %s, who is linked to another user", "taken", m.UserName, m.Login)
	}
	for _, m := range i.Orphans {
		o.shell.line("%-10s  %s (%s) is nobody here", "orphan", m.UserName, m.ID)
	}
	for _, m := range i.Missing {
		o.shell.line("%-10s  %s is linked, and not there any more", "missing", m.UserName)
	}
	for _, d := range i.Drift {
		o.shell.line("%-10s  %s: %s is %s there and %s here", "drift", d.UserName, d.Attribute, orNothing(d.There), orNothing(d.Here))
	}
	o.shell.line("%s: %d read, %d linked before, %d matched, %d ambiguous, %d orphans, %d missing, %d inactive skipped, %d differences",
		r.Label, i.Scanned, i.Linked, len(i.Matched), len(i.Ambiguous)+len(i.Taken), len(i.Orphans), len(i.Missing), i.Inactive, len(i.Drift))
	if i.Confirmed > 0 {
		o.shell.line("%d linked now", i.Confirmed)
	} else if len(i.Matched) > 0 {
		o.shell.line("--confirm links those who match")
	}
	return nil
}

func orNothing(v any) string {
	if s := quoted(v); s != "" {
		return s
	}
	return "nothing"
}

func newProvisionStatus(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ShowStatus, "status [APP]", "Show how targets are",
		`Show how one target is, or all of them: how many people are active in it, what
waits, what is held or has failed for good, and whether it is in quarantine.`, `  lanyard provision status`)
	opts.print = func(r *provision.Reply) error {
		table := newTable(sh.IO, "APP", "LABEL", "STATUS", "ACTIVE", "WAITING", "HELD", "FAILED", "NEXT")
		for _, s := range r.Status {
			next := ""
			if !s.Due.IsZero() {
				next = s.Due.Local().Format(time.DateTime)
			}
			table.row(s.App, s.Label, condition(s), fmt.Sprint(s.Active), fmt.Sprint(s.Jobs[provision.Waiting]), fmt.Sprint(s.Jobs[provision.Held]), fmt.Sprint(s.Jobs[provision.Dead]), next)
		}
		return table.print()
	}
	return cmd
}

// condition is how a target is, in one word or two.
func condition(s provision.Status) string {
	switch {
	case !s.Enabled:
		return "off"
	case s.Condition.Quarantine != nil:
		return "quarantine"
	case s.Condition.Hold != nil:
		return "on, deactivations held"
	}
	return "on"
}

func newProvisionDead(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "deadletters",
		Short:   "See what has failed for good, and try it again",
		Long:    `See what has failed for good, and try it again.`,
		Example: `  lanyard provision deadletters list "My SCIM app"`,
	})
	opts, list := provisioning(sh, provision.ListDead, "list APP", "List what has failed for good",
		`List the people and groups that are not tried again by themselves, with the reason.`, `  lanyard provision deadletters list "My SCIM app"`)
	opts.print = func(r *provision.Reply) error {
		table := newTable(sh.IO, "SUBJECT", "NAME", "KIND", "ATTEMPTS", "STATUS", "ERROR")
		for _, j := range r.Jobs {
			table.row(j.Subject, j.Name, string(j.Kind), fmt.Sprint(j.Attempts), orDefault(j.Status, ""), j.Error)
		}
		return table.print()
	}
	again, replay := provisioning(sh, provision.ReplayDead, "replay APP [SUBJECT]", "Try again what has failed for good",
		`Try again what has failed for good: one person or group, by login, name or id, or
everything. It is done by lanyard serve, or by lanyard provision run.`, `  lanyard provision deadletters replay "My SCIM app" ada@example.com`)
	again.says(func(r *provision.Reply) string { return fmt.Sprintf("%s: %d will be tried again", r.Label, r.Count) })
	cmd.AddCommand(list, replay)
	return cmd
}

func newProvisionQuarantine(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "quarantine",
		Short:   "See why nothing is sent to a target, and end that",
		Long:    `See why nothing is sent to a target, and end that.`,
		Example: `  lanyard provision quarantine show`,
	})
	opts, show := provisioning(sh, provision.ShowStatus, "show [APP]", "Show the targets in quarantine, with cause and way out",
		`Show the targets in quarantine: since when, why, when it is tried again, and what
ends it.`, `  lanyard provision quarantine show`)
	opts.print = func(r *provision.Reply) error {
		none := true
		for _, s := range r.Status {
			q := s.Condition.Quarantine
			if q == nil {
				continue
			}
			none = false
			opts.shell.line("%s  %s  since %s", s.App, s.Label, q.Since.Local().Format(time.DateTime))
			opts.shell.line("    cause: %s", q.Cause)
			opts.shell.line("    ends by: %s", q.Lifts)
			opts.shell.line("    tried %d times, next at %s; %d wait", q.Probes, q.Next.Local().Format(time.DateTime), s.Jobs[provision.Waiting])
		}
		if none {
			opts.shell.line("no target is in quarantine")
		}
		return nil
	}
	out, lift := provisioning(sh, provision.Lift, "lift APP", "End the quarantine of a target",
		`End the quarantine of a target, and a pause that it asked for, without trying it
first.`, `  lanyard provision quarantine lift "My SCIM app"`)
	out.says(func(r *provision.Reply) string { return fmt.Sprintf("%s  %s  is sent to again", r.App, r.Label) })
	cmd.AddCommand(show, lift)
	return cmd
}

func newProvisionBrake(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "brake",
		Short:   "Decide about deactivations that are held",
		Long:    `Decide about deactivations that are held because they were too many at once.`,
		Example: `  lanyard provision brake approve "My SCIM app"`,
	})
	yes, approve := provisioning(sh, provision.Approve, "approve APP", "Let the deactivations that are held go ahead",
		`Let the deactivations that are held go ahead.`, `  lanyard provision brake approve "My SCIM app"`)
	yes.says(func(r *provision.Reply) string { return fmt.Sprintf("%s: %d deactivations go ahead", r.Label, r.Count) })
	no, reject := provisioning(sh, provision.Reject, "reject APP", "Keep the people active whose deactivation is held",
		`Keep the people active whose deactivation is held, until they are assigned again.`, `  lanyard provision brake reject "My SCIM app"`)
	no.says(func(r *provision.Reply) string { return fmt.Sprintf("%s: %d people stay active", r.Label, r.Count) })
	opts, show := provisioning(sh, provision.ListHeld, "show APP", "Show whose deactivation is held",
		`Show the people whose deactivation is held, and why.`, `  lanyard provision brake show "My SCIM app"`)
	opts.print = func(r *provision.Reply) error {
		table := newTable(sh.IO, "PERSON", "LOGIN", "SINCE")
		for _, j := range r.Jobs {
			table.row(j.Subject, j.Name, j.Queued.Local().Format(time.DateTime))
		}
		return table.print()
	}
	cmd.AddCommand(show, approve, reject)
	return cmd
}
