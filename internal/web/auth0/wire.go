package auth0

import (
	"crypto/md5" //nolint:gosec // Gravatar addresses pictures by the MD5 of the e-mail address; nothing is protected by it
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// rootAttributes are the attributes that users of every connection can have.
var rootAttributes = []string{"email", "family_name", "given_name", "name", "nickname", "phone_number", "phone_verified", "picture", "username"}

// attribute returns the value of a root attribute, nil when there is none.
func attribute(a *directory.Account, name string) any {
	return a.Profile[tenant.ProfileAttribute(name)]
}

func date(t time.Time) string { return tenant.FormatTime(t) }

// user is the wire form of an account. Most keys are in the order of the
// alphabet, some follow (recorded). Fields that never had a value are left out;
// attributes that a user has beside those of all come from its connection.
func user(a *directory.Account) web.Object {
	o := make(web.Object, 0, len(a.Profile)+8)
	add := func(key string, v any) { o = append(o, web.Field{Key: key, Value: v}) }
	if !a.StatusChanged.IsZero() { // somebody said whether the user is blocked
		add("blocked", a.Blocked())
	}
	add("created_at", date(a.Created))
	if a.Profile["email"] != nil {
		add("email_verified", a.EmailVerified)
	}
	add("identities", identities(a))
	for name, v := range a.Profile {
		root := tenant.RootAttribute(name)
		if root != "username" && (a.Connected() || slices.Contains(rootAttributes, root)) {
			add(root, v)
		}
	}
	add("updated_at", date(a.Updated))
	add("user_id", a.ID)
	slices.SortFunc(o, func(x, y web.Field) int { return strings.Compare(x.Key, y.Key) })
	if a.UserMetadata != nil {
		add("user_metadata", a.UserMetadata)
	}
	if v := attribute(a, "username"); v != nil {
		add("username", v)
	}
	if !a.PasswordChanged.IsZero() {
		add("last_password_reset", date(a.PasswordChanged))
	}
	if a.AppMetadata != nil {
		add("app_metadata", a.AppMetadata)
	}
	if !a.LastLogin.IsZero() {
		add("last_ip", a.LastIP)
		add("last_login", date(a.LastLogin))
		add("logins_count", a.SignIns)
	}
	return o
}

func identity(a *directory.Account) web.Object {
	provider, id, _ := strings.Cut(a.ID, "|")
	return web.Object{
		{Key: "connection", Value: a.Connection},
		{Key: "user_id", Value: id},
		{Key: "provider", Value: provider},
		{Key: "isSocial", Value: false},
	}
}

// withDefaults fills in what Auth0 makes up for a new user: the address as the
// name, its first part as the nickname, a generated picture.
func withDefaults(profile map[string]any) {
	email, _ := profile["email"].(string)
	username, _ := profile["login"].(string)
	if email == "" {
		setDefault(profile, "displayName", username)
		setDefault(profile, "nickName", username)
		return
	}
	local, _, _ := strings.Cut(email, "@")
	setDefault(profile, "displayName", email)
	setDefault(profile, "nickName", local)
	setDefault(profile, "picture", avatar(email))
}

func setDefault(profile map[string]any, name, text string) {
	if profile[name] == nil && text != "" {
		profile[name] = text
	}
}

// avatar is the address of the picture that Gravatar keeps for an e-mail
// address, with Auth0's picture of its first two letters in reserve. MD5 is
// Gravatar's choice and protects nothing here.
func avatar(email string) string {
	email = strings.ToLower(email)
	sum := md5.Sum([]byte(email)) //nolint:gosec // see the import
	initials := email[:min(2, len(email))]
	return "https://s.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) +
		"?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2F" + initials + ".png"
}
