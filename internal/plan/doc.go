// Package plan turns a document and its sources into an immutable Plan in which
// nothing is left to be looked up: operations, expressions, criteria, targets,
// input schemas and order are all resolved before the first request leaves.
// A document that cannot run is refused here, with every reason and its place.
//
// The work has two halves. Build reads documents and sources (through a Loader)
// and gathers them in a Bundle: the strict text of every Arazzo document and
// the operations they use. Compile turns a Bundle into a Plan without reading
// anything, so a run can go on years after its files have moved: the Bundle is
// stored, and its digest is the plan's identity.
//
// Where credentials come from and which server answers is not part of a plan;
// that is bound by package connector.
package plan
