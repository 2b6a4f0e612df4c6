package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
)

type validateOptions struct {
	shell   *shell
	output  output
	dialect string
	sources []string
	offline bool

	allowPrivate bool
}

func newValidate(sh *shell) *cobra.Command {
	opts := validateOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "validate FILE...",
		GroupID: groupWork,
		Short:   "Check documents without running them",
		Long: `Check Arazzo documents: the official schema and everything that can be known
before a run, all findings at once with their places. Sources are read too, so
that an operation which is gone is found, unless --offline.`,
		Example: `  lanyard validate flow.yaml --dialect compat -o sarif`,
		Args:    takes("FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), args)
		},
	}
	opts.output.bind(cmd, formatText, formatJSON, formatSARIF)
	bindDialect(cmd, &opts.dialect)
	cmd.Flags().StringArrayVar(&opts.sources, "source", nil, "read a source from elsewhere: `NAME=PATH|URL`; may be repeated")
	cmd.Flags().BoolVar(&opts.allowPrivate, "allow-private", false, "let descriptions be read from loopback and private addresses")
	cmd.Flags().BoolVar(&opts.offline, "offline", false, "check the document alone, do not read its sources")
	return cmd
}

func (o *validateOptions) run(ctx context.Context, settings Settings, files []string) error {
	dialect, err := parseDialect(o.dialect)
	if err != nil {
		return err
	}
	sources, err := pairs("--source", o.sources)
	if err != nil {
		return err
	}
	var found []arazzo.Diagnostic
	for _, file := range files {
		diags, err := o.check(ctx, PlanRequest{Settings: settings, File: file, Dialect: dialect, Sources: sources, Bindings: run.Bindings{AllowPrivate: o.allowPrivate}})
		if err != nil {
			return err
		}
		found = append(found, diags...)
	}
	if err := o.print(found); err != nil {
		return err
	}
	for _, d := range found {
		if d.Severity == arazzo.Error {
			return outcome(exitError)
		}
	}
	return nil
}

func (o *validateOptions) check(ctx context.Context, req PlanRequest) ([]arazzo.Diagnostic, error) {
	if !o.offline && o.shell.product.Plan != nil {
		result, err := o.shell.product.Plan(ctx, req)
		if err != nil {
			return nil, err
		}
		return result.Diagnostics, nil
	}
	data, err := readDocument(o.shell.IO, req.File)
	if err != nil {
		return nil, err
	}
	if req.Dialect == arazzo.Compat {
		doc, diags := arazzo.ReadCompat(req.File, data, arazzo.FixOptions{})
		return withChecks(doc, diags, req.Dialect), nil
	}
	doc, diags := arazzo.Parse(req.File, data)
	return withChecks(doc, diags, req.Dialect), nil
}

func withChecks(doc *arazzo.Document, diags []arazzo.Diagnostic, dialect arazzo.Dialect) []arazzo.Diagnostic {
	if doc == nil {
		return diags
	}
	return append(diags, arazzo.Check(doc, arazzo.CheckOptions{Dialect: dialect})...)
}

func (o *validateOptions) print(found []arazzo.Diagnostic) error {
	switch o.output.format {
	case formatSARIF:
		data, err := arazzo.Sarif(found)
		if err != nil {
			return err
		}
		_, err = o.shell.Out.Write(append(data, '\n'))
		return err
	case formatJSON:
		if found == nil {
			found = []arazzo.Diagnostic{}
		}
		return writeJSON(o.shell.Out, formatJSON, struct {
			Diagnostics []arazzo.Diagnostic `json:"diagnostics"`
		}{found})
	}
	for _, d := range found {
		fmt.Fprintln(o.shell.Out, printable(d.String()))
	}
	if len(found) == 0 {
		fmt.Fprintln(o.shell.Out, "no findings")
	}
	return nil
}

type fixOptions struct {
	shell   *shell
	write   bool
	sources []string
}

func newFix(sh *shell) *cobra.Command {
	opts := fixOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "fix FILE",
		GroupID: groupWork,
		Short:   "Rewrite a document so that the specification reads it as it was meant",
		Long: `Rewrite what people commonly write (dialect compat) to what the specification
says (strict), with the same meaning. Comments and layout stay. The result goes
to stdout; what was changed is listed on stderr.`,
		Example: `  lanyard fix flow.yaml --write`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), args[0])
		},
	}
	cmd.Flags().BoolVarP(&opts.write, "write", "w", false, "change the file instead of printing the result")
	cmd.Flags().StringArrayVar(&opts.sources, "source", nil, "read a source from elsewhere: `NAME=PATH|URL`, to qualify operations; may be repeated")
	return cmd
}

func (o *fixOptions) run(ctx context.Context, settings Settings, file string) error {
	sources, err := pairs("--source", o.sources)
	if err != nil {
		return err
	}
	data, err := readDocument(o.shell.IO, file)
	if err != nil {
		return err
	}
	doc, diags := arazzo.Parse(file, data)
	for _, d := range diags {
		if d.Severity == arazzo.Error {
			return fault.New(fault.Invalid, "%s", d.String())
		}
	}
	options := arazzo.FixOptions{}
	if o.shell.product.FindOperation != nil {
		options.FindOperation = o.shell.product.FindOperation(ctx, PlanRequest{Settings: settings, File: file, Dialect: arazzo.Compat, Sources: sources}, doc)
	}
	fixed, applied, err := arazzo.Fix(doc, options)
	if err != nil {
		return err
	}
	for _, d := range applied {
		fmt.Fprintln(o.shell.Err, printable(d.String()))
	}
	if !o.write {
		_, err = o.shell.Out.Write(fixed)
		return err
	}
	if len(applied) == 0 {
		return nil
	}
	info, err := os.Stat(file)
	if err == nil {
		err = os.WriteFile(file, fixed, info.Mode().Perm())
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the file cannot be written").At("%s", file)
	}
	return nil
}

// maxDocument bounds what is read as a document, in bytes; the parser's own
// limit is lower and names the remedy.
const maxDocument = 64 << 20

// readDocument reads a file, or stdin for "-".
func readDocument(s IO, file string) ([]byte, error) {
	in := s.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "the file cannot be read: %s", plainCause(err)).At("%s", file).Fix("check the path")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read: %s", plainCause(err)).At("%s", file)
	case len(data) > maxDocument:
		return nil, fault.New(fault.TooLarge, "the file has more than %d bytes", maxDocument).At("%s", file)
	}
	return data, nil
}
