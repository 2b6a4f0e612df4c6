package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// descriptionPath is where tools find the OpenAPI description of this API. It
// needs no token, as it tells nothing of the org but its address.
const descriptionPath = "/.well-known/lanyard/openapi.yaml"

// describe answers the catalogue's description with this server in it.
func (a *API) describe(w http.ResponseWriter, r *http.Request) error {
	entry := catalog.Find("okta")
	if entry == nil {
		return fault.New(fault.Internal, "the catalogue has no Okta")
	}
	text, err := entry.DescriptionAt(a.base(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text) // the client went away: nothing to tell it
	return nil
}
