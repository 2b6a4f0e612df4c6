package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tokenTypes are the kinds of token that a service app can be made for.
var tokenTypes = []string{"Bearer", "DPoP"}

// sdkScopes is what the programs that use Okta's SDKs need.
var sdkScopes = []string{"okta.users.manage", "okta.groups.manage"}

// sourceScopes is what the program for identity sources needs.
var sourceScopes = []string{"okta.identitySources.manage", "okta.apps.manage", "okta.users.read", "okta.groups.read", "okta.logs.read"}

// useGo5 builds the program that uses Okta's SDK for Go 5 and runs it.
func useGo5(ctx context.Context, o *org, out io.Writer) error {
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "client")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = filepath.Join(clientsFolder, "okta-sdk-golang-v5")
	build.Env = append(os.Environ(), "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	return useSDK(ctx, o, out, sdkScopes, program)
}

// useNode runs the program that uses Okta's SDK for Node.
func useNode(ctx context.Context, o *org, out io.Writer) error {
	if err := haveModules(); err != nil {
		return err
	}
	return errors.Join(
		useSDK(ctx, o, out, sdkScopes, "node", filepath.Join(clientsFolder, "okta-sdk-nodejs.mjs")),
		useSDK(ctx, o, out, sourceScopes, "node", filepath.Join(clientsFolder, "okta-sources.mjs")))
}

// useSDK runs a program once for each type of token, with an app made for it.
func useSDK(ctx context.Context, o *org, out io.Writer, scopes []string, command ...string) error {
	var failures []error
	for _, kind := range tokenTypes {
		service, err := o.registerService(ctx, serviceOptions{scopes: scopes, dpop: kind == "DPoP"})
		if err == nil {
			err = o.runProgram(ctx, out, append(service.env(), "WANT_TOKEN_TYPE="+kind), command...)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", kind, err))
		}
	}
	return errors.Join(failures...)
}

// useOpenID runs the program that uses openid-client.
func useOpenID(ctx context.Context, o *org, out io.Writer) error {
	if err := haveModules(); err != nil {
		return err
	}
	const redirect = "http://127.0.0.1:1/callback" // the program stops there: nothing has to listen
	scopes := []string{"okta.users.read"}
	a, err := o.registerApp(ctx, "none", object{
		"application_type": "native",
		"grant_types":      []string{"authorization_code", "refresh_token"},
		"response_types":   []string{"code"},
		"redirect_uris":    []string{redirect},
		"consent_method":   "REQUIRED",
		"pkce_required":    true,
	}, scopes)
	if err != nil {
		return err
	}
	p, err := o.registerPerson(ctx, a)
	if err != nil {
		return err
	}
	env := []string{
		"APP_CLIENTID=" + a.clientID, "APP_REDIRECT_URI=" + redirect,
		"PERSON_LOGIN=" + p.login, "PERSON_PASSWORD=" + p.password,
	}
	for _, kind := range tokenTypes {
		s, err := o.registerService(ctx, serviceOptions{scopes: scopes, dpop: kind == "DPoP", ec: true})
		if err != nil {
			return err
		}
		prefix := strings.ToUpper(kind)
		env = append(env, prefix+"_CLIENTID="+s.clientID, prefix+"_PRIVATEKEY="+s.privateKey, "KEYID="+s.keyID)
	}
	return o.runProgram(ctx, out, env, "node", filepath.Join(clientsFolder, "openid-client.mjs"))
}

// haveModules says what to do when the clients from npm are missing.
func haveModules() error {
	if _, err := os.Stat(filepath.Join(clientsFolder, "node_modules")); err != nil {
		return fmt.Errorf("the clients from npm are missing: npm ci --prefix %s", clientsFolder)
	}
	return nil
}

// runProgram runs a program that uses a client. It says what it did on stdout;
// what it says on stderr is why it failed.
func (o *org) runProgram(ctx context.Context, out io.Writer, env []string, command ...string) error {
	home, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(o.env(home), env...)
	var said, why strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &why
	err = cmd.Run()
	if said.Len() > 0 {
		fmt.Fprintln(out, "  "+strings.ReplaceAll(strings.TrimSpace(said.String()), "\n", "\n  "))
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, indent(why.String()))
	}
	return nil
}
