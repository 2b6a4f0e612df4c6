package inbound

import (
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// FuzzMapping compiles any row, and wants of one that does something that what it
// writes into an account can be read back.
func FuzzMapping(f *testing.F) {
	const person = `{"userName":"a","externalId":"e","active":true,"emails":[{"value":"x","type":"work"},{"value":"y","primary":true}],"title":"t",` +
		`"roles":[{"value":"r"}],"name":{"givenName":"g"},"urn:a:b:User":{"c":"d"}}`
	for _, row := range [][2]string{
		{"userName", "preferred_username"}, {`emails[type eq "work"].value`, "email"}, {`emails[primary eq true and type eq "x"].value`, "app_metadata.a.b"},
		{"roles", "app_metadata.roles"}, {"urn:a:b:User.c", "user_metadata.c"}, {"active", "blocked"}, {"active", "email_verified"}, {"scim_1", "attr_auth0_1"},
		{"emails", "name"}, {`emails[not (type eq "x")]`, "app_metadata"}, {"", "."}, {"name", "app_metadata.name"}, {"emails.value", "app_metadata..x"},
	} {
		f.Add(row[0], row[1], person)
	}
	f.Fuzz(func(t *testing.T, from, to, text string) {
		rows := []tenant.MappingRow{{SCIM: from, Auth0: to}}
		users := extended(scim.Standard(), rows).Named("User")
		m := compile(rows, users)
		if len(m.rows)+len(m.inert) != 1 {
			t.Fatalf("the row is neither one that works nor one that does not")
		}
		v, err := value.Decode([]byte(text))
		if err != nil {
			return
		}
		body, _ := v.(map[string]any)
		given, _, err := users.Read(body, scim.Entra())
		if err != nil {
			return
		}
		a := &directory.Account{Profile: map[string]any{}, Status: directory.Active}
		m.apply(a, given)
		shown := shallow(given)
		m.show(shown, a)
		again := &directory.Account{Profile: map[string]any{}, Status: directory.Active}
		m.apply(again, shown)
		if a.Status != again.Status || !value.Equal(a.Profile, again.Profile) || !value.Equal(a.AppMetadata, again.AppMetadata) {
			t.Fatalf("%s = %s of %s: %v %v, and of what is shown: %v %v", from, to, text, a.Profile, a.AppMetadata, again.Profile, again.AppMetadata)
		}
		m.prune(given)
	})
}
