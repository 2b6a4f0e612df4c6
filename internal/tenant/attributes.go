package tenant

import "time"

// FormatTime writes a time as Auth0 does: UTC, to the millisecond (recorded).
func FormatTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// profileAttributes translates Auth0's names of root attributes into the
// directory's, where they differ.
var profileAttributes = map[string]string{
	"username":       "login",
	"phone_number":   "mobilePhone",
	"phone_verified": "phoneVerified",
	"given_name":     "firstName",
	"family_name":    "lastName",
	"name":           "displayName",
	"nickname":       "nickName",
}

// ProfileAttribute returns the name under which the directory keeps a root
// attribute of an Auth0 user. Those that it has no name for, such as
// preferred_username, have Auth0's.
func ProfileAttribute(auth0 string) string {
	if name, ok := profileAttributes[auth0]; ok {
		return name
	}
	return auth0
}

// rootAttributes is profileAttributes the other way round.
var rootAttributes = func() map[string]string {
	out := make(map[string]string, len(profileAttributes))
	for auth0, name := range profileAttributes {
		out[name] = auth0
	}
	return out
}()

// RootAttribute returns Auth0's name of what the directory keeps under a name: the
// inverse of ProfileAttribute.
func RootAttribute(profile string) string {
	if name, ok := rootAttributes[profile]; ok {
		return name
	}
	return profile
}
