package oauth

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Okta's own table of OAuth errors, as it publishes it. Where a text speaks of
// something, the table has "en", "{1}" ... in its place.
const errorTable = "../../../shared/data/okta/oauth2-error-codes.json"

func TestRefusalsAreOktas(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(errorTable)
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatal("the table is not there")
		}
		t.Skip("the table is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Errors []struct {
			StatusCode                                     int
			InternalErrorCode, ErrorCode, ErrorDescription string
		}
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, row := range table.Errors {
		ours, ok := refusals[row.InternalErrorCode]
		if !ok {
			continue
		}
		found[row.InternalErrorCode] = true
		text := strings.Replace(ours.text, "%s", "en", 1)
		text = strings.Replace(text, "%s", "{1}", 1)
		if ours.status != row.StatusCode || ours.code != row.ErrorCode || text != row.ErrorDescription {
			t.Errorf("%s: %d %s %q, Okta has %d %s %q", row.InternalErrorCode, ours.status, ours.code, text, row.StatusCode, row.ErrorCode, row.ErrorDescription)
		}
	}
	for name := range refusals {
		if !found[name] {
			t.Errorf("%s is no error of Okta's", name)
		}
	}
	// Everything that can be wrong with a proof or an assertion is refused in
	// Okta's words for just that; what is left needs what there is not here.
	elsewhere := []string{
		"client_assertion_invalid_no_secret", "client_assertion_invalid_secret_length", // client_secret_jwt
		"client_assertion_not_signed_with_signing_key",
	}
	for _, row := range table.Errors {
		name := row.InternalErrorCode
		applies := row.ErrorCode == "invalid_dpop_proof" || strings.HasPrefix(name, "client_assertion_")
		if applies && !found[name] && !strings.Contains(strings.Join(elsewhere, " "), name) {
			t.Errorf("%s (%s) is never answered", name, row.ErrorDescription)
		}
	}
}

func TestRefusalsHaveKinds(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]fault.Kind{
		"invalid_client": fault.Unauthorized, "access_token_insufficient_scopes": fault.Forbidden, "invalid_request": fault.Invalid, "server_error": fault.Internal,
	} {
		if got := fault.KindOf(Refuse(name)); got != kind {
			t.Errorf("%s is %v, want %v", name, got, kind)
		}
	}
	cause := errors.New("private")
	e := Refuse("invalid_client").because(cause)
	if !errors.Is(e, cause) || strings.Contains(e.Text, "private") || !strings.Contains(e.Error(), "private") {
		t.Errorf("%v", e)
	}
	if got := Refuse("no such name").Code; got != "server_error" {
		t.Errorf("an unknown name is %s", got)
	}
}
