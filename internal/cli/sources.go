package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/run"
)

// SourcesVerb is what is done with the lock file.
type SourcesVerb string

// The verbs of lanyard sources.
const (
	SourcesLock   SourcesVerb = "lock"   // pin sources that are not pinned yet
	SourcesUpdate SourcesVerb = "update" // pin what the sources are now
	SourcesDiff   SourcesVerb = "diff"   // compare without writing
)

// SourceState is one source of a document against its lock.
type SourceState struct {
	Name     string   `json:"name"`
	State    string   `json:"state"` // new, unchanged, changed, gone
	Location string   `json:"location,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Added    []string `json:"added,omitempty"`   // operations
	Removed  []string `json:"removed,omitempty"` // operations
	Changed  []string `json:"changed,omitempty"` // operations
	Message  string   `json:"message,omitempty"`
}

func newSources(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "sources",
		GroupID: groupWork,
		Short:   "Pin the descriptions that a document uses",
		Long: `Pin the OpenAPI and Arazzo descriptions that a document uses in lanyard.lock, with
their digests and a copy, so that a description which moves or changes does not
change what runs.`,
		Example: `  lanyard sources lock flow.yaml`,
	})
	for _, v := range []struct {
		verb        SourcesVerb
		short, long string
	}{
		{SourcesLock, "Pin sources that are not pinned yet", "Read the document's sources and pin those that are not in lanyard.lock yet."},
		{SourcesUpdate, "Pin what the sources are now", "Read the document's sources again and pin what they are now, showing what changed."},
		{SourcesDiff, "Compare the sources with what is pinned", "Read the document's sources and compare them with lanyard.lock. Exit code 2 when something changed."},
	} {
		cmd.AddCommand(newSourcesVerb(sh, v.verb, v.short, v.long))
	}
	return cmd
}

type sourcesOptions struct {
	shell   *shell
	output  output
	verb    SourcesVerb
	sources []string

	allowPrivate bool
}

func newSourcesVerb(sh *shell, verb SourcesVerb, short, long string) *cobra.Command {
	opts := sourcesOptions{shell: sh, verb: verb}
	cmd := &cobra.Command{
		Use: string(verb) + " FILE", Short: short, Long: long,
		Example: "  lanyard sources " + string(verb) + " flow.yaml",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.run(cmd.Context(), opts.shell.settings(cmd), args[0])
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().StringArrayVar(&opts.sources, "source", nil, "read a source from elsewhere: `NAME=PATH|URL`; may be repeated")
	cmd.Flags().BoolVar(&opts.allowPrivate, "allow-private", false, "let descriptions be read from loopback and private addresses")
	return cmd
}

func (o *sourcesOptions) run(ctx context.Context, settings Settings, file string) error {
	if o.shell.product.Sources == nil {
		return missingPart("sources")
	}
	overrides, err := pairs("--source", o.sources)
	if err != nil {
		return err
	}
	states, err := o.shell.product.Sources(ctx, o.verb, PlanRequest{
		Settings: settings, File: file, Sources: overrides, Bindings: run.Bindings{AllowPrivate: o.allowPrivate},
	})
	if err != nil {
		return err
	}
	if err := o.print(states); err != nil {
		return err
	}
	for _, s := range states {
		switch {
		case o.verb == SourcesDiff && s.State != "unchanged":
			return outcome(exitChanges)
		case s.State == "gone" && (o.verb == SourcesUpdate || s.Digest == ""):
			return outcome(exitError) // it could not be pinned, which is what was asked for
		}
	}
	return nil
}

func (o *sourcesOptions) print(states []SourceState) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Sources []SourceState `json:"sources"`
		}{states})
	}
	t := newTable(o.shell.IO, "SOURCE", "STATE", "LOCATION", "DIGEST")
	for _, s := range states {
		digest := s.Digest
		if len(digest) > 19 {
			digest = digest[:19]
		}
		t.row(s.Name, s.State, s.Location, digest)
	}
	if err := t.print(); err != nil {
		return err
	}
	for _, s := range states {
		for _, change := range []struct {
			word  string
			names []string
		}{{"added", s.Added}, {"removed", s.Removed}, {"changed", s.Changed}} {
			if len(change.names) > 0 {
				fmt.Fprintf(o.shell.Out, "%s: %s: %s\n", s.Name, change.word, strings.Join(change.names, ", "))
			}
		}
		if s.Message != "" {
			fmt.Fprintf(o.shell.Out, "%s: %s\n", s.Name, s.Message)
		}
	}
	return nil
}
