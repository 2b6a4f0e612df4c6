package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Okta's SDK for Go 2. The checksum is the one of the module mirror: what runs
// here is what was read.
const (
	go2Module   = "github.com/okta/okta-sdk-golang/v2@v2.20.0"
	go2Sum      = "h1:EDKM+uOPfihOMNwgHMdno+NAsIfyXkVnoFAYVPay0YU="
	go2Suite    = "tests/integration"
	go2Expected = clientsFolder + "/okta-sdk-golang-v2/expected.txt"
)

// useGo2 runs the SDK's own integration tests and compares how each ends with
// expected.txt.
func useGo2(ctx context.Context, o *org, out io.Writer) error {
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	suite, err := buildSuite(ctx, folder, go2Module, go2Sum, go2Suite)
	if err != nil {
		return err
	}
	env := o.env(folder)
	// Without the app only the tests that sign in with it fail.
	service, err := o.registerService(ctx, serviceOptions{scopes: []string{"okta.users.manage"}})
	if err != nil {
		fmt.Fprintf(out, "  no service app: %v\n", err)
	} else {
		env = append(env, service.env()...)
	}
	return judgeSuite(ctx, out, go2Expected, suite, env)
}
