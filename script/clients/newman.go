package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/lanyard-id/lanyard/internal/inbound/inboundtest"
	scimtenant "github.com/lanyard-id/lanyard/internal/tenant"
)

// Microsoft's collection of tests for SCIM servers, beside the repository.
const microsoftCollection = "../shared/data/scim/microsoft-postman.json"

// microsoftProfiles are the ways in which the collection is run.
var microsoftProfiles = []struct {
	name    string
	options inboundtest.Options
}{
	{"strict", inboundtest.Options{Strategy: "samlp", Policy: scimtenant.SCIMPolicy{Rehire: scimtenant.Refuse}}},
	{"entra", inboundtest.Options{
		Strategy: "waad", Settings: scimtenant.SCIMSettings{UserIDAttribute: scimtenant.ByUserName},
		Policy: scimtenant.SCIMPolicy{Rehire: scimtenant.Refuse, UnknownMembers: scimtenant.DeferUnknown},
	}},
}

// externalID and userName find the attributes in the bodies of the collection,
// of which one is not well-formed on purpose.
var (
	externalID = regexp.MustCompile(`("externalId"\s*:\s*)"[^"]*"`)
	userName   = regexp.MustCompile(`"userName"\s*:\s*"([^"]*)"`)
)

// distinct gives people externalIds of their own. The collection gives one to
// several, or writes a variable of another tool that newman leaves as it is; a
// connection knows a person again by it.
func distinct(collection []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(collection, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", microsoftCollection, err)
	}
	return json.Marshal(distinctBodies(v))
}

func distinctBodies(v any) any {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			v[i] = distinctBodies(item)
		}
	case map[string]any:
		for name, item := range v {
			v[name] = distinctBodies(item)
		}
		if raw, ok := v["raw"].(string); ok {
			if name := userName.FindStringSubmatch(raw); name != nil {
				v["raw"] = externalID.ReplaceAllString(raw, `${1}"id of `+name[1]+`"`)
			}
		}
	}
	return v
}

// useMicrosoft runs Microsoft's collection by newman and compares how each
// assertion ends with the file of the profile.
func useMicrosoft(ctx context.Context, _ *org, out io.Writer) error {
	if err := haveModules(); err != nil {
		return err
	}
	if _, err := os.Stat(microsoftCollection); err != nil {
		if os.Getenv("CI") != "" {
			return err
		}
		fmt.Fprintf(out, "  left out: %v\n", err)
		return nil
	}
	var failures []error
	for _, p := range microsoftProfiles {
		fmt.Fprintf(out, "  %s:\n", p.name)
		results, err := runMicrosoft(ctx, p.options)
		if err != nil {
			return err
		}
		file := filepath.Join(clientsFolder, "microsoft-postman", p.name+".txt")
		expected, err := readFile(file)
		if err != nil {
			return err
		}
		failures = append(failures, compare(out, file, expected, results, ""))
	}
	return errors.Join(failures...)
}

// runMicrosoft runs the collection against a connection of its own.
func runMicrosoft(ctx context.Context, o inboundtest.Options) (results map[string]*result, err error) {
	folder, err := os.MkdirTemp("", "lanyard-clients-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	s, err := inboundtest.Start(ctx, folder, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	door, err := newTokenDoor(s)
	if err != nil {
		return nil, err
	}
	defer door.Close()
	address, err := url.Parse(door.URL)
	if err != nil {
		return nil, err
	}
	collection, err := os.ReadFile(microsoftCollection)
	if err != nil {
		return nil, err
	}
	if collection, err = distinct(collection); err != nil {
		return nil, err
	}
	file, report := filepath.Join(folder, "collection.json"), filepath.Join(folder, "report.json")
	if err := os.WriteFile(file, collection, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(clientsFolder, "node_modules", ".bin", "newman"), "run", file,
		"--env-var", "Protocol=http", "--env-var", "Server="+address.Hostname(), "--env-var", "Port=:"+address.Port(), "--env-var", "Api=scim",
		"--reporters", "json", "--reporter-json-export", report)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	said, failure := cmd.CombinedOutput() // it fails when an assertion does
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, errors.Join(err, failure, errors.New(indent(string(said))))
	}
	return readNewman(text)
}

// tokenAssertion is about the token, which is not ours to give.
const tokenAssertion = "01:GET:/Token:1"

// newTokenDoor stands before a connection's endpoint and adds what the collection
// gets its token from: /Token is Microsoft's own server's, not SCIM's.
func newTokenDoor(s *inboundtest.Server) (*httptest.Server, error) {
	target, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/scim/Token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"token": s.Token}) // the client is gone
	})
	mux.Handle("/scim/", http.StripPrefix("/scim", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}))
	return httptest.NewServer(mux), nil
}

// newmanReport is the part of newman's report that says how assertions ended.
type newmanReport struct {
	Run struct {
		Executions []struct {
			Item struct {
				Request struct {
					Method string
					URL    struct {
						Path  []string
						Query []struct{ Key, Value string }
					}
				}
			}
			Assertions []struct {
				Assertion string
				Error     *struct{ Message string }
			}
			RequestError *struct{ Message string }
		}
	}
}

// readNewman names each assertion by its place in the collection, the method and
// the path, so that the list of expectations can be read.
func readNewman(text []byte) (map[string]*result, error) {
	var report newmanReport
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("newman's report: %w", err)
	}
	results := map[string]*result{}
	for i, e := range report.Run.Executions {
		path := e.Item.Request.URL.Path
		if len(path) > 0 {
			path = path[1:] // {{Api}}
		}
		name := fmt.Sprintf("%02d:%s:/%s", i+1, e.Item.Request.Method, strings.Join(path, "/"))
		for j, a := range e.Assertions {
			r := &result{action: passed, output: a.Assertion}
			if a.Error != nil {
				r.action = failed
				r.output += ": " + a.Error.Message
			}
			results[fmt.Sprintf("%s:%d", name, j+1)] = r
		}
	}
	delete(results, tokenAssertion)
	return results, nil
}
