// Package shape computes data from data: lists are filtered and mapped, objects
// built, texts joined. The language is CEL (the Common Expression Language),
// with its macros and its extensions for strings, lists, sets, mathematics and
// base64, the functions of Okta's expressions (package compute) under their own
// names, such as String.toUpperCase, and chunk, which cuts a list into parts:
//
//	items.filter(i, i.active).map(i, {"externalId": i.id, "profile": {"email": i.mail}})
//	chunk(users, 200)
//
// # Rules
//
// The same expression on the same values has always the same result: there is no
// clock and no randomness, and the members of an object are gone through in the
// order of their names.
//
// Numbers keep every digit. A whole number that fits 64 bits is an int, one that
// binary floating point holds exactly as it is written a double; any other can be
// handed on and compared, and computing with it is an error.
//
// # Bounds
//
// What an expression may cost and how large its result may be is bounded, and so
// is its text. Values are any of nil, bool, json.Number, string, []any and
// map[string]any; those that are handed on are not copied.
//
// Which variables there are and what they hold is the caller's business.
package shape
