// Command lanyard runs identity workflows across providers and keeps the people
// in them right. It only starts the wired product; the tour starts in the
// package comment of internal/app.
package main

import (
	"os"

	"github.com/lanyard-id/lanyard/internal/app"
)

func main() { os.Exit(app.Main()) }
