package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/secret"
)

// VaultReport tells of the vault, and of no value in it.
type VaultReport struct {
	Key     secret.VaultKey `json:"key"`
	Entries []secret.Entry  `json:"entries"`
}

func newVault(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "vault",
		GroupID: groupSetup,
		Short:   "Look at the vault, and change its key",
		Long: `Look at the vault of the data folder, where the credentials of connections are
kept, and change the key that seals it. No command shows what is in it.`,
		Example: `  lanyard vault show`,
	})
	cmd.AddCommand(newVaultShow(sh), newVaultRotate(sh))
	return cmd
}

type vaultOptions struct {
	shell  *shell
	output output
	to     string
}

func newVaultShow(sh *shell) *cobra.Command {
	opts := vaultOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show where the vault's key is, and the names of what it holds",
		Long:    `Show where the vault's key is, and the names and dates of what it holds.`,
		Example: `  lanyard vault show -o json`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.show(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *vaultOptions) show(cmd *cobra.Command) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	r, err := connections.Vault(cmd.Context(), o.shell.settings(cmd))
	if err != nil {
		return err
	}
	if r.Entries == nil {
		r.Entries = []secret.Entry{}
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, r)
	}
	fmt.Fprintf(o.shell.Out, "key %s, fingerprint %s\n", printable(r.Key.Ref), printable(r.Key.ID))
	t := newTable(o.shell.IO, "ENTRY", "OF")
	for _, e := range r.Entries {
		t.row(e.Name, dateTime(e.Updated))
	}
	return t.print()
}

func newVaultRotate(sh *shell) *cobra.Command {
	opts := vaultOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Give the vault another key",
		Long: `Give the vault another key. The entries stay as they are; only what seals their
own keys is replaced, in one step: a command that is killed loses nothing.

The new key is made in the data folder, or kept in a file elsewhere (made when it
is missing), in the environment, or in the system's keyring. A key is 32 bytes; as
text, in base64 or hexadecimal. A new vault takes its key from the environment
variable LANYARD_KEY when that is set, else from the data folder.`,
		Example: `  lanyard vault rotate
  lanyard vault rotate --to file:/run/secrets/lanyard.key`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error { return opts.rotate(cmd) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringVar(&opts.to, "to", secret.KeyInFolder, "the `PLACE` of the new key: folder, file:PATH, env:NAME, keyring")
	return cmd
}

func (o *vaultOptions) rotate(cmd *cobra.Command) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	key, err := connections.RotateVault(cmd.Context(), o.shell.settings(cmd), o.to)
	if err != nil {
		return err
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Key secret.VaultKey `json:"key"`
		}{key})
	}
	fmt.Fprintf(o.shell.Out, "the vault's key is now %s, fingerprint %s\n", printable(key.Ref), printable(key.ID))
	return nil
}
