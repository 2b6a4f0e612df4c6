package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
)

type doctorOptions struct {
	shell    *shell
	output   output
	settings Settings
}

func newDoctor(sh *shell) *cobra.Command {
	opts := doctorOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "doctor",
		GroupID: groupSetup,
		Short:   "Check that Lanyard can work here",
		Long: `Check the platform, the data folder and who may read it, whether another process
holds it, the configuration file, and the sandbox. Nothing is changed and no
provider is called. The exit code is 1 when a check failed.`,
		Example: `  lanyard doctor --data .lanyard`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.settings = sh.settings(cmd)
			return opts.run(cmd.Context())
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

// How a check ended.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// finding is the result of one check. Programs depend on the fields.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// errSkipped marks a check that does not apply; the text says why.
type errSkipped string

func (e errSkipped) Error() string { return string(e) }

// notInBuild skips a check of a part that the Product does not have.
const notInBuild = errSkipped("this build does not have that part")

func (o *doctorOptions) run(ctx context.Context) error {
	checks := []struct {
		name string
		// run returns what was found, or an error when it is not as it must be.
		run func(context.Context) (string, error)
	}{
		{"platform", o.platform},
		{"data folder", o.dataFolder},
		{"permissions", o.permissions},
		{"lock", o.lock},
		{"configuration", o.configuration},
		{"sandbox", o.sandbox},
	}
	// A configuration that cannot be read is found by its own check.
	if c, err := config.Load(o.settings.Config, o.settings.ConfigGiven); err == nil {
		o.settings.UseData(c.Data)
	}
	var findings []finding
	for _, check := range checks {
		if err := ctx.Err(); err != nil {
			return err
		}
		detail, err := check.run(ctx)
		findings = append(findings, findingOf(check.name, detail, err)...)
	}
	return o.report(findings)
}

// findingOf turns the result of a check into its rows: one, or one for each
// thing that is wrong.
func findingOf(check, detail string, err error) []finding {
	var skipped errSkipped
	switch {
	case err == nil:
		return []finding{{Check: check, Status: checkOK, Detail: detail}}
	case errors.As(err, &skipped):
		return []finding{{Check: check, Status: checkSkipped, Detail: skipped.Error()}}
	}
	var rows []finding
	for _, body := range describe(context.Background(), err) {
		remedy := body.Remedy
		body.Remedy = ""
		rows = append(rows, finding{Check: check, Status: checkFailed, Detail: body.line(), Remedy: remedy})
	}
	return rows
}

func (o *doctorOptions) report(findings []finding) error {
	failed := false
	for _, f := range findings {
		failed = failed || f.Status == checkFailed
	}
	if err := o.print(findings); err != nil {
		return err
	}
	if failed {
		return outcome(exitError)
	}
	return nil
}

func (o *doctorOptions) print(findings []finding) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Checks []finding `json:"checks"`
		}{findings})
	}
	t := newTable(o.shell.IO, "CHECK", "STATUS", "DETAIL", "REMEDY")
	t.look = func(column, text string) style {
		if column != "STATUS" {
			return plain
		}
		return map[string]style{checkOK: green, checkFailed: red, checkSkipped: dim}[text]
	}
	for _, f := range findings {
		t.row(f.Check, f.Status, f.Detail, f.Remedy)
	}
	return t.print()
}

func (o *doctorOptions) platform(context.Context) (string, error) {
	return fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), nil
}

// dataFolder checks that files can be made in the data folder, or that the
// folder itself can be made.
func (o *doctorOptions) dataFolder(context.Context) (string, error) {
	data := o.settings.Data
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent, err := existingParent(data)
		if err != nil {
			return "", err
		}
		if err := writable(parent); err != nil {
			return "", err
		}
		return data + " does not exist yet; it is made when it is needed", nil
	case err != nil:
		return "", fault.Wrap(fault.Usage, err, "the data folder cannot be looked at").At("%s", data).Fix("choose another with --data")
	case !info.IsDir():
		return "", fault.New(fault.Usage, "this is a file, not a folder").At("%s", data).Fix("choose another with --data")
	}
	if err := writable(data); err != nil {
		return "", err
	}
	return data + " can be written to", nil
}

// existingParent returns the nearest folder above path that is there.
func existingParent(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the working directory cannot be found")
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir, nil
		}
	}
}

// writable makes a file in dir and removes it: permission bits alone do not
// tell, a file system may be read-only or full.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err == nil {
		_, err = f.WriteString("can this be written?\n")
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fault.Wrap(fault.Usage, err, "no file can be written here").At("%s", dir).Fix("give this user the right to write, or choose another folder with --data")
	}
	return nil
}

// permissions checks that nobody else can reach what is in the data folder:
// keys, sealed inputs, and the directory's people.
func (o *doctorOptions) permissions(context.Context) (string, error) {
	data := o.settings.Data
	if runtime.GOOS == "windows" {
		return "", errSkipped("permission bits mean nothing on Windows")
	}
	info, err := os.Stat(data)
	if err != nil || !info.IsDir() {
		return "", errSkipped("there is no data folder")
	}
	const others = 0o007 // a group may read: Kubernetes shares a volume with the pod's group
	if info.Mode().Perm()&others == 0 {
		return "only this user can open " + data, nil
	}
	var open []string
	err = filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err == nil && info.Mode().Perm()&others != 0 {
			open = append(open, path)
		}
		return err
	})
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "the data folder cannot be read").At("%s", data).Fix("run as the user that owns it")
	}
	if len(open) > 0 {
		return "", fault.New(fault.Usage, "other users can read %s", firstOf(open)).At("%s", data).Fix("chmod -R o-rwx %s", data)
	}
	return "others can open " + data + ", but none of its files", nil
}

// firstOf names one of several and how many more there are.
func firstOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

func (o *doctorOptions) lock(ctx context.Context) (string, error) {
	if o.shell.product.LockHolder == nil {
		return "", notInBuild
	}
	holder, err := o.shell.product.LockHolder(ctx, o.settings.Data)
	switch {
	case err != nil:
		return "", err
	case holder == "":
		return "no process holds the data folder", nil
	}
	return "held by " + holder, nil
}

func (o *doctorOptions) configuration(context.Context) (string, error) {
	c, err := config.Load(o.settings.Config, o.settings.ConfigGiven)
	switch {
	case err != nil:
		return "", err
	case c.File == "":
		return "", errSkipped("there is no " + o.settings.Config + "; the defaults apply")
	}
	if len(c.Connections) == 0 {
		return c.File + " is correct; no connection is bound yet", nil
	}
	names := slices.Sorted(maps.Keys(c.Connections))
	return c.File + " is correct; connections: " + strings.Join(names, ", "), nil
}

func (o *doctorOptions) sandbox(ctx context.Context) (string, error) {
	if o.shell.product.CheckSandbox == nil {
		return "", notInBuild
	}
	if err := o.shell.product.CheckSandbox(ctx); err != nil {
		return "", err
	}
	return "starts and answers", nil
}
