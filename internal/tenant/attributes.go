package tenant

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
