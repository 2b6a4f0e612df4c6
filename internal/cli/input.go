package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// maxInputs bounds what --inputs reads, in bytes.
const maxInputs = 16 << 20

// inputFlags collects the inputs of a workflow from the command line.
type inputFlags struct {
	pairs []string // --input, as written
	file  string   // --inputs
}

// bind gives cmd the two flags.
func (f *inputFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.pairs, "input", nil, "an input as `NAME=TEXT`, or as NAME:=JSON for anything but text; may be repeated")
	cmd.Flags().StringVar(&f.file, "inputs", "", "read inputs from a JSON `FILE`, or from stdin with -; the place for secrets, since other users can see a command line")
}

// read returns the inputs: those of the file, with the ones named by --input in
// their place. All mistakes are reported at once.
func (f inputFlags) read(s IO) (map[string]any, error) {
	var problems []error
	inputs := map[string]any{}
	if f.file != "" {
		read, err := readInputs(s, f.file)
		if err != nil {
			problems = append(problems, err)
		} else {
			inputs = read
		}
	}
	given := map[string]bool{}
	for _, pair := range f.pairs {
		name, v, err := parseInput(pair)
		switch {
		case err != nil:
			problems = append(problems, err)
		case given[name]:
			problems = append(problems, fault.New(fault.Usage, "the input is given twice").At("--input %s", name).Fix("give it once"))
		default:
			given[name] = true
			inputs[name] = v
		}
	}
	if err := fault.Join(problems...); err != nil {
		return nil, err
	}
	return inputs, nil
}

// parseInput reads "name=text" or "name:=json". Messages name the input and
// never show what it was set to.
func parseInput(pair string) (name string, v any, err error) {
	name, text, found := strings.Cut(pair, "=")
	if !found {
		return "", nil, fault.New(fault.Usage, "an input without a value").At("--input").Fix("write NAME=TEXT or NAME:=JSON")
	}
	name, isJSON := strings.CutSuffix(name, ":")
	if name == "" {
		return "", nil, fault.New(fault.Usage, "an input without a name").At("--input").Fix("write NAME=TEXT or NAME:=JSON")
	}
	if !isJSON {
		return name, text, nil
	}
	v, err = value.Decode([]byte(text))
	if err != nil {
		return "", nil, fault.Wrap(fault.KindOf(err), err, "the value after := is %s", problemOf(err)).
			At("--input %s", name).Fix("write %s=TEXT for plain text; in a shell, quote the JSON", name)
	}
	return name, v, nil
}

// problemOf is the message of a fault without its place and remedy, for a
// sentence of our own.
func problemOf(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return fault.Public(err)
}

// readInputs reads a JSON object from a file, or from stdin when file is "-".
func readInputs(s IO, file string) (map[string]any, error) {
	data, err := readFile(s, file)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors on Windows write one
	place := file
	if file == "-" {
		place = "stdin"
	}
	v, err := value.Decode(data)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "%s", problemOf(err)).At("%s", syntaxPlace(place, data, err)).Fix("--inputs needs one JSON object")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "the inputs are not an object").At("%s", place).Fix(`write {"name": value, ...}`)
	}
	if name, offset, twice := repeatedName(data); twice {
		return nil, fault.New(fault.Invalid, "the input %q is given twice", name).At("%s", placeOf(place, data, offset)).Fix("keep one of the two")
	}
	return object, nil
}

// checkInputs refuses inputs that the workflow cannot take, and says how a command
// is given them.
func checkInputs(p *plan.Plan, inputs map[string]any) error {
	_, err := p.Workflows[p.Main].Prepare(inputs)
	var wrong *plan.InputError
	if errors.As(err, &wrong) {
		return fault.Wrap(fault.Invalid, err, "%s", fault.Public(err)).Fix("give each with --input name=text, or name:=json for numbers, booleans and lists")
	}
	return err
}

func readFile(s IO, file string) ([]byte, error) {
	in := s.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "%s", openProblem(err)).At("%s", file).Fix("--inputs needs the path of a JSON file")
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInputs+1))
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be read").At("%s", file)
	}
	if len(data) > maxInputs {
		return nil, fault.New(fault.TooLarge, "the inputs have more than %d bytes", maxInputs).At("%s", file).Fix("pass a reference to the data, not the data")
	}
	return data, nil
}

// openProblem says why a file could not be opened, without the operating
// system's own wording.
func openProblem(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, os.ErrPermission):
		return "the file may not be read by this user"
	}
	return "the file cannot be opened"
}

// repeatedName finds a name that stands twice in the outermost object, which
// would otherwise silently mean the last one, and the offset behind it. data is
// one well-formed object.
func repeatedName(data []byte) (name string, offset int64, twice bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil { // the opening brace
		return "", 0, false
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return "", 0, false
		}
		name, _ := token.(string)
		if seen[name] {
			return name, dec.InputOffset(), true
		}
		seen[name] = true
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return "", 0, false
		}
	}
	return "", 0, false
}

// syntaxPlace adds line and column when the JSON decoder knows them.
func syntaxPlace(file string, data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return file
	}
	return placeOf(file, data, syntax.Offset)
}

// placeOf turns the offset behind a byte into file:line:col of that byte,
// counted from 1.
func placeOf(file string, data []byte, offset int64) string {
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	col := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s:%d:%d", file, line, col)
}
