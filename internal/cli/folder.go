package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/bundle"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Folders packs a folder of flows into one file, and unpacks it elsewhere.
type Folders interface {
	Export(ctx context.Context, req ExportFolder) (*FolderExport, error)
	Import(ctx context.Context, req ImportFolder) (*FolderImport, error)
}

// ExportFolder asks for a file to be written.
type ExportFolder struct {
	Settings
	File    string
	Options bundle.Options
}

// FolderExport says what was packed.
type FolderExport struct {
	File     string          `json:"file"`
	Size     int             `json:"size"` // bytes
	Manifest bundle.Manifest `json:"manifest"`
	Files    []string        `json:"files"`          // in the folder
	Left     []string        `json:"left,omitempty"` // what was left out, and why
}

// ImportFolder asks for a file to be unpacked into the folder of the configuration.
type ImportFolder struct {
	Settings
	File            string
	DryRun, Replace bool
	By              string
}

// FolderImport says what was written, or would be, and what is left to do.
type FolderImport struct {
	Name        string          `json:"name"`
	Dir         string          `json:"dir"`
	DryRun      bool            `json:"dryRun,omitempty"`
	Changes     []bundle.Change `json:"changes"`
	Triggers    []string        `json:"triggers,omitempty"` // that came switched off
	Connections []ToBind        `json:"connections,omitempty"`
	Environment []string        `json:"environment,omitempty"` // variables that are not set
	Refused     string          `json:"refused,omitempty"`     // why it would not be done
}

// ToBind is a connection that is missing.
type ToBind struct {
	Name    string `json:"name"`
	Command string `json:"command"`           // that adds it
	Sandbox bool   `json:"sandbox,omitempty"` // all triggers run on the sandbox, which does without those to Okta and Auth0
}

func newFolder(sh *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "folder",
		GroupID: groupWork,
		Short:   "Move a folder of flows in one file",
		Long: `Move a folder of flows in one file: the documents with the descriptions they name,
tables, imports, triggers. Credentials never travel: importing says which
connections to add.`,
		Example: `  lanyard folder export joiners.folder
  lanyard folder import joiners.folder --dry-run`,
	}, newFolderExport(sh), newFolderImport(sh))
}

func (sh *shell) folders() (Folders, error) {
	if sh.product.Folders == nil {
		return nil, missingPart("folders")
	}
	return sh.product.Folders, nil
}

func newFolderExport(sh *shell) *cobra.Command {
	var out output
	req := ExportFolder{}
	cmd := &cobra.Command{
		Use:   "export NAME.folder",
		Short: "Pack the folder of lanyard.yaml into one file",
		Long: `Pack the folder of lanyard.yaml into one file: its Arazzo documents, the local
descriptions that they name, README, the columns of its tables, and the sections
sources, imports, run and triggers of lanyard.yaml with the triggers that were
added by command. Of connections only the names, providers and references are
packed. What looks like a credential is refused, with its place.`,
		Example: `  lanyard folder export joiners.folder
  lanyard folder export joiners.folder --with-rows --add people.csv`,
		Args: takes("NAME.folder"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		folders, err := sh.folders()
		if err != nil {
			return err
		}
		req.Settings, req.File = sh.settings(cmd), args[0]
		name, ok := strings.CutSuffix(filepath.Base(args[0]), bundle.Extension)
		if !ok || name == "" {
			return fault.New(fault.Usage, "the name must end in %s", bundle.Extension).At("%s", args[0]).Fix("write NAME%s", bundle.Extension)
		}
		req.Options.Name, req.Options.Made = name, time.Now().UTC().Truncate(time.Second)
		r, err := folders.Export(cmd.Context(), req)
		if err != nil {
			return err
		}
		if out.json() {
			return writeJSON(sh.Out, out.format, r)
		}
		return printFolderExport(sh, r)
	}
	out.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.BoolVar(&req.Options.WithRows, "with-rows", false, "pack data too: the rows of tables, and the files that imports read")
	flags.StringArrayVar(&req.Options.Add, "add", nil, "pack this `FILE` of the folder too; may be repeated")
	flags.StringArrayVar(&req.Options.Allow, "allow", nil, "what looks like a credential in this `PATH` is none; may be repeated")
	return cmd
}

func printFolderExport(sh *shell, r *FolderExport) error {
	t := newTable(sh.IO, "WHAT", "NAME", "")
	for _, p := range r.Files {
		t.row("file", p)
	}
	for _, one := range r.Manifest.Tables {
		rows := "without rows"
		if one.Rows != "" {
			rows = "with rows"
		}
		t.row("table", one.Name, rows)
	}
	for _, c := range r.Manifest.Connections {
		t.row("connection", c.Name, "without credential")
	}
	if err := t.print(); err != nil {
		return err
	}
	for _, what := range r.Left {
		fmt.Fprintf(sh.Err, "left out: %s\n", printable(what))
	}
	fmt.Fprintf(sh.Out, "%s: %s written\n", printable(r.File), howMany(int64(r.Size), "byte"))
	return nil
}

func newFolderImport(sh *shell) *cobra.Command {
	var out output
	var to string
	req := ImportFolder{}
	cmd := &cobra.Command{
		Use:   "import FILE.folder",
		Short: "Unpack a file into the folder of lanyard.yaml",
		Long: `Unpack a file that folder export wrote into the folder of lanyard.yaml. All of it is
verified before the first file is written. What is there and differs is named, and
nothing is written, unless --replace is said; --dry-run ends the same way. Triggers
come switched off. At the end it is said which connections to add and how to switch
the triggers on.`,
		Example: `  lanyard folder import joiners.folder --dry-run
  lanyard folder import joiners.folder --to joiners`,
		Args: takes("FILE.folder"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		folders, err := sh.folders()
		if err != nil {
			return err
		}
		req.Settings, req.File, req.By = sh.settings(cmd), args[0], sh.user()
		if err := req.into(to); err != nil {
			return err
		}
		r, err := folders.Import(cmd.Context(), req)
		if err != nil {
			return err
		}
		if out.json() {
			err = writeJSON(sh.Out, out.format, r)
		} else {
			err = printFolderImport(sh, r, to)
		}
		if r.Refused != "" { // as it would end without --dry-run
			err = cmp.Or(err, error(outcome(exitError)))
		}
		return err
	}
	out.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "the `FOLDER` to unpack into; default: where lanyard.yaml is")
	flags.BoolVar(&req.DryRun, "dry-run", false, "write nothing: show what would be")
	flags.BoolVar(&req.Replace, "replace", false, "overwrite what is there and differs")
	_ = cmd.MarkFlagDirname("to")
	return cmd
}

// into makes a folder the one of the configuration and of the data.
func (r *ImportFolder) into(to string) error {
	if to == "" {
		return nil
	}
	if r.ConfigGiven {
		return fault.New(fault.Usage, "the folder is said twice").At("--to").Fix("leave out --config")
	}
	r.Config = filepath.Join(to, defaultConfig)
	if !r.DataGiven {
		r.Data = filepath.Join(to, defaultData)
	}
	if info, err := os.Stat(to); err == nil && !info.IsDir() {
		return fault.New(fault.Usage, "this is no folder").At("%s", to).Fix("choose another with --to")
	}
	return nil
}

func printFolderImport(sh *shell, r *FolderImport, to string) error {
	t := newTable(sh.IO, "WHAT", "NAME", "")
	changed := 0
	for _, c := range r.Changes {
		state := string(c.State)
		if c.State == bundle.Differs && r.Refused == "" {
			state = "replaced"
		}
		if c.State != bundle.Same {
			changed++
		}
		t.row(c.What, c.Name, state)
	}
	if err := t.print(); err != nil {
		return err
	}
	switch {
	case r.Refused != "":
		sh.line("%s: it would be refused; nothing was written:", r.Name)
		for conflict := range strings.Lines(r.Refused) {
			sh.line("  %s", strings.TrimSpace(conflict))
		}
	case changed == 0:
		sh.line("%s: all of it is there already", r.Name)
	case r.DryRun:
		sh.line("%s: nothing was written", r.Name)
	default:
		sh.line("%s: unpacked", r.Name)
	}
	printToDo(sh, r, to)
	return nil
}

// printToDo says what is left to be done by a person. Triggers that are not there
// yet cannot be switched on.
func printToDo(sh *shell, r *FolderImport, to string) {
	triggers := r.Triggers
	if r.DryRun {
		triggers = nil
	}
	if len(r.Connections)+len(r.Environment)+len(triggers) == 0 {
		return
	}
	fmt.Fprintln(sh.Out, "\nTo do:")
	if to != "" && len(r.Connections)+len(triggers) > 0 {
		sh.line("  cd %s", to)
	}
	for _, c := range r.Connections {
		sh.line("  %s", c.Command)
	}
	if len(r.Connections) > 0 && r.Connections[0].Sandbox {
		sh.line("  (the triggers run on the sandbox, which needs no connections to Okta and Auth0)")
	}
	for _, name := range r.Environment {
		sh.line("  set the variable %s", name)
	}
	for _, name := range triggers {
		sh.line("  lanyard triggers on %s", name)
	}
	if len(triggers) > 0 {
		sh.line("  (restart lanyard serve, or send it SIGHUP, before the triggers are switched on)")
	}
}
