package identitysource

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// applicationID is the form of the ids of a tenant's applications (okta.md 1.1).
var applicationID = regexp.MustCompile(`^0oa[A-Za-z0-9]{17}$`)

// Find returns the id of an identity source of a tenant that is named by it, or by
// the label of its application, which is asked for. It is fault.NotFound when there
// is none and fault.Conflict when there are several.
func Find(ctx context.Context, api API, ref string) (id string, err error) {
	if applicationID.MatchString(ref) {
		return ref, nil
	}
	a, err := api.Call(ctx, http.MethodGet, appsPath+"?"+url.Values{"q": {ref}, "limit": {"200"}}.Encode(), nil)
	switch {
	case err != nil:
		return "", err
	case a.passing():
		return "", a.refused("the search for the application")
	case !a.ok():
		return "", fault.New(fault.Unauthorized, "the tenant does not say which application is %q: %s", ref, a.problem().Summary).
			Fix("name it by its id (0oa...), or give the connection the scope okta.apps.read")
	}
	var apps []struct{ ID, Name, Label string }
	if err := json.Unmarshal(a.Body, &apps); err != nil {
		return "", fault.Wrap(fault.Refused, err, "the tenant's list of applications cannot be read")
	}
	for _, app := range apps {
		switch {
		case app.Label != ref || app.Name != directory.SourceApp:
		case id != "":
			return "", fault.New(fault.Conflict, "the tenant has several identity sources %q", ref).Fix("name it by its id: %s or %s", id, app.ID)
		default:
			id = app.ID
		}
	}
	if id == "" {
		return "", fault.New(fault.NotFound, "the tenant has no identity source %q", ref).
			Fix("make a Custom Identity Source application there with that label, or name one by its id (0oa...)")
	}
	return id, nil
}
