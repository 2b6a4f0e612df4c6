package cli

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The formats of -o. Each command names the ones it has.
const (
	formatText   = "text"
	formatJSON   = "json"
	formatNDJSON = "ndjson"
	formatSARIF  = "sarif"
)

// outputFlag is the name of -o, by which Main finds the format of an error.
const outputFlag = "output"

// output is the value of a command's -o. It satisfies pflag.Value, so that a
// format the command does not have is refused while flags are read.
type output struct {
	format string
	has    []string
}

// bind gives cmd the flag -o with the formats it has, the default first.
func (o *output) bind(cmd *cobra.Command, formats ...string) {
	o.format, o.has = formats[0], formats
	cmd.Flags().VarP(o, outputFlag, "o", "how to print the result: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc(outputFlag, cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// Set takes one of the command's formats.
func (o *output) Set(s string) error {
	if !slices.Contains(o.has, s) {
		return fault.New(fault.Usage, "there is no format %q here", s).Fix("use one of %s", strings.Join(o.has, ", "))
	}
	o.format = s
	return nil
}

// String returns the format chosen.
func (o *output) String() string { return o.format }

// Type names the value in the help.
func (o *output) Type() string { return "FORMAT" }

// json reports whether a program reads the result.
func (o *output) json() bool { return o.format == formatJSON || o.format == formatNDJSON }

// writeJSON prints one value: indented for json, on one line for ndjson. Text
// stays readable: <, > and & are not escaped.
func writeJSON(w io.Writer, format string, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if format != formatNDJSON {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return fault.Wrap(fault.Internal, err, "the result cannot be written")
	}
	return nil
}
