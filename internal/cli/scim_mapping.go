package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

func newSCIMMapping(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "mapping",
		Short: "Show, change and try out how SCIM attributes become Auth0 attributes",
		Long: `Show, change and try out how the SCIM attributes of a connection become Auth0
attributes. A row joins one SCIM attribute, such as emails[primary eq true].value,
to one Auth0 attribute, such as email or app_metadata.title.`,
		Example: `  lanyard scim mapping show acme
  lanyard scim mapping test acme person.json`,
	})
	cmd.AddCommand(newSCIMMappingShow(sh), newSCIMMappingSet(sh), newSCIMMappingReset(sh), newSCIMMappingTest(sh))
	return cmd
}

// mappingOptions are the flags of the commands on mappings.
type mappingOptions struct {
	shell  *shell
	output output
	ref    string
	file   string

	userID       string
	rows, remove []string
}

func newSCIMMappingShow(sh *shell) *cobra.Command {
	opts := mappingOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "show CONNECTION",
		Short:   "Show the mapping of a connection",
		Long:    `Show the rows of a connection's mapping, and the attribute that user ids end with.`,
		Example: `  lanyard scim mapping show acme -o json`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.show(cmd, ReadOnly, func(ctx context.Context, s Session) (inbound.Overview, error) { return s.SCIMConnection(ctx, args[0]) })
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

// show prints the mapping of the connection that something is done to.
func (o *mappingOptions) show(cmd *cobra.Command, access Access, do func(context.Context, Session) (inbound.Overview, error)) error {
	return withSession(o.shell, cmd, access, func(ctx context.Context, session Session) error {
		c, err := do(ctx, session)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, struct {
				UserIDAttribute string              `json:"userIdAttribute"`
				Mapping         []tenant.MappingRow `json:"mapping"`
			}{c.UserIDAttribute, c.Mapping})
		}
		table := newTable(o.shell.IO, "SCIM", "AUTH0")
		for _, row := range c.Mapping {
			table.row(row.SCIM, row.Auth0)
		}
		table.row(c.UserIDAttribute, "user_id, its last part")
		return table.print()
	})
}

func newSCIMMappingSet(sh *shell) *cobra.Command {
	opts := mappingOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "set CONNECTION",
		Short: "Change rows of a mapping",
		Long: `Change rows of a connection's mapping. A row replaces the one with the same SCIM
attribute. Who is there already keeps what earlier rows wrote until the identity
provider sends the person again.`,
		Example: `  lanyard scim mapping set acme --row 'roles=app_metadata.roles' --remove title`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref = args[0]
			return opts.set(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringArrayVar(&opts.rows, "row", nil, "a row as `SCIM=AUTH0`; may be repeated")
	cmd.Flags().StringArrayVar(&opts.remove, "remove", nil, "the `SCIM` attribute of a row to remove; may be repeated")
	cmd.Flags().StringVar(&opts.userID, "user-id", "", "the SCIM `ATTRIBUTE` that user ids end with: externalId or userName")
	return cmd
}

func (o *mappingOptions) set(cmd *cobra.Command) error {
	change := inbound.Change{UserIDAttribute: o.userID, Remove: o.remove}
	for _, text := range o.rows {
		// The SCIM side may have "=" in a literal, the Auth0 side has none.
		i := strings.LastIndexByte(text, '=')
		if i <= 0 || i == len(text)-1 {
			return fault.New(fault.Usage, "%q is no row", text).At("--row").Fix("write SCIM=AUTH0, such as title=app_metadata.title")
		}
		change.Set = append(change.Set, tenant.MappingRow{SCIM: text[:i], Auth0: text[i+1:]})
	}
	if change.Set == nil && change.Remove == nil && change.UserIDAttribute == "" {
		return fault.New(fault.Usage, "nothing is to be changed").Fix("say --row, --remove or --user-id")
	}
	return o.show(cmd, ReadWrite, func(ctx context.Context, s Session) (inbound.Overview, error) {
		return s.ChangeSCIM(ctx, o.ref, change)
	})
}

func newSCIMMappingReset(sh *shell) *cobra.Command {
	opts := mappingOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "reset CONNECTION",
		Short:   "Give a connection the default mapping of its strategy",
		Long:    `Give a connection the default mapping, and the user id attribute, of its strategy.`,
		Example: `  lanyard scim mapping reset acme`,
		Args:    takes("CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.show(cmd, ReadWrite, func(ctx context.Context, s Session) (inbound.Overview, error) {
				return s.ChangeSCIM(ctx, args[0], inbound.Change{Reset: true})
			})
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func newSCIMMappingTest(sh *shell) *cobra.Command {
	opts := mappingOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "test CONNECTION FILE",
		Short: "Show what a connection would make of a person",
		Long: `Show what a connection would make of a person, without writing anything. FILE
holds the body of a SCIM request, or an Okta user as Okta's API shows one; - reads
from stdin. The rows that would change an account are marked, and attributes that
no row reads are listed.`,
		Example: `  lanyard scim mapping test acme person.json`,
		Args:    takes("CONNECTION", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ref, opts.file = args[0], args[1]
			return opts.test(cmd)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *mappingOptions) test(cmd *cobra.Command) error {
	person, err := o.person()
	if err != nil {
		return err
	}
	return withSession(o.shell, cmd, ReadOnly, func(ctx context.Context, session Session) error {
		p, err := session.PreviewSCIM(ctx, o.ref, person)
		if err != nil {
			return err
		}
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, p)
		}
		return o.printPreview(p)
	})
}

func (o *mappingOptions) person() (map[string]any, error) {
	data, err := readFile(o.shell.IO, o.file)
	var unreadable *fault.Error
	if errors.As(err, &unreadable) {
		return nil, unreadable.Fix("name a JSON file, or - to read from stdin")
	}
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(data)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "%s", problemOf(err)).At("%s", syntaxPlace(o.file, data, err)).Fix("write one JSON object")
	}
	person, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the person is not an object").At("%s", o.file).Fix("write the body of a SCIM request, or an Okta user")
	}
	return person, nil
}

func (o *mappingOptions) printPreview(p inbound.Preview) error {
	verb := map[string]string{"create": "would be created", "link": "would be linked and updated", "refuse": "would be refused"}[p.Action]
	fmt.Fprintf(o.shell.Out, "%s %s\n", printable(p.UserID), verb)
	if p.Reason != "" {
		fmt.Fprintf(o.shell.Out, "%s\n", printable(p.Reason))
	}
	table := newTable(o.shell.IO, "", "AUTH0", "NOW", "THEN", "FROM")
	for _, row := range p.Rows {
		if row.Before == nil && row.After == nil {
			continue
		}
		mark := ""
		if row.Changed() {
			mark = "*"
		}
		table.row(mark, row.Auth0, cellOf(row.Before), cellOf(row.After), row.SCIM)
	}
	if err := table.print(); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"no row reads", p.Unmapped}, {"rows that do nothing", p.Inert}, {"why", p.Notes}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(o.shell.Out, "%s:\n  %s\n", part.title, strings.Join(printables(part.lines), "\n  "))
		}
	}
	return nil
}

// cellOf is a value as a cell of a table.
func cellOf(v any) string {
	if v == nil {
		return ""
	}
	return value.Text(v)
}

func printables(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = printable(l)
	}
	return out
}
