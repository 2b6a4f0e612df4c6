package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyard-id/lanyard/internal/fault"
)

type docsOptions struct {
	shell *shell
	file  string // [FILE]
}

// newDocs declares the hidden command that writes docs/reference/cli.md from
// the tree itself, so that the reference cannot lag behind.
func newDocs(sh *shell) *cobra.Command {
	opts := docsOptions{shell: sh}
	return &cobra.Command{
		Use:     "docs [FILE]",
		Hidden:  true,
		Short:   "Write the reference of the command line",
		Long:    "Write the reference of the command line as Markdown, to FILE or to stdout.",
		Example: `  lanyard docs docs/reference/cli.md`,
		Args:    takes("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.file = args[0]
			}
			return opts.run(cmd.Root())
		},
	}
}

func (o *docsOptions) run(root *cobra.Command) error {
	text := reference(root)
	if o.file == "" {
		_, err := fmt.Fprint(o.shell.Out, text)
		return err
	}
	if err := os.WriteFile(o.file, []byte(text), 0o644); err != nil { //nolint:gosec // a document for everyone
		return fault.Wrap(fault.Usage, err, "the reference cannot be written").At("%s", o.file).Fix("name a file in a folder that exists")
	}
	return nil
}

// reference writes the whole tree as Markdown.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("<!-- Written by `make generate` from the command tree. Do not edit. -->\n\n")
	fmt.Fprintf(&b, "# The command line\n\n%s.\n\n", root.Short)
	b.WriteString("Results go to stdout, progress and errors to stderr. An error is one line that\n")
	b.WriteString("names the place, says what is wrong and what to do. With `-o json` it is\n")
	b.WriteString("`{\"error\": {\"kind\", \"message\", \"place\", \"remedy\"}}` on stdout, and `errors`\n")
	b.WriteString("beside it holds all of them when there are several.\n\n")
	b.WriteString("A flag wins over its variable in the environment, and that over the\nconfiguration file. A variable for a flag that may be repeated holds one value a\nline.\n\n")

	b.WriteString("## Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, row := range exitCodes {
		fmt.Fprintf(&b, "| %d | %s |\n", row.code, row.meaning)
	}
	b.WriteString("\n## Flags of every command\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, child := range root.Commands() {
		describeCommand(&b, child)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func describeCommand(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.IsAvailableCommand() {
		return
	}
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n```\n%s\n```\n\n", cmd.CommandPath(), proseOf(long), cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(b, "Example:\n\n```\n%s\n```\n\n", unindent(cmd.Example))
	}
	flagTable(b, cmd.LocalNonPersistentFlags())
	for _, child := range cmd.Commands() {
		describeCommand(b, child)
	}
}

// flagTable lists flags with their twin in the environment.
func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	rows := 0
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" {
			return
		}
		if rows == 0 {
			b.WriteString("| flag | environment | default | meaning |\n|---|---|---|---|\n")
		}
		rows++
		kind, usage := pflag.UnquoteUsage(flag)
		name := "--" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", name, envName(flag.Name), defaultOf(flag), strings.ReplaceAll(usage, "|", `\|`))
	})
	if rows > 0 {
		b.WriteString("\n")
	}
}

// defaultOf shows a default that says something.
func defaultOf(flag *pflag.Flag) string {
	switch flag.DefValue {
	case "", "false", "[]", "0", "0s":
		return ""
	}
	return "`" + flag.DefValue + "`"
}

// proseOf keeps the indented lists of a long help as they are laid out.
func proseOf(long string) string {
	var out []string
	listing := false
	for line := range strings.SplitSeq(long, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != listing {
			listing = indented
			if listing {
				out = append(out, "", "```")
			} else {
				out = append(out, "```", "")
			}
		}
		out = append(out, line)
	}
	if listing {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
