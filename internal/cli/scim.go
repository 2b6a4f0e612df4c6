package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

func newSCIM(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "scim",
		GroupID: groupSetup,
		Short:   "Let identity providers provision people into the sandbox's Auth0 tenant",
		Long: `Let identity providers provision people and groups into the sandbox's Auth0
tenant by SCIM: connections with an endpoint of their own each, tokens, mappings.`,
		Example: `  lanyard scim connections create acme --strategy okta
  lanyard scim tokens create acme`,
	})
	cmd.AddCommand(newSCIMConnections(sh), newSCIMTokens(sh), newSCIMMapping(sh), newSCIMCheck(sh), newSCIMLog(sh), newSCIMReplay(sh))
	return cmd
}

// scimOptions are the flags of the commands on connections and tokens.
type scimOptions struct {
	shell  *shell
	output output
	ref    string // of the connection

	made   inbound.NewConnection
	change inbound.Change
	token  tenant.NewSCIMToken
	which  string // token

	signOn, provisioner string
}

func newSCIMConnections(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "connections",
		Short:   "List, show, make and change connections with a SCIM endpoint",
		Long:    `List, show, make and change connections of the Auth0 tenant that have a SCIM endpoint.`,
		Example: `  lanyard scim connections list`,
	})
	cmd.AddCommand(newSCIMConnectionsList(sh), newSCIMConnectionsShow(sh), newSCIMConnectionsCreate(sh), newSCIMConnectionsSet(sh))
	return cmd
}

func newSCIMConnectionsList(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the connections that have a SCIM endpoint",
		Long:    `List the connections that have a SCIM endpoint, with what is in them.`,
		Example: `  lanyard scim connections list -o json`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.list(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *scimOptions) list(cmd *cobra.Command) error {
	return o.with(cmd, ReadOnly, func(ctx context.Context, session Session) error {
		list, err := session.SCIMConnections(ctx)
		if err != nil {
			return err
		}
		if o.output.json() {
			if list == nil {
				list = []inbound.Overview{}
			}
			return writeJSON(o.shell.Out, o.output.format, struct {
				Connections []inbound.Overview `json:"connections"`
			}{list})
		}
		table := newTable(o.shell.IO, "ID", "NAME", "STRATEGY", "PROFILE", "USERS", "GROUPS", "TOKENS")
		for _, c := range list {
			table.row(c.ID, c.Name, c.Strategy, string(c.Policy.Profile), strconv.Itoa(c.Users), strconv.Itoa(c.Groups), strconv.Itoa(len(c.Tokens)))
		}
		return table.print()
	})
}

func newSCIMConnectionsShow(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "show CONNECTION",
		Short:   "Show a connection: its endpoint's URL, policy and tokens",
		Long:    `Show a connection, by its name or id: its endpoint's URL, policy and tokens.`,
		Example: `  lanyard scim connections show acme`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.show(cmd, ReadOnly, func(ctx context.Context, s Session) (inbound.Overview, error) { return s.SCIMConnection(ctx, args[0]) })
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

// show prints the connection that something is done to.
func (o *scimOptions) show(cmd *cobra.Command, access Access, do func(context.Context, Session) (inbound.Overview, error)) error {
	return o.with(cmd, access, func(ctx context.Context, session Session) error {
		c, err := do(ctx, session)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, c)
		}
		for _, line := range [][2]string{
			{"connection", c.Name + "  " + c.ID + "  " + c.Strategy},
			{"endpoint", c.Endpoint},
			{"user id", c.Strategy + "|" + c.Name + "|" + c.UserIDAttribute},
			{"mapping", strconv.Itoa(len(c.Mapping)) + " rows"},
			{"profile", string(c.Policy.Profile)},
			{"unknown members", string(c.Policy.UnknownMembers)},
			{"rehire", string(c.Policy.Rehire)},
			{"existing", string(c.Policy.Existing)},
			{"people", "users " + strconv.Itoa(c.Users) + ", groups " + strconv.Itoa(c.Groups)},
		} {
			fmt.Fprintf(o.shell.Out, "%-16s %s\n", line[0], printable(line[1]))
		}
		if len(c.Tokens) == 0 {
			fmt.Fprintf(o.shell.Out, "%-16s none; lanyard scim tokens create %s\n", "tokens", c.Name)
			return nil
		}
		fmt.Fprintln(o.shell.Out)
		return o.tokens(c.Tokens)
	})
}

func newSCIMConnectionsCreate(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Give a connection a SCIM endpoint",
		Long: `Give a connection a SCIM endpoint, with the default mapping of its strategy. A
connection that does not exist is made.`,
		Example: `  lanyard scim connections create acme --strategy okta`,
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.made.Name = args[0]
			return opts.show(cmd, ReadWrite, func(ctx context.Context, s Session) (inbound.Overview, error) { return s.ConnectSCIM(ctx, opts.made) })
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringVar(&opts.made.Strategy, "strategy", "okta", "the `STRATEGY` of a new connection: okta, oidc, samlp or waad")
	return cmd
}

func newSCIMConnectionsSet(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "set CONNECTION",
		Short: "Change the client profile or the policies of a connection",
		Long: `Change the client profile or the policies of a connection. A profile says what a
client may send beside the RFCs; every use of it is in the request log. Policies
say what becomes of members who do not exist, and of people who are there already.`,
		Example: `  lanyard scim connections set acme --profile okta-wizard --unknown-members defer`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.change.Policy == (tenant.SCIMPolicy{}) {
				return fault.New(fault.Usage, "nothing is to be changed").Fix("say --profile, --unknown-members, --rehire or --existing")
			}
			return opts.show(cmd, ReadWrite, func(ctx context.Context, s Session) (inbound.Overview, error) {
				return s.ChangeSCIM(ctx, args[0], opts.change)
			})
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	profiles := make([]string, 0, len(tenant.Profiles()))
	for _, p := range tenant.Profiles() {
		profiles = append(profiles, string(p))
	}
	policy, flags := &opts.change.Policy, cmd.Flags()
	flags.StringVar((*string)(&policy.Profile), "profile", "", "the client `PROFILE`: "+strings.Join(profiles, ", "))
	flags.StringVar((*string)(&policy.UnknownMembers), "unknown-members", "", "members of a group who are no users: `POLICY` strict refuses the request, drop leaves them out, "+
		"defer lets them join when they appear")
	flags.StringVar((*string)(&policy.Rehire), "rehire", "", "a POST with the externalId or userName of a blocked account: `POLICY` link or refuse")
	flags.StringVar((*string)(&policy.Existing), "existing", "", "a POST with the userName or e-mail address of an account without externalId: `POLICY` link or refuse")
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(profiles, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newSCIMTokens(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "tokens",
		Short: "Make, list and revoke tokens of a SCIM endpoint",
		Long: `Make, list and revoke tokens of a connection's SCIM endpoint. Two can be good at
once, so that one can take over from the other.`,
		Example: `  lanyard scim tokens create acme --expires 2160h`,
	})
	cmd.AddCommand(newSCIMTokensCreate(sh), newSCIMTokensList(sh), newSCIMTokensRevoke(sh))
	return cmd
}

func newSCIMTokensCreate(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "create CONNECTION",
		Short: "Make a token for a SCIM endpoint",
		Long: `Make a token for a connection's SCIM endpoint and print it, this once: only its
digest is kept. Without --scope it may read, create and replace users.`,
		Example: `  lanyard scim tokens create acme --scope get:users --scope put:users`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref = args[0]
			return opts.createToken(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringSliceVar(&opts.token.Scopes, "scope", nil, "a `SCOPE`: get, post, put, patch or delete, then :users or :groups; may be repeated")
	cmd.Flags().DurationVar(&opts.token.Life, "expires", 0, "the `TIME` after which the token is refused, at least 15m; without it never")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(tenant.SCIMScopes(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// scimToken is what programs are told of a token.
type scimToken inbound.Token

func (o *scimOptions) createToken(cmd *cobra.Command) error {
	return o.with(cmd, ReadWrite, func(ctx context.Context, session Session) error {
		secret, kept, err := session.CreateSCIMToken(ctx, o.ref, o.token)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, struct {
				Token string `json:"token"`
				scimToken
			}{secret, scimToken(kept)})
		}
		fmt.Fprintf(o.shell.Err, "token %s may %s and expires %s; it is not shown again\n", kept.ID, strings.Join(kept.Scopes, ", "), day(kept.ValidUntil))
		fmt.Fprintln(o.shell.Out, secret)
		return nil
	})
}

func newSCIMTokensList(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list CONNECTION",
		Short:   "List the tokens of a SCIM endpoint",
		Long:    `List the tokens of a connection's SCIM endpoint. The tokens themselves are not kept.`,
		Example: `  lanyard scim tokens list acme`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref = args[0]
			return opts.listTokens(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *scimOptions) listTokens(cmd *cobra.Command) error {
	return o.with(cmd, ReadOnly, func(ctx context.Context, session Session) error {
		c, err := session.SCIMConnection(ctx, o.ref)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, struct {
				Tokens []inbound.Token `json:"tokens"`
			}{c.Tokens})
		}
		return o.tokens(c.Tokens)
	})
}

// tokens prints a table of tokens.
func (o *scimOptions) tokens(list []inbound.Token) error {
	table := newTable(o.shell.IO, "TOKEN", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "WARNING")
	for _, t := range list {
		table.row(t.ID, strings.Join(t.Scopes, " "), day(t.Created), day(t.LastUsed), day(t.ValidUntil), t.Warning)
	}
	return table.print()
}

func newSCIMTokensRevoke(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "revoke CONNECTION TOKEN",
		Short:   "Revoke a token of a SCIM endpoint, by its id",
		Long:    `Revoke a token of a connection's SCIM endpoint, by its id. It is refused from the next call on.`,
		Example: `  lanyard scim tokens revoke acme tok_MdZJxcMI804pRS5Y`,
		Args:    takes("CONNECTION", "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref, opts.which = args[0], args[1]
			return opts.revokeToken(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *scimOptions) revokeToken(cmd *cobra.Command) error {
	return o.with(cmd, ReadWrite, func(ctx context.Context, session Session) error {
		gone, err := session.RevokeSCIMToken(ctx, o.ref, o.which)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, gone)
		}
		fmt.Fprintf(o.shell.Out, "%s  revoked\n", gone.ID)
		return nil
	})
}

func newSCIMCheck(sh *shell) *cobra.Command {
	opts := scimOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare who can sign in with who is provisioned",
		Long: `Compare two applications of the sandbox's Okta org: the one by which people sign
in and the one that provisions them. Who is assigned to one of them only is
listed. An application in Federation Broker Mode, which lets everybody in, is
reported. The exit code says whether anything is to be put right.`,
		Example: `  lanyard scim check --sign-on "Acme login" --provisioner "Acme SCIM"`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.check(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringVar(&opts.signOn, "sign-on", "", "the id or label of the OpenID Connect `APP`")
	cmd.Flags().StringVar(&opts.provisioner, "provisioner", "", "the id or label of the `APP` that provisions by SCIM")
	return cmd
}

func (o *scimOptions) check(cmd *cobra.Command) error {
	if o.signOn == "" || o.provisioner == "" {
		return fault.New(fault.Usage, "two applications are to be compared").Fix("say --sign-on APP and --provisioner APP")
	}
	return o.with(cmd, ReadOnly, func(ctx context.Context, session Session) error {
		found, err := session.CompareAssignments(ctx, o.signOn, o.provisioner)
		if err != nil {
			return err
		}
		if o.output.json() {
			err = writeJSON(o.shell.Out, o.output.format, found)
		} else {
			err = o.printCheck(found)
		}
		if err != nil || found.Agree() {
			return err
		}
		return outcome(exitError)
	})
}

func (o *scimOptions) printCheck(a inbound.Assignments) error {
	fmt.Fprintf(o.shell.Out, "%d assigned to both %s and %s\n", a.Both, printable(a.SignOn.Label), printable(a.Provisioner.Label))
	if a.BrokerMode {
		fmt.Fprintf(o.shell.Out, "%s is in Federation Broker Mode: everybody can sign in, assigned or not. Switch it off.\n", printable(a.SignOn.Label))
	}
	if len(a.SignOnOnly)+len(a.ProvisionerOnly) == 0 {
		return nil
	}
	table := newTable(o.shell.IO, "WHAT", "NAME", "ID", "ASSIGNED TO", "SO THEY")
	for _, one := range a.SignOnOnly {
		table.row(one.Kind, one.Name, one.ID, a.SignOn.Label, "can sign in, but are not provisioned")
	}
	for _, one := range a.ProvisionerOnly {
		table.row(one.Kind, one.Name, one.ID, a.Provisioner.Label, "are provisioned, but cannot sign in")
	}
	return table.print()
}

// with does something with the open data folder.
func (o *scimOptions) with(cmd *cobra.Command, access Access, do func(context.Context, Session) error) error {
	return withSession(o.shell, cmd, access, do)
}
