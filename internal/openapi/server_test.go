package openapi

import (
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestResolveServer(t *testing.T) {
	variable := func(url string, v Variable) Server { return Server{URL: url, Variables: map[string]Variable{"v": v}} }
	auth0 := Server{URL: "https://{tenantDomain}/api/v2", Variables: map[string]Variable{"tenantDomain": {Default: "{TENANT}.auth0.com"}}}
	const doc = "https://raw.example.com/specs/v1/api.yaml"
	for _, tt := range []struct {
		server        Server
		doc           string
		vars          map[string]string
		want, problem string
	}{
		{server: Server{URL: "https://your-subdomain.okta.com/"}, doc: doc, want: "https://your-subdomain.okta.com"},
		{server: Server{URL: "https://h/api/v1"}, doc: "api.yaml", want: "https://h/api/v1"},
		{server: Server{URL: "https://h/api//"}, doc: doc, want: "https://h/api"},
		{server: Server{URL: "http://h:8080"}, doc: doc, want: "http://h:8080"},
		{server: auth0, doc: doc, vars: map[string]string{"tenantDomain": "example.eu.auth0.com"}, want: "https://example.eu.auth0.com/api/v2"},
		{server: auth0, doc: doc, problem: `the server variable "tenantDomain" is unbound: its value "{TENANT}.auth0.com" is a placeholder`},
		{server: auth0, doc: doc, vars: map[string]string{"tenantDomain": "{x}"}, problem: `"tenantDomain" is unbound`},
		{server: variable("https://h/{v}", Variable{Default: "v1"}), doc: doc, want: "https://h/v1"},
		{server: variable("https://h/{v}/{v}", Variable{Default: "v1"}), doc: doc, vars: map[string]string{"v": "v2"}, want: "https://h/v2/v2"},
		{server: variable("https://h/{v}", Variable{Default: "v1", Enum: []string{"v1", "v2"}}), doc: doc, vars: map[string]string{"v": "v3"}, problem: `must be one of v1, v2, not "v3"`},
		{server: variable("https://h/{v}", Variable{}), doc: doc, problem: `the server variable "v" has no value`},
		{server: variable("https://h{v}/x", Variable{}), doc: doc, vars: map[string]string{"v": ""}, want: "https://h/x"},
		{server: Server{URL: "https://h/{undeclared}"}, doc: doc, problem: `the server variable "undeclared" has no value`},
		{server: Server{URL: "https://h/{undeclared}"}, doc: doc, vars: map[string]string{"undeclared": "x"}, want: "https://h/x"},
		{server: Server{URL: "https://h/{half"}, doc: doc, problem: "a brace without its partner"},
		{server: Server{URL: "/"}, doc: doc, want: "https://raw.example.com"},
		{server: Server{URL: "/api/v1/"}, doc: doc, want: "https://raw.example.com/api/v1"},
		{server: Server{URL: "../v2"}, doc: doc, want: "https://raw.example.com/specs/v2"},
		{server: Server{URL: "."}, doc: doc, want: "https://raw.example.com/specs/v1"},
		{server: Server{URL: "//other.example.com/x"}, doc: doc, want: "https://other.example.com/x"},
		{server: Server{URL: "//other.example.com/x"}, doc: "http://h/api", want: "http://other.example.com/x"},
		{server: Server{URL: "//other.example.com/x"}, doc: "specs/api.yaml", want: "https://other.example.com/x"},
		{server: Server{URL: "/api"}, doc: "specs/api.yaml", problem: "does not come from the web; bind a server"},
		{server: Server{URL: "/api"}, doc: "file:///specs/api.yaml", problem: "does not come from the web"},
		{server: Server{URL: "/api"}, doc: `C:\specs\api.yaml`, problem: "does not come from the web"},
		{server: Server{URL: "ftp://h/"}, doc: doc, problem: `"ftp" is neither http nor https`},
		{server: Server{URL: "javascript:alert(1)"}, doc: doc, problem: "neither http nor https"},
		{server: Server{URL: "https:///x"}, doc: doc, problem: "names no host"},
		{server: Server{URL: "https://u:p@h/x"}, doc: doc, problem: "credentials do not belong"},
		{server: Server{URL: "https://h/x?y=1"}, doc: doc, problem: "no query"},
		{server: Server{URL: "https://h/x#y"}, doc: doc, problem: "no fragment"},
		{server: Server{URL: "https://a b/"}, doc: doc, problem: "it is not a URL"},
		{server: variable("https://{v}.okta.com", Variable{Default: "x"}), doc: doc, vars: map[string]string{"v": "evil.com/x?"}, problem: "no query"},
	} {
		got, err := ResolveServer(tt.server, tt.doc, tt.vars)
		if tt.problem != "" {
			if err == nil || !strings.Contains(fault.Public(err), tt.problem) || !strings.Contains(fault.Public(err), tt.server.URL) {
				t.Errorf("ResolveServer(%s) = %q, %v; want error with %q and the server", tt.server.URL, got, err, tt.problem)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("ResolveServer(%s) = %q, %v; want %q", tt.server.URL, got, err, tt.want)
		}
	}
}
