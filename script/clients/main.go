// Command clients runs other people's clients: what was written for Okta or Auth0
// is the judge of whether lanyard serve speaks them, and other parsers of SCIM
// filters are the judges of ours.
//
//	okta-sdk-golang-v2   Okta's SDK for Go 2, by its own integration tests
//	okta-sdk-golang-v5   Okta's SDK for Go 5: private_key_jwt, with and without DPoP
//	okta-sdk-nodejs      Okta's SDK for Node, the same, and all calls of identity sources
//	openid-client        a certified OpenID client: authorization code with PKCE through the
//	                     pages, refresh, introspection, revocation; private_key_jwt and DPoP
//	go-auth0             Auth0's SDK for Go, by its own tests, over TLS
//	microsoft-postman    Microsoft's collection of tests for SCIM servers, by newman: strictly,
//	                     and as Entra's clients are treated
//	scim2-parse-filter   a parser of SCIM filters: 20,000 filters, each difference explained
//	scimmy-filter        that of SCIMMY, a SCIM server for Node, the same
//	scim-patch           SCIM's PATCH for Node: 20,000 patches, each difference explained
//	scimmy-patch         that of SCIMMY, the same
//	dynalite             a DynamoDB for tests: our reader of sources against its tables
//
// Without names it runs all of them. Each that speaks to one gets a server and a data folder of
// its own; with -url and -token all share one that runs already, be it Lanyard
// or something else that speaks Okta.
//
// The package owns starting, preparing (apps, grants, people) and judging. The
// programs that use the clients stand in .ci/clients, in modules and lock files
// of their own: nothing of theirs enters ours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// patience is how long one client may take, its build and downloads included.
const patience = 10 * time.Minute

// client is somebody's client and how it is used.
type client struct {
	name string
	// use runs it against a server and writes what is worth reading to out. An
	// error says that the client was not content.
	use func(ctx context.Context, o *org, out io.Writer) error
	// flags are what its server needs beside what all have.
	flags []string

	serverless bool // it needs no server: use gets none
}

var clients = []client{
	{name: "okta-sdk-golang-v2", use: useGo2},
	{name: "okta-sdk-golang-v5", use: useGo5},
	{name: "okta-sdk-nodejs", use: useNode},
	{name: "openid-client", use: useOpenID},
	{name: "go-auth0", use: useGoAuth0, flags: []string{"--tls"}},
	{name: "microsoft-postman", use: useMicrosoft, serverless: true},
	{name: "scim2-parse-filter", use: useParseFilter, serverless: true},
	{name: "scimmy-filter", use: useSCIMMYFilter, serverless: true},
	{name: "scim-patch", use: useSCIMPatch, serverless: true},
	{name: "scimmy-patch", use: useSCIMMYPatch, serverless: true},
	{name: "dynalite", use: useDynalite, serverless: true},
}

// options are the flags.
type options struct {
	lanyard    string // the binary under test
	url, token string // of a server that runs already
}

func run(args []string, out, problems io.Writer) int {
	var o options
	flags := flag.NewFlagSet("clients", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&o.lanyard, "lanyard", "bin/lanyard", "the program under test")
	flags.StringVar(&o.url, "url", "", "a server that runs already, instead of starting one")
	flags.StringVar(&o.token, "token", "", "its API token")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		fmt.Fprintln(problems, "clients:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := 0
	for _, c := range chosen {
		if ctx.Err() != nil {
			return 1
		}
		begun := time.Now()
		err := o.try(ctx, c, out)
		took := time.Since(begun).Round(100 * time.Millisecond)
		if err != nil {
			fmt.Fprintf(problems, "%s: %v\n", c.name, err)
			fmt.Fprintf(out, "FAIL %s (%s)\n", c.name, took)
			code = 1
			continue
		}
		fmt.Fprintf(out, "ok   %s (%s)\n", c.name, took)
	}
	return code
}

// choose finds clients by name; no names are all of them.
func choose(names []string) ([]client, error) {
	if len(names) == 0 {
		return clients, nil
	}
	var chosen []client
	for _, name := range names {
		at := slices.IndexFunc(clients, func(c client) bool { return c.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no client %q", name)
		}
		chosen = append(chosen, clients[at])
	}
	return chosen, nil
}

// try runs one client against a server that is there for it alone.
func (o *options) try(ctx context.Context, c client, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if c.serverless {
		return c.use(ctx, nil, out)
	}
	if o.url != "" {
		return c.use(ctx, &org{url: o.url, token: o.token}, out)
	}
	s, err := startServer(ctx, o.lanyard, c.flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return c.use(ctx, &s.org, out)
}
