package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// ConnectionReport is the state of one connection. It never holds a credential.
type ConnectionReport struct {
	Name       string   `json:"name"`
	Server     string   `json:"server"`
	Credential string   `json:"credential"`
	OK         bool     `json:"ok"`
	Status     int      `json:"status,omitempty"` // of the probe's answer
	Identity   string   `json:"identity,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`
	Message    string   `json:"message,omitempty"`
	Remedy     string   `json:"remedy,omitempty"`
	Denied     bool     `json:"-"` // the credential was refused
}

func newConnections(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "connections",
		GroupID: groupSetup,
		Short:   "Look at the connections and test them",
		Long: `Look at the connections of the configuration and of the environment, and test
them with a call that only reads.`,
		Example: `  lanyard connections test oktaApi`,
	})
	cmd.AddCommand(newConnectionsList(sh), newConnectionsTest(sh))
	return cmd
}

type connectionsOptions struct {
	shell  *shell
	output output
	probe  bool
}

func newConnectionsList(sh *shell) *cobra.Command {
	opts := connectionsOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the connections",
		Long:    `List the connections of the configuration and of the environment. Nothing is sent.`,
		Example: `  lanyard connections list -o json`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), nil)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func newConnectionsTest(sh *shell) *cobra.Command {
	opts := connectionsOptions{shell: sh, probe: true}
	cmd := &cobra.Command{
		Use:   "test [NAME...]",
		Short: "Test connections with a call that only reads",
		Long: `Test connections with a call that only reads: the server answers, the credential
is accepted, and who it belongs to. Without a NAME, all are tested.`,
		Example: `  lanyard connections test oktaApi`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), args)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *connectionsOptions) run(ctx context.Context, settings Settings, names []string) error {
	if o.shell.product.Connections == nil {
		return missingPart("connections")
	}
	reports, err := o.shell.product.Connections(ctx, settings, names, o.probe)
	if err != nil {
		return err
	}
	if err := o.print(reports); err != nil {
		return err
	}
	for _, r := range reports {
		if o.probe && !r.OK {
			if r.Denied {
				return outcome(exitAuth)
			}
			return outcome(exitError)
		}
	}
	return nil
}

func (o *connectionsOptions) print(reports []ConnectionReport) error {
	if o.output.json() {
		if reports == nil {
			reports = []ConnectionReport{}
		}
		return writeJSON(o.shell.Out, o.output.format, struct {
			Connections []ConnectionReport `json:"connections"`
		}{reports})
	}
	header := []string{"CONNECTION", "SERVER", "CREDENTIAL"}
	if o.probe {
		header = append(header, "RESULT", "IDENTITY", "REMEDY")
	}
	t := newTable(o.shell.IO, header...)
	t.look = func(column, text string) style {
		switch {
		case column != "RESULT":
			return plain
		case text == checkOK:
			return green
		}
		return red
	}
	for _, r := range reports {
		result := checkOK
		if !r.OK {
			result = r.Message
		}
		t.row(r.Name, r.Server, r.Credential, result, r.Identity, r.Remedy)
	}
	return t.print()
}
