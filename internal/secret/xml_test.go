package secret_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/secret"
)

func TestXML(t *testing.T) {
	tests := []struct {
		name, in, want string
		found          []string
	}{
		{"element", "<a><access_token>abc</access_token><b>abc</b></a>", "<a><access_token>[masked]</access_token><b>abc</b></a>", []string{"abc"}},
		{"prefix", "<x:Password>p&amp;q</x:Password>", "<x:Password>[masked]</x:Password>", []string{"p&q"}},
		{"attribute", `<u id="1" otp='99' x:secret = "s"/>`, `<u id="1" otp='[masked]' x:secret = "[masked]"/>`, []string{"99", "s"}},
		{"below", "<secret> <v>1</v> <v/></secret><n>2</n>", "<secret> <v>[masked]</v> <v/></secret><n>2</n>", []string{"1"}},
		{"CDATA", "<pin><![CDATA[77]]></pin>", "<pin>[masked]</pin>", []string{"77"}},
		{"declared charset", `<?xml version="1.0" encoding="ISO-8859-1"?><pin>7</pin>`, `<?xml version="1.0" encoding="ISO-8859-1"?><pin>[masked]</pin>`, []string{"7"}},
		{"empty", "<token/><token></token>", "<token/><token></token>", nil},
		{"not XML", "a < b & c", "a < b & c", nil},
		{"known elsewhere", "<a>hunter2</a>", "<a>[masked]</a>", nil},
	}
	r := secret.NewRedactor("hunter2")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.XML(tt.in); got != tt.want {
				t.Errorf("XML(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if diff := cmp.Diff(tt.found, secret.XMLValues(tt.in)); diff != "" {
				t.Errorf("XMLValues (-want +got):\n%s", diff)
			}
		})
	}
}
