package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/examples"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// starter holds what a new project gets besides the example workflow.
//
//go:embed starter/lanyard.yaml
var starter embed.FS

// exampleFlow is the workflow that a new project starts with, and its inputs.
const (
	exampleFlow   = "auth0-user-to-okta-group.arazzo.yaml"
	exampleInputs = "inputs.json"
)

type initOptions struct {
	shell  *shell
	output output
	folder string // [FOLDER]
}

func newInit(sh *shell) *cobra.Command {
	opts := initOptions{shell: sh, folder: "."}
	cmd := &cobra.Command{
		Use:     "init [FOLDER]",
		GroupID: groupSetup,
		Short:   "Start a project: a configuration and a workflow to try",
		Long: `Write a configuration with connections to fill in, and an example workflow with
its OpenAPI descriptions and inputs, into FOLDER or the current folder. A file
that exists is never overwritten: then nothing is written at all.`,
		Example: `  lanyard init provisioning`,
		Args:    takes("[FOLDER]"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.folder = args[0]
			}
			return opts.run()
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *initOptions) run() error {
	files, err := starterFiles()
	if err != nil {
		return err
	}
	if err := o.refuseExisting(files); err != nil {
		return err
	}
	wrote := []string{}
	for _, file := range files {
		path := filepath.Join(o.folder, filepath.FromSlash(file.name))
		if err := writeNew(path, file.text); err != nil {
			return err
		}
		wrote = append(wrote, path)
	}
	return o.report(wrote)
}

func (o *initOptions) report(wrote []string) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Wrote []string `json:"wrote"`
		}{wrote})
	}
	for _, path := range wrote {
		if _, err := fmt.Fprintln(o.shell.Out, "wrote", path); err != nil {
			return err
		}
	}
	cd := ""
	if o.folder != "." {
		cd = "cd " + o.folder + " && "
	}
	_, err := fmt.Fprintf(o.shell.Out, "\nTry it without any account:\n  %slanyard run %s --sandbox --inputs %s\n", cd, exampleFlow, exampleInputs)
	return err
}

// starterFile is one file of a new project; name has forward slashes.
type starterFile struct {
	name string
	text []byte
}

// starterFiles gathers the files of a new project, in the order in which they
// are best read.
func starterFiles() ([]starterFile, error) {
	config, err := starter.ReadFile("starter/lanyard.yaml")
	if err != nil {
		return nil, err
	}
	files := []starterFile{{defaultConfig, config}}
	descriptions, err := fs.Glob(examples.Files, "openapi/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Concat([]string{exampleFlow, exampleInputs}, descriptions) {
		text, err := examples.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, starterFile{name, text})
	}
	return files, nil
}

// refuseExisting reports every file that would be in the way.
func (o *initOptions) refuseExisting(files []starterFile) error {
	var problems []error
	for _, file := range files {
		path := filepath.Join(o.folder, filepath.FromSlash(file.name))
		switch _, err := os.Lstat(path); {
		case err == nil:
			problems = append(problems, inTheWay(path))
		case !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fault.Wrap(fault.Usage, err, "the folder cannot be looked at").At("%s", path).Fix("choose another folder"))
		}
	}
	return fault.Join(problems...)
}

func inTheWay(path string) error {
	return fault.New(fault.Conflict, "the file exists already").At("%s", path).Fix("move it away, or choose an empty folder")
}

// writeNew writes a file that must not exist, and the folders above it.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a project's folder is not secret
		return fault.Wrap(fault.Usage, err, "the folder cannot be made").At("%s", filepath.Dir(path)).Fix("choose a folder that this user may write to")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // nor are these files
	if errors.Is(err, fs.ErrExist) {
		return inTheWay(path)
	}
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the file cannot be written").At("%s", path).Fix("choose a folder that this user may write to")
	}
	return nil
}
