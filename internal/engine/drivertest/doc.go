// Package drivertest is the contract of a driver of package engine, as tests.
//
// A driver passes when a run that is cut off at any boundary, and resumed by
// another process on the same data, ends as if nothing had happened: no call
// that was completed is made again, none is left out, and the one that was
// under way is settled by its step's rule or held for a person.
//
//	before append | after append | before call | after effect | before append ...
//
// A test gives Run a function that opens a process of the driver. The process
// makes its calls through Life.Call and asks Life.Reach around every write to
// its journal; at the boundary that the contract has chosen, Reach says that
// the process is dead, and from then on nothing may be written. Calls are made
// to a target that counts what it is asked and what it changes.
//
// The package knows no particular driver. It also offers the small API that the
// target serves, and plans against it (Plan), to tests of engine and drivers.
package drivertest
