// Package conformance carries the execution conformance suite for the Arazzo
// language: one YAML file a case, and the API description that cases share.
// README.md describes the format and the contract for runners.
//
// It holds data only; judging is left to internal/conformance.
package conformance

import "embed"

// Suite holds cases/*.yaml and shared/*.yaml.
//
//go:embed cases/*.yaml shared/*.yaml
var Suite embed.FS
