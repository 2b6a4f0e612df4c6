package inbound

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Preview is what a POST would make of a person. Nothing is stored.
type Preview struct {
	UserID   string         `json:"userId"`
	Action   string         `json:"action"` // "create", "link" or "refuse"
	Reason   string         `json:"reason,omitempty"`
	SCIM     map[string]any `json:"scim"` // as read
	Rows     []PreviewRow   `json:"rows"`
	Unmapped []string       `json:"unmapped,omitempty"` // SCIM attributes that no row reads
	Inert    []string       `json:"inert,omitempty"`    // rows that do nothing, with the reason
	Notes    []string       `json:"notes,omitempty"`
}

// PreviewRow is what one row of the mapping does.
type PreviewRow struct {
	SCIM   string `json:"scim"`
	Auth0  string `json:"auth0"`
	Before any    `json:"before,omitempty"` // what the account has, when there is one
	After  any    `json:"after,omitempty"`
}

// Changed reports whether the row changes something.
func (r PreviewRow) Changed() bool { return !value.Equal(r.Before, r.After) }

// Preview says what a connection would make of a person: the body of a SCIM
// request, or an Okta profile, which is known by its login.
func (s *Service) Preview(ctx context.Context, ref string, person map[string]any) (out Preview, err error) {
	o, err := s.Overview(ctx, ref)
	if err != nil {
		return out, err
	}
	e, err := s.Inside(ctx, o.ID)
	if err != nil {
		return out, err
	}
	w := &work{Endpoint: e}
	body := person
	if profile, ok := oktaProfile(person); ok {
		if body, err = e.fromOkta(profile); err != nil {
			return out, err
		}
		w.note("the Okta profile was turned into what Okta sends by its default mappings")
	}
	given, notes, err := e.users.Read(body, e.leniency)
	w.notes = append(w.notes, notes...)
	if err != nil {
		return out, err
	}
	w.notePassword(given)
	given = w.admit(given)
	err = e.view(ctx, func(r directory.Reader) error {
		out, err = w.preview(r, given)
		return err
	})
	for _, n := range w.notes {
		out.Notes = append(out.Notes, string(n))
	}
	return out, err
}

func (w *work) preview(r directory.Reader, given scim.Resource) (Preview, error) {
	out := Preview{Action: "create", SCIM: given, Unmapped: w.unmapped(given)}
	for _, i := range w.mapping.inert {
		out.Inert = append(out.Inert, i.SCIM+" = "+i.Auth0+": "+i.why)
	}
	before, err := w.known(r, given)
	if err != nil {
		refusal := scim.Describe(err)
		if refusal.Type != scim.Uniqueness {
			return out, err
		}
		out.Action, out.Reason = "refuse", refusal.Detail
	}
	if before != nil {
		out.Action, out.UserID = "link", before.ID
	} else if out.UserID, before, err = w.namesake(r, given); err != nil {
		return out, err
	}
	after := &directory.Account{Profile: map[string]any{}, Status: directory.Active}
	if before != nil {
		after = directory.CloneAccount(before)
	}
	w.mapping.apply(after, given)
	for i := range w.mapping.rows {
		row := &w.mapping.rows[i]
		p := PreviewRow{SCIM: row.SCIM, Auth0: row.Auth0, After: row.to.read(after)}
		if before != nil {
			p.Before = row.to.read(before)
		}
		out.Rows = append(out.Rows, p)
	}
	return out, nil
}

// namesake returns the id that a new user would get, and the account that has it
// already, nil for none: who is there is shown as a PUT would change them.
func (w *work) namesake(r directory.Reader, given scim.Resource) (string, *directory.Account, error) {
	id, err := w.userID(given)
	if err != nil {
		return "", nil, err
	}
	a, err := w.account(r, id)
	if fault.Is(err, fault.NotFound) {
		return id, nil, nil
	}
	return id, a, err
}

// unmapped lists the attributes of a resource that no row reads. An element of
// which one row reads a part counts as read.
func (w *work) unmapped(given scim.Resource) []string {
	read := func(urn, name string) bool {
		return slices.ContainsFunc(w.mapping.rows, func(r row) bool { return r.from.urn == urn && r.from.attribute == name })
	}
	var out []string
	for name, v := range given {
		extension, ok := v.(map[string]any)
		if !ok || !strings.HasPrefix(name, "urn:") {
			if !read("", name) {
				out = append(out, name)
			}
			continue
		}
		for inner := range extension {
			if !read(name, inner) {
				out = append(out, name+":"+inner)
			}
		}
	}
	slices.Sort(out)
	return out
}

// oktaProfile takes an Okta profile out of what Okta's API shows of a user, or of
// what is one itself.
func oktaProfile(person map[string]any) (map[string]any, bool) {
	if inner, ok := person["profile"].(map[string]any); ok && inner["login"] != nil {
		inner = shallow(inner)
		put(inner, "id", person["id"])
		return inner, true
	}
	return person, person["login"] != nil && person["userName"] == nil
}

//go:embed okta_profile.json
var oktaRowsFile []byte

// oktaRow joins an attribute of an Okta profile to the SCIM attribute that Okta
// sends it as.
type oktaRow struct {
	Okta string `json:"okta"`
	SCIM string `json:"scim"`
}

var oktaRows = sync.OnceValues(func() (rows []oktaRow, err error) {
	if err := json.Unmarshal(oktaRowsFile, &rows); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the mapping of Okta profiles cannot be read")
	}
	return rows, nil
})

// fromOkta makes the body that Okta would send for a profile.
func (e *Endpoint) fromOkta(profile map[string]any) (map[string]any, error) {
	rows, err := oktaRows()
	if err != nil {
		return nil, err
	}
	body := map[string]any{"active": true}
	for _, row := range rows {
		v := profile[row.Okta]
		if v == nil || v == "" {
			continue
		}
		to, why := compilePath(row.SCIM, e.users)
		if why != "" {
			return nil, fault.New(fault.Internal, "the mapping of Okta profiles has a row %s that does nothing: %s", row.SCIM, why)
		}
		to.write(body, v)
	}
	body["schemas"] = schemas(e.users, body)
	return body, nil
}
