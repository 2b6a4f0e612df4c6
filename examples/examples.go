// Package examples holds workflows that run as they stand, with the OpenAPI
// descriptions and inputs they need. They are files first: read them, run
// them, copy them. The package only embeds them, so that `lanyard init` can
// write a copy without a network.
package examples

import "embed"

// Files are the examples under the names they have in this folder.
//
//go:embed *.yaml *.json openapi/*.yaml
var Files embed.FS
