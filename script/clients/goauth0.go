package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// Auth0's SDK for Go. Its checksum is the one of the module mirror.
const (
	goAuth0Module   = "github.com/auth0/go-auth0@v1.45.0"
	goAuth0Sum      = "h1:fQaNSWpoMneYsutOr+3fTOXIsFAQThSf2A0ShL3oaZg="
	goAuth0Suite    = "management"
	goAuth0Expected = clientsFolder + "/go-auth0/expected.txt"
)

// goAuth0Tests are the tests that are run: those of the areas that Lanyard has.
const goAuth0Tests = "^Test(User|Role|Connection|Organization|Job|Log)Manager"

// useGoAuth0 runs the SDK's own tests against the tenant, without its recordings.
func useGoAuth0(ctx context.Context, o *org, out io.Writer) error {
	domain, ok := strings.CutPrefix(o.tenant.url, "https://")
	if !ok {
		return errors.New("Auth0's SDK speaks TLS only: it needs a server that this command starts")
	}
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	suite, err := buildSuite(ctx, folder, goAuth0Module, goAuth0Sum, goAuth0Suite)
	if err != nil {
		return err
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + folder,
		"SSL_CERT_FILE=" + o.tenant.authority,
		"AUTH0_DOMAIN=" + domain,
		"AUTH0_CLIENT_ID=" + o.tenant.clientID,
		"AUTH0_CLIENT_SECRET=" + o.tenant.clientSecret,
		"AUTH0_HTTP_RECORDINGS=off",
	}
	return judgeEach(ctx, out, goAuth0Expected, suite, goAuth0Tests, env, drewTwice)
}

// drewTwice reports whether a test drew the same name for two things. The suite has
// 999 of them.
func drewTwice(output string) bool {
	return strings.Contains(output, "409 Conflict") && strings.Contains(output, "already exists")
}
