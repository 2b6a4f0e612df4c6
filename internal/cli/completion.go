package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// shells are those a completion script can be written for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

type completionOptions struct {
	shell *shell
	kind  string // SHELL
}

func newCompletion(sh *shell) *cobra.Command {
	opts := completionOptions{shell: sh}
	return &cobra.Command{
		Use:     "completion SHELL",
		GroupID: groupSetup,
		Short:   "Write a completion script for your shell",
		Long: `Write a script that teaches your shell to complete Lanyard's commands and flags.
SHELL is bash, zsh, fish or powershell.

Load it once with the example below, or in every session:
  bash        add the line to ~/.bashrc (needs the package bash-completion)
  zsh         lanyard completion zsh > "${fpath[1]}/_lanyard"
  fish        lanyard completion fish > ~/.config/fish/completions/lanyard.fish
  powershell  lanyard completion powershell | Out-String | Invoke-Expression`,
		Example:               `  source <(lanyard completion bash)`,
		Args:                  takes("SHELL"),
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.kind = args[0]
			return opts.run(cmd.Root())
		},
	}
}

func (o *completionOptions) run(root *cobra.Command) error {
	switch o.kind {
	case "bash":
		return root.GenBashCompletionV2(o.shell.Out, true)
	case "zsh":
		return root.GenZshCompletion(o.shell.Out)
	case "fish":
		return root.GenFishCompletion(o.shell.Out, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(o.shell.Out)
	}
	return fault.New(fault.Usage, "there is no completion for the shell %q", o.kind).Fix("use one of %s", strings.Join(shells, ", "))
}
