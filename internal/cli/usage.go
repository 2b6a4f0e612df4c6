package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// group returns a command that only holds others: alone it shows its help, with
// a name that none of them has it fails.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = knownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(children...)
	return cmd
}

// knownCommand refuses a name that no command of a group has. cobra calls it
// only after it has looked for one.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	e := fault.New(fault.Usage, "%s has no command %q", cmd.CommandPath(), args[0])
	if near := spelling.Nearest(args[0], names); near != "" {
		return e.Fix("did you mean %q?", cmd.CommandPath()+" "+near)
	}
	return e.Fix("%q lists the commands", cmd.CommandPath()+" --help")
}

// newHelp replaces cobra's help command, which succeeds for a command that does
// not exist.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND...]",
		GroupID: groupSetup,
		Short:   "Explain a command",
		Long:    "Explain a command: what it does, its flags, and an example to run.",
		Example: "  lanyard help doctor",
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				i := slices.IndexFunc(about.Commands(), func(child *cobra.Command) bool { return child.Name() == name })
				if i < 0 {
					return knownCommand(about, []string{name})
				}
				about = about.Commands()[i]
			}
			about.InitDefaultHelpFlag() // or the help leaves --help out
			return about.Help()
		},
	}
}

// takes declares the arguments of a command by the names its usage line gives
// them: FILE is needed, [FOLDER] is not, and a name ending in ... may repeat.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		help := cmd.CommandPath() + " --help"
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return fault.New(fault.Usage, "%s needs %s", cmd.CommandPath(), strings.TrimSuffix(name, "...")).Fix("%q shows an example", help)
			}
		}
		repeats := len(names) > 0 && strings.HasSuffix(strings.TrimSuffix(names[len(names)-1], "]"), "...")
		if len(args) > len(names) && !repeats {
			return fault.New(fault.Usage, "%s has no place for %q", cmd.CommandPath(), args[len(names)]).Fix("%q shows what it takes", help)
		}
		return nil
	}
}

// flagError puts what is wrong with a flag into our form. A flag's value is
// never repeated: it may be a password.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		own     *fault.Error
	)
	switch {
	case errors.As(err, &own) && errors.As(err, &invalid):
		return own.At("--%s", invalid.GetFlag().Name)
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return fault.Wrap(fault.Usage, err, "the value is not %s", kindOf(flag)).At("--%s", flag.Name).Fix("%q shows an example", cmd.CommandPath()+" --help")
	case errors.As(err, &missing):
		return fault.New(fault.Usage, "the value is missing").At("--%s", missing.GetFlag().Name).Fix("write it behind the flag")
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	}
	return fault.Wrap(fault.Usage, err, "the flags cannot be read").Fix("%q shows them", cmd.CommandPath()+" --help")
}

// kindOf says what the value of a flag is.
func kindOf(flag *pflag.Flag) string {
	switch kind := flag.Value.Type(); kind {
	case "int", "int64":
		return "a whole number"
	case "bool":
		return "true or false"
	case "duration":
		return "a length of time such as 30s or 5m"
	default:
		return "a " + kind
	}
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	if group := unknown.GetSpecifiedShortnames(); group != "" {
		return fault.New(fault.Usage, "%s has no flag -%s", cmd.CommandPath(), unknown.GetSpecifiedName()).
			Fix("%q lists the flags", cmd.CommandPath()+" --help")
	}
	e := fault.New(fault.Usage, "%s has no flag --%s", cmd.CommandPath(), unknown.GetSpecifiedName())
	if unknown.GetSpecifiedName() == formatJSON && cmd.Flags().Lookup("output") != nil {
		return e.Fix("write -o json")
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	if near := spelling.Nearest(unknown.GetSpecifiedName(), names); near != "" {
		return e.Fix("did you mean --%s?", near)
	}
	return e.Fix("%q lists the flags", cmd.CommandPath()+" --help")
}
