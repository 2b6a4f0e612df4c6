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
//	fault.go     how an error is printed
//	exit.go      the exit codes, in one table
//
// Every other file is one noun of the tree: version.go, completion.go, init.go,
// doctor.go, docs.go. A command is three things: an options struct that flags
// and arguments only fill, a function newX that declares it, and a method run
// that does it (docs/checklists/new-command.md).
//
// Results go to stdout, everything else to stderr. An error is printed once, by
// Main, in the format that -o asked for; commands only return it.
//
// What the commands do is left to the packages below, and joining those to
// package app, which hands itself over as a Product.
package cli
