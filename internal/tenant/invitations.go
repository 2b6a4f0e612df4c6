package tenant

import (
	"context"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Invitation asks somebody to become a member of an organization.
type Invitation struct {
	directory.Meta

	Organization string         `json:"organization"`
	Client       string         `json:"client"`
	Connection   string         `json:"connection,omitempty"` // id; empty: any of the organization
	Inviter      string         `json:"inviter"`
	Invitee      string         `json:"invitee"` // e-mail address
	Ticket       string         `json:"ticket"`
	URL          string         `json:"url"`
	Roles        []string       `json:"roles,omitempty"`
	AppMetadata  map[string]any `json:"appMetadata,omitempty"`
	UserMetadata map[string]any `json:"userMetadata,omitempty"`
	Expires      time.Time      `json:"expires"`
}

// Place says where the invitation is found.
func (i *Invitation) Place() directory.Place {
	return directory.Place{Noun: directory.OrgInvitationNoun, Parent: i.Organization}
}

// Invite adds an invitation, whose life, id, ticket and address it sets. address
// makes the address of the invitation's page from the ticket. Roles and a
// connection that do not exist are fault.NotFound.
func (t *Tenant) Invite(ctx context.Context, actor directory.Actor, id string, i *Invitation, life time.Duration, address func(o *Organization, ticket string) string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		for _, role := range i.Roles {
			if _, err := directory.Get[Role](tx, t.Realm, role); err != nil {
				return err
			}
		}
		if i.Connection != "" {
			if _, err := t.orgConnection(tx, id, i.Connection); err != nil {
				return err
			}
		}
		e := t.event(actor, "auth0.organization.invitation.create", o.target())
		i.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("uinv"), Realm: t.Realm}
		i.Organization, i.Expires = id, e.At.Add(life)
		i.Ticket = t.Directory.IDs.Token(32)
		i.URL = address(o, i.Ticket)
		return t.Directory.InsertObject(tx, i, e)
	})
}

// Invitation returns an invitation of an organization.
func (t *Tenant) Invitation(ctx context.Context, id, invitation string) (i *Invitation, err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		i, err = t.invitation(r, id, invitation)
		return err
	})
	return i, err
}

func (t *Tenant) invitation(r directory.Reader, organization, id string) (*Invitation, error) {
	i, err := directory.Get[Invitation](r, t.Realm, id)
	if err == nil && i.Organization != organization {
		return nil, directory.NotFound(directory.OrgInvitationNoun, id)
	}
	return i, err
}

// Invitations returns the invitations of an organization.
func (t *Tenant) Invitations(ctx context.Context, id string, w Window) (p Page[*Invitation], err error) {
	err = t.viewOrganization(ctx, id, func(r directory.Reader, _ *Organization) error {
		p, err = pageOf[Invitation](r, directory.RecordQuery{Realm: t.Realm, Parent: id}, w, "", nil)
		return err
	})
	return p, err
}

// DeleteInvitation takes an invitation back.
func (t *Tenant) DeleteInvitation(ctx context.Context, actor directory.Actor, id, invitation string) error {
	return t.inOrganization(ctx, id, func(tx directory.Tx, o *Organization) error {
		i, err := t.invitation(tx, id, invitation)
		if err != nil {
			return err
		}
		return t.Directory.DeleteObject(tx, i, t.event(actor, "auth0.organization.invitation.delete", o.target()))
	})
}
