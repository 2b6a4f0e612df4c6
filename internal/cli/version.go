package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
)

type versionOptions struct {
	shell  *shell
	output output
}

func newVersion(sh *shell) *cobra.Command {
	opts := versionOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "version",
		GroupID: groupSetup,
		Short:   "Show which build this is",
		Long: `Show the version of this build, the revision it was made from, and the Go
version and platform it was made for.`,
		Example: `  lanyard version -o json`,
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return opts.run() },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *versionOptions) run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fault.New(fault.Internal, "this binary carries no build information").Fix("build it with Go modules")
	}
	v := buildOf(info)
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, v)
	}
	_, err := fmt.Fprintln(o.shell.Out, v)
	return err
}

// build is what a binary knows of its own making. Programs depend on the
// fields.
type build struct {
	Version  string `json:"version"`            // "v1.2.3", or "devel" outside a release
	Revision string `json:"revision,omitempty"` // the commit
	Modified bool   `json:"modified,omitempty"` // the tree had changes that were not committed
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// buildOf reads the settings that the go command leaves in a binary.
func buildOf(info *debug.BuildInfo) build {
	v := build{
		Version: strings.Trim(info.Main.Version, "()"),
		Go:      info.GoVersion,
		OS:      runtime.GOOS,
		Arch:    runtime.GOARCH,
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		case "vcs.time":
			v.Time = setting.Value
		}
	}
	return v
}

// String is the one line for people: "lanyard devel 1a2b3c4d5e6f (modified)
// go1.26.8 linux/amd64".
func (v build) String() string {
	parts := []string{"lanyard", v.Version}
	if v.Revision != "" {
		parts = append(parts, v.Revision[:min(12, len(v.Revision))])
	}
	if v.Modified {
		parts = append(parts, "(modified)")
	}
	return strings.Join(append(parts, v.Go, v.OS+"/"+v.Arch), " ")
}

// version names this build in files that it writes.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return buildOf(info).Version
}
