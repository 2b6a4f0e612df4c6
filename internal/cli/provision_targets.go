package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/secret"
)

func newProvisionTargets(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "targets",
		Short:   "Say to which SCIM servers applications are provisioned",
		Long:    `Say to which SCIM servers applications are provisioned, and what is sent to them.`,
		Example: `  lanyard provision targets test "My SCIM app"`,
	})
	cmd.AddCommand(newTargetsList(sh), newTargetsShow(sh), newTargetsSet(sh), newTargetsTest(sh), newTargetsRemove(sh))
	return cmd
}

func newTargetsList(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ListTargets, "list", "List the targets",
		`List the applications that have a target.`, `  lanyard provision targets list -o json`)
	opts.print = func(r *provision.Reply) error {
		table := newTable(sh.IO, "APP", "LABEL", "KIND", "STATUS", "SWITCHES", "BASE URL")
		for _, v := range r.Targets {
			table.row(v.App, v.Label, string(v.Target.Kind), onOff(v.Target.Enabled), strings.Join(switchesOn(v.Target), " "), v.Target.BaseURL)
		}
		return table.print()
	}
	return cmd
}

// switchesOn names the switches of a target that are on.
func switchesOn(t *provision.Target) (out []string) {
	for _, s := range []struct {
		on   bool
		name string
	}{
		{t.CreateUsers, "create"}, {t.UpdateUsers, "update"}, {t.DeactivateUsers, "deactivate"}, {t.SetPassword, "password"}, {t.PushGroups, "groups"},
	} {
		if s.on {
			out = append(out, s.name)
		}
	}
	return out
}

func newTargetsShow(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ShowTarget, "show APP", "Show a target with all its settings",
		`Show a target with all its settings. Credentials are references; their values
are in the vault or in the environment.`, `  lanyard provision targets show "My SCIM app"`)
	opts.print = func(r *provision.Reply) error { return opts.target(r.Targets[0]) }
	return cmd
}

// target prints a target for people.
func (o *provisionOptions) target(v provision.TargetView) error {
	t := v.Target
	table := newTable(o.shell.IO, "SETTING", "VALUE")
	auth := string(t.Auth.Scheme) + ", " + string(t.Auth.Token)
	if t.Auth.ClientID != "" {
		auth += ", as " + t.Auth.ClientID
	}
	if t.Auth.TokenURL != "" {
		auth += ", from " + t.Auth.TokenURL
	}
	brake := "off"
	if !t.Brake.Off {
		brake = fmt.Sprintf("more than %s people or %s %%", orDefault(t.Brake.Count, "500"), orDefault(t.Brake.Percent, "20"))
	}
	for _, row := range [][2]string{
		{"application", v.Label + " (" + v.App + ")"}, {"kind", string(t.Kind)}, {"base URL", t.BaseURL}, {"credential", auth},
		{"API integration", onOff(t.Enabled)}, {"private addresses", onOff(t.AllowPrivate)},
		{"create users", onOff(t.CreateUsers)}, {"update user attributes", onOff(t.UpdateUsers)}, {"deactivate users", onOff(t.DeactivateUsers)},
		{"set password when creating", onOff(t.SetPassword)}, {"push groups", onOff(t.PushGroups)},
		{"users are updated by", string(v.Writes.UserUpdate)}, {"users are deactivated by", string(v.Writes.UserDeactivate)}, {"groups are updated by", string(v.Writes.GroupUpdate)},
		{"brake on deactivations", brake}, {"people at a time", orDefault(t.Concurrency, "4")},
	} {
		table.row(row[0], row[1])
	}
	return table.print()
}

func orDefault(n int, otherwise string) string {
	if n == 0 {
		return otherwise
	}
	return fmt.Sprint(n)
}

// targetFlags are the flags of targets set. Those that are not given change
// nothing.
type targetFlags struct {
	*provisionOptions
	token                                             credentialFlag
	baseURL, kind, auth, tokenRef, clientID, tokenURL string
	userUpdate, userDeactivate, groupUpdate           string
	scopes                                            []string
	brake                                             string
	concurrency                                       int
	switches                                          map[string]*bool
}

// targetSwitches are the flags that switch something on, or off with =false.
var targetSwitches = []struct{ name, usage string }{
	{"on", "the API integration: nothing is sent without it"},
	{"create", "Create Users"},
	{"update", "Update User Attributes"},
	{"deactivate", "Deactivate Users"},
	{"password", "Set password when creating new users"},
	{"groups", "Push Groups"},
	{"allow-private", "let the target be on this machine or in a private network"},
}

func newTargetsSet(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.SetTarget, "set APP", "Give an application a target, or change it",
		`Give an application a target, or change it. What no flag names stays; a switch
is turned off with =false. The kind decides which requests are sent: wizard (PUT
only), template (PATCH for deactivations and groups), or governance, the "(OAuth
Bearer Token) Governance with SCIM 2.0" application (PATCH for groups).

The credential is read from where --token-from says and kept in the vault of the
data folder, or stays where --token-ref says. It is never given on the command
line.`, `  lanyard provision targets set "My SCIM app" --base-url https://scim.example.com/v2 --token-from env:SCIM_TOKEN --create --update --deactivate --on
  lanyard provision targets set "My SCIM app" --groups --user-deactivate PATCH`)
	f := &targetFlags{provisionOptions: opts, switches: map[string]*bool{}}
	flags := cmd.Flags()
	flags.StringVar(&f.baseURL, "base-url", "", "the `URL` of the SCIM server, without a slash at the end")
	f.token.bind(cmd, "token-from", "where the token, or the password or client secret, is")
	refuseWrittenOut(cmd)
	flags.StringVar(&f.tokenRef, "token-ref", "", "the `REFERENCE` to the credential, when it stays where it is: env:NAME, file:PATH, vault:NAME")
	flags.StringVar(&f.kind, "kind", "", "the `KIND` of application: wizard, template, governance; default: by its name")
	flags.StringVar(&f.auth, "auth", "", "the `SCHEME` of the credential: bearer, header, basic, oauth")
	flags.StringVar(&f.clientID, "client-id", "", "the `ID` of the client for oauth, or the user name for basic")
	flags.StringVar(&f.tokenURL, "token-url", "", "the `URL` of the token endpoint for oauth")
	flags.StringSliceVar(&f.scopes, "scope", nil, "a `SCOPE` to ask for with oauth; may be repeated")
	for _, s := range targetSwitches {
		f.switches[s.name] = flags.Bool(s.name, false, s.usage)
	}
	flags.StringVar(&f.userUpdate, "user-update", "", "the `METHOD` of updates of users: PUT or PATCH")
	flags.StringVar(&f.userDeactivate, "user-deactivate", "", "the `METHOD` of deactivations: PUT or PATCH")
	flags.StringVar(&f.groupUpdate, "group-update", "", "the `METHOD` of updates of groups: PUT or PATCH")
	flags.StringVar(&f.brake, "brake", "", "the `LIMIT` beyond which deactivations wait for you: a number of people, a share such as 20%, or off")
	flags.IntVar(&f.concurrency, "concurrency", 0, "how many `PEOPLE` are sent at a time; 0: 4")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.read(cmd); err != nil {
			return err
		}
		return run(cmd, args)
	}
	opts.print = func(r *provision.Reply) error { return opts.target(r.Targets[0]) }
	return cmd
}

// read turns the flags that were given into a change.
func (f *targetFlags) read(cmd *cobra.Command) error {
	c := &provision.TargetChange{}
	f.command.Target = c
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	take(given("base-url"), &c.BaseURL, f.baseURL)
	take(given("kind"), &c.Kind, provision.Kind(f.kind))
	take(given("auth"), &c.Scheme, provision.Scheme(f.auth))
	take(given("token-ref"), &c.Token, secret.Ref(f.tokenRef))
	take(given("client-id"), &c.ClientID, f.clientID)
	take(given("token-url"), &c.TokenURL, f.tokenURL)
	take(given("scope"), &c.Scopes, f.scopes)
	take(given("user-update"), &c.UserUpdate, provision.Method(strings.ToUpper(f.userUpdate)))
	take(given("user-deactivate"), &c.UserDeactivate, provision.Method(strings.ToUpper(f.userDeactivate)))
	take(given("group-update"), &c.GroupUpdate, provision.Method(strings.ToUpper(f.groupUpdate)))
	take(given("concurrency"), &c.Concurrency, f.concurrency)
	for name, into := range map[string]**bool{
		"on": &c.Enabled, "create": &c.CreateUsers, "update": &c.UpdateUsers, "deactivate": &c.DeactivateUsers, "password": &c.SetPassword,
		"groups": &c.PushGroups, "allow-private": &c.AllowPrivate,
	} {
		take(given(name), into, *f.switches[name])
	}
	if given("brake") {
		if err := f.readBrake(c); err != nil {
			return err
		}
	}
	if !given("token-from") {
		return nil
	}
	v, err := f.token.read(cmd.Context(), f.shell, "token-from", "the credential", false)
	f.command.Credential = v.Reveal()
	return err
}

// take takes what was given.
func take[T any](given bool, into **T, v T) {
	if given {
		*into = &v
	}
}

func (f *targetFlags) readBrake(c *provision.TargetChange) error {
	off := f.brake == "off"
	c.BrakeOff = &off
	if off {
		return nil
	}
	number, share := strings.CutSuffix(f.brake, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return fault.New(fault.Usage, "%q is no number of people, no share, and not off", f.brake).At("--brake").Fix("write 50, 20%%, or off")
	}
	if share {
		c.BrakePercent = &n
	} else {
		c.BrakeCount = &n
	}
	return nil
}

func newTargetsTest(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.TestTarget, "test APP", "Try the credential of a target (Test API Credentials)",
		`Try the credential of a target with the one request that Okta sends for that:
GET /Users?startIndex=1&count=2.`, `  lanyard provision targets test "My SCIM app"`)
	opts.says(func(r *provision.Reply) string {
		return fmt.Sprintf("%s answers with a list of users", r.Targets[0].Target.BaseURL)
	})
	return cmd
}

func newTargetsRemove(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.RemoveTarget, "remove APP", "End the provisioning of an application",
		`End the provisioning of an application. Its people and groups stay at the target
as they are; the credential leaves the vault.`, `  lanyard provision targets remove "My SCIM app"`)
	opts.says(func(r *provision.Reply) string { return fmt.Sprintf("%s  %s  has no target any more", r.App, r.Label) })
	return cmd
}

func newProvisionMapping(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "mapping",
		Short:   "Say which attributes an application gets",
		Long:    `Say which attributes an application gets: one row each, with an Okta expression.`,
		Example: `  lanyard provision mapping show "My SCIM app"`,
	})
	cmd.AddCommand(newMappingShow(sh), newMappingSet(sh), newMappingDelete(sh), newMappingReset(sh))
	return cmd
}

// mapping prints the rows for people, and what is doubtful on stderr.
func (o *provisionOptions) mapping(r *provision.Reply) error {
	table := newTable(o.shell.IO, "ATTRIBUTE", "GOES TO", "EXPRESSION", "APPLIES")
	for _, row := range r.Mapping.Rows {
		applies := "on create and update"
		if row.Apply == provision.ApplyOnCreate {
			applies = "on create only"
		}
		table.row(row.Name, shortAttribute(row), row.Expression, applies)
	}
	if err := table.print(); err != nil {
		return err
	}
	for _, w := range r.Mapping.Warnings {
		fmt.Fprintf(o.shell.Err, "warning: %s\n", printable(w))
	}
	return nil
}

// shortAttribute names the enterprise schema by one word: its URN would fill the
// line.
func shortAttribute(row provision.Row) string {
	switch row.Namespace {
	case provision.EnterpriseUser:
		return "enterprise:" + row.Path
	case "":
		return row.Path + " (no namespace)"
	}
	return row.Attribute()
}

func newMappingShow(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ShowMapping, "show APP", "Show the mapping of an application",
		`Show the mapping of an application: each attribute, where it goes, and the
expression that computes it. What is doubtful is told on stderr: the three type
rows send type "" for everybody whose e-mail address, phone or street is empty.`, `  lanyard provision mapping show "My SCIM app"`)
	opts.print = opts.mapping
	return cmd
}

func newMappingSet(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.SetMapping, "set APP ATTRIBUTE", "Change a row of a mapping, or add one",
		`Change a row of a mapping, or add one. ATTRIBUTE is its name or where it goes
(title, name.givenName, emails[type eq "work"].value). What no flag names stays.
A custom attribute needs the URN of the schema that it is of: --namespace.`, `  lanyard provision mapping set "My SCIM app" title --expression 'user.title' --on-create
  lanyard provision mapping set "My SCIM app" badge --expression 'user.badge' --namespace urn:example:badge:1.0`)
	row := &provision.Row{}
	var onCreate, always bool
	flags := cmd.Flags()
	flags.StringVar(&row.Expression, "expression", "", "the Okta `EXPRESSION`, which reads user and appuser")
	flags.StringVar(&row.Namespace, "namespace", "", "the `URN` of the schema that the attribute is of (external namespace)")
	flags.StringVar(&row.Path, "path", "", "where the value goes, when ATTRIBUTE is a name: a SCIM `PATH`")
	flags.BoolVar(&onCreate, "on-create", false, "apply the row when somebody is created only")
	flags.BoolVar(&always, "always", false, "apply the row on create and update")
	cmd.MarkFlagsMutuallyExclusive("on-create", "always")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case onCreate:
			row.Apply = provision.ApplyOnCreate
		case always:
			row.Apply = provision.ApplyAlways
		}
		if strings.ContainsAny(args[1], ".[:") {
			row.Path = args[1]
		} else {
			row.Name = args[1]
		}
		opts.command.Row = row
		return run(cmd, args)
	}
	opts.print = opts.mapping
	return cmd
}

func newMappingDelete(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.DeleteMapping, "delete APP ATTRIBUTE", "Delete a row of a mapping",
		`Delete a row of a mapping, by its name or where it goes. The application keeps
the value that it has.`, `  lanyard provision mapping delete "My SCIM app" emailType`)
	opts.says(func(r *provision.Reply) string {
		return fmt.Sprintf("%s: %d attributes are left", r.Label, len(r.Mapping.Rows))
	})
	return cmd
}

func newMappingReset(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ResetMapping, "reset APP", "Give an application the mapping that it began with",
		`Give an application the mapping that it began with.`, `  lanyard provision mapping reset "My SCIM app"`)
	opts.print = opts.mapping
	return cmd
}

func newProvisionPush(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "groups",
		Short:   "Say which groups are pushed (Push Groups)",
		Long:    `Say which groups are pushed to an application, by name or by rule.`,
		Example: `  lanyard provision groups add "My SCIM app" Sales`,
	})
	cmd.AddCommand(newPushList(sh), newPushAdd(sh), newPushRemove(sh))
	return cmd
}

// pushes prints pushed groups and rules for people.
func (o *provisionOptions) pushes(r *provision.Reply) error {
	table := newTable(o.shell.IO, "GROUP", "NAME", "BY", "STATUS", "THERE", "PUSHED")
	for _, p := range r.Pushes {
		by, status, pushed := "name", "active", ""
		if p.Rule != "" {
			by = "rule " + p.Rule
		}
		if p.Paused {
			status = "paused"
		}
		if !p.Pushed.IsZero() {
			pushed = day(p.Pushed)
		}
		table.row(p.Group, p.Name, by, status, p.Remote, pushed)
	}
	if err := table.print(); err != nil {
		return err
	}
	for _, rule := range r.Rules {
		o.shell.line("rule %s: %s", rule.Name, ruleWords(rule))
	}
	return nil
}

// ruleWords says which groups a rule pushes.
func ruleWords(rule provision.PushRule) string {
	var parts []string
	for _, one := range []struct {
		what string
		m    provision.TextMatch
	}{{"the name", rule.GroupName}, {"the description", rule.Description}} {
		for _, p := range [][2]string{{"starts with", one.m.StartsWith}, {"ends with", one.m.EndsWith}, {"contains", one.m.Contains}} {
			if p[1] != "" {
				parts = append(parts, fmt.Sprintf("%s %s %q", one.what, p[0], p[1]))
			}
		}
	}
	return strings.Join(parts, ", and ")
}

func newPushList(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.ListPushes, "list APP", "List the groups that are pushed",
		`List the groups that are pushed to an application, and the rules that push groups.`, `  lanyard provision groups list "My SCIM app"`)
	opts.print = opts.pushes
	return cmd
}

func newPushAdd(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.AddPush, "add APP [GROUP]", "Push a group, or those that a rule matches",
		`Push a group from now on, by its name or id; or, with --rule, all groups that
match, now and later.`, `  lanyard provision groups add "My SCIM app" Sales
  lanyard provision groups add "My SCIM app" --rule apps --starts-with APP-`)
	rule := &provision.PushRule{}
	flags := cmd.Flags()
	flags.StringVar(&rule.Name, "rule", "", "the `NAME` of a new rule")
	flags.StringVar(&rule.GroupName.StartsWith, "starts-with", "", "the `TEXT` that the names of the groups begin with")
	flags.StringVar(&rule.GroupName.EndsWith, "ends-with", "", "the `TEXT` that they end with")
	flags.StringVar(&rule.GroupName.Contains, "contains", "", "the `TEXT` that they contain")
	flags.StringVar(&rule.Description.Contains, "description", "", "the `TEXT` that their descriptions contain")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		conditions := slices.ContainsFunc([]string{"starts-with", "ends-with", "contains", "description"}, cmd.Flags().Changed)
		switch {
		case (rule.Name == "") == (len(args) < 2):
			return fault.New(fault.Usage, "a group or a rule is added, one of both").Fix("name the group, or say --rule NAME")
		case conditions && rule.Name == "":
			return fault.New(fault.Usage, "the condition belongs to a rule").Fix("say --rule NAME")
		case rule.Name != "":
			opts.command.Rule = rule
		}
		return run(cmd, args)
	}
	opts.print = opts.pushes
	return cmd
}

func newPushRemove(sh *shell) *cobra.Command {
	opts, cmd := provisioning(sh, provision.RemovePush, "remove APP GROUP", "End the push of a group, or of a rule's groups",
		`End the push of a group, or of all groups that a rule brought: GROUP is a name or
id, or the name of a rule. The group of the application stays as it is, or goes
too with --delete.`, `  lanyard provision groups remove "My SCIM app" Sales --delete`)
	cmd.Flags().BoolVar(&opts.command.Remote, "delete", false, "delete the group of the application too")
	opts.says(func(r *provision.Reply) string {
		return fmt.Sprintf("%s: %s is not pushed any more", r.Label, opts.command.Group)
	})
	return cmd
}
