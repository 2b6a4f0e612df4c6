package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand calls do with each command of the tree, the hidden ones too.
func everyCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, child := range cmd.Commands() {
		everyCommand(child, do)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	everyCommand(newRoot(&shell{IO: newTestIO("", nil).IO}), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q, want a phrase without a full stop", path, cmd.Short)
		}
		if !strings.HasSuffix(cmd.Long, ".") && !strings.Contains(cmd.Long, "\n  ") {
			t.Errorf("%s: Long is %q, want sentences", path, cmd.Long)
		}
		if !strings.HasPrefix(cmd.Example, "  ") || !strings.Contains(cmd.Example, path) {
			t.Errorf("%s: Example is %q, want a command line that can be run, indented by two blanks", path, cmd.Example)
		}
		if cmd.RunE == nil || cmd.Run != nil {
			t.Errorf("%s: want RunE, and no Run, so that errors reach Main", path)
		}
		if cmd.HasParent() && cmd.PersistentPreRunE != nil {
			t.Errorf("%s: a PersistentPreRunE here would switch off the environment's flags", path)
		}
		if cmd.HasParent() && !cmd.Parent().HasParent() && !cmd.Hidden && cmd.GroupID == "" {
			t.Errorf("%s: stands in no group of the help", path)
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Usage == "" || strings.HasSuffix(flag.Usage, ".") {
				t.Errorf("%s: the usage of --%s is %q, want a phrase without a full stop", path, flag.Name, flag.Usage)
			}
		})
	})
}

func TestEnvironmentSetsFlags(t *testing.T) {
	type flags struct {
		Config, Data string
		Verbose      bool
		Inputs       []string
		Given        bool
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		args []string
		want flags
	}{
		{"nothing", nil, nil, flags{Config: "lanyard.yaml", Data: ".lanyard"}},
		{
			"environment",
			map[string]string{"LANYARD_CONFIG": "c.yaml", "LANYARD_DATA": "d", "LANYARD_VERBOSE": "1", "LANYARD_INPUT": "a=1\nb=two words"},
			nil,
			flags{Config: "c.yaml", Data: "d", Verbose: true, Inputs: []string{"a=1", "b=two words"}, Given: true},
		},
		{
			"the flag wins, also over a list",
			map[string]string{"LANYARD_CONFIG": "c.yaml", "LANYARD_DATA": "d", "LANYARD_INPUT": "a=1"},
			[]string{"--data", "mine", "--input", "c=3"},
			flags{Config: "c.yaml", Data: "mine", Inputs: []string{"c=3"}, Given: true},
		},
		{"empty is not set", map[string]string{"LANYARD_DATA": ""}, nil, flags{Config: "lanyard.yaml", Data: ".lanyard"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var (
				got    flags
				inputs inputFlags
			)
			cmd := &cobra.Command{Use: "probe"}
			inputs.bind(cmd)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				get := cmd.Flags()
				config, _ := get.GetString("config")
				data, _ := get.GetString("data")
				verbose, _ := get.GetBool("verbose")
				got = flags{config, data, verbose, inputs.pairs, configGiven(cmd)}
				return nil
			}
			s := newTestIO("", test.env)
			if code := runWith(t.Context(), s, cmd, append([]string{"probe"}, test.args...)...); code != exitOK {
				t.Fatalf("exit code %d, stderr %s", code, s.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroupsRefuseUnknownCommands(t *testing.T) {
	things := group(&cobra.Command{Use: "things"},
		&cobra.Command{Use: "resume", RunE: func(*cobra.Command, []string) error { return nil }})
	for _, test := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"things"}, exitOK, ""},
		{[]string{"things", "resume"}, exitOK, ""},
		{[]string{"things", "resmue"}, exitError, "error: lanyard things has no command \"resmue\"; did you mean \"lanyard things resume\"?\n"},
	} {
		s := newTestIO("", nil)
		if code := runWith(t.Context(), s, things, test.args...); code != test.code {
			t.Errorf("%q: exit code %d, want %d", test.args, code, test.code)
		}
		if diff := cmp.Diff(test.stderr, s.err.String()); diff != "" {
			t.Errorf("%q: stderr (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestTakes(t *testing.T) {
	for _, test := range []struct {
		names, args []string
		want        string // part of the message; empty when fine
	}{
		{nil, nil, ""},
		{nil, []string{"x"}, `has no place for "x"`},
		{[]string{"FILE"}, nil, "needs FILE"},
		{[]string{"FILE"}, []string{"a"}, ""},
		{[]string{"FILE"}, []string{"a", "b"}, `has no place for "b"`},
		{[]string{"[FOLDER]"}, nil, ""},
		{[]string{"FILE..."}, nil, "needs FILE;"},
		{[]string{"FILE..."}, []string{"a", "b"}, ""},
		{[]string{"[FILE...]"}, nil, ""},
		{[]string{"RUN", "[STEP]"}, []string{"r"}, ""},
	} {
		err := takes(test.names...)(&cobra.Command{Use: "x"}, test.args)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("takes(%q) of %q = %v, want %q", test.names, test.args, err, test.want)
		}
	}
}

func TestReferenceNamesEveryFlagAndCode(t *testing.T) {
	root := newRoot(&shell{IO: newTestIO("", nil).IO})
	text := reference(root)
	everyCommand(root, func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.IsAvailableCommand() && !strings.Contains(text, "## "+cmd.CommandPath()+"\n") {
			t.Errorf("the reference leaves out %s", cmd.CommandPath())
		}
	})
	for _, want := range []string{"`LANYARD_DATA`", "`-o, --output FORMAT`", "| 6 | the plan is stale", "| `.lanyard` |"} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference has no %q", want)
		}
	}
}
