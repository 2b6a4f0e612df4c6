// Command lanyard runs identity workflows across providers and keeps the people
// in them right. It only joins the wired product to the command line; the tour
// starts in the package comment of internal/cli.
package main

import (
	"os"

	"github.com/lanyard-id/lanyard/internal/cli"
)

func main() { os.Exit(cli.Process(cli.Product{})) }
