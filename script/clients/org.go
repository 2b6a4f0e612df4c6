package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// clientsFolder holds the programs that use the clients, seen from the
// repository's root, where this command runs.
const clientsFolder = ".ci/clients"

// org is the Okta org that the clients meet.
type org struct {
	url   string // without a slash at the end
	token string // an API token with every right

	tenant tenant // the Auth0 tenant beside it; none where the server runs elsewhere
}

// tenant is the Auth0 tenant that the clients meet.
type tenant struct {
	url                    string // without a slash at the end
	clientID, clientSecret string // of a client with every scope
	authority              string // file with the certificate to trust, where TLS is on
}

// env is the environment of a client's process: what Okta's SDKs read, and
// nothing of whoever runs this. They also look for okta.yaml in the home
// folder, so that is one without any.
func (o *org) env(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"OKTA_CLIENT_ORGURL=" + o.url,
		"OKTA_CLIENT_TOKEN=" + o.token,
		"OKTA_TESTING_DISABLE_HTTPS_CHECK=true",
	}
}

// call sends JSON to the org and decodes the answer into out, unless that is
// nil. Any status but 2xx is an error.
func (o *org) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, o.url+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "SSWS "+o.token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(answer)))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
