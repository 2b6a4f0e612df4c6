package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// AuthorizeConnection asks for a person's sign-in.
type AuthorizeConnection struct {
	Settings
	Name     string
	Scopes   []string      // to ask for; none: as Workflows need, else as usual
	For      []PlanRequest // workflows whose needs make up the scopes
	Port     int           // of the redirect URI; 0: any free one
	Redirect string        // a redirect URI elsewhere; only with Paste
	Open     bool          // open a browser on this machine
	// Show is called with the URL to open, and with where the browser is sent
	// back to, which the provider must know.
	Show func(signIn, redirect string)
	// Paste returns what the browser was sent back with, as the person copies
	// it. Without it a port of this machine is listened on.
	Paste func() (url.Values, error)
}

// ScopesRequest asks what a connection may do.
type ScopesRequest struct {
	Settings
	Name string
	For  []PlanRequest
}

// ScopesReport compares what a connection may do with what workflows need.
type ScopesReport struct {
	Name    string   `json:"name"`
	Kind    string   `json:"credential"`
	Scoped  bool     `json:"scoped"` // its rights are told by scopes
	Granted []string `json:"granted"`
	Needed  []string `json:"needed"`
	Missing []string `json:"missing"`
	Message string   `json:"message,omitempty"` // why it is not known what is granted
	Remedy  string   `json:"remedy,omitempty"`
}

// forFlags name the workflows whose needs matter.
type forFlags struct {
	files   []string
	dialect string
}

func (f *forFlags) bind(cmd *cobra.Command, what string) {
	cmd.Flags().StringArrayVar(&f.files, "for", nil, what+" the workflow in `FILE`; may be repeated")
	bindDialect(cmd, &f.dialect)
}

func (f *forFlags) requests(s Settings) ([]PlanRequest, error) {
	dialect, err := parseDialect(f.dialect)
	if err != nil {
		return nil, err
	}
	var out []PlanRequest
	for _, file := range f.files {
		req := PlanRequest{Settings: s, File: file, Dialect: dialect}
		req.Bindings.Sandbox = true // the built-in description will do where the published one cannot be had
		out = append(out, req)
	}
	return out, nil
}

type connectionsAuthorizeOptions struct {
	shell    *shell
	output   output
	workflow forFlags
	scopes   []string
	port     int
	redirect string
	noListen bool
	open     bool
}

// pastePort is the port of the redirect URI when nothing listens there.
const pastePort = 8484

func newConnectionsAuthorize(sh *shell) *cobra.Command {
	opts := connectionsAuthorizeOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "authorize NAME",
		Short: "Sign in, so that a connection may act for you",
		Long: `Sign in to a connection of type authorization_code (OAuth 2.0 with PKCE). It
prints an address to open in a browser, waits on a port of this machine until the
browser comes back, and keeps the tokens in the vault. From then on the
connection acts for whoever signed in, and renews its tokens by itself.

The redirect URI, http://127.0.0.1:PORT/callback, must be one of the
application's: fix the port with --port where the provider compares it. With
--no-listen nothing is listened on: paste the address the browser ends at.

It asks for the scopes of --scope, or exactly those that the workflows of --for
need, else for those of the connection, else for the provider's usual ones.`,
		Example: `  lanyard connections authorize okta --port 8484
  lanyard connections authorize okta --for onboarding.arazzo.yaml --no-listen`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	opts.workflow.bind(cmd, "ask for the scopes needed by")
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.scopes, "scope", nil, "a `SCOPE` to ask for; may be repeated")
	flags.IntVar(&opts.port, "port", 0, "the `PORT` of the redirect URI; default: any free one, with --no-listen 8484")
	flags.BoolVar(&opts.noListen, "no-listen", false, "listen on no port: read the address that the browser ends at from stdin")
	flags.StringVar(&opts.redirect, "redirect-uri", "", "another redirect `URI` of the application; only with --no-listen")
	flags.BoolVar(&opts.open, "open", false, "open the address in this machine's browser")
	return cmd
}

func (o *connectionsAuthorizeOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	req, err := o.request(cmd, name)
	if err != nil {
		return err
	}
	granted, err := connections.Authorize(cmd.Context(), req)
	if err != nil {
		return err
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, granted)
	}
	who := granted.Identity
	if who == "" {
		who = "somebody who was not named"
	}
	fmt.Fprintf(o.shell.Out, "connection %s acts for %s\n", name, printable(who))
	fmt.Fprintf(o.shell.Out, "scopes: %s\n", printable(strings.Join(granted.Scopes, " ")))
	if !granted.Renewable {
		fmt.Fprintf(o.shell.Err, "warning: there is no refresh token: the connection ends at %s; ask for the scope offline_access, and let the application use refresh tokens\n", dateTime(granted.Expires))
	}
	return nil
}

func (o *connectionsAuthorizeOptions) request(cmd *cobra.Command, name string) (AuthorizeConnection, error) {
	req := AuthorizeConnection{Settings: o.shell.settings(cmd), Name: name, Scopes: o.scopes, Port: o.port, Redirect: o.redirect, Open: o.open, Show: o.show}
	switch {
	case len(o.scopes) > 0 && len(o.workflow.files) > 0:
		return req, fault.New(fault.Usage, "scopes are named, and workflows that they are to follow from").At("--scope, --for").Fix("give one of them")
	case o.redirect != "" && !o.noListen:
		return req, fault.New(fault.Usage, "nothing here can listen on another redirect URI").At("--redirect-uri").Fix("add --no-listen")
	case o.port < 0 || o.port > 65535:
		return req, fault.New(fault.Usage, "there is no port %d", o.port).At("--port")
	}
	if o.noListen {
		req.Paste = o.paste
		if req.Port == 0 {
			req.Port = pastePort
		}
	}
	var err error
	req.For, err = o.workflow.requests(req.Settings)
	return req, err
}

func (o *connectionsAuthorizeOptions) show(signIn, redirect string) {
	fmt.Fprintf(o.shell.Err, "sign in here:\n\n  %s\n\nthe browser is sent back to %s\n", signIn, redirect)
	if o.noListen {
		fmt.Fprint(o.shell.Err, "paste the address it ends at: ")
	}
}

// maxRedirect bounds the pasted address, in bytes.
const maxRedirect = 64 << 10

func (o *connectionsAuthorizeOptions) paste() (url.Values, error) {
	line, err := bufio.NewReader(io.LimitReader(o.shell.In, maxRedirect)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(fault.Usage, err, "stdin cannot be read")
	}
	if !o.shell.InTerminal() {
		fmt.Fprintln(o.shell.Err) // nobody typed the end of the line
	}
	back, ok := redirected(line)
	if !ok {
		return nil, fault.New(fault.Usage, "this is not the address of a sign-in's end: it holds no code").
			Fix("copy all of what the browser shows in its address bar")
	}
	return back, nil
}

type connectionsScopesOptions struct {
	shell    *shell
	output   output
	workflow forFlags
}

func newConnectionsScopes(sh *shell) *cobra.Command {
	opts := connectionsScopesOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "scopes NAME",
		Short: "Compare what a connection may do with what workflows need",
		Long: `Get a token of the connection and list its scopes, those that the workflows of
--for need, and those that are missing, with the way to grant them. The needs are
those that the descriptions of the operations state, else the catalogue's.`,
		Example: `  lanyard connections scopes okta --for onboarding.arazzo.yaml --dialect ` + string(arazzo.Compat),
		Args:    takes("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	opts.workflow.bind(cmd, "count the scopes needed by")
	return cmd
}

func (o *connectionsScopesOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	req := ScopesRequest{Settings: o.shell.settings(cmd), Name: name}
	if req.For, err = o.workflow.requests(req.Settings); err != nil {
		return err
	}
	r, err := connections.Scopes(cmd.Context(), req)
	if err != nil {
		return err
	}
	if o.output.json() {
		err = writeJSON(o.shell.Out, o.output.format, r)
	} else {
		err = o.print(r)
	}
	if err == nil && (len(r.Missing) > 0 || len(r.Needed) > 0 && !r.known()) {
		return outcome(exitAuth)
	}
	return err
}

// known reports whether it could be found out which scopes are granted.
func (r ScopesReport) known() bool { return !r.Scoped || len(r.Granted) > 0 }

func (o *connectionsScopesOptions) print(r ScopesReport) error {
	t := newTable(o.shell.IO, "SCOPE", "GRANTED", "NEEDED")
	t.look = func(column, text string) style {
		if column == "GRANTED" && text == "missing" {
			return red
		}
		return plain
	}
	missing, needed := set(r.Missing), set(r.Needed)
	for _, s := range r.Granted {
		need := ""
		if needed[s] {
			need = "yes"
		}
		t.row(s, "yes", need)
	}
	granted := set(r.Granted)
	for _, s := range r.Needed {
		switch {
		case granted[s]:
		case missing[s]:
			t.row(s, "missing", "yes")
		case !r.known():
			t.row(s, "not known", "yes")
		case r.Scoped:
			t.row(s, "by another", "yes")
		default:
			t.row(s, "", "yes")
		}
	}
	if err := t.print(); err != nil {
		return err
	}
	for _, text := range []string{r.Message, r.Remedy} {
		if text != "" {
			fmt.Fprintln(o.shell.Err, printable(text))
		}
	}
	return nil
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, s := range list {
		out[s] = true
	}
	return out
}
