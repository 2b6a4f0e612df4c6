package sources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
)

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("odd%20name#1.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const web = "https://example.com/flows/flow.yaml?version=2"
	for _, tt := range []struct{ base, ref, want string }{
		{in("flow.yaml"), "api.yaml", in("api.yaml")},
		{in("flow.yaml"), "a%20b.yaml#/x", in("a b.yaml")},
		{in("flow.yaml"), "odd%20name#1.yaml", in("odd%20name#1.yaml")},
		{in("flow.yaml"), "/abs/api.yaml", "/abs/api.yaml"},
		{in("flow.yaml"), "file:///abs/a%20b.yaml", "/abs/a b.yaml"},
		{in("flow.yaml"), "file://localhost/abs/api.yaml", "/abs/api.yaml"},
		{in("flow.yaml"), "HTTPS://example.com/api.yaml#x", "https://example.com/api.yaml"},
		{"file://" + in("flow.yaml"), "api.yaml", in("api.yaml")},
		{in("flow.yaml"), `C:\specs\api.yaml`, in(`C:\specs\api.yaml`)},
		{"", "api.yaml", in("api.yaml")},
		{"-", "api.yaml", in("api.yaml")},
		{web, "api.yaml", "https://example.com/flows/api.yaml"},
		{web, "../openapi/api.yaml#x", "https://example.com/openapi/api.yaml"},
		{web, "/api.yaml", "https://example.com/api.yaml"},
		{web, "//cdn.example.com/api.yaml", "https://cdn.example.com/api.yaml"},
		{web, "http://other.example.com/x", "http://other.example.com/x"},
	} {
		if got, err := locate(tt.base, dir, tt.ref); err != nil || got != tt.want {
			t.Errorf("locate(%q, %q) = %q, %v; want %q", tt.base, tt.ref, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		base, ref string
		kind      fault.Kind
	}{
		{in("flow.yaml"), "", fault.Invalid},
		{in("flow.yaml"), "#/fragment", fault.Invalid},
		{in("flow.yaml"), "ftp://example.com/x", fault.Unsupported},
		{in("flow.yaml"), "file://host/x", fault.Unsupported},
		{in("flow.yaml"), "https://user:s3cret@example.com/x", fault.Refused},
		{in("flow.yaml"), "https://user:s3cret@exa mple.com/x", fault.Invalid},
		{web, "file:///etc/passwd", fault.Refused},
		{web, `C:\x`, fault.Refused},
		{web, "://", fault.Invalid},
	} {
		got, err := locate(tt.base, dir, tt.ref)
		if !fault.Is(err, tt.kind) {
			t.Errorf("locate(%q, %q) = %q, %v; want %v", tt.base, tt.ref, got, err, tt.kind)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("locate(%q, %q) shows the credential: %v", tt.base, tt.ref, err)
		}
	}
}
