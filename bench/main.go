//go:build unix

// Command bench measures Lanyard and prints each figure beside a yardstick that
// is measured in the same minute on the same machine: how fast the disk and the
// network are today says more than a number from another day.
//
//	runs      journalled runs, beside the bare journal and bare HTTP
//	machine   the engine alone: time for a step, memory over a million of them
//	process   a whole cold and warm `lanyard run`, beside Redocly Respect
//	directory `lanyard serve` as an Okta org of 100,000 people, beside net/http with a map
//	scim      `lanyard serve` as the SCIM endpoint of an enterprise connection, likewise
//	imports   full syncs of an identity source, beside the bare insert rate of the database
//
// Each measurement is made in a child process of its own, so that its processor
// time and memory are its own; the servers that are called are others. Nothing
// is asserted: a loaded machine is not a defect. The bars are printed beside
// the figures. Imports are measured on PostgreSQL, too, when LANYARD_BENCH_POSTGRES is
// the address of a database.
//
// The package owns measuring from the outside. Benchmarks of single functions
// live beside them in their packages.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() { os.Exit(bench(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	only    string
	lanyard string // the binary under test
	runs    int    // a round
	at      int    // a time
	rounds  int    // of which the best counts
	steps   int    // of the machine alone
	people  int    // in an identity source
	items   int    // of a list
	profile string // folder for CPU profiles of the parts

	part   string // set in a child process
	target string // the server that a part calls
}

func bench(args []string, out, problems io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&o.only, "only", "", "what to measure, separated by commas: runs, machine, process, directory, scim, imports; default: all")
	flags.StringVar(&o.lanyard, "lanyard", "bin/lanyard", "the program that process measures")
	flags.IntVar(&o.runs, "runs", 6000, "runs in a round")
	flags.IntVar(&o.at, "at", 64, "runs at a time")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds, of which the best counts")
	flags.IntVar(&o.steps, "steps", 1_000_000, "steps of the machine alone")
	flags.IntVar(&o.people, "people", 100_000, "people in an identity source")
	flags.IntVar(&o.items, "items", 10_000, "items of a list")
	flags.StringVar(&o.profile, "profile", "", "write CPU profiles to this folder")
	flags.StringVar(&o.part, "part", "", "used by the program itself: the measurement of a child process")
	flags.StringVar(&o.target, "target", "", "used by the program itself: the server to call")
	if err := flags.Parse(args); err != nil {
		return 1
	}
	if min(o.runs, o.at, o.rounds, o.steps, o.people, o.items) < 1 {
		fmt.Fprintln(problems, "bench: every number must be at least 1")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.measure(ctx, out); err != nil {
		fmt.Fprintln(problems, "bench:", err)
		return 1
	}
	return 0
}

// measure runs one part in a child process, or everything that was asked for.
func (o *options) measure(ctx context.Context, out io.Writer) error {
	if o.part != "" {
		return o.child(ctx, out)
	}
	wanted := strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return fmt.Errorf("there is nothing called %q to measure", name)
		}
	}
	for _, s := range sections {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		if err := s.run(o, ctx, out); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// section is one comparison that is printed.
type section struct {
	name string
	run  func(*options, context.Context, io.Writer) error
}

var sections = []section{
	{"runs", (*options).compareRuns},
	{"machine", (*options).measureMachine},
	{"process", (*options).compareProcesses},
	{"directory", (*options).compareDirectory},
	{"scim", (*options).compareSCIM},
	{"imports", (*options).compareImports},
}
