package config

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of lanyard.yaml, for editors.
func Schema() []byte { return schema }
