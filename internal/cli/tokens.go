package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
)

func newTokens(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "tokens",
		GroupID: groupSetup,
		Short:   "Make, list and revoke API tokens of the sandbox's Okta org",
		Long: `Make, list and revoke API tokens of the sandbox's Okta org, for programs that
speak to lanyard serve as to Okta. A token acts for an account with its admin
roles, or with one of them. It ends when it is not used for 30 days.`,
		Example: `  lanyard tokens create --name ci --role READ_ONLY_ADMIN`,
	})
	cmd.AddCommand(newTokensCreate(sh), newTokensList(sh), newTokensRevoke(sh))
	return cmd
}

type tokensOptions struct {
	shell  *shell
	output output
	token  oauth.NewAPIToken
	ref    string
}

func newTokensCreate(sh *shell) *cobra.Command {
	opts := tokensOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an API token",
		Long: `Make an API token and print it, this once: only its digest is kept. Send it as
"Authorization: SSWS TOKEN". Without --as it acts for the sandbox's administrator.`,
		Example: `  lanyard tokens create --name ci --as ada.min@example.com --role READ_ONLY_ADMIN`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.create(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringVar(&opts.token.Name, "name", "", "the `NAME` by which the token is listed and revoked")
	cmd.Flags().StringVar(&opts.token.As, "as", "", "the `LOGIN` or id of the account that it acts for")
	cmd.Flags().StringVar(&opts.token.Role, "role", "", "the only admin `ROLE` that it may use, such as READ_ONLY_ADMIN; default: all that the account holds")
	return cmd
}

func (o *tokensOptions) create(cmd *cobra.Command) error {
	if o.token.Name == "" {
		return fault.New(fault.Usage, "a token needs a name").At("--name").Fix("say what it is for: --name ci")
	}
	return o.with(cmd, ReadWrite, func(ctx context.Context, session Session) error {
		token, kept, err := session.CreateToken(ctx, o.token)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, struct {
				Token string `json:"token"`
				tokenRow
			}{token, rowOf(kept)})
		}
		fmt.Fprintf(o.shell.Err, "token %s acts for %s until it is not used for 30 days; it is not shown again\n", kept.ID, kept.Login)
		fmt.Fprintln(o.shell.Out, token)
		return nil
	})
}

func newTokensList(sh *shell) *cobra.Command {
	opts := tokensOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the API tokens that are good",
		Long:    `List the API tokens that are good. The tokens themselves are not kept.`,
		Example: `  lanyard tokens list -o json`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.list(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *tokensOptions) list(cmd *cobra.Command) error {
	return o.with(cmd, ReadOnly, func(ctx context.Context, session Session) error {
		tokens, err := session.Tokens(ctx)
		if err != nil {
			return err
		}
		rows := make([]tokenRow, len(tokens))
		for i, t := range tokens {
			rows[i] = rowOf(t)
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, struct {
				Tokens []tokenRow `json:"tokens"`
			}{rows})
		}
		table := newTable(o.shell.IO, "ID", "NAME", "ACTS FOR", "ROLE", "CREATED", "LAST USED", "EXPIRES")
		for _, r := range rows {
			table.row(r.ID, r.Name, r.Login, r.Role, day(r.Created), day(r.Used), day(r.Expires))
		}
		return table.print()
	})
}

// day shows a time as precisely as the last use is kept.
func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func newTokensRevoke(sh *shell) *cobra.Command {
	opts := tokensOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "revoke TOKEN",
		Short:   "Revoke an API token, by its id or name",
		Long:    `Revoke an API token, by its id or name. It is refused from the next call on.`,
		Example: `  lanyard tokens revoke ci`,
		Args:    takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref = args[0]
			return opts.revoke(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *tokensOptions) revoke(cmd *cobra.Command) error {
	return o.with(cmd, ReadWrite, func(ctx context.Context, session Session) error {
		kept, err := session.RevokeToken(ctx, o.ref)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, rowOf(kept))
		}
		fmt.Fprintf(o.shell.Out, "%s  %s  revoked\n", kept.ID, kept.Name)
		return nil
	})
}

// with does something with the open data folder.
func (o *tokensOptions) with(cmd *cobra.Command, access Access, do func(context.Context, Session) error) error {
	session, err := o.shell.open(cmd.Context(), o.shell.settings(cmd), access)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	return do(cmd.Context(), session)
}

// tokenRow is what programs are told of a token.
type tokenRow struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Login   string    `json:"login"`
	Role    string    `json:"role,omitempty"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	Expires time.Time `json:"expires"`
}

func rowOf(t oauth.APIToken) tokenRow {
	return tokenRow{ID: t.ID, Name: t.Name, Login: t.Login, Role: t.Role, Created: t.Created, Used: t.Used, Expires: t.Expires}
}
