package login

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// maxSubject is the longest id of a person that becomes part of a user id, in
// bytes, as for people who come by SCIM.
const maxSubject = 255

// synced are the claims that become root attributes of a user.
var synced = []string{"email", "family_name", "given_name", "name", "nickname", "phone_number", "picture", "preferred_username"}

// admit lets somebody in whom the provider knows: it brings the account up to
// date and begins a session, of which it returns what the browser keeps.
func (s *Service) admit(ctx context.Context, client *tenant.Client, c *tenant.Connection, said claims, from directory.Actor) (stay *session, cookie string, err error) {
	subject := said.text("sub")
	if subject == "" || len(subject) > maxSubject {
		return nil, "", refuse(ServerError, "The identity provider did not say who signed in.")
	}
	by, err := s.userIDAttribute(ctx, c)
	if err != nil {
		return nil, "", err
	}
	err = s.Tenant.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		id := c.Provider() + "|" + subject
		account, err := tx.Account(s.Tenant.Realm, id)
		switch {
		case missing(err):
			account, err = s.newcomer(tx, c, id, by, said, from)
		case err == nil:
			account, err = s.returner(tx, c, account, said, from)
		}
		if err != nil {
			return err
		}
		if stay, cookie, err = s.beginSession(tx, account); err != nil {
			return err
		}
		return s.log(tx, account, client, from, startedKind)
	})
	return stay, cookie, err
}

// userIDAttribute is the SCIM attribute that the last part of the connection's
// user ids is.
func (s *Service) userIDAttribute(ctx context.Context, c *tenant.Connection) (string, error) {
	config, _, err := s.Tenant.SCIMConfig(ctx, c.ID)
	if missing(err) {
		return tenant.ByExternalID, nil
	}
	if err != nil {
		return "", err
	}
	return config.UserIDAttribute, nil
}

// newcomer makes the account of somebody who was not provisioned. It has the
// SCIM attribute that its id is made of, so that SCIM finds it later.
func (s *Service) newcomer(tx directory.Tx, c *tenant.Connection, id, by string, said claims, from directory.Actor) (*directory.Account, error) {
	a := &directory.Account{
		ID: id, Realm: s.Tenant.Realm, Connection: c.Name, Status: directory.Active, Profile: map[string]any{},
		Provider: directory.Provider{Type: c.Strategy, Name: c.Name}, Resource: map[string]any{by: said.text("sub"), "active": true},
	}
	if by != tenant.ByUserName {
		a.Resource["userName"] = said.userName()
	}
	if c.Sync() != tenant.NeverOnLogin {
		said.overwrite(a)
	}
	a.SignIns, a.LastIP, a.LastLogin = 1, from.IP, s.now()
	err := s.Tenant.Directory.CreateConnected(tx, from, a)
	if fault.Is(err, fault.Conflict) {
		return nil, refuse(Unauthorized, "Another user of the connection has this name already.").because(err)
	}
	return a, err
}

// returner lets somebody in who has an account.
func (s *Service) returner(tx directory.Tx, c *tenant.Connection, before *directory.Account, said claims, from directory.Actor) (*directory.Account, error) {
	if before.Blocked() {
		return nil, refuse(Unauthorized, "user is blocked")
	}
	after := directory.CloneAccount(before)
	if sync := c.Sync(); sync == tenant.OnEachLogin || sync == tenant.OnFirstLogin && before.SignIns == 0 {
		said.overwrite(after)
	}
	after.SignIns++
	after.LastIP, after.LastLogin = from.IP, s.now()
	return after, s.Tenant.Directory.SaveConnected(tx, from, before, after)
}

// userName is the name by which the provider knows a person.
func (c claims) userName() string {
	for _, name := range []string{"preferred_username", "email"} {
		if text := c.text(name); text != "" {
			return text
		}
	}
	return c.text("sub")
}

// overwrite sets the root attributes that the provider speaks of; the others
// stay as they are.
func (c claims) overwrite(a *directory.Account) {
	for _, name := range synced {
		if text := c.text(name); text != "" {
			a.Profile[tenant.ProfileAttribute(name)] = text
		}
	}
	if verified, ok := c["email_verified"].(bool); ok && c.text("email") != "" {
		a.EmailVerified = verified
	}
}

// log notes what an account did at a client.
func (s *Service) log(tx directory.Tx, a *directory.Account, client *tenant.Client, from directory.Actor, kind string) error {
	from.ID, from.Type, from.Name = a.ID, directory.UserActor, a.Text("displayName")
	return s.Tenant.Directory.Log(tx, a.Realm, directory.Event{
		At: s.now(), Actor: from, Kind: kind, Target: a.ID,
		Targets: []directory.Target{
			{Type: "User", ID: a.ID, AlternateID: a.Email(), DisplayName: a.Text("displayName")},
			{Type: "Client", ID: client.ID, DisplayName: client.Name},
		},
	}, nil, nil)
}

// profile returns what a scope tells of an account, by the names of OpenID
// Connect Core 5.4 and Auth0's.
func profile(a *directory.Account, asks func(string) bool) map[string]any {
	out := map[string]any{"sub": a.ID}
	add := func(name string) {
		if v := a.Profile[tenant.ProfileAttribute(name)]; v != nil {
			out[name] = value.Clone(v)
		}
	}
	if asks("profile") {
		for _, name := range []string{"name", "nickname", "given_name", "family_name", "picture", "preferred_username"} {
			add(name)
		}
		out["updated_at"] = tenant.FormatTime(a.Updated)
	}
	if asks("phone") {
		add("phone_number")
	}
	if asks("email") && a.Email() != "" {
		add("email")
		out["email_verified"] = a.EmailVerified
	}
	return out
}
