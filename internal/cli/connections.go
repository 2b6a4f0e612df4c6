package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Connections is what the product does with connections.
type Connections interface {
	// Report tells of the named connections, or of all; with probe each is
	// tested with a call, and what that finds is kept.
	Report(ctx context.Context, s Settings, names []string, probe bool) ([]ConnectionReport, error)
	// Add keeps a new connection. For a service app without a key it makes one.
	Add(ctx context.Context, req AddConnection) (KeyToRegister, error)
	// Authorize has a person sign in.
	Authorize(ctx context.Context, req AuthorizeConnection) (connector.Granted, error)
	// Scopes compares what a connection may do with what workflows need.
	Scopes(ctx context.Context, req ScopesRequest) (ScopesReport, error)
	// Rotate replaces a connection's credential.
	Rotate(ctx context.Context, req RotateConnection) (RotateReport, error)
	// Remove forgets a connection and what the vault holds for it: it returns
	// how many entries that were.
	Remove(ctx context.Context, s Settings, name string) (int, error)
	// Vault tells of the vault, and RotateVault gives it another key.
	Vault(ctx context.Context, s Settings) (VaultReport, error)
	RotateVault(ctx context.Context, s Settings, to string) (secret.VaultKey, error)
}

// ConnectionReport is the state of one connection. It never holds a credential.
type ConnectionReport struct {
	Name       string    `json:"name"`
	Server     string    `json:"server"`
	Credential string    `json:"credential"`
	From       string    `json:"from,omitempty"` // lanyard.yaml, connections add, environment
	OK         bool      `json:"ok"`
	State      string    `json:"state,omitempty"`    // as the last test found it
	Checked    time.Time `json:"checked,omitzero"`   // when that was
	Status     int       `json:"status,omitempty"`   // of the probe's answer
	Identity   string    `json:"identity,omitempty"` // in whose name it calls, as far as known
	Scopes     []string  `json:"scopes,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`   // when it ends unless somebody does something
	TokenEnds  time.Time `json:"tokenEnds,omitzero"` // of the last access token, which renews itself
	Message    string    `json:"message,omitempty"`
	Remedy     string    `json:"remedy,omitempty"`
	Denied     bool      `json:"-"` // the credential was refused

	Details *ConnectionDetails `json:"details,omitempty"` // for show
}

// ConnectionDetails is the rest of what can be told about a connection.
// Credentials in it are references.
type ConnectionDetails struct {
	config.Connection
	Added   time.Time      `json:"added,omitzero"`
	Rotated time.Time      `json:"rotated,omitzero"`
	Next    *config.Next   `json:"next,omitempty"`  // the key that waits to be registered
	Vault   []secret.Entry `json:"vault,omitempty"` // what the vault holds for it
}

func newConnections(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "connections",
		GroupID: groupSetup,
		Short:   "Add, test and look after the connections to providers",
		Long: `Look after the connections to providers: those of the configuration, of the
environment, and those added here, which are kept in the data folder. Their
credentials go to its vault. Where names are equal, the configuration wins.`,
		Example: `  lanyard connections add okta --server https://example.okta.com --token-from env:OKTA_API_TOKEN
  lanyard connections test okta`,
	})
	cmd.AddCommand(
		newConnectionsAdd(sh), newConnectionsList(sh), newConnectionsShow(sh), newConnectionsAuthorize(sh),
		newConnectionsTest(sh), newConnectionsScopes(sh), newConnectionsRotate(sh), newConnectionsRemove(sh),
	)
	return cmd
}

// connections returns the product's part.
func (sh *shell) connections() (Connections, error) {
	if sh.product.Connections == nil {
		return nil, missingPart("connections")
	}
	return sh.product.Connections, nil
}

type connectionsOptions struct {
	shell  *shell
	output output
	probe  bool
}

func newConnectionsList(sh *shell) *cobra.Command {
	opts := connectionsOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the connections",
		Long: `List the connections, where each comes from, and what its last test found.
Nothing is sent.`,
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
is accepted, who it belongs to, and whether scopes or a role are missing. What is
found is kept, for list and show. Without a NAME, all are tested.`,
		Example: `  lanyard connections test oktaApi`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), args)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *connectionsOptions) run(ctx context.Context, settings Settings, names []string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	reports, err := connections.Report(ctx, settings, names, o.probe)
	if err != nil {
		return err
	}
	for i := range reports {
		reports[i].Details = nil
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
	header := []string{"CONNECTION", "SERVER", "CREDENTIAL", "FROM", "STATE", "TESTED"}
	if o.probe {
		header = []string{"CONNECTION", "SERVER", "CREDENTIAL", "STATE", "RESULT", "IDENTITY", "REMEDY"}
	}
	t := newTable(o.shell.IO, header...)
	t.look = func(column, text string) style {
		switch {
		case column == "STATE":
			return stateStyle(text)
		case column != "RESULT":
			return plain
		case text == checkOK:
			return green
		}
		return red
	}
	for _, r := range reports {
		if !o.probe {
			t.row(r.Name, r.Server, r.Credential, r.From, stateText(r), dateTime(r.Checked))
			continue
		}
		result := checkOK
		if !r.OK {
			result = r.Message
		}
		t.row(r.Name, r.Server, r.Credential, r.State, result, r.Identity, r.Remedy)
	}
	return t.print()
}

// stateText is the state of a connection for a list.
func stateText(r ConnectionReport) string {
	if !r.OK && r.State == "" {
		return r.Message
	}
	return cmp.Or(r.State, "not tested")
}

func stateStyle(state string) style {
	switch state {
	case connector.Connected:
		return green
	case connector.Expiring, "not tested":
		return yellow
	case "":
		return plain
	}
	return red
}

// dateTime is a time for people, empty for none.
func dateTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

type connectionsShowOptions struct {
	shell  *shell
	output output
}

func newConnectionsShow(sh *shell) *cobra.Command {
	opts := connectionsShowOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show all that is known of a connection but its secrets",
		Long: `Show all that is known of a connection but its secrets: where it goes, how it
identifies itself, when it was added and changed, what its last test found and
when it ends. Nothing is sent.`,
		Example: `  lanyard connections show okta`,
		Args:    takes("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *connectionsShowOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	reports, err := connections.Report(cmd.Context(), o.shell.settings(cmd), []string{name}, false)
	if err != nil {
		return err
	}
	for _, r := range reports {
		if o.output.json() {
			return writeJSON(o.shell.Out, o.output.format, r)
		}
		o.print(r)
	}
	return nil
}

func (o *connectionsShowOptions) print(r ConnectionReport) {
	d := r.Details
	if d == nil {
		d = &ConnectionDetails{}
	}
	a := d.Auth
	rows := [][2]string{
		{"connection", r.Name}, {"from", r.From}, {"provider", d.Provider}, {"server", r.Server}, {"further hosts", strings.Join(d.Hosts, " ")},
		{"credential", r.Credential}, {"kept in", kept(a)}, {"client id", a.ClientID}, {"user name", a.Username}, {"key id", a.KeyID},
		{"scopes asked", strings.Join(a.Scopes, " ")}, {"audience", a.Audience}, {"proof of possession", yes(a.DPoP)}, {"private addresses", yes(d.AllowPrivate)},
		{"state", stateText(r)}, {"tested", dateTime(r.Checked)}, {"identity", r.Identity}, {"scopes granted", strings.Join(r.Scopes, " ")},
		{"message", r.Message}, {"remedy", r.Remedy}, {"ends", dateTime(r.Expires)}, {"access token ends", dateTime(r.TokenEnds)},
		{"added", dateTime(d.Added)}, {"rotated", dateTime(d.Rotated)},
	}
	if d.Next != nil {
		rows = append(rows, [2]string{"next key", d.Next.KeyID + ", made " + dateTime(d.Next.Made) + ", waits to be registered"})
	}
	for _, e := range d.Vault {
		rows = append(rows, [2]string{"in the vault", e.Name + ", of " + dateTime(e.Updated)})
	}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(o.shell.Out, "%-20s %s\n", row[0], printable(row[1]))
		}
	}
}

// kept says where the parts of a credential are.
func kept(a config.Auth) string {
	var refs []string
	for _, ref := range []string{a.Token, a.Password, a.ClientSecret, a.PrivateKey} {
		if ref != "" {
			refs = append(refs, ref)
		}
	}
	return strings.Join(refs, " ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// redirected reads what a browser was sent back to: a URL, or its query.
func redirected(text string) (url.Values, bool) {
	text = strings.TrimSpace(text)
	if _, query, ok := strings.Cut(text, "?"); ok {
		text = query
	}
	text, _, _ = strings.Cut(text, "#")
	values, err := url.ParseQuery(text)
	return values, err == nil && (values.Has("code") || values.Has("error"))
}
