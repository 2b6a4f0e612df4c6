// Package expr owns Arazzo's small languages: runtime expressions, text with
// embedded expressions, criteria (simple, regex, jsonpath, xpath) and
// selectors.
//
// Everything is compiled once, before anything is sent, and evaluated many
// times against a Scope. Compiling finds every mistake that does not depend on
// data; evaluating never panics and never sends. An expression that has no
// value is an *Unresolved error, never text (A7). All compiled types may be
// used by several goroutines. Lengths, nesting and work are bounded, so that
// neither a hostile document nor a hostile answer can stop a run.
//
// It leaves documents and their positions to package arazzo, and the order in
// which things are evaluated to package engine.
//
// # Simple conditions
//
// The specification gives operators and literals, but no grammar (A9). Ours is
// the one that the swaggerexpert project published, which follows the filters
// of JSONPath, with ['name'] added to its accesses:
//
//	condition  = and *( "||" and )
//	and        = basic *( "&&" basic )
//	basic      = ["!"] "(" condition ")" / ["!"] operand / operand op operand
//	op         = "==" / "!=" / "<" / "<=" / ">" / ">="
//	operand    = literal / expression *( "." name / "[" digits "]" / "['" name "']" )
//	literal    = "true" / "false" / "null" / number (JSON) / "'" text "'" ('' for ')
//
// Inside a condition a JSON Pointer, and the name of a query or path parameter,
// end before blanks and any of ! & ( ) < = > { | }.
//
// Values are compared so:
//
//   - strings without case, by Unicode simple folding (N44);
//   - a number with a string that reads as a decimal number, as numbers (N45);
//     numbers exactly, whatever their size (A30);
//   - null equals only null (N46); arrays and objects are equal member by member;
//   - "!=" is the negation of "==" (A10);
//   - only two numbers (or a number and a numeric string) and two strings have
//     an order; < <= > >= between other values are false.
//
// An operand on its own holds unless it is false, null, "", 0, an empty array or
// object, or missing. A missing operand equals null. Any other comparison with it is unknown, as in
// the logic of Kleene: unknown stays unknown under "!", "||" needs another part
// that is true, and a condition whose result is unknown has failed, with the
// reason. So neither x == 1 nor !(x == 1) passes when there is no x.
package expr
