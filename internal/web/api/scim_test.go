package api

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// heardSCIM answers always the same and keeps what it was asked.
type heardSCIM struct {
	asked    []any
	overview inbound.Overview
	token    inbound.Token
	preview  inbound.Preview
	compared inbound.Assignments
}

func (h *heardSCIM) SCIMConnections(context.Context) ([]inbound.Overview, error) {
	return []inbound.Overview{h.overview}, nil
}

func (h *heardSCIM) SCIMConnection(_ context.Context, ref string) (inbound.Overview, error) {
	h.asked = append(h.asked, ref)
	return h.overview, nil
}

func (h *heardSCIM) ConnectSCIM(_ context.Context, n inbound.NewConnection) (inbound.Overview, error) {
	h.asked = append(h.asked, n)
	return h.overview, nil
}

func (h *heardSCIM) ChangeSCIM(_ context.Context, ref string, c inbound.Change) (inbound.Overview, error) {
	h.asked = append(h.asked, ref, c)
	return h.overview, nil
}

func (h *heardSCIM) CreateSCIMToken(_ context.Context, ref string, n tenant.NewSCIMToken) (string, inbound.Token, error) {
	h.asked = append(h.asked, ref, n)
	return "secret", h.token, nil
}

func (h *heardSCIM) RevokeSCIMToken(_ context.Context, ref, token string) (inbound.Token, error) {
	h.asked = append(h.asked, ref, token)
	return h.token, nil
}

func (h *heardSCIM) PreviewSCIM(_ context.Context, ref string, person map[string]any) (inbound.Preview, error) {
	h.asked = append(h.asked, ref, person)
	return h.preview, nil
}

func (h *heardSCIM) CompareAssignments(_ context.Context, signOn, provisioner string) (inbound.Assignments, error) {
	h.asked = append(h.asked, signOn, provisioner)
	return h.compared, nil
}

// TestSCIM makes sure that what a command asks arrives, and the answer comes back.
func TestSCIM(t *testing.T) {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	token := inbound.Token{ID: "tok_1", Scopes: []string{"get:users"}, Created: at, ValidUntil: at.Add(time.Hour), Warning: "expires soon"}
	h := &heardSCIM{
		token: token,
		overview: inbound.Overview{
			ID: "con_1", Name: "acme", Strategy: "okta", Endpoint: "/scim/v2/connections/con_1", UserIDAttribute: "externalId",
			Mapping: []tenant.MappingRow{{SCIM: `emails[type eq "a"].value`, Auth0: "email"}}, Policy: tenant.DefaultPolicy("okta"),
			Tokens: []inbound.Token{token}, Users: 2, Groups: 1,
		},
		preview: inbound.Preview{
			UserID: "okta|acme|1", Action: "create", SCIM: map[string]any{"n": json.Number("1.50")},
			Rows: []inbound.PreviewRow{{SCIM: "active", Auth0: "blocked", Before: true, After: false}},
		},
		compared: inbound.Assignments{SignOnOnly: []inbound.Assigned{{Kind: "user", ID: "1", Name: "a"}}, ProvisionerOnly: []inbound.Assigned{}, Both: 3},
	}
	c, _ := serve(t, &fakeService{SCIM: h})
	ctx, ref := t.Context(), "a b/c|d"
	change := inbound.Change{Set: h.overview.Mapping, Remove: []string{"title"}, Policy: tenant.SCIMPolicy{Rehire: tenant.Link}}
	wish := tenant.NewSCIMToken{Scopes: []string{"get:users"}, Life: time.Hour}
	person := map[string]any{"userName": "ada", "n": json.Number("1.50")}
	for _, test := range []struct {
		name string
		call func() (any, error)
		sent []any
		want any
	}{
		{"list", func() (any, error) { return c.SCIMConnections(ctx) }, nil, []inbound.Overview{h.overview}},
		{"show", func() (any, error) { return c.SCIMConnection(ctx, ref) }, []any{ref}, h.overview},
		{"create", func() (any, error) { return c.ConnectSCIM(ctx, inbound.NewConnection{Name: "x", Strategy: "okta"}) }, []any{inbound.NewConnection{Name: "x", Strategy: "okta"}}, h.overview},
		{"change", func() (any, error) { return c.ChangeSCIM(ctx, ref, change) }, []any{ref, change}, h.overview},
		{"token", func() (any, error) {
			secret, kept, err := c.CreateSCIMToken(ctx, ref, wish)
			return []any{secret, kept}, err
		}, []any{ref, wish}, []any{"secret", token}},
		{"revoke", func() (any, error) { return c.RevokeSCIMToken(ctx, ref, "tok_1") }, []any{ref, "tok_1"}, token},
		{"preview", func() (any, error) { return c.PreviewSCIM(ctx, ref, person) }, []any{ref, person}, h.preview},
		{"compare", func() (any, error) { return c.CompareAssignments(ctx, "a&b", "c d") }, []any{"a&b", "c d"}, h.compared},
	} {
		h.asked = nil
		got, err := test.call()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(test.sent, h.asked); diff != "" {
			t.Errorf("%s: the Service was asked (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: the client was answered (-want +got):\n%s", test.name, diff)
		}
	}
}
