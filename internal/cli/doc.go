// Package cli owns the command line: the tree of commands, their flags and
// help, what is printed and the exit code.
//
// The way through the package, in the order in which a command line moves:
//
//	main.go      Main: one command line in, one exit code out
//	root.go      the root command, the flags every command has, environment twins
//	usage.go     arguments and flags that are not there, with the nearest name
//	input.go     --input and --inputs: the inputs of a workflow
//	io.go        the three streams and what is known of the terminal
//	output.go    -o: text for people, JSON for programs
//	table.go     tables and colour for people
//	progress.go  a line on stderr for long work
//	planning.go  which document is meant and how it is bound; its plan
//	session.go   the open data folder that runs are started and looked at in
//	trace.go     a run, step by step, for people; layout.go lays out its bodies
//	fault.go     how an error is printed
//	exit.go      the exit codes, in one table
//
// Every other file is one noun of the tree: run.go, runs.go, plan.go, serve.go,
// doctor.go and so on. A command is three things: an options struct that flags
// and arguments only fill, a function newX that declares it, and a method run
// that does it (docs/checklists/new-command.md).
//
// Results go to stdout, everything else to stderr. An error is printed once, by
// Main, in the format that -o asked for; commands only return it.
//
// What the commands do is left to the packages below, and joining those to
// package app, which hands itself over as a Product.
package cli
