// Package arazzo owns Arazzo documents: it reads them with the place of every
// field, checks everything that needs no API description, and rewrites the
// loose forms people publish into what the specification says.
//
// # The passes
//
//	bytes --Parse--> Document          structure, version       read.go, read_workflow.go, read_schema.go
//	Document --Check--> []Diagnostic   meaning                  check.go and check_*.go, scan.go, flow.go, graph.go
//	Document --Fix--> bytes            loose forms made strict  compat.go, comparison.go, fix.go
//
// text.go and edit.go find a scalar's bytes in the text and change them without
// touching the rest. official.go runs the published JSON Schema on request.
//
// Parse is generous: it returns what it could read together with everything
// that is wrong with the document's structure. Check assumes nothing about the
// outcome of Parse and never repeats its findings. Both report all there is at
// once; only a Diagnostic of severity Error keeps a document from running.
//
// # Dialects
//
// Strict is the specification. Compat is what people write: expressions without
// braces inside text, comparisons in place of JSONPath, double-quoted strings
// (see the list in compat.go). There is no second interpreter for it. A compat
// document means exactly what the strict document means that Fix makes of it,
// and ReadCompat does that rewriting in memory, keeping the places of the
// original. So each loose form is a Diagnostic with text edits, an error in
// Strict, a warning in Compat.
//
// # What it leaves to others
//
// The small languages inside documents (expressions, criteria, selectors)
// belong to arazzo/expr. What operations exist, which parameters they take and
// which statuses they declare is known to package plan, which continues the
// list of diagnostics. Running is package engine's.
//
// The N and A numbers in comments are those of the language notes: N for
// normative behaviour, A for ambiguous points and how they are decided.
package arazzo
