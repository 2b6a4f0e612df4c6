package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
)

// Credentials are the secrets of a connection, by the field of its auth.
type Credentials struct {
	Token, Password, ClientSecret, PrivateKey secret.Value
}

// AddConnection asks for a connection to be kept. The secrets of its Auth are in
// Credentials; the references there are the product's to fill in.
type AddConnection struct {
	Settings
	Name        string
	Connection  config.Connection
	Credentials Credentials
	Expires     time.Time // of the credential; zero: not known
}

// KeyToRegister is the public half of a key that was made, for the provider.
type KeyToRegister struct {
	KeyID  string          `json:"keyId,omitempty"`
	Public json.RawMessage `json:"public,omitempty"` // a JWK; empty when no key was made
}

// RotateConnection asks for another credential.
type RotateConnection struct {
	Settings
	Name string
	Now  bool // switch without trying the new one
	// Ask returns the new credential of a kind; empty where it is optional and
	// none is given.
	Ask func(kind string) (secret.Value, error)
}

// RotateReport says what became of a rotation.
type RotateReport struct {
	Switched bool              `json:"switched"` // the new credential is the one in use
	Key      *KeyToRegister    `json:"key,omitempty"`
	Test     *ConnectionReport `json:"test,omitempty"` // what the new credential was found to do
}

// credentialFlags are the places of the secrets of a connection.
type credentialFlags struct {
	token, password, secret, key credentialFlag
}

func (f *credentialFlags) bind(cmd *cobra.Command) {
	f.token.bind(cmd, "token-from", "where the API token or key is")
	f.secret.bind(cmd, "secret-from", "where the client secret is")
	f.key.bind(cmd, "key-from", "where the private key is, PEM or JWK")
	f.password.bind(cmd, "password-from", "where the password is")
	refuseWrittenOut(cmd)
}

// credentialFields says, for each kind of credential, which secret it has and
// whether it can do without.
var credentialFields = map[string]struct {
	field    string
	optional bool
}{
	config.AuthSSWS: {"token", false}, config.AuthAPIKey: {"token", false}, config.AuthBearer: {"token", false},
	config.AuthBasic: {"password", false}, config.AuthClientCredentials: {"clientSecret", false},
	config.AuthAuthorizationCode: {"clientSecret", true}, // an application on people's machines has none
	config.AuthPrivateKeyJWT:     {"privateKey", true},   // one is made
}

// read reads the secret that a kind of credential has.
func (f *credentialFlags) read(ctx context.Context, sh *shell, kind string) (Credentials, error) {
	need := credentialFields[kind]
	var c Credentials
	var err error
	for _, one := range []struct {
		field, flag, what string
		from              *credentialFlag
		into              *secret.Value
	}{
		{"token", "token-from", "the token", &f.token, &c.Token},
		{"password", "password-from", "the password", &f.password, &c.Password},
		{"clientSecret", "secret-from", "the client secret", &f.secret, &c.ClientSecret},
		{"privateKey", "key-from", "the private key", &f.key, &c.PrivateKey},
	} {
		switch {
		case one.field == need.field:
			if *one.into, err = one.from.read(ctx, sh, one.flag, one.what, need.optional); err != nil {
				return c, err
			}
		case one.from.from != "":
			return c, fault.New(fault.Usage, "a credential of type %s has no use for it", kind).At("--%s", one.flag).Fix("remove it, or change --type")
		}
	}
	return c, nil
}

type connectionsAddOptions struct {
	shell   *shell
	output  output
	conn    config.Connection
	secrets credentialFlags
	expires string
}

func newConnectionsAdd(sh *shell) *cobra.Command {
	opts := connectionsAddOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a connection",
		Long: `Add a connection. It serves the sources of that name in workflows; named as the
provider (okta, auth0), or as the only one of it, all sources of the provider.

The credential is asked for, or read from where a flag says, and kept in the
vault of the data folder. It is never given on the command line. For a service
app (private_key_jwt) without --key-from a key pair is made, and its public half
printed, to be registered with the provider.`,
		Example: `  lanyard connections add okta --server https://example.okta.com --token-from env:OKTA_API_TOKEN
  lanyard connections add okta --provider okta --server https://example.okta.com --type authorization_code --client-id 0oa1b2c3
  lanyard connections add okta --server https://example.okta.com --type private_key_jwt --client-id 0oa1b2c3 --dpop`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	flags, c := cmd.Flags(), &opts.conn
	flags.StringVar(&c.Provider, "provider", "", "the `NAME` of the provider in the catalogue, when name and server do not tell: okta, auth0")
	flags.StringVar(&c.Server, "server", "", "the base `URL` of the API")
	flags.StringVar(&c.Auth.Type, "type", "", "the `KIND` of credential: none, ssws, bearer, apiKey, basic, client_credentials, private_key_jwt, authorization_code; default: the provider's usual one")
	flags.StringVar(&c.Auth.ClientID, "client-id", "", "the `ID` of the application")
	flags.StringVar(&c.Auth.Username, "username", "", "the `NAME` for basic")
	flags.StringVar(&c.Auth.KeyID, "key-id", "", "the `ID` under which the provider knows the key of --key-from")
	flags.StringArrayVar(&c.Auth.Scopes, "scope", nil, "a `SCOPE` to ask for; may be repeated; default: those that each workflow needs")
	flags.StringVar(&c.Auth.Audience, "audience", "", "the `AUDIENCE` of the token")
	flags.StringVar(&c.Auth.TokenURL, "token-url", "", "the `URL` of the token endpoint, when the provider is not in the catalogue")
	flags.StringVar(&c.Auth.AuthorizeURL, "authorize-url", "", "the `URL` where people sign in, when the provider is not in the catalogue")
	flags.BoolVar(&c.Auth.DPoP, "dpop", false, "bind access tokens to a key of the vault (RFC 9449)")
	flags.StringVar(&c.Auth.Name, "header", "", "the `NAME` of the header of an apiKey, when the description does not say")
	flags.BoolVar(&c.AllowPrivate, "allow-private", false, "the server may have a loopback or private address")
	flags.StringVar(&opts.expires, "expires", "", "the `DATE` on which the credential ends, if it does: 2027-01-31")
	opts.secrets.bind(cmd)
	return cmd
}

func (o *connectionsAddOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	req := AddConnection{Settings: o.shell.settings(cmd), Name: name, Connection: o.conn}
	if o.expires != "" {
		if req.Expires, err = time.Parse(time.DateOnly, o.expires); err != nil {
			return fault.Wrap(fault.Usage, err, "this is not a date").At("--expires").Fix("write it as 2027-01-31")
		}
	}
	if o.conn.Server == "" {
		return fault.New(fault.Usage, "the server is missing").At("--server").Fix("write it as https://host/base/path")
	}
	if req.Connection.Auth.Type == "" {
		req.Connection.Auth.Type = usualType(name, o.conn)
	}
	kind := req.Connection.Auth.Type
	if _, ok := credentialFields[kind]; !ok && kind != config.AuthNone {
		return fault.New(fault.Usage, "there is no kind of credential %q here", kind).At("--type").
			Fix("use none, ssws, bearer, apiKey, basic, client_credentials, private_key_jwt or authorization_code")
	}
	if req.Credentials, err = o.secrets.read(cmd.Context(), o.shell, kind); err != nil {
		return err
	}
	key, err := connections.Add(cmd.Context(), req)
	if err != nil {
		return err
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Name string         `json:"name"`
			Key  *KeyToRegister `json:"key,omitempty"`
		}{name, optionalKey(key)})
	}
	printKey(o.shell, key, "the public key, to be registered with the provider:")
	next := "lanyard connections test " + name
	if kind == config.AuthAuthorizationCode {
		next = "lanyard connections authorize " + name
	}
	fmt.Fprintf(o.shell.Err, "added; next: %s\n", next)
	return nil
}

// usualType is the kind of credential that the provider is usually given.
func usualType(name string, c config.Connection) string {
	entry := catalog.Find(c.Provider)
	if entry == nil {
		entry = catalog.Match(name, "", []string{c.Server})
	}
	if entry == nil {
		return config.AuthBearer
	}
	return entry.Auth[0].Type
}

func optionalKey(key KeyToRegister) *KeyToRegister {
	if len(key.Public) == 0 {
		return nil
	}
	return &key
}

// printKey prints a public key, if there is one. Only the key goes to stdout.
func printKey(sh *shell, key KeyToRegister, what string) {
	if len(key.Public) == 0 {
		return
	}
	fmt.Fprintln(sh.Err, what)
	lines, ok := layoutJSON(key.Public)
	if !ok {
		lines = []string{string(key.Public)}
	}
	for _, line := range lines {
		fmt.Fprintln(sh.Out, line)
	}
}

type connectionsRotateOptions struct {
	shell   *shell
	output  output
	secrets credentialFlags
	now     bool
}

func newConnectionsRotate(sh *shell) *cobra.Command {
	opts := connectionsRotateOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Replace the credential of a connection",
		Long: `Replace the credential of a connection that was added here. The new one is tried
with a call that only reads; until that works, the old one stays.

For a service app (private_key_jwt) a key pair is made and its public half
printed. Register it with the provider and run the command again: once the new
key is accepted, it takes over and the old one is removed.`,
		Example: `  lanyard connections rotate okta --token-from file:new-token`,
		Args:    takes("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	cmd.Flags().BoolVar(&opts.now, "now", false, "take the new credential without trying it")
	opts.secrets.bind(cmd)
	return cmd
}

func (o *connectionsRotateOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	req := RotateConnection{Settings: o.shell.settings(cmd), Name: name, Now: o.now}
	req.Ask = func(kind string) (secret.Value, error) {
		c, err := o.secrets.read(cmd.Context(), o.shell, kind)
		for _, v := range []secret.Value{c.Token, c.Password, c.ClientSecret, c.PrivateKey} {
			if !v.Empty() {
				return v, err
			}
		}
		return secret.Value{}, err
	}
	r, err := connections.Rotate(cmd.Context(), req)
	if err != nil {
		return err
	}
	if o.output.json() {
		if err := writeJSON(o.shell.Out, o.output.format, r); err != nil {
			return err
		}
	} else {
		o.print(name, r)
	}
	if !r.Switched && r.Key == nil {
		return outcome(exitAuth)
	}
	return nil
}

func (o *connectionsRotateOptions) print(name string, r RotateReport) {
	switch {
	case r.Switched:
		fmt.Fprintf(o.shell.Out, "connection %s uses the new credential; the old one is removed here, and still has to be revoked at the provider\n", name)
	case r.Key != nil:
		printKey(o.shell, *r.Key, "the new public key, to be registered with the provider:")
		if r.Test != nil {
			fmt.Fprintf(o.shell.Err, "not accepted yet: %s\n", printable(r.Test.Message))
		}
		fmt.Fprintf(o.shell.Err, "the old key stays in use; when the new one is registered: lanyard connections rotate %s\n", name)
	default:
		fmt.Fprintf(o.shell.Err, "the new credential does not work, and the old one stays: %s\n", printable(r.Test.Message))
		if r.Test.Remedy != "" {
			fmt.Fprintln(o.shell.Err, printable(r.Test.Remedy))
		}
	}
}

type connectionsRemoveOptions struct {
	shell  *shell
	output output
}

func newConnectionsRemove(sh *shell) *cobra.Command {
	opts := connectionsRemoveOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a connection and its credentials",
		Long: `Remove a connection that was added here, and all that the vault holds for it. The
credential itself stays valid: revoke it at the provider.`,
		Example: `  lanyard connections remove okta`,
		Args:    takes("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return opts.run(cmd, args[0]) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *connectionsRemoveOptions) run(cmd *cobra.Command, name string) error {
	connections, err := o.shell.connections()
	if err != nil {
		return err
	}
	entries, err := connections.Remove(cmd.Context(), o.shell.settings(cmd), name)
	if err != nil {
		return err
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Name    string `json:"name"`
			Entries int    `json:"vaultEntries"`
		}{name, entries})
	}
	fmt.Fprintf(o.shell.Out, "removed connection %s and %d vault entries\n", name, entries)
	return nil
}
