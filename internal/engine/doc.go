// Package engine is the machine that runs a plan: a pure function from a state
// and an event to the next state and the commands to carry out.
//
//	Start(input)        -> State, Turn
//	Apply(State, Event) -> State, Turn
//
// There is no clock, randomness, goroutine, map order or HTTP in it. Whoever
// drives it (package worker, a conformance test, later Temporal) performs the
// commands and feeds back what happened. The same events always give the same
// states, so a run is stored as its events alone and survives a crash by
// folding them again.
//
// At most one command is outstanding at any time: a Call to make, a Timer to
// wait for, outputs to Compute, a workflow to run ForEach item of a list, or a Hold
// that waits for a person. The items of a list are runs of their own, each with
// its own state: a list does not make the state of its run larger. A Turn also carries Notes, which
// tell people what was decided and why; nothing reads them back.
//
// A call that was sent and whose answer was lost is in doubt. The machine
// settles it by the step's rule (x-lanyard-idempotency) or, when repeating is
// harmless by HTTP's own rules, by sending it again; otherwise it holds. It
// never guesses and never repeats blindly (settle.go).
//
// The package leaves documents to plan, HTTP to connector, and durability to
// its drivers.
package engine
