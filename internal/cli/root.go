package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Where things are unless a flag says otherwise.
const (
	defaultConfig = "lanyard.yaml"
	defaultData   = ".lanyard"
)

// shell is what every command is given: the streams, the wired product and the
// flags that all commands share. The flags are set once a command runs.
type shell struct {
	IO
	product Product

	config  string // --config
	data    string // --data
	verbose bool   // --verbose

	// log goes to stderr with --verbose, and nowhere without it: people read the
	// command's own words.
	log *slog.Logger

	// began is set when a command starts its work. An error from before that is
	// a wrong command line.
	began bool
}

// The groups of commands in the help.
const (
	groupWork  = "work"
	groupSetup = "setup"
)

// newRoot builds the command tree.
func newRoot(sh *shell) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "lanyard",
		Short: "Run identity workflows across providers and keep the people in them right",
		Long: `Lanyard runs Arazzo workflows across Okta, Auth0, SCIM and anything that has an
OpenAPI description. Runs are durable: what was done is never done twice, and
what is in doubt waits for you.

Results go to stdout, progress and errors to stderr; -o json is for programs.
Every flag can also be set in the environment: --data is LANYARD_DATA,
--allow-private is LANYARD_ALLOW_PRIVATE. A flag wins over the environment, and
the environment over the configuration file.

Exit codes:
` + exitCodeHelp(),
		Example: `  lanyard init
  lanyard run auth0-user-to-okta-group.arazzo.yaml --sandbox --inputs inputs.json`,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return sh.prepare(cmd) },
		SilenceErrors:     true, // Main prints them, in the format that was asked for
		SilenceUsage:      true,
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetIn(sh.In)
	root.SetOut(sh.Out)
	root.SetErr(sh.Err)

	flags := root.PersistentFlags()
	flags.StringVar(&sh.config, "config", defaultConfig, "the configuration `FILE`; without the flag it need not exist")
	flags.StringVar(&sh.data, "data", defaultData, "the `FOLDER` that holds journal, directory and keys")
	flags.BoolVar(&sh.verbose, "verbose", false, "log on stderr what happens inside")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	_ = root.MarkPersistentFlagDirname("data")

	root.AddGroup(&cobra.Group{ID: groupWork, Title: "Workflows and runs:"}, &cobra.Group{ID: groupSetup, Title: "Setting up:"})
	root.SetHelpCommand(newHelp())
	root.SetHelpCommandGroupID(groupSetup)
	root.AddCommand(
		newRun(sh),
		newPlan(sh),
		newValidate(sh),
		newFix(sh),
		newSources(sh),
		newRuns(sh),
		newActions(sh),
		newTables(sh),
		newServe(sh),
		newTokens(sh),
		newSCIM(sh),
		newProvision(sh),
		newImport(sh),
		newExplain(sh),
		newTriggers(sh),
		newFolder(sh),
		newRehearsal(sh),
		newConnections(sh),
		newVault(sh),
		newConformance(sh),
		newInit(sh),
		newDoctor(sh),
		newVersion(sh),
		newCompletion(sh),
		newDocs(sh),
	)
	sh.markBegin(root)
	return root
}

// prepare runs before every command: it takes the environment's flags and opens
// the log.
func (sh *shell) prepare(cmd *cobra.Command) error {
	if err := setFromEnv(cmd.Flags(), sh.Env); err != nil {
		return err
	}
	if sh.verbose {
		sh.log = slog.New(slog.NewTextHandler(sh.Err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return nil
}

// markBegin makes every command of the tree note that its work has begun.
func (sh *shell) markBegin(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			sh.began = true
			return run(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		sh.markBegin(child)
	}
}

// configGiven reports whether the configuration file was named, so that it must
// exist.
func configGiven(cmd *cobra.Command) bool { return cmd.Flags().Changed("config") }

// envName is the environment's twin of a flag.
func envName(flag string) string {
	return "LANYARD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setFromEnv sets the flags that the command line left alone from the
// environment. A flag that may be repeated takes one value a line. Empty means
// not set.
func setFromEnv(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var problems []error
	flags.VisitAll(func(flag *pflag.Flag) {
		text, ok := env(envName(flag.Name))
		if !ok || text == "" || flag.Changed || flag.Name == "help" {
			return
		}
		values := []string{text}
		if _, repeats := flag.Value.(pflag.SliceValue); repeats {
			values = strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
		}
		for _, v := range values {
			if err := flags.Set(flag.Name, v); err != nil {
				problems = append(problems, envError(flag, err))
				return
			}
		}
	})
	return fault.Join(problems...)
}

func envError(flag *pflag.Flag, err error) error {
	name := envName(flag.Name)
	var own *fault.Error
	if errors.As(err, &own) {
		return own.At("%s", name)
	}
	return fault.Wrap(fault.Usage, err, "the value is not %s", kindOf(flag)).At("%s", name).Fix("correct the variable or remove it")
}

// exitCodeHelp lays the exit codes out for the help.
func exitCodeHelp() string {
	var b strings.Builder
	for _, row := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", row.code, row.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// wrongUsage turns what cobra itself refused into a fault of the person's.
func wrongUsage(cmd *cobra.Command, err error) error {
	var ours *fault.Error
	if errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.Wrap(fault.Usage, err, "%s", err.Error()).Fix("%q shows an example", cmd.CommandPath()+" --help")
}
