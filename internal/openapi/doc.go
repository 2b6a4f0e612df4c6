// Package openapi owns the part of OpenAPI that a caller needs: which
// operations a description has, how their parameters and bodies are written,
// which servers they live on and which credentials they want (N13, N15, N20-N22).
//
// # Reading
//
// [Parse] reads Swagger 2.0 and OpenAPI 3.0 to 3.2, as YAML or JSON, and keeps
// an [Index]: a table of operations, each stored as a few hundred bytes of JSON
// that are decoded when the operation is asked for. The document itself is
// dropped; a description of 2.3 MB becomes an index of a fraction of that.
// [Index.Marshal] writes the index to a cache file and [Unmarshal] reads it
// back in about a millisecond.
//
// Published descriptions are rarely clean, so nothing is refused that an
// operation can be called without. References are resolved inside the document
// when something needs them; a dangling one spoils only what it stands for and
// is kept in [Operation.Problems]. Only a path item that cannot be read makes
// its operations unavailable, and asking for one says why. Hostile documents
// are bounded in depth, in the work that references cause and in output.
//
// # Writing
//
// [Operation.Render] turns values into a request by the rules of the parameter
// styles and media types. It is pure: no server, no credential, no I/O. A value
// that its place cannot carry is an error, never approximate text.
//
// Left to others: finding and pinning descriptions (package sources), binding
// servers and credentials (package connector), validating against schemas.
package openapi
