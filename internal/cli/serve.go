package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
)

// ServeRequest says what lanyard serve is to do beyond its configuration.
type ServeRequest struct {
	Settings
	Listen                       string // address without port
	APIPort, OktaPort, Auth0Port int    // 0: the configuration's, else the default; -1: any free port
	AllowRemote                  bool   // listen beyond loopback without TLS
	TLS                          bool   // HTTPS with the local authority of the data folder
	Faults                       string // file of faults; empty: none
	Clock                        string // where the sandbox's time begins, RFC 3339; empty: now
	EnforceLimits                bool   // answer 429 when a rate limit is used up
	// Ready is called with the addresses once requests are answered.
	Ready func(addresses map[string]string)
}

type serveOptions struct {
	shell  *shell
	output output
	req    ServeRequest
}

func newServe(sh *shell) *cobra.Command {
	opts := serveOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "serve",
		GroupID: groupWork,
		Short:   "Serve the directory's Okta and Auth0 APIs and Lanyard's own",
		Long: `Serve the directory as an Okta and an Auth0 tenant, and Lanyard's own API, each
on a port of its own. It holds the data folder: other lanyard commands on it talk
to this process. Runs that were interrupted go on.`,
		Example: `  lanyard serve --data .lanyard`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.req.Settings = opts.shell.settings(cmd)
			if !sh.verbose { // nobody waits for its answer: what goes wrong meanwhile is told all the same
				opts.req.Log = slog.New(slog.NewTextHandler(sh.Err, &slog.HandlerOptions{Level: slog.LevelError}))
			}
			return opts.run(cmd.Context())
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&opts.req.Listen, "listen", "", "the `ADDRESS` to listen on; default 127.0.0.1")
	flags.IntVar(&opts.req.APIPort, "api-port", 0, "`PORT` of Lanyard's own API; default 8480, -1: any free one")
	flags.IntVar(&opts.req.OktaPort, "okta-port", 0, "`PORT` of the Okta API; default 8481, -1: any free one")
	flags.IntVar(&opts.req.Auth0Port, "auth0-port", 0, "`PORT` of the Auth0 API; default 8482, -1: any free one")
	flags.BoolVar(&opts.req.TLS, "tls", false, "serve HTTPS; clients have to trust ca.pem in the data folder")
	flags.BoolVar(&opts.req.AllowRemote, "insecure-remote", false, "listen beyond this machine although nothing is encrypted")
	flags.StringVar(&opts.req.Faults, "faults", "", "rehearse with the faults in `FILE` (docs/rehearsal.md)")
	flags.StringVar(&opts.req.Clock, "clock", "", "begin the directory's time at `TIME`, such as 2026-01-01T00:00:00Z; default: now")
	flags.BoolVar(&opts.req.EnforceLimits, "enforce-limits", false, "answer 429 beyond the providers' published rate limits")
	_ = cmd.MarkFlagFilename("faults", "yaml", "yml", "json")
	return cmd
}

func (o *serveOptions) run(ctx context.Context) error {
	if o.shell.product.Serve == nil {
		return missingPart("server")
	}
	o.req.Ready = func(addresses map[string]string) {
		if o.output.json() {
			// The command goes on: a program that reads the line need not wait for its end.
			_ = writeJSON(o.shell.Out, formatNDJSON, addresses)
			return
		}
		// The issuer is what OAuth clients of the Okta org are configured with.
		for _, name := range []string{"api", "okta", "auth0", "issuer"} {
			if address, ok := addresses[name]; ok {
				fmt.Fprintf(o.shell.Out, "%-6s %s\n", name, address)
			}
		}
	}
	return o.shell.product.Serve(ctx, o.req)
}
