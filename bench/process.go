//go:build unix

package main

import (
	"context"
	"io"
)

func (o *options) compareProcesses(ctx context.Context, out io.Writer) error { return nil }
