package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/plan"
)

// Product is what package app hands to the command line: the wired product, as
// functions. A nil function is a part that this build does not have; the
// commands say so.
type Product struct {
	// Plan reads a document and its sources. What is wrong with them is in the
	// result; the error is for what stopped the work.
	Plan func(ctx context.Context, req PlanRequest) (*plan.Result, error)

	// Bind returns a function that says what a plan's operations are bound to.
	Bind func(ctx context.Context, req PlanRequest) (func(*plan.Operation) Binding, error)

	// Open opens a data folder, or reaches the lanyard serve that holds it.
	Open func(ctx context.Context, s Settings, access Access) (Session, error)

	// FindOperation returns a function that names the sources of a document
	// which have an operation.
	FindOperation func(ctx context.Context, req PlanRequest, doc *arazzo.Document) func(operationID string) []string

	// Sources carries out a verb on a document's lock file.
	Sources func(ctx context.Context, verb SourcesVerb, req PlanRequest) ([]SourceState, error)

	// Connections looks after the connections and the vault; see Connections.
	Connections Connections

	// Folders packs and unpacks folders of flows.
	Folders Folders

	// Serve serves until ctx ends.
	Serve func(ctx context.Context, req ServeRequest) error

	// Rehearsal reaches the lanyard serve that holds a data folder.
	Rehearsal func(ctx context.Context, s Settings) (Rehearsal, error)

	// LockHolder says which process owns a data folder, in words for people
	// ("process 4711"); it returns "" when none does, also when there is no such
	// folder. It never waits.
	LockHolder func(ctx context.Context, data string) (string, error)

	// CheckSandbox starts the embedded directory in a temporary folder, asks it
	// something and takes it down again.
	CheckSandbox func(ctx context.Context) error
}

// Process is Main for the process it is called in: its arguments, its streams,
// and its signals. The first signal asks for an orderly end, the second one is
// not caught.
func Process(product Product) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Main(ctx, System(), product, os.Args[1:])
}

// Main runs one command line, without the program's name, and returns the exit
// code. It prints everything there is to print. When ctx ends, the command
// stops as soon as what it holds is safe.
func Main(ctx context.Context, streams IO, product Product, args []string) int {
	if streams.In != nil {
		streams.In = &untilDone{ctx: ctx, from: streams.In}
	}
	return execute(ctx, &shell{IO: streams, product: product}, newRoot, args)
}

// execute runs a command line on the tree that build makes.
func execute(ctx context.Context, sh *shell, build func(*shell) *cobra.Command, args []string) int {
	sh.log = slog.New(slog.DiscardHandler)
	root := build(sh)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !sh.began {
		err = wrongUsage(cmd, err)
	}
	var printed outcome
	if err != nil && !errors.As(err, &printed) {
		sh.log.Error("command failed", "command", cmd.CommandPath(), "error", err)
		printError(ctx, sh.IO, errorFormat(sh, cmd, args), err)
	}
	return exitCode(ctx, err)
}

// errorFormat finds the format that -o asked for, also when reading the flags
// stopped before it: programs expect JSON for a wrong command line too.
func errorFormat(sh *shell, cmd *cobra.Command, args []string) string {
	flag := cmd.Flags().Lookup(outputFlag)
	if flag == nil {
		return formatText
	}
	if !sh.began {
		cmd.FParseErrWhitelist.UnknownFlags = true
		_ = cmd.ParseFlags(args)            // its error has been reported
		_ = setFromEnv(cmd.Flags(), sh.Env) // likewise
	}
	return flag.Value.String()
}
